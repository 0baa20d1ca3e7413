"""Two networks on one table: what drives each, how, and for whom."""

from modelcheck.comparison.tables.comparison import (
    Drivers,
    EffectComparison,
    EffectGap,
    GroupRates,
    ProfilePair,
    TableComparison,
    compare_tables,
)

__all__ = [
    "Drivers",
    "EffectComparison",
    "EffectGap",
    "GroupRates",
    "ProfilePair",
    "TableComparison",
    "compare_tables",
]
