"""What is known of the units of a hidden layer, and how it comes back from the process that looked."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SPARE_EFFECT", "LayerUnits", "read_layer_units", "units_table", "write_layer_units"]

SPARE_EFFECT = 0.005  # share of the margins' spread; the median unit of a conv layer moves 0.02 to 0.05
_MAX_BYTES = 2**28


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerUnits:
    """What is known of the units of one hidden layer.

    Parameters
    ----------
    name, kind : str
        Name and kind of the layer.
    units : np.ndarray
        ``(n,)`` indices of the units that were examined.
    health : tuple of str
        One word each, see `modelcheck.metrics.health.HEALTH`.
    effects : np.ndarray
        ``(n,)`` ablation effects, see `modelcheck.pruning.ablation.ablation_effects`.
    """

    name: str
    kind: str
    units: np.ndarray
    health: tuple[str, ...]
    effects: np.ndarray

    @property
    def spare(self) -> np.ndarray:
        """Whether each unit could go: dead or flat, or its ablation moves the margins by less than `SPARE_EFFECT`."""
        useless = np.isin(np.array(self.health), ("dead", "flat"))
        return (useless & ~(self.effects >= SPARE_EFFECT)) | (self.effects < SPARE_EFFECT)


def units_table(rows: Sequence[LayerUnits]) -> pd.DataFrame:
    """Return one row per unit: layer, unit, health, ablation effect, and whether it could be spared."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"layer": row.name, "unit": int(unit), "health": word, "ablation": float(effect), "spare": bool(spare)}
            for row in rows
            for unit, word, effect, spare in zip(row.units, row.health, row.effects, row.spare, strict=True)
        ]
    )


def write_layer_units(path: Path, rows: Sequence[LayerUnits]) -> None:
    """Write what was found as JSON, from which `read_layer_units` makes the same; NaN becomes null."""
    table = [
        {
            "name": row.name,
            "kind": str(row.kind),
            "units": row.units.tolist(),
            "health": list(row.health),
            "effects": [effect if math.isfinite(effect) else None for effect in row.effects.tolist()],
        }
        for row in rows
    ]
    path.write_text(json.dumps(table), encoding="utf-8")


def read_layer_units(path: Path) -> list[LayerUnits]:
    """Read what `write_layer_units` wrote.

    Raises
    ------
    ValueError
        When it is not there, or is none.
    """
    try:
        table: Any = json_document(read_file(path, max_bytes=_MAX_BYTES))
        return [
            LayerUnits(
                name=str(row["name"]),
                kind=str(row["kind"]),
                units=np.array(row["units"], dtype=np.int64),
                health=tuple(map(str, row["health"])),
                effects=np.array([math.nan if effect is None else effect for effect in row["effects"]], dtype=float),
            )
            for row in table
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Looking at the units left nothing that can be read: {error}. Run it again.") from error
