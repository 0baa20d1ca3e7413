"""Laws that attributions keep on every network and picture, and what they say when they cannot be computed."""

import gc
import weakref
from functools import lru_cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.attributions import (
    SLOPES,
    AttributionError,
    Composite,
    alpha_beta,
    attribute,
    attribution_methods,
    epsilon_rule,
    project_unit,
    top_images,
    z_plus,
)
from modelcheck.attributions.randomisation import (
    other_targets,
    random_logit_similarity,
    randomisation_similarity,
    randomised,
)
from modelcheck.network import flatten
from modelcheck.units import Unit

L = keras.layers
SHAPE = (8, 6, 2)
FAST = {
    "rise": {"samples": 20},
    "smoothgrad": {"samples": 4},
    "vargrad": {"samples": 4},
    "integrated_gradients": {"steps": 6},
    "lrp": {"composite": Composite(z_plus(), epsilon_rule())},
    "simple_taylor": {"steps": 12},
}
seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=4, deadline=None, derandomize=True)


def fill(network, seed, *, bias=True):
    """Draw all weights; variances stay positive."""
    generator = np.random.default_rng(seed)
    for variable in network.variables:
        if variable.name == "seed_generator_state":
            continue
        value = generator.normal(size=variable.shape) * 0.5
        value = 0.5 + np.abs(value) if variable.name in ("moving_variance", "gamma") else value
        value = value * bias if variable.name in ("bias", "beta", "moving_mean") else value
        variable.assign(value)
    return network


@lru_cache
def plain(*, use_bias=True, n_classes=3, dtype="float64"):
    """A chain with max-pooling and two dense layers."""
    own = {"use_bias": use_bias, "dtype": dtype}
    return keras.Sequential([
        keras.Input(SHAPE), L.Conv2D(4, 3, padding="same", activation="relu", **own), L.MaxPooling2D(dtype=dtype),
        L.Conv2D(5, 3, padding="same", **own), L.ReLU(dtype=dtype), L.Flatten(dtype=dtype),
        L.Dense(6, activation="relu", **own), L.Dense(n_classes, **own),
    ])  # fmt: skip


@lru_cache
def residual(*, use_bias=True, dtype="float64"):
    """Batch normalisation before and after, a residual addition, average pooling, a nested block."""
    own = {"use_bias": use_bias, "dtype": dtype}
    entry = keras.Input(SHAPE)
    x = L.Conv2D(4, 3, padding="same", **own)(entry)
    x = L.BatchNormalization(dtype=dtype)(x)
    x = L.ReLU(dtype=dtype)(x)
    inner = keras.Input((8, 6, 4))
    y = L.Conv2D(4, 3, padding="same", **own)(inner)
    y = L.ReLU(dtype=dtype)(L.BatchNormalization(dtype=dtype)(y))
    x = L.Add(dtype=dtype)([x, keras.Model(inner, y, name="block")(x)])
    x = L.AveragePooling2D(2, dtype=dtype)(x)
    x = L.BatchNormalization(dtype=dtype)(x)
    x = L.Conv2D(5, 3, activation="relu", **own)(x)
    x = L.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(entry, L.Dense(3, **own)(x))


@lru_cache
def motley(dtype="float32"):
    """Every other layer that the methods support, one after another."""
    entry = keras.Input(SHAPE)
    x = L.Rescaling(2.0, offset=-1.0, dtype=dtype)(entry)
    x = L.ZeroPadding2D(1, dtype=dtype)(x)
    x = L.Conv2D(4, 3, activation="relu6", dtype=dtype)(x)
    x = L.SeparableConv2D(4, 3, padding="same", activation="gelu", dtype=dtype)(x)
    x = L.DepthwiseConv2D(3, padding="same", activation="elu", dtype=dtype)(x)
    x = L.BatchNormalization(dtype=dtype)(x)
    x = L.Conv2D(4, 3, padding="same", dilation_rate=2, activation="silu", dtype=dtype)(x)
    y = L.LeakyReLU(dtype=dtype)(L.Conv2D(2, 1, dtype=dtype)(x))
    x = L.Concatenate(dtype=dtype)([x, y])
    x = L.Dropout(0.5, dtype=dtype)(x)
    x = L.Conv2D(4, 3, strides=2, groups=2, padding="same", activation="tanh", dtype=dtype)(x)
    x = L.Cropping2D(((0, 1), (0, 0)), dtype=dtype)(x)
    x = L.MaxPooling2D((2, 1), strides=1, padding="same", dtype=dtype)(x)
    x = L.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(entry, L.Dense(3, activation="softmax", dtype=dtype)(x))


