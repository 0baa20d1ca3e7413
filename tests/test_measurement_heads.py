"""What outputs mean: one unit and its border, one of several units, several outputs of one class, mixed heads."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from keras import layers

from modelcheck.__main__ import main
from modelcheck.attributions import attribute
from modelcheck.interface import Interface
from modelcheck.measurement import ExchangePartner, fit_network, make_untrained_twin, measure
from modelcheck.network import NetworkError, check_agreement, flatten
from modelcheck.network.picking import pick
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import read_signature
from networks import plain
from signatures import make_panel

# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RECIPE = Recipe()
LIGHT = Recipe(steps=3, copies=2, untrained_twins=1, smoothgrad_samples=2, probe_pictures=6, sticker_faces=0)
SHAPE = (12, 10, 1)
NAMES = ("smiling", "hat", "glasses")


def panel(*class_names):
    """Return a panel of random bytes with these classes."""
    images = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), dtype=np.uint8)
    return Panel(images, np.arange(12) % len(class_names), class_names=class_names)


YES = panel("no", "yes")
IMAGES = YES.inputs((0.0, 1.0))


def fit(model, given=YES, **interface):
    """Return the fitted network."""
    return fit_network(model, given, Interface(**interface), recipe=RECIPE)


def margins(model, given=YES, **interface):
    """Return by how much the second of two classes leads."""
    scores = fit(model, given, **interface).class_scores(tf.constant(IMAGES)).numpy()
    return scores[:, 1] - scores[:, 0]


def heads(*activations, mix=None):
    """Return a network with a head of its own for each activation, ``name:units``, mixed or not."""
    keras.utils.set_random_seed(3)
    entry = keras.Input(SHAPE, name="picture")
    body = layers.Dense(6, activation="relu", name="dense")(layers.Flatten()(entry))
    ends = []
    for number, activation in enumerate(activations):
        name, units = activation.split(":")
        ends.append(layers.Dense(int(units), activation=name, name=f"head{number}")(body))
    return keras.Model(entry, mix(ends) if mix else ends, name="heads")


def two_inputs():
    """Return a network of a picture and an age, with outputs by name."""
    keras.utils.set_random_seed(4)
    picture, age = keras.Input(SHAPE, name="picture"), keras.Input((2,), name="age")
    body = layers.Conv2D(3, 3, activation="relu", name="conv")(picture)
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(body), age])
    outputs = {"smile": layers.Dense(2, name="d1")(both), "hat": layers.Dense(1, activation="sigmoid", name="d2")(both)}
    return keras.Model({"picture": picture, "age": age}, outputs, name="two")


@pytest.mark.parametrize("activation", ["sigmoid", None, "tanh"])
def test_the_border_is_where_it_is_said(activation):
    """A single unit answers the second class exactly where its own output exceeds the threshold."""
    model = plain(classes=1, activation=activation)
    answers = model(IMAGES).numpy()[:, 0]
    threshold = float(np.median(answers))
    assert ((margins(model, threshold=threshold) > 0) == (answers > threshold)).all()
    assert 0 < (answers > threshold).sum() < len(answers)


def test_the_usual_border_changes_nothing():
    """0.5 behind a sigmoid and 0 elsewhere are what is taken when nothing is said."""
    for activation, usual in (("sigmoid", 0.5), (None, 0.0)):
        model = plain(classes=1, activation=activation)
        np.testing.assert_array_equal(margins(model, threshold=usual), margins(model))


def test_each_label_is_a_decision_of_its_own():
    """The unit that is named answers yes or no, by number and by name, for the class of its name."""
    model = plain(classes=3, activation="sigmoid")
    answers = model(IMAGES).numpy()
    for unit, name in enumerate(NAMES):
        lead = margins(model, label=unit)
        np.testing.assert_allclose(1 / (1 + np.exp(-lead)), answers[:, unit], rtol=1e-4)
        np.testing.assert_array_equal(margins(model, label=name, outputs=NAMES), lead)
        np.testing.assert_array_equal(margins(model, panel(name, "none"), label=name, outputs=NAMES), -lead)
        shifted = margins(model, panel(name, "none"), label=name, outputs=NAMES, threshold=0.7)
        np.testing.assert_allclose(shifted, -lead + math.log(0.7 / 0.3), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["gradient", "smoothgrad", "occlusion", "lrp_epsilon", "deeplift", "gradient_x_input"]
)
def test_a_unit_of_several_has_the_maps_of_the_unit_alone(method):
    """What explains one of three units explains the same unit of a network that has no other."""
    model = plain(classes=3, activation="sigmoid")
    alone = plain(classes=1, activation="sigmoid")
    for one, other in zip(alone.layers, model.layers, strict=True):
        weights = other.get_weights()
        one.set_weights([part[..., 1:2] for part in weights] if one.name == "decision" else weights)
    targets = np.arange(len(IMAGES)) % 2
    options = {"seed": 0, "samples": 3} if method == "smoothgrad" else {}
    given = [attribute(net, IMAGES, targets, method=method, **options) for net in (fit(model, label=1), fit(alone))]
    np.testing.assert_allclose(*given, rtol=1e-3, atol=1e-5)
    assert np.abs(given[0]).max() > 0


def average(ends):
    return layers.Average()(ends)


def weighed(ends):
    return layers.Rescaling(0.5)(layers.Add()(ends))


@pytest.mark.parametrize("mix", [average, weighed], ids=["average", "sum"])
def test_mixed_softmaxes_are_probabilities(mix):
    """Scores are their logarithms, so that softmax gives the very probabilities back."""
    model = heads("softmax:3", "softmax:3", mix=mix)
    network = fit(model, panel("a", "b", "c"))
    np.testing.assert_allclose(tf.nn.softmax(network.class_scores(tf.constant(IMAGES))), model(IMAGES), rtol=1e-4)
    check_agreement(network, IMAGES)


def test_mixed_sigmoids_part_at_a_half():
    """An average of two sigmoids says yes above 0.5, not above 0; other mixtures stay what they are."""
    model = heads("sigmoid:1", "sigmoid:1", mix=average)
    assert ((margins(model) > 0) == (model(IMAGES).numpy()[:, 0] > 0.5)).all()
    assert fit(heads("linear:2", "linear:2", mix=average)).readout.link == ""
    assert fit(heads("softmax:2", "linear:2", mix=average)).readout.link == ""
    assert (
        fit(heads("sigmoid:1", "sigmoid:1", mix=lambda ends: layers.Rescaling(5.0)(average(ends)))).readout.link == ""
    )
    with pytest.raises(NetworkError, match="has 2 sigmoid units"):
        fit(heads("sigmoid:1", "sigmoid:1", mix=layers.Concatenate()))


REFUSED = {
    "several sigmoids": (lambda: plain(classes=3, activation="sigmoid"), YES, {}, "has 3 sigmoid units.*--label 0"),
    "a label of a softmax": (plain, YES, {"label": 0}, "label .* ends in a softmax"),
    "a label and three classes": (plain, panel("a", "b", "c"), {"label": 0}, "label|softmax"),
    "no such label": (
        lambda: plain(classes=3, activation="sigmoid"),
        YES,
        {"label": "smilling", "outputs": NAMES},
        "Did you mean 'smiling'",
    ),
    "a label beyond": (lambda: plain(classes=3, activation="sigmoid"), YES, {"label": 3}, "has 3 outputs, 0 to 2"),
    "a label without names": (lambda: plain(classes=3, activation=None), YES, {"label": "hat"}, "given by outputs"),
    "names of too few units": (
        lambda: plain(classes=3, activation="sigmoid"),
        YES,
        {"label": "hat", "outputs": NAMES[:2]},
        "3 distinct names",
    ),
    "a probability above 1": (lambda: plain(classes=1, activation="sigmoid"), YES, {"threshold": 1.5}, "0 and 1, not"),
    "a threshold of two": (plain, YES, {"threshold": 0.5}, "threshold .* has 2 outputs"),
    "one output, three classes": (
        lambda: plain(classes=1, activation="sigmoid"),
        panel("a", "b", "c"),
        {},
        "has one output, which tells two classes apart, the panel 3 classes",
    ),
    "one output, outputs": (
        lambda: plain(classes=1, activation="sigmoid"),
        YES,
        {"outputs": ("yes",)},
        "has one output.*Leave outputs out",
    ),
    "fewer outputs": (plain, panel("a", "b", "c"), {}, "has 2 outputs, the panel 3 classes .a, b, c.: no output"),
    "more outputs": (lambda: plain(classes=4), YES, {}, "has 4 outputs, the panel 2 classes .*If several"),
    "a class without output": (
        lambda: plain(classes=3),
        YES,
        {"outputs": ("no", "no", "no")},
        "it leaves out yes",
    ),
    "two outputs": (lambda: heads("softmax:2", "softmax:2"), YES, {}, r"head0 \(2,\), head1 \(2,\).*--output head0"),
    "no such output": (lambda: heads("softmax:2", "softmax:2"), YES, {"output": "head9"}, "output names 'head9'"),
    "one output of that name": (plain, YES, {"output": "head0"}, "has one output, decision"),
    "an input without value": (two_inputs, YES, {"output": "smile"}, r"takes: age \(2,\).*--inputs age=0.5"),
    "a value of no input": (two_inputs, YES, {"output": "smile", "inputs": {"sex": 1.0}}, "value of 'sex'"),
    "a vector for the picture": (
        two_inputs,
        YES,
        {"output": "smile", "input": "age", "inputs": {"picture": 1}},
        "takes shape",
    ),
}


@pytest.mark.parametrize(("make", "given", "interface", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_follow_is_refused(make, given, interface, words):
    """The message says what there is, and the setting to give."""
    with pytest.raises(NetworkError, match=words):
        fit(make(), given, **interface)


def test_units_that_are_classes_are_taken_when_that_is_said():
    """Sigmoids of which one is true are judged as one of K only where outputs say so."""
    model = plain(classes=3, activation="sigmoid")
    names = ("a", "b", "c")
    scores = fit(model, panel(*names), outputs=names).class_scores(tf.constant(IMAGES)).numpy()
    assert (scores.argmax(axis=1) == model(IMAGES).numpy().argmax(axis=1)).all()


@pytest.mark.parametrize("output", ["head1", 1], ids=["name", "number"])
def test_an_output_is_picked(output):
    """Of several outputs the named one is judged, and layers keep their names."""
    model = heads("softmax:3", "sigmoid:1")
    network = fit(model, output=output)
    assert [layer.name for layer in network.unit_layers()] == ["dense", "head1"]
    np.testing.assert_allclose(network.model(IMAGES), model(IMAGES)[1], rtol=1e-5)
    check_agreement(network, IMAGES)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["smile", "hat"])
def test_other_inputs_are_held(output):
    """With an age of 0.7 the network answers as with 0.7 for every picture, and so do its twins' layers."""
    model = two_inputs()
    wanted = model({"picture": IMAGES, "age": np.full((len(IMAGES), 2), 0.7, np.float32)})[output]
    network = fit(model, output=output, inputs={"age": 0.7})
    np.testing.assert_allclose(network.model(IMAGES), wanted, rtol=1e-5)
    assert not np.allclose(fit(two_inputs(), output=output, inputs={"age": 0.1}).model(IMAGES), wanted)
    assert [layer.name for layer in network.unit_layers()] == ["conv", "d1" if output == "smile" else "d2"]
    check_agreement(network, IMAGES)
    twin = make_untrained_twin(network.model, seed=1)
    assert not np.allclose(twin(IMAGES), wanted)
    assert [layer.name for layer in flatten(twin).unit_layers()] == [layer.name for layer in network.unit_layers()]


