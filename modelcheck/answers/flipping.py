"""Flip the pixels that an attribution ranks first, and see how far the score falls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from modelcheck.metrics.faithfulness import pixel_flipping
from modelcheck.metrics.margins import margins
from modelcheck.runtimes import Classifier

__all__ = ["FLIP_STEPS", "compute_flipping_curves"]

# The steps of a flipping curve, and the share of the picture that is replaced in the end.
FLIP_STEPS, _FLIPPED_SHARE = 6, 0.3


def compute_flipping_curves(
    classifier: Classifier,
    images: np.ndarray,
    *,
    labels: np.ndarray,
    probes: np.ndarray,
    relevance: Mapping[str, np.ndarray],
    seed: int,
    slopes: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Return the true class's margin while each method's first pixels, and random ones, are replaced.

    First are those that raise the score of the class most. A slope does not say that by itself:
    where a pixel differs from what replaces it, taking it away costs the slope times the
    difference.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` pictures of the whole panel in the input range; their mean replaces what is
        flipped.
    labels : np.ndarray
        ``(n,)`` their classes.
    probes : np.ndarray
        ``(probes,)`` positions of the pictures that are flipped.
    relevance : mapping of str to np.ndarray
        By method, ``(probes, h, w, c)`` attributions.
    seed : int
        The seed of the random order.
    slopes : collection of str
        The methods whose maps are slopes of the score.

    Returns
    -------
    dict of str to np.ndarray
        By method and for ``random``, ``(probes, steps + 1)`` margins.
    """
    pictures, classes = images[probes], labels[probes]
    reference = np.broadcast_to(images.mean(axis=0), pictures.shape)
    patch = max(1, round(images.shape[1] / 15))

    def predict(shown: np.ndarray) -> np.ndarray:
        scores = classifier.class_scores(shown.astype(np.float32))
        return margins(scores)[np.arange(len(shown)), classes]

    # Every picture draws its random order by its own row, so that a subset of the panel keeps it.
    shape = pictures.shape[1:3]
    chance = np.stack([np.random.Generator(np.random.Philox(key=[seed, row])).random(shape) for row in probes])
    taken = pictures - reference
    rankings = {name: maps * taken if name in slopes else maps for name, maps in relevance.items()}
    return {
        name: pixel_flipping(
            predict, pictures, ranking, steps=FLIP_STEPS, patch=patch, largest=_FLIPPED_SHARE, reference=reference
        ).scores
        for name, ranking in {**rankings, "random": chance}.items()
    }
