"""Accuracy on people the network never saw: each on their own, with intervals that count people, not pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Rate", "balanced_accuracy", "change", "cohen_kappa", "group_mean"]


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
        when all score 1.

    Examples
    --------
    >>> group_mean([Rate(1.0, (0.8, 1.0), 20), Rate(0.5, (0.3, 0.7), 20)]).value
    0.75
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
    return Rate(mean, (max(within[0], mean - below), min(within[1], mean + above)), n)


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
    classes = np.unique(labels)
    if not len(classes):
        return Rate(math.nan, (math.nan, math.nan), 0)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    values, centres, variance = [], [], 0.0
    for label in classes:
        here = labels == label
        won = int(((candidate == label) & (baseline != label) & here).sum())
        lost = int(((candidate != label) & (baseline == label) & here).sum())
        n = int(here.sum())
        up, down, total = won + 0.5, lost + 0.5, n + 2
        values.append((won - lost) / n)
        centres.append((up - down) / total)
        variance += ((up + down) - (up - down) ** 2 / total) / total**2
    value, centre = float(np.mean(values)), float(np.mean(centres))
    half = z * math.sqrt(variance) / len(classes)
    low, high = min(centre - half, value), max(centre + half, value)
    return Rate(value, (max(-1.0, low), min(1.0, high)), len(labels))


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
