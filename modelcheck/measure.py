"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.attributions import attribute
from modelcheck.comparison.alignment import counterparts
from modelcheck.faithfulness import pixel_flipping
from modelcheck.happymaps import Climbs, NaturalPictures, ascend, margins, natural_pictures, unit_answers
from modelcheck.models import ModelError, load_network
from modelcheck.network import Network, NetworkError, UnitLayer, flatten
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import LayerRecord, Signature
from modelcheck.spelling import did_you_mean
from modelcheck.stickers import panel_shifts

__all__ = ["Opposite", "fitted", "layer_features", "measure", "probe_rows", "untrained_twin"]

_GRID = 4  # cells along each axis, over which activations are averaged
_BATCH = 64
_FINGERS = 512  # weights of a kernel that are kept to recognise an ancestor
_FEWEST = 4  # pictures; debiased alignment is undefined for fewer
_FLIPS, _FLIPPED = 6, 0.3  # steps of the flipping curve, and the share of the picture replaced in the end
_NEAR = 0.05  # of the largest score: how far kernels of another machine, or half precision, move one

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class Opposite:
    """What is known of the network behind the stimuli beside its signature.

    Parameters
    ----------
    model : str, path-like or None
        Its ``.keras`` file: the measured network's maps are then shown to it as well.
    layers : mapping of str to str
        By its hidden layers, counterparts that are given instead of found by their activations.
    """

    model: str | os.PathLike[str] | None = None
    layers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Meeting:
    """The network behind the stimuli, as far as it is here, and who of it meets whom."""

    baseline: Signature
    network: Network | None
    partners: Mapping[str, str]


def measure(
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | None = None,
    opposite: Opposite | None = None,
    outputs: Sequence[str] | None = None,
    twins: bool = True,
    custom_objects: Sequence[str] = (),
    progress: Progress | None = None,
) -> Signature:
    """Measure a network on a panel.

    Parameters
    ----------
    model_path : str or path-like
        A ``.keras`` file.
    panel : Panel
        Held-out pictures, whose size and classes fit the network.
    recipe : Recipe, optional
        How to measure.
    stimuli : Signature, optional
        Another network, usually the baseline, whose maps are shown to this one: those of the decision, and where it was
        measured alike those of each hidden layer to the layer that corresponds to it.
    opposite : Opposite, optional
        The file of the network behind `stimuli`, for the other way, and given counterparts of its layers.
    outputs : sequence of str, optional
        For a network with more outputs than the panel has classes: the panel's class that each output belongs
        to. Scores of one class are joined by logsumexp, as their probabilities add.
    twins : bool
        Whether to measure the recipe's untrained twins too; a baseline does without.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed; see `modelcheck.models.load_network`.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.

    Returns
    -------
    Signature

    Raises
    ------
    ModelError, NetworkError, PanelError
        When the file, the network or the panel cannot be measured together, or the opposite's file is another network
        than the one behind `stimuli`.
    """
    recipe = recipe or Recipe()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    model, sha = load_network(model_path, custom_objects=custom_objects)
    if len(panel) < _FEWEST:
        raise PanelError(f"The panel has {len(panel)} pictures; comparing activations takes at least {_FEWEST}.")
    network = fitted(flatten(model), panel, outputs)
    images = panel.inputs(recipe.input_range)
    opposite = opposite or Opposite()
    facing = (
        None if opposite.model is None else _facing(opposite.model, stimuli, panel, recipe, outputs, custom_objects)
    )
    among = natural_pictures(images, components=recipe.natural_components)
    stages = 1 + (recipe.untrained_twins if twins else 0)
    common: dict[str, Any] = {"recipe": recipe, "panel_digest": panel.digest(), "class_names": panel.class_names}
    facts = {
        "name": model.name,
        "file": Path(model_path).name,
        "sha256": sha,
        "parameters": int(model.count_params()),
        "bytes": Path(model_path).stat().st_size,
    }
    climbs: Climbs = {}

    def arrays_of(number: int) -> dict[str, Any]:
        prefix = f"untrained twin {number}: " if number else ""
        found = _arrays(
            network,
            panel,
            images,
            among,
            recipe,
            climbs,
            lambda what, share: tell(prefix + what, (number + share) / stages),
        )
        return found | _responses_of(stimuli, network)

    own = arrays_of(0)
    own["flipping"] = _flipping(network, images, panel.labels, own, recipe)
    own["stickers"] = panel_shifts(network, panel, own["scores"], recipe=recipe)
    own["fingerprint"] = _fingerprint(model)
    signature = Signature(
        model=facts,
        pictures={"labels": panel.labels, "subjects": panel.subjects, "groups": panel.groups, "names": panel.names},
        provenance=_provenance(),
        **own,
        **common,
    )
    meeting = None
    # Signatures that were measured in different ways are never compared, so nobody would read the answers.
    if stimuli is not None and _alike(stimuli, panel, recipe):
        meeting = _meeting(signature, stimuli, facing, opposite.layers)
    signature = _met(signature, network, meeting)
    untrained = []
    for number in range(1, stages):
        # The twins borrow the network, which nobody else holds: what was traced for it serves them too.
        model.set_weights(untrained_twin(model, seed=recipe.seed + number).get_weights())
        about = {"name": f"untrained twin {number}"}
        twin = Signature(model=about, pictures={}, **arrays_of(number), **common)
        untrained.append(_met(twin, network, meeting))
    tell("done", 1.0)
    return replace(signature, twins=tuple(untrained))


