"""A column of a table: what it holds, and in which range it was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from modelcheck.panel.errors import shorten
from modelcheck.support.escaping import one_line_repr

__all__ = ["Column", "ColumnKind"]


class ColumnKind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"


@dataclass(frozen=True, kw_only=True, repr=False)
class Column:
    """A feature of a table, as the panel's rows have it.

    Parameters
    ----------
    name : str
        Its name, which named inputs of a network bear too.
    kind : ColumnKind
        Numbers, or categories: words.
    low, high : float
        The smallest and the largest number seen; NaN for categories.
    values : tuple of str
        The categories seen, sorted; empty for numbers.
    unit : str
        What its numbers are measured in, for example ``years``; may be empty.
    missing : int
        In how many rows it is missing: NaN, or an empty word.

    Examples
    --------
    >>> Column(name="age", kind=ColumnKind.NUMBER, low=18, high=90, unit="years")
    Column(age, number, 18 to 90 years)
    """

    name: str
    kind: ColumnKind
    low: float = math.nan
    high: float = math.nan
    values: tuple[str, ...] = ()
    unit: str = ""
    missing: int = 0

    def __repr__(self) -> str:
        words = f"{len(self.values)} categories"
        return one_line_repr("Column", self.name, self.kind, self.describe() if self.is_number else words)

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind == ColumnKind.NUMBER

    def describe(self, *, most: int = 6) -> str:
        """Return what was seen in it: the range of its numbers with their unit, or the first categories.

        Examples
        --------
        >>> Column(name="sex", kind=ColumnKind.CATEGORY, values=("f", "m", "x")).describe(most=2)
        'f, m and 1 more'
        """
        if self.is_number:
            return f"{self.low:g} to {self.high:g} {self.unit}".strip()
        return shorten(self.values, most=most)

    @classmethod
    def seen(cls, name: str, values: np.ndarray, *, unit: str = "") -> Column:
        """Return the column of some values: float64 are numbers, text is categories."""
        if values.dtype.kind == "f":
            there = values[~np.isnan(values)]
            low, high = (float(there.min()), float(there.max())) if len(there) else (math.nan, math.nan)
            missing = len(values) - len(there)
            return cls(name=name, kind=ColumnKind.NUMBER, low=low, high=high, unit=unit, missing=missing)
        words = values.tolist()
        known = tuple(sorted({word for word in words if word}))
        return cls(name=name, kind=ColumnKind.CATEGORY, values=known, unit=unit, missing=words.count(""))
