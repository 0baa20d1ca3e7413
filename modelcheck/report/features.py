"""What the report shows of the HappyMaps: the network map, the decision layer and every other layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from modelcheck.compare import METRICS, Comparison, LayerComparison
from modelcheck.health import unit_health
from modelcheck.report.calibration import calibration_view
from modelcheck.report.charts import gravity, network_map, row
from modelcheck.report.pictures import Sheet, as_bytes, sheet, shrunk
from modelcheck.report.words import STATES, clean, count, number
from modelcheck.signature import LayerRecord, Signature
from modelcheck.similarity import low_pass

__all__ = ["decision_view", "feature_view", "gallery_layers"]

# What all HappyMaps of a page may hold in bytes, the decision layer apart: base64 makes about a megabyte of it.
_VALUES = 560_000
_SIDES, _LARGE = (96, 64, 48, 32), 192
_FIRST = 12
_OBJECTIVES = {
    "channel": "the channel's centre unit",
    "neuron": "activation",
    "margin": "margin over the other classes",
}


def feature_view(
    comparison: Comparison, findings: Mapping[str, Mapping[str, Any]], sheets: list[Sheet]
) -> dict[str, Any]:
    """Return everything of the section *Same features*.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        Rows of the verdict document by key; empty where there is no gate.
    sheets : list of Sheet
        Receives the pictures.
    """
    hidden = comparison.layers[:-1]
    room = _room([_shapes(comparison, layer) for layer in hidden])
    layers = [_layer(comparison, layer, k, findings, sheets, room) for k, layer in enumerate(hidden)]
    return {
        "map": _map(comparison),
        "calibration": calibration_view(comparison),
        "decision": decision_view(comparison.baseline, comparison.candidate, sheets),
        "decision_rows": _rows(comparison, comparison.layers[-1].baseline.name, findings),
        "layers": layers,
    }


def _rows(comparison: Comparison, layer: str, findings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = [row(item, findings) for item in comparison.about_layer(layer) if item.metric != "floor_ssim"]
    for item in rows:
        item["meaning"] = METRICS[item["metric"]].says
    return sorted(rows, key=gravity)


@dataclass(frozen=True)
class _Room:
    """How many pairs a layer may show, and how long the longer side of a map may be in pixels."""

    most: int
    side: int


def _room(layers: Sequence[tuple[int, Sequence[tuple[int, ...]]]]) -> _Room:
    """Fit the maps of all layers into a page: fewer of them first, then smaller ones, then very few.

    Parameters
    ----------
    layers : sequence of tuple
        How many pairs a layer has, and the shapes ``(h, w, c)`` of the maps of a pair.
    """
    for side, fewest in (*((side, 8) for side in _SIDES), (_SIDES[-1], 1)):
        costs = [(pairs, sum(_values(shape, side) for shape in shapes)) for pairs, shapes in layers]
        for most in range(64, fewest - 1, -1):
            if sum(min(pairs, most) * cost for pairs, cost in costs) <= _VALUES:
                return _Room(most, side)
    return _Room(1, _SIDES[-1])


def _values(shape: tuple[int, ...], side: int) -> int:
    block = math.ceil(max(shape[:2]) / side)
    return (shape[0] // block) * (shape[1] // block) * (3 if shape[2] == 3 else 1)


def _shapes(comparison: Comparison, layer: LayerComparison) -> tuple[int, list[tuple[int, ...]]]:
    own = comparison.baseline.maps[layer.baseline.name].shape[1:]
    if layer.candidate is None:
        return min(len(layer.matching.unmatched_baseline), 2 * _FIRST), [own]
    return len(layer.matching.pairs), [own, comparison.candidate.maps[layer.candidate.name].shape[1:]]


def _map(comparison: Comparison) -> dict[str, Any]:
    own = [record.name for record in comparison.candidate.layers]
    links = []
    for k, layer in enumerate(comparison.layers):
        if layer.candidate is None:
            continue
        last = layer.baseline.kind == "decision"
        metric = "recognition" if last else "activation_correlation"
        score = comparison.metrics.get(f"{metric}[{layer.baseline.name}]", math.nan)
        tells = f"{clean(layer.baseline.name)} corresponds to {clean(layer.candidate.name)}: {number(score)}"
        links.append(
            {
                "baseline": k,
                "candidate": own.index(layer.candidate.name),
                "score": score if math.isfinite(score) else None,
                "anchor": "decision" if last else f"layer-{k}",
                "tells": tells,
            }
        )
    partnered = {layer.candidate.name for layer in comparison.layers if layer.candidate}
    return network_map(
        [_box(layer.baseline, layer.candidate is not None) for layer in comparison.layers],
        [_box(record, record.name in partnered) for record in comparison.candidate.layers],
        links,
    )


def _box(record: LayerRecord, matched: bool) -> dict[str, Any]:
    alone = "" if matched else ", no counterpart"
    says = f"{record.kind}, {count(record.n_units, 'unit')}{alone}"
    return {"name": record.name, "says": says, "units": record.n_units, "alone": not matched}


def decision_view(baseline: Signature | None, candidate: Signature, sheets: list[Sheet]) -> dict[str, Any]:
    """Return the maps of the decision, one a class, at full and at feature scale.

    Parameters
    ----------
    baseline : Signature or None
        None in a gallery of one network.
    candidate : Signature
        The network.
    sheets : list of Sheet
        Receives the pictures.
    """
    made: dict[str, Any] = {"classes": [], "sides": {}}
    sides = {"baseline": baseline, "candidate": candidate}
    for role, signature in sides.items():
        if signature is None:
            continue
        maps = signature.maps[signature.decision.name]
        coarse = low_pass(
            np.nan_to_num(maps, nan=float(np.mean(signature.recipe.input_range))), sigma=maps.shape[1] / 15
        )
        for scale, stack in (("full", maps), ("coarse", coarse), ("natural", signature.natural)):
            pixels = as_bytes(shrunk(stack, side=_LARGE), signature.recipe.input_range)
            sheets.append(sheet(f"decision-{role}-{scale}", pixels))
            made["sides"][f"{role}_{scale}"] = sheets[-1]
    if baseline is not None:
        local = _local_likeness(baseline, candidate)
        sheets.append(sheet("decision-local", as_bytes(shrunk(local, side=_LARGE), (0.0, 1.0))))
        made["sides"]["local"] = sheets[-1]
    for k, name in enumerate(candidate.class_names):
        made["classes"].append(
            {
                "name": clean(name),
                "position": k,
                "candidate": _reached(candidate, candidate.decision.name, k),
                "baseline": _reached(baseline, baseline.decision.name, k) if baseline else None,
            }
        )
    return made


def _local_likeness(baseline: Signature, candidate: Signature) -> np.ndarray:
    """Return where the decision's maps are alike: ``(classes, h, w, 1)``, structural similarity, 0 to 1."""
    low, high = baseline.recipe.input_range
    pairs = zip(baseline.maps[baseline.decision.name], candidate.maps[candidate.decision.name], strict=True)
    found = []
    for one, other in pairs:
        window = min(11, *(length - (length + 1) % 2 for length in one.shape[:2]))
        _, local = structural_similarity(
            np.nan_to_num(one, nan=low),
            np.nan_to_num(other, nan=high),
            data_range=high - low,
            win_size=window,
            gaussian_weights=window == 11,
            use_sample_covariance=False,
            channel_axis=-1,
            full=True,
        )
        found.append(np.clip(local.mean(axis=-1, keepdims=True), 0, 1))
    return np.stack(found)


