"""The record that stands between a network and a judgement: a folder of arrays and one manifest.

Members carry the digest of their content in their names, and the manifest, which lists them, is replaced last
and at once. Whenever a writer is killed, the folder therefore holds the old record or the new one, whole.
Nothing is read that the manifest does not vouch for, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from modelcheck.recipe import Recipe

__all__ = ["LayerRecord", "Signature", "SignatureError", "read_manifest", "read_signature"]

FORMAT = 1
_MANIFEST = "manifest.json"
_MEMBER = re.compile(r"[a-z0-9]+-[0-9a-f]{16}\.npz")
_MAX_BYTES = 4 * 2**30
_FILES = ("maps", "features", "attributions")
_PICTURES = ("labels", "subjects", "groups", "names")


class SignatureError(ValueError):
    """A record that cannot be trusted or read; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """What a signature knows of a layer apart from its arrays.

    Parameters
    ----------
    name, kind : str
        The layer's path; ``conv``, ``dense`` or ``decision``.
    n_units : int
        All its units, rendered or not.
    objective : str
        What its HappyMaps maximise.
    patch : bool
        Whether its maps are receptive fields rather than whole pictures.
    """

    name: str
    kind: str
    n_units: int
    objective: str
    patch: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Signature:
    """All that is kept of one network.

    Parameters
    ----------
    model : mapping
        ``name``, ``file``, ``sha256``, ``parameters`` and ``bytes`` of the network.
    recipe : Recipe
        How it was measured.
    panel_digest : str
        Of the panel it was measured on.
    class_names : tuple of str
        In the order of the outputs.
    layers : tuple of LayerRecord
        In model order; the last is the decision.
    units, maps, activations, at_grey : mapping of str to np.ndarray
        Per layer: ``(n,)`` indices of the rendered units, ``(n, h, w, c)`` HappyMaps in the input range (NaN for
        a unit without a map), the objective on the map and on mid grey, both ``(n,)``.
    features : mapping of str to np.ndarray
        Per layer, ``(probes, cells, units)``: activations on the probe pictures, averaged over a coarse grid.
    scores : np.ndarray
        ``(pictures, classes)`` class scores before softmax.
    pictures : mapping of str to np.ndarray
        ``labels``, ``subjects``, ``groups`` and ``names`` of all pictures of the panel.
    probes : np.ndarray
        ``(probes,)`` positions of the pictures that have features and attributions.
    regions : np.ndarray or None
        ``(probes, h, w)`` booleans.
    attributions : mapping of str to np.ndarray
        Per method, ``(probes, h, w)``: relevance for the true class, signed, summed over channels.
    flipping : mapping of str to np.ndarray
        Per method and for ``random``, ``(probes, steps + 1)``: the true class's margin while the pixels ranked first
        are replaced by the panel's mean picture.
    responses : np.ndarray or None
        ``(stimuli, classes)`` class scores on the decision maps of another network.
    stimuli_digest : str
        Which maps those were; empty where there were none.
    twins : tuple of Signature
        Untrained networks of the same architecture, without pictures and attributions of their own twins.
    provenance : mapping
        Versions and platform of the measurement.
    """

    model: Mapping[str, Any]
    recipe: Recipe
    panel_digest: str
    class_names: tuple[str, ...]
    layers: tuple[LayerRecord, ...]
    units: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]
    activations: Mapping[str, np.ndarray]
    at_grey: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]
    scores: np.ndarray
    pictures: Mapping[str, np.ndarray]
    probes: np.ndarray
    regions: np.ndarray | None
    attributions: Mapping[str, np.ndarray]
    flipping: Mapping[str, np.ndarray] = field(default_factory=dict)
    responses: np.ndarray | None = None
    stimuli_digest: str = ""
    twins: tuple[Signature, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decision(self) -> LayerRecord:
        """The last layer."""
        return self.layers[-1]

    def layer(self, name: str) -> LayerRecord:
        """Return a layer by name.

        Raises
        ------
        SignatureError
            When there is none of that name.
        """
        for record in self.layers:
            if record.name == name:
                return record
        raise SignatureError(f"{self.model['name']!r} has no layer {name!r}; it has {[x.name for x in self.layers]}.")

    def digest(self) -> str:
        """Return the sha256 of the whole content, in hex; it does not depend on where or when it was written."""
        digest = hashlib.sha256(_canonical(_header(self)))
        for key, array in sorted(_flat(self).items()):
            digest.update(f"{key}|{array.dtype.str}|{array.shape}|".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write the record: whole, or not at all.

        Other files of the folder (a panel, a history) are left alone.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        # Two writers must not clear away each other's members; the lock lies outside, for a baseline's folder is
        # under version control.
        name = hashlib.sha256(str(target.resolve()).encode()).hexdigest()[:24]
        with FileLock(Path(tempfile.gettempdir()) / f"modelcheck-{name}.lock"):
            self._write_locked(target)

    def _write_locked(self, target: Path) -> None:
        members: dict[str, str] = {}
        groups: dict[str, dict[str, np.ndarray]] = {}
        for key, array in _flat(self).items():
            part = key.split("/", 1)[0]
            groups.setdefault(part if part in _FILES or part.startswith("twin") else "numbers", {})[key] = array
        for group, arrays in sorted(groups.items()):
            packed = io.BytesIO()
            np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # the stub takes keys for its own flags
            data = packed.getvalue()
            sha = hashlib.sha256(data).hexdigest()
            members[f"{group}-{sha[:16]}.npz"] = sha
            _place(target, f"{group}-{sha[:16]}.npz", data)
        document = {"format": FORMAT, "members": members, **_header(self)}
        document["digest"] = hashlib.sha256(_canonical(document)).hexdigest()
        _place(target, _MANIFEST, _canonical(document))
        for stray in target.iterdir():
            if _MEMBER.fullmatch(stray.name) and stray.name not in members:
                stray.unlink()


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and verify a record's manifest alone: layer names without the arrays.

    Raises
    ------
    SignatureError
        When it is missing, damaged or of another format.
    """
    path = Path(folder) / _MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SignatureError(
            f"There is no signature in {os.fspath(folder)!r} ({error.strerror}). Make one with: "
            f"modelcheck approve RELEASE.keras --panel PANEL.npz --to {os.fspath(folder)} --reason '...'"
        ) from error
    try:
        document = json.loads(data)
        version = document["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SignatureError(f"{str(path)!r} is damaged: it is no manifest ({error}). {_RESTORE}") from error
    if version != FORMAT:
        raise SignatureError(
            f"{str(path)!r} has format {version!r}; this modelcheck reads format {FORMAT}. Update modelcheck, or "
            "approve the release again."
        )
    claimed = document.pop("digest", None)
    intact = claimed == hashlib.sha256(_canonical(document)).hexdigest()
    if not intact or data != _canonical({**document, "digest": claimed}):
        raise SignatureError(f"{str(path)!r} is damaged: its content does not match its digest. {_RESTORE}")
    return document


def read_signature(folder: str | os.PathLike[str]) -> Signature:
    """Read a signature, after checking every member against the manifest.

    Raises
    ------
    SignatureError
        When anything is missing, damaged, unknown or of another format.
    """
    document = read_manifest(folder)
    arrays: dict[str, np.ndarray] = {}
    for name, sha in document["members"].items():
        arrays.update(_member(Path(folder) / name, sha))
    try:
        return _build(document, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise SignatureError(f"The signature in {os.fspath(folder)!r} is incomplete: {error}. {_RESTORE}") from error


_RESTORE = "Restore it from version control, or approve the release again."


def _member(path: Path, sha: str) -> dict[str, np.ndarray]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SignatureError(f"{str(path)!r} is missing or unreadable ({error.strerror}). {_RESTORE}") from error
    if hashlib.sha256(data).hexdigest() != sha:
        raise SignatureError(f"{str(path)!r} is damaged: its content does not match the manifest. {_RESTORE}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
            raise SignatureError(f"{str(path)!r} unpacks to more than {_MAX_BYTES} bytes; that is no signature.")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _place(folder: Path, name: str, data: bytes) -> None:
    descriptor, aside = tempfile.mkstemp(dir=folder, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(folder / name)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _canonical(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()


def _header(signature: Signature) -> dict[str, Any]:
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
        "stimuli_digest": signature.stimuli_digest,
        "twins": [_header(twin) for twin in signature.twins],
    }


_PER_LAYER = {
    "units": np.int64,
    "maps": np.float16,
    "activations": np.float32,
    "at_grey": np.float32,
    "features": np.float16,
}


def _flat(signature: Signature, prefix: str = "") -> dict[str, np.ndarray]:
    """Return all arrays under flat keys, in the dtypes they are stored in."""
    flat: dict[str, np.ndarray] = {}
    for part, dtype in _PER_LAYER.items():
        for layer, array in getattr(signature, part).items():
            flat[f"{part}/{layer}"] = _fitted(np.asarray(array), dtype)
    for method, array in signature.attributions.items():
        flat[f"attributions/{method}"], flat[f"scales/{method}"] = _scaled(np.asarray(array))
    flat |= {f"flipping/{name}": np.asarray(curve, np.float32) for name, curve in signature.flipping.items()}
    flat["predictions/scores"] = np.asarray(signature.scores, np.float32)
    flat["predictions/probes"] = np.asarray(signature.probes, np.int64)
    if signature.responses is not None:
        flat["predictions/responses"] = np.asarray(signature.responses, np.float32)
    for name in _PICTURES:
        if name in signature.pictures:
            flat[f"predictions/{name}"] = np.asarray(signature.pictures[name])
    if signature.regions is not None:
        flat["regions/packed"] = np.packbits(signature.regions, axis=-1)
        flat["regions/width"] = np.asarray(signature.regions.shape[-1])
    for position, twin in enumerate(signature.twins):
        flat |= {f"twin{position}/{key}": array for key, array in _flat(twin).items()}
    return {prefix + key: array for key, array in flat.items()}


def _fitted(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Store as half floats only where they reach; large activations keep single precision."""
    if dtype is np.float16 and array.size and np.nanmax(np.abs(array), initial=0.0) > 6e4:
        dtype = np.float32
    return array.astype(dtype)


def _scaled(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Store each map as half floats of its own largest value, so that faint maps keep their shape."""
    largest = np.abs(array).max(axis=(1, 2), keepdims=True).astype(np.float32)
    safe = np.where(largest > 0, largest, 1)
    return (array / safe).astype(np.float16), largest


def _build(document: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Signature:
    recipe = Recipe.from_dict(document["recipe"])
    if recipe.digest() != document["recipe_digest"]:
        raise ValueError("its recipe does not match its digest")
    layers = tuple(LayerRecord(**record) for record in document["layers"])
    regions = None
    if "regions/packed" in arrays:
        width = int(arrays["regions/width"])
        regions = np.unpackbits(arrays["regions/packed"], axis=-1, count=width).astype(bool)
    per_layer: dict[str, dict[str, np.ndarray]] = {
        part: {record.name: _wide(arrays[f"{part}/{record.name}"]) for record in layers} for part in _PER_LAYER
    }
    twins = tuple(
        _build(header, {key.split("/", 1)[1]: value for key, value in arrays.items() if key.startswith(f"twin{k}/")})
        for k, header in enumerate(document["twins"])
    )
    methods = [key.split("/", 1)[1] for key in arrays if key.startswith("attributions/")]
    return Signature(
        model=document["model"],
        recipe=recipe,
        panel_digest=document["panel_digest"],
        class_names=tuple(document["class_names"]),
        layers=layers,
        scores=arrays["predictions/scores"],
        pictures={name: arrays[f"predictions/{name}"] for name in _PICTURES if f"predictions/{name}" in arrays},
        probes=arrays["predictions/probes"],
        regions=regions,
        attributions={
            method: _wide(arrays[f"attributions/{method}"]) * arrays[f"scales/{method}"] for method in sorted(methods)
        },
        flipping={key.split("/", 1)[1]: arrays[key] for key in sorted(arrays) if key.startswith("flipping/")},
        responses=arrays.get("predictions/responses"),
        stimuli_digest=document["stimuli_digest"],
        twins=twins,
        provenance=document["provenance"],
        **per_layer,
    )


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _distinct(signature: Signature, part: str) -> list[str]:
    """List the subjects or groups in the manifest, so that tests are collected without reading arrays."""
    return sorted(set(np.asarray(signature.pictures.get(part, [])).tolist()))
