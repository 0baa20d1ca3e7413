"""What is read off one network's weights: maps, activations, scores, attributions, a fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.answers.condensing import pool_to_grid
from modelcheck.answers.exchanges import measure_exchanges
from modelcheck.answers.occlusion import choose_window
from modelcheck.answers.probes import choose_probe_rows
from modelcheck.attributions import attribute
from modelcheck.happymaps import Ascent, Climbs, NaturalPictures, ascend, natural_pictures
from modelcheck.metrics.exchanges import Stimuli, choose_stimuli
from modelcheck.network import KerasClassifier, Network, UnitLayer
from modelcheck.network.choosing import choose_layers
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import LayerRecord
from modelcheck.signature.counterparts import SeenLayers
from modelcheck.units import LayerKind

__all__ = [
    "Begin",
    "Inputs",
    "Progress",
    "compute_layer_features",
    "measure_layers",
    "measure_rest",
    "prepare_inputs",
    "see_layers",
]

Progress = Callable[[str, float], None]
Begin = Callable[[str], None]
"""Called with the name of a part that begins, as `modelcheck.measurement.costs` calls it."""

_BATCH = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What every measurement of one network starts from.

    Parameters
    ----------
    network : Network
        The flattened network.
    classifier : KerasClassifier
        The same network, asked for answers alone.
    panel : Panel
        The held-out pictures.
    panel_digest : str
        Their digest.
    images : np.ndarray
        ``(n, h, w, c)``: the same pictures in the network's input range.
    natural : NaturalPictures
        The pictures among which natural HappyMaps are sought.
    stimuli : Stimuli
        Which cells of which pictures are exchanged, and which pictures are mixed.
    recipe : Recipe
        How to measure.
    climbs : dict
        The traced ascents, which untrained twins use again.
    """

    network: Network
    classifier: KerasClassifier
    panel: Panel
    panel_digest: str
    images: np.ndarray
    natural: NaturalPictures
    stimuli: Stimuli
    recipe: Recipe
    climbs: Climbs = field(default_factory=dict)

    @property
    def layers(self) -> tuple[UnitLayer, ...]:
        """The layers that the recipe looks at, the decision last."""
        return choose_layers(self.network, self.recipe.hidden_layers)


def prepare_inputs(network: Network, panel: Panel, *, recipe: Recipe) -> Inputs:
    """Return what every measurement of a network on a panel starts from."""
    images = panel.inputs(recipe.input_range)
    natural = natural_pictures(images, components=recipe.natural_components)
    stimuli = choose_stimuli(
        panel.labels,
        panel.independent,
        size=network.input_shape[:2],
        pictures=recipe.exchange_pictures,
        mosaics=recipe.mosaics,
        seed=recipe.seed,
    )
    return Inputs(
        network=network,
        classifier=KerasClassifier(network),
        panel=panel,
        panel_digest=panel.digest(),
        images=images,
        natural=natural,
        stimuli=stimuli,
        recipe=recipe,
    )


def measure_layers(
    inputs: Inputs, begin: Begin, *, positions: Collection[int], most_classes: int | None = None
) -> dict[str, Any]:
    """Return what a signature holds of single layers, ``layers`` by their positions.

    Of the decision the maps of at most `most_classes` classes are rendered, evenly spread; the
    others are NaN.
    """
    network, recipe = inputs.network, inputs.recipe
    chosen = [(position, layer) for position, layer in enumerate(inputs.layers) if position in positions]
    records: dict[int, LayerRecord] = {}
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in ("units", "maps", "activations", "at_rest")}
    for position, layer in chosen:
        begin(f"HappyMaps of {layer.name}")
        if layer.kind == LayerKind.DECISION:
            outcome = _ascend_classes(inputs, layer, most=most_classes)
        else:
            outcome = ascend(network, layer, recipe=recipe, climbs=inputs.climbs)
        n_units = len(outcome.units) if layer.kind == LayerKind.DECISION else layer.n_units
        records[position] = LayerRecord(
            name=layer.name, kind=layer.kind, n_units=n_units, objective=outcome.objective, patch=outcome.patch
        )
        for name, values in parts.items():
            values[layer.name] = getattr(outcome, name)
    return {"layers": records, **parts}


