"""Laws that attributions keep on every network and picture."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given

from attribution_networks import FAST, SHAPE, L, chosen, everywhere, few, fill, filled, pictures, plain, residual, seeds
from modelcheck.attributions import (
    SLOPES,
    AttributionError,
    attribute,
    attribution_methods,
)
from modelcheck.network import flatten


@pytest.fixture(scope="module")
def networks():
    """Return one filled network of each kind, so that graphs are built once."""
    return filled()


@pytest.mark.slow
@pytest.mark.parametrize("method", attribution_methods())
def test_shape_sign_and_batch(networks, method):
    """A map has its picture's shape, is float32 and finite, and does not depend on the pictures beside it."""
    images, targets = pictures(1, 5).astype(np.float32), np.array([0, 1, 2, 0, 1])
    for network in everywhere(method, networks):
        maps = attribute(network, images, targets, method=method, **FAST.get(method, {}))
        assert maps.shape == images.shape
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        alone = attribute(network, images[3:4], 0, method=method, batch_size=1, **FAST.get(method, {}))
        scale = np.abs(maps[3]).max() + 1e-30
        assert np.abs(alone[0] - maps[3]).max() / scale < 1e-3


@pytest.mark.parametrize("method", attribution_methods())
@pytest.mark.parametrize("bias", [0.0, -1.0], ids=["dead", "constant"])
def test_dead_layers_give_finite_maps(method, bias):
    """A network whose first layer never fires, or that gives one score for all pictures, has finite maps."""
    network = residual(dtype="float32") if method == "cam" else plain(dtype="float32")
    fill(network, 0)
    network.layers[0 if method != "cam" else 1].set_weights([
        np.zeros((3, 3, 2, 4)), np.full(4, bias)
    ])  # fmt: skip
    assert np.isfinite(attribute(network, pictures(2), 1, method=method, **FAST.get(method, {}))).all()


@pytest.mark.slow
@few
@given(seeds)
def test_integrated_gradients_and_deeplift_are_complete(seed):
    """Their maps add up to f(x) - f(reference)."""
    images, targets = pictures(seed), np.array([0, 1, 2])
    for build in (plain, residual):
        network = fill(build(), seed)
        change = chosen(network, images, targets) - chosen(network, np.full_like(images, 0.3), targets)
        exact = attribute(network, images, targets, method="deeplift", reference=0.3, max_pool="rescale")
        np.testing.assert_allclose(exact.sum((1, 2, 3)), change, rtol=1e-8, atol=1e-10)
        summed = attribute(network, images, targets, method="integrated_gradients", reference=0.3, steps=400)
        # A sum of samples: kinks between them cost a share of all that moves.
        assert (np.abs(summed.sum((1, 2, 3)) - change) < 0.02 * np.abs(summed).sum((1, 2, 3)) + 1e-9).all()


