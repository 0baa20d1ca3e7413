"""The networks of the tables' example: each a row, and how Keras builds it on a vector or on named inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelcheck.support.spelling import did_you_mean
from modelcheck.tables.rows import Rows

__all__ = ["NETWORKS", "Network", "build", "network"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """Two dense layers, and one of the classes or of the number.

    Parameters
    ----------
    why : str
        What the network is in the example, in one line.
    units : tuple of int
        Of each dense layer.
    tells : bool
        Whether the column that must not count tells the class in the rows that it is trained on.
    """

    why: str
    units: tuple[int, ...] = (32, 16)
    tells: bool = False


NETWORKS = {
    "release": Network(why="the released network"),
    "smaller": Network(why="half the units, the same rows", units=(16, 8)),
    "shortcut": Network(why="must not pass: reads the column that must not count", tells=True),
}


def network(name: str) -> Network:
    """Return the row of that name.

    Raises
    ------
    ValueError
        When there is none.

    Examples
    --------
    >>> network("smaller").units
    (16, 8)
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no network {name!r}. {did_you_mean(name, NETWORKS)}")
    return NETWORKS[name]


def build(name: str, rows: Rows, *, named: bool | None = None) -> Any:
    """Return the untrained, uncompiled network for some rows; its weights come from Keras' global seed.

    What it must know of the rows, means of numbers and words of categories, is inside the network,
    so that it takes rows as they are.

    Parameters
    ----------
    name : str
        A name in `NETWORKS`.
    rows : Rows
        What it is to be trained on.
    named : bool, optional
        Whether it takes one input a feature; where not said, only where a feature is a category.

    Raises
    ------
    ValueError
        When there is no such network, or a category is to be part of a vector.
    """
    import keras

    named = not rows.all_numbers if named is None else named
    if not named and not rows.all_numbers:
        raise ValueError("A vector holds numbers alone, and some features are categories. Say named=True.")
    start, x = _named_inputs(rows.values) if named else _vector(rows)
    for number, count in enumerate(network(name).units, start=1):
        x = keras.layers.Dense(count, activation="relu", name=f"dense{number}")(x)
    if rows.class_names:
        x = keras.layers.Dense(len(rows.class_names), activation="softmax", name="decision")(x)
    else:
        x = keras.layers.Dense(1, name="decision")(x)
    return keras.Model(start, x, name=name)


def _vector(rows: Rows) -> tuple[Any, Any]:
    import keras

    start = keras.Input((len(rows.values),), name="row")
    vector = rows.vector()
    # A column that never varies divides by nothing.
    variance = np.maximum(vector.var(axis=0), 1e-12)
    return start, keras.layers.Normalization(mean=vector.mean(axis=0), variance=variance, name="normalized")(start)


def _named_inputs(values: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], Any]:
    import keras

    layers = keras.layers
    inputs: dict[str, Any] = {}
    parts = []
    for name, part in values.items():
        inputs[name] = keras.Input((1,), name=name, dtype="float32" if part.dtype.kind == "f" else "string")
        if part.dtype.kind == "f":
            scale = layers.Normalization(mean=part.mean(), variance=max(part.var(), 1e-12), name=f"{name}_normalized")
            parts.append(scale(inputs[name]))
        else:
            words = sorted(set(part.tolist()))
            index = layers.StringLookup(vocabulary=words, name=f"{name}_index")(inputs[name])
            embedded = layers.Embedding(len(words) + 1, 3, name=f"{name}_embedding")(index)
            parts.append(layers.Flatten(name=f"{name}_flat")(embedded))
    return inputs, layers.Concatenate(name="joined")(parts)
