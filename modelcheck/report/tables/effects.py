"""What the report shows of effects: how each variable moves the answers of both networks, in its own units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.comparison.tables.effects import EffectComparison
from modelcheck.judgement.findings import Finding
from modelcheck.panel.columns import Column
from modelcheck.report.tables.plots import draw_effect, find_top
from modelcheck.report.tables.values import NAME, name_column
from modelcheck.report.words import clean, limits, number

__all__ = ["describe_effect", "effects_view", "say_view", "top_of_effects"]

_ALL, _OPEN, _VIEWS = 9, 6, 2


def effects_view(comparison: TableComparison, findings: Mapping[str, Finding]) -> dict[str, Any]:
    """Return everything of the section *Same effects*: what did not pass first, then the largest changes.

    Parameters
    ----------
    comparison : TableComparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    """
    columns = {column.name: column for column in comparison.baseline.columns}
    top = top_of_effects(comparison)
    rows = [describe_effect(item, columns[item.column], findings, top=top) for item in comparison.effects]
    rows.sort(key=lambda item: (-item["gravity"], -item["size"]))
    many = len(rows) > _ALL
    shown = [item for k, item in enumerate(rows) if not many or k < _OPEN or item["red"]]
    views = comparison.effects[0].views if comparison.effects else ()
    drawn = {item.column for item in comparison.effects}
    return {
        "rows": shown,
        "rest": [item for item in rows if item not in shown],
        "view": say_view(comparison, views),
        "numbers": not comparison.baseline.class_names,
        "views": len(views),
        "drawn": _VIEWS,
        "unmeasured": [
            {"name": name_column(about), "why": clean(item.evidence, longest=300)}
            for (metric, about), item in comparison.measures.items()
            if metric == "effect_change" and about not in drawn
        ],
    }


def top_of_effects(comparison: TableComparison) -> float:
    """Return where the axis of every effect ends, in units of the scores."""
    return find_top([part for item in comparison.effects for part in (item.baseline, item.candidate)])


def say_view(comparison: TableComparison, views: Sequence[str]) -> str:
    """Return what an effect that goes up says, for whoever reads a chart."""
    names = comparison.baseline.class_names
    if not names:
        return f"a higher {clean(comparison.baseline.target, longest=NAME)}"
    if len(views) == 1:
        return f"it leans towards {clean(names[-1], longest=NAME)}"
    return "it leans towards the class"


def describe_effect(
    item: EffectComparison, column: Column, findings: Mapping[str, Finding], *, top: float
) -> dict[str, Any]:
    """Return one variable's effect with its charts, what changed, and what was asked of it."""
    found = findings.get(f"effect_change[{item.column}]")
    twins = [twin for twin in item.twins if math.isfinite(twin)]
    return {
        "column": item.column,
        "name": name_column(item.column),
        "unit": clean(column.unit, longest=20),
        "panels": [
            {
                "view": clean(item.views[v], longest=NAME) if len(item.views) > 1 else "",
                "chart": draw_effect(
                    column,
                    item.grid,
                    item.weights,
                    {"baseline": item.baseline[:, v], "candidate": item.candidate[:, v]},
                    top=top,
                ),
            }
            for v in _choose_views(item)
        ],
        "change": number(item.change),
        "measured": math.isfinite(item.change),
        "size": item.change if math.isfinite(item.change) else math.inf,
        "twins": f"{number(min(twins))} to {number(max(twins))}" if twins else "",
        "must": limits(found.criterion) if found else "",
        "state": found.verdict.value if found else "info",
        "gating": found.gating if found else False,
        "gravity": found.verdict.gravity if found and found.red else 0,
        "red": found.red if found else False,
        "why": clean(found.criterion.why, longest=600) if found else "",
    }


def _choose_views(item: EffectComparison) -> list[int]:
    """Return which views are drawn, of many those whose curves lie furthest apart, in the order of the classes."""
    apart = np.nan_to_num(np.abs(item.candidate - item.baseline)).max(axis=0, initial=0.0)
    return sorted(np.argsort(-apart, kind="stable")[:_VIEWS].tolist())
