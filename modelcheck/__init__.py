"""pytest for what a neural network learned.

The names below are the public door; each is imported when it is first used, so that ``import modelcheck`` loads
neither TensorFlow nor pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelcheck.attributions import attribute, attribution_methods
    from modelcheck.comparison import Comparison, compare
    from modelcheck.happymaps import render_happy_maps
    from modelcheck.judgement import Criterion, Finding, Measured, Verdict, judge
    from modelcheck.measurement import measure
    from modelcheck.metrics.similarity import ssim, ssim_matrix
    from modelcheck.panel import Panel
    from modelcheck.recipe import Recipe
    from modelcheck.signature import Signature, read_signature
    from modelcheck.units import Unit

__all__ = [
    "Comparison",
    "Criterion",
    "Finding",
    "Measured",
    "Panel",
    "Recipe",
    "Signature",
    "Unit",
    "Verdict",
    "attribute",
    "attribution_methods",
    "compare",
    "judge",
    "measure",
    "read_signature",
    "render_happy_maps",
    "ssim",
    "ssim_matrix",
]

_ROOMS = {
    "attributions": ("attribute", "attribution_methods"),
    "comparison": ("Comparison", "compare"),
    "judgement": ("Criterion", "Finding", "Measured", "Verdict", "judge"),
    "happymaps": ("render_happy_maps",),
    "measurement": ("measure",),
    "panel": ("Panel",),
    "recipe": ("Recipe",),
    "signature": ("Signature", "read_signature"),
    "metrics.similarity": ("ssim", "ssim_matrix"),
    "units": ("Unit",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'modelcheck' has no attribute {name!r}")
    return getattr(import_module(f"modelcheck.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
