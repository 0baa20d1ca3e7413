"""The small networks of the blind benchmark, and how they are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pictures import Part

__all__ = ["CHANGES", "alter_network", "build", "train"]

CHANGES = ("half", "quarter", "deeper", "wider", "decay", "separable", "residual", "augmented")
"""Honest changes that take a training of their own; the others alter the baseline's weights."""

_WIDTHS = {"half": 0.5, "quarter": 0.25, "wider": 1.5}


def build(shape: tuple[int, int, int], classes: int, *, family: str, change: str = "") -> Any:
    """Return an untrained network of a family: plain, normed (batch normalisation) or strided (no dense layer)."""
    import keras
    from keras import layers

    share = _WIDTHS.get(change, 1.0)
    first, later, dense = (max(2, round(width * share)) for width in (16, 32, 64))
    penalty = keras.regularizers.L2(1e-3) if change == "decay" else None
    conv = layers.SeparableConv2D if change == "separable" else layers.Conv2D
    regular = {"pointwise_regularizer" if change == "separable" else "kernel_regularizer": penalty}
    pools = 2 if shape[0] < 48 else 3
    inputs = keras.Input(shape)
    values = inputs
    if family == "strided":
        for number in range(pools):
            values = layers.Conv2D(
                first if number == 0 else later,
                5,
                strides=2,
                padding="same",
                activation="elu",
                name=f"conv{number + 1}",
            )(values)
        values = layers.Conv2D(later, 3, padding="same", activation="elu", name=f"conv{pools + 1}")(values)
        values = layers.Flatten(name="flatten")(values)
    else:
        for number in range(pools + 1 + (change == "deeper")):
            width = first if number == 0 else later
            before = values
            values = conv(width, 3, padding="same", use_bias=family != "normed", name=f"conv{number + 1}", **regular)(
                values
            )
            if family == "normed":
                values = layers.BatchNormalization(name=f"norm{number + 1}")(values)
            if change == "residual" and before.shape[-1] == width:
                values = layers.Add(name=f"add{number + 1}")([values, before])
            values = layers.ReLU(name=f"relu{number + 1}")(values)
            if number < pools:
                values = layers.MaxPooling2D(name=f"pool{number + 1}")(values)
        values = layers.Flatten(name="flatten")(values)
        values = layers.Dense(dense, activation="relu", kernel_regularizer=penalty, name="dense1")(values)
        if change == "deeper":
            values = layers.Dense(dense, activation="relu", name="dense2")(values)
    outputs = layers.Dense(classes, activation="softmax", name="decision")(values)
    return keras.Model(inputs, outputs, name=f"{family}_{change}" if change else family)


def train(model: Any, part: Part, *, seed: int, epochs: int, rate: float = 1e-3, augment: bool = False) -> Any:
    """Train a network; the order of the pictures and all else that is random hangs on the seed."""
    import keras

    rng = np.random.Generator(np.random.Philox(key=[seed, 31]))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    batch = 64 if len(part.labels) > 1000 else 32
    rows = len(part.labels) // batch * batch
    for epoch in range(epochs):
        order = rng.permutation(len(part.labels))[:rows]
        images = part.images[order]
        if augment:
            shifts = rng.integers(-2, 3, (rows, 2))
            images = np.stack(
                [np.roll(image, tuple(shift), (0, 1)) for image, shift in zip(images, shifts.tolist(), strict=True)]
            )
            images = images * rng.uniform(0.8, 1.0, (rows, 1, 1, 1)).astype(np.float32)
        if epoch == epochs - 2:
            model.optimizer.learning_rate.assign(rate / 5)
        model.fit(images, part.labels[order], batch_size=batch, epochs=1, verbose=0, shuffle=False)
    return model


def alter_network(model: Any, change: str, part: Part, *, seed: int, epochs: int) -> Any:
    """Return the baseline network with its weights altered: pruned, rounded to int8, or tuned a little more."""
    if change == "tuned":
        return train(model, part, seed=seed, epochs=epochs, rate=3e-4)
    alter: Callable[[np.ndarray], np.ndarray] = _prune if change == "pruned" else _round
    share = 0.3 + 0.05 * seed  # of the weights: seeds of this kind differ in how much is cut
    model.set_weights([alter(w, share) if w.ndim > 1 else w for w in model.get_weights()])
    return model


def _prune(kernel: np.ndarray, share: float) -> np.ndarray:
    return np.where(np.abs(kernel) < np.quantile(np.abs(kernel), share), 0, kernel)


def _round(kernel: np.ndarray, share: float) -> np.ndarray:
    step = np.abs(kernel).max() / (127 - round(200 * (share - 0.3)))
    return np.round(kernel / step) * step
