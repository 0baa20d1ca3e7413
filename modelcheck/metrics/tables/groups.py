"""How right a network is about each group of rows, in fairlearn's words, and how far groups differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.accuracy import Rate, wilson
from modelcheck.metrics.tables.draws import resample_rows
from modelcheck.metrics.tables.drivers import find_ends

__all__ = ["Difference", "compute_rates", "find_difference", "find_error_difference", "measure_share"]

_RESAMPLES = 400


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far the two groups that differ most are apart.

    Parameters
    ----------
    value : float
        NaN where a group has no rate.
    interval : tuple of float
        Its 95 % interval.
    lowest, highest : int
        The two groups.
    """

    value: float
    interval: tuple[float, float]
    lowest: int
    highest: int


def compute_rates(truth: np.ndarray, answers: np.ndarray, *, n_classes: int) -> dict[str, float]:
    """Return rates of a group, by fairlearn's names.

    Parameters
    ----------
    truth, answers : np.ndarray
        ``(rows,)`` numbers of classes.
    n_classes : int
        How many there are. Of two the second is the positive one.

    Returns
    -------
    dict of str to float
        ``accuracy``; of two classes also ``selection_rate``, ``true_positive_rate`` and
        ``false_positive_rate``. NaN where no row counts.

    Examples
    --------
    >>> compute_rates(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), n_classes=2)
    {'accuracy': 0.75, 'selection_rate': 0.75, 'true_positive_rate': 1.0, 'false_positive_rate': 0.5}
    """
    rates = {"accuracy": _mean(answers == truth)}
    if n_classes == 2:
        chosen = answers == 1
        rates |= {
            "selection_rate": _mean(chosen),
            "true_positive_rate": _mean(chosen[truth == 1]),
            "false_positive_rate": _mean(chosen[truth == 0]),
        }
    return rates


def _mean(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else math.nan


def measure_share(hits: np.ndarray, independent: np.ndarray) -> Rate:
    """Return the share of rows that are hits.

    Parameters
    ----------
    hits : np.ndarray
        ``(rows,)`` booleans.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.

    Returns
    -------
    Rate
        `n` counts rows. The interval is the wider, at each end, of Wilson's and of a bootstrap over what
        is independent. NaN without a row.

    Examples
    --------
    >>> rate = measure_share(np.array([True] * 9 + [False]), np.arange(10))
    >>> rate.value, [round(end, 2) for end in rate.interval], rate.n
    (0.9, [0.6, 1.0], 10)
    """
    n = len(hits)
    if not n:
        return Rate(math.nan, (math.nan, math.nan), 0)
    value = float(np.mean(hits))
    low, high = wilson(value, n)
    counts = np.concatenate([np.ones((1, n)), resample_rows(independent, _RESAMPLES)])
    drawn = find_ends(counts @ np.asarray(hits, np.float64) / counts.sum(axis=1))
    return Rate(value, (min(low, float(drawn[0])), max(high, float(drawn[1]))), n)


def find_difference(
    hits: np.ndarray, counted: np.ndarray, groups: np.ndarray, independent: np.ndarray, *, n_groups: int
) -> Difference:
    """Return the largest difference between two groups in the share of counted rows that are hits.

    Parameters
    ----------
    hits, counted : np.ndarray
        ``(rows,)`` booleans: which rows are hits, and which count at all.
    groups : np.ndarray
        ``(rows,)`` numbers of groups; -1 for a row of none.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.
    n_groups : int
        How many groups there are.

    Returns
    -------
    Difference
        The interval is the wider, at each end, of Newcombe's for the two groups that differ most and
        of a bootstrap over what is independent; below 0 it ends at 0.

    References
    ----------
    Newcombe, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, 1998.

    Examples
    --------
    >>> group, everything = np.repeat([0, 1], 20), np.ones(40, bool)
    >>> found = find_difference(np.arange(40) < 30, everything, group, np.arange(40), n_groups=2)
    >>> found.value, [round(end, 2) for end in found.interval]
    (0.5, [0.24, 0.71])
    """
    counts = np.concatenate([np.ones((1, len(hits))), resample_rows(independent, _RESAMPLES)])
    members = (np.asarray(groups)[:, None] == np.arange(n_groups)) & np.asarray(counted, bool)[:, None]
    totals = counts @ members
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = counts @ (members & np.asarray(hits, bool)[:, None]) / totals
    found = _spread(rates)
    if not math.isfinite(found.value):
        return found
    low_rate, high_rate = float(rates[0, found.lowest]), float(rates[0, found.highest])
    lows, highs = (wilson(float(rates[0, k]), float(totals[0, k])) for k in (found.lowest, found.highest))
    newcombe = (
        found.value - math.hypot(high_rate - highs[0], lows[1] - low_rate),
        found.value + math.hypot(highs[1] - high_rate, low_rate - lows[0]),
    )
    ends = max(0.0, min(newcombe[0], found.interval[0])), min(1.0, max(newcombe[1], found.interval[1]))
    return Difference(value=found.value, interval=ends, lowest=found.lowest, highest=found.highest)


def find_error_difference(
    errors: np.ndarray, groups: np.ndarray, independent: np.ndarray, *, n_groups: int
) -> Difference:
    """Return the largest difference between two groups in root mean square error.

    Parameters
    ----------
    errors : np.ndarray
        ``(rows,)``.
    groups, independent, n_groups
        See `find_difference`.

    Returns
    -------
    Difference
        With the interval of a bootstrap over what is independent.

    Examples
    --------
    >>> find_error_difference(np.array([1.0, -1.0, 3.0, 3.0]), np.array([0, 0, 1, 1]), np.arange(4), n_groups=2).value
    2.0
    """
    counts = np.concatenate([np.ones((1, len(errors))), resample_rows(independent, _RESAMPLES)])
    members = np.asarray(groups)[:, None] == np.arange(n_groups)
    squares = np.where(members, np.asarray(errors, np.float64)[:, None] ** 2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _spread(np.sqrt(counts @ squares / (counts @ members)))


def _spread(rates: np.ndarray) -> Difference:
    """Return the difference of rates ``(1 + draws, groups)``: highest minus lowest."""
    if rates.shape[1] < 2 or not np.isfinite(rates[0]).all():
        return Difference(value=math.nan, interval=(math.nan, math.nan), lowest=0, highest=0)
    lowest, highest = int(rates[0].argmin()), int(rates[0].argmax())
    # Of the same two in every draw: the largest difference of all would never come near 0.
    drawn = rates[:, highest] - rates[:, lowest]  # NaN where a draw leaves a group empty
    low, high = find_ends(drawn)
    return Difference(
        value=float(drawn[0]), interval=(max(0.0, float(low)), float(high)), lowest=lowest, highest=highest
    )
