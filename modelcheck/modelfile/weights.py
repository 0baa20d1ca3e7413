"""The plain part of HDF5 that Keras writes, read without the HDF5 library, and nothing else.

HDF5 can take its values from other files, from views on other data sets and through filters, and
declare more than it holds. Keras writes none of that: old-style groups of whole, unpacked data
sets. What is not exactly so is refused, so that the library, which is written in C, only meets
files of a kind that it meets every day.

Where two readers could see different things, the file is refused: a message that stands twice, one
behind the end that the header names, a name twice in a group, a table that its entry remembers
otherwise. And every byte that is looked at is paid from a budget of twice the file's own bytes:
structures that overlap cost again each time they are met.

References
----------
HDF5 File Format Specification, version 3.0:
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from modelcheck.modelfile.messages import Described, StrangeError, read_messages
from modelcheck.modelfile.refusal import Refusal, quote

__all__ = ["SIGNATURE", "check_weights"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1
_MAX_DEPTH = 64
_MAX_OBJECTS = 200_000  # groups and data sets; the largest networks have some thousands
_MAX_NAME_BYTES = 255
# What all that describes the values may cost; 200,000 objects have less than half of it.
_MAX_BUDGET = 2**28
_NO_CACHE, _CACHED_TABLE, _SOFT_LINK = 0, 1, 2
_TREE_HEAD, _TREE_ENTRY, _NODE_HEAD, _NODE_ENTRY = 24, 16, 8, 40
_Table = tuple[int, int]


@dataclass
class _Walk:
    """A file, what was met in it, and what may still be looked at."""

    data: memoryview
    budget: int
    seen: set[int] = field(default_factory=set)
    objects: int = 0
    values: int = 0
    sets: int = 0

    def look(self, address: int, size: int, what: str) -> memoryview:
        """Return bytes of the file, without a copy, and pay for them."""
        if address + size > len(self.data):
            raise StrangeError(f"{what} lies past the file's end")
        self.budget -= size
        if self.budget < 0:
            raise StrangeError("its structures overlap: looking at them takes more than twice the file's bytes")
        return self.data[address : address + size]

    def enter(self, address: int, what: str) -> None:
        """Let the walk pass an address once: a second way to it would be a loop or a repetition."""
        if address in self.seen:
            raise StrangeError(f"two ways lead to one {what}")
        self.seen.add(address)


def check_weights(data: bytes | memoryview, member: str) -> tuple[int, tuple[Refusal, ...]]:
    """Walk an HDF5 file from its superblock to every data set.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file; nothing of it is copied.
    member : str
        What to call it.

    Returns
    -------
    tuple
        The number of data sets, and the refusals: none or one.
    """
    walk = _Walk(memoryview(data), budget=min(2 * len(data), _MAX_BUDGET))
    try:
        header, cached = _root(walk)
        _walk_object(walk, header, cached, path="", depth=0)
    except (StrangeError, struct.error, OverflowError) as error:
        reason = str(error) if isinstance(error, StrangeError) else "an address leads past the file's end"
        return walk.sets, (Refusal(rule="weights", where=member, reason=f"{reason}; Keras writes no such weights"),)
    return walk.sets, ()


def _root(walk: _Walk) -> tuple[int, _Table | None]:
    """Return the address of the root group's header, and the table that the superblock remembers for it."""
    if walk.data[:8] != SIGNATURE:
        raise StrangeError("it is no HDF5 file")
    head = walk.look(0, 96, "its superblock")
    version, _, _, _, _, offsets, lengths = struct.unpack_from("<7B", head, 8)
    if (version, offsets, lengths) != (0, 8, 8):
        raise StrangeError(f"its superblock has version {version}, or addresses that are not of 8 bytes")
    base, _, end, driver, _, header, kind = struct.unpack_from("<6QI", head, 24)
    if base != 0 or end != len(walk.data) or driver != _NOWHERE or kind == _SOFT_LINK:
        raise StrangeError(f"its superblock describes {end} bytes from {base}, or a driver, where {len(walk.data)} are")
    return int(header), _cached_table(head, 72, "/")


def _walk_object(walk: _Walk, address: int, cached: _Table | None, *, path: str, depth: int) -> None:
    """Look at one object: a group, into which the walk goes on, or a data set."""
    walk.objects += 1
    if depth > _MAX_DEPTH or walk.objects > _MAX_OBJECTS:
        raise StrangeError(f"groups are nested deeper than {_MAX_DEPTH}, or there are more than {_MAX_OBJECTS} objects")
    walk.enter(address, "object header")
    found = read_messages(walk.look, address, path)
    if found.table is not None:
        if cached not in (None, found.table):
            raise StrangeError(f"{quote(path)} is remembered by another table of names than its own")
        for name, header, remembered in _links(walk, *found.table):
            _walk_object(walk, header, remembered, path=f"{path}/{name}", depth=depth + 1)
    elif cached is not None:
        raise StrangeError(f"{quote(path)} is remembered as a group, and is none")
    else:
        _check_storage(walk, found, path)


