"""Pictures listed in a table: a CSV file, a dictionary of columns, or a DataFrame."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.panel.checks import check_class_names, is_missing, spell
from modelcheck.panel.errors import Fault, PanelError, list_faults, name_classes, shorten
from modelcheck.panel.rows import Box, PictureRow, Rows
from modelcheck.support.commands import write_command
from modelcheck.support.files import read_file
from modelcheck.support.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    Table = str | os.PathLike[str] | Mapping[str, Sequence[Any]] | pd.DataFrame

__all__ = ["BOX", "HOLES", "Columns", "find_labels", "list_table", "read_columns", "sort_classes"]

BOX = ("row", "column", "height", "width")
_WORDS = ("path", "label", "subject", "group", "name", "mask")
_DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 2**30
_MOST_NUMBERS = 100  # of classes in a command
_LONGEST_NUMBER = 19  # digits
HOLES = {"nan", "NaN", "NaT", "<NA>"}
"""What an empty cell became where text was made of it."""


class Columns:
    """The columns of a table, each a list, and where each row stands.

    Parameters
    ----------
    columns : mapping of str to sequence
        Values by column, all of one length.
    places : sequence of str
        What messages call each row, for example ``line 7``.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], places: Sequence[str]) -> None:
        self.columns, self.places = dict(columns), tuple(places)

    def __len__(self) -> int:
        return len(self.places)


def read_columns(table: Table, *, needed: Sequence[str]) -> Columns:
    """Return the columns of a CSV file, a dictionary or a DataFrame.

    Parameters
    ----------
    table : path, mapping or pandas.DataFrame
        A CSV file in UTF-8, its columns parted by commas, semicolons or tabs; or columns by name.
    needed : sequence of str
        Columns that there must be.

    Raises
    ------
    PanelError
        When it is no table, has no rows, or lacks a column.

    Examples
    --------
    >>> read_columns({"path": ["a.png"], "label": ["cat"]}, needed=["path"]).places
    ('row 0',)
    """
    found = _read_csv(table, needed) if isinstance(table, str | os.PathLike) else _take_columns(table)
    lacking = [name for name in needed if name not in found.columns]
    if lacking:
        rows = (
            " If its rows are the cases themselves, and no pictures, say which column is the target: modelcheck panel "
            "from-rows --target (in Python TablePanel.from_frame(frame, target=...))."
        )
        raise PanelError(
            f"The table lacks the columns {lacking}. {did_you_mean(lacking[0], found.columns)} Columns are called "
            "exactly so, and in a file they are parted by commas, semicolons or tabs."
            f"{rows if 'label' in needed and 'path' in lacking else ''}"
        )
    if not len(found):
        raise PanelError("The table has no rows: a panel needs some.")
    return found


def _take_columns(table: Mapping[str, Sequence[Any]] | pd.DataFrame) -> Columns:
    names = [str(name) for name in table] if isinstance(table, Mapping) or hasattr(table, "columns") else []
    if len(set(names)) < len(names):
        raise PanelError(f"The table has two columns of one name: {names}.")
    try:
        columns = {str(name): list(table[name]) for name in table}  # type: ignore[index]
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise PanelError(
            f"A table is the path of a CSV file, a dict of columns or a DataFrame, not {type(table).__name__}."
        ) from error
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise PanelError(f"The columns of the table differ in length: {lengths}.")
    return Columns(columns, [f"row {row}" for row in range(max(lengths.values(), default=0))])


