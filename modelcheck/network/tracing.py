"""A network's graph traced anew: through the code of a subclass, or at a size that its input leaves open.

What is traced calls the very layers of the network, with their weights. Nothing is copied, and the
network itself is what Keras is asked about afterwards.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import keras

from modelcheck.network.steps import NetworkError
from modelcheck.support.escaping import clean

__all__ = ["as_functional", "trace"]

# By subclassed network: its graph, so that all who ask see one.
_TRACED: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def as_functional(model: Any) -> Any:
    """Return a network as one with a graph: itself, or what its ``call`` makes of an input of its size.

    Parameters
    ----------
    model : keras.Model
        Sequential, functional, or subclassed and built.

    Raises
    ------
    NetworkError
        When the network is subclassed, and its ``call`` cannot be traced.

    Examples
    --------
    >>> class Own(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.flat, self.out = keras.layers.Flatten(), keras.layers.Dense(2, name="out")
    ...     def call(self, x):
    ...         return self.out(self.flat(x))
    >>> own = Own()
    >>> answers = own(keras.ops.zeros((1, 4, 4, 1)))
    >>> as_functional(own).layers[-1] is own.out
    True
    """
    if isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth"):
        return model
    if model not in _TRACED:
        shape = (getattr(model, "_build_shapes_dict", None) or {}).get("input_shape")
        if not isinstance(shape, list | tuple) or not all(isinstance(length, int | None) for length in shape):
            raise _refusal(model, f"it was built for {shape}, not for one picture")
        _TRACED[model] = trace(model, [tuple(shape[1:])])
    return _TRACED[model]


def trace(model: Any, shapes: Sequence[tuple[int | None, ...]]) -> Any:
    """Return the graph of what a network's ``call`` makes of inputs of some shapes, without the batch.

    Raises
    ------
    NetworkError
        When the code of ``call`` does something that cannot be traced.
    """
    given = getattr(model, "inputs", None) or [None] * len(shapes)
    entries = [
        keras.Input(
            shape, name=entry.name if entry is not None else None, dtype=entry.dtype if entry is not None else None
        )
        for shape, entry in zip(shapes, given, strict=True)
    ]
    try:
        if hasattr(model, "_run_through_graph"):  # its call would also convert what it is given, as a step of its own
            found = model._run_through_graph(entries, operation_fn=lambda operation: operation)
        else:
            found = model.call(_unwrap(entries))
        return keras.Model(_unwrap(entries), found, name=model.name)
    except Exception as error:  # whatever the code of a stranger raises
        reason = clean(error, longest=200) or type(error).__name__
        raise _refusal(model, f"its call cannot be traced ({reason})") from error


def _unwrap(entries: list[Any]) -> Any:
    """Return a single input as itself: a network in a list asks for lists."""
    return entries[0] if len(entries) == 1 else entries


def _refusal(model: Any, why: str) -> NetworkError:
    return NetworkError(
        f"{type(model).__name__} {model.name!r} is subclassed, and {why}: its layers cannot be read. Write its call "
        "with layers and keras.ops alone, or save it as a functional network: entry = keras.Input((height, width, "
        "channels)); keras.Model(entry, model.call(entry)).save('network.keras'). Black-box methods (occlusion, rise) "
        "explain it as it is."
    )