def _facing(
    path: str | os.PathLike[str],
    stimuli: Signature | None,
    panel: Panel,
    recipe: Recipe,
    outputs: Sequence[str] | None,
    custom_objects: Sequence[str],
) -> Network:
    """Load the network behind the stimuli, after making sure that it is that one."""
    if stimuli is None:
        raise ModelError(f"{os.fspath(path)!r} is the network behind no signature: give its signature too (--like).")
    if not _alike(stimuli, panel, recipe):
        raise PanelError(
            f"The signature behind {os.fspath(path)!r} has another panel, recipe or classes: the two cannot be "
            "compared. Use the panel and the recipe of its signature."
        )
    model, sha = load_network(path, custom_objects=custom_objects)
    if sha != stimuli.model["sha256"]:
        raise ModelError(
            f"{os.fspath(path)!r} (sha256 {sha[:12]}) is not the network behind the signature "
            f"({str(stimuli.model['sha256'])[:12]}). Give the file that was approved."
        )
    network = flatten(model)
    # A baseline does not keep what its outputs mean; where it has as many as the candidate, they mean the same.
    same = outputs is not None and len(outputs) == max(network.n_outputs, 2)
    network = fitted(network, panel, outputs if same else None)
    rows = stimuli.probes
    scores = _class_scores(network, panel.inputs(recipe.input_range)[rows])
    if not np.abs(scores - stimuli.scores[rows]).max() <= _NEAR * max(float(np.abs(stimuli.scores).max()), 1.0):
        raise ModelError(
            f"{os.fspath(path)!r} does not answer the panel as its signature says. Leave baseline_model out, or "
            "approve the network again."
        )
    return network


def _alike(stimuli: Signature, panel: Panel, recipe: Recipe) -> bool:
    """Say whether another network was measured as this one is, so that the two can be compared."""
    told = (stimuli.panel_digest, stimuli.recipe, stimuli.class_names)
    return told == (panel.digest(), recipe, tuple(panel.class_names))


def _meeting(signature: Signature, stimuli: Signature, facing: Network | None, given: Mapping[str, str]) -> _Meeting:
    """Return who meets whom."""
    rows = counterparts(stimuli, signature, given)[:-1]
    partners = {record.name: partner.name for record, partner, _ in rows if partner is not None}
    return _Meeting(baseline=stimuli, network=facing, partners=partners)


def _met(signature: Signature, network: Network, meeting: _Meeting | None) -> Signature:
    """Show each hidden layer the maps of its counterpart, and the other network's layers and decision ours."""
    if meeting is None:
        return signature
    baseline, grey = meeting.baseline, sum(signature.recipe.input_range) / 2
    own = {layer.name: layer for layer in network.unit_layers()}
    theirs = {layer.name: layer for layer in meeting.network.unit_layers()} if meeting.network else {}
    answers, back = {}, {}
    for name, partner in meeting.partners.items():
        found = unit_answers(network, own[partner], baseline.kept_maps(name), grey=grey)
        answers[name] = found[:, signature.units[partner]]
        if meeting.network is not None:
            found = unit_answers(meeting.network, theirs[name], signature.kept_maps(partner), grey=grey)
            back[name] = found[:, baseline.units[name]]
    return replace(
        signature,
        partners=dict(meeting.partners),
        answers=answers,
        answers_back=back,
        responses_back=_shown(meeting.network, signature.stimuli()) if meeting.network else {},
    )


