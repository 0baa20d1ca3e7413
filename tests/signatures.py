"""Small, deterministic signatures and panels made of numpy alone, for tests of everything after the record.

Two signatures of one panel are comparable. `learned` says how much of the features, answers and
attributions a network shares with every other one; the rest is its own, keyed by `seed`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from modelcheck.metrics.exchanges import choose_stimuli
from modelcheck.metrics.margins import margins
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import LayerRecord, MapExchange, Signature

LAYERS: tuple[tuple[str, str, int], ...] = (("conv1", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2))
PATCH = 8
CELLS = 4


def make_panel(
    *,
    subjects: Sequence[str] | None = ("ada", "ben", "eve"),
    class_names: Sequence[str] = ("other", "left"),
    groups: Sequence[str] | None = None,
    size: tuple[int, int] = (16, 12),
    channels: int = 1,
    per_subject: int = 8,
    regions: bool = True,
) -> Panel:
    """Return a panel: every subject shows every class (and group) in turn, with a bright box as the face.

    Without subjects there are as many pictures as three have.
    """
    n = (3 if subjects is None else len(subjects)) * per_subject
    pictures = _random("pictures", 0).uniform(0.1, 0.5, (n, *size, channels))
    labels = np.arange(n) % len(class_names)
    mask = np.zeros((n, *size), dtype=bool)
    height, width = size
    for row in range(n):
        left = width // 4 + (row % 3) - 1
        mask[row, height // 4 : 3 * height // 4, left : left + width // 2] = True
    pictures[mask] += 0.4
    return Panel(
        (pictures * 255).astype(np.uint8),
        labels,
        subjects=None if subjects is None else np.repeat(np.array(subjects), per_subject),
        class_names=tuple(class_names),
        regions=mask if regions else None,
        groups=None if groups is None else np.array([groups[row % len(groups)] for row in range(n)]),
    )


def make_signature(
    name: str = "baseline",
    *,
    layers: Sequence[tuple[str, str, int]] = LAYERS,
    panel: Panel | None = None,
    learned: float = 0.9,
    accuracy: float | Mapping[str, float] = 1.0,
    attributions: Sequence[str] = ("smoothgrad", "occlusion"),
    inside: float = 0.8,
    dead: Sequence[tuple[str, int]] = (),
    twins: int = 1,
    responses: bool = True,
    probes: int = 12,
    recipe: Recipe | None = None,
    parameters: int = 1000,
    seed: int = 0,
) -> Signature:
    """Return a signature.

    Parameters
    ----------
    name : str
        The network's name.
    layers : sequence of tuple
        ``(name, kind, units)`` in model order; the last is the decision, with one unit a class.
    panel : Panel, optional
        The pictures; `make_panel()` by default.
    learned : float
        Share of the features that this network has in common with others, from 0 to 1.
    accuracy : float or mapping
        Share of right answers, for everyone or by subject.
    attributions : sequence of str
        Methods to invent attributions for.
    inside : float
        How strongly relevance is drawn to the region, from 0 to 1.
    dead : sequence of tuple
        ``(layer, position)`` of units without a map.
    twins : int
        Untrained networks to put beside it.
    responses : bool
        Whether the class scores on another network's decision maps are there; `show` says whose
        maps those were.
    probes : int
        How many pictures have features and attributions.
    recipe : Recipe, optional
        By default one that names `attributions` as its methods.
    parameters : int
        Of the invented network.
    seed : int
        Of all that is its own.
    """
    panel = make_panel() if panel is None else panel
    if recipe is None:
        recipe = Recipe(attribution_methods=tuple(attributions), exchange_pictures=12, mosaics=30)
    records = tuple(_record(*layer) for layer in layers)
    chosen = np.unique(np.linspace(0, len(panel) - 1, min(probes, len(panel))).astype(np.int64))
    arrays: dict[str, dict[str, np.ndarray]] = {
        "units": {},
        "maps": {},
        "activations": {},
        "at_rest": {},
        "features": {},
    }
    for record in records:
        _fill(arrays, record, panel=panel, recipe=recipe, learned=learned, probes=len(chosen), seed=seed)
        for layer, position in dead:
            if layer == record.name:
                arrays["maps"][layer][position] = np.nan
                arrays["activations"][layer][position] = np.nan
    classes = len(panel.class_names)
    # The last layer's maps make their own class likely, as far as the network shares the features.
    scores = _scores(panel, accuracy, seed)
    shown = np.eye(classes) * (6 * learned) - 3 * learned
    return Signature(
        model={
            "name": name,
            "file": f"{name}.keras",
            "sha256": f"{zlib.crc32(name.encode()):08x}" * 8,
            "parameters": parameters,
            "bytes": parameters * 4,
        },
        recipe=recipe,
        panel_digest=panel.digest(),
        class_names=panel.class_names,
        layers=records,
        scores=scores,
        pictures={
            part: values
            for part in ("labels", "subjects", "groups", "names")
            if (values := getattr(panel, "shared_subjects" if part == "subjects" else part)) is not None
        },
        probes=chosen,
        regions=None if panel.regions is None else panel.regions[chosen],
        attributions={method: _relevance(panel, chosen, method, inside, seed) for method in attributions},
        flipping={name: _curve(name, len(chosen), seed) for name in (*attributions, "random")} if attributions else {},
        exchanges=_exchanges(panel, recipe, scores, learned, seed),
        natural=_natural(panel, recipe, learned, seed),
        natural_activations=np.full(classes, 5.0, dtype=np.float32),
        fingerprint={"0:3x3x1x4": _random("fingerprint", seed).standard_normal(36).astype(np.float32)},
        exchange=MapExchange(
            stimuli_sha256="", class_scores=dict.fromkeys(("free", "natural"), shown.astype(np.float32))
        )
        if responses
        else None,
        twins=tuple(
            make_signature(
                f"untrained twin {k + 1}",
                layers=layers,
                panel=panel,
                learned=0.0,
                accuracy=0.5,
                attributions=attributions,
                inside=0.0,
                twins=0,
                responses=responses,
                probes=probes,
                recipe=recipe,
                parameters=parameters,
                seed=seed + 1000 * (k + 1),
            )
            for k in range(twins)
        ),
        provenance={"modelcheck": "0.1.0", "keras": "3.15.1", "python": "3.11.0", "platform": "Linux-x86_64"},
        **arrays,
    )


def show(candidate: Signature, baseline: Signature) -> Signature:
    """Return a candidate that was shown this baseline's maps, as its untrained twins were."""
    shown = baseline.stimuli_sha256()
    whole, *twins = (
        network
        if network.exchange is None
        else replace(network, exchange=replace(network.exchange, stimuli_sha256=shown))
        for network in (candidate, *candidate.twins)
    )
    return replace(whole, twins=tuple(twins))


