"""What the report shows of hidden layers: matched units beside each other, and which of them fit into the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelcheck.comparison import Comparison, LayerComparison
from modelcheck.comparison.local import locate_pair_similarity, select_maps
from modelcheck.comparison.statistics import NetworkStatistics
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.matching import Match
from modelcheck.metrics.similarity import shrink
from modelcheck.report.charts import layer_rows
from modelcheck.report.pictures import Sheet, as_bytes, likeness_sheet, sheet
from modelcheck.report.words import clean, format_objective, gravest, head, number
from modelcheck.signature import LayerRecord, Signature

__all__ = ["gallery_layers", "layer_views"]

# What all HappyMaps of a page may hold in bytes, the decision layer apart: base64 makes about a
# megabyte of it.
_VALUES = 660_000
_SIDES = (96, 64, 48, 32)
_FIRST = 12
_USUAL = "structured"
_OBJECTIVES = {
    "channel": "the channel's centre unit",
    "neuron": "activation",
    "margin": "margin over the other classes",
}


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
        costs = [(pairs, _cost(shapes, side)) for pairs, shapes in layers]
        for most in range(64, fewest - 1, -1):
            if sum(min(pairs, most) * cost for pairs, cost in costs) <= _VALUES:
                return _Room(most, side)
    return _Room(1, _SIDES[-1])


def _cost(shapes: Sequence[tuple[int, ...]], side: int) -> float:
    """Return the bytes of a pair or of a unit alone: its maps and, of a pair, four bits a pixel of likeness."""
    alike = _values((*shapes[0][:2], 1), side) / 2 if len(shapes) == 2 else 0
    return alike + sum(_values(shape, side) for shape in shapes)


def _values(shape: tuple[int, ...], side: int) -> int:
    block = math.ceil(max(shape[:2]) / side)
    return (shape[0] // block) * (shape[1] // block) * (3 if shape[2] == 3 else 1)


def _shapes(comparison: Comparison, layer: LayerComparison) -> tuple[int, list[tuple[int, ...]]]:
    own = comparison.baseline.maps[layer.baseline.name].shape[1:]
    if not comparison.rendered:
        return min(len(comparison.baseline.units[layer.baseline.name]), 2 * _FIRST), [own]
    if layer.candidate is None:
        return min(len(layer.matching.unmatched_baseline), 2 * _FIRST), [own]
    return len(layer.matching.pairs), [own, comparison.candidate.maps[layer.candidate.name].shape[1:]]


def layer_views(comparison: Comparison, findings: Mapping[str, Finding], sheets: list[Sheet]) -> list[dict[str, Any]]:
    """Return the hidden layers with their matched units, first layer first.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    sheets : list of Sheet
        Receives the pictures.
    """
    hidden = comparison.layers[:-1]
    room = _room([_shapes(comparison, layer) for layer in hidden])
    show = _layer if comparison.rendered else _baseline_layer
    return [show(comparison, layer, k, findings, sheets, room) for k, layer in enumerate(hidden)]


def _describe_layer(
    comparison: Comparison, layer: LayerComparison, k: int, findings: Mapping[str, Finding]
) -> dict[str, Any]:
    """Return what is said of a layer whether or not the candidate has maps of it."""
    name, partner = layer.baseline.name, layer.candidate
    rows = layer_rows(comparison, name, findings)
    score = "map_ssim" if comparison.rendered else "activation_correlation"
    return {
        "anchor": f"layer-{k}",
        "name": clean(name),
        "partner": clean(partner.name) if partner else None,
        "kind": layer.baseline.kind,
        "objective": _OBJECTIVES.get(layer.baseline.objective, clean(layer.baseline.objective)),
        "acknowledged": layer.acknowledged,
        # What ships is not trained any further.
        "alike": comparison.rendered and name in comparison.layers_as_retrained,
        "units": (layer.baseline.n_units, partner.n_units if partner else 0),
        "rows": rows,
        "verdict": gravest([findings[item["key"]] for item in rows if item["key"] in findings]),
        "similarity": f"{head(score)} {number(layer.matching.mean)}" if layer.matching.pairs else "",
    }


def _baseline_layer(
    comparison: Comparison,
    layer: LayerComparison,
    k: int,
    findings: Mapping[str, Finding],
    sheets: list[Sheet],
    room: _Room,
) -> dict[str, Any]:
    """Return a layer with the baseline's maps alone: the candidate's units are known by their activations."""
    record, pairs = layer.baseline, layer.matching.pairs
    mapped, blank = _split_unmatched(
        comparison.baseline,
        record,
        [*(pair.baseline for pair in pairs), *layer.matching.unmatched_baseline],
        room.most,
    )
    partners = {pair.baseline: f"{pair.baseline} ↔ {pair.candidate}" for pair in pairs}
    scores = {pair.baseline: number(pair.score) for pair in pairs}
    health = comparison.statistics["baseline"].unit_health[record.name]
    view, places = _side(f"layer-{k}-baseline", comparison.baseline, record, mapped, None, room, sheets)
    return {
        **_describe_layer(comparison, layer, k, findings),
        "sheet": view,
        "maps": [
            {
                "unit": unit,
                "at": places[unit],
                "reached": _describe_unit(comparison.baseline, record, unit, health),
                "says": partners.get(unit, str(unit)),
                "score": scores.get(unit, ""),
            }
            for unit in mapped
        ],
        "left_out": len(comparison.baseline.units[record.name]) - len(mapped) - len(blank),
        "without_map": len(blank),
    }


def _layer(
    comparison: Comparison,
    layer: LayerComparison,
    k: int,
    findings: Mapping[str, Finding],
    sheets: list[Sheet],
    room: _Room,
) -> dict[str, Any]:
    name, partner = layer.baseline.name, layer.candidate
    made: dict[str, Any] = {
        **_describe_layer(comparison, layer, k, findings),
        "pairs": [],
        "rest": [],
        "left_out": 0,
        "alone": [],
        "local": None,
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
        mapped, blank = _split_unmatched(signature, record, alone[role], room.most)
        health = comparison.statistics[role].unit_health[record.name]
        made[role], places[role] = _side(f"layer-{k}-{role}", signature, record, [*paired, *mapped], cut, room, sheets)
        made["alone"].append(
            {
                "role": role,
                "maps": [
                    {"unit": u, "at": places[role][u], "reached": _describe_unit(signature, record, u, health)}
                    for u in mapped
                ],
                "blank": blank[:64],
                "left_out": len(alone[role]) - len(mapped) - len(blank[:64]),
                "total": len(alone[role]),
            }
        )
    if partner and shown:
        local = locate_pair_similarity(comparison.baseline, comparison.candidate, layer, pairs=shown, side=_SIDES[0])
        sheets.append(likeness_sheet(f"layer-{k}-local", shrink(local, side=room.side)))
        made["local"] = sheets[-1]
    pairs = [] if partner is None else _pairs(comparison, layer.baseline, partner, shown, places)
    made["pairs"], made["rest"] = pairs[:_FIRST], pairs[_FIRST:]
    return made


def _pairs(
    comparison: Comparison,
    before: LayerRecord,
    after: LayerRecord,
    shown: Sequence[Match],
    places: Mapping[str, Mapping[int, int]],
) -> list[dict[str, Any]]:
    health = {
        role: comparison.statistics[role].unit_health[record.name]
        for role, record in (("baseline", before), ("candidate", after))
    }
    made = []
    for place, pair in enumerate(shown):
        made.append(
            {
                "place": place,
                "baseline": pair.baseline,
                "candidate": pair.candidate,
                "score": number(pair.score),
                "at": (places["baseline"][pair.baseline], places["candidate"][pair.candidate]),
                "reached": (
                    _describe_unit(comparison.baseline, before, pair.baseline, health["baseline"]),
                    _describe_unit(comparison.candidate, after, pair.candidate, health["candidate"]),
                ),
                "note": _note(health["baseline"][pair.baseline], health["candidate"][pair.candidate]),
            }
        )
    return made


def _split_unmatched(
    signature: Signature, record: LayerRecord, units: Sequence[int], most: int
) -> tuple[list[int], list[int]]:
    """Split units without a partner into those with a map, at most so many, and those without."""
    known = signature.units[record.name].tolist()
    finite = np.isfinite(signature.maps[record.name]).all(axis=(1, 2, 3))
    mapped = [unit for unit in units if finite[known.index(unit)]]
    return mapped[: min(most, 2 * _FIRST)], [unit for unit in units if not finite[known.index(unit)]]


def _describe_unit(signature: Signature, record: LayerRecord, unit: int, health: Mapping[int, str]) -> str | None:
    """Return what a unit reached on its map and what that looks like; None for a unit without a map."""
    position = signature.units[record.name].tolist().index(unit)
    value = format_objective(float(signature.activations[record.name][position]))
    return None if value is None else f"{value}, {health[unit]}"


def _note(before: str, after: str) -> str:
    """Return what is remarkable about the units of a pair; empty where both are as most are."""
    if before == after:
        return "" if before == _USUAL else f"both {before}"
    named = (("baseline", before), ("candidate", after))
    return ", ".join(f"{role} {word}" for role, word in named if word != _USUAL)


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
    maps = _crop(select_maps(signature, record.name, units), cut)
    sheets.append(sheet(name, as_bytes(shrink(maps, side=room.side), signature.recipe.input_range)))
    return sheets[-1], {unit: place for place, unit in enumerate(units)}


def _crop(maps: np.ndarray, cut: Sequence[int] | None) -> np.ndarray:
    """Cut maps to the centre that both networks' units see, as the comparison does."""
    if cut is None:
        return maps
    top, side = ((maps.shape[axis] - cut[axis - 1]) // 2 for axis in (1, 2))
    return maps[:, top : top + cut[0], side : side + cut[1]]


def gallery_layers(signature: Signature, statistics: NetworkStatistics, sheets: list[Sheet]) -> list[dict[str, Any]]:
    """Return the maps of one network's hidden layers, last layer first.

    Parameters
    ----------
    signature : Signature
        The network.
    statistics : NetworkStatistics
        What was computed of it.
    sheets : list of Sheet
        Receives the pictures.
    """
    records = signature.layers[:-1]
    room = _room([(len(signature.units[x.name]), [signature.maps[x.name].shape[1:]]) for x in records])
    made = []
    for k, record in enumerate(records):
        units = signature.units[record.name].tolist()
        mapped, blank = _split_rendered(signature, record, room.most)
        health = statistics.unit_health[record.name]
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
                "maps": [
                    {"unit": u, "at": places[u], "reached": _describe_unit(signature, record, u, health)}
                    for u in mapped
                ],
                "blank": blank[:64],
                "left_out": len(units) - len(mapped) - len(blank[:64]),
            }
        )
    return made[::-1]


def _split_rendered(signature: Signature, record: LayerRecord, most: int) -> tuple[list[int], list[int]]:
    units = signature.units[record.name].tolist()
    finite = np.isfinite(signature.maps[record.name]).all(axis=(1, 2, 3))
    mapped = [unit for unit, good in zip(units, finite, strict=True) if good]
    return mapped[:most], [unit for unit, good in zip(units, finite, strict=True) if not good]
