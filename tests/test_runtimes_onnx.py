"""ONNX files, against a slow forward pass of our own: scores, layers, kernels, either order of axes."""

import sys

import numpy as np
import pytest

from modelcheck.runtimes import NetworkError
from modelcheck.runtimes.onnx import add_outputs
from modelcheck.units import LayerKind
from shipped import make_onnx, noise_panel, open_file

pytest.importorskip("onnxruntime", reason="ONNX Runtime is an extra: pip install modelcheck[onnx]")
pytest.importorskip("onnx", reason="ONNX files are made with onnx: pip install onnx")
GENERATOR = np.random.default_rng(3)
WEIGHTS = {
    "conv1.weight": GENERATOR.normal(size=(4, 3, 3, 3)).astype(np.float32) / 3,
    "conv1.bias": GENERATOR.normal(size=4).astype(np.float32),
    "conv2.weight": GENERATOR.normal(size=(4, 1, 3, 3)).astype(np.float32) / 2,
    "fc.weight": GENERATOR.normal(size=(3, 4 * 8 * 6)).astype(np.float32) / 9,
    "fc.bias": GENERATOR.normal(size=3).astype(np.float32),
}
PANEL = noise_panel((8, 6, 3), "a", "b", "c", n=37)
IMAGES = PANEL.inputs((0.0, 1.0)).astype(np.float32)
SOFTENED = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}


