"""Zip archives and the arrays in them, from untrusted files.

Nothing is unpacked before the listing has been believed, and no array is made before its header has
been held against the bytes that are there.
"""

from __future__ import annotations

import io
import math
import os
import re
import struct
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass

import numpy as np

__all__ = ["ArchiveError", "Member", "check_member_name", "open_archive", "read_arrays", "read_member", "read_regular"]

_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_ENCRYPTED = 0x1
_UTF8 = 0x800
_ALLOWED_FLAGS = 0x2 | 0x4 | 0x8 | _UTF8  # how hard deflate tried, sizes after the data, names in UTF-8
_MAX_MEMBERS = 10_000
_MAX_NAME_CHARACTERS = 1000
_MIB, _GIB = 2**20, 2**30
_MAX_SMALL_BYTES = 64 * _MIB  # up to here an archive may unpack to any multiple of itself
_DTYPE_KINDS = "biufU"


class ArchiveError(ValueError):
    """An archive that is refused; the message says which member, and why."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry of an archive that has passed the listing.

    Parameters
    ----------
    name : str
        Path within the archive, relative and with forward slashes.
    size, packed : int
        Bytes after and before unpacking, as the archive declares them.

    Examples
    --------
    >>> Member(name="images.npy", size=400, packed=120)
    Member(name='images.npy', size=400, packed=120)
    """

    name: str
    size: int
    packed: int