@pytest.mark.slow
def test_the_command_measures_one_of_several_outputs(tmp_path):
    """The record keeps how it was understood, and its file serves as a partner that is read alike."""
    two_inputs().save(tmp_path / "two.keras")
    given = make_panel(subjects=("ada", "ben"), size=SHAPE[:2], per_subject=6)
    given.save(tmp_path / "panel.npz")
    (tmp_path / "recipe.json").write_text(json.dumps(LIGHT.to_dict()))
    interface = ("--output", "hat", "--inputs", "age=0.7", "--threshold", "0.4")
    command = ("measure", tmp_path / "two.keras", "--panel", tmp_path / "panel.npz", "--to", tmp_path / "made")
    done = CliRunner().invoke(main, [*map(str, command), "--recipe", str(tmp_path / "recipe.json"), *interface])
    assert done.exit_code == 0, done.output
    made = read_signature(tmp_path / "made")
    assert made.interface == Interface(output="hat", inputs={"age": 0.7}, threshold=0.4)
    assert made.model["head"] == "sigmoid"
    ages = np.full((len(given), 2), 0.7, np.float32)
    answers = two_inputs()({"picture": given.inputs((0.0, 1.0)), "age": ages})["hat"].numpy()[:, 0]
    assert (made.scores.argmax(axis=1) == (answers > 0.4)).all()
    partner = ExchangePartner(signature=made, model=tmp_path / "two.keras")
    back = measure(tmp_path / "two.keras", given, LIGHT, stimuli=partner, interface=made.interface, twins=False)
    np.testing.assert_allclose(back.exchange.class_scores_back["free"], back.exchange.class_scores["free"], atol=1e-3)


def test_one_input_and_one_output_stay_as_they_are():
    """A network that has nothing to pick is the very same object."""
    model = plain()
    assert pick(model, Interface()) is model
    assert pick(model, Interface(output="decision", input=0)) is model
