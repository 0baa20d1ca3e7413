"""By which parts of a picture a network decides: cells of pictures exchanged for another picture's, and mosaics.

Forward passes are all it takes. `stimuli` chooses the pictures, the same for every network;
`distances` turns answers to them into evidence, into a map of where the decision lives, and into
how far two networks are apart, in units of what training again moves.
"""

from modelcheck.metrics.exchanges.distances import (
    Apart,
    compute_evidence,
    compute_falls,
    compute_strengths,
    find_distance,
    leave_one_out,
    map_strengths,
    measure_spread,
    win_shares,
)
from modelcheck.metrics.exchanges.stimuli import (
    Grid,
    Stimuli,
    choose_stimuli,
    exchange_cells,
    make_grids,
    mix_pictures,
)

__all__ = [
    "Apart",
    "Grid",
    "Stimuli",
    "choose_stimuli",
    "compute_evidence",
    "compute_falls",
    "compute_strengths",
    "exchange_cells",
    "find_distance",
    "leave_one_out",
    "make_grids",
    "map_strengths",
    "measure_spread",
    "mix_pictures",
    "win_shares",
]
