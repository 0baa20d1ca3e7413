"""The page that ranks many candidates, as a value: all that its template shows, worked out beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelcheck.comparison import METRICS, Comparison
from modelcheck.comparison.statistics import compute_statistics
from modelcheck.judgement.findings import Finding
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.similarity import shrink
from modelcheck.report.overview import about_panel, panel_line
from modelcheck.report.pictures import Sheet, as_bytes, sheet
from modelcheck.report.ranking import Ranked, Ranking
from modelcheck.report.ranking_terminal import say_worst
from modelcheck.report.words import (
    COUNTS,
    OF_PICTURES,
    call,
    clean,
    count,
    format_bytes,
    limits,
    name_about,
    number,
    title,
)
from modelcheck.signature import Signature
from modelcheck.support.commands import as_argument, can_be_typed, write_command

__all__ = ["ranking_page"]

_WORDS = {
    "pass": "Pass",
    "inconclusive": "Inconclusive",
    "unmeasured": "Not measured",
    "fail": "Fail",
    "error": "Could not be measured",
}
_SIDE = 96  # pixels at most of the longer side of a map
_CLASSES = 6  # whose maps fit beside each other
_COLUMNS = 24  # of a table of shades
_FAILED = 12
_SHADES = 5
_FULL = 0.2  # a change of a variable's share that gets the deepest shade


def ranking_page(ranking: Ranking) -> dict[str, Any]:
    """Return the view of many candidates beside one baseline.

    Parameters
    ----------
    ranking : Ranking
        The candidates, the best first.
    """
    sheets: list[Sheet] = []
    pictures = ranking.of == OF_PICTURES
    shown = list(enumerate(ranking.rows, 1))
    counted = [(state, sum(row.verdict == state for row in ranking.rows)) for state in _WORDS]
    baseline = call(ranking.baseline.model) or "the baseline"
    maps = _baseline_maps(ranking, sheets)
    return {
        "title": f"{count(len(shown), 'candidate')} beside {baseline}",
        "words": _WORDS,
        "counts": [{"state": state, "n": n} for state, n in counted if n],
        "panel": panel_line(about_panel(ranking.baseline), noun=ranking.noun),
        "criteria": ranking.criteria,
        "sheets": sheets,
        "heads": {
            "answered": f"Worst {ranking.who}" if ranking.who else title(ranking.answered),
            "decision": "Decision" if pictures else "Drivers",
        },
        "rows": [_row(ranking, place, row) for place, row in shown],
        "heat": _heat(
            ranking,
            ranking.things,
            values=ranking.by_thing,
            metric=ranking.metric_of,
            depth=(lambda value: value) if pictures else (lambda value: 1 - abs(value) / _FULL),
        ),
        "heat_title": "How alike is each layer?" if pictures else "Which variables changed their share?",
        "heat_lead": _say_heat(ranking),
        "answers": _heat(
            ranking,
            tuple(dict.fromkeys(name for row in ranking.rows for name in row.values(ranking.answered) if name)),
            values=lambda row: row.values(ranking.answered),
            metric=lambda _: ranking.answered,
            depth=(lambda value: value) if "error" not in ranking.answered else None,
        ),
        "answers_title": f"{title(ranking.answered)} of each {ranking.who}" if ranking.who else "",
        "each": [_each(ranking, place, row, maps=maps, sheets=sheets) for place, row in shown],
    }


def _say_heat(ranking: Ranking) -> str:
    if ranking.of != OF_PICTURES:
        return f"{_explain(ranking.metric_of(''))} The deeper the shade, the smaller the change."
    decision, hidden = (f"{title(name)}: {METRICS[name].brief}" for name in (ranking.decision, ranking.hidden))
    return f"Hidden layers by {hidden}. The last column, the decision, by {decision}. The deeper, the more alike."


def _explain(metric: str) -> str:
    return f"{title(metric)}: {METRICS[metric].brief}."


def _row(ranking: Ranking, place: int, row: Ranked) -> dict[str, Any]:
    size = row.model.get("bytes")
    return {
        "place": place,
        "file": clean(row.file, longest=80),
        "state": row.verdict,
        "red": str(len(row.red)) if row.comparison else "",
        "answered": _about(ranking.worst_answered(row)),
        "decides": number(ranking.decides(row)),
        "lowest": _about(ranking.lowest(row)),
        "size": format_bytes(int(size)) if size else "",
        "time": f"{1000 * row.seconds:.3g} ms" if row.seconds else "",
        "says": say_worst(ranking, row),
    }


def _about(item: Measured | None) -> str:
    return number(None) if item is None else f"{number(item.value)} {clean(item.about, longest=40)}".rstrip()


def _heat(
    ranking: Ranking,
    things: Sequence[str],
    *,
    values: Callable[[Ranked], Mapping[str, float]],
    metric: Callable[[str], str],
    depth: Callable[[float], float] | None,
) -> dict[str, Any] | None:
    """Return a table of candidates by things; of many things those that are worst for any candidate, in order."""
    known = [(place, row, values(row)) for place, row in enumerate(ranking.rows, 1) if row.comparison is not None]
    if not things or not known:
        return None
    deep = depth or (lambda value: -value)
    worst = {
        thing: min((deep(found[thing]) for _, _, found in known if thing in found), default=9.0) for thing in things
    }
    kept = set(sorted(things, key=lambda thing: worst[thing])[:_COLUMNS])
    shown = [thing for thing in things if thing in kept]
    rows = []
    for place, row, found in known:
        red = {(item.measured.metric, item.about) for item in row.red}
        rows.append(
            {
                "place": place,
                "name": clean(ranking.names[row.file], longest=40),
                "cells": [
                    {
                        "says": number(found.get(thing)),
                        "step": _step(depth, found.get(thing)),
                        "red": (metric(thing), thing) in red,
                    }
                    for thing in shown
                ],
            }
        )
    return {"heads": [clean(thing, longest=40) for thing in shown], "rows": rows, "left_out": len(things) - len(shown)}


def _step(depth: Callable[[float], float] | None, value: float | None) -> str:
    if depth is None or value is None:
        return "none"
    return str(min(max(int(depth(value) * _SHADES), 0), _SHADES - 1))


def _each(
    ranking: Ranking, place: int, row: Ranked, *, maps: Mapping[str, Any] | None, sheets: list[Sheet]
) -> dict[str, Any]:
    command = ["pytest", "suites/", "--candidate", as_argument(row.file)]
    return {
        "place": place,
        "name": clean(ranking.names[row.file], longest=60),
        "state": row.verdict,
        "refusal": clean(row.refusal, longest=600),
        "broken": [clean(words) for words in row.broken],
        "failed": [_failed(found) for found in row.red[:_FAILED]],
        "more": max(len(row.red) - _FAILED, 0),
        "maps": _candidate_maps(row, place, maps, sheets),
        "command": write_command(command) if can_be_typed(command) else "",
    }


def _failed(found: Finding) -> dict[str, str]:
    item = found.measured
    return {
        "name": title(item.metric),
        "about": clean(name_about(item.metric, item.about), longest=60),
        "value": number(item.value, whole=item.metric in COUNTS),
        "must": limits(found.criterion),
        "state": found.verdict.value,
    }


def _baseline_maps(ranking: Ranking, sheets: list[Sheet]) -> dict[str, Any] | None:
    """Return the baseline's maps of the decision, and of which classes they are; None of a table."""
    baseline = ranking.baseline
    if not isinstance(baseline, Signature):
        return None
    classes = range(min(len(baseline.class_names), _CLASSES))
    sheets.append(_lay_out("maps-baseline", baseline, classes))
    names = [clean(baseline.class_names[k], longest=40) for k in classes]
    return {"sheet": sheets[-1], "names": names, "classes": classes, "left_out": len(baseline.class_names) - len(names)}


def _candidate_maps(
    row: Ranked, place: int, maps: Mapping[str, Any] | None, sheets: list[Sheet]
) -> dict[str, Any] | None:
    if maps is None or not isinstance(row.comparison, Comparison) or not row.comparison.rendered:
        return None
    sheets.append(_lay_out(f"maps-{place}", row.comparison.candidate, maps["classes"]))
    return {**maps, "own": sheets[-1]}


def _lay_out(name: str, network: Signature, classes: Sequence[int]) -> Sheet:
    drawn = compute_statistics(network).decision_maps["full"][list(classes)]
    return sheet(name, as_bytes(shrink(drawn, side=_SIDE), network.recipe.input_range))
