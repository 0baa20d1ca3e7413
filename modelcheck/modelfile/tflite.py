"""LiteRT files (``.tflite``), read without LiteRT: the graph that one holds, or why it is refused.

LiteRT's own check of a file looks whether its offsets stay within it. What is asked for here is
more: that the file is of the plain kind which a converter writes from one network. Whatever it says
twice must agree, and what another reader could understand differently is refused.

References
----------
TensorFlow, tensorflow/compiler/mlir/lite/schema/schema.fbs, schema version 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelcheck.modelfile.flatbuffer import FlatFile, Table
from modelcheck.modelfile.graph import Graph, Operator, Tensor
from modelcheck.modelfile.order import check_order
from modelcheck.modelfile.refusal import MAX_REFUSALS, Refusal, StrangeFileError, quote
from modelcheck.modelfile.tflite_operators import (
    ACTIVATIONS,
    DEFAULTS,
    LAYOUTS,
    MAX_VERSION,
    OPERATORS,
    OPTIONAL,
    PADDINGS,
    REFUSED,
    Allowed,
)

__all__ = ["IDENTIFIER", "read_tflite"]

IDENTIFIER = b"TFL3"
_SCHEMA = 3
_MAX_MANY = 100_000  # tensors, operators, buffers; the largest networks have some thousands
_MAX_FEW = 4096  # inputs of one operator, kinds of operators, signatures, metadata
_MAX_RANK = 8
_MAX_ELEMENTS = 2**31
_TYPES = {  # the schema's number: numpy's name, bits of one value, range of what is stored
    0: ("float32", 32, None),
    1: ("float16", 16, None),
    2: ("int32", 32, (-(2**31), 2**31 - 1)),
    3: ("uint8", 8, (0, 255)),
    4: ("int64", 64, (-(2**63), 2**63 - 1)),
    6: ("bool", 8, None),
    7: ("int16", 16, (-(2**15), 2**15 - 1)),
    9: ("int8", 8, (-128, 127)),
    10: ("float64", 64, None),
    12: ("uint64", 64, None),
    15: ("uint32", 32, None),
    16: ("uint16", 16, (0, 2**16 - 1)),
    17: ("int4", 4, (-8, 7)),
    18: ("bfloat16", 16, None),
}
# The fields of each table, in the schema's order.
_MODEL = "Iooooooooo"
_CODE = "boii"
_SUBGRAPH = "oooooi"
_TENSOR = "obIoo?oo?oI"
_QUANTISATION = "ooooBoi"
_OPERATOR = "IooBoobooQQBoi"
_BUFFER = "oQQ"
_METADATA = "oI"
_SIGNATURE = "oooxI"
_NAMED_TENSOR = "oI"
_REORDERS = "model_control_dependencies"


def read_tflite(data: bytes | memoryview) -> Graph:
    r"""Read the graph of a LiteRT file, without LiteRT.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file. Constants of the graph are views of it.

    Returns
    -------
    Graph
        Operators are called as in the schema, for example ``CONV_2D``; among their attributes are
        ``activation`` (``""`` for none), ``padding``, ``stride_h`` and ``stride_w`` where they have
        them.

    Raises
    ------
    StrangeFileError
        With the refusals, when it is no LiteRT file, is damaged, or holds anything but one plain
        graph of allowed operators.

    Examples
    --------
    >>> read_tflite(b"\x1c\0\0\0TFL3")
    Traceback (most recent call last):
    modelcheck.modelfile.refusal.StrangeFileError: the model: it lies past the file's end
    """
    file = FlatFile.begin(data, IDENTIFIER)
    model = file.root(_MODEL)
    version = model.whole(0)
    if version != _SCHEMA:
        raise StrangeFileError.of("version", "the model", f"its schema has version {version}; {_SCHEMA} is read")
    model.text(3)
    if model.count(8) or model.count(9):
        raise StrangeFileError.of("external", "the model", "it has constants outside of the file")
    buffers = _buffers(model)
    codes = _operator_codes(model)
    _check_metadata(model, len(buffers))
    subgraphs = model.tables(2, _SUBGRAPH, "subgraph", most=_MAX_FEW)
    if len(subgraphs) != 1:
        raise StrangeFileError.of("graph", "the model", f"it has {len(subgraphs)} subgraphs; one is allowed")
    (subgraph,) = subgraphs
    subgraph.text(4)
    tensors = _tensors(subgraph, buffers)
    inputs = subgraph.numbers(1, "i", most=_MAX_FEW)
    outputs = subgraph.numbers(2, "i", most=_MAX_FEW)
    operators = tuple(
        _operator(table, codes, index)
        for index, table in enumerate(subgraph.tables(3, _OPERATOR, "operator", most=_MAX_MANY))
    )
    check_order(tensors, operators, inputs, outputs)
    _check_signatures(model, inputs, outputs)
    file.check_overlaps()
    return Graph(
        format="litert",
        version=str(version),
        tensors=tensors,
        operators=operators,
        inputs=inputs,
        outputs=outputs,
        output_places=subgraph.vector_places(2, len(outputs)),
    )


def _buffers(model: Table) -> list[memoryview]:
    """Return the bytes of all constants; the first buffer stands for none."""
    buffers = []
    for table in model.tables(4, _BUFFER, "buffer", most=_MAX_MANY):
        if table.whole(1) or table.whole(2):
            raise StrangeFileError.of("external", table.where, "its bytes lie outside of the graph")
        buffers.append(table.data(0))
    if buffers and buffers[0]:
        raise StrangeFileError.of("structure", "buffer 0", "it is not empty")
    return buffers


def _operator_codes(model: Table) -> list[Allowed]:
    """Return what each kind of operator is; all that are not allowed are refused together."""
    allowed, refusals = [], []
    for table in model.tables(1, _CODE, "operator code", most=_MAX_FEW):
        # A number up to 126 stands in both fields, a larger one in the second; old files have the first alone.
        old, new = table.whole(0), table.whole(3)
        custom = table.text(1)
        code = max(old, new)
        if old != min(code, 127) or code < 0:
            raise StrangeFileError.of("operator", table.where, f"it is numbered {old} and {new}: readers would differ")
        version = table.whole(2, 1)
        named = f"number {code}", "it is not known"
        if code in OPERATORS:
            named = OPERATORS[code].name, "a built-in operator has no name of its own"
        name, why = REFUSED.get(code, named)
        if code in OPERATORS and not custom and 1 <= version <= MAX_VERSION:
            allowed.append(OPERATORS[code])
        elif code in OPERATORS and not custom:
            words = f"{OPERATORS[code].name} of version {version} is not known: {MAX_VERSION} is the newest"
            refusals.append(Refusal(rule="operator", where=table.where, reason=words))
        else:
            flex = "a TensorFlow operator (Flex)" if custom.startswith("Flex") else f"operator {name}"
            words = f"{flex} {quote(custom)}" if custom else flex
            refusals.append(Refusal(rule="operator", where=table.where, reason=f"{words}: {why}"))
    if refusals:
        raise StrangeFileError(*refusals[:MAX_REFUSALS])
    return allowed


def _check_metadata(model: Table, buffers: int) -> None:
    """Look at the places of metadata, which are notes for whoever asks for them by name."""
    places = list(model.numbers(5, "i", most=_MAX_FEW))
    for table in model.tables(6, _METADATA, "metadata", most=_MAX_FEW):
        name = table.text(0)
        places.append(table.whole(1))
        if name == _REORDERS:
            raise StrangeFileError.of("graph", table.where, "it orders the operators otherwise than the graph does")
    if any(not 0 <= place < buffers for place in places):
        raise StrangeFileError.of("structure", "metadata", "it names a buffer that is not there")


def _tensors(subgraph: Table, buffers: Sequence[memoryview]) -> tuple[Tensor, ...]:
    tensors = []
    elements = 0
    for table in subgraph.tables(0, _TENSOR, "tensor", most=_MAX_MANY):
        tensor, size = _tensor(table, buffers)
        tensors.append(tensor)
        elements += size
        if elements > _MAX_ELEMENTS:
            raise StrangeFileError.of("size", table.where, f"the tensors have more than {_MAX_ELEMENTS:,} values")
    return tuple(tensors)


def _tensor(table: Table, buffers: Sequence[memoryview]) -> tuple[Tensor, int]:
    """Return a tensor, and how many values it has."""
    name = table.text(3)
    where = f"{table.where} {quote(name)}"
    kind = table.whole(1)
    if kind not in _TYPES:
        raise StrangeFileError.of("tensor", where, f"its type has the number {kind}; numbers and truth values are read")
    dtype, bits, _ = _TYPES[kind]
    if table.whole(5) or table.count(9):
        raise StrangeFileError.of("graph", where, "it is a variable: an answer would depend on those before")
    if table.place(6):
        raise StrangeFileError.of("tensor", where, "it is sparse; whole tensors are read")
    if table.whole(10):
        raise StrangeFileError.of("external", where, "its values lie outside of the file")
    table.number(8)
    shape, fixed = _shape(table, where)
    index = table.whole(2)
    if index >= len(buffers):
        raise StrangeFileError.of("tensor", where, f"it names buffer {index}, and there are {len(buffers)}")
    values = buffers[index] if buffers[index] or (index and 0 in fixed) else None
    if values is not None:
        promised = (math.prod(fixed) * bits + 7) // 8
        if promised != len(values) or shape != fixed:
            words = f"its shape promises {promised:,} bytes and it holds {len(values):,}"
            raise StrangeFileError.of("tensor", where, words if shape == fixed else "a constant has no fixed shape")
    scales, zeros, axis = _quantisation(table, kind, fixed, where)
    tensor = Tensor(name=name, shape=shape, dtype=dtype, scales=scales, zero_points=zeros, axis=axis, values=values)
    return tensor, math.prod(fixed)


def _shape(table: Table, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape with -1 for what is not fixed, and the shape that the file begins with."""
    fixed = table.numbers(0, "i", most=_MAX_RANK)
    signature = table.numbers(7, "i", most=_MAX_RANK)
    # A length of zero is the shape of a scalar, or no axes to reduce: never of more than one axis.
    if any(length < 0 for length in fixed) or (0 in fixed and len(fixed) > 1):
        raise StrangeFileError.of("tensor", where, f"it has the shape {fixed}")
    shape = signature or fixed
    agree = len(shape) == len(fixed) and all(a in (-1, b) for a, b in zip(shape, fixed, strict=True))
    if not agree:
        raise StrangeFileError.of("tensor", where, f"it has the shape {fixed}, and by its signature {signature}")
    return shape, fixed


