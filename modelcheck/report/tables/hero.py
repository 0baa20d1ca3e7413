"""The first screen of a table's report: the one thing to know, in one sentence, with its chart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.judgement.findings import Finding
from modelcheck.report.tables.drivers import driver_rows
from modelcheck.report.tables.effects import describe_effect, say_view, top_of_effects
from modelcheck.report.tables.populations import describe_gap, top_of_gaps
from modelcheck.report.words import number

__all__ = ["hero_view"]

_BARS = 5


def hero_view(comparison: TableComparison, findings: Mapping[str, Finding]) -> dict[str, Any] | None:
    """Return what stands on the first screen: what did not pass, by gravity of the question, else what moved most.

    A variable that drives the candidate and must not comes first, then an effect that changed, then
    one that differs between sub-populations; where all passed, the variable whose share moved most.

    Parameters
    ----------
    comparison : TableComparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    """
    red = {found.measured.metric for found in findings.values() if found.red}
    if red & {"driver_share", "driver_change"}:
        return _of_drivers(comparison, findings)
    if "effect_change" in red:
        return _of_effects(comparison, findings)
    if "effect_gap" in red:
        return _of_gaps(comparison, findings)
    return _of_drivers(comparison, findings) or _of_effects(comparison, findings)


def _of_drivers(comparison: TableComparison, findings: Mapping[str, Finding]) -> dict[str, Any] | None:
    rows = driver_rows(comparison, findings)
    changes = {
        about: item.value
        for (metric, about), item in comparison.measures.items()
        if metric == "driver_change" and math.isfinite(item.value)
    }
    ranked = sorted(rows, key=lambda item: (-item["red"], -abs(changes.get(item["column"], 0.0))))
    if not ranked:
        return None
    first = ranked[0]
    shown = [first, *[item for item in rows if item is not first][: _BARS - 1]]
    shown.sort(key=lambda item: -item["size"])
    return {
        "kind": "drivers",
        "name": first["name"],
        "says": f"holds {first['after']} of its evidence (baseline {first['before']})",
        "more": "" if first["red"] else "No other variable's share moved more.",
        "red": first["red"],
        "rows": shown,
        "anchor": "drivers",
    }


def _of_effects(comparison: TableComparison, findings: Mapping[str, Finding]) -> dict[str, Any] | None:
    def rank(k: int) -> tuple[bool, float]:
        item = comparison.effects[k]
        found = findings.get(f"effect_change[{item.column}]")
        return not (found and found.red), -item.change if math.isfinite(item.change) else -math.inf

    if not comparison.effects:
        return None
    item = comparison.effects[min(range(len(comparison.effects)), key=rank)]
    columns = {column.name: column for column in comparison.baseline.columns}
    told = describe_effect(item, columns[item.column], findings, top=top_of_effects(comparison))
    changed = f"moves its answers otherwise than before: by {number(item.change)} of their spread"
    return {
        "kind": "effect",
        "name": told["name"],
        "says": changed if told["measured"] else "has an effect that could not be measured",
        "more": "",
        "red": told["red"],
        "row": {**told, "panels": told["panels"][:1]},
        "view": say_view(comparison, item.views),
        "anchor": "effects",
    }


def _of_gaps(comparison: TableComparison, findings: Mapping[str, Finding]) -> dict[str, Any] | None:
    def rank(k: int) -> tuple[bool, float]:
        item = comparison.gaps[k]
        found = findings.get(f"effect_gap[{item.column}|{item.division}]")
        return not (found and found.red), -item.gap if math.isfinite(item.gap) else -math.inf

    if not comparison.gaps:
        return None
    item = comparison.gaps[min(range(len(comparison.gaps)), key=rank)]
    columns = {column.name: column for column in comparison.baseline.columns}
    told = describe_gap(
        item, columns[item.column], findings, top=top_of_gaps(comparison.gaps), names=comparison.baseline.class_names
    )
    differs = f"moves its answers differently by {told['division']}: {told['gap']} of their spread apart"
    return {
        "kind": "gap",
        "name": told["name"],
        "says": differs if told["measured"] else f"could not be compared by {told['division']}",
        "more": "",
        "red": told["red"],
        "row": told,
        "anchor": "populations",
    }
