"""The score that an attribution explains."""

from __future__ import annotations

import numpy as np

from modelcheck.metrics.margins import margins
from modelcheck.runtimes import Classifier

__all__ = ["read_targets"]


def read_targets(classifier: Classifier, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return each picture's score of its target, ``(n,)``; of a single unit its score, or minus that, by margins.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures in the input range.
    targets : np.ndarray
        ``(n,)`` classes.
    """
    scores = classifier.class_scores(images).astype(np.float64)
    if scores.shape[1] == 2 and not scores[:, 0].any():
        scores = margins(scores)
    return scores[np.arange(len(images)), targets]
