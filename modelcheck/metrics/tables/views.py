"""How the answers to rows of a table are looked at: by how much which class leads, or as the number that they are."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["measure_view_spread", "view_scores"]

_STEADY = 1e-6  # of the largest score: a network whose answers differ by less gives every row the same


def view_scores(scores: np.ndarray) -> np.ndarray:
    """Return the views of scores, or of differences of scores.

    Parameters
    ----------
    scores : np.ndarray
        ``(..., outputs)`` class scores before softmax, or the answers of a target of numbers,
        ``(..., 1)``.

    Returns
    -------
    np.ndarray
        ``(..., views)`` float64. Two classes have one view: by how much the second leads; more
        classes one each: the score minus the mean of all; a target of numbers one. A common offset
        of all classes changes nothing.

    Examples
    --------
    >>> view_scores(np.array([[1.0, 3.0]])), view_scores(np.array([[1.0, 2.0, 6.0]]))
    (array([[2.]]), array([[-2., -1.,  3.]]))
    """
    scores = np.asarray(scores, np.float64)
    outputs = scores.shape[-1]
    if outputs == 1:
        return scores
    if outputs == 2:
        return scores[..., 1:] - scores[..., :1]
    return np.asarray(scores - scores.mean(axis=-1, keepdims=True))


def measure_view_spread(*views: np.ndarray) -> float:
    """Return the pooled standard deviation of views over rows: of one network, or of several.

    Parameters
    ----------
    *views : np.ndarray
        Of each network ``(rows, views)``.

    Returns
    -------
    float
        The root of the mean variance over networks and views; 0 for networks that answer every row
        alike, NaN where an answer is NaN or infinite.

    Examples
    --------
    >>> measure_view_spread(np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]])) == 0.5**0.5
    True
    """
    sides = [np.asarray(side, np.float64) for side in views]
    if not all(len(side) and np.isfinite(side).all() for side in sides):
        return math.nan
    spread = math.sqrt(float(np.mean([side.var(axis=0).mean() for side in sides])))
    largest = max(float(np.abs(side).max()) for side in sides)
    return spread if spread > _STEADY * largest else 0.0