NETWORKS = {"plain": plain, "residual": residual, "motley": motley}


@pytest.fixture(scope="module")
def networks():
    """One filled network of each kind, so that graphs are built once."""
    return {name: fill(build.__wrapped__(dtype="float32"), 3) for name, build in NETWORKS.items()}


def pictures(seed, n=3, shape=SHAPE):
    """Draw pictures in [0, 1]."""
    return np.random.default_rng(seed).random((n, *shape))


def chosen(network, images, targets):
    """Return the target's score in float64."""
    scores = flatten(network).class_scores(tf.constant(np.asarray(images, np.float64)))
    return np.take_along_axis(np.asarray(scores), np.asarray(targets)[:, None], 1)[:, 0]


def everywhere(name, networks):
    """Skip cam where it is not defined."""
    return [own for key, own in networks.items() if not (name == "cam" and key == "plain")]


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


def test_joined_outputs_are_one_class(networks):
    """Outputs joined by logsumexp have the gradient of that sum, and relevance by their share in it."""
    network = networks["plain"]
    joined = flatten(network).joined([0, 1, 1])
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


def test_black_box_methods_take_anything_that_answers(networks):
    """A bare function and a subclassed model get the maps of the network that they hide."""
    network = networks["plain"]

    class Hidden(keras.Model):
        def call(self, x):
            return network(x)

    images = pictures(2).astype(np.float32)
    for method in ("occlusion", "rise"):
        wanted = attribute(network, images, 1, method=method, **FAST.get(method, {}))
        for model in (Hidden(), lambda rows: network(rows).numpy()):
            found = attribute(model, images, 1, method=method, **FAST.get(method, {}))
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    with pytest.raises(AttributionError, match=r"gradient needs the network's layers.*occlusion, rise"):
        attribute(Hidden(), images, 1, method="gradient")


def test_rise_finds_the_pixels_that_count():
    """On a score that reads one corner, the map is largest there and without offset elsewhere."""
    images = np.ones((1, 12, 12, 1), np.float32)
    found = attribute(lambda rows: rows[:, :4, :4].mean((1, 2)) * [[0, 1]], images, 1, method="rise", samples=600)
    assert found[0, :4, :4].mean() > 5 * np.abs(found[0, 8:, 8:]).mean()
    raw = attribute(
        lambda rows: rows[:, :4, :4].mean((1, 2)) * [[0, 1]], images, 1, method="rise", samples=600, centred=False
    )
    assert abs((raw - found).std()) < 1e-6
    assert 0.4 < (raw - found).mean() < 0.6


def test_max_pooling_sends_all_to_the_first_of_equals():
    """Ties of a window go to the first input in row-major order."""
    network = keras.Sequential([keras.Input((2, 2, 1)), L.MaxPooling2D(), L.Flatten(), L.Dense(1, use_bias=False)])
    network.layers[-1].set_weights([np.ones((1, 1))])
    for method in ("gradient", "lrp_0"):
        np.testing.assert_array_equal(attribute(network, np.ones((1, 2, 2, 1)), 1, method=method).ravel(), [1, 0, 0, 0])


def test_projection_is_the_unit_s_receptive_field():
    """A unit of the first layer is projected as its own kernel, placed where it fires most, times its activation."""
    network = fill(plain(), 4)
    image = pictures(7, 1)[0]
    activation = np.asarray(flatten(network).evaluate(tf.constant(image[None]), [2])[0])[0, :, :, 1]
    y, x = np.unravel_index(activation.argmax(), activation.shape)
    wanted = np.zeros((10, 8, 2))
    wanted[y : y + 3, x : x + 3] = network.layers[0].get_weights()[0][..., 1] * activation.max()
    found = project_unit(network, image, Unit(network.layers[0].name, 1))
    np.testing.assert_allclose(found, wanted[1:-1, 1:-1], atol=1e-9)
    with pytest.raises(AttributionError, match="units 0 to 3, not 9"):
        project_unit(network, image, f"{network.layers[0].name}:9")


