"""Reading a record: only what the manifest lists with its digest, and nothing is unpickled."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.interface import Interface
from modelcheck.recipe import Recipe
from modelcheck.signature.exchange import MapExchange
from modelcheck.signature.record import LayerRecord, Signature, SignatureError
from modelcheck.signature.storage import (
    EXCHANGE,
    FORMAT,
    MANIFEST,
    MEMBER,
    PER_LAYER,
    PICTURES,
    encode_canonical,
    widen,
)
from modelcheck.signature.table_reading import build_table_record, read_column
from modelcheck.signature.table_record import TableSignature
from modelcheck.support.archive import ArchiveError
from modelcheck.support.arrays import read_arrays
from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document
from modelcheck.support.validation import TABLE, TEXT, Check, check_table, name_list, whole_number
from modelcheck.table_recipe import TableRecipe

__all__ = ["read_manifest", "read_record", "read_signature"]

_MAX_BYTES = 4 * 2**30
_NAMES = name_list("a list of names", accepts=lambda name: True, distinct=False)
_LAYERS = whole_number(at_least=1)


def _is_recipe(value: Any) -> bool:
    try:
        return bool(Recipe.from_dict(value))
    except (ValueError, TypeError, OverflowError):
        return False


def _is_table_recipe(value: Any) -> bool:
    try:
        return bool(TableRecipe.from_dict(value))
    except (ValueError, TypeError, OverflowError):
        return False


def _are_columns(value: Any) -> bool:
    try:
        return isinstance(value, list) and len({read_column(told).name for told in value}) == len(value)
    except (ValueError, TypeError, KeyError):
        return False


def _are_lists_of_names(value: Any) -> bool:
    return isinstance(value, dict) and all(_NAMES.accepts(names) for names in value.values())


def _is_interface(value: Any) -> bool:
    try:
        return isinstance(value, dict) and bool(Interface.from_dict(value))
    except ValueError:
        return False


def _is_model(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), str) for key in ("file", "sha256"))
        and all(_NAMES.accepts(value.get(key, [])) for key in ("augments", "own_scaling"))
        and _LAYERS.accepts(value.get("hidden_layers", 1))
    )


def _are_tables(value: Any, *, named: bool) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict) and (not named or isinstance(row.get("name"), str)) for row in value
    )


# What is read of a manifest before its arrays are, so that whoever has one can rely on it.
_CHECKS = {
    **dict.fromkeys(("class_names", "subjects", "groups"), _NAMES),
    **dict.fromkeys(("panel_digest", "recipe_digest", "stimuli_digest"), TEXT),
    **dict.fromkeys(("members", "against"), TABLE),
    **dict.fromkeys(("twins", "retrained"), Check("a list of tables", lambda value: _are_tables(value, named=False))),
    "layers": Check("a list of tables with a name each", lambda value: _are_tables(value, named=True)),
    "model": Check("a table with the network's file and sha256", _is_model),
    "recipe": Check("a recipe", _is_recipe),
    "provenance": Check(
        "a table, and its versions too",
        lambda value: isinstance(value, dict) and isinstance(value.get("versions", {}), dict),
    ),
}
# Left out where there is nothing to say.
_OPTIONAL = {
    "classes_without_pictures": _NAMES,
    "interface": Check("an interface", _is_interface),
    "regions": Check("false, where it is there", lambda value: value is False),
}
_CHECKS_OF_TABLE = {
    **dict.fromkeys(
        (
            "class_names",
            "subjects",
            "populations",
            "small_populations",
            "divisions",
            "division_names",
            "effects",
            "classes_without_rows",
        ),
        _NAMES,
    ),
    **dict.fromkeys(("kind", "target", "panel_digest", "recipe_digest", "profiles_digest"), TEXT),
    **{name: _CHECKS[name] for name in ("members", "against", "twins", "retrained", "layers", "model", "provenance")},
    "groups": Check("a table of lists of names", _are_lists_of_names),
    "columns": Check("a list of columns", _are_columns),
    "recipe": Check("the recipe of a table", _is_table_recipe),
}
_RESTORE = "Restore it from version control, or approve the release again."


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and verify a record's manifest alone: layer names without the arrays.

    Raises
    ------
    SignatureError
        When it is missing, damaged or of another format.

    Examples
    --------
    >>> manifest = read_manifest("baselines/drawn-faces")
    >>> [layer["name"] for layer in manifest["layers"]]
    ['conv1', 'conv2', 'conv3', 'dense1', 'decision']
    """
    path = Path(folder) / MANIFEST
    try:
        data = read_file(path)
    except OSError as error:
        raise SignatureError(
            f"There is no signature in {os.fspath(folder)!r} ({error.strerror}). Make one with: "
            f"modelcheck approve RELEASE.keras --panel PANEL.npz --to {shlex.quote(os.fspath(folder))} --reason '...'"
        ) from error
    try:
        document = json_document(data)
        version = document["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SignatureError(f"{str(path)!r} is not a valid manifest ({error}). {_RESTORE}") from error
    if version in range(FORMAT):
        raise SignatureError(
            f"{str(path)!r} was written by an earlier modelcheck: it has format {version!r}, this one reads format "
            f"{FORMAT}. Approve the release again, with --recipe where it had settings of its own: modelcheck approve "
            f"RELEASE.keras --panel PANEL.npz --to {os.fspath(folder)} --reason '...', then give it its twins: "
            "modelcheck calibrate --help"
        )
    if version != FORMAT:
        raise SignatureError(
            f"{str(path)!r} has format {version!r}; this modelcheck reads format {FORMAT}. Update modelcheck, or "
            "approve the release again."
        )
    claimed = document.pop("digest", None)
    try:
        intact = claimed == hashlib.sha256(encode_canonical(document)).hexdigest()
        intact = intact and data == encode_canonical({**document, "digest": claimed})
    except (ValueError, TypeError, RecursionError):  # NaN, which no manifest holds
        intact = False
    if not intact:
        raise SignatureError(f"{str(path)!r} is damaged: its content does not match its digest. {_RESTORE}")
    needed = _CHECKS_OF_TABLE if document.get("kind") == "table" else _CHECKS
    rules = {**needed, **_OPTIONAL}
    known = {key: value for key, value in document.items() if key in rules}
    try:
        check_table(known, rules, where="the manifest", required=needed)
    except ValueError as error:
        raise SignatureError(f"{str(path)!r} is not a valid manifest: {error} {_RESTORE}") from error
    return document


def read_signature(folder: str | os.PathLike[str], *, manifest: Mapping[str, Any] | None = None) -> Signature:
    """Read a signature, after checking every member against the manifest.

    Parameters
    ----------
    folder : str or path-like
        Where the record lies.
    manifest : mapping, optional
        The manifest as `read_manifest` returned it before: the members are held against that one,
        whatever the folder holds by now.

    Raises
    ------
    SignatureError
        When anything is missing, damaged, unknown or of another format.

    Examples
    --------
    >>> signature = read_signature("baselines/drawn-faces")
    >>> [layer.name for layer in signature.layers]
    ['conv1', 'conv2', 'conv3', 'dense1', 'decision']
    """
    found = read_record(folder, manifest=manifest)
    if isinstance(found, TableSignature):
        raise SignatureError(
            f"The signature in {os.fspath(folder)!r} is of a network on a table, and one of a network on pictures is "
            "asked for. Both are read by modelcheck.read_record."
        )
    return found


def read_record(
    folder: str | os.PathLike[str], *, manifest: Mapping[str, Any] | None = None
) -> Signature | TableSignature:
    """Read a signature of either kind, of a network on pictures or on a table, after checking every member.

    Parameters
    ----------
    folder : str or path-like
        Where the record lies.
    manifest : mapping, optional
        The manifest as `read_manifest` returned it before: the members are held against that one,
        whatever the folder holds by now.

    Raises
    ------
    SignatureError
        When anything is missing, damaged, unknown or of another format.

    Examples
    --------
    >>> read_record("baselines/drawn-faces").class_names
    ('not_left', 'left')
    """
    document = read_manifest(folder) if manifest is None else manifest
    members, arrays = document.get("members"), dict[str, np.ndarray]()
    if not isinstance(members, dict) or not all(MEMBER.fullmatch(name) for name in members):
        raise SignatureError(f"The manifest in {os.fspath(folder)!r} names no members, or strange ones. {_RESTORE}")
    for name, sha in members.items():
        arrays.update(_member(Path(folder) / name, sha))
    try:
        with np.errstate(all="ignore"):  # what is not finite stays so, and is judged as unmeasured
            return build_table_record(document, arrays) if document.get("kind") else _build_record(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, MemoryError) as error:
        raise SignatureError(f"The signature in {os.fspath(folder)!r} is incomplete: {error}. {_RESTORE}") from error


def _build_record(document: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Signature:
    """Return a record of a network on pictures, whose manifest says of it what its arrays give."""
    signature = _build(document, arrays)
    unseen = tuple(document.get("classes_without_pictures", signature.classes_without_pictures))
    if unseen != signature.classes_without_pictures:
        raise ValueError("its manifest names other classes without pictures than its pictures give")
    if "regions" in document and signature.regions is not None:
        raise ValueError("its manifest says that there are no regions, and there are")
    return signature


def _member(path: Path, sha: str) -> dict[str, np.ndarray]:
    try:
        data = read_file(path, max_bytes=_MAX_BYTES)
    except OSError as error:
        raise SignatureError(f"{str(path)!r} is missing or unreadable ({error.strerror}). {_RESTORE}") from error
    if hashlib.sha256(data).hexdigest() != sha:
        raise SignatureError(f"{str(path)!r} is damaged: its content does not match the manifest. {_RESTORE}")
    try:
        return read_arrays(data, max_bytes=_MAX_BYTES)
    except ArchiveError as error:
        raise SignatureError(f"{str(path)!r} is no part of a signature: {error}. {_RESTORE}") from error


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
        part: {record.name: widen(arrays[f"{part}/{record.name}"]) for record in layers} for part in PER_LAYER
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
        pictures={name: arrays[f"predictions/{name}"] for name in PICTURES if f"predictions/{name}" in arrays},
        probes=arrays["predictions/probes"],
        regions=regions,
        attributions={
            method: widen(values) * arrays[f"scales/{method}"] for method, values in below("attributions").items()
        },
        flipping=below("flipping"),
        stickers=below("stickers"),
        exchanges=below("exchanges"),
        fed_otherwise=_check_fed(below("fed_otherwise"), arrays["predictions/scores"]),
        natural=widen(arrays["natural/maps"]),
        natural_activations=arrays["natural/activations"],
        fingerprint={name: widen(values) for name, values in below("fingerprint").items()},
        exchange=_build_exchange(document, {kept: below(part) for part, kept in EXCHANGE.items()}),
        twins=beside("twin", document["twins"]),
        retrained=beside("retrained", document["retrained"]),
        against=document["against"],
        interface=Interface.from_dict(document.get("interface", {})),
        provenance=document["provenance"],
        **per_layer,
    )


def _check_fed(answers: dict[str, np.ndarray], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Refuse answers to otherwise preprocessed pictures that are not of the pictures and classes that there are."""
    rows = answers.get("rows", np.empty(0, int))
    for name, part in answers.items():
        whole = name == "rows" or name.endswith("/answers")
        most = len(scores) if name == "rows" else scores.shape[1]
        fits = part.shape == rows.shape == (len(rows),) and part.dtype.kind == ("i" if whole else "f")
        known = name == "rows" or f"{name.split('/')[0]}/{'likelihoods' if whole else 'answers'}" in answers
        if not (fits and known and (not whole or ((part >= 0) & (part < most)).all())):
            raise ValueError(f"its part {name!r} of otherwise preprocessed pictures is not what it must be")
    return answers


def _build_exchange(document: Mapping[str, Any], answers: Mapping[str, Mapping[str, np.ndarray]]) -> MapExchange | None:
    """Return the exchange of maps that a record holds, None where it holds no part of one."""
    shown, counterparts = document["stimuli_digest"], document.get("partners", {})
    if not shown and not counterparts and not any(answers.values()):
        return None
    return MapExchange(stimuli_sha256=shown, counterparts=counterparts, **answers)
