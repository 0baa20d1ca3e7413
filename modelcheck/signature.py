"""The record that stands between a network and a judgement: a folder of arrays and one manifest.

Members carry the digest of their content in their names, and the manifest, which lists them, is replaced last
and at once. Whenever a writer is killed, the folder therefore holds the old record or the new one, whole.
Nothing is read that the manifest does not vouch for, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.archive import ArchiveError, read_arrays
from modelcheck.folders import ASIDE, folder_lock, place
from modelcheck.recipe import Recipe

__all__ = [
    "LayerRecord",
    "Signature",
    "SignatureError",
    "read_manifest",
    "read_signature",
    "stray_members",
]

FORMAT = 2
_MANIFEST = "manifest.json"
_MEMBER = re.compile(r"[a-z0-9]+-[0-9a-f]{16}\.npz")
_BESIDE = re.compile(r"(twin|retrained)[0-9]+")
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
    units, maps, activations, at_rest : mapping of str to np.ndarray
        Per layer: ``(n,)`` indices of the rendered units, ``(n, h, w, c)`` HappyMaps in the input range (NaN for
        a unit without a map), the objective on the map and on mid grey (at rest), both ``(n,)``.
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
    stickers : mapping of str to np.ndarray
        Per family of stickers, ``(patterns, rows, columns, classes)``: how far each moves the margin of each class, in
        units of the network's gap; see `modelcheck.stickers`. Empty where the recipe asks for none.
    natural : np.ndarray
        ``(classes, h, w, c)``: the decision's HappyMaps among natural pictures, NaN where there is none.
    natural_activations : np.ndarray
        ``(classes,)``: the margin on those.
    fingerprint : mapping of str to np.ndarray
        By position and shape of a kernel, ``(m,)`` of its weights at fixed places: enough to see a common ancestry.
    responses : mapping of str to np.ndarray
        For each view, ``free`` and ``natural``, ``(classes, classes)`` class scores on the maps of another network.
    stimuli_digest : str
        Which maps those were; empty where there were none.
    partners : mapping of str to str
        By hidden layer of that other network, the layer of this one that was shown its maps.
    answers : mapping of str to np.ndarray
        By hidden layer of that other network, ``(its rendered units, own rendered units)``: what the units of this
        network's corresponding layer answer to its maps.
    answers_back, responses_back : mapping of str to np.ndarray
        The other way, where that network's file was at hand: by its hidden layer, ``(own rendered units, its rendered
        units)``, and by view ``(classes, classes)``: what it answers to the maps of this one.
    twins : tuple of Signature
        Untrained networks of the same architecture, without pictures and attributions of their own twins.
    retrained : tuple of Signature
        Networks that were trained like this one with other seeds, reduced to their decision; see `reduced`.
    against : mapping of str to float
        Of a retrained twin: every metric of the comparison with the network that keeps it.
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
    at_rest: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]
    scores: np.ndarray
    pictures: Mapping[str, np.ndarray]
    probes: np.ndarray
    regions: np.ndarray | None
    attributions: Mapping[str, np.ndarray]
    flipping: Mapping[str, np.ndarray] = field(default_factory=dict)
    natural: np.ndarray
    natural_activations: np.ndarray
    fingerprint: Mapping[str, np.ndarray] = field(default_factory=dict)
    responses: Mapping[str, np.ndarray] = field(default_factory=dict)
    stickers: Mapping[str, np.ndarray] = field(default_factory=dict)
    stimuli_digest: str = ""
    partners: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, np.ndarray] = field(default_factory=dict)
    answers_back: Mapping[str, np.ndarray] = field(default_factory=dict)
    responses_back: Mapping[str, np.ndarray] = field(default_factory=dict)
    twins: tuple[Signature, ...] = ()
    retrained: tuple[Signature, ...] = ()
    against: Mapping[str, float] = field(default_factory=dict)
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

    def stimuli(self) -> dict[str, np.ndarray]:
        """Return the decision's maps that are shown to other networks, by view; see `kept_maps`."""
        return {"free": self.kept_maps(self.decision.name), "natural": _wide(_fitted(self.natural, np.float16))}

    def kept_maps(self, layer: str) -> np.ndarray:
        """Return a layer's maps in the precision in which they are kept: a record that was read shows the same."""
        return _wide(_fitted(self.maps[layer], np.float16))

    def shown(self) -> str:
        """Return the sha256 of `stimuli`: responses to other maps are not compared."""
        digest = hashlib.sha256()
        for view, maps in self.stimuli().items():
            digest.update(f"{view}|{maps.shape}|".encode() + np.ascontiguousarray(maps).tobytes())
        return digest.hexdigest()

    def reduced(self, against: Mapping[str, float]) -> Signature:
        """Return what a baseline keeps of a retrained twin: its decision, its answers, and how it compares."""
        name = self.decision.name
        parts: dict[str, Any] = {part: {name: getattr(self, part)[name]} for part in _PER_LAYER}
        return replace(
            self,
            layers=(self.decision,),
            **parts,
            pictures={},
            regions=None,
            attributions={},
            flipping={},
            twins=(),
            retrained=(),
            partners={},
            answers={},
            answers_back={},
            responses_back={},
            against={key: float(value) for key, value in against.items() if math.isfinite(value)},
        )

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
        with folder_lock(target):
            self._write_locked(target)

    def _write_locked(self, target: Path) -> None:
        members: dict[str, str] = {}
        groups: dict[str, dict[str, np.ndarray]] = {}
        for key, array in _flat(self).items():
            part = key.split("/", 1)[0]
            groups.setdefault(part if part in _FILES or _BESIDE.fullmatch(part) else "numbers", {})[key] = array
        for group, arrays in sorted(groups.items()):
            packed = io.BytesIO()
            np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # the stub takes keys for its own flags
            data = packed.getvalue()
            sha = hashlib.sha256(data).hexdigest()
            members[f"{group}-{sha[:16]}.npz"] = sha
            place(target / f"{group}-{sha[:16]}.npz", data)
        document = {"format": FORMAT, "members": members, **_header(self)}
        document["digest"] = hashlib.sha256(_canonical(document)).hexdigest()
        place(target / _MANIFEST, _canonical(document))
        for stray in stray_members(target, members):
            stray.unlink()