def test_top_images_are_the_happiest(networks):
    """They are in order of the unit's strongest activation, and the mean gives its own order."""
    network, images = networks["plain"], pictures(3, 12)
    name = network.layers[0].name
    activation = np.asarray(flatten(network).evaluate(tf.constant(images.astype(np.float32)), [2])[0])[..., 2]
    found = top_images(network, images, f"{name}:2", 4)
    np.testing.assert_array_equal(found.indices, np.argsort(-activation.max((1, 2)), kind="stable")[:4])
    np.testing.assert_allclose(found.activations, np.sort(activation.max((1, 2)))[::-1][:4], rtol=1e-5)
    mean = top_images(network, images, f"{name}:2", 4, reduce="mean")
    np.testing.assert_array_equal(mean.indices, np.argsort(-activation.mean((1, 2)), kind="stable")[:4])


def test_randomisation_cascades_and_leaves_the_network_alone():
    """Layers are drawn from the decision down by their initialisers, reproducibly; the network keeps its weights."""
    network = fill(residual(dtype="float32"), 2)
    before = [value.copy() for value in network.get_weights()]
    names = [name for name, _ in randomised(network, seed=1)]
    with_weights = [step.name for step in flatten(network).steps if step.layer is not None and step.layer.weights]
    assert names == list(reversed(list(dict.fromkeys(with_weights))))
    once, twice = (list(randomised(network, seed=1))[-1][1].get_weights() for _ in range(2))
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    dense = next(iter(randomised(network, seed=1)))[1].layers[-1].get_weights()
    limit = np.sqrt(6 / (5 + 3))
    assert np.abs(dense[0]).max() <= limit
    np.testing.assert_array_equal(dense[1], 0)


def test_gradients_change_with_the_weights_and_the_class():
    """The randomisation tests tell a gradient from a map that looks at the picture alone."""
    network, images = fill(plain(dtype="float32"), 2), pictures(1)
    likeness = randomisation_similarity(network, images, 1, method="gradient")
    assert np.abs(np.mean(list(likeness.values())[-1])) < 0.5
    assert random_logit_similarity(network, images, np.array([0, 1, 2]), method="gradient").mean() < 0.9
    targets = np.arange(40) % 3
    assert (other_targets(targets, 3) != targets).all()


def test_own_rules_by_layer(networks):
    """A mapping of layers to rules serves the named layers and leaves the others to epsilon."""
    network, images = networks["plain"], pictures(1)
    convs = [layer.name for layer in network.layers if isinstance(layer, L.Conv2D)]
    mine = attribute(network, images, 1, method="lrp", composite=dict.fromkeys(convs, alpha_beta(2.0, 1.0)))
    wanted = attribute(network, images, 1, method="lrp_epsilon_alpha2_beta1")
    np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-7)


def test_the_cache_lets_networks_go():
    """A network that nobody holds any more is released with its graphs."""
    network = plain.__wrapped__(dtype="float32")
    attribute(network, pictures(1), 1, method="gradient")
    watched = weakref.ref(network)
    del network
    keras.backend.clear_session()
    gc.collect()
    assert watched() is None


def test_weights_that_change_change_the_map():
    """Graphs read the weights anew, so training on does not leave old maps behind."""
    network, images = fill(plain(dtype="float32"), 1), pictures(1)
    before = attribute(network, images, 1, method="lrp_epsilon_plus")
    fill(network, 2)
    assert np.abs(attribute(network, images, 1, method="lrp_epsilon_plus") - before).max() > 1e-4


@pytest.mark.parametrize("function", [tf.nn.relu, keras.ops.relu, "relu"], ids=["tensorflow", "operation", "name"])
def test_a_relu_is_a_relu_however_it_is_written(function):
    """Guided backpropagation and relevance know the ReLU of TensorFlow and of Keras' operations too."""
    maps = []
    for own in (function, "relu"):
        network = keras.Sequential([keras.Input(SHAPE), L.Conv2D(3, 3, activation=own), L.Flatten(), L.Dense(3)])
        fill(network, 1)
        maps.append([attribute(network, pictures(1), 1, method=name) for name in ("guided_backprop", "lrp_gamma")])
    np.testing.assert_array_equal(maps[0], maps[1])


