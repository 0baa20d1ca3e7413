"""Recipe settings for the panel that is measured on: pictures, or rows of a table."""

from __future__ import annotations

from pathlib import Path

from modelcheck.cli.shared import read_recipe_settings
from modelcheck.gate.heldout import is_table
from modelcheck.gate.request import AnyRecipe, recipe_for
from modelcheck.panel import AnyPanel

__all__ = ["recipe_on"]


def recipe_on(panel: AnyPanel, path: Path | None) -> AnyRecipe:
    """Read recipe settings for a panel of pictures or of a table, or return the standard recipe for it."""
    return recipe_for({} if path is None else read_recipe_settings(path), table=is_table(panel))
