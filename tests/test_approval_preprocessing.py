"""Networks trained on pictures of another preprocessing than they are approved with: seen, named, and then approved."""

import contextlib
import dataclasses
import functools

import keras
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input

from modelcheck.answers.feeding import feed_otherwise
from modelcheck.approval.misreading import find_misreading
from modelcheck.comparison import compare
from modelcheck.gate.settings import read_interface
from modelcheck.happymaps.ascent import ascend
from modelcheck.interface import Interface
from modelcheck.interface.sentences import say_misreading
from modelcheck.measurement import ExchangePartner, fit_network, measure
from modelcheck.network import KerasClassifier, NetworkError
from modelcheck.network.front import name_own_scaling
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import read_signature
from modelcheck.signature.misreading import find_better_preprocessing, find_misreadings
from signatures import make_signature

NAMES = ("red", "green", "blue", "dark")
LIGHT = Recipe(
    steps=2, copies=1, starts=1, units_per_layer=2, probe_pictures=8, attribution_methods=(),
    untrained_twins=0, sticker_faces=0, exchange_pictures=0, mosaics=0,
)  # fmt: skip
KERAS = ("tf", "torch", "caffe")  # as MobileNetV2, DenseNet121 and ResNet50 of keras.applications are fed
L = keras.layers
# Keras writes what was trained by a way that numpy will one day refuse.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def draw(n, seed):
    """Return bytes of a colour each, or none, with noise, and their classes."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    tint = np.array([[150, 100, 100], [100, 150, 100], [100, 100, 150], [80, 80, 80]])[labels]
    images = tint[:, None, None] + generator.normal(scale=25, size=(n, 8, 8, 3)) + generator.normal(10, 8, (n, 1, 1, 1))
    return np.clip(images, 0, 255).astype(np.uint8), labels


def feed(name, images):
    """Preprocess bytes as Keras does; `bytes` are left alone, and `rescale` goes from 0 to 1."""
    if name == "rescale":
        return images.astype(np.float32) / 255
    return images.astype(np.float32) if name == "bytes" else preprocess_input(images.astype(np.float32), mode=name)


@functools.lru_cache
def train(name, *, rescales=False):
    """Return a tiny network that was trained on pictures of a preprocessing."""
    keras.utils.set_random_seed(0)
    own = [L.Rescaling(1 / 127.5, offset=-1, name="scaling")] if rescales else []
    model = keras.Sequential([
        keras.Input((8, 8, 3)), *own, L.Conv2D(8, 3, name="conv1"), L.BatchNormalization(), L.ReLU(),
        L.GlobalAveragePooling2D(), L.Dense(4, activation="softmax", name="decision"),
    ])  # fmt: skip
    images, labels = draw(600, 1)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(feed(name, images), labels, epochs=25, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="module")
def panel():
    images, labels = draw(160, 2)
    return Panel(images, labels, class_names=NAMES, subjects=np.array([f"s{k // 8}" for k in range(160)]))


@pytest.fixture(scope="module")
def answering(panel):
    """Return what a network trained with one preprocessing answers when it is fed with another, as a signature."""
    layers = (("conv1", "conv", 2), ("decision", "decision", 4))
    made = make_signature("network", panel=panel, layers=layers, twins=0, responses=False)

    def answer(trained, fed=None, *, rescales=False, span=(0.0, 1.0)):
        said, recipe = Interface(preprocessing=fed), dataclasses.replace(LIGHT, input_range=span)
        network = fit_network(train(trained, rescales=rescales), panel, said, recipe=recipe)
        scores = KerasClassifier(network).class_scores(panel.inputs(span))
        return dataclasses.replace(
            made,
            scores=scores,
            interface=said,
            recipe=dataclasses.replace(made.recipe, input_range=span),
            fed_otherwise=feed_otherwise(KerasClassifier(network), panel, said.front, recipe=recipe, scores=scores),
            model={**made.model, "own_scaling": list(name_own_scaling(network))},
        )

    return answer


@pytest.fixture(scope="module")
def measured(tmp_path_factory, panel):
    """Return the file of a network, and its signature with a preprocessing."""

    @functools.lru_cache
    def run(trained, fed=None, *, rescales=False):
        path = tmp_path_factory.mktemp("networks") / "network.keras"
        train(trained, rescales=rescales).save(path)
        return path, measure(path, panel, LIGHT, interface=Interface(preprocessing=fed), twins=False)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("span", [(0.0, 1.0), (0.0, 255.0)], ids=str)
@pytest.mark.parametrize("name", KERAS)
def test_the_preprocessing_that_a_network_was_trained_with_is_proposed(answering, name, span):
    """Fed with plain pictures it is misread, and the option that mends it is named; given that, nothing is said."""
    wrong = find_misreading(answering(name, span=span))
    assert wrong is not None
    assert wrong.sentence.endswith(f"--preprocessing {name}")
    assert wrong.reached > 0.9
    assert find_misreading(answering(name, name, span=span)) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_one_of_keras_applications_is_not_taken_for_another(answering, name):
    """Whichever of the other two it is fed with: what is named, if anything is surely better, is the right one."""
    found = [find_better_preprocessing(answering(name, other)) for other in KERAS if other != name]
    assert {better["name"] for better in found if better} <= {name}
    assert any(found)


@contextlib.contextmanager
def altered(name, *, channels=(0, 1, 2), outputs=(0, 1, 2, 3)):
    """Give a network the channels of its first kernel, and its outputs, in another order; take it back at the end."""
    model = train(name, rescales=False)  # as `answering` calls it: the very same network
    first, last = model.get_layer("conv1"), model.get_layer("decision")
    kept = first.get_weights(), last.get_weights()
    first.set_weights([kept[0][0][:, :, list(channels)], kept[0][1]])
    last.set_weights([part[..., list(outputs)] for part in kept[1]])
    try:
        yield model
    finally:
        first.set_weights(kept[0])
        last.set_weights(kept[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fed", "span", "said"),
    [
        ("rescale", None, (0.0, 1.0), "bgr"),
        ("rescale", "rescale", (0.0, 255.0), "bgr"),
        ("tf", None, (-1.0, 1.0), '{ scale = 0.00784313725490196, mean = [1.0], std = [1.0], order = "bgr" }'),
        ("bytes", "bytes", (0.0, 1.0), '{ scale = 1.0, mean = [0.0], std = [1.0], order = "bgr" }'),
    ],
    ids=str,
)
def test_reversed_channels_are_named_whatever_the_range(answering, name, fed, span, said):
    """The first kernel takes blue first: the setting that gives it so is said, and given that, nothing is."""
    with altered(name, channels=(2, 1, 0)):
        found = find_better_preprocessing(answering(name, fed, span=span))
        assert found["name"] == said
        assert found["reached"] > 0.9
        assert found["now"] < 0.6
        mended = read_interface({"preprocessing": said}).preprocessing
        assert find_misreading(answering(name, mended, span=span)) is None
    assert find_misreading(answering(name, fed, span=span)) is None


@pytest.mark.slow
def test_a_network_with_reversed_channels_is_refused_before_anything_is_rendered(panel, tmp_path):
    """By the option that mends it, if it is meant."""
    with altered("rescale", channels=(2, 1, 0)) as model:
        model.save(tmp_path / "network.keras")
    with pytest.raises(NetworkError, match=r"^Nothing was rendered.* 'bgr' \(values from 0 to 1, blue.*cessing bgr"):
        measure(tmp_path / "network.keras", panel, LIGHT, twins=False, stop_where_misread=True)


@pytest.mark.slow
def test_a_network_with_its_outputs_in_another_order_is_refused_before_anything_is_rendered(panel, tmp_path):
    """By the order; measured all the same it is kept what it is, and its record says so."""
    path = tmp_path / "network.keras"
    with altered("rescale", outputs=(3, 0, 1, 2)) as model:
        model.save(path)
    with pytest.raises(NetworkError, match=r"^Nothing was rendered.*'red' is 'dark', what.*\(dark, red, green, blue\)"):
        measure(path, panel, LIGHT, twins=False, stop_where_misread=True)
    made = measure(path, panel, LIGHT, twins=False)
    (reason,) = find_misreadings(made)
    assert reason["order"] == ["dark", "red", "green", "blue"]
    assert find_misreading(made).sentence in say_misreading(reason, approving=True)


@pytest.mark.slow
def test_red_and_blue_exchanged_may_be_channels_or_outputs(answering):
    """Of colours alone nobody can tell which it is: both are said, in a verdict and before an approval."""
    for change in ({"channels": (2, 1, 0)}, {"outputs": (2, 1, 0, 3)}):
        with altered("rescale", **change):
            made = answering("rescale")
        assert [reason["kind"] for reason in find_misreadings(made)] == ["preprocessing", "class_order"]
        said = find_misreading(made).sentence
        assert "--preprocessing bgr" in said
        assert "what it calls 'red' is 'blue'" in said


@pytest.mark.slow
def test_a_network_that_rescales_is_named_with_its_layer(answering):
    """It wants bytes, and the sentence says by which layer it scales them itself."""
    said = find_misreading(answering("bytes", rescales=True)).sentence
    assert "--preprocessing bytes" in said
    assert "It scales its pictures itself, by 'scaling'." in said


@pytest.mark.slow
def test_a_table_means_what_the_name_means(answering):
    """The general form with the numbers of a preset gives the very same answers."""
    table = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    np.testing.assert_array_equal(answering("torch", table).scores, answering("torch", "torch").scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "caffe"])
def test_a_network_passes_against_itself_with_maps_in_colours(measured, panel, tmp_path, name):
    """Its record is kept, read and compared with a second measurement: the same answers, and maps from 0 to 1."""
    path, made = measured(name, name)
    made.write(tmp_path / "baseline")
    baseline = read_signature(tmp_path / "baseline")
    assert baseline.interface.preprocessing == name
    assert baseline.digest() == made.digest()
    partner = ExchangePartner(signature=baseline, model=path)
    again = measure(path, panel, LIGHT, stimuli=partner, interface=baseline.interface, twins=False)
    assert compare(baseline, again).measures["kappa", ""].value == pytest.approx(1.0, abs=0.03)
    for maps in again.maps.values():
        known = maps[np.isfinite(maps)]
        assert known.size
        assert known.min() >= 0
        assert known.max() <= 1


@pytest.mark.slow
def test_a_network_and_one_that_preprocesses_by_itself_are_the_same(measured, panel):
    """The same weights behind a layer that scales bytes, and behind a preprocessing: the same maps and answers."""
    _, one = measured("tf", "tf")
    model, inside = train("tf"), train("bytes", rescales=True)
    before = inside.get_weights()
    inside.set_weights(model.get_weights())
    try:
        network = fit_network(inside, panel, Interface(preprocessing="bytes"), recipe=LIGHT)
        scores = KerasClassifier(network).class_scores(panel.inputs((0.0, 1.0)))
        outcome = ascend(network, network.unit_layers()[-1], recipe=LIGHT)
    finally:
        inside.set_weights(before)
    np.testing.assert_allclose(scores, one.scores, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(outcome.maps, one.maps["decision"], atol=0.01)


@pytest.mark.slow
def test_networks_of_different_preprocessing_are_compared(measured, panel, tmp_path):
    """A candidate fed as Caffe's networks are, a baseline as MobileNet is: both show each other colours."""
    path, baseline = measured("tf", "tf")
    candidate, _ = measured("caffe", "caffe")
    partner = ExchangePartner(signature=baseline, model=path)
    found = measure(candidate, panel, LIGHT, stimuli=partner, interface=Interface(preprocessing="caffe"), twins=False)
    assert np.isfinite(found.exchange.class_scores["free"]).any()
    assert np.isfinite(found.exchange.class_scores_back["free"]).any()
    assert compare(baseline, found).measures["kappa", ""].value > 0.9


@pytest.mark.slow
def test_what_was_tried_is_kept_and_no_more_than_that(measured, tmp_path):
    """Answers in other ways survive the record; a network that is right already has none, and none are made up."""
    wrong, right = measured("caffe")[1], measured("caffe", "caffe")[1]
    assert {name.split("/")[0] for name in wrong.fed_otherwise} == {"rows", "bytes", "tf", "torch", "caffe", "bgr"}
    wrong.write(tmp_path / "wrong")
    kept = read_signature(tmp_path / "wrong").fed_otherwise
    assert all(np.array_equal(kept[name], part) for name, part in wrong.fed_otherwise.items())
    assert find_better_preprocessing(right) is None
    lost = dataclasses.replace(wrong, fed_otherwise={**wrong.fed_otherwise, "rows": wrong.fed_otherwise["rows"] + 999})
    lost.write(tmp_path / "lost")
    with pytest.raises(ValueError, match=r"incomplete.*rows"):
        read_signature(tmp_path / "lost")