def probe_rows(panel: Panel, count: int) -> np.ndarray:
    """Return at most `count` rows of a panel, spread evenly over subjects, classes and groups, in order.

    Parameters
    ----------
    panel : Panel
        The pictures.
    count : int
        At most how many rows.
    """
    strata: dict[tuple[str, int, str], list[int]] = {}
    keys = zip(panel.subjects.tolist(), panel.labels.tolist(), panel.groups.tolist(), strict=True)
    for row, key in enumerate(keys):
        strata.setdefault(key, []).append(row)
    # First pictures of all strata come before second ones; within a round, strata keep a fixed order.
    ranked = sorted((place, key, row) for key, rows in strata.items() for place, row in enumerate(rows))
    if len(strata) > count:
        picked = np.linspace(0, len(strata) - 1, count).round().astype(int)
        return np.sort(np.array([ranked[place][2] for place in picked]))
    return np.sort(np.array([row for _, _, row in ranked[:count]]))


def untrained_twin(model: Any, *, seed: int) -> Any:
    """Return a network of the same architecture with fresh weights from each layer's own initialiser.

    Parameters
    ----------
    model : keras.Model
        The network; it is not changed.
    seed : int
        Of the fresh weights. Keras' global seed is neither read nor set.
    """
    config = copy.deepcopy(model.get_config())
    _seed_initialisers(config, [seed * 100_003])
    twin = type(model).from_config(config)
    for one, other in zip(model._flatten_layers(), twin._flatten_layers(), strict=True):
        if isinstance(one, keras.layers.Normalization) and one.get_weights():
            # Adapted to the data, not trained: without its statistics the twin would see other pictures.
            other.set_weights(one.get_weights())
            other.finalize_state()
    return twin


def _seed_initialisers(part: Any, counter: list[int]) -> None:
    """Give every initialiser of a configuration its own seed, in the order of the layers."""
    if isinstance(part, dict):
        inner = part.get("config")
        if str(part.get("module", "")).startswith("keras.initializers") and isinstance(inner, dict) and "seed" in inner:
            counter[0] += 1
            inner["seed"] = counter[0]
        for value in part.values():
            _seed_initialisers(value, counter)
    elif isinstance(part, list | tuple):
        for value in part:
            _seed_initialisers(value, counter)


def fitted(network: Network, panel: Panel, outputs: Sequence[str] | None = None) -> Network:
    """Check that the network takes the panel's pictures and answers with its classes."""
    if tuple(panel.images.shape[1:]) != network.input_shape:
        raise NetworkError(
            f"The network {network.model.name!r} takes pictures of shape {network.input_shape}, the panel holds "
            f"{tuple(panel.images.shape[1:])}. Make a panel of the network's size: modelcheck panel --help"
        )
    n_outputs = max(network.n_outputs, 2)
    if outputs is None:
        if n_outputs != len(panel.class_names):
            raise NetworkError(
                f"The network {network.model.name!r} has {n_outputs} outputs, the panel {len(panel.class_names)} "
                f"classes ({', '.join(panel.class_names)}). If several outputs mean one class, say which: outputs = "
                "['left', 'not_left', ...] in [tool.modelcheck]."
            )
        return network
    for name in outputs:
        if name not in panel.class_names:
            raise NetworkError(f"outputs names the class {name!r}. {did_you_mean(name, panel.class_names)}")
    if len(outputs) != n_outputs or set(outputs) != set(panel.class_names):
        raise NetworkError(
            f"outputs must name a class for each of the {n_outputs} outputs and every class once or more, not "
            f"{list(outputs)}."
        )
    return network.joined([panel.class_names.index(name) for name in outputs])


