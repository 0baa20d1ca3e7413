"""What is read off one network's weights: maps, activations, scores, attributions, a fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions import SLOPES, attribute
from modelcheck.happymaps import Climbs, NaturalPictures, ascend, margins
from modelcheck.measurement.fitting import probe_rows
from modelcheck.metrics.faithfulness import pixel_flipping
from modelcheck.network import Network, NetworkError, UnitLayer
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import LayerRecord
from modelcheck.units import LayerKind

__all__ = ["Progress", "arrays_of", "class_scores", "fingerprint_of", "flipping_curves", "layer_features"]

Progress = Callable[[str, float], None]

_GRID = 4  # cells along each axis, over which activations are averaged
_BATCH = 64
_FINGERS = 512  # weights of a kernel that are kept to recognise an ancestor
_FLIPS, _FLIPPED = 6, 0.3  # steps of the flipping curve, and the share of the picture replaced in the end


def arrays_of(
    network: Network,
    panel: Panel,
    images: np.ndarray,
    among: NaturalPictures,
    recipe: Recipe,
    climbs: Climbs,
    tell: Progress,
) -> dict[str, Any]:
    """Return all that a signature holds about one network's weights, its ``relevance`` with every channel."""
    layers = network.unit_layers()
    probes = probe_rows(panel, recipe.probe_pictures)
    records: list[LayerRecord] = []
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in ("units", "maps", "activations", "at_rest")}
    work = len(layers) + 2 * len(recipe.attribution_methods) + 2
    for number, layer in enumerate(layers):
        tell(f"HappyMaps of {layer.name}", number / work)
        outcome = ascend(network, layer, recipe=recipe, climbs=climbs)
        n_units = len(outcome.units) if layer.kind == LayerKind.DECISION else layer.n_units
        records.append(
            LayerRecord(
                name=layer.name, kind=layer.kind, n_units=n_units, objective=outcome.objective, patch=outcome.patch
            )
        )
        for name, values in parts.items():
            values[layer.name] = getattr(outcome, name)
    tell("HappyMaps among natural pictures", len(layers) / work)
    natural = ascend(network, layers[-1], recipe=recipe, among=among, climbs=climbs)
    tell("activations", (len(layers) + 1) / work)
    scores = class_scores(network, images)
    features = layer_features(network, layers, images[probes])
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise NetworkError(
            f"The network {network.model.name!r} answers NaN or infinity on {bad} of {len(images)} pictures."
        )
    relevance = {}
    for number, method in enumerate(recipe.attribution_methods):
        tell(f"attributions by {method}", (len(layers) + 2 + 2 * number) / work)
        relevance[method] = attribute(
            network, images[probes], panel.labels[probes], method=method, **_options(method, recipe, images)
        )
    return {
        "layers": tuple(records),
        **parts,
        "natural": natural.maps,
        "natural_activations": natural.activations,
        "features": features,
        "scores": scores,
        "probes": probes,
        "regions": None if panel.regions is None else panel.regions[probes],
        "relevance": relevance,
    }


def _options(method: str, recipe: Recipe, images: np.ndarray) -> dict[str, Any]:
    """Return what a method must be told: scales follow the picture's height, the reference is the mean picture."""
    if method == "smoothgrad":
        return {"seed": recipe.seed, "samples": recipe.smoothgrad_samples}
    if method == "occlusion":
        # A mid-grey window on dark photographs is a bright patch of its own; the mean picture takes things away.
        window = max(1, round(images.shape[1] / 5))
        return {"window": window, "stride": max(1, window // 3), "reference": images.mean(axis=0)}
    return {}


def class_scores(network: Network, images: np.ndarray) -> np.ndarray:
    """Return the scores before softmax, ``(n, classes)`` float32, a few pictures at a time."""
    batches = [
        network.class_scores(tf.constant(images[start : start + _BATCH])).numpy()
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(batches).astype(np.float32)


def layer_features(network: Network, layers: Sequence[UnitLayer], images: np.ndarray) -> dict[str, np.ndarray]:
    """Return each layer's activations on pictures, averaged over a coarse grid: ``(n, cells, units)``."""
    targets = [layer.activated for layer in layers]
    collected: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    for start in range(0, len(images), _BATCH):
        values = network.evaluate(tf.constant(images[start : start + _BATCH]), targets)
        for layer, value in zip(layers, values, strict=True):
            collected[layer.name].append(_pool_to_grid(value.numpy()))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def flipping_curves(
    network: Network, images: np.ndarray, labels: np.ndarray, arrays: dict[str, Any], recipe: Recipe
) -> dict[str, np.ndarray]:
    """Return the true class's margin while each method's first pixels, and random ones, are replaced.

    First are those that speak most for the class. A slope does not say that by itself: where a pixel differs from what
    replaces it, taking it away costs the slope times the difference.
    """
    probes = arrays["probes"]
    pictures, classes = images[probes], labels[probes]
    reference = np.broadcast_to(images.mean(axis=0), pictures.shape)
    patch = max(1, round(images.shape[1] / 15))

    def predict(shown: np.ndarray) -> np.ndarray:
        scores = tf.constant(class_scores(network, shown.astype(np.float32)))
        return margins(scores).numpy()[np.arange(len(shown)), classes]

    # Every picture draws its random order by its own row, so that a subset of the panel keeps it.
    shape = pictures.shape[1:3]
    chance = np.stack([np.random.Generator(np.random.Philox(key=[recipe.seed, row])).random(shape) for row in probes])
    taken = pictures - reference
    rankings = {name: maps * taken if name in SLOPES else maps for name, maps in arrays["relevance"].items()}
    return {
        name: pixel_flipping(
            predict, pictures, ranking, steps=_FLIPS, patch=patch, largest=_FLIPPED, reference=reference
        ).scores
        for name, ranking in {**rankings, "random": chance}.items()
    }


def _pool_to_grid(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return values[:, None, :]
    rows, columns = (np.array_split(np.arange(length), min(_GRID, length)) for length in values.shape[1:3])
    cells = [values[:, r[:, None], c].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)


def fingerprint_of(model: Any) -> dict[str, np.ndarray]:
    """Return some weights of every kernel, at places that depend on its size alone."""
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    prints = {}
    for position, kernel in enumerate(kernels):
        places = np.random.Generator(np.random.Philox(key=[kernel.size, 0])).permutation(kernel.size)[:_FINGERS]
        largest = float(np.abs(kernel).max()) or 1.0  # half floats keep shape, not scale
        name = f"{position}:" + "x".join(str(length) for length in kernel.shape)
        prints[name] = kernel.reshape(-1)[np.sort(places)] / largest
    return prints
