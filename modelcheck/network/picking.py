"""One picture input and one output of a network that has several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from modelcheck.interface import Interface
from modelcheck.network.steps import NetworkError
from modelcheck.runtimes.ends import End, choose_end, choose_picture, match_values

__all__ = ["list_ends", "pick"]

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
    inputs, outputs = list_ends(graph, graph._inputs_struct), list_ends(graph, graph._outputs_struct)
    output = choose_end("output", interface.output, outputs, model.name)
    if len(inputs) == 1 and not interface.inputs:
        if interface.input is not None:
            choose_end("input", interface.input, inputs, model.name)
        return model if len(outputs) == 1 else keras.Model(inputs[0].tensor, output.tensor, name=model.name)
    return _hold(model, graph, inputs, interface=interface, wanted=outputs.index(output))


def _hold(model: Any, graph: Any, inputs: Sequence[End], *, interface: Interface, wanted: int) -> Any:
    """Return the network as a function of its picture, with the other inputs held."""
    picture = choose_picture(interface.input, inputs, model.name)
    values = match_values(interface.inputs, [end for end in inputs if end is not picture], model.name)
    entry = keras.Input(batch_shape=picture.tensor.shape, dtype=picture.tensor.dtype, name=picture.names[0])
    given = []
    for end in inputs:
        if end is picture:
            given.append(entry)
            continue
        shape = [length for length in end.shape[1:] if length is not None]
        if len(shape) < len(end.shape) - 1:
            raise NetworkError(f"The input {end} of {model.name!r} has no fixed size, so that it cannot be held.")
        given.append(HeldInput(values[end.names[0]], shape, name=end.names[0], dtype=end.tensor.dtype)(entry))
    found = keras.tree.flatten(graph._run_through_graph(given))[wanted]
    return keras.Model(entry, found, name=model.name)


def list_ends(graph: Any, struct: Any) -> list[End]:
    """Return the inputs or outputs of a graph, in the order in which Keras flattens them."""
    found = []
    for path, tensor in keras.tree.flatten_with_path(struct):
        own = tensor._keras_history.operation.name
        keys = [part for part in path if isinstance(part, str)]
        found.append(End((keys[-1], own) if keys else (own,), tuple(tensor.shape), tensor))
    return found
