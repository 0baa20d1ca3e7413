"""Methods that need nothing but the gradient of the target's score to the pixels.

Means over many gradients are taken after the linear steps that a picture passes first (see
`_find_linear_end`): the way back through these is the same for all and is walked once, for the
mean.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.reading import AttributionError, Reading, cut_blocks, fill_reference
from modelcheck.network import Network
from modelcheck.network.kinds import LINEAR_IN_ONE_INPUT

__all__ = [
    "gradient",
    "gradient_of",
    "gradient_x_input",
    "integrated_gradients",
    "sensitivity",
    "smoothgrad",
    "vargrad",
]

Tensor = Any


def gradient_of(reading: Reading, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the target's score ``(n,)`` and its gradient ``(n, h, w, c)``; runs inside a graph."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = reading.score(images, targets)
    return score, tape.gradient(score, images, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def gradient(reading: Reading, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """df/dx, signed (Simonyan et al. 2014, without the absolute value).

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="gradient")
    >>> maps.ravel().round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def call(pictures: Tensor, classes: Tensor) -> Tensor:
        return gradient_of(reading, pictures, classes)[1]

    return reading.map(reading.compile_graph(("gradient",), call), images, targets)


def sensitivity(reading: Reading, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(df/dx)^2, sensitivity analysis (Montavon et al. 2018).

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="sensitivity")
    >>> maps.ravel().round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return np.square(gradient(reading, images, targets))


