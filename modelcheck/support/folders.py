"""Files that are whole or not there, and folders of ours, in which nothing is followed that is a link.

What lies in a folder may have been put there by somebody else: by a repository that was checked
out, by a cache that was restored, by another user of the machine. So a name is looked at before it
is used, and a link is taken away itself, never what it leads to.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

__all__ = [
    "ASIDE",
    "PathKind",
    "UnsafePathError",
    "has_folder",
    "kind_of",
    "make_folder",
    "measure_size",
    "move",
    "place",
    "remove",
    "sync_names",
]

ASIDE = ".writing-"
"""How the names of files begin that are not yet whole: a killed writer may leave one, the next one clears it."""


class PathKind(StrEnum):
    """What a name of the file system stands for, links not followed.

    Examples
    --------
    >>> PathKind("shared file") is PathKind.SHARED_FILE
    True
    """

    MISSING = "missing"
    FILE = "file"
    SHARED_FILE = "shared file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL_FILE = "special file"


class UnsafePathError(ValueError):
    """A link, or something else that is not ours, lies where a file of ours is due; the message says what to do."""


def kind_of(path: Path) -> PathKind:
    """Return what a name stands for, without following it.

    A file that has a second name, in whatever folder, is a shared file: what is written into it
    changes the other as well.

    Examples
    --------
    >>> [kind_of(Path(name)).value for name in ("docs", "pyproject.toml", "no such file")]
    ['folder', 'file', 'missing']
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return PathKind.MISSING
    if stat.S_ISLNK(status.st_mode):
        return PathKind.LINK
    if stat.S_ISDIR(status.st_mode):
        return PathKind.FOLDER
    if not stat.S_ISREG(status.st_mode):
        return PathKind.SPECIAL_FILE
    return PathKind.SHARED_FILE if status.st_nlink > 1 else PathKind.FILE


def has_folder(root: Path, *below: str) -> bool:
    """Return whether there is a folder, `root` and every one on the way from it included.

    Raises
    ------
    UnsafePathError
        When one of them is a link, or no folder.
    """
    path = root
    for name in ("", *below):
        path = path / name
        if not _is_folder(path):
            return False
    return True


def make_folder(root: Path, *below: str) -> Path:
    """Return a folder, made where it is missing, `root` and every one on the way from it included.

    Raises
    ------
    UnsafePathError
        When one of them is a link, or no folder.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     made = make_folder(Path(place), "one", "two")
    ...     made.relative_to(place).as_posix(), made.is_dir()
    ('one/two', True)
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    path = root
    for name in ("", *below):
        path = path / name
        with suppress(FileExistsError):
            path.mkdir()
        _is_folder(path)
    return path


def _is_folder(path: Path) -> bool:
    kind = kind_of(path)
    if kind not in (PathKind.MISSING, PathKind.FOLDER):
        raise UnsafePathError(
            f"{str(path)!r} is a {kind} where a folder of modelcheck's own is due, and links are not followed there. "
            "Remove it; for a cache in another place, name that: cache in [tool.modelcheck] of pyproject.toml."
        )
    return kind == PathKind.FOLDER


def remove(path: Path) -> None:
    """Remove what has a name: a file, a folder with all that is in it, or a link, and not what it leads to.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     (Path(place) / "link").symlink_to("docs")
    ...     remove(Path(place) / "link")
    ...     list(Path(place).iterdir())
    []
    """
    if kind_of(path) == PathKind.FOLDER:
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def measure_size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; what links lead to does not count."""
    kind = kind_of(path)
    if kind == PathKind.FOLDER:
        return sum(measure_size(inner) for inner in path.iterdir())
    return path.lstat().st_size if kind in (PathKind.FILE, PathKind.SHARED_FILE) else 0


def place(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file, with these permissions: whole or not at all, and on the disk before this returns.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place(Path(folder) / "note.txt", b"whole")
    ...     (Path(folder) / "note.txt").read_bytes()
    b'whole'
    """
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=ASIDE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(mode)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    sync_names(path.parent)


def move(path: Path, target: Path) -> None:
    """Put a file that is already on the disk into another folder of the same disk, at once.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place(Path(folder) / "old.txt", b"whole")
    ...     move(Path(folder) / "old.txt", Path(folder) / "new.txt")
    ...     [path.name for path in Path(folder).iterdir()]
    ['new.txt']
    """
    path.replace(target)
    sync_names(target.parent)


def sync_names(folder: Path) -> None:
    """Bring a folder's own entries to the disk: without it, a power cut may undo a rename that was already seen."""
    with suppress(OSError):  # not every system lets a folder be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
