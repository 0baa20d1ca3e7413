"""Attributions against slow re-implementations of the papers' equations, and against golden values of others."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelcheck.attributions import attribute
from modelcheck.network import flatten

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import attribution_oracles as slow  # noqa: E402

GOLDEN_FILE = HERE.parent.parent / "shared" / "oracles" / "attributions.npz"

# For each golden array the method and its options.
GOLDEN = {
    "gradient": ("gradient", {}),
    "sensitivity": ("sensitivity", {}),
    "gradient_x_input": ("gradient_x_input", {}),
    "integrated_gradients": ("integrated_gradients", {"steps": 200, "reference": 0.0}),
    # Captum hands on max-pooling's ordinary gradient wherever a pooling reads an activation; its
    # sums are off by 4 %.
    "deeplift_rescale": ("deeplift", {"reference": 0.0}),
    "deconvolution": ("deconvolution", {}),
    "guided_backprop": ("guided_backprop", {}),
    "grad_cam_last_conv_preactivation": ("grad_cam", {"preactivation": True, "resize": False}),
    "occlusion_3x3_stride1": ("occlusion", {"window": 3, "stride": 1, "reference": 0.0}),
    # Captum's own epsilon for poolings, flattening and batch normalisation is 1e-9.
    "lrp_epsilon_1e-6_captum": ("lrp_epsilon", {"epsilon": 1e-6, "pool_epsilon": 1e-9, "batch_norm": "epsilon"}),
    "lrp_epsilon_1e-6_zennit": ("lrp_epsilon", {"epsilon": 1e-6}),
    "lrp_epsilon_plus_zennit": ("lrp_epsilon_plus", {}),
    "lrp_epsilon_gamma_box_zennit": ("lrp_epsilon_gamma_box", {"gamma": 0.25, "input_range": (0.0, 1.0)}),
    "lrp_epsilon_alpha2_beta1_zennit": ("lrp_epsilon_alpha2_beta1", {}),
    "deep_taylor_zennit": ("deep_taylor", {"input_range": (0.0, 1.0)}),
    "deep_taylor_wsquare_first_zennit": ("deep_taylor_w_square", {}),
    "lrp_epsilon_plus_flat_zennit": ("lrp_epsilon_plus_flat", {}),
}

# Captum divides occlusion's sums in single precision, so its golden values carry 6e-8 of rounding.
PRECISION = {"occlusion_3x3_stride1": 1e-7}


def relative_difference(found, expected):
    """Return the largest difference in units of the expected map's largest value."""
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


def golden_network(dtype):
    """Build the golden file's network; skip where there is no file."""
    if not GOLDEN_FILE.exists():
        pytest.skip(f"the golden values are not there: {GOLDEN_FILE}")
    data = np.load(GOLDEN_FILE, allow_pickle=False)
    spec = json.loads(str(data["spec"]))
    layers, numbers = [keras.Input(tuple(spec["input_shape"]))], []
    for row in spec["layers"]:
        settings = dict(row)
        family, number = settings.pop("layer"), settings.pop("weights", None)
        layers.append(getattr(keras.layers, family)(**settings, dtype=dtype))
        numbers.append(number)
    network = keras.Sequential(layers)
    for layer, number in zip(network.layers, numbers, strict=True):
        if number is not None:
            layer.set_weights([data[f"w{number}"], data[f"b{number}"]])
    return data, network


@pytest.fixture(scope="module", params=["float32", "float64"])
def golden(request):
    """The golden file with its network in one dtype."""
    return (*golden_network(request.param), request.param)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values_are_reproduced(golden, name):
    """Every golden array is met to 1e-4 of its largest value in float32 and 1e-8 in float64."""
    data, network, dtype = golden
    method, options = GOLDEN[name]
    found = attribute(network, data["x"], data["target"], method=method, **options)
    assert found.dtype == dtype
    limit = 1e-4 if dtype == "float32" else PRECISION.get(name, 1e-8)
    assert relative_difference(found, data[f"attr/{name}"]) < limit


def test_every_golden_array_has_a_row(golden):
    """No array of the golden file is left out of the table."""
    assert {name.removeprefix("attr/") for name in golden[0].files if name.startswith("attr/")} == set(GOLDEN)


