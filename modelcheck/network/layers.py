"""Which steps a Keras layer becomes: one function per family of layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.steps import NetworkError, Step, Window

__all__ = ["append_steps"]

Tensor = Any  # tensorflow ships no types

_IDENTITY = (
    "Dropout", "SpatialDropout2D", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "ActivityRegularization", "Identity", "AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness",
    "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing",
    "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation",
    "RandomZoom",
)  # fmt: skip


def append_steps(steps: list[Step], node: Any, name: str, sources: list[int]) -> None:
    """Append the steps of one layer: one, or two where it carries its own activation."""
    layer = node.operation
    family = _family(layer)
    _refuse(node, name, family)
    shape = tuple(node.output_tensors[0].shape[1:])
    inputs = tuple(sources)
    before = tuple(node.input_tensors[0].shape[1:])
    if family == "SeparableConv2D":
        steps.append(_depthwise(f"{name}:depthwise", layer, inputs, before, separable=True))
        steps.append(_pointwise(name, layer, (len(steps) - 1,), shape))
    elif family == "Conv2D":
        steps.append(_conv(name, layer, inputs, before, shape))
    elif family == "DepthwiseConv2D":
        steps.append(_depthwise(name, layer, inputs, before, separable=False))
    elif family == "Dense":
        steps.append(
            Step(
                name,
                "dense",
                inputs,
                shape,
                _linear_run(_dense, _weights(layer)),
                layer,
                weights=_weights(layer),
                linear=_dense,
            )
        )
    elif family in ("BatchNormalization", "Normalization", "Rescaling"):
        steps.append(_affine(name, layer, family, inputs, shape))
        return
    else:
        steps.append(_plain(name, node, family, inputs, before, shape))
        return
    given = layer.activation
    if isinstance(given, keras.layers.Layer):
        own = _activation_layer(name, given, _bare(given), (len(steps) - 1,), shape)
    else:
        own = _activation(name, layer, _activation_name(given), given, (len(steps) - 1,), shape)
    if own.kind != "identity":
        steps.append(own)


def _refuse(node: Any, name: str, family: str) -> None:
    """Name what no step can stand for."""
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


def _family(layer: Any) -> str:
    """Return the name of a class of Keras; one of somebody's own may do anything, whatever it is called."""
    kind = type(layer)
    return kind.__name__ if kind.__module__.partition(".")[0] == "keras" else "custom"


def _weights(layer: Any, kernel: str = "kernel", *, with_bias: bool = True) -> Callable[[Any], tuple[Tensor, Any]]:
    def read(dtype: Any) -> tuple[Tensor, Tensor | None]:
        bias = layer.bias if with_bias and layer.use_bias else None
        return _cast(getattr(layer, kernel), dtype), None if bias is None else _cast(bias, dtype)

    return read


def _cast(value: Any, dtype: Any) -> Tensor:
    """Cast a Keras variable or an array, past any autocast to half precision."""
    return tf.cast(getattr(value, "value", value), dtype)


def _dense(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
    return tf.linalg.matmul(value, kernel) if len(value.shape) == 2 else tf.tensordot(value, kernel, axes=1)


def _linear_run(linear: Callable[..., Tensor], weights: Callable[[Any], tuple[Tensor, Any]]) -> Callable[..., Tensor]:
    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        kernel, bias = weights(values[0].dtype)
        output = linear(values[0], kernel, window_padding)
        return output if bias is None else output + bias

    return run


def _window(layer: Any, size: Any, before: tuple[Any, ...], dilation: Any = (1, 1)) -> Window:
    strides, dilation = _pair(layer.strides), _pair(dilation)
    size, padding = _pair(size), str(layer.padding).upper()
    if padding not in ("SAME", "VALID"):
        raise NetworkError(f"Layer {layer.name!r} pads {layer.padding!r}; modelcheck takes 'same' and 'valid'.")
    ahead = [0, 0]
    if padding == "SAME":
        for axis in range(2):
            length = before[axis]
            reach = (size[axis] - 1) * dilation[axis] + 1
            over = length % strides[axis] if length else 0
            ahead[axis] = max(reach - (over or strides[axis]), 0) // 2
    return Window(size, strides, dilation, padding, (ahead[0], ahead[1]))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int | np.integer):
        return int(value), int(value)
    return int(value[0]), int(value[1])


