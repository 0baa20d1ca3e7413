"""Zip archives from untrusted files: nothing is unpacked before the listing has been believed."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = [
    "MAX_SMALL_BYTES",
    "ArchiveError",
    "Member",
    "check_member_name",
    "fill",
    "list_members",
    "read_member",
    "short",
    "unpack",
]

_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_ENCRYPTED = 0x1
_SIZES_LATER = 0x8
_LONG = 2**32 - 1  # where a size stands in an extra field
_UTF8 = 0x800
_ALLOWED_FLAGS = 0x2 | 0x4 | 0x8 | _UTF8  # how hard deflate tried, sizes after the data, names in UTF-8
_MAX_MEMBERS = 10_000
_MAX_NAME_CHARACTERS = 1000
_MIB, _GIB = 2**20, 2**30
MAX_SMALL_BYTES = 64 * _MIB
"""Up to here an archive may unpack to any multiple of itself."""
_MAX_LISTING_BYTES = 4 * _MIB
_PACKED_PIECE = 65536


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
    start : int
        Where its bytes begin in the archive.
    deflated : bool
        Whether they are packed.
    crc : int
        The checksum of the unpacked bytes, as the archive declares it.

    Examples
    --------
    >>> Member(name="images.npy", size=400, packed=120).deflated
    True
    """

    name: str
    size: int
    packed: int
    start: int = 0
    deflated: bool = True
    crc: int = 0


