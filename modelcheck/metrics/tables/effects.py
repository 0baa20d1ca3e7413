"""The effect of one column on a network's answers: accumulated local effects, and how far two of them are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from modelcheck.metrics.tables.draws import resample_rows

__all__ = [
    "FEWEST",
    "Curve",
    "LocalChanges",
    "accumulate_effect",
    "draw_curves",
    "find_curve_distance",
    "find_places",
    "measure_effect_change",
    "part_grid",
]

FEWEST = 3
"""Rows of a sub-population in a part or a category, for it to count there."""

_RESAMPLES = 200
_ENDS = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """An effect, as a curve over a column's values.

    Parameters
    ----------
    grid : np.ndarray
        ``(k,)`` where the rows of each part of a column of numbers lie on average; positions of categories.
    weights : np.ndarray
        ``(k,)`` share of the rows that stand at each, summing to 1; NaN without a row.
    values : np.ndarray
        ``(k, views)``: the effect, whose mean over the rows is 0.
    """

    grid: np.ndarray
    weights: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalChanges:
    """How the answers to each row change with one column; see `modelcheck.metrics.tables.accumulate_effect`.

    Parameters
    ----------
    bins : np.ndarray
        ``(rows,)`` in which part a row lies, or which category it has; -1 where it is missing.
    changes : np.ndarray
        ``(rows, views)`` of numbers, ``(rows, categories, views)`` of categories.
    edges : np.ndarray or None
        ``(parts + 1,)`` of a column of numbers; None for categories.
    """

    bins: np.ndarray
    changes: np.ndarray
    edges: np.ndarray | None = None

    @property
    def n_bins(self) -> int:
        """How many parts or categories there are."""
        return self.changes.shape[1] if self.edges is None else max(len(self.edges) - 1, 0)


def accumulate_effect(bins: np.ndarray, changes: np.ndarray, *, edges: np.ndarray | None = None) -> Curve:
    """Return the accumulated local effect of a column.

    Of a column of numbers the mean changes of its parts are added up from the lowest edge on; the
    rows of a part stand together where they lie on average, see `find_places`. Of categories the
    mean changes are the effect.

    Parameters
    ----------
    bins : np.ndarray
        ``(rows,)`` in which part a row lies, or which category it has; -1 where it is missing.
    changes : np.ndarray
        ``(rows, views)`` of numbers, ``(rows, categories, views)`` of categories.
    edges : np.ndarray, optional
        ``(parts + 1,)`` of a column of numbers.

    Returns
    -------
    Curve
        A part without rows moves nothing, nor does a column with a single value. All NaN where the
        column is missing in every row.

    References
    ----------
    Apley and Zhu, "Visualizing the effects of predictor variables in black box supervised learning
    models", Journal of the Royal Statistical Society B 82, 2020.

    Examples
    --------
    >>> curve = accumulate_effect(np.array([0, 0, 1, 1]), np.full((4, 1), 2.0), edges=np.array([0.0, 1.0, 2.0]))
    >>> curve.grid.tolist(), curve.values.ravel().tolist(), curve.weights.tolist()
    ([0.5, 1.5], [-1.0, 1.0], [0.5, 0.5])
    """
    changes = np.asarray(changes, np.float64)
    there = np.asarray(bins) >= 0
    if edges is None:
        grid = np.arange(changes.shape[1], dtype=np.float64)
        counts = np.bincount(bins[there], minlength=len(grid)).astype(np.float64)
        if not there.any():
            return _nothing(grid, changes.shape[-1])
        return _centre(grid, counts, changes[there].mean(axis=0))
    grid = part_grid(bins, edges)
    parts = max(len(edges) - 1, 0)
    if not there.any():
        return _nothing(grid, changes.shape[-1])
    if not parts:
        return Curve(grid=grid, weights=np.ones(len(grid)), values=np.zeros((len(grid), changes.shape[-1])))
    counts = np.bincount(bins[there], minlength=parts).astype(np.float64)
    sums = np.zeros((parts, changes.shape[-1]))
    np.add.at(sums, bins[there], changes[there])
    steps = sums / np.maximum(counts, 1)[:, None]
    return _centre(grid, counts, np.cumsum(steps, axis=0) - (1 - find_places(bins, edges))[:, None] * steps)


def part_grid(bins: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the values at which the rows of a column's parts stand; of a single edge, which is no part, that edge.

    Examples
    --------
    >>> part_grid(np.array([0, 0, 1]), np.array([0.0, 2.0, 3.0]))
    array([1. , 2.5])
    """
    edges = np.asarray(edges, np.float64)
    return edges if len(edges) < 2 else edges[:-1] + find_places(bins, edges) * np.diff(edges)