@pytest.mark.parametrize("method", ["guided_backprop", "lrp_epsilon", "deeplift"])
def test_an_activation_of_one_s_own_is_refused_by_name(method):
    """What works on whole vectors may look like an activation, so an unknown one gives no map."""
    normal = L.Activation(lambda value: tf.nn.l2_normalize(value, -1), name="mine")
    network = keras.Sequential([keras.Input(SHAPE), L.Conv2D(3, 3), normal, L.Flatten(), L.Dense(3)])
    with pytest.raises(AttributionError, match="ayer 'mine'"):
        attribute(network, pictures(1), 1, method=method)
    assert np.isfinite(attribute(network, pictures(1), 1, method="smoothgrad", samples=2)).all()


def softened():
    """A softmax over positions in the middle, which no relevance rule covers."""
    return keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Softmax(name="gate"), L.Dense(3)])


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (plain, {"method": "gradeint"}, "no attribution method 'gradeint'. Did you mean 'gradient'"),
        (plain, {"method": "smoothgrad", "sample": 3}, "smoothgrad has no option 'sample'. Did you mean 'samples'"),
        (plain, {"method": "gradient", "steps": 3}, "gradient has no option 'steps'. It takes none"),
        (plain, {"method": "lrp"}, "lrp needs the option composite"),
        (plain, {"method": "cam"}, "cam needs global average pooling"),
        (plain, {"method": "grad_cam", "layer": "conv"}, "There is no layer 'conv'"),
        (plain, {"method": "occlusion", "window": 9}, "does not fit pictures"),
        (plain, {"method": "deep_taylor", "input_range": (1, 0)}, "low < high"),
        (plain, {"method": "lrp_epsilon", "epsilon": -1.0}, "epsilon is a number of at least 0"),
        (plain, {"method": "rise", "seed": -1}, "seed is a whole number"),
        (plain, {"method": "integrated_gradients", "reference": np.zeros(3)}, "reference is a number"),
        (plain, {"method": "gradient", "dtype": "float16"}, "'float32' or 'float64'"),
        (softened, {"method": "lrp_z_plus"}, "no relevance rule for layer 'gate'.*integrated_gradients"),
        (softened, {"method": "deeplift"}, "no rule for layer 'gate'.*integrated_gradients"),
    ],
    ids=lambda value: value.get("method") if isinstance(value, dict) else None,
)  # fmt: skip
def test_errors_say_what_to_do(build, options, words):
    """A wrong name, value or layer is named, with what would work."""
    with pytest.raises(AttributionError, match=words):
        attribute(build(), pictures(1), 1, **options)


@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (np.zeros((0, *SHAPE)), 1, "non-empty array"),
        (np.zeros(SHAPE), 1, r"images\[None\]"),
        (np.zeros((1, 5, 5, 2)), 1, "takes pictures of shape"),
        (np.full((1, *SHAPE), np.nan), 1, "NaN or infinite"),
        (np.zeros((2, *SHAPE)), 3, "classes from 0 to 2"),
        (np.zeros((2, *SHAPE)), [1, 1, 1], "one per picture"),
        (np.zeros((2, *SHAPE)), 0.5, "whole numbers"),
    ],
    ids=["none", "one", "size", "nan", "class", "count", "fraction"],
)
def test_pictures_and_targets_are_checked(networks, images, targets, words):
    """What does not fit the network is refused before anything runs."""
    with pytest.raises(AttributionError, match=words):
        attribute(networks["plain"], images, targets, method="gradient")


def test_the_network_is_left_as_it_was(networks):
    """No method changes a weight or an activation."""
    network = networks["motley"]
    before, activation = [value.copy() for value in network.get_weights()], network.layers[-1].activation
    for method in attribution_methods():
        attribute(network, pictures(1, 1), 1, method=method, **FAST.get(method, {}))
    assert network.layers[-1].activation is activation
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
