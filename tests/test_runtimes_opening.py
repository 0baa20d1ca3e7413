"""A file and a panel: size and order of axes, which input and output, preprocessing, what answers mean."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers as L  # noqa: N812

import networks
from modelcheck.interface import Interface
from modelcheck.measurement.fitting import fit_network
from modelcheck.modelfile.graph import Graph, Operator, Tensor
from modelcheck.recipe import Recipe
from modelcheck.runtimes import NetworkError
from modelcheck.runtimes.ends import End
from modelcheck.runtimes.kernels import count_parameters, describe_precision, find_weights, read_kernel
from modelcheck.runtimes.layers import find_layers
from modelcheck.runtimes.pictures import find_entry
from modelcheck.runtimes.wiring import Scores, Wiring, find_scores
from shipped import convert, face_pictures, make_onnx, noise_panel, open_file, shipped_half_filters

pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is an extra: pip install modelcheck[litert]")
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (12, 10, 1)


def end_of(*shape, dtype="float32"):
    return End(("picture",), (None, *shape), Tensor(name="picture", shape=(-1, *shape), dtype=dtype))


@given(st.integers(4, 40), st.integers(4, 40), st.sampled_from([1, 3]))
def test_either_order_of_axes_is_recognised(height, width, channels):
    """A picture is stored as the file has its axes, whichever these are, and none is lost."""
    images = np.random.default_rng(0).random((2, height, width, channels)).astype(np.float32)
    shape = (height, width, channels)
    last, first = (find_entry(end_of(*given), shape, name="a") for given in (shape, (channels, height, width)))
    np.testing.assert_array_equal(last.store(images), images)
    np.testing.assert_array_equal(first.store(images), np.moveaxis(images, -1, 1))
    if channels == 1:
        np.testing.assert_array_equal(find_entry(end_of(height, width), shape, name="a").store(images), images[..., 0])


@pytest.mark.parametrize("taken", [(30, 32, 1), (1, 30, 32), (None, 32, 1)], ids=str)
def test_another_size_is_an_error_with_the_next_command(taken):
    """The message says which size the file takes and which the panel holds, with the channels last."""
    end = End(("picture",), (None, *taken), Tensor(name="picture", shape=(-1, 30, 32, 1), dtype="float32"))
    said = r"\(-1, 32, 1\)" if None in taken else r"\(30, 32, 1\)"
    with pytest.raises(NetworkError, match=rf"takes pictures of shape {said}, the panel holds \(60, 64, 1\)\. Make a"):
        find_entry(end, (60, 64, 1), name="phone")


@pytest.mark.slow
def test_the_sentence_is_that_of_a_keras_network():
    """A file and a Keras network of another size are refused in the same words."""
    model, panel = networks.plain(), noise_panel((6, 6, 1), "no", "yes")
    with pytest.raises(NetworkError) as theirs:
        fit_network(model, panel, Interface(), recipe=Recipe())
    with pytest.raises(NetworkError) as ours:
        open_file(convert(model), panel, name="plain")
    assert str(ours.value) == str(theirs.value)


def test_what_takes_no_picture_is_named():
    """An input of numbers is no picture."""
    with pytest.raises(NetworkError, match=r"The input picture \(7,\) of the network 'a' takes no pictures"):
        find_entry(end_of(7), (7, 1, 1), name="a")


def two_inputs():
    """Return a network of a picture and an age, with two outputs."""
    keras.utils.set_random_seed(4)
    picture, age = keras.Input(SHAPE, name="picture"), keras.Input((2,), name="age")
    body = L.Conv2D(3, 3, activation="relu", name="conv")(picture)
    both = L.Concatenate()([L.GlobalAveragePooling2D()(body), age])
    return keras.Model([picture, age], [L.Dense(2, name="d1")(both), L.Dense(1, activation="sigmoid", name="d2")(both)])


@pytest.mark.slow
def test_inputs_and_outputs_are_picked_as_keras_has_them():
    """The picture is found, the other input is held where it is said, and an output is judged by its number."""
    model, panel = two_inputs(), noise_panel(SHAPE, "no", "yes")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    data = convert(model)
    with pytest.raises(NetworkError, match=r"'phone' has 2 outputs, .* and it is not said which is judged"):
        open_file(data, panel)
    with pytest.raises(NetworkError, match=r"Beside the picture 'phone' takes: age \(2,\)\. Say at which value"):
        open_file(data, panel, output=0)
    with pytest.raises(NetworkError, match=r"inputs gives a value of 'aeg'"):
        open_file(data, panel, output=0, inputs={"aeg": 1.0})
    given = [images, np.full((len(images), 2), 0.3, np.float32)]
    wanted = [part.numpy() for part in model(given)]
    wanted[1] = np.log(wanted[1] / (1 - wanted[1]))
    leads = [wanted[0][:, 1] - wanted[0][:, 0], wanted[1][:, 0]]
    found = []
    for output in (0, 1):
        scores = open_file(data, panel, output=output, inputs={"age": 0.3}).class_scores(images)
        found.append(scores[:, 1] - scores[:, 0])
    order = [0, 1] if np.allclose(found[0], leads[0], atol=1e-4) else [1, 0]  # a converter has its own
    np.testing.assert_allclose(found, [leads[at] for at in order], rtol=1e-3, atol=1e-4)
    other = open_file(data, panel, output=0, inputs={"age": 0.9}).class_scores(images)
    assert np.abs(other[:, 1] - other[:, 0] - found[0]).max() > 1e-3


def test_channels_first_in_a_litert_file():
    """A LiteRT file that takes its channels first answers as the network that it was made of."""
    keras.utils.set_random_seed(6)
    first = keras.Sequential([
        keras.Input((3, 8, 6)), L.Permute((2, 3, 1)), L.Conv2D(4, 3, activation="relu", name="conv"), L.Flatten(),
        L.Dense(2, name="decision"),
    ])  # fmt: skip
    panel = noise_panel((8, 6, 3), "a", "b")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    scores = open_file(convert(first), panel).class_scores(images)
    np.testing.assert_allclose(scores, first(images.transpose(0, 3, 1, 2)).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["caffe", "torch", "tf", "bytes"])
def test_pictures_are_preprocessed_as_for_keras(name):
    """What is said of preprocessing holds for a file as for the network that it was made of."""
    model, panel = networks.plain((13, 12, 3), classes=3), noise_panel((13, 12, 3), "a", "b", "c")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    network = fit_network(model, panel, Interface(preprocessing=name), recipe=Recipe())
    wanted = network.class_scores(tf.constant(images)).numpy()
    found = open_file(convert(model), panel, preprocessing=name).class_scores(images)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    assert np.abs(found - open_file(convert(model), panel).class_scores(images)).max() > 0.1


def test_a_preprocessing_of_other_channels_is_an_error():
    """The message names the network and the channels."""
    with pytest.raises(NetworkError, match=r"'phone': The preprocessing 'torch' is for pictures of 3 channels"):
        open_file(shipped_half_filters("float32"), preprocessing="torch")


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [None, 0.2])
def test_a_sigmoid_answers_as_in_keras(threshold):
    """One sigmoid is read before it, and parts the classes where it is said."""
    model, panel = networks.plain(classes=1, activation="sigmoid"), noise_panel(SHAPE, "no", "yes")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    network = fit_network(model, panel, Interface(threshold=threshold), recipe=Recipe())
    wanted = network.class_scores(tf.constant(images)).numpy()
    for precision, apart in (("float32", 1e-5), ("float16", 1e-2), ("int8", 0.1)):
        file = open_file(convert(model, precision, images=images), panel, threshold=threshold)
        np.testing.assert_allclose(file.class_scores(images), wanted, atol=apart)
        assert file.scores.softening == "sigmoid"


def test_an_answer_for_each_pixel_is_refused():
    """Maps are no class scores, and the message says what to name."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input(SHAPE), L.Conv2D(2, 3, name="conv")])
    with pytest.raises(NetworkError, match=r"answers with arrays of shape \(8, 10, 8, 2\), not with one row"):
        open_file(convert(model), noise_panel(SHAPE, "no", "yes"))


