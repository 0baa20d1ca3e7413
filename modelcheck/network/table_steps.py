"""A network on a table as a flat list of steps: a row is a picture of one line, whose pixels are its columns.

So whatever looks into a network on pictures, its layers, its readout and every attribution method,
looks into one on a table too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.interface import Interface
from modelcheck.network.calling import make_run
from modelcheck.network.kinds import StepKind
from modelcheck.network.picking import list_ends
from modelcheck.network.steps import Network, NetworkError, Step
from modelcheck.network.table_inputs import TableInputs, match_inputs
from modelcheck.network.unfold import end_network, find_graph, unfold
from modelcheck.panel import Column, ColumnKind
from modelcheck.runtimes.ends import choose_end

__all__ = ["flatten_table"]

Tensor = Any  # tensorflow ships no types


def flatten_table(
    model: Any, columns: Sequence[Column], encoded: np.ndarray, *, classes: bool, interface: Interface
) -> tuple[Network, TableInputs, int]:
    """Unfold a Keras network on the rows of a table into steps.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, nested or not, with one vector input, or one for each feature.
    columns : sequence of Column
        The panel's features, in their order.
    encoded : np.ndarray
        ``(n, columns)`` the panel's rows; see `modelcheck.metrics.tables.encoding.encode_rows`.
    classes : bool
        Whether its outputs are those of classes; if not, its output is the answer, whatever
        activation it ends in.
    interface : Interface
        Which of several outputs is judged.

    Returns
    -------
    network : Network
        It takes encoded rows as pictures, ``(n, 1, columns, 1)``: float64 where it has named inputs.
    inputs : TableInputs
        How the Keras network takes a row.
    output : int
        Which of its outputs is judged.

    Raises
    ------
    NetworkError
        When inputs and columns, or outputs and target do not fit.
    """
    graph = find_graph(model)
    inputs, places = match_inputs(graph, columns, encoded, name=model.name)
    width = len(columns)
    steps = [
        Step("row", StepKind.INPUT, (), (1, width, 1), lambda values: values[0]),
        Step("row", StepKind.FLATTEN, (0,), (width,), make_run(lambda value: tf.reshape(value, (-1, width)))),
    ]
    known = {}
    for number, entry in enumerate(graph.inputs):
        place = places[number] if inputs is TableInputs.NAMED else None
        if place is None and "float" in str(entry.dtype):
            known[id(entry)] = 1  # nothing stands between the row and the first layer
            continue
        steps.append(_pick_step(entry, None if place is None else columns[place], place))
        known[id(entry)] = len(steps) - 1
    ends = list_ends(graph, graph._outputs_struct)
    found = unfold(graph, known, steps)
    output = ends.index(choose_end("output", interface.output, ends, model.name))
    last = found[output]
    if classes:
        return end_network(model, steps, last), inputs, output
    shape = steps[last].shape
    if shape not in ((), (1,)):
        raise NetworkError(
            f"The output of {model.name!r} has shape (batch, {', '.join(map(str, shape))}), and the panel's target is "
            "of numbers, which takes one output, (batch, 1). Where it is of classes, make the panel so: modelcheck "
            "panel --help"
        )
    if shape == ():
        steps = [*steps[: last + 1], Step(steps[last].name, StepKind.FLATTEN, (last,), (1,), make_run(_add_axis))]
        last = len(steps) - 1
    return Network(model, tuple(steps[: last + 1]), last, 1), inputs, output


def _add_axis(value: Tensor) -> Tensor:
    return value[:, None]


def _pick_step(entry: Any, column: Column | None, place: int | None) -> Step:
    """Return the step that takes one column, or all, out of a row, as an input of the network takes it."""
    shape = tuple(1 if length is None else length for length in entry.shape[1:])
    if place is None or column is None:
        return Step(entry.name, StepKind.OTHER, (1,), shape, make_run(lambda value: tf.cast(value, entry.dtype)))
    words = (*column.values, "")
    category = column.kind is ColumnKind.CATEGORY

    def run(value: Tensor) -> Tensor:
        part = value[:, place]
        if category:
            unknown = tf.cast(len(words) - 1, tf.int64)
            positions = tf.where(tf.math.is_nan(part), unknown, tf.cast(part, tf.int64))
            part = tf.gather(tf.constant(words), positions)
        else:
            part = tf.cast(part, entry.dtype)
        return tf.reshape(part, (-1, *shape))

    return Step(entry.name, StepKind.OTHER, (1,), shape, make_run(run))
