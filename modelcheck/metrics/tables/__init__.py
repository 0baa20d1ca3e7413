"""What moves a network that answers rows of a table, how, and for whom: arrays in, numbers out.

`views` says how answers are looked at; `drivers` which columns hold the evidence; `effects` how a
column moves the answers, and `gaps` whether it does so in every sub-population; `groups` and
`errors` how right the answers are, for whom. `draws` are the resamples and permutations of all.
"""

from modelcheck.metrics.tables.drivers import correlate_ranks, draw_shares, find_ends
from modelcheck.metrics.tables.effects import (
    Curve,
    LocalChanges,
    accumulate_effect,
    find_curve_distance,
    measure_effect_change,
)
from modelcheck.metrics.tables.errors import compute_errors, correlate_answers, error_change, root_mean_square
from modelcheck.metrics.tables.gaps import Gap, adjust_holm, measure_gaps
from modelcheck.metrics.tables.groups import (
    Difference,
    compute_rates,
    find_difference,
    find_error_difference,
    measure_share,
)
from modelcheck.metrics.tables.views import measure_view_spread, view_scores

__all__ = [
    "Curve",
    "Difference",
    "Gap",
    "LocalChanges",
    "accumulate_effect",
    "adjust_holm",
    "compute_errors",
    "compute_rates",
    "correlate_answers",
    "correlate_ranks",
    "draw_shares",
    "error_change",
    "find_curve_distance",
    "find_difference",
    "find_ends",
    "find_error_difference",
    "measure_effect_change",
    "measure_gaps",
    "measure_share",
    "measure_view_spread",
    "root_mean_square",
    "view_scores",
]
