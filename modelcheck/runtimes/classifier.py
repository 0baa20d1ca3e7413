"""What answers pictures, whatever runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from modelcheck.interface import Preprocessing

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

    def class_scores(self, images: np.ndarray) -> np.ndarray:
        """Return the scores before softmax or sigmoid, one column for each class.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` float32 pictures in the input range of the recipe, any number of them.

        Returns
        -------
        np.ndarray
            ``(n, classes)`` float32. No row depends on the others.
        """
        ...

    def check_shown(self, images: np.ndarray) -> None:
        """Refuse a network that answers otherwise on pictures when it is used as it will be released.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` float32 pictures that it was shown, beyond those of the panel.

        Raises
        ------
        NetworkError
            When the two answers differ.
        """
        ...

    def preprocess_first(self, preprocessing: Preprocessing | None, *, input_range: tuple[float, float]) -> Classifier:
        """Return the same classifier with its pictures preprocessed in another way.

        Parameters
        ----------
        preprocessing : Preprocessing or None
            What is done to a picture before the network sees it, in the place of what is done now;
            None for nothing.
        input_range : tuple of float
            The values of black and white in the pictures that it is given.

        Raises
        ------
        NetworkError
            When the preprocessing does not fit the number of its channels.
        """
        ...
