"""How much of an attribution lies where the evidence should be.

Every measure takes maps ``(n, h, w)`` or ``(n, h, w, c)`` and regions ``(n, h, w)``, gives one
number per picture, and stands beside its chance level, the region's share of the picture
(`chance`). A picture whose map or region is empty gets NaN, so that whoever averages must count it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LocalisationError", "chance", "pointing_game", "reduce_evidence", "relevance_mass", "relevance_rank"]

_REDUCTIONS = ("positive_sum", "absolute_sum", "maximum", "norm", "sum")


class LocalisationError(ValueError):
    """Maps and regions that do not fit together; the message says how."""


def reduce_evidence(relevance: np.ndarray, *, reduce: str) -> np.ndarray:
    """Reduce maps to one value of evidence per pixel, never negative.

    Parameters
    ----------
    relevance : np.ndarray
        ``(n, h, w, c)``, or ``(n, h, w)`` as one channel.
    reduce : {'positive_sum', 'sum', 'absolute_sum', 'maximum', 'norm'}
        ``positive_sum`` adds the positive parts of the channels; ``sum`` adds the channels and then
        keeps the positive part (for relevance, where channels cancel); ``absolute_sum`` adds
        magnitudes and ``norm`` is their root of squares, ``maximum`` the largest magnitude (for
        gradients, whose sign says little).

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` float64.

    Raises
    ------
    LocalisationError
        When the shape is another, a value is not finite, or the reduction is unknown.

    Examples
    --------
    >>> reduce_evidence(np.array([[[[1.0, -3.0]]]]), reduce="positive_sum")
    array([[[1.]]])
    """
    maps = np.asarray(relevance, np.float64)
    if maps.ndim == 3:
        maps = maps[..., None]
    if maps.ndim != 4 or 0 in maps.shape[1:]:
        raise LocalisationError(f"Maps are (n, h, w) or (n, h, w, c), not of shape {np.shape(relevance)}.")
    if not np.isfinite(maps).all():
        raise LocalisationError("The maps hold NaN or infinite values. Look for the method that made them.")
    if reduce == "positive_sum":
        return np.maximum(maps, 0).sum(-1)
    if reduce == "sum":
        return np.maximum(maps.sum(-1), 0)
    if reduce == "absolute_sum":
        return np.abs(maps).sum(-1)
    if reduce == "maximum":
        return np.abs(maps).max(-1)
    if reduce == "norm":
        return np.sqrt(np.square(maps).sum(-1))
    raise LocalisationError(f"reduce is one of {', '.join(_REDUCTIONS)}, not {reduce!r}.")


def chance(region: np.ndarray) -> np.ndarray:
    """Return each region's share of its picture, ``(n,)``: what evenly spread relevance scores; NaN when empty.

    Examples
    --------
    >>> chance(np.array([[[True, False], [False, False]]]))
    array([0.25])
    """
    mask = _check_regions(region)
    share = mask.mean((1, 2))
    return np.where(share > 0, share, np.nan)


def relevance_mass(relevance: np.ndarray, region: np.ndarray, *, reduce: str = "positive_sum") -> np.ndarray:
    """Return the share of the evidence that lies in the region.

    Parameters
    ----------
    relevance : np.ndarray
        ``(n, h, w)`` or ``(n, h, w, c)``.
    region : np.ndarray
        ``(n, h, w)`` booleans.
    reduce : str
        How channels are reduced, see `reduce_evidence`. Negative evidence never counts, so that the
        share lies in [0, 1].

    Returns
    -------
    np.ndarray
        ``(n,)`` in [0, 1]; NaN for an empty region or a map without evidence.

    References
    ----------
    Arras et al. 2022, "CLEVR-XAI", relevance mass accuracy.

    Examples
    --------
    >>> relevance_mass(np.array([[[3.0, 1.0], [-1.0, 0.0]]]), np.array([[[True, False], [False, False]]]))
    array([0.75])
    """
    maps, mask = _check_pair(relevance, region, reduce)
    # Scaled first: a sum of tiny values must not vanish.
    top = maps.max((1, 2), keepdims=True)
    maps = np.divide(maps, top, out=np.zeros_like(maps), where=top > 0)
    total, inside = maps.sum((1, 2)), (maps * mask).sum((1, 2))
    usable = (total > 0) & mask.any((1, 2))
    return np.divide(inside, total, out=np.full(len(maps), np.nan), where=usable)


def relevance_rank(relevance: np.ndarray, region: np.ndarray, *, reduce: str = "positive_sum") -> np.ndarray:
    """Return the share of the k most relevant pixels that lie in the region of k pixels.

    Pixels that tie for the last places count with the share of them that has a place, so that
    neither order nor position matters.

    Parameters
    ----------
    relevance, region, reduce
        The maps, the regions and how channels are reduced, as for `relevance_mass`.

    Returns
    -------
    np.ndarray
        ``(n,)`` in [0, 1]; NaN for an empty region or a map without evidence.

    References
    ----------
    Arras et al. 2022, "CLEVR-XAI", relevance rank accuracy.

    Examples
    --------
    >>> relevance_rank(np.array([[[3.0, 2.0], [1.0, 0.0]]]), np.array([[[True, False], [True, False]]]))
    array([0.5])
    """
    maps, mask = _check_pair(relevance, region, reduce)
    rows, inside = maps.reshape(len(maps), -1), mask.reshape(len(maps), -1)
    size = inside.sum(1)
    ordered = -np.sort(-rows, axis=1)
    last = np.take_along_axis(ordered, np.maximum(size - 1, 0)[:, None], axis=1)
    above, tied = rows > last, rows == last
    places = size - above.sum(1)
    hits = (above & inside).sum(1) + places * (tied & inside).sum(1) / np.maximum(tied.sum(1), 1)
    usable = (size > 0) & (rows.max(1) > 0)
    return np.divide(hits, size, out=np.full(len(rows), np.nan), where=usable)


def pointing_game(relevance: np.ndarray, region: np.ndarray, *, reduce: str = "positive_sum") -> np.ndarray:
    """Return 1 where the most relevant pixel lies in the region, else 0; the share of tied ones that do.

    Parameters
    ----------
    relevance, region, reduce
        The maps, the regions and how channels are reduced, as for `relevance_mass`.

    Returns
    -------
    np.ndarray
        ``(n,)`` in [0, 1]; NaN for an empty region or a map without evidence.

    References
    ----------
    Zhang et al. 2018, "Top-down neural attention by excitation backprop", here without their 15
    pixels of tolerance.

    Examples
    --------
    >>> pointing_game(np.array([[[3.0, 2.0], [1.0, 0.0]]]), np.array([[[True, False], [False, False]]]))
    array([1.])
    """
    maps, mask = _check_pair(relevance, region, reduce)
    top = maps.max((1, 2))
    largest = maps == top[:, None, None]
    usable = (top > 0) & mask.any((1, 2))
    hits = (largest & mask).sum((1, 2))
    return np.divide(hits, largest.sum((1, 2)), out=np.full(len(maps), np.nan), where=usable)


def _check_regions(region: np.ndarray) -> np.ndarray:
    mask = np.asarray(region)
    if mask.dtype != np.bool_ or mask.ndim != 3:
        raise LocalisationError(
            f"Regions are booleans (n, h, w), not {mask.dtype} of shape {mask.shape}. One region for all pictures is "
            "np.broadcast_to(region, (n, h, w))."
        )
    return mask


def _check_pair(relevance: np.ndarray, region: np.ndarray, reduce: str) -> tuple[np.ndarray, np.ndarray]:
    mask, maps = _check_regions(region), reduce_evidence(relevance, reduce=reduce)
    if maps.shape != mask.shape:
        raise LocalisationError(
            f"Maps of shape {maps.shape} and regions of shape {mask.shape} do not belong together; enlarge the maps to "
            "the pictures."
        )
    return maps, mask
