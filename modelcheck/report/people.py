"""What the report shows of held-out people: the dot plot, the pictures that turned and the confusion table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, photograph_sheet, shrunk
from modelcheck.report.words import clean, head
from modelcheck.signature import Signature

__all__ = ["confusion", "people_view"]

_TURNED = 24
_SIDE = 96


def people_view(
    comparison: Comparison, findings: Mapping[str, Mapping[str, Any]], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return everything of the section *Held-out people*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        Rows of the verdict document by key.
    panel : Panel or None
        The pictures; None leaves them out.
    sheets : list of Sheet
        Receives the pictures.
    """
    here = [metric for metric in METRICS.values() if metric.area == "people"]
    rows = {
        metric.name: [row(item, findings) for item in comparison.measures if item.metric == metric.name]
        for metric in here
    }
    # A chart for each metric with one value a person; the mean over them is its last row.
    charts = {metric: [mean.name for mean in here if mean.mean_of == metric.name] for metric in here if metric.about}
    plots = [
        dot_plot(
            " and ".join([metric.title, *(head(mean) for mean in means)]),
            "Person",
            [*rows[metric.name], *(item for mean in means for item in rows[mean])],
            metric.span,
        )
        for metric, means in charts.items()
    ]
    return {
        "plots": [plot for plot in plots if plot["rows"]],
        "rows": [item for metric in here if not metric.about and not metric.mean_of for item in rows[metric.name]],
        "turned": _changed_answers(comparison, panel, sheets),
        "confusions": [
            {"role": role, "table": confusion(side)}
            for role, side in (("Baseline", comparison.baseline), ("Candidate", comparison.candidate))
        ],
        "classes": [clean(name) for name in comparison.candidate.class_names],
    }


def _changed_answers(comparison: Comparison, panel: Panel | None, sheets: list[Sheet]) -> dict[str, Any]:
    labels = comparison.candidate.pictures["labels"]
    before, after = comparison.baseline.scores.argmax(axis=1), comparison.candidate.scores.argmax(axis=1)
    rows = np.flatnonzero((before == labels) & (after != labels))
    scores = comparison.candidate.scores
    sure = scores[rows, after[rows]] - scores[rows, labels[rows]]
    rows = rows[np.argsort(-sure, kind="stable")]
    shown = rows[:_TURNED]
    names = comparison.candidate.class_names
    view = None
    if panel is not None and len(shown):
        pixels = shrunk(panel.inputs(comparison.candidate.recipe.input_range)[shown], side=_SIDE)
        sheets.append(photograph_sheet("turned", pixels))
        view = sheets[-1]
    pictures = comparison.candidate.pictures
    return {
        "total": len(rows),
        "mended": int(((before != labels) & (after == labels)).sum()),
        "left_out": len(rows) - len(shown),
        "sheet": view,
        "rows": [
            {
                "at": place,
                "name": clean(pictures["names"][i]) if "names" in pictures else f"picture {i}",
                "subject": clean(pictures["subjects"][i]),
                "truth": clean(names[labels[i]]),
                "said": clean(names[after[i]]),
            }
            for place, i in enumerate(shown.tolist())
        ],
    }


def confusion(signature: Signature) -> list[dict[str, Any]]:
    """Return how often each class was answered, one row a true class.

    Parameters
    ----------
    signature : Signature
        The network.

    Returns
    -------
    list of dict
        ``truth`` and ``cells`` with ``n``, ``right`` and ``heat`` (0 to 4, the share of the row).
    """
    labels, answers = signature.pictures["labels"], signature.scores.argmax(axis=1)
    rows = []
    for k, name in enumerate(signature.class_names):
        counts = [int(((labels == k) & (answers == other)).sum()) for other in range(len(signature.class_names))]
        total = max(sum(counts), 1)
        cells = [{"n": n, "right": k == other, "heat": min(int(5 * n / total), 4)} for other, n in enumerate(counts)]
        rows.append({"truth": clean(name), "cells": cells, "total": sum(counts)})
    return rows
