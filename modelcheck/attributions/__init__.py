"""What in a picture a network's decision rests on.

`attribute` is the one call; `attribution_methods` names what it takes; `project_unit` and
`top_images` say the same of one unit.
"""

from __future__ import annotations

from modelcheck.attributions.methods import BLACK_BOX, SLOPES, attribute, attribution_methods
from modelcheck.attributions.projection import TopImages, project_unit, top_images
from modelcheck.attributions.reading import AttributionError
from modelcheck.attributions.rules import (
    Composite,
    Rule,
    Share,
    Term,
    alpha_beta,
    epsilon_rule,
    flat,
    gamma_rule,
    w_square,
    z_box,
    z_plus,
)

__all__ = [
    "BLACK_BOX",
    "SLOPES",
    "AttributionError",
    "Composite",
    "Rule",
    "Share",
    "Term",
    "TopImages",
    "alpha_beta",
    "attribute",
    "attribution_methods",
    "epsilon_rule",
    "flat",
    "gamma_rule",
    "project_unit",
    "top_images",
    "w_square",
    "z_box",
    "z_plus",
]