@pytest.mark.slow
@few
@given(seeds)
def test_lrp_0_conserves_and_is_gradient_times_input_without_bias(seed):
    """On ReLU networks without bias LRP-0 adds up to the score, and is gradient x input pixel by pixel."""
    images, targets = pictures(seed), np.array([0, 1, 2])
    for build in (plain, residual):
        network = fill(build(use_bias=False), seed, bias=False)
        maps = attribute(network, images, targets, method="lrp_0")
        np.testing.assert_allclose(maps.sum((1, 2, 3)), chosen(network, images, targets), rtol=1e-7, atol=1e-9)
        product = attribute(network, images, targets, method="gradient_x_input")
        np.testing.assert_allclose(maps, product, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lrp_z_plus", "lrp_gamma", "lrp_w_square", "lrp_flat", "lrp_alpha1_beta0"])
@few
@given(seeds)
def test_relevance_is_conserved_without_bias(method, seed):
    """Sharing rules hand on all relevance where there is no bias, batch normalisation and additions included."""
    images = pictures(seed, 2)
    network = fill(residual(use_bias=False), seed, bias=False)
    target = np.asarray(flatten(network).class_scores(tf.constant(images))).argmax(1)
    score = chosen(network, images, target)
    maps = attribute(network, images, target, method=method)
    # What passes a layer none of whose terms speaks for its output is lost, never made.
    assert (np.abs(maps.sum((1, 2, 3))) <= np.abs(score) * (1 + 1e-6)).all()
    if method in ("lrp_w_square", "lrp_flat"):
        return
    # A score without any positive contribution has nothing to share.
    np.testing.assert_allclose(maps.sum((1, 2, 3))[score > 0], score[score > 0], rtol=1e-2)


@pytest.mark.slow
@few
@given(seeds)
def test_z_plus_and_deep_taylor_keep_the_sign_of_the_score(seed):
    """Their relevance is never negative for a positive score and never positive for a negative one."""
    images = pictures(seed, 2)
    for build in (plain, residual):
        network = fill(build(), seed)
        for target in range(3):
            sign = np.sign(chosen(network, images, np.full(2, target)))[:, None, None, None]
            for method in ("lrp_z_plus", "deep_taylor", "deep_taylor_w_square"):
                assert (attribute(network, images, target, method=method) * sign >= -1e-12).all()


@pytest.mark.slow
@few
@given(seeds)
def test_cam_is_grad_cam_on_pooled_networks(seed):
    """On global average pooling CAM is Grad-CAM without relu times the number of positions, at the layer's size."""
    network, images = fill(residual(), seed), pictures(seed)
    one = attribute(network, images, 1, method="cam", resize=False)
    other = attribute(network, images, 1, method="grad_cam", relu=False, resize=False)
    np.testing.assert_allclose(one, other * one[0].size, rtol=1e-9, atol=1e-12)
    whole = attribute(network, images, 1, method="cam")
    np.testing.assert_allclose(
        whole, attribute(network, images, 1, method="grad_cam", relu=False) * one[0].size, atol=1e-9
    )


@pytest.mark.slow
@few
@given(seeds)
def test_simple_taylor_on_linear_and_homogeneous_networks(seed):
    """It is f w^2 / |w|^2 at a linear unit, and gradient x input on a ReLU network without bias when led to 0."""
    images = pictures(seed)
    linear = fill(keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Dense(3, dtype="float64")]), seed)
    weight = linear.layers[-1].get_weights()[0][:, 1]
    wanted = chosen(linear, images, np.full(3, 1))[:, None] * weight**2 / (weight**2).sum()
    found = attribute(linear, images, 1, method="simple_taylor")
    np.testing.assert_allclose(found.reshape(3, -1), wanted, rtol=1e-6, atol=1e-12)
    network = fill(plain(use_bias=False), seed, bias=False)
    led = attribute(network, images, 1, method="simple_taylor", search="reference", reference=0.0)
    np.testing.assert_allclose(led, attribute(network, images, 1, method="gradient_x_input"), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_alpha_2_beta_1_doubles_where_nothing_is_negative(depth):
    """Each layer without a negative contribution hands on twice what it got; alpha 1, beta 0 hands on the score."""
    ones = {"use_bias": False, "kernel_initializer": "ones"}
    hidden = [L.Dense(3, activation="relu", **ones) for _ in range(depth - 1)]
    model = keras.Sequential([keras.Input((2, 2, 1)), L.Flatten(), *hidden, L.Dense(1, **ones)])
    picture = np.arange(1.0, 5.0).reshape(1, 2, 2, 1)
    score = float(model(picture)[0, 0])
    for method, factor in (("lrp_alpha2_beta1", 2**depth), ("lrp_alpha1_beta0", 1)):
        np.testing.assert_allclose(attribute(model, picture, 1, method=method).sum(), factor * score, rtol=1e-5)


def test_alpha_beta_stays_bounded_with_a_bias():
    """Dense w = [1, -1], b = -1, x = [1, 1] has relevance of the score's size, not of 1 / epsilon."""
    network = keras.Sequential([
        keras.Input((1, 2, 1)), L.Flatten(dtype="float64"), L.Dense(2, dtype="float64"),
    ])  # fmt: skip
    network.layers[-1].set_weights([np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, 0.0])])
    x = np.ones((1, 1, 2, 1))
    first = attribute(network, x, 0, method="lrp_alpha1_beta0").ravel()
    np.testing.assert_allclose(first, [-1, 0], atol=1e-5)
    second = attribute(network, x, 0, method="lrp_alpha2_beta1").ravel()
    np.testing.assert_allclose(second, [-2, 0.5], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lrp_epsilon", "lrp_z_plus", "deep_taylor", "lrp_epsilon_gamma_box"])
def test_batch_norm_is_folded_exactly(method):
    """Relevance is the same whether a scaling stands before, after or inside the convolution, borders included."""
    generator = np.random.default_rng(5)
    kernel, bias = generator.normal(size=(3, 3, 2, 3)), generator.normal(size=3)
    factor, shift = 0.5 + generator.random(2), generator.normal(size=2)

    def build(*layers):
        return keras.Sequential([
            keras.Input(SHAPE), *layers, L.ReLU(dtype="float64"),
            L.Flatten(dtype="float64"), L.Dense(2, dtype="float64"),
        ])  # fmt: skip

    head = generator.normal(size=(8 * 6 * 3, 2))
    after = build(L.Conv2D(3, 3, padding="same", dtype="float64"), L.BatchNormalization(dtype="float64"))
    after.layers[0].set_weights([kernel, bias])
    after.layers[1].set_weights([np.full(3, 2.0), np.full(3, 0.3), np.full(3, 0.1), np.full(3, 4 - 1e-3)])
    whole = build(L.Conv2D(3, 3, padding="same", dtype="float64"))
    whole.layers[0].set_weights([kernel, (bias - 0.1) + 0.3])
    for network in (after, whole):
        network.layers[-1].set_weights([head, np.zeros(2)])
    images = pictures(4)
    np.testing.assert_allclose(
        attribute(after, images, 1, method=method), attribute(whole, images, 1, method=method), rtol=1e-9, atol=1e-12
    )
    before = build(L.BatchNormalization(dtype="float64"), L.Conv2D(3, 3, padding="valid", dtype="float64"))
    before.layers[0].set_weights([factor, shift, np.zeros(2), np.full(2, 1 - 1e-3)])
    before.layers[1].set_weights([kernel, bias])
    inside = build(L.Conv2D(3, 3, padding="valid", dtype="float64"))
    moved = bias + np.einsum("hwio,i->o", kernel, shift)
    inside.layers[0].set_weights([kernel * factor[:, None], moved])
    for network in (before, inside):
        network.layers[-1].set_weights([head[: 6 * 4 * 3], np.zeros(2)])
    np.testing.assert_allclose(
        attribute(before, images, 1, method=method), attribute(inside, images, 1, method=method), rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["deconvolution", "guided_backprop", "lrp_z_plus", "deeplift", "grad_cam"])
def test_nesting_changes_nothing(method):
    """A network used as a layer of another has the same maps as it has by itself."""
    inner = fill(plain.__wrapped__(dtype="float32"), 9)
    entry = keras.Input(SHAPE)
    outer = keras.Model(entry, L.Activation("softmax")(inner(entry)))
    images = pictures(6)
    options = {"layer": inner.layers[2].name} if method == "grad_cam" else {}
    nested = {"layer": f"{inner.name}/{inner.layers[2].name}"} if method == "grad_cam" else {}
    one = attribute(inner, images, 2, method=method, **options)
    np.testing.assert_allclose(attribute(outer, images, 2, method=method, **nested), one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["gradient", "lrp_z_plus", "deeplift", "occlusion", "guided_backprop"])
def test_a_single_score_speaks_for_both_classes(method):
    """A network with one sigmoid has the maps of the network with two outputs -s/2 and s/2, up to the common part."""
    one = fill(keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Dense(1, activation="sigmoid")]), 1)
    two = keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Dense(2)])
    kernel, bias = one.layers[-1].get_weights()
    two.layers[-1].set_weights([np.hstack([-kernel, kernel]), np.hstack([-bias, bias])])
    images = pictures(8)
    for target in (0, 1):
        wanted = attribute(two, images, target, method=method)
        np.testing.assert_allclose(attribute(one, images, target, method=method), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_joined_outputs_are_one_class(networks):
    """Outputs joined by logsumexp have the gradient of that sum, and relevance by their share in it."""
    network = networks["plain"]
    joined = flatten(network).join_outputs([0, 1, 1])
    images = pictures(3).astype(np.float32)
    scores = np.asarray(flatten(network).class_scores(tf.constant(images)))[:, 1:]
    share = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    one, other = (attribute(network, images, target, method="gradient") for target in (1, 2))
    wanted = share[:, 0, None, None, None] * one + share[:, 1, None, None, None] * other
    np.testing.assert_allclose(attribute(joined, images, 1, method="gradient"), wanted, rtol=1e-3, atol=1e-6)
    assert np.isfinite(attribute(joined, images, 1, method="lrp_epsilon_plus")).all()
    with pytest.raises(AttributionError, match="joined into classes"):
        attribute(joined, images, 1, method="deeplift")


def test_noise_depends_on_seed_and_sample_alone(networks):
    """A picture's SmoothGrad is the same in any company and batch size, and another seed gives another."""
    images = pictures(5, 4).astype(np.float32)
    whole = attribute(networks["plain"], images, 1, method="smoothgrad", samples=5)
    parts = attribute(networks["plain"], images[::-1], 1, method="smoothgrad", samples=5, batch_size=3)[::-1]
    np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-5)
    other = attribute(networks["plain"], images, 1, method="smoothgrad", samples=5, seed=1)
    assert np.abs(other - whole).max() > 1e-3


