"""The one way to read a file that somebody named: a regular file of bounded size, read once.

What stands under a name may be a pipe that nobody writes to, a device that never ends, a folder, a
socket, or links in a circle. None of them is waited for or read: each is an `OSError` whose
``strerror`` says what is there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = ["MAX_NETWORK_BYTES", "MAX_TEXT_BYTES", "hash_file", "read_file", "read_start"]

_MIB, _GIB = 2**20, 2**30
MAX_TEXT_BYTES = 64 * _MIB
"""Of a document that a person or modelcheck wrote: a history, a verdict, a manifest."""
MAX_NETWORK_BYTES = 4 * _GIB
"""Of a network file."""

_CHUNK = _MIB
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Without O_NONBLOCK a pipe would be waited for; without O_NOCTTY a terminal could become ours.
_FLAGS = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)


def read_file(path: str | os.PathLike[str], *, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Read a regular file of bounded size, once.

    Parameters
    ----------
    path : str or path-like
        The file; links to it are followed.
    max_bytes : int
        The most that it may hold.

    Raises
    ------
    OSError
        When there is none, it is a folder, a pipe, a device or a socket, links lead in a circle, it
        is larger than `max_bytes`, or it changes while it is read.

    Examples
    --------
    >>> len(read_file("pyproject.toml")) > 0
    True
    >>> read_file("docs")
    Traceback (most recent call last):
    OSError: [Errno 22] it is a folder, no regular file: 'docs'
    """
    with _open(path, max_bytes=max_bytes) as (file, size):
        data = file.read(size + 1)  # not the bound: a reader makes room for all that it is asked for
    if len(data) != size:
        raise OSError(errno.EAGAIN, "it changed while it was read", os.fspath(path))
    return data


def read_start(path: str | os.PathLike[str], *, size: int, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Read the first bytes of a regular file of bounded size.

    Parameters
    ----------
    path : str or path-like
        The file; links to it are followed.
    size : int
        How many bytes; fewer are returned where it has fewer.
    max_bytes : int
        The most that the whole file may hold.

    Raises
    ------
    OSError
        As `read_file` does.

    Examples
    --------
    >>> read_start("networks/half_filters.keras", size=2, max_bytes=MAX_NETWORK_BYTES)
    b'PK'
    """
    with _open(path, max_bytes=max_bytes) as (file, _):
        return file.read(size)


def hash_file(path: str | os.PathLike[str], *, max_bytes: int = MAX_NETWORK_BYTES) -> str:
    """Return the sha256, in hex, of a regular file of bounded size, which is never held in memory.

    Parameters
    ----------
    path : str or path-like
        The file; links to it are followed.
    max_bytes : int
        The most that it may hold.

    Raises
    ------
    OSError
        As `read_file` does.

    Examples
    --------
    >>> hash_file("pyproject.toml") == hashlib.sha256(read_file("pyproject.toml")).hexdigest()
    True
    """
    digest = hashlib.sha256()
    with _open(path, max_bytes=max_bytes) as (file, size):
        left = size
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
        if left or file.read(1):
            raise OSError(errno.EAGAIN, "it changed while it was read", os.fspath(path))
    return digest.hexdigest()


@contextmanager
def _open(path: str | os.PathLike[str], *, max_bytes: int) -> Iterator[tuple[IO[bytes], int]]:
    """Open a regular file and yield it with its size."""
    name = os.fspath(path)
    try:
        # Asked before opening, for opening a device may already act on it; and again afterwards,
        # for somebody may have put another thing under the name in between.
        _check_kind(Path(path).stat().st_mode, name)
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:  # a name that no system takes: with a null character, or a lone surrogate
        raise OSError(errno.EINVAL, "it has a name that no file can have", ascii(name)) from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        _check_kind(found.st_mode, name)
        if found.st_size > max_bytes:
            raise OSError(errno.EFBIG, f"it has {found.st_size} bytes, more than {max_bytes}", name)
        yield file, found.st_size


def _check_kind(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, no regular file", name)