def ship(network: Signature, *, file: str = "", runtime: str = "litert", noise: float = 0.0, **facts: Any) -> Signature:
    """Return a network as the file that was made of it is measured: it answers, and nothing is rendered from it.

    `noise` is added to the features of its layers, beside their size; `facts` are what its record
    says of it.
    """
    file = file or f"phone.{'tflite' if runtime == 'litert' else 'onnx'}"
    said = {"name": file.partition(".")[0], "file": file}
    said |= {"runtime": runtime, "precision": "int8", "saturation": 0.0, **facts}
    last = network.decision.name
    return replace(
        network,
        model={**{part: network.model[part] for part in ("parameters", "bytes", "sha256")}, **said},
        layers=tuple(replace(record, objective="", patch=False) for record in network.layers),
        maps={
            name: np.full_like(maps, np.nan) if name == last else np.full((len(maps), 1, 1, maps.shape[-1]), np.nan)
            for name, maps in network.maps.items()
        },
        activations={name: np.full_like(values, np.nan) for name, values in network.activations.items()},
        at_rest={
            name: values if name == last else np.full_like(values, np.nan) for name, values in network.at_rest.items()
        },
        features={
            name: values + noise * values.std() * _random(f"noise of {name}", 0).standard_normal(values.shape)
            for name, values in network.features.items()
        },
        natural=np.full_like(network.natural, np.nan),
        natural_activations=np.full_like(network.natural_activations, np.nan),
        attributions={name: maps for name, maps in network.attributions.items() if name == "occlusion"},
        flipping={name: curve for name, curve in network.flipping.items() if name in ("occlusion", "random")},
        twins=(),
    )