def _conv(name: str, layer: Any, inputs: tuple[int, ...], before: tuple[Any, ...], shape: tuple[Any, ...]) -> Step:
    window = _window(layer, layer.kernel_size, before, layer.dilation_rate)
    groups = int(layer.groups)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        padding, dilation = window_padding or window.padding, window.dilation
        if dilation != (1, 1) and value.dtype == tf.float64:
            kernel, dilation = _spread(kernel, dilation), (1, 1)
        # TensorFlow's CPU kernels have no gradient for grouped convolutions, and none for dilated ones in float64.
        pairs = zip(tf.split(value, groups, -1), tf.split(kernel, groups, -1), strict=True)
        parts = [tf.nn.conv2d(part, weight, window.strides, padding, dilations=dilation) for part, weight in pairs]
        return parts[0] if groups == 1 else tf.concat(parts, -1)

    weights = _weights(layer)
    return Step(
        name,
        "conv",
        inputs,
        shape,
        _linear_run(linear, weights),
        layer,
        window=window,
        weights=weights,
        linear=linear,
    )


def _spread(kernel: Tensor, dilation: tuple[int, int]) -> Tensor:
    """Write a dilated kernel out with zeros."""
    for axis, gap in enumerate(dilation):
        length = (kernel.shape[axis] - 1) * gap + 1
        apart = tf.stack([kernel] + [tf.zeros_like(kernel)] * (gap - 1), axis + 1)
        whole = tf.reshape(apart, [*kernel.shape[:axis], -1, *kernel.shape[axis + 1 :]])
        kernel = tf.gather(whole, tf.range(length), axis=axis)
    return kernel


def _depthwise(name: str, layer: Any, inputs: tuple[int, ...], before: tuple[Any, ...], *, separable: bool) -> Step:
    window = _window(layer, layer.kernel_size, before, layer.dilation_rate)
    weights = _weights(layer, "depthwise_kernel" if separable else "kernel", with_bias=not separable)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        strides = (1, *window.strides, 1)
        padding = window_padding or window.padding
        return tf.nn.depthwise_conv2d(value, kernel, strides, padding, dilations=window.dilation)

    sizes = [_length(before[axis], window, axis) for axis in range(2)]
    channels = before[2] * int(layer.depth_multiplier)
    return Step(
        name,
        "depthwise",
        inputs,
        (*sizes, channels),
        _linear_run(linear, weights),
        layer,
        window=window,
        weights=weights,
        linear=linear,
    )