def read_regular(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a regular file of bounded size, once.

    Raises
    ------
    OSError
        When there is none, or it is a folder, a pipe or a device.
    ArchiveError
        When it is larger than `max_bytes`.

    Examples
    --------
    >>> len(read_regular("pyproject.toml", max_bytes=2**20)) > 0
    True
    """
    # Without O_NONBLOCK a pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not os.path.isfile(file.fileno()):  # noqa: PTH113 - asked of the open file, not of its name
            raise OSError(22, "no regular file", os.fspath(path))
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ArchiveError(f"it has {size} bytes, more than {max_bytes}")
        # Not the bound: a reader makes room for all that it is asked for.
        return file.read(size)


def open_archive(
    data: bytes, *, max_bytes: int = 4 * _GIB, ratio: int = 500
) -> tuple[zipfile.ZipFile, tuple[Member, ...]]:
    """Open a zip archive whose listing can be believed.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_bytes : int
        What all members together may unpack to.
    ratio : int
        How many times the file's own bytes that may be, above 64 MiB. Photographs shrink to a half,
        weights hardly; maps of one value shrink by a thousand, and stay small.

    Returns
    -------
    tuple
        The archive and its members.

    Raises
    ------
    ArchiveError
        When it is no zip file, does not begin with its first member, lists another number of
        members than it says, or a member is named twice, absolutely, with ``..``, a backslash, a
        control character or not in UTF-8, is a link, a folder, encrypted, packed in an unusual way,
        overlaps another, or unpacks to too much.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> [member.name for member in open_archive(file.getvalue())[1]]
    ['a.npy']
    """
    if not data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise ArchiveError("it is no zip archive (it does not begin with one)")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        listed = archive.infolist()
        if len(listed) > _MAX_MEMBERS:
            raise ArchiveError(f"it has {len(listed)} members, more than {_MAX_MEMBERS}")
        for info in listed:
            _check_name(info)
            _check_kind(info)
        _check_places(data, listed)
        _check_count(data, listed)
    except ArchiveError:
        raise
    except Exception as error:
        # zipfile raises a dozen kinds on damaged bytes; none of them is a listing.
        raise ArchiveError(f"its listing cannot be read ({_short(error)})") from error
    names = [info.filename for info in listed]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ArchiveError(f"it has two members called {twice!r}")
    total = sum(info.file_size for info in listed)
    if total > max_bytes:
        raise ArchiveError(f"it unpacks to {total} bytes, more than {max_bytes}")
    if total > _MAX_SMALL_BYTES and total > ratio * len(data):
        raise ArchiveError(f"its {len(data)} bytes unpack to {total}: more than {ratio} times as many")
    members = tuple(Member(name=info.filename, size=info.file_size, packed=info.compress_size) for info in listed)
    return archive, members


def read_member(archive: zipfile.ZipFile, member: Member) -> bytes:
    """Unpack one member, to its declared size and no further.

    Raises
    ------
    ArchiveError
        When it is damaged, or is not of the size that the listing declares.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> archive, members = open_archive(file.getvalue())
    >>> read_member(archive, members[0])[1:6]
    b'NUMPY'
    """
    try:
        with archive.open(member.name) as file:
            data = file.read(member.size + 1)
    except Exception as error:
        # zipfile and zlib raise a dozen kinds on damaged bytes.
        raise ArchiveError(f"the member {member.name!r} cannot be unpacked ({_short(error)})") from error
    if len(data) != member.size:
        raise ArchiveError(f"the member {member.name!r} is not of the {member.size} bytes that the listing declares")
    return data


def read_arrays(data: bytes, *, max_bytes: int = 4 * _GIB) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file: numbers, booleans and text, never objects.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_bytes : int
        What all arrays together may take.

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
    archive, members = open_archive(data, max_bytes=max_bytes)
    arrays: dict[str, np.ndarray] = {}
    with archive:
        for member in members:
            name = member.name.removesuffix(".npy")
            if name in arrays:
                raise ArchiveError(f"it has two arrays called {name!r}")
            arrays[name] = _array(member.name, read_member(archive, member))
    return arrays


def _array(name: str, data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
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
        raise ArchiveError(f"the member {name!r} is no array ({_short(error)})") from error
    if dtype.kind not in _DTYPE_KINDS or dtype.subdtype is not None or not dtype.itemsize:
        raise ArchiveError(f"the member {name!r} is an array of {dtype}; expected numbers, booleans or text")
    promised = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or promised != len(data) - stream.tell():
        raise ArchiveError(
            f"the member {name!r} has {len(data) - stream.tell()} bytes of values where its header promises {promised}"
        )
    if promised == 0:
        try:
            return np.zeros(shape, dtype=dtype)
        except (ValueError, MemoryError) as error:  # shapes such as (2**62, 2**62, 0)
            raise ArchiveError(f"the member {name!r} is no array ({_short(error)})") from error
    values = np.frombuffer(data, dtype=dtype, offset=stream.tell())
    if dtype.kind == "U" and not _is_text(values):
        raise ArchiveError(f"the member {name!r} holds text that is no Unicode")
    return values.reshape(shape, order="F" if fortran else "C").copy(order="K")


def _is_text(values: np.ndarray) -> bool:
    """Say whether every character is valid Unicode, for Python raises on any other."""
    points = values.view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    return bool((points <= sys.maxunicode).all() and not ((points >= 0xD800) & (points <= 0xDFFF)).any())


def check_member_name(name: str) -> None:
    """Refuse a name that no member of an archive may have, before anything is written under it.

    Parameters
    ----------
    name : str
        The member's name, with its folders.

    Raises
    ------
    ArchiveError
        When it is empty, too long, not printable, or leads out of its folder.

    Examples
    --------
    >>> check_member_name("maps/conv1.npy")
    >>> check_member_name("../maps.npy")
    Traceback (most recent call last):
    modelcheck.support.archive.ArchiveError: the member '../maps.npy' leads out of its folder, or has an empty part \
in its name
    """
    shown = name[:80]
    if not name or len(name) > _MAX_NAME_CHARACTERS:
        raise ArchiveError(f"a member's name is empty or longer than {_MAX_NAME_CHARACTERS}: {shown!r}")
    if not name.isprintable():
        raise ArchiveError(f"the member {shown!r} has a character in its name that cannot be printed")
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise ArchiveError(f"the member {shown!r} has an absolute path, a drive or a backslash in its name")
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        raise ArchiveError(f"the member {shown!r} leads out of its folder, or has an empty part in its name")


def _check_name(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    if name != info.filename:
        raise ArchiveError(f"the member {name[:80]!r} has a character in its name that cannot be printed")
    check_member_name(name)
    if not name.isascii() and not info.flag_bits & _UTF8:
        raise ArchiveError(f"the member {name[:80]!r} has a name that is not UTF-8")


def _check_kind(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"the member {info.filename!r} is encrypted")
    if info.flag_bits & ~_ALLOWED_FLAGS:
        raise ArchiveError(f"the member {info.filename!r} has unusual flags ({info.flag_bits:#x})")
    kind = (info.external_attr >> 16) & 0o170000
    if kind not in (0, 0o100000) or info.is_dir():
        raise ArchiveError(f"the member {info.filename!r} is a link, a folder or a device, no ordinary file")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"the member {info.filename!r} is packed by method {info.compress_type}; expected deflate")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise ArchiveError(f"the member {info.filename!r} is stored, yet declares two sizes")


def _check_places(data: bytes, listed: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, by which a small file unpacks to a large one, or hide before the first."""
    end = 0
    for info in sorted(listed, key=lambda item: item.header_offset):
        if info.header_offset < end or (end == 0 and info.header_offset != 0):
            raise ArchiveError(f"the member {info.filename!r} shares bytes with another, or others lie before it")
        header = data[info.header_offset : info.header_offset + _LOCAL.size]
        name, extra = _LOCAL.unpack(header)[9:11]
        end = info.header_offset + _LOCAL.size + name + extra + info.compress_size
    if end > len(data):
        raise ArchiveError("its last member is longer than the file")


def _check_count(data: bytes, listed: list[zipfile.ZipInfo]) -> None:
    """Refuse a listing that holds fewer members than it promises: one damaged length swallows those behind it."""
    end = data.rfind(b"PK\x05\x06")
    promised = _END.unpack(data[end : end + _END.size])[4]
    if promised != len(listed):
        raise ArchiveError(f"its listing promises {promised} members and holds {len(listed)}")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
