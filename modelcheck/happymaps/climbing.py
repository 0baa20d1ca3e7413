"""One batch's way up: a step that is traced once, and taken as often as the recipe says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from modelcheck.happymaps.canvas import Canvas, view_of
from modelcheck.network import Network
from modelcheck.network.weights import read_weights, with_weights
from modelcheck.recipe import Recipe

__all__ = ["Climb", "Path", "trace_climb"]

Tensor = Any  # tensorflow ships no types

# From the units of a batch, a start's number and a recipe's jitter to maps, objectives reached, and
# those at rest.
Climb = Callable[[np.ndarray, int, float], tuple[np.ndarray, np.ndarray, np.ndarray]]

_MIN_CHANGE_SHARE = 0.01  # a map that moved less than this share of the range has not been made by its unit


class Path(NamedTuple):
    """The path from maps to what units answer: ``outer(inner(maps))``, where `outer` is affine.

    `inner` returns ``(n, *shape)`` and `outer` ``(n, units)``.
    """

    inner: Callable[[Tensor], Tensor]
    outer: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]


def trace_climb(
    network: Network,
    target: int,
    path_of: Callable[[Network], Path],
    *,
    recipe: Recipe,
    canvas: Canvas,
    copies: int,
    batch: int,
) -> Climb:
    """Trace one step of an ascent, and return the ascent of a batch of units.

    Only the step is traced: it is the only part that is run often, and tracing takes as long as a
    dozen steps. Weights are read anew at each climb, before the first step.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The step at which units are read.
    path_of : callable
        Function from the network, with its weights as tensors, to the path to the units.
    recipe, canvas
        How to climb, and what is moved. With how much jitter, the ascent is told anew each time.
    copies : int
        How many shifted and noisy copies of each map are looked at.
    batch : int
        How many units climb together.
    """
    low, high = recipe.input_range
    shape = canvas.rest.shape
    reach = min(round(recipe.shift * shape[0]), shape[0], shape[1]) if copies > 1 else 0

    def move(numbers: Tensor, pull: Tensor, step: Tensor, jitter: Tensor, weights: list[list[Tensor]]) -> Tensor:
        inner = path_of(with_weights(network, target, weights)).inner
        pull = pull if copies == 1 else tf.tile(pull, [copies] + [1] * (len(pull.shape) - 1))
        look = partial(view_of, seed=recipe.seed, step=step, reach=reach, jitter=jitter)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(numbers)
            maps = tf.ensure_shape(canvas.paint(numbers), (batch, *shape))
            nonlinear = inner(maps if copies == 1 else tf.concat([look(maps, copy=copy) for copy in range(copies)], 0))
        slope = tf.ensure_shape(tape.gradient(nonlinear, numbers, output_gradients=pull), numbers.shape)
        return canvas.move(numbers, slope, tf.cast(step, tf.float32) / max(recipe.steps - 1, 1))

    example = canvas.start(batch, tf.constant(0))
    shapes = example.shape, (batch, *path_of(network).shape)
    # Traced by hand: calling a fresh tf.function for each layer would be reported as needless
    # retracing.
    traced = tf.function(move, autograph=False).get_concrete_function(
        *(tf.TensorSpec(shape, tf.float32) for shape in shapes),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([], tf.float32),
        [[tf.TensorSpec(values.shape, values.dtype) for values in step] for step in read_weights(network, target)],
    )

    def climb(units: np.ndarray, start: int, jitter: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = tf.constant(units, tf.int32)
        weights = read_weights(network, target)
        path = path_of(with_weights(network, target, weights))
        pull = _pull_of(path, chosen)
        first = numbers = canvas.start(batch, tf.constant(start))
        noise = tf.constant(jitter * (high - low), tf.float32)
        for step in range(recipe.steps):
            numbers = traced(numbers, pull, tf.constant(step), noise, weights)
        maps = canvas.paint(numbers)
        moved = tf.reduce_mean(tf.abs(maps - canvas.paint(first)), axis=[1, 2, 3])
        # The picture at rest is looked at once, after the maps.
        answers = path.outer(path.inner(tf.concat([maps, tf.constant(canvas.rest)[None]], 0)))
        reached = tf.gather(answers[:batch], chosen, axis=1, batch_dims=1)
        before = tf.gather(answers[batch], chosen)
        no_map = tf.logical_or(moved < _MIN_CHANGE_SHARE * (high - low), tf.logical_not(reached > before))
        reached = tf.where(no_map, tf.constant(np.nan, tf.float32), reached)
        # Copies: what TensorFlow shares must not be written on.
        return np.array(maps), np.array(reached), np.array(before)

    return climb


def _pull_of(path: Path, units: Tensor) -> Tensor:
    """Return the slope of each unit's answer after the last nonlinearity, where it is constant."""
    nothing = tf.zeros((len(units), *path.shape))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(nothing)
        answers = path.outer(nothing)
    return tape.gradient(answers, nothing, output_gradients=tf.one_hot(units, answers.shape[1]))
