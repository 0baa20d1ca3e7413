"""How exactly a file that ships computes, in words, and what its weights weigh."""

from __future__ import annotations

from collections import Counter

from modelcheck.modelfile.graph import Graph

__all__ = ["count_weight_bytes", "describe_precision"]

_FLOATS = ("float64", "float32")
_HALVES = ("float16", "bfloat16")
# Whole numbers that weights are stored in; wider ones are shapes, axes and quantised biases.
_SMALL = ("int2", "int4", "uint4", "int8", "uint8", "int16", "uint16")
_CHANGES = ("QUANTIZE", "DEQUANTIZE", "CAST")
_DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")


def describe_precision(graph: Graph) -> str:
    """Say in which numbers a graph keeps its weights, and in which it computes.

    Parameters
    ----------
    graph : Graph
        As `read_tflite` or `read_onnx` returns it.

    Returns
    -------
    str
        ``float32``, ``float16``, ``int8`` where weights and values between are such; ``float16
        weights``, ``int8 weights`` where they are made floats of before they are used; ``int8
        weights (dynamic range)`` where what goes into an operator is rounded when it runs; ``int8
        weights, int16 values`` where the two differ; empty where there are no weights.
    """
    sizes: Counter[str] = Counter()
    for tensor in graph.tensors:
        if tensor.values is not None and tensor.dtype in (*_FLOATS, *_HALVES, *_SMALL):
            sizes[tensor.dtype] += len(tensor.values)
    if not sizes:
        return ""
    weights = sizes.most_common(1)[0][0]
    if weights in _FLOATS:
        return weights
    values = _computed_type(graph)
    if values == weights or (graph.format == "onnx" and values in _SMALL and weights in _SMALL):
        return weights
    if values in _SMALL or values in _HALVES:
        return f"{weights} weights, {values} values"
    if weights in _HALVES or not _is_dynamic(graph, weights):
        return f"{weights} weights"
    return f"{weights} weights (dynamic range)"


def _computed_type(graph: Graph) -> str:
    """Return the type of most values that are computed, those aside that only change a type."""
    if graph.format == "onnx":
        return _computed_onnx_type(graph)
    counts = Counter(
        graph.tensors[index].dtype
        for operator in graph.operators
        if operator.name not in _CHANGES
        for index in operator.outputs
    )
    return counts.most_common(1)[0][0] if counts else ""


def _computed_onnx_type(graph: Graph) -> str:
    """Return the type between, of which an ONNX file need not speak: QuantizeLinear and its like say it."""
    names = {operator.name for operator in graph.operators}
    if names & {"QuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm"}:
        return "int8"
    if names & set(_DYNAMIC) or "DequantizeLinear" in names:
        return "float32"
    constants = {tensor.dtype for tensor in graph.tensors if tensor.values is not None}
    return next((half for half in _HALVES if half in constants), "float32")


def _is_dynamic(graph: Graph, weights: str) -> bool:
    """Say whether an operator takes small weights as they are, and not what was made of them."""
    if graph.format == "onnx":
        return bool({operator.name for operator in graph.operators} & set(_DYNAMIC))
    return any(
        graph.tensors[index].values is not None and graph.tensors[index].dtype == weights
        for operator in graph.operators
        if operator.name not in _CHANGES
        for index in operator.inputs
        if index >= 0
    )


def count_weight_bytes(graph: Graph) -> int:
    """Return how many bytes the constants of a graph have; those that share theirs count once."""
    return sum({id(each.values): len(each.values) for each in graph.tensors if each.values is not None}.values())
