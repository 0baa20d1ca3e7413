"""LiteRT files written byte by byte: whole ones, and ones that must be refused, each by one change.

A table is a dictionary from a field's number to its value: `(letter, number)` with a letter of
`struct`, `(letter, list)` for a vector of numbers, text, bytes, another table, or a list of tables.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from typing import Any

Corpus = dict[str, tuple[str, bytes]]
CONV, FULLY_CONNECTED, SOFTMAX, RESHAPE, CUSTOM, IF, WHILE = 3, 9, 25, 22, 32, 118, 119
FLOAT32, INT32, INT64, STRING, INT8, INT4 = 0, 2, 4, 5, 9, 17
# Fields by their numbers.
OPERATOR_CODES, SUBGRAPHS, BUFFERS, METADATA, SIGNATURES = 1, 2, 4, 6, 7
TENSORS, INPUTS, OUTPUTS, OPERATORS = 0, 1, 2, 3
SHAPE, TYPE, BUFFER, NAME, QUANTISATION, VARIABLE, SPARSITY, SIGNATURE = range(8)


def build(model: dict[int, Any]) -> bytes:
    """Return the bytes of a file whose root is this table."""
    data = bytearray(struct.pack("<I", 0) + b"TFL3")
    struct.pack_into("<I", data, 0, _table(data, model))
    return bytes(data) + b"\0" * (-len(data) % 16)


def _pad(data: bytearray, align: int) -> None:
    data += b"\0" * (-len(data) % align)


def _table(data: bytearray, fields: dict[int, Any]) -> int:
    """Append a table, with its vtable before it and what it names behind it; return its address."""
    offsets, size = [0] * (max(fields, default=-1) + 1), 4
    for slot, value in fields.items():
        width = struct.calcsize(_letter(value))
        size += -size % width
        offsets[slot] = size
        size += width
    _pad(data, 8)
    vtable = len(data)
    data += struct.pack(f"<HH{len(offsets)}H", 4 + 2 * len(offsets), size, *offsets)
    _pad(data, 8)
    start = len(data)
    data += struct.pack("<i", start - vtable) + b"\0" * (size - 4)
    for slot, value in fields.items():
        place = start + offsets[slot]
        if _letter(value) != "I" or not isinstance(value, tuple) or isinstance(value[1], list):
            number = value[1] if _letter(value) != "I" else _behind(data, value) - place
            struct.pack_into(f"<{_letter(value)}", data, place, number)
        else:
            struct.pack_into("<I", data, place, value[1])
    return start


def _letter(value: Any) -> str:
    return value[0] if isinstance(value, tuple) and not isinstance(value[1], list) else "I"


def _behind(data: bytearray, value: Any) -> int:
    """Append what an offset leads to; return its address."""
    if isinstance(value, dict):
        return _table(data, value)
    if isinstance(value, tuple):
        letter, numbers = value
        # The numbers are aligned, not their count before them.
        while (len(data) + 4) % max(4, struct.calcsize(letter)):
            data.append(0)
        data += struct.pack(f"<I{len(numbers)}{letter}", len(numbers), *numbers)
        return len(data) - 4 - len(numbers) * struct.calcsize(letter)
    if isinstance(value, list):
        _pad(data, 4)
        start = len(data)
        data += struct.pack("<I", len(value)) + b"\0" * 4 * len(value)
        for index, item in enumerate(value):
            place = start + 4 + 4 * index
            struct.pack_into("<I", data, place, _table(data, item) - place)
        return start
    body = value.encode() + b"\0" if isinstance(value, str) else value
    while (len(data) + 4) % 16:  # as converters align constants
        data.append(0)
    data += struct.pack("<I", len(value.encode()) if isinstance(value, str) else len(value)) + body
    return len(data) - 4 - len(body)


def tensor(
    name: str,
    shape: list[int],
    *,
    kind: int = FLOAT32,
    buffer: int = 0,
    scales: list[float] | None = None,
    zero: int = 0,
) -> dict[int, Any]:
    """Return a tensor, with one scale or one for each index of its first axis."""
    made = {SHAPE: ("i", shape), TYPE: ("b", kind), BUFFER: ("I", buffer), NAME: name}
    if scales is not None:
        made[QUANTISATION] = {2: ("f", scales), 3: ("q", [zero] * len(scales)), 6: ("i", 0)}
    return made


def network(*, quantised: bool = False) -> dict[int, Any]:
    """Return a small classifier: a convolution with ReLU, a dense layer and a softmax, in floats or in int8."""
    kind, letter, wide = (INT8, "b", INT32) if quantised else (FLOAT32, "f", FLOAT32)

    def numbers(count: int) -> bytes:
        values = [index % 7 - 3 for index in range(count)]
        return struct.pack(f"<{count}{letter}", *(values if quantised else (value / 8 for value in values)))

    def scaled(*scales: float) -> list[float] | None:
        return list(scales) if quantised else None

    biases = b"\0" * 8, b"\0" * 12
    constants = [b"", numbers(18), biases[0], struct.pack("<2i", -1, 8), numbers(24), biases[1]]
    pictures = {**tensor("picture", [1, 4, 4, 1], kind=kind, scales=scaled(0.01), zero=-128)}
    pictures[SIGNATURE] = ("i", [-1, 4, 4, 1])
    tensors = [
        pictures,
        tensor("w", [2, 3, 3, 1], kind=kind, buffer=1, scales=scaled(0.5, 0.25)),
        tensor("b", [2], kind=wide, buffer=2, scales=scaled(0.005, 0.0025)),
        tensor("c", [1, 2, 2, 2], kind=kind, scales=scaled(0.05), zero=-128),
        tensor("shape", [2], kind=INT32, buffer=3),
        tensor("flat", [1, 8], kind=kind, scales=scaled(0.05), zero=-128),
        tensor("v", [3, 8], kind=kind, buffer=4, scales=scaled(0.125)),
        tensor("d", [3], kind=wide, buffer=5, scales=scaled(0.00625)),
        tensor("logits", [1, 3], kind=kind, scales=scaled(0.1), zero=3),
        tensor("classes", [1, 3], kind=kind, scales=scaled(1 / 256), zero=-128),
    ]

    def step(code: int, inputs: list[int], output: int, options: int, settings: dict[int, Any]) -> dict[int, Any]:
        return {
            0: ("I", code),
            1: ("i", inputs),
            2: ("i", [output]),
            3: ("B", options),
            4: settings,
        }

    operators = [
        step(0, [0, 1, 2], 3, 1, {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("b", 1)}),
        step(1, [3, 4], 5, 17, {}),
        step(2, [5, 6, 7], 8, 8, {0: ("b", 0)}),
        step(3, [8], 9, 9, {0: ("f", 1.0)}),
    ]
    codes = [
        {0: ("b", code), 2: ("i", version), 3: ("i", code)}
        for code, version in ((CONV, 3), (RESHAPE, 1), (FULLY_CONNECTED, 4), (SOFTMAX, 2))
    ]
    graph = {TENSORS: tensors, INPUTS: ("i", [0]), OUTPUTS: ("i", [9]), OPERATORS: operators, 4: "main"}
    signature = {0: [{0: "picture", 1: ("I", 0)}], 1: [{0: "classes", 1: ("I", 9)}], 2: "serving_default"}
    return {
        0: ("I", 3),
        OPERATOR_CODES: codes,
        SUBGRAPHS: [graph],
        3: "written for a test",
        BUFFERS: [{0: constant} if constant else {} for constant in constants],
        METADATA: [{0: "min_runtime_version", 1: ("I", 0)}],
        SIGNATURES: [signature],
    }


def changed(change: Callable[[Any, Any, Any], Any], *, quantised: bool = False) -> bytes:
    """Return a file whose model, graph or tensors are changed by a function of the three."""
    model = copy.deepcopy(network(quantised=quantised))
    graph = model[SUBGRAPHS][0]
    change(model, graph, graph[TENSORS])
    return build(model)


def _code(code: int, *, custom: str = "", version: int = 1) -> Callable[[Any, Any, Any], Any]:
    """Make the last operator another one."""

    def change(model: Any, graph: Any, tensors: Any) -> None:
        model[OPERATOR_CODES][3] = {0: ("b", min(code, 127)), 2: ("i", version), 3: ("i", code)}
        if custom:
            model[OPERATOR_CODES][3][1] = custom
        graph[OPERATORS][3] = {0: ("I", 3), 1: ("i", [8]), 2: ("i", [9])}

    return change


def _patched(find: bytes, offset: int, new: bytes) -> bytes:
    data = bytearray(build(network()))
    place = data.index(find) + offset
    data[place : place + len(new)] = new
    return bytes(data)


def _own_table() -> bytes:
    """Let the vector of subgraphs lead to the model itself: a table that holds itself."""
    data = bytearray(build(network()))
    (root,) = struct.unpack_from("<I", data, 0)
    (back,) = struct.unpack_from("<i", data, root)
    (field,) = struct.unpack_from("<H", data, root - back + 4 + 2 * SUBGRAPHS)
    (offset,) = struct.unpack_from("<I", data, root + field)
    vector = root + field + offset
    # Offsets lead forward only; one that wraps around leads back.
    struct.pack_into("<I", data, vector + 4, (root - vector - 4) % 2**32)
    return bytes(data)


def _shared_vector() -> bytes:
    """Let the graph's inputs and outputs be one vector: writing to one would change the other."""

    def change(model: Any, graph: Any, tensors: Any) -> None:
        graph[OUTPUTS] = ("i", [0])
        del model[SIGNATURES]

    data = bytearray(changed(change))
    for place in range(0, len(data) - 8, 4):
        first, second = struct.unpack_from("<II", data, place)
        ends = place + first, place + 4 + second
        if all(data[end : end + 8] == struct.pack("<II", 1, 0) for end in ends) and ends[0] < ends[1] < len(data):
            struct.pack_into("<I", data, place + 4, ends[0] - place - 4)
            return bytes(data)
    raise AssertionError("no two vectors were found")