def _read_csv(path: str | os.PathLike[str], needed: Sequence[str]) -> Columns:
    try:
        text = read_file(path, max_bytes=_MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise PanelError(f"The table {os.fspath(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PanelError(f"The table {os.fspath(path)!r} is not in UTF-8: {error}. Save it as CSV in UTF-8.") from error
    # A delimiter that the header shows, for spreadsheets save what their language has.
    head = text.partition("\n")[0]
    delimiter = next(
        (sign for sign in _DELIMITERS if set(needed) <= set(_split(head, sign))), max(_DELIMITERS, key=head.count)
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    rows, places, faults = [], [], []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = [cell.strip() for cell in cells]
            elif len(cells) != len(names):
                faults.append(Fault(f"line {reader.line_num}", f"not {len(names)} cells, as the header has"))
            else:
                rows.append([cell.strip() for cell in cells])
                places.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise PanelError(f"The table {os.fspath(path)!r} is no CSV in line {reader.line_num}: {error}.") from error
    if faults:
        raise PanelError(f"The table {os.fspath(path)!r} has lines that do not fit its header.\n{list_faults(faults)}")
    names = names or []
    if len(set(names)) < len(names):
        raise PanelError(f"The table {os.fspath(path)!r} has two columns of one name: {names}.")
    return Columns({name: [row[place] for row in rows] for place, name in enumerate(names)}, places)


def _split(head: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([head], delimiter=delimiter), [])]
    except csv.Error:
        return []


def list_table(table: Table, *, class_names: Sequence[str] | None = None, root: str | Path | None = None) -> Rows:
    """Return the pictures of a table.

    Parameters
    ----------
    table : path, mapping or pandas.DataFrame
        As of `Panel.from_frame`.
    class_names : sequence of str, optional
        The classes in the order of the network's outputs; the sorted labels by default.
    root : str or Path, optional
        The folder that relative paths start from; the table's own, or the working folder.
    """
    found = read_columns(table, needed=("path", "label"))
    _check_spelling(found)
    present = [name for name in BOX if name in found.columns]
    if present and len(present) < len(BOX):
        raise PanelError(f"Boxes need all of {list(BOX)}; the table has only {present}.")
    if present and "mask" in found.columns:
        raise PanelError("The table has boxes and masks: which of them count? Drop the columns of one.")
    used = [name for name in (*_WORDS, *BOX) if name in found.columns]
    faults = [
        Fault(place, f"no {name}")
        for name in used
        for place, value in zip(found.places, found.columns[name], strict=True)
        if is_missing(value)
    ]
    words = {name: [_spell(value) for value in found.columns[name]] for name in _WORDS if name in found.columns}
    incomplete = {fault.where for fault in faults}
    whole = [at for at, place in enumerate(found.places) if place not in incomplete]
    given = [words["label"][at] for at in whole]
    if not given:
        raise PanelError(f"The table has no complete row.\n{list_faults(faults)}")
    classes = sort_classes(given, faults) if class_names is None else check_class_names(class_names)
    start = Path(root) if root is not None else Path(table).parent if isinstance(table, str | os.PathLike) else Path()
    rows = []
    for at, label in zip(whole, find_labels(given, classes), strict=True):
        place, box = found.places[at], _read_box([found.columns[name][at] for name in present])
        if label is None:
            faults.append(
                Fault(place, f"label {words['label'][at]!r} is none of the classes {shorten(map(repr, classes))}")
            )
            continue
        if present and box is None:
            faults.append(Fault(place, "its box must be whole numbers of pixels, of at least one pixel"))
            continue
        rows.append(
            PictureRow(
                where=f"{place}, {words['path'][at]!r}",
                path=start / words["path"][at],
                name=words.get("name", words["path"])[at],
                label=label,
                subject=words["subject"][at] if "subject" in words else None,
                group=words["group"][at] if "group" in words else None,
                box=box,
                mask=start / words["mask"][at] if "mask" in words else None,
            )
        )
    twice = _find_twice(rows, "name" if "name" in words else "path")
    unused = [name for name in found.columns if name not in used]
    remarks = (f"Columns that were not used: {shorten(unused)}.",) if unused else ()
    return Rows(rows=tuple(rows), class_names=classes, faults=(*faults, *twice), remarks=remarks)


def _find_twice(rows: Sequence[PictureRow], column: str) -> list[Fault]:
    first: dict[str, str] = {}
    return [
        Fault(row.where, f"its {column} stands in the table twice; a report points at pictures by name")
        for row in rows
        if first.setdefault(row.name, row.where) is not row.where
    ]


def _check_spelling(found: Columns) -> None:
    known = {*_WORDS, *BOX}
    for name in found.columns:
        meant = name.strip().lower()
        meant = meant if meant in known else meant.removesuffix("s")
        if name not in known and meant in known and meant not in found.columns:
            raise PanelError(f"The table has a column {name!r}, which is not read. Did you mean {meant!r}? Rename it.")


def _spell(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():  # how a table keeps 3 beside a hole
        return str(int(value))
    return spell(value, "cells of the table").strip()


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit() and len(label) < _LONGEST_NUMBER


def sort_classes(labels: Sequence[str], faults: Sequence[Fault] = ()) -> tuple[str, ...]:
    """Return the classes that labels name: sorted words, or the numbers from 0 to the last.

    Raises
    ------
    PanelError
        When all labels are one, an empty cell was spelled, or numbers leave out a position.

    Examples
    --------
    >>> sort_classes(["yes", "no", "yes"]), sort_classes(["1", "0"])
    (('no', 'yes'), ('0', '1'))
    """
    found = set(labels)
    if found & HOLES:
        raise PanelError(
            f"{sum(label in HOLES for label in labels)} labels are {shorten(map(repr, sorted(found & HOLES)))}, as "
            "an empty cell is written. Fill them, or name the classes if one is called so: --classes (in Python "
            "class_names=)."
        )
    if len(found) == 1:
        (only,) = found
        options = name_classes([only, "other" if only != "other" else "another"])
        raise PanelError(
            f"All rows that are complete have one label, {only!r}. Name all classes in the order of the network's "
            f"outputs: {write_command(options)} (in Python class_names=)."
            + (f" Rows that are not complete:\n{list_faults(faults)}" if faults else ""),
            options=options,
        )
    if not all(map(_is_number, found)):
        return check_class_names(sorted(found))
    if found != {str(number) for number in range(len(found))}:
        # Names of their own: a position too far on would be another class.
        numbers = sorted({int(number) for number in found})
        named: Sequence[str] = ()
        if numbers[-1] <= _MOST_NUMBERS:
            named = name_classes([str(k) for k in range(min(numbers[0], 1), numbers[-1] + 1)])
        raise PanelError(
            f"The labels are numbers, {shorten(map(str, numbers))}, but not all of 0 to {len(found) - 1}. Name "
            "all classes in the order of the network's outputs, by these numbers where they are their names: "
            f"{write_command(named or ['--classes'])} (in Python class_names=).",
            options=named,
        )
    return check_class_names(sorted(found, key=int))


def find_labels(labels: Sequence[str], classes: tuple[str, ...]) -> list[int | None]:
    """Return positions in the classes: of names where any label is one, else labels are positions themselves.

    Examples
    --------
    >>> find_labels(["yes", "maybe"], ("no", "yes")), find_labels(["1", "0"], ("no", "yes"))
    ([1, None], [1, 0])
    """
    places = {name: place for place, name in enumerate(classes)}
    if any(label in places for label in labels) or not all(map(_is_number, labels)):
        return [places.get(label) for label in labels]
    return [int(label) if int(label) < len(classes) else None for label in labels]


def _read_box(cells: Sequence[Any]) -> Box | None:
    if not cells:
        return None
    try:
        sides = [float(cell) for cell in cells]
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(side.is_integer() for side in sides) or min(sides[:2]) < 0 or min(sides[2:]) < 1:
        return None
    row, column, height, width = map(int, sides)
    return row, column, height, width