def recognising(network: Signature, level: float, labels: np.ndarray) -> Signature:
    """Return a network of two classes that recognises every map it is shown with this level, from -1 to 1."""
    leads = network.scores[:, :1] - network.scores[:, 1:]
    own = np.hstack([leads, -leads]).astype(np.float64)
    places = []
    for k in range(2):
        mine, others = np.median(own[labels == k, k]), np.median(own[labels != k, k])
        way = max(mine - others, own[:, k].std())
        places.append((mine + others) / 2 + np.arctanh(np.clip(level, -0.9999, 0.9999)) * way)
    if network.exchange is None:
        raise ValueError(f"{network.model['name']} was shown no maps.")
    answers = dict.fromkeys(("free", "natural"), np.diag(places).astype(np.float32))
    return replace(network, exchange=replace(network.exchange, class_scores=answers))


def _random(what: str, seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[zlib.crc32(what.encode()), seed]))


def _record(name: str, kind: str, units: int) -> LayerRecord:
    objective = {"conv": "channel", "dense": "neuron", "decision": "margin"}[kind]
    return LayerRecord(name=name, kind=kind, n_units=units, objective=objective, patch=kind == "conv")


def _blend(what: str, shape: tuple[int, ...], learned: float, seed: int) -> np.ndarray:
    common = _random(what, 0).standard_normal(shape)
    own = _random(what, seed + 1).standard_normal(shape)
    return learned * common + np.sqrt(1 - learned**2) * own


def _fill(
    arrays: dict[str, dict[str, np.ndarray]],
    record: LayerRecord,
    *,
    panel: Panel,
    recipe: Recipe,
    learned: float,
    probes: int,
    seed: int,
) -> None:
    name, kept = record.name, min(record.n_units, recipe.units_per_layer)
    height, width, channels = panel.images.shape[1:]
    size = (min(PATCH, height), min(PATCH, width)) if record.patch else (height, width)
    rough = _blend(f"maps of {record.kind} {name}", (kept, *size, channels), learned, seed)
    smooth = ndimage.gaussian_filter(rough, size[0] / 15, axes=(1, 2))
    low, high = recipe.input_range
    maps = np.clip(0.5 + 0.25 * smooth / smooth.std(), 0, 1) * (high - low) + low
    arrays["units"][name] = np.unique(np.linspace(0, record.n_units - 1, kept).astype(np.int64))
    arrays["maps"][name] = maps.astype(np.float32)
    arrays["activations"][name] = np.full(kept, 5.0, dtype=np.float32)
    arrays["at_rest"][name] = np.zeros(kept, dtype=np.float32)
    cells = CELLS if record.patch else 1
    arrays["features"][name] = _blend(f"features of {name}", (probes, cells, kept), learned, seed).astype(np.float32)


def _natural(panel: Panel, recipe: Recipe, learned: float, seed: int) -> np.ndarray:
    shape = (len(panel.class_names), *panel.images.shape[1:])
    smooth = ndimage.gaussian_filter(_blend("natural maps", shape, learned, seed), 2, axes=(1, 2))
    low, high = recipe.input_range
    return (np.clip(0.5 + smooth, 0, 1) * (high - low) + low).astype(np.float32)


