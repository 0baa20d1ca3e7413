"""What the report shows of attributions: where each network looks, and how much of that lies in the region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison
from modelcheck.metrics.localisation import relevance_mass
from modelcheck.panel import Panel
from modelcheck.report.charts import dot_plot, row
from modelcheck.report.pictures import Sheet, outline, photograph_sheet, relevance_sheet, shrunk
from modelcheck.report.words import clean, head
from modelcheck.signature import Signature

__all__ = ["attention_pictures", "attention_view"]

_SHOWN = 18
_SIDE = 96


def attention_view(
    comparison: Comparison, findings: Mapping[str, Mapping[str, Any]], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return everything of the section *Attention*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        Rows of the verdict document by key.
    panel : Panel or None
        The photographs beneath the attributions; None leaves them out.
    sheets : list of Sheet
        Receives the pictures.
    """
    plots = []
    for metric in (name for name, about in METRICS.items() if about.domain == "group"):
        rows = [row(item, findings) for item in comparison.measures if item.metric == metric]
        # What could not be measured is shown where somebody asked for it.
        if any(item["value"] is not None or item["verdict"] != "info" for item in rows):
            plots.append(dot_plot(rows[0]["title"], "Group", rows, METRICS[metric].span))
    checks = [row(item, findings) for item in comparison.measures if METRICS[item.metric].domain == "method"]
    for item in checks:
        item["title"] = f"{item['about']}: {head(item['metric'])}"
    return {
        "plots": plots,
        "checks": checks,
        **attention_pictures(comparison.baseline, comparison.candidate, panel, sheets),
    }


def attention_pictures(
    baseline: Signature | None, candidate: Signature, panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return the probe pictures with their attributions, by method, the least relevance inside the region first.

    Parameters
    ----------
    baseline : Signature or None
        None in a gallery of one network.
    candidate : Signature
        The network.
    panel : Panel or None
        The photographs.
    sheets : list of Sheet
        Receives the pictures.
    """
    first = candidate.recipe.attribution_methods[:1]
    known = [name for name in candidate.attributions if baseline is None or name in baseline.attributions]
    methods = sorted(known, key=lambda name: (name not in first, name))
    chosen = {name: _worst(candidate, name) for name in methods}
    used = sorted({int(i) for order in chosen.values() for i in order})
    photos = None
    if panel is not None and used:
        pixels = shrunk(panel.inputs(candidate.recipe.input_range)[candidate.probes[used]], side=_SIDE)
        sheets.append(photograph_sheet("photos", pixels))
        photos = sheets[-1]
    made = [
        _method(k, name, baseline, candidate, order=chosen[name], used=used, sheets=sheets)
        for k, name in enumerate(methods)
    ]
    return {
        "methods": made,
        "photos": photos,
        "regions": candidate.regions is not None,
        "total": len(candidate.probes),
        "shown": _SHOWN,
    }


def _masses(signature: Signature, method: str) -> np.ndarray:
    if signature.regions is None:
        return np.full(len(signature.probes), np.nan)
    return np.asarray(relevance_mass(signature.attributions[method], signature.regions, reduce="absolute_sum"))


def _worst(candidate: Signature, method: str) -> np.ndarray:
    """Return the probes with the least relevance inside the region, beside what its size would give."""
    masses = _masses(candidate, method)
    # An empty region holds no share: its mass is NaN, and it comes first.
    area = 1.0 if candidate.regions is None else np.maximum(candidate.regions.mean(axis=(1, 2)), 1e-9)
    gain = np.where(np.isfinite(masses), masses / area, -np.inf)
    return np.argsort(gain, kind="stable")[:_SHOWN]


def _method(
    k: int,
    name: str,
    baseline: Signature | None,
    candidate: Signature,
    *,
    order: np.ndarray,
    used: list[int],
    sheets: list[Sheet],
) -> dict[str, Any]:
    sides = {"candidate": candidate} if baseline is None else {"baseline": baseline, "candidate": candidate}
    made: dict[str, Any] = {"id": f"method-{k}", "name": clean(name), "rows": [], "sheets": {}}
    masses = {}
    for role, signature in sides.items():
        sheets.append(relevance_sheet(f"relevance-{k}-{role}", shrunk(signature.attributions[name][order], side=_SIDE)))
        made["sheets"][role] = sheets[-1]
        masses[role] = _masses(signature, name)
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
                "subject": clean(pictures["subjects"][i]),
                "truth": clean(names[int(pictures["labels"][i])]),
                "said": clean(names[int(candidate.scores[i].argmax())]),
                "outline": None if region is None else _outline(region),
                "area": None if region is None else _share(float(region.mean())),
                **{f"{role}_inside": _share(value) for role, value in inside.items()},
            }
        )
    return made


def _outline(region: np.ndarray) -> str:
    return outline(shrunk(region[None].astype(np.float64), side=_SIDE)[0] >= 0.5)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else "nothing"
