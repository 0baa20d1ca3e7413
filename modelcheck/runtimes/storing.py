"""Real numbers and the stored values that stand for them: whole numbers by scale and zero point, half floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.modelfile.graph import Tensor
from modelcheck.runtimes.classifier import NetworkError

__all__ = ["Span", "find_span", "read_constant", "restore", "store"]

_INTEGERS = {"int4": (-8, 7), "uint4": (0, 15)}


@dataclass(frozen=True)
class Span:
    """What a type of whole numbers can hold: the first and the last real number, and the step between two."""

    low: float
    high: float
    step: float


def find_span(tensor: Tensor) -> Span | None:
    """Return what a tensor of whole numbers can hold; None for floats."""
    if tensor.dtype in _INTEGERS:
        first, last = _INTEGERS[tensor.dtype]
    elif tensor.dtype.startswith(("int", "uint")):
        info = np.iinfo(tensor.dtype)
        first, last = int(info.min), int(info.max)
    else:
        return None
    scale, zero = (tensor.scales[0], tensor.zero_points[0]) if tensor.scales else (1.0, 0)
    return Span(scale * (first - zero), scale * (last - zero), scale)


def store(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    """Return real numbers as a tensor stores them: rounded half to even, and clipped to what its type can hold.

    Examples
    --------
    >>> store(Tensor(name="a", shape=(4,), dtype="uint8", scales=(0.5,), zero_points=(10,)), np.array([0.0, 0.75, -9]))
    array([10, 12,  0], dtype=uint8)
    """
    if tensor.dtype == "bool":
        return np.asarray(values) != 0
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return np.asarray(values, dtype)
    scale, zero = (tensor.scales[0], tensor.zero_points[0]) if tensor.scales else (1.0, 0)
    info = np.iinfo(dtype)
    stored = np.rint(np.asarray(values, np.float64) / scale) + zero
    return np.clip(stored, float(info.min), float(info.max)).astype(dtype)


def restore(tensor: Tensor, stored: np.ndarray) -> np.ndarray:
    """Return the real numbers, float32, that stored values stand for.

    Examples
    --------
    >>> restore(Tensor(name="a", shape=(2,), dtype="int8", scales=(0.5,), zero_points=(-2,)), np.array([0, 1], np.int8))
    array([1. , 1.5], dtype=float32)
    """
    if not tensor.scales:
        return np.asarray(stored, np.float32)
    scales = np.array(tensor.scales, np.float64)
    zeros = np.array(tensor.zero_points or [0] * len(scales), np.float64)
    if len(scales) > 1:
        lengths = [1] * stored.ndim
        lengths[tensor.axis] = len(scales)
        scales, zeros = scales.reshape(lengths), zeros.reshape(lengths)
    return ((stored.astype(np.float64) - zeros) * scales).astype(np.float32)


def read_constant(tensor: Tensor) -> np.ndarray:
    """Return the stored values of a constant, in its shape; `restore` makes real numbers of them."""
    if tensor.values is None:
        raise NetworkError(f"The tensor {tensor.name!r} is computed: it has no value of its own.")
    data = bytes(tensor.values)
    if tensor.dtype in _INTEGERS:  # two to a byte, the first in its lower half
        halves = np.frombuffer(data, np.uint8)
        values = np.stack([halves & 15, halves >> 4], axis=1).ravel()[: int(np.prod(tensor.shape))].astype(np.int8)
        return (values - 16 * (values > 7) if tensor.dtype == "int4" else values).reshape(tensor.shape)
    if tensor.dtype == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
    return np.frombuffer(data, np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)
