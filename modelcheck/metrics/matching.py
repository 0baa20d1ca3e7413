"""Which unit of the candidate corresponds to which unit of the baseline, and which layer to which layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

__all__ = ["Match", "Matching", "align", "match"]


@dataclass(frozen=True)
class Match:
    """A pair of units and how alike they are.

    Examples
    --------
    >>> Match(3, 5, 0.9)
    Match(baseline=3, candidate=5, score=0.9)
    """

    baseline: int
    candidate: int
    score: float


@dataclass(frozen=True)
class Matching:
    """All pairs of two layers, worst first, and the units that found no partner.

    Parameters
    ----------
    pairs : tuple of Match
        Unit indices, not positions.
    unmatched_baseline, unmatched_candidate : tuple of int
        Units without a partner: one side has more units, or a unit has no map.

    Examples
    --------
    >>> Matching((Match(0, 1, 0.5), Match(1, 0, 0.75)), (2,), ()).mean
    0.625
    """

    pairs: tuple[Match, ...]
    unmatched_baseline: tuple[int, ...]
    unmatched_candidate: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean score over the pairs; NaN where there is none."""
        return float(np.mean([pair.score for pair in self.pairs])) if self.pairs else float("nan")


def match(
    scores: np.ndarray,
    baseline_units: Sequence[int] | np.ndarray,
    candidate_units: Sequence[int] | np.ndarray,
    *,
    by_index: bool = False,
) -> Matching:
    """Pair units so that the sum of scores is largest.

    Two trainings put one feature in different channels, so comparing channel 7 with channel 7
    measures the permutation, not the feature (Li, Yosinski, Clune, Lipson and Hopcroft, "Convergent
    learning", 2015).

    Parameters
    ----------
    scores : np.ndarray
        ``(n, m)``; NaN means that the two cannot be compared and is never a pair.
    baseline_units, candidate_units : sequence of int
        The units behind rows and columns.
    by_index : bool
        Pair equal indices instead, as for classes.

    Returns
    -------
    Matching

    Examples
    --------
    >>> found = match(np.array([[0.1, 0.9], [0.8, 0.2]]), [0, 1], [0, 1])
    >>> [(pair.baseline, pair.candidate) for pair in found.pairs]
    [(1, 0), (0, 1)]
    """
    scores = np.asarray(scores, np.float64)
    left, right = np.asarray(baseline_units), np.asarray(candidate_units)
    if scores.shape != (len(left), len(right)):
        raise ValueError(f"Scores of shape {(len(left), len(right))} are needed, not {scores.shape}.")
    if by_index:
        rows, columns = np.nonzero(left[:, None] == right[None, :])
    else:
        known = np.isfinite(scores)
        span = np.ptp(scores[known]) if known.any() else 0.0
        # A penalty larger than any sum of the other scores: a pair without a score is made only
        # when nothing else is left.
        penalty = scores[known].min(initial=0.0) - (span + 1) * (min(scores.shape, default=0) + 1)
        rows, columns = linear_sum_assignment(np.where(known, scores, penalty), maximize=True)
    pairs = [
        Match(int(left[i]), int(right[j]), float(scores[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if np.isfinite(scores[i, j])
    ]
    return Matching(
        tuple(sorted(pairs, key=lambda pair: (pair.score, pair.baseline))),
        tuple(sorted(set(left.tolist()) - {pair.baseline for pair in pairs})),
        tuple(sorted(set(right.tolist()) - {pair.candidate for pair in pairs})),
    )


def align(
    baseline: Sequence[str], candidate: Sequence[str], likeness: Callable[[str, str], float | None]
) -> dict[str, str | None]:
    """Pair the layers of two networks in order, so that the sum of likenesses is largest.

    A monotone alignment (Needleman and Wunsch 1970) without a price for gaps.

    Parameters
    ----------
    baseline, candidate : sequence of str
        Layer names in model order.
    likeness : callable
        ``likeness(baseline_layer, candidate_layer)`` from 0 to 1, or None where the two must not be
        paired.

    Returns
    -------
    dict
        From each layer of the baseline to its counterpart, or None.

    Examples
    --------
    >>> align(["conv1", "conv2"], ["conv1"], lambda one, other: float(one == other))
    {'conv1': 'conv1', 'conv2': None}
    """
    n, m = len(baseline), len(candidate)
    best = np.zeros((n + 1, m + 1))
    take = np.zeros((n, m), dtype=bool)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            value = likeness(baseline[i], candidate[j])
            skip = max(best[i + 1, j], best[i, j + 1])
            # A small bonus lets two layers pair even when their likeness is zero or slightly
            # negative.
            paired = -1.0 if value is None else max(value, 0.0) + 1e-3 + best[i + 1, j + 1]
            take[i, j], best[i, j] = paired > skip, max(paired, skip)
    partners: dict[str, str | None] = dict.fromkeys(baseline)
    i = j = 0
    while i < n and j < m:
        if take[i, j]:
            partners[baseline[i]] = candidate[j]
            i, j = i + 1, j + 1
        elif best[i + 1, j] >= best[i, j + 1]:
            i += 1
        else:
            j += 1
    return partners