def list_members(data: bytes, *, max_bytes: int = 4 * _GIB, ratio: int = 500) -> tuple[Member, ...]:
    """Return the members of a zip archive whose listing can be believed; nothing is unpacked.

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
    tuple of Member
        In the order of the listing.

    Raises
    ------
    ArchiveError
        When it is no zip file, does not begin with its first member or end with its listing, lists
        another number of members than it says, or a member is named twice, absolutely, with ``..``,
        a backslash, a control character or not in UTF-8, is a link, a folder, encrypted, packed in
        an unusual way, overlaps another, is described in two ways, or unpacks to too much.

    Examples
    --------
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> [member.name for member in list_members(file.getvalue())]
    ['a.npy']
    """
    if not data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise ArchiveError("it is no zip archive (it does not begin with one)")
    try:
        _check_listing(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
        if len(listed) > _MAX_MEMBERS:
            raise ArchiveError(f"it has {len(listed)} members, more than {_MAX_MEMBERS}")
        for info in listed:
            _check_name(info)
            _check_kind(info)
        starts = _find_members(data, listed)
        _check_count(data, listed)
    except ArchiveError:
        raise
    except Exception as error:
        # zipfile raises a dozen kinds on damaged bytes; none of them is a listing.
        raise ArchiveError(f"its listing cannot be read ({short(error)})") from error
    names = [info.filename for info in listed]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ArchiveError(f"it has two members called {twice!r}")
    total = sum(info.file_size for info in listed)
    if total > max_bytes:
        raise ArchiveError(f"it unpacks to {total} bytes, more than {max_bytes}")
    if total > MAX_SMALL_BYTES and total > ratio * len(data):
        raise ArchiveError(f"its {len(data)} bytes unpack to {total}: more than {ratio} times as many")
    return tuple(
        Member(
            name=info.filename,
            size=info.file_size,
            packed=info.compress_size,
            start=start,
            deflated=info.compress_type == zipfile.ZIP_DEFLATED,
            crc=info.CRC,
        )
        for info, start in zip(listed, starts, strict=True)
    )


def read_member(data: bytes, member: Member) -> memoryview:
    """Return the bytes of one member: a stored one without a copy, a packed one to its declared size and no further.

    Parameters
    ----------
    data : bytes
        The whole archive.
    member : Member
        From `list_members` of the same bytes.

    Raises
    ------
    ArchiveError
        When it is damaged, or is not of the size that the listing declares.

    Examples
    --------
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> bytes(read_member(file.getvalue(), list_members(file.getvalue())[0])[1:6])
    b'NUMPY'
    """
    if not member.deflated:
        for _ in unpack(data, member):
            pass  # the checksum is looked at, and nothing kept
        return memoryview(data)[member.start : member.start + member.size]
    room = memoryview(bytearray(member.size))
    fill(room, unpack(data, member))
    return room.toreadonly()


def unpack(data: bytes, member: Member) -> Iterator[memoryview | bytes]:
    """Yield a member's bytes in pieces of at most 1 MiB.

    Parameters
    ----------
    data : bytes
        The whole archive.
    member : Member
        From `list_members` of the same bytes.

    Raises
    ------
    ArchiveError
        When they are damaged, or not as many as the listing declares.

    Examples
    --------
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> member = list_members(file.getvalue())[0]
    >>> sum(len(piece) for piece in unpack(file.getvalue(), member)) == member.size
    True
    """
    packed = memoryview(data)[member.start : member.start + member.packed]
    size = crc = 0
    try:
        for piece in _inflate(packed, _MIB) if member.deflated else _cut(packed, _MIB):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            if size > member.size:
                break
            yield piece
    except zlib.error as error:
        raise ArchiveError(f"the member {member.name!r} cannot be unpacked ({short(error)})") from error
    if size != member.size:
        raise ArchiveError(f"the member {member.name!r} is not of the {member.size} bytes that the listing declares")
    if crc != member.crc:
        raise ArchiveError(f"the member {member.name!r} is damaged: its checksum does not hold")


def _cut(data: memoryview, longest: int) -> Iterator[memoryview]:
    for start in range(0, len(data), longest):
        yield data[start : start + longest]


def _inflate(packed: memoryview, longest: int) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    for part in _cut(packed, _PACKED_PIECE):
        piece = stream.decompress(part, longest)
        while piece:
            yield piece
            piece = stream.decompress(stream.unconsumed_tail, longest)
    if not stream.eof or stream.unused_data:
        raise zlib.error("the packed data end too early, or bytes follow them")


def fill(room: memoryview, pieces: Iterable[memoryview | bytes]) -> None:
    """Write pieces one behind the other; they are never more than fit, for `unpack` counts them.

    Examples
    --------
    >>> room = bytearray(3)
    >>> fill(memoryview(room), [b"a", b"bc"])
    >>> room
    bytearray(b'abc')
    """
    place = 0
    for piece in pieces:
        room[place : place + len(piece)] = piece
        place += len(piece)


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


def _check_listing(data: bytes) -> None:
    """Refuse a listing that is itself too large to be read; where it is of the long form, that one counts."""
    end = data.rfind(b"PK\x05\x06")
    size, comment = (_END.unpack(data[end : end + _END.size])[place] for place in (5, 7))
    if end + _END.size + comment != len(data):
        raise ArchiveError("bytes follow its end")
    if end >= _LOCATOR.size and data[end - _LOCATOR.size :].startswith(b"PK\x06\x07"):
        _, _, place, _ = _LOCATOR.unpack(data[end - _LOCATOR.size : end])
        (size,) = struct.unpack_from("<Q", data, place + 40)
    if size > _MAX_LISTING_BYTES:
        raise ArchiveError(f"its listing has {size} bytes, more than {_MAX_LISTING_BYTES}")


def _find_members(data: bytes, listed: list[zipfile.ZipInfo]) -> list[int]:
    """Return where each member's bytes begin.

    Members that share bytes, by which a small file unpacks to a large one, that hide before the
    first, or that call themselves otherwise than the listing does, are refused.
    """
    end, starts = 0, dict[int, int]()
    for info in sorted(listed, key=lambda item: item.header_offset):
        if info.header_offset < end or (end == 0 and info.header_offset != 0):
            raise ArchiveError(f"the member {info.filename!r} shares bytes with another, or others lie before it")
        place = info.header_offset + _LOCAL.size
        mark, _, flags, method, _, _, crc, packed, size, length, extra = _LOCAL.unpack(data[info.header_offset : place])
        name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        told = {packed, size} - {info.compress_size, info.file_size, _LONG}
        later = bool(flags & _SIZES_LATER)
        if (
            (mark, flags, method) != (b"PK\x03\x04", info.flag_bits, info.compress_type)
            or data[place : place + length] != name
            or (not later and (crc != info.CRC or told))
        ):
            raise ArchiveError(f"the member {info.filename!r} is described otherwise where it lies than in the listing")
        starts[id(info)] = place + length + extra
        end = starts[id(info)] + info.compress_size
    if end > len(data):
        raise ArchiveError("its last member is longer than the file")
    return [starts[id(info)] for info in listed]


def _check_count(data: bytes, listed: list[zipfile.ZipInfo]) -> None:
    """Refuse a listing that holds fewer members than it promises: one damaged length swallows those behind it."""
    end = data.rfind(b"PK\x05\x06")
    promised = _END.unpack(data[end : end + _END.size])[4]
    if promised != len(listed):
        raise ArchiveError(f"its listing promises {promised} members and holds {len(listed)}")


def short(error: Exception) -> str:
    """Return an error of a library in one short line.

    Examples
    --------
    >>> short(ValueError("bad  bytes"))
    'ValueError: bad bytes'
    """
    text = " ".join(str(error).split())[:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
