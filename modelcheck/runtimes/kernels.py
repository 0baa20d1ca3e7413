"""The weights of a file's convolutions and dense layers, as Keras has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelcheck.modelfile.graph import Operator
from modelcheck.runtimes.wiring import Wiring
from modelcheck.units import LayerKind

__all__ = ["Weights", "count_parameters", "describe_precision", "find_weights", "read_kernel"]

# By operator: where its picture, its kernel and its bias stand among the inputs, and the kernel's
# axes in Keras' order.
_PLACES = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
    "FULLY_CONNECTED": (0, 1, 2),
    "Conv": (0, 1, 2),
    "ConvTranspose": (0, 1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1, None),
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3, None),
}
_DENSE = {"FULLY_CONNECTED", "Gemm", "MatMul", "QLinearMatMul"}
_COARSEST = ("int4", "int8", "uint8", "int16", "uint16", "bfloat16", "float16", "float32", "float64")


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """What one layer has learned.

    Parameters
    ----------
    operator : Operator
        The layer's first call.
    kind : LayerKind
        Whether it is a convolution or a dense layer.
    data, kernel : int
        The tensors that the operator reads as its input and as its kernel.
    constant : int
        The constant that the kernel is, or is restored from.
    bias : int or None
        The constant that is added.
    depthwise : bool
        Whether each unit reads one channel alone.
    n_units : int
        How many units it has.
    """

    operator: Operator
    kind: LayerKind
    data: int
    kernel: int
    constant: int
    bias: int | None
    depthwise: bool
    n_units: int


def find_weights(wiring: Wiring) -> list[Weights]:
    """Return the weights of all layers in the order in which they run; a layer that is called twice is one."""
    found: dict[int, Weights] = {}
    for operator in wiring.graph.operators:
        weights = _find_weights_of(wiring, operator)
        if weights is not None:
            found.setdefault(weights.constant, weights)
    return list(found.values())


def _find_weights_of(wiring: Wiring, operator: Operator) -> Weights | None:
    places = _PLACES.get(operator.name)
    if places is None:
        return None
    data, kernel, bias = (None if at is None or at >= len(operator.inputs) else operator.inputs[at] for at in places)
    constant = None if kernel is None else wiring.constant(kernel)
    if data is None or kernel is None or constant is None:
        return None
    lengths = wiring.tensor(constant).shape
    dense = operator.name in _DENSE
    if len(lengths) != 2 if dense else len(lengths) not in (3, 4):
        return None
    groups = int(operator.attributes.get("group", 1))
    depthwise = operator.name in ("Conv", "QLinearConv") and groups > 1 and lengths[1] == 1
    depthwise |= operator.name == "DEPTHWISE_CONV_2D"
    units = {
        "DEPTHWISE_CONV_2D": lengths[-1],
        "ConvTranspose": lengths[1] * groups,
        "MatMul": lengths[-1],
        "QLinearMatMul": lengths[-1],
        "Gemm": lengths[0 if operator.attributes.get("transB") else 1],
    }.get(operator.name, lengths[0])
    return Weights(
        operator=operator,
        kind=LayerKind.DENSE if dense else LayerKind.CONV,
        data=data,
        kernel=kernel,
        constant=constant,
        bias=None if bias is None or bias < 0 else wiring.constant(bias),
        depthwise=depthwise,
        n_units=units,
    )


def read_kernel(wiring: Wiring, weights: Weights) -> np.ndarray:
    """Return a kernel in real numbers, with its axes as Keras has them.

    Returns
    -------
    np.ndarray
        float32: ``(h, w, in, out)`` of a convolution, ``(h, w, in, multiplier)`` of a depthwise one,
        ``(h, w, out, in)`` of a transposed one, ``(in, out)`` of a dense layer.
    """
    values, name = wiring.read_real(weights.kernel), weights.operator.name
    if values is None:
        raise ValueError(f"the kernel {wiring.tensor(weights.kernel).name!r} is no constant")
    if name == "DEPTHWISE_CONV_2D":  # 1, h, w, in * multiplier
        multiplier = int(weights.operator.attributes.get("depth_multiplier", 1)) or 1
        return values.reshape(*values.shape[1:3], -1, multiplier)
    if name in ("Conv", "ConvTranspose", "QLinearConv"):
        if weights.depthwise:  # in * multiplier, 1, h, w
            groups = int(weights.operator.attributes["group"])
            return np.moveaxis(values.reshape(groups, -1, *values.shape[2:]), (0, 1), (-2, -1))
        return np.moveaxis(values, (0, 1), (-1, -2))
    if name in ("CONV_2D", "TRANSPOSE_CONV"):  # out, h, w, in
        return values.transpose(1, 2, 3, 0) if name == "CONV_2D" else values.transpose(1, 2, 0, 3)
    stored_by_unit = name == "FULLY_CONNECTED" or (name == "Gemm" and bool(weights.operator.attributes.get("transB")))
    return values.T if stored_by_unit else values


def count_parameters(wiring: Wiring) -> int:
    """Return how many weights and biases all convolutions and dense layers have."""
    count = 0
    for weights in find_weights(wiring):
        count += math.prod(wiring.tensor(weights.constant).shape)
        bias = weights.bias
        if bias is None and weights.operator.name == "MatMul":
            bias = _find_bias_behind(wiring, weights)
        count += 0 if bias is None else math.prod(wiring.tensor(bias).shape)
    return count


def _find_bias_behind(wiring: Wiring, weights: Weights) -> int | None:
    reader = wiring.read_alone(weights.operator.outputs[0])
    if reader is None or reader.name != "Add":
        return None
    constants = [at for at in map(wiring.constant, reader.inputs) if at is not None]
    return constants[0] if constants and wiring.tensor(constants[0]).shape == (weights.n_units,) else None


def describe_precision(wiring: Wiring) -> str:
    """Return in what numbers a file computes, in words, for example ``int8``, or ``int8 weights`` alone."""
    layers = find_weights(wiring)
    stored = {wiring.tensor(weights.constant).dtype for weights in layers}
    if not stored:
        return "unknown"
    kept = min(stored, key=lambda dtype: _COARSEST.index(dtype) if dtype in _COARSEST else len(_COARSEST))
    read = [_find_activation_type(wiring, weights.data) for weights in layers]
    whole = [dtype for dtype in read if "int" in dtype]
    if not whole:
        return kept if set(read) == {kept} else f"{kept} weights"
    if len(whole) < len(read):
        return f"{kept} in part"
    coarse = {dtype.removeprefix("u") for dtype in whole}
    return kept if coarse == {kept.removeprefix("u")} else f"{kept} weights, {'/'.join(sorted(coarse))} activations"


def _find_activation_type(wiring: Wiring, position: int) -> str:
    writer = wiring.writers.get(position)
    if writer is not None and writer.name == "DequantizeLinear":
        return wiring.tensor(writer.inputs[0]).dtype or "uint8"
    return wiring.tensor(position).dtype or "float32"
