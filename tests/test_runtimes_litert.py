"""LiteRT files: scores, layers, kernels and inputs, against the Keras networks that they were made of."""

import struct
import sys

import keras
import numpy as np
import pytest
from keras import layers as L  # noqa: N812

import networks
import shipped
from modelcheck.answers.condensing import fingerprint_kernels
from modelcheck.interface import Interface
from modelcheck.measurement.fitting import fit_network
from modelcheck.modelfile.graph import Tensor
from modelcheck.modelfile.tflite import read_tflite
from modelcheck.network import KerasClassifier, flatten
from modelcheck.recipe import Recipe
from modelcheck.runtimes import NetworkError, opening
from modelcheck.runtimes.litert import LiteRTLoader
from modelcheck.runtimes.storing import read_constant, restore, store
from modelcheck.runtimes.wiring import Scores
from modelcheck.units import LayerKind
from shipped import PRECISIONS, convert, face_pictures, half_filters, open_file, shipped_half_filters

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is an extra: pip install modelcheck[litert]")
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
APART = {"float32": 1e-4, "float16": 1e-2, "dynamic": 0.2, "int8": 0.5}
WORDS = {"float32": "float32", "float16": "float16 weights", "dynamic": "int8 weights", "int8": "int8"}


@pytest.fixture(scope="module")
def own():
    """The Keras network's class scores of the panel."""
    return KerasClassifier(flatten(half_filters())).class_scores(face_pictures())


@pytest.fixture(scope="module", params=PRECISIONS)
def opened(request):
    """The worked example's smaller network in each precision."""
    return request.param, open_file(shipped_half_filters(request.param))


def ask_alone(data, images):
    """Return what LiteRT itself answers, one picture at a time, as it is stored."""
    interpreter = litert.Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer["index"])[0])
    return np.stack(found)


def test_scores_are_those_before_the_softmax(opened, own):
    """A converted network has the logits of its source, and answers every picture of the panel alike."""
    precision, file = opened
    scores = file.class_scores(face_pictures())
    assert scores.dtype == np.float32
    assert np.abs(scores - own).max() < APART[precision]
    np.testing.assert_array_equal(scores.argmax(axis=1), own.argmax(axis=1))
    assert file.n_classes == 2
    assert file.input_shape == (60, 64, 1)


def test_scores_lead_to_the_files_own_answer(opened):
    """The softmax of the scores is what LiteRT itself answers, one picture at a time."""
    precision, file = opened
    images = face_pictures()[::9]
    shown = np.rint(images * 255).astype(np.uint8) if precision == "int8" else images
    answers = ask_alone(shipped_half_filters(precision), shown).astype(np.float32)
    answers = answers / 256 if precision == "int8" else answers
    scores = file.class_scores(images)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(softmax - answers).max() <= (1 / 256 if precision == "int8" else 1e-5)


def test_no_answer_depends_on_the_others(opened):
    """One by one, in any order and in any number, a picture has the same scores to the last bit."""
    _, file = opened
    images = face_pictures()[:45]
    together = file.class_scores(images)
    np.testing.assert_array_equal(together, np.concatenate([file.class_scores(images[k : k + 1]) for k in range(45)]))
    np.testing.assert_array_equal(together[::-1], file.class_scores(images[::-1]))
    assert file.class_scores(images[:0]).shape == (0, 2)
    file.check_shown(images)


def test_its_facts_are_those_of_its_source(opened):
    """Precision in words, and as many parameters as Keras counts."""
    precision, file = opened
    assert file.precision == WORDS[precision]
    assert file.parameters == half_filters().count_params()
    assert file.fallback == ""
    assert 0 < file.seconds_per_picture() < 1


def test_kernels_have_the_fingerprint_of_their_source(opened):
    """Every kernel has Keras' shape and order, and correlates with its source's as an ancestor does."""
    _, file = opened

    theirs, ours = fingerprint_kernels(half_filters().get_weights()), fingerprint_kernels(file.kernels())
    assert list(ours) == list(theirs)
    assert all(np.corrcoef(ours[name], theirs[name])[0, 1] > 0.999 for name in theirs)
    assert not any(np.corrcoef(ours[name][::-1], theirs[name])[0, 1] > 0.9 for name in theirs)


