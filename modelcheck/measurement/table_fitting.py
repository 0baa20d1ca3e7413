"""How a Keras network and the panel of a table fit together: columns, classes, and the numbers of a target."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcheck.interface import Interface
from modelcheck.measurement.heads import read_head
from modelcheck.network import NetworkError
from modelcheck.network.table_inputs import TableInputs
from modelcheck.network.table_steps import flatten_table
from modelcheck.network.tables import TableNetwork
from modelcheck.panel import PanelError, TablePanel
from modelcheck.panel.errors import shorten
from modelcheck.panel.likeness import list_differences
from modelcheck.signature import TableSignature
from modelcheck.table_recipe import TableRecipe

__all__ = ["check_partner", "fit_table_network"]

_GLANCED = 8  # rows that show whether an output is a probability


def fit_table_network(
    model: Any, panel: TablePanel, encoded: np.ndarray, interface: Interface, *, recipe: TableRecipe
) -> TableNetwork:
    """Flatten a network and fit it to a table: which column each input takes, what its outputs say of the target.

    Parameters
    ----------
    model : keras.Model
        The network.
    panel : TablePanel
        The rows and what is to be told of them.
    encoded : np.ndarray
        ``(n, columns)`` the same rows; see `modelcheck.metrics.tables.encoding.encode_rows`.
    interface : Interface
        How its outputs are to be understood.
    recipe : TableRecipe
        How many units of a layer are looked at.

    Raises
    ------
    NetworkError
        When the two do not fit, or the interface does not fit the network.
    """
    classes = bool(panel.class_names)
    _check_interface(interface, classes=classes)
    network, inputs, output = flatten_table(model, panel.columns, encoded, classes=classes, interface=interface)
    if classes:
        lines = encoded[:_GLANCED].reshape(-1, *network.input_shape)
        lines = lines if inputs is TableInputs.NAMED else lines.astype(np.float32)
        network = read_head(network, panel.class_names, interface, lines)
    shown = {
        layer.name: np.unique(np.linspace(0, layer.n_units - 1, min(layer.n_units, recipe.units_per_layer)).astype(int))
        for layer in network.unit_layers()[:-1]
    }
    return TableNetwork(
        network=network, columns=panel.columns, inputs=inputs, classes=classes, output=output, shown=shown
    )


def _check_interface(interface: Interface, *, classes: bool) -> None:
    said = interface.to_dict()
    senseless = [name for name in ("input", "inputs", "preprocessing") if name in said]
    if senseless:
        raise NetworkError(
            f"{', '.join(senseless)} says how a network takes pictures, and the panel is of a table. Leave out: "
            f"{', '.join(senseless)}."
        )
    of_classes = [name for name in ("outputs", "label", "threshold") if name in said]
    if of_classes and not classes:
        raise NetworkError(
            f"{', '.join(of_classes)} says how outputs mean classes, and the panel's target is of numbers. Leave out: "
            f"{', '.join(of_classes)}."
        )


def check_partner(stimuli: TableSignature, panel: TablePanel) -> None:
    """Refuse profiles of a network that was measured on other columns, or on another target.

    Raises
    ------
    PanelError
        The message names every column that is missing, new, of another kind or elsewhere.
    """
    told = list_differences(panel.columns, stimuli.columns)
    now = {column.name: set(column.values) for column in panel.columns}
    for column in stimuli.columns:  # a profile names a category by its position among them
        lacking = sorted({*column.values} - now.get(column.name, set()))
        if lacking and now.get(column.name):
            told.append(f"{column.name!r} lacks categories: {shorten(map(repr, lacking))}")
    if (stimuli.target, stimuli.class_names) != (panel.target, panel.class_names):
        told.append(
            f"the target is {_describe_target(panel.target, panel.class_names)}, and was "
            f"{_describe_target(stimuli.target, stimuli.class_names)}"
        )
    if told:
        raise PanelError(
            f"The panel is not of the table on which {stimuli.model['name']!r} was measured: {'; '.join(told)}. Use "
            "the panel of the baseline, or approve a baseline on this one: modelcheck approve --help"
        )


def _describe_target(name: str, class_names: tuple[str, ...]) -> str:
    return f"{name!r} of {', '.join(class_names) or 'numbers'}"