def stray_members(folder: Path, members: Mapping[str, str]) -> list[Path]:
    """Return what killed writers left in a folder: members that no manifest lists, and half-written files."""
    return sorted(
        path
        for path in folder.iterdir()
        if (_MEMBER.fullmatch(path.name) and path.name not in members) or path.name.startswith(ASIDE)
    )


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
    try:
        intact = claimed == hashlib.sha256(_canonical(document)).hexdigest()
        intact = intact and data == _canonical({**document, "digest": claimed})
    except (ValueError, TypeError, RecursionError):  # NaN, which no manifest holds
        intact = False
    if not intact:
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
    members, arrays = document.get("members"), dict[str, np.ndarray]()
    if not isinstance(members, dict) or not all(_MEMBER.fullmatch(name) for name in members):
        raise SignatureError(f"The manifest in {os.fspath(folder)!r} names no members, or strange ones. {_RESTORE}")
    for name, sha in members.items():
        arrays.update(_member(Path(folder) / name, sha))
    try:
        with np.errstate(all="ignore"):  # what is not finite stays so, and is judged as unmeasured
            return _build(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, MemoryError) as error:
        raise SignatureError(f"The signature in {os.fspath(folder)!r} is incomplete: {error}. {_RESTORE}") from error


_RESTORE = "Restore it from version control, or approve the release again."


def _member(path: Path, sha: str) -> dict[str, np.ndarray]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SignatureError(f"{str(path)!r} is missing or unreadable ({error.strerror}). {_RESTORE}") from error
    if hashlib.sha256(data).hexdigest() != sha:
        raise SignatureError(f"{str(path)!r} is damaged: its content does not match the manifest. {_RESTORE}")
    try:
        return read_arrays(data, most_bytes=_MAX_BYTES)
    except ArchiveError as error:
        raise SignatureError(f"{str(path)!r} is no part of a signature: {error}. {_RESTORE}") from error


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
        "retrained": [_header(twin) for twin in signature.retrained],
        "against": dict(signature.against),
        # Not there in records that were written before it was: their digests stay.
        **({"partners": dict(signature.partners)} if signature.partners else {}),
    }


