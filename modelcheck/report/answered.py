"""What the report shows of a candidate without maps: the baseline's of the decision, and what it takes them for."""

from __future__ import annotations

import math
from typing import Any

from modelcheck.comparison import Comparison, MapAnswer
from modelcheck.metrics.similarity import shrink
from modelcheck.report.charts import Axis
from modelcheck.report.decision import LARGE, choose_classes
from modelcheck.report.pictures import Sheet, as_bytes, sheet
from modelcheck.report.words import clean, format_objective, number

__all__ = ["answered_view"]

# What the maps are called, by the view in which they were shown and the scale at which they are kept.
_MAPS = {"free": ("full", "As drawn"), "natural": ("natural", "Among natural pictures")}


def answered_view(comparison: Comparison, sheets: list[Sheet]) -> dict[str, Any]:
    """Return the baseline's maps of the decision, and what the candidate, which has none, takes each for.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    sheets : list of Sheet
        Receives the pictures.

    Returns
    -------
    dict
        ``classes`` in order, of many classes those that are recognised least, each with its ``maps``.
    """
    baseline, answers = comparison.baseline, comparison.map_answers
    worst = sorted(range(len(baseline.class_names)), key=lambda k: min(_values(answers, k), default=-math.inf))
    shown = choose_classes(len(baseline.class_names), worst)
    axis = Axis.over((x for item in answers for x in (item.value, *item.twins)), at_least=(-1, 1))
    sides = {}
    for scale, _ in _MAPS.values():
        maps = comparison.statistics["baseline"].decision_maps[scale]
        pixels = as_bytes(shrink(maps[shown], side=LARGE), baseline.recipe.input_range)
        sheets.append(sheet(f"decision-baseline-{scale}", pixels))
        sides[f"baseline_{scale}"] = sheets[-1]
    found = {(item.view, item.shown): item for item in answers}
    reached = baseline.activations[baseline.decision.name]
    return {
        "sides": sides,
        "ticks": axis.ticks,
        "twins": max((len(item.twins) for item in answers), default=0),
        "worst": worst,
        "total": len(baseline.class_names),
        "left_out": len(baseline.class_names) - len(shown),
        "classes": [
            {
                "name": clean(baseline.class_names[k]),
                "class": k,
                "position": place,
                "baseline": format_objective(float(reached[k])),
                "maps": [
                    {"scale": scale, "name": name, **_describe(comparison, found.get((view, k)), axis)}
                    for view, (scale, name) in _MAPS.items()
                ],
            }
            for place, k in enumerate(shown)
        ],
    }


def _values(answers: tuple[MapAnswer, ...], shown: int) -> list[float]:
    return [item.value for item in answers if item.shown == shown]


def _describe(comparison: Comparison, item: MapAnswer | None, axis: Axis) -> dict[str, Any]:
    """Return what the candidate takes a map for, in words and as marks on an axis; nothing of one it was not shown."""
    if item is None:
        return {"there": False}
    shown, answer = (clean(comparison.baseline.class_names[k]) for k in (item.shown, item.answer))
    twins = ""
    if item.twins:
        twins = f"twins {number(min(item.twins))} to {number(max(item.twins))}"
    return {
        "there": True,
        "right": item.answer == item.shown,
        "shown": shown,
        "answer": answer,
        "value": number(item.value),
        "twins": twins,
        "at": axis.at(item.value),
        "ceiling": [axis.at(x) for x in item.twins],
    }
