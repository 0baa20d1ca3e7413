"""What the report shows of held-out people: the dot plot, the pictures that turned and the confusion table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison import Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, photograph_sheet
from modelcheck.report.words import clean

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
        metric: [row(item, findings) for item in comparison.measures.values() if item.metric == metric]
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
            {"role": role.capitalize(), "table": confusion(found.confusion, comparison.candidate.class_names)}
            for role, found in comparison.statistics.items()
        ],
        "classes": [clean(name) for name in comparison.candidate.class_names],
    }


def _changed_answers(comparison: Comparison, panel: Panel | None, sheets: list[Sheet]) -> dict[str, Any]:
    labels, answers = comparison.candidate.pictures["labels"], comparison.candidate.scores.argmax(axis=1)
    changes = comparison.answer_changes
    shown = changes.turned_wrong[:_TURNED]
    names = comparison.candidate.class_names
    view = None
    if panel is not None and len(shown):
        pixels = shrink(panel.inputs(comparison.candidate.recipe.input_range)[shown], side=_SIDE)
        sheets.append(photograph_sheet("turned", pixels))
        view = sheets[-1]
    pictures = comparison.candidate.pictures
    return {
        "total": len(changes.turned_wrong),
        "turned_right": changes.turned_right,
        "left_out": len(changes.turned_wrong) - len(shown),
        "sheet": view,
        "rows": [
            {
                "at": place,
                "name": clean(pictures["names"][i]) if "names" in pictures else f"picture {i}",
                "subject": clean(pictures["subjects"][i]),
                "truth": clean(names[labels[i]]),
                "said": clean(names[answers[i]]),
            }
            for place, i in enumerate(shown.tolist())
        ],
    }


def confusion(counts: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Return how often each class was answered, one row a true class.

    Parameters
    ----------
    counts : np.ndarray
        ``(classes, classes)`` pictures by true class, in rows, and by answer.
    class_names : sequence of str
        The names of the classes.

    Returns
    -------
    list of dict
        ``truth`` and ``cells`` with ``n``, ``right`` and ``heat`` (0 to 4, the share of the row).
    """
    rows = []
    for k, (name, row_counts) in enumerate(zip(class_names, counts.tolist(), strict=True)):
        total = sum(row_counts)
        cells = [
            {"n": n, "right": k == other, "heat": min(int(5 * n / max(total, 1)), 4)}
            for other, n in enumerate(row_counts)
        ]
        rows.append({"truth": clean(name), "cells": cells, "total": total})
    return rows
