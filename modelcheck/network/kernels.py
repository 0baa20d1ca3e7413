"""The steps of layers with a kernel or a window: dense layers, convolutions, poolings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.network.kinds import StepKind
from modelcheck.network.steps import NetworkError, Step, Window

__all__ = [
    "cast",
    "convolution_step",
    "dense_step",
    "depthwise_step",
    "linear_step",
    "other_dense_step",
    "pointwise_step",
    "pooling_step",
]

Tensor = Any  # tensorflow ships no types


def _read_weights(layer: Any, kernel: str = "kernel", *, with_bias: bool = True) -> Callable[[Any], tuple[Tensor, Any]]:
    def read(dtype: Any) -> tuple[Tensor, Tensor | None]:
        bias = layer.bias if with_bias and layer.use_bias else None
        return cast(getattr(layer, kernel), dtype), None if bias is None else cast(bias, dtype)

    return read


def cast(value: Any, dtype: Any) -> Tensor:
    """Cast a Keras variable or an array, past any autocast to half precision."""
    return tf.cast(getattr(value, "value", value), dtype)


def _multiply(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
    return tf.linalg.matmul(value, kernel) if len(value.shape) == 2 else tf.tensordot(value, kernel, axes=1)


def dense_step(name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[Any, ...]) -> Step:
    """Build the step of a dense layer."""
    return linear_step(name, StepKind.DENSE, inputs, shape, layer, linear=_multiply, weights=_read_weights(layer))


def linear_step(
    name: str,
    kind: StepKind,
    inputs: tuple[int, ...],
    shape: tuple[Any, ...],
    layer: Any,
    *,
    linear: Callable[..., Tensor],
    weights: Callable[[Any], tuple[Tensor, Any]],
    window: Window | None = None,
) -> Step:
    """Build a step that is linear in its input, plus a bias."""

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        kernel, bias = weights(values[0].dtype)
        output = linear(values[0], kernel, window_padding)
        return output if bias is None else output + bias

    return Step(name, kind, inputs, shape, run, layer, window=window, weights=weights, linear=linear)


def _make_window(layer: Any, size: Any, before: tuple[Any, ...], dilation: Any = (1, 1)) -> Window:
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


def convolution_step(
    name: str, layer: Any, inputs: tuple[int, ...], before: tuple[Any, ...], shape: tuple[Any, ...]
) -> Step:
    """Build the step of a convolution, dilated or grouped too."""
    window = _make_window(layer, layer.kernel_size, before, layer.dilation_rate)
    groups = int(layer.groups)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        # TensorFlow's CPU kernels have no gradient for grouped convolutions.
        pairs = zip(tf.split(value, groups, -1), tf.split(kernel, groups, -1), strict=True)
        parts = [_convolve(part, weight, window, window_padding or window.padding) for part, weight in pairs]
        return parts[0] if groups == 1 else tf.concat(parts, -1)

    return linear_step(
        name, StepKind.CONV, inputs, shape, layer, linear=linear, weights=_read_weights(layer), window=window
    )


def _convolve(value: Tensor, kernel: Tensor, window: Window, padding: str) -> Tensor:
    """Return a convolution; a dilated one as plain convolutions of every so many pixels.

    Of the kernels for dilation only those of processors with AVX-512 have a gradient, and those in
    float32 alone.
    """
    if window.dilation == (1, 1):
        return tf.nn.conv2d(value, kernel, window.strides, padding)
    return tf.compat.v1.nn.with_space_to_batch(
        value,
        list(window.dilation),
        padding,
        lambda part, _, inner: tf.nn.conv2d(part, kernel, window.strides, inner),
        filter_shape=kernel.shape[:2].as_list(),
    )


def depthwise_step(name: str, layer: Any, inputs: tuple[int, ...], before: tuple[Any, ...], *, separable: bool) -> Step:
    """Build the step of a depthwise convolution, or of the first half of a separable one."""
    window = _make_window(layer, layer.kernel_size, before, layer.dilation_rate)
    weights = _read_weights(layer, "depthwise_kernel" if separable else "kernel", with_bias=not separable)

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        strides = (1, *window.strides, 1)
        padding = window_padding or window.padding
        return tf.nn.depthwise_conv2d(value, kernel, strides, padding, dilations=window.dilation)

    sizes = [_output_length(before[axis], window, axis) for axis in range(2)]
    channels = before[2] * int(layer.depth_multiplier)
    return linear_step(
        name, StepKind.DEPTHWISE, inputs, (*sizes, channels), layer, linear=linear, weights=weights, window=window
    )


def _output_length(before: int | None, window: Window, axis: int) -> int | None:
    if before is None:
        return None
    if window.padding == "SAME":
        return -(-before // window.strides[axis])
    reach = (window.size[axis] - 1) * window.dilation[axis] + 1
    return (before - reach) // window.strides[axis] + 1


def pointwise_step(
    name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[Any, ...], *, kernel: str = "kernel"
) -> Step:
    """Build the step of a convolution of 1 x 1: the second half of a separable one, or a dense layer on maps."""
    read = _read_weights(layer, kernel)

    def weights(dtype: Any) -> tuple[Tensor, Tensor | None]:
        values, bias = read(dtype)
        return tf.reshape(values, (1, 1, *values.shape[-2:])), bias

    def linear(value: Tensor, kernel: Tensor, window_padding: str | None = None) -> Tensor:
        return tf.nn.conv2d(value, kernel, 1, "VALID")

    return linear_step(name, StepKind.CONV, inputs, shape, layer, linear=linear, weights=weights, window=Window((1, 1)))


def other_dense_step(name: str, layer: Any, inputs: tuple[int, ...], shape: tuple[Any, ...]) -> Step:
    """Build the step of a dense layer on a sequence, whose units nobody can compare: it has no rows and columns."""
    return replace(dense_step(name, layer, inputs, shape), kind=StepKind.OTHER, weights=None, linear=None)


def pooling_step(
    name: str,
    layer: Any,
    family: str,
    inputs: tuple[int, ...],
    before: tuple[Any, ...],
    shape: tuple[Any, ...],
) -> Step:
    """Build the step of a max or average pooling."""
    window = _make_window(layer, layer.pool_size, before)
    pool = tf.nn.max_pool2d if family == "MaxPooling2D" else tf.nn.avg_pool2d

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        return pool(values[0], window.size, window.strides, window_padding or window.padding)

    kind = StepKind.MAX_POOL if family == "MaxPooling2D" else StepKind.AVERAGE_POOL
    return Step(name, kind, inputs, shape, run, layer, window=window)
