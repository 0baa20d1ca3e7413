"""Whether a network hides a trigger: arithmetic on what no clean twin of it does.

Every clean image classifier is flipped by some small sticker, and retrained twins are flipped by
nearly the same one at nearly the same place. A planted trigger is a reaction that twins do not
share. So the question is differential: stamp every sticker of a dictionary on a few held-out
pictures, note how far each class's margin moves, and look for a place where the candidate moves and no clean
twin moves nearby. Searching for the smallest trigger instead (Wang et al., "Neural Cleanse", IEEE
S&P 2019) was measured not to tell small clean networks from backdoored ones; see docs/triggers.md.

A *shift* is in units of the network's own gap, the distance between its median margins on the
class's pictures and on the others, so that networks with linear and with softmax outputs compare: 1
carries a picture to the other side. The same unit measures how far ascent drives a network towards
a class, which finds triggers that are no stickers.
"""

from modelcheck.metrics.triggers.detection import MIN_TWINS, Place, TriggerScan, detect
from modelcheck.metrics.triggers.dictionary import PATTERNS, Stickers, TriggerError, sticker_families, sticker_rows
from modelcheck.metrics.triggers.excess import excess, gaps, strengths
from modelcheck.metrics.triggers.reach import ReachScan, compare_reach, reaches

__all__ = [
    "MIN_TWINS",
    "PATTERNS",
    "Place",
    "ReachScan",
    "Stickers",
    "TriggerError",
    "TriggerScan",
    "compare_reach",
    "detect",
    "excess",
    "gaps",
    "reaches",
    "sticker_families",
    "sticker_rows",
    "strengths",
]
