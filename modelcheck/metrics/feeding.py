"""With which of several preprocessings a network answers surely better than with the one that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.separation import is_near_chance, is_surely_better

__all__ = ["BetterFeeding", "find_better_feeding", "summarise_answers"]

_SPREAD = 4.0  # of the scores of a network that is sure, and not of everything


@dataclass(frozen=True, kw_only=True)
class BetterFeeding:
    """A preprocessing with which a network surely answers better than with the one that it gets.

    Parameters
    ----------
    name : str
        The preprocessing, by the name under which it was tried.
    now, rate : Rate
        Balanced accuracy on the same pictures, as it is fed and with the other one; 99 %.
    alike : tuple of str
        Other preprocessings with which it does as well, as far as the pictures can say, though it is
        less sure of the right answers.
    """

    name: str
    now: Rate
    rate: Rate
    alike: tuple[str, ...] = ()


def find_better_feeding(
    kept: Mapping[str, np.ndarray], *, labels: np.ndarray, scores: np.ndarray
) -> BetterFeeding | None:
    """Return the preprocessing with which a network surely answers better; None where there is none.

    Of several that are as good, it is the one with which the network is surest of the right answers,
    at an equal spread of its scores.

    Parameters
    ----------
    kept : mapping of str to np.ndarray
        What was tried: ``rows``, ``(m,)`` positions of pictures, and by the name of a preprocessing
        ``NAME/answers``, ``(m,)`` classes answered, and ``NAME/likelihoods``, ``(m,)`` log likelihood
        of the picture's label, from `summarise_answers`. Empty where nothing was tried.
    labels : np.ndarray
        ``(n,)`` the classes of all pictures.
    scores : np.ndarray
        ``(n, classes)`` the scores, as the network is fed now.

    Examples
    --------
    >>> labels = np.arange(40) % 2
    >>> tried = {"rows": np.arange(40), "tf/answers": labels, "tf/likelihoods": np.zeros(40)}
    >>> find_better_feeding(tried, labels=labels, scores=np.zeros((40, 2))).name
    'tf'
    """
    if not kept:
        return None
    rows = kept["rows"]
    truth = labels[rows]
    now = balanced_accuracy(truth, scores[rows].argmax(axis=1), confidence=0.99)
    rates = {
        name: balanced_accuracy(truth, kept[f"{name}/answers"], confidence=0.99)
        for name in sorted({key.split("/")[0] for key in kept} - {"rows"})
    }
    better = {
        name: rate for name, rate in rates.items() if is_surely_better(rate, now) and not is_near_chance(rate, truth)
    }
    if not better:
        return None
    highest = max(better.values(), key=lambda rate: rate.value)
    alike = [name for name, rate in better.items() if not is_surely_better(highest, rate)]
    name = max(alike, key=lambda name: float(np.mean(kept[f"{name}/likelihoods"])))
    return BetterFeeding(name=name, now=now, rate=better[name], alike=tuple(other for other in alike if other != name))


def summarise_answers(name: str, scores: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return what `find_better_feeding` takes of the answers to pictures that were preprocessed in one way.

    Parameters
    ----------
    name : str
        The preprocessing.
    scores : np.ndarray
        ``(m, classes)`` class scores before softmax.
    labels : np.ndarray
        ``(m,)`` the classes of the pictures.

    Returns
    -------
    dict of str to np.ndarray
        Empty where a score is not finite: what overflows in that way is not fed so.

    Examples
    --------
    >>> kept = summarise_answers("tf", np.zeros((4, 2)), np.arange(4) % 2)
    >>> kept["tf/answers"].tolist(), kept["tf/likelihoods"].round(2).tolist()[:1]
    ([0, 0, 0, 0], [-0.6899999976158142])
    """
    if not np.isfinite(scores).all():
        return {}
    return {f"{name}/answers": scores.argmax(axis=1), f"{name}/likelihoods": _log_likelihoods(scores, labels)}


def _log_likelihoods(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the log likelihood of the labels, the scores' spread around each picture's mean brought to `_SPREAD`.

    Pictures of larger values make scores of a larger spread, and where all answers are right surer ones.
    """
    centred = scores.astype(np.float64) - scores.mean(axis=1, keepdims=True, dtype=np.float64)
    spread = float(np.sqrt(np.mean(centred**2)))
    below = centred * (_SPREAD / spread if spread > 0 else 0.0)
    below -= below.max(axis=1, keepdims=True)
    chosen = below[np.arange(len(labels)), labels]
    return (chosen - np.log(np.exp(below).sum(axis=1))).astype(np.float32)
