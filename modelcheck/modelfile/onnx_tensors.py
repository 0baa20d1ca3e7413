"""Constants of an ONNX file, and the settings of its operators."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelcheck.modelfile.graph import Operator, Tensor
from modelcheck.modelfile.onnx_operators import QUANTISED
from modelcheck.modelfile.protobuf import Layout, Message
from modelcheck.modelfile.refusal import StrangeFileError, checked_text, quote

__all__ = ["TENSOR", "TYPES", "attach_scales", "read_constant", "read_settings"]

TYPES = {  # the format's number: numpy's name, and bits of one value
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    16: ("bfloat16", 16),
    21: ("uint4", 4),
    22: ("int4", 4),
}
# Float and double data are lists of numbers of fixed length, and so the very bytes of the constant.
TENSOR: Layout = {
    **{1: "int*", 2: "int", 3: "bytes", 4: "bytes", 5: "int*", 6: "bytes*", 7: "int*", 8: "bytes", 9: "bytes"},
    **{10: "bytes", 11: "int*", 12: "bytes", 13: "bytes*", 14: "int", 16: "bytes*"},
}
_FLOATS, _INT32S, _TEXTS, _INT64S, _RAW, _DOUBLES, _UINT64S = 4, 5, 6, 7, 9, 10, 11
_FIELD = {  # by type, the field that holds its values where they are not raw, and how one is packed
    **{"float32": (_FLOATS, ""), "float64": (_DOUBLES, ""), "int64": (_INT64S, "q")},
    **{"uint32": (_UINT64S, "I"), "uint64": (_UINT64S, "Q")},
    **{"int32": (_INT32S, "i"), "int16": (_INT32S, "h"), "int8": (_INT32S, "b"), "uint16": (_INT32S, "H")},
    **{"uint8": (_INT32S, "B"), "bool": (_INT32S, "?"), "float16": (_INT32S, "H"), "bfloat16": (_INT32S, "H")},
}
_ATTRIBUTE: Layout = {
    **{1: "bytes", 2: "float", 3: "int", 4: "bytes", 5: "bytes", 6: "bytes", 7: "float*", 8: "int*", 9: "bytes*"},
    **{10: "bytes*", 11: "bytes*", 13: "bytes", 14: "bytes", 15: "bytes*", 20: "int", 21: "bytes", 22: "bytes"},
    23: "bytes*",
}
_KINDS = {1: 2, 2: 3, 3: 4, 4: 5, 6: 7, 7: 8, 8: 9}  # the type that an attribute names, and the field of its value
_LETTERS = {
    **{"float32": "f", "float16": "e", "float64": "d", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H"},
    **{"int32": "i", "uint32": "I"},
}
_GRAPHS = (6, 11)
_OTHERS = (10, 14, 15, 21, 22, 23)
_POSITIVE = ("strides", "dilations", "kernel_shape", "group", "blocksize", "num_groups")
_MAX_RANK, _MAX_FEW, _MAX_ELEMENTS = 8, 4096, 2**31


def read_constant(message: Message) -> Tensor:
    """Read a constant, whose bytes must be as many as its shape and type promise.

    Parameters
    ----------
    message : Message
        Read by the layout `TENSOR`.

    Raises
    ------
    StrangeFileError
        When they are not, lie elsewhere, or are no numbers.
    """
    name = message.text(8)
    where = f"{message.where} {quote(name)}"
    if message.has(13) or message.whole(14):
        raise StrangeFileError.of("external", where, "its values lie in another file")
    code, shape = message.whole(2), message.values(1)
    if code not in TYPES or message.has(_TEXTS):
        raise StrangeFileError.of("tensor", where, f"its type has the number {code}; numbers and truth values are read")
    if message.has(3):
        raise StrangeFileError.of("tensor", where, "it is a part of a tensor; whole ones are read")
    dtype, bits = TYPES[code]
    small = len(shape) <= _MAX_RANK and all(0 <= length < _MAX_ELEMENTS for length in shape)
    # A length of zero is a list of nothing, which some operators take for an input that is left out.
    if not small or (0 in shape and len(shape) > 1):
        raise StrangeFileError.of("tensor", where, f"it has the shape {shape[: _MAX_RANK + 1]}")
    promised = (math.prod(shape) * bits + 7) // 8
    filled = [number for number in (_FLOATS, _INT32S, _INT64S, _RAW, _DOUBLES, _UINT64S) if message.has(number)]
    if len([number for number in filled if _holds(message, number)]) > 1:
        raise StrangeFileError.of("tensor", where, "its values are there twice")
    values = message.data(_RAW)
    if not message.has(_RAW) or (promised and not values):
        values = _typed(message, dtype, filled, where)
    if len(values) != promised:
        words = f"its shape promises {promised:,} bytes and it holds {len(values):,}"
        raise StrangeFileError.of("tensor", where, words)
    return Tensor(name=name, shape=shape, dtype=dtype, values=values)


def _holds(message: Message, number: int) -> bool:
    values = message.values(number)
    return bool(len(values[0]) if values and isinstance(values[0], memoryview) else values)


def _typed(message: Message, dtype: str, filled: Sequence[int], where: str) -> memoryview:
    """Return the bytes of values that stand in the field of their type."""
    number, letter = _FIELD.get(dtype, (0, ""))
    if any(other not in (number, _RAW) and _holds(message, other) for other in filled):
        raise StrangeFileError.of("tensor", where, f"its values are not where those of the type {dtype} belong")
    if not letter:
        return message.data(number)
    values = message.values(number)
    if letter in "QI":
        values = tuple(value % 2**64 for value in values)
    try:
        return memoryview(struct.pack(f"<{len(values)}{letter}", *values))
    except struct.error as error:
        raise StrangeFileError.of("tensor", where, f"it has a value that is outside of the type {dtype}") from error


def read_settings(node: Message, where: str) -> tuple[dict[str, Any], Tensor | None]:
    """Read the attributes of a node.

    Returns
    -------
    tuple
        Those that are numbers, text, and tuples of them, by name; and the constant among them, of a
        ``Constant`` also where it is given as numbers.

    Raises
    ------
    StrangeFileError
        When one holds a graph, is there twice, or is of another type than it says.
    """
    settings: dict[str, Any] = {}
    constant: Tensor | None = None
    for message in node.messages(5, _ATTRIBUTE, where, most=_MAX_FEW):
        name = message.text(1)
        place = f"{where}, {quote(name)}"
        if message.has(*_GRAPHS):
            raise StrangeFileError.of("graph", place, "it holds a graph within the graph")
        found = [number for number in _KINDS.values() if message.has(number)]
        code = message.whole(20)
        number = _KINDS.get(code, found[0] if len(found) == 1 and not code else 0)
        if not number or message.has(*_OTHERS) or any(other != number for other in found) or name in settings:
            raise StrangeFileError.of("setting", place, "it is there twice, or of another type than it says")
        if number == 5:
            if constant is not None:
                raise StrangeFileError.of("setting", place, "a second constant")
            constant = read_constant(message.message(5, TENSOR, place))
            settings[name] = None
            continue
        settings[name] = _setting(message, number, name, place)
    tensor = constant or _number_constant(settings)
    return {name: value for name, value in settings.items() if value is not None}, tensor


def _setting(message: Message, number: int, name: str, place: str) -> Any:
    value: Any
    if number in (7, 8):
        value = message.values(number)
        if len(value) > _MAX_FEW:
            raise StrangeFileError.of("size", place, f"it has {len(value):,} numbers, more than {_MAX_FEW:,}")
    elif number == 9:
        value = tuple(checked_text(each, place) for each in message.values(9))
    elif number == 4:
        value = message.text(4)
    else:
        value = (message.values(number) or (0,))[0]
    numbers = value if isinstance(value, tuple) else (value,)
    bad = any(isinstance(each, float) and math.isnan(each) for each in numbers)
    if bad or (name in _POSITIVE and not all(isinstance(each, int) and 0 < each < _MAX_ELEMENTS for each in numbers)):
        raise StrangeFileError.of("setting", place, f"it is {quote(', '.join(str(each) for each in numbers[:8]))}")
    return value


def _number_constant(settings: dict[str, Any]) -> Tensor | None:
    """Return the constant that a ``Constant`` gives as numbers."""
    for name, dtype, letter in (("value_float", "float32", "f"), ("value_int", "int64", "q")):
        for key, many in ((name, False), (f"{name}s", True)):
            if key in settings:
                numbers = settings[key] if many else (settings[key],)
                shape = (len(numbers),) if many else ()
                values = memoryview(struct.pack(f"<{len(numbers)}{letter}", *numbers))
                return Tensor(name="", shape=shape, dtype=dtype, values=values)
    return None


def attach_scales(tensors: list[Tensor], operators: Sequence[Operator]) -> None:
    """Give quantised tensors, in place, the scales and zero points that stand beside them as constants, and their type.

    Raises
    ------
    StrangeFileError
        When a scale is not finite and positive, or their number does not fit.
    """
    for operator in operators:
        given = dict(enumerate(operator.inputs))
        for side, position, scale, zero, usual_axis in QUANTISED.get(operator.name, ()):
            index = (given if side == "in" else dict(enumerate(operator.outputs))).get(position, -1)
            if index < 0 or given.get(scale, -1) < 0:
                raise StrangeFileError.of("operator", operator.name, "it lacks an input or an output that it needs")
            if tensors[given[scale]].values is None:
                continue  # computed when it runs: the quantisation is dynamic
            scales = _numbers(tensors[given[scale]])
            zeros = _numbers(tensors[given[zero]]) if given.get(zero, -1) >= 0 else (0,) * len(scales or ())
            axis = int(operator.attributes.get("axis", usual_axis))
            where = f"{operator.name} of {quote(tensors[index].name)}"
            if scales is None or operator.attributes.get("block_size", 0):
                raise StrangeFileError.of("tensor", where, "it is quantised in blocks, or by scales of another type")
            scaled = _scaled(tensors[index], scales, zeros, axis, where)
            if not scaled.dtype and given.get(zero, -1) >= 0:  # files rarely say it of what is computed
                scaled = replace(scaled, dtype=tensors[given[zero]].dtype)
            tensors[index] = tensors[index] if tensors[index].scales else scaled


def _scaled(
    tensor: Tensor, scales: tuple[float, ...], zeros: tuple[float, ...] | None, axis: int, where: str
) -> Tensor:
    if not all(math.isfinite(value) and value > 0 for value in scales):
        raise StrangeFileError.of("tensor", where, "it has a scale that is not finite and positive")
    axis += len(tensor.shape) if axis < 0 else 0
    fits = len(scales) == 1 or not tensor.shape or tensor.shape[axis : axis + 1] in ((len(scales),), (-1,))
    if zeros is None or len(zeros) != len(scales) or not fits:
        raise StrangeFileError.of("tensor", where, f"its {len(scales)} scales do not fit its zero points or its axis")
    zero_points = tuple(int(value) for value in zeros)
    return replace(tensor, scales=scales, zero_points=zero_points, axis=axis if len(scales) > 1 else 0)


def _numbers(tensor: Tensor) -> tuple[float, ...] | None:
    """Return the values of a constant of one axis or none; None where it is another, or computed."""
    if tensor.values is None or len(tensor.shape) > 1:
        return None
    if tensor.dtype in ("int4", "uint4"):  # two in a byte, the first in its lower half
        halves = [half for byte in tensor.values for half in (byte & 0x0F, byte >> 4)][: math.prod(tensor.shape)]
        return tuple(half - 16 if half > 7 and tensor.dtype == "int4" else half for half in halves)
    code = _LETTERS.get(tensor.dtype)
    if code is None:
        return None
    return struct.unpack(f"<{len(tensor.values) // struct.calcsize(code)}{code}", tensor.values)
