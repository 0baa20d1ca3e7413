"""Two networks on one table: what drives each, how, and for whom."""

from modelcheck.comparison.tables.comparison import TableComparison, compare_tables, reduce_table_twin
from modelcheck.comparison.tables.drivers import Drivers
from modelcheck.comparison.tables.effects import EffectComparison
from modelcheck.comparison.tables.gaps import EffectGap
from modelcheck.comparison.tables.groups import GroupRates
from modelcheck.comparison.tables.layers import TableLayer
from modelcheck.comparison.tables.profiles import ProfilePair

__all__ = [
    "Drivers",
    "EffectComparison",
    "EffectGap",
    "GroupRates",
    "ProfilePair",
    "TableComparison",
    "TableLayer",
    "compare_tables",
    "reduce_table_twin",
]
