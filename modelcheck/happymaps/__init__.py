"""HappyMaps: the image that makes a unit happiest, by gradient ascent.

Activation maximisation after Erhan, Bengio, Courville and Vincent ("Visualizing higher-layer
features of a deep network", 2009), with the gradient averaged over shifted and noisy copies as in
Mordvintsev, Olah and Tyka ("Inceptionism", 2015). The noise is keyed by (seed, step) alone and is
therefore the same for every unit, every layer and every network: a unit has the same map alone and
in a batch, and permuting channels permutes maps. Maps are never contrast-stretched.
"""

from modelcheck.happymaps.answers import unit_answers
from modelcheck.happymaps.ascent import Ascent, Climbs, ascend, choose_units, render_happy_maps
from modelcheck.happymaps.canvas import NaturalPictures, natural_pictures
from modelcheck.happymaps.maps import HappyMaps
from modelcheck.happymaps.objectives import OBJECTIVES, Objective, margins

__all__ = [
    "OBJECTIVES",
    "Ascent",
    "Climbs",
    "HappyMaps",
    "NaturalPictures",
    "Objective",
    "ascend",
    "choose_units",
    "margins",
    "natural_pictures",
    "render_happy_maps",
    "unit_answers",
]
