"""What a HappyMap is painted on: free pixels, or the pictures that a panel spans.

A canvas holds the numbers that an ascent moves, paints them as pictures, and knows how far a step
may go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from modelcheck.recipe import Recipe

__all__ = ["Canvas", "NaturalPictures", "free_pixels", "natural_pictures", "on_natural_pictures", "view_of"]

Tensor = Any  # tensorflow ships no types

_FIRST_STEP_DEVIATIONS = 0.3  # how far the first step among natural pictures goes


class Canvas(NamedTuple):
    """The numbers that an ascent moves.

    Parameters
    ----------
    start : callable
        Function from the size of a batch and the number of the start to the first numbers.
    paint : callable
        Function from numbers to pictures, ``(batch, h, w, c)``.
    move : callable
        Function from numbers, their slope and the share of the ascent that is done to the next
        numbers.
    rest : np.ndarray
        ``(h, w, c)``: the picture at rest, against which gains are measured.
    """

    start: Callable[[int, Tensor], Tensor]
    paint: Callable[[Tensor], Tensor]
    move: Callable[[Tensor, Tensor, Tensor], Tensor]
    rest: np.ndarray


class NaturalPictures(NamedTuple):
    """The pictures around a panel's mean.

    Parameters
    ----------
    mean : np.ndarray
        ``(h, w, c)`` float32.
    components : np.ndarray
        ``(k, h * w * c)`` float32: the principal components, each as long as its standard
        deviation.
    """

    mean: np.ndarray
    components: np.ndarray


def natural_pictures(images: np.ndarray, *, components: int) -> NaturalPictures:
    """Return the pictures that a panel spans, by principal component analysis.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)`` floats in the network's input range, n at least 2.
    components : int
        How many components are kept at most.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((5, 4, 3, 1))
    >>> natural_pictures(images, components=2).components.shape
    (2, 12)
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, lengths, directions = np.linalg.svd(flat - mean, full_matrices=False)
    kept = min(components, len(images) - 1)
    scaled = directions[:kept] * (lengths[:kept, None] / np.sqrt(len(images) - 1))
    return NaturalPictures(mean.reshape(images.shape[1:]).astype(np.float32), scaled.astype(np.float32))


def free_pixels(recipe: Recipe, shape: tuple[int, int, int]) -> Canvas:
    """Every pixel moves by itself in the box of the input range, pulled to mid grey."""
    low, high = recipe.input_range
    span, grey = high - low, (low + high) / 2
    blur = _gaussian_kernel(recipe.blur, shape[-1])

    def start(batch: int, number: Tensor) -> Tensor:
        noise = tf.random.stateless_normal(shape, seed=[recipe.seed, 0], stddev=recipe.start_noise * span)
        # The first start is grey with a little noise; further ones are random pixels.
        pixels = tf.random.stateless_uniform(shape, seed=tf.stack([recipe.seed, -number]), minval=low, maxval=high)
        one = tf.where(number == 0, tf.clip_by_value(grey + noise, low, high), pixels)
        return tf.zeros((batch, *shape)) + one

    def move(maps: Tensor, slope: Tensor, done: Tensor) -> Tensor:
        if blur is not None:
            slope = tf.nn.depthwise_conv2d(slope, blur, [1, 1, 1, 1], "SAME")
        direction = _normalise_slope(slope) - recipe.pull * (maps - grey) / span
        if recipe.total_variation:
            direction -= recipe.total_variation * _variation_slope(maps)
        length = recipe.step_size * span * (1.0 - 0.9 * done)
        return tf.clip_by_value(maps + length * direction, low, high)

    return Canvas(start, lambda maps: maps, move, np.full(shape, grey, np.float32))


def on_natural_pictures(recipe: Recipe, pictures: NaturalPictures) -> Canvas:
    """Only the panel's components move, and no further from its mean than its own pictures are."""
    low, high = recipe.input_range
    count = len(pictures.components)
    shape = pictures.mean.shape

    def start(batch: int, number: Tensor) -> Tensor:
        noise = tf.random.stateless_normal((count,), seed=tf.stack([recipe.seed, -number]))
        return tf.zeros((batch, count)) + tf.where(number == 0, tf.zeros_like(noise), noise)

    def paint(weights: Tensor) -> Tensor:
        flat = tf.matmul(weights, tf.constant(pictures.components)) + pictures.mean.reshape(-1)
        return tf.clip_by_value(tf.reshape(flat, (-1, *shape)), low, high)

    def move(weights: Tensor, slope: Tensor, done: Tensor) -> Tensor:
        weights = weights + _FIRST_STEP_DEVIATIONS * (1.0 - 0.9 * done) * _normalise_slope(slope)
        distance = tf.norm(weights, axis=1, keepdims=True) / np.sqrt(count)
        return weights / tf.maximum(distance, 1.0)

    return Canvas(start, paint, move, pictures.mean)


def view_of(maps: Tensor, *, seed: int, step: Tensor, copy: int, reach: int, jitter: Tensor) -> Tensor:
    """Return the maps shifted and with noise, both keyed by (seed, step, copy); edges are mirrored, not wrapped."""
    key = tf.stack([tf.constant(seed, tf.int32), (step + 1) * 4096 + copy])
    if reach:
        whole = maps.shape
        top, left = tf.unstack(tf.random.stateless_uniform([2], key, 0, 2 * reach + 1, tf.int32))
        wide = tf.pad(maps, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "SYMMETRIC")
        maps = tf.ensure_shape(tf.slice(wide, [0, top, left, 0], [-1, *whole[1:3], -1]), whole)
    return maps + tf.random.stateless_normal(maps.shape[1:], key, stddev=jitter)


def _normalise_slope(slope: Tensor) -> Tensor:
    """Divide each slope by its root mean square; where there is none, stay."""
    size = tf.sqrt(tf.reduce_mean(tf.square(slope), axis=list(range(1, len(slope.shape))), keepdims=True))
    return tf.math.divide_no_nan(slope, size)


def _variation_slope(maps: Tensor) -> Tensor:
    """Return the slope of the total variation: of a pixel's neighbours, how many lie below it less those above."""
    with tf.GradientTape() as tape:
        tape.watch(maps)
        variation = tf.reduce_sum(tf.image.total_variation(maps))
    return tape.gradient(variation, maps)


def _gaussian_kernel(sigma: float, channels: int) -> Tensor | None:
    if sigma == 0:
        return None
    reach = max(1, round(3 * sigma))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    return tf.constant(np.tile(kernel[:, :, None, None], (1, 1, channels, 1)), tf.float32)
