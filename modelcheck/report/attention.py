"""What the report shows of attributions: where each network looks, and how much of that lies in the region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison
from modelcheck.comparison.statistics import NetworkStatistics
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, outline, photograph_sheet, relevance_sheet
from modelcheck.report.words import Noun, clean, head
from modelcheck.signature import Signature

__all__ = ["attention_pictures", "attention_view"]

_SHOWN = 18
_SIDE = 96


def attention_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet], *, noun: Noun
) -> dict[str, Any]:
    """Return everything of the section *Attention*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key.
    panel : Panel or None
        The pictures beneath the attributions; None leaves them out.
    sheets : list of Sheet
        Receives the pictures.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """
    plots = []
    for metric in (name for name, about in METRICS.items() if about.domain == "group"):
        rows = [row(item, findings, noun=noun) for item in comparison.measures.values() if item.metric == metric]
        # What could not be measured is shown where somebody asked for it.
        if any(item["value"] is not None or item["verdict"] != "info" for item in rows):
            plots.append(dot_plot(rows[0]["title"], "Group", rows, METRICS[metric].span))
    measures = comparison.measures.values()
    checks = [row(item, findings) for item in measures if METRICS[item.metric].domain == "method"]
    for item in checks:
        item["title"] = f"{item['about']}: {head(item['metric'])}"
    return {
        "plots": plots,
        "checks": checks,
        **attention_pictures(
            {"baseline": comparison.baseline, "candidate": comparison.candidate}, comparison.statistics, panel, sheets
        ),
    }


def attention_pictures(
    networks: Mapping[str, Signature],
    statistics: Mapping[str, NetworkStatistics],
    panel: Panel | None,
    sheets: list[Sheet],
) -> dict[str, Any]:
    """Return the probe pictures with their attributions, by method, the least relevance inside the region first.

    Parameters
    ----------
    networks : mapping of str to Signature
        The candidate, and the baseline unless it is a gallery of one network, by role.
    statistics : mapping of str to NetworkStatistics
        What was computed of each, by role.
    panel : Panel or None
        The pictures.
    sheets : list of Sheet
        Receives the pictures.
    """
    candidate = networks["candidate"]
    first = candidate.recipe.attribution_methods[:1]
    known = [name for name in candidate.attributions if all(name in side.attributions for side in networks.values())]
    methods = sorted(known, key=lambda name: (name not in first, name))
    chosen = {name: statistics["candidate"].least_inside[name][:_SHOWN] for name in methods}
    used = sorted({int(i) for order in chosen.values() for i in order})
    photos = None
    if panel is not None and used:
        pixels = shrink(panel.inputs(candidate.recipe.input_range)[candidate.probes[used]], side=_SIDE)
        sheets.append(photograph_sheet("photos", pixels))
        photos = sheets[-1]
    made = [
        _show_method(k, name, networks, statistics, order=chosen[name], used=used, sheets=sheets)
        for k, name in enumerate(methods)
    ]
    return {
        "methods": made,
        "photos": photos,
        "regions": candidate.regions is not None,
        "total": len(candidate.probes),
        "shown": _SHOWN,
    }


def _show_method(
    k: int,
    name: str,
    networks: Mapping[str, Signature],
    statistics: Mapping[str, NetworkStatistics],
    *,
    order: np.ndarray,
    used: list[int],
    sheets: list[Sheet],
) -> dict[str, Any]:
    candidate = networks["candidate"]
    made: dict[str, Any] = {"id": f"method-{k}", "name": clean(name), "rows": [], "sheets": {}}
    for role, signature in networks.items():
        sheets.append(relevance_sheet(f"relevance-{k}-{role}", shrink(signature.attributions[name][order], side=_SIDE)))
        made["sheets"][role] = sheets[-1]
    masses = {role: statistics[role].relevance_mass[name] for role in networks}
    pictures, names = candidate.pictures, candidate.class_names
    for place, probe in enumerate(order.tolist()):
        i = int(candidate.probes[probe])
        inside = {role: float(values[probe]) for role, values in masses.items()}
        region = None if candidate.regions is None else candidate.regions[probe]
        made["rows"].append(
            {
                "at": place,
                "photo": used.index(probe),
                "name": clean(pictures["names"][i]) if "names" in pictures else f"picture {i}",
                "subject": clean(pictures["subjects"][i]) if candidate.subjects else "",
                "truth": clean(names[int(pictures["labels"][i])]),
                "said": clean(names[int(candidate.scores[i].argmax())]),
                "outline": None if region is None else _outline(region),
                "area": None if region is None else _share(float(region.mean())),
                **{f"{role}_inside": _share(value) for role, value in inside.items()},
            }
        )
    return made


def _outline(region: np.ndarray) -> str:
    return outline(shrink(region[None].astype(np.float64), side=_SIDE)[0] >= 0.5)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else "nothing"
