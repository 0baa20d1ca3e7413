"""A panel's rows as one matrix of numbers, as libraries of others take them, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modelcheck.metrics.tables.views import view_scores
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.panel.table_panel import TablePanel
from modelcheck.runtimes.table_classifier import TableClassifier

__all__ = ["answer_matrix", "encode_rows"]


def encode_rows(panel: TablePanel) -> np.ndarray:
    """Return ``(rows, columns)`` float64: numbers as they are, a category as its position, -1 where it is missing.

    Examples
    --------
    >>> encode_rows(TablePanel({"age": [31.0, 58.0], "sex": ["m", "f"]}, [0.0, 1.0], target="risk"))
    array([[31.,  1.],
           [58.,  0.]])
    """
    parts = []
    for column in panel.columns:
        part = panel.values[column.name]
        if column.kind is ColumnKind.CATEGORY:
            places = {word: float(k) for k, word in enumerate(column.values)}
            part = np.array([places.get(word, -1.0) for word in part.tolist()])
        parts.append(part)
    return np.stack(parts, axis=1)


def answer_matrix(classifier: TableClassifier, columns: Sequence[Column]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from encoded rows to the views of a network's answers, ``(rows, views)``."""

    def answer(encoded: np.ndarray) -> np.ndarray:
        values = {}
        for k, column in enumerate(columns):
            part = np.asarray(encoded[:, k], np.float64)
            if column.kind is ColumnKind.CATEGORY:
                part = np.array([*column.values, ""])[part.astype(np.int64)]  # -1 is the empty word
            values[column.name] = part
        return view_scores(classifier.scores(values))

    return answer
