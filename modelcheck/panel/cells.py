"""The cells of one column of a table: numbers or words, never both, and nothing taken for what it is not."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelcheck.panel.checks import is_missing, join_words, spell
from modelcheck.panel.columns import ColumnKind
from modelcheck.panel.errors import PanelError, count, shorten

__all__ = ["check_kind", "find_missing", "is_categorical", "name_rows", "read_cells", "spell_cell"]

_LARGEST_WHOLE = 2**53  # beyond it neighbours are one float64
_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def read_cells(values: Any, what: str, *, kind: ColumnKind | None = None) -> np.ndarray:
    """Return a column as ``(n,)`` float64, NaN where a number is missing, or as text, empty where a word is.

    Parameters
    ----------
    values : sequence
        Numbers and booleans, which become 0 and 1; or words. Of a categorical column of pandas the
        categories are words, whatever they are.
    what : str
        What messages call it, for example ``The column 'age'``.
    kind : ColumnKind, optional
        What it must be: numbers or booleans may be categories too, if that is said. By default, what
        it is.

    Raises
    ------
    PanelError
        When it is not one row of cells, mixes numbers with words, holds dates, infinity, or whole
        numbers that float64 cannot tell apart, or no value at all.

    Examples
    --------
    >>> read_cells([31, None, 58], "The column 'age'").tolist()
    [31.0, nan, 58.0]
    >>> read_cells(["m", "f", None], "The column 'sex'").tolist()
    ['m', 'f', '']
    """
    array = _as_array(values, what)
    if array.dtype.kind in "Mm":
        raise PanelError(_say_dates(what))
    if array.dtype.kind in "biuf" and kind is ColumnKind.CATEGORY:
        cells = _to_words(array.tolist(), what)
    elif array.dtype.kind in "biuf":
        cells = _check_numbers(array, what)
    elif array.dtype.kind in "OSTU":
        listed = array.tolist()
        there = [cell for cell in listed if not is_missing(cell)]
        is_number = array.dtype.kind == "O" and bool(there) and not is_categorical(values) and _are_numbers(there, what)
        is_number = is_number and kind is not ColumnKind.CATEGORY
        cells = _check_numbers(_to_numbers(listed, what), what) if is_number else _to_words(listed, what)
    else:
        raise PanelError(f"{what} must be numbers or words, not {array.dtype}.")
    if find_missing(cells).all():
        raise PanelError(f"{what} holds no value in any of {count(len(cells), 'row')}. Leave it out.")
    return check_kind(cells, what, kind)


def check_kind(cells: np.ndarray, what: str, kind: ColumnKind | None) -> np.ndarray:
    """Return a column if it is of a kind; any is right where none is said."""
    if kind is ColumnKind.NUMBER and cells.dtype.kind != "f":
        word = next(word for word in cells.tolist() if word)
        raise PanelError(f"{what} must be numbers, and holds words, for example {word[:60]!r}.")
    return cells


def find_missing(cells: np.ndarray) -> np.ndarray:
    """Return ``(n,)`` booleans: where a column that `read_cells` gave has no value."""
    return np.asarray(np.isnan(cells) if cells.dtype.kind == "f" else cells == "")


def name_rows(rows: Sequence[int] | np.ndarray) -> str:
    """Return which rows are meant, the first of them by number.

    Examples
    --------
    >>> name_rows([3, 9])
    'row 3, row 9'
    """
    return shorten((f"row {int(row)}" for row in rows), most=5)


def spell_cell(cell: Any, what: str) -> str:
    """Return a cell as a word; a whole number that a table keeps as 3.0 beside a hole is ``3``.

    Examples
    --------
    >>> spell_cell(3.0, "The column 'grade'"), spell_cell(True, "The column 'smoker'")
    ('3', 'True')
    """
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return spell(cell, what)


def _as_array(values: Any, what: str) -> np.ndarray:
    typed = hasattr(values, "dtype") and not is_categorical(values)
    try:
        # Of a plain list numpy would make words of the numbers beside a word.
        array = np.asarray(values) if typed else np.asarray(values, dtype=object)
    except (ValueError, TypeError) as error:
        raise PanelError(f"{what} must be one value a row: {error}.") from error
    if array.ndim != 1:
        raise PanelError(f"{what} must be one value a row, (n,), not of shape {array.shape}.")
    return array


def is_categorical(values: Any) -> bool:
    """Say whether a column is a categorical one of pandas."""
    return getattr(getattr(values, "dtype", None), "categories", None) is not None


def _are_numbers(cells: Sequence[Any], what: str) -> bool:
    """Say whether cells are numbers all; words are all text; what is neither, or both, is refused."""
    kinds = Counter(map(_kind_of, cells))
    if kinds.keys() <= {"numbers", "words"} and len(kinds) == 1:
        return "numbers" in kinds
    if "dates" in kinds:
        raise PanelError(_say_dates(what))
    shown = ", ".join(f"{kind} ({n})" for kind, n in kinds.most_common(4))
    word = next((cell for cell in cells if _kind_of(cell) != "numbers"), "")
    raise PanelError(
        f"{what} must be all numbers or all words: it holds {shown}, for example {str(word)[:60]!r}. Mend those "
        "cells, or make all of them words: column.astype(str)."
    )


def _kind_of(cell: Any) -> str:
    if isinstance(cell, str | bytes):
        return "words"
    if isinstance(cell, _DATES):
        return "dates"
    real = isinstance(cell, numbers.Real | decimal.Decimal | np.bool_)
    return "numbers" if real else type(cell).__name__


def _say_dates(what: str) -> str:
    return (
        f"{what} holds dates or times, which no network takes. Make numbers of them, for example days since the first: "
        "(column - column.min()).dt.days, or leave it out."
    )


def _to_numbers(cells: Sequence[Any], what: str) -> np.ndarray:
    whole = [cell for cell in cells if isinstance(cell, numbers.Integral) and abs(int(cell)) > _LARGEST_WHOLE]
    if whole:
        raise PanelError(_say_large(what, len(whole), whole[0]))
    return np.array([np.nan if is_missing(cell) else float(cell) for cell in cells], np.float64)


def _to_words(cells: Sequence[Any], what: str) -> np.ndarray:
    # Of a million rows most share few words: each is looked at once.
    spelled = {cell: _to_word(cell, what) for cell in {cell for cell in cells if isinstance(cell, str)}}
    return join_words([spelled[cell] if isinstance(cell, str) else _to_word(cell, what) for cell in cells], what)


def _to_word(cell: Any, what: str) -> str:
    return "" if is_missing(cell) else spell_cell(cell, what)


def _check_numbers(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind in "iu":
        large = np.flatnonzero((array > _LARGEST_WHOLE) | (array < -_LARGEST_WHOLE))
        if len(large):
            raise PanelError(_say_large(what, len(large), array[large[0]]))
    with np.errstate(over="ignore"):  # of a longer float: it is infinite then, and refused
        cells = array.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(cells))
    if len(infinite):
        raise PanelError(
            f"{what} holds {count(len(infinite), 'infinite value')}: {name_rows(infinite)}. Mend the rows, or mark the "
            "values as missing: column.replace([np.inf, -np.inf], np.nan)."
        )
    return cells


def _say_large(what: str, n: int, first: Any) -> str:
    return (
        f"{what} holds {count(n, 'whole number')} beyond 2**53, the first {first}: as float64, neighbours are one. If "
        "they are identifiers, make words of them, column.astype(str), or leave the column out."
    )
