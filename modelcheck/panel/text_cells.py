"""The cells of a column of a text file, in which nothing says what is a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from modelcheck.panel.cells import check_kind, read_cells
from modelcheck.panel.columns import ColumnKind
from modelcheck.panel.errors import PanelError

__all__ = ["MISSING_MARKS", "read_text_cells"]

MISSING_MARKS = frozenset({"NA", "N/A", "n/a", "NaN", "nan", "<NA>", "NaT", "null", "NULL", "None", "#N/A", "?"})
"""What stands for a missing number in text files; of words any may be a category, such as None or NA."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+(\.\d{3})*,\d+", re.ASCII)
_CODE = re.compile(r"[+-]?0\d", re.ASCII)  # 0123: a code, of which a number would lose the zero


def read_text_cells(cells: Sequence[str], what: str, *, kind: ColumnKind | None = None) -> np.ndarray:
    """Return a column as `modelcheck.panel.cells.read_cells` does: numbers where all of its cells are written so.

    Parameters
    ----------
    cells : sequence of str
        Empty where one is missing; among numbers `MISSING_MARKS` are missing too.
    what : str
        What messages call it.
    kind : ColumnKind, optional
        What it must be; by default, what it looks like. Numbers with leading zeros are codes, and so
        words.

    Raises
    ------
    PanelError
        When it holds numbers with a decimal comma, no value at all, or not what was said.

    Examples
    --------
    >>> read_text_cells(["31", "", "NA"], "The column 'age'").tolist()
    [31.0, nan, nan]
    >>> read_text_cells(["0800", "8000"], "The column 'postcode'").tolist()
    ['0800', '8000']
    """
    there = [cell for cell in cells if cell and cell not in MISSING_MARKS]
    commas = [cell for cell in there if _COMMA.fullmatch(cell)]
    if commas and kind is not ColumnKind.CATEGORY and all(_is_written_number(cell, comma=True) for cell in there):
        raise PanelError(f"{what} holds numbers with a comma, for example {commas[0]!r}. Write them with a point.")
    codes = kind is None and any(_CODE.match(cell) for cell in there)
    if kind is ColumnKind.CATEGORY or codes or not there or not all(map(_is_written_number, there)):
        return check_kind(read_cells(list(cells), what), what, kind)
    return read_cells(np.array([float(cell) if _is_written_number(cell) else np.nan for cell in cells]), what)


def _is_written_number(cell: str, *, comma: bool = False) -> bool:
    return _NUMBER.fullmatch(cell) is not None or (comma and _COMMA.fullmatch(cell) is not None)
