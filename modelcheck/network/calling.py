"""How a layer is called outside its model: in inference mode, and in the dtype of the values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["make_bare_call", "make_call", "make_replay", "make_run", "name_family"]

Tensor = Any  # tensorflow ships no types


def name_family(layer: Any) -> str:
    """Return the name of a Keras class; ``custom`` for any other, which may do anything, whatever it is called."""
    kind = type(layer)
    return kind.__name__ if kind.__module__.partition(".")[0] == "keras" else "custom"


def make_run(call: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a step's `run` from a function of its one input."""
    return lambda values, window_padding=None: call(values[0])


def make_call(node: Any) -> Callable[[Tensor], Tensor]:
    """Return a layer with one input as a function of it; see `make_replay`."""
    run = make_replay(node)
    return lambda value: run([value])


def make_replay(node: Any) -> Callable[..., Tensor]:
    """Return a step's `run` that calls the layer as the network does, in inference mode and the values' dtype."""
    layer = node.operation

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        inner = _inner_dtype(layer, values[0].dtype)
        return tf.cast(_replay(node, [tf.cast(value, inner) for value in values]), values[0].dtype)

    def run_as_declared(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        given = zip(values, node.input_tensors, strict=True)
        output = _replay(
            node, [value if value.dtype == tf.string else tf.cast(value, own.dtype) for value, own in given]
        )
        return tf.cast(output, tf.float32) if tf.as_dtype(output.dtype).is_floating else output

    def choose(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        # Words and whole numbers, which a table has, are not computed with in another dtype.
        floats = all(tf.as_dtype(value.dtype).is_floating for value in values)
        return (run if floats else run_as_declared)(values, window_padding)

    return choose


def _replay(node: Any, values: Sequence[Tensor]) -> Tensor:
    """Call a layer with some values as the network calls it, in inference mode."""
    given: Mapping[int, Tensor] = {id(tensor): value for tensor, value in zip(node.input_tensors, values, strict=True)}
    arguments, options = node.arguments.fill_in(given)
    options = {key: value for key, value in options.items() if key not in ("training", "mask")}
    return node.operation.call(*arguments, **options, **_inference_options(node.operation))


def make_bare_call(layer: Any) -> Callable[[Tensor], Tensor]:
    """Return a layer that another one holds as its activation as a function; see `make_replay`."""

    def call(value: Tensor) -> Tensor:
        output = layer.call(tf.cast(value, _inner_dtype(layer, value.dtype)), **_inference_options(layer))
        return tf.cast(output, value.dtype)

    return call


def _inner_dtype(layer: Any, dtype: Any) -> Any:
    """Return the dtype of a layer's variables, for a bare call does not autocast; `dtype` where it has none."""
    return tf.as_dtype(layer.variable_dtype) if getattr(layer, "variables", None) else dtype


def _inference_options(layer: Any) -> dict[str, bool]:
    """Return the option that says that this is not training: augmenting layers take a bare call for training."""
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}
