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
    with np.errstate(invalid="ignore", over="ignore"):  # differences of infinite and of huge scores
        by_class = [
            own - logsumexp(np.delete(scores, k, axis=-1), axis=-1) for k, own in enumerate(np.moveaxis(scores, -1, 0))
        ]
    return np.stack(by_class, axis=-1)
