"""The steps of activations, given as functions, as layers, or as layers for an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelcheck.network.calling import make_run, name_family
from modelcheck.network.kinds import StepKind
from modelcheck.network.steps import Step

__all__ = ["ACTIVATIONS", "activation_layer", "activation_name", "activation_step"]

Tensor = Any  # tensorflow ships no types


def activation_name(function: Any) -> str:
    """Return the Keras name of an activation function; ``unknown`` for a custom one."""
    if function is None:
        return "linear"
    name = getattr(function, "__name__", type(function).__name__)
    homes = (keras.activations, keras.ops, tf.nn)  # users write activation=tf.nn.relu too
    known = hasattr(keras.activations, name) and any(getattr(home, name, None) is function for home in homes)
    return name if known else "unknown"


def activation_step(
    name: str,
    layer: Any,
    function: str,
    call: Callable[[Tensor], Tensor],
    inputs: tuple[int, ...],
    shape: tuple[Any, ...],
) -> Step:
    """Build the step of an activation; nobody knows whether an unknown one mixes pixels."""
    if function == "linear":
        return Step(name, StepKind.IDENTITY, inputs, shape, make_run(lambda value: value), layer)
    uniform = function != "unknown" or name_family(layer) == "ReLU"
    if name_family(layer) == "PReLU":
        uniform = set(range(1, len(shape))) <= set(layer.shared_axes or ())
    return Step(name, StepKind.ACTIVATION, inputs, shape, make_run(call), layer, activation=function, uniform=uniform)


def activation_layer(
    name: str, layer: Any, call: Callable[[Tensor], Tensor], inputs: tuple[int, ...], shape: tuple[Any, ...]
) -> Step:
    """Build the step of an activation that is a layer, in the network or as another layer's argument."""
    family = name_family(layer)
    if family == "Softmax":
        function = "softmax" if layer.axis in (-1, len(shape)) else "unknown"
    else:
        function = ACTIVATIONS[family](layer) if family in ACTIVATIONS else "unknown"
    if family == "LeakyReLU":
        call = _call_in_float64(layer, call)
    return activation_step(name, layer, function, call, inputs, shape)


def _call_in_float64(layer: Any, call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Keep the slope in float64 there; TensorFlow's operation holds it in float32."""

    def exact(value: Tensor) -> Tensor:
        if value.dtype != tf.float64:
            return call(value)
        return tf.where(value > 0, value, value * tf.constant(float(layer.negative_slope), value.dtype))

    return exact


def _name_relu(layer: Any) -> str:
    if layer.threshold:
        return "unknown"
    if layer.negative_slope:
        return "leaky_relu" if layer.max_value is None else "unknown"
    return "relu" if layer.max_value is None else "relu6" if layer.max_value == 6 else "relu_capped"


ACTIVATIONS: dict[str, Callable[[Any], str]] = {
    "Activation": lambda layer: activation_name(layer.activation),
    "ReLU": _name_relu,
    "LeakyReLU": lambda layer: "leaky_relu",
    "PReLU": lambda layer: "leaky_relu",
    "ELU": lambda layer: "elu",
    "Softmax": lambda layer: "softmax",
    "Relu": lambda operation: "relu",
    "Relu6": lambda operation: "relu6",
    "Sigmoid": lambda operation: "sigmoid",
    "Silu": lambda operation: "silu",
    "Gelu": lambda operation: "gelu",
    "HardSigmoid": lambda operation: "hard_sigmoid",
    "HardSwish": lambda operation: "hard_silu",
    "HardSilu": lambda operation: "hard_silu",
}
