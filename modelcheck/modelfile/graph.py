"""What a file that ships holds, whatever its format: tensors, and the operators that read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Graph", "Operator", "Tensor"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """One value of a graph: an input, a constant, or what an operator writes.

    Parameters
    ----------
    name : str
        What the file calls it.
    shape : tuple of int
        Its lengths; -1 for one that is not fixed, empty where none is known.
    dtype : str
        numpy's name of its type, for example ``float32`` or ``int8``; ``int4`` and ``bfloat16`` are
        called so although numpy has neither.
    scales, zero_points : tuple
        Of a quantised tensor, one of each, or one for each index along `axis`: a value is
        ``scale * (stored - zero_point)``. Empty where it is not quantised.
    axis : int
        The axis along which scales differ.
    values : memoryview or None
        The bytes of a constant, row by row and little-endian; None for what is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    values: memoryview | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """One operation of a graph.

    Parameters
    ----------
    name : str
        Its name in its format, for example ``CONV_2D`` (LiteRT) or ``Conv`` (ONNX).
    inputs, outputs : tuple of int
        Positions of tensors; -1 for an optional one that is left out.
    attributes : mapping
        Of its settings those that are read: numbers, text, and tuples of numbers.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """The computation that a file holds, operators in the order in which they run.

    Parameters
    ----------
    format : {'litert', 'onnx'}
        What kind of file it is.
    version : str
        Of the format: the schema's version, or the operator set's.
    tensors : tuple of Tensor
        All values.
    operators : tuple of Operator
        What computes them.
    inputs, outputs : tuple of int
        Positions of the tensors that are given and that are answered.
    output_places : tuple of int
        Where in a LiteRT file the positions in `outputs` are written, four bytes each: to answer
        another tensor, write its position there. Empty for ONNX.
    """

    format: Literal["litert", "onnx"]
    version: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_places: tuple[int, ...] = ()
