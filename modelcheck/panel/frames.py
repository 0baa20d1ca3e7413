"""A panel's parts from a stranger's table of rows: a DataFrame, a dictionary of columns, or a CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from modelcheck.panel.cells import find_missing, name_rows, read_cells
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.panel.errors import PanelError, count, shorten
from modelcheck.panel.tables import HOLES, read_columns
from modelcheck.panel.targets import Task, read_target
from modelcheck.panel.text_cells import read_text_cells
from modelcheck.support.validation import check_value, one_of

__all__ = ["Missing", "Roles", "read_frame"]

_MOST_POPULATIONS = 12  # different numbers that may divide the rows without being cut
_MOST_SHOWN = 12  # columns in a message


class Missing(StrEnum):
    """What is done about rows in which a value is missing."""

    REFUSE = "refuse"
    DROP = "drop"
    KEEP = "keep"


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which columns of a table are what.

    Parameters
    ----------
    target : str
        What a network is to say.
    features : sequence of str, optional
        What it is told, in the order of its inputs; by default all columns but the target, the
        subjects and the names.
    groups : sequence of str
        What divides the rows into sub-populations.
    subjects, names : str, optional
        Of whom or what a row is, and its name.
    """

    target: str
    features: Sequence[str] | None = None
    groups: Sequence[str] = ()
    subjects: str | None = None
    names: str | None = None

    def __post_init__(self) -> None:
        for what in ("target", "subjects", "names"):
            given = getattr(self, what)
            if not isinstance(given, str) and (given is not None or what == "target"):
                raise PanelError(f"{what} must be the name of a column, not {given!r}.")
        for what in ("features", "groups"):
            given = getattr(self, what)
            listed = isinstance(given, Sequence) and not isinstance(given, str)  # of a set the order is chance
            if given is not None and not (listed and all(isinstance(name, str) for name in given)):
                raise PanelError(f"{what} must be a list of names of columns, for example ['age'], not {given!r}.")
            twice = [] if given is None else sorted({name for name in given if list(given).count(name) > 1})
            if twice:
                raise PanelError(f"{what} names {shorten(map(repr, twice))} twice.")

    def list_named(self) -> list[str]:
        """Return the columns that a table must have, each once."""
        alone = [name for name in (self.target, self.subjects, self.names) if name is not None]
        return list(dict.fromkeys([*alone, *(self.features or ()), *self.groups]))

    def list_features(self, columns: Iterable[str]) -> list[str]:
        """Return the features among the columns of a table."""
        apart = (self.target, self.subjects, self.names)
        return [name for name in columns if name not in apart] if self.features is None else list(self.features)


def read_frame(
    frame: Any,
    roles: Roles,
    *,
    class_names: Sequence[str] | None = None,
    task: str | None = None,
    missing: str = Missing.REFUSE,
    like: Sequence[Column] = (),
) -> dict[str, Any]:
    """Return the parts of a `TablePanel` that a table gives, units apart.

    Parameters
    ----------
    frame : path, mapping or pandas.DataFrame
        The table.
    roles : Roles
        Which columns are what.
    class_names, task
        See `modelcheck.panel.targets.read_target`.
    missing : str
        See `Missing`.
    like : sequence of Column
        Features whose kind is known, from another panel.

    Raises
    ------
    PanelError
        When columns are lacking or cannot be used, or values are missing; it names all of them.

    Examples
    --------
    >>> parts = read_frame({"age": [31, 58], "bought": ["yes", "no"]}, Roles(target="bought"))
    >>> parts["class_names"], parts["values"]["age"].tolist()
    (('no', 'yes'), [31.0, 58.0])
    """
    asked = None if task is None else Task(check_value("task", task, one_of(*Task), error=PanelError))
    handling = Missing(check_value("missing", missing, one_of(*Missing), error=PanelError))
    is_text = isinstance(frame, str | os.PathLike)
    columns = _open(frame, roles.list_named())
    features = roles.list_features(columns)
    if not features:
        raise PanelError(f"The table has no columns beside {roles.target!r}: name the features, features=.")
    target = read_target(columns[roles.target], roles.target, is_text=is_text, task=asked, class_names=class_names)
    kinds = {column.name: column.kind for column in like}
    values = _read_all(columns, features, kinds, is_text=is_text)
    words = {name: _read_words(columns[name], name, divides=name in roles.groups) for name in _list_words(roles)}
    gaps = {roles.target: target.missing, **{name: find_missing(part) for name, part in values.items()}}
    for name, part in words.items():  # a division may be a feature too, and NA a missing number there
        gaps[name] = gaps.get(name, False) | find_missing(part)
    kept, conversion = _handle(gaps, handling, needed=(roles.target, *words))
    return {
        "values": {name: part[kept] for name, part in values.items()},
        "truth": target.truth[kept],
        "target": roles.target,
        "class_names": target.class_names,
        "subjects": None if roles.subjects is None else words[roles.subjects][kept],
        "groups": {name: words[name][kept] for name in roles.groups},
        # Of the table's own rows, so that a row is found again when others were left out.
        "names": [f"row-{row:04d}" for row in kept] if roles.names is None else words[roles.names][kept],
        "conversion": conversion,
    }


