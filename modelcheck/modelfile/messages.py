"""The header of an object in an HDF5 file: its messages, each of a known kind, and each at most once."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modelcheck.modelfile.refusal import quote

__all__ = ["Described", "StrangeError", "read_messages"]

_SHARED = 0x02
_KNOWN_FLAGS = 0x01 | _SHARED  # constant; all others say what a reader does with a kind that it does not know
_MAX_RANK = 32
_NUMBERS = (0, 1, 5, 8)  # whole numbers, floats, opaque (how bfloat16 is kept), enumerations (booleans)
_TEXTS = (0, 1, 3, 9)  # for attributes: numbers, text, and text of any length
_PADDING, _SPACE, _TYPE, _FILL, _LAYOUT = 0x00, 0x01, 0x03, 0x05, 0x08
_ATTRIBUTE, _CONTINUED, _TABLE, _TIME = 0x0C, 0x10, 0x11, 0x12
_KINDS = {
    _SPACE: "a dataspace",
    _TYPE: "a type",
    _FILL: "a fill value",
    _LAYOUT: "a layout",
    _TABLE: "a table of names",
    _TIME: "a time of change",
}
_REPEATED = (_PADDING, _ATTRIBUTE, _CONTINUED)
_OF_A_SET = (_SPACE, _TYPE, _FILL, _LAYOUT)
_NAMED = {
    0x02: "links of the new kind",
    0x04: "a fill value of the old kind",
    0x06: "a link of the new kind, which may lead into another file",
    0x07: "values that lie in another file",
    0x0B: "values packed by a filter",
    0x0E: "a time of change of the old kind",
    0x0F: "shared messages",
}
_Look = Callable[[int, int, str], memoryview]


class StrangeError(Exception):
    """What the walk over a file met; becomes one refusal."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What an object's header says of it.

    Parameters
    ----------
    table : tuple of int or None
        Where the tree and the names of its members lie, of a group.
    promised : int or None
        The bytes of values that shape and type promise, of a data set.
    storage : tuple or None
        Where the values begin, None for within the header, and how many bytes there are.
    """

    table: tuple[int, int] | None
    promised: int | None
    storage: tuple[int | None, int] | None


def read_messages(look: _Look, address: int, path: str) -> Described:
    """Read an object's header.

    Parameters
    ----------
    look : callable
        ``look(address, size, what)`` returns bytes of the file, or raises where they are too many.
    address : int
        Where the header begins.
    path : str
        What to call the object.

    Raises
    ------
    StrangeError
        When a message is of a kind that Keras does not write, stands twice, or contradicts another.
    """
    bodies: dict[int, memoryview] = {}
    for kind, body in _messages(look, address):
        if kind == _ATTRIBUTE:
            _check_attribute(body, path)
        elif kind in bodies:
            raise StrangeError(f"{quote(path)} has {_KINDS[kind]} twice, and readers differ in which one counts")
        elif kind in _KINDS:
            bodies[kind] = body
        elif kind not in _REPEATED:
            raise StrangeError(f"{quote(path)} has {_NAMED.get(kind, f'a message of kind {kind:#x}')}")
    if _TABLE in bodies:
        mixed = next((kind for kind in _OF_A_SET if kind in bodies), None)
        if mixed is not None:
            raise StrangeError(f"{quote(path)} has {_KINDS[mixed]}, and is a group")
        tree, heap = struct.unpack_from("<QQ", bodies[_TABLE])
        return Described(table=(tree, heap), promised=None, storage=None)
    if not {_SPACE, _TYPE, _LAYOUT} <= bodies.keys():
        raise StrangeError(f"{quote(path)} is neither a group nor a data set")
    size = _type(bodies[_TYPE], _NUMBERS, path)
    if _FILL in bodies:
        _check_fill(bodies[_FILL], size, path)
    promised = math.prod(_shape(bodies[_SPACE])) * size
    return Described(table=None, promised=promised, storage=_storage(bodies[_LAYOUT], path))


def _messages(look: _Look, address: int) -> Iterator[tuple[int, memoryview]]:
    """Yield (kind, bytes) of every message of a header, through its continuations.

    The HDF5 library reads a header to the end of its bytes, whatever number of messages it names;
    one that names fewer would hide the rest from whoever counts.
    """
    version, _, total, _, size = struct.unpack_from("<BBHII", look(address, 16, "an object header"))
    if version != 1:
        raise StrangeError(f"an object header has version {version}")
    blocks, read = [(address + 16, size)], 0
    while blocks:
        place, left = blocks.pop(0)
        while left:
            if left < 8:
                raise StrangeError("an object header has bytes that are no message")
            kind, size, flags = struct.unpack_from("<HHB", look(place, 8, "an object header"))
            if size % 8 or size + 8 > left:
                raise StrangeError("a message is longer than its header, or of an odd length")
            if flags & ~_KNOWN_FLAGS or flags & _SHARED:
                raise StrangeError("a message is shared with another object, or has unusual flags")
            body = look(place + 8, size, "a message")
            place, left, read = place + 8 + size, left - 8 - size, read + 1
            if kind == _CONTINUED:
                blocks.append(struct.unpack_from("<QQ", body))
            yield kind, body
    if read != total:
        raise StrangeError(f"an object header names {total} messages and holds {read}")


def _shape(body: memoryview) -> tuple[int, ...]:
    version, rank = struct.unpack_from("<BB", body)
    if version not in (1, 2) or rank > _MAX_RANK:
        raise StrangeError(f"a data set has {rank} axes (version {version})")
    return struct.unpack_from(f"<{rank}Q", body, 8 if version == 1 else 4)


def _type(body: memoryview, allowed: tuple[int, ...], path: str) -> int:
    """Return the bytes of one value."""
    kind = body[0] & 0x0F if body else -1
    (size,) = struct.unpack_from("<I", body, 4)
    if kind not in allowed or (kind != 9 and not 0 < size <= 2**16):
        raise StrangeError(f"{quote(path)} has values of HDF5's class {kind}; expected numbers")
    return int(size)


def _check_fill(body: memoryview, size: int, path: str) -> None:
    """Refuse a fill value that is not of the type's size: version 2, as h5py writes it, says its own."""
    version, _, _, defined = struct.unpack_from("<4B", body)
    given = struct.unpack_from("<I", body, 4)[0] if defined else 0
    if version != 2 or given not in (0, size) or 8 + given > max(len(body), 8):
        raise StrangeError(f"{quote(path)} has a fill value of {given} bytes (version {version})")


