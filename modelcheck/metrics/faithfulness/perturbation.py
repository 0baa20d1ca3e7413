"""Whether small and random changes do what the attribution says, and leave it as it is."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from modelcheck.metrics.faithfulness.checks import (
    Explain,
    FaithfulnessError,
    Predict,
    ask_explain,
    ask_predict,
    check_maps,
    correlate,
    make_generator,
)

__all__ = ["continuity", "infidelity", "max_sensitivity", "mu_fidelity"]


def mu_fidelity(
    predict: Predict,
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    cells: int = 9,
    fraction: float = 0.2,
    samples: int = 200,
    reference: float | np.ndarray = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """Return Spearman's correlation of f(x) - f(x without S) with the relevance in S, over random S, ``(n,)``.

    Parameters
    ----------
    cells : int
        The picture is cut into cells x cells squares, as even as they can be.
    fraction : float
        Share of the squares in each S, at least one.
    samples : int
        How many sets S are drawn, at least 2.
    reference : float or np.ndarray
        What the squares in S are replaced by: a number, a value per channel, or pictures.
    seed : int
        Seed of the sets; number k depends on the seed and k alone.

    Returns
    -------
    np.ndarray
        In [-1, 1]; NaN where the score or the relevance is the same for every S.

    References
    ----------
    Bhatt et al. 2020, "Evaluating and aggregating feature-based model explanations", eq. 1.

    Examples
    --------
    >>> picture = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> mu_fidelity(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, cells=2).round(6)
    array([1.])
    """
    pictures, maps = check_maps(images, relevance)
    if cells < 1 or not 0 < fraction < 1 or samples < 2:
        raise FaithfulnessError(
            "mu_fidelity takes at least 1 cell, a fraction in (0, 1) and at least 2 samples, not "
            f"cells={cells!r}, fraction={fraction!r}, samples={samples!r}."
        )
    n, height, width = maps.shape
    other = np.broadcast_to(np.asarray(reference, pictures.dtype), pictures.shape)
    whole = ask_predict(predict, pictures)
    cell = (np.arange(height) * cells // height)[:, None] * cells + np.arange(width) * cells // width
    present = np.unique(cell)
    size = max(1, round(fraction * present.size))
    falls, sums = np.empty((samples, n)), np.empty((samples, n))
    for sample in range(samples):
        chosen = np.isin(cell, make_generator(seed, sample).choice(present, size, replace=False))
        falls[sample] = whole - ask_predict(predict, np.where(chosen[..., None], other, pictures))
        sums[sample] = (maps * chosen).sum((1, 2))
    return correlate(rankdata(falls, axis=0), rankdata(sums, axis=0))


def infidelity(
    predict: Predict,
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    noise: float = 0.1,
    samples: int = 50,
    seed: int = 0,
) -> np.ndarray:
    """Return the mean of (I . R - (f(x) - f(x - I)))^2 over Gaussian I, ``(n,)``; low is good.

    Parameters
    ----------
    relevance : np.ndarray
        ``(n, h, w, c)``: R is a rate, like a gradient, and not a product with the input.
    noise : float
        Standard deviation of I in the pictures' units, above 0.
    samples : int
        How many I are drawn, at least 1.
    seed : int
        Seed of the noise; I number k depends on the seed and k alone.

    References
    ----------
    Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", definition 2.1.

    Examples
    --------
    >>> picture = np.ones((1, 2, 2, 1))
    >>> infidelity(lambda pictures: pictures.sum((1, 2, 3)), picture, np.ones_like(picture)).round(6)
    array([0.])
    """
    pictures, _ = check_maps(images, relevance)
    rates = np.asarray(relevance, np.float64).reshape(*pictures.shape[:3], -1)
    if rates.shape != pictures.shape or noise <= 0 or samples < 1:
        raise FaithfulnessError(
            f"infidelity takes maps of the pictures' shape {pictures.shape}, noise above 0 and at least 1 sample, not "
            f"{rates.shape}, noise={noise!r}, samples={samples!r}."
        )
    whole = ask_predict(predict, pictures)
    total = np.zeros(len(pictures))
    for sample in range(samples):
        step = noise * make_generator(seed, sample).standard_normal(pictures.shape[1:])
        fall = whole - ask_predict(predict, (pictures - step).astype(pictures.dtype))
        total += np.square((rates * step).sum((1, 2, 3)) - fall)
    return total / samples


def max_sensitivity(
    explain: Explain,
    images: np.ndarray,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Return the largest relative change of the map within a small box, ``(n,)``; low is good.

    max ||R(x + d) - R(x)|| / ||R(x)|| over d drawn evenly from [-radius, radius]; NaN for an empty
    map.

    References
    ----------
    Yeh et al. 2019, eq. 5.

    Examples
    --------
    >>> max_sensitivity(np.ones_like, np.ones((1, 2, 2, 1)))
    array([0.])
    """
    if radius <= 0 or samples < 1:
        raise FaithfulnessError(f"The radius is above 0 and samples at least 1, not {radius!r} and {samples!r}.")
    pictures = np.asarray(images)
    own = ask_explain(explain, pictures)
    largest = np.zeros(len(pictures))
    for sample in range(samples):
        step = make_generator(seed, sample).uniform(-radius, radius, pictures.shape[1:])
        moved = ask_explain(explain, (pictures + step).astype(pictures.dtype))
        largest = np.maximum(largest, np.linalg.norm(moved - own, axis=1))
    size = np.linalg.norm(own, axis=1)
    return np.divide(largest, size, out=np.full(len(own), np.nan), where=size > 0)


def continuity(explain: Explain, images: np.ndarray, *, shifts: tuple[int, ...] = (-2, -1, 1, 2)) -> np.ndarray:
    """Return the largest ||R(x) - R(x')||_1 / ||x - x'||_2 over translated pictures x', ``(n,)``; low is good.

    Parameters
    ----------
    explain : callable
        ``explain(pictures)`` -> ``(len(pictures), h, w, c)``.
    images : np.ndarray
        ``(n, h, w, c)``.
    shifts : tuple of int
        Columns by which the pictures are moved; the uncovered ones repeat the border. The value
        depends on them.

    Returns
    -------
    np.ndarray
        NaN where no shift changes the picture.

    References
    ----------
    Montavon et al. 2018, "Methods for interpreting and understanding deep neural networks", section
    7.1.

    Examples
    --------
    >>> continuity(np.ones_like, np.arange(12.0).reshape(1, 3, 4, 1))
    array([0.])
    """
    pictures = np.asarray(images)
    own = ask_explain(explain, pictures)
    columns = np.arange(pictures.shape[2])
    largest = np.full(len(pictures), np.nan)
    for shift in shifts:
        moved = pictures[:, :, np.clip(columns - shift, 0, len(columns) - 1)]
        change = np.abs(ask_explain(explain, moved) - own).sum(1)
        distance = np.linalg.norm((moved - pictures).reshape(len(pictures), -1).astype(np.float64), axis=1)
        largest = np.fmax(largest, np.divide(change, distance, out=np.full(len(own), np.nan), where=distance > 0))
    return largest
