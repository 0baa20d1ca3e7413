"""Look at a network file before anything loads it: what it is, what it names, and why it is refused.

A filter, not a sandbox: it knows what an honest file of Keras 3, LiteRT or ONNX looks like, and
refuses the rest. Nothing of the file is executed, and neither a runtime nor the library of a format
is imported.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from modelcheck.modelfile.config import Contents, read_json, walk
from modelcheck.modelfile.onnx import looks_like_onnx, read_onnx, read_producer
from modelcheck.modelfile.refusal import Refusal, StrangeFileError, quote
from modelcheck.modelfile.report import FORMATS, Port, ScanReport, describe_graph
from modelcheck.modelfile.tflite import IDENTIFIER, read_tflite
from modelcheck.modelfile.weights import SIGNATURE, check_weights
from modelcheck.support.archive import ArchiveError, Member, list_members, read_member
from modelcheck.support.files import MAX_NETWORK_BYTES, read_file, read_start

__all__ = [
    "FORMATS",
    "Port",
    "Refusal",
    "ScanError",
    "ScanReport",
    "read_model_file",
    "scan_bytes",
    "scan_model",
    "tell_format",
]

_MAX_UNPACKING_RATIO = 20  # bytes of the members to bytes of the file
# MobileNetV2's configuration has 0.16 MB. Parsed, JSON of empty lists takes twenty times its bytes.
_MAX_MEMBER_BYTES = {"config.json": 2**23, "metadata.json": 2**16, "model.weights.h5": MAX_NETWORK_BYTES}
# Where Keras keeps the words that a layer learned with adapt(): one in each line.
_VOCABULARY = re.compile(r"assets(?:/[\w .-]{1,200}){1,16}/vocabulary\.txt", re.ASCII)
_MAX_VOCABULARY_BYTES = 2**23
_MAX_START_BYTES = 2**16
_CONVERT = "where you trust the file, load it elsewhere and write the Keras network with model.save('network.keras')"


class ScanError(ValueError):
    """A file that could not be looked at; the message says why and what to do."""


def tell_format(source: str | os.PathLike[str] | bytes | memoryview) -> str:
    """Tell what a network file is by its first bytes, whatever it is called.

    Parameters
    ----------
    source : str, path-like, bytes or memoryview
        A file, of which no more than 64 KiB are read, or its bytes.

    Returns
    -------
    {'keras', 'litert', 'onnx'}
        ``keras`` also for what is none of the three and for what cannot be read: the scan says why.

    Examples
    --------
    >>> tell_format("networks/half_filters.keras")
    'keras'
    >>> tell_format(bytes(4) + b"TFL3")
    'litert'
    """
    if not isinstance(source, bytes | memoryview):
        try:
            source = read_start(source, size=_MAX_START_BYTES, max_bytes=MAX_NETWORK_BYTES)
        except OSError:
            return "keras"
    if source[4:8] == IDENTIFIER:
        return "litert"
    return "onnx" if looks_like_onnx(source) else "keras"


def scan_model(path: str | os.PathLike[str], *, custom_objects: Collection[str] = ()) -> ScanReport:
    """Look at a network file.

    Parameters
    ----------
    path : str or path-like
        A file on this machine.
    custom_objects : collection of str
        Classes and functions outside Keras that are knowingly allowed, ``module>name``.

    Returns
    -------
    ScanReport
        With refusals, or without any.

    Raises
    ------
    ScanError
        When there is no such file, or it cannot be read.
    """
    if Path(path).is_dir():
        reason = f"it is a folder (a SavedModel, perhaps), and a SavedModel is a program; {_CONVERT}"
        refusal = Refusal(rule="format", where="the file", reason=reason)
        return ScanReport(file=Path(path).name, sha256="", size=0, refusals=(refusal,))
    return scan_bytes(read_model_file(path), name=Path(path).name, custom_objects=custom_objects)


def read_model_file(path: str | os.PathLike[str]) -> bytes:
    """Read a local, regular file of at most 4 GiB, once.

    Raises
    ------
    ScanError
        When there is none, or it is larger.
    """
    name = os.fspath(path)
    if "://" in str(name):
        raise ScanError(f"{quote(name)} is an address. Fetch the file, check its sha256, and give the file itself.")
    try:
        return read_file(path, max_bytes=MAX_NETWORK_BYTES)
    except FileNotFoundError as error:
        raise ScanError(
            f"There is no network file {name!r}. Give a .keras, .tflite or .onnx file on this machine."
        ) from error
    except OSError as error:
        raise ScanError(f"The network file {name!r} cannot be read: {error.strerror}.") from error


def scan_bytes(data: bytes, *, name: str, custom_objects: Collection[str] = ()) -> ScanReport:
    """Look at the bytes of a network file; see `scan_model`."""
    sha = hashlib.sha256(data).hexdigest()
    if (format_ := tell_format(data)) != "keras":
        return _scan_graph(data, format_, name=name, sha=sha)
    other = _other_format(data)
    if other:
        refusal = Refusal(rule="format", where="the file", reason=f"{other}; {_CONVERT}")
        return ScanReport(file=name, sha256=sha, size=len(data), refusals=(refusal,))
    try:
        members = list_members(data, max_bytes=MAX_NETWORK_BYTES, ratio=_MAX_UNPACKING_RATIO)
    except ArchiveError as error:
        refusal = Refusal(rule="archive", where="the file", reason=f"it is no .keras archive: {error}")
        return ScanReport(file=name, sha256=sha, size=len(data), refusals=(refusal,))
    refusals = _find_unexpected(members)
    contents, version, weights = Contents(layers=(), classes={}, custom={}, refusals=()), "", 0
    if not refusals:
        try:
            parts = {member.name: read_member(data, member) for member in members}
        except ArchiveError as error:
            refusals = [Refusal(rule="archive", where="the file", reason=str(error))]
        else:
            contents, version, weights, refusals = _parts(parts, custom_objects)
    return ScanReport(
        file=name,
        sha256=sha,
        size=len(data),
        members=members,
        keras_version=version,
        layers=contents.layers,
        classes=contents.classes,
        custom=contents.custom,
        weights=weights,
        refusals=tuple(refusals),
    )


def _scan_graph(data: bytes, format_: str, *, name: str, sha: str) -> ScanReport:
    """Look at a file that holds one graph."""
    try:
        graph = read_tflite(data) if format_ == "litert" else read_onnx(data)
    except StrangeFileError as error:
        return ScanReport(file=name, sha256=sha, size=len(data), format=format_, refusals=error.refusals)
    producer = read_producer(data) if format_ == "onnx" else ""
    return ScanReport(file=name, sha256=sha, size=len(data), format=format_, producer=producer, **describe_graph(graph))


def _parts(
    parts: Mapping[str, memoryview], custom_objects: Collection[str]
) -> tuple[Contents, str, int, list[Refusal]]:
    contents = Contents(layers=(), classes={}, custom={}, refusals=())
    metadata, wrong = read_json(parts["metadata.json"], "metadata.json")
    refusals = [wrong] if wrong else []
    document, wrong = read_json(parts["config.json"], "config.json")
    if wrong:
        refusals.append(wrong)
    else:
        contents = walk(document, custom_objects=custom_objects)
        refusals += contents.refusals
    weights, strange = check_weights(parts["model.weights.h5"], "model.weights.h5")
    version = str((metadata or {}).get("keras_version", ""))[:40]
    return contents, version, weights, [*refusals, *strange, *_find_strange_words(parts)]


def _find_strange_words(parts: Mapping[str, memoryview]) -> list[Refusal]:
    """Say which vocabularies are no lines of text."""
    refusals = []
    for name in filter(_is_vocabulary, parts):
        try:
            strange = "\0" in bytes(parts[name]).decode("utf-8")
        except UnicodeDecodeError:
            strange = True
        if strange:
            refusals.append(
                Refusal(rule="text", where=quote(name), reason="it is no text in UTF-8, a word in each line")
            )
    return refusals


def _find_unexpected(members: tuple[Member, ...]) -> list[Refusal]:
    """Say which members a .keras file does not have, lacks, or has too large."""
    names = [member.name for member in members]
    refusals = [
        Refusal(rule="members", where=quote(name), reason=_why_not(name))
        for name in names
        if name not in _MAX_MEMBER_BYTES and not _is_vocabulary(name)
    ]
    refusals += [
        Refusal(rule="members", where="the file", reason=f"it has no {name}: it is no .keras archive")
        for name in _MAX_MEMBER_BYTES
        if name not in names
    ]
    refusals += [
        Refusal(
            rule="size",
            where=member.name,
            reason=f"it has {member.size} bytes, more than {_most_bytes(member.name)}",
        )
        for member in members
        if member.size > _most_bytes(member.name)
    ]
    return refusals


def _is_vocabulary(name: str) -> bool:
    """Return whether a member holds the words of a layer that looks them up."""
    return bool(_VOCABULARY.fullmatch(name)) and not any(set(part) <= {".", " "} for part in name.split("/"))


def _most_bytes(name: str) -> int:
    if _is_vocabulary(name):
        return _MAX_VOCABULARY_BYTES
    return _MAX_MEMBER_BYTES.get(name, MAX_NETWORK_BYTES)


def _why_not(name: str) -> str:
    if name.endswith((".pkl", ".pickle", ".pt", ".joblib")):
        return "a pickle is a program, and no part of a .keras file"
    if name.startswith("assets/"):
        return "of assets a network has the vocabularies of its layers alone, assets/.../vocabulary.txt"
    if name.endswith(".npz"):
        return f"weights as .npz are of an early Keras 3; {_CONVERT}"
    return "a .keras file has config.json, metadata.json, model.weights.h5 and vocabularies only"


def _other_format(data: bytes) -> str:
    """Name a format by its first bytes, whatever the file is called."""
    if not data:
        return "the file is empty: it is no .keras archive"
    if data.startswith(SIGNATURE):
        return "it is an HDF5 file (.h5), which Keras reads with fewer checks, and no .keras archive"
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "it is a pickle, and a pickle is a program; it is no .keras archive"
    return ""
