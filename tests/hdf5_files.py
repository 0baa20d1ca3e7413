"""HDF5 files written byte by byte: whole ones, and ones in which a reader could lose its way, hours or gigabytes."""

from __future__ import annotations

import struct

NOWHERE = 2**64 - 1
SPACE, TYPE, FILL, LAYOUT, CONTINUED, TABLE = 0x01, 0x03, 0x05, 0x08, 0x10, 0x11


def message(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    """Return one message of an object's header."""
    body += b"\0" * (-len(body) % 8)
    return struct.pack("<HHB3x", kind, len(body), flags) + body


def header(*messages: bytes, total: int | None = None) -> bytes:
    """Return an object's header that names `total` messages, by default those that it holds."""
    body = b"".join(messages)
    return struct.pack("<BBHII4x", 1, 0, len(messages) if total is None else total, 1, len(body)) + body


def space(*lengths: int) -> bytes:
    """Return the message of a shape."""
    return message(SPACE, struct.pack(f"<BBBx4x{len(lengths)}Q", 1, len(lengths), 0, *lengths))


def float32() -> bytes:
    """Return the message of the type of 32-bit floats."""
    return message(
        TYPE, bytes.fromhex("11201f00") + struct.pack("<I", 4) + bytes.fromhex("0000200017080017000000007f000000")
    )


def layout(start: int, size: int) -> bytes:
    """Return the message that says where values lie in one piece."""
    return message(LAYOUT, struct.pack("<BBQQ", 3, 1, start, size))


def virtual() -> bytes:
    """Return the message of a layout that takes its values from other files."""
    return message(LAYOUT, struct.pack("<BBQI", 4, 3, 4096, 0))


def table(tree: int, heap: int) -> bytes:
    """Return the message that makes an object a group."""
    return message(TABLE, struct.pack("<QQ", tree, heap))


class File:
    """An HDF5 file that grows: every part is put behind the last, and its address returned."""

    def __init__(self) -> None:
        self.data = bytearray(96)

    def put(self, part: bytes) -> int:
        """Append a part where addresses are multiples of eight."""
        self.data += b"\0" * (-len(self.data) % 8)
        self.data += part
        return len(self.data) - len(part)

    def values(self, count: int = 4) -> tuple[int, int]:
        """Append values; return where they begin and how many bytes they have."""
        return self.put(b"\0" * (4 * count)), 4 * count

    def heap(self, names: bytes) -> int:
        """Append the names of a group."""
        place = self.put(names)
        return self.put(b"HEAP" + b"\0" * 4 + struct.pack("<QQQ", len(names), 1, place))

    def leaf(self, *entries: tuple[int, int], cached: dict[int, tuple[int, int]] | None = None) -> int:
        """Append a tree of one leaf with entries (place of a name, address of a header); return the tree's."""
        rows = [
            struct.pack("<QQIIQQ", name, head, 1 if k in (cached or {}) else 0, 0, *(cached or {}).get(k, (0, 0)))
            for k, (name, head) in enumerate(entries)
        ]
        # The sizes that the HDF5 library reads at once, whatever is used of them.
        node = self.put((b"SNOD" + struct.pack("<BBH", 1, 0, len(rows)) + b"".join(rows)).ljust(328, b"\0"))
        last = entries[-1][0]
        tree = b"TREE" + struct.pack("<BBHQQQQQ", 0, 0, 1, NOWHERE, NOWHERE, 0, node, last)
        return self.put(tree.ljust(544, b"\0"))

    def close(self, root: int, *, cached: tuple[int, int] | None = None) -> bytes:
        """Return the file, whose root group has its header at an address."""
        head = b"\x89HDF\r\n\x1a\n" + struct.pack("<8BHHI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
        head += struct.pack("<6Q", 0, NOWHERE, len(self.data), NOWHERE, 0, root)
        self.data[:96] = head + struct.pack("<IIQQ", 1 if cached else 0, 0, *(cached or (0, 0)))
        return bytes(self.data)


def one_set(*more: bytes, total: int | None = None, root: tuple[bytes, ...] = ()) -> bytes:
    """Return a file of one data set called "a" whose header holds more messages; and the root's header, too."""
    file = File()
    start, size = file.values()
    head = file.put(header(space(4), float32(), layout(start, size), *more, total=total))
    place = file.heap(b"\0" * 8 + b"a\0" + b"\0" * 6)
    tree = file.leaf((8, head))
    return file.close(file.put(header(table(tree, place), *root)), cached=(tree, place))


def two_names(first: bytes, second: bytes) -> bytes:
    """Return a file of two data sets of these names."""
    file = File()
    heads = [file.put(header(space(4), float32(), layout(*file.values()))) for _ in range(2)]
    place = file.heap(b"\0" * 8 + first.ljust(8, b"\0") + second.ljust(8, b"\0"))
    tree = file.leaf((8, heads[0]), (16, heads[1]))
    return file.close(file.put(header(table(tree, place))))


def inner_group(*, remembered: bool = True, shared: bool = False) -> bytes:
    """Return a file of a group in a group; its entry may remember another table, and names may be shared."""
    file = File()
    head = file.put(header(space(4), float32(), layout(*file.values())))
    names = b"\0" * 8 + b"a\0" + b"\0" * 6
    inner, outer = file.heap(names), file.heap(names)
    inner = outer if shared else inner
    tree = file.leaf((8, head))
    group = file.put(header(table(tree, inner)))
    top = file.leaf((8, group), cached={0: (tree, inner if remembered else inner + 8)})
    return file.close(file.put(header(table(top, outer))))


def overlapping(count: int = 2000, messages: int = 65_531) -> bytes:
    """Return a file whose headers all continue into one run of empty messages, each eight bytes further on."""
    file = File()
    names = file.heap(b"\0" * 8 + b"".join(b"%07d\0" % k for k in range(count)))
    empty = file.put(b"\0" * (8 * (messages + count)))
    heads = [
        file.put(
            header(
                space(0),
                float32(),
                layout(NOWHERE, 0),
                message(CONTINUED, struct.pack("<QQ", empty + 8 * k, 8 * messages)),
                total=messages + 4,
            )
        )
        for k in range(count)
    ]
    tree = file.leaf(*((8 + 8 * k, head) for k, head in enumerate(heads)))
    return file.close(file.put(header(table(tree, names))))


def one_long_name(count: int = 2000, length: int = 2_000_000) -> bytes:
    """Return a file of many members whose names have no end."""
    file = File()
    names = file.heap(b"\0" * 8 + b"a" * length)
    heads = [file.put(header(space(0), float32(), layout(NOWHERE, 0))) for _ in range(count)]
    tree = file.leaf(*((8 + k, head) for k, head in enumerate(heads)))
    return file.close(file.put(header(table(tree, names))))


def nested(depth: int = 60, length: int = 60_000_000) -> bytes:
    """Return a file of groups in groups that all share one long list of names."""
    file = File()
    names = file.heap((b"\0" * 8 + b"g\0").ljust(length, b"\0"))
    child = file.put(header(space(0), float32(), layout(NOWHERE, 0)))
    for _ in range(depth):
        child = file.put(header(table(file.leaf((8, child)), names)))
    return file.close(child)


def layout_before() -> bytes:
    """Return a file with a layout before the one that counts for whoever takes the last."""
    file = File()
    start, size = file.values()
    head = file.put(header(virtual(), space(4), float32(), layout(start, size)))
    place = file.heap(b"\0" * 8 + b"a\0" + b"\0" * 6)
    tree = file.leaf((8, head))
    return file.close(file.put(header(table(tree, place))))


STRANGE = {
    "layout_twice": lambda: one_set(virtual()),
    "layout_first": layout_before,
    "type_twice": lambda: one_set(float32()),
    "shape_twice": lambda: one_set(space(4)),
    "fill_twice": lambda: one_set(*[message(FILL, bytes.fromhex("0202020100000000"))] * 2),
    "fill_too_large": lambda: one_set(message(FILL, bytes.fromhex("02020201ffff0000"))),
    "table_twice": lambda: one_set(root=(table(0, 0),)),
    "table_of_a_set": lambda: one_set(table(0, 0)),
    "shape_of_a_group": lambda: one_set(root=(space(4),)),
    "hidden_behind_the_count": lambda: one_set(virtual(), total=3),
    "fewer_than_the_count": lambda: one_set(total=4),
    "odd_length": lambda: one_set(struct.pack("<HHB3x", 0, 4, 0) + b"\0" * 4),
    "unusual_flags": lambda: one_set(message(0, b"", flags=0x80)),
    "name_twice": lambda: two_names(b"a", b"a"),
    "another_table_remembered": lambda: inner_group(remembered=False),
    "names_shared": lambda: inner_group(shared=True),
    "overlapping": lambda: overlapping(count=200, messages=20_000),
    "endless_name": one_long_name,
    "names_of_60_megabytes": nested,
}
