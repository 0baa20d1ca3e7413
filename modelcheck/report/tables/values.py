"""Values of variables as people read them: in their own units, categories by name, shares in per cent."""

from __future__ import annotations

import math

from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.report.words import MINUS, NOTHING, clean, group_digits

__all__ = ["NAME", "format_plain", "format_value", "name_column", "place_in_range", "say_percent", "say_range"]

NAME = 60
"""The most characters of a variable's or a category's name that a page shows."""


def name_column(name: str, *, longest: int = NAME) -> str:
    """Return a variable's name, cleaned and cut."""
    return clean(name, longest=longest)


def say_percent(share: float | None) -> str:
    """Return a share in per cent, with a digit behind the point where it is small; a dash where there is none.

    Examples
    --------
    >>> say_percent(0.41).split(), say_percent(0.004).split(), say_percent(0.0001).split()
    (['41', '%'], ['0.4', '%'], ['<0.1', '%'])
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    per_cent = 100 * share
    if 0 < abs(per_cent) < 0.05:
        return "<0.1\N{NO-BREAK SPACE}%"
    digits = 1 if 0 < abs(per_cent) < 0.95 else 0
    return f"{per_cent:.{digits}f}\N{NO-BREAK SPACE}%".replace("-", MINUS)


def format_plain(value: float) -> str:
    """Return a number with three digits that count; thousands are set apart, and a dash stands for none.

    Examples
    --------
    >>> format_plain(0.01234), format_plain(71.26), format_plain(8.0)
    ('0.0123', '71.3', '8')
    """
    if not math.isfinite(value):
        return NOTHING
    text = group_digits(round(value)) if 1000 <= abs(value) < 1e9 else f"{value + 0.0:.3g}"
    return text.replace("-", MINUS)


def format_value(column: Column, value: float) -> str:
    """Return an encoded value of a variable: a number in its unit, a category by its name.

    Examples
    --------
    >>> format_value(Column(name="age", kind=ColumnKind.NUMBER, low=18, high=90, unit="years"), 71.2)
    '71.2 years'
    >>> format_value(Column(name="job", kind=ColumnKind.CATEGORY, values=("clerk", "nurse")), 1.0)
    'nurse'
    """
    if not math.isfinite(value):
        return NOTHING
    if column.kind == ColumnKind.CATEGORY:
        place = round(value)
        return clean(column.values[place], longest=NAME) if 0 <= place < len(column.values) else NOTHING
    return f"{format_plain(value)} {clean(column.unit, longest=20)}".strip()


def say_range(column: Column) -> str:
    """Return what was seen of a variable: ``18 to 90 years``, or how many categories."""
    if column.kind == ColumnKind.CATEGORY:
        return f"{len(column.values)} categories"
    return f"{format_plain(column.low)} to {format_plain(column.high)} {clean(column.unit, longest=20)}".strip()


def place_in_range(column: Column, value: float) -> float | None:
    """Return where a number stands in its observed range, 0 to 1; None of categories and where there is no range."""
    if column.kind == ColumnKind.CATEGORY or not math.isfinite(value) or not column.high > column.low:
        return None
    return min(max((value - column.low) / (column.high - column.low), 0.0), 1.0)
