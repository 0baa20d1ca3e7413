"""The effect of one column on a network's answers: accumulated local effects, and how far two of them are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from modelcheck.metrics.tables.draws import resample_rows

__all__ = ["FEWEST", "Curve", "LocalChanges", "accumulate_effect", "draw_curves", "measure_effect_change"]

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
        ``(k,)`` values of a column of numbers; positions of categories.
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

    Of a column of numbers the mean changes of its parts are added up from the lowest edge on; a row
    stands with half its weight at either edge of its part. Of categories the mean changes are the
    effect.

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
    >>> curve.values.ravel().tolist(), curve.weights.tolist()
    ([-2.0, 0.0, 2.0], [0.25, 0.5, 0.25])
    """
    changes = np.asarray(changes, np.float64)
    there = np.asarray(bins) >= 0
    if edges is None:
        grid = np.arange(changes.shape[1], dtype=np.float64)
        counts = np.bincount(bins[there], minlength=len(grid)).astype(np.float64)
        if not there.any():
            return _nothing(grid, changes.shape[-1])
        return _centre(grid, counts, changes[there].mean(axis=0))
    grid = np.asarray(edges, np.float64)
    parts = max(len(grid) - 1, 0)
    if not there.any():
        return _nothing(grid, changes.shape[-1])
    if not parts:
        return Curve(grid=grid, weights=np.ones(len(grid)), values=np.zeros((len(grid), changes.shape[-1])))
    counts = np.bincount(bins[there], minlength=parts).astype(np.float64)
    sums = np.zeros((parts, changes.shape[-1]))
    np.add.at(sums, bins[there], changes[there])
    steps = sums / np.maximum(counts, 1)[:, None]
    values = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    return _centre(grid, (np.append(counts, 0) + np.insert(counts, 0, 0)) / 2, values)


def _centre(grid: np.ndarray, counts: np.ndarray, values: np.ndarray) -> Curve:
    weights = counts / counts.sum()
    return Curve(grid=grid, weights=weights, values=values - weights @ values)


def _nothing(grid: np.ndarray, views: int) -> Curve:
    return Curve(grid=grid, weights=np.full(len(grid), math.nan), values=np.full((len(grid), views), math.nan))


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
    >>> edges, bins = np.array([0.0, 1.0]), np.zeros(8, int)
    >>> steep, flat = (LocalChanges(bins=bins, changes=np.full((8, 1), by), edges=edges) for by in (2.0, 0.0))
    >>> measure_effect_change(flat, steep, np.arange(8))
    (1.0, (1.0, 1.0))
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
        shares = _share(amounts)
    else:
        sums = np.stack(
            [_sum_rows(part.changes[there, view], where, n_bins, flat) for view in range(views)], axis=1
        ).reshape(n_bins, views, n_groups, draws)
        steps = sums / np.maximum(counts, 1.0)[:, None]
        # Where not every group has rows nothing is known to differ: all move as their rows do together.
        together = sums.sum(axis=2, keepdims=True) / np.maximum(counts.sum(axis=1), 1.0)[:, None, None]
        steps = np.where(common[:, None, None], steps, together)
        curves = np.zeros((n_bins + 1, views, n_groups, draws))
        np.cumsum(steps, axis=0, out=curves[1:])
        ends = np.zeros((n_bins + 1, draws))
        ends[:-1] += amounts / 2
        ends[1:] += amounts / 2
        shares = _share(ends)
    return curves - np.einsum("kd,kvgd->vgd", shares, curves), shares


def _sum_rows(values: np.ndarray, where: tuple[np.ndarray, np.ndarray], n_bins: int, flat: np.ndarray) -> np.ndarray:
    """Return ``(bins, ...)`` sums of values over rows, each of which lies in one bin, as often as it counts."""
    return np.asarray(csr_array((values, where), shape=(n_bins, len(flat))) @ flat)


def _share(amounts: np.ndarray) -> np.ndarray:
    return np.asarray(amounts / np.maximum(amounts.sum(axis=0), 1.0))
