"""What the report shows of profiles, the HappyMaps of a table: the row that makes an output happiest, in own units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.comparison.tables.profiles import ProfilePair
from modelcheck.judgement.findings import Finding
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.report.charts import row
from modelcheck.report.tables.values import NAME, format_value, name_column, place_in_range, say_range
from modelcheck.report.words import Noun, clean, number

__all__ = ["describe_profile", "profiles_view"]

_VARIABLES, _WORDS, _OUTPUTS, _UNITS = 6, 3, 6, 12


def profiles_view(
    comparison: TableComparison, findings: Mapping[str, Finding], *, noun: Noun, of: str
) -> dict[str, Any]:
    """Return everything of the section *Same features*: profiles of the outputs, and of hidden units by layer.

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
    baseline = comparison.baseline
    decision = baseline.decision.name
    own = [pair for pair in comparison.profiles if pair.layer == decision]
    # Those that the candidate is least happy with come first; there may be a thousand classes.
    own.sort(key=lambda pair: pair.transfer if math.isfinite(pair.transfer) else -math.inf)
    here = [item for item in comparison.measures.values() if METRICS[item.metric].area == "features"]
    layers = []
    for record in baseline.layers[:-1]:
        pairs = [pair for pair in comparison.profiles if pair.layer == record.name]
        layers.append(
            {
                "name": clean(record.name, longest=NAME),
                "units": record.n_units,
                "measures": [row(x, findings, noun=noun, of=of) for x in here if x.about == record.name],
                # The least alike first.
                "rows": [_describe_unit(pair, baseline.columns) for pair in reversed(pairs[-_UNITS:])],
                "left_out": max(len(pairs) - _UNITS, 0),
            }
        )
    shown = {record.name for record in baseline.layers[:-1]}
    described = [row(x, findings, noun=noun, of=of) for x in here if x.about not in shown]
    return {
        "outputs": [describe_profile(pair, baseline.columns, baseline.typical) for pair in own[:_OUTPUTS]],
        "left_out": max(len(own) - _OUTPUTS, 0),
        "classes": bool(baseline.class_names),
        "measures": described,
        "layers": layers,
    }


def _rank_columns(pair: ProfilePair) -> list[int]:
    """Return the variables whose value in the profile matters, that which matters most to either network first."""
    matters = np.fmax(np.nan_to_num(pair.baseline_gains), np.nan_to_num(pair.candidate_gains))
    return [k for k in np.argsort(-matters, kind="stable").tolist() if matters[k] > 0]


def describe_profile(pair: ProfilePair, columns: tuple[Column, ...], typical: np.ndarray) -> dict[str, Any]:
    """Return the profile of one output: each variable that matters in its range, baseline beside candidate."""
    order = _rank_columns(pair)
    gains = [float(x) for part in (pair.baseline_gains, pair.candidate_gains) for x in part if math.isfinite(x)]
    most = max(gains, default=1.0)
    rows = [_describe_variable(pair, columns[k], k, float(typical[k]), most) for k in order]
    return {
        "name": clean(pair.unit, longest=NAME),
        "transfer": number(pair.transfer),
        "rows": rows[:_VARIABLES],
        "rest": rows[_VARIABLES:],
        "typical": len(columns) - len(rows),
    }


def _describe_variable(pair: ProfilePair, column: Column, k: int, typical: float, most: float) -> dict[str, Any]:
    before, after = float(pair.baseline[k]), float(pair.candidate[k])

    def place(value: float) -> str | None:
        share = place_in_range(column, value)
        return None if share is None else f"{3 + 94 * share:.2f}%"

    return {
        "name": name_column(column.name),
        "range": say_range(column),
        "category": column.kind == ColumnKind.CATEGORY,
        "at": {"baseline": place(before), "candidate": place(after), "typical": place(typical)},
        "before": format_value(column, before),
        "after": format_value(column, after),
        "typical": format_value(column, typical),
        "gains": (number(float(pair.baseline_gains[k])), number(float(pair.candidate_gains[k]))),
    }


def _describe_unit(pair: ProfilePair, columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return a hidden unit in words: the values of the few variables that matter most to it."""
    order = _rank_columns(pair)[:_WORDS]

    def say(values: np.ndarray) -> str:
        told = [
            f"{name_column(columns[k].name, longest=30)} {format_value(columns[k], float(values[k]))}" for k in order
        ]
        return ", ".join(told) or "nothing that matters"

    return {
        "unit": clean(pair.unit, longest=NAME),
        "counterpart": clean(pair.counterpart, longest=NAME),
        "correlation": number(pair.correlation),
        "before": say(pair.baseline),
        "after": say(pair.candidate),
    }
