"""A flattened network answers exactly as Keras does, and says clearly what it cannot take."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from modelcheck.network import NetworkError, flatten
from modelcheck.network.receptive import receptive_field
from networks import ZOO, nested, plain, residual


def pictures(network, n=3, seed=0, dtype="float32"):
    """Return random pictures in [0, 1] of the network's size."""
    return tf.constant(np.random.default_rng(seed).random((n, *network.input_shape)), dtype)


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_the_last_step_is_kerass_output(make):
    """Unfolding, separate activations and folded normalisation change no answer, and every shape is right."""
    model = make()
    network = flatten(model)
    images = pictures(network)
    values = network.evaluate(images, range(len(network.steps)))
    np.testing.assert_allclose(values[-1], model(images, training=False), rtol=1e-5, atol=1e-6)
    for step, value in zip(network.steps, values, strict=True):
        assert tuple(value.shape[1:]) == tuple(step.shape), step.name


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_double_precision_agrees_with_single(make):
    """The same weights in float64 give the same answer to single precision."""
    network = flatten(make())
    single, double = (network.class_scores(pictures(network, dtype=d)).numpy() for d in ("float32", "float64"))
    assert double.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


def test_softmax_is_bypassed_and_sigmoid_has_two_classes():
    """Class scores are what stands before softmax; a single sigmoid scores 0 for its first class."""
    model = plain()
    network = flatten(model)
    images = pictures(network)
    np.testing.assert_allclose(tf.nn.softmax(network.class_scores(images)), model(images), rtol=1e-5)
    single = flatten(nested())
    scores = single.class_scores(pictures(single)).numpy()
    assert scores.shape == (3, 2)
    assert (scores[:, 0] == 0).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-scores[:, 1:])), single.model(pictures(single)), rtol=1e-5)


def test_joined_outputs_add_probabilities():
    """Four outputs joined into two classes have the sum of the probabilities."""
    model = plain(classes=4)
    network = flatten(model).join_outputs([1, 0, 0, 0])
    images = pictures(network)
    probabilities = model(images).numpy()
    joined = tf.nn.softmax(network.class_scores(images)).numpy()
    np.testing.assert_allclose(joined[:, 1], probabilities[:, 0], rtol=1e-5)


def test_mixed_precision_is_measured_in_single():
    """A network of half-precision layers is read in the dtype of the pictures."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.PReLU(), layers.Flatten()])
        model.add(layers.Dense(2, activation="softmax", dtype="float32"))
    finally:
        keras.config.set_dtype_policy(policy)
    network = flatten(model)
    assert network.class_scores(pictures(network)).dtype == tf.float32


def test_units_are_read_before_their_activation():
    """Layers with units come in order; a convolution is read behind the normalisation that belongs to it."""
    network = flatten(residual())
    found = {layer.name: (layer.kind, network.steps[layer.read].name, layer.n_units) for layer in network.unit_layers()}
    assert found == {
        "conv1": ("conv", "norm1", 6),
        "depthwise": ("conv", "norm2", 6),
        "separable": ("conv", "separable", 7),
        "decision": ("decision", "decision", 3),
    }
    assert [layer.name for layer in flatten(nested()).unit_layers()] == [
        "backbone/dilated",
        "backbone/grouped",
        "score",
    ]


def test_a_layer_that_is_called_twice_is_one_read_at_its_first_call():
    """A shared convolution has one row: its units are read where it is called first, before the pooling here."""
    shared, start = layers.Conv2D(3, 3, padding="same", name="shared"), layers.Input((8, 8, 3))
    inner = layers.MaxPooling2D(name="pool")(shared(start))
    network = flatten(keras.Model(start, layers.Dense(2, name="decision")(layers.Flatten()(shared(inner)))))
    first, decision = network.unit_layers()
    assert (first.name, decision.name) == ("shared", "decision")
    assert network.steps[first.read].shape == (8, 8, 3)


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_a_patch_answers_as_the_picture_does(make):
    """The receptive field alone gives the centre unit's answer, away from the borders, for every convolution."""
    network = flatten(make(shape=(41, 39, 1 if make is not residual else 3)))
    images = pictures(network)
    for layer in network.unit_layers()[:-1]:
        field = receptive_field(network, layer.read)
        if layer.kind != "conv":
            assert field is None
            continue
        (top, bottom), (left, right) = field.ranges[0]
        assert (bottom - top + 1, right - left + 1) == field.size
        whole = network.evaluate(images, [layer.read])[0]
        centre = whole[:, whole.shape[1] // 2, whole.shape[2] // 2, :]
        patch = images[:, top : bottom + 1, left : right + 1, :]
        np.testing.assert_allclose(field.evaluate(network, patch, layer.read), centre, rtol=1e-4, atol=1e-5)


def test_the_patch_is_exact():
    """Every pixel of the field matters to the unit and no pixel outside it does."""
    network = flatten(residual(shape=(41, 39, 3)))
    layer = next(x for x in network.unit_layers() if x.name == "separable")
    field = receptive_field(network, layer.read)
    images = pictures(network, n=1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        whole = network.evaluate(images, [layer.read])[0]
        value = tf.reduce_sum(whole[:, whole.shape[1] // 2, whole.shape[2] // 2, :] ** 2)
    touched = np.abs(tape.gradient(value, images).numpy()[0]).max(axis=-1) > 0
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    assert ((rows.min(), rows.max()), (columns.min(), columns.max())) == field.ranges[0]


def test_known_sizes():
    """The sizes that one computes by hand: 3, then 8 behind a pooling and another convolution."""
    network = flatten(plain(shape=(40, 40, 1)))
    sizes = [receptive_field(network, layer.read).size for layer in network.unit_layers()[:2]]
    assert sizes == [(3, 3), (8, 8)]
    small = flatten(plain(shape=(8, 8, 1)))
    assert receptive_field(small, small.unit_layers()[1].read) is None


class Subclassed(keras.Model):
    """A network whose graph cannot be read."""

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Subclassed, "is subclassed"),
        (lambda: keras.Sequential([layers.Dense(2)]), "is not built"),
        (lambda: keras.Sequential([layers.Input((7,)), layers.Dense(2)]), "takes shape"),
        (lambda: keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(2, 3)]), "classifiers"),
        (
            lambda: keras.Model(
                [a := layers.Input((8, 8, 1)), b := layers.Input((8, 8, 1))],
                layers.Dense(2)(layers.Flatten()(layers.Add()([a, b]))),
            ),
            "2 inputs",
        ),
        (
            lambda: keras.Sequential(
                [layers.Input((3, 8, 8)), layers.Conv2D(2, 3, data_format="channels_first"), layers.Flatten()]
            ),
            "channels_first",
        ),
    ],
    ids=["subclassed", "unbuilt", "vectors", "no-classes", "two-inputs", "channels-first"],
)
def test_what_cannot_be_taken_is_named(make, words):
    """Networks outside the list get an error that says what and where."""
    with pytest.raises(NetworkError, match=words):
        flatten(make())


