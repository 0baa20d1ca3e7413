"""Which layer of a network does otherwise in Keras than the steps it is unfolded into."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.calling import name_family
from modelcheck.network.kinds import WITH_KERNEL, StepKind
from modelcheck.network.layers import AUGMENTATIONS, append_steps
from modelcheck.network.steps import Network, Step
from modelcheck.network.unfold import find_graph

__all__ = [
    "coarsest_dtype",
    "find_augmenting_layers",
    "find_changing_layer",
    "find_differing_layer",
    "find_mixing_layer",
    "list_dtypes",
]

Tensor = Any  # tensorflow ships no types

_ROWS_APART = 1e-2  # of a layer's largest value: by how much one picture may differ by rounding


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
    kinds = list_dtypes(model)
    return next((kind for kind in ("bfloat16", "float16") if kind in kinds), "float32")


def list_dtypes(model: Any) -> frozenset[str]:
    """Return every dtype that a network computes in, of inputs, layers and the tensors between them.

    Parameters
    ----------
    model : keras.Model
        The network.

    Examples
    --------
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(dtype="float16"), keras.layers.Dense(2)]
    >>> sorted(list_dtypes(keras.Sequential(layers)))
    ['float16', 'float32']
    """
    kinds = {str(layer.compute_dtype) for layer in model._flatten_layers() if hasattr(layer, "compute_dtype")}
    calls = _list_calls(find_graph(model))
    return frozenset(kinds | {str(tensor.dtype) for node, _, _ in calls for tensor in node.output_tensors})


def find_augmenting_layers(model: Any) -> dict[str, Any]:
    """Return Keras' own random augmentation layers that take a plain call, ``model(images)``, for training.

    With ``predict``, and with ``training=False``, they hand pictures on as they are.

    Parameters
    ----------
    model : keras.Model
        The network.

    Returns
    -------
    dict
        By path of the layer, in order, the layer; for one inside a pipeline, the pipeline's path
        and its own name.

    Examples
    --------
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.RandomFlip(name="flip"), keras.layers.Flatten()]
    >>> list(find_augmenting_layers(keras.Sequential(layers)))
    ['flip']
    """
    found: dict[str, Any] = {}
    for layer, name, node in _list_trained(model):
        if name_family(layer) in AUGMENTATIONS:
            found[name if node.operation is layer else f"{name}/{layer.name}"] = layer
    return found


def find_changing_layer(model: Any) -> str:
    """Name the first layer whose answer to one picture changes from call to call, as ``model(images)`` calls it.

    In training layers draw random numbers, or move what they have learned. Either may do so too
    seldom, or by too little, to be seen on a panel. Layers of `find_augmenting_layers` are not
    meant: they are told of elsewhere.

    Parameters
    ----------
    model : keras.Model
        The network.

    Returns
    -------
    str
        The layer's path and how it is called; empty where there is none.

    Examples
    --------
    >>> entry = keras.Input((4, 4, 1))
    >>> noisy = keras.layers.GaussianNoise(0.1, name="noise")(entry, training=True)
    >>> find_changing_layer(keras.Model(entry, noisy))
    "layer 'noise', which is called with training=True"
    """
    for layer, name, _ in _list_trained(model):
        if name_family(layer) not in AUGMENTATIONS:
            how = "takes a plain call for training" if _trains_by_default(layer) else "is called with training=True"
            return f"layer {name!r}, which {how}"
    return ""


def _list_trained(model: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield the layers whose answer changes from one plain call of the network to the next.

    Each comes with the path of the layer that is called, and the node of that call.
    """
    for node, name, called in _list_calls(find_graph(model)):
        if isinstance(node.operation, keras.Model) or not isinstance(node.operation, keras.layers.Layer):
            continue
        for layer in node.operation._flatten_layers():
            trains = _trains_by_default(layer) if called is None else called
            if trains and _changes_in_training(layer):
                yield layer, name, node


def _trains_by_default(layer: Any) -> bool:
    option = inspect.signature(layer.call).parameters.get("training")
    return option is not None and option.default is True


def _changes_in_training(layer: Any) -> bool:
    """Say whether a layer draws random numbers in training, or moves its statistics."""
    if layer._seed_generators or isinstance(layer, keras.layers.SpectralNormalization):
        return True
    if name_family(layer) == "StochasticDepth":  # it draws from Keras' global seed
        return True
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable


def find_mixing_layer(network: Network, images: np.ndarray) -> str:
    """Name the first layer that answers one picture otherwise when another one is shown with it.

    Each layer is asked alone, on values of its own: a mixture of the pictures of a batch that is
    zero on a panel, and on one picture with a trigger is not, is found too.

    Parameters
    ----------
    network : Network
        The flattened network.
    images : np.ndarray
        ``(n, h, w, c)`` pictures, of which two are used, to learn what shapes layers are given.

    Returns
    -------
    str
        The layer; empty where there is none.
    """
    pair = np.resize(images, (2, *images.shape[1:]))
    values = network.evaluate(tf.constant(pair), range(len(network.steps)))
    draw = np.random.Generator(np.random.Philox(key=[len(network.steps), 0]))
    for step in network.steps[1:]:
        if step.kind in WITH_KERNEL:
            continue
        given = [draw.random((2, *values[source].shape[1:]), np.float32) for source in step.inputs]
        both = step.run([tf.constant(value) for value in given]).numpy()
        alone = [step.run([tf.constant(value[row : row + 1]) for value in given]).numpy() for row in range(2)]
        near = _ROWS_APART * np.abs(both[np.isfinite(both)]).max(initial=0.0)
        if not all(
            one.shape == both[row : row + 1].shape and np.allclose(one, both[row : row + 1], 0, near, equal_nan=True)
            for row, one in enumerate(alone)
        ):
            return f"layer {step.name!r}, whose answer to one picture depends on the others of a batch"
    return ""


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
    graph = find_graph(model)
    given = images[..., 0] if len(graph.inputs[0].shape) == 3 else images
    return _search(graph, [tf.constant(given)], training=training, share=share, prefix="")


def _list_calls(graph: Any, prefix: str = "", training: bool | None = None) -> Iterator[tuple[Any, str, bool | None]]:
    """Yield the calls of layers in a graph and in the networks nested in it, in order.

    Each comes with the layer's path, and what its call and those around it say of training.
    """
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            own, name = node.arguments.kwargs.get("training"), prefix + node.operation.name
            called = own if training is None else training  # as Keras has it: who calls a network decides
            yield node, name, called
            if isinstance(node.operation, keras.Model):
                yield from _list_calls(find_graph(node.operation), f"{name}/", called)


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
