"""From a file that ships to its signature: what it answers, and what of its layers can be read; nothing is rendered."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.answers.condensing import fingerprint_kernels, pool_to_grid
from modelcheck.answers.exchanges import check_shown_exchanges, measure_exchanges
from modelcheck.answers.feeding import feed_otherwise
from modelcheck.answers.flipping import compute_flipping_curves
from modelcheck.answers.maps import score_views
from modelcheck.answers.occlusion import choose_window, occlude
from modelcheck.answers.panel import answer_panel, describe_pictures
from modelcheck.answers.probes import choose_probe_rows, choose_shown_pictures
from modelcheck.answers.rise import see_through_masks
from modelcheck.answers.stickers import measure_panel_shifts
from modelcheck.interface import Interface
from modelcheck.metrics.exchanges import choose_stimuli
from modelcheck.metrics.margins import margins
from modelcheck.modelfile.shipped import read_shipped
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import BLACK_BOX, Recipe
from modelcheck.runtimes import NetworkError
from modelcheck.runtimes.opening import open_classifier
from modelcheck.runtimes.shipped import ShippedClassifier
from modelcheck.signature import LayerRecord, MapExchange, Signature, check_storable
from modelcheck.units import LayerKind

__all__ = ["measure_shipped"]

_MIN_PICTURES = 4  # debiased alignment is undefined for fewer
_AT_ONCE = 64  # pictures whose hidden layers are read in one step
_LIBRARIES = {"litert": "ai-edge-litert", "onnx": "onnxruntime"}


def measure_shipped(
    path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | None = None,
    interface: Interface | None = None,
    progress: Callable[[str, float], None] | None = None,
    timed: Callable[[float], None] | None = None,
) -> Signature:
    """Measure a file that ships on a panel: a LiteRT or an ONNX file, which answers and has no gradients.

    Parameters
    ----------
    path : str or path-like
        The file.
    panel : Panel
        Held-out pictures, whose size and classes fit the network.
    recipe : Recipe, optional
        How to measure. Of the attribution methods those can be had that take answers alone.
    stimuli : Signature, optional
        Another network, usually the baseline, whose maps of the decision are shown to this one.
    interface : Interface, optional
        How the network's inputs and outputs are to be understood.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.
    timed : callable, optional
        ``timed(seconds)``, called once with the median of some answers to one picture.

    Returns
    -------
    Signature
        Without a HappyMap: maps and what they reached are NaN. Its `model` names the ``runtime``,
        the ``precision`` and what pictures use of the input.

    Raises
    ------
    ScanError
        When the file is missing, or the scan refuses it.
    NetworkError, PanelError
        When file and panel cannot be measured together, or the runtime does not run the file.
    """
    recipe, interface = recipe or Recipe(), interface or Interface()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    if len(panel) < _MIN_PICTURES:
        raise PanelError(f"The panel has {len(panel)} pictures; comparing activations takes at least {_MIN_PICTURES}.")
    file = read_shipped(path)
    images = panel.inputs(recipe.input_range)
    classifier = open_classifier(
        file.data,
        file.graph,
        name=Path(path).stem,
        class_names=panel.class_names,
        interface=interface,
        input_range=recipe.input_range,
        images=images,
    )
    classifier.check_shown(choose_shown_pictures(panel, recipe))
    views = {} if stimuli is None else _check_views(classifier, stimuli)
    tell("answers", 0.05)
    scores = answer_panel(classifier, images)
    if timed is not None:
        timed(classifier.seconds_per_picture())
    probes = choose_probe_rows(panel, recipe.probe_pictures)
    tell("exchanged pictures", 0.15)
    exchanged = choose_stimuli(
        panel.labels,
        panel.independent,
        size=classifier.input_shape[:2],
        pictures=recipe.exchange_pictures,
        mosaics=recipe.mosaics,
        seed=recipe.seed,
    )
    check_shown_exchanges(classifier, images, exchanged)
    exchanges = measure_exchanges(classifier, images, panel.labels, scores=scores, stimuli=exchanged)
    tell("stickers", 0.45)
    stickers = measure_panel_shifts(classifier, panel, scores, recipe=recipe)
    tell("attributions", 0.7)
    relevance = _attribute_probes(classifier, panel, images, probes=probes, recipe=recipe)
    tell("activations", 0.9)
    layers, per_layer = _read_layers(classifier, images, probes=probes, scores=scores, recipe=recipe)
    fed = feed_otherwise(classifier, panel, interface.front, recipe=recipe, scores=scores)
    tell("done", 1.0)
    return Signature(
        model={**_describe_file(path, sha=file.sha256, size=len(file.data)), **_describe_use(classifier, images)},
        recipe=recipe,
        panel_digest=panel.digest(),
        class_names=tuple(panel.class_names),
        layers=layers,
        **per_layer,
        scores=scores,
        pictures=describe_pictures(panel),
        probes=probes,
        regions=None if panel.regions is None else panel.regions[probes],
        attributions=relevance,
        flipping=compute_flipping_curves(
            classifier,
            images,
            labels=panel.labels,
            probes=probes,
            relevance={method: maps[..., None] for method, maps in relevance.items()},
            seed=recipe.seed,
        ),
        natural=_no_maps(classifier),
        natural_activations=np.full(classifier.n_classes, np.nan, np.float32),
        fingerprint=fingerprint_kernels(classifier.kernels()),
        stickers=stickers,
        exchanges=exchanges,
        fed_otherwise=fed,
        exchange=None
        if stimuli is None
        else MapExchange(stimuli_sha256=stimuli.stimuli_sha256(), class_scores=score_views(classifier, views)),
        interface=interface,
        provenance=_describe_platform(file.graph.format),
    )


def _check_views(classifier: ShippedClassifier, stimuli: Signature) -> dict[str, np.ndarray]:
    """Return another network's maps of the decision; refuse those of another size."""
    views = stimuli.stimuli()
    for maps in views.values():
        if maps.shape[1:] != classifier.input_shape:
            raise NetworkError(
                f"The baseline's pictures are {maps.shape[1:]}, the network takes {classifier.input_shape}: they "
                "cannot be compared. Approve a baseline of this size."
            )
    return views


