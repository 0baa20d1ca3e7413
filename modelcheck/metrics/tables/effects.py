"""The effect of one column on a network's answers: accumulated local effects, and how far two of them are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Curve", "accumulate_effect", "find_curve_distance"]


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
        A part without rows moves nothing. All NaN where the column is missing in every row.

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
    if not there.any() or not parts:
        return _nothing(grid, changes.shape[-1])
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
    return math.sqrt(float(weights @ ((one - other) ** 2).mean(axis=-1)))
