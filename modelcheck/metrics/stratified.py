"""Accuracy over independent pictures of several classes, with intervals that hold for many classes of few pictures."""

from __future__ import annotations

import numpy as np

from modelcheck.metrics.accuracy import Rate, balanced_accuracy, change, count_turned, paired_change, wilson

__all__ = ["stratified_accuracy", "stratified_change"]


def stratified_accuracy(labels: np.ndarray, predicted: np.ndarray, *, confidence: float = 0.95) -> Rate:
    """Return the balanced accuracy over pictures that are all independent.

    Parameters
    ----------
    labels, predicted : np.ndarray
        ``(n,)`` class indices.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        The value of `balanced_accuracy`. The interval is the wider, at each end, of that one's, which
        is too narrow where most of many classes are all right, and of Wilson's with as many pictures
        as the mean over the classes is worth. NaN without a picture.

    Examples
    --------
    >>> truth = np.repeat(np.arange(10), 5)
    >>> [round(end, 2) for end in stratified_accuracy(truth, truth).interval]
    [0.86, 1.0]
    """
    rate = balanced_accuracy(labels, predicted, confidence=confidence)
    if not rate.n:
        return rate
    pictures = np.unique(labels, return_counts=True)[1]
    low, high = wilson(rate.value, float(len(pictures) ** 2 / (1 / pictures).sum()), confidence=confidence)
    return Rate(rate.value, (min(low, rate.interval[0]), max(high, rate.interval[1])), rate.n)


def stratified_change(
    labels: np.ndarray, baseline: np.ndarray, candidate: np.ndarray, *, confidence: float = 0.95
) -> Rate:
    """Return candidate minus baseline, in balanced accuracy over the same, independent pictures.

    Parameters
    ----------
    labels, baseline, candidate : np.ndarray
        ``(n,)`` the truth and the two networks' answers, picture by picture.
    confidence : float
        Confidence level of the interval, between 0 and 1.

    Returns
    -------
    Rate
        The value of `change`. The interval is the wider, at each end, of that one's, which draws many
        classes of few pictures towards 0, and of the same with half a picture for each cell shared
        out over the classes. NaN without a picture.

    Examples
    --------
    >>> truth = np.repeat(np.arange(10), 5)
    >>> stratified_change(truth, truth, np.where(np.arange(50) % 5, truth, 0)).value
    -0.18
    """
    rate = change(labels, baseline, candidate, confidence=confidence)
    if not rate.n:
        return rate
    won, lost, pictures = count_turned(labels, baseline, candidate)
    _, low, high = paired_change(won, lost, pictures, added=0.5 / len(pictures), confidence=confidence)
    return Rate(rate.value, (min(float(low), rate.interval[0]), max(float(high), rate.interval[1])), rate.n)
