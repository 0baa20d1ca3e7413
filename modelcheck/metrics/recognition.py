"""How surely a network takes shown pictures for a class, beside real pictures of that class and of the others."""

from __future__ import annotations

import numpy as np

__all__ = ["place_beside_pictures", "recognise"]


def recognise(shown: np.ndarray, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how surely shown pictures are taken for each class, from -1, for another, over 0 to 1, for it.

    On this scale the median picture of the class stands at 0.46 and that of the other classes at
    -0.46. It never ends: maps are often surer than pictures, and a scale that ended at pictures
    would not say by how much. Parameters are those of `place_beside_pictures`.

    Examples
    --------
    >>> own = np.array([[4.0, -4.0], [2.0, -2.0], [-2.0, 2.0], [-4.0, 4.0]])
    >>> recognise(np.array([[3.0, -3.0], [0.0, 0.0]]), own, np.array([0, 0, 1, 1])).round(2)
    array([[ 0.46, -0.46],
           [ 0.  ,  0.  ]])
    """
    return np.tanh(place_beside_pictures(shown, own, labels) / 2)


def place_beside_pictures(shown: np.ndarray, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return where margins on shown pictures lie between those on a panel's pictures of other classes and of the class.

    The scale is relative to real pictures that the same network answers, and so it travels: a
    network of ten classes, whose margins spread widely, stands on it as one of two does, and a
    network whose margins are twice as large as another's stands where that one stands.

    Parameters
    ----------
    shown : np.ndarray
        ``(..., classes)`` margins on the shown pictures; see `modelcheck.metrics.margins`.
    own : np.ndarray
        ``(pictures, classes)`` the network's margins on the panel.
    labels : np.ndarray
        ``(pictures,)`` the pictures' classes.

    Returns
    -------
    np.ndarray
        Like `shown`: 1 is as sure as on the median picture of the class, -1 as on the median picture
        of the other classes, 0 halfway, and beyond. The way between the two is at least one standard
        deviation of the class's margins, so that a network that cannot tell its pictures apart
        recognises nothing for certain; for a class without pictures it is the median of the other
        classes' ways. NaN where nothing was shown, and for a class on which the network always
        answers the same.

    Examples
    --------
    >>> own = np.array([[4.0, -4.0], [2.0, -2.0], [-2.0, 2.0], [-4.0, 4.0]])
    >>> place_beside_pictures(np.array([[3.0, -3.0], [0.0, 0.0]]), own, np.array([0, 0, 1, 1]))
    array([[ 1., -1.],
           [ 0.,  0.]])
    """
    members = labels[:, None] == np.arange(own.shape[1])
    mine, others = _median_of(own, members), _median_of(own, ~members)
    spread = own.std(axis=0)
    way = mine - others
    known = np.isfinite(way)
    way = np.maximum(np.where(known, way, np.median(way[known]) if known.any() else 0.0), spread)
    middle = np.where(known, (mine + others) / 2, np.where(np.isfinite(others), others + way / 2, mine - way / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        placed = (shown - middle) / (way / 2)
    return np.where(spread > 0, placed, np.nan)


def _median_of(own: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the median of each class's margins over its own choice of pictures; NaN where there are none."""
    columns = [margins[rows] for margins, rows in zip(own.T, chosen.T, strict=True)]
    return np.array([np.median(column) if column.size else np.nan for column in columns])
