"""The short ways to an attribution give what the long way does: windows run alone, means walked back once."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.attributions import attribute, hiding
from modelcheck.attributions.gradients import gaussian_noise
from modelcheck.network import flatten

L = keras.layers
SHAPE = (22, 19, 2)
OWN = {"dtype": "float64"}
few = settings(max_examples=4, deadline=None, derandomize=True)


def chain(seed, head):
    """Strides, dilation, both paddings, normalisation and every local step, one after another."""
    keras.utils.set_random_seed(seed)
    entry = keras.Input(SHAPE)
    x = L.Rescaling(2.0, offset=-1.0, **OWN)(entry)
    x = L.Conv2D(4, 3, padding="same", dilation_rate=(2, 1), **OWN)(x)
    x = L.BatchNormalization(**OWN)(x)
    x = L.LeakyReLU(0.1, **OWN)(x)
    x = L.DepthwiseConv2D((3, 2), padding="same", activation="tanh", **OWN)(x)
    x = L.MaxPooling2D(3, strides=2, padding="same", **OWN)(x)
    x = L.Dropout(0.5, **OWN)(x)
    x = L.Conv2D(5, (1, 3), strides=(1, 2), activation="relu", **OWN)(x)
    x = L.AveragePooling2D(2, strides=1, **OWN)(x)
    if head == "branch":
        x = L.Add(**OWN)([x, L.Conv2D(5, 3, padding="same", **OWN)(x)])
    x = L.GlobalMaxPooling2D(**OWN)(x) if head == "pooled" else L.Flatten(**OWN)(x)
    network = keras.Model(entry, L.Dense(3, **OWN)(x))
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return network


def occluded_one_by_one(network, images, targets, window, stride, reference):
    """Hide each window in turn in whole pictures and share its fall."""
    scores = flatten(network).class_scores
    whole = np.take_along_axis(scores(tf.constant(images)).numpy(), targets[:, None], 1)[:, 0]
    total, count = np.zeros(images.shape[:3]), np.zeros(images.shape[1:3])
    last = [max(0, -(-(length - side) // stride)) for length, side in zip(images.shape[1:3], window, strict=True)]
    for row in range(last[0] + 1):
        for column in range(last[1] + 1):
            place = np.s_[row * stride : row * stride + window[0], column * stride : column * stride + window[1]]
            hidden = images.copy()
            hidden[:, place[0], place[1]] = reference
            found = np.take_along_axis(scores(tf.constant(hidden)).numpy(), targets[:, None], 1)[:, 0]
            total[:, place[0], place[1]] += (whole - found)[:, None, None]
            count[place] += 1
    mean = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return np.repeat(mean[..., None], images.shape[3], axis=3)


@pytest.mark.slow
@given(
    seed=st.integers(0, 1000),
    head=st.sampled_from(["flat", "pooled", "branch"]),
    window=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 4),
)
@few
def test_windows_run_alone_score_like_whole_pictures(seed, head, window, stride):
    """Occlusion by regions is occlusion by whole pictures, at every border, stride, padding and dilation."""
    network, generator = chain(seed, head), np.random.default_rng(seed)
    images, targets = generator.random((2, *SHAPE)), np.array([2, 0])
    assert len(hiding._steps_to_rerun(flatten(network), window)) > 5
    found = attribute(network, images, targets, method="occlusion", window=window, stride=stride, reference=0.3)
    wanted = occluded_one_by_one(network, images, targets, window, stride, 0.3)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))


@pytest.mark.slow
def test_a_window_over_half_the_picture_is_run_whole():
    """Where a window changes most of the map nothing is gained, and the whole picture is run."""
    network = chain(0, "flat")
    assert not hiding._steps_to_rerun(flatten(network), (20, 15))
    images, targets = np.random.default_rng(1).random((1, *SHAPE)), np.array([1])
    found = attribute(network, images, targets, method="occlusion", window=(20, 15), stride=2)
    wanted = occluded_one_by_one(network, images, targets, (20, 15), 2, 0.0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", [L.PReLU(dtype="float64"), L.Normalization(axis=(1, 2, 3), mean=np.full(SHAPE, 0.2),
                                                                            variance=np.full(SHAPE, 2.0), **OWN)],
                         ids=["PReLU", "Normalization"])  # fmt: skip
def test_a_layer_that_differs_from_place_to_place_is_run_whole(layer):
    """A slope or a mean of each pixel's own belongs to the place, so regions stop before it."""
    network = keras.Sequential([keras.Input(SHAPE), layer, L.Conv2D(2, 3, **OWN), L.Flatten(), L.Dense(2, **OWN)])
    assert not hiding._steps_to_rerun(flatten(network), (2, 2))


@pytest.mark.slow
@given(seed=st.integers(0, 1000), head=st.sampled_from(["flat", "pooled", "branch"]))
@few
def test_means_of_gradients_are_the_plain_means(seed, head):
    """SmoothGrad and integrated gradients walk back through the linear start once, and are means of gradients."""
    network, generator = chain(seed, head), np.random.default_rng(seed)
    images, targets = generator.random((2, *SHAPE)), np.array([2, 0])
    noise = gaussian_noise(5, SHAPE, 3).astype(np.float64)
    spread = np.ptp(images, axis=(1, 2, 3))[:, None, None, None]
    single = [attribute(network, images + 0.2 * spread * row, targets, method="gradient") for row in noise]
    found = attribute(network, images, targets, method="smoothgrad", samples=5, noise_scale=0.2, seed=3)
    np.testing.assert_allclose(found, np.mean(single, 0), rtol=0, atol=1e-12)
    line = [(k + 0.5) / 5 for k in range(5)]
    single = [attribute(network, 0.1 + at * (images - 0.1), targets, method="gradient") for at in line]
    options = {"steps": 5, "quadrature": "midpoint", "reference": 0.1}
    found = attribute(network, images, targets, method="integrated_gradients", **options)
    np.testing.assert_allclose(found, np.mean(single, 0) * (images - 0.1), rtol=0, atol=1e-12)
