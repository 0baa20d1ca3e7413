"""Whether scores tell the classes apart although the answers read from them do not: a network that is misread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment

from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.margins import margins

__all__ = [
    "Reading",
    "assign_classes",
    "find_best_order",
    "find_best_threshold",
    "is_near_chance",
    "is_surely_better",
    "rank_separation",
]

_CONFIDENCE = 0.99
# The least gain in balanced accuracy for which a reading is called wrong, however many pictures.
_GAIN = 0.05


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Another way to read a network's outputs, and how well it answers then.

    Parameters
    ----------
    rate : Rate
        The balanced accuracy.
    order : tuple of int
        By output, the class that it stands for.
    threshold : float
        What the second class's lead must exceed; 0 where nothing is shifted.
    """

    rate: Rate
    order: tuple[int, ...]
    threshold: float = 0.0


def is_near_chance(rate: Rate, labels: np.ndarray) -> bool:
    """Say whether a balanced accuracy is no more than one answer for everything, or guessing, would reach.

    Examples
    --------
    >>> labels = np.array([0, 1] * 10)
    >>> is_near_chance(balanced_accuracy(labels, np.zeros(20, int)), labels)
    True
    """
    return not rate.interval[0] > 1 / max(len(np.unique(labels)), 1)


def is_surely_better(reading: Rate, now: Rate) -> bool:
    """Say whether one reading answers better than another beyond what the number of pictures leaves open."""
    return reading.interval[0] > now.interval[1] and reading.value >= now.value + _GAIN


def rank_separation(scores: np.ndarray, labels: np.ndarray) -> list[Rate]:
    """Return for each class how well its margin ranks its own pictures above all others.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, classes)`` class scores before softmax.
    labels : np.ndarray
        ``(n,)`` the true classes.

    Returns
    -------
    list of Rate
        The area under the receiver operating characteristic: 1 for every picture of the class above
        every other one, 0.5 for chance, 0 for all below; NaN for a class that has no pictures, or
        all. The interval is as wide as that of chance (Mann and Whitney), at 99 %: it holds 0.5
        where so few pictures could be ranked like this by luck.

    Examples
    --------
    >>> labels = np.array([0] * 20 + [1] * 20)
    >>> scores = np.stack([np.zeros(40), 9.0 + labels], axis=1)  # always answers 1
    >>> [rate.value for rate in rank_separation(scores, labels)]
    [1.0, 1.0]
    """
    leads, rates = margins(scores), []
    for k in range(leads.shape[1]):
        own = labels == k
        m, n = int(own.sum()), int((~own).sum())
        if not (m and n and np.isfinite(leads[:, k]).all()):
            rates.append(Rate(math.nan, (math.nan, math.nan), 0))
            continue
        ranks = stats.rankdata(leads[:, k])
        area = float((ranks[own].sum() - m * (m + 1) / 2) / (m * n))
        half = float(stats.norm.ppf(0.5 + _CONFIDENCE / 2)) * math.sqrt((m + n + 1) / (12 * m * n))
        rates.append(Rate(area, (max(0.0, area - half), min(1.0, area + half)), m + n))
    return rates


def find_best_order(scores: np.ndarray, labels: np.ndarray) -> Reading:
    """Return the order of the classes in which the outputs answer best; of equally good ones the one that is.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, classes)`` class scores before softmax.
    labels : np.ndarray
        ``(n,)`` the true classes.

    Examples
    --------
    >>> labels = np.array([0, 1, 2] * 10)
    >>> found = find_best_order(np.eye(3)[(labels + 1) % 3], labels)
    >>> found.order, found.rate.value
    ((2, 0, 1), 1.0)
    """
    answers = scores.argmax(axis=1)
    order = assign_classes(answers, labels, n_classes=scores.shape[1])
    rate = balanced_accuracy(labels, order[answers], confidence=_CONFIDENCE)
    return Reading(rate=rate, order=tuple(order.tolist()))


def assign_classes(answers: np.ndarray, labels: np.ndarray, *, n_classes: int) -> np.ndarray:
    """Return by output the class for which it answers best, one for each; of equally good orders the one that is.

    Parameters
    ----------
    answers : np.ndarray
        ``(n,)`` which output is the highest.
    labels : np.ndarray
        ``(n,)`` the true classes.
    n_classes : int
        How many there are.

    Examples
    --------
    >>> assign_classes(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]), n_classes=3)
    array([1, 0, 2])
    """
    recalls = np.zeros((n_classes, n_classes))
    for label in np.unique(labels).tolist():
        recalls[label] = np.bincount(answers[labels == label], minlength=n_classes) / (labels == label).sum()
    # The small gain on the diagonal settles ties; no difference of recalls is that small.
    true, outputs = linear_sum_assignment(-recalls - np.eye(n_classes) * 1e-9)
    order = np.empty(n_classes, np.int64)
    order[outputs] = true
    return order


def find_best_threshold(scores: np.ndarray, labels: np.ndarray) -> Reading:
    """Return the threshold between two classes at which the outputs answer best, in either order.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, 2)`` class scores before softmax.
    labels : np.ndarray
        ``(n,)`` the true classes.

    Examples
    --------
    >>> labels = np.array([0, 1] * 20)
    >>> one_output = np.stack([np.zeros(40), 0.25 + 0.5 * labels], axis=1)  # trained to 0 and 1
    >>> found = find_best_threshold(one_output, labels)
    >>> found.threshold, found.rate.value
    (0.5, 1.0)
    """
    lead = scores[:, 1] - scores[:, 0]
    values = np.unique(lead)
    middles = (values[1:] + values[:-1]) / 2
    best = Reading(rate=balanced_accuracy(labels, (lead > 0).astype(int), confidence=_CONFIDENCE), order=(0, 1))
    if not len(middles) or len(np.unique(labels)) < 2:
        return best
    # Of both classes the share above each threshold, in one pass.
    above = [
        1 - np.searchsorted(np.sort(lead[labels == k]), middles, side="right") / (labels == k).sum() for k in (0, 1)
    ]
    gain = above[1] - above[0]
    # The middle of all that are equally good.
    ties = np.flatnonzero(np.abs(gain) >= np.abs(gain).max() - 1e-12)
    at = int(ties[len(ties) // 2])
    order = (0, 1) if gain[at] >= 0 else (1, 0)
    answers = np.array(order)[(lead > middles[at]).astype(int)]
    rate = balanced_accuracy(labels, answers, confidence=_CONFIDENCE)
    return Reading(rate=rate, order=order, threshold=float(middles[at])) if rate.value > best.rate.value else best
