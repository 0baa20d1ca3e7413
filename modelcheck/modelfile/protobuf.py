"""Protobuf messages, read without their library: each field must be one that is known, of its own type.

A message is a list of fields, and a field a number, a type and bytes; the bytes may be a message
again. Readers skip what they do not know and take the last of two: so a file can show one thing to
one reader and another to the next. Here an unknown field is refused, and a second one where one is
meant. Inner messages lie within outer ones, and each kind of message is read by its own list of
fields, which name no kind that leads back: so the work is bounded by the file's bytes times the
levels, of which there are eight.

References
----------
Protocol Buffers, "Encoding": https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcheck.modelfile.refusal import StrangeFileError, checked_text

__all__ = ["Budget", "Layout", "Message", "read_message", "read_tag", "read_varint"]

Layout = Mapping[int, str]
"""By the number of a field its type: ``int``, ``float`` or ``bytes``, with ``*`` where many may stand."""
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_WIRE = {"int": _VARINT, "float": _FIXED32, "bytes": _BYTES}
# Fields, and numbers of varying length, of a whole file: the largest networks have some 100,000.
_MAX_VALUES = 2**19


@dataclass
class Budget:
    """How many fields and numbers of varying length may still be read."""

    left: int = _MAX_VALUES

    def pay(self, where: str, count: int = 1) -> None:
        """Pay for some."""
        self.left -= count
        if self.left < 0:
            raise StrangeFileError.of("size", where, f"it has more than {_MAX_VALUES:,} fields and numbers")


@dataclass(frozen=True)
class Message:
    """One message: the values of its fields.

    Parameters
    ----------
    where : str
        What to call it in a refusal.
    fields : mapping
        By number, the values in their order: whole numbers, floats, or bytes.
    budget : Budget
        That of the file.
    """

    where: str
    fields: Mapping[int, list[Any]]
    budget: Budget

    def has(self, *numbers: int) -> bool:
        """Say whether one of these fields is there."""
        return any(number in self.fields for number in numbers)

    def whole(self, number: int, default: int = 0) -> int:
        """Return a whole number."""
        return int(self.fields.get(number, [default])[0])

    def data(self, number: int) -> memoryview:
        """Return bytes, without a copy."""
        value: memoryview = self.fields.get(number, [memoryview(b"")])[0]
        return value

    def text(self, number: int) -> str:
        """Return a text."""
        return checked_text(self.data(number), self.where)

    def texts(self, number: int) -> tuple[str, ...]:
        """Return all texts of a field."""
        return tuple(checked_text(value, self.where) for value in self.fields.get(number, []))

    def values(self, number: int) -> tuple[Any, ...]:
        """Return all numbers of a field."""
        return tuple(self.fields.get(number, []))

    def message(self, number: int, layout: Layout, where: str) -> Message:
        """Return an inner message, an empty one where there is none."""
        return read_message(self.data(number), layout, where, self.budget)

    def messages(self, number: int, layout: Layout, where: str, *, most: int) -> list[Message]:
        """Return all inner messages of a field, each called `where` and its number."""
        count = len(self.fields.get(number, []))
        if count > most:
            raise StrangeFileError.of(
                "size", self.where, f"its field {number} is there {count:,} times, more than {most:,}"
            )
        return [
            read_message(value, layout, f"{where} {index}", self.budget)
            for index, value in enumerate(self.fields.get(number, []))
        ]


def read_message(data: memoryview, layout: Layout, where: str, budget: Budget) -> Message:
    """Read the fields of a message.

    Parameters
    ----------
    data : memoryview
        Its bytes.
    layout : mapping of int to str
        The fields that are known.
    where : str
        What to call it in a refusal.
    budget : Budget
        That of the file.

    Raises
    ------
    StrangeFileError
        When a field is not known, of another type, there twice, or past the end.
    """
    fields: dict[int, list[Any]] = {}
    place = 0
    while place < len(data):
        budget.pay(where)
        number, wire, place = read_tag(data, place, where)
        form, many = layout.get(number, "").rstrip("*"), layout.get(number, "").endswith("*")
        packed = many and wire == _BYTES and form != "bytes"
        if not form or (wire != _WIRE[form] and not packed):
            raise StrangeFileError.of("structure", where, f"it has a field, number {number}, that is not known")
        values = fields.setdefault(number, [])
        if values and not many:
            raise StrangeFileError.of("structure", where, f"its field {number} is there twice")
        if wire == _BYTES:
            size, place = read_varint(data, place, where)
            if size > len(data) - place:
                raise StrangeFileError.of("structure", where, f"its field {number} goes past the end")
            piece = data[place : place + size]
            place += size
            values += _unpack(piece, form, where, budget) if packed else [piece]
        elif wire == _VARINT:
            value, place = read_varint(data, place, where)
            values.append(_signed(value))
        else:
            if len(data) - place < 4:
                raise StrangeFileError.of("structure", where, f"its field {number} goes past the end")
            values += struct.unpack_from("<f", data, place)
            place += 4
    return Message(where, fields, budget)


def read_tag(data: memoryview, place: int, where: str) -> tuple[int, int, int]:
    """Return the number and the type of the field at a place, and where its value begins."""
    tag, place = read_varint(data, place, where)
    return tag >> 3, tag & 7, place


def read_varint(data: memoryview, place: int, where: str) -> tuple[int, int]:
    """Return the number of varying length at a place, as one without a sign, and where it ends."""
    value = 0
    for index in range(10):
        if place + index >= len(data):
            break
        byte = data[place + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if (index and not byte) or value >= 2**64:
                break
            return value, place + index + 1
    raise StrangeFileError.of("structure", where, "a number is cut off, too long, or written longer than it is")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _unpack(data: memoryview, form: str, where: str, budget: Budget) -> list[Any]:
    """Return the numbers of a packed field."""
    if form == "int":
        values, place = [], 0
        while place < len(data):
            budget.pay(where)
            value, place = read_varint(data, place, where)
            values.append(_signed(value))
        return values
    if len(data) % 4:
        raise StrangeFileError.of("structure", where, "a list of numbers ends within one")
    budget.pay(where, len(data) // 4)
    return list(struct.unpack(f"<{len(data) // 4}f", data))
