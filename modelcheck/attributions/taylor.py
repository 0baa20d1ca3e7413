"""Simple Taylor decomposition: the first-order terms at a root point that is searched for openly."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.gradients import gradient_of
from modelcheck.attributions.reading import AttributionError, Reading, fill_reference

__all__ = ["simple_taylor"]

Tensor = Any


def simple_taylor(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    search: str = "gradient",
    reference: Any = 0.0,
    steps: int = 40,
) -> np.ndarray:
    """df/dx at the root point x' times (x - x'), where f(x') = 0.

    The gradient is taken on the picture's side of the root, so that a root on a kink, as x' = 0 is
    for a ReLU network without bias, has one: there the map is gradient x input.

    Parameters
    ----------
    search : {'gradient', 'reference'}
        ``gradient`` walks from x by Newton's steps -f df/dx / |df/dx|^2, which is the nearest root
        at once for a linear unit, halves the way whenever the sign has changed, and halves the step
        whenever |f| grows. ``reference`` halves the line from x to the reference, where f must have
        the other sign or be 0.
    reference : float or array
        Where ``search='reference'`` ends: a number, a value per channel, one picture, or one per
        picture.
    steps : int
        Number of evaluations during the search.

    Returns
    -------
    np.ndarray
        ``(n, h, w, c)``; 0 everywhere for a picture for which no root was found.

    References
    ----------
    Montavon et al. 2017, "Explaining nonlinear classification decisions with deep Taylor
    decomposition", section 2.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="simple_taylor")
    >>> maps.ravel().round(1).tolist()
    [2.5, 2.5, 2.5, 2.5]
    """
    if search not in ("gradient", "reference"):
        raise AttributionError(f"search is 'gradient' or 'reference', not {search!r}.")
    if steps < 1:
        raise AttributionError(f"simple_taylor takes at least 1 step, not {steps!r}.")

    def call(pictures: Tensor, classes: Tensor, origins: Tensor) -> Tensor:
        start, _ = gradient_of(reading, pictures, classes)
        rounding = tf.constant(1e-12 if start.dtype == tf.float64 else 1e-6, start.dtype)
        beyond = tf.zeros_like(start, tf.bool)
        far = pictures
        if search == "reference":
            end = reading.score(origins, classes)
            beyond, far = start * end <= 0, origins
        state = (tf.constant(0), pictures, far, beyond, tf.ones_like(start))

        def advance(k: Tensor, near: Tensor, far: Tensor, beyond: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
            score, slope = gradient_of(reading, near, classes)
            square = tf.reduce_sum(slope * slope, (1, 2, 3))
            newton = near - _wide(scale * tf.math.divide_no_nan(score, square)) * slope
            trial = tf.where(_wide(beyond), (near + far) / 2, newton)
            reached = reading.score(trial, classes)
            # Newton's last step may end beside the root by rounding alone.
            crossed = (reached * start <= 0) | (tf.abs(reached) <= rounding * tf.abs(start))
            worse = ~beyond & ~crossed & (tf.abs(reached) > tf.abs(score))
            return (
                k + 1,
                tf.where(_wide(crossed | worse), near, trial),
                tf.where(_wide(crossed), trial, far),
                beyond | crossed,
                tf.where(worse, scale / 2, tf.minimum(scale * 2, tf.ones_like(scale))),
            )

        if search == "gradient":
            loop = tf.while_loop(lambda k, *_: k < steps, advance, state, maximum_iterations=steps)
        else:

            def halve(k: Tensor, near: Tensor, far: Tensor, beyond: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
                trial = (near + far) / 2
                crossed = reading.score(trial, classes) * start <= 0
                return (
                    k + 1, tf.where(_wide(crossed), near, trial), tf.where(_wide(crossed), trial, far), beyond, scale
                )  # fmt: skip

            loop = tf.while_loop(lambda k, *_: k < steps, halve, state, maximum_iterations=steps)
        _, near, far, beyond, _ = loop
        slope = gradient_of(reading, near, classes)[1]
        found = _wide(beyond & (start != 0))
        return tf.where(found, slope * (pictures - far), tf.zeros_like(pictures))

    graph = reading.compile_graph(("simple_taylor", search, steps), call, (None, *images.shape[1:]))
    return reading.map(graph, images, targets, fill_reference(reference, images, "reference"))


def _wide(value: Tensor) -> Tensor:
    return value[:, None, None, None]
