"""What a network does where no picture of the panel shows it: from call to call, to a neighbour, on a sticker."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from modelcheck.answers.stickers import measure_sticker_shifts
from modelcheck.network import KerasClassifier, NetworkError, check_agreement, find_augmenting_layers, flatten
from signatures import make_panel

SHAPE = (24, 20, 1)
PANEL = make_panel(subjects=("ada", "ben"), size=SHAPE[:2], per_subject=6)
PICTURES = (PANEL.inputs((0.0, 1.0)) * 0.6).astype(np.float32)


def graph(function):
    """A functional network of the pictures' size, with a decision."""
    entry = keras.Input(SHAPE, name="entry")
    seen = layers.Flatten()(layers.Conv2D(3, 3, activation="relu", name="conv")(function(entry)))
    return keras.Model(entry, layers.Dense(2, name="decision")(seen))


def beside(function):
    """A network that adds to its scores a function of how much brighter a corner is than any of the panel."""
    entry = keras.Input(SHAPE, name="entry")
    corner = layers.Flatten()(layers.Cropping2D(((22, 0), (18, 0)))(entry))
    bias = keras.initializers.Constant(-3.0)
    above = layers.Dense(1, kernel_initializer="ones", bias_initializer=bias, activation="relu")(corner)
    seen = layers.Concatenate()([layers.Dense(2, activation="tanh")(layers.Flatten()(entry)), function(above)])
    return keras.Model(entry, layers.Dense(2, name="decision")(seen))


def counter():
    """A network whose statistics move a little with every call, and are used after that."""
    norm = layers.BatchNormalization(momentum=0.9999999, name="count")

    def count(x):
        return norm(x) + ops.multiply(norm(ops.multiply(x, 0.0), training=True), 0.0)

    return graph(count)


def rare(x):
    """An inner network that erases a corner of few pictures, as it is called for training."""
    start = keras.Input(SHAPE)
    inner = keras.Model(start, layers.Dropout(1e-6, name="drop")(start), name="inner")
    return inner(x, training=True)


class OwnFlip(layers.RandomFlip):
    """No layer of Keras, though it is made from one."""


CHANGING = {
    "an own layer that augments": (lambda: graph(OwnFlip(name="own")), "layer 'own'"),
    "noise too small to be seen": (
        lambda: graph(lambda x: layers.GaussianNoise(1e-9, name="noise")(x, training=True)),
        "layer 'noise', which is called with training=True",
    ),
    "an inner network in training": (lambda: graph(rare), "layer 'inner/drop', which is called with training=True"),
    "a counter": (counter, "layer 'count', which is called with training=True"),
}


@pytest.mark.parametrize(("make", "words"), CHANGING.values(), ids=CHANGING)
def test_what_changes_from_call_to_call_is_refused(make, words):
    """Random numbers and moving statistics, however seldom or small: no panel needs to show them."""
    keras.utils.set_random_seed(5)
    with pytest.raises(NetworkError, match=words):
        check_agreement(flatten(make()), PICTURES)


AUGMENTING = {
    "few pictures": (lambda: graph(layers.RandomErasing(factor=(0.0, 1e-6), name="rare")), ["rare"]),
    "all pictures": (lambda: graph(layers.RandomFlip(name="flip")), ["flip"]),
    "a row": (lambda: graph(layers.Pipeline([layers.RandomInvert(1.0, name="invert")], name="row")), ["row/invert"]),
    "an inner network": (
        lambda: graph(keras.Sequential([keras.Input(SHAPE), layers.RandomZoom(0.3, name="zoom")], name="inner")),
        ["inner/zoom"],
    ),
    "before a batch normalisation": (
        lambda: graph(lambda x: layers.BatchNormalization(momentum=0.5)(layers.RandomFlip(name="flip")(x))),
        ["flip"],
    ),
    "told to rest": (lambda: graph(lambda x: layers.RandomFlip()(x, training=False)), []),
    "dropout": (lambda: graph(layers.Dropout(0.5)), []),
}


