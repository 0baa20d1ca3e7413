"""What happens to the score when the most relevant pixels go first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.faithfulness.checks import FaithfulnessError, Predict, ask_predict, check_maps, make_generator

__all__ = ["FlippingCurve", "aopc", "deletion", "insertion", "pixel_flipping", "selectivity"]


@dataclass(frozen=True, eq=False)
class FlippingCurve:
    """The score while pixels are replaced, the most relevant first.

    Parameters
    ----------
    fractions : np.ndarray
        ``(k + 1,)`` the share of replaced pixels, from 0 to the largest.
    scores : np.ndarray
        ``(n, k + 1)`` the score after each; a row of NaN for an empty map.

    Examples
    --------
    >>> curve = FlippingCurve(np.array([0.0, 0.5, 1.0]), np.array([[4.0, 1.0, 0.0]]))
    >>> curve.area_under, curve.area_over
    (array([1.5]), array([2.5]))
    """

    fractions: np.ndarray
    scores: np.ndarray

    @property
    def area_under(self) -> np.ndarray:
        """Mean score along the curve by the trapezoid rule, ``(n,)``; low is good when pixels are taken away."""
        width = self.fractions[-1] - self.fractions[0]
        return np.trapezoid(self.scores, self.fractions, axis=1) / width

    @property
    def area_over(self) -> np.ndarray:
        """Mean fall of the score along the curve by the trapezoid rule, ``(n,)``; high is good."""
        return self.scores[:, 0] - self.area_under


def pixel_flipping(
    predict: Predict,
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    steps: int = 20,
    patch: int = 1,
    largest: float = 1.0,
    reference: float | np.ndarray = 0.0,
    keep: bool = False,
) -> FlippingCurve:
    """Replace the most relevant patches step by step and watch the score.

    Parameters
    ----------
    predict : callable
        ``predict(pictures)`` -> ``(n,)``.
    images : np.ndarray
        ``(n, h, w, c)``.
    relevance : np.ndarray
        ``(n, h, w)`` or ``(n, h, w, c)``, whose channels are added. Ties go in an order of their
        own for each picture, drawn once, so that equal pixels are not flipped from the top left.
    steps : int
        Equal steps from none to `largest`.
    patch : int
        Side of the squares that are replaced together, ranked by their sum.
    largest : float
        The share of patches replaced in the end.
    reference : float or np.ndarray
        What replaces them: a number, a value per channel, or pictures.
    keep : bool
        Start from the reference and put the most relevant patches in instead (insertion).

    Returns
    -------
    FlippingCurve

    References
    ----------
    Bach et al. 2015, pixel flipping; Samek et al. 2017; Petsiuk et al. 2018.

    Examples
    --------
    >>> picture = np.array([[[[3.0], [1.0]]]])
    >>> pixel_flipping(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, steps=2).scores
    array([[4., 1., 0.]])
    """
    pictures, maps = check_maps(images, relevance)
    if steps < 1 or patch < 1 or not 0 < largest <= 1:
        raise FaithfulnessError(
            "Flipping takes at least 1 step, patches of at least 1 pixel and a largest share in (0, 1], not "
            f"steps={steps!r}, patch={patch!r}, largest={largest!r}."
        )
    n, height, width = maps.shape
    other = np.broadcast_to(np.asarray(reference, pictures.dtype), pictures.shape)
    blocks = _sum_patches(maps, patch)
    ranks = _rank(blocks.reshape(n, -1)).reshape(blocks.shape)
    pixel_rank = ranks.repeat(patch, axis=1).repeat(patch, axis=2)[:, :height, :width]
    counts = np.round(np.linspace(0, largest, steps + 1) * ranks[0].size)
    scores = np.empty((n, steps + 1))
    for step, count in enumerate(counts):
        chosen = (pixel_rank < count)[..., None]
        shown = np.where(chosen != keep, other, pictures)
        scores[:, step] = ask_predict(predict, shown)
    scores[~maps.any((1, 2))] = np.nan
    return FlippingCurve(counts / ranks[0].size, scores)


def deletion(
    predict: Predict, images: np.ndarray, relevance: np.ndarray, *, steps: int = 20, reference: float | np.ndarray = 0.0
) -> np.ndarray:
    """Return the area under the score while the most relevant pixels are taken away, ``(n,)``; low is good.

    Examples
    --------
    >>> picture = np.array([[[[3.0], [1.0]]]])
    >>> deletion(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, steps=2)
    array([1.5])
    """
    return pixel_flipping(predict, images, relevance, steps=steps, reference=reference).area_under


def insertion(
    predict: Predict, images: np.ndarray, relevance: np.ndarray, *, steps: int = 20, reference: float | np.ndarray = 0.0
) -> np.ndarray:
    """Return the area under the score while the most relevant pixels are put in, ``(n,)``; high is good.

    Examples
    --------
    >>> picture = np.array([[[[3.0], [1.0]]]])
    >>> insertion(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, steps=2)
    array([2.5])
    """
    return pixel_flipping(predict, images, relevance, steps=steps, reference=reference, keep=True).area_under


def selectivity(
    predict: Predict,
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    patch: int = 4,
    steps: int = 20,
    reference: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Return the area over the curve when patches are flipped, ``(n,)``; high is good (Montavon et al. 2018).

    Examples
    --------
    >>> picture = np.array([[[[3.0], [1.0]]]])
    >>> selectivity(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, patch=1, steps=2)
    array([2.5])
    """
    return pixel_flipping(predict, images, relevance, steps=steps, patch=patch, reference=reference).area_over


def aopc(
    predict: Predict,
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    patch: int = 4,
    steps: int = 20,
    reference: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Return mean_k f(x) - f(x_k) over k = 0..steps, ``(n,)``; high is good (Samek et al. 2017, eq. 12).

    Examples
    --------
    >>> picture = np.array([[[[4.0], [2.0]]]])
    >>> aopc(lambda pictures: pictures.sum((1, 2, 3)), picture, picture, patch=1, steps=2).round(3)
    array([3.333])
    """
    scores = pixel_flipping(predict, images, relevance, steps=steps, patch=patch, reference=reference).scores
    return scores[:, 0] - scores.mean(1)


def _rank(values: np.ndarray) -> np.ndarray:
    """Return each value's place from the largest on, ties in an order drawn once for all pictures."""
    shuffled = make_generator(0, 0).permutation(values.shape[1])
    order = shuffled[np.argsort(-values[:, shuffled], axis=1, kind="stable")]
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None], axis=1)
    return ranks


def _sum_patches(maps: np.ndarray, patch: int) -> np.ndarray:
    """Add up squares; those at the right and lower border are cut."""
    rows = np.add.reduceat(maps, np.arange(0, maps.shape[1], patch), axis=1)
    return np.add.reduceat(rows, np.arange(0, maps.shape[2], patch), axis=2)
