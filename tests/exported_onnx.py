"""Write a sequential Keras network as the ONNX file that PyTorch would export: channels first, kernels OIHW, Gemm.

The answers are Keras' own, to rounding; `quantised` makes the int8 file with QuantizeLinear and
DequantizeLinear around each operator, by ONNX Runtime's own quantiser.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from modelcheck.faces.silence import silence

OPSET, IR = 18, 10  # as torch.onnx.export writes them
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax", "tanh": "Tanh"}


class _Graph:
    """The nodes and weights so far, the name of the last tensor, and the shape it has in Keras (no batch)."""

    def __init__(self, shape):
        self.nodes, self.weights, self.tensor, self.shape = [], [], "input", shape

    def weight(self, name, values):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, kind, name, *weights, **attributes):
        self.nodes.append(helper.make_node(kind, [self.tensor, *weights], [f"{name}_out"], name=name, **attributes))
        self.tensor = f"{name}_out"


def to_onnx(model, *, logits=False):
    """Return a network as the bytes of a float32 ONNX file from ``(n, c, h, w)`` to ``(n, classes)``.

    With `logits` the last softmax is left out, as PyTorch's classifiers have none. A layer that is
    not written out below is a `ValueError`.
    """
    rows, columns, channels = model.input_shape[1:]
    graph = _Graph((rows, columns, channels))
    flattened = None  # the shape of the maps that a Flatten before the next dense layer took
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer | layers.Dropout):
            continue
        if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
            _convolution(graph, layer)
        elif isinstance(layer, layers.MaxPooling2D) and layer.padding == "valid":
            graph.node("MaxPool", layer.name, kernel_shape=layer.pool_size, strides=layer.strides)
        elif isinstance(layer, layers.BatchNormalization):
            names = [graph.weight(f"{layer.name}.{part}", values) for part, values in _statistics(layer)]
            graph.node("BatchNormalization", layer.name, *names, epsilon=layer.epsilon)
        elif isinstance(layer, layers.Flatten):
            flattened = graph.shape if len(graph.shape) == 3 else None
            graph.node("Flatten", layer.name, axis=1)
        elif isinstance(layer, layers.Dense):
            _dense(graph, layer, flattened)
            flattened = None
        elif isinstance(layer, layers.ReLU) and layer.max_value is None:
            graph.node("Relu", layer.name)
        elif not isinstance(layer, layers.Activation):
            raise ValueError(
                f"{layer.name!r}, a {type(layer).__name__} of these settings, is not written as ONNX here."
            )
        if isinstance(layer, layers.Activation | layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            _activation(graph, layer, skip=logits and layer is model.layers[-1])
        graph.shape = layer.output.shape[1:]
    made = helper.make_graph(
        graph.nodes,
        "main_graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", channels, rows, columns])],
        [helper.make_tensor_value_info(graph.tensor, TensorProto.FLOAT, ["batch", graph.shape[0]])],
        graph.weights,
    )
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    proto.producer_name = "modelcheck tests"
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def channels_first(pictures):
    """Return ``(n, h, w, c)`` pictures as PyTorch takes them, ``(n, c, h, w)``."""
    return np.ascontiguousarray(np.moveaxis(pictures, 3, 1), np.float32)


def answer(data, pictures):
    """Return what ONNX Runtime answers to ``(n, h, w, c)`` floats, on one thread."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, single_thread(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: channels_first(pictures)})[0]


def single_thread():
    """Return ONNX Runtime's settings for one thread, without its remarks."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def quantised(data, pictures):
    """Return an ONNX file with 8-bit weights and activations (QDQ), calibrated on ``(n, h, w, c)`` floats."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(channels_first(pictures))

        def get_next(self):
            picture = next(self.left, None)
            return None if picture is None else {"input": picture[None]}

    # It advises through the root logger to prepare the file first, which a file of this size needs not.
    log = logging.getLogger()
    with tempfile.TemporaryDirectory() as folder, silence(), _level(log, logging.ERROR):
        source, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(data)
        quantize_static(
            source,
            made,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Of processors without VNNI sums of two products of whole bytes saturate: seven bits do not.
            reduce_range=True,
        )
        return made.read_bytes()


@contextmanager
def _level(log, level):
    before = log.level
    log.setLevel(level)
    try:
        yield
    finally:
        log.setLevel(before)


def _convolution(graph, layer):
    kernel, *bias = layer.get_weights()
    (rows, columns), (down, across) = kernel.shape[:2], layer.strides
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    if depthwise:  # (h, w, in, multiplier): the outputs of one input are neighbours
        kernel = np.moveaxis(kernel, (2, 3), (0, 1)).reshape(-1, 1, rows, columns)
    else:
        kernel = kernel.transpose(3, 2, 0, 1)
    names = [graph.weight(f"{layer.name}.weight", kernel)]
    names += [graph.weight(f"{layer.name}.bias", values) for values in bias]
    pads = [0, 0, 0, 0]
    if layer.padding == "same":  # TensorFlow's: what cannot be halved is put below and to the right
        for axis, (side, size, stride, wide) in enumerate(
            zip(graph.shape[:2], (rows, columns), (down, across), layer.dilation_rate, strict=True)
        ):
            missing = max((-(-side // stride) - 1) * stride + (size - 1) * wide + 1 - side, 0)
            pads[axis], pads[axis + 2] = missing // 2, missing - missing // 2
    graph.node(
        "Conv",
        layer.name,
        *names,
        kernel_shape=[rows, columns],
        strides=[down, across],
        dilations=layer.dilation_rate,
        pads=pads,
        group=graph.shape[2] if depthwise else layer.groups,
    )


def _dense(graph, layer, flattened):
    kernel, *bias = layer.get_weights()
    if flattened is not None:  # Keras flattens rows, columns, channels; PyTorch channels, rows, columns
        rows, columns, channels = flattened
        kernel = kernel.reshape(rows, columns, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    names = [graph.weight(f"{layer.name}.weight", kernel.T)]
    names += [graph.weight(f"{layer.name}.bias", values) for values in bias]
    graph.node("Gemm", layer.name, *names, transB=1)


def _activation(graph, layer, *, skip):
    kind = layer.activation.__name__
    if kind == "linear" or (skip and kind == "softmax"):
        return
    if kind not in ACTIVATIONS:
        raise ValueError(f"{layer.name!r} has the activation {kind!r}, which is not written as ONNX here.")
    graph.node(ACTIVATIONS[kind], f"{layer.name}.{kind}", **({"axis": -1} if kind == "softmax" else {}))


def _statistics(layer):
    """Yield a batch normalisation's scale, shift, mean and variance, in ONNX's order."""
    channels = layer.moving_mean.shape
    yield "weight", np.ones(channels) if layer.gamma is None else np.asarray(layer.gamma)
    yield "bias", np.zeros(channels) if layer.beta is None else np.asarray(layer.beta)
    yield "running_mean", np.asarray(layer.moving_mean)
    yield "running_var", np.asarray(layer.moving_variance)