def test_classes_are_read_as_in_keras():
    """A panel of other classes is refused in the words for Keras networks."""
    with pytest.raises(NetworkError, match="'phone' has 2 outputs, the panel 3 classes"):
        open_file(shipped_half_filters("float32"), noise_panel((60, 64, 1), "a", "b", "c"))


def test_a_file_that_no_runtime_runs_is_named():
    """What a runtime says of a file is the middle of the message, what to do its end."""
    data = bytearray(shipped_half_filters("float32"))
    good = open_file(bytes(data))
    good.engine._sessions.clear()
    good.engine._loader._data = bytes(data[: len(data) // 2])
    with pytest.raises(NetworkError, match=r"The network 'phone' cannot be run by LiteRT: .*Convert it again"):
        good.class_scores(face_pictures()[:1])


def wired(names, *, format="litert"):  # noqa: A002
    """Return a chain of operators, tensor k to tensor k + 1."""
    tensors = tuple(Tensor(name=f"t{k}", shape=(-1, 2), dtype="float32") for k in range(len(names) + 1))
    operators = tuple(Operator(name=name, inputs=(k,), outputs=(k + 1,)) for k, name in enumerate(names))
    return Wiring(
        Graph(format=format, version="3", tensors=tensors, operators=operators, inputs=(0,), outputs=(len(names),))
    )


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("TANH", "SOFTMAX"), Scores(position=1, softening="softmax")),
        (("TANH", "SOFTMAX", "QUANTIZE", "RESHAPE"), Scores(position=1, softening="softmax")),
        (("LOGISTIC", "DEQUANTIZE", "SQUEEZE"), Scores(position=0, softening="sigmoid")),
        (("TANH", "LOG_SOFTMAX"), Scores(position=1, softening="log_softmax")),
        (("Gemm", "Sigmoid", "Flatten"), Scores(position=1, softening="sigmoid")),
        (("SOFTMAX", "TANH"), Scores(position=2)),
        (("LOGISTIC", "MEAN"), Scores(position=2, mixes="sigmoid")),
        (("TANH",), Scores(position=1)),
    ],
    ids=str,
)
def test_scores_are_found_behind_what_changes_none(names, wanted):
    """Only rounding and reshaping may stand behind a softmax or sigmoid."""
    assert find_scores(wired(names), len(names)) == wanted


def test_a_graph_without_layers_has_none():
    """Nothing is made up where nothing is learned."""
    wiring = wired(("TANH", "SOFTMAX"))
    assert find_layers(wiring, 1, n_outputs=2) == ()
    assert (find_weights(wiring), count_parameters(wiring), describe_precision(wiring)) == ([], 0, "unknown")


def test_a_matrix_product_and_its_bias_are_a_dense_layer():
    """An ONNX file may write a dense layer as a product and a sum."""
    kernel, bias = np.arange(144 * 2, dtype=np.float32).reshape(144, 2) / 99, np.ones(2, np.float32)
    data = make_onnx(
        [("Flatten", ["x"], ["flat"], {}), ("MatMul", ["flat", "w"], ["p"], {}), ("Add", ["p", "b"], ["y"], {})],
        {"w": kernel, "b": bias}, inputs={"x": ("float32", ["n", 3, 8, 6])}, outputs={"y": ("float32", ["n", 2])},
    )  # fmt: skip
    file = open_file(data, noise_panel((8, 6, 3), "a", "b"))
    (weights,) = find_weights(file.wiring)
    np.testing.assert_array_equal(read_kernel(file.wiring, weights), kernel)
    assert file.parameters == kernel.size + 2
