"""Which steps a Keras layer becomes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.activations import ACTIVATIONS, activation_layer, activation_name, activation_step
from modelcheck.network.calling import make_bare_call, make_call, make_replay, make_run, name_family
from modelcheck.network.kernels import (
    cast,
    convolution_step,
    dense_step,
    depthwise_step,
    linear_step,
    other_dense_step,
    pointwise_step,
    pooling_step,
)
from modelcheck.network.kinds import StepKind
from modelcheck.network.steps import NetworkError, Step, Window

__all__ = ["AUGMENTATIONS", "append_steps", "normalises"]

Tensor = Any  # tensorflow ships no types

# Layers of Keras that change pictures at random in training, and hand them on as they are in use.
AUGMENTATIONS = (
    "AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale",
    "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation",
    "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom",
)  # fmt: skip
_FAMILIES_AT_REST = (
    "Dropout", "SpatialDropout2D", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "ActivityRegularization", "Identity", "StochasticDepth", *AUGMENTATIONS,
)  # fmt: skip
# `Normalization` is none of them: it prepares the input, and no layer learns around it.
_NORMALISING = frozenset(
    {"BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"}
)


def normalises(model: Any) -> bool:
    """Return whether any layer of a Keras network normalises activations: what its HappyMaps look like hangs on it."""
    return any(name_family(layer) in _NORMALISING for layer in model._flatten_layers())


def append_steps(steps: list[Step], node: Any, name: str, sources: list[int]) -> None:
    """Append the steps of one layer: one, or two where it carries its own activation."""
    layer = node.operation
    family = name_family(layer)
    _refuse(node, name, family)
    shape = tuple(node.output_tensors[0].shape[1:])
    inputs = tuple(sources)
    before = tuple(node.input_tensors[0].shape[1:])
    if family == "SeparableConv2D":
        steps.append(depthwise_step(f"{name}:depthwise", layer, inputs, before, separable=True))
        steps.append(pointwise_step(name, layer, (len(steps) - 1,), shape, kernel="pointwise_kernel"))
    elif family == "Conv2D":
        steps.append(convolution_step(name, layer, inputs, before, shape))
    elif family == "DepthwiseConv2D":
        steps.append(depthwise_step(name, layer, inputs, before, separable=False))
    elif family == "Dense":
        make = {1: dense_step, 3: pointwise_step}.get(len(shape), other_dense_step)
        steps.append(make(name, layer, inputs, shape))
    elif family in ("BatchNormalization", "Normalization", "Rescaling", "LayerScale"):
        steps.append(_affine_step(name, node, family, inputs, shape))
        return
    else:
        steps.append(_plain_step(name, node, family, inputs, before, shape))
        return
    given = layer.activation
    if isinstance(given, keras.layers.Layer):
        own = activation_layer(name, given, make_bare_call(given), (len(steps) - 1,), shape)
    else:
        own = activation_step(name, layer, activation_name(given), given, (len(steps) - 1,), shape)
    if own.kind != StepKind.IDENTITY:
        steps.append(own)


def _refuse(node: Any, name: str, family: str) -> None:
    """Refuse, by name, a layer that no step can stand for."""
    layer = node.operation
    if len(node.output_tensors) != 1:
        raise NetworkError(f"Layer {name!r} has {len(node.output_tensors)} outputs; modelcheck takes layers with one.")
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise NetworkError(f"Layer {name!r} is channels_first; modelcheck takes channels_last networks.")
    if getattr(layer, "quantization_mode", None) is not None:
        raise NetworkError(
            f"Layer {name!r} is quantized ({layer.quantization_mode}): its weights are codes. Measure the network "
            "before quantization, or one whose rounded weights are stored as floats."
        )
    if family == "RandomCrop":
        raise NetworkError(
            f"Layer {name!r} gives pictures of another size in training than in use. Use CenterCrop or Resizing."
        )
    active = getattr(layer, "activation", None)
    if isinstance(active, keras.layers.Layer) and not active.built:
        raise NetworkError(
            f"Layer {name!r} has a {type(active).__name__} for its activation, whose weights are not there before it "
            "is called. Make it a layer of the network."
        )


def _affine_step(name: str, node: Any, family: str, inputs: tuple[int, ...], shape: tuple[Any, ...]) -> Step:
    layer = node.operation
    axis = getattr(layer, "axis", -1)
    axes = {place % (len(shape) + 1) for place in ([axis] if isinstance(axis, int) else list(axis or []))}
    alike = axes <= {len(shape)} and len(shape) in (1, 3)
    if family == "Rescaling":
        alike = np.ndim(layer.scale) <= 1 and np.ndim(layer.offset) <= 1
    if not alike:  # a number for each pixel, row or place of a sequence: no rule for channels holds
        return Step(name, StepKind.OTHER, inputs, shape, make_replay(node), layer)

    def weights(dtype: Any) -> tuple[Tensor, Tensor]:
        if family == "Rescaling":
            return cast(np.asarray(layer.scale), dtype), cast(np.asarray(layer.offset), dtype)
        if family == "LayerScale":
            factor = cast(layer.gamma, dtype)
            return factor, tf.zeros_like(factor)
        if family == "Normalization":
            mean, deviation = cast(layer.mean, dtype), tf.sqrt(cast(layer.variance, dtype))
            factor = 1 / tf.maximum(deviation, tf.constant(keras.config.epsilon(), dtype))
            factor = 1 / factor if layer.invert else factor
            shift = mean if layer.invert else -mean * factor
            return tf.reshape(factor, (-1,)), tf.reshape(shift, (-1,))  # Keras keeps an axis for the batch
        factor = tf.math.rsqrt(cast(layer.moving_variance, dtype) + tf.constant(layer.epsilon, dtype))
        factor = factor * cast(layer.gamma, dtype) if layer.scale else factor
        shift = -cast(layer.moving_mean, dtype) * factor
        return factor, shift + cast(layer.beta, dtype) if layer.center else shift

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return value * kernel

    return linear_step(name, StepKind.AFFINE, inputs, shape, layer, linear=linear, weights=weights)


def _plain_step(
    name: str,
    node: Any,
    family: str,
    inputs: tuple[int, ...],
    before: tuple[Any, ...],
    shape: tuple[Any, ...],
) -> Step:
    """Build the step of a layer without a kernel."""
    layer = node.operation
    if family in _FAMILIES_AT_REST:
        return Step(name, StepKind.IDENTITY, inputs, shape, make_run(lambda value: value), layer)
    if family in ACTIVATIONS:
        if family == "Activation" and isinstance(layer.activation, keras.layers.Layer):
            layer = layer.activation
            return activation_layer(name, layer, make_bare_call(layer), inputs, shape)
        return activation_layer(name, layer, make_call(node), inputs, shape)
    if family in ("MaxPooling2D", "AveragePooling2D"):
        return pooling_step(name, layer, family, inputs, before, shape)
    if family in ("ZeroPadding2D", "Cropping2D"):
        amounts = layer.padding if family == "ZeroPadding2D" else layer.cropping
        window = Window((1, 1), before=(int(amounts[0][0]), int(amounts[1][0])))
        kind = StepKind.PAD if family == "ZeroPadding2D" else StepKind.CROP
        return Step(name, kind, inputs, shape, make_run(make_call(node)), layer, window=window)
    kind = _KIND_OF_FAMILY.get(family, StepKind.OTHER)
    if kind == StepKind.CONCATENATE and layer.axis not in (-1, len(shape)):
        kind = StepKind.OTHER
    if kind in (StepKind.ADD, StepKind.MULTIPLY) and any(
        tuple(tensor.shape[1:]) != shape for tensor in node.input_tensors
    ):
        kind = StepKind.OTHER  # broadcasting needs rules of its own
    if len(inputs) == 1 and kind in (StepKind.ADD, StepKind.MULTIPLY, StepKind.CONCATENATE):
        kind = StepKind.OTHER  # a constant is the second operand
    return Step(name, kind, inputs, shape, make_replay(node), layer)


_KIND_OF_FAMILY = {
    "GlobalAveragePooling2D": StepKind.GLOBAL_AVERAGE_POOL,
    "GlobalMaxPooling2D": StepKind.GLOBAL_MAX_POOL,
    "Flatten": StepKind.FLATTEN,
    "Reshape": StepKind.FLATTEN,
    "Permute": StepKind.FLATTEN,
    "Add": StepKind.ADD,
    "Multiply": StepKind.MULTIPLY,
    "Concatenate": StepKind.CONCATENATE,
}
