"""How the columns of a table reach a network: as one vector, or each in an input of its name."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from modelcheck.network.picking import list_ends
from modelcheck.network.steps import NetworkError
from modelcheck.panel import Column, ColumnKind
from modelcheck.runtimes.ends import End
from modelcheck.support.spelling import did_you_mean

__all__ = ["TableInputs", "match_inputs"]

_SHOWN = 12  # names that a message lists
_REMAKE = "Make a panel of what the network takes: modelcheck panel --help"


class TableInputs(StrEnum):
    """How a network takes a row."""

    VECTOR = "vector"
    NAMED = "named"


def match_inputs(
    graph: Any, columns: Sequence[Column], encoded: np.ndarray, *, name: str
) -> tuple[TableInputs, list[int]]:
    """Return how a network takes the columns of a table, and the column of each input; of a vector none is said.

    Parameters
    ----------
    graph : keras.Model
        What holds the network's graph.
    columns : sequence of Column
        The panel's features, in their order.
    encoded : np.ndarray
        ``(n, columns)`` its rows, NaN where a value is missing.
    name : str
        What the network is called.

    Raises
    ------
    NetworkError
        When an input fits no column, a column no input, or an input takes other values than the
        column holds; the message names each.
    """
    ends = list_ends(graph, graph._inputs_struct)
    names = [column.name for column in columns]
    if _is_vector(ends, names):
        _check_vector(ends[0], columns, encoded, name=name)
        return TableInputs.VECTOR, []
    for end in ends:
        if len(end.shape) > 2 or end.shape[1:] not in ((), (1,), (None,)):
            raise NetworkError(
                f"The input {end} of {name!r} is neither a row nor a value: on a table modelcheck takes networks of "
                "one vector of all features, (batch, features), or of one input for each feature, (batch,) or "
                "(batch, 1), that bears its name."
            )
    found = {end.names[0]: next((own for own in end.names if own in names), None) for end in ends}
    strange = [own for own, column in found.items() if column is None]
    lacking = [column for column in names if column not in found.values()]
    if strange or lacking:
        told = [
            f"no feature of the panel is called {_list(strange)}, as inputs of the network are. "
            + did_you_mean(strange[0], lacking or names)
            if strange
            else "",
            f"The network has no input for {_list(lacking)}." if lacking else "",
        ]
        raise NetworkError(f"The inputs of {name!r} are not the panel's features: {' '.join(told).strip()} {_REMAKE}")
    places = [names.index(found[end.names[0]] or "") for end in ends]
    for end, place in zip(ends, places, strict=True):
        _check_values(end, columns[place], encoded[:, place], name=name)
    return TableInputs.NAMED, places


def _is_vector(ends: Sequence[End], names: Sequence[str]) -> bool:
    """Return whether a network has one input, which is not that of the one feature that it is called like."""
    if len(ends) != 1 or len(ends[0].shape) != 2 or ends[0].tensor.dtype == "string":
        return False
    return len(names) != 1 or not set(ends[0].names) & set(names)


def _check_vector(end: End, columns: Sequence[Column], encoded: np.ndarray, *, name: str) -> None:
    words = [column.name for column in columns if column.kind is ColumnKind.CATEGORY]
    if words:
        raise NetworkError(
            f"{name!r} takes one vector of numbers, and the panel has categories: {_list(words)}. Give the panel the "
            "columns of numbers into which they were turned for the network, such as one of 0 and 1 for each "
            f"category, or build the network with an input for each feature. {_REMAKE}"
        )
    if end.shape[1] not in (None, len(columns)):
        raise NetworkError(
            f"{name!r} takes a vector of {end.shape[1]} numbers, and the panel has {len(columns)} features: "
            f"{_list([column.name for column in columns])}. {_REMAKE}"
        )
    for place, column in enumerate(columns):
        _check_values(end, column, encoded[:, place], name=name)


def _check_values(end: End, column: Column, values: np.ndarray, *, name: str) -> None:
    """Refuse an input whose dtype does not hold the column's values."""
    dtype, words = str(end.tensor.dtype), column.kind is ColumnKind.CATEGORY
    told = f"The input {end.names[0]!r} of {name!r} takes {dtype}, and the panel's {column.name!r}"
    if words != (dtype == "string"):
        holds = "holds words, such as " + repr(next(iter(column.values), "")) if words else "holds numbers"
        raise NetworkError(f"{told} {holds}. Give the panel the values that the network is given in use. {_REMAKE}")
    if words or "float" in dtype:
        return
    if np.isnan(values).any():
        raise NetworkError(
            f"{told} is missing in {int(np.isnan(values).sum())} rows, for which whole numbers have no sign. Make the "
            "panel of rows without missing values, or build the network with a float input."
        )
    if (values % 1).any():
        raise NetworkError(f"{told} holds {values[values % 1 != 0][0]:g}, which is no whole number. {_REMAKE}")


def _list(names: Sequence[str]) -> str:
    told = ", ".join(map(repr, names[:_SHOWN]))
    return told if len(names) <= _SHOWN else f"{told} and {len(names) - _SHOWN} more"
