"""Which layer of a network does otherwise in Keras than the steps it is unfolded into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.kinds import StepKind
from modelcheck.network.layers import append_steps
from modelcheck.network.steps import Step
from modelcheck.network.unfold import find_graph

__all__ = ["coarsest_dtype", "find_differing_layer"]

Tensor = Any  # tensorflow ships no types


def coarsest_dtype(model: Any) -> str:
    """Return the coarsest floating-point dtype that a network computes in: ``float32``, ``float16`` or ``bfloat16``.

    Parameters
    ----------
    model : keras.Model
        The network; its inputs, layers and the tensors between them count.

    Examples
    --------
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(dtype="float16"), keras.layers.Dense(2)]
    >>> coarsest_dtype(keras.Sequential(layers))
    'float16'
    """
    kinds = {str(getattr(layer, "compute_dtype", None)) for layer in model._flatten_layers()}
    kinds |= {str(tensor.dtype) for node in _list_nodes(find_graph(model)) for tensor in node.output_tensors}
    return next((kind for kind in ("bfloat16", "float16") if kind in kinds), "float32")


def find_differing_layer(model: Any, images: np.ndarray, *, training: bool | None, share: float) -> str:
    """Name the first layer that, given what Keras gives it, does otherwise in Keras than its own steps.

    Parameters
    ----------
    model : keras.Model
        The network.
    images : np.ndarray
        ``(n, h, w, c)`` pictures on which the network differs.
    training : bool, optional
        How Keras is called.
    share : float
        By how much a value may differ, as a share of the layer's largest.

    Returns
    -------
    str
        The layer's path and what is special about it; empty where no layer differs by itself.
    """
    return _search(find_graph(model), [tf.constant(images)], training=training, share=share, prefix="")


def _list_nodes(graph: Any) -> Iterator[Any]:
    """Yield the calls of layers in a graph and in the networks nested in it, in order."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            yield node
            if isinstance(node.operation, keras.Model):
                yield from _list_nodes(find_graph(node.operation))


def _search(graph: Any, values: Sequence[Tensor], *, training: bool | None, share: float, prefix: str) -> str:
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    tensors = [tensor for node in nodes for tensor in node.output_tensors]
    shown = keras.Model(graph.inputs, tensors)(list(values) if len(values) > 1 else values[0], training=training)
    known = {id(tensor): value for tensor, value in zip(tensors, shown if len(tensors) > 1 else [shown], strict=True)}
    for entry, value in zip(graph.inputs, values, strict=True):
        if _differs(known[id(entry)], value, share):
            return f"the input {prefix + entry.name!r}, which takes {entry.dtype}"
    for node in nodes:
        if node.is_input:
            continue
        layer, name = node.operation, prefix + node.operation.name
        given = [known[id(tensor)] for tensor in node.input_tensors]
        called = node.arguments.kwargs.get("training") if training is None else training
        if isinstance(layer, keras.Model):
            found = _search(find_graph(layer), given, training=called, share=share, prefix=f"{name}/")
            if found:
                return found
            continue
        theirs = known[id(node.output_tensors[0])]
        if _differs(theirs, _run_steps(node, name, given), share):
            return f"layer {name!r}{_describe_call(layer, called)}"
        if _differs(theirs[:1], _run_steps(node, name, [value[:1] for value in given]), share):
            return f"layer {name!r}, whose answer to one picture depends on the others of a batch"
    return ""


def _run_steps(node: Any, name: str, given: Sequence[Tensor]) -> Tensor:
    """Return what a layer's own steps make of what Keras gives the layer."""
    values = [tf.cast(value, tf.float32) for value in given]
    steps = [Step("", StepKind.INPUT, (), tuple(value.shape[1:]), lambda inputs: inputs[0]) for value in values]
    append_steps(steps, node, name, list(range(len(values))))
    for step in steps[len(given) :]:
        values.append(step.run([values[source] for source in step.inputs]))
    return values[-1]


def _differs(theirs: Tensor, ours: Tensor, share: float) -> bool:
    one, other = (tf.cast(value, tf.float64).numpy() for value in (theirs, ours))
    if one.shape != other.shape:
        return True
    return not (np.abs(one - other) <= share * np.abs(other).max(initial=0.0)).all()  # NaN differs


def _describe_call(layer: Any, called: Any) -> str:
    dtype = str(getattr(layer, "compute_dtype", None) or "float32")
    parts = [
        *([f"computes in {dtype}"] if dtype != "float32" else []),
        *(["is called with training=True"] if called else []),
    ]
    return f", which {' and '.join(parts)}" if parts else ""
