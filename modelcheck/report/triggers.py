"""What the report shows of the search for a planted trigger: where the candidate reacts and no clean twin does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import row
from modelcheck.report.pictures import Sheet, outline, photograph_sheet, relevance_sheet
from modelcheck.report.words import clean, number

__all__ = ["trigger_view"]

_SIDE = 96
_STATISTICS = {
    "peak": "Strongest single place of a small sticker",
    "patch": "Small stickers, mean over nine neighbouring places",
    "bar": "Bars, mean over nine neighbouring places",
}


def trigger_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any] | None:
    """Return everything of the section *Planted trigger*; None where the scan could not be made and nobody asked.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key.
    panel : Panel or None
        The pictures, whose mean lies beneath the map; None leaves it out.
    sheets : list of Sheet
        Receives the pictures.
    """
    item = comparison.measures.get(("trigger", ""))
    if item is None:
        return None
    measure = row(item, findings)
    made: dict[str, Any] = {"rows": [measure], "picture": None, "strengths": []}
    outcome = comparison.trigger
    if outcome is None:
        return made if item.key in findings else None
    if not math.isfinite(outcome.score):
        return made
    place = outcome.place
    mask = np.zeros(outcome.map.shape)
    mask[place.top : place.top + place.height, place.left : place.left + place.width] = 1
    photo = None
    if panel is not None:
        mean = panel.inputs(comparison.candidate.recipe.input_range).mean(axis=0, keepdims=True)
        sheets.append(photograph_sheet("trigger-photo", shrink(mean, side=_SIDE)))
        photo = sheets[-1]
    sheets.append(
        relevance_sheet(
            "trigger-map", shrink(np.maximum(outcome.map, 0)[None], side=_SIDE), full=outcome.limits["peak"]
        )
    )
    made["picture"] = {
        "sheets": {"candidate": sheets[-1]},
        "photo": photo,
        "row": {"at": 0, "photo": 0, "outline": outline(shrink(mask[None], side=_SIDE)[0] >= 0.5)},
        "pattern": place.pattern,
        "family": place.family,
        "where": f"row {place.top}, column {place.left}",
        "size": f"{place.height} x {place.width}",
        "target": clean(comparison.candidate.class_names[place.target]),
    }
    made["strengths"] = [
        {"name": says, "reached": number(outcome.strengths[name]), "limit": number(outcome.limits[name])}
        for name, says in _STATISTICS.items()
    ]
    return made
