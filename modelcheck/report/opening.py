"""The pictures that a failing report opens with: those that show what the first sentence says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelcheck.comparison import Comparison, ControversialExchange
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.pictures import Sheet, outline, photograph_sheet
from modelcheck.report.why import Explanation
from modelcheck.report.words import clean

__all__ = ["choose_classes", "opening_view"]

_SIDE = 192
_TURNED = 2


def opening_view(
    comparison: Comparison, why: Sequence[Explanation], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any] | None:
    """Return the pictures that show the first reason, each with what both networks answer; None where none do.

    A mark is shown by one picture without and with the part of another that changes the answer; a
    class or a subject by pictures that turned wrong.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    why : sequence of Explanation
        Why the candidate did not pass, what explains most first.
    panel : Panel or None
        The pictures; without them there is nothing to show.
    sheets : list of Sheet
        Receives the pictures.
    """
    if panel is None or not why:
        return None
    pixels = panel.inputs(comparison.baseline.recipe.input_range)
    first = why[0]
    if first.area in ("triggers", "places"):
        item = _choose_exchange(comparison, first)
        if item is not None:
            return _show_exchange(comparison, item, pixels, sheets)
    return _show_turned(comparison, first, pixels, sheets)


def choose_classes(comparison: Comparison, why: Sequence[Explanation]) -> list[int]:
    """Return two classes whose maps say most: those of the reasons, then those on which the two differ most."""
    names = list(comparison.baseline.class_names)
    told = [names.index(item.class_name) for item in why if item.class_name in names]
    recognised = {item.shown: item.value for item in reversed(comparison.map_answers)}
    changes = {
        k: abs(found.value)
        for k, name in enumerate(names)
        if (found := comparison.measures.get(("class_change", name))) is not None and np.isfinite(found.value)
    }
    others = sorted(range(len(names)), key=lambda k: (-changes.get(k, 0.0), recognised.get(k, 0.0)))
    return list(dict.fromkeys([*told, *others]))[:2]


def _choose_exchange(comparison: Comparison, first: Explanation) -> ControversialExchange | None:
    """Return the exchange that changes the candidate's answer, to the class of the reason where there is one."""
    shown = comparison.exchanges
    if shown is None:
        return None
    names, answers = comparison.candidate.class_names, comparison.candidate.scores.argmax(axis=1)
    found = [item for item in shown.controversial if answers[item.row] != item.answer]
    towards = [item for item in found if names[item.answer] == first.class_name]
    return next(iter([*towards, *found]), None)


def _show_exchange(
    comparison: Comparison, item: ControversialExchange, pixels: np.ndarray, sheets: list[Sheet]
) -> dict[str, Any]:
    top, left, bottom, right = item.box
    exchanged = pixels[item.row].copy()
    exchanged[top:bottom, left:right] = pixels[item.donor, top:bottom, left:right]
    drawn = shrink(np.stack([pixels[item.row], exchanged]), side=_SIDE)
    sheets.append(photograph_sheet("opening", drawn, together=2))
    mask = np.zeros(pixels.shape[1:3])
    mask[top:bottom, left:right] = 1
    border = outline(shrink(mask[None], side=_SIDE)[0] >= 0.5)
    names = [clean(name) for name in comparison.baseline.class_names]
    before = (side.scores[item.row].argmax() for side in (comparison.baseline, comparison.candidate))
    pairs = (tuple(before), (item.label, item.answer))
    overs = ("Without", f"With that part of a {names[int(comparison.baseline.pictures['labels'][item.donor])]} picture")
    return {
        "sheet": sheets[-1],
        "cells": [
            {"at": k, "over": over, "outline": border, "truth": names[item.label], "answers": _answers(pair, names)}
            for k, (over, pair) in enumerate(zip(overs, pairs, strict=True))
        ],
        "note": "The outlined part is all that differs.",
        "anchor": "places",
    }


def _show_turned(
    comparison: Comparison, first: Explanation, pixels: np.ndarray, sheets: list[Sheet]
) -> dict[str, Any] | None:
    labels = comparison.candidate.pictures["labels"]
    names = [clean(name) for name in comparison.candidate.class_names]
    wrong = [int(row) for row in comparison.answer_changes.turned_wrong]
    if first.class_name:
        at = list(comparison.candidate.class_names).index(first.class_name)
        wrong = [row for row in wrong if labels[row] == at]
    elif first.about and comparison.subjects and first.about in comparison.subjects:
        subjects = comparison.candidate.pictures["subjects"]
        wrong = [row for row in wrong if subjects[row] == first.about]
    elif first.area != "accuracy":
        return None
    if not wrong:
        return None
    shown = wrong[:_TURNED]
    sheets.append(photograph_sheet("opening", shrink(pixels[shown], side=_SIDE)))
    answers = [side.scores.argmax(axis=1) for side in (comparison.baseline, comparison.candidate)]
    return {
        "sheet": sheets[-1],
        "cells": [
            {
                "at": k,
                "over": f"Picture: {names[int(labels[row])]}",
                "outline": "",
                "truth": names[int(labels[row])],
                "answers": _answers(tuple(side[row] for side in answers), names),
            }
            for k, row in enumerate(shown)
        ],
        "note": "Held-out pictures that turned wrong.",
        "anchor": "accuracy",
    }


def _answers(pair: tuple[Any, ...], names: Sequence[str]) -> list[dict[str, Any]]:
    before, after = (int(answer) for answer in pair)
    return [
        {"who": "baseline", "says": names[before], "other": False},
        {"who": "candidate", "says": names[after], "other": after != before},
    ]
