"""Accuracy on pictures the network never saw, with intervals that count what is independent: subjects, or pictures.

No interval here has zero width: values that agree, of however few subjects, are no certainty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = [
    "Rate",
    "balanced_accuracy",
    "change",
    "cohen_kappa",
    "count_turned",
    "group_mean",
    "paired_change",
    "subject_mean",
    "subject_share",
    "wilson",
]

_AGREE = 1e-6  # values that differ by less agree: a comparison keeps six decimals


@dataclass(frozen=True)
class Rate:
    """A value with its interval and the number of observations behind it.

    Examples
    --------
    >>> Rate(0.9, (0.8, 0.95), n=40)
    Rate(value=0.9, interval=(0.8, 0.95), n=40)
    """

    value: float
    interval: tuple[float, float]
    n: int


def wilson(share: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share of so many observations.

    Parameters
    ----------
    share : float
        From 0 to 1. It need not be a whole number of hits: no value between 0 and 1 varies more
        than a hit or miss of the same mean, so that the interval holds for a mean of such values.
    n : float
        The number of independent observations, at least 1; a mean of several shares may be worth a
        fraction of one.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    tuple of float
        Within 0 and 1; it holds the share and never has zero width.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Examples
    --------
    >>> [round(end, 2) for end in wilson(1.0, 2)], [round(end, 2) for end in wilson(1.0, 200)]
    ([0.34, 1.0], [0.98, 1.0])
    """
    z2 = float(stats.norm.ppf(0.5 + confidence / 2)) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def balanced_accuracy(labels: np.ndarray, predicted: np.ndarray, *, confidence: float = 0.95) -> Rate:
    """Return the mean recall over the classes that occur.

    A network that always answers the commonest class scores one over the number of classes,
    whatever the shares.

    Parameters
    ----------
    labels, predicted : np.ndarray
        ``(n,)`` class indices.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        NaN when there is no picture. The interval combines each recall's Wilson interval by the
        method of variance estimates recovery.

    References
    ----------
    Wilson 1927; Zou and Donner, "Construction of confidence limits about effect measures",
    Statistics in Medicine 27, 2008.

    Examples
    --------
    >>> always_left = np.array([0, 0, 0, 0])
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), always_left).value
    0.5
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    classes = np.unique(labels)
    if not len(classes):
        return Rate(math.nan, (math.nan, math.nan), 0)
    recalls, below, above = [], 0.0, 0.0
    for label in classes:
        hits = predicted[labels == label] == label
        recall = float(hits.mean())
        ends = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence, method="wilson")
        recalls.append(recall)
        below += (recall - float(ends.low)) ** 2
        above += (float(ends.high) - recall) ** 2
    value = float(np.mean(recalls))
    low, high = value - math.sqrt(below) / len(classes), value + math.sqrt(above) / len(classes)
    return Rate(value, (max(0.0, low), min(1.0, high)), len(labels))


def group_mean(rates: Sequence[Rate], *, within: tuple[float, float] = (0.0, 1.0), confidence: float = 0.95) -> Rate:
    """Return the mean over subjects, each counting once.

    Parameters
    ----------
    rates : sequence of Rate
        One rate for each subject.
    within : tuple of float
        The range that the values can take; the interval is cut to it.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        `n` counts subjects. The interval is the wider, at each end, of Student's t between the
        subjects and of the subjects' own intervals combined: the first alone would claim certainty
        when all score 1. Where that has no width, the subjects agree to six decimals; they, and one
        subject alone, say nothing of how far subjects differ. Then as large a share of them as
        Wilson's interval allows, when none was seen, may lie at either end of the range.

    Examples
    --------
    >>> group_mean([Rate(1.0, (0.8, 1.0), 20), Rate(0.5, (0.3, 0.7), 20)]).value
    0.75
    >>> [round(end, 2) for end in group_mean([Rate(1.0, (1.0, 1.0), 1)] * 2).interval]
    [0.34, 1.0]
    """
    values = np.array([rate.value for rate in rates], np.float64)
    if not len(values) or not np.isfinite(values).all():
        return Rate(math.nan, (math.nan, math.nan), len(values))
    mean, n = float(values.mean()), len(values)
    below = math.sqrt(sum((rate.value - rate.interval[0]) ** 2 for rate in rates)) / n
    above = math.sqrt(sum((rate.interval[1] - rate.value) ** 2 for rate in rates)) / n
    if n > 1:
        between = float(stats.t.ppf(0.5 + confidence / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
        below, above = max(below, between), max(above, between)
    if n == 1 or below + above < _AGREE:
        _, unlike = wilson(0.0, n, confidence=confidence)
        below, above = max(below, unlike * (mean - within[0])), max(above, unlike * (within[1] - mean))
    return Rate(mean, (min(mean, max(within[0], mean - below)), max(mean, min(within[1], mean + above))), n)


def subject_mean(
    values: np.ndarray, subjects: np.ndarray, *, within: tuple[float, float] = (0.0, 1.0), confidence: float = 0.95
) -> Rate:
    """Return the mean over subjects of a value that each of their pictures has.

    Parameters
    ----------
    values : np.ndarray
        ``(n,)`` one value for each picture.
    subjects : np.ndarray
        ``(n,)`` whose picture it is.
    within : tuple of float
        The range that the values can take.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        See `group_mean`: a subject's own interval is Student's t over pictures, with the spread of
        pictures pooled over the subjects, for each has few. NaN where any picture has no value.

    Examples
    --------
    >>> rate = subject_mean(np.array([0.4, 0.6, 0.8]), np.array(["ada", "ada", "ben"]))
    >>> round(rate.value, 2), rate.n
    (0.65, 2)
    """
    parts = [np.asarray(values[subjects == subject], np.float64) for subject in np.unique(subjects)]
    degrees = sum(len(part) - 1 for part in parts)
    spread = 0.0
    if degrees:
        variance = sum(float(np.square(part - part.mean()).sum()) for part in parts) / degrees
        spread = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * math.sqrt(variance)
    rates = [
        Rate(mean, (mean - spread / math.sqrt(n), mean + spread / math.sqrt(n)), n)
        for mean, n in ((float(part.mean()), len(part)) for part in parts)
    ]
    return group_mean(rates, within=within, confidence=confidence)


def subject_share(hits: np.ndarray, subjects: np.ndarray, *, confidence: float = 0.95) -> Rate:
    """Return the mean over subjects of the share of their pictures that are hits.

    Parameters
    ----------
    hits : np.ndarray
        ``(n,)`` for each picture 1 for a hit, 0 for a miss, or a share of a hit.
    subjects : np.ndarray
        ``(n,)`` whose picture it is.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        The interval is the widest, at each end, of `subject_mean`, of Wilson's with the number of
        subjects, and of Wilson's with the number of pictures, pooled. Whether pictures of one
        subject hit or miss together cannot be known from a few subjects; the second holds even if
        they always do. NaN where any picture has no value.

    Examples
    --------
    >>> [round(end, 2) for end in subject_share(np.array([1, 1]), np.array(["ada", "ben"])).interval]
    [0.34, 1.0]
    """
    rate = subject_mean(hits, subjects, confidence=confidence)
    if not math.isfinite(rate.value):
        return rate
    pooled = min(1.0, max(0.0, float(np.mean(hits))))
    by_subject = wilson(min(1.0, max(0.0, rate.value)), rate.n, confidence=confidence)
    lows, highs = zip(rate.interval, by_subject, wilson(pooled, len(hits), confidence=confidence), strict=True)
    return Rate(rate.value, (min(lows), max(highs)), rate.n)


def change(labels: np.ndarray, baseline: np.ndarray, candidate: np.ndarray, *, confidence: float = 0.95) -> Rate:
    """Return candidate minus baseline, in balanced accuracy, on the same pictures.

    Parameters
    ----------
    labels, baseline, candidate : np.ndarray
        ``(n,)`` the truth and the two networks' answers, picture by picture.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        The interval is the paired one of Agresti and Min with half a picture added to each cell,
        per class, and combined over classes.

    References
    ----------
    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions",
    Statistics in Medicine 24, 2005.

    Examples
    --------
    >>> change(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), np.array([0, 0, 1, 1])).value
    0.25
    """
    labels, baseline, candidate = (np.asarray(part) for part in (labels, baseline, candidate))
    if not len(labels):
        return Rate(math.nan, (math.nan, math.nan), 0)
    turned = count_turned(labels, baseline, candidate)
    value, low, high = (float(part) for part in paired_change(*turned, confidence=confidence))
    return Rate(value, (low, high), len(labels))


def count_turned(
    labels: np.ndarray, baseline: np.ndarray, candidate: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each class that occurs how many pictures turned right, how many turned wrong, and how many there are.

    Examples
    --------
    >>> count_turned(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 0, 0]))
    (array([1, 0]), array([0, 1]), array([2, 1]))
    """
    here = labels == np.unique(labels)[:, np.newaxis]
    won = ((candidate == labels) & (baseline != labels) & here).sum(axis=1)
    lost = ((candidate != labels) & (baseline == labels) & here).sum(axis=1)
    return won, lost, here.sum(axis=1)


