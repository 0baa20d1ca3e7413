"""The walk back from a score to the pixels, one step at a time, with a local rule per step.

The gradient, deconvolution, guided backpropagation, relevance propagation and DeepLIFT differ only
in the local rule. `apply_jacobian`, the step's own transposed Jacobian, is the rule wherever a
method has no say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.reading import AttributionError, Reading
from modelcheck.network import Network, Step, StepKind

__all__ = [
    "LocalRule",
    "apply_jacobian",
    "deconvolution",
    "guided_backprop",
    "make_rectifying_rule",
    "record_outputs",
    "walk_back",
]

Tensor = Any
LocalRule = Callable[[int, Step, Sequence[Tensor], Tensor], Sequence[Tensor]]

_RECTIFIERS = ("relu", "relu6", "relu_capped")


def record_outputs(network: Network, images: Tensor, target: int) -> dict[int, Tensor]:
    """Run the network and keep the output of every step that leads to the target."""
    positions = network.steps_needed([target])
    return dict(zip(positions, network.evaluate(images, positions), strict=True))


def apply_jacobian(step: Step, inputs: Sequence[Tensor], signal: Tensor) -> Sequence[Tensor]:
    """Return the signal times the step's Jacobian at its inputs.

    Max-pooling sends it to the window's largest value, to the first of equals in row-major order;
    global max-pooling shares it among equals.
    """
    with tf.GradientTape() as tape:
        for value in inputs:
            tape.watch(value)
        output = step.run(list(inputs))
    found = tape.gradient(output, list(inputs), signal, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return list(found)


def walk_back(network: Network, values: dict[int, Tensor], start: int, signal: Tensor, local: LocalRule) -> Tensor:
    """Carry a signal from step `start` back to the input.

    Parameters
    ----------
    network : Network
        The flattened network.
    values : dict of int to tf.Tensor
        The outputs of all steps that lead to `start`, see `record_outputs`.
    start : int
        The step at which the walk begins.
    signal : tf.Tensor
        The signal there, of the shape of that step's output.
    local : callable
        ``local(position, step, inputs, signal)`` -> one signal per input of the step.

    Returns
    -------
    tf.Tensor
        ``(n, h, w, c)``; what reaches a step by several ways is added.
    """
    waiting = {start: signal}
    for position in reversed(network.steps_needed([start])):
        if position == 0 or position not in waiting:
            continue
        step = network.steps[position]
        arriving = waiting.pop(position)
        parts = local(position, step, [values[source] for source in step.inputs], arriving)
        for source, part in zip(step.inputs, parts, strict=True):
            waiting[source] = waiting[source] + part if source in waiting else part
    return waiting.get(0, tf.zeros_like(values[0]))


def make_rectifying_rule(method: str, *, gated: bool) -> LocalRule:
    """Return the rule of deconvolution, or of guided backpropagation where `gated`.

    At a rectifier (ReLU, ReLU6 and other capped ones) the negative part of the signal is dropped;
    where gated, also what its derivative stops. Other activations keep their ordinary derivative.
    """

    def local(position: int, step: Step, inputs: Sequence[Tensor], signal: Tensor) -> Sequence[Tensor]:
        if step.kind == StepKind.ACTIVATION and step.activation == "unknown":
            raise AttributionError(
                f"Layer {step.name!r} has an activation of its own making, and {method} must know whether it is a "
                "rectifier. Use a Keras activation by name, or gradient, integrated_gradients, smoothgrad or occlusion."
            )
        if step.activation not in _RECTIFIERS:
            return apply_jacobian(step, inputs, signal)
        rising = tf.nn.relu(signal)
        return apply_jacobian(step, inputs, rising) if gated else [rising]

    return local


def deconvolution(reading: Reading, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Walk back with relu applied to the signal instead of the ReLU's derivative (Zeiler and Fergus 2014).

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="deconvolution")
    >>> maps.ravel().round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _backpropagate_rectifying(reading, images, targets, "deconvolution", gated=False)


def guided_backprop(reading: Reading, images: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Gradient that passes a ReLU only where both it and the signal are positive (Springenberg et al. 2015).

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="guided_backprop")
    >>> maps.ravel().round(1).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _backpropagate_rectifying(reading, images, targets, "guided_backprop", gated=True)


def _backpropagate_rectifying(
    reading: Reading, images: np.ndarray, targets: np.ndarray, method: str, *, gated: bool
) -> np.ndarray:
    network, rule = reading.steps, make_rectifying_rule(method, gated=gated)

    def call(pictures: Tensor, classes: Tensor) -> Tensor:
        values = record_outputs(network, pictures, network.logits)
        signal = reading.start(values[network.logits], classes)
        return walk_back(network, values, network.logits, signal, rule)

    return reading.map(reading.compile_graph((method,), call), images, targets)
