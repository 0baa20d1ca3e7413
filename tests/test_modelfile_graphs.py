"""LiteRT and ONNX files: what the scan sees of whole ones, and that damaged or hostile ones are refused by rule.

tests/test_modelfile.py takes the same corpus through the commands, and holds the rules against the
page on model files.
"""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import onnx_files
import tflite_files
from hostile import formats, honest, packed
from modelcheck.__main__ import main
from modelcheck.modelfile import ScanReport, scan_bytes, scan_model, tell_format
from modelcheck.modelfile.onnx import looks_like_onnx, read_onnx
from modelcheck.modelfile.precision import describe_precision
from modelcheck.modelfile.refusal import StrangeFileError
from modelcheck.modelfile.tflite import read_tflite
from modelcheck.modelfile.tflite_operators import OPERATORS, REFUSED

ROOT = Path(__file__).parents[1]
WHOLE = {
    "litert": tflite_files.build(tflite_files.network()),
    "litert_int8": tflite_files.build(tflite_files.network(quantised=True)),
    "onnx": onnx_files.network(),
    "onnx_int8": onnx_files.quantised(),
}
STRANGE = {**tflite_files.strange(), **onnx_files.strange()}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_are_clean_and_described(name):
    """What the damaged files are made from is clean, and its report goes through JSON unchanged."""
    report = scan_bytes(WHOLE[name], name=name)
    assert report.refusals == ()
    assert report.format == name.split("_")[0]
    assert [port.shape[0] for port in report.inputs] == [-1]
    assert sum(report.operators.values()) >= 4
    assert ScanReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


@pytest.mark.parametrize("name", STRANGE)
def test_strange_files_are_refused_by_their_rule(name):
    """Each is called by its format, and refused for the one thing that was changed."""
    rule, data = STRANGE[name]
    report = scan_bytes(data, name=name)
    assert report.format == name.split("_")[0]
    assert {refusal.rule for refusal in report.refusals} == {rule}


def test_all_refused_operators_are_named_at_once():
    """A file with two operators that are not allowed has two refusals."""

    def change(model, graph, tensors):
        model[1][0] = {0: ("b", 32), 1: "First", 3: ("i", 32)}
        model[1][3] = {0: ("b", 119), 3: ("i", 119)}

    assert len(scan_bytes(tflite_files.changed(change), name="x").refusals) == 2
    inner = [
        (number, onnx_files.node("Loop", "c", "r") if value == onnx_files.node("Relu", "c", "r") else value)
        for number, value in onnx_files.graph()
    ]
    inner.append((1, onnx_files.node("Evil", "c", "e", domain="own")))
    assert len(scan_bytes(onnx_files.network(inner), name="x").refusals) == 2


def test_the_graph_of_a_litert_file_is_what_was_written():
    """Shapes, types, scales, constants, settings and the places of the outputs."""
    data = WHOLE["litert_int8"]
    graph = read_tflite(data)
    picture, weights = graph.tensors[0], graph.tensors[1]
    assert (picture.shape, picture.dtype, picture.zero_points) == ((-1, 4, 4, 1), "int8", (-128,))
    assert picture.scales == pytest.approx((0.01,))
    assert (weights.scales, weights.zero_points, weights.axis) == ((0.5, 0.25), (0, 0), 0)
    assert np.frombuffer(weights.values, "int8").tolist() == [index % 7 - 3 for index in range(18)]
    assert [step.name for step in graph.operators] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    wanted = {"activation": "relu", "padding": "valid", "stride_h": 1, "dilation_h_factor": 1}
    assert wanted.items() <= graph.operators[0].attributes.items()
    assert graph.operators[2].attributes["activation"] == ""
    assert [struct.unpack_from("<i", data, place)[0] for place in graph.output_places] == list(graph.outputs)


