"""What the report shows of exchanged pictures: whether the candidate decides by the same parts of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcheck.comparison import METRICS, Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.report.charts import row

__all__ = ["places_view"]


def places_view(comparison: Comparison, findings: Mapping[str, Finding]) -> dict[str, Any] | None:
    """Return everything of the section *Same places*; None for a comparison without these measures.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key.
    """
    rows = [row(item, findings) for item in comparison.measures.values() if METRICS[item.metric].area == "places"]
    if not rows:
        return None
    return {"rows": rows, "sentence": "" if comparison.exchanges is None else comparison.exchanges.sentence}
