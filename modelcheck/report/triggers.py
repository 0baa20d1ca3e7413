"""What the report shows of the search for hidden triggers: where and how far the candidate exceeds its clean twins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import row
from modelcheck.report.pictures import Sheet, outline, photograph_sheet, relevance_sheet
from modelcheck.report.words import clean, number

__all__ = ["trigger_view"]

_SIDE = 96
_CLASSES = 10  # as many as are listed
_STATISTICS = {
    "peak": "Strongest single place of a small sticker",
    "patch": "Small stickers, mean over nine neighbouring places",
    "bar": "Bars, mean over nine neighbouring places",
    "one": "Small stickers, on pictures of one class alone",
}


def trigger_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return everything of the section *Hidden triggers*; where nothing could be searched its rows say why.

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
    return {
        "rows": [
            row(item, findings) for (name, _), item in comparison.measures.items() if METRICS[name].area == "triggers"
        ],
        "ascent": comparison.rendered,
        **_view_scan(comparison, panel, sheets),
        "classes": _list_reaches(comparison),
    }


def _list_reaches(comparison: Comparison) -> list[dict[str, str]]:
    """Return how far ascent goes in candidate and clean networks, the class that stands out most first."""
    found = comparison.reach
    if found is None or not math.isfinite(found.score):
        return []
    seen = np.unique(comparison.baseline.pictures["labels"])  # no other class was looked at
    names = [comparison.candidate.class_names[k] for k in seen]
    return [
        {
            "name": clean(names[k]),
            "candidate": number(float(found.reached[k])),
            "furthest": number(float(found.furthest[k])),
            "ratio": number(float(found.ratios[k])),
            "limit": number(found.limit),
        }
        for k in np.argsort(-found.ratios, kind="stable")[:_CLASSES].tolist()
    ]


def _view_scan(comparison: Comparison, panel: Panel | None, sheets: list[Sheet]) -> dict[str, Any]:
    """Return the map of reactions to stickers and their strengths."""
    outcome = comparison.trigger
    if outcome is None or not math.isfinite(outcome.score):
        return {"picture": None, "strengths": []}
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
    picture = {
        "sheets": {"candidate": sheets[-1]},
        "photo": photo,
        "row": {"at": 0, "photo": 0, "outline": outline(shrink(mask[None], side=_SIDE)[0] >= 0.5)},
        "pattern": place.pattern,
        "family": place.family,
        "where": f"row {place.top}, column {place.left}",
        "size": f"{place.height} x {place.width}",
        "target": clean(comparison.candidate.class_names[place.target]),
    }
    strengths = [
        {"name": _STATISTICS[name], "reached": number(reached), "limit": number(outcome.limits[name])}
        for name, reached in outcome.strengths.items()
    ]
    return {"picture": picture, "strengths": strengths}