def _reached(signature: Signature, layer: str, position: int) -> str | None:
    """Return the objective on a unit's map in words; None for a unit without a map."""
    value = float(signature.activations[layer][position])
    return number(value) if math.isfinite(value) else None


def _layer(
    comparison: Comparison,
    layer: LayerComparison,
    k: int,
    findings: Mapping[str, Mapping[str, Any]],
    sheets: list[Sheet],
    room: _Room,
) -> dict[str, Any]:
    name, partner = layer.baseline.name, layer.candidate
    rows = _rows(comparison, name, findings)
    judged = [item["verdict"] for item in rows if item["gating"]]
    made: dict[str, Any] = {
        "anchor": f"layer-{k}",
        "name": clean(name),
        "partner": clean(partner.name) if partner else None,
        "kind": layer.baseline.kind,
        "objective": _OBJECTIVES.get(layer.baseline.objective, clean(layer.baseline.objective)),
        "acknowledged": layer.acknowledged,
        "units": (layer.baseline.n_units, partner.n_units if partner else 0),
        "rows": rows,
        "verdict": next((state for state in STATES if state in judged), "info"),
        "similarity": number(layer.matching.mean),
        "pairs": [],
        "rest": [],
        "left_out": 0,
        "alone": [],
    }
    shown = layer.matching.pairs[: room.most] if partner else ()
    made["left_out"] = len(layer.matching.pairs) - len(shown)
    alone = {"baseline": layer.matching.unmatched_baseline, "candidate": layer.matching.unmatched_candidate}
    places: dict[str, dict[int, int]] = {}
    cut = None
    if partner:
        cut = tuple(
            min(comparison.baseline.maps[name].shape[a], comparison.candidate.maps[partner.name].shape[a])
            for a in (1, 2)
        )
    for role, signature, record in (
        ("baseline", comparison.baseline, layer.baseline),
        ("candidate", comparison.candidate, partner),
    ):
        if record is None:
            continue
        paired = [getattr(pair, role) for pair in shown]
        lonely, blank = _lonely(signature, record, alone[role], room.most)
        made[role], places[role] = _side(f"layer-{k}-{role}", signature, record, [*paired, *lonely], cut, room, sheets)
        made["alone"].append(
            {
                "role": role,
                "maps": [{"unit": u, "at": places[role][u], "reached": _of_unit(signature, record, u)} for u in lonely],
                "blank": blank[:64],
                "left_out": len(alone[role]) - len(lonely) - len(blank[:64]),
                "total": len(alone[role]),
            }
        )
    pairs = [
        {
            "baseline": pair.baseline,
            "candidate": pair.candidate,
            "score": number(pair.score),
            "at": (places["baseline"][pair.baseline], places["candidate"][pair.candidate]),
            "reached": (
                _of_unit(comparison.baseline, layer.baseline, pair.baseline),
                _of_unit(comparison.candidate, partner, pair.candidate) if partner else None,
            ),
        }
        for pair in shown
    ]
    made["pairs"], made["rest"] = pairs[:_FIRST], pairs[_FIRST:]
    return made


