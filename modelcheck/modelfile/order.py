"""The order of a graph: each value is there before it is read, and is written once."""

from __future__ import annotations

from collections.abc import Sequence

from modelcheck.modelfile.graph import Operator, Tensor
from modelcheck.modelfile.refusal import StrangeFileError, quote

__all__ = ["check_order"]

_Step = tuple[str, Sequence[int], Sequence[int]]


def check_order(
    tensors: Sequence[Tensor], operators: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    """Hold each tensor to be given, constant, or written once by one operator, and that before it is read.

    Parameters
    ----------
    tensors : sequence of Tensor
        All values; those with bytes are constants.
    operators : sequence of Operator
        What computes the others, in the order in which they run.
    inputs, outputs : sequence of int
        Positions of the tensors that are given and that are answered.

    Raises
    ------
    StrangeFileError
        When an operator reads or writes another tensor, or nothing goes in or comes out.
    """
    if not inputs or not outputs:
        raise StrangeFileError.of("graph", "the graph", "it has no inputs or no outputs")
    known = {index for index, tensor in enumerate(tensors) if tensor.values is not None}
    steps: list[_Step] = [("the graph's inputs", (), inputs)]
    # An operator's input or output that is left out is -1; which may be, depends on the format.
    steps += [
        (f"operator {index}, {step.name}", _given(step.inputs), _given(step.outputs))
        for index, step in enumerate(operators)
    ]
    for where, read, written in [*steps, ("the graph's outputs", outputs, ())]:
        for index in (*read, *written):
            if not 0 <= index < len(tensors):
                raise StrangeFileError.of("graph", where, f"it names tensor {index}, and there are {len(tensors)}")
        for index in read:
            if index not in known:
                name = quote(tensors[index].name)
                raise StrangeFileError.of("graph", where, f"it reads tensor {index}, {name}, before it is computed")
        for index in written:
            if index in known:
                name = quote(tensors[index].name)
                raise StrangeFileError.of("graph", where, f"it writes tensor {index}, {name}, which is there before")
            known.add(index)


def _given(places: Sequence[int]) -> list[int]:
    return [place for place in places if place != -1]
