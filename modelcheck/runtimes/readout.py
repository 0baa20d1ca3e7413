"""How class scores follow from what the last layer gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["LEAST", "Readout", "as_class_scores", "read_arrays"]

LEAST = 1e-7
"""A probability that is taken for 0: float32 has no finer share of 1."""


@dataclass(frozen=True)
class Readout:
    """How class scores follow from what the last layer gives.

    Tensors are read by `modelcheck.network.readout.read_tensors`, arrays by `read_arrays`.

    Parameters
    ----------
    classes : tuple of int, optional
        The class that each output belongs to, where several outputs mean one class.
    unit : int, optional
        The one output that is judged, where it alone answers: it speaks for the second of two
        classes.
    sign : int
        -1 where that unit speaks for the first class.
    border : float
        The score of that unit at which the classes part.
    link : str
        ``log`` or ``logit`` where the last layer mixes probabilities, whose logarithms or log odds
        are scores; else empty.
    """

    classes: tuple[int, ...] | None = None
    unit: int | None = None
    sign: int = 1
    border: float = 0.0
    link: str = ""

    def count_classes(self, n_outputs: int) -> int:
        """Return how many classes are told apart by that many outputs."""
        if self.unit is not None:
            return 2
        return max(n_outputs, 2) if self.classes is None else max(self.classes) + 1

    def members(self) -> list[list[int]]:
        """Return the outputs of each class, where several outputs mean one class."""
        owners = self.classes or ()
        return [[at for at, owner in enumerate(owners) if owner == k] for k in range(max(owners, default=-1) + 1)]

    def select(self, values: Any) -> Any:
        """Return of the last axis the unit alone, with its sign: of scores, of a kernel, of a bias."""
        unit = self.unit or 0
        return values[..., unit : unit + 1] * self.sign


def read_arrays(readout: Readout, values: np.ndarray) -> np.ndarray:
    """Return ``(n, classes)`` scores, or ``(n, 1)``: by how much the second of two classes leads.

    Examples
    --------
    >>> read_arrays(Readout(unit=1, border=0.5), np.array([[7.0, 2.5]]))
    array([[2.]])
    """
    if readout.link:
        lower = np.maximum(values, LEAST)
        values = np.log(lower)
        if readout.link == "logit":
            values = values - np.log(np.maximum(1 - lower, LEAST))
    if readout.unit is not None:
        return readout.select(values) - readout.sign * readout.border
    if readout.classes is None:
        return values
    return np.stack([_add_in_logarithms(values[:, part]) for part in readout.members()], axis=1)


def as_class_scores(readout: Readout, values: np.ndarray) -> np.ndarray:
    """Return one column for each class: a single score has the score 0 for its first class."""
    scores = read_arrays(readout, values)
    return np.concatenate([np.zeros_like(scores), scores], axis=-1) if scores.shape[-1] == 1 else scores


def _add_in_logarithms(values: np.ndarray) -> np.ndarray:
    most = values.max(axis=1, keepdims=True)
    return most[:, 0] + np.log(np.exp(values - most).sum(axis=1))
