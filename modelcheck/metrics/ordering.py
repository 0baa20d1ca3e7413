"""Whether outputs stand in another order than the classes: chosen on one half of the pictures, tested on the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.separation import assign_classes, is_surely_better

__all__ = ["BetterOrder", "find_better_order", "split_in_halves"]

_CONFIDENCE = 0.99


@dataclass(frozen=True, kw_only=True)
class BetterOrder:
    """An order of the classes in which a network's outputs surely answer better than in the one that they are read in.

    Parameters
    ----------
    order : tuple of int
        By output, the class that it stands for.
    now, rate : Rate
        Balanced accuracy on all pictures, as the outputs are read and in that order; 99 %.
    """

    order: tuple[int, ...]
    now: Rate
    rate: Rate


def find_better_order(
    scores: np.ndarray, labels: np.ndarray, *, subjects: np.ndarray | None = None
) -> BetterOrder | None:
    """Return the order of the classes in which a network surely answers better, and well; None where there is none.

    Of many orders one is always better by luck. An order is therefore chosen on one half of the
    pictures and tested on the other, both ways; no subject is in both halves. The test is on the
    classes that the order moves, for of all others every answer stays what it is. And the network
    must answer well in that order: the lower end of its balanced accuracy (95 %), and the value on the
    moved classes, are more than half the way from chance to 1. A network that learned little, or
    the opposite of a weak rule, has no such order (``benchmarks/class_order.py``).

    Parameters
    ----------
    scores : np.ndarray
        ``(n, classes)`` class scores; only which is the highest matters.
    labels : np.ndarray
        ``(n,)`` the true classes.
    subjects : np.ndarray, optional
        ``(n,)`` of whom or what each picture is.

    Examples
    --------
    >>> labels = np.arange(60) % 3
    >>> find_better_order(np.eye(3)[(labels + 1) % 3], labels).order
    (2, 0, 1)
    >>> find_better_order(np.eye(3)[labels], labels) is None
    True
    """
    if not (len(labels) and np.isfinite(scores).all()):
        return None
    answers, as_read = scores.argmax(axis=1), np.arange(scores.shape[1])
    best = assign_classes(answers, labels, n_classes=len(as_read))
    if (best == as_read).all():
        return None
    first = split_in_halves(labels, subjects)
    for chosen, tested in ((first, ~first), (~first, first)):
        order = assign_classes(answers[chosen], labels[chosen], n_classes=len(as_read))
        moved = tested & (order != as_read)[labels]
        before, after = (
            balanced_accuracy(labels[moved], given[moved], confidence=_CONFIDENCE)
            for given in (answers, order[answers])
        )
        if not is_surely_better(after, before):  # nor where nothing is moved: NaN is not better
            return None
    mended, moved = best[answers], (best != as_read)[labels]
    lowest, _ = balanced_accuracy(labels, mended).interval
    of_moved = balanced_accuracy(labels[moved], mended[moved]).value
    if not (lowest > _halfway(labels) and of_moved > _halfway(labels[moved])):
        return None
    now, rate = (balanced_accuracy(labels, given, confidence=_CONFIDENCE) for given in (answers, mended))
    return BetterOrder(order=tuple(best.tolist()), now=now, rate=rate)


def _halfway(labels: np.ndarray) -> float:
    """Return the accuracy in the middle between chance and 1."""
    return (1 + 1 / len(np.unique(labels))) / 2


def split_in_halves(labels: np.ndarray, subjects: np.ndarray | None = None) -> np.ndarray:
    """Return which pictures belong to the first of two halves, alike in classes as far as subjects let them be.

    The largest subjects are placed first, each where it makes the halves more alike.

    Parameters
    ----------
    labels : np.ndarray
        ``(n,)`` the classes.
    subjects : np.ndarray, optional
        ``(n,)`` of whom or what each picture is: no subject is in both halves.

    Examples
    --------
    >>> split_in_halves(np.array([0, 0, 1, 1, 1, 1]))
    array([ True, False,  True, False,  True, False])
    >>> split_in_halves(np.array([0, 1, 0, 1]), np.array(["ada", "ada", "ben", "ben"]))
    array([ True,  True, False, False])
    """
    whose = np.arange(len(labels)) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    counts = np.zeros((int(whose.max(initial=-1)) + 1, int(labels.max(initial=-1)) + 1))
    np.add.at(counts, (whose, labels), 1)
    lead, sides = np.zeros(counts.shape[1]), np.zeros(len(counts), bool)
    for k in np.argsort(-counts.sum(axis=1), kind="stable"):
        sides[k] = np.abs(lead + counts[k]).sum() <= np.abs(lead - counts[k]).sum()
        lead += counts[k] if sides[k] else -counts[k]
    return sides[whose]
