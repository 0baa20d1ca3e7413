"""One fixed way to enlarge maps: bilinear, pixel centres aligned, borders held; exact in either dtype."""

from __future__ import annotations

import numpy as np

__all__ = ["interpolation_weights", "resize_bilinear"]


def interpolation_weights(positions: np.ndarray, n: int) -> np.ndarray:
    """Return the linear interpolation weights of `n` samples at some positions.

    Parameters
    ----------
    positions : np.ndarray
        Any shape; sample k lies at position k, and positions outside are moved to the border.
    n : int
        Number of samples.

    Returns
    -------
    np.ndarray
        ``positions.shape + (n,)``, rows that sum to 1.
    """
    inside = np.clip(positions, 0, n - 1)
    return np.maximum(0.0, 1.0 - np.abs(inside[..., None] - np.arange(n)))


def resize_bilinear(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize maps ``(n, h, w, ...)`` to ``(n, height, width, ...)`` bilinearly."""
    for axis, length in ((1, height), (2, width)):
        size = maps.shape[axis]
        matrix = interpolation_weights((np.arange(length) + 0.5) * size / length - 0.5, size).astype(maps.dtype)
        maps = np.moveaxis(np.tensordot(maps, matrix, axes=(axis, 1)), -1, axis)
    return maps
