"""What answers rows of a table, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

__all__ = ["TableClassifier"]


class TableClassifier(Protocol):
    """What answers rows of a table: with scores of classes, or with a number."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def n_outputs(self) -> int:
        """How many scores it gives a row: one for each class, or one for a target of numbers."""
        ...

    def scores(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the scores before softmax or sigmoid, one column for each class; or the answers, one column.

        Parameters
        ----------
        values : mapping of str to np.ndarray
            By feature, ``(n,)`` float64 numbers or words, any number of rows, as in
            `modelcheck.panel.table_panel.TablePanel`.

        Returns
        -------
        np.ndarray
            ``(n, outputs)`` float32. No row depends on the others.
        """
        ...
