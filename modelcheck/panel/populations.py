"""Sub-populations of a table's rows: which of them have rows enough to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["SMALLEST_GROUP", "Populations", "list_populations"]

SMALLEST_GROUP = 10
"""Rows of a sub-population below which nothing is measured of it: it is named instead."""


@dataclass(frozen=True, kw_only=True)
class Populations:
    """The sub-populations of some rows.

    Parameters
    ----------
    measured : tuple of str
        Those of enough rows, as ``division=population``.
    small : tuple of str
        Those of fewer than `SMALLEST_GROUP`.
    divisions : tuple of str
        What divides the rows into two measured sub-populations or more.
    """

    measured: tuple[str, ...]
    small: tuple[str, ...]
    divisions: tuple[str, ...]

    def list_effects(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return ``column|division`` for every column and every division of another name."""
        return tuple(f"{column}|{division}" for division in self.divisions for column in columns if column != division)


def list_populations(groups: Mapping[str, np.ndarray]) -> Populations:
    """Return the sub-populations of some rows, sorted by division and name.

    Parameters
    ----------
    groups : mapping of str to np.ndarray
        By division, ``(n,)``: the sub-population of each row.

    Examples
    --------
    >>> found = list_populations({"sex": np.array(["f"] * 12 + ["m"] * 15 + ["x"])})
    >>> found.measured, found.small, found.divisions, found.list_effects(["age", "sex"])
    (('sex=f', 'sex=m'), ('sex=x',), ('sex',), ('age|sex',))
    """
    measured, small, divisions = [], [], []
    for division, words in sorted(groups.items()):
        names, counts = np.unique(np.asarray(words), return_counts=True)
        large = [str(name) for name, n in zip(names, counts, strict=True) if n >= SMALLEST_GROUP]
        measured += [f"{division}={name}" for name in large]
        small += [f"{division}={name}" for name in names.tolist() if name not in large]
        divisions += [division] if len(large) > 1 else []
    return Populations(measured=tuple(measured), small=tuple(small), divisions=tuple(divisions))