def test_layers_answer_as_their_source(opened):
    """Each layer has its name and kind, and the activations behind its ReLU."""
    precision, file = opened
    network, images = flatten(half_filters()), face_pictures()[:40]
    wanted = network.unit_layers()
    assert file.unreadable == ""
    assert [(at.name, at.kind, at.n_units) for at in file.layers()] == [(at.name, at.kind, at.n_units) for at in wanted]
    theirs = network.evaluate(images, [layer.activated for layer in wanted])
    ours = file.read_layers(images, [layer.name for layer in wanted])
    share = {"float32": 1e-5, "float16": 1e-3, "dynamic": 0.02, "int8": 0.03}[precision]
    for layer, values in zip(wanted, theirs, strict=True):
        assert ours[layer.name].shape == values.shape
        assert np.abs(ours[layer.name] - values).max() <= share * np.abs(values).max()


def test_a_layer_that_is_not_there_is_named(opened):
    """The message lists what can be read."""
    with pytest.raises(NetworkError, match=r"No layer 'conv9' .* it has conv1, conv2, conv3, dense1, decision\."):
        opened[1].read_layers(face_pictures()[:1], ["conv9"])


def fitted(model, panel, **interface):
    """Return the class scores of a Keras network on a panel."""
    network = fit_network(model, panel, Interface(**interface), recipe=Recipe())
    return KerasClassifier(network).class_scores(panel.inputs((0.0, 1.0)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "names"),
    [(networks.residual, ("a", "b", "c")), (networks.nested, ("no", "yes")), (networks.plain, ("no", "yes"))],
    ids=["residual", "nested", "plain"],
)
def test_layers_of_every_kind(build, names):
    """Depthwise, separable, grouped, dilated, normalised, nested, one sigmoid: scores and layers are those of Keras."""
    model = build()
    panel = shipped.noise_panel(model.input_shape[1:], *names)
    file, images = open_file(convert(model), panel), panel.inputs((0.0, 1.0)).astype(np.float32)
    np.testing.assert_allclose(file.class_scores(images), fitted(model, panel), rtol=1e-3, atol=1e-4)
    network = flatten(model)
    wanted = network.unit_layers()
    assert [(at.name, at.kind, at.n_units) for at in file.layers()] == [(at.name, at.kind, at.n_units) for at in wanted]
    theirs = network.evaluate(images, [layer.activated for layer in wanted])
    ours = file.read_layers(images, [layer.name for layer in wanted])
    for layer, values in zip(wanted, theirs, strict=True):
        np.testing.assert_allclose(ours[layer.name], values, rtol=1e-3, atol=1e-4, err_msg=layer.name)


