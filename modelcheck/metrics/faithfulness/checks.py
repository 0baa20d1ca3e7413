"""The checks of arguments and answers, and the random numbers, that all measures share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = [
    "Explain",
    "FaithfulnessError",
    "Predict",
    "ask_explain",
    "ask_predict",
    "check_maps",
    "correlate",
    "flatten_maps",
    "make_generator",
]

Predict = Callable[[np.ndarray], np.ndarray]
Explain = Callable[[np.ndarray], np.ndarray]


class FaithfulnessError(ValueError):
    """Arguments of a measure that do not fit; the message says how."""


def check_maps(images: np.ndarray, relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and maps with their channels added, checked to belong together.

    Examples
    --------
    >>> pictures, maps = check_maps(np.zeros((2, 4, 5, 3)), np.ones((2, 4, 5, 3)))
    >>> maps.shape, float(maps.max())
    ((2, 4, 5), 3.0)
    """
    pictures = np.asarray(images)
    maps = np.asarray(relevance, np.float64)
    maps = maps.sum(-1) if maps.ndim == 4 else maps
    if pictures.ndim != 4 or maps.shape != pictures.shape[:3] or not len(pictures):
        raise FaithfulnessError(
            f"Pictures (n, h, w, c) need maps of (n, h, w[, c]), not {pictures.shape} and {np.shape(relevance)}."
        )
    if not np.isfinite(maps).all():
        raise FaithfulnessError("The maps hold NaN or infinite values. Look for the method that made them.")
    return pictures, maps


def flatten_maps(relevance: np.ndarray) -> np.ndarray:
    """Return maps flattened to one value per pixel, channels added, ``(n, h * w)``.

    Examples
    --------
    >>> flatten_maps(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[1., 2., 3., 4.]])
    """
    maps = np.asarray(relevance, np.float64)
    maps = maps.sum(-1) if maps.ndim == 4 else maps
    if maps.ndim != 3 or not np.isfinite(maps).all():
        raise FaithfulnessError(
            f"Maps are finite numbers (n, h, w[, c]), not of shape {np.shape(relevance)} or with NaN in them."
        )
    return maps.reshape(len(maps), -1)


def make_generator(seed: int, sample: int) -> np.random.Generator:
    """Return the random numbers of one sample: they depend on the seed and the sample alone.

    Examples
    --------
    >>> bool(make_generator(0, 3).normal() == make_generator(0, 3).normal())
    True
    """
    return np.random.Generator(np.random.Philox(key=[seed, sample]))


def ask_predict(predict: Predict, pictures: np.ndarray) -> np.ndarray:
    """Ask the predictor and check what it says, ``(n,)``.

    Examples
    --------
    >>> ask_predict(lambda pictures: pictures.sum((1, 2, 3)), np.ones((2, 3, 3, 1)))
    array([9., 9.])
    """
    scores = np.asarray(predict(pictures), np.float64)
    if scores.shape != pictures.shape[:1] or not np.isfinite(scores).all():
        raise FaithfulnessError(
            f"predict must give one finite score per picture, shape {pictures.shape[:1]}, not shape {scores.shape}. "
            "Pick the explained class's score before softmax."
        )
    return scores


def ask_explain(explain: Explain, pictures: np.ndarray) -> np.ndarray:
    """Ask the explainer and check what it says, ``(n, values)``.

    Examples
    --------
    >>> ask_explain(np.ones_like, np.zeros((2, 3, 3, 1))).shape
    (2, 9)
    """
    maps = np.asarray(explain(pictures), np.float64)
    if len(maps) != len(pictures) or not np.isfinite(maps).all():
        raise FaithfulnessError(
            f"explain must give one finite map per picture, {len(pictures)} of them, not {maps.shape}."
        )
    return maps.reshape(len(maps), -1)


def correlate(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the first axis; NaN where either is constant.

    Examples
    --------
    >>> correlate(np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([[3.0, 0.0], [1.0, 1.0]])).round(6)
    array([-1., nan])
    """
    one, other = one - one.mean(0), other - other.mean(0)
    size = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0))
    return np.divide((one * other).sum(0), size, out=np.full(one.shape[1], np.nan), where=size > 0)
