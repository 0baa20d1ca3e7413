"""What a network loses when one unit is silenced: its activation replaced by its own mean over the pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.happymaps.objectives import margins
from modelcheck.network import Network, UnitLayer

__all__ = ["ablation_effects"]

Tensor = Any  # tensorflow ships no types


def ablation_effects(network: Network, layer: UnitLayer, images: np.ndarray, *, units: np.ndarray) -> np.ndarray:
    """Return how much each unit's variation matters to the decision.

    Parameters
    ----------
    network : Network
        The flattened network; it is not changed.
    layer : UnitLayer
        The hidden layer whose units are silenced.
    images : np.ndarray
        ``(n, h, w, c)`` float32 in the input range, at least two different ones.
    units : np.ndarray
        ``(k,)`` indices of the units to silence.

    Returns
    -------
    np.ndarray
        ``(len(units),)``: the mean absolute change of the margins when the unit's activation, after
        the nonlinearity, is replaced everywhere by its mean over pictures and places, divided by
        the margins' standard deviation over the pictures; NaN where the margins do not vary.

    References
    ----------
    Morcos, Barrett, Rabinowitz and Botvinick, "On the importance of single directions for
    generalization", ICLR 2018.
    """
    after = _find_dependents(network, layer.activated)
    outside = sorted({source for step in after for source in network.steps[step].inputs} - {*after, layer.activated})
    value, *rest = network.evaluate(tf.constant(images), [layer.activated, *outside, network.logits])
    logits = rest.pop()
    known = dict(zip(outside, rest, strict=True))
    before = margins(network.as_class_scores(logits)).numpy()
    spread = before.std(axis=0)
    silenced = _trace_silencing(network, after, layer.activated, value, known)
    effects = [np.abs(silenced(tf.constant(int(unit), tf.int32)).numpy() - before).mean(axis=0) for unit in units]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, np.array(effects) / spread, np.nan).mean(axis=1)


def _find_dependents(network: Network, position: int) -> list[int]:
    """Return the steps behind a position on the way to the decision, in order."""
    found: set[int] = set()
    for step in network.steps_needed([network.logits]):
        if any(source == position or source in found for source in network.steps[step].inputs):
            found.add(step)
    return sorted(found)


def _trace_silencing(
    network: Network, after: list[int], position: int, value: Tensor, known: dict[int, Tensor]
) -> Callable[[Tensor], Tensor]:
    """Return a traced function from a unit to the margins without it; only what depends on the layer runs again."""
    mean = tf.reduce_mean(value, axis=list(range(len(value.shape) - 1)))
    count = value.shape[-1]

    def silence(unit: Tensor) -> Tensor:
        gone = tf.one_hot(unit, count, on_value=True, off_value=False)
        values = {**known, position: tf.where(gone, mean, value)}
        for step in after:
            row = network.steps[step]
            values[step] = row.run([values[source] for source in row.inputs])
        return margins(network.as_class_scores(values[network.logits]))

    return tf.function(silence, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32))
