"""How far each class leads the others: the one scale on which decisions of networks are compared."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

__all__ = ["margins"]


def margins(scores: np.ndarray) -> np.ndarray:
    """Return how far each class score leads the others: the score minus the logsumexp of the others.

    With p the probability of a class after softmax, its margin is the log-odds log(p / (1 - p)).
    A common offset of all scores, which softmax does not see, changes nothing.

    Parameters
    ----------
    scores : np.ndarray
        ``(..., classes)`` class scores before softmax, at least two classes.

    Returns
    -------
    np.ndarray
        Like `scores`, float64. A class that alone has a score of minus infinity has the margin
        minus infinity; NaN where a score is NaN, or where the margin is a difference of infinities.

    Raises
    ------
    ValueError
        When there are fewer than two classes: one class leads nobody.

    Examples
    --------
    >>> margins(np.array([[2.0, 0.0], [5.0, 3.0]]))
    array([[ 2., -2.],
           [ 2., -2.]])
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim < 1 or scores.shape[-1] < 2:
        raise ValueError(f"Margins need scores (..., classes) of at least two classes, not of shape {scores.shape}.")
    rows = scores.reshape(-1, scores.shape[-1])
    made, finite = np.empty_like(rows), np.isfinite(rows).all(axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):  # differences of infinite and of huge scores
        made[finite] = rows[finite] - _sum_others(rows[finite])
        for k in range(rows.shape[-1]) if not finite.all() else ():
            made[~finite, k] = rows[~finite, k] - logsumexp(np.delete(rows[~finite], k, axis=-1), axis=-1)
    return made.reshape(scores.shape)


def _sum_others(rows: np.ndarray) -> np.ndarray:
    """Return for each score the logsumexp of the others, ``(n, classes)``, at the cost of one for all.

    Of the sum over all the own term is taken away, which loses no digits but for the largest: its
    others are summed by themselves.
    """
    places = np.arange(len(rows)), rows.argmax(axis=-1)
    largest = rows[places][:, None]
    terms = np.exp(rows - largest)
    left = terms.sum(axis=-1, keepdims=True) - terms
    left[places] = 1.0
    others = largest + np.log(left)
    without = rows.copy()
    without[places] = -np.inf
    others[places] = logsumexp(without, axis=-1)
    return others
