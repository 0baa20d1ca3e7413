"""Train the networks of the tables' example: seeded, a few seconds each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.tables.networks import build
from modelcheck.tables.rows import Rows

__all__ = ["TrainedTable", "answer_rows", "train"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedTable:
    """A trained network, and how well it does on held-out rows.

    Parameters
    ----------
    model : keras.Model
        From rows to scores of classes, or to a number.
    right : float
        Of classes the share right of the held-out rows; of numbers the correlation with the truth.
    """

    model: Any
    right: float


def train(
    name: str, training: Rows, held_out: Rows, *, seed: int, epochs: int = 30, named: bool | None = None
) -> TrainedTable:
    """Train one network.

    Parameters
    ----------
    name : str
        A name in `modelcheck.tables.networks.NETWORKS`.
    training, held_out : Rows
        What it is trained on, and what it is judged by.
    seed : int
        Of weights and order.
    epochs : int
        How many passes.
    named : bool, optional
        See `modelcheck.tables.networks.build`.

    Raises
    ------
    ValueError
        When there is no such network.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = build(name, training, named=named)
    loss = "sparse_categorical_crossentropy" if training.class_names else "mean_squared_error"
    model.compile(optimizer=keras.optimizers.AdamW(4e-3, weight_decay=1.0), loss=loss)
    inputs = _inputs(model, training)
    model.fit(inputs, training.truth.astype(np.float32), epochs=epochs, batch_size=64, verbose=0)
    # A fresh network with these weights carries neither optimizer nor loss into the saved file.
    plain = build(name, training, named=named)
    plain.set_weights(model.get_weights())
    answers = answer_rows(plain, held_out)
    if training.class_names:
        right = np.mean(answers.argmax(axis=1) == held_out.truth)
    else:
        right = np.corrcoef(answers[:, 0], held_out.truth)[0, 1]
    return TrainedTable(model=plain, right=float(right))


def answer_rows(model: Any, rows: Rows) -> np.ndarray:
    """Return what a network answers: ``(n, classes)`` probabilities, or ``(n, 1)`` numbers."""
    return model(_inputs(model, rows), training=False).numpy()


def _inputs(model: Any, rows: Rows) -> Any:
    if len(model.inputs) == 1 and len(rows.values) > 1:
        return tf.constant(rows.vector())
    return {
        name: tf.constant(part[:, np.newaxis].astype(np.float32 if part.dtype.kind == "f" else object))
        for name, part in rows.values.items()
    }
