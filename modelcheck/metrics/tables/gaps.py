"""Whether a column has the same effect in every sub-population: the gap between curves, and what chance gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from modelcheck.metrics.tables.draws import permute_groups, resample_rows
from modelcheck.metrics.tables.effects import LocalChanges, draw_curves, part_grid

__all__ = ["Gap", "adjust_holm", "measure_gaps"]

_PERMUTATIONS = 999  # Holm's correction over 20 columns can then still come to 0.02
_DEBIASING, _RESAMPLES = 200, 200
_ENDS = (2.5, 97.5)  # percentiles
_ROUNDING = 1e-6  # of the largest change, which is kept in single precision
_CHUNK = 4_000_000  # numbers in memory at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Gap:
    """How far the effect of a column differs between the two groups that differ most.

    Parameters
    ----------
    value : float
        Root mean square distance of their curves in units of the scores, less what permuted groups
        give; NaN where no part or category has rows enough of every group.
    interval : tuple of float
        Its 95 % interval over independent subjects or rows.
    p : float
        Share of permuted groups whose curves are as far apart.
    pair : tuple of int
        The two groups.
    grid : np.ndarray
        ``(k,)`` values, or positions of categories, of the common support.
    curves : np.ndarray
        ``(groups, k, views)``, each centred on the common support.
    """

    value: float
    interval: tuple[float, float]
    p: float
    pair: tuple[int, int]
    grid: np.ndarray
    curves: np.ndarray


def measure_gaps(
    columns: Mapping[str, LocalChanges],
    groups: np.ndarray,
    independent: np.ndarray,
    *,
    tested: bool = True,
    seed: int = 0,
) -> dict[str, Gap]:
    """Return by column how far its effect differs between groups.

    The curves are compared on common support: parts, or categories, in which every group has at
    least three rows. They are centred there with the same weights, those of all rows, so that what
    differs is neither a level nor a distribution. What chance gives is twice estimated: the mean
    square distance of permuted groups, after each group's own curve was taken away, is subtracted;
    and of the distances themselves of permuted groups a test is made.

    Parameters
    ----------
    columns : mapping of str to LocalChanges
        By column, of the same rows.
    groups : np.ndarray
        ``(rows,)`` numbers of groups from 0 on; -1 for a row of none.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.
    tested : bool
        Whether p-values and intervals are wanted too; they are NaN otherwise.
    seed : int
        Of the permutations and resamples, which are the same for every column.

    Examples
    --------
    >>> bins, group = np.tile([0, 1], 20), np.repeat([0, 1], 20)
    >>> changes = np.where(group == 1, 3.0, 1.0)[:, None]  # a slope of 3 instead of 1
    >>> column = LocalChanges(bins=bins, changes=changes, edges=np.array([0.0, 1.0, 2.0]))
    >>> gap = measure_gaps({"age": column}, group, np.arange(40))["age"]
    >>> round(gap.value, 3), gap.p
    (1.0, 0.001)
    """
    groups = np.asarray(groups)
    kept = groups >= 0
    groups, independent = groups[kept], np.asarray(independent)[kept]
    columns = {
        name: LocalChanges(bins=part.bins[kept], changes=np.asarray(part.changes, np.float64)[kept], edges=part.edges)
        for name, part in columns.items()
    }
    n_groups = int(groups.max(initial=-1)) + 1
    residues = {name: _take_curves_away(part, groups, n_groups) for name, part in columns.items()}
    plain = np.ones((1, len(groups)))
    own = _collect(columns, [(groups[None], plain)], n_groups)
    permuted = permute_groups(groups, independent, _PERMUTATIONS, seed=seed)
    chance = _collect(columns, _in_chunks(permuted[: None if tested else 0], plain, n_groups), n_groups)
    left = _collect(residues, _in_chunks(permuted[:_DEBIASING], plain, n_groups), n_groups)
    counts = resample_rows(independent, _RESAMPLES if tested else 0, seed=seed)
    drawn = _collect(columns, _in_chunks(groups[None], counts, n_groups), n_groups)
    return {
        name: _conclude(part, groups, n_groups, own[name][0], chance[name], left[name], drawn[name])
        for name, part in columns.items()
    }


def _conclude(
    part: LocalChanges,
    groups: np.ndarray,
    n_groups: int,
    own: float,
    chance: np.ndarray,
    left: np.ndarray,
    drawn: np.ndarray,
) -> Gap:
    curves, weights = draw_curves(part, _weigh(groups[None], np.ones((1, len(groups))), n_groups))
    grid, shown = _list_grid(part, weights[:, 0])
    pairs = list(combinations(range(n_groups), 2))
    if not math.isfinite(own) or not pairs:
        nothing = math.nan, math.nan
        empty = np.empty((n_groups, 0, part.changes.shape[-1]))
        return Gap(value=math.nan, interval=nothing, p=math.nan, pair=(0, 0), grid=grid[:0], curves=empty)
    squares = [float(_square_distances(curves[:, :, pair], weights)[0]) for pair in pairs]
    # What rounding leaves of a distance is none; permuted groups without common support differ by nothing.
    rounding = (_ROUNDING * float(np.abs(part.changes).max())) ** 2
    reached = np.nan_to_num(chance) >= own * (1 - _ROUNDING) - rounding
    bias = float(np.nan_to_num(left).mean()) if len(left) else 0.0
    value = math.sqrt(max(own - bias, 0.0))
    known = drawn[np.isfinite(drawn)]
    # Resampled rows bring the same chance once more.
    ends = np.sqrt(np.maximum(known - 2 * bias, 0.0))
    low, high = np.percentile(ends, _ENDS) if len(ends) else (math.nan, math.nan)
    return Gap(
        value=value,
        interval=(min(float(low), value), max(float(high), value)),
        p=(1 + int(reached.sum())) / (1 + len(chance)),
        pair=pairs[int(np.argmax(squares))],
        grid=grid,
        curves=np.moveaxis(curves[shown, :, :, 0], -1, 0),
    )


def _take_curves_away(part: LocalChanges, groups: np.ndarray, n_groups: int) -> LocalChanges:
    """Return changes without each group's own mean of each part or category: what is left is chance.

    What is left of n rows varies by (n - 1) / n of what rows do, and is stretched accordingly.
    """
    made = np.zeros_like(part.changes)
    for group in range(n_groups):
        here = (part.bins >= 0) & (groups == group)
        places = np.zeros(len(groups), np.int64) if part.edges is None else part.bins
        for place in np.unique(places[here]) if part.n_bins else ():
            rows = here & (places == place)
            n = int(rows.sum())
            made[rows] = (part.changes[rows] - part.changes[rows].mean(axis=0)) * math.sqrt(n / max(n - 1, 1))
    return LocalChanges(bins=part.bins, changes=made, edges=part.edges)


_Drawn = tuple[np.ndarray, np.ndarray]


def _in_chunks(groups: np.ndarray, counts: np.ndarray, n_groups: int) -> Iterator[_Drawn]:
    """Yield draws in parts that fit into memory; one of the two may be a single row for all draws."""
    size = max(1, _CHUNK // max(1, n_groups * groups.shape[1]))
    for start in range(0, max(len(groups), len(counts)), size):
        stop = start + size
        yield (
            groups[start:stop] if len(groups) > 1 else groups,
            counts[start:stop] if len(counts) > 1 else counts,
        )


def _weigh(groups: np.ndarray, counts: np.ndarray, n_groups: int) -> np.ndarray:
    """Return ``(rows, groups, draws)``: how often each row counts in each group."""
    return np.asarray((groups.T[:, None] == np.arange(n_groups)[:, None]) * counts.T[:, None])


def _collect(
    columns: Mapping[str, LocalChanges], chunks: Sequence[_Drawn] | Iterator[_Drawn], n_groups: int
) -> dict[str, np.ndarray]:
    """Return by column ``(draws,)`` the largest mean square distance of two groups; NaN without common support."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in columns}
    for groups, counts in chunks:
        weights = _weigh(groups, counts, n_groups)
        for name, part in columns.items():
            found[name].append(_measure_largest(part, weights))
    return {name: np.concatenate(parts) if parts else np.empty(0) for name, parts in found.items()}