def _no_maps(classifier: ShippedClassifier) -> np.ndarray:
    return np.full((classifier.n_classes, *classifier.input_shape), np.nan, np.float32)


def _attribute_probes(
    classifier: ShippedClassifier, panel: Panel, images: np.ndarray, *, probes: np.ndarray, recipe: Recipe
) -> dict[str, np.ndarray]:
    """Return the attributions that take answers alone, by method; none where the recipe asks for none."""
    shown, targets = images[probes], panel.labels[probes]
    found = {}
    for method in (name for name in recipe.attribution_methods if name in BLACK_BOX):
        if method == "rise":
            found[method] = see_through_masks(classifier, shown, targets)
        else:
            window, stride = choose_window(images.shape[1])
            reference = images.mean(axis=0)
            found[method] = occlude(classifier, shown, targets, window=window, stride=stride, reference=reference)
    return found


def _read_layers(
    classifier: ShippedClassifier, images: np.ndarray, *, probes: np.ndarray, scores: np.ndarray, recipe: Recipe
) -> tuple[tuple[LayerRecord, ...], dict[str, Any]]:
    """Return the layers, the decision last, and of each what a signature keeps of it."""
    *hidden, decision = classifier.layers() or (None,)
    names = [layer.name for layer in hidden if layer is not None]
    last = "decision" if decision is None else decision.name
    check_storable([*names, last])
    features: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(probes) if names else 0, _AT_ONCE):
        for name, values in classifier.read_layers(images[probes[start : start + _AT_ONCE]], names).items():
            features[name].append(pool_to_grid(values))
    grey = np.full((1, *classifier.input_shape), sum(recipe.input_range) / 2, np.float32)
    parts: dict[str, dict[str, np.ndarray]] = {
        name: {} for name in ("units", "maps", "activations", "at_rest", "features")
    }
    records = []
    for layer in hidden:
        values = np.concatenate(features[layer.name])
        count = values.shape[-1]
        kind = LayerKind.CONV if layer.kind == LayerKind.CONV else LayerKind.DENSE
        records.append(LayerRecord(name=layer.name, kind=kind, n_units=count, objective="", patch=False))
        parts["units"][layer.name] = np.arange(count)
        parts["maps"][layer.name] = np.full((count, 1, 1, classifier.input_shape[-1]), np.nan, np.float32)
        parts["activations"][layer.name] = np.full(count, np.nan, np.float32)
        parts["at_rest"][layer.name] = np.full(count, np.nan, np.float32)
        parts["features"][layer.name] = values
    classes = classifier.n_classes
    records.append(LayerRecord(name=last, kind=LayerKind.DECISION, n_units=classes, objective="", patch=False))
    parts["units"][last] = np.arange(classes)
    parts["maps"][last] = _no_maps(classifier)
    parts["activations"][last] = np.full(classes, np.nan, np.float32)
    parts["at_rest"][last] = margins(classifier.class_scores(grey))[0].astype(np.float32)
    parts["features"][last] = scores[probes][:, None]
    return tuple(records), parts


def _describe_file(path: str | os.PathLike[str], *, sha: str, size: int) -> dict[str, Any]:
    return {"name": Path(path).stem, "file": Path(path).name, "sha256": sha, "bytes": size}


def _describe_use(classifier: ShippedClassifier, images: np.ndarray) -> dict[str, Any]:
    """Return what a report says of a file that ships: what runs it, in what numbers, and what pictures make of them."""
    use = classifier.describe_input(images)
    said = {"fallback": classifier.fallback, "unreadable": classifier.unreadable}
    return {
        "parameters": classifier.parameters,
        "runtime": classifier.wiring.graph.format,
        "precision": classifier.precision,
        "saturation": round(classifier.saturation(images), 6),
        **({"probabilities": True} if classifier.coarse else {}),
        **({} if use is None else {"input_use": {name: round(value, 6) for name, value in asdict(use).items()}}),
        **{name: words for name, words in said.items() if words},
    }


def _describe_platform(format_: str) -> dict[str, Any]:
    names = ("modelcheck", "numpy", _LIBRARIES[format_])
    return {
        "versions": {name: version(name) for name in names},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
