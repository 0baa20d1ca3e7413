"""How wrong answers of numbers are: root mean square errors, with intervals that count what is independent."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from modelcheck.metrics.accuracy import Rate
from modelcheck.metrics.tables.draws import resample_rows
from modelcheck.metrics.tables.drivers import find_ends

__all__ = ["compute_errors", "correlate_answers", "error_change", "root_mean_square"]

_RESAMPLES = 400


def compute_errors(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return how far answers are from the truth, in units of the truth's standard deviation.

    Parameters
    ----------
    truth, answers : np.ndarray
        ``(rows,)``.

    Returns
    -------
    np.ndarray
        ``(rows,)``; NaN where the truth is the same in every row.

    Examples
    --------
    >>> compute_errors(np.array([1.0, 3.0]), np.array([1.0, 5.0]))
    array([0., 2.])
    """
    truth = np.asarray(truth, np.float64)
    spread = float(truth.std()) if len(truth) else 0.0
    return (np.asarray(answers, np.float64) - truth) / (spread if spread > 0 else math.nan)


def root_mean_square(errors: np.ndarray, independent: np.ndarray, *, confidence: float = 0.95) -> Rate:
    """Return the root mean square of errors.

    Parameters
    ----------
    errors : np.ndarray
        ``(rows,)``.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        `n` counts what is independent. The interval is the wider, at each end, of that of as many
        normal errors (chi-square) and of a bootstrap over what is independent. NaN without a row, or
        where an error is NaN or infinite.

    Examples
    --------
    >>> rate = root_mean_square(np.array([3.0, -4.0, 3.0, -4.0]), np.arange(4))
    >>> round(rate.value, 2), [round(end, 2) for end in rate.interval], rate.n
    (3.54, [2.12, 10.16], 4)
    """
    errors = np.asarray(errors, np.float64)
    n = len(np.unique(independent))
    if not n or not np.isfinite(errors).all():
        return Rate(math.nan, (math.nan, math.nan), n)
    squares = errors**2
    value = math.sqrt(float(squares.mean()))
    low, high = (
        value * math.sqrt(n / float(stats.chi2.ppf(tail, n))) for tail in (0.5 + confidence / 2, 0.5 - confidence / 2)
    )
    counts = np.concatenate([np.ones((1, len(errors))), resample_rows(independent, _RESAMPLES)])
    drawn = find_ends(np.sqrt(counts @ squares / counts.sum(axis=1)))
    return Rate(value, (min(low, float(drawn[0])), max(high, float(drawn[1]))), n)


def error_change(baseline: np.ndarray, candidate: np.ndarray, independent: np.ndarray) -> Rate:
    """Return the root mean square of errors, candidate minus baseline, on the same rows.

    Parameters
    ----------
    baseline, candidate : np.ndarray
        ``(rows,)`` errors.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.

    Returns
    -------
    Rate
        With the interval of a bootstrap over what is independent, of which `n` are counted. NaN without a
        row, or where an error is NaN or infinite.

    Examples
    --------
    >>> error_change(np.array([1.0, -1.0]), np.array([2.0, -2.0]), np.arange(2)).value
    1.0
    """
    baseline, candidate = (np.asarray(side, np.float64) for side in (baseline, candidate))
    n = len(np.unique(independent))
    if not n or not (np.isfinite(baseline).all() and np.isfinite(candidate).all()):
        return Rate(math.nan, (math.nan, math.nan), n)
    counts = np.concatenate([np.ones((1, len(baseline))), resample_rows(independent, _RESAMPLES)])
    before, after = (np.sqrt(counts @ side**2 / counts.sum(axis=1)) for side in (baseline, candidate))
    low, high = find_ends(after - before)
    return Rate(float(after[0] - before[0]), (float(low), float(high)), n)


def correlate_answers(one: np.ndarray, other: np.ndarray, independent: np.ndarray) -> Rate:
    """Return the correlation of two networks' answers.

    Parameters
    ----------
    one, other : np.ndarray
        ``(rows,)``.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.

    Returns
    -------
    Rate
        Pearson's; `n` counts rows. The interval is that of a bootstrap over what is independent. NaN
        where either answers every row alike, or an answer is NaN or infinite.

    Examples
    --------
    >>> correlate_answers(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]), np.arange(3)).value
    1.0
    """
    one, other = (np.asarray(side, np.float64) for side in (one, other))
    n = len(one)
    if not n or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return Rate(math.nan, (math.nan, math.nan), n)
    counts = np.concatenate([np.ones((1, n)), resample_rows(independent, _RESAMPLES)])
    weights = counts / counts.sum(axis=1, keepdims=True)
    # Centred first: the variances of large answers would lose their digits.
    left, right = one - one.mean(), other - other.mean()
    means = weights @ left, weights @ right
    joint = weights @ (left * right) - means[0] * means[1]
    variances = weights @ left**2 - means[0] ** 2, weights @ right**2 - means[1] ** 2
    product = np.sqrt(np.maximum(variances[0], 0.0) * np.maximum(variances[1], 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.clip(np.where(product > 0, joint / product, math.nan), -1.0, 1.0)
    if _is_flat(one) or _is_flat(other):
        return Rate(math.nan, (math.nan, math.nan), n)
    low, high = find_ends(drawn)
    return Rate(round(float(drawn[0]), 12), (float(low), float(high)), n)


def _is_flat(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-9 * np.abs(values).max())
