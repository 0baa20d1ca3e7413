"""What each part of a table's panel must be: columns, truth, words and names that fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from modelcheck.panel.cells import find_missing, name_rows, read_cells
from modelcheck.panel.checks import check_labels, check_words, is_missing
from modelcheck.panel.errors import PanelError, count, shorten
from modelcheck.panel.populations import list_populations
from modelcheck.support.escaping import is_legible
from modelcheck.support.spelling import did_you_mean

__all__ = ["MAX_COLUMNS", "MAX_ROWS", "check_columns", "check_groups", "check_name", "check_truth", "check_units"]

MAX_ROWS = 1_000_000
MAX_COLUMNS = 4000
_MAX_DIVISIONS = 100
_MAX_NAME = 200  # characters


def check_name(name: Any, what: str) -> str:
    """Return the name of a column, a division or the target: short text that can be read and printed."""
    if not isinstance(name, str) or not is_legible(name) or not name.isprintable() or len(name) > _MAX_NAME:
        raise PanelError(
            f"{what} must be text of at most {_MAX_NAME} characters that can be printed, not {str(name)[:80]!r}. "
            "Rename it."
        )
    return str(name)


def check_columns(values: Any) -> dict[str, np.ndarray]:
    """Return the features by name: ``(n,)`` float64 or text each, all of one length."""
    if not isinstance(values, Mapping) or not values:
        raise PanelError(
            f"values must be columns by their names, for example {{'age': [31, 58]}}, not "
            f"{'none' if isinstance(values, Mapping) else type(values).__name__}. Of a DataFrame a panel is made with "
            "TablePanel.from_frame."
        )
    if len(values) > MAX_COLUMNS:
        raise PanelError(f"The panel has {len(values)} columns, more than {MAX_COLUMNS}. Name those that count.")
    lengths = {str(name): np.shape(part)[0] if np.shape(part) else 0 for name, part in values.items()}
    if len(set(lengths.values())) > 1:
        raise PanelError(f"The columns differ in length: {shorten(f'{name} {n}' for name, n in lengths.items())}.")
    n = next(iter(lengths.values()))
    if n == 0:
        raise PanelError("The panel is empty (no rows): it can judge nothing.")
    if n > MAX_ROWS:
        raise PanelError(f"The panel has {n} rows, more than {MAX_ROWS}. Take a sample of them.")
    return {
        check_name(name, "A column's name"): read_cells(part, f"The column {name!r}") for name, part in values.items()
    }


def check_truth(truth: Any, n: int, class_names: tuple[str, ...], *, target: str) -> np.ndarray:
    """Return ``(n,)`` positions in the classes; where there are none, finite numbers."""
    what = f"The truth of {target!r}"
    if class_names:
        return check_labels(truth, n, class_names, what=what, of="row")
    numbers = read_cells(truth, what)
    if len(numbers) != n:
        raise PanelError(f"{what} must be {n} numbers, one a row, not {len(numbers)}.")
    if numbers.dtype.kind != "f" or getattr(truth, "dtype", None) == np.bool_:
        raise PanelError(f"{what} holds no numbers: name the classes, class_names=, in the order of the outputs.")
    missing = np.flatnonzero(find_missing(numbers))
    if len(missing):
        raise PanelError(f"{what} is missing in {count(len(missing), 'row')}: {name_rows(missing)}. Leave those out.")
    return numbers


def check_groups(groups: Any, n: int, columns: Iterable[str]) -> dict[str, np.ndarray]:
    """Return ``(n,)`` words by division, sorted by its name; what is said of them must be told apart."""
    if not isinstance(groups, Mapping):
        raise PanelError(
            f"groups must be words by the name of a division, for example {{'sex': [...]}}, not "
            f"{type(groups).__name__}."
        )
    if len(groups) > _MAX_DIVISIONS:
        raise PanelError(f"groups has {len(groups)} divisions, more than {_MAX_DIVISIONS}. Name those that count.")
    named = {check_name(name, "A division's name"): part for name, part in groups.items()}
    found = {name: check_words(part, n, f"groups[{name!r}]", of="row") for name, part in sorted(named.items())}
    populations = list_populations(found)
    about = Counter((*populations.measured, *populations.small, *populations.list_effects(tuple(columns))))
    twice = [word for word, times in about.items() if times > 1]
    if twice:
        raise PanelError(
            f"Two things would be called {shorten(map(repr, twice))} in criteria and reports, for names hold '|' or "
            "'='. Rename the columns, divisions or sub-populations."
        )
    return found


def check_units(units: Any, values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return what numbers are measured in, by column in the panel's order; empty units are left out."""
    if not isinstance(units, Mapping):
        raise PanelError(f"units must be words by column, for example {{'age': 'years'}}, not {type(units).__name__}.")
    for name, unit in units.items():
        if name not in values:
            raise PanelError(f"units names {name!r}, which is no column. {did_you_mean(str(name), values)}")
        if not isinstance(unit, str) or (unit and not (unit.isprintable() and len(unit) <= _MAX_NAME)):
            raise PanelError(f"units[{name!r}] must be short text that can be printed, not {str(unit)[:80]!r}.")
        if values[name].dtype.kind != "f" and not is_missing(unit):
            raise PanelError(f"units[{name!r}] is {unit!r}, but the column holds categories, which have no unit.")
    return {name: units[name] for name in values if not is_missing(units.get(name))}