def _arrays(
    network: Network,
    panel: Panel,
    images: np.ndarray,
    among: NaturalPictures,
    recipe: Recipe,
    climbs: Climbs,
    tell: Progress,
) -> dict[str, Any]:
    """Return all that a signature holds about one network's weights."""
    layers = network.unit_layers()
    probes = probe_rows(panel, recipe.probe_pictures)
    records: list[LayerRecord] = []
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in ("units", "maps", "activations", "at_rest")}
    work = len(layers) + 2 * len(recipe.attribution_methods) + 2
    for number, layer in enumerate(layers):
        tell(f"HappyMaps of {layer.name}", number / work)
        outcome = ascend(network, layer, recipe=recipe, climbs=climbs)
        n_units = len(outcome.units) if layer.kind == "decision" else layer.n_units
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
    scores = _class_scores(network, images)
    features = layer_features(network, layers, images[probes])
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise NetworkError(
            f"The network {network.model.name!r} answers NaN or infinity on {bad} of {len(images)} pictures."
        )
    attributions = {}
    for number, method in enumerate(recipe.attribution_methods):
        tell(f"attributions by {method}", (len(layers) + 2 + 2 * number) / work)
        relevance = attribute(
            network, images[probes], panel.labels[probes], method=method, **_options(method, recipe, images)
        )
        attributions[method] = relevance.sum(axis=-1)
    return {
        "layers": tuple(records),
        **parts,
        "natural": natural.maps,
        "natural_activations": natural.activations,
        "features": features,
        "scores": scores,
        "probes": probes,
        "regions": None if panel.regions is None else panel.regions[probes],
        "attributions": attributions,
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


def _class_scores(network: Network, images: np.ndarray) -> np.ndarray:
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
            collected[layer.name].append(_gridded(value.numpy()))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def _flipping(
    network: Network, images: np.ndarray, labels: np.ndarray, arrays: dict[str, Any], recipe: Recipe
) -> dict[str, np.ndarray]:
    """Return the true class's margin while each method's first pixels, and random ones, are replaced."""
    probes = arrays["probes"]
    pictures, classes = images[probes], labels[probes]
    reference = np.broadcast_to(images.mean(axis=0), pictures.shape)
    patch = max(1, round(images.shape[1] / 15))

    def predict(shown: np.ndarray) -> np.ndarray:
        scores = tf.constant(_class_scores(network, shown.astype(np.float32)))
        return margins(scores).numpy()[np.arange(len(shown)), classes]

    # Every picture draws its random order by its own row, so that a subset of the panel keeps it.
    shape = pictures.shape[1:3]
    chance = np.stack([np.random.Generator(np.random.Philox(key=[recipe.seed, row])).random(shape) for row in probes])
    rankings = {**{method: np.abs(maps) for method, maps in arrays["attributions"].items()}, "random": chance}
    return {
        name: pixel_flipping(
            predict, pictures, ranking, steps=_FLIPS, patch=patch, largest=_FLIPPED, reference=reference
        ).scores
        for name, ranking in rankings.items()
    }


def _gridded(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return values[:, None, :]
    rows, columns = (np.array_split(np.arange(length), min(_GRID, length)) for length in values.shape[1:3])
    cells = [values[:, r[:, None], c].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)


def _responses_of(stimuli: Signature | None, network: Network) -> dict[str, Any]:
    """Show another network's decision maps to this one; a map that is not there gets no response."""
    if stimuli is None:
        return {}
    views = stimuli.stimuli()
    for maps in views.values():
        if maps.shape[1:] != network.input_shape:
            raise NetworkError(
                f"The baseline's pictures are {maps.shape[1:]}, the network takes {network.input_shape}: they cannot "
                "be compared. Approve a baseline of this size."
            )
    return {"responses": _shown(network, views), "stimuli_digest": stimuli.shown()}


def _shown(network: Network, views: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return by view the class scores on maps, ``(maps, classes)``; NaN for a map that is not there."""
    responses = {}
    for view, maps in views.items():
        there = np.isfinite(maps).all(axis=(1, 2, 3))
        responses[view] = np.full((len(maps), network.n_classes), np.nan, np.float32)
        if there.any():
            responses[view][there] = _class_scores(network, maps[there])
    return responses


def _fingerprint(model: Any) -> dict[str, np.ndarray]:
    """Return some weights of every kernel, at places that depend on its size alone."""
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    prints = {}
    for position, kernel in enumerate(kernels):
        places = np.random.Generator(np.random.Philox(key=[kernel.size, 0])).permutation(kernel.size)[:_FINGERS]
        largest = float(np.abs(kernel).max()) or 1.0  # half floats keep shape, not scale
        name = f"{position}:" + "x".join(str(length) for length in kernel.shape)
        prints[name] = kernel.reshape(-1)[np.sort(places)] / largest
    return prints


def _provenance() -> dict[str, Any]:
    names = ("modelcheck", "tensorflow", "keras", "numpy", "scikit-image")
    return {
        "versions": {name: version(name) for name in names},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "float": keras.config.floatx(),
    }