@pytest.mark.slow
def test_kernels_of_every_kind():
    """Grouped, depthwise and transposed convolutions have Keras' shape and values."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((8, 6, 2)), L.Conv2D(4, 3, groups=2, padding="same", activation="relu"),
        L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu"),
        L.Conv2D(5, (3, 2), activation="relu"), L.Conv2DTranspose(3, 3, strides=2, activation="relu"),
        L.Flatten(), L.Dense(3),
    ])  # fmt: skip
    panel = shipped.noise_panel((8, 6, 2), "a", "b", "c")
    kernels = open_file(convert(model), panel).kernels()
    wanted = [weight for weight in model.get_weights() if weight.ndim > 1]
    assert [kernel.shape for kernel in kernels] == [kernel.shape for kernel in wanted]
    for kernel, theirs in zip(kernels, wanted, strict=True):
        np.testing.assert_allclose(kernel, theirs, atol=1e-6)


@pytest.mark.slow
def test_mixed_probabilities_are_read_as_their_logarithms():
    """Where no softmax ends the file, its probabilities are what is read, and one at the end is called saturated."""
    keras.utils.set_random_seed(2)
    entry = keras.Input((6, 5, 1))
    flat = L.Flatten()(entry)
    ends = [L.Dense(3, activation="softmax", name=f"head{k}")(flat) for k in range(2)]
    model = keras.Model(entry, L.Average()(ends))
    panel = shipped.noise_panel((6, 5, 1), "a", "b", "c")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    for precision in ("float32", "int8"):
        file = open_file(convert(model, precision, images=images), panel)
        assert file.readout.link == "log"
        np.testing.assert_allclose(
            file.class_scores(images), fitted(model, panel), atol=1e-4 if precision == "float32" else 0.1
        )
        assert file.saturation(images) < 0.2  # calibration puts the largest at the end
    for head in (model.get_layer("head0"), model.get_layer("head1")):
        kernel, bias = head.get_weights()
        head.set_weights([np.ones_like(kernel) * [[0, 1, 2]], bias * 0])  # brighter pictures, the third class
    file = open_file(convert(model, "int8", images=images), panel)
    assert file.saturation(images) == 1
    assert np.isfinite(file.class_scores(images)).all()


@pytest.mark.slow
def test_scores_at_the_end_of_what_they_are_stored_in_are_saturated():
    """A file that was calibrated on pictures of little contrast cuts the scores of all others, and says so."""
    model = half_filters()
    narrow = 0.4 + 0.02 * face_pictures()[::8]
    file = open_file(convert(model, "int8", images=narrow))
    assert file.saturation(face_pictures()) > 0.2
    assert open_file(shipped_half_filters("int8")).saturation(face_pictures()) < 0.05
    assert open_file(shipped_half_filters("float32")).saturation(face_pictures()) == 0


@pytest.mark.slow
def test_the_input_says_on_what_it_was_calibrated():
    """Calibrated on bytes, an input keeps two levels of pictures from 0 to 1; on dark ones, most values are cut."""
    model, images = half_filters(), face_pictures()
    good = open_file(shipped_half_filters("int8")).describe_input(images)
    assert good.levels == len(np.unique(np.rint(images * 255)))
    assert good.clipped == 0
    assert (good.low, round(good.high, 3)) == (0.0, 1.0)
    bytes_seen = open_file(convert(model, "int8", images=255 * images[::8])).describe_input(images)
    assert bytes_seen.levels == 2
    assert bytes_seen.high > 200
    dark = open_file(convert(model, "int8", images=images[:1] * 0.2)).describe_input(images)
    assert dark.clipped > 0.3
    assert dark.high < 0.25
    assert open_file(shipped_half_filters("float32")).describe_input(images) is None
    outside = open_file(convert(model, "int8", images=255 * images[::8], stored="float32"))  # rounded within
    assert outside.describe_input(images).levels == 2


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["float32", "int8"])
def test_what_goes_in_and_out_may_be_stored_otherwise(stored, own):
    """A file that takes and gives floats or signed bytes, and computes in eight bits, has the same scores."""
    file = open_file(convert(half_filters(), "int8", images=face_pictures()[::2], stored=stored))
    scores = file.class_scores(face_pictures())
    np.testing.assert_array_equal(scores, open_file(shipped_half_filters("int8")).class_scores(face_pictures()))
    assert file.describe_input(face_pictures()).levels == 256
    assert file.precision == "int8"


def test_halves_are_rounded_to_even():
    """Between two stored values stands the even one, and what lies beyond is cut."""
    tensor = Tensor(name="a", shape=(5,), dtype="int8", scales=(0.5,), zero_points=(-3,))
    stored = store(tensor, np.array([0.25, 0.75, -0.25, 1e9, -1e9]))
    assert stored.tolist() == [-3, -1, -3, 127, -128]
    np.testing.assert_array_equal(restore(tensor, stored), [0, 1, 0, 65, -62.5])


def test_constants_of_four_bits():
    """Two values to a byte, the first in the lower half, with a sign."""
    tensor = Tensor(name="a", shape=(3,), dtype="int4", scales=(1.0,), zero_points=(0,), values=memoryview(b"\x8f\x07"))
    assert read_constant(tensor).tolist() == [-1, -8, 7]


class Broken:
    """An interpreter whose usual kernels do not run a file, or run it otherwise."""

    shift = None

    def __init__(self, *, experimental_op_resolver_type, **options):
        self.usual = experimental_op_resolver_type == litert.OpResolverType.AUTO
        self.inner = litert.Interpreter(experimental_op_resolver_type=experimental_op_resolver_type, **options)
        self.hidden = options["experimental_preserve_all_tensors"]

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def allocate_tensors(self):
        if self.usual and self.shift is None:
            raise RuntimeError("failed to prepare XNNPACK")
        self.inner.allocate_tensors()

    def get_tensor(self, position):
        values = self.inner.get_tensor(position)
        return values + self.shift if self.shift and (self.usual or self.hidden) else values


def break_kernels(monkeypatch):
    made = LiteRTLoader.__init__

    def init(self, *arguments, **options):
        made(self, *arguments, **options)
        self._interpreter = Broken

    monkeypatch.setattr(LiteRTLoader, "__init__", init)


def test_kernels_that_fail_are_replaced_and_named(monkeypatch, own):
    """Where the usual kernels do not run a file, the built-in ones answer, and the classifier says so."""
    break_kernels(monkeypatch)
    file = open_file(shipped_half_filters("float32"))
    np.testing.assert_allclose(file.class_scores(face_pictures()), own, atol=1e-4)
    assert "failed to prepare XNNPACK" in file.fallback


def test_kernels_that_differ_are_an_error():
    """A file that two kinds of kernels answer otherwise is two networks."""
    file = open_file(shipped_half_filters("float32"))
    file.check_shown(face_pictures())
    file.engine._loader._interpreter = type("Shifted", (Broken,), {"shift": 1.0})
    file.engine._sessions.clear()
    with pytest.raises(
        NetworkError, match="'phone' answers 48 of 48 pictures otherwise with the runtime's plain kernels"
    ):
        file.check_shown(face_pictures())


def test_layers_that_change_the_answer_are_not_read():
    """Where reading hidden layers changes what is answered, none is read, and a sentence says so."""
    file = open_file(shipped_half_filters("float32"))
    file.engine._loader._interpreter = type("Shifted", (Broken,), {"shift": 1.0})
    assert file.layers() == ()
    assert "answers otherwise while its hidden layers are read" in file.unreadable
    with pytest.raises(NetworkError, match="answers otherwise while"):
        file.read_layers(face_pictures()[:1], ["conv1"])


def test_a_factor_of_the_softmax_is_taken():
    """LiteRT's softmax can multiply its scores first: what is read are scores whose plain softmax is the answer."""
    data = shipped_half_filters("float32")
    one, changed = struct.pack("<f", 1.0), []
    place = data.find(one)
    while place >= 0:  # which of these floats is the softmax' factor, the reader says
        other = data[:place] + struct.pack("<f", 3.0) + data[place + 4 :]
        if 3.0 in [operator.attributes.get("beta") for operator in read_tflite(other).operators]:
            changed.append(other)
        place = data.find(one, place + 1)
    scores = [open_file(file).class_scores(face_pictures()[:5]) for file in (data, *changed)]
    assert len(scores) == 2
    np.testing.assert_allclose(scores[1], 3 * scores[0], rtol=1e-4)


