"""What answers pictures, whatever runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["Classifier", "NetworkError"]


class NetworkError(ValueError):
    """A network that modelcheck cannot use; the message names the part."""


class Classifier(Protocol):
    """What answers pictures: a network that can be looked into, or a file that only answers."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        ...

    @property
    def n_classes(self) -> int:
        """How many classes it tells apart."""
        ...

    @property
    def plain(self) -> bool:
        """Whether one picture shows what a sticker does to its numbers: they can neither overflow nor wrap unseen."""
        ...

    def class_scores(self, images: np.ndarray, *, checked: np.ndarray | None = None) -> np.ndarray:
        """Return the scores before softmax or sigmoid, one column for each class.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` float32 pictures in the input range of the recipe, any number of them.
        checked : np.ndarray, optional
            Rows of pictures on which it must answer as it does when it is used as it will be
            released.

        Returns
        -------
        np.ndarray
            ``(n, classes)`` float32. No row depends on the others.

        Raises
        ------
        NetworkError
            When the two answers to a checked picture differ.
        """
        ...

    def without_preprocessing(self) -> Classifier:
        """Return the same classifier, given pictures that are already as the network takes them."""
        ...
