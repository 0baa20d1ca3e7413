"""What a comparison of two networks on a table shows of itself in a notebook: its first numbers, and the drivers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.comparison.metric import CLASSES, NUMBERS
from modelcheck.comparison.notebook import list_rows
from modelcheck.support.notebook import card, heading, table
from modelcheck.support.numbers import NOTHING, number

if TYPE_CHECKING:
    from modelcheck.comparison.tables.comparison import TableComparison

__all__ = ["show_table_comparison"]

_VARIABLES = 20


def show_table_comparison(comparison: TableComparison) -> str:
    """Return the HTML of a comparison; of a metric with one value for each thing, the worst."""
    measures = comparison.measures.values()
    of = CLASSES if comparison.baseline.class_names else NUMBERS
    noun = ("subject", "subjects") if comparison.subjects else ("row", "rows")
    rows = list_rows(measures, of=of, noun=noun)
    head = ("", "metric", "value", "interval", "baseline", "rests on")
    parts = [table(head, rows, words=2) if rows else heading("No number could be measured")]
    parts += _show_variables(comparison)
    known = sum(math.isfinite(item.value) for item in measures)
    facts = [
        f"target: {comparison.baseline.target}",
        f"{len(comparison.baseline.columns)} variables",
        f"{known} of {len(comparison.measures)} measures have a value",
        "no limits, no verdict",
    ]
    names = " → ".join(str(side.model["name"]) for side in (comparison.baseline, comparison.candidate))
    return card("TableComparison", names, parts, facts=facts)


def _show_variables(comparison: TableComparison) -> list[str]:
    """Return a table of what drives each network, the candidate's strongest first."""
    drivers = comparison.drivers
    if drivers is None:
        return [heading("Drivers", note="no columns were exchanged")]
    changes = {effect.column: effect.change for effect in comparison.effects}
    order = np.argsort(-drivers.candidate, kind="stable")[:_VARIABLES]
    rows = [
        (
            drivers.columns[k],
            number(float(drivers.baseline[k])),
            number(float(drivers.candidate[k])),
            number(changes[drivers.columns[k]]) if drivers.columns[k] in changes else NOTHING,
        )
        for k in order
    ]
    left = len(drivers.columns) - len(rows)
    note = f"share of the evidence; {left} more variables" if left else "share of the evidence"
    return [heading("Drivers", note=note), table(("variable", "baseline", "candidate", "effect change"), rows, words=1)]
