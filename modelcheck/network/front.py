"""Preprocessing as the first steps of a flattened network: whatever reads the network then speaks of plain pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from modelcheck.interface import Preprocessing
from modelcheck.network.calling import make_run
from modelcheck.network.kernels import linear_step
from modelcheck.network.kinds import StepKind
from modelcheck.network.steps import Network, NetworkError, Step

__all__ = ["name_own_scaling", "preprocess_first"]

Tensor = Any  # tensorflow ships no types

_NAME = "preprocessing"


def preprocess_first(
    network: Network, preprocessing: Preprocessing | None, *, input_range: tuple[float, float]
) -> Network:
    """Return a network that takes plain pictures and preprocesses them itself, as its first steps.

    Parameters
    ----------
    network : Network
        A flattened network; steps of an earlier preprocessing give way.
    preprocessing : Preprocessing or None
        What is done to a picture before the network sees it; None for nothing.
    input_range : tuple of float
        The values of black and white in the pictures that it is to take.

    Raises
    ------
    NetworkError
        When the preprocessing does not fit the number of the network's channels.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> from modelcheck.interface import PRESETS
    >>> network = flatten(keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]))
    >>> fed = preprocess_first(network, PRESETS["tf"], input_range=(0.0, 1.0))
    >>> fed.feed([[[[0.0, 0.5, 1.0]]]]).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    network = _take_away(network)
    if preprocessing is None:
        return network
    entry = network.steps[0]
    try:
        affine = preprocessing.make_affine(input_range, channels=network.input_shape[-1])
    except ValueError as error:
        raise NetworkError(f"The network {network.model.name!r}: {error}") from error
    front = [entry]
    if preprocessing.order == "bgr":
        # Before the affine step, which can then be folded into the convolution that reads it.
        reverse = make_run(lambda value: tf.reverse(value, [-1]))
        front.append(Step(f"{_NAME}:order", StepKind.REORDER, (0,), entry.shape, reverse))
    front.append(_make_affine_step(affine, entry.shape, before=len(front) - 1))
    moved = len(front) - 1  # the network's own input is now the last of these
    return replace(
        network, steps=(*front, *_move(network.steps[1:], by=moved)), logits=network.logits + moved, entry=moved
    )


def name_own_scaling(network: Network) -> tuple[str, ...]:
    """Return the layers by which a network scales its pictures itself, before anything else reads them.

    Parameters
    ----------
    network : Network
        A flattened network.

    Returns
    -------
    tuple of str
        The paths of `Rescaling` and `Normalization` layers, in order.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> own = keras.layers.Rescaling(1 / 255, name="rescaling")
    >>> layers = [keras.Input((4, 4, 1)), own, keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> name_own_scaling(flatten(keras.Sequential(layers)))
    ('rescaling',)
    """
    found: list[str] = []
    end = network.entry
    used = network.steps_needed([network.logits])
    while True:
        readers = [position for position in used if end in network.steps[position].inputs]
        step = network.steps[readers[0]]
        scales = isinstance(step.layer, keras.layers.Rescaling | keras.layers.Normalization)
        if len(readers) != 1 or not (scales or step.kind == StepKind.IDENTITY):
            return tuple(found)
        found += [step.name] if scales else []
        (end,) = readers


def _take_away(network: Network) -> Network:
    """Return a network without the steps that preprocess its pictures."""
    if not network.entry:
        return network
    steps = (network.steps[0], *_move(network.steps[network.entry + 1 :], by=-network.entry))
    return replace(network, steps=steps, logits=network.logits - network.entry, entry=0)


def _move(steps: Sequence[Step], *, by: int) -> list[Step]:
    return [replace(step, inputs=tuple(source + by for source in step.inputs)) for step in steps]


def _make_affine_step(affine: Sequence[Sequence[float]], shape: tuple[int | None, ...], *, before: int) -> Step:
    def weights(dtype: Any) -> tuple[Tensor, Tensor]:
        factor, shift = affine
        return tf.constant(factor, dtype), tf.constant(shift, dtype)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return value * kernel

    return linear_step(_NAME, StepKind.AFFINE, (before,), shape, None, linear=linear, weights=weights)
