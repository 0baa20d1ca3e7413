"""Two signatures beside each other: layers, people, regions, and the catalogue of metrics that they fill."""

from modelcheck.comparison.catalogue import METRICS, Metric, planned, possible
from modelcheck.comparison.comparison import Comparison, compare, kept_twin
from modelcheck.comparison.layers import LayerComparison
from modelcheck.comparison.lineage import RELATED
from modelcheck.signature.counterparts import CompareError

__all__ = [
    "METRICS",
    "RELATED",
    "CompareError",
    "Comparison",
    "LayerComparison",
    "Metric",
    "compare",
    "kept_twin",
    "planned",
    "possible",
]