def test_another_tensor_can_be_answered():
    """A position that is written to an output's place is the graph's output then."""
    plain = tflite_files.changed(lambda model, graph, tensors: model.pop(tflite_files.SIGNATURES))
    data = bytearray(plain)
    struct.pack_into("<i", data, read_tflite(plain).output_places[0], 3)
    assert read_tflite(bytes(data)).outputs == (3,)


def test_the_graph_of_an_onnx_file_is_what_was_written():
    """Shapes, types, scales, constants and settings; a weight made of int8 has its scale."""
    graph = read_onnx(WHOLE["onnx_int8"])
    by_name = {tensor.name: tensor for tensor in graph.tensors}
    assert by_name["q"].scales == (0.125,)
    assert bytes(by_name["q"].values) == bytes(range(18))
    assert by_name["picture"].shape == (-1, 1, 4, 4)
    assert by_name["r"].dtype == ""
    conv = next(step for step in graph.operators if step.name == "Conv")
    assert conv.attributes == {"pads": (1, 1, 1, 1), "strides": (1, 1)}
    assert graph.tensors[graph.outputs[0]].name == "classes"


def test_nodes_are_put_in_order():
    """A file whose nodes are not sorted, as one converter to half precision writes them, is read in order."""
    inner = onnx_files.graph()
    shuffled = read_onnx(onnx_files.network([*reversed(inner[:5]), *inner[5:]]))
    assert [step.name for step in shuffled.operators] == ["Conv", "Relu", "Reshape", "Gemm", "Softmax"]


def test_values_of_varying_length_are_unpacked():
    """Constants in the fields of their types have the bytes that raw ones have, negative ones too."""
    numbers = [-3, 0, 7]
    inner = onnx_files.graph()
    for kind, letter, field in ((3, "b", 5), (6, "i", 5), (7, "q", 7)):
        for values in ([(field, number) for number in numbers], [(field, b"".join(map(onnx_files.varint, numbers)))]):
            extra = [(1, 3), (2, kind), (8, "k"), *values]
            graph = read_onnx(onnx_files.network([*inner, (5, extra)]))
            (found,) = (tensor.values for tensor in graph.tensors if tensor.name == "k")
            assert bytes(found) == struct.pack(f"<3{letter}", *numbers)


def test_precision_is_told_in_words():
    """By the types of constants, and of what is computed between."""
    words = {name: scan_bytes(data, name="x").precision for name, data in WHOLE.items()}
    assert words["litert"] == words["onnx"] == "float32"
    assert words["litert_int8"] == "int8"

    def dynamic(model, graph, tensors):
        tensors[1][1] = ("b", tflite_files.INT8)
        tensors[1][4] = {2: ("f", [0.5]), 3: ("q", [0])}
        tensors[6][1] = ("b", tflite_files.INT8)
        tensors[6][4] = {2: ("f", [0.5]), 3: ("q", [0])}
        model[4][1], model[4][4] = {0: b"\1" * 18}, {0: b"\1" * 24}

    assert describe_precision(read_tflite(tflite_files.changed(dynamic))) == "int8 weights (dynamic range)"


def test_four_bits_are_packed_in_bytes():
    """A constant of int4 has half a byte for each value, rounded up; one byte more is refused."""

    def of(size):
        def change(model, graph, tensors):
            tensors[6][1] = ("b", tflite_files.INT4)
            tensors[6][0] = ("i", [3, 9])
            model[4][4] = {0: b"\1" * size}

        return tflite_files.changed(change)

    assert read_tflite(of(14)).tensors[6].dtype == "int4"
    with pytest.raises(StrangeFileError, match="promises 14 bytes and it holds 15"):
        read_tflite(of(15))


def test_formats_are_told_by_first_bytes(tmp_path):
    """Whatever a file is called; a file cut short keeps its format, and what cannot be read is left to the scan."""
    for name, data in WHOLE.items():
        (tmp_path / "x.keras").write_bytes(data)
        assert tell_format(tmp_path / "x.keras") == tell_format(data[:200]) == name.split("_")[0]
    assert tell_format(ROOT / "networks" / "half_filters.keras") == "keras"
    assert tell_format(tmp_path / "none") == tell_format(tmp_path) == tell_format(b"") == "keras"


