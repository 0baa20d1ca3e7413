"""Preprocessing as the first steps of a flattened network: whatever reads the network then speaks of plain pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from modelcheck.network.calling import make_run
from modelcheck.network.kernels import linear_step
from modelcheck.network.kinds import StepKind
from modelcheck.network.steps import Network, NetworkError, Step
from modelcheck.preprocessing import Preprocessing

__all__ = ["preprocess_first"]

Tensor = Any  # tensorflow ships no types

_NAME = "preprocessing"


def preprocess_first(
    network: Network, preprocessing: Preprocessing | None, *, input_range: tuple[float, float]
) -> Network:
    """Return a network that takes plain pictures and preprocesses them itself, as its first steps.

    Parameters
    ----------
    network : Network
        A flattened network, without such steps.
    preprocessing : Preprocessing or None
        What is done to a picture before the network sees it; None leaves the network as it is.
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
    >>> from modelcheck.preprocessing import PRESETS
    >>> network = flatten(keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]))
    >>> fed = preprocess_first(network, PRESETS["tf"], input_range=(0.0, 1.0))
    >>> fed.feed([[[[0.0, 0.5, 1.0]]]]).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    if preprocessing is None:
        return network
    entry = network.steps[0]
    try:
        affine = preprocessing.make_affine(input_range, channels=network.input_shape[-1])
    except ValueError as error:
        raise NetworkError(f"The network {network.model.name!r}: {error}") from error
    front = [replace(entry, name=f"{_NAME}:pictures")]
    if preprocessing.order == "bgr":
        # Before the affine step, which can then be folded into the convolution that reads it.
        reverse = make_run(lambda value: tf.reverse(value, [-1]))
        front.append(Step(f"{_NAME}:order", StepKind.REORDER, (0,), entry.shape, reverse))
    front.append(_make_affine_step(affine, entry.shape, before=len(front) - 1))
    moved = len(front) - 1  # the network's own input is now the last of these
    steps = [replace(step, inputs=tuple(source + moved for source in step.inputs)) for step in network.steps[1:]]
    return replace(network, steps=(*front, *steps), logits=network.logits + moved, entry=moved)


def _make_affine_step(affine: Sequence[Sequence[float]], shape: tuple[int | None, ...], *, before: int) -> Step:
    def weights(dtype: Any) -> tuple[Tensor, Tensor]:
        factor, shift = affine
        return tf.constant(factor, dtype), tf.constant(shift, dtype)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return value * kernel

    return linear_step(_NAME, StepKind.AFFINE, (before,), shape, None, linear=linear, weights=weights)
