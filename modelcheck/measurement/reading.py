"""What is read off one network's weights: maps, activations, scores, attributions, a fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions import SLOPES, attribute
from modelcheck.happymaps import Climbs, NaturalPictures, ascend, margins, natural_pictures
from modelcheck.measurement.exchanges import measure_exchanges
from modelcheck.measurement.fitting import choose_probe_rows
from modelcheck.metrics.exchanges import Stimuli, choose_stimuli
from modelcheck.metrics.faithfulness import pixel_flipping
from modelcheck.network import Network, NetworkError, UnitLayer
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import LayerRecord
from modelcheck.units import LayerKind

__all__ = [
    "Inputs",
    "Progress",
    "answer_panel",
    "compute_class_scores",
    "compute_flipping_curves",
    "compute_layer_features",
    "fingerprint_kernels",
    "measure_arrays",
    "prepare_inputs",
]

Progress = Callable[[str, float], None]

_GRID = 4  # cells along each axis, over which activations are averaged
_BATCH = 64
_KEPT_WEIGHTS = 512  # weights of a kernel that are kept to recognise an ancestor
# The steps of a flipping curve, and the share of the picture that is replaced in the end.
_FLIP_STEPS, _FLIPPED_SHARE = 6, 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What every measurement of one network starts from.

    Parameters
    ----------
    network : Network
        The flattened network.
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
    panel: Panel
    panel_digest: str
    images: np.ndarray
    natural: NaturalPictures
    stimuli: Stimuli
    recipe: Recipe
    climbs: Climbs = field(default_factory=dict)


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
        panel=panel,
        panel_digest=panel.digest(),
        images=images,
        natural=natural,
        stimuli=stimuli,
        recipe=recipe,
    )


def answer_panel(inputs: Inputs) -> np.ndarray:
    """Return the class scores on the whole panel, ``(n, classes)``, before anything is rendered.

    Raises
    ------
    NetworkError
        When a score is NaN or infinite.
    """
    scores = compute_class_scores(inputs.network, inputs.images)
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise NetworkError(
            f"The network {inputs.network.model.name!r} answers NaN or infinity on {bad} of {len(scores)} pictures."
        )
    return scores


def measure_arrays(inputs: Inputs, tell: Progress, *, scores: np.ndarray) -> dict[str, Any]:
    """Return all that a signature holds about one network's weights, its ``relevance`` with every channel.

    `scores` are those of `answer_panel`, with the weights that the network has now.
    """
    network, panel, images, recipe = inputs.network, inputs.panel, inputs.images, inputs.recipe
    layers = network.unit_layers()
    probes = choose_probe_rows(panel, recipe.probe_pictures)
    records: list[LayerRecord] = []
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in ("units", "maps", "activations", "at_rest")}
    work = len(layers) + 2 * len(recipe.attribution_methods) + 3
    for number, layer in enumerate(layers):
        tell(f"HappyMaps of {layer.name}", number / work)
        outcome = ascend(network, layer, recipe=recipe, climbs=inputs.climbs)
        n_units = len(outcome.units) if layer.kind == LayerKind.DECISION else layer.n_units
        records.append(
            LayerRecord(
                name=layer.name, kind=layer.kind, n_units=n_units, objective=outcome.objective, patch=outcome.patch
            )
        )
        for name, values in parts.items():
            values[layer.name] = getattr(outcome, name)
    tell("HappyMaps among natural pictures", len(layers) / work)
    natural = ascend(network, layers[-1], recipe=recipe, among=inputs.natural, climbs=inputs.climbs)
    tell("activations", (len(layers) + 1) / work)
    features = compute_layer_features(network, layers, images=images[probes])
    relevance = {}
    for number, method in enumerate(recipe.attribution_methods):
        tell(f"attributions by {method}", (len(layers) + 2 + 2 * number) / work)
        relevance[method] = attribute(
            network, images[probes], panel.labels[probes], method=method, **_options(method, recipe, images)
        )
    tell("exchanged pictures", (work - 1) / work)
    return {
        "layers": tuple(records),
        **parts,
        "natural": natural.maps,
        "natural_activations": natural.activations,
        "features": features,
        "scores": scores,
        "probes": probes,
        "regions": None if panel.regions is None else panel.regions[probes],
        "exchanges": measure_exchanges(network, images, panel.labels, scores=scores, stimuli=inputs.stimuli),
        "relevance": relevance,
    }


def _options(method: str, recipe: Recipe, images: np.ndarray) -> dict[str, Any]:
    """Return what a method must be told: scales follow the picture's height, the reference is the mean picture."""
    if method == "smoothgrad":
        return {"seed": recipe.seed, "samples": recipe.smoothgrad_samples}
    if method == "occlusion":
        # A mid-grey window on dark photographs is a bright patch of its own; the mean picture takes
        # things away.
        window = max(1, round(images.shape[1] / 5))
        return {"window": window, "stride": max(1, window // 3), "reference": images.mean(axis=0)}
    return {}


def compute_class_scores(network: Network, images: np.ndarray) -> np.ndarray:
    """Return the scores before softmax, ``(n, classes)`` float32, a few pictures at a time."""
    batches = [
        network.class_scores(tf.constant(images[start : start + _BATCH])).numpy()
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(batches).astype(np.float32)


def compute_layer_features(
    network: Network, layers: Sequence[UnitLayer], *, images: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each layer's activations on pictures, averaged over a coarse grid: ``(n, cells, units)``."""
    targets = [layer.activated for layer in layers]
    collected: dict[str, list[np.ndarray]] = {layer.name: [] for layer in layers}
    for start in range(0, len(images), _BATCH):
        values = network.evaluate(tf.constant(images[start : start + _BATCH]), targets)
        for layer, value in zip(layers, values, strict=True):
            collected[layer.name].append(_pool_to_grid(value.numpy()))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def compute_flipping_curves(
    network: Network,
    images: np.ndarray,
    *,
    labels: np.ndarray,
    probes: np.ndarray,
    relevance: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the true class's margin while each method's first pixels, and random ones, are replaced.

    First are those that raise the score of the class most. A slope does not say that by itself:
    where a pixel differs from what replaces it, taking it away costs the slope times the
    difference.

    Parameters
    ----------
    network : Network
        The flattened network.
    images : np.ndarray
        ``(n, h, w, c)`` pictures of the whole panel in the input range; their mean replaces what is
        flipped.
    labels : np.ndarray
        ``(n,)`` their classes.
    probes : np.ndarray
        ``(probes,)`` positions of the pictures that are flipped.
    relevance : mapping of str to np.ndarray
        By method, ``(probes, h, w, c)`` attributions.
    seed : int
        The seed of the random order.

    Returns
    -------
    dict of str to np.ndarray
        By method and for ``random``, ``(probes, steps + 1)`` margins.
    """
    pictures, classes = images[probes], labels[probes]
    reference = np.broadcast_to(images.mean(axis=0), pictures.shape)
    patch = max(1, round(images.shape[1] / 15))

    def predict(shown: np.ndarray) -> np.ndarray:
        scores = tf.constant(compute_class_scores(network, shown.astype(np.float32)))
        return margins(scores).numpy()[np.arange(len(shown)), classes]

    # Every picture draws its random order by its own row, so that a subset of the panel keeps it.
    shape = pictures.shape[1:3]
    chance = np.stack([np.random.Generator(np.random.Philox(key=[seed, row])).random(shape) for row in probes])
    taken = pictures - reference
    rankings = {name: maps * taken if name in SLOPES else maps for name, maps in relevance.items()}
    return {
        name: pixel_flipping(
            predict, pictures, ranking, steps=_FLIP_STEPS, patch=patch, largest=_FLIPPED_SHARE, reference=reference
        ).scores
        for name, ranking in {**rankings, "random": chance}.items()
    }


def _pool_to_grid(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return values[:, None, :]
    rows, columns = (np.array_split(np.arange(length), min(_GRID, length)) for length in values.shape[1:3])
    cells = [values[:, r[:, None], c].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)


def fingerprint_kernels(model: Any) -> dict[str, np.ndarray]:
    """Return some weights of every kernel, at places that depend on its size alone."""
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    prints = {}
    for position, kernel in enumerate(kernels):
        places = np.random.Generator(np.random.Philox(key=[kernel.size, 0])).permutation(kernel.size)[:_KEPT_WEIGHTS]
        largest = float(np.abs(kernel).max()) or 1.0  # half floats keep shape, not scale
        name = f"{position}:" + "x".join(str(length) for length in kernel.shape)
        prints[name] = kernel.reshape(-1)[np.sort(places)] / largest
    return prints
