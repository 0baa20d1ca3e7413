"""From answers to exchanged and mixed pictures to how far two networks are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

__all__ = [
    "Apart",
    "compute_evidence",
    "compute_falls",
    "compute_strengths",
    "find_distance",
    "leave_one_out",
    "map_strengths",
    "measure_spread",
    "win_shares",
]

_RESAMPLES = 400
_KEY = (0, 5 << 40)  # of the resamples: the same for every network
_ENDS = (2.5, 97.5)  # percentiles
_SAME = 1e-9  # references that are no further apart are copies of each other, up to rounding
_STEADY = 1e-6  # of the largest score: a network whose scores differ by less gives every picture the same


@dataclass(frozen=True, kw_only=True, eq=False)
class Apart:
    """How far a network is from others that learned the same.

    Parameters
    ----------
    distance : float
        From the mean of the references.
    interval : tuple of float
        Its 95 % interval over pictures.
    references : np.ndarray
        ``(m,)`` of each reference, how far it is from the mean of the others; empty for one.
    ratio : float
        The distance, over the mean of the references': 1 is what training again moves. NaN for a
        single reference, and for references that are all the same.
    ratio_interval : tuple of float
        Its 95 % interval over pictures.
    """

    distance: float
    interval: tuple[float, float]
    references: np.ndarray
    ratio: float
    ratio_interval: tuple[float, float]


def measure_spread(scores: np.ndarray) -> float:
    """Return the standard deviation of how far one class leads another, over pictures, for all pairs of classes.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, classes)`` class scores before softmax, of pictures of several classes.

    Returns
    -------
    float
        The root of the mean variance over pairs of classes, in units of the scores; 0 for a network
        that answers every picture alike, NaN where a score is NaN or infinite.

    Examples
    --------
    >>> measure_spread(np.array([[3.0, 0.0], [0.0, 3.0]]))
    3.0
    """
    scores = np.asarray(scores, np.float64)
    if not np.isfinite(scores).all():
        return math.nan
    centred = scores - scores.mean(axis=0)
    classes = scores.shape[1]
    # The squared differences of all pairs add up to this, and pairs are many.
    pairs = classes * (centred**2).sum(axis=1) - centred.sum(axis=1) ** 2
    spread = math.sqrt(max(float(pairs.mean()), 0.0) / (classes * (classes - 1) / 2))
    return spread if spread > _STEADY * float(np.abs(scores).max()) else 0.0


def compute_falls(before: np.ndarray, after: np.ndarray, labels: np.ndarray, donor_labels: np.ndarray) -> np.ndarray:
    """Return by how much the label's lead over the donor's class falls when a cell is exchanged.

    Parameters
    ----------
    before : np.ndarray
        ``(n, classes)`` class scores of the pictures as they are.
    after : np.ndarray
        ``(n, cells, donors, classes)`` of the pictures with one cell exchanged.
    labels : np.ndarray
        ``(n,)`` the pictures' classes.
    donor_labels : np.ndarray
        ``(n, donors)`` the donors'.

    Returns
    -------
    np.ndarray
        ``(n, cells, donors)`` float64, in units of the scores; a common offset of all scores
        changes nothing.

    Examples
    --------
    >>> compute_falls(np.array([[3.0, 1.0]]), np.array([[[[1.0, 2.0]]]]), np.array([0]), np.array([[1]]))
    array([[[3.]]])
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    n, _, donors = after.shape[:3]
    rows, own, theirs = np.arange(n)[:, None], np.asarray(labels)[:, None], np.asarray(donor_labels)
    with np.errstate(invalid="ignore"):  # differences of infinite scores
        led = before[rows, own] - before[rows, theirs]
        columns = np.arange(donors)
        moved = np.moveaxis(after, 1, -1)  # (n, donors, classes, cells)
        leads = moved[rows, columns, own] - moved[rows, columns, theirs]
        return led[:, None, :] - np.moveaxis(leads, -1, 1)


def compute_evidence(before: np.ndarray, after: np.ndarray, labels: np.ndarray, donor_labels: np.ndarray) -> np.ndarray:
    """Return the evidence of each cell: by how much its exchange lowers the label's lead, in the network's own units.

    Parameters
    ----------
    before, after, labels, donor_labels : np.ndarray
        See `compute_falls`.

    Returns
    -------
    np.ndarray
        ``(n, cells, donors)``: falls over the spread of the network's leads on the pictures as they
        are; NaN for a network that answers all of them alike.

    Examples
    --------
    >>> before, after = np.array([[3.0, 0.0], [0.0, 3.0]]), np.zeros((2, 1, 1, 2))
    >>> compute_evidence(before, after, np.array([0, 1]), np.array([[1], [0]])).ravel()
    array([1., 1.])
    """
    spread = measure_spread(before)
    return compute_falls(before, after, labels, donor_labels) / (spread if spread > 0 else math.nan)


def compute_strengths(evidence: np.ndarray) -> np.ndarray:
    """Return ``(n, cells)``: how strongly each cell speaks in each picture, whichever way, mean over donors."""
    return np.abs(np.asarray(evidence, np.float64)).mean(axis=-1)


