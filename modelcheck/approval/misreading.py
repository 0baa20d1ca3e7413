"""Networks whose outputs are misread: they know the classes, and their answers, as they are read, do not.

A threshold that is not where the answers are read, classes in another order than the outputs,
pictures in another range than the network was trained on: each makes a good network look like a
bad one, and a baseline of it makes every good candidate look different.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from modelcheck.gate.child import ChildError, measure_in_child
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.metrics.accuracy import Rate, balanced_accuracy
from modelcheck.metrics.separation import Reading as Thresholded
from modelcheck.metrics.separation import (
    find_best_order,
    find_best_threshold,
    is_near_chance,
    is_surely_better,
    rank_separation,
)
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature
from modelcheck.support.escaping import clean

__all__ = ["Misreading", "find_misreading", "try_input_ranges"]

_SIGMOID = "sigmoid"
_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
# Forward passes are all that is asked of a measurement here; the rest is as little as there can be.
_LIGHT = Recipe(
    steps=1,
    copies=1,
    starts=1,
    units_per_layer=1,
    probe_pictures=8,
    attribution_methods=(),
    untrained_twins=0,
    sticker_faces=0,
)


@dataclass(frozen=True)
class Misreading:
    """How a network's outputs would answer better than as they are read.

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
    """Say how a network's outputs would answer better than as they are read, beyond what luck explains.

    Parameters
    ----------
    signature : Signature
        What was measured of the network.

    Returns
    -------
    Misreading or None
        None where the outputs are read as they should be, or say nothing at all.
    """
    labels, scores, names = signature.pictures["labels"], signature.scores, signature.class_names
    now = _rate(signature)
    order = find_best_order(scores, labels)
    if is_surely_better(order.rate, now):
        fitting = [names[k] for k in order.order]
        return Misreading(
            f"The classes stand in another order than the network's outputs: its balanced accuracy is {now.value:.2f} "
            f"with the outputs as ({_say(names)}), and {order.rate.value:.2f} with ({_say(fitting)}). Make the panel "
            "again with class_names in that order.",
            order.rate.value,
        )
    threshold = find_best_threshold(scores, labels) if len(names) == 2 else order
    border = _find_border(signature, threshold, now)
    if border is not None:
        at, rate, side = border
        return Misreading(
            f"The answers are read at the wrong threshold: the balanced accuracy is {now.value:.2f}, and would be "
            f"{rate.value:.2f} with {clean(names[1], longest=40)} where the network's own output is {side} {at:.6g}. "
            f"Give that border: --threshold {at:.6g}",
            rate.value,
        )
    if is_surely_better(threshold.rate, now):
        first, second = (clean(names[k], longest=40) for k in threshold.order)
        return Misreading(
            f"The answers are read at the wrong threshold: the balanced accuracy is {now.value:.2f}, and would be "
            f"{threshold.rate.value:.2f} with {second} where the score of {clean(names[1], longest=40)} leads by more "
            f"than {threshold.threshold:.3g}, and {first} elsewhere. Train the network, or make the panel, so that the "
            "higher of two scores is the answer.",
            threshold.rate.value,
        )
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


def try_input_ranges(
    signature: Signature,
    model: Path,
    panel: Path,
    *,
    settings: Settings,
    tell: Callable[[str], None] | None = None,
) -> Misreading | None:
    """Say in which range of input values a network answers better than in the recipe's; forward passes alone.

    Parameters
    ----------
    signature : Signature
        What was measured of the network with the recipe's range.
    model : Path
        Its file.
    panel : Path
        The panel.
    settings : Settings
        Limits of time and memory, and custom objects.
    tell : callable, optional
        Receives lines of progress.

    Returns
    -------
    Misreading or None
        The range that answers best, and surely better than the recipe's. A range with which the
        network cannot be measured is left out, and so is one in which it answers no better than
        chance.
    """
    now, said = _rate(signature), signature.recipe.input_range
    pictures = Panel.load(panel, max_gib=settings.panel_size)
    found: list[tuple[Rate, tuple[float, float]]] = []
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        for number, other in enumerate(pair for pair in _RANGES if pair != said):
            request = Request(
                network=model,
                panel=_stretch(pictures, panel, Path(aside) / f"{number}.npz", old=said, new=other),
                recipe=replace(_LIGHT, input_range=other),
                interface=signature.interface,
                custom_objects=settings.custom_objects,
                twins=False,
                panel_size=settings.panel_size,
            )
            try:
                fed = measure_in_child(request, Path(aside) / f"signature{number}", settings=settings, tell=tell)
            except ChildError:
                continue
            found.append((_rate(fed), other))
    labels = signature.pictures["labels"]
    better = [item for item in found if is_surely_better(item[0], now) and not is_near_chance(item[0], labels)]
    if not better:
        return None
    rate, (low, high) = max(better, key=lambda item: item[0].value)
    return Misreading(
        f"The pictures are fed in the wrong range: the balanced accuracy is {now.value:.2f} with values from "
        f"{said[0]:g} to {said[1]:g}, as the recipe says, and {rate.value:.2f} with values from {low:g} to {high:g}. "
        f"Write input_range = [{low}, {high}] into a recipe, and give it: --recipe recipe.toml; a panel of floats must "
        "hold such values.",
        rate.value,
    )


def _rate(signature: Signature) -> Rate:
    return balanced_accuracy(signature.pictures["labels"], signature.scores.argmax(axis=1), confidence=0.99)


def _stretch(panel: Panel, path: Path, target: Path, *, old: tuple[float, float], new: tuple[float, float]) -> Path:
    """Return a panel whose pictures can be fed in another range: bytes as they are, floats moved there with it."""
    if panel.images.dtype == np.uint8:
        return path
    share = (panel.images.astype(np.float64) - old[0]) / (old[1] - old[0])
    images = np.clip(new[0] + share * (new[1] - new[0]), *new).astype(np.float32)
    replace(panel, images=images).save(target)
    return target


def _say(names: Sequence[str]) -> str:
    return clean(", ".join(names), longest=400)
