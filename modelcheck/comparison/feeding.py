"""Whether a network's pictures are preprocessed otherwise than it wants them: it then answers better in another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelcheck.judgement.document import PreprocessingReason
from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.separation import is_near_chance, is_surely_better
from modelcheck.signature import Signature

__all__ = ["BetterPreprocessing", "find_better_preprocessing", "judge_feeding"]


@dataclass(frozen=True, kw_only=True)
class BetterPreprocessing:
    """A preprocessing with which a network surely answers better than with the one that it gets.

    Parameters
    ----------
    name : str
        The preprocessing, as it is written in settings.
    now, rate : Rate
        Balanced accuracy on the same pictures, as it is fed and with the other one; 99 %.
    alike : tuple of str
        Other preprocessings with which it does as well, as far as the pictures can say, though it is
        less sure of the right answers.
    own_scaling : tuple of str
        The network's layers that scale its pictures.
    """

    name: str
    now: Rate
    rate: Rate
    alike: tuple[str, ...] = ()
    own_scaling: tuple[str, ...] = ()

    def to_reason(self) -> PreprocessingReason:
        """Return the facts as a verdict keeps them."""
        return {
            "kind": "preprocessing",
            "name": self.name,
            "now": round(self.now.value, 6),
            "reached": round(self.rate.value, 6),
            "alike": list(self.alike),
            "own_scaling": list(self.own_scaling),
        }


def find_better_preprocessing(signature: Signature) -> BetterPreprocessing | None:
    """Return the preprocessing with which a network surely answers better than as it was fed.

    Of several that are as good, it is the one with which the network is surest of the right answers.

    Parameters
    ----------
    signature : Signature
        What was measured of the network; see `modelcheck.signature.Signature.fed_otherwise`.

    Returns
    -------
    BetterPreprocessing or None
        None where no other is surely better, or none that was tried is better than chance.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> find_better_preprocessing(read_signature("baselines/drawn-faces")) is None
    True
    """
    own = tuple(signature.model.get("own_scaling", ()))
    labels, scores = signature.pictures["labels"], signature.scores
    return judge_feeding(signature.fed_otherwise, labels=labels, scores=scores, own_scaling=own)


def judge_feeding(
    kept: Mapping[str, np.ndarray], *, labels: np.ndarray, scores: np.ndarray, own_scaling: tuple[str, ...] = ()
) -> BetterPreprocessing | None:
    """Return what `find_better_preprocessing` does, of a network that is still being measured.

    Parameters
    ----------
    kept : mapping of str to np.ndarray
        See `modelcheck.signature.Signature.fed_otherwise`; empty where nothing else was tried.
    labels : np.ndarray
        ``(n,)`` the classes of the whole panel.
    scores : np.ndarray
        ``(n, classes)`` the scores on it, as the network is fed now.
    own_scaling : tuple of str
        The network's layers that scale its pictures.
    """
    if not kept:
        return None
    rows = kept["rows"]
    labels = labels[rows]
    now = balanced_accuracy(labels, scores[rows].argmax(axis=1), confidence=0.99)
    rates = {
        name: balanced_accuracy(labels, kept[f"{name}/answers"], confidence=0.99)
        for name in sorted({key.split("/")[0] for key in kept} - {"rows"})
    }
    better = {
        name: rate for name, rate in rates.items() if is_surely_better(rate, now) and not is_near_chance(rate, labels)
    }
    if not better:
        return None
    highest = max(better.values(), key=lambda rate: rate.value)
    alike = [name for name, rate in better.items() if not is_surely_better(highest, rate)]
    name = max(alike, key=lambda name: float(np.mean(kept[f"{name}/likelihoods"])))
    return BetterPreprocessing(
        name=name,
        now=now,
        rate=better[name],
        alike=tuple(other for other in alike if other != name),
        own_scaling=own_scaling,
    )