def pooled(generator):
    """Convolutions with max-pooling and two dense layers, as oracle layers."""

    def draw(*shape):
        return generator.normal(size=shape) * 0.5

    return [
        ("conv", draw(3, 3, 2, 3), draw(3)), ("relu",), ("max",),
        ("conv", draw(3, 3, 3, 4), draw(4)), ("relu",), ("flatten",),
        ("dense", draw(24, 5), draw(5)), ("relu",), ("dense", draw(5, 3), draw(3)),
    ]  # fmt: skip


def averaged(generator):
    """Average and global average pooling, a depthwise convolution, inputs of both signs."""

    def draw(*shape):
        return generator.normal(size=shape) * 0.5

    return [
        ("conv", draw(3, 3, 2, 3), draw(3)), ("average",), ("depthwise", draw(3, 3, 3, 2), draw(6)), ("relu",),
        ("conv", draw(1, 1, 6, 4), np.zeros(4)), ("relu",), ("gap",), ("dense", draw(4, 3), draw(3)),
    ]  # fmt: skip


def as_keras(layers, shape, dtype):
    """Build the same network in Keras; the depthwise convolution's bias arrives by batch normalisation."""
    stack, weights = [keras.Input(shape)], []
    for kind, *own in layers:
        if kind == "conv":
            stack.append(keras.layers.Conv2D(own[0].shape[3], own[0].shape[:2], padding="same", dtype=dtype))
            weights.append(own)
        elif kind == "depthwise":
            times = own[0].shape[3]
            stack.append(
                keras.layers.DepthwiseConv2D(3, depth_multiplier=times, padding="same", use_bias=False, dtype=dtype)
            )
            stack.append(keras.layers.BatchNormalization(epsilon=1e-5, dtype=dtype))
            factor = np.arange(1, len(own[1]) + 1) / 3
            weights.append([own[0] / factor.reshape(-1, times)])
            weights.append([factor * 2, own[1] + 0.3, 0.3 / factor, np.full(len(factor), 4 - 1e-5)])
        elif kind == "dense":
            stack.append(keras.layers.Dense(own[0].shape[1], dtype=dtype))
            weights.append(own)
        elif kind == "average":
            stack.append(keras.layers.AveragePooling2D(2, dtype=dtype))
            weights.append([])
        else:
            family = {
                "relu": "ReLU", "max": "MaxPooling2D", "gap": "GlobalAveragePooling2D",
                "flatten": "Flatten",
            }[kind]  # fmt: skip
            stack.append(getattr(keras.layers, family)(dtype=dtype))
            weights.append([])
    network = keras.Sequential(stack)
    for layer, own in zip(network.layers, weights, strict=True):
        layer.set_weights(own)
    return network


TARGETS = np.array([2, 0])


@pytest.fixture(scope="module", params=[pooled, averaged], ids=["pooled", "averaged"])
def pair(request):
    """Oracle layers, the Keras network and two pictures of odd sizes."""
    generator = np.random.default_rng(7)
    layers = request.param(generator)
    shape = (4, 6, 2)
    images = generator.random((2, *shape))
    return layers, as_keras(layers, shape, "float64"), images


def expected(layers, images, oracle):
    """Apply an oracle to each picture."""
    return np.stack([oracle(layers, image, target) for image, target in zip(images, TARGETS, strict=True)])


def composite(first, conv, dense):
    """Return an oracle that picks rules as composites do."""

    def rule_of(number, kind):
        return first if number == 0 and first else dense if kind == "dense" else conv

    return lambda layers, image, target: slow.lrp(layers, image, target, rule_of)


