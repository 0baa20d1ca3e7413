"""Where measurements lie in the cache: entries that are whole, sealed where there is a key, and never links.

A cache is restored from somewhere else, and so it is no evidence of anything. Entries are checked
against their own digests; with a key, also against a digest that only its holders can make.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from modelcheck.gate.settings import SettingsError
from modelcheck.signature import Record, SignatureError, read_record
from modelcheck.signature.parts import Block, Part, unpack_part
from modelcheck.support.files import MAX_NETWORK_BYTES, read_file
from modelcheck.support.folders import PathKind, kind_of, make_folder, place, remove
from modelcheck.support.locks import hold

__all__ = [
    "BLOCKS",
    "KEY",
    "SIGNATURES",
    "KeptBlocks",
    "check_files",
    "hold_entry",
    "is_sealed",
    "load_cached",
    "make_cache",
    "read_key",
    "seal",
]

KEY = "MODELCHECK_CACHE_KEY"
"""The variable of the environment that holds the key; no option and no file does, and the measuring process has not."""

SIGNATURES = "signatures"
BLOCKS = ".blocks"
"""How the name of a folder ends that holds the blocks of an entry that is not whole yet."""
_SEAL = "seal.txt"
_LEAST = 32  # characters of a key
_IGNORE = b"*\n"
_LONGEST = 100  # bytes of a seal or of the list of what is ignored


def make_cache(cache: Path) -> Path:
    """Return the folder of a cache's entries, made where it is missing.

    Raises
    ------
    UnsafePathError
        When one of the folders is a link.
    """
    folder = make_folder(cache, SIGNATURES)
    ignore = cache / ".gitignore"
    if _read_short(ignore) != _IGNORE:
        place(ignore, _IGNORE)
    return folder


def hold_entry(folder: Path, *, timeout: float, busy: str) -> AbstractContextManager[None]:
    """Hold an entry against every other run; see `modelcheck.support.locks.hold`."""
    return hold(folder.with_suffix(".lock"), timeout=timeout, busy=busy)


def load_cached(folder: Path, sha: str) -> Record | None:
    """Return the cache's entry for a network's sha256; a damaged one is removed, for it can be measured again."""
    if kind_of(folder) == PathKind.FOLDER and kind_of(folder / "manifest.json") == PathKind.MISSING:
        return None
    signature = None
    if not check_files(folder):
        try:
            signature = read_record(folder)
        except SignatureError:
            signature = None
    if signature is None or signature.model["sha256"] != sha:
        remove(folder)
        return None
    os.utime(folder / "manifest.json")  # when it was used last, for modelcheck gc
    return signature


def check_files(folder: Path) -> str:
    """Return why an entry cannot be one that modelcheck wrote: it, or something in it, is a link, say; else nothing."""
    kind = kind_of(folder)
    if kind != PathKind.FOLDER:
        return f"it is a {kind}"
    wrong = [f"{path.name} in it is a {kind_of(path)}" for path in folder.iterdir() if kind_of(path) != PathKind.FILE]
    return min(wrong, default="")


def read_key(environment: Mapping[str, str]) -> bytes | None:
    """Return the key of the environment, None where there is none or it is empty.

    Raises
    ------
    SettingsError
        When it is so short that it could be guessed.
    """
    key = environment.get(KEY, "")
    if key and len(key) < _LEAST:
        raise SettingsError(
            f"{KEY} has {len(key)} characters; expected {_LEAST} or more that nobody can guess. Make one: "
            "python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return key.encode("utf-8", "surrogateescape") or None


def seal(folder: Path, signature: Record, *, name: str, key: bytes) -> None:
    """Write an entry's keyed digest beside it.

    Parameters
    ----------
    folder : Path
        The entry.
    signature : Record
        What was read from it.
    name : str
        The whole key of the cache under which it was measured: an entry is not good for another.
    key : bytes
        Of the environment.
    """
    place(folder / _SEAL, _keyed_digest(signature, name=name, key=key).encode())


def is_sealed(folder: Path, signature: Record, *, name: str, key: bytes) -> bool:
    """Return whether an entry has the keyed digest that `seal` writes."""
    there = _read_short(folder / _SEAL)
    return hmac.compare_digest(there, _keyed_digest(signature, name=name, key=key).encode())


@dataclass(frozen=True, kw_only=True)
class _Place:
    data: Path
    seal: Path


class KeptBlocks:
    """The blocks of one entry that are measured already, so that a run that was stopped goes on where it was.

    Whoever holds the entry's lock holds them, too. They go when the entry is there.

    Parameters
    ----------
    folder : Path
        Where they lie.
    name : str
        The whole key of the entry.
    key : bytes or None
        Of the environment: with it only blocks are believed that were sealed by it.
    """

    def __init__(self, folder: Path, *, name: str, key: bytes | None) -> None:
        self._folder, self._name, self._key = folder, name, key

    def load(self, block: Block, sha: str) -> Part | None:
        """Return what is kept of a block of the network with a sha256; what cannot be believed is removed."""
        place = self._place(block)
        if kind_of(self._folder) != PathKind.FOLDER or kind_of(place.data) != PathKind.FILE:
            return None
        part = None
        with suppress(OSError, SignatureError):
            data = read_file(place.data, max_bytes=MAX_NETWORK_BYTES)
            sealed = self._key is None or hmac.compare_digest(_read_short(place.seal), self._seal(block, data))
            part = unpack_part(data) if sealed else None
        if part is None or part.sha256 != sha:
            remove(place.data)
            return None
        return part

    def save(self, block: Block, data: bytes) -> None:
        """Keep the bytes of a block's part."""
        if kind_of(self._folder) != PathKind.FOLDER:
            remove(self._folder)
        found = self._place(block)
        make_folder(self._folder)
        if self._key is not None:
            place(found.seal, self._seal(block, data))
        place(found.data, data)

    def clear(self) -> None:
        """Remove all blocks."""
        remove(self._folder)

    def _place(self, block: Block) -> _Place:
        told = json.dumps([self._name, block.to_dict()], sort_keys=True)
        stem = hashlib.sha256(told.encode()).hexdigest()[:24]
        return _Place(data=self._folder / f"{stem}.npz", seal=self._folder / f"{stem}.txt")

    def _seal(self, block: Block, data: bytes) -> bytes:
        told = json.dumps([self._name, block.to_dict(), hashlib.sha256(data).hexdigest()], sort_keys=True)
        return hmac.new(self._key or b"", told.encode(), hashlib.sha256).hexdigest().encode()


def _keyed_digest(signature: Record, *, name: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of what was read, not of files that are read once more, and of the entry's name."""
    return hmac.new(key, f"{name}\n{signature.digest()}".encode(), hashlib.sha256).hexdigest()


def _read_short(path: Path) -> bytes:
    """Return the bytes of a short file, none where it is missing, longer, or a link."""
    if kind_of(path) != PathKind.FILE:
        return b""
    try:
        return read_file(path, max_bytes=_LONGEST)
    except OSError:
        return b""