def _length(before: int | None, window: Window, axis: int) -> int | None:
    if before is None:
        return None
    if window.padding == "SAME":
        return -(-before // window.strides[axis])
    reach = (window.size[axis] - 1) * window.dilation[axis] + 1
    return (before - reach) // window.strides[axis] + 1


def _pointwise(name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[Any, ...]) -> Step:
    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return tf.nn.conv2d(value, kernel, 1, "VALID")

    weights = _weights(layer, "pointwise_kernel")
    return Step(
        name,
        "conv",
        inputs,
        shape,
        _linear_run(linear, weights),
        layer,
        window=Window((1, 1)),
        weights=weights,
        linear=linear,
    )


def _affine(name: str, layer: Any, family: str, inputs: tuple[int, ...], shape: tuple[Any, ...]) -> Step:
    if family != "Rescaling" and len(shape) not in (1, 3):
        raise NetworkError(
            f"Layer {name!r} normalises an input of shape {shape}; modelcheck takes vectors and pictures."
        )
    axis = getattr(layer, "axis", -1)
    axes = {each % (len(shape) + 1) for each in ([axis] if isinstance(axis, int) else list(axis or []))}
    if family == "BatchNormalization" and axes != {len(shape)}:
        raise NetworkError(f"Layer {name!r} normalises axis {axis}; modelcheck takes the last axis.")
    alike = axes <= {len(shape)}
    if family == "Rescaling":
        alike = np.ndim(layer.scale) <= 1 and np.ndim(layer.offset) <= 1

    def weights(dtype: Any) -> tuple[Tensor, Tensor]:
        if family == "Rescaling":
            return _cast(np.asarray(layer.scale), dtype), _cast(np.asarray(layer.offset), dtype)
        if family == "Normalization":
            mean, deviation = _cast(layer.mean, dtype), tf.sqrt(_cast(layer.variance, dtype))
            factor = 1 / tf.maximum(deviation, tf.constant(keras.config.epsilon(), dtype))
            factor = 1 / factor if layer.invert else factor
            shift = mean if layer.invert else -mean * factor
            whole = (-1,) if alike else factor.shape[1:]  # Keras keeps an axis for the batch
            return tf.reshape(factor, whole), tf.reshape(shift, whole)
        factor = tf.math.rsqrt(_cast(layer.moving_variance, dtype) + tf.constant(layer.epsilon, dtype))
        factor = factor * _cast(layer.gamma, dtype) if layer.scale else factor
        shift = -_cast(layer.moving_mean, dtype) * factor
        return factor, shift + _cast(layer.beta, dtype) if layer.center else shift

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return value * kernel

    run = _linear_run(linear, weights)
    if not alike:  # a number for each pixel: no rule for channels holds
        return Step(name, "other", inputs, shape, run, layer)
    return Step(name, "affine", inputs, shape, run, layer, weights=weights, linear=linear)


def _activation_name(function: Any) -> str:
    if function is None:
        return "linear"
    name = getattr(function, "__name__", type(function).__name__)
    homes = (keras.activations, keras.ops, tf.nn)  # users write activation=tf.nn.relu too
    known = hasattr(keras.activations, name) and any(getattr(home, name, None) is function for home in homes)
    return name if known else "unknown"


def _activation(
    name: str,
    layer: Any,
    function: str,
    call: Callable[[Tensor], Tensor],
    inputs: tuple[int, ...],
    shape: tuple[Any, ...],
) -> Step:
    """Build the step of an activation; nobody knows whether an unknown one mixes pixels."""
    if function == "linear":
        return Step(name, "identity", inputs, shape, _each(lambda value: value), layer)
    uniform = function != "unknown" or _family(layer) == "ReLU"
    if _family(layer) == "PReLU":
        uniform = set(range(1, len(shape))) <= set(layer.shared_axes or ())
    return Step(name, "activation", inputs, shape, _each(call), layer, activation=function, uniform=uniform)


def _activation_layer(
    name: str, layer: Any, call: Callable[[Tensor], Tensor], inputs: tuple[int, ...], shape: tuple[Any, ...]
) -> Step:
    """Build the step of an activation that is a layer, in the network or as another layer's argument."""
    family = _family(layer)
    if family == "Softmax":
        function = "softmax" if layer.axis in (-1, len(shape)) else "unknown"
    else:
        function = _ACTIVATIONS[family](layer) if family in _ACTIVATIONS else "unknown"
    if family == "LeakyReLU":
        call = _leaky(layer, call)
    return _activation(name, layer, function, call, inputs, shape)


def _each(call: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda values, window_padding=None: call(values[0])


def _plain(
    name: str,
    node: Any,
    family: str,
    inputs: tuple[int, ...],
    before: tuple[Any, ...],
    shape: tuple[Any, ...],
) -> Step:
    """Build the step of a layer without a kernel."""
    layer = node.operation
    if family in _IDENTITY:
        return Step(name, "identity", inputs, shape, _each(lambda value: value), layer)
    if family in _ACTIVATIONS:
        if family == "Activation" and isinstance(layer.activation, keras.layers.Layer):
            layer = layer.activation
            return _activation_layer(name, layer, _bare(layer), inputs, shape)
        return _activation_layer(name, layer, _calling(node), inputs, shape)
    if family in ("MaxPooling2D", "AveragePooling2D"):
        return _pool(name, layer, family, inputs, before, shape)
    if family in ("ZeroPadding2D", "Cropping2D"):
        amounts = layer.padding if family == "ZeroPadding2D" else layer.cropping
        window = Window((1, 1), before=(int(amounts[0][0]), int(amounts[1][0])))
        kind = "pad" if family == "ZeroPadding2D" else "crop"
        return Step(name, kind, inputs, shape, _each(_calling(node)), layer, window=window)
    kind = _KINDS.get(family, "other")
    if kind == "concatenate" and layer.axis not in (-1, len(shape)):
        kind = "other"
    if kind in ("add", "multiply") and any(tuple(tensor.shape[1:]) != shape for tensor in node.input_tensors):
        kind = "other"  # broadcasting needs rules of its own
    if len(inputs) == 1 and kind in ("add", "multiply", "concatenate"):
        kind = "other"  # a constant is the second operand
    return Step(name, kind, inputs, shape, _replay(node), layer)


def _pool(
    name: str,
    layer: Any,
    family: str,
    inputs: tuple[int, ...],
    before: tuple[Any, ...],
    shape: tuple[Any, ...],
) -> Step:
    window = _window(layer, layer.pool_size, before)
    pool = tf.nn.max_pool2d if family == "MaxPooling2D" else tf.nn.avg_pool2d

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        return pool(values[0], window.size, window.strides, window_padding or window.padding)

    kind = "max_pool" if family == "MaxPooling2D" else "average_pool"
    return Step(name, kind, inputs, shape, run, layer, window=window)


def _calling(node: Any) -> Callable[[Tensor], Tensor]:
    replay = _replay(node)
    return lambda value: replay([value])


def _leaky(layer: Any, call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Keep the slope in float64 there; TensorFlow's operation holds it in float32."""

    def exact(value: Tensor) -> Tensor:
        if value.dtype != tf.float64:
            return call(value)
        return tf.where(value > 0, value, value * tf.constant(float(layer.negative_slope), value.dtype))

    return exact


def _replay(node: Any) -> Callable[..., Tensor]:
    """Call the layer as the network does, in inference mode and in the dtype of the values."""
    layer = node.operation

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        inner = _inner(layer, values[0].dtype)
        given: Mapping[int, Tensor] = {
            id(tensor): tf.cast(value, inner) for tensor, value in zip(node.input_tensors, values, strict=True)
        }
        arguments, options = node.arguments.fill_in(given)
        options = {key: value for key, value in options.items() if key not in ("training", "mask")}
        return tf.cast(layer.call(*arguments, **options, **_inference(layer)), values[0].dtype)

    return run


def _bare(layer: Any) -> Callable[[Tensor], Tensor]:
    """Call a layer that another one holds as its activation, likewise."""

    def call(value: Tensor) -> Tensor:
        output = layer.call(tf.cast(value, _inner(layer, value.dtype)), **_inference(layer))
        return tf.cast(output, value.dtype)

    return call


def _inner(layer: Any, dtype: Any) -> Any:
    """Return the dtype of a layer's variables, for a bare call does not autocast; `dtype` where it has none."""
    return tf.as_dtype(layer.variable_dtype) if getattr(layer, "variables", None) else dtype


def _inference(layer: Any) -> dict[str, bool]:
    """Say that this is no training, to a layer that asks: augmenting layers take a bare call for training."""
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}


def _relu_name(layer: Any) -> str:
    if layer.threshold:
        return "unknown"
    if layer.negative_slope:
        return "leaky_relu" if layer.max_value is None else "unknown"
    return "relu" if layer.max_value is None else "relu6" if layer.max_value == 6 else "relu_capped"


_ACTIVATIONS: dict[str, Callable[[Any], str]] = {
    "Activation": lambda layer: _activation_name(layer.activation),
    "ReLU": _relu_name,
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

_KINDS = {
    "GlobalAveragePooling2D": "global_average_pool",
    "GlobalMaxPooling2D": "global_max_pool",
    "Flatten": "flatten",
    "Reshape": "flatten",
    "Permute": "flatten",
    "Add": "add",
    "Multiply": "multiply",
    "Concatenate": "concatenate",
}
