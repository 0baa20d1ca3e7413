"""What the report shows of the HappyMaps, put together: the network map, the decision layer and every other layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modelcheck.comparison import METRICS, Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.report.answered import answered_view
from modelcheck.report.calibration import calibration_view
from modelcheck.report.charts import layer_rows, network_map
from modelcheck.report.decision import decision_view
from modelcheck.report.layers import layer_views
from modelcheck.report.pictures import Sheet
from modelcheck.report.words import clean, count, head, number
from modelcheck.signature import LayerRecord
from modelcheck.units import LayerKind

__all__ = ["feature_view"]

# What a line between two layers says, by whether they decide.
_LINKS = {False: "activation_correlation", True: "recognition"}


def feature_view(comparison: Comparison, findings: Mapping[str, Finding], sheets: list[Sheet]) -> dict[str, Any]:
    """Return everything of the section *Same features*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    sheets : list of Sheet
        Receives the pictures.
    """
    rows = layer_rows(comparison, comparison.layers[-1].baseline.name, findings)
    return {
        "rendered": comparison.rendered,
        "map": _map(comparison),
        "calibration": calibration_view(comparison),
        "decision": decision_view(
            {"baseline": comparison.baseline, "candidate": comparison.candidate},
            comparison.statistics,
            sheets,
            ranked=_rank_classes(comparison),
        )
        if comparison.rendered
        else answered_view(comparison, sheets),
        # What is asked beside a source stands in the section on the conversion.
        "decision_rows": [item for item in rows if "source" not in METRICS[item["metric"]].takes],
        "layers": layer_views(comparison, findings, sheets),
    }


def _rank_classes(comparison: Comparison) -> list[int]:
    """Return the classes, first those without a map in one network, and then those whose maps are least alike."""
    matching = comparison.layers[-1].matching
    alone = sorted({*matching.unmatched_baseline, *matching.unmatched_candidate})
    return [*alone, *(pair.baseline for pair in matching.pairs)]


def _map(comparison: Comparison) -> dict[str, Any]:
    own = [record.name for record in comparison.candidate.layers]
    links = []
    for k, layer in enumerate(comparison.layers):
        if layer.candidate is None:
            continue
        last = layer.baseline.kind == LayerKind.DECISION
        metric = _LINKS[last]
        score = comparison.metrics.get(f"{metric}[{layer.baseline.name}]", math.nan)
        tells = f"{clean(layer.baseline.name)} corresponds to {clean(layer.candidate.name)}: {number(score)}"
        links.append(
            {
                "baseline": k,
                "candidate": own.index(layer.candidate.name),
                "score": score if math.isfinite(score) else None,
                "anchor": "decision" if last else f"layer-{k}",
                "tells": tells,
            }
        )
    partnered = {layer.candidate.name for layer in comparison.layers if layer.candidate}
    drawn = network_map(
        [_box(layer.baseline, layer.candidate is not None) for layer in comparison.layers],
        [_box(record, record.name in partnered) for record in comparison.candidate.layers],
        links,
    )
    return {**drawn, "hidden": head(_LINKS[False]), "last": head(_LINKS[True])}


def _box(record: LayerRecord, matched: bool) -> dict[str, Any]:
    alone = "" if matched else ", unmatched"
    says = f"{record.kind}, {count(record.n_units, 'unit')}{alone}"
    return {"name": record.name, "says": says, "units": record.n_units, "alone": not matched}
