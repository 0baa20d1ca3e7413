"""Making a record of a network on a table from what a folder keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from modelcheck.interface import Interface
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.signature.record import LayerRecord
from modelcheck.signature.storage import widen
from modelcheck.signature.table_record import LocalEffect, ProfileExchange, TableSignature
from modelcheck.signature.table_storage import EFFECT_PARTS, TABLE_PER_LAYER, list_what_follows
from modelcheck.table_recipe import TableRecipe

__all__ = ["build_table_record", "read_column"]

_EXCHANGES = {"rows", "donors", "falls"}


def read_column(told: Any) -> Column:
    """Return a column from its row in a manifest.

    Raises
    ------
    ValueError, TypeError, KeyError
        When it is none.
    """
    ends = {end: math.nan if told[end] is None else float(told[end]) for end in ("low", "high")}
    return Column(**{**told, **ends, "kind": ColumnKind(told["kind"]), "values": tuple(told["values"])})


def build_table_record(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TableSignature:
    """Return a record from its manifest and its arrays, and see that they fit together.

    Raises
    ------
    ValueError, KeyError, TypeError, IndexError
        When a part is missing or does not fit the others.
    """
    signature = _build(document, arrays)
    for name, follows in list_what_follows(signature).items():
        if document[name] != follows:
            raise ValueError(f"its manifest names other {name} than its rows give")
    return signature


def _build(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TableSignature:
    recipe = TableRecipe.from_dict(document["recipe"])
    if recipe.digest() != document["recipe_digest"]:
        raise ValueError("its recipe does not match its digest")
    layers = tuple(LayerRecord(**record) for record in document["layers"])
    columns = tuple(read_column(told) for told in document["columns"])

    def below(part: str) -> dict[str, np.ndarray]:
        return {key.split("/", 1)[1]: value for key, value in sorted(arrays.items()) if key.startswith(f"{part}/")}

    def beside(kind: str, headers: list[Any]) -> tuple[TableSignature, ...]:
        return tuple(_build(header, below(f"{kind}{k}")) for k, header in enumerate(headers))

    per_layer: dict[str, dict[str, np.ndarray]] = {
        part: {record.name: arrays[f"{part}/{record.name}"] for record in layers} for part in TABLE_PER_LAYER
    }
    effects = {
        column.name: LocalEffect(**{part: arrays[f"effects/{number}/{part}"] for part in EFFECT_PARTS})
        for number, column in enumerate(columns)
        if f"effects/{number}/changes" in arrays
    }
    divisions = {f"groups/{name}": arrays[f"groups/{k}"] for k, name in enumerate(document["division_names"])}
    shown = below("profile_exchange")
    signature = TableSignature(
        model=document["model"],
        recipe=recipe,
        panel_digest=document["panel_digest"],
        target=document["target"],
        class_names=tuple(document["class_names"]),
        columns=columns,
        layers=layers,
        **per_layer,
        typical=arrays["typical/row"],
        scores=arrays["predictions/scores"],
        rows=below("rows") | divisions,
        probes=arrays["predictions/probes"],
        exchanges=below("exchanges"),
        effects=effects,
        shuffled=arrays["shuffled/losses"],
        relevance=below("relevance"),
        fingerprint={name: widen(values) for name, values in below("fingerprint").items()},
        exchange=ProfileExchange(profiles_sha256=document["profiles_digest"], **shown) if shown else None,
        twins=beside("twin", document["twins"]),
        retrained=beside("retrained", document["retrained"]),
        against=document["against"],
        interface=Interface.from_dict(document.get("interface", {})),
        provenance=document["provenance"],
    )
    _check_fit(signature)
    return signature


def _check_fit(signature: TableSignature) -> None:
    """Refuse parts whose shapes do not fit each other: whatever reads them may count on that.

    Raises
    ------
    ValueError
        With the part.
    """
    if signature.exchanges and signature.exchanges.keys() != _EXCHANGES:
        raise ValueError(f"its exchanges have the parts {sorted(signature.exchanges)}")
    for what, part, wanted in _list_shapes(signature):
        shape = part.shape
        if len(shape) != len(wanted) or any(n not in (None, m) for n, m in zip(wanted, shape, strict=True)):
            raise ValueError(f"its {what} have the shape {shape}")


def _list_shapes(signature: TableSignature) -> Iterator[tuple[str, np.ndarray, tuple[int | None, ...]]]:
    """Yield every array with what it is and its shape; None stands for any length."""
    width, count, probes = len(signature.columns), len(signature.scores), len(signature.probes)
    outputs = len(signature.class_names) or 1
    yield "scores", signature.scores, (None, outputs)
    yield "typical row", signature.typical, (width,)
    yield "probes", signature.probes, (None,)
    if signature.shuffled.size:
        yield "losses by shuffling", signature.shuffled, (width, None)
    for name, values in signature.rows.items():
        yield name, values, (count,)
    for method, values in signature.relevance.items():
        yield f"relevances by {method}", values, (probes, width)
    for layer in signature.layers:
        shown = len(signature.units[layer.name])
        yield f"activations of {layer.name}", signature.features[layer.name], (probes, layer.n_units)
        for part in ("happiness", "at_rest"):
            yield f"{part} of {layer.name}", getattr(signature, part)[layer.name], (shown,)
        for part in ("profiles", "gains"):
            yield f"{part} of {layer.name}", getattr(signature, part)[layer.name], (shown, width)
    for column in signature.columns if signature.effects else ():
        effect = signature.effects[column.name]
        between = (len(column.values),) if column.kind is ColumnKind.CATEGORY else ()
        yield f"effects of {column.name!r}", effect.bins, (count,)
        yield f"effects of {column.name!r}", effect.changes, (count, *between, outputs)
    if signature.exchanges:
        rows, donors = signature.exchanges["rows"], signature.exchanges["donors"]
        yield "exchanged rows", rows, (None,)
        yield "donors", donors, (len(rows), None)
        yield "falls", signature.exchanges["falls"], (len(rows), width, donors.shape[1])
    if signature.exchange is not None:
        for name in ("happiness", "at_rest"):
            yield f"answers to profiles, {name},", getattr(signature.exchange, name), (None,)
