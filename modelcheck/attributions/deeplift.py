"""DeepLIFT with the Rescale rule: differences from a reference instead of derivatives.

The multiplier of an activation is (f(z) - f(z')) / (z - z'), and its derivative where the two
inputs all but coincide. Max-pooling gives the change of the maximum to the picture's largest input
where the maximum rose, and to the reference's largest where it fell. A product shares its change
evenly. Everything linear is exact, so the contributions add up to f(x) - f(x').

Captum 0.9 states the same rules, but hooks them to tensors: where one of its rules reads what
another one wrote (a pooling behind an activation, or an activation behind a pooling), the earlier
one is handed the later one's ordinary gradient, for the picture and for the reference each its own,
and the sum is then off. That is the default, for agreement with its figures; ``max_pool='rescale'``
is complete.

References
----------
Shrikumar et al. 2017, "Learning important features through propagating activation differences", eq.
3 and 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.backward import apply_jacobian, record_outputs, walk_back
from modelcheck.attributions.reading import AttributionError, Reading, fill_reference
from modelcheck.network import Network, Step, StepKind
from modelcheck.network.kinds import LINEAR, MIXING_ACTIVATIONS

__all__ = ["deeplift"]

Tensor = Any

# The steps whose multiplier is a ratio of differences, with Captum's rules and with the complete
# ones.
_RULED = frozenset({StepKind.ACTIVATION, StepKind.MAX_POOL})
_RULED_WHEN_COMPLETE = _RULED | {StepKind.GLOBAL_MAX_POOL}


def deeplift(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    reference: Any = 0.0,
    max_pool: str = "captum",
) -> np.ndarray:
    """DeepLIFT (Rescale).

    Parameters
    ----------
    reference : float or array
        x': a number, a value per channel, one picture, or one per picture.
    max_pool : {'captum', 'rescale'}
        What poolings and activations beside one another do to the signal: what Captum's do, or the
        rules described above, with which the contributions add up to f(x) - f(x').

    Raises
    ------
    AttributionError
        When a layer is neither linear, nor works on single values, nor takes a maximum or a
        product.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="deeplift")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    network = reading.steps
    _refuse_unsupported(network)
    if max_pool not in ("captum", "rescale"):
        raise AttributionError(f"max_pool is 'captum' or 'rescale', not {max_pool!r}.")
    followers = _find_followers(network) if max_pool == "captum" else {}
    ruled = _RULED_WHEN_COMPLETE if max_pool == "rescale" else _RULED

    def call(pictures: Tensor, classes: Tensor, origins: Tensor) -> Tensor:
        values = record_outputs(network, tf.concat([pictures, origins], 0), network.logits)
        unruled: dict[int, Tensor] = {}  # by step, the signal before the rule of the step that reads it

        def local(position: int, step: Step, inputs: Sequence[Tensor], multiplier: Tensor) -> Sequence[Tensor]:
            if step.kind == StepKind.MULTIPLY:
                return [multiplier * _repeat(_add_halves(inputs[1 - side]) / 2) for side in range(2)]
            ordinary = apply_jacobian(step, inputs, multiplier)
            if step.kind not in ruled:
                return ordinary
            if position in followers:
                unruled[followers[position]] = ordinary[0]
            arriving = unruled.get(position, multiplier)
            here, there = tf.split(values[position], 2)
            if step.kind == StepKind.ACTIVATION:
                found = arriving * _repeat(here - there)
            else:
                most = tf.maximum(here, there)
                found = apply_jacobian(step, inputs, arriving * tf.concat([most - there, here - most], 0))[0]
                found = _repeat(_add_halves(found))
            return [_divide_differences(found, _repeat(tf.subtract(*tf.split(inputs[0], 2))), ordinary[0])]

        signal = reading.start(values[network.logits], tf.tile(classes, (2,)))
        return tf.split(walk_back(network, values, network.logits, signal, local), 2)[0]

    graph = reading.compile_graph(("deeplift", max_pool), call, (None, *images.shape[1:]))
    origins = fill_reference(reference, images, "reference")
    return reading.map(graph, images, targets, origins) * (images - origins)


def _find_followers(network: Network) -> dict[int, int]:
    """Return for each step with a rule the one that it alone reads, if that has a rule too."""
    used = network.steps_needed([network.logits])

    def alone(source: int) -> bool:
        return sum(source in network.steps[reader].inputs for reader in used) == 1

    found: dict[int, int] = {}
    for position in used:
        if network.steps[position].kind in _RULED:
            source = network.steps[position].inputs[0]
            while network.steps[source].kind == StepKind.IDENTITY and alone(source):
                source = network.steps[source].inputs[0]
            if network.steps[source].kind in _RULED and alone(source):
                found[position] = source
    return found


def _repeat(value: Tensor) -> Tensor:
    return tf.concat([value, value], 0)


def _add_halves(value: Tensor) -> Tensor:
    return tf.add(*tf.split(value, 2))


def _divide_differences(contribution: Tensor, difference: Tensor, ordinary: Tensor) -> Tensor:
    """Divide, or take the ordinary derivative where the difference is lost in rounding."""
    least = tf.constant(1e-10 if difference.dtype == tf.float64 else 1e-7, difference.dtype)
    tiny = tf.abs(difference) < least
    return tf.where(tiny, ordinary, contribution / tf.where(tiny, tf.ones_like(difference), difference))


def _refuse_unsupported(network: Network) -> None:
    if network.readout.classes is not None or network.readout.link:
        raise AttributionError(
            "deeplift has no rule for outputs joined into classes, nor for mixed probabilities. Use "
            "integrated_gradients, which is complete as well."
        )
    for position in network.steps_needed([network.logits]):
        step = network.steps[position]
        mixing = step.kind == StepKind.ACTIVATION and step.activation in MIXING_ACTIVATIONS
        pair = step.kind == StepKind.MULTIPLY and len(step.inputs) == 2
        if mixing or (step.kind not in LINEAR | _RULED_WHEN_COMPLETE | {StepKind.INPUT} and not pair):
            raise AttributionError(
                f"deeplift has no rule for layer {step.name!r} ({type(step.layer).__name__}). Methods that support it: "
                "integrated_gradients, gradient, gradient_x_input, smoothgrad, grad_cam, occlusion, rise."
            )
