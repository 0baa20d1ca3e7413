"""Files that are whole or not there, in folders that one writer holds at a time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["ASIDE", "FolderBusyError", "folder_lock", "move", "place", "sync_names"]

ASIDE = ".writing-"
"""How the names of files begin that are not yet whole: a killed writer may leave one, the next one clears it."""


class FolderBusyError(ValueError):
    """Another writer holds the folder; the message says which and what to do."""


@contextmanager
def folder_lock(folder: Path, *, timeout: float = 600.0) -> Iterator[None]:
    """Hold a folder against every other writer of it.

    Parameters
    ----------
    folder : Path
        The folder. The lock lies outside of it, for a baseline's folder is under version control; a
        killed holder lets go of it.
    timeout : float
        Seconds to wait for another writer.

    Raises
    ------
    FolderBusyError
        When the other writer does not finish in that time.
    """
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:24]
    lock = FileLock(Path(tempfile.gettempdir()) / f"modelcheck-{name}.lock", timeout=timeout)
    try:
        lock.acquire()
    except Timeout as error:
        raise FolderBusyError(
            f"Somebody else has been writing to {str(folder)!r} for {timeout:g} seconds. Nothing was changed; run "
            "again when they are done."
        ) from error
    try:
        yield
    finally:
        lock.release()


def place(path: Path, data: bytes) -> None:
    """Write a file: whole or not at all, and on the disk before this returns.

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
        Path(aside).chmod(0o644)
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
