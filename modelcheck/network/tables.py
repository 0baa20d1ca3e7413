"""A Keras network that answers rows of a table: on one vector of numbers, or on an input for each feature."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.metrics.tables.encoding import encode_rows
from modelcheck.network.steps import Network, NetworkError, UnitLayer
from modelcheck.network.table_inputs import TableInputs
from modelcheck.panel import Column, ColumnKind
from modelcheck.runtimes.table_classifier import refuse_unanswered

__all__ = ["TableNetwork"]

_AT_ONCE = 16384  # rows in one step
_TIMED = 20

Tensor = Any  # tensorflow ships no types


@dataclass(frozen=True, eq=False)
class TableNetwork:
    """A flattened network on a table; see `modelcheck.runtimes.table_classifier.TableClassifier`.

    Parameters
    ----------
    network : Network
        The network, on rows as pictures of one line; see `modelcheck.network.table_steps`. It may be
        given other weights in between: its answers are then theirs.
    columns : tuple of Column
        The panel's features, in their order.
    inputs : TableInputs
        How the Keras network takes a row.
    classes : bool
        Whether it answers with scores of classes, or with a number.
    output : int
        Which of the outputs of the Keras network is judged.
    shown : mapping of str to np.ndarray
        By hidden layer, the units that `read_units` reads.
    """

    network: Network
    columns: tuple[Column, ...]
    inputs: TableInputs
    classes: bool
    output: int = 0
    shown: Mapping[str, np.ndarray] = field(default_factory=dict)
    _ask: Any = field(init=False)

    def __post_init__(self) -> None:
        spec = tf.TensorSpec((None, len(self.columns)), tf.float64)
        object.__setattr__(self, "_ask", tf.function(self._read, input_signature=[spec], autograph=False))

    @property
    def name(self) -> str:
        """What the network is called."""
        return str(self.network.model.name)

    @property
    def n_outputs(self) -> int:
        """How many scores it gives a row."""
        return self.network.n_classes if self.classes else 1

    @property
    def hidden(self) -> tuple[UnitLayer, ...]:
        """The layers that have units, without the decision."""
        return self.network.unit_layers()[:-1]

    def scores(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return ``(n, outputs)`` scores before softmax or sigmoid, or answers.

        Raises
        ------
        NetworkError
            When a category is none of the panel's, or an answer is NaN or infinite.
        """
        for column in self.columns if len(next(iter(values.values()))) else ():
            if column.kind is ColumnKind.CATEGORY:
                strange = sorted(set(np.asarray(values[column.name]).tolist()) - {*column.values, ""})
                if strange:
                    raise NetworkError(
                        f"{column.name!r} has the category {strange[0]!r}, which no row of the panel has; it has "
                        f"{', '.join(map(repr, column.values))}. Make the panel of rows that hold it, too: "
                        "modelcheck panel --help"
                    )
        return self.ask(encode_rows(values, self.columns))

    def ask(self, encoded: np.ndarray) -> np.ndarray:
        """Return ``(n, outputs)`` of encoded rows; see `modelcheck.metrics.tables.encoding.encode_rows`.

        Raises
        ------
        NetworkError
            When an answer is NaN or infinite.
        """
        return self.read_units(encoded)[0]

    def read_units(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the answers to encoded rows, and what the units of `shown` are given before their activation.

        Returns
        -------
        scores : np.ndarray
            ``(n, outputs)`` float32.
        units : np.ndarray
            ``(n, units)`` float32, those of one layer after those of another.
        """
        encoded = np.asarray(encoded, np.float64)
        parts = [
            [part.numpy() for part in self._ask(tf.constant(encoded[start : start + _AT_ONCE]))]
            for start in range(0, max(len(encoded), 1), _AT_ONCE)
        ]
        scores, units = (np.concatenate(half).astype(np.float32) for half in zip(*parts, strict=True))
        refuse_unanswered(scores, encoded, self.columns, name=self.name)
        return scores, units

    def read_features(self, encoded: np.ndarray) -> dict[str, np.ndarray]:
        """Return by hidden layer the activations of all units on encoded rows, ``(n, units)`` float32."""
        layers = self.hidden
        found = self.network.evaluate(self.as_lines(encoded), [layer.activated for layer in layers])
        return {layer.name: _pool(value).numpy().astype(np.float32) for layer, value in zip(layers, found, strict=True)}

    def as_lines(self, encoded: np.ndarray) -> Tensor:
        """Return encoded rows as the network takes them, ``(n, 1, columns, 1)``."""
        lines = tf.reshape(tf.constant(np.asarray(encoded, np.float64)), (-1, *self.network.input_shape))
        return lines if self.inputs is TableInputs.NAMED else tf.cast(lines, tf.float32)

    def seconds_per_row(self, encoded: np.ndarray) -> float:
        """Return the median of some calls with one row: for information."""
        seconds = []
        for at in np.arange(_TIMED + 1) % len(encoded):
            row = tf.constant(encoded[at : at + 1], tf.float64)
            start = time.perf_counter()
            self._ask(row)[0].numpy()
            seconds.append(time.perf_counter() - start)
        return float(np.median(seconds[1:]))

    def _read(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        network = self.network
        lines = tf.reshape(encoded, (-1, *network.input_shape))
        if self.inputs is TableInputs.VECTOR:
            lines = tf.cast(lines, tf.float32)
        layers = [layer for layer in self.hidden if layer.name in self.shown]
        last, *found = network.evaluate(lines, [network.logits, *(layer.read for layer in layers)])
        scores = network.as_class_scores(last) if self.classes else last
        units = [
            tf.gather(_pool(value), self.shown[layer.name], axis=1) for layer, value in zip(layers, found, strict=True)
        ]
        return scores, tf.concat(units, axis=1) if units else tf.zeros((tf.shape(encoded)[0], 0))


def _pool(value: Tensor) -> Tensor:
    """Return the mean over whatever lies between rows and units, as of the words of a text."""
    axes = list(range(1, len(value.shape) - 1))
    return tf.reduce_mean(value, axis=axes) if axes else value