def _measure_largest(part: LocalChanges, weights: np.ndarray) -> np.ndarray:
    curves, shares = draw_curves(part, weights)
    pairs = list(combinations(range(weights.shape[1]), 2))
    if not pairs:
        return np.full(weights.shape[-1], math.nan)
    squares = np.max([_square_distances(curves[:, :, pair], shares) for pair in pairs], axis=0)
    return np.where(shares.sum(axis=0) > 0, squares, math.nan)


def _square_distances(pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ``(draws,)`` from ``(k, views, 2, draws)``."""
    apart = ((pairs[:, :, 0] - pairs[:, :, 1]) ** 2).mean(axis=1)
    return np.asarray((apart * weights).sum(axis=0))


def _list_grid(part: LocalChanges, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the common support, and their positions."""
    shown = np.flatnonzero(weights > 0)
    grid = np.arange(part.n_bins, dtype=np.float64) if part.edges is None else part_grid(part.bins, part.edges)
    return grid[shown], shown


def adjust_holm(values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's correction for as many as there are; NaN stays NaN and does not count.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Examples
    --------
    >>> [round(p, 3) for p in adjust_holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(values, np.float64)
    made = np.full(len(p), math.nan)
    order = [k for k in np.argsort(p) if math.isfinite(p[k])]
    reached = 0.0
    for rank, k in enumerate(order):
        reached = max(reached, min(1.0, float(p[k]) * (len(order) - rank)))
        made[k] = reached
    return made.tolist()
