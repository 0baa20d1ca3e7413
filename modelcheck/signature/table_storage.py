"""How a record of a network on a table becomes arrays under flat keys, and a header.

Columns are kept by position: their names are whatever a table has.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.panel.populations import list_populations
from modelcheck.signature.storage import digest_arrays, place_record

if TYPE_CHECKING:
    from modelcheck.panel.columns import Column
    from modelcheck.signature.table_record import TableSignature

__all__ = ["EFFECT_PARTS", "TABLE_PER_LAYER", "digest_record", "list_what_follows", "write_table_record"]

TABLE_PER_LAYER = {
    "units": np.int64,
    "profiles": np.float64,
    "happiness": np.float32,
    "at_rest": np.float32,
    "gains": np.float32,
    "features": np.float32,
}
EFFECT_PARTS = {"edges": np.float64, "bins": np.int32, "changes": np.float32}
_EXCHANGE_PARTS = {"rows": np.int64, "donors": np.int64, "falls": np.float32}


def write_table_record(target: Path, signature: TableSignature) -> None:
    """Write a record into a folder whose lock the caller holds: members first, then the manifest, at once."""
    place_record(target, _flatten(signature), _build_header(signature) | list_what_follows(signature))


def digest_record(signature: TableSignature) -> str:
    """Return the sha256 of the whole content, in hex."""
    return digest_arrays(_build_header(signature), _flatten(signature))


def _build_header(signature: TableSignature) -> dict[str, Any]:
    """Return what stands in the manifest of a record beside its members."""
    exchange = signature.exchange
    return {
        "kind": "table",
        "target": signature.target,
        "class_names": list(signature.class_names),
        "columns": [_describe_column(column) for column in signature.columns],
        "layers": [vars(record) for record in signature.layers],
        "model": dict(signature.model),
        "panel_digest": signature.panel_digest,
        "provenance": dict(signature.provenance),
        "recipe": signature.recipe.to_dict(),
        "recipe_digest": signature.recipe.digest(),
        "profiles_digest": "" if exchange is None else exchange.profiles_sha256,
        "division_names": list(signature.groups),
        "twins": [_build_header(twin) for twin in signature.twins],
        "retrained": [_build_header(twin) for twin in signature.retrained],
        "against": dict(signature.against),
        **({"interface": signature.interface.to_dict()} if signature.interface else {}),
    }


def list_what_follows(signature: TableSignature) -> dict[str, Any]:
    """Return what follows from the arrays and stands in the manifest all the same: tests are collected by it."""
    found = list_populations(signature.groups)
    return {
        "subjects": list(signature.subjects),
        "groups": {name: sorted(set(words.tolist())) for name, words in signature.groups.items()},
        "populations": list(found.measured),
        "small_populations": list(found.small),
        "divisions": list(found.divisions),
        "effects": list(found.list_effects([column.name for column in signature.columns])),
        "classes_without_rows": list(signature.classes_without_rows),
    }


def _describe_column(column: Column) -> dict[str, Any]:
    """Return a column as JSON-ready builtins; a range that there is none of is null."""
    told = dataclasses.asdict(column) | {"kind": column.kind.value, "values": list(column.values)}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in told.items()}


def _flatten(signature: TableSignature, prefix: str = "") -> dict[str, np.ndarray]:
    """Return all arrays under flat keys, in the dtypes they are stored in."""
    arrays: dict[str, np.ndarray] = {}
    for part, dtype in TABLE_PER_LAYER.items():
        arrays |= {f"{part}/{layer}": np.asarray(array, dtype) for layer, array in getattr(signature, part).items()}
    arrays["predictions/scores"] = np.asarray(signature.scores, np.float32)
    arrays["predictions/probes"] = np.asarray(signature.probes, np.int64)
    arrays["typical/row"] = np.asarray(signature.typical, np.float64)
    arrays["shuffled/losses"] = np.asarray(signature.shuffled, np.float32)
    for name in ("truth", "names", "subjects"):
        if name in signature.rows:
            arrays[f"rows/{name}"] = np.asarray(signature.rows[name])
    for number, words in enumerate(signature.groups.values()):
        arrays[f"groups/{number}"] = np.asarray(words)
    for name, array in signature.exchanges.items():
        arrays[f"exchanges/{name}"] = np.asarray(array, _EXCHANGE_PARTS[name])
    for number, column in enumerate(signature.columns if signature.effects else ()):
        effect = signature.effects[column.name]
        for part, dtype in EFFECT_PARTS.items():
            arrays[f"effects/{number}/{part}"] = np.asarray(getattr(effect, part), dtype)
    arrays |= {f"relevance/{name}": np.asarray(values, np.float32) for name, values in signature.relevance.items()}
    arrays |= {f"fingerprint/{name}": np.asarray(part, np.float16) for name, part in signature.fingerprint.items()}
    if signature.exchange is not None:
        arrays["profile_exchange/happiness"] = np.asarray(signature.exchange.happiness, np.float32)
        arrays["profile_exchange/at_rest"] = np.asarray(signature.exchange.at_rest, np.float32)
    for kind, beside in (("twin", signature.twins), ("retrained", signature.retrained)):
        for position, twin in enumerate(beside):
            arrays |= _flatten(twin, f"{kind}{position}/")
    return {prefix + key: array for key, array in arrays.items()}
