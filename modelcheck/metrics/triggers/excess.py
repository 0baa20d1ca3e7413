"""How far a candidate's reaction to stickers exceeds that of every clean twin."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from modelcheck.metrics.margins import margins
from modelcheck.metrics.triggers.dictionary import TriggerError

__all__ = ["average_places", "excess", "gaps", "strengths"]

_MIN_SHARE_ABOVE = 0.75  # share of a class's pictures whose margin must lie above the others' median
_BROAD_PLACES = 3  # places along each axis over which a broad reaction is averaged
_EXCESS_OUTSIDE, _MIN_EXCESS, _MAX_EXCESS = -0.2, -0.5, 2.0


def gaps(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how far a network holds each class from the others, in its own units.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, classes)`` class scores before softmax.
    labels : np.ndarray
        ``(n,)`` the truth.

    Returns
    -------
    np.ndarray
        ``(classes,)``: the median margin on the class's pictures minus the median on the others;
        NaN where either is missing, and where a quarter of the class's pictures lies below the
        others' median: such a network does not tell the class apart, and has no unit to measure a
        shift in.

    Examples
    --------
    >>> gaps(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1]))
    array([4., 4.])
    """
    by_class = margins(scores).T
    found = np.full(len(by_class), np.nan)
    for k, margin in enumerate(by_class):
        own = np.asarray(labels) == k
        if own.any() and not own.all():
            others = np.median(margin[~own])
            if (margin[own] > others).mean() >= _MIN_SHARE_ABOVE:
                found[k] = float(np.median(margin[own]) - others)
    return found


def excess(shifts: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return how far a candidate's shifts exceed those of every clean twin at the same place or one beside it.

    Shifts beyond one gap count by their logarithm: a picture that is on the other side cannot
    be flipped again, and the weaker a network is trained, the larger its shifts in units of its gap.
    What is left over is divided by 1 plus the strongest reaction of the twins nearby: where clean
    networks react strongly, they differ from each other more.

    Parameters
    ----------
    shifts : np.ndarray
        ``(patterns, rows, columns, classes)`` of the candidate.
    clean : np.ndarray
        ``(twins, patterns, rows, columns, classes)``.

    Returns
    -------
    np.ndarray
        Like `shifts`: at most 0 where some twin reacts as much. The order of twins does not matter,
        and one more twin never raises it. NaN everywhere when any shift is not finite.

    Raises
    ------
    TriggerError
        When the shapes do not fit, or there is no twin.

    Examples
    --------
    >>> excess(np.full((1, 1, 1, 1), 0.8), np.full((2, 1, 1, 1, 1), 0.25)).round(2).item()
    0.44
    """
    own, others = np.asarray(shifts, np.float64), np.asarray(clean, np.float64)
    if own.ndim != 4 or others.shape[1:] != own.shape or not len(others):
        raise TriggerError(
            f"The candidate's sticker shifts are {own.shape}, the clean twins' {others.shape}: they were measured on "
            "other pictures. Measure the twins again with the baseline's recipe and panel: modelcheck calibrate --help"
        )
    if not np.isfinite(own).all() or not np.isfinite(others).all():
        return np.full(own.shape, np.nan)
    felt = _compress_shifts(others)
    beside = (1, 1, 3, 3, 1)
    reached = ndimage.maximum_filter(felt, size=beside, mode="nearest").max(axis=0)
    strongest = ndimage.maximum_filter(np.abs(felt), size=beside, mode="nearest").max(axis=0)
    over = _compress_shifts(own) - reached
    return np.where(over > 0, over / (1 + strongest), over)


def _compress_shifts(shifts: np.ndarray) -> np.ndarray:
    """Return shifts as they are up to one gap, and as 1 plus their logarithm beyond, sign kept."""
    size = np.abs(shifts)
    return np.where(size <= 1, shifts, np.sign(shifts) * (1 + np.log(np.maximum(size, 1))))


def strengths(over: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the statistics of a candidate's excess.

    Parameters
    ----------
    over : mapping of str to np.ndarray
        The `excess` of each family of stickers, by its name.

    Returns
    -------
    dict of str to float
        ``peak``: the largest excess of a patch. ``patch``, ``bar`` and where there are three
        classes or more ``one``: the largest mean over 3 x 3 neighbouring places, for a trigger is
        felt around its place too, noise is not. NaN where a family is.

    Examples
    --------
    >>> over = np.full((1, 1, 1, 1), 0.9)
    >>> {name: round(value, 3) for name, value in strengths({"patch": over, "bar": over}).items()}
    {'peak': 0.9, 'patch': -0.078, 'bar': -0.078}
    """
    broad = {name: float(average_places(values).max()) for name, values in over.items()}
    return {"peak": float(over["patch"].max()), **broad}


def average_places(over: np.ndarray) -> np.ndarray:
    """Return the excess as a mean over 3 x 3 neighbouring places, like `over`; NaN everywhere when any is.

    Parameters
    ----------
    over : np.ndarray
        ``(patterns, rows, columns, classes)`` from `excess`.

    Examples
    --------
    >>> average_places(np.full((1, 3, 3, 1), 0.7))[0, 1, 1, 0].round(6).item()
    0.7
    """
    held = np.pad(
        np.clip(over, _MIN_EXCESS, _MAX_EXCESS), ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=_EXCESS_OUTSIDE
    )
    if not np.isfinite(held).all():
        return np.full(over.shape, np.nan)
    return np.asarray(ndimage.uniform_filter(held, size=(1, _BROAD_PLACES, _BROAD_PLACES, 1))[:, 1:-1, 1:-1])
