"""Networks that are misread: they know the classes, and their answers, as they are fed and read, do not.

A threshold that is not where the answers are read, classes in another order than the outputs,
pictures preprocessed otherwise than the network was trained on: each makes a good network look like
a bad one, and a baseline of it makes every good candidate look different.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelcheck.interface.sentences import say_misreading
from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.separation import Reading as Thresholded
from modelcheck.metrics.separation import (
    find_best_threshold,
    is_near_chance,
    is_surely_better,
    rank_separation,
)
from modelcheck.signature import Signature
from modelcheck.signature.misreading import find_misreadings
from modelcheck.support.escaping import clean

__all__ = ["Misreading", "find_misreading"]

_SIGMOID = "sigmoid"
_GOOD = 0.75  # half the way from chance to 1, of two classes


@dataclass(frozen=True)
class Misreading:
    """How a network would answer better than as it is fed and read.

    Parameters
    ----------
    sentence : str
        What is wrong, and what to do, in one harmless line.
    reached : float
        The balanced accuracy of the better reading; 0 where it is not known.
    """

    sentence: str
    reached: float = 0.0


def find_misreading(signature: Signature) -> Misreading | None:
    """Say how a network would answer better than as it is fed and read, beyond what luck explains.

    Parameters
    ----------
    signature : Signature
        What was measured of the network.

    Returns
    -------
    Misreading or None
        None where it is fed and read as it should be, or says nothing at all.
    """
    found = find_misreadings(signature)
    # In this order, for a command stands at the end of what is said of a preprocessing.
    told = " ".join(say_misreading(reason, approving=True) for reason in reversed(found))
    other = [Misreading(told, max(reason["reached"] for reason in found))] if found else []
    # No threshold mends another order, and one that fits these very pictures is a little better always.
    if not any(reason["kind"] == "class_order" for reason in found):
        other += filter(None, [_find_other_reading(signature)])
    # Of two that are as good the first: fed with nothing but black, no threshold is right.
    return max(other, key=lambda item: item.reached, default=None)


def _find_other_reading(signature: Signature) -> Misreading | None:
    """Return another threshold between two classes, or that scores part what answers do not."""
    now = balanced_accuracy(signature.pictures["labels"], signature.scores.argmax(axis=1), confidence=0.99)
    other = _find_other_threshold(signature, now) if len(signature.class_names) == 2 else None
    return other or _find_parted(signature, now)


def _find_other_threshold(signature: Signature, now: Rate) -> Misreading | None:
    labels, scores, names = signature.pictures["labels"], signature.scores, signature.class_names
    threshold = find_best_threshold(scores, labels)
    border = _find_border(signature, threshold, now)
    if border is not None:
        at, rate, side = border
        return Misreading(
            f"The answers are read at the wrong threshold: the balanced accuracy is {now.value:.2f}, and would be "
            f"{rate.value:.2f} with {clean(names[1], longest=40)} where the network's own output is {side} {at:.6g}. "
            f"Give that border: --threshold {at:.6g}",
            rate.value,
        )
    # The opposite of a weak rule is a weak rule, and no other reading.
    weak = threshold.order == (1, 0) and threshold.rate.interval[0] <= _GOOD
    if is_surely_better(threshold.rate, now) and not weak:
        first, second = (clean(names[k], longest=40) for k in threshold.order)
        return Misreading(
            f"The answers are read at the wrong threshold: the balanced accuracy is {now.value:.2f}, and would be "
            f"{threshold.rate.value:.2f} with {second} where the score of {clean(names[1], longest=40)} leads by more "
            f"than {threshold.threshold:.3g}, and {first} elsewhere. Train the network, or make the panel, so that the "
            "higher of two scores is the answer.",
            threshold.rate.value,
        )
    return None


def _find_parted(signature: Signature, now: Rate) -> Misreading | None:
    labels, scores, names = signature.pictures["labels"], signature.scores, signature.class_names
    separation = rank_separation(scores, labels)
    parted = [k for k, rate in enumerate(separation) if rate.interval[0] > 0.5 or rate.interval[1] < 0.5]
    if not (is_near_chance(now, labels) and parted):
        return None
    best = max(parted, key=lambda k: abs(separation[k].value - 0.5))
    return Misreading(
        f"The answers are near chance (balanced accuracy {now.value:.2f}) although the scores tell the classes "
        f"apart: the area under the curve of {clean(names[best], longest=40)} is {separation[best].value:.2f}. The "
        "outputs are misread: look at their order, at what the last layer was trained to, and at the input range."
    )


def _find_border(signature: Signature, found: Thresholded, now: Rate) -> tuple[float, Rate, str] | None:
    """Return where a single unit would answer surely better, 0.5 where that does, and the side of the second class.

    In the units of its own output; nothing where a sigmoid is too sure of all to have such a border.
    """
    head, labels, names = signature.model.get("head"), signature.pictures["labels"], signature.class_names
    if head is None or found.order != (0, 1) or not is_surely_better(found.rate, now):
        return None
    said = signature.interface
    asked = said.outputs[int(said.label)] if said.label and said.label.isdecimal() and said.outputs else said.label
    sign, side = (-1, "below") if asked == names[0] else (1, "above")
    lead = signature.scores[:, 1] - signature.scores[:, 0]
    if head == _SIGMOID:
        before = said.threshold if said.threshold is not None else 0.5
        log_odds = math.log(before) - math.log1p(-before) + sign * found.threshold
        at = (1 + math.tanh(log_odds / 2)) / 2
        return (at, found.rate, side) if 0 < round(at, 6) < 1 else None
    before = said.threshold or 0.0
    half = balanced_accuracy(labels, (lead > sign * (0.5 - before)).astype(int), confidence=0.99)
    if is_surely_better(half, now):
        return 0.5, half, side
    return before + sign * found.threshold, found.rate, side
