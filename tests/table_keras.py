"""Small Keras networks on tables for tests: on one vector of numbers, and on an input for each feature."""

import keras
import numpy as np
from keras import layers


def on_vector(width, outputs=2, *, activation="softmax", seed=0, hidden=(6, 4)):
    """Dense layers on one vector."""
    keras.utils.set_random_seed(seed)
    entry = layers.Input((width,), name="row")
    x = layers.Normalization(mean=np.zeros(width), variance=np.full(width, 2.0), name="normalized")(entry)
    for number, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    return keras.Model(entry, layers.Dense(outputs, activation=activation, name="decision")(x), name="on_vector")


def on_inputs(columns, outputs=2, *, activation="softmax", seed=0, shape=(1,), dtype="float32"):
    """An input for each column: numbers normalised, words looked up and embedded."""
    keras.utils.set_random_seed(seed)
    entries, parts = {}, []
    for column in columns:
        name, words = column.name, list(column.values)
        entries[name] = layers.Input(shape, name=name, dtype="string" if words else dtype)
        if words:
            index = layers.StringLookup(vocabulary=words, name=f"{name}_index")(entries[name])
            part = layers.Embedding(len(words) + 1, 2, name=f"{name}_embedding")(index)
        else:
            part = layers.Rescaling(0.5, name=f"{name}_scaled")(entries[name])
        parts.append(layers.Reshape((-1,), name=f"{name}_flat")(part) if shape == (1,) else _widen(part))
    x = layers.Concatenate(name="joined")(parts)
    x = layers.Dense(5, activation="tanh", name="dense1")(x)
    return keras.Model(entries, layers.Dense(outputs, activation=activation, name="decision")(x), name="on_inputs")


def _widen(part):
    return part if len(part.shape) == 2 else layers.Reshape((1,))(part)
