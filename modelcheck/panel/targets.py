"""The target of a table: classes or numbers, told by what its column holds, and asked where that is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from modelcheck.panel.cells import is_categorical, name_rows, read_cells, spell_cell
from modelcheck.panel.checks import check_class_names
from modelcheck.panel.errors import PanelError, count, name_classes, shorten
from modelcheck.panel.tables import HOLES, find_labels, sort_classes
from modelcheck.panel.text_cells import read_text_cells
from modelcheck.support.commands import write_command

__all__ = ["Target", "Task", "read_target"]

_FEW = 20  # different whole numbers that may be classes


class Task(StrEnum):
    """What a network was trained to give."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """The truth of all rows of a table, those without one included.

    Parameters
    ----------
    truth : np.ndarray
        ``(n,)`` positions in the classes, -1 where one is missing; or float64, NaN where one is.
    class_names : tuple of str
        Empty where it is numbers.
    """

    truth: np.ndarray
    class_names: tuple[str, ...]

    @property
    def missing(self) -> np.ndarray:
        """``(n,)`` booleans: which rows have no truth."""
        return self.truth == -1 if self.class_names else np.isnan(self.truth)


def read_target(
    values: Any, name: str, *, is_text: bool, task: Task | None = None, class_names: Sequence[str] | None = None
) -> Target:
    """Return the truth that a column holds.

    Parameters
    ----------
    values : sequence
        The column, as the table has it.
    name : str
        What it is called.
    is_text : bool
        Whether it comes from a text file, in which nothing says what is a number.
    task : Task, optional
        By default, words, booleans, categories and the whole numbers from 0 to the last of a few are
        classes, and numbers with fractions numbers.
    class_names : sequence of str, optional
        The classes in the order of the network's outputs. By default the categories in their own
        order, the sorted words, or the numbers.

    Raises
    ------
    PanelError
        When both could be meant, or cells fit neither.

    Examples
    --------
    >>> read_target(["yes", "no"], "bought", is_text=False).class_names
    ('no', 'yes')
    >>> read_target([0.5, 2.5], "income", is_text=False).truth.tolist()
    [0.5, 2.5]
    """
    what = f"The target {name!r}"
    cells = read_text_cells(values, what) if is_text else read_cells(values, what)
    if task is Task.REGRESSION and class_names is not None:
        raise PanelError("A target of numbers has no classes: leave out the class names, or the task.")
    if task is None and class_names is None:
        task = _guess(values, cells, what, is_text=is_text)
    if task is Task.REGRESSION:
        if cells.dtype.kind != "f":
            word = next(word for word in cells.tolist() if word)
            raise PanelError(f"{what} must be numbers for a regression, and holds words, for example {word[:60]!r}.")
        return Target(truth=cells, class_names=())
    return _find_classes(values, cells, what, class_names=class_names)


def _guess(values: Any, cells: np.ndarray, what: str, *, is_text: bool) -> Task:
    if cells.dtype.kind != "f" or _are_booleans(values):
        return Task.CLASSIFICATION
    known = cells[~np.isnan(cells)]
    if not np.all(known == np.floor(known)):
        return Task.REGRESSION
    seen = np.unique(known)
    counted = np.array_equal(seen, np.arange(len(seen)))
    if _are_whole(values, cells, is_text=is_text) and counted and 2 <= len(seen) <= _FEW:
        return Task.CLASSIFICATION
    if len(seen) > _FEW and not _are_whole(values, cells, is_text=is_text):
        return Task.REGRESSION
    raise PanelError(
        f"{what} holds whole numbers, {count(len(seen), 'value')} from {seen[0]:g} to {seen[-1]:g}: are they classes "
        "or numbers? Say which: --task classification (in Python task='classification') or --task regression (in "
        "Python task='regression').",
        options=("--task", "classification" if len(seen) <= _FEW else "regression"),
    )


def _are_booleans(values: Any) -> bool:
    letter = getattr(getattr(values, "dtype", None), "kind", "O")
    return letter == "b" or (
        letter == "O" and all(isinstance(cell, bool | np.bool_) for cell in values if cell is not None)
    )


def _are_whole(values: Any, cells: np.ndarray, *, is_text: bool) -> bool:
    """Say whether numbers were kept as whole ones; beside a hole a table keeps them with a fraction of 0."""
    if is_text:
        return not any("." in cell or "e" in cell.lower() for cell in values if cell)
    letter = getattr(getattr(values, "dtype", None), "kind", "O")
    if letter == "O":
        return not any(isinstance(cell, float) and cell == cell for cell in values)  # noqa: PLR0124 - NaN is not itself
    return letter in "iu" or bool(np.isnan(cells).any())


def _find_classes(values: Any, cells: np.ndarray, what: str, *, class_names: Sequence[str] | None) -> Target:
    ordered = is_categorical(values)
    if cells.dtype.kind == "U":
        words = ["" if word in HOLES else word for word in cells.tolist()]
    elif _are_booleans(values) and class_names is None:
        words, ordered = ["" if np.isnan(cell) else str(bool(cell)) for cell in cells.tolist()], False
    else:
        words = ["" if np.isnan(cell) else spell_cell(cell, what) for cell in cells.tolist()]
    known = [word for word in words if word]
    if class_names is not None:
        classes = check_class_names(class_names)
    elif ordered:
        named = [spell_cell(category, what) for category in values.dtype.categories] if hasattr(values, "dtype") else []
        classes = check_class_names(named)
    else:
        classes = sort_classes(known)
    places = iter(find_labels(known, classes))
    truth = [next(places) if word else -1 for word in words]
    strange = [row for row, place in enumerate(truth) if place is None]
    if strange:
        shown = shorten(map(repr, dict.fromkeys(words[row] for row in strange)))
        raise PanelError(
            f"{what} holds {shown} in {count(len(strange), 'row')}, {name_rows(strange)}: none of the classes "
            f"{shorten(map(repr, classes))}. Name all in the order of the network's outputs: "
            f"{write_command(name_classes(classes))} and those (in Python class_names=)."
        )
    return Target(truth=np.array(truth, np.int64), class_names=classes)
