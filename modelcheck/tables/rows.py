"""Rows of a table with their truth, to train on or to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from modelcheck.panel.table_panel import TablePanel

__all__ = ["Rows"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows of a table with their truth: what a `TablePanel` holds, before anybody judges by it.

    Parameters
    ----------
    values : mapping of str to np.ndarray
        By feature, ``(n,)`` float64 numbers or words.
    truth : np.ndarray
        ``(n,)`` positions in `class_names`, or numbers.
    target : str
        What the target is called.
    class_names : tuple of str
        The classes; empty for a target of numbers.
    groups : mapping of str to np.ndarray
        ``(n,)`` words by division into sub-populations.
    units : mapping of str to str
        By feature, what its numbers are measured in.

    Examples
    --------
    >>> rows = Rows(values={"age": np.array([31.0, 58.0])}, truth=np.array([0.2, 0.9]), target="risk")
    >>> rows.take(np.array([1])).panel()
    TablePanel(1 row, 1 column, risk: numbers)
    """

    values: Mapping[str, np.ndarray]
    truth: np.ndarray
    target: str
    class_names: tuple[str, ...] = ()
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def all_numbers(self) -> bool:
        """Whether no feature is a category, so that a network can take them as one vector."""
        return all(part.dtype.kind == "f" for part in self.values.values())

    def vector(self) -> np.ndarray:
        """Return the features side by side, ``(n, features)`` float32, as a network of one vector takes them."""
        return np.stack(list(self.values.values()), axis=1).astype(np.float32)

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the rows, by position."""
        return replace(
            self,
            values={name: part[rows] for name, part in self.values.items()},
            truth=self.truth[rows],
            groups={name: part[rows] for name, part in self.groups.items()},
        )

    def panel(self) -> TablePanel:
        """Return them as a panel to judge by."""
        return TablePanel(
            self.values,
            self.truth,
            target=self.target,
            class_names=self.class_names,
            groups=self.groups,
            units=self.units,
        )
