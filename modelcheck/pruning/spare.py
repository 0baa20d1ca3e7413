"""Which units of a network a smaller one could do without: dead, flat, or without effect on the decision."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from modelcheck.answers.probes import choose_probe_rows, choose_shown_pictures
from modelcheck.happymaps import ascend
from modelcheck.interface import Interface
from modelcheck.measurement.fitting import fit_network
from modelcheck.measurement.reading import compute_layer_features
from modelcheck.metrics.health import unit_health
from modelcheck.network import check_agreement
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel
from modelcheck.pruning.ablation import ablation_effects
from modelcheck.pruning.layer_units import LayerUnits
from modelcheck.recipe import Recipe

__all__ = ["examine_units"]


def examine_units(
    path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    interface: Interface | None = None,
    custom_objects: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> list[LayerUnits]:
    """Examine the units of every hidden layer.

    Parameters
    ----------
    path : str or path-like
        A ``.keras`` file.
    panel : Panel
        Pictures of the network's size; the recipe's number of probes is used.
    recipe : Recipe, optional
        Settings of the ascent; at most its `units_per_layer` of a layer are examined.
    interface : Interface, optional
        How the network's inputs and outputs are to be understood.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed.
    progress : callable, optional
        ``progress(what, share_done)``, called before each layer.

    Raises
    ------
    ModelError, NetworkError
        When the file or the network cannot be read, or does not fit the panel, or does not answer
        as its layers do.
    """
    recipe = recipe or Recipe()
    network = fit_network(
        load_network(path, custom_objects=custom_objects)[0], panel, interface or Interface(), recipe=recipe
    )
    check_agreement(network, choose_shown_pictures(panel, recipe))
    images = panel.inputs(recipe.input_range)[choose_probe_rows(panel, recipe.probe_pictures)]
    rows = []
    layers = network.unit_layers()[:-1]
    for number, layer in enumerate(layers):
        if progress is not None:
            progress(layer.name, number / len(layers))
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