def paired_change(
    won: np.ndarray, lost: np.ndarray, pictures: np.ndarray, *, added: float = 0.5, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `change` does, from counts alone: the mean over classes, and the ends of its interval.

    Parameters
    ----------
    won, lost : np.ndarray
        ``(..., classes)`` how many pictures of each class turned right, and how many turned wrong.
    pictures : np.ndarray
        ``(classes,)`` how many there are, at least one of each.
    added : float
        Pictures that are added to each of a class's four cells, above 0.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    tuple of np.ndarray
        Value, lower and upper end, each of the counts' shape without the last axis.

    Examples
    --------
    >>> [round(float(part), 2) for part in paired_change(np.array([0]), np.array([3]), np.array([16]))]
    [-0.19, -0.37, 0.04]
    """
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    up, down, total = won + added, lost + added, pictures + 4 * added
    value, centre = ((won - lost) / pictures).mean(axis=-1), ((up - down) / total).mean(axis=-1)
    variance = (((up + down) - (up - down) ** 2 / total) / total**2).sum(axis=-1)
    half = z * np.sqrt(variance) / np.shape(pictures)[-1]
    low, high = np.minimum(centre - half, value), np.maximum(centre + half, value)
    return value, np.maximum(-1.0, low), np.minimum(1.0, high)


def cohen_kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return how far two networks agree beyond chance.

    Parameters
    ----------
    one, other : np.ndarray
        ``(n,)`` answered classes.

    Returns
    -------
    float
        1 for full agreement, 0 for chance; NaN when neither ever varies, for then nothing can be
        said.

    References
    ----------
    Cohen, "A coefficient of agreement for nominal scales", 1960.

    Examples
    --------
    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    1.0
    """
    one, other = np.asarray(one), np.asarray(other)
    classes = np.union1d(one, other)
    if len(classes) < 2:
        return math.nan
    agreed = float((one == other).mean())
    chance = float(sum((one == label).mean() * (other == label).mean() for label in classes))
    return (agreed - chance) / (1 - chance)
