"""Who writes and who reads each tensor of a graph, and where its class scores are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelcheck.modelfile.graph import Graph, Operator, Tensor
from modelcheck.runtimes.storing import Span, find_span, read_constant, restore

__all__ = ["Scores", "Wiring", "find_scores"]

# Names as LiteRT and as ONNX have them.
_SOFTENING = {
    "SOFTMAX": "softmax",
    "Softmax": "softmax",
    "LOG_SOFTMAX": "log_softmax",
    "LogSoftmax": "log_softmax",
    "LOGISTIC": "sigmoid",
    "Sigmoid": "sigmoid",
}
_DEQUANTISING = {"DEQUANTIZE", "DequantizeLinear"}
_QUANTISING = {"QUANTIZE", "QuantizeLinear"}
_COPYING = {"Cast", "Identity"}
_RESHAPING = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}
_BEHIND_SCORES = _DEQUANTISING | _QUANTISING | _COPYING | _RESHAPING
# What keeps outputs a mix of the probabilities of several heads.
_MIXING = _BEHIND_SCORES | {"ADD", "ADD_N", "MUL", "DIV", "MEAN", "CONCATENATION", "PACK", "MAXIMUM", "MINIMUM"}
_MIXING |= {"Add", "Sum", "Mul", "Div", "Mean", "ReduceMean", "Concat", "Max", "Min"}


@dataclass(frozen=True, eq=False)
class Wiring:
    """A graph, with who writes and who reads each tensor.

    Parameters
    ----------
    graph : Graph
        What a file holds.
    """

    graph: Graph

    @cached_property
    def writers(self) -> dict[int, Operator]:
        """The operator that writes a tensor, by its position."""
        return {output: operator for operator in self.graph.operators for output in operator.outputs}

    @cached_property
    def readers(self) -> dict[int, list[Operator]]:
        """The operators that read a tensor, by its position, in order; the graph's own outputs are not among them."""
        found: dict[int, list[Operator]] = {}
        for operator in self.graph.operators:
            for source in dict.fromkeys(operator.inputs):
                found.setdefault(source, []).append(operator)
        return found

    def tensor(self, position: int) -> Tensor:
        """Return the tensor of a position."""
        return self.graph.tensors[position]

    def read_alone(self, position: int) -> Operator | None:
        """Return the operator that alone reads a tensor, which is no output of the graph either."""
        readers = self.readers.get(position, [])
        return readers[0] if len(readers) == 1 and position not in self.graph.outputs else None

    def rounded(self, position: int) -> Tensor:
        """Return what an input is rounded to before anything else reads it; itself where it is not rounded."""
        at = position
        while (reader := self.read_alone(at)) is not None:
            at = reader.outputs[0]
            if reader.name in _QUANTISING:
                return self.tensor(at)
            if reader.name not in _RESHAPING | {"TRANSPOSE", "Transpose"}:
                break
        return self.tensor(position)

    def needed(self, position: int) -> list[Operator]:
        """Return the operators, in order, that must run before a tensor is known."""
        wanted, found = {position}, []
        for operator in reversed(self.graph.operators):
            if wanted & set(operator.outputs):
                wanted |= set(operator.inputs)
                found.append(operator)
        return found[::-1]

    def constant(self, position: int) -> int | None:
        """Return the position of the constant that a tensor holds or is restored from; None where it is computed."""
        while position >= 0 and self.tensor(position).values is None:
            writer = self.writers.get(position)
            if writer is None or writer.name not in _DEQUANTISING | _COPYING:
                return None
            position = writer.inputs[0]
        return position if position >= 0 else None

    def read_real(self, position: int) -> np.ndarray | None:
        """Return the real numbers, float32, of a constant or of what is restored from one; else None."""
        tensor = self.tensor(position)
        if tensor.values is not None:
            return restore(tensor, read_constant(tensor))
        writer = self.writers.get(position)
        if writer is None or writer.name not in _DEQUANTISING | _COPYING:
            return None
        return self.read_real(writer.inputs[0])

    def span(self, position: int) -> Span | None:
        """Return what a tensor can hold where it is of whole numbers, or restored from some; None for floats."""
        writer = self.writers.get(position)
        if writer is not None and writer.name in _DEQUANTISING | _RESHAPING | _COPYING:
            return self.span(writer.inputs[0])
        return find_span(self.tensor(position))


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Where in a graph the class scores of one of its outputs are.

    Parameters
    ----------
    position : int
        The tensor that is read.
    softening : str
        ``softmax``, ``log_softmax`` or ``sigmoid`` between it and the output; empty where there is
        none.
    factor : float
        What scores are multiplied by before the softmax.
    mixes : str
        ``softmax`` or ``sigmoid`` where the output mixes what several of these give; else empty.
    """

    position: int
    softening: str = ""
    factor: float = 1.0
    mixes: str = ""


def find_scores(wiring: Wiring, output: int) -> Scores:
    """Return where the scores before a final softmax or sigmoid are; the output itself where there is neither.

    Parameters
    ----------
    wiring : Wiring
        The graph.
    output : int
        The position of the output that is judged.
    """
    position = output
    while (writer := wiring.writers.get(position)) is not None:
        if writer.name in _SOFTENING:
            factor = float(writer.attributes.get("beta", 1.0)) if writer.name == "SOFTMAX" else 1.0
            return Scores(position=writer.inputs[0], softening=_SOFTENING[writer.name], factor=factor)
        if writer.name not in _BEHIND_SCORES:
            break
        position = writer.inputs[0]
    kinds = set(_find_mixed(wiring, output))
    return Scores(position=output, mixes=kinds.pop() if len(kinds) == 1 else "")


def _find_mixed(wiring: Wiring, output: int) -> Iterator[str]:
    """Yield what each head gives whose outputs are mixed; an empty word for what is no probability."""
    todo, seen = [output], set[int]()
    while todo:
        position = todo.pop()
        if position < 0 or position in seen or wiring.constant(position) is not None:
            continue
        seen.add(position)
        writer = wiring.writers.get(position)
        if writer is not None and writer.name in _MIXING:
            todo += writer.inputs
        else:
            word = "" if writer is None else _SOFTENING.get(writer.name, "")
            yield word if word in ("softmax", "sigmoid") else ""
