"""Flatbuffers, read without their library: every offset, length and overlap is checked before it is used.

A flatbuffer is a tree of tables that name each other by offsets. Any offset may lead anywhere, also
back, or into the middle of something else; a reader that trusts them reads past the file's end, or
for ever. Here every range of bytes that is looked at is claimed once: what is claimed twice
overlaps, and no honest writer does that, except for vtables, which tables of one layout share. So
the work is bounded by the file's bytes, and a cycle is an overlap.

References
----------
FlatBuffers, "FlatBuffer Internals": https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field

from modelcheck.modelfile.refusal import StrangeFileError, checked_text

__all__ = ["FlatFile", "Table"]

# Of all that describes the constants. A hundred thousand tensors and operators have less than half of it.
_MAX_DESCRIPTION = 2**26
_ANY = 2**32  # no number of elements is larger; whether they are in the file is looked at then
_WIDTHS = {"?": 1, "b": 1, "B": 1, "i": 4, "I": 4, "f": 4, "o": 4, "q": 8, "Q": 8}


@dataclass
class FlatFile:
    """A flatbuffer, and what of it has been looked at.

    Parameters
    ----------
    data : memoryview
        The whole file.
    claimed : list of tuple
        (start, end) of every range that was looked at.
    unclaimed : int
        How many bytes may still be claimed: all bytes, less the lengths of those ranges.
    described : int
        How many of the claimed bytes are no constants.
    vtables : dict
        By address, the size of a table and the offsets of its fields.
    """

    data: memoryview
    claimed: list[tuple[int, int]] = field(default_factory=list)
    unclaimed: int = 0
    described: int = 0
    vtables: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)

    @classmethod
    def begin(cls, data: bytes | memoryview, identifier: bytes) -> FlatFile:
        """Begin to look at a file that bears an identifier of four bytes."""
        view = memoryview(data)
        if bytes(view[4:8]) != identifier:
            raise StrangeFileError.of("structure", "the file", f"it has no identifier {identifier.decode()}")
        file = cls(view, unclaimed=len(view))
        file.claim(0, 8, "the file")
        return file

    def root(self, layout: str) -> Table:
        """Return the table from which all others are reached."""
        return Table.at(self, self.follow(0, "the file"), layout, "the model")

    def claim(self, start: int, size: int, what: str, *, align: int = 1, constant: bool = False) -> None:
        """Take a range of bytes for one thing.

        Raises
        ------
        StrangeFileError
            When it lies past the file's end, is not aligned, or more bytes were taken than there
            are.
        """
        if start < 0 or start + size > len(self.data):
            raise StrangeFileError.of("structure", what, "it lies past the file's end")
        if start % align:
            raise StrangeFileError.of("structure", what, f"it begins at byte {start}, which is not aligned to {align}")
        self.unclaimed -= size
        self.described += 0 if constant else size
        if self.described > _MAX_DESCRIPTION:
            raise StrangeFileError.of("size", what, f"more than {_MAX_DESCRIPTION:,} bytes describe the graph")
        if self.unclaimed < 0:
            raise StrangeFileError.of("structure", what, "what it is made of overlaps")
        self.claimed.append((start, start + size))

    def check_overlaps(self) -> None:
        """Refuse a file of which two things share a byte."""
        end = 0
        for start, stop in sorted(self.claimed):
            if start < end:
                raise StrangeFileError.of("structure", "the file", f"two things overlap at byte {start}")
            end = stop

    def follow(self, place: int, what: str) -> int:
        """Return the address that the offset at a place, which is claimed already, leads to."""
        (offset,) = struct.unpack_from("<I", self.data, place)
        if offset == 0:
            raise StrangeFileError.of("structure", what, "an offset leads to itself")
        return place + int(offset)

    def vtable(self, address: int, what: str) -> tuple[int, tuple[int, ...]]:
        """Return the size of a table and the offsets of its fields, 0 for one that is left out."""
        if address not in self.vtables:
            self.claim(address, 4, what, align=2)
            size, inline = struct.unpack_from("<HH", self.data, address)
            if size < 4 or size % 2 or inline < 4:
                raise StrangeFileError.of("structure", what, f"its vtable has {size} bytes, for a table of {inline}")
            self.claim(address + 4, size - 4, what)
            self.vtables[address] = int(inline), struct.unpack_from(f"<{(size - 4) // 2}H", self.data, address + 4)
        return self.vtables[address]


@dataclass(frozen=True)
class Table:
    """One table: where its fields lie.

    Parameters
    ----------
    file : FlatFile
        The file that it is in.
    where : str
        What to call it in a refusal.
    layout : str
        The type of every field: a letter of `struct`, ``o`` for an offset, ``x`` for one that must
        be left out.
    places : tuple of int
        Addresses of the fields, 0 for one that is left out.
    """

    file: FlatFile
    where: str
    layout: str
    places: tuple[int, ...]

    @classmethod
    def at(cls, file: FlatFile, address: int, layout: str, where: str) -> Table:
        """Look at a table.

        Raises
        ------
        StrangeFileError
            When a field is unknown, not aligned, outside of the table, or over another.
        """
        file.claim(address, 4, where, align=4)
        (back,) = struct.unpack_from("<i", file.data, address)
        size, offsets = file.vtable(address - back, where)
        file.claim(address + 4, size - 4, where)
        places, taken = [], [(0, 4)]
        for slot, offset in enumerate(offsets):
            form = layout[slot] if slot < len(layout) else "x"
            if offset and form == "x":
                raise StrangeFileError.of("structure", where, f"it has a field, number {slot}, that is not known")
            width = _WIDTHS.get(form, 0)
            if offset and (offset + width > size or (address + offset) % width):
                raise StrangeFileError.of("structure", where, f"its field {slot} is outside of it, or not aligned")
            taken += [(offset, offset + width)] if offset else []
            places.append(address + offset if offset else 0)
        taken.sort()
        if any(end > start for (_, end), (start, _) in itertools.pairwise(taken)):
            raise StrangeFileError.of("structure", where, "two of its fields overlap")
        return cls(file, where, layout, tuple(places[: len(layout)]))

    def place(self, slot: int) -> int:
        """Return the address of a field, 0 where it is left out."""
        return self.places[slot] if slot < len(self.places) else 0

    def number(self, slot: int, default: float = 0) -> int | float:
        """Return a number or a truth value."""
        place = self.place(slot)
        if not place:
            return default
        if self.layout[slot] == "?" and self.file.data[place] > 1:
            raise StrangeFileError.of("structure", self.where, f"its field {slot} is neither true nor false")
        return struct.unpack_from(f"<{self.layout[slot]}", self.file.data, place)[0]

    def whole(self, slot: int, default: int = 0) -> int:
        """Return a whole number."""
        return int(self.number(slot, default))

    def table(self, slot: int, layout: str, where: str) -> Table | None:
        """Return an inner table, None where it is left out."""
        place = self.place(slot)
        return Table.at(self.file, self.file.follow(place, where), layout, where) if place else None

    def tables(self, slot: int, layout: str, where: str, *, most: int) -> list[Table]:
        """Return a vector of tables; each is called `where` and its number."""
        start, count = self._vector(slot, 4, most=most)
        return [
            Table.at(self.file, self.file.follow(start + 4 * index, where), layout, f"{where} {index}")
            for index in range(count)
        ]

    def numbers(self, slot: int, form: str, *, most: int) -> tuple[int, ...]:
        """Return a vector of numbers of a `struct` type."""
        start, count = self._vector(slot, _WIDTHS[form], most=most)
        return struct.unpack_from(f"<{count}{form}", self.file.data, start) if count else ()

    def count(self, slot: int) -> int:
        """Return how many elements a vector has that is not read."""
        return self._vector(slot, 0, most=_ANY)[1]

    def vector_places(self, slot: int, count: int) -> tuple[int, ...]:
        """Return the addresses of the numbers, of four bytes each, of a vector that was read before."""
        place = self.place(slot)
        start = self.file.follow(place, self.where) + 4 if place else 0
        return tuple(range(start, start + 4 * count, 4))

    def data(self, slot: int) -> memoryview:
        """Return the bytes of a constant, without a copy."""
        start, count = self._vector(slot, 1, most=_ANY, constant=True)
        return self.file.data[start : start + count]

    def text(self, slot: int) -> str:
        """Return a text, which ends with a zero."""
        start, count = self._vector(slot, 1, most=_ANY)
        if not start:
            return ""
        self.file.claim(start + count, 1, self.where)
        if self.file.data[start + count]:
            raise StrangeFileError.of("structure", self.where, "a text has no end")
        return checked_text(self.file.data[start : start + count], self.where)

    def _vector(self, slot: int, width: int, *, most: int, constant: bool = False) -> tuple[int, int]:
        """Return where the elements of a vector begin, and how many there are."""
        place = self.place(slot)
        if not place:
            return 0, 0
        start = self.file.follow(place, self.where)
        self.file.claim(start, 4, self.where, align=4)
        (count,) = struct.unpack_from("<I", self.file.data, start)
        if count > most:
            raise StrangeFileError.of("size", self.where, f"its field {slot} has {count:,} values, more than {most:,}")
        self.file.claim(start + 4, count * width, self.where, align=max(width, 1) if count else 1, constant=constant)
        return start + 4, int(count)