_PER_LAYER = {
    "units": np.int64,
    "maps": np.float16,
    "activations": np.float32,
    "at_rest": np.float32,
    "features": np.float16,
}
_ANSWERS = ("responses", "answers", "answers_back", "responses_back")


def _flat(signature: Signature, prefix: str = "") -> dict[str, np.ndarray]:
    """Return all arrays under flat keys, in the dtypes they are stored in."""
    flat: dict[str, np.ndarray] = {}
    for part, dtype in _PER_LAYER.items():
        for layer, array in getattr(signature, part).items():
            flat[f"{part}/{layer}"] = _fitted(np.asarray(array), dtype)
    for method, array in signature.attributions.items():
        flat[f"attributions/{method}"], flat[f"scales/{method}"] = _scaled(np.asarray(array))
    flat |= {f"flipping/{name}": np.asarray(curve, np.float32) for name, curve in signature.flipping.items()}
    flat |= {f"stickers/{name}": np.asarray(shifts, np.float32) for name, shifts in signature.stickers.items()}
    flat["predictions/scores"] = np.asarray(signature.scores, np.float32)
    flat["predictions/probes"] = np.asarray(signature.probes, np.int64)
    flat["natural/maps"] = _fitted(np.asarray(signature.natural), np.float16)
    flat["natural/activations"] = np.asarray(signature.natural_activations, np.float32)
    flat |= {f"fingerprint/{name}": np.asarray(part, np.float16) for name, part in signature.fingerprint.items()}
    for part in _ANSWERS:
        flat |= {f"{part}/{name}": np.asarray(array, np.float32) for name, array in getattr(signature, part).items()}
    for name in _PICTURES:
        if name in signature.pictures:
            flat[f"predictions/{name}"] = np.asarray(signature.pictures[name])
    if signature.regions is not None:
        flat["regions/packed"] = np.packbits(signature.regions, axis=-1)
        flat["regions/width"] = np.asarray(signature.regions.shape[-1])
    for kind, beside in (("twin", signature.twins), ("retrained", signature.retrained)):
        for position, twin in enumerate(beside):
            flat |= {f"{kind}{position}/{key}": array for key, array in _flat(twin).items()}
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
        if not 0 <= width <= 8 * arrays["regions/packed"].shape[-1]:  # numpy would make up what is not there
            raise ValueError("its regions are wider than what is kept of them")
        regions = np.unpackbits(arrays["regions/packed"], axis=-1, count=width).astype(bool)
    per_layer: dict[str, dict[str, np.ndarray]] = {
        part: {record.name: _wide(arrays[f"{part}/{record.name}"]) for record in layers} for part in _PER_LAYER
    }

    def below(part: str) -> dict[str, np.ndarray]:
        return {key.split("/", 1)[1]: value for key, value in sorted(arrays.items()) if key.startswith(f"{part}/")}

    def beside(kind: str, headers: list[Any]) -> tuple[Signature, ...]:
        return tuple(_build(header, below(f"{kind}{k}")) for k, header in enumerate(headers))

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
            method: _wide(values) * arrays[f"scales/{method}"] for method, values in below("attributions").items()
        },
        flipping=below("flipping"),
        stickers=below("stickers"),
        natural=_wide(arrays["natural/maps"]),
        natural_activations=arrays["natural/activations"],
        fingerprint={name: _wide(values) for name, values in below("fingerprint").items()},
        **{part: below(part) for part in _ANSWERS},
        partners=document.get("partners", {}),
        stimuli_digest=document["stimuli_digest"],
        twins=beside("twin", document["twins"]),
        retrained=beside("retrained", document["retrained"]),
        against=document["against"],
        provenance=document["provenance"],
        **per_layer,
    )


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _distinct(signature: Signature, part: str) -> list[str]:
    """List the subjects or groups in the manifest, so that tests are collected without reading arrays."""
    return sorted(set(np.asarray(signature.pictures.get(part, [])).tolist()))
