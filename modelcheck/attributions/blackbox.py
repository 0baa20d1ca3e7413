"""Methods that only ask the model for scores: they work for any model, with or without gradients.

A model whose layers cannot be read (subclassed, or any callable) is judged by its own output. All
channels of a pixel are hidden together, and each carries the pixel's value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.hiding import count_rows_that_fit, score_windows
from modelcheck.attributions.reading import AttributionError, Reading, cut_blocks, fill_reference
from modelcheck.metrics.random_masks import draw_masks

__all__ = ["occlusion", "rise"]

Tensor = Any


def occlusion(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    window: int | tuple[int, int] = 3,
    stride: int | tuple[int, int] = 1,
    reference: Any = 0.0,
) -> np.ndarray:
    """Mean fall of the score over all windows that hide a pixel (Zeiler and Fergus 2014, section 4.2).

    Parameters
    ----------
    window, stride : int or tuple of int
        Rows and columns. The last window of a row or column is cut at the border when it does not
        fit; a pixel that no window covers gets 0.
    reference : float or array
        What the window shows: a number, a value per channel, one picture, or one per picture.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="occlusion", window=1)
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    size, step = _check_pair(window, "window"), _check_pair(stride, "stride")
    _, height, width, channels = images.shape
    if size[0] > height or size[1] > width:
        raise AttributionError(f"A window of {size} does not fit pictures of {(height, width)}.")
    rows, columns = (_find_covered(length, size[axis], step[axis]) for axis, length in enumerate((height, width)))
    shape = (None, *images.shape[1:])

    def call(pictures: Tensor, classes: Tensor, origins: Tensor, corners: Tensor) -> Tensor:
        starts = tf.unstack(tf.cast(corners, tf.int32), axis=1)
        return score_windows(reading, tf.ensure_shape(pictures, shape), classes, origins, starts, size)

    graph = reading.compile_graph(("occlusion", size, shape), call, shape, (None, 2))
    origins = fill_reference(reference, images, "reference")
    corners = np.stack(np.meshgrid(rows.argmax(1), columns.argmax(1), indexing="ij"), -1).reshape(-1, 2)
    scores = np.empty((len(corners), len(images)))
    for part, own in cut_blocks(reading, len(images), len(corners), rows=count_rows_that_fit(reading, size)):
        found = graph(images[part], targets[part], origins[part], corners[own].astype(images.dtype))
        scores[own, part] = np.transpose(found)
    whole = reading.map(reading.compile_graph(("score",), reading.score), images, targets)
    falls = (whole - scores).reshape(len(rows), len(columns), -1)
    total = np.einsum("rcn,rh,cw->nhw", falls, rows, columns, optimize=True)
    covered = np.outer(rows.sum(0), columns.sum(0))
    mean = np.divide(total, covered, out=np.zeros_like(total), where=covered > 0).astype(images.dtype)
    return np.repeat(mean[..., None], channels, axis=3)


def _find_covered(length: int, size: int, step: int) -> np.ndarray:
    """Return which pixels each window covers along one axis, ``(windows, length)``."""
    starts = np.arange(-(-(length - size) // step) + 1) * step
    places = np.arange(length)
    return ((places >= starts[:, None]) & (places < starts[:, None] + size)).astype(np.float64)


def _check_pair(value: Any, name: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(pair) != 2 or any(not isinstance(side, int | np.integer) or side < 1 for side in pair):
        raise AttributionError(f"{name} is a whole number of at least 1, or two of them, not {value!r}.")
    return int(pair[0]), int(pair[1])


def rise(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    samples: int = 4000,
    cells: int = 7,
    probability: float = 0.5,
    reference: Any = 0.0,
    centred: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Mean score of the picture seen through random masks, weighed by how much of a pixel they show.

    The estimate of E[f | pixel shown] is sum(f M) / sum(M) (Petsiuk et al. 2018, eq. 4), less the
    mean score of all masks, so that the map is signed and holds no offset; 0 for a pixel that no
    mask shows.

    Parameters
    ----------
    samples : int
        Number of masks; mask k depends on the seed and k alone and is the same for every picture.
    cells : int
        The masks are bilinear enlargements of cells x cells squares, shifted at random by up to a
        square.
    probability : float
        Chance that a square is shown.
    reference : float or array
        What lies behind the masks.
    centred : bool
        Whether the mean score is subtracted; False gives the paper's map, which has a meaningless
        offset.
    seed : int
        Seed of the masks.
    """
    if samples < 1 or cells < 1 or not 0 < probability < 1:
        raise AttributionError(
            "rise takes at least 1 sample, at least 1 cell and a probability between 0 and 1, not "
            f"samples={samples!r}, cells={cells!r}, probability={probability!r}."
        )
    _, height, width, channels = images.shape

    def call(pictures: Tensor, classes: Tensor, origins: Tensor, down: Tensor, grid: Tensor, across: Tensor) -> Tensor:
        masks = tf.einsum("shi,sij,swj->shw", down, grid, across)
        shown = origins + masks[:, None, :, :, None] * (pictures - origins)
        rows = tf.reshape(shown, tf.concat([[-1], tf.shape(pictures)[1:]], 0))
        score = tf.reshape(reading.score(rows, tf.tile(classes, [tf.shape(grid)[0]])), (tf.shape(grid)[0], -1))
        return tf.einsum("sn,shw->nhw", score, masks), tf.reduce_sum(masks, 0), tf.reduce_sum(score, 0)

    side = cells + 1
    graph = reading.compile_graph(
        ("rise", cells), call, (None, *images.shape[1:]), (None, height, side), (None, side, side), (None, width, side)
    )
    masks = draw_masks(samples, cells=cells, probability=probability, seed=seed)
    origins = fill_reference(reference, images, "reference")
    total = np.zeros(images.shape[:3], np.float64)
    shown, scores = np.zeros_like(total), np.zeros(len(images))
    for part, own in cut_blocks(reading, len(images), samples):
        down, across = (weights.astype(images.dtype) for weights in masks[own].weigh(height, width))
        arrays = (images[part], targets[part], origins[part])
        found, mask, score = graph(*arrays, down, masks.squares[own].astype(images.dtype), across)
        total[part] += found
        shown[part] += mask
        scores[part] += score
    offset = scores[:, None, None] / samples if centred else 0.0
    mean = np.divide(total, shown, out=np.zeros_like(total), where=shown > 0) - np.where(shown > 0, offset, 0)
    return np.repeat(mean[..., None], channels, axis=3).astype(images.dtype)
