"""The plain part of HDF5 that Keras writes, read without the HDF5 library, and nothing else.

HDF5 can take its values from other files, from views on other data sets and through filters, and
declare more than it holds. Keras writes none of that: old-style groups of whole, unpacked data
sets. What is not exactly so is refused, so that the library, which is written in C, only meets
files of a kind that it meets every day.

References
----------
HDF5 File Format Specification, version 3.0:
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from modelcheck.modelfile.refusal import Refusal, quote

__all__ = ["SIGNATURE", "check_weights"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1
_MAX_DEPTH = 64
_SOFT_LINK = 2
_SHARED = 0x02
_NUMBERS = (0, 1, 5, 8)  # whole numbers, floats, opaque (how bfloat16 is kept), enumerations (booleans)
_TEXTS = (0, 1, 3, 9)  # for attributes: numbers, text, and text of any length
# Messages of an object's header. A dataspace, its type, its layout, its fill value, its times, an
# attribute, a continuation, a group's table, and padding.
_SPACE, _TYPE, _LAYOUT, _ATTRIBUTE, _CONTINUED, _TABLE = 0x01, 0x03, 0x08, 0x0C, 0x10, 0x11
_HARMLESS = {0x00, 0x04, 0x05, 0x0E, 0x12}
_NAMED = {
    0x02: "links of the new kind",
    0x06: "a link of the new kind, which may lead into another file",
    0x07: "values that lie in another file",
    0x0B: "values packed by a filter",
    0x0F: "shared messages",
}


class _StrangeError(Exception):
    """What the walk met; becomes one refusal."""


@dataclass
class _Walk:
    data: bytes
    seen: set[int] = field(default_factory=set)
    values: int = 0
    sets: int = 0


def check_weights(data: bytes, member: str) -> tuple[int, tuple[Refusal, ...]]:
    """Walk an HDF5 file from its superblock to every data set.

    Parameters
    ----------
    data : bytes
        The whole file.
    member : str
        What to call it.

    Returns
    -------
    tuple
        The number of data sets, and the refusals: none or one.
    """
    walk = _Walk(data)
    try:
        _group(walk, _root(walk), "", 0)
    except (_StrangeError, struct.error, OverflowError) as error:
        reason = str(error) if isinstance(error, _StrangeError) else "an address leads past the file's end"
        return walk.sets, (Refusal(rule="weights", where=member, reason=f"{reason}; Keras writes no such weights"),)
    return walk.sets, ()


def _root(walk: _Walk) -> int:
    if not walk.data.startswith(SIGNATURE):
        raise _StrangeError("it is no HDF5 file")
    version, _, _, _, _, offsets, lengths = struct.unpack_from("<7B", walk.data, 8)
    if (version, offsets, lengths) != (0, 8, 8):
        raise _StrangeError(f"its superblock has version {version}, or addresses that are not of 8 bytes")
    base, _, end, driver, _, header, kind = struct.unpack_from("<6QI", walk.data, 24)
    if base != 0 or end != len(walk.data) or driver != _NOWHERE or kind == _SOFT_LINK:
        raise _StrangeError(
            f"its superblock describes {end} bytes from {base}, or a driver, where {len(walk.data)} are"
        )
    return int(header)


def _once(walk: _Walk, address: int, size: int, what: str) -> None:
    """Let the walk pass an address once: a second way to it would be a loop or a repetition."""
    if address + size > len(walk.data):
        raise _StrangeError(f"{what} lies past the file's end")
    if address in walk.seen:
        raise _StrangeError(f"two ways lead to one {what}")
    walk.seen.add(address)


def _messages(walk: _Walk, address: int) -> Iterator[tuple[int, bytes]]:
    """Yield (kind, bytes) of an object's header, through its continuations."""
    _once(walk, address, 16, "object header")
    version, _, total, _, size = struct.unpack_from("<BBHII", walk.data, address)
    if version != 1:
        raise _StrangeError(f"an object header has version {version}")
    blocks, read = [(address + 16, size)], 0
    while blocks:
        start, length = blocks.pop(0)
        if start + length > len(walk.data):
            raise _StrangeError("an object header lies past the file's end")
        place = start
        while place + 8 <= start + length and read < total:
            kind, size, flags = struct.unpack_from("<HHB", walk.data, place)
            body = walk.data[place + 8 : place + 8 + size]
            if place + 8 + size > start + length:
                raise _StrangeError("a message is longer than its header")
            if flags & _SHARED:
                raise _StrangeError("a message is shared with another object")
            place, read = place + 8 + size, read + 1
            if kind == _CONTINUED:
                more, span = struct.unpack_from("<QQ", body)
                _once(walk, more, span, "continuation")
                blocks.append((more, span))
            elif kind not in _HARMLESS:
                yield kind, body


