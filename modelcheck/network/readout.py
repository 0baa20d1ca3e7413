"""How class scores follow from what the last layer gives, in tensors that gradients flow through."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from modelcheck.runtimes.readout import LEAST, Readout

__all__ = ["read_tensors"]

Tensor = Any  # tensorflow ships no types


def read_tensors(readout: Readout, values: Tensor) -> Tensor:
    """Return ``(n, classes)`` scores, or ``(n, 1)``: by how much the second of two classes leads.

    The same arithmetic for arrays is `modelcheck.runtimes.readout.read_arrays`.

    Examples
    --------
    >>> read_tensors(Readout(unit=1, border=0.5), tf.constant([[7.0, 2.5]])).numpy()
    array([[2.]], dtype=float32)
    """
    if readout.link:
        lower = tf.maximum(values, LEAST)
        values = tf.math.log(lower)
        if readout.link == "logit":
            values -= tf.math.log(tf.maximum(1 - lower, LEAST))
    if readout.unit is not None:
        return readout.select(values) - readout.sign * readout.border
    if readout.classes is None:
        return values
    parts = [tf.reduce_logsumexp(tf.gather(values, part, axis=1), axis=1) for part in readout.members()]
    return tf.stack(parts, axis=1)
