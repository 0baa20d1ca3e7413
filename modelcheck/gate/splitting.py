"""Into which blocks the measurement of one network is split: by counts alone, so that every run splits it alike."""

from __future__ import annotations

from modelcheck.comparison import PICTURES, tell_material
from modelcheck.gate.request import Request
from modelcheck.modelfile import ScanReport
from modelcheck.recipe import Recipe
from modelcheck.signature import read_manifest
from modelcheck.signature.parts import Block

__all__ = ["split"]

_SMALL = 2**20  # bytes of a file below which a network is not split
# Bytes of weights that are gone through: about half a minute on one core. A block costs some seconds
# of its own, for TensorFlow is imported and the network loaded and traced.
_WORK = 3e10
_MOST = 16  # blocks
_FEW = 4  # blocks up to which a network's twins are measured where it is, for they use what was traced for it
_WITH_UNITS = ("conv", "dense")


def split(request: Request, report: ScanReport) -> tuple[Block, ...]:
    """Return the blocks of a network, none where it is measured as a whole.

    A network that is measured within about a minute is not split, nor one whose file has less than
    a mebibyte, one on a table, or a LiteRT or ONNX file. A larger one is split into groups of
    layers; a much larger one also into itself and its untrained twins.

    Parameters
    ----------
    request : Request
        What is measured.
    report : ScanReport
        What the network's file holds.
    """
    recipe = _find_recipe(request)
    if recipe is None or report.format != "keras" or report.size < _SMALL:
        return ()
    stages = 1 + (recipe.untrained_twins if request.twins else 0)
    layers = sum(count for name, count in report.classes.items() if any(part in name.lower() for part in _WITH_UNITS))
    passes = layers * recipe.units_per_layer * recipe.steps * stages
    blocks = min(round(report.size * passes / _WORK), _MOST)
    if blocks <= 1:
        return ()
    if blocks <= _FEW:
        return tuple(Block(stages=tuple(range(stages)), group=group, groups=blocks) for group in range(blocks))
    groups = -(-blocks // stages)
    return tuple(
        Block(stages=(stage,), group=group, groups=groups) for stage in range(stages) for group in range(groups)
    )


def _find_recipe(request: Request) -> Recipe | None:
    """Return the recipe for pictures by which a network is measured; None on a table, or where the panel decides."""
    if request.like is None:
        return request.recipe if isinstance(request.recipe, Recipe) else None
    manifest = read_manifest(request.like)
    return Recipe.from_dict(manifest["recipe"]) if tell_material(manifest) == PICTURES else None
