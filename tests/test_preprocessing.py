"""What is done to a picture before a network sees it: the value, and the first steps of a network that it becomes."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.applications.imagenet_utils import preprocess_input

from modelcheck.attributions import attribute
from modelcheck.happymaps import render_happy_maps
from modelcheck.interface import NONE, PRESETS, Preprocessing, parse_preprocessing, write_preprocessing
from modelcheck.network import NetworkError, StepKind, check_agreement, flatten, preprocess_first
from modelcheck.network.receptive import receptive_field
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from networks import residual

RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
BYTES = np.random.default_rng(0).integers(0, 256, (24, 13, 12, 3)).astype(np.uint8)
KERAS = ("caffe", "tf", "torch")  # the modes of keras.applications
L = keras.layers


def colours(seed=0, *, use_bias=True):
    """Two convolutions and a dense layer on small colour pictures, without a layer that scales them."""
    keras.utils.set_random_seed(seed)
    own = {"use_bias": use_bias}
    return keras.Sequential([
        keras.Input((8, 6, 3)), L.Conv2D(4, 3, padding="same", activation="relu", name="conv1", **own),
        L.MaxPooling2D(), L.Conv2D(4, 3, activation="relu", **own), L.Flatten(), L.Dense(3, name="decision", **own),
    ])  # fmt: skip


COLOURS = flatten(colours())


def panel_of(images):
    return Panel(images, np.arange(len(images)) % 2, class_names=("a", "b"))


finite = st.floats(-300, 300)
positive = st.floats(0.01, 300)
channels = st.lists(finite, min_size=3, max_size=3)
values = st.builds(
    Preprocessing,
    scale=positive,
    mean=st.one_of(finite.map(lambda x: (x,)), channels.map(tuple)),
    std=st.one_of(positive.map(lambda x: (x,)), st.lists(positive, min_size=3, max_size=3).map(tuple)),
    order=st.sampled_from(["rgb", "bgr"]),
)
some = settings(max_examples=30, deadline=None, derandomize=True)


@pytest.mark.parametrize("mode", KERAS)
@pytest.mark.parametrize("span", RANGES, ids=str)
def test_a_preset_is_what_keras_applications_do_to_bytes(mode, span):
    """Bytes mapped onto any range and preprocessed by the first steps are what `preprocess_input` makes of them."""
    network = preprocess_first(flatten(residual()), PRESETS[mode], input_range=span)
    wanted = preprocess_input(BYTES.astype(np.float32), mode=mode)
    assert np.abs(network.feed(panel_of(BYTES).inputs(span)) - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_the_oracle_tells_the_presets_apart():
    """No two presets make the same of a picture, so that the test above can fail."""
    made = [preprocess_first(flatten(residual()), PRESETS[name], input_range=(0, 1)) for name in PRESETS]
    fed = [network.feed(BYTES / 255.0) for network in made]
    assert all(np.abs(one - other).max() > 0.05 for k, one in enumerate(fed) for other in fed[:k])


@some
@given(values, st.sampled_from(RANGES))
def test_the_box_of_colours_is_the_box_of_the_network(preprocessing, span):
    """Black and white give the ends of every channel, and what lies between stays between."""
    network = preprocess_first(COLOURS, preprocessing, input_range=span)
    grey = [span[0] + share * (span[1] - span[0]) for share in (0, 1, 0.3)]
    low, high, between = (network.feed(np.full((1, 8, 6, 3), value)) for value in grey)
    size = 255 * preprocessing.scale + np.abs(preprocessing.mean).max()
    near = 1e-5 * size / np.array(preprocessing.std)
    assert ((low < high + near) & (low <= between + near) & (between <= high + near)).all()
    for byte, found in ((0.0, low), (255.0, high)):
        picture = np.full((1, 8, 6, 3), byte)
        wanted = (preprocessing.scale * picture - preprocessing.mean) / preprocessing.std
        assert (np.abs(found - wanted) <= near).all()


def test_a_colour_goes_to_its_own_channel():
    """Red is the last channel of a network that takes blue first, and the first of any other."""
    red = np.zeros((1, 8, 6, 3))
    red[..., 0] = 1.0
    for order, channel in (("rgb", 0), ("bgr", 2)):
        fed = preprocess_first(COLOURS, Preprocessing(order=order), input_range=(0.0, 1.0)).feed(red)
        assert fed[0, 0, 0].tolist() == [255.0 * (k == channel) for k in range(3)]


@some
@given(values)
def test_a_preprocessing_survives_json(value):
    """What is written is read again as the same value; a preset is written by its name."""
    assert parse_preprocessing(json.loads(json.dumps(write_preprocessing(value)))) == value
    assert all(write_preprocessing(preset) == name for name, preset in PRESETS.items())
    assert write_preprocessing(None) == NONE


@pytest.mark.parametrize(
    "wrong",
    ["Caffe", "", 1, None, [], {"scale": 0}, {"scale": True}, {"std": [1, 0, 1]}, {"mean": float("nan")}, {"mean": []},
     {"order": "gbr"}, {"means": 1}, {"mean": [1, 2], "std": [1, 2, 3]}, {"scale": float("inf")}, {"mean": "1"}],
    ids=str,
)  # fmt: skip
def test_what_is_no_preprocessing_is_refused(wrong):
    """A name that is none, a part that is no such number, lengths that differ: one message, and no value."""
    with pytest.raises(ValueError, match=r"(?i)preprocessing"):
        parse_preprocessing(wrong)


def test_another_number_of_channels_is_refused_by_name():
    """The message names the network, the preprocessing and the channels."""
    grey = flatten(keras.Sequential([keras.Input((4, 4, 1)), L.Flatten(), L.Dense(2)], name="grey"))
    with pytest.raises(NetworkError, match=r"'grey'.*'caffe'.*3 channels, and these have 1.*preprocessing = 'none'"):
        preprocess_first(grey, PRESETS["caffe"], input_range=(0.0, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_keras_is_asked_with_preprocessed_pictures(name):
    """The steps agree with the model itself, which is fed as its users feed it; fed otherwise, they do not."""
    model = residual()
    network = preprocess_first(flatten(model), PRESETS[name], input_range=(0.0, 1.0))
    images = (BYTES / 255.0).astype(np.float32)
    check_agreement(network, images)
    fed = preprocess_input(BYTES.astype(np.float32), mode=name)
    np.testing.assert_allclose(network.class_scores(tf.constant(images)), model(fed), rtol=1e-3, atol=1e-4)
    with pytest.raises(NetworkError, match="does not answer as its layers do"):
        check_agreement(dataclasses.replace(network, entry=0), images)


@pytest.mark.parametrize("name", ["torch", "caffe"])
def test_a_receptive_field_stays_what_it_was(name):
    """A unit of the first convolution sees its window, whatever is done to the pictures first."""
    network = flatten(residual())
    fed = preprocess_first(network, PRESETS[name], input_range=(0.0, 1.0))
    own, after = (
        receptive_field(one, next(k for k, step in enumerate(one.steps) if step.kind is StepKind.CONV))
        for one in (network, fed)
    )
    assert own.size == after.size == (3, 3)
    patch = np.random.default_rng(1).random((2, 3, 3, 3), np.float32)
    target = next(k for k, step in enumerate(fed.steps) if step.kind is StepKind.CONV)
    plain = own.evaluate(network, fed.evaluate(tf.constant(patch), [fed.entry])[0], target - fed.entry)
    np.testing.assert_allclose(after.evaluate(fed, tf.constant(patch), target), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["torch", "caffe"])
def test_happymaps_are_pictures_in_the_recipe_s_range(name):
    """Whatever the network's own values are, a map is made of colours, and makes the unit happier than grey does."""
    fed = preprocess_first(flatten(colours()), PRESETS[name], input_range=(0.0, 1.0))
    recipe = Recipe(steps=8, copies=1, jitter=0.0)
    found = render_happy_maps(fed, "decision", [0, 2], recipe)
    assert found.maps.min() >= 0
    assert found.maps.max() <= 1
    assert found.maps.max() - found.maps.min() > 0.2


