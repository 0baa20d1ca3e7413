"""A network's weights as values: read once, and handed to whatever is traced of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from modelcheck.network.steps import Network, Step

__all__ = ["read_weights", "with_weights"]

Tensor = Any  # tensorflow ships no types


def read_weights(network: Network, target: int) -> list[list[Tensor]]:
    """Return the kernel, and the bias if any, of each linear step up to a target, normalisation folded in.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The step up to which it will be run.

    Returns
    -------
    list of list of tf.Tensor
        In the order of the steps; float32.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> network = flatten(keras.Sequential(layers))
    >>> [[tuple(values.shape) for values in step] for step in read_weights(network, network.logits)]
    [[(16, 2), (2,)]]
    """
    read = [step.weights for _, step in _linear_steps(network, target) if step.weights is not None]
    # A bias may come as the variable itself, which a graph would read at every step.
    return [[tf.convert_to_tensor(values) for values in weights(tf.float32) if values is not None] for weights in read]


def with_weights(network: Network, target: int, weights: Sequence[Sequence[Tensor]]) -> Network:
    """Return the network with these weights instead of its own in the linear steps up to a target.

    A graph that is traced of it holds no operation that reads and folds weights: half of all for a
    network with batch normalisation.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The step up to which it will be run.
    weights : sequence
        As `read_weights` returns them for this target.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> network = flatten(keras.Sequential(layers))
    >>> nothing = [[0 * values for values in step] for step in read_weights(network, network.logits)]
    >>> with_weights(network, network.logits, nothing).class_scores(tf.ones((1, 4, 4, 1))).numpy().tolist()
    [[0.0, 0.0]]
    """
    steps = list(network.steps)
    for (position, step), given in zip(_linear_steps(network, target), weights, strict=True):
        steps[position] = _with_constant_weights(step, *given)
    return replace(network, steps=tuple(steps))


def _linear_steps(network: Network, target: int) -> list[tuple[int, Step]]:
    found = network.steps_between([target])
    return [(position, step) for position, step in found if step.weights is not None and step.linear is not None]


def _with_constant_weights(step: Step, kernel: Tensor, bias: Tensor | None = None) -> Step:
    linear: Callable[..., Tensor] | None = step.linear

    def weights(dtype: Any) -> tuple[Tensor, Tensor | None]:
        return tf.cast(kernel, dtype), None if bias is None else tf.cast(bias, dtype)

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        factor, shift = weights(values[0].dtype)
        output = linear(values[0], factor, window_padding)  # type: ignore[misc]  # linear steps have it
        return output if shift is None else output + shift

    return replace(step, run=run, weights=weights)