ORACLES = {
    "gradient": slow.gradient,
    "sensitivity": lambda *args: slow.gradient(*args) ** 2,
    "gradient_x_input": lambda layers, image, target: slow.gradient(layers, image, target) * image,
    "deconvolution": lambda *args: slow.gradient(*args, relu="deconvolution"),
    "guided_backprop": lambda *args: slow.gradient(*args, relu="guided"),
    "lrp_epsilon": composite(None, "epsilon", "epsilon"),
    "lrp_gamma": composite(None, "gamma", "gamma"),
    "lrp_z_plus": composite(None, "z_plus", "z_plus"),
    "lrp_alpha1_beta0": composite(None, "z_plus", "z_plus"),
    "lrp_alpha2_beta1": composite(None, "alpha2_beta1", "alpha2_beta1"),
    "lrp_w_square": composite(None, "w_square", "w_square"),
    "lrp_flat": composite(None, "flat", "flat"),
    "lrp_z_box": composite("z_box", "epsilon", "epsilon"),
    "lrp_epsilon_plus": composite(None, "z_plus", "epsilon"),
    "lrp_epsilon_plus_flat": composite("flat", "z_plus", "epsilon"),
    "lrp_epsilon_alpha2_beta1": composite(None, "alpha2_beta1", "epsilon"),
    "lrp_epsilon_gamma_box": composite("z_box", "gamma", "epsilon"),
    "deep_taylor": composite("z_box", "z_plus", "z_plus"),
    "deep_taylor_w_square": composite("w_square", "z_plus", "z_plus"),
    "deeplift": lambda layers, image, target: slow.deeplift(layers, image, target, np.full(image.shape, 0.2)),
    "occlusion": lambda layers, image, target: slow.occlusion(layers, image, target, 3, 2, 0.1),
}
OPTIONS = {
    "deeplift": {"reference": 0.2, "max_pool": "rescale"},
    "occlusion": {"window": 3, "stride": 2, "reference": 0.1},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ORACLES)
def test_loops_over_single_numbers_agree(pair, method):
    """Each method meets its paper's equation, written out number by number, to 1e-8 in float64 and 1e-4 in float32."""
    layers, network, images = pair
    wanted = expected(layers, images, ORACLES[method])
    options = OPTIONS.get(method, {})
    found = attribute(network, images, TARGETS, method=method, **options)
    assert relative_difference(found, wanted) < 1e-8
    single = attribute(network, images, TARGETS, method=method, dtype="float32", **options)
    assert single.dtype == np.float32
    assert relative_difference(single, wanted) < 1e-4


def test_the_oracle_network_is_the_keras_network(pair):
    """Both compute the same scores, so agreement of the maps is no accident."""
    layers, network, images = pair
    wanted = [slow.forward(layers, image)[-1] for image in images]
    np.testing.assert_allclose(network(images), wanted, rtol=1e-5)  # Keras casts the pictures to float32
    np.testing.assert_allclose(flatten(network).class_scores(tf.constant(images)), wanted, rtol=1e-10)


@pytest.mark.parametrize("method", ["lrp_epsilon", "lrp_z_plus", "deep_taylor", "deeplift", "guided_backprop"])
def test_the_oracle_can_fail(pair, method):
    """A network with a few weights changed by a tenth is told apart by every oracle."""
    layers, network, images = pair
    kind, kernel, bias = layers[0]
    changed = kernel.copy()
    changed[1, 1] += 0.1
    wanted = expected([(kind, changed, bias), *layers[1:]], images, ORACLES[method])
    found = attribute(network, images, TARGETS, method=method, **OPTIONS.get(method, {}))
    assert relative_difference(found, wanted) > 1e-4


@pytest.mark.slow
def test_integrated_gradients_meet_a_fine_sum(pair):
    """Gauss and Legendre's points come near to a Riemann sum of 2000 oracle gradients."""
    layers, network, images = pair
    image, total = images[0], 0.0
    for k in range(400):
        total = total + slow.gradient(layers, image * (k + 0.5) / 400, TARGETS[0])
    found = attribute(network, images[:1], TARGETS[:1], method="integrated_gradients", steps=300)
    assert relative_difference(found[0], image * total / 400) < 0.02


@pytest.mark.slow
def test_grad_cam_meets_its_equations(pair):
    """The mean gradient of each map weighs it; read before the last convolution's activation."""
    layers, network, images = pair
    number = max(k for k, layer in enumerate(layers) if layer[0] == "conv")
    found = attribute(network, images, TARGETS, method="grad_cam", preactivation=True, resize=False)
    for image, target, own in zip(images, TARGETS, found, strict=True):
        maps = slow.forward(layers, image)[number + 1]
        slopes = slow.gradient(layers[number + 1 :], maps, target)
        wanted = sum(slopes[:, :, k].mean() * maps[:, :, k] for k in range(maps.shape[2]))
        np.testing.assert_allclose(own[..., 0], np.maximum(wanted, 0), atol=1e-10)
