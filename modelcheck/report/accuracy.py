"""What the report shows of held-out pictures: dot plots by subject and class, what turned, how sure it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison, Metric, measure_sureness
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, photograph_sheet
from modelcheck.report.sureness import describe_drop
from modelcheck.report.words import Noun, clean, head, limits, number

__all__ = ["accuracy_view", "confusion", "mistakes", "plot_by_thing"]

_TURNED = 24
_SIDE = 96
_TABLE = 20  # classes of which a table of answers can be read
_MISTAKES = 20


def accuracy_view(
    comparison: Comparison,
    findings: Mapping[str, Finding],
    panel: Panel | None,
    sheets: list[Sheet],
    *,
    criteria: Sequence[Criterion],
    noun: Noun,
) -> dict[str, Any]:
    """Return everything of the section *Held-out data*.

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
    criteria : sequence of Criterion
        The limits; without any, nothing is said of what the panel can show.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """
    here = [metric for metric in METRICS.values() if metric.area == "accuracy"]
    rows = {
        metric.name: [
            row(item, findings, noun=noun) for item in comparison.measures.values() if item.metric == metric.name
        ]
        for metric in here
    }
    things = _name_things(noun)
    return {
        "one": noun[0],
        "many": noun[1],
        "subjects": bool(comparison.subjects),
        "plots": plot_by_thing(here, rows, noun=noun),
        "unseen": [clean(name) for name in comparison.baseline.classes_without_pictures],
        "sureness": [
            {
                "thing": things[METRICS[item.metric].about],
                "about": clean(item.about),
                "pictures": item.pictures,
                "accuracy": number(item.accuracy),
                "must": f"{head(item.metric)} {limits(item.criterion)}",
                "says": describe_drop(item),
            }
            for item in measure_sureness(comparison.baseline, criteria)
        ],
        "rows": [item for metric in here if not metric.about and not metric.mean_of for item in rows[metric.name]],
        "turned": _changed_answers(comparison, panel, sheets),
        "confusions": [
            {
                "role": role.capitalize(),
                "table": confusion(found.confusion, comparison.candidate.class_names),
                "mistakes": mistakes(found.confusion, comparison.candidate.class_names),
            }
            for role, found in comparison.statistics.items()
        ],
        "classes": [clean(name) for name in comparison.candidate.class_names],
    }


def _name_things(noun: Noun) -> dict[str, str]:
    return {"subject": noun[0], "class_name": "class"}


def plot_by_thing(
    here: Sequence[Metric], rows: Mapping[str, list[dict[str, Any]]], *, noun: Noun
) -> dict[str, list[dict[str, Any]]]:
    """Return a chart for each metric with one value a subject or class; the mean over subjects is its last row.

    Parameters
    ----------
    here : sequence of Metric
        Those that are shown.
    rows : mapping of str to list of dict
        By the metric's name, from `modelcheck.report.charts.row`.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """
    things = _name_things(noun)
    charts = {metric: [mean.name for mean in here if mean.mean_of == metric.name] for metric in here if metric.about}
    plots: dict[str, list[dict[str, Any]]] = {kind: [] for kind in things}
    for metric, means in charts.items():
        of = [*rows[metric.name], *(item for mean in means for item in rows[mean])]
        if of:
            shown = [metric.name, *means] if rows[metric.name] else means
            heading = " and ".join([METRICS[shown[0]].title, *(head(mean) for mean in shown[1:])])
            plots[metric.about].append(dot_plot(heading, things[metric.about].capitalize(), of, metric.span))
    return plots


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
                "subject": clean(pictures["subjects"][i]) if comparison.subjects else "",
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
        ``truth`` and ``cells`` with ``n``, ``right`` and ``heat`` (0 to 4, the share of the row);
        empty for more classes than a table can hold, see `mistakes`.
    """
    rows: list[dict[str, Any]] = []
    if len(class_names) > _TABLE:
        return rows
    for k, (name, row_counts) in enumerate(zip(class_names, counts.tolist(), strict=True)):
        total = sum(row_counts)
        cells = [
            {"n": n, "right": k == other, "heat": min(int(5 * n / max(total, 1)), 4)}
            for other, n in enumerate(row_counts)
        ]
        rows.append({"truth": clean(name), "cells": cells, "total": total})
    return rows


def mistakes(counts: np.ndarray, class_names: Sequence[str]) -> dict[str, Any] | None:
    """Return the commonest wrong answers, where there are too many classes for a table; see `confusion`.

    Parameters
    ----------
    counts : np.ndarray
        ``(classes, classes)`` pictures by true class, in rows, and by answer.
    class_names : sequence of str
        The names of the classes.

    Returns
    -------
    dict or None
        ``rows`` with ``truth``, ``said``, ``n`` and ``of``, the commonest first, and how many wrong
        answers there are in ``total``.
    """
    if len(class_names) <= _TABLE:
        return None
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MISTAKES]
    places = [divmod(at, len(counts)) for at in order.tolist() if wrong.flat[at]]
    names = [clean(name) for name in class_names]
    rows = [
        {"truth": names[true], "said": names[said], "n": int(wrong[true, said]), "of": int(counts[true].sum())}
        for true, said in places
    ]
    return {"rows": rows, "total": int(wrong.sum())}