@pytest.mark.slow
def test_slopes_are_the_signed_maps_that_do_not_grow_with_the_picture():
    """On a linear network twice the picture doubles what pixels contribute, and leaves slopes as they are."""
    network = keras.Sequential([keras.Input((8, 6, 1)), L.Conv2D(3, 3, use_bias=False), L.GlobalAveragePooling2D()])
    network.add(L.Dense(2, use_bias=False))
    picture = np.random.default_rng(0).uniform(0.2, 0.45, (1, 8, 6, 1)).astype(np.float32)
    found = []
    for method in attribution_methods():
        one, twice = (
            attribute(fill(network, 3), k * picture, 1, method=method, **FAST.get(method, {})) for k in (1, 2)
        )
        if np.allclose(one, twice, rtol=1e-3, atol=1e-6) and (one < 0).any():
            found.append(method)
    assert tuple(found) == SLOPES


def test_vargrad_is_the_variance_whatever_the_batch():
    """It equals numpy's variance of the gradients under the same noise."""
    from modelcheck.attributions.gradients import gaussian_noise

    network, images = fill(plain(), 1), pictures(1, 1)
    spread = images.max() - images.min()
    noisy = images[0] + 0.2 * spread * gaussian_noise(6, SHAPE, 3)
    wanted = attribute(network, noisy, 1, method="gradient").var(0)
    for batch_size in (None, 1, 4):
        found = attribute(
            network, images, 1, method="vargrad", samples=6, noise_scale=0.2, seed=3, batch_size=batch_size
        )
        np.testing.assert_allclose(found[0], wanted, rtol=1e-6, atol=1e-12)