def test_other_bytes_are_no_onnx_file():
    """Random bytes, zeros, text and files of other kinds are not called ONNX, also after a right beginning."""
    draw = random.Random(5)
    others = [data for _, data in formats().values()] + [packed(honest()), b"\x08\x08" + b"\0" * 99, b"\x08\x08text"]
    others += [draw.randbytes(64) for _ in range(20_000)]
    others += [b"\x08\x08" + draw.randbytes(1 + index % 64) for index in range(2_000)]
    named = [data for data in others if looks_like_onnx(data)]
    assert len(named) <= 2  # of two thousand that begin as one does
    assert all(scan_bytes(data, name="x").refusals for data in named)


def test_operators_are_on_one_list():
    """Of LiteRT's operators each is allowed or refused, and none that runs something else is allowed."""
    assert not set(OPERATORS) & set(REFUSED)
    assert {*OPERATORS, *REFUSED} == set(range(210)) - {127}
    names = {operator.name for operator in OPERATORS.values()}
    assert not names & {"CUSTOM", "DELEGATE", "IF", "WHILE", "CALL", "VAR_HANDLE", "RANDOM_UNIFORM", "HASHTABLE"}


BOMBS = {
    "nodes": lambda: onnx_files.network([(1, b"")] * 600_000),
    "numbers": lambda: onnx_files.network([*onnx_files.graph(), (5, [(1, 600_000), (2, 3), (5, b"\1" * 600_000)])]),
    "lengths": lambda: onnx_files.network([*onnx_files.graph(), (13, onnx_files.value("x", *[1] * 50_000))]),
    "tensors": lambda: tflite_files.changed(lambda model, graph, tensors: tensors.extend([{}] * 110_000)),
    "codes": lambda: tflite_files.changed(lambda model, graph, tensors: model[1].extend([{}] * 50_000)),
    "scales": lambda: tflite_files.changed(
        lambda model, graph, tensors: tensors[3].update({4: {2: ("f", [1.0] * 1_000_000)}})
    ),
}


LOOK = """
import resource, sys, time
from modelcheck.modelfile import scan_model
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    start = time.perf_counter()
    report = scan_model(path)
    assert "size" in {refusal.rule for refusal in report.refusals}, path
    assert time.perf_counter() - start < 30, path
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in KiB on Linux only")
def test_bombs_are_refused_soon(tmp_path):
    """Files of a hundred thousand small things and more: refused for their number, in seconds and some 100 MiB."""
    for name, make in BOMBS.items():
        (tmp_path / name).write_bytes(make())
    command = [sys.executable, "-c", LOOK, *(str(tmp_path / name) for name in BOMBS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400 * 2**10  # KiB


def test_the_command_says_what_it_saw(tmp_path):
    """`modelcheck scan` of a LiteRT and of an ONNX file: format, precision, ports, operators, weights; exit code 0."""
    for name, words in {
        "litert_int8": ("LiteRT", "schema version 3", "precision: int8", "scale 0.01, zero point -128", "CONV_2D x 1"),
        "onnx": ("ONNX, operator set 17", "precision: float32", "'picture' float32 (?, 1, 4, 4)", "Conv x 1", "a test"),
    }.items():
        (tmp_path / name).write_bytes(WHOLE[name])
        done = CliRunner().invoke(main, ["scan", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        for word in (*words, "CLEAN", scan_model(tmp_path / name).sha256):
            assert word in done.output


def test_no_runtime_is_imported():
    """Looking at a file imports neither a runtime, nor the library of a format, nor numpy."""
    check = (
        "import sys; from modelcheck.modelfile import scan_bytes; import modelcheck.modelfile.tflite; "
        "names = ('numpy', 'onnx', 'onnxruntime', 'flatbuffers', 'google', 'ai_edge_litert', 'tensorflow'); "
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
