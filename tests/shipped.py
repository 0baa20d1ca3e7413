"""Files that ship, for tests: Keras networks converted, each once in a session, and ONNX files made by hand."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest

from modelcheck.interface import Interface
from modelcheck.modelfile.onnx import read_onnx
from modelcheck.modelfile.tflite import read_tflite
from modelcheck.panel import Panel
from modelcheck.runtimes.opening import open_classifier

ROOT = Path(__file__).parents[1]
PRECISIONS = ("float32", "float16", "dynamic", "int8")


@functools.cache
def faces():
    """Return the worked example's panel."""
    return Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz")


@functools.cache
def face_pictures():
    """Return its pictures from 0 to 1."""
    return faces().inputs((0.0, 1.0)).astype(np.float32)


def convert(model, precision="float32", *, images=None, stored="uint8"):
    """Return a Keras network as a LiteRT file; int8 is calibrated on `images`, with `stored` in and out."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: ([images[at : at + 1]] for at in range(len(images)))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = getattr(tf, stored)
        return converter.convert()


@functools.cache
def half_filters():
    """Return the worked example's smaller network, in Keras."""
    import keras

    return keras.models.load_model(ROOT / "networks" / "half_filters.keras")


@functools.cache
def shipped_half_filters(precision):
    """Return it as a LiteRT file."""
    return convert(half_filters(), precision, images=face_pictures()[::2])


def open_file(data, panel=None, *, images=None, name="phone", **interface):
    """Open a file of either format on a panel, by default the worked example's."""
    panel = faces() if panel is None else panel
    graph = read_tflite(data) if data[4:8] == b"TFL3" else read_onnx(data)
    return open_classifier(
        data,
        graph,
        name=name,
        class_names=panel.class_names,
        interface=Interface(**interface),
        input_range=(0.0, 1.0),
        images=panel.inputs((0.0, 1.0)) if images is None else images,
    )


def noise_panel(shape, *class_names, n=12):
    """Return a panel of random bytes."""
    pictures = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    return Panel(pictures, np.arange(n) % len(class_names), class_names=class_names)


def make_onnx(nodes, constants, *, inputs, outputs, opset=17):
    """Return an ONNX file; inputs and outputs are names with their shapes."""
    onnx = pytest.importorskip("onnx", reason="ONNX files are made with onnx: pip install onnx")
    helper = onnx.helper

    def describe(ends):
        kinds = {"float32": onnx.TensorProto.FLOAT, "uint8": onnx.TensorProto.UINT8}
        return [helper.make_tensor_value_info(name, kinds[kind], shape) for name, (kind, shape) in ends.items()]

    initialisers = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(kind, given, made, **settings) for kind, given, made, settings in nodes],
        "made", describe(inputs), describe(outputs), initialisers,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()
