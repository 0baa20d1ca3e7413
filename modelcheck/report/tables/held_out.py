"""What the report shows of held-out rows: how right both networks are by subject and class, and what they answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.judgement.findings import Finding
from modelcheck.report.accuracy import confusion, mistakes, plot_by_thing
from modelcheck.report.charts import row
from modelcheck.report.tables.plots import draw_scatter
from modelcheck.report.words import Noun, clean

__all__ = ["held_out_view"]

_OPEN, _LONG = 5, 8  # rows of a chart that stand open where there are more than so many
_STANDING = ("fail", "unmeasured", "inconclusive")


def held_out_view(
    comparison: TableComparison, findings: Mapping[str, Finding], *, noun: Noun, of: str, redact_inputs: bool = False
) -> dict[str, Any]:
    """Return everything of the section *Held-out data*.

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
    redact_inputs : bool
        Leave out what shows single rows.
    """
    here = [metric for metric in METRICS.values() if metric.area == "accuracy"]
    rows = {
        metric.name: [
            row(item, findings, noun=noun, of=of) for item in comparison.measures.values() if item.metric == metric.name
        ]
        for metric in here
    }
    names = comparison.candidate.class_names
    return {
        "one": noun[0],
        "many": noun[1],
        "subjects": bool(comparison.subjects),
        "numbers": not names,
        "target": clean(comparison.baseline.target, longest=60),
        "plots": {kind: _fold(plots) for kind, plots in plot_by_thing(here, rows, noun=noun).items()},
        "unseen": [clean(name) for name in comparison.baseline.classes_without_rows],
        "rows": [item for metric in here if not metric.about and not metric.mean_of for item in rows[metric.name]],
        "confusions": [
            {"role": role.capitalize(), "table": confusion(counts, names), "mistakes": mistakes(counts, names)}
            for role, counts in comparison.confusions.items()
        ],
        "classes": [clean(name) for name in names],
        "scatter": None if names or redact_inputs else _scatter(comparison),
    }


def _fold(plots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return charts of one kind of thing: the first open, others only where something in them did not pass."""
    folded = []
    for k, plot in enumerate(plots):
        standing = any(item["verdict"] in _STANDING for item in plot["rows"])
        folded.append({**_fold_rows(plot), "folded": k > 0 and not standing})
    return folded


def _fold_rows(plot: dict[str, Any]) -> dict[str, Any]:
    """Return a chart with the rows that stand open, of many the gravest and lowest, and the rest of them."""
    rows = plot["rows"]
    if len(rows) <= _LONG:
        return {**plot, "rest": None}
    shown = [k for k, item in enumerate(rows) if k < _OPEN or item["verdict"] in _STANDING or not item["about"]]
    rest = {**plot, "rows": [item for k, item in enumerate(rows) if k not in shown], "meanings": [], "whys": []}
    return {**plot, "rows": [rows[k] for k in shown], "rest": rest}


def _scatter(comparison: TableComparison) -> dict[str, Any] | None:
    truth = np.asarray(comparison.candidate.rows["truth"], np.float64)
    sides = {"baseline": comparison.baseline, "candidate": comparison.candidate}
    return draw_scatter(truth, {role: side.scores[:, 0].astype(np.float64) for role, side in sides.items()})