FAST = {"rise": {"samples": 8}, "integrated_gradients": {"steps": 4}}
# One of each way in which a method reads the network.
METHODS = (
    "gradient", "integrated_gradients", "guided_backprop", "deeplift", "lrp_epsilon_plus", "lrp_epsilon_gamma_box",
    "deep_taylor", "lrp_flat", "grad_cam", "occlusion", "rise",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_the_picture_and_not_what_the_network_is_fed(method):
    """Behind "caffe" a map has the picture's shape, is finite, and keeps its colours apart in the picture's order."""
    fed = preprocess_first(flatten(colours()), PRESETS["caffe"], input_range=(0.0, 1.0))
    maps = attribute(fed, (BYTES[:2, :8, :6] / 255.0).astype(np.float32), 1, method=method, **FAST.get(method, {}))
    assert maps.shape == (2, 8, 6, 3)
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() > 0


@pytest.mark.parametrize("name", ["torch", "caffe"])
def test_completeness_holds_in_the_picture_s_own_values(name):
    """DeepLIFT adds up to the score less that of the reference, both pictures in the recipe's range."""
    fed = preprocess_first(flatten(colours(1)), PRESETS[name], input_range=(0.0, 1.0))
    images = (BYTES[:3, :8, :6] / 255.0).astype(np.float64)
    change = [fed.class_scores(tf.constant(picture)).numpy()[:, 1] for picture in (images, np.full_like(images, 0.3))]
    maps = attribute(fed, images, 1, method="deeplift", reference=0.3, max_pool="rescale", dtype="float64")
    np.testing.assert_allclose(maps.sum((1, 2, 3)), change[0] - change[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["rescale", "bytes"])
def test_relevance_is_conserved_where_nothing_is_subtracted(name):
    """Without biases and a mean LRP-0 adds up to the score, as if the first kernel held the scale."""
    fed = preprocess_first(flatten(colours(2, use_bias=False)), PRESETS[name], input_range=(0.0, 1.0))
    images = (BYTES[:3, :8, :6] / 255.0).astype(np.float64)
    maps = attribute(fed, images, 1, method="lrp_0", dtype="float64")
    np.testing.assert_allclose(maps.sum((1, 2, 3)), fed.class_scores(tf.constant(images)).numpy()[:, 1], rtol=1e-5)


def test_occlusion_hides_pixels_of_the_picture():
    """A hidden window is filled with colours, and the score falls by what the network says of just that picture."""
    fed = preprocess_first(flatten(colours(3)), PRESETS["caffe"], input_range=(0.0, 1.0))
    images = (BYTES[:2, :8, :6] / 255.0).astype(np.float32)
    maps = attribute(fed, images, 1, method="occlusion", window=(8, 6), reference=0.5)
    before = fed.class_scores(tf.constant(images)).numpy()[:, 1]
    after = fed.class_scores(tf.constant(np.full_like(images, 0.5))).numpy()[:, 1]
    assert (np.sign(maps.sum((1, 2, 3))) == np.sign(before - after)).all()


@pytest.mark.parametrize(
    ("name", "span", "same"),
    [
        ("rescale", (0.0, 1.0), True),
        ("bytes", (0.0, 255.0), True),
        ("tf", (-1.0, 1.0), True),
        ("caffe", (0.0, 255.0), False),
        ("bytes", (0.0, 1.0), False),
    ],
)
def test_a_preprocessing_that_changes_nothing_is_seen(name, span, same):
    """Pictures that already are as the network wants them need none."""
    assert PRESETS[name].is_same(None, span, channels=3) == same
