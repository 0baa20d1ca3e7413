"""What a classifier answers to the panel's pictures."""

from __future__ import annotations

import numpy as np

from modelcheck.panel import Panel
from modelcheck.runtimes import Classifier, NetworkError

__all__ = ["answer_panel", "describe_pictures"]


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


def describe_pictures(panel: Panel) -> dict[str, np.ndarray]:
    """Return what a signature keeps of the pictures; subjects of one picture each say no more than the pictures do."""
    kept = {"labels": panel.labels, "subjects": panel.shared_subjects, "groups": panel.groups, "names": panel.names}
    return {name: values for name, values in kept.items() if values is not None}
