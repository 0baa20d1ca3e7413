"""Show a network some pictures preprocessed otherwise than it is said to want them: forward passes alone."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.probes import choose_probe_rows
from modelcheck.interface import Preprocessing, list_alternatives
from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.metrics.feeding import summarise_answers
from modelcheck.metrics.separation import is_surely_better
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.runtimes import Classifier
from modelcheck.runtimes.pictures import prepare_pictures

__all__ = ["FED_PICTURES", "feed_otherwise"]

FED_PICTURES = 128  # enough to tell ways apart, and a fraction of what a measurement takes


def feed_otherwise(
    classifier: Classifier, panel: Panel, preprocessing: Preprocessing | None, *, recipe: Recipe, scores: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what a network answers to some pictures preprocessed in every other known way.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    panel : Panel
        The pictures.
    preprocessing : Preprocessing or None
        What is done to them now.
    recipe : Recipe
        Its `input_range` says how the pictures are given.
    scores : np.ndarray
        ``(n, classes)`` the network's class scores on the whole panel, as it is fed now.

    Returns
    -------
    dict of str to np.ndarray
        ``rows``, ``(m,)`` positions of the pictures, and by the name of a preprocessing, for
        example ``tf/answers``, ``(m,)`` classes answered, and ``tf/likelihoods``, ``(m,)`` log
        likelihood of the picture's label. Empty where the network answers so well that no other way
        could be better, and where a preprocessing does not fit it left out; the present one with the
        channels in the other order is called ``reversed`` where it has no name.
    """
    rows = choose_probe_rows(panel, FED_PICTURES)
    labels = panel.labels[rows]
    now, best = (
        balanced_accuracy(labels, answers, confidence=0.99) for answers in (scores[rows].argmax(axis=1), labels)
    )
    if not is_surely_better(best, now):
        return {}
    span, channels = recipe.input_range, classifier.input_shape[-1]
    images = panel.subset(rows).inputs(span)
    found = {"rows": rows}
    plain = classifier.without_preprocessing()  # for all of them one graph, of which the tracing takes longest
    for name, other in list_alternatives(preprocessing, span, channels=channels).items():
        given = prepare_pictures(images, preprocessing=other, input_range=span, name=classifier.name)
        found |= summarise_answers(name, plain.class_scores(given), labels)
    return found