def _links(walk: _Walk, tree: int, heap: int) -> Iterator[tuple[str, int, _Table | None]]:
    """Yield (name, address of the header, remembered table) of every member of a group."""
    walk.enter(heap, "list of names")
    head = walk.look(heap, 32, "the names of a group")
    if bytes(head[:4]) != b"HEAP":
        raise StrangeError("a group has no names")
    size, _, names = struct.unpack_from("<QQQ", head, 8)
    if names + size > len(walk.data):
        raise StrangeError("a group's names lie past the file's end")
    met: set[str] = set()
    nodes: list[tuple[int, int]] = [(tree, -1)]  # address, and the level that its parent promises
    while nodes:
        node, level = nodes.pop()
        walk.enter(node, "node of a group")
        head = walk.look(node, _NODE_HEAD, "node of a group")
        mark = bytes(head[:4])
        if mark == b"TREE":
            nodes += _children(walk, node, level)
        elif mark == b"SNOD" and level in (-1, 0):
            (used,) = struct.unpack_from("<H", head, 6)
            entries = walk.look(node + _NODE_HEAD, used * _NODE_ENTRY, "node of a group")
            for start in range(0, used * _NODE_ENTRY, _NODE_ENTRY):
                offset, header, kind = struct.unpack_from("<QQI", entries, start)
                name = _name(walk, names, size, offset)
                if kind == _SOFT_LINK or header == _NOWHERE:
                    raise StrangeError(f"{quote(name)} is a link to another name")
                if name in met:
                    raise StrangeError(f"a group has two members called {quote(name)}")
                met.add(name)
                yield name, header, _cached_table(entries, start + 16, name)
        else:
            raise StrangeError("a group's table is damaged")


def _children(walk: _Walk, node: int, promised: int) -> list[tuple[int, int]]:
    """Return the addresses below a node of a group's tree, each with the level that it must have."""
    kind, level, used = struct.unpack_from("<BBH", walk.look(node, _TREE_HEAD, "node of a group"), 4)
    if kind != 0 or promised not in (-1, level + 1):
        raise StrangeError("a group's tree is of another kind")
    # Each key but the last is followed by the address of a child.
    pairs = walk.look(node + _TREE_HEAD, used * _TREE_ENTRY, "node of a group")
    return [(struct.unpack_from("<Q", pairs, _TREE_ENTRY * child + 8)[0], level) for child in range(used)]


def _cached_table(data: memoryview, place: int, name: str) -> _Table | None:
    """Return the tree and heap that an entry remembers for the group that it names, None for none."""
    kind, _, tree, heap = struct.unpack_from("<IIQQ", data, place)
    if kind == _NO_CACHE:
        return None
    if kind != _CACHED_TABLE:
        raise StrangeError(f"{quote(name)} is a link of an unknown kind")
    return tree, heap


def _name(walk: _Walk, names: int, size: int, offset: int) -> str:
    room = bytes(walk.data[names + min(offset, size) : names + min(offset + _MAX_NAME_BYTES + 1, size)])
    end = room.find(b"\0")
    try:
        name = room[:end].decode("utf-8") if end > 0 else ""
    except UnicodeDecodeError:
        name = ""
    walk.look(names, len(name), "a name")
    if not name or not name.isprintable() or "/" in name or name in (".", ".."):
        raise StrangeError(f"a name is empty, strange or longer than {_MAX_NAME_BYTES} bytes: {quote(room[:40])}")
    return name


def _check_storage(walk: _Walk, found: Described, path: str) -> None:
    """Hold what a data set promises against the bytes that are there."""
    if found.promised is None or found.storage is None:
        raise StrangeError(f"{quote(path)} is neither a group nor a data set")
    start, size = found.storage
    if start is not None and found.promised and (start == _NOWHERE or start + size > len(walk.data)):
        raise StrangeError(f"{quote(path)} has values past the file's end")
    if found.promised != size and not (found.promised == 0 and start is not None):
        raise StrangeError(f"{quote(path)} promises {found.promised} bytes of values and holds {size}")
    walk.values += found.promised
    walk.sets += 1
    if walk.values > len(walk.data):
        raise StrangeError("its data sets promise more bytes than the file has: they share them")
