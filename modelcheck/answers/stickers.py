"""Stamp every sticker of the dictionary on a few held-out pictures and record how the network's margins move.

The scan of `modelcheck.metrics.triggers` needs one number for each sticker, place and class; this
room makes them, in graph, with many stickers in one batch. A candidate of the worked example's size
takes a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelcheck.metrics.margins import margins
from modelcheck.metrics.triggers import Stickers, gaps, sticker_families, sticker_rows
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.runtimes import Classifier, NetworkError

__all__ = ["measure_panel_shifts", "measure_sticker_shifts"]

# Stickers that are shown at once: for some dozens of pictures it takes a deep network as long as for
# one to answer as it is released, and a file is compared on some dozens of them.
_AT_ONCE, _BYTES_AT_ONCE = 256, 256 * 2**20


def measure_panel_shifts(
    classifier: Classifier, panel: Panel, scores: np.ndarray, *, recipe: Recipe
) -> dict[str, np.ndarray]:
    """Return the shifts on a few pictures of a panel, the same ones for every network.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    panel : Panel
        The pictures.
    scores : np.ndarray
        ``(n, classes)`` class scores on the whole panel.
    recipe : Recipe
        Its `sticker_faces` says on how many; with 0, or on pictures too small for a sticker, there
        are no shifts.

    Returns
    -------
    dict of str to np.ndarray
        See `measure_sticker_shifts`.
    """
    if recipe.sticker_faces == 0 or min(classifier.input_shape[:2]) < 2:
        return {}
    rows = sticker_rows(panel.labels, panel.independent, recipe.sticker_faces)
    return measure_sticker_shifts(
        classifier,
        panel.subset(rows).inputs(recipe.input_range),
        panel.labels[rows],
        scores=scores,
        truth=panel.labels,
        input_range=recipe.input_range,
    )


def measure_sticker_shifts(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    scores: np.ndarray,
    truth: np.ndarray,
    input_range: tuple[float, float],
) -> dict[str, np.ndarray]:
    """Return how far each sticker at each place moves the margin of each class, in units of the network's own gap.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 in the input range, a few of every class; see
        `modelcheck.metrics.triggers.sticker_rows`.
    labels : np.ndarray
        ``(n,)`` their classes.
    scores, truth : np.ndarray
        ``(m, classes)`` class scores on the whole panel and its ``(m,)`` labels: they give the gap.
    input_range : tuple of float
        The values of black and white.

    Returns
    -------
    dict of str to np.ndarray
        For each family of stickers ``(patterns, rows, columns, classes)`` float32: for class t the
        mean over the pictures that are *not* of class t of the margin of t with the sticker, minus
        without it, divided by the gap of t. NaN for a class that the network does not tell from the
        others, or of which every picture is. Of three classes or more also ``one``, shaped like
        ``patch``: the largest such mean over the pictures of one other class, for a trigger may
        work on that one alone.

    Raises
    ------
    NetworkError
        When the network answers NaN or infinity on a stamped picture, or answers otherwise there
        when it is used as it will be released.
    """
    height, width, channels = classifier.input_shape
    pictures = np.asarray(images, np.float32)
    before = margins(classifier.class_scores(pictures))
    at_once = min(_AT_ONCE, max(1, _BYTES_AT_ONCE // (4 * height * width * channels * len(images))))

    # Numbers may overflow, underflow or wrap on a sticker alone, where no picture of the panel shows
    # it. Asking twice takes twice the time of the search, and so every sticker is shown on one
    # picture as released where all is float32; on all of them where it is not.
    def move_margins(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
        stamped = np.where(masks[:, None], values[:, None], pictures[None])
        every = np.arange(len(values))
        rows = np.arange(len(values) * len(images)).reshape(len(values), len(images))
        checked = rows[every, every % len(images)] if classifier.plain else rows.ravel()
        scores = classifier.class_scores(stamped.reshape(-1, height, width, channels), checked=checked)
        if not np.isfinite(scores).all():
            raise NetworkError(
                f"The network {classifier.name!r} answers NaN or infinity on a picture with a sticker; its reaction "
                "to stickers cannot be measured. Look at its weights, or leave the search out: sticker_faces = 0."
            )
        return margins(scores).reshape(len(values), len(images), classifier.n_classes) - before

    scale = gaps(scores, truth)
    others = np.asarray(labels)[:, None] != np.arange(classifier.n_classes)
    found = {}
    for family in sticker_families(height, width):
        shifts = _measure_family(family, move_margins, (height, width), at_once, input_range)
        # (stickers, pictures, classes): for each class the mean over the pictures of others.
        count = others.sum(axis=0)
        total = np.where(others, shifts, 0.0).sum(axis=1)
        means = {family.name: np.where(count > 0, total / np.maximum(count, 1), np.nan)}
        if family.name == "patch" and classifier.n_classes > 2:
            means["one"] = _find_most_moved(shifts, labels)
        for name, mean in means.items():
            found[name] = (mean / scale).reshape(*family.shape, classifier.n_classes).astype(np.float32)
    return found


def _find_most_moved(shifts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean shift of the other class that is moved most, ``(stickers, classes)``; NaN where there is none."""
    found = np.full(shifts[:, 0].shape, np.nan)
    for shown in np.unique(labels).tolist():
        mean = shifts[:, labels == shown].mean(axis=1)
        mean[:, shown] = np.nan
        found = np.fmax(found, mean)
    return found


def _measure_family(
    family: Stickers,
    move_margins: Callable[[np.ndarray, np.ndarray], np.ndarray],
    size: tuple[int, int],
    at_once: int,
    input_range: tuple[float, float],
) -> np.ndarray:
    """Return ``(stickers, pictures, classes)`` shifts of all stickers of a family, patterns first, then rows."""
    low, high = input_range
    tall, wide = family.tiles.shape[1:]
    places = [(tile, top, left) for tile in family.tiles for top in family.tops for left in family.lefts]
    parts = []
    for start in range(0, len(places), at_once):
        part = places[start : start + at_once]
        values = np.zeros((len(part), *size, 1), np.float32)
        masks = np.zeros((len(part), *size, 1), bool)
        for position, (tile, top, left) in enumerate(part):
            masks[position, top : top + tall, left : left + wide] = True
            values[position, top : top + tall, left : left + wide, 0] = low + (high - low) * tile
        parts.append(move_margins(values, masks))
    return np.concatenate(parts)
