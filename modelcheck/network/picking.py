"""One picture input and one output of a network that has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from modelcheck.interface import Interface
from modelcheck.network.steps import NetworkError

__all__ = ["pick"]

Tensor = Any  # tensorflow ships no types


@keras.saving.register_keras_serializable(package="modelcheck")
class HeldInput(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """An input that is held at one value: it takes of the picture only how many there are."""

    def __init__(self, value: float, shape: Sequence[int], *, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype, trainable=False)
        self.value, self.shape = float(value), tuple(shape)

    def call(self, pictures: Tensor) -> Tensor:
        """Return ``(n, *shape)`` of the one value."""
        return tf.fill([tf.shape(pictures)[0], *self.shape], tf.constant(self.value, self.compute_dtype))

    def compute_output_spec(self, pictures: Tensor) -> Any:
        """Return what `call` gives for pictures that are not there yet."""
        return keras.KerasTensor((pictures.shape[0], *self.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"value": self.value, "shape": list(self.shape), "name": self.name, "dtype": self.compute_dtype}


@dataclass(frozen=True)
class _End:
    """An input or an output of a graph: its names, the first of which is shown, and its tensor."""

    names: tuple[str, ...]
    tensor: Tensor

    def __str__(self) -> str:
        return f"{self.names[0]} {tuple(self.tensor.shape)[1:]}"


def pick(model: Any, interface: Interface) -> Any:
    """Return the part of a network that leads from its picture to the output that is judged.

    Parameters
    ----------
    model : keras.Model
        The network; one with a single input and output is returned as it is.
    interface : Interface
        Which input and output it is, and the values at which other inputs are held.

    Raises
    ------
    NetworkError
        When it is not said which, or there is none of that name; the message lists all.

    Examples
    --------
    >>> picture, age = keras.Input((4, 4, 1), name="picture"), keras.Input((1,), name="age")
    >>> both = keras.layers.Concatenate()([keras.layers.Flatten()(picture), age])
    >>> model = keras.Model([picture, age], [keras.layers.Dense(k, name=f"of{k}")(both) for k in (2, 3)])
    >>> pick(model, Interface(output="of3", inputs={"age": 0.5})).output.shape
    (None, 3)
    """
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):  # subclassed: its calls are not known
        asked = [name for name in ("output", "input", "inputs") if interface.to_dict().get(name)]
        if asked:
            raise NetworkError(
                f"{model.name!r} is no Sequential or functional network, and its inputs and outputs have no names: "
                f"{', '.join(asked)} cannot be followed. Give a network with one input and one output."
            )
        return model
    inputs, outputs = _ends(graph, graph._inputs_struct), _ends(graph, graph._outputs_struct)
    output = _choose("output", interface.output, outputs, model.name)
    if len(inputs) == 1 and not interface.inputs:
        if interface.input is not None:
            _choose("input", interface.input, inputs, model.name)
        return model if len(outputs) == 1 else keras.Model(inputs[0].tensor, output.tensor, name=model.name)
    return _hold(model, graph, inputs, interface=interface, wanted=outputs.index(output))


def _hold(model: Any, graph: Any, inputs: Sequence[_End], *, interface: Interface, wanted: int) -> Any:
    """Return the network as a function of its picture, with the other inputs held."""
    pictures = [end for end in inputs if len(end.tensor.shape) == 4]
    taken = interface.input
    picture = pictures[0] if taken is None and len(pictures) == 1 else _choose("input", taken, inputs, model.name)
    values = _match(interface.inputs, [end for end in inputs if end is not picture], model.name)
    entry = keras.Input(batch_shape=picture.tensor.shape, dtype=picture.tensor.dtype, name=picture.names[0])
    given = []
    for end in inputs:
        if end is picture:
            given.append(entry)
            continue
        shape = tuple(end.tensor.shape)[1:]
        if None in shape:
            raise NetworkError(f"The input {end} of {model.name!r} has no fixed size, so that it cannot be held.")
        given.append(HeldInput(values[end.names[0]], shape, name=end.names[0], dtype=end.tensor.dtype)(entry))
    found = keras.tree.flatten(graph._run_through_graph(given))[wanted]
    return keras.Model(entry, found, name=model.name)


def _ends(graph: Any, struct: Any) -> list[_End]:
    """Return the inputs or outputs of a graph, in the order in which Keras flattens them."""
    found = []
    for path, tensor in keras.tree.flatten_with_path(struct):
        own = tensor._keras_history.operation.name
        keys = [part for part in path if isinstance(part, str)]
        found.append(_End((keys[-1], own) if keys else (own,), tensor))
    return found


def _choose(what: str, name: str | None, ends: Sequence[_End], model: str) -> _End:
    """Return the input or output of a name or number; the only one where nothing is said."""
    if name is None and len(ends) == 1:
        return ends[0]
    listed = ", ".join(map(str, ends))
    many = f"{model!r} has {len(ends)} {what}s, {listed}" if len(ends) > 1 else f"{model!r} has one {what}, {listed}"
    if name is None:
        first = next((end for end in ends if what == "output" or len(end.tensor.shape) == 4), ends[0]).names[0]
        does = "is judged" if what == "output" else "takes the picture"
        raise NetworkError(
            f'{many}, and it is not said which {does}. Name it: {what} = "{first}" in [tool.modelcheck], or '
            f"--{what} {first}"
        )
    named = [end for end in ends if name in end.names]
    named = named or (list(ends[int(name) : int(name) + 1]) if name.isdecimal() else [])
    if len(named) != 1:
        raise NetworkError(f"{many}, and {what} names {name!r}. Give one of these names, or a number counted from 0.")
    return named[0]


def _match(values: Mapping[str, float], ends: Sequence[_End], model: str) -> dict[str, float]:
    """Return the value of each other input, by its first name: none is made up, and none is left over."""
    listed = ", ".join(map(str, ends)) or "none"
    known = {name: end.names[0] for end in ends for name in end.names}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise NetworkError(f"inputs gives a value of {unknown[0]!r}; beside the picture {model!r} takes: {listed}.")
    found = {known[name]: value for name, value in values.items()}
    missing = [end.names[0] for end in ends if end.names[0] not in found]
    if missing:
        table = ", ".join(f"{name} = 0.5" for name in missing)
        typed = " ".join(f"--inputs {name}=0.5" for name in missing)
        raise NetworkError(
            f"Beside the picture {model!r} takes: {listed}. Say at which value each is held, for nothing is made up: "
            f"inputs = {{ {table} }} in [tool.modelcheck], or {typed}"
        )
    return found