def _group(walk: _Walk, address: int, path: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _StrangeError(f"groups are nested deeper than {_MAX_DEPTH}")
    space = shape = layout = table = None
    for kind, body in _messages(walk, address):
        if kind == _TABLE:
            table = struct.unpack_from("<QQ", body)
        elif kind == _SPACE:
            space = _shape(body)
        elif kind == _TYPE:
            shape = _type(body, _NUMBERS, path)
        elif kind == _LAYOUT:
            layout = body
        elif kind == _ATTRIBUTE:
            _attribute(body, path)
        else:
            raise _StrangeError(f"{quote(path)} has {_NAMED.get(kind, f'a message of kind {kind:#x}')}")
    if table is not None and layout is None:
        for name, header in _links(walk, *table):
            _group(walk, header, f"{path}/{name}", depth + 1)
    elif table is None and space is not None and shape is not None and layout is not None:
        _check_storage(walk, layout, math.prod(space) * shape, path)
    else:
        raise _StrangeError(f"{quote(path)} is neither a group nor a data set")


def _links(walk: _Walk, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    if walk.data[heap : heap + 4] != b"HEAP":
        raise _StrangeError("a group has no names")
    size, _, names = struct.unpack_from("<QQQ", walk.data, heap + 8)
    if names + size > len(walk.data):
        raise _StrangeError("a group's names lie past the file's end")
    words, nodes = walk.data[names : names + size], [tree]
    while nodes:
        node = nodes.pop()
        _once(walk, node, 8, "node of a group")
        if walk.data[node : node + 4] == b"TREE":
            kind, _, used = struct.unpack_from("<BBH", walk.data, node + 4)
            if kind != 0:
                raise _StrangeError("a group's tree is of another kind")
            nodes += [struct.unpack_from("<Q", walk.data, node + 32 + 16 * child)[0] for child in range(used)]
        elif walk.data[node : node + 4] == b"SNOD":
            (used,) = struct.unpack_from("<H", walk.data, node + 6)
            for entry in range(used):
                offset, header, kind = struct.unpack_from("<QQI", walk.data, node + 8 + 40 * entry)
                name = _name(words, offset)
                if kind == _SOFT_LINK or header == _NOWHERE:
                    raise _StrangeError(f"{quote(name)} is a link to another name")
                yield name, header
        else:
            raise _StrangeError("a group's table is damaged")


def _name(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset)
    try:
        name = names[offset:end].decode("utf-8") if 0 <= offset < end else ""
    except UnicodeDecodeError:
        name = ""
    if not name or not name.isprintable() or "/" in name or name in (".", ".."):
        raise _StrangeError(f"a name is empty or strange: {quote(name)}")
    return name


def _shape(body: bytes) -> tuple[int, ...]:
    version, rank = struct.unpack_from("<BB", body)
    if version not in (1, 2) or rank > 32:
        raise _StrangeError(f"a data set has {rank} axes (version {version})")
    return struct.unpack_from(f"<{rank}Q", body, 8 if version == 1 else 4)


def _type(body: bytes, allowed: tuple[int, ...], path: str) -> int:
    """Return the bytes of one value."""
    kind = body[0] & 0x0F if body else -1
    (size,) = struct.unpack_from("<I", body, 4)
    if kind not in allowed or (kind != 9 and not 0 < size <= 2**16):
        raise _StrangeError(f"{quote(path)} has values of HDF5's class {kind}; expected numbers")
    return int(size)


def _attribute(body: bytes, path: str) -> None:
    version, _, name, kind, _ = struct.unpack_from("<BBHHH", body)
    if version != 1:
        raise _StrangeError(f"{quote(path)} has an attribute of version {version}")
    start = 8 + name + -name % 8
    _type(body[start : start + kind], _TEXTS, f"{path}@")


def _check_storage(walk: _Walk, body: bytes, promised: int, path: str) -> None:
    """Hold what a data set promises against the bytes that are there."""
    version, kind = struct.unpack_from("<BB", body)
    if version != 3 or kind not in (0, 1):
        words = {2: "lies in pieces", 3: "is a view on other data"}.get(kind, f"has a layout {version}.{kind}")
        raise _StrangeError(f"{quote(path)} {words}")
    if kind == 0:
        (size,) = struct.unpack_from("<H", body, 2)
    else:
        start, size = struct.unpack_from("<QQ", body, 2)
        if promised and (start == _NOWHERE or start + size > len(walk.data)):
            raise _StrangeError(f"{quote(path)} has values past the file's end")
    if promised != size and not (promised == 0 and kind == 1):
        raise _StrangeError(f"{quote(path)} promises {promised} bytes of values and holds {size}")
    walk.values += promised
    walk.sets += 1
    if walk.values > len(walk.data):
        raise _StrangeError("its data sets promise more bytes than the file has: they share them")