def test_scores_that_are_not_what_is_answered_are_refused(monkeypatch):
    """Where the answer is not the softmax of what is read, there are no scores."""

    def find_wrongly(wiring, output):
        return Scores(position=output, softening="softmax")

    monkeypatch.setattr(opening, "find_scores", find_wrongly)
    with pytest.raises(NetworkError, match="does not answer with the softmax of what stands before it"):
        open_file(shipped_half_filters("float32"))


def test_a_missing_runtime_is_named(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(NetworkError, match=r"LiteRT is not installed: pip install modelcheck\[litert\]"):
        open_file(shipped_half_filters("float32"))


@pytest.mark.slow
def test_one_picture_has_one_answer_where_a_file_cannot_be_resized():
    """A file of one picture at a time whose rows cannot be told apart is shown one picture at a time."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input(batch_shape=(1, 6, 5, 1)), L.Reshape((30,)), L.Dense(2, name="decision")])
    panel = shipped.noise_panel((6, 5, 1), "a", "b")
    images = panel.inputs((0.0, 1.0)).astype(np.float32)
    file = open_file(convert(model), panel)
    assert file.wiring.graph.tensors[file.wiring.graph.inputs[0]].shape[0] == 1
    wanted = np.concatenate([model(images[k : k + 1]).numpy() for k in range(len(images))])
    np.testing.assert_allclose(file.class_scores(images), wanted, rtol=1e-4, atol=1e-5)
    assert file.layers()[-1].kind is LayerKind.DECISION