def _quantisation(
    table: Table, kind: int, shape: tuple[int, ...], where: str
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    """Return scales, zero points and their axis; empty and 0 where a tensor is not quantised."""
    inner = table.table(4, _QUANTISATION, where)
    if inner is None:
        return (), (), 0
    if inner.whole(4) or inner.place(5):
        raise StrangeFileError.of("tensor", where, "it is quantised in blocks or in a way of its own")
    axis = inner.whole(6)
    most = max(shape, default=1)
    for slot in (0, 1):  # the range that calibration saw, which no runtime reads
        inner.numbers(slot, "f", most=max(most, 1))
    scales = inner.numbers(2, "f", most=max(most, 1))
    zeros = inner.numbers(3, "q", most=max(most, 1)) or (0,) * len(scales)
    if not scales and not any(zeros):
        return (), (), 0
    bounds = _TYPES[kind][2]
    if bounds is None:
        raise StrangeFileError.of("tensor", where, "it has scales, and its values are not whole numbers")
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise StrangeFileError.of("tensor", where, "it has a scale that is not finite and positive")
    if len(zeros) != len(scales) or not all(bounds[0] <= zero <= bounds[1] for zero in zeros):
        raise StrangeFileError.of("tensor", where, "it has zero points outside of its type, or not one for each scale")
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise StrangeFileError.of("tensor", where, f"it has {len(scales)} scales along axis {axis} of {shape}")
    return scales, zeros, axis if len(scales) > 1 else 0


def _operator(table: Table, codes: Sequence[Allowed], index: int) -> Operator:
    code = table.whole(0)
    if code >= len(codes):
        raise StrangeFileError.of("operator", table.where, f"it is of kind {code}, and there are {len(codes)}")
    allowed = codes[code]
    where = f"operator {index}, {allowed.name}"
    if table.count(5) or table.count(8) or table.whole(9) or table.whole(10) or table.whole(11) or table.place(12):
        raise StrangeFileError.of("operator", where, "it has settings or tensors of a kind that it does not take")
    if any(table.numbers(7, "?", most=_MAX_FEW)):
        raise StrangeFileError.of("graph", where, "it changes its inputs")
    inputs = table.numbers(1, "i", most=_MAX_FEW)
    outputs = table.numbers(2, "i", most=_MAX_FEW)
    if -1 in outputs or any(
        place == -1 and number != OPTIONAL.get(allowed.name) for number, place in enumerate(inputs)
    ):
        raise StrangeFileError.of("operator", where, "it lacks an input or an output that it needs")
    kind = table.whole(3)
    if kind not in (0, allowed.options) or (kind == 0) != (not table.place(4)):
        raise StrangeFileError.of("setting", where, f"its settings are of kind {kind}; expected {allowed.options}")
    layout = "".join(LAYOUTS[form] for _, form in allowed.settings)
    return Operator(
        name=allowed.name, inputs=inputs, outputs=outputs, attributes=_settings(table, layout, allowed, where)
    )


def _settings(table: Table, layout: str, allowed: Allowed, where: str) -> dict[str, object]:
    options = table.table(4, layout, where)
    if options is None:
        if any(form == "positive" for _, form in allowed.settings):
            raise StrangeFileError.of("setting", where, "it has no settings")
        return {}
    settings: dict[str, object] = {}
    for slot, (name, form) in enumerate(allowed.settings):
        if form == "-":
            continue
        if form == "ints":
            settings[name] = options.numbers(slot, "i", most=_MAX_RANK)
            continue
        value = options.number(slot, DEFAULTS.get(name, 0))
        named = {"activation": ACTIVATIONS, "padding": PADDINGS}.get(form)
        if named is not None and not 0 <= value < len(named):
            raise StrangeFileError.of("setting", where, f"its {name} has the number {value}")
        if (form == "positive" and not 0 < value < _MAX_ELEMENTS) or (form == "float" and not math.isfinite(value)):
            raise StrangeFileError.of("setting", where, f"its {name} is {value}")
        settings[name] = named[int(value)] if named is not None else bool(value) if form == "bool" else value
    return settings


def _check_signatures(model: Table, inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Refuse a signature that names anything but inputs and outputs of the graph."""
    for table in model.tables(7, _SIGNATURE, "signature", most=_MAX_FEW):
        table.text(2)
        named = [
            [(entry.text(0), entry.whole(1)) for entry in table.tables(slot, _NAMED_TENSOR, table.where, most=_MAX_FEW)]
            for slot in (0, 1)
        ]
        strange = table.whole(4) != 0 or any(
            index not in known for entries, known in zip(named, (inputs, outputs), strict=True) for _, index in entries
        )
        if strange:
            raise StrangeFileError.of(
                "graph", table.where, "it names tensors that are no inputs or outputs of the graph"
            )
