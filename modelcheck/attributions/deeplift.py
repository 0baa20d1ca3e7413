"""DeepLIFT with the Rescale rule: differences from a reference instead of derivatives.

The multiplier of an activation is (f(z) - f(z')) / (z - z'), and its derivative where the two inputs all but
coincide. Max-pooling gives the change of the maximum to the picture's largest input where the maximum rose, and to
the reference's largest where it fell. A product shares its change evenly. Everything linear is exact, so the
contributions add up to f(x) - f(x').

Captum 0.9 states the same rule for max-pooling, but where a pooling reads an activation its hooks hand on the
pooling's ordinary gradient, and the sum is then off. That is the default, for agreement with its figures;
``max_pool='rescale'`` is complete.

References
----------
Shrikumar et al. 2017, "Learning important features through propagating activation differences", eq. 3 and 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.backward import recorded, routed, walk_back
from modelcheck.attributions.reading import AttributionError, Reading, filled
from modelcheck.network import Network, Step

__all__ = ["deeplift"]

Tensor = Any

_LINEAR = ("conv", "depthwise", "dense", "affine", "average_pool", "global_average_pool", "flatten", "pad", "crop",
           "add", "concatenate", "identity")  # fmt: skip
_POOLS = ("max_pool", "global_max_pool")
_MIXING = ("softmax", "log_softmax", "sparsemax", "glu", "unknown")


def deeplift(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    reference: Any = 0.0,
    max_pool: str = "gradient",
) -> np.ndarray:
    """DeepLIFT (Rescale).

    Parameters
    ----------
    reference : float or array
        x': a number, a value per channel, one picture, or one per picture.
    max_pool : {'rescale', 'gradient'}
        The ordinary gradient, as Captum has it in effect, or the rule described above, with which the contributions
        add up to f(x) - f(x') through max-pooling too.

    Raises
    ------
    AttributionError
        When a layer is neither linear, nor works on single values, nor takes a maximum or a product.
    """
    network = reading.steps
    _refuse_unsupported(network)
    if max_pool not in ("rescale", "gradient"):
        raise AttributionError(f"max_pool is 'rescale' or 'gradient', not {max_pool!r}.")

    def call(pictures: Tensor, classes: Tensor, origins: Tensor) -> Tensor:
        values = recorded(network, pictures, network.logits)
        others = recorded(network, origins, network.logits)

        def local(position: int, step: Step, inputs: Sequence[Tensor], multiplier: Tensor) -> Sequence[Tensor]:
            before = [others[source] for source in step.inputs]
            if step.kind == "activation":
                ordinary = routed(step, inputs, multiplier)[0]
                change = values[position] - others[position]
                return [_ratio(multiplier * change, inputs[0] - before[0], ordinary)]
            if step.kind in _POOLS and max_pool == "rescale":
                rise = values[position] - others[position]
                gained = routed(step, inputs, multiplier * tf.nn.relu(rise))[0]
                lost = routed(step, before, multiplier * -tf.nn.relu(-rise))[0]
                ordinary = routed(step, inputs, multiplier)[0]
                return [_ratio(gained + lost, inputs[0] - before[0], ordinary)]
            if step.kind == "multiply":
                return [multiplier * (inputs[1 - side] + before[1 - side]) / 2 for side in range(2)]
            return routed(step, inputs, multiplier)

        signal = reading.start(values[network.logits], classes)
        return walk_back(network, values, network.logits, signal, local)

    graph = reading.compiled(("deeplift", max_pool), call, (None, *images.shape[1:]))
    origins = filled(reference, images, "reference")
    return reading.map(graph, images, targets, origins) * (images - origins)


def _ratio(contribution: Tensor, difference: Tensor, ordinary: Tensor) -> Tensor:
    """Divide, or take the ordinary derivative where the difference is lost in rounding."""
    least = tf.constant(1e-10 if difference.dtype == tf.float64 else 1e-7, difference.dtype)
    tiny = tf.abs(difference) < least
    return tf.where(tiny, ordinary, contribution / tf.where(tiny, tf.ones_like(difference), difference))


def _refuse_unsupported(network: Network) -> None:
    if network.classes is not None:
        raise AttributionError(
            "deeplift has no rule for outputs joined into classes. Use integrated_gradients, which is complete as well."
        )
    for position in network.needed([network.logits]):
        step = network.steps[position]
        mixing = step.kind == "activation" and step.activation in _MIXING
        pair = step.kind == "multiply" and len(step.inputs) == 2
        if mixing or (step.kind not in (*_LINEAR, *_POOLS, "activation", "input") and not pair):
            raise AttributionError(
                f"deeplift has no rule for layer {step.name!r} ({type(step.layer).__name__}). Methods that support it: "
                "integrated_gradients, gradient, gradient_x_input, smoothgrad, grad_cam, occlusion, rise."
            )
