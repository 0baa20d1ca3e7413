"""How the answers to each row change with one column of it, the others as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelcheck.answers.tables.asking import Ask, ask_with
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.signature import LocalEffect

__all__ = ["measure_effects"]


def measure_effects(ask: Ask, rows: np.ndarray, columns: Sequence[Column], *, bins: int) -> dict[str, LocalEffect]:
    """Return the local effect of every column on the answers: finite differences in the part in which a row lies.

    Parameters
    ----------
    ask : callable
        What answers; see `modelcheck.answers.tables.asking.Ask`.
    rows : np.ndarray
        ``(n, columns)`` encoded rows, NaN where a value is missing.
    columns : sequence of Column
        The features.
    bins : int
        Into how many parts a column of numbers is cut, by quantiles, at most: they meet at values
        that were seen, so that a column of few values has fewer.

    Returns
    -------
    dict of str to LocalEffect
        By column. A column that never varies has one part, in which nothing moves.

    Examples
    --------
    >>> age = Column.seen("age", np.arange(5.0))
    >>> found = measure_effects(lambda rows: 2 * rows, np.arange(5.0)[:, None], [age], bins=2)["age"]
    >>> found.edges.tolist(), found.bins.tolist(), found.changes.ravel().tolist()
    ([0.0, 2.0, 4.0], [0, 0, 1, 1, 1], [4.0, 4.0, 4.0, 4.0, 4.0])
    """
    outputs = np.asarray(ask(rows[:1])).shape[1]
    return {
        column.name: _put_categories(ask, rows, number, column, outputs=outputs)
        if column.kind is ColumnKind.CATEGORY
        else _move_number(ask, rows, number, bins=bins, outputs=outputs)
        for number, column in enumerate(columns)
    }


def _move_number(ask: Ask, rows: np.ndarray, number: int, *, bins: int, outputs: int) -> LocalEffect:
    """Return the answers at the upper end of each row's part minus those at the lower one."""
    given = rows[:, number]
    there = ~np.isnan(given)
    places, changes = np.full(len(rows), -1, np.int32), np.zeros((len(rows), outputs), np.float32)
    if not there.any():
        return LocalEffect(edges=np.empty(0), bins=places, changes=changes)
    edges = np.unique(np.quantile(given[there], np.linspace(0, 1, bins + 1), method="inverted_cdf"))
    edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    places[there] = np.clip(np.searchsorted(edges, given[there], side="right") - 1, 0, len(edges) - 2)
    ends = np.stack([edges[places[there]], edges[places[there] + 1]], axis=1)
    answers = ask_with(ask, rows[there], number, ends)
    changes[there] = answers[:, 1] - answers[:, 0]
    return LocalEffect(edges=edges, bins=places, changes=changes)


def _put_categories(ask: Ask, rows: np.ndarray, number: int, column: Column, *, outputs: int) -> LocalEffect:
    """Return the answers with each category put in, minus their mean."""
    there = ~np.isnan(rows[:, number])
    places = np.where(there, rows[:, number], -1).astype(np.int32)
    changes = np.zeros((len(rows), len(column.values), outputs), np.float32)
    if there.any():
        answers = ask_with(ask, rows[there], number, np.arange(float(len(column.values))))
        changes[there] = answers - answers.mean(axis=1, keepdims=True)
    return LocalEffect(edges=np.empty(0), bins=places, changes=changes)
