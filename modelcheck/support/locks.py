"""One writer at a time: locks that a killed holder lets go of, and that nobody else can put in the way unnoticed."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from modelcheck.support.folders import PathKind, UnsafePathError, kind_of

__all__ = ["FolderBusyError", "folder_lock", "hold"]


class FolderBusyError(ValueError):
    """Another writer holds the folder; the message says which and what to do."""


@contextmanager
def hold(lock: Path, *, timeout: float, busy: str) -> Iterator[None]:
    """Hold a lock file.

    Parameters
    ----------
    lock : Path
        The file, made where it is missing.
    timeout : float
        Seconds to wait for another holder.
    busy : str
        What to say when the other holder does not let go in that time.

    Raises
    ------
    FolderBusyError
        When the other holder does not let go in that time.
    UnsafePathError
        When the file is a link, has a second name, is no file, or may not be opened: another user's,
        for example.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder, hold(Path(folder) / "one.lock", timeout=1.0, busy="It is held."):
    ...     print("held")
    held
    """
    kind = kind_of(lock)
    if kind not in (PathKind.MISSING, PathKind.FILE):
        raise UnsafePathError(f"{str(lock)!r} is a {kind}, not the lock file that is due there. Remove it.")
    held = FileLock(lock, timeout=timeout)
    try:
        held.acquire()
    except Timeout as error:
        raise FolderBusyError(busy) from error
    except OSError as error:
        raise UnsafePathError(
            f"{str(lock)!r} cannot be locked ({error.strerror or error}{_foreign(lock)}). Remove it, or work in a "
            "folder of your own."
        ) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def folder_lock(folder: Path, *, timeout: float = 600.0) -> Iterator[None]:
    """Hold a folder against every other writer of it, of the same user.

    Parameters
    ----------
    folder : Path
        The folder. The lock lies outside of it, for a baseline's folder is under version control:
        in a folder of this user alone, so that no other user can hold it.
    timeout : float
        Seconds to wait for another writer.

    Raises
    ------
    FolderBusyError
        When the other writer does not finish in that time.
    UnsafePathError
        When there is no folder of this user alone for the lock.
    """
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:24]
    busy = (
        f"Somebody else has been writing to {str(folder)!r} for {timeout:g} seconds. Nothing was changed; run "
        "again when they are done."
    )
    with hold(_own_folder() / f"{name}.lock", timeout=timeout, busy=busy):
        yield


def _own_folder() -> Path:
    """Return this user's folder for locks below the temporary one, to which everybody may write."""
    user = "" if sys.platform == "win32" else f"-{os.geteuid()}"
    path = Path(tempfile.gettempdir()) / f"modelcheck-locks{user}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    kind, fault = kind_of(path), ""
    if kind != PathKind.FOLDER:
        fault = f"is a {kind}"
    elif _foreign(path):
        fault = "belongs to another user"
    elif sys.platform != "win32" and path.lstat().st_mode & 0o022:
        fault = "can be written to by others"
    if fault:
        raise UnsafePathError(
            f"{str(path)!r} is due to hold the locks of this user alone, and {fault}. Remove it, or set TMPDIR to a "
            "folder of your own."
        )
    return path


def _foreign(path: Path) -> str:
    """Return whose a file is, where it is another user's."""
    if sys.platform == "win32":
        return ""
    with suppress(OSError):
        owner = path.lstat().st_uid
        return "" if owner == os.geteuid() else f"; it belongs to the user with the number {owner}"
    return ""