def network(end=None, *, batch="n", entry=(3, 8, 6), first=(), weights=WEIGHTS, conv1="conv1.weight"):
    """Return a small network as PyTorch writes it: two convolutions, one of them depthwise, and a dense layer."""
    nodes = [
        ("Conv", ["picture" if not first else "turned", conv1, "conv1.bias"], ["c1"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["c1"], ["r1"], {}),
        ("Conv", ["r1", "conv2.weight"], ["c2"], {"pads": [1, 1, 1, 1], "group": 4}),
        ("Sigmoid", ["c2"], ["gate"], {}),
        ("Mul", ["c2", "gate"], ["r2"], {}),
        ("Flatten", ["r2"], ["flat"], {}),
        ("Gemm", ["flat", "fc.weight", "fc.bias"], ["logits"], {"transB": 1}),
    ]
    if end:
        nodes.append((end, ["logits"], ["answer"], {} if end == "Sigmoid" else {"axis": -1}))
    return make_onnx(
        [*first, *nodes], weights,
        inputs={"picture": ("float32", [batch, *entry])},
        outputs={"answer" if end else "logits": ("float32", [batch, 3])},
    )  # fmt: skip


def convolve(images, kernel, *, depthwise=False):
    """Return a convolution of ``(n, c, h, w)`` with a border of zeros, pixel by pixel."""
    padded = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    n, _, height, width = images.shape
    found = np.zeros((n, len(kernel), height, width))
    for row in range(height):
        for column in range(width):
            window = padded[:, :, row : row + 3, column : column + 3]
            product = (window * kernel[:, 0]).sum((2, 3)) if depthwise else np.einsum("nchw,ochw->no", window, kernel)
            found[:, :, row, column] = product
    return found


def forward(images, weights=WEIGHTS):
    """Return the activations of each layer for ``(n, h, w, c)`` pictures, slowly."""
    first = convolve(images.transpose(0, 3, 1, 2), weights["conv1.weight"]) + weights["conv1.bias"][:, None, None]
    first = np.maximum(first, 0)
    second = convolve(first, weights["conv2.weight"], depthwise=True)
    second = second / (1 + np.exp(-second))
    logits = second.reshape(len(images), -1) @ weights["fc.weight"].T + weights["fc.bias"]
    return {"conv1": first.transpose(0, 2, 3, 1), "conv2": second.transpose(0, 2, 3, 1), "fc": logits}


@pytest.mark.parametrize("end", [None, "Softmax", "LogSoftmax"])
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_scores_are_those_before_the_softmax(end, batch):
    """Whatever ends the file, and however many pictures it takes at once, the scores are the slow pass' logits."""
    file = open_file(network(end, batch=batch), PANEL)
    np.testing.assert_allclose(file.class_scores(IMAGES), forward(IMAGES)["fc"], rtol=1e-4, atol=1e-4)
    assert file.scores.softening == SOFTENED.get(end, "")
    assert file.input_shape == (8, 6, 3)
    assert file.n_classes == 3
    file.check_shown(IMAGES)


def test_the_slow_pass_is_no_echo():
    """Another weight, or channels in another order, gives other scores, so that the test above can fail."""
    scores = open_file(network(), PANEL).class_scores(IMAGES)
    assert np.abs(scores - forward(IMAGES[..., ::-1])["fc"]).max() > 0.05
    changed = {**WEIGHTS, "conv2.weight": WEIGHTS["conv2.weight"][..., ::-1].copy()}
    assert np.abs(scores - forward(IMAGES, changed)["fc"]).max() > 0.05
    assert np.abs(open_file(network(weights=changed), PANEL).class_scores(IMAGES) - scores).max() > 0.05


def test_no_answer_depends_on_the_others():
    """One by one, in any order, a picture has the same scores to the last bit."""
    file = open_file(network("Softmax"), PANEL)
    together = file.class_scores(IMAGES)
    np.testing.assert_array_equal(together, np.concatenate([file.class_scores(image[None]) for image in IMAGES]))
    np.testing.assert_array_equal(together[::-1], file.class_scores(IMAGES[::-1]))


def test_channels_last_are_recognised():
    """A file that takes its channels last answers the same panel alike."""
    turned = network(entry=(8, 6, 3), first=[("Transpose", ["picture"], ["turned"], {"perm": [0, 3, 1, 2]})])
    np.testing.assert_allclose(
        open_file(turned, PANEL).class_scores(IMAGES), forward(IMAGES)["fc"], rtol=1e-4, atol=1e-4
    )


def test_layers_are_read():
    """Layers have PyTorch's names, and the activations of the slow pass, channels last."""
    file = open_file(network("Softmax"), PANEL)
    kinds = [(layer.name, layer.kind, layer.n_units) for layer in file.layers()]
    assert kinds == [("conv1", LayerKind.CONV, 4), ("conv2", LayerKind.CONV, 4), ("fc", LayerKind.DECISION, 3)]
    for name, values in file.read_layers(IMAGES, ["fc", "conv2", "conv1"]).items():
        np.testing.assert_allclose(values, forward(IMAGES)[name], rtol=1e-4, atol=1e-4)


def test_kernels_have_keras_axes():
    """Convolutions, a depthwise one and a dense layer, with as many parameters as there are weights."""
    file = open_file(network(), PANEL)
    one, two, three = file.kernels()
    np.testing.assert_array_equal(one, WEIGHTS["conv1.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(two[..., 0], WEIGHTS["conv2.weight"][:, 0].transpose(1, 2, 0))
    np.testing.assert_array_equal(three, WEIGHTS["fc.weight"].T)
    assert file.parameters == sum(values.size for values in WEIGHTS.values())
    assert file.precision == "float32"
    assert file.describe_input(IMAGES) is None
    assert 0 < file.seconds_per_picture() < 1


def quantised():
    """Return the network with its picture and its first kernel in eight bits, restored before they are used."""
    kernel = WEIGHTS["conv1.weight"]
    scale = (np.abs(kernel).max(axis=(1, 2, 3)) / 127).astype(np.float32)
    stored = np.rint(kernel / scale[:, None, None, None]).astype(np.int8)
    weights = {name: value for name, value in WEIGHTS.items() if name != "conv1.weight"}
    weights |= {"conv1.weight_quantized": stored, "w_scale": scale, "w_zero": np.zeros(4, np.int8)}
    weights |= {"x_scale": np.float32(1 / 255), "x_zero": np.uint8(0)}
    first = [
        ("QuantizeLinear", ["picture", "x_scale", "x_zero"], ["bytes"], {}),
        ("DequantizeLinear", ["bytes", "x_scale", "x_zero"], ["turned"], {}),
        ("DequantizeLinear", ["conv1.weight_quantized", "w_scale", "w_zero"], ["kernel"], {"axis": 0}),
    ]
    return network("Softmax", first=first, weights=weights, conv1="kernel"), stored * scale[:, None, None, None]


def test_a_quantised_kernel_is_restored():
    """Of a file with quantised weights the kernels are real numbers, scale by scale, and layers keep their names."""
    data, kernel = quantised()
    file = open_file(data, PANEL)
    np.testing.assert_allclose(file.kernels()[0], kernel.transpose(2, 3, 1, 0), rtol=1e-6)
    assert np.abs(kernel - WEIGHTS["conv1.weight"]).max() > 0
    wanted = forward(IMAGES, {**WEIGHTS, "conv1.weight": kernel})
    np.testing.assert_allclose(file.class_scores(IMAGES), wanted["fc"], rtol=1e-3, atol=1e-3)
    assert [layer.name for layer in file.layers()] == ["conv1", "conv2", "fc"]
    np.testing.assert_allclose(file.read_layers(IMAGES, ["conv1"])["conv1"], wanted["conv1"], rtol=1e-3, atol=1e-3)
    assert file.precision == "int8 in part"
    file.check_shown(IMAGES)


def test_an_answer_that_is_rounded_to_eight_bits_follows_from_its_scores():
    """A softmax before QuantizeLinear and DequantizeLinear misses its scores' by half a step, and is no other."""
    weights = np.random.default_rng(5).normal(size=(144, 3)).astype(np.float32)
    constants = {"w": weights, "s": np.float32(1 / 255), "z": np.uint8(0)}
    nodes = [
        ("Flatten", ["picture"], ["flat"], {}),
        ("Gemm", ["flat", "w"], ["logits"], {}),
        ("Softmax", ["logits"], ["soft"], {}),
        ("QuantizeLinear", ["soft", "s", "z"], ["stored"], {}),
        ("DequantizeLinear", ["stored", "s", "z"], ["y"], {}),
    ]
    data = make_onnx(
        nodes, constants, inputs={"picture": ("float32", ["n", 3, 8, 6])}, outputs={"y": ("float32", ["n", 3])}
    )
    file = open_file(data, PANEL)
    wanted = IMAGES.transpose(0, 3, 1, 2).reshape(len(IMAGES), -1) @ weights
    np.testing.assert_allclose(file.class_scores(IMAGES), wanted, rtol=1e-4, atol=1e-4)


def test_sigmoid_units_are_asked_one_by_one():
    """Several sigmoids answer several questions: which is judged has to be said, with Keras' sentence."""
    panel = noise_panel((8, 6, 3), "no", "yes")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    with pytest.raises(NetworkError, match="'phone' has 3 sigmoid units, each of which answers a question of its own"):
        open_file(network("Sigmoid"), panel)
    scores = open_file(network("Sigmoid"), panel, label=1).class_scores(images)
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], forward(images)["fc"][:, 1], rtol=1e-4, atol=1e-4)


def test_bytes_as_input():
    """A file that takes bytes is given whole numbers, and says how much pictures use of them."""
    first = [("Cast", ["picture"], ["turned"], {"to": 1})]
    data = make_onnx(
        [*first, ("Flatten", ["turned"], ["flat"], {}), ("Gemm", ["flat", "w"], ["y"], {})],
        {"w": GENERATOR.normal(size=(144, 2)).astype(np.float32)},
        inputs={"picture": ("uint8", ["n", 3, 8, 6])}, outputs={"y": ("float32", ["n", 2])},
    )  # fmt: skip
    panel = noise_panel((8, 6, 3), "a", "b")
    images = panel.inputs((0.0, 1.0))
    assert open_file(data, panel).describe_input(images).levels == 2
    use = open_file(data, panel, preprocessing="bytes").describe_input(images)
    assert use.levels == 256
    assert (use.clipped, use.low, use.high) == (0, 0, 255)


def test_a_scale_that_all_pictures_share_is_no_part_of_an_answer():
    """Dynamic quantisation takes one scale for all that is shown at once: pictures are shown alone, or not at all."""
    kernel = np.rint(GENERATOR.normal(size=(144, 2)) * 30).astype(np.int8)

    def make(batch):
        return make_onnx(
            [
                ("Flatten", ["picture"], ["flat"], {}),
                ("DynamicQuantizeLinear", ["flat"], ["q", "s", "z"], {}),
                ("MatMulInteger", ["q", "w", "z"], ["product"], {}),
                ("Cast", ["product"], ["real"], {"to": 1}),
                ("Mul", ["real", "s"], ["y"], {}),
            ],
            {"w": kernel},
            inputs={"picture": ("float32", [batch, 3, 8, 6])}, outputs={"y": ("float32", [batch, 2])},
        )  # fmt: skip

    panel = noise_panel((8, 6, 3), "a", "b")
    images = (
        panel.inputs((0.0, 1.0)).astype(np.float32) * np.linspace(0.1, 1, 12, dtype=np.float32)[:, None, None, None]
    )
    file = open_file(make("n"), panel)
    together = file.class_scores(images)
    np.testing.assert_array_equal(together, np.concatenate([file.class_scores(image[None]) for image in images]))
    assert file.layers() == ()
    assert "no convolution and no dense layer" in file.unreadable
    with pytest.raises(NetworkError, match="otherwise where other pictures stand beside it"):
        open_file(make(4), panel)


def test_the_number_of_a_class_is_no_score():
    """A file that answers with a class alone is refused."""
    data = make_onnx(
        [("Flatten", ["x"], ["flat"], {}), ("ArgMax", ["flat"], ["a"], {"axis": 1}), ("Cast", ["a"], ["y"], {"to": 2})],
        {}, inputs={"x": ("float32", ["n", 3, 8, 6])}, outputs={"y": ("uint8", ["n", 1])},
    )  # fmt: skip
    with pytest.raises(NetworkError, match="answers with whole numbers that have no scale"):
        open_file(data, PANEL)


def test_an_answer_of_nan_is_refused():
    """NaN is never an answer."""
    weights = {**WEIGHTS, "fc.bias": np.full(3, np.nan, np.float32)}
    with pytest.raises(NetworkError, match="answers NaN or infinity on 37 of 37 pictures"):
        open_file(network(weights=weights), PANEL).check_shown(IMAGES)


def test_a_missing_runtime_is_named(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NetworkError, match=r"ONNX Runtime is not installed: pip install modelcheck\[onnx\]"):
        open_file(network(), PANEL)


def test_an_output_is_added_to_the_bytes():
    """A file with added outputs is what the library onnx makes of it, with names of any length."""
    import onnx

    name = "x" * 300
    data = make_onnx(
        [("Relu", ["a"], [name], {}), ("Relu", [name], ["y"], {})], {},
        inputs={"a": ("float32", [1])}, outputs={"y": ("float32", [1])},
    )  # fmt: skip
    model = onnx.load_from_string(add_outputs(data, [name]))
    assert [output.name for output in model.graph.output] == ["y", name]
    assert add_outputs(data, []) == data
