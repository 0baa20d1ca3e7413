"""Small Keras networks for tests, one for each kind of layer that a network may hold."""

import keras
import numpy as np
from keras import layers


def plain(shape=(12, 10, 1), classes=2, *, activation="softmax", seed=0):
    """Two convolutions with pooling, a dense layer and a decision."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(5, 3, padding="same", activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(6, activation="relu", name="dense1"),
            layers.Dense(classes, activation=activation, name="decision"),
        ],
        name="plain",
    )


def residual(shape=(13, 12, 3), seed=0):
    """Rescaling, batch normalisation, ReLU6, strides, a depthwise branch, an add and global pooling."""
    keras.utils.set_random_seed(seed)
    start = layers.Input(shape)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(start)
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="norm1")(x)
    x = layers.ReLU(6.0, name="relu1")(x)
    way = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    way = layers.BatchNormalization(name="norm2")(way)
    way = layers.Activation("swish", name="swish")(way)
    x = layers.Add(name="add")([x, way])
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.SeparableConv2D(7, 3, padding="same", activation="gelu", name="separable")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    model = keras.Model(start, layers.Dense(3, name="decision")(x), name="residual")
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def nested(shape=(12, 10, 1), seed=0):
    """A functional backbone used as a layer of a Sequential, dilated and grouped, ending in one sigmoid."""
    keras.utils.set_random_seed(seed)
    start = layers.Input(shape)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)), name="pad")(start)
    x = layers.Conv2D(4, 3, dilation_rate=2, name="dilated")(x)
    x = layers.LeakyReLU(0.2, name="leaky")(x)
    x = layers.Conv2D(4, 3, padding="same", groups=2, activation="elu", name="grouped")(x)
    x = layers.AveragePooling2D(2, name="average")(x)
    backbone = keras.Model(start, x, name="backbone")
    return keras.Sequential(
        [
            layers.Input(shape),
            backbone,
            layers.GlobalMaxPooling2D(name="gmp"),
            layers.Dense(1, name="score"),
            layers.Activation("sigmoid", name="sigmoid"),
        ],
        name="nested",
    )


ZOO = {"plain": plain, "residual": residual, "nested": nested}
