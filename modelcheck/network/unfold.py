"""Unfold a Keras network into steps: nested networks are walked, each layer hands its steps over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from modelcheck.network.calling import make_run
from modelcheck.network.kinds import StepKind
from modelcheck.network.layers import append_steps
from modelcheck.network.steps import Network, NetworkError, Step
from modelcheck.network.tracing import as_functional, trace

__all__ = ["end_network", "find_graph", "flatten", "unfold"]

# Activations that turn class scores into probabilities; the scores before them are read.
_SOFTENING = ("softmax", "sigmoid", "log_softmax")
# Activations that may follow a single score, whose sign means one of two classes.
_TWO_SIDED = ("sigmoid", "tanh", "softsign")


def flatten(model: Any, *, size: tuple[int, int] | None = None) -> Network:
    """Unfold a Keras network into steps.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, nested or not, with one picture input and one output of class
        scores; or subclassed, where its ``call`` can be traced.
    size : tuple of int, optional
        Rows and columns of the pictures, for a network that leaves them open.

    Returns
    -------
    Network

    Raises
    ------
    NetworkError
        When the network is subclassed and cannot be traced, has several inputs or outputs, or takes
        something else than pictures.

    Notes
    -----
    A network that takes pictures of grey without an axis for channels, ``(batch, height, width)``,
    is read as one of a single channel.

    Examples
    --------
    >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    >>> flatten(keras.Sequential(layers)).n_classes
    3
    """
    graph = find_graph(model)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise NetworkError(
            f"{model.name!r} has {_count(graph.inputs, 'input')} and {_count(graph.outputs, 'output')}; modelcheck "
            "takes networks with one picture input and one output of class scores. An Interface says which they are."
        )
    entry = graph.inputs[0]
    if len(entry.shape) not in (3, 4):
        raise NetworkError(
            f"The input layer {entry.name!r} of {model.name!r} takes shape {tuple(entry.shape)}; modelcheck "
            "takes pictures, (batch, height, width, channels)."
        )
    if size is not None and None in entry.shape[1:3]:
        graph = trace(graph, [(*size, *entry.shape[3:])])
        entry = graph.inputs[0]
    shape = tuple(entry.shape[1:])
    grey = len(shape) == 2  # no axis for channels
    steps = [Step(entry.name, StepKind.INPUT, (), (*shape, 1) if grey else shape, lambda values: values[0])]
    if grey:
        steps.append(Step(entry.name, StepKind.FLATTEN, (0,), shape, make_run(lambda value: value[..., 0])))
    return end_network(model, steps, unfold(graph, {id(entry): len(steps) - 1}, steps)[0])


def end_network(model: Any, steps: Sequence[Step], last: int) -> Network:
    """Return the network of some steps that ends in one of them, and where in it the class scores are.

    Raises
    ------
    NetworkError
        When that step is none of a classifier's.
    """
    shape = steps[last].shape
    if len(shape) != 1 or shape[0] is None:
        raise NetworkError(
            f"The output layer {steps[last].name!r} of {model.name!r} has shape {shape}; modelcheck takes "
            "classifiers, whose output is (batch, classes)."
        )
    final = steps[last]
    while final.kind == StepKind.IDENTITY:  # a last cast to float32, as mixed precision asks for
        final = steps[final.inputs[0]]
    softened = final.kind == StepKind.ACTIVATION and final.activation in _SOFTENING
    if shape[0] == 1 and final.kind == StepKind.ACTIVATION and final.activation not in _TWO_SIDED:
        raise NetworkError(
            f"The output layer {final.name!r} of {model.name!r} has one output after {final.activation!r}, which has "
            "no side for the first class. Use sigmoid, no activation, or one output for each class."
        )
    return Network(model, tuple(steps[: last + 1]), final.inputs[0] if softened else last, int(shape[0]))


def _count(tensors: list[Any], what: str) -> str:
    return f"one {what}" if len(tensors) == 1 else f"{len(tensors)} {what}s"


def find_graph(model: Any) -> Any:
    """Return the object that holds the graph: a functional network, the one inside a Sequential, or a traced one."""
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise NetworkError(f"{model.name!r} is not built: give it a keras.Input as its first layer.")
        return model._functional
    return as_functional(model)


def _at_size(graph: Any, shapes: list[tuple[int | None, ...]]) -> Any:
    """Return an inner network's graph at the size at which it is used, where its own inputs leave it open."""
    left_open = any(None in entry.shape[1:] for entry in graph.inputs)
    known = not any(None in shape for shape in shapes)
    return trace(graph, shapes) if left_open and known else graph


def unfold(graph: Any, known: dict[int, int], steps: list[Step], *, prefix: str = "") -> list[int]:
    """Append the graph's steps and return the positions of its outputs; `known` maps tensors to steps."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            sources = [known[id(tensor)] for tensor in node.input_tensors]
            layer = node.operation
            name = prefix + layer.name
            if isinstance(layer, keras.Model):
                inner = _at_size(find_graph(layer), [steps[place].shape for place in sources])
                entries = {id(tensor): place for tensor, place in zip(inner.inputs, sources, strict=True)}
                places = unfold(inner, entries, steps, prefix=f"{name}/")
            else:
                append_steps(steps, node, name, sources)
                places = [len(steps) - 1] * len(node.output_tensors)
            for tensor, place in zip(node.output_tensors, places, strict=True):
                known[id(tensor)] = place
    return [known[id(tensor)] for tensor in graph.outputs]
