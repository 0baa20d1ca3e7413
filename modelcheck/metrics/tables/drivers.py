"""Which variables drive a network: shares of the evidence, and whether two networks rank them alike."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from modelcheck.metrics.exchanges import map_strengths
from modelcheck.metrics.tables.draws import resample_rows

__all__ = ["correlate_ranks", "draw_shares", "find_ends"]

_RESAMPLES = 400
_ENDS = (2.5, 97.5)  # percentiles
_DRIVES = 0.5  # of an even share: a trained network gives something to every variable, also to noise


def draw_shares(strengths: np.ndarray, independent: np.ndarray) -> np.ndarray:
    """Return the share of the evidence that each column holds, and the same of rows that are drawn anew.

    Parameters
    ----------
    strengths : np.ndarray
        ``(rows, columns)``; see `modelcheck.metrics.exchanges.compute_strengths`.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.

    Returns
    -------
    np.ndarray
        ``(1 + draws, columns)``, the shares of the rows as they are first; each sums to 1. NaN where
        no exchange moves anything. The draws are the same for every network.

    Examples
    --------
    >>> draw_shares(np.array([[3.0, 1.0], [1.0, 1.0]]), np.array(["ada", "ben"]))[0]
    array([0.66666667, 0.33333333])
    """
    counts = resample_rows(independent, _RESAMPLES)
    return map_strengths(strengths, np.concatenate([np.ones((1, len(strengths))), counts]))


def find_ends(drawn: np.ndarray) -> np.ndarray:
    """Return the 95 % interval of the first of several values from the others, which were drawn anew; it holds it.

    Parameters
    ----------
    drawn : np.ndarray
        ``(1 + draws, ...)``; draws that are NaN are left out.

    Returns
    -------
    np.ndarray
        ``(..., 2)``; NaN where the value is, or every draw.

    Examples
    --------
    >>> find_ends(np.array([0.5, 0.2, 0.4, 0.6])).round(2)
    array([0.21, 0.59])
    """
    drawn = np.asarray(drawn, np.float64)
    value, others = drawn[0], drawn[1:]
    known = np.isfinite(value) & np.isfinite(others).any(axis=0)
    ends = np.nanpercentile(np.where(known, others, 0.0), _ENDS, axis=0)
    ends = np.stack([np.minimum(ends[0], value), np.maximum(ends[1], value)], axis=-1)
    return np.where(known[..., None], ends, math.nan)


def correlate_ranks(one: np.ndarray, other: np.ndarray) -> tuple[float, int]:
    """Return the rank correlation of two networks' shares over the columns that drive either, and how many do.

    A column drives a network where it holds at least half of an even share. Columns that do not are
    all alike for that network: their order is noise.

    Parameters
    ----------
    one, other : np.ndarray
        ``(columns,)`` shares that sum to 1.

    Returns
    -------
    value : float
        Spearman's correlation, from -1 to 1; 1 where one column drives both alone. NaN where a share
        is, or where all that drive are alike for one network and not for the other.
    n : int
        How many columns drive either.

    Examples
    --------
    >>> correlate_ranks(np.array([0.7, 0.2, 0.05, 0.05]), np.array([0.8, 0.15, 0.02, 0.03]))
    (1.0, 2)
    """
    one, other = (np.asarray(side, np.float64) for side in (one, other))
    if not (len(one) and np.isfinite(one).all() and np.isfinite(other).all()):
        return math.nan, 0
    least = _DRIVES / len(one)
    drives = (one >= least) | (other >= least)
    left, right = (np.maximum(side[drives], least) for side in (one, other))
    n = int(drives.sum())
    if np.array_equal(left, right) or n == 1:
        return 1.0, n
    if not (np.ptp(left) and np.ptp(right)):
        return math.nan, n
    return round(float(stats.spearmanr(left, right).statistic), 12), n