@pytest.mark.parametrize("layer", [0, 1], ids=["first", "second"])
def test_after_its_last_nonlinearity_a_patch_is_affine(layer):
    """After the last nonlinearity, answers to a sum are the sum of answers, and both halves make the whole."""
    network = flatten(plain(shape=(30, 28, 1)))
    read = network.unit_layers()[layer].read
    field = receptive_field(network, read)
    last = field.last_nonlinearity(network, read)
    assert last == [0, 3][layer]
    generator = np.random.default_rng(0)
    one, other = (tf.constant(generator.normal(size=(2, *field.shape(network, last))), tf.float32) for _ in range(2))
    a, b, both, none = (field.evaluate_between(network, x, last, read) for x in (one, other, one + other, 0 * one))
    np.testing.assert_allclose(a + b, both + none, atol=1e-5)
    patches = tf.constant(generator.random((2, *field.size, 1)), tf.float32)
    halves = field.evaluate_between(network, field.evaluate_between(network, patches, 0, last), last, read)[:, 0, 0]
    np.testing.assert_array_equal(halves, field.evaluate(network, patches, read))


def scaled_twice():
    """A network whose convolutions meet affine layers in every way: alone, in a row, beside another reader."""
    start = keras.Input((12, 10, 3))
    x = layers.Conv2D(6, 3, padding="same")(layers.Rescaling(2.0, 0.1)(start))
    x = layers.ReLU()(layers.Rescaling(0.5, -0.2)(layers.BatchNormalization()(x)))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    both = layers.Add()([x, layers.BatchNormalization(scale=False)(x)])
    x = layers.BatchNormalization(center=False)(layers.SeparableConv2D(4, 3)(both))
    x = layers.BatchNormalization()(layers.Dense(5)(layers.Flatten()(layers.ReLU()(x))))
    return keras.Model(start, layers.Dense(3)(layers.ReLU()(x)))


@pytest.mark.slow
@given(st.integers(0, 2**31 - 1))
@settings(max_examples=5, deadline=None)
def test_merging_normalisation_into_kernels_changes_no_answer(seed):
    """Every step answers what it answers when all are asked for at once, and nothing is merged."""
    model, random = scaled_twice(), np.random.default_rng(seed)
    for variable in model.weights:
        value = random.normal(size=variable.shape)
        variable.assign(0.5 + np.abs(value) if variable.name in ("moving_variance", "gamma") else value)
    network = flatten(model)
    every = range(1, network.logits + 1)
    images = tf.constant(random.uniform(size=(3, 12, 10, 3)), tf.float64)
    apart = network.evaluate(images, every)
    assert len(network.steps_between(every)) == len(every)
    assert len(network.steps_between([network.logits])) == len(every) - 4  # the one with two readers stays
    for position, expected in zip(every, apart, strict=True):
        np.testing.assert_allclose(network.evaluate(images, [position])[0], expected, rtol=1e-9, atol=1e-9)
