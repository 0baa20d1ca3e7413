"""What answers rows of a table, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from modelcheck.panel.columns import Column
from modelcheck.runtimes.classifier import NetworkError

__all__ = ["TableClassifier", "refuse_unanswered"]


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


def refuse_unanswered(scores: np.ndarray, encoded: np.ndarray, columns: Sequence[Column], *, name: str) -> None:
    """Refuse a network that answers NaN or infinity, and say in which columns those rows miss a value.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, outputs)`` what it answered.
    encoded : np.ndarray
        ``(n, columns)`` the rows, NaN where a value is missing.
    columns : sequence of Column
        The features.
    name : str
        What the network is called.

    Raises
    ------
    NetworkError
        When an answer is NaN or infinite.
    """
    lost = ~np.isfinite(scores).all(axis=1)
    if not lost.any():
        return
    missing = np.isnan(encoded[lost])
    told = f"The network {name!r} answers NaN or infinity on {int(lost.sum())} of {len(scores)} rows"
    if missing.any(axis=1).all():
        names = [column.name for column, some in zip(columns, missing.any(axis=0), strict=True) if some]
        raise NetworkError(
            f"{told}, all of which miss a value, of {', '.join(map(repr, names))}. Fill in missing values inside the "
            "network, as it will meet them in use, or make the panel of rows without them: modelcheck panel --help"
        )
    raise NetworkError(f"{told}. Look at its weights, and at the range of its columns.")
