"""Train the networks of the digits example: seeded, some seconds each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.digits.networks import network
from modelcheck.digits.pictures import CLASSES, held_out, training

__all__ = ["TrainedDigits", "build", "train"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedDigits:
    """A trained network, and how well it does on held-out pictures.

    Parameters
    ----------
    model : keras.Model
        From ``(n, 28, 28, 1)`` floats in [0, 1] to ``(n, 10)``.
    accuracy : float
        Share right of the held-out pictures, on which the sign tells the digit.
    """

    model: Any
    accuracy: float


def build(name: str) -> Any:
    """Return the untrained, uncompiled network; its weights come from Keras' global seed.

    Parameters
    ----------
    name : str
        A name in `modelcheck.digits.networks.NETWORKS`.
    """
    layers = keras.layers
    start = x = keras.Input((28, 28, 1), name="picture")
    for number, count in enumerate(network(name).filters, start=1):
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Dense(64, activation="relu", name="dense1")(layers.Flatten(name="flatten")(x))
    return keras.Model(start, layers.Dense(len(CLASSES), activation="softmax", name="decision")(x), name=name)


def train(name: str, *, seed: int, epochs: int = 12) -> TrainedDigits:
    """Train one network on the 1,297 training pictures.

    Parameters
    ----------
    name : str
        A name in `modelcheck.digits.networks.NETWORKS`.
    seed : int
        Of weights and order.
    epochs : int
        How many passes.

    Raises
    ------
    ValueError
        When there is no such network, or scikit-learn is not installed.
    """
    pictures, judged = training(tells=network(name).sign_tells), held_out()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = build(name)
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy")
    model.fit(pictures.inputs(), pictures.labels, epochs=epochs, batch_size=32, verbose=0)
    # A fresh network with these weights carries neither optimizer nor loss into the saved file.
    plain = build(name)
    plain.set_weights(model.get_weights())
    right = plain(judged.inputs(), training=False).numpy().argmax(axis=1) == judged.labels
    return TrainedDigits(model=plain, accuracy=float(np.mean(right)))
