"""Hide a window of a picture, and see how far a classifier's score falls."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.targets import read_targets
from modelcheck.runtimes import Classifier

__all__ = ["choose_window", "occlude"]


def choose_window(height: int) -> tuple[int, int]:
    """Return the side and the step of the window for pictures of a height, in pixels.

    Examples
    --------
    >>> choose_window(60)
    (12, 4)
    """
    window = max(1, round(height / 5))
    return window, max(1, window // 3)


def occlude(
    classifier: Classifier, images: np.ndarray, targets: np.ndarray, *, window: int, stride: int, reference: np.ndarray
) -> np.ndarray:
    """Return the mean fall of each picture's score over all windows that hide a pixel.

    `modelcheck.attributions.attribute` gives the same for networks that can be looked into, faster;
    source there.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures in the input range.
    targets : np.ndarray
        ``(n,)`` the class of each whose score is watched.
    window, stride : int
        Side and step of the window, in pixels. The last of a row or column is cut at the border
        where it does not fit; a pixel that no window covers gets 0.
    reference : np.ndarray
        ``(h, w, c)`` what the window shows.

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` float32.
    """
    _, height, width, _ = images.shape
    rows, columns = (_find_covered(length, window, stride) for length in (height, width))
    whole = read_targets(classifier, images, targets)
    total = np.zeros(images.shape[:3])
    for row in rows:
        for column in columns:
            cover = np.outer(row, column)
            hidden = np.where(cover[..., None], reference, images).astype(np.float32)
            total[:, cover] += (whole - read_targets(classifier, hidden, targets))[:, None]
    covered = np.outer(rows.sum(axis=0), columns.sum(axis=0))
    return np.divide(total, covered, out=np.zeros_like(total), where=covered > 0).astype(np.float32)


def _find_covered(length: int, size: int, step: int) -> np.ndarray:
    """Return which pixels each window covers along one axis, ``(windows, length)`` booleans."""
    starts = np.arange(-(-(length - size) // step) + 1) * step
    places = np.arange(length)
    return (places >= starts[:, None]) & (places < starts[:, None] + size)