def _open(frame: Any, needed: Sequence[str]) -> dict[str, Any]:
    """Return the columns as the table has them: types matter, of which a list says nothing."""
    listed = read_columns(frame, needed=needed).columns
    if "" in listed:
        raise PanelError(
            "The table has a column without a name, most likely the row numbers that DataFrame.to_csv writes. Save it "
            "with index=False, or give the column a name."
        )
    return listed if isinstance(frame, str | os.PathLike) else {str(name): frame[name] for name in frame}


def _read_all(
    columns: Mapping[str, Any], features: Sequence[str], kinds: Mapping[str, ColumnKind], *, is_text: bool
) -> dict[str, np.ndarray]:
    """Return the features; what is wrong with any of them is told at once."""
    read = read_text_cells if is_text else read_cells
    values, wrong = {}, []
    for name in features:
        try:
            values[name] = _fill_holes(read(columns[name], f"The column {name!r}", kind=kinds.get(name)))
        except PanelError as error:
            wrong.append(str(error))
    if len(wrong) == 1:
        raise PanelError(wrong[0])
    if wrong:
        raise PanelError("\n- ".join([f"{len(wrong)} columns cannot be used:", *wrong]))
    return values


def _fill_holes(cells: np.ndarray) -> np.ndarray:
    """Return a column in which a spelled hole, as of ``astype(str)``, is one: nobody is called NaN on purpose."""
    return cells if cells.dtype.kind == "f" else np.where(np.isin(cells, sorted(HOLES)), "", cells)


def _list_words(roles: Roles) -> list[str]:
    alone = [name for name in (roles.subjects, roles.names) if name is not None]
    return [*alone, *(name for name in roles.groups if name not in alone)]


def _read_words(values: Any, name: str, *, divides: bool) -> np.ndarray:
    words = _fill_holes(read_cells(values, f"The column {name!r}", kind=ColumnKind.CATEGORY))
    if divides:
        _check_division(words, name)
    return words


def _check_division(words: np.ndarray, name: str) -> None:
    """Refuse numbers that were not cut: each would be a sub-population of its own."""
    seen = sorted({word for word in words.tolist() if word})
    if len(seen) <= _MOST_POPULATIONS:
        return
    try:
        lowest, highest = min(map(float, seen)), max(map(float, seen))
    except ValueError:
        return
    raise PanelError(
        f"The division {name!r} holds {len(seen)} different numbers, from {lowest:g} to {highest:g}: hardly any "
        f"sub-population would have rows enough. Cut it into a few, for example pandas.cut(frame[{name!r}], 4)"
        ".astype(str), as a column of another name."
    )


def _handle(
    gaps: Mapping[str, np.ndarray], handling: Missing, *, needed: Sequence[str]
) -> tuple[np.ndarray, str | None]:
    """Return the rows that stay, and what was done, in words."""
    n = len(next(iter(gaps.values())))
    found = {name: np.flatnonzero(gap) for name, gap in gaps.items() if gap.any()}
    refused = {name: rows for name, rows in found.items() if handling is Missing.REFUSE or name in needed}
    if not found or (handling is Missing.KEEP and not refused):
        return np.arange(n), None
    if handling is not Missing.DROP:
        may_stay = handling is Missing.REFUSE and any(name not in needed for name in refused)
        raise PanelError("\n".join(_say_missing(refused, may_stay=may_stay)), options=("--missing", Missing.DROP))
    kept = np.flatnonzero(~np.any(list(gaps.values()), axis=0))
    if not len(kept):
        raise PanelError(
            f"No row is complete: leaving out those in which a value is missing leaves none. Columns: "
            f"{shorten(f'{name} ({len(rows)})' for name, rows in found.items())}. Leave out columns first."
        )
    shown = shorten((f"{name} ({len(rows)})" for name, rows in found.items()), most=_MOST_SHOWN)
    return kept, f"{n - len(kept)} of {count(n, 'row')} left out, for values were missing: {shown}"


def _say_missing(found: Mapping[str, np.ndarray], *, may_stay: bool) -> Iterator[str]:
    yield f"Values are missing in {count(len(found), 'column')}:"
    for name, rows in list(found.items())[:_MOST_SHOWN]:
        yield f"- {name!r} in {count(len(rows), 'row')}: {name_rows(rows)}"
    if len(found) > _MOST_SHOWN:
        yield f"- and {len(found) - _MOST_SHOWN} more columns"
    keep = (
        "keep missing features if the network takes them (--missing keep, in Python missing='keep')"
        if may_stay
        else "fill them: of the target, subjects, names and divisions each row has one"
    )
    yield f"Leave those rows out (--missing drop, in Python missing='drop'), or {keep}."
