"""Two signatures beside each other: layers, subjects, regions, and the catalogue of metrics that they fill."""

from modelcheck.comparison.asking import KERAS, WHOLE, Offer, find_offer, is_saturated, offer_of, say_saturated
from modelcheck.comparison.catalogue import METRICS, plan_metric, possible, shown_in, tell_material, unit_of
from modelcheck.comparison.comparison import Comparison, compare, reduce_twin
from modelcheck.comparison.controversial import ControversialExchange, ExchangeMap, PictureExchanges
from modelcheck.comparison.conversion import BROKEN_BELOW, Conversion, say_unrelated
from modelcheck.comparison.layers import LayerComparison
from modelcheck.comparison.lineage import RELATED
from modelcheck.comparison.metric import ABOUT, AREAS, CLASSES, NUMBERS, PICTURES, PLACES, Metric
from modelcheck.comparison.recognition import MapAnswer, find_classes_without_map
from modelcheck.comparison.records import (
    AnyComparison,
    has_same_architecture,
    reduce_record,
    tell_record,
    with_retrained,
    without_untrained,
)
from modelcheck.comparison.sureness import Sureness, count_missing, measure_sureness
from modelcheck.comparison.tables import (
    Drivers,
    EffectComparison,
    EffectGap,
    GroupRates,
    ProfilePair,
    TableComparison,
    TableLayer,
    compare_tables,
    reduce_table_twin,
)
from modelcheck.signature.counterparts import CompareError

__all__ = [
    "ABOUT",
    "AREAS",
    "BROKEN_BELOW",
    "CLASSES",
    "KERAS",
    "METRICS",
    "NUMBERS",
    "PICTURES",
    "PLACES",
    "RELATED",
    "WHOLE",
    "AnyComparison",
    "CompareError",
    "Comparison",
    "ControversialExchange",
    "Conversion",
    "Drivers",
    "EffectComparison",
    "EffectGap",
    "ExchangeMap",
    "GroupRates",
    "LayerComparison",
    "MapAnswer",
    "Metric",
    "Offer",
    "PictureExchanges",
    "ProfilePair",
    "Sureness",
    "TableComparison",
    "TableLayer",
    "compare",
    "compare_tables",
    "count_missing",
    "find_classes_without_map",
    "find_offer",
    "has_same_architecture",
    "is_saturated",
    "measure_sureness",
    "offer_of",
    "plan_metric",
    "possible",
    "reduce_record",
    "reduce_table_twin",
    "reduce_twin",
    "say_saturated",
    "say_unrelated",
    "shown_in",
    "tell_material",
    "tell_record",
    "unit_of",
    "with_retrained",
    "without_untrained",
]