def _lonely(signature: Signature, record: LayerRecord, units: Sequence[int], most: int) -> tuple[list[int], list[int]]:
    """Split units without a partner into those with a map, at most so many, and those without."""
    known = signature.units[record.name].tolist()
    finite = np.isfinite(signature.maps[record.name]).all(axis=(1, 2, 3))
    mapped = [unit for unit in units if finite[known.index(unit)]]
    return mapped[: min(most, 2 * _FIRST)], [unit for unit in units if not finite[known.index(unit)]]


def _of_unit(signature: Signature, record: LayerRecord, unit: int) -> str | None:
    """Return what a unit reached on its map and what that looks like; None for a unit without a map."""
    position = signature.units[record.name].tolist().index(unit)
    reached = _reached(signature, record.name, position)
    return None if reached is None else f"{reached}, {_health(signature, record, position)}"


def _health(signature: Signature, record: LayerRecord, position: int) -> str:
    features = signature.features[record.name]
    # Features are kept of every unit, maps of the rendered ones.
    column = signature.units[record.name][position] if features.shape[-1] == record.n_units else position
    chosen = slice(int(column), int(column) + 1)
    maps = signature.maps[record.name][position : position + 1]
    return unit_health(maps, features[..., chosen], input_range=signature.recipe.input_range)[0]


def _side(
    name: str,
    signature: Signature,
    record: LayerRecord,
    units: Sequence[int],
    cut: Sequence[int] | None,
    room: _Room,
    sheets: list[Sheet],
) -> tuple[Sheet | None, dict[int, int]]:
    if not units:
        return None, {}
    known = signature.units[record.name].tolist()
    maps = signature.maps[record.name][[known.index(unit) for unit in units]]
    if cut is not None:  # as in the comparison: the centre that both networks' units see
        top, side = ((maps.shape[axis] - cut[axis - 1]) // 2 for axis in (1, 2))
        maps = maps[:, top : top + cut[0], side : side + cut[1]]
    sheets.append(sheet(name, as_bytes(shrunk(maps, side=room.side), signature.recipe.input_range)))
    return sheets[-1], {unit: place for place, unit in enumerate(units)}


def gallery_layers(signature: Signature, sheets: list[Sheet]) -> list[dict[str, Any]]:
    """Return the maps of one network's hidden layers, last layer first.

    Parameters
    ----------
    signature : Signature
        The network.
    sheets : list of Sheet
        Receives the pictures.
    """
    records = signature.layers[:-1]
    room = _room([(len(signature.units[x.name]), [signature.maps[x.name].shape[1:]]) for x in records])
    made = []
    for k, record in enumerate(records):
        units = signature.units[record.name].tolist()
        mapped, blank = _lonely_all(signature, record, room.most)
        view, places = _side(f"layer-{k}-candidate", signature, record, mapped, None, room, sheets)
        made.append(
            {
                "anchor": f"layer-{k}",
                "name": clean(record.name),
                "kind": record.kind,
                "objective": _OBJECTIVES.get(record.objective, clean(record.objective)),
                "units": record.n_units,
                "rendered": len(units),
                "sheet": view,
                "maps": [{"unit": u, "at": places[u], "reached": _of_unit(signature, record, u)} for u in mapped],
                "blank": blank[:64],
                "left_out": len(units) - len(mapped) - len(blank[:64]),
            }
        )
    return made[::-1]


def _lonely_all(signature: Signature, record: LayerRecord, most: int) -> tuple[list[int], list[int]]:
    units = signature.units[record.name].tolist()
    finite = np.isfinite(signature.maps[record.name]).all(axis=(1, 2, 3))
    mapped = [unit for unit, good in zip(units, finite, strict=True) if good]
    return mapped[:most], [unit for unit, good in zip(units, finite, strict=True) if not good]
