"""ONNX files written byte by byte: whole ones, and ones that must be refused, each by one change.

A message is a list of (number of the field, value): a whole number, a float, text, bytes, or a list,
which is a message again.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from typing import Any

Corpus = dict[str, tuple[str, bytes]]
Fields = list[tuple[int, Any]]
FLOAT, INT8, INT64, STRING = 1, 3, 7, 8
# Fields by their numbers.
IR, GRAPH, OPSET = 1, 7, 8
NODE, NAME, INITIALIZER, INPUT, OUTPUT, VALUE = 1, 2, 5, 11, 12, 13
DIMS, TYPE, RAW = 1, 2, 9


def varint(value: int) -> bytes:
    """Return a whole number of varying length; a negative one takes ten bytes."""
    value %= 2**64
    done = b""
    while value >= 0x80:
        done += bytes([value & 0x7F | 0x80])
        value >>= 7
    return done + bytes([value])


def build(fields: Fields) -> bytes:
    """Return the bytes of a message."""
    done = []
    for number, value in fields:
        if isinstance(value, bool | int):
            done.append(varint(number << 3) + varint(value))
        elif isinstance(value, float):
            done.append(varint(number << 3 | 5) + struct.pack("<f", value))
        else:
            body = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else build(value)
            done.append(varint(number << 3 | 2) + varint(len(body)) + body)
    return b"".join(done)


def value(name: str, *shape: int | str, kind: int = FLOAT) -> Fields:
    """Return an input, an output or a value between; text is a length that is not fixed."""
    lengths: Fields = [(1, [(2 if isinstance(length, str) else 1, length)]) for length in shape]
    return [(1, name), (2, [(1, [(1, kind), (2, lengths)])])]


def constant(name: str, *shape: int, kind: int = FLOAT, raw: bytes | None = None) -> Fields:
    """Return a constant; its values are small numbers unless they are given."""
    count = 1
    for length in shape:
        count *= length
    raw = struct.pack(f"<{count}f", *(index % 7 / 8 for index in range(count))) if raw is None else raw
    return [*((DIMS, length) for length in shape), (TYPE, kind), (8, name), (RAW, raw)]


def node(kind: str, inputs: str, outputs: str, *settings: Fields, domain: str = "") -> Fields:
    """Return an operator; names are apart by spaces."""
    fields: Fields = [(1, name) for name in inputs.split()] + [(2, name) for name in outputs.split()]
    return [*fields, (4, kind), *((5, setting) for setting in settings), *([(7, domain)] if domain else [])]


def ints(name: str, *numbers: int) -> Fields:
    """Return a setting of whole numbers."""
    return [(1, name), *((8, number) for number in numbers), (20, 7)]


def graph() -> Fields:
    """Return the graph of a small classifier: a convolution with ReLU, a dense layer and a softmax."""
    shape = constant("shape", 2, kind=INT64, raw=struct.pack("<2q", 0, -1))
    return [
        (NODE, node("Conv", "picture w b", "c", ints("pads", 1, 1, 1, 1), ints("strides", 1, 1))),
        (NODE, node("Relu", "c", "r")),
        (NODE, node("Reshape", "r shape", "flat")),
        (NODE, node("Gemm", "flat v d", "logits", [(1, "transB"), (3, 1), (20, 2)])),
        (NODE, node("Softmax", "logits", "classes")),
        (NAME, "main"),
        (INITIALIZER, constant("w", 2, 1, 3, 3)),
        (INITIALIZER, constant("b", 2)),
        (INITIALIZER, shape),
        (INITIALIZER, constant("v", 3, 32)),
        (INITIALIZER, constant("d", 3)),
        (INPUT, value("picture", "N", 1, 4, 4)),
        (OUTPUT, value("classes", "N", 3)),
        (VALUE, value("c", "N", 2, 4, 4)),
    ]


def network(inner: Fields | None = None, *more: tuple[int, Any], ir: int = 8, opset: int = 17) -> bytes:
    """Return a file of a graph, and what else stands in the model."""
    fields: Fields = [(IR, ir), (2, "a test"), (GRAPH, graph() if inner is None else inner), (OPSET, [(2, opset)])]
    return build([*fields, *more])


def quantised(scale: float = 0.125, *, lengths: tuple[int, ...] = ()) -> bytes:
    """Return a file whose convolution takes int8 weights, by `DequantizeLinear`."""
    inner = [entry for entry in graph() if entry[0] != INITIALIZER or entry[1][-2] != (8, "w")]
    inner += [
        (NODE, node("DequantizeLinear", "q s z", "w")),
        (INITIALIZER, constant("q", 2, 1, 3, 3, kind=INT8, raw=bytes(range(18)))),
        (INITIALIZER, constant("s", *lengths, raw=struct.pack("<f", scale))),
        (INITIALIZER, constant("z", kind=INT8, raw=b"\0")),
    ]
    return network(inner)


def _with(change: Callable[[Fields], Any]) -> bytes:
    inner = copy.deepcopy(graph())
    change(inner)
    return network(inner)


def _node(index: int, changed: Fields) -> bytes:
    return _with(lambda inner: inner.__setitem__(index, (NODE, changed)))


def _constant(changed: Fields) -> bytes:
    return _with(lambda inner: inner.__setitem__(6, (INITIALIZER, changed)))


def strange() -> Corpus:
    """Return, by name, the rule that must refuse a file, and the file."""
    whole = network()
    inner: Fields = [(NODE, node("Identity", "c", "x")), (OUTPUT, value("x", 1))]
    w = constant("w", 2, 1, 3, 3)
    setting = ints("pads", 1, 1, 1, 1)
    files = {
        "cut": ("structure", whole[: len(whole) // 2]),
        "long_field": ("structure", whole.replace(b"\x12\x04main", b"\x12\xff\xff\xff\x7fmain", 1)),
        "endless_number": ("structure", whole + b"\x28" + b"\xff" * 12),
        "padded_number": ("structure", network(None, (14, b"\x0a\x81\x00x"))),
        "group": ("structure", whole + b"\x0b"),
        "unknown_field": ("structure", network(None, (99, 1))),
        "two_graphs": ("structure", network(None, (GRAPH, graph()))),
        "two_versions": ("structure", network(None, (IR, 9))),
        "unknown_in_node": ("structure", _node(1, [*node("Relu", "c", "r"), (77, 1)])),
        "deep_shape": ("size", _with(lambda inner: inner.append((VALUE, value("r", *[1] * 9))))),
        "huge_tensor": ("size", _with(lambda inner: inner.append((VALUE, value("r", 2**30, 4))))),
        "many_operator_sets": ("size", network(None, *[(OPSET, [(1, f"d{index}")]) for index in range(5000)])),
        "control_text": ("text", _node(1, [*node("Relu", "c", "r"), (3, "a\x1b[2Jb")])),
        "no_utf8": ("text", _node(1, [*node("Relu", "c", "r"), (3, b"\xff\xfe")])),
        "long_name": ("text", _node(1, [*node("Relu", "c", "r"), (3, "x" * 20_000)])),
        "new_format": ("version", network(ir=99)),
        "old_format": ("version", network(ir=1)),
        "new_operators": ("version", network(opset=999)),
        "no_operators": ("version", build([(IR, 8), (2, "a test"), (GRAPH, graph())])),
        "two_sets": ("version", network(None, (OPSET, [(1, "ai.onnx"), (2, 9)]))),
        "if": ("operator", _node(1, node("If", "c", "r", [(1, "then_branch"), (6, inner), (20, 5)]))),
        "loop": ("operator", _node(1, node("Loop", "c", "r", [(1, "body"), (6, inner), (20, 5)]))),
        "random": ("operator", _node(1, node("RandomNormalLike", "c", "r"))),
        "unknown_operator": ("operator", _node(1, node("ReadFile", "c", "r"))),
        "unknown_domain": ("operator", _node(1, node("Relu", "c", "r", domain="evil.example"))),
        "own_domain": ("operator", _node(1, node("Inverse", "c", "r", domain="com.microsoft"))),
        "variant": ("operator", _node(1, [*node("Relu", "c", "r"), (8, "other")])),
        "device": ("operator", _node(1, [*node("Relu", "c", "r"), (10, [(1, "elsewhere")])])),
        "training": ("operator", _node(1, node("Dropout", "c d shape", "r"))),
        "no_scale": ("operator", _node(1, node("DequantizeLinear", "c", "r"))),
        "graph_in_an_attribute": ("graph", _node(1, node("Relu", "c", "r", [(1, "body"), (6, inner), (20, 5)]))),
        "functions": ("graph", network(None, (25, [(1, "f")]))),
        "training_info": ("graph", network(None, (20, [(1, [])]))),
        "devices": ("graph", network(None, (26, [(1, "elsewhere")]))),
        "configures": ("graph", network(None, (14, [(1, "ort_config"), (2, "{}")]))),
        "name_twice": ("graph", _node(1, node("Relu", "c", "c"))),
        "writes_a_constant": ("graph", _node(1, node("Relu", "c", "w"))),
        "unknown_value": ("graph", _node(1, node("Relu", "nothing", "r"))),
        "in_a_circle": ("graph", _node(0, node("Conv", "r w b", "c"))),
        "no_output": ("graph", _with(lambda inner: inner.pop(12))),
        "wild_output": ("graph", _with(lambda inner: inner.append((OUTPUT, value("nothing", 1))))),
        "output_twice": ("graph", _with(lambda inner: inner.append((OUTPUT, value("classes", 1))))),
        "external": ("external", _constant([*w[:-1], (13, [(1, "location"), (2, "/etc/passwd")]), (14, 1)])),
        "external_entry": ("external", _constant([*w, (13, [(1, "location"), (2, "../w")])])),
        "short_constant": ("tensor", _constant([*w[:-1], (RAW, b"\0" * 71)])),
        "long_constant": ("tensor", _constant([*w[:-1], (RAW, b"\0" * 76)])),
        "values_twice": ("tensor", _constant([*w, (4, b"\0" * 72)])),
        "values_elsewhere": ("tensor", _constant([*w[:-1], (7, b"\0" * 18)])),
        "large_value": (
            "tensor",
            _constant([(DIMS, 1), (TYPE, INT8), (8, "w"), (5, 300)]),
        ),
        "text_constant": ("tensor", _constant([(DIMS, 1), (TYPE, STRING), (8, "w"), (6, "x")])),
        "part": ("tensor", _constant([*w[:-1], (3, [(1, 0), (2, 9)]), w[-1]])),
        "negative_shape": ("tensor", _constant([(DIMS, -1), (TYPE, FLOAT), (8, "w"), (RAW, b"")])),
        "sparse": ("tensor", _with(lambda inner: inner.append((15, [(1, w)])))),
        "sequence": ("tensor", _with(lambda inner: inner.append((VALUE, [(1, "r"), (2, [(4, [])])])))),
        "text_input": ("tensor", _with(lambda inner: inner.__setitem__(11, (INPUT, value("picture", 1, kind=STRING))))),
        "other_input": ("tensor", _with(lambda inner: inner.append((INPUT, value("w", 9))))),
        "nan_scale": ("tensor", quantised(float("nan"))),
        "in_blocks": ("tensor", quantised(lengths=(1, 1))),
        "text_value": ("tensor", _node(1, node("Constant", "", "r", [(1, "value_string"), (4, "x"), (20, 3)]))),
        "setting_twice": ("setting", _node(0, node("Conv", "picture w b", "c", setting, setting))),
        "other_type": ("setting", _node(0, node("Conv", "picture w b", "c", [*setting[:-1], (20, 1)]))),
        "no_strides": ("setting", _node(0, node("Conv", "picture w b", "c", ints("strides", 0, 1)))),
        "nan_setting": ("setting", _node(1, node("Elu", "c", "r", [(1, "alpha"), (2, float("nan")), (20, 1)]))),
    }
    return {f"onnx_{name}": made for name, made in files.items()}
