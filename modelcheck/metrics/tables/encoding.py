"""Rows of a table as numbers: a number as it is, a category as its position among those that were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

__all__ = ["Coded", "decode_rows", "encode_rows", "find_typical_row", "list_trials"]


class Coded(Protocol):
    """What encoding needs of a column; see `modelcheck.panel.columns.Column`."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, and not categories."""
        ...

    @property
    def values(self) -> tuple[str, ...]:
        """The categories seen; empty for numbers."""
        ...


def encode_rows(values: Mapping[str, np.ndarray], columns: Sequence[Coded]) -> np.ndarray:
    """Return rows as ``(n, columns)`` float64; NaN where a value is missing or a category was never seen.

    Parameters
    ----------
    values : mapping of str to np.ndarray
        By feature, ``(n,)`` numbers or words.
    columns : sequence of Coded
        What was seen of each.

    Examples
    --------
    >>> from modelcheck.panel.columns import Column
    >>> rows = {"age": np.array([31.0, np.nan]), "work": np.array(["night", "day"])}
    >>> encode_rows(rows, [Column.seen(name, part) for name, part in rows.items()])
    array([[31.,  1.],
           [nan,  0.]])
    """
    parts = []
    for column in columns:
        given = values[column.name]
        if not column.is_number:
            places = {word: float(k) for k, word in enumerate(column.values)}
            given = np.array([places.get(word, np.nan) for word in np.asarray(given).tolist()])
        parts.append(np.asarray(given, np.float64))
    return np.stack(parts, axis=1)


def decode_rows(encoded: np.ndarray, columns: Sequence[Coded]) -> dict[str, np.ndarray]:
    """Return encoded rows by feature, as a network takes them; a missing category is an empty word.

    Parameters
    ----------
    encoded : np.ndarray
        ``(n, columns)``; see `encode_rows`.
    columns : sequence of Coded
        What was seen of each.

    Examples
    --------
    >>> from modelcheck.panel.columns import Column
    >>> work = Column.seen("work", np.array(["day", "night"]))
    >>> decode_rows(np.array([[1.0], [np.nan]]), [work])
    {'work': array(['night', ''], dtype='<U5')}
    """
    made = {}
    for part, column in zip(np.asarray(encoded, np.float64).T, columns, strict=True):
        made[column.name] = part
        if not column.is_number:
            words = np.array([*column.values, ""])
            made[column.name] = words[np.where(np.isnan(part), len(column.values), part).astype(np.int64)]
    return made


def find_typical_row(encoded: np.ndarray, columns: Sequence[Coded]) -> np.ndarray:
    """Return the median of each column of numbers, and the commonest category.

    Of an even count the lower of the two medians: a value that was seen, as a count or a flag must
    be.

    Parameters
    ----------
    encoded : np.ndarray
        ``(n, columns)`` rows; NaN where a value is missing.
    columns : sequence of Coded
        What was seen of each.

    Returns
    -------
    np.ndarray
        ``(columns,)``; NaN where a column is missing in every row.

    Examples
    --------
    >>> from modelcheck.panel.columns import Column
    >>> age, work = np.array([20.0, 30.0, 90.0, np.nan]), np.array(["day", "night", "night", ""])
    >>> columns = [Column.seen("age", age), Column.seen("work", work)]
    >>> find_typical_row(encode_rows({"age": age, "work": work}, columns), columns)
    array([30.,  1.])
    """
    typical = np.full(len(columns), np.nan)
    for number, column in enumerate(columns):
        there = encoded[~np.isnan(encoded[:, number]), number]
        if not len(there):
            continue
        if not column.is_number:
            typical[number] = np.bincount(there.astype(np.int64)).argmax()
        else:
            typical[number] = np.quantile(there, 0.5, method="inverted_cdf")
    return typical


def list_trials(encoded: np.ndarray, columns: Sequence[Coded], *, most: int) -> list[np.ndarray]:
    """Return by column the values that are tried: every category seen, or quantiles of the numbers seen.

    Parameters
    ----------
    encoded : np.ndarray
        ``(n, columns)`` rows; NaN where a value is missing.
    columns : sequence of Coded
        What was seen of each.
    most : int
        How many quantiles, the smallest and the largest number among them.

    Returns
    -------
    list of np.ndarray
        ``(k,)`` each, ascending and distinct; all were seen. NaN alone where a column is missing in
        every row.

    Examples
    --------
    >>> from modelcheck.panel.columns import Column
    >>> age = np.arange(101.0)
    >>> list_trials(age[:, None], [Column.seen("age", age)], most=5)
    [array([  0.,  25.,  50.,  75., 100.])]
    """
    found = []
    for number, column in enumerate(columns):
        there = encoded[~np.isnan(encoded[:, number]), number]
        if not len(there):
            found.append(np.array([np.nan]))
        elif not column.is_number:
            found.append(np.unique(there))
        else:
            found.append(np.unique(np.quantile(there, np.linspace(0, 1, most), method="inverted_cdf")))
    return found
