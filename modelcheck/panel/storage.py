"""The one file format of a panel: an ``.npz`` file of its parts, written whole and read with suspicion."""

from __future__ import annotations

import os
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from modelcheck.panel.errors import PanelError
from modelcheck.support.archive import MAX_SMALL_BYTES, ArchiveError
from modelcheck.support.arrays import read_arrays
from modelcheck.support.files import read_file
from modelcheck.support.folders import PathKind, kind_of

__all__ = ["MAX_GIB", "PICTURES", "ROWS", "Layout", "build_panel", "read_parts", "write_parts"]

P = TypeVar("P")

_FORMAT = 1
MAX_GIB = 4.0
"""What a panel may unpack to, unless the user's own settings (``panel_size``) say otherwise."""
_MAX_RATIO = 100  # bytes of the arrays to bytes of the file, above 64 MiB; drawn faces come to 15
_MAX_NAMED = 5  # unknown parts in a message
_MOST_LISTED = 10_000  # no archive that is read has more members


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which parts the file of one kind of panel has.

    Parameters
    ----------
    holds : str
        What it is a panel of, in words.
    reader : str
        How it is read in Python.
    required, optional : tuple of str
        The parts that there must be, and may be.
    numbered : mapping of str to str
        By the folder of parts ``folder/0``, ``folder/1`` and so on: the part that lists their names.
        A member of an archive cannot have every name that a column may have.
    """

    holds: str
    reader: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    numbered: Mapping[str, str]

    def fits(self, parts: Mapping[str, Any]) -> bool:
        """Say whether a file has what all files of this kind have."""
        return all(name in parts for name in self.required)

    def list_required(self, parts: Mapping[str, Any]) -> list[str]:
        """Return the names of the parts that a file must have, by the names that it lists itself."""
        required = list(self.required)
        for folder, names in self.numbered.items():
            listed = min(np.size(parts.get(names, ())), _MOST_LISTED)
            required += [f"{folder}/{k}" for k in range(listed)]
        return required


PICTURES = Layout(
    holds="pictures",
    reader="modelcheck.Panel.load",
    required=("images", "labels", "class_names"),
    optional=("subjects", "regions", "names", "groups", "conversion"),
    numbered={},
)
ROWS = Layout(
    holds="rows of a table",
    reader="modelcheck.TablePanel.load",
    required=("truth", "target", "class_names", "names", "columns"),
    optional=("subjects", "divisions", "units", "conversion"),
    numbered={"values": "columns", "groups": "divisions"},
)
_LAYOUTS = (PICTURES, ROWS)


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
        if _is_refused(aside):  # tables of rare flags shrink by more than a file from outside may
            with aside.open("wb") as file:
                np.savez(file, format=np.int64(_FORMAT), **parts)
        aside.replace(target)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == os.fspath(aside):  # a name that nobody gave
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        raise


def _is_refused(path: Path) -> bool:
    """Say whether a file unpacks to so many times its own bytes that `read_parts` would refuse it."""
    with zipfile.ZipFile(path) as archive:
        total = sum(info.file_size for info in archive.infolist())
    return total > MAX_SMALL_BYTES and total > _MAX_RATIO * path.stat().st_size


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
            parts = {name.removesuffix(".npy"): None for name in archive.namelist()}
            return "format" in parts and any(layout.fits(parts) for layout in _LAYOUTS)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_parts(
    path: str | os.PathLike[str], *, layouts: Sequence[Layout], max_gib: float
) -> tuple[Layout, dict[str, Any]]:
    """Return which kind of panel a file holds, and its parts by name, in memory that nobody else can write to.

    Parameters
    ----------
    path : str or path-like
        The ``.npz`` file.
    layouts : sequence of Layout
        The kinds that are wanted; the first names what is lacking of a file that is none.
    max_gib : float
        GiB that it may unpack to.

    Raises
    ------
    PanelError
        When the file is missing, no panel, of a newer format, or of a kind that is not wanted.
    """
    parts = _read_file(path, max_gib=max_gib)
    layout = next((layout for layout in layouts if layout.fits(parts)), None)
    other = next((layout for layout in _LAYOUTS if layout.fits(parts)), None)
    if layout is None and other is not None:
        raise PanelError(
            f"{os.fspath(path)!r} is a panel of {other.holds}, not of {layouts[0].holds}. Read it with {other.reader}, "
            "or with modelcheck.panel.load_panel, which takes both."
        )
    layout = layout or layouts[0]
    required = layout.list_required(parts)
    known = {*required, *layout.optional}
    missing = [name for name in required if name not in parts]
    unknown = [name for name in parts if name not in known]
    if missing or unknown:
        raise PanelError(
            f"{os.fspath(path)!r} is no panel: missing parts {_name_parts(missing)}, unknown parts "
            f"{_name_parts(unknown)}."
        )
    return layout, parts


def build_panel(path: str | os.PathLike[str], make: Callable[[Mapping[str, Any]], P], parts: Mapping[str, Any]) -> P:
    """Return the panel that parts of a file make; what does not fit together is told with the file's name."""
    try:
        return make(parts)
    except PanelError as error:
        raise PanelError(f"{os.fspath(path)!r} is no panel that can be used: {error}") from error


def _name_parts(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"{[name[:80] for name in names[:_MAX_NAMED]]}{more}"


def _read_file(path: str | os.PathLike[str], *, max_gib: float) -> dict[str, Any]:
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
    return parts


def _freeze(array: np.ndarray | None) -> None:
    """Let nobody write to an array, nor to the memory behind it."""
    while isinstance(array, np.ndarray):
        array.setflags(write=False)
        array = array.base
