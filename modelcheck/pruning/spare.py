"""Which units of a network a smaller one could do without: dead, flat, or without effect on the decision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.happymaps import ascend
from modelcheck.measurement import check_compatible, choose_probe_rows, choose_shown_pictures, compute_layer_features
from modelcheck.metrics.health import unit_health
from modelcheck.network import check_agreement, flatten
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel
from modelcheck.pruning.ablation import ablation_effects
from modelcheck.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SPARE_EFFECT", "LayerUnits", "examine_units", "units_table"]

SPARE_EFFECT = 0.005  # share of the margins' spread; the median unit of a conv layer moves 0.02 to 0.05


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


def examine_units(path: str | os.PathLike[str], panel: Panel, recipe: Recipe | None = None) -> list[LayerUnits]:
    """Examine the units of every hidden layer.

    Parameters
    ----------
    path : str or path-like
        A ``.keras`` file.
    panel : Panel
        Pictures of the network's size; the recipe's number of probes is used.
    recipe : Recipe, optional
        Settings of the ascent; at most its `units_per_layer` of a layer are examined.

    Raises
    ------
    ModelError, NetworkError
        When the file or the network cannot be read, or does not fit the panel, or does not answer
        as its layers do.
    """
    recipe = recipe or Recipe()
    network = check_compatible(flatten(load_network(path)[0], size=panel.images.shape[1:3]), panel)
    check_agreement(network, choose_shown_pictures(panel, recipe))
    images = panel.inputs(recipe.input_range)[choose_probe_rows(panel, recipe.probe_pictures)]
    rows = []
    for layer in network.unit_layers()[:-1]:
        outcome = ascend(network, layer, recipe=recipe)
        features = compute_layer_features(network, [layer], images=images)[layer.name][..., outcome.units]
        rows.append(
            LayerUnits(
                name=layer.name,
                kind=layer.kind,
                units=outcome.units,
                health=unit_health(outcome.maps, features, input_range=recipe.input_range),
                effects=ablation_effects(network, layer, images, units=outcome.units),
            )
        )
    return rows


def units_table(rows: list[LayerUnits]) -> pd.DataFrame:
    """Return one row per unit: layer, unit, health, ablation effect, and whether it could be spared."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"layer": row.name, "unit": int(unit), "health": word, "ablation": float(effect), "spare": bool(spare)}
            for row in rows
            for unit, word, effect, spare in zip(row.units, row.health, row.effects, row.spare, strict=True)
        ]
    )
