"""What a HappyMap looks like, in one word, by stated statistics.

Words describe; only dead and flat units are useless.

Measured on CMU Faces: units whose map is all on matter *more* than others (they are brightness
detectors), and static ones as much as any; static maps vanish when the gradient is blurred, so they
are an artefact of the ascent.
"""

from __future__ import annotations

import numpy as np

__all__ = ["HEALTH", "unit_health"]

HEALTH = {
    "dead": "no picture of the panel moves it, or no ascent does",
    "flat": "its map hardly varies: standard deviation under 5 % of the range",
    "all off": "its map is dark: mean under 15 % of the range, under 2 % of the pixels bright",
    "all on": "its map is bright: over 90 % of the pixels above 95 % of the range",
    "static": "its map is noise: neighbours correlate under 0.3 and it varies by more than 10 %",
    "structured": "none of these",
}
_BORDER = 2  # pixels that padding makes special, where a map is large enough to do without them


def unit_health(maps: np.ndarray, features: np.ndarray, *, input_range: tuple[float, float]) -> tuple[str, ...]:
    """Return one word of `HEALTH` for each unit.

    Parameters
    ----------
    maps : np.ndarray
        ``(n, h, w, c)`` HappyMaps in the input range, NaN for a unit without one.
    features : np.ndarray
        ``(pictures, cells, n)`` activations after the layer's nonlinearity.
    input_range : tuple of float
        Lowest and highest value that a map can take.

    Examples
    --------
    >>> unit_health(np.ones((1, 6, 6, 1)), np.ones((3, 1, 1)), input_range=(0.0, 1.0))
    ('all on',)
    """
    low, high = input_range
    silent = np.abs(features).max(axis=(0, 1), initial=0.0) <= 1e-6
    return tuple(
        "dead"
        if still or not np.isfinite(picture).all()
        else _classify_map((picture.mean(axis=-1) - low) / (high - low))
        for picture, still in zip(maps, silent, strict=True)
    )


def _classify_map(picture: np.ndarray) -> str:
    if min(picture.shape) > 4 * _BORDER:
        picture = picture[_BORDER:-_BORDER, _BORDER:-_BORDER]
    if (picture > 0.95).mean() > 0.9:
        return "all on"
    if picture.mean() < 0.15 and (picture > 0.95).mean() < 0.02:
        return "all off"
    if picture.std() < 0.05:
        return "flat"
    return "static" if picture.std() > 0.1 and _correlate_neighbours(picture) < 0.3 else "structured"


def _correlate_neighbours(picture: np.ndarray) -> float:
    """Return the correlation of a pixel with the next, mean over both axes; 1 where there is nothing to correlate."""
    sides = [(picture[:-1], picture[1:]), (picture[:, :-1], picture[:, 1:])]
    known = [(a.ravel(), b.ravel()) for a, b in sides if a.size > 3 and a.std() and b.std()]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in known])) if known else 1.0
