"""Show a classifier another network's HappyMaps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modelcheck.runtimes import Classifier

__all__ = ["score_views"]


def score_views(classifier: Classifier, views: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return by view the ``(maps, classes)`` scores on maps; NaN for a map that is not there.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    views : mapping of str to np.ndarray
        By view, ``(maps, h, w, c)``; see `modelcheck.signature.Signature.stimuli`.
    """
    scores = {}
    for view, maps in views.items():
        there = np.isfinite(maps).all(axis=(1, 2, 3))
        scores[view] = np.full((len(maps), classifier.n_classes), np.nan, np.float32)
        if there.any():
            scores[view][there] = classifier.class_scores(maps[there])
    return scores
