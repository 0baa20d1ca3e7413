"""How surely a network takes shown pictures for a class, beside real pictures of that class and of the others."""

from __future__ import annotations

import numpy as np

__all__ = ["recognise"]


def recognise(shown: np.ndarray, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
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
        Like `shown`, from -1 to 1: 0 is halfway between the median picture of the class and that of
        the other classes, 0.46 (tanh 1/2) as sure as on the former, -0.46 as on the latter, and
        near 1 far beyond: maps are often surer than pictures, and a scale that ends at pictures
        says nothing of how much. The way between the two is at least one standard deviation of the
        class's margins, so that a network that cannot tell its pictures apart recognises nothing
        for certain; for a class without pictures it is the median of the other classes' ways. NaN where nothing was shown, and for a class on which the
        network always answers the same.

    Examples
    --------
    >>> own = np.array([[4.0, -4.0], [2.0, -2.0], [-2.0, 2.0], [-4.0, 4.0]])
    >>> recognise(np.array([[3.0, -3.0], [0.0, 0.0]]), own, np.array([0, 0, 1, 1]))
    array([[ 0.46211716, -0.46211716],
           [ 0.        ,  0.        ]])
    """
    members = labels[:, None] == np.arange(own.shape[1])
    mine, others = _median_of(own, members), _median_of(own, ~members)
    spread = own.std(axis=0)
    way = mine - others
    known = np.isfinite(way)
    way = np.maximum(np.where(known, way, np.median(way[known]) if known.any() else 0.0), spread)
    middle = np.where(known, (mine + others) / 2, np.where(np.isfinite(others), others + way / 2, mine - way / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        placed = np.tanh((shown - middle) / way)
    return np.where(spread > 0, placed, np.nan)


def _median_of(own: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the median of each class's margins over its own choice of pictures; NaN where there are none."""
    columns = [margins[rows] for margins, rows in zip(own.T, chosen.T, strict=True)]
    return np.array([np.median(column) if column.size else np.nan for column in columns])
