"""What maps say by themselves, and how alike two of them are."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from modelcheck.metrics.faithfulness.checks import FaithfulnessError, correlate, flatten_maps

__all__ = ["completeness_error", "complexity", "map_similarity", "sparseness"]


def sparseness(relevance: np.ndarray) -> np.ndarray:
    """Return the Gini index of |R| over pixels, ``(n,)``: 0 evenly spread, towards 1 on one pixel; NaN when empty.

    References
    ----------
    Chalasani et al. 2020, "Concise explanations of neural networks using adversarial training".

    Examples
    --------
    >>> sparseness(np.array([[[1.0, 1.0]], [[0.0, 2.0]]]))
    array([0. , 0.5])
    """
    values = np.sort(np.abs(flatten_maps(relevance)), axis=1)
    total, size = values.sum(1), values.shape[1]
    weighed = (values * (2 * np.arange(1, size + 1) - size - 1)).sum(1)
    return np.divide(weighed, size * total, out=np.full(len(values), np.nan), where=total > 0)


def complexity(relevance: np.ndarray) -> np.ndarray:
    """Return the entropy of |R| / sum |R| over pixels in nats, ``(n,)``: 0 on one pixel; NaN when empty.

    References
    ----------
    Bhatt et al. 2020, definition 4.

    Examples
    --------
    >>> complexity(np.array([[[1.0, 1.0]]])).round(3)
    array([0.693])
    """
    values = np.abs(flatten_maps(relevance))
    total = values.sum(1, keepdims=True)
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.where(total[:, 0] > 0, -(share * logs).sum(1), np.nan)


def completeness_error(relevance: np.ndarray, scores: np.ndarray, reference_scores: np.ndarray) -> np.ndarray:
    """Return |sum R - (f(x) - f(x'))| / |f(x) - f(x')|, ``(n,)``; NaN where the two scores are the same.

    References
    ----------
    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", proposition 1.

    Examples
    --------
    >>> completeness_error(np.array([[[1.0, 2.0]]]), np.array([4.0]), np.array([0.0]))
    array([0.25])
    """
    maps = np.asarray(relevance, np.float64)
    change = np.asarray(scores, np.float64) - np.asarray(reference_scores, np.float64)
    if change.shape != (len(maps),):
        raise FaithfulnessError(f"{len(maps)} maps need as many scores, not {change.shape}.")
    error = np.abs(maps.reshape(len(maps), -1).sum(1) - change)
    return np.divide(error, np.abs(change), out=np.full(len(maps), np.nan), where=change != 0)


def map_similarity(baseline: np.ndarray, candidate: np.ndarray, *, absolute: bool = True) -> np.ndarray:
    """Return Spearman's correlation of two maps of each picture, on the pixels that can matter.

    What the randomisation tests ask: maps that stay alike when the weights, or the class asked for,
    are others do not explain the network. Where a network crops, strides, resizes or multiplies by
    a black background, whatever its weights, both maps are zero; to agree there says nothing, and
    would make any two maps alike.

    Parameters
    ----------
    baseline, candidate : np.ndarray
        ``(n, h, w[, c])`` maps of the same pictures; channels are added.
    absolute : bool
        Whether magnitudes are compared rather than signed values.

    Returns
    -------
    np.ndarray
        ``(n,)`` from -1 to 1; NaN where either map is constant. Left out are the pixels where both
        maps of every picture are exactly zero, and in a picture where both maps are zero at exactly
        the same pixels those, too. Zeros that only one map has, as rectifiers make them, count: to
        be silent in the same places is to be alike. So do all pixels where the rest are constant.

    References
    ----------
    Adebayo et al. 2018, "Sanity checks for saliency maps".

    Examples
    --------
    >>> map_similarity(np.array([[[1.0, 2.0, 3.0]]]), np.array([[[10.0, 20.0, 30.0]]])).round(6)
    array([1.])
    >>> cropped = np.array([[[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]]])
    >>> map_similarity(cropped, np.array([[[3.0, 2.0, 1.0, 0.0, 0.0, 0.0]]])).round(6)
    array([-1.])
    """
    one, other = flatten_maps(baseline), flatten_maps(candidate)
    if one.shape != other.shape:
        raise FaithfulnessError(f"Maps of shapes {np.shape(baseline)} and {np.shape(candidate)} cannot be compared.")
    if absolute:
        one, other = np.abs(one), np.abs(other)
    found = _correlate_ranks(one, other)
    reached = ((one != 0) | (other != 0)).any(axis=0)
    if not reached.all() and reached.any():
        one, other = one[:, reached], other[:, reached]
        found = _prefer(_correlate_ranks(one, other), found)
    for row in np.flatnonzero(((one == 0) == (other == 0)).all(axis=1)):
        here = one[row] != 0
        if not here.all() and here.any():
            found[row] = _prefer(_correlate_ranks(one[row : row + 1, here], other[row : row + 1, here]), found[row])[0]
    return found


def _correlate_ranks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return correlate(rankdata(one, axis=1).T, rankdata(other, axis=1).T)


def _prefer(values: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Return values, and others where there are none: a map must not lose its likeness by being constant."""
    return np.where(np.isfinite(values), values, instead)
