"""What the report shows of held-out people: the dot plot, the pictures that turned and the confusion table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, photograph_sheet, shrunk
from modelcheck.report.words import clean
from modelcheck.signature import Signature

__all__ = ["confusion", "people_view"]

_TURNED = 24
_SIDE = 96


def people_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return everything of the section *Held-out people*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key.
    panel : Panel or None
        The pictures; None leaves them out.
    sheets : list of Sheet
        Receives the pictures.
    """
    rows = {
        metric: [row(item, findings) for item in comparison.measures if item.metric == metric]
        for metric in ("subject_accuracy", "subject_change", "group_accuracy", "accuracy_change", "kappa", "answers")
    }
    plots = [
        dot_plot("Balanced accuracy", "Person", [*rows["subject_accuracy"], *rows["group_accuracy"]], (0.0, 1.0)),
        dot_plot(
            "Change from the baseline, on the same pictures",
            "Person",
            [*rows["subject_change"], *rows["accuracy_change"]],
            (-0.5, 0.5),
        ),
    ]
    return {
        "plots": [plot for plot in plots if plot["rows"]],
        "rows": [*rows["kappa"], *rows["answers"]],
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
