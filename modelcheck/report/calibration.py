"""What the report shows of the calibration: where each value stands between untrained and retrained twins."""

from __future__ import annotations

import math
from typing import Any

from modelcheck.comparison import Comparison, shown_in
from modelcheck.judgement.measured import Measured
from modelcheck.report.charts import Axis
from modelcheck.report.words import NOTHING, clean, head, meaning, number, title
from modelcheck.units import LayerKind

__all__ = ["calibration_view"]


def calibration_view(comparison: Comparison) -> dict[str, Any]:
    """Return the strips of *Between untrained and retrained*: each value among its twins.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    """
    anchors = {
        layer.baseline.name: "decision" if layer.baseline.kind == LayerKind.DECISION else f"layer-{k}"
        for k, layer in enumerate(comparison.layers)
    }
    measures = [
        item
        for metric in shown_in("strip")
        for item in comparison.measures.values()
        if item.metric == metric
        and item.about in anchors
        and math.isfinite(item.value)
        and (item.floor or item.ceiling)
    ]
    every = [x for item in measures for x in (item.value, *item.floor, *item.ceiling)]
    axis = Axis.over(every, at_least=(0, 1))
    rows = []
    for item in measures:
        score = comparison.calibrated[item.metric, item.about]
        rows.append(
            {
                "name": f"{clean(item.about, longest=24)}: {head(item.metric)}",
                "anchor": anchors[item.about],
                "at": axis.at(item.value),
                "says": number(item.value),
                "floor": [axis.at(x) for x in item.floor if math.isfinite(x)],
                "ceiling": [axis.at(x) for x in item.ceiling if math.isfinite(x)],
                "score": number(score) if math.isfinite(score) else NOTHING,
                "tells": _describe_twins(item),
            }
        )
    return {
        "rows": rows,
        "ticks": axis.ticks,
        "untrained": len(comparison.candidate.twins),
        "retrained": len(comparison.baseline.twins_like(comparison.baseline)),
        "meanings": {title(item.metric): meaning(item.metric) for item in measures},
        "alike": [clean(layer) for layer in comparison.layers_as_retrained] if comparison.rendered else [],
    }


def _describe_twins(item: Measured) -> str:
    words = f"candidate {number(item.value)}"
    for name, values in (("untrained", item.floor), ("retrained", item.ceiling)):
        finite = [x for x in values if math.isfinite(x)]
        words += f", {name} twins {number(min(finite))} to {number(max(finite))}" if finite else ""
    return words
