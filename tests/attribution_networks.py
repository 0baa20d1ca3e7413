"""The networks of the tests of attributions, and pictures for them."""

from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf
from hypothesis import settings
from hypothesis import strategies as st

from modelcheck.attributions import (
    Composite,
    epsilon_rule,
    z_plus,
)
from modelcheck.network import flatten

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


def filled():
    """Return one filled network of each kind."""
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