def _check_attribute(body: memoryview, path: str) -> None:
    version, _, name, kind, space = struct.unpack_from("<BBHHH", body)
    if version != 1:
        raise StrangeError(f"{quote(path)} has an attribute of version {version}")
    start = 8 + name + -name % 8
    behind = start + kind + -kind % 8
    size = _type(body[start : start + kind], _TEXTS, f"{path}@")
    promised = math.prod(_shape(body[behind : behind + space])) * size
    if behind + space + -space % 8 + promised > len(body):
        raise StrangeError(f"{quote(path)} has an attribute that promises {promised} bytes and holds fewer")


def _storage(body: memoryview, path: str) -> tuple[int | None, int]:
    """Return where a data set's values begin, None for within the message, and how many bytes there are."""
    version, kind = struct.unpack_from("<BB", body)
    if version == 3 and kind == 0:
        (size,) = struct.unpack_from("<H", body, 2)
        if 4 + size > len(body):
            raise StrangeError(f"{quote(path)} has values past its header's end")
        return None, size
    if version == 3 and kind == 1:
        start, size = struct.unpack_from("<QQ", body, 2)
        return start, size
    words = {2: "lies in pieces", 3: "is a view on other data"}.get(kind, f"has a layout {version}.{kind}")
    raise StrangeError(f"{quote(path)} {words}")
