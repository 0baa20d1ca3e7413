"""The scores of pictures with one window hidden, computing anew only what the window can change.

A window changes a region of each layer: for a step of size k, stride s, dilation d and p pixels of
padding before, changed inputs a to b change the outputs ceil((a + p - (k - 1) d) / s) to floor((b +
p) / s). As long as the steps follow one another without a branch and the region is the smaller part
of the map, only the region is run, with the plain picture's values around it; from there on the
whole map is. What is left out is known not to change, so the scores are those of the whole
pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.reading import MAX_BYTES, Reading
from modelcheck.network import Network, Step, StepKind
from modelcheck.network.kinds import MIXING_ACTIVATIONS, WINDOWED

__all__ = ["count_rows_that_fit", "score_windows"]

Tensor = Any
Pair = tuple[int, int]
Starts = tuple[Tensor, Tensor]  # first row and first column by window, (windows,) int32 each

_MAX_CHANGED_SHARE = 0.5  # of a map's places; beyond it, finding the pieces costs more than is saved
_MAX_PICTURES = 1024  # at once, each with a window hidden


@dataclass(frozen=True, eq=False)
class _Region:
    """What of a step's output changes when a window is hidden.

    Parameters
    ----------
    starts : tuple of tf.Tensor
        First row and first column for each window; they may lie outside the map.
    size : tuple of int
        Rows and columns, the same for all windows.
    values : tf.Tensor
        ``(n, windows, *size, channels)``; what lies outside the map means nothing.
    """

    starts: Starts
    size: Pair
    values: Tensor


def score_windows(
    reading: Reading, pictures: Tensor, classes: Tensor, origins: Tensor, starts: Starts, size: Pair
) -> Tensor:
    """Return the target's score with each window showing the reference, ``(n, windows)``; runs inside a graph.

    Parameters
    ----------
    pictures, origins : tf.Tensor
        ``(n, h, w, c)``, of known h, w and c: the pictures, and what the windows show.
    classes : tf.Tensor
        ``(n,)``
    starts : tuple of tf.Tensor
        First row and first column of each window, ``(windows,)`` int32.
    size : tuple of int
        Rows and columns of a window; what lies beyond the picture is cut.
    """
    network = reading.network
    region = _Region(starts, size, _cut_windows(origins, None, starts, size, 0.0))
    base, end = pictures, 0
    if network is not None:
        followed = _steps_to_rerun(network, size)
        bases = network.evaluate(pictures, [0, *followed])
        for position, before in zip(followed, bases, strict=False):
            region = _run_on_region(network.steps[position], before, region)
        base, end = bases[-1], [0, *followed][-1]
    corner = tf.zeros_like(starts[0])
    whole = _cut_windows(base, region, (corner, corner), (base.shape[1], base.shape[2]), 0.0)
    rows = tf.reshape(whole, (-1, *base.shape[1:]))
    scores = reading.predict(rows) if network is None else network.evaluate(rows, [network.logits], start=end)[0]
    n_windows = tf.size(corner)
    return tf.reshape(reading.of_target(scores, tf.repeat(classes, n_windows)), (-1, n_windows))


def count_rows_that_fit(reading: Reading, size: Pair) -> int:
    """Return how many hidden windows fit into memory at once, or the user's own number."""
    network = reading.network
    if network is None or reading.rows_at_once is not None:
        return reading.rows
    followed = _steps_to_rerun(network, size)
    numbers = sum(rows * columns * (network.steps[place].shape[-1] or 1) for place, (rows, columns) in followed.items())
    for position in network.steps_needed([network.logits]):
        if position not in list(followed)[:-1]:
            numbers += math.prod(side or 1 for side in network.steps[position].shape)
    return int(np.clip(MAX_BYTES // (3 * reading.dtype.size * numbers), 1, _MAX_PICTURES))


def _steps_to_rerun(network: Network, size: Pair) -> dict[int, Pair]:
    """Return the steps behind the input that are worth running on regions only, in order, with the regions' sizes."""
    used = network.steps_needed([network.logits])
    found: dict[int, Pair] = {}
    end = 0
    while True:
        readers = [position for position in used if end in network.steps[position].inputs]
        if len(readers) != 1 or not _is_local(network.steps[readers[0]]):
            return found
        end = readers[0]
        step = network.steps[end]
        if step.kind in WINDOWED:
            size = _affected_size(step, size)
        height, width = (*step.shape, 0, 0)[:2]
        if size[0] * size[1] > _MAX_CHANGED_SHARE * (height or 0) * (width or 0):
            return found
        found[end] = size


def _is_local(step: Step) -> bool:
    """Whether an output depends on the inputs around it only, and in the same way everywhere."""
    if step.kind == StepKind.ACTIVATION:
        return step.activation not in MIXING_ACTIVATIONS and step.uniform
    if step.kind == StepKind.AVERAGE_POOL and step.window is not None:
        return step.window.padding == "VALID"  # else it counts the pixels inside the map
    return step.kind in WINDOWED | {StepKind.AFFINE, StepKind.REORDER, StepKind.IDENTITY}


def _affected_size(step: Step, size: Pair) -> Pair:
    """Return how many rows and columns of outputs a region can change, wherever it lies."""
    rows, columns = (
        (length - 1 + reach) // stride + 1
        for length, reach, stride in zip(size, _reach(step), step.window.strides, strict=True)  # type: ignore[union-attr]
    )
    return rows, columns


def _reach(step: Step) -> Pair:
    window: Any = step.window
    rows, columns = ((length - 1) * gap for length, gap in zip(window.size, window.dilation, strict=True))
    return rows, columns


def _run_on_region(step: Step, before: Tensor, region: _Region) -> _Region:
    """Run one step on a region; `before` is the step's input without a window hidden."""
    starts, size, read = region.starts, region.size, region.values
    if step.kind in WINDOWED:
        window: Any = step.window
        reach, size = _reach(step), _affected_size(step, size)
        edges = zip(starts, reach, window.strides, window.before, strict=True)
        down, across = (-((far - ahead - start) // stride) for start, far, stride, ahead in edges)
        starts = (down, across)
        wanted = tuple((size[axis] - 1) * window.strides[axis] + reach[axis] + 1 for axis in range(2))
        begins = tuple(starts[axis] * window.strides[axis] - window.before[axis] for axis in range(2))
        fill = before.dtype.min if step.kind == StepKind.MAX_POOL else 0.0
        read = _cut_windows(before, region, begins, wanted, fill)
    rows = tf.reshape(read, (-1, *read.shape[2:]))
    values = step.run([rows], "VALID")
    return _Region(starts, size, tf.reshape(values, (*tf.unstack(tf.shape(read)[:2]), *size, values.shape[-1])))


def _cut_windows(base: Tensor, region: _Region | None, begins: Starts, size: Pair, fill: float) -> Tensor:
    """Cut pieces ``(n, windows, *size, c)`` out of a map: the region's values, the map's around it, else `fill`."""
    height, width, channels = base.shape[1:]
    n, n_windows = tf.shape(base)[0], tf.size(begins[0])
    rows, columns = (begin[:, None] + tf.range(length) for begin, length in zip(begins, size, strict=True))
    sources = [
        tf.fill((n, 1, channels), tf.constant(fill, base.dtype)),
        tf.reshape(base, (n, height * width, channels)),
    ]
    inside = _cross((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    index = tf.where(inside, 1 + rows[:, :, None] * width + columns[:, None, :], 0)
    if region is not None:
        near = [place - start[:, None] for place, start in zip((rows, columns), region.starts, strict=True)]
        changed = _cross(*((place >= 0) & (place < length) for place, length in zip(near, region.size, strict=True)))
        sources.append(tf.reshape(region.values, (n, -1, channels)))
        first = 1 + height * width + tf.range(n_windows)[:, None, None] * (region.size[0] * region.size[1])
        own = first + near[0][:, :, None] * region.size[1] + near[1][:, None, :]
        index = tf.where(inside & changed, own, index)
    pieces = tf.gather(tf.concat(sources, 1), tf.reshape(index, [-1]), axis=1)
    return tf.reshape(pieces, (n, n_windows, *size, channels))


def _cross(rows: Tensor, columns: Tensor) -> Tensor:
    return rows[:, :, None] & columns[:, None, :]
