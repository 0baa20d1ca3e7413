"""What the report shows of sub-populations: rates by group, how far they differ, and the model's effects by group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.comparison.tables.gaps import EffectGap
from modelcheck.comparison.tables.groups import GroupRates
from modelcheck.judgement.findings import Finding
from modelcheck.judgement.measured import Measured
from modelcheck.panel.columns import Column
from modelcheck.panel.populations import SMALLEST_GROUP
from modelcheck.report.charts import row
from modelcheck.report.tables.plots import draw_effect, find_top
from modelcheck.report.tables.values import NAME, name_column
from modelcheck.report.words import Noun, clean, format_with_interval, limits, number

__all__ = ["describe_gap", "populations_view", "top_of_gaps"]

_FIGURES, _DRAWN = 3, 5
_HEADS = {
    "selection_rate": "Answered {}",
    "true_positive_rate": "Of true {} found",
    "false_positive_rate": "Of the others wrongly {}",
}


def populations_view(
    comparison: TableComparison, findings: Mapping[str, Finding], *, noun: Noun, of: str
) -> dict[str, Any]:
    """Return everything of the section *Sub-populations*.

    Parameters
    ----------
    comparison : TableComparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.
    """
    columns = {column.name: column for column in comparison.baseline.columns}
    here = [item for item in comparison.measures.values() if METRICS[item.metric].area == "populations"]
    gaps = sorted(comparison.gaps, key=lambda gap: _rank(gap, findings))
    top, names = top_of_gaps(gaps), comparison.baseline.class_names
    described = [describe_gap(gap, columns[gap.column], findings, top=top, names=names) for gap in gaps]
    drawn = [item for k, item in enumerate(described) if item["red"] or k < _FIGURES]
    divisions = list(dict.fromkeys(item.division for item in comparison.groups))
    rates = {key for item in comparison.groups for key in item.candidate}
    positive = clean(comparison.baseline.class_names[-1], longest=24) if comparison.baseline.class_names else ""
    return {
        "divisions": [
            _describe_division(name, comparison.groups, findings)
            | {"differences": [row(x, findings, noun=noun, of=of) for x in here if _is_of(x, name)]}
            for name in divisions
        ],
        "main": "Error" if "error" in rates else "Accuracy",
        "rates": [(key, words.format(positive)) for key, words in _HEADS.items() if key in rates],
        "small": [f"{_name(x)} ({x.n})" for x in comparison.groups if not x.measured and x.n < SMALLEST_GROUP],
        "unmeasured": [_name(x) for x in comparison.groups if not x.measured and x.n >= SMALLEST_GROUP],
        "least": SMALLEST_GROUP,
        "gaps": [item for item in drawn if item["panels"]],
        "table": [item for item in described if item not in drawn or not item["panels"]],
        "variables": len(columns),
    }


def _is_of(item: Measured, division: str) -> bool:
    return METRICS[item.metric].about == "division" and item.about == division


def _describe_division(name: str, groups: Sequence[GroupRates], findings: Mapping[str, Finding]) -> dict[str, Any]:
    rows = []
    for item in groups:
        if item.division != name or not item.measured:
            continue
        main = "error" if "error" in item.candidate else "accuracy"
        found = findings.get(f"by_group_{main}[{item.division}={item.population}]")
        rows.append(
            {
                "name": clean(item.population, longest=NAME) or "(empty)",
                "n": item.n,
                "after": format_with_interval(item.candidate.get(main), item.interval),
                "before": number(item.baseline.get(main)),
                "rates": {key: (number(item.candidate.get(key)), number(item.baseline.get(key))) for key in _HEADS},
                "state": found.verdict.value if found else "info",
                "gating": found.gating if found else False,
                "must": limits(found.criterion) if found else "",
            }
        )
    return {"name": name_column(name), "rows": rows, "judged": any(item["must"] for item in rows)}


def _name(item: GroupRates) -> str:
    return f"{name_column(item.division)} = {clean(item.population, longest=NAME) or '(empty)'}"


def _rank(gap: EffectGap, findings: Mapping[str, Finding]) -> tuple[float, float]:
    found = findings.get(f"effect_gap[{gap.column}|{gap.division}]")
    return -(found.verdict.gravity if found and found.red else 0), -gap.gap if math.isfinite(gap.gap) else 0.0


def top_of_gaps(gaps: Sequence[EffectGap]) -> float:
    """Return where the axis of every effect by group ends, in units of the scores."""
    return find_top([gap.curves for gap in gaps])


def describe_gap(
    gap: EffectGap, column: Column, findings: Mapping[str, Finding], *, top: float, names: Sequence[str]
) -> dict[str, Any]:
    """Return one variable's effects by group, with charts and the gap; `names` are the classes."""
    found = findings.get(f"effect_gap[{gap.column}|{gap.division}]")
    populations = [clean(name, longest=24) or "(empty)" for name in gap.populations[:_DRAWN]]
    views = _choose_view(gap)
    return {
        "name": name_column(gap.column),
        "division": name_column(gap.division),
        "unit": clean(column.unit, longest=20),
        "populations": [{"kind": f"group-{k}", "name": name, "n": gap.counts[k]} for k, name in enumerate(populations)],
        "left_out": max(len(gap.populations) - _DRAWN, 0),
        "panels": [
            {
                "view": clean(names[v], longest=NAME) if gap.curves.shape[-1] > 1 else "",
                "chart": draw_effect(
                    column,
                    gap.grid,
                    None,
                    {f"group-{k}": gap.curves[k, :, v] for k in range(len(populations))},
                    top=top,
                ),
            }
            for v in views
        ],
        "gap": number(gap.gap),
        "measured": math.isfinite(gap.gap),
        "was": number(gap.baseline_gap),
        "p": _say_chance(gap.p_adjusted),
        "must": limits(found.criterion) if found else "",
        "state": found.verdict.value if found else "info",
        "gating": found.gating if found else False,
        "red": found.red if found else False,
        "why": clean(found.criterion.why, longest=600) if found else "",
    }


def _choose_view(gap: EffectGap) -> list[int]:
    """Return the one view that is drawn, in which groups lie furthest apart; none without common support."""
    if gap.curves.ndim != 3 or not len(gap.grid):
        return []
    apart = np.nan_to_num(gap.curves.max(axis=0) - gap.curves.min(axis=0)).max(axis=0, initial=0.0)
    return [int(apart.argmax())]


def _say_chance(p: float) -> str:
    """Return a p-value, two digits that count; a dash where there is none."""
    if not math.isfinite(p):
        return number(None)
    return "1" if p >= 0.995 else f"{p:.2g}"
