"""ONNX files, read without ONNX: the graph that one holds, or why it is refused.

ONNX allows much that no trained network for pictures needs: functions, graphs within attributes,
weights in other files, operators of any domain. What is read here is one plain graph of allowed
operators, whose constants are in the file and whose names are written once. Notes (``doc_string``,
``metadata_props``, ``quantization_annotation``) are passed over within their bounds, for no runtime
computes by them; every other field that is not known is refused.

References
----------
ONNX, onnx/onnx.proto (file format version 14).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelcheck.modelfile.graph import Graph, Operator, Tensor
from modelcheck.modelfile.onnx_operators import MAX_IR, MAX_OPSET, MIN_IR, MIN_OPSET, refusal_of
from modelcheck.modelfile.onnx_tensors import TENSOR, TYPES, attach_scales, read_constant, read_settings
from modelcheck.modelfile.order import check_order
from modelcheck.modelfile.protobuf import Budget, Layout, Message, read_message, read_tag, read_varint
from modelcheck.modelfile.refusal import MAX_REFUSALS, Refusal, StrangeFileError, quote

__all__ = ["looks_like_onnx", "read_onnx", "read_producer"]

_MAX_MANY = 100_000  # nodes, constants, named values; the largest networks have some thousands
_MAX_FEW = 4096  # inputs and outputs, attributes of a node, operator sets
_MAX_RANK = 8
_MAX_ELEMENTS = 2**31
_NOTES = "bytes*"
_MODEL: Layout = {
    **{1: "int", 2: "bytes", 3: "bytes", 4: "bytes", 5: "int", 6: "bytes", 7: "bytes", 8: "bytes*"},
    **{14: _NOTES, 20: "bytes*", 25: "bytes*", 26: "bytes*"},
}
_OPSET: Layout = {1: "bytes", 2: "int"}
_NOTE: Layout = {1: "bytes", 2: "bytes"}
_GRAPH: Layout = {
    **{1: "bytes*", 2: "bytes", 5: "bytes*", 10: "bytes", 11: "bytes*", 12: "bytes*", 13: "bytes*"},
    **{14: _NOTES, 15: "bytes*", 16: _NOTES},
}
_NODE: Layout = {
    **{1: "bytes*", 2: "bytes*", 3: "bytes", 4: "bytes", 5: "bytes*", 6: "bytes", 7: "bytes", 8: "bytes", 9: _NOTES},
    10: "bytes*",
}
_VALUE: Layout = {1: "bytes", 2: "bytes", 3: "bytes", 4: _NOTES}
_TYPE: Layout = {1: "bytes", 4: "bytes", 5: "bytes", 6: "bytes", 7: "bytes", 8: "bytes", 9: "bytes"}
_TENSOR_TYPE: Layout = {1: "int", 2: "bytes"}
_SHAPE: Layout = {1: "bytes*"}
_LENGTH: Layout = {1: "int", 2: "bytes", 3: "bytes"}
# A note by which ONNX Runtime can be told how to load a file.
_CONFIGURES = "ort_config"
_HEAD = 2**16
_UNKNOWN = Tensor(name="", shape=(), dtype="")


def looks_like_onnx(data: bytes | memoryview) -> bool:
    r"""Say by the first bytes whether a file is laid out as an ONNX file.

    ONNX has no mark of its own. The file must begin with a version between 1 and 127, then have
    fields of a model only, each of its own type and in the order in which writers put them, until
    the graph, which must begin with a field of a graph.

    Parameters
    ----------
    data : bytes or memoryview
        The file, or its first 64 KiB.

    Examples
    --------
    >>> looks_like_onnx(b"\x08\x08\x3a\x02\x0a\x00"), looks_like_onnx(b"\x08\x08 other words")
    (True, False)
    """
    view = memoryview(data)[:_HEAD]
    if len(view) < 4 or view[0] != 0x08 or not 0 < view[1] < 0x80:
        return False
    place, before = 2, 1
    try:
        while place < len(view):
            number, wire, place = read_tag(view, place, "")
            form = _MODEL.get(number, "").rstrip("*")
            if number < before or wire != {"int": 0, "bytes": 2}.get(form) or number == 1:
                return False
            size, place = read_varint(view, place, "")
            if number == 7:
                inner, wire, _ = read_tag(view, place, "")
                return size > 0 and inner in _GRAPH and wire == 2
            place, before = place + (size if form == "bytes" else 0), number
    except StrangeFileError:
        return False
    return len(view) == _HEAD < place  # a note that is longer than what was looked at


@dataclass
class _Names:
    """The values of a graph, by position and by name."""

    tensors: list[Tensor] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    elements: int = 0

    def add(self, tensor: Tensor, where: str) -> int:
        """Take a new value, whose name must be new."""
        if not tensor.name or tensor.name in self.places:
            raise StrangeFileError.of("graph", where, f"the name {quote(tensor.name)} is empty or written twice")
        self.elements += math.prod(max(length, 1) for length in tensor.shape)
        if self.elements > _MAX_ELEMENTS:
            raise StrangeFileError.of("size", where, f"the tensors have more than {_MAX_ELEMENTS:,} values")
        self.places[tensor.name] = len(self.tensors)
        self.tensors.append(tensor)
        return self.places[tensor.name]


def read_onnx(data: bytes | memoryview) -> Graph:
    r"""Read the graph of an ONNX file, without ONNX.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file. Constants of the graph are views of it, or of what they were unpacked to.

    Returns
    -------
    Graph
        A ``Constant`` node is a constant, and no operator. A tensor of which the file says no type
        has the type ``""``. Those that stand beside a constant scale in ``QuantizeLinear``,
        ``DequantizeLinear``, ``QLinearConv`` or ``QLinearMatMul`` have their scales and zero
        points.

    Raises
    ------
    StrangeFileError
        With the refusals, when it is no ONNX file, is damaged, or holds anything but one plain
        graph of allowed operators.

    Examples
    --------
    >>> read_onnx(b"\x08\x08")
    Traceback (most recent call last):
    modelcheck.modelfile.refusal.StrangeFileError: the model: its operator set has version 0; 7 to 28 are read
    """
    model = _model(data)
    opset = _versions(model)
    if model.has(20, 25, 26):
        raise StrangeFileError.of("graph", "the model", "it has functions, training steps or devices of its own")
    for note in model.messages(14, _NOTE, "metadata", most=_MAX_FEW):
        if bytes(note.data(1)) == _CONFIGURES.encode():
            raise StrangeFileError.of("graph", note.where, "it tells the runtime how to load the file")
    if not model.has(7):
        raise StrangeFileError.of("structure", "the model", "it has no graph")
    graph = model.message(7, _GRAPH, "the graph")
    graph.text(2)
    if graph.has(15):
        raise StrangeFileError.of("tensor", "the graph", "it has sparse constants; whole ones are read")
    names = _Names()
    given = _values(graph, 11, "input")
    constants = [read_constant(each) for each in graph.messages(5, TENSOR, "constant", most=_MAX_MANY)]
    of_constants = {tensor.name: tensor for tensor in constants}
    inputs = []
    for name, value in given.items():
        # Older files name their constants among the inputs too; the file's value is the one that counts.
        if name not in of_constants:
            inputs.append(names.add(value, f"input {quote(name)}"))
        elif (value.dtype, value.shape) != (of_constants[name].dtype, of_constants[name].shape):
            raise StrangeFileError.of("tensor", f"constant {quote(name)}", "as an input it is of another type or shape")
    for tensor in constants:
        names.add(tensor, f"constant {quote(tensor.name)}")
    answered = _values(graph, 12, "output")
    described = {**_values(graph, 13, "value"), **answered}
    operators = _operators(graph, names, described)
    for name in answered:
        if name not in names.places:
            raise StrangeFileError.of("graph", f"output {quote(name)}", "nothing computes it")
    outputs = tuple(names.places[name] for name in answered)
    attach_scales(names.tensors, operators)
    check_order(names.tensors, operators, inputs, outputs)
    return Graph(
        format="onnx",
        version=str(opset),
        tensors=tuple(names.tensors),
        operators=operators,
        inputs=tuple(inputs),
        outputs=outputs,
    )


def read_producer(data: bytes | memoryview) -> str:
    """Return which program says that it wrote an ONNX file that `read_onnx` reads, and its version."""
    model = _model(data)
    return " ".join(text for text in (model.text(2), model.text(3)) if text)


def _model(data: bytes | memoryview) -> Message:
    return read_message(memoryview(data), _MODEL, "the model", Budget())


def _versions(model: Message) -> int:
    """Return the version of the operator set, of a file whose versions are known."""
    model.text(2), model.text(3), model.text(4)
    if not MIN_IR <= model.whole(1) <= MAX_IR:
        reason = f"its format has version {model.whole(1)}; {MIN_IR} to {MAX_IR} are read"
        raise StrangeFileError.of("version", "the model", reason)
    sets: dict[str, int] = {}
    for imported in model.messages(8, _OPSET, "operator set", most=_MAX_FEW):
        domain = _domain(imported.text(1))
        if domain in sets:
            raise StrangeFileError.of("version", imported.where, f"the domain {quote(domain)} is there twice")
        sets[domain] = imported.whole(2)
    if not MIN_OPSET <= sets.get("", 0) <= MAX_OPSET:
        reason = f"its operator set has version {sets.get('', 0)}; {MIN_OPSET} to {MAX_OPSET} are read"
        raise StrangeFileError.of("version", "the model", reason)
    if sets.get("com.microsoft", 1) != 1:
        raise StrangeFileError.of("version", "the model", "the operators of com.microsoft are read in version 1")
    return sets[""]


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _values(graph: Message, number: int, what: str) -> dict[str, Tensor]:
    """Return the values that a graph names with their types, by name, in order."""
    values: dict[str, Tensor] = {}
    for message in graph.messages(number, _VALUE, what, most=_MAX_MANY):
        name = message.text(1)
        where = f"{what} {quote(name)}"
        kind = message.message(2, _TYPE, where)
        kind.text(6)
        if kind.has(4, 5, 7, 8, 9):
            raise StrangeFileError.of("tensor", where, "it is a sequence, a map, optional, sparse or opaque, no tensor")
        # What stands between may be described without a type; what goes in and comes out may not.
        inner = kind.message(1, _TENSOR_TYPE, where)
        code = inner.whole(1)
        if code not in TYPES and (code or number != 13):
            raise StrangeFileError.of(
                "tensor", where, f"its type has the number {code}; numbers and truth values are read"
            )
        shape = tuple(
            _length(each, where) for each in inner.message(2, _SHAPE, where).messages(1, _LENGTH, where, most=_MAX_RANK)
        )
        if name in values:
            raise StrangeFileError.of("graph", where, "it is described twice")
        values[name] = Tensor(name=name, shape=shape, dtype=TYPES[code][0] if code else "")
    return values


def _length(message: Message, where: str) -> int:
    message.text(2), message.text(3)
    length = message.whole(1, -1)
    if message.has(1) and (message.has(2) or not 0 <= length < _MAX_ELEMENTS):
        raise StrangeFileError.of("tensor", where, f"one of its lengths is {length}")
    return length


@dataclass(frozen=True)
class _Node:
    """A node that is allowed: its place in the file, and the names that it reads and writes."""

    where: str
    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: Mapping[str, Any]


def _operators(graph: Message, names: _Names, described: Mapping[str, Tensor]) -> tuple[Operator, ...]:
    """Return the operators in an order in which they can run, and take the values that they write."""
    nodes = []
    for node, constant in _nodes(graph):
        if constant is not None:
            names.add(constant, node.where)
            continue
        for each in node.writes:
            if each:
                names.add(described.get(each, replace(_UNKNOWN, name=each)), node.where)
        nodes.append(node)
    for node in nodes:
        for each in node.reads:
            if each and each not in names.places:
                raise StrangeFileError.of("graph", node.where, f"it reads {quote(each)}, which nothing computes")
    return tuple(
        Operator(
            name=node.name,
            inputs=tuple(names.places.get(each, -1) for each in node.reads),
            outputs=tuple(names.places.get(each, -1) for each in node.writes),
            attributes=node.settings,
        )
        for node in _in_order(nodes)
    )


def _nodes(graph: Message) -> Iterator[tuple[_Node, Tensor | None]]:
    """Yield every node, and the value of a constant; all that are not allowed are refused together."""
    refusals: list[Refusal] = []
    for index, message in enumerate(graph.messages(1, _NODE, "node", most=_MAX_MANY)):
        domain, name = _domain(message.text(7)), message.text(4)
        where = f"node {index}, {name if name.isidentifier() else quote(name)}"
        if why := refusal_of(domain, name):
            words = f"operator {quote(name)}" + (f" of the domain {quote(domain)}" if domain else "")
            refusals.append(Refusal(rule="operator", where=where, reason=f"{words}: {why}"))
        if refusals:
            continue
        message.text(3)
        if message.has(10) or message.data(8):
            raise StrangeFileError.of("operator", where, "it names a device or a variant of its own")
        settings, constant = read_settings(message, where)
        node = _Node(where, name, message.texts(1), message.texts(2), settings)
        if name == "Constant":
            if constant is None or node.reads or len(node.writes) != 1:
                raise StrangeFileError.of("tensor", where, "it holds no numbers, or has inputs")
            yield node, replace(constant, name=node.writes[0])
            continue
        _check_inference(node)
        yield node, None
    if refusals:
        raise StrangeFileError(*refusals[:MAX_REFUSALS])


def _in_order(nodes: Sequence[_Node]) -> list[_Node]:
    """Return nodes in the order of the file, but none before what it reads: some writers do not sort them."""
    writers = {each: index for index, node in enumerate(nodes) for each in node.writes if each}
    waits = [{writers[each] for each in node.reads if each in writers} for node in nodes]
    readers: dict[int, list[int]] = {}
    for index, needed in enumerate(waits):
        for each in needed:
            readers.setdefault(each, []).append(index)
    ready = [index for index, needed in enumerate(waits) if not needed]  # sorted, and so a heap
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(nodes[index])
        for reader in readers.get(index, ()):
            waits[reader].discard(index)
            if not waits[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        stuck = next(node for node, needed in zip(nodes, waits, strict=True) if needed)
        raise StrangeFileError.of("graph", stuck.where, "it reads what is computed from its own outputs")
    return order


def _check_inference(node: _Node) -> None:
    """Refuse an operator that answers as in training: by chance, or by the batch that a picture is in."""
    if (node.name == "Dropout" and len(node.reads) > 2) or node.settings.get("training_mode", 0) != 0:
        raise StrangeFileError.of("operator", node.where, "it answers as in training")
    if not any(node.writes):
        raise StrangeFileError.of("graph", node.where, "it computes nothing")
