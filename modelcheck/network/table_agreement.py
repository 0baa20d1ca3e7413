"""Whether a network on a table, unfolded, answers as Keras does, and a row as it does alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.agreement import (
    Answers,
    answer,
    as_refusal,
    find_distant_rows,
    find_flipped_rows,
    in_full_precision,
)
from modelcheck.network.diagnosis import find_augmenting_layers, find_changing_layer
from modelcheck.network.steps import NetworkError
from modelcheck.network.table_inputs import TableInputs
from modelcheck.network.tables import TableNetwork
from modelcheck.network.unfold import find_graph
from modelcheck.runtimes.table_classifier import refuse_unanswered

__all__ = ["check_table_agreement"]

_ALONE = 4  # rows that are also shown one by one, as in use


def check_table_agreement(network: TableNetwork, encoded: np.ndarray) -> None:
    """Refuse a network whose steps do not answer as Keras does, or that answers a row by others.

    Parameters
    ----------
    network : TableNetwork
        The network.
    encoded : np.ndarray
        ``(n, columns)`` rows; see `modelcheck.metrics.tables.encoding.encode_rows`.

    Raises
    ------
    NetworkError
        When answers are NaN or infinite, or outputs, scores or the classes answered differ by more
        than rounding, in any way in which a released network is asked.
    """
    model = network.network.model
    with in_full_precision():
        with as_refusal(model, "Running the layers"):
            own = answer(network.network, network.as_lines(encoded).numpy())
        refuse_unanswered(np.concatenate([own.scores, own.outputs], axis=1), encoded, network.columns, name=model.name)
        if found := find_changing_layer(model):
            raise NetworkError(
                f"The network {model.name!r} answers one row in several ways, for the sake of its {found}. modelcheck "
                "measures one function of one row. Build the network without that, load the same weights into it, and "
                "save it again."
            )
        for way, rows, outputs in _ask_keras(network, encoded):
            part = replace(own, outputs=own.outputs[rows], scores=own.scores[rows])
            wrong = _find_other(part, outputs.reshape(part.outputs.shape), classes=network.classes)
            if wrong.any():
                raise NetworkError(
                    f"The network {model.name!r} does not answer as its layers do: on {int(wrong.sum())} of "
                    f"{len(rows)} rows {way} differs from the same layers in float32 and in inference mode. "
                    "modelcheck would measure another function than the one that is released. Build the network with "
                    "float32 layers and no training= in its calls, load the same weights into it, and save it again."
                )


def _find_other(own: Answers, outputs: np.ndarray, *, classes: bool) -> np.ndarray:
    """Return ``(n,)`` where Keras answers otherwise."""
    distant = find_distant_rows(own, outputs)
    return distant | find_flipped_rows(own, outputs) if classes else distant


def _ask_keras(network: TableNetwork, encoded: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield how Keras was asked, the rows that were shown, and what it answered."""
    model = network.network.model
    graph = find_graph(model)
    every = np.arange(len(encoded))
    alone = np.unique(np.linspace(0, len(encoded) - 1, _ALONE).round().astype(int))

    def at_rest(rows: Any) -> Any:
        return model(rows, training=False)

    def predict(rows: Any) -> Any:
        return model.predict(rows, verbose=0, batch_size=len(encoded))

    ways: list[tuple[str, np.ndarray, bool, Callable[[Any], Any]]] = [
        ("model(rows, training=False)", every, False, at_rest),
        ("model(rows)", every, False, model),
        ("model(row), one by one,", alone, True, model),
        ("model.predict(rows)", every, False, predict),
    ]
    if find_augmenting_layers(model):  # a plain call would train it
        ways[1:3] = [("model(row, training=False), one by one,", alone, True, at_rest)]
    for way, rows, one_by_one, ask in ways:
        batches = [rows[at : at + 1] for at in range(len(rows))] if one_by_one else [rows]
        with as_refusal(model, way):
            parts = [
                tf.cast(
                    keras.tree.flatten(ask(_feed(network, graph, encoded[batch])))[network.output], tf.float64
                ).numpy()
                for batch in batches
            ]
        yield way, rows, np.concatenate(parts)


def _feed(network: TableNetwork, graph: Any, encoded: np.ndarray) -> Any:
    """Return encoded rows as Keras takes them."""
    if network.inputs is TableInputs.VECTOR:
        given = [tf.cast(tf.constant(encoded), graph.inputs[0].dtype)]
    else:
        steps = network.network.steps
        flat = tf.constant(np.asarray(encoded, np.float64))
        given = [steps[2 + number].run([flat]) for number in range(len(graph.inputs))]
    return keras.tree.pack_sequence_as(graph._inputs_struct, given)