def gradient_x_input(reading: Reading, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """df/dx * x (Shrikumar et al. 2016).

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="gradient_x_input")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return gradient(reading, images, targets) * images


def integrated_gradients(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    steps: int = 50,
    reference: Any = 0.0,
    quadrature: str = "gauss_legendre",
) -> np.ndarray:
    """(x - x') times the mean gradient on the line from x' to x (Sundararajan et al. 2017, eq. 1).

    Parameters
    ----------
    steps : int
        Points on the line.
    reference : float or array
        x': a number, a value per channel, one picture, or one per picture.
    quadrature : {'gauss_legendre', 'midpoint'}
        Gauss and Legendre's points, the best for as many steps on smooth paths, or the midpoints of
        equal parts.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="integrated_gradients")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    if steps < 1:
        raise AttributionError(f"integrated_gradients takes at least 1 step, not {steps!r}.")
    if quadrature == "gauss_legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        points, weights = (points + 1) / 2, weights / 2
    elif quadrature == "midpoint":
        points, weights = (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    else:
        raise AttributionError(f"quadrature is 'gauss_legendre' or 'midpoint', not {quadrature!r}.")

    def call(pictures: Tensor, classes: Tensor, origin: Tensor, at: Tensor, weight: Tensor) -> Tensor:
        line = origin + at[:, None, None, None, None] * (pictures - origin)  # (points, n, h, w, c)
        return _sum_gradients(reading, line, classes, weight)

    shape = (None, *images.shape[1:])
    graph = reading.compile_graph(("integrated_gradients",), call, shape, (None,), (None,))
    origins = fill_reference(reference, images, "reference")
    total = np.zeros(images.shape, images.dtype)
    for rows, part in cut_blocks(reading, len(images), steps):
        at, weight = points[part].astype(images.dtype), weights[part].astype(images.dtype)
        total[rows] += graph(images[rows], targets[rows], origins[rows], at, weight)
    return total * (images - origins)


def smoothgrad(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    samples: int = 50,
    noise_scale: float = 0.15,
    seed: int = 0,
) -> np.ndarray:
    """Mean gradient under Gaussian noise (Smilkov et al. 2017).

    Parameters
    ----------
    samples : int
        Noisy copies of each picture.
    noise_scale : float
        Standard deviation of the noise in units of each picture's max - min.
    seed : int
        Sample k's noise depends on the seed and k alone, so a picture's map does not depend on its
        batch.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="smoothgrad")
    >>> maps.ravel().round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    _check_noise(samples, noise_scale)

    def call(pictures: Tensor, classes: Tensor, noise: Tensor) -> Tensor:
        noisy = _add_noise(pictures, noise, noise_scale)
        return _sum_gradients(reading, noisy, classes, tf.ones(tf.shape(noise)[:1], pictures.dtype))

    graph = reading.compile_graph(("smoothgrad", noise_scale), call, (None, *images.shape[1:]))
    noise = gaussian_noise(samples, images.shape[1:], seed)
    total = np.zeros(images.shape, np.float64)
    for rows, part in cut_blocks(reading, len(images), samples):
        total[rows] += graph(images[rows], targets[rows], noise[part].astype(images.dtype))
    return (total / samples).astype(images.dtype)


def vargrad(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    samples: int = 50,
    noise_scale: float = 0.15,
    seed: int = 0,
) -> np.ndarray:
    """Variance of the gradient under Gaussian noise (Adebayo et al. 2018); options as for `smoothgrad`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="vargrad")
    >>> maps.ravel().round(1).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    if samples < 2:
        raise AttributionError(f"vargrad takes at least 2 samples, not {samples!r}.")
    _check_noise(samples, noise_scale)

    def call(pictures: Tensor, classes: Tensor, noise: Tensor) -> Tensor:
        noisy = _add_noise(pictures, noise, noise_scale)
        rows = tf.reshape(noisy, tf.concat([[-1], tf.shape(pictures)[1:]], 0))
        found = tf.reshape(gradient_of(reading, rows, tf.tile(classes, [tf.shape(noise)[0]]))[1], tf.shape(noisy))
        mean = tf.reduce_mean(found, 0)
        return mean, tf.reduce_sum(tf.square(found - mean), 0)

    graph = reading.compile_graph(("vargrad", noise_scale), call, (None, *images.shape[1:]))
    noise = gaussian_noise(samples, images.shape[1:], seed)
    mean = np.zeros(images.shape, np.float64)
    scatter = np.zeros(images.shape, np.float64)
    seen = dict.fromkeys(range(len(images)), 0)
    for rows, part in cut_blocks(reading, len(images), samples):
        block = noise[part].astype(images.dtype)
        found, spread = (np.asarray(value, np.float64) for value in graph(images[rows], targets[rows], block))
        before, more = seen[rows.start], len(block)
        # Chan, Golub and LeVeque's update, stable where sums of squares are not
        change = found - mean[rows]
        mean[rows] += change * (more / (before + more))
        scatter[rows] += spread + np.square(change) * (before * more / (before + more))
        seen[rows.start] = before + more
    return (scatter / samples).astype(images.dtype)


def _check_noise(samples: int, noise_scale: float) -> None:
    if samples < 1 or noise_scale < 0:
        raise AttributionError(
            f"Noise needs samples of at least 1 and a noise_scale of at least 0, not {samples!r} and {noise_scale!r}."
        )


def _add_noise(pictures: Tensor, noise: Tensor, noise_scale: float) -> Tensor:
    """Return noisy copies ``(samples, n, h, w, c)``, the noise in units of each picture's range."""
    spread = tf.reduce_max(pictures, (1, 2, 3), True) - tf.reduce_min(pictures, (1, 2, 3), True)
    return pictures + tf.constant(noise_scale, pictures.dtype) * spread * noise[:, None]


def _sum_gradients(reading: Reading, copies: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """Return the weighed sum ``(n, h, w, c)`` of the gradients at ``copies (k, n, h, w, c)``."""
    network, start = reading.steps, _find_linear_end(reading.steps)
    rows = tf.reshape(copies, tf.concat([[-1], tf.shape(copies)[2:]], 0))
    inner = network.evaluate(rows, [start])[0]
    with tf.GradientTape() as tape:
        tape.watch(inner)
        scores = network.evaluate(inner, [network.logits], start=start)[0]
        score = reading.of_target(scores, tf.tile(classes, tf.shape(weight)))
    slopes = tape.gradient(score, inner, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    total = tf.matmul(weight[None], tf.reshape(slopes, (tf.size(weight), -1)))
    one = copies[0]
    with tf.GradientTape() as tape:
        tape.watch(one)
        inner = network.evaluate(one, [start])[0]
    return tape.gradient(inner, one, tf.reshape(total, tf.shape(inner)))


def _find_linear_end(network: Network) -> int:
    """Return the last of the linear steps that lead on from the input without a branch, or the input itself."""
    used = network.steps_needed([network.logits])
    start = 0
    while True:
        readers = [position for position in used if start in network.steps[position].inputs]
        if len(readers) != 1 or network.steps[readers[0]].kind not in LINEAR_IN_ONE_INPUT:
            return start
        start = readers[0]


@lru_cache(maxsize=4)
def gaussian_noise(samples: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return standard normal noise ``(samples, *shape)``; row k depends on the seed and k alone."""
    rows = [
        np.random.Generator(np.random.Philox(key=[seed, sample])).standard_normal(shape, np.float32)
        for sample in range(samples)
    ]
    return np.stack(rows)
