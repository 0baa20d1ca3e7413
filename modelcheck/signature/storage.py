"""How a record becomes arrays under flat keys, a header, and files: in which precision each part is kept."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.support.folders import ASIDE, PathKind, kind_of, place, remove

if TYPE_CHECKING:
    from modelcheck.signature.record import Signature

__all__ = [
    "EXCHANGE",
    "FORMAT",
    "MANIFEST",
    "MEMBER",
    "PER_LAYER",
    "PICTURES",
    "build_header",
    "digest_arrays",
    "encode_canonical",
    "find_stray_members",
    "flatten_arrays",
    "narrow",
    "place_record",
    "widen",
    "write_record",
]

FORMAT = 3
MANIFEST = "manifest.json"
MEMBER = re.compile(r"[a-z0-9]+-[0-9a-f]{16}\.npz")
PICTURES = ("labels", "subjects", "groups", "names")  # of which subjects may be missing
_BESIDE = re.compile(r"(twin|retrained)[0-9]+")
_FILES = ("maps", "features", "attributions", "exchanges")

PER_LAYER = {
    "units": np.int64,
    "maps": np.float16,
    "activations": np.float32,
    "at_rest": np.float32,
    "features": np.float16,
}
# The part of a key under which an array of the exchange is stored, and its name in `MapExchange`.
EXCHANGE = {
    "responses": "class_scores",
    "answers": "unit_answers",
    "answers_back": "unit_answers_back",
    "responses_back": "class_scores_back",
}


def write_record(target: Path, signature: Signature) -> None:
    """Write a record into a folder whose lock the caller holds: members first, then the manifest, at once."""
    document = build_header(signature)
    if signature.classes_without_pictures:  # beside the header: it follows from the arrays, and moves no digest
        document["classes_without_pictures"] = list(signature.classes_without_pictures)
    if signature.regions is None:
        document["regions"] = False
    place_record(target, flatten_arrays(signature), document)


def place_record(target: Path, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
    """Write arrays and what their manifest says of them into a folder: members first, then the manifest, at once.

    Parameters
    ----------
    target : Path
        The folder, whose lock the caller holds.
    arrays : mapping of str to np.ndarray
        By flat key, whose first part says in which member an array is kept.
    document : mapping
        The manifest, without its format, members and digest.
    """
    members: dict[str, str] = {}
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        part = key.split("/", 1)[0]
        groups.setdefault(part if part in _FILES or _BESIDE.fullmatch(part) else "numbers", {})[key] = array
    for group, kept in sorted(groups.items()):
        packed = io.BytesIO()
        np.savez_compressed(packed, **kept)  # type: ignore[arg-type]  # the stub takes keys for its own flags
        data = packed.getvalue()
        sha = hashlib.sha256(data).hexdigest()
        members[f"{group}-{sha[:16]}.npz"] = sha
        place(target / f"{group}-{sha[:16]}.npz", data)
    whole = {"format": FORMAT, "members": members, **document}
    whole["digest"] = hashlib.sha256(encode_canonical(whole)).hexdigest()
    place(target / MANIFEST, encode_canonical(whole))
    for stray in find_stray_members(target, members):
        remove(stray)


def digest_arrays(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of a record's content, in hex: of its header and its arrays."""
    digest = hashlib.sha256(encode_canonical(header))
    for key, array in sorted(arrays.items()):
        digest.update(f"{key}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def find_stray_members(folder: Path, members: Mapping[str, str]) -> list[Path]:
    """Return what killed writers left in a folder: members that no manifest lists, and half-written files.

    What is named like a half-written file is one, of whatever kind it is; a folder that is named
    like a member is none.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.startswith(ASIDE)
        or (MEMBER.fullmatch(path.name) and path.name not in members and kind_of(path) != PathKind.FOLDER)
    )


def encode_canonical(document: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON bytes of a document, which are hashed."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()


def build_header(signature: Signature) -> dict[str, Any]:
    """Return what stands in the manifest of a record beside its members."""
    exchange = signature.exchange
    return {
        "class_names": list(signature.class_names),
        "layers": [vars(record) for record in signature.layers],
        "model": dict(signature.model),
        "panel_digest": signature.panel_digest,
        "subjects": _distinct(signature, "subjects"),
        "groups": _distinct(signature, "groups"),
        "provenance": dict(signature.provenance),
        "recipe": signature.recipe.to_dict(),
        "recipe_digest": signature.recipe.digest(),
        "stimuli_digest": "" if exchange is None else exchange.stimuli_sha256,
        "twins": [build_header(twin) for twin in signature.twins],
        "retrained": [build_header(twin) for twin in signature.retrained],
        "against": dict(signature.against),
        # Not there in records that were written before it was: their digests stay.
        **({"partners": dict(exchange.counterparts)} if exchange is not None and exchange.counterparts else {}),
        **({"interface": signature.interface.to_dict()} if signature.interface else {}),
    }


def flatten_arrays(signature: Signature, prefix: str = "") -> dict[str, np.ndarray]:
    """Return all arrays under flat keys, in the dtypes they are stored in."""
    arrays: dict[str, np.ndarray] = {}
    for part, dtype in PER_LAYER.items():
        for layer, array in getattr(signature, part).items():
            arrays[f"{part}/{layer}"] = narrow(np.asarray(array), dtype)
    for method, array in signature.attributions.items():
        arrays[f"attributions/{method}"], arrays[f"scales/{method}"] = _scale(np.asarray(array))
    arrays |= {f"flipping/{name}": np.asarray(curve, np.float32) for name, curve in signature.flipping.items()}
    arrays |= {f"stickers/{name}": np.asarray(shifts, np.float32) for name, shifts in signature.stickers.items()}
    arrays |= {f"exchanges/{name}": np.asarray(answers) for name, answers in signature.exchanges.items()}
    arrays |= {f"fed_otherwise/{name}": np.asarray(answers) for name, answers in signature.fed_otherwise.items()}
    arrays["predictions/scores"] = np.asarray(signature.scores, np.float32)
    arrays["predictions/probes"] = np.asarray(signature.probes, np.int64)
    arrays["natural/maps"] = narrow(np.asarray(signature.natural), np.float16)
    arrays["natural/activations"] = np.asarray(signature.natural_activations, np.float32)
    arrays |= {f"fingerprint/{name}": np.asarray(part, np.float16) for name, part in signature.fingerprint.items()}
    for part, kept in EXCHANGE.items() if signature.exchange is not None else ():
        answers = getattr(signature.exchange, kept)
        arrays |= {f"{part}/{name}": np.asarray(array, np.float32) for name, array in answers.items()}
    for name in PICTURES:
        if name in signature.pictures:
            arrays[f"predictions/{name}"] = np.asarray(signature.pictures[name])
    if signature.regions is not None:
        arrays["regions/packed"] = np.packbits(signature.regions, axis=-1)
        arrays["regions/width"] = np.asarray(signature.regions.shape[-1])
    for kind, beside in (("twin", signature.twins), ("retrained", signature.retrained)):
        for position, twin in enumerate(beside):
            arrays |= {f"{kind}{position}/{key}": array for key, array in flatten_arrays(twin).items()}
    return {prefix + key: array for key, array in arrays.items()}


def narrow(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Store as half floats only where they reach; large activations keep single precision."""
    if dtype is np.float16 and array.size and np.nanmax(np.abs(array), initial=0.0) > 6e4:
        dtype = np.float32
    return array.astype(dtype)


def _scale(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Store each map as half floats of its own largest value, so that faint maps keep their shape."""
    largest = np.abs(array).max(axis=(1, 2), keepdims=True).astype(np.float32)
    safe = np.where(largest > 0, largest, 1)
    return (array / safe).astype(np.float16), largest


def widen(array: np.ndarray) -> np.ndarray:
    """Return half floats in single precision, and others as they are."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _distinct(signature: Signature, part: str) -> list[str]:
    """List the subjects or groups in the manifest, so that tests are collected without reading arrays."""
    return sorted(set(np.asarray(signature.pictures.get(part, [])).tolist()))
