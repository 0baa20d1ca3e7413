"""How class scores follow from what the last layer gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Readout"]

Tensor = Any  # tensorflow ships no types

_LEAST = 1e-7  # a probability that is taken for 0: float32 has no finer share of 1


@dataclass(frozen=True)
class Readout:
    """How class scores follow from what the last layer gives.

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

    Examples
    --------
    >>> Readout(unit=1, border=0.5).read(tf.constant([[7.0, 2.5]])).numpy()
    array([[2.]], dtype=float32)
    """

    classes: tuple[int, ...] | None = None
    unit: int | None = None
    sign: int = 1
    border: float = 0.0
    link: str = ""

    def read(self, values: Tensor) -> Tensor:
        """Return ``(n, classes)`` scores, or ``(n, 1)``: by how much the second of two classes leads."""
        if self.link:
            lower = tf.maximum(values, _LEAST)
            values = tf.math.log(lower)
            if self.link == "logit":
                values -= tf.math.log(tf.maximum(1 - lower, _LEAST))
        if self.unit is not None:
            return self.select(values) - self.sign * self.border
        if self.classes is None:
            return values
        members = [[at for at, owner in enumerate(self.classes) if owner == k] for k in range(max(self.classes) + 1)]
        return tf.stack([tf.reduce_logsumexp(tf.gather(values, part, axis=1), axis=1) for part in members], axis=1)

    def select(self, values: Tensor) -> Tensor:
        """Return of the last axis the unit alone, with its sign: of scores, of a kernel, of a bias."""
        unit = self.unit or 0
        return values[..., unit : unit + 1] * self.sign
