"""The one file format of a panel: an ``.npz`` file of its parts, written whole and read with suspicion."""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.panel.errors import PanelError
from modelcheck.support.archive import ArchiveError
from modelcheck.support.arrays import read_arrays
from modelcheck.support.files import read_file
from modelcheck.support.folders import PathKind, kind_of

__all__ = ["MAX_GIB", "read_parts", "write_parts"]

_FORMAT = 1
MAX_GIB = 4.0
"""What a panel may unpack to, unless the user's own settings (``panel_size``) say otherwise."""
_MAX_RATIO = 100  # bytes of the arrays to bytes of the file, above 64 MiB; drawn faces come to 15
_MARKS = ("format", "images", "labels", "class_names")  # what a file has that may be written over
_MAX_NAMED = 5  # unknown parts in a message


def write_parts(path: str | os.PathLike[str], parts: Mapping[str, Any]) -> None:
    """Write the parts of a panel as one compressed ``.npz`` file: whole, or not at all."""
    target = Path(path)
    _check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not mkstemp: its files are readable by their owner alone, and a panel is for a team.
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with aside.open("xb") as file:
            np.savez_compressed(file, format=np.int64(_FORMAT), **parts)
        aside.replace(target)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == os.fspath(aside):  # a name that nobody gave
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        raise


def _check_target(target: Path) -> None:
    """Refuse a place where something else lies than a panel: it would be gone."""
    where, kind = os.fspath(target), kind_of(target)
    if kind in (PathKind.FOLDER, PathKind.SPECIAL_FILE):
        raise PanelError(f"A panel cannot be written to {where!r}: that is a {kind}. Name a file, such as heldout.npz.")
    if kind in (PathKind.FILE, PathKind.SHARED_FILE) and not _may_go(target):
        raise PanelError(
            f"{where!r} is a file, and no panel: it is not written over. Name another, or remove it first."
        )
    above = next(part for part in target.absolute().parents if os.path.lexists(part))
    if not above.is_dir():
        raise PanelError(f"A panel cannot be written to {where!r}: {os.fspath(above)!r} is no folder.")


def _may_go(path: Path) -> bool:
    """Say whether a file is empty or has the parts of a panel."""
    if path.stat().st_size == 0:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in _MARKS} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_parts(
    path: str | os.PathLike[str], *, known: Collection[str], required: Collection[str], max_gib: float
) -> dict[str, Any]:
    """Return the parts of a panel by name, in memory that nobody else can write to.

    Parameters
    ----------
    path : str or path-like
        The ``.npz`` file.
    known, required : collection of str
        The parts that there may be, and must be.
    max_gib : float
        GiB that it may unpack to.

    Raises
    ------
    PanelError
        When the file is missing, no panel, or of a newer format.
    """
    most = int(max_gib * 2**30)
    try:
        parts: dict[str, Any] = dict(read_arrays(read_file(path, max_bytes=most), max_bytes=most, ratio=_MAX_RATIO))
    except FileNotFoundError as error:
        raise PanelError(
            f"There is no panel file {os.fspath(path)!r}. Make one with: modelcheck panel --help"
        ) from error
    except (ArchiveError, OSError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PanelError(
            f"{os.fspath(path)!r} cannot be read as a panel (.npz): {reason}. A panel may unpack to {max_gib:g} "
            "GiB: panel_size in [tool.modelcheck]."
        ) from error
    for part in parts.values():
        _freeze(part)  # so that the panel need not copy what nobody else has
    version = np.asarray(parts.pop("format", 0))
    if version.shape != () or version.dtype.kind not in "iu" or int(version) != _FORMAT:
        raise PanelError(
            f"{os.fspath(path)!r} has panel format {version.tolist()!r}; this modelcheck reads format {_FORMAT}. "
            "Write it again with Panel.save, or update modelcheck."
        )
    missing = [name for name in required if name not in parts]
    unknown = [name for name in parts if name not in known]
    if missing or unknown:
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        raise PanelError(
            f"{os.fspath(path)!r} is no panel: missing parts {missing}, unknown parts "
            f"{[name[:80] for name in unknown[:_MAX_NAMED]]}{more}."
        )
    return parts


def _freeze(array: np.ndarray | None) -> None:
    """Let nobody write to an array, nor to the memory behind it."""
    while isinstance(array, np.ndarray):
        array.setflags(write=False)
        array = array.base
