"""How a network is asked about rows of a table: encoded rows in, answers out, and no answer passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modelcheck.metrics.tables.encoding import decode_rows
from modelcheck.panel.columns import Column
from modelcheck.runtimes.table_classifier import TableClassifier, refuse_unanswered

__all__ = ["Ask", "ask_with", "make_asker"]

Ask = Callable[[np.ndarray], np.ndarray]
"""From encoded rows, ``(n, columns)`` float64, to answers, ``(n, outputs)``; no row depends on the others."""

_AT_ONCE = 1 << 20  # numbers in the rows that are made at once


def make_asker(classifier: TableClassifier, columns: Sequence[Column]) -> Ask:
    """Return a classifier as a function of encoded rows; see `modelcheck.metrics.tables.encoding.encode_rows`.

    Parameters
    ----------
    classifier : TableClassifier
        What answers.
    columns : sequence of Column
        The panel's features.

    Returns
    -------
    callable
        It raises `modelcheck.runtimes.NetworkError` where an answer is NaN or infinite.
    """

    def ask(encoded: np.ndarray) -> np.ndarray:
        scores = classifier.scores(decode_rows(encoded, columns))
        refuse_unanswered(scores, encoded, columns, name=classifier.name)
        return scores

    return ask


def ask_with(ask: Ask, rows: np.ndarray, column: int, values: np.ndarray) -> np.ndarray:
    """Return the answers to rows in which one column has other values.

    Parameters
    ----------
    ask : callable
        See `Ask`.
    rows : np.ndarray
        ``(n, columns)`` encoded.
    column : int
        Which column.
    values : np.ndarray
        ``(n, k)``: what each row has there instead, one after the other; or ``(k,)``, the same for
        every row.

    Returns
    -------
    np.ndarray
        ``(n, k, outputs)`` float32.

    Examples
    --------
    >>> ask_with(lambda rows: rows.sum(axis=1, keepdims=True), np.array([[1.0, 5.0]]), 1, np.array([2.0, 3.0]))[0]
    array([[3.],
           [4.]], dtype=float32)
    """
    n, width = rows.shape
    values = np.broadcast_to(values, (n, np.shape(values)[-1]))
    count = values.shape[1]
    at_once = max(1, _AT_ONCE // max(1, width * count))
    parts = []
    for start in range(0, n, at_once):
        block = slice(start, start + at_once)
        made = np.repeat(rows[block], count, axis=0)
        made[:, column] = values[block].reshape(-1)
        parts.append(np.asarray(ask(made), np.float32))
    found = np.concatenate(parts) if parts else np.asarray(ask(rows), np.float32)
    return found.reshape(n, count, found.shape[-1])
