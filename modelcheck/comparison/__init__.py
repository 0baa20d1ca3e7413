"""Two signatures beside each other: layers, people, regions, and the catalogue of metrics that they fill."""

from modelcheck.comparison.catalogue import METRICS, Metric, plan_metric, possible
from modelcheck.comparison.comparison import Comparison, compare, reduce_twin
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
    "plan_metric",
    "possible",
    "reduce_twin",
]