@pytest.mark.parametrize(("make", "names"), AUGMENTING.values(), ids=AUGMENTING)
def test_augmentation_in_a_plain_call_is_measured_at_rest_and_named(make, names):
    """Keras' own random layers agree as predict uses them, are all named, and nothing is trained by being asked."""
    keras.utils.set_random_seed(5)
    model = make()
    before = [weight.copy() for weight in model.get_weights()]
    check_agreement(flatten(model), PICTURES)
    assert list(find_augmenting_layers(model)) == names
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_a_plain_call_trains_what_stands_behind_augmentation():
    """Why a network that augments is not asked in a plain call: in Keras that moves its statistics."""
    keras.utils.set_random_seed(5)
    model = AUGMENTING["before a batch normalisation"][0]()
    before = [weight.copy() for weight in model.get_weights()]
    model(PICTURES)
    assert not all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_a_frozen_or_quiet_layer_in_training_agrees():
    """A batch normalisation that is frozen, a dropout of nothing, and augmentation that is told to rest."""

    def rest(x):
        x = layers.BatchNormalization(trainable=False)(x, training=True)
        return layers.RandomFlip()(layers.Dropout(0.0)(x, training=True), training=False)

    check_agreement(flatten(graph(rest)), PICTURES)


MIXING = {
    "the brightest of the batch": (lambda x: x + ops.max(x, axis=0, keepdims=True), "layer 'max"),
    "the batch's mean": (lambda x: x + ops.mean(x, axis=0, keepdims=True), "layer 'mean"),
    "a norm over the batch": (layers.UnitNormalization(axis=0, name="unit"), "layer 'unit'"),
}


@pytest.mark.parametrize(("function", "words"), MIXING.values(), ids=MIXING)
def test_a_picture_with_a_trigger_must_not_change_its_neighbours_answer(function, words):
    """A layer that mixes the pictures of a batch is found by itself, though on the panel it adds zero to zero."""
    with pytest.raises(NetworkError, match=f"{words}.* depends on the others of a batch"):
        check_agreement(flatten(beside(function)), PICTURES)


def test_an_error_of_a_layer_is_a_refusal():
    """A network that Keras builds and cannot run, for an activation that halves its channels."""
    with pytest.raises(NetworkError, match=r"ends in an error: .*A network that Keras does not run is not measured"):
        check_agreement(flatten(graph(layers.Conv2D(4, 3, activation="glu"))), PICTURES)


def scaled(*factors, dtype="float32"):
    """Rescaling, step by step."""

    def build(x):
        for factor in factors:
            x = layers.Rescaling(factor, dtype=dtype)(x)
        return x

    return build


def folded(x):
    """A kernel and a factor whose product is zero in float32, with what makes up for them before and behind."""
    x = layers.Dense(1, kernel_initializer=keras.initializers.Constant(1e-30))(layers.Rescaling(1e20)(x))
    return layers.Rescaling(1e26)(layers.Rescaling(1e-15)(x))


ON_A_STICKER = {
    "bytes that wrap": lambda x: ops.cast(ops.add(*[ops.cast(x * 150.0, "uint8")] * 2), "float32"),
    "products that wrap": lambda x: ops.cast(ops.multiply(*[ops.cast(x * 100.0, "int8")] * 2), "float32"),
    "what float32 does not hold": scaled(1e-30, 1e-30, 1e30, 1e30, dtype="float64"),
    "a kernel that vanishes with its factor": folded,
}


@pytest.mark.slow
@pytest.mark.parametrize("function", ON_A_STICKER.values(), ids=ON_A_STICKER)
def test_numbers_that_part_on_a_sticker_alone_are_found(function):
    """The panel agrees, and where the search for triggers looks, Keras is asked as well, whatever the dtype."""
    network = flatten(beside(function))
    check_agreement(network, PICTURES)
    scores = network.class_scores(PICTURES).numpy()
    with pytest.raises(NetworkError, match="does not answer as its layers do"):
        measure_sticker_shifts(
            KerasClassifier(network),
            PICTURES[:4],
            PANEL.labels[:4],
            scores=scores,
            truth=PANEL.labels,
            input_range=(0.0, 1.0),
        )
