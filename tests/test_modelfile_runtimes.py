"""The readers of LiteRT and ONNX files against the libraries of the formats: the same names, shapes, numbers.

What the scan calls clean, the runtime loads.
"""

import contextlib
import io
import warnings

import numpy as np
import pytest

import onnx_files
import tflite_files
from modelcheck.modelfile import scan_bytes
from modelcheck.modelfile.onnx import read_onnx
from modelcheck.modelfile.tflite import read_tflite

LITERT = "needs the extra litert: pip install modelcheck[litert]"
ONNX = "needs the extra onnx: pip install modelcheck[onnx]"
PRECISIONS = {
    "float32": "float32",
    "float16": "float16 weights",
    "dynamic": "int8 weights (dynamic range)",
    "int8": "int8",
}


@pytest.fixture(scope="module")
def converted():
    """A small network with what mobile networks are made of, converted in four precisions."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    layers = keras.layers
    start = layers.Input((24, 24, 3), name="picture")
    x = layers.Rescaling(1 / 255)(start)
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Add()([x, layers.Conv2D(16, 3, padding="same", activation="relu")(x)])
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(40, activation="relu")(x)
    network = keras.Model(start, layers.Dense(1, activation="sigmoid")(x))
    pictures = np.random.default_rng(3).uniform(0, 255, (4, 1, 24, 24, 3)).astype("float32")

    def convert(precision):
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        converter.optimizations = [] if precision == "float32" else [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: ([picture] for picture in pictures)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        return converter.convert()

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return {precision: convert(precision) for precision in PRECISIONS}


def litert_files(converted):
    """Return whole files: converted ones and those written byte by byte."""
    own = {f"own{quantised}": tflite_files.build(tflite_files.network(quantised=quantised)) for quantised in (0, 1)}
    return {**converted, **own}


@pytest.mark.slow
def test_litert_reads_what_the_reader_reads(converted):
    """Names, shapes, types, scales, zero points and constants of every tensor equal those of LiteRT's interpreter."""
    interpreters = pytest.importorskip("ai_edge_litert.interpreter", reason=LITERT)
    for name, data in litert_files(converted).items():
        graph = read_tflite(data)
        runtime = interpreters.Interpreter(
            model_content=data,
            experimental_op_resolver_type=interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        runtime.allocate_tensors()
        details = {each["index"]: each for each in runtime.get_tensor_details()}
        for index, tensor in enumerate(graph.tensors):
            theirs = details[index]
            parameters = theirs["quantization_parameters"]
            assert tensor.name == theirs["name"], name
            assert tensor.shape == tuple(theirs["shape_signature"]), (name, tensor.name)
            assert tensor.dtype == np.dtype(theirs["dtype"]).name
            assert np.array_equal(np.float32(tensor.scales), parameters["scales"])
            assert np.array_equal(tensor.zero_points, parameters["zero_points"])
            assert tensor.axis == (parameters["quantized_dimension"] if len(tensor.scales) > 1 else 0)
            if tensor.values is not None:
                assert bytes(tensor.values) == runtime.get_tensor(index).tobytes(), (name, tensor.name)
        assert list(graph.inputs) == [each["index"] for each in runtime.get_input_details()]
        assert list(graph.outputs) == [each["index"] for each in runtime.get_output_details()]
        steps = [each["op_name"] for each in runtime._get_ops_details() if each["op_name"] != "DELEGATE"]
        assert [step.name for step in graph.operators] == steps


@pytest.mark.slow
def test_what_is_clean_is_loaded_by_litert(converted):
    """Four precisions of a converted network are clean, called by their precision, and answer in probabilities."""
    interpreters = pytest.importorskip("ai_edge_litert.interpreter", reason=LITERT)
    for name, data in litert_files(converted).items():
        report = scan_bytes(data, name=name)
        assert report.refusals == ()
        assert name not in PRECISIONS or report.precision == PRECISIONS[name]
        runtime = interpreters.Interpreter(model_content=data)
        runtime.allocate_tensors()
        runtime.invoke()
        output = runtime.get_output_details()[0]
        assert list(runtime.get_tensor(output["index"]).shape) == [abs(length) for length in report.outputs[0].shape]


def test_another_place_answers_another_tensor():
    """With the place of an output rewritten, LiteRT answers the tensor that was asked for."""
    interpreters = pytest.importorskip("ai_edge_litert.interpreter", reason=LITERT)
    data = bytearray(tflite_files.build(tflite_files.network()))
    (place,) = read_tflite(bytes(data)).output_places
    data[place : place + 4] = (3).to_bytes(4, "little")
    runtime = interpreters.Interpreter(model_content=bytes(data))
    runtime.allocate_tensors()
    runtime.invoke()
    (output,) = runtime.get_output_details()
    assert (output["name"], tuple(output["shape"])) == ("c", (1, 2, 2, 2))


def onnx_networks(folder):
    """Return whole files: written byte by byte, by ONNX's own helpers, and quantised by ONNX Runtime."""
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime import quantization

    draw = np.random.default_rng(0)

    def constant(name, *shape):
        return numpy_helper.from_array(draw.normal(0, 0.2, shape).astype("float32"), name)

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "g", "beta", "m", "s"], ["n"], epsilon=1e-3),
        helper.make_node("Constant", [], ["low"], value=helper.make_tensor("", TensorProto.FLOAT, [], [0.0])),
        helper.make_node("Constant", [], ["high"], value_float=6.0),
        helper.make_node("Clip", ["n", "low", "high"], ["k"]),
        helper.make_node("Conv", ["k", "w2"], ["c2"], group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["k", "c2"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["q"]),
        helper.make_node("Reshape", ["q", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "v"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    values = [constant("w", 8, 3, 3, 3), constant("beta", 8), constant("m", 8), constant("w2", 8, 1, 3, 3)]
    values += [helper.make_tensor("shape", TensorProto.INT64, [2], [0, -1]), constant("v", 8, 5)]
    values += [helper.make_tensor(name, TensorProto.FLOAT, [8], [1.0] * 8) for name in ("g", "s")]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10, producer_name="a test")

    class Calibration(quantization.CalibrationDataReader):
        def __init__(self):
            self.pictures = iter([{"x": draw.normal(size=(1, 3, 16, 16)).astype("float32")} for _ in range(3)])

        def get_next(self):
            return next(self.pictures, None)

    source = folder / "float.onnx"
    source.write_bytes(model.SerializeToString())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_dynamic(source, folder / "dynamic.onnx")
        for form in (quantization.QuantFormat.QDQ, quantization.QuantFormat.QOperator):
            quantization.quantize_static(
                source,
                folder / f"{form}.onnx",
                Calibration(),
                quant_format=form,
                per_channel=True,
                weight_type=quantization.QuantType.QInt8,
            )
    own = {"own": onnx_files.network(), "own int8": onnx_files.quantised()}
    return {**own, **{path.name: path.read_bytes() for path in sorted(folder.glob("*.onnx"))}}


@pytest.mark.slow
def test_onnx_reads_what_the_reader_reads(tmp_path):
    """Constants, inputs, outputs and operators equal those of the onnx package; the runtime loads and answers."""
    onnx = pytest.importorskip("onnx", reason=ONNX)
    onnxruntime = pytest.importorskip("onnxruntime", reason=ONNX)
    for name, data in onnx_networks(tmp_path).items():
        graph = read_onnx(data)
        theirs = onnx.load_from_string(data).graph
        tensors = {tensor.name: tensor for tensor in graph.tensors}
        for constant in theirs.initializer:
            array = onnx.numpy_helper.to_array(constant)
            mine = tensors[constant.name]
            assert (mine.shape, mine.dtype) == (array.shape, array.dtype.name), (name, mine.name)
            assert bytes(mine.values) == array.tobytes()
        steps = sorted(node.op_type for node in theirs.node if node.op_type != "Constant")
        assert sorted(step.name for step in graph.operators) == steps
        constants = {constant.name: constant for constant in theirs.initializer}
        for node in theirs.node:
            if node.op_type == "DequantizeLinear" and node.input[0] in constants:
                scales = onnx.numpy_helper.to_array(constants[node.input[1]])
                assert np.array_equal(np.float32(tensors[node.input[0]].scales), np.atleast_1d(scales))
        session = onnxruntime.InferenceSession(data)
        report = scan_bytes(data, name=name)
        assert report.refusals == ()
        assert [port.name for port in report.inputs] == [each.name for each in session.get_inputs()]
        assert [port.name for port in report.outputs] == [each.name for each in session.get_outputs()]
        given = {port.name: np.zeros([abs(n) for n in port.shape], port.dtype) for port in report.inputs}
        (answer,) = session.run(None, given)
        assert answer.sum() == pytest.approx(1, abs=1e-2)
        assert ("int8" in report.precision) == (name not in ("own", "float.onnx", "own int8"))