def map_strengths(strengths: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the exchange map: which share of the evidence lies in each cell.

    Parameters
    ----------
    strengths : np.ndarray
        ``(..., n, cells)``; see `compute_strengths`. Their unit does not matter.
    weights : np.ndarray, optional
        ``(r, n)`` or ``(n,)`` how much each picture counts; by default all alike. A class is
        mapped with ``labels == k``, every picture on its own with ``np.eye(n)``.

    Returns
    -------
    np.ndarray
        ``(..., r, cells)``, or ``(..., cells)`` of one row of weights; each sums to 1. NaN where no
        exchange moves anything.

    Examples
    --------
    >>> map_strengths(np.array([[1.0, 3.0], [1.0, 1.0]]))
    array([0.33333333, 0.66666667])
    """
    strengths = np.asarray(strengths, np.float64)
    counted = np.ones(strengths.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    sums = counted @ strengths
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums / sums.sum(axis=-1, keepdims=True)


def win_shares(differences: np.ndarray, spread: float) -> np.ndarray:
    """Return which share of a mosaic the second of its two pictures wins.

    Parameters
    ----------
    differences : np.ndarray
        ``(m,)`` the score of the second picture's class minus that of the first's.
    spread : float
        The network's own; see `measure_spread`. With 1 the share is the probability of the second
        class, where there are only these two.

    Returns
    -------
    np.ndarray
        ``(m,)`` between 0, the first picture, and 1; NaN for a network without spread.

    Examples
    --------
    >>> win_shares(np.array([0.0, 6.0]), 3.0).round(2)
    array([0.5 , 0.88])
    """
    return expit(np.asarray(differences, np.float64) / (spread if spread > 0 else math.nan))


def leave_one_out(values: np.ndarray) -> np.ndarray:
    """Return for each of several values the mean of the others, along the first axis; at least two.

    Examples
    --------
    >>> leave_one_out(np.array([1.0, 2.0, 6.0]))
    array([4. , 3.5, 1.5])
    """
    values = np.asarray(values, np.float64)
    return (values.sum(axis=0) - values) / (len(values) - 1)


def find_distance(
    candidate: Sequence[np.ndarray],
    references: Sequence[Sequence[np.ndarray]],
    *,
    independent: np.ndarray | None = None,
) -> Apart:
    """Return how far a network's exchange maps are from those of others, or its mosaics from theirs.

    Of maps the distance is the sum of absolute differences, between 0 and 2, mean over the grids;
    of mosaics it is the mean absolute difference.

    Parameters
    ----------
    candidate : sequence of np.ndarray
        Of each grid ``(n, cells)`` strengths, or one ``(m,)`` of shares that were won.
    references : sequence of sequence of np.ndarray
        The same of each reference: the baseline first, its retrained twins after it.
    independent : np.ndarray, optional
        ``(n,)`` words that two pictures share where they are not independent; by default all are.

    Returns
    -------
    Apart
        With intervals from resampled pictures, or from all of what is not independent at once, the
        same ones for every network.

    Examples
    --------
    >>> there, elsewhere = np.array([[1.0, 0.0]] * 4), np.array([[0.5, 0.5]] * 4)
    >>> apart = find_distance([there], [[there], [elsewhere]])
    >>> apart.distance, apart.references.tolist(), apart.ratio
    (0.5, [1.0, 1.0], 0.5)
    """
    n = len(candidate[0])
    whose = np.arange(n) if independent is None else np.unique(independent, return_inverse=True)[1]
    weights = np.concatenate([np.ones((1, n)), _resample(int(whose.max(initial=-1)) + 1)[:, whose]])
    parts = [_measure_part(part, given, weights) for part, given in _pair(candidate, references)]
    own, others = zip(*parts, strict=True)
    distances, beside = np.mean(own, axis=0), np.mean(others, axis=0)  # (r,), (m, r)
    if len(references) > 1:
        scale = beside.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(scale > _SAME, distances / scale, math.nan)
    else:
        beside, ratios = np.empty((0, len(weights))), np.full(len(weights), math.nan)
    return Apart(
        distance=float(distances[0]),
        interval=_interval(distances),
        references=beside[:, 0],
        ratio=float(ratios[0]),
        ratio_interval=_interval(ratios),
    )


def _pair(
    candidate: Sequence[np.ndarray], references: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(part, np.stack(given)) for part, given in zip(candidate, zip(*references, strict=True), strict=True)]


def _measure_part(own: np.ndarray, others: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(r,)`` distances from the mean of the references, and theirs from each other, ``(m, r)``."""
    if own.ndim == 1:  # mosaics: every one has its own distance
        shares = weights / weights.sum(axis=1, keepdims=True)
        apart, beside = np.abs(own - others.mean(axis=0)), np.abs(others - _mean_of_others(others))
        return shares @ apart, beside @ shares.T
    maps, given = map_strengths(own, weights), map_strengths(others, weights)
    apart, beside = np.abs(maps - given.mean(axis=0)), np.abs(given - _mean_of_others(given))
    return apart.sum(axis=-1), beside.sum(axis=-1)


def _mean_of_others(values: np.ndarray) -> np.ndarray:
    return leave_one_out(values) if len(values) > 1 else values


def _resample(n: int) -> np.ndarray:
    """Return ``(resamples, n)``: how often each picture is drawn."""
    draws = np.random.Generator(np.random.Philox(key=list(_KEY))).integers(n, size=(_RESAMPLES, n))
    return np.stack([np.bincount(row, minlength=n) for row in draws]).astype(np.float64)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the interval of the first value from the others, which are resampled; it holds the value."""
    resampled = values[1:][np.isfinite(values[1:])]  # of a few pictures, some draws leave references no distance
    if not math.isfinite(values[0]) or not len(resampled):
        return math.nan, math.nan
    low, high = np.percentile(resampled, _ENDS)
    return min(float(low), float(values[0])), max(float(high), float(values[0]))
