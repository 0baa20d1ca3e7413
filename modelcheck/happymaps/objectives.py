"""What an ascent maximises: each objective a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from modelcheck.network import Network, NetworkError, UnitLayer
from modelcheck.support.spelling import did_you_mean
from modelcheck.units import LayerKind

__all__ = ["OBJECTIVES", "Objective", "margins", "objective_of"]

Tensor = Any  # tensorflow ships no types

_LEAKY_SLOPE = 0.02  # what a silent cell still counts in a channel's mean, so that the mean has a slope everywhere


def margins(scores: Tensor) -> Tensor:
    """Return how far each class score leads the others, ``(n, k)``; `modelcheck.metrics.margins` in TensorFlow."""
    if scores.shape[1] == 2:
        return scores - tf.reverse(scores, [1])
    top = tf.one_hot(tf.argmax(scores, axis=1), scores.shape[1], on_value=True, off_value=False)
    largest = tf.stop_gradient(tf.reduce_max(scores, axis=1, keepdims=True))
    terms = tf.exp(scores - largest)
    # Taking the own term away loses no digits but for the largest, whose others are summed by
    # themselves.
    left = tf.where(top, tf.ones_like(terms), tf.reduce_sum(terms, axis=1, keepdims=True) - terms)
    rest = tf.reduce_logsumexp(tf.where(top, tf.constant(-np.inf, scores.dtype), scores), axis=1, keepdims=True)
    return scores - tf.where(top, rest, largest + tf.math.log(left))


def _take_centre(output: Tensor) -> Tensor:
    return output[:, output.shape[1] // 2, output.shape[2] // 2, :] if len(output.shape) == 4 else output


class Objective(NamedTuple):
    """What an ascent maximises.

    Parameters
    ----------
    kinds : tuple of LayerKind
        The layers that have it; the first objective of `OBJECTIVES` that fits is a layer's default.
    value : callable
        Function from the network and the layer's pre-activations on ``n`` maps to ``(n, units)``.
    patch : bool
        Whether a map is the receptive field of one unit rather than the whole picture.
    says : str
        One line for the reader.
    """

    kinds: tuple[LayerKind, ...]
    value: Callable[[Network, Tensor], Tensor]
    patch: bool
    says: str


OBJECTIVES: dict[str, Objective] = {
    "margin": Objective(
        (LayerKind.DECISION,),
        lambda network, output: margins(network.as_class_scores(output)),
        False,
        "class score minus logsumexp of the others: blind to the common offset that scores have",
    ),
    "channel": Objective(
        (LayerKind.CONV,),
        lambda network, output: _take_centre(output),
        True,
        "a channel's centre unit, on what it sees",
    ),
    "neuron": Objective(
        (LayerKind.DENSE, LayerKind.CONV),
        lambda network, output: _take_centre(output),
        False,
        "one unit's pre-activation, whole picture",
    ),
    "logit": Objective(
        (LayerKind.DECISION,),
        lambda network, output: network.as_class_scores(output),
        False,
        "class score before softmax",
    ),
    "probability": Objective(
        (LayerKind.DECISION,),
        lambda network, output: tf.nn.softmax(network.as_class_scores(output)),
        False,
        "probability of the class: where it is saturated there is no way up, and no map",
    ),
    "channel_mean": Objective(
        (LayerKind.CONV,),
        lambda network, output: tf.reduce_mean(tf.nn.leaky_relu(output, _LEAKY_SLOPE), axis=(1, 2)),
        False,
        "a channel's mean activation over the whole picture",
    ),
}


def objective_of(layer: UnitLayer, wanted: str | None) -> tuple[str, Objective]:
    """Return a layer's objective of that name, or its default: the first that fits.

    Raises
    ------
    NetworkError
        When the layer has no such objective.
    """
    fitting = {name: row for name, row in OBJECTIVES.items() if layer.kind in row.kinds}
    name = wanted or next(iter(fitting))
    if name not in fitting:
        raise NetworkError(
            f"The {layer.kind} layer {layer.name!r} has no objective {name!r}. {did_you_mean(name, fitting)}"
        )
    return name, fitting[name]
