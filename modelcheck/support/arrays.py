"""Arrays in zip archives (``.npz``), from untrusted files.

No array is made before its header has been held against the bytes that are there, and each is
unpacked into its own memory, where it lies once.
"""

from __future__ import annotations

import io
import itertools
import math
import sys
from typing import Any

import numpy as np

from modelcheck.support.archive import ArchiveError, Member, fill, list_members, short, unpack

__all__ = ["read_arrays"]

_GIB = 2**30
_MAX_HEADER_BYTES = 16384  # of an array; numpy itself reads no more than 10,000
_DTYPE_KINDS = "biufU"


def read_arrays(data: bytes, *, max_bytes: int = 4 * _GIB, ratio: int = 500) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file: numbers, booleans and text, never objects.

    Each array is unpacked into its own memory and lies there once.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_bytes : int
        What all arrays together may take.
    ratio : int
        See `list_members`.

    Returns
    -------
    dict of str to np.ndarray
        The arrays by name, without ``.npy``.

    Raises
    ------
    ArchiveError
        When the archive is refused, a member is no array, holds objects or references, or does not
        have the bytes that its header promises.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> read_arrays(file.getvalue())
    {'a': array([0, 1, 2])}
    """
    arrays: dict[str, np.ndarray] = {}
    for member in list_members(data, max_bytes=max_bytes, ratio=ratio):
        name = member.name.removesuffix(".npy")
        if name in arrays:
            raise ArchiveError(f"it has two arrays called {name!r}")
        arrays[name] = _read_array(data, member)
    return arrays


def _read_array(data: bytes, member: Member) -> np.ndarray:
    name = member.name
    pieces = unpack(data, member)
    first = bytes(next(pieces, b""))
    shape, fortran, dtype, start = _read_header(first, name)
    if dtype.kind not in _DTYPE_KINDS or dtype.subdtype is not None or not dtype.itemsize:
        raise ArchiveError(f"the member {name!r} is an array of {dtype}; expected numbers, booleans or text")
    promised, held = math.prod(shape) * dtype.itemsize, member.size - start
    if min(shape, default=0) < 0 or promised != held:
        raise ArchiveError(f"the member {name!r} has {held} bytes of values where its header promises {promised}")
    room = np.empty(promised, dtype=np.uint8)
    fill(room.data, itertools.chain([first[start:]], pieces))
    if dtype.kind == "U" and not _is_text(room.view(dtype)):
        raise ArchiveError(f"the member {name!r} holds text that is no Unicode")
    if dtype.kind == "b" and room.max(initial=0) > 1:
        raise ArchiveError(f"the member {name!r} holds booleans that are neither true nor false")
    try:
        return room.view(dtype).reshape(shape, order="F" if fortran else "C")
    except (ValueError, MemoryError) as error:  # shapes such as (2**62, 2**62, 0), or of 100 axes
        raise ArchiveError(f"the member {name!r} is no array ({short(error)})") from error


def _read_header(first: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return an array's shape, whether Fortran's order is meant, its dtype, and where its values begin."""
    stream = io.BytesIO(first[:_MAX_HEADER_BYTES])  # a header is short, or it is none
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ArchiveError(f"the member {name!r} is an array of format {version}; expected 1.0 or 2.0")
        shape, fortran, dtype = read(stream)
    except ArchiveError:
        raise
    except Exception as error:
        # The header is text that numpy parses; on damaged bytes it raises what its parser raises.
        raise ArchiveError(f"the member {name!r} is no array ({short(error)})") from error
    return shape, fortran, dtype, stream.tell()


def _is_text(values: np.ndarray) -> bool:
    """Say whether every character is valid Unicode, for Python raises on any other."""
    points = values.view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    return bool((points <= sys.maxunicode).all() and not ((points >= 0xD800) & (points <= 0xDFFF)).any())