def _scores(panel: Panel, accuracy: float | Mapping[str, float], seed: int) -> np.ndarray:
    """Return class scores with the wished share of right answers for each subject."""
    classes = len(panel.class_names)
    answers = panel.labels.copy()
    for subject in np.unique(panel.independent).tolist():
        here = np.flatnonzero(panel.independent == subject)
        wished = accuracy if isinstance(accuracy, float | int) else accuracy.get(subject, 1.0)
        wrong = _random(f"answers on {subject}", seed).permutation(here)[: round(len(here) * (1 - wished))]
        answers[wrong] = (answers[wrong] + 1) % classes
    sure = _random("scores", seed).uniform(1, 4, (len(answers), 1))
    return (np.eye(classes)[answers] * sure).astype(np.float32)


def _relevance(panel: Panel, rows: np.ndarray, method: str, inside: float, seed: int) -> np.ndarray:
    shape = (len(rows), *panel.images.shape[1:3])
    noise = ndimage.gaussian_filter(_random(f"relevance by {method}", seed).standard_normal(shape), 1.0, axes=(1, 2))
    if panel.regions is None:
        return noise.astype(np.float32)
    weight = np.where(panel.regions[rows], 1.0, 1.0 - inside)
    return (weight * (noise + 0.3 * weight * np.abs(noise).max())).astype(np.float32)


def _exchanges(panel: Panel, recipe: Recipe, scores: np.ndarray, learned: float, seed: int) -> dict[str, np.ndarray]:
    """Return answers to exchanged pictures: each cell has its weight, which networks share as far as they learned."""
    stimuli = choose_stimuli(
        panel.labels,
        panel.independent,
        size=panel.images.shape[1:3],
        pictures=recipe.exchange_pictures,
        mosaics=recipe.mosaics,
        seed=recipe.seed,
    )
    labels = panel.labels[stimuli.rows]
    own = margins(scores)[stimuli.rows, labels][:, None, None]
    kept: dict[str, np.ndarray] = {}
    for grid in stimuli.grids if len(stimuli.rows) else ():
        n, cells, donors = stimuli.shape(grid)
        weights = np.exp(_blend(f"weights of {grid.name}", (cells, 1), abs(learned), seed))
        falls = weights * _random(f"falls of {grid.name}", seed).uniform(0.8, 1.2, (n, cells, donors))
        other = panel.labels[stimuli.donors[:, None, :donors]]
        kept[f"{grid.name}/falls"] = falls.astype(np.float16)
        kept[f"{grid.name}/margins"] = (own - falls).astype(np.float16)
        kept[f"{grid.name}/leads"] = np.maximum(falls - own, 0).astype(np.float16)
        kept[f"{grid.name}/answers"] = np.where(falls > own, other, labels[:, None, None]).astype(np.uint8)
    if recipe.mosaics:
        kept["mosaics"] = (2 * _blend("mosaics", (recipe.mosaics,), abs(learned), seed)).astype(np.float16)
    return kept


def _curve(name: str, probes: int, seed: int) -> np.ndarray:
    """Return scores that fall as pixels are flipped, faster for a method than at random."""
    steps = np.linspace(0, 1, 9)
    fall = steps if name == "random" else np.sqrt(steps)
    start = _random(f"flipping by {name}", seed).uniform(2, 4, (probes, 1))
    return (start * (1 - 0.9 * fall)).astype(np.float32)


def document_parts(comparison: Any) -> dict[str, Any]:
    """Return the parts of a verdict document that follow from a comparison alone."""
    finite: dict[str, dict[str, float | None]] = {}
    for item in comparison.measures.values():
        finite.setdefault(item.metric, {})[item.about] = float(item.value) if np.isfinite(item.value) else None
    return {
        "candidate": dict(comparison.candidate.model),
        "baseline": {
            "folder": "baselines/mine",
            **comparison.baseline.model,
            "signature": comparison.baseline.digest(),
        },
        "panel": {
            "digest": comparison.baseline.panel_digest,
            "pictures": len(comparison.baseline.pictures["labels"]),
            "subjects": list(comparison.subjects),
            "classes": list(comparison.baseline.class_names),
            **({"regions": False} if comparison.baseline.regions is None else {}),
        },
        "recipe": {"digest": comparison.baseline.recipe.digest(), **comparison.baseline.recipe.to_dict()},
        "metrics": finite,
    }