def measure_rest(
    inputs: Inputs, begin: Begin, *, scores: np.ndarray, most_classes: int | None = None
) -> dict[str, Any]:
    """Return what else a signature holds about one network's weights, its ``relevance`` with every channel.

    `scores` are those of `modelcheck.answers.panel.answer_panel`, with the weights that the network
    has now; for `most_classes` see `measure_layers`.
    """
    network, panel, images, recipe = inputs.network, inputs.panel, inputs.images, inputs.recipe
    layers = inputs.layers
    probes = choose_probe_rows(panel, recipe.probe_pictures)
    begin("HappyMaps among natural pictures")
    natural = _ascend_classes(inputs, layers[-1], most=most_classes, among=inputs.natural)
    begin("activations")
    features = compute_layer_features(network, layers, images=images[probes])
    relevance = {}
    for method in recipe.attribution_methods:
        begin(f"attributions by {method}")
        relevance[method] = attribute(
            network, images[probes], panel.labels[probes], method=method, **_options(method, recipe, images)
        )
    begin("exchanged pictures")
    return {
        "natural": natural.maps,
        "natural_activations": natural.activations,
        "features": features,
        "scores": scores,
        "probes": probes,
        "regions": None if panel.regions is None else panel.regions[probes],
        "exchanges": measure_exchanges(inputs.classifier, images, panel.labels, scores=scores, stimuli=inputs.stimuli),
        "relevance": relevance,
    }


def _ascend_classes(
    inputs: Inputs, layer: UnitLayer, *, most: int | None, among: NaturalPictures | None = None
) -> Ascent:
    """Render the decision's maps, of at most so many classes, with NaN for the others."""
    count = inputs.network.n_classes
    every = np.arange(count)
    shown = every if most is None else np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    found = ascend(inputs.network, layer, recipe=inputs.recipe, units=shown, among=among, climbs=inputs.climbs)
    if len(shown) == count:
        return found
    maps = np.full((count, *found.maps.shape[1:]), np.nan, found.maps.dtype)
    reached, at_rest = np.full((2, count), np.nan, found.activations.dtype)
    maps[shown], reached[shown], at_rest[shown] = found.maps, found.activations, found.at_rest
    return replace(found, units=every, maps=maps, activations=reached, at_rest=at_rest)


def _options(method: str, recipe: Recipe, images: np.ndarray) -> dict[str, Any]:
    """Return what a method must be told: scales follow the picture's height, the reference is the mean picture."""
    if method == "smoothgrad":
        return {"seed": recipe.seed, "samples": recipe.smoothgrad_samples}
    if method == "occlusion":
        # A mid-grey window on dark photographs is a bright patch of its own; the mean picture takes
        # things away.
        window, stride = choose_window(images.shape[1])
        return {"window": window, "stride": stride, "reference": images.mean(axis=0)}
    return {}


def compute_layer_features(
    network: Network, layers: Sequence[UnitLayer], *, images: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each layer's activations on pictures, averaged over a coarse grid: ``(n, cells, units)``."""
    targets = [layer.activated for layer in layers]
    collected: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    for start in range(0, len(images), _BATCH):
        values = network.evaluate(tf.constant(images[start : start + _BATCH]), targets)
        for layer, value in zip(layers, values, strict=True):
            collected[layer.name].append(pool_to_grid(value.numpy()))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def see_layers(inputs: Inputs) -> SeenLayers:
    """Return what finding the counterparts of a network's layers takes, with the weights that it has now."""
    layers = inputs.layers
    records = [LayerRecord(name=x.name, kind=x.kind, n_units=x.n_units, objective="", patch=False) for x in layers]
    probes = choose_probe_rows(inputs.panel, inputs.recipe.probe_pictures)
    return SeenLayers(
        layers=records, features=compute_layer_features(inputs.network, layers, images=inputs.images[probes])
    )
