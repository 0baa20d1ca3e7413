"""Where measurements lie in the cache: entries that are whole, sealed where there is a key, and never links.

A cache is restored from somewhere else, and so it is no evidence of anything. Entries are checked
against their own digests; with a key, also against a digest that only its holders can make.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from modelcheck.gate.settings import SettingsError
from modelcheck.signature import Record, SignatureError, read_record
from modelcheck.support.files import read_file
from modelcheck.support.folders import PathKind, kind_of, make_folder, place, remove
from modelcheck.support.locks import hold

__all__ = [
    "KEY",
    "SIGNATURES",
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