def strange() -> Corpus:
    """Return, by name, the rule that must refuse a file, and the file."""
    whole = build(network())

    def quantisation(**values: Any) -> bytes:
        slots = {"scales": 2, "zeros": 3, "details": 4, "axis": 6}
        update = {slots[name]: value for name, value in values.items()}
        return changed(lambda model, graph, tensors: tensors[1][QUANTISATION].update(update), quantised=True)

    def of_tensor(index: int, **values: Any) -> bytes:
        slots = {"shape": SHAPE, "kind": TYPE, "buffer": BUFFER, "name": NAME, "variable": VARIABLE, "elsewhere": 10}
        slots |= {"sparsity": SPARSITY, "signature": SIGNATURE}
        update = {slots[name]: value for name, value in values.items()}
        return changed(lambda model, graph, tensors: tensors[index].update(update))

    def of_graph(slot: int, value: Any) -> bytes:
        return changed(lambda model, graph, tensors: graph.update({slot: value}))

    def of_model(slot: int, value: Any) -> bytes:
        return changed(lambda model, graph, tensors: model.update({slot: value}))

    def of_step(index: int, slot: int, value: Any) -> bytes:
        return changed(lambda model, graph, tensors: graph[OPERATORS][index].update({slot: value}))

    def swapped(model: Any, graph: Any, tensors: Any) -> None:
        graph[OPERATORS][2:] = graph[OPERATORS][:1:-1]

    files = {
        "cut": ("structure", whole[: len(whole) // 2]),
        "head": ("structure", whole[:8]),
        "wild_root": ("structure", struct.pack("<I", 2**31) + whole[4:]),
        "zeros": ("structure", b"\x1c\0\0\0TFL3" + b"\0" * 60),
        "own_table": ("structure", _own_table()),
        "shared_vector": ("structure", _shared_vector()),
        "unknown_field": ("structure", of_model(12, ("I", 1))),
        "unended_text": ("structure", _patched(b"written for a test", 18, b"x")),
        "long_text": ("structure", _patched(b"written for a test", -4, struct.pack("<I", 2**31))),
        "full_first_buffer": ("structure", changed(lambda model, graph, tensors: model[BUFFERS][0].update({0: b"x"}))),
        "wild_metadata": ("structure", of_model(METADATA, [{0: "notes", 1: ("I", 99)}])),
        "many_inputs": ("size", of_graph(INPUTS, ("i", [0] * 5000))),
        "huge_tensor": ("size", of_tensor(3, shape=("i", [2**16, 2**16]))),
        "deep_shape": ("size", of_tensor(3, shape=("i", [1] * 9))),
        "control_text": ("text", of_tensor(3, name="c\x1b[2J")),
        "long_name": ("text", of_tensor(3, name="c" * 20_000)),
        "no_utf8": ("text", _patched(b"written for a test", 0, b"\xff\xfe")),
        "other_schema": ("version", of_model(0, ("I", 4))),
        "custom": ("operator", changed(_code(CUSTOM, custom="TFLite_Detection_PostProcess"))),
        "flex": ("operator", changed(_code(CUSTOM, custom="FlexReadFile"))),
        "named_builtin": ("operator", changed(_code(SOFTMAX, custom="FlexErf"))),
        "while": ("operator", changed(_code(WHILE))),
        "if": ("operator", changed(_code(IF))),
        "unknown_operator": ("operator", changed(_code(5000))),
        "new_version": ("operator", changed(_code(SOFTMAX, version=99))),
        "two_codes": (
            "operator",
            changed(lambda model, graph, tensors: model[OPERATOR_CODES][3].update({0: ("b", CUSTOM)})),
        ),
        "wild_code": ("operator", of_step(3, 0, ("I", 99))),
        "custom_options": ("operator", of_step(3, 5, b"program")),
        "second_options": ("operator", of_step(3, 11, ("B", 1))),
        "no_weights": ("operator", of_step(0, 1, ("i", [0, -1, 2]))),
        "two_subgraphs": (
            "graph",
            changed(lambda model, graph, tensors: model[SUBGRAPHS].append(copy.deepcopy(graph))),
        ),
        "no_subgraph": ("graph", of_model(SUBGRAPHS, [])),
        "variable": ("graph", of_tensor(3, variable=("?", True))),
        "changes_inputs": ("graph", of_step(3, 7, ("?", [True]))),
        "wrong_order": ("graph", changed(swapped)),
        "in_a_circle": ("graph", of_step(0, 1, ("i", [3, 1, 2]))),
        "written_twice": ("graph", of_step(3, 2, ("i", [8]))),
        "writes_a_constant": ("graph", of_step(3, 2, ("i", [6]))),
        "wild_input": ("graph", of_step(0, 1, ("i", [0, 1, 77]))),
        "wild_output": ("graph", of_graph(OUTPUTS, ("i", [-1]))),
        "no_outputs": ("graph", of_graph(OUTPUTS, ("i", []))),
        "other_signature": (
            "graph",
            changed(lambda model, graph, tensors: model[SIGNATURES][0].update({1: [{0: "classes", 1: ("I", 8)}]})),
        ),
        "reordered": ("graph", of_model(METADATA, [{0: "model_control_dependencies", 1: ("I", 1)}])),
        "short_constant": ("tensor", changed(lambda model, graph, tensors: model[BUFFERS][1].update({0: b"\0" * 71}))),
        "long_constant": ("tensor", changed(lambda model, graph, tensors: model[BUFFERS][1].update({0: b"\0" * 76}))),
        "wild_buffer": ("tensor", of_tensor(1, buffer=("I", 99))),
        "text_tensor": ("tensor", of_tensor(3, kind=("b", STRING))),
        "sparse": ("tensor", of_tensor(1, sparsity={})),
        "negative_shape": ("tensor", of_tensor(3, shape=("i", [1, -2]))),
        "empty_shape": ("tensor", of_tensor(3, shape=("i", [1, 0, 2]))),
        "other_signature_shape": ("tensor", of_tensor(0, signature=("i", [-1, 9, 4, 1]))),
        "open_constant": ("tensor", of_tensor(1, signature=("i", [-1, 3, 3, 1]))),
        "nan_scale": ("tensor", quantisation(scales=("f", [0.5, float("nan")]))),
        "zero_scale": ("tensor", quantisation(scales=("f", [0.5, 0.0]))),
        "infinite_scale": ("tensor", quantisation(scales=("f", [0.5, float("inf")]))),
        "few_scales": ("tensor", quantisation(axis=("i", 1))),
        "wild_axis": ("tensor", quantisation(axis=("i", 2**30))),
        "few_zeros": ("tensor", quantisation(zeros=("q", [0]))),
        "wild_zero": ("tensor", quantisation(zeros=("q", [0, 2**40]))),
        "in_blocks": ("tensor", quantisation(details=("B", 2))),
        "external_buffer": (
            "external",
            changed(lambda model, graph, tensors: model[BUFFERS][1].update({1: ("Q", 4096), 2: ("Q", 72)})),
        ),
        "external_group": ("external", of_model(9, [{}])),
        "external_tensor": ("external", of_tensor(1, elsewhere=("I", 1))),
        "no_strides": ("setting", of_step(0, 4, {0: ("b", 1), 1: ("i", 0), 2: ("i", 1)})),
        "no_settings": (
            "setting",
            changed(lambda model, graph, tensors: [graph[OPERATORS][0].pop(key) for key in (3, 4)]),
        ),
        "other_settings": ("setting", of_step(3, 3, ("B", 1))),
        "unknown_activation": ("setting", of_step(2, 4, {0: ("b", 77)})),
        "nan_setting": ("setting", of_step(3, 4, {0: ("f", float("nan"))})),
    }
    return {f"litert_{name}": made for name, made in files.items()}