def find_places(bins: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return where in each part of a column its rows lie on average, from 0, its lower edge, to 1.

    Only the parts are known, not the values: within a part the density is taken to go in a straight
    line from edge to edge, where it is the geometric mean of those of both parts. Rows of the widest
    parts, at the ends of most columns, so lie nearer to the others.

    Parameters
    ----------
    bins : np.ndarray
        ``(rows,)`` in which part a row lies; -1 where it is missing.
    edges : np.ndarray
        ``(parts + 1,)``.

    Examples
    --------
    >>> find_places(np.array([0, 1, 2]), np.array([0.0, 1.0, 2.0, 3.0]))
    array([0.5, 0.5, 0.5])
    >>> find_places(np.array([0, 1, 2]), np.array([0.0, 1.0, 2.0, 12.0]))[2].round(2)
    np.float64(0.33)
    """
    widths = np.diff(np.asarray(edges, np.float64))
    counts = np.bincount(bins[bins >= 0], minlength=len(widths))
    density = np.where((counts > 0) & (widths > 0), counts, 0) / np.where(widths > 0, widths, 1.0)
    inner = np.sqrt(density[:-1] * density[1:])
    # At the two ends the density is what keeps the mean of its part.
    lower, upper = np.insert(inner, 0, 0.0), np.append(inner, 0.0)
    if len(widths):
        lower[0] = max(2 * density[0] - upper[0], 0.0) if len(widths) > 1 else 1.0
        upper[-1] = max(2 * density[-1] - lower[-1], 0.0) if len(widths) > 1 else 1.0
    both = lower + upper
    return np.where(both > 0, (lower + 2 * upper) / np.where(both > 0, 3 * both, 1.0), 0.5)


def _centre(grid: np.ndarray, counts: np.ndarray, values: np.ndarray) -> Curve:
    weights = counts / counts.sum()
    return Curve(grid=grid, weights=weights, values=values - weights @ values)


def _nothing(grid: np.ndarray, views: int) -> Curve:
    return Curve(grid=grid, weights=np.full(len(grid), math.nan), values=np.full((len(grid), views), math.nan))


def find_curve_distance(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """Return the root mean square distance of two curves, over rows and views.

    Parameters
    ----------
    one, other : np.ndarray
        ``(k, views)``.
    weights : np.ndarray
        ``(k,)`` summing to 1.

    Examples
    --------
    >>> find_curve_distance(np.array([[0.0], [0.0]]), np.array([[-1.0], [1.0]]), np.array([0.5, 0.5]))
    1.0
    """
    if not len(weights):
        return math.nan
    return math.sqrt(float(weights @ ((one - other) ** 2).mean(axis=-1)))


def measure_effect_change(
    baseline: LocalChanges, candidate: LocalChanges, independent: np.ndarray
) -> tuple[float, tuple[float, float]]:
    """Return the root mean square distance of two networks' effects of a column, over rows and views.

    Parameters
    ----------
    baseline, candidate : LocalChanges
        Of the same rows, parts and categories.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.

    Returns
    -------
    value : float
        In units of the scores; NaN where the column is missing in every row.
    interval : tuple of float
        Its 95 % interval over what is independent.

    Examples
    --------
    >>> edges, bins = np.array([0.0, 1.0, 2.0]), np.tile([0, 1], 4)
    >>> steep, flat = (LocalChanges(bins=bins, changes=np.full((8, 1), by), edges=edges) for by in (2.0, 0.0))
    >>> measure_effect_change(flat, steep, np.arange(8))[0]
    1.0
    """
    changes = np.asarray(candidate.changes, np.float64) - np.asarray(baseline.changes, np.float64)
    both = LocalChanges(bins=candidate.bins, changes=changes, edges=candidate.edges)
    counts = np.concatenate([np.ones((1, len(changes))), resample_rows(independent, _RESAMPLES)])
    curves, shares = draw_curves(both, counts.T[:, None], fewest=1)
    squares = ((curves[:, :, 0] ** 2).mean(axis=1) * shares).sum(axis=0)
    if not shares[:, 0].sum() > 0:
        return math.nan, (math.nan, math.nan)
    # Curves of rows drawn anew differ a little more than those of the rows that there are.
    moved = squares[1:] - (squares[1:].mean() - squares[0])
    value = math.sqrt(squares[0])
    low, high = np.sqrt(np.maximum(np.percentile(moved, _ENDS), 0.0))
    return value, (min(float(low), value), max(float(high), value))


def draw_curves(part: LocalChanges, weights: np.ndarray, *, fewest: int = FEWEST) -> tuple[np.ndarray, np.ndarray]:
    """Return the effect of a column in several groups of rows, many times at once.

    Parameters
    ----------
    part : LocalChanges
        Of the column.
    weights : np.ndarray
        ``(rows, groups, draws)``: how often each row counts in each group.
    fewest : int
        Rows that every group has in a part or category of the common support.

    Returns
    -------
    curves : np.ndarray
        ``(k, views, groups, draws)``, centred on the common support.
    weights : np.ndarray
        ``(k, draws)`` of all groups together, summing to 1; 0 off the common support, and everywhere
        where there is none.
    """
    rows, n_groups, draws = weights.shape
    views, n_bins = part.changes.shape[-1], part.n_bins
    there = np.flatnonzero(part.bins >= 0)
    if not n_bins:  # a single value moves nothing
        known = np.all(weights[there].sum(axis=0) >= fewest, axis=0)
        return np.zeros((1, views, n_groups, draws)), np.asarray(known, np.float64)[None]
    where = (part.bins[there], there)
    flat = weights.reshape(rows, n_groups * draws)
    counts = _sum_rows(np.ones(len(there)), where, n_bins, flat).reshape(n_bins, n_groups, draws)
    common = np.asarray((counts >= fewest).all(axis=1))  # (bins, draws)
    amounts = np.where(common, counts.sum(axis=1), 0.0)
    if part.edges is None:
        sums = part.changes[there].reshape(len(there), n_bins * views).T @ flat[there]
        curves = sums.reshape(n_bins, views, n_groups, draws) / np.maximum(counts.sum(axis=0), 1.0)
    else:
        sums = np.stack(
            [_sum_rows(part.changes[there, view], where, n_bins, flat) for view in range(views)], axis=1
        ).reshape(n_bins, views, n_groups, draws)
        steps = sums / np.maximum(counts, 1.0)[:, None]
        # Where not every group has rows nothing is known to differ: all move as their rows do together.
        together = sums.sum(axis=2, keepdims=True) / np.maximum(counts.sum(axis=1), 1.0)[:, None, None]
        steps = np.where(common[:, None, None], steps, together)
        rest = 1 - find_places(part.bins, part.edges)
        curves = np.cumsum(steps, axis=0) - rest[:, None, None, None] * steps
    shares = _share(amounts)
    return curves - np.einsum("kd,kvgd->vgd", shares, curves), shares


def _sum_rows(values: np.ndarray, where: tuple[np.ndarray, np.ndarray], n_bins: int, flat: np.ndarray) -> np.ndarray:
    """Return ``(bins, ...)`` sums of values over rows, each of which lies in one bin, as often as it counts."""
    return np.asarray(csr_array((values, where), shape=(n_bins, len(flat))) @ flat)


def _share(amounts: np.ndarray) -> np.ndarray:
    return np.asarray(amounts / np.maximum(amounts.sum(axis=0), 1.0))
