"""See a picture through random masks, and find where a classifier's score is high because a pixel is shown."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.targets import read_targets
from modelcheck.metrics.random_masks import draw_masks
from modelcheck.runtimes import Classifier

__all__ = ["see_through_masks"]

_BATCH_BYTES = 8 * 2**20  # of masked pictures that are made at once
_CELLS, _PROBABILITY = 7, 0.5  # as `modelcheck.attributions.attribute` has them


def see_through_masks(
    classifier: Classifier, images: np.ndarray, targets: np.ndarray, *, samples: int = 4000, seed: int = 0
) -> np.ndarray:
    """Return by how much each picture's score is higher where a pixel is shown: RISE, Petsiuk et al. 2018.

    `modelcheck.attributions.attribute` gives the same for networks that can be looked into; formula
    there. Behind the masks lies 0.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures in the input range.
    targets : np.ndarray
        ``(n,)`` the class of each whose score is watched.
    samples : int
        How many masks; every picture is seen through each.
    seed : int
        Of the masks.

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` float32; 0 for a pixel that no mask shows.
    """
    n, height, width, _ = images.shape
    every = draw_masks(samples, cells=_CELLS, probability=_PROBABILITY, seed=seed)
    at_once = max(1, _BATCH_BYTES // images.nbytes) if n else samples
    total, shown, scores = np.zeros((n, height, width)), np.zeros((height, width)), np.zeros(n)
    for start in range(0, samples, at_once):
        masks = every[slice(start, start + at_once)].enlarge(height, width)
        seen = masks[:, None, :, :, None].astype(np.float32) * images
        found = read_targets(classifier, seen.reshape(-1, *images.shape[1:]), np.tile(targets, len(masks)))
        found = found.reshape(len(masks), n)
        total += np.einsum("sn,shw->nhw", found, masks, optimize=True)
        shown += masks.sum(axis=0)
        scores += found.sum(axis=0)
    mean = np.divide(total, shown, out=np.zeros_like(total), where=shown > 0)
    return (mean - np.where(shown > 0, scores[:, None, None] / samples, 0.0)).astype(np.float32)
