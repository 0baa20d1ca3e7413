"""A small network that a backend of Keras trained and saved, and the scores that this backend gave.

``KERAS_BACKEND=torch python tests/backend_networks.py tests/data`` writes ``torch.keras`` and
``torch_scores.npy``, ``jax`` likewise; both are in the repository, so that the tests read files of
backends that need not be installed.
"""

import sys
from pathlib import Path

import numpy as np

__all__ = ["DATA", "make_labels", "make_pictures", "save_network"]

DATA = Path(__file__).parent / "data"
COUNT, SIZE, CLASSES = 240, 16, 3


def make_labels():
    """Return the class of each picture, ``(240,)``: the channel that is dark in its top left quarter."""
    return np.arange(COUNT) % CLASSES


def make_pictures():
    """Return ``(240, 16, 16, 3)`` bytes, the same under every version of numpy: integer arithmetic alone."""
    places = np.arange(COUNT * SIZE * SIZE * CLASSES, dtype=np.uint64)
    mixed = (places + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, which is meant
    pictures = (mixed >> np.uint64(40)).astype(np.uint8).reshape(COUNT, SIZE, SIZE, CLASSES)
    half = SIZE // 2
    pictures[np.arange(COUNT), :half, :half, make_labels()] //= 2
    return pictures


def save_network(folder):
    """Train, save the network and its scores before the softmax under the backend of this process."""
    import keras

    layers, name = keras.layers, keras.backend.backend()
    keras.utils.set_random_seed(0)
    entry = keras.Input((SIZE, SIZE, 3), name="picture")
    scaled = layers.Rescaling(1 / 255, name="scale")(entry)
    first = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(scaled)
    first = layers.Activation("relu", name="relu")(layers.BatchNormalization(momentum=0.9, name="norm")(first))
    second = layers.SeparableConv2D(8, 3, padding="same", activation="swish", name="separable")(first)
    joined = layers.Add(name="add")([first, layers.BatchNormalization(momentum=0.9, name="second_norm")(second)])
    last = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", name="depthwise")(joined)
    flat = layers.Flatten(name="flat")(layers.AveragePooling2D(4, name="pool")(last))
    scores = layers.Dense(CLASSES, name="head")(flat)
    network = keras.Model(entry, layers.Softmax(name="softmax")(scores), name=name)
    network.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    pictures = make_pictures().astype(np.float32)
    network.fit(pictures, make_labels(), epochs=12, batch_size=24, verbose=0)
    answered = keras.Model(entry, scores)(pictures, training=False)
    np.save(folder / f"{name}_scores.npy", keras.ops.convert_to_numpy(answered))
    bare = keras.Model(entry, network.output, name=name)  # without what was compiled: no optimizer in the file
    bare.save(folder / f"{name}.keras")


if __name__ == "__main__":
    save_network(Path(sys.argv[1]))
