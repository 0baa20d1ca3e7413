"""What a classifier answers to the panel's pictures."""

from __future__ import annotations

import numpy as np

from modelcheck.runtimes import Classifier, NetworkError

__all__ = ["answer_panel"]


def answer_panel(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """Return the class scores on the whole panel, ``(n, classes)``, before anything else is asked.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures in the input range.

    Raises
    ------
    NetworkError
        When a score is NaN or infinite.
    """
    scores = classifier.class_scores(images)
    bad = int((~np.isfinite(scores).all(axis=1)).sum())
    if bad:
        raise NetworkError(
            f"The network {classifier.name!r} answers NaN or infinity on {bad} of {len(scores)} pictures."
        )
    return scores
