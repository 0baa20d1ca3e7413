"""The panel of a table: held-out rows with what is known of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.panel.checks import check_class_names, check_conversion, check_words
from modelcheck.panel.columns import Column
from modelcheck.panel.errors import PanelError, count
from modelcheck.panel.frames import Roles, read_frame
from modelcheck.panel.notebook import show_rows
from modelcheck.panel.populations import Populations, list_populations
from modelcheck.panel.row_remarks import find_row_remarks
from modelcheck.panel.storage import MAX_GIB, ROWS, build_panel, read_parts, write_parts
from modelcheck.panel.table_checks import check_columns, check_groups, check_name, check_truth, check_units
from modelcheck.support.escaping import one_line_repr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TablePanel"]


@dataclass(frozen=True, eq=False, repr=False)
class TablePanel:
    """Held-out rows of a table with their truth: what they are, of whom, and to which sub-populations they belong.

    Parameters
    ----------
    values : mapping of str to np.ndarray
        By feature, in the order in which a network of one vector takes them: ``(n,)`` numbers, or
        words for categories. Kept as float64, NaN where one is missing, or as text, empty where one
        is missing.
    truth : np.ndarray or sequence of str
        ``(n,)`` of the target: positions in `class_names`, or those names; numbers where there are
        no classes. Kept as int64, or as float64.
    target : str
        What the target is called.
    class_names : sequence of str
        In the order of the network's outputs; empty for a target of numbers (regression).
    subjects : sequence of str, optional
        ``(n,)`` of whom or what each row is, where several rows are of one: a patient, a machine.
    groups : mapping of str to sequence of str
        ``(n,)`` by the name of a division into sub-populations, for example ``sex``: to which of
        them a row belongs. It may bear the name of a feature, or not be one.
    names : sequence of str, optional
        ``(n,)`` a distinct name for each row; ``row-0007`` by default.
    units : mapping of str to str
        By feature, what its numbers are measured in.
    conversion : str, optional
        What was done to the rows when they were read, in words.

    Raises
    ------
    PanelError
        When the parts do not fit together.

    Examples
    --------
    >>> panel = TablePanel({"age": [31.0, 58.0]}, ["yes", "no"], target="bought", class_names=("no", "yes"))
    >>> panel
    TablePanel(2 rows, 1 column, bought: no, yes)
    >>> panel.columns
    (Column(age, number, 31 to 58),)
    """

    values: Mapping[str, np.ndarray]
    truth: Any
    _: KW_ONLY
    target: str
    class_names: tuple[str, ...] = ()
    subjects: Any = None
    groups: Mapping[str, Any] | None = None
    names: Any = None
    units: Mapping[str, str] | None = None
    conversion: str | None = None

    def __post_init__(self) -> None:
        target = check_name(self.target, "target")
        values = check_columns(self.values)
        if target in values:
            raise PanelError(
                f"The target {target!r} is a column too: the network would be told the answer. Leave that column out."
            )
        n = len(next(iter(values.values())))
        class_names = () if len(self.class_names) == 0 else check_class_names(self.class_names)
        names = [f"row-{row:04d}" for row in range(n)] if self.names is None else self.names
        kept: dict[str, Any] = {
            "values": values,
            "truth": check_truth(self.truth, n, class_names, target=target),
            "target": target,
            "class_names": class_names,
            "subjects": None if self.subjects is None else check_words(self.subjects, n, "subjects", of="row"),
            "groups": check_groups({} if self.groups is None else self.groups, n, values),
            "names": check_words(names, n, "names", of="row"),
            "units": check_units({} if self.units is None else self.units, values),
            "conversion": None if self.conversion is None else check_conversion(self.conversion),
        }
        if len(set(kept["names"].tolist())) != n:
            raise PanelError("names must be distinct: a report points at rows by name.")
        for name, part in kept.items():
            for array in part.values() if isinstance(part, dict) else (part,):
                if isinstance(array, np.ndarray):
                    array.setflags(write=False)
            object.__setattr__(self, name, part)

    def __len__(self) -> int:
        return len(self.truth)

    def __repr__(self) -> str:
        what = ", ".join(self.class_names) if self.class_names else "numbers"
        columns = count(len(self.values), "column")
        return one_line_repr("TablePanel", count(len(self), "row"), columns, f"{self.target}: {what}")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features, as the rows have them."""
        units = self.units or {}
        return tuple(Column.seen(name, part, unit=units.get(name, "")) for name, part in self.values.items())

    def _repr_html_(self) -> str:
        """Return the columns with what was seen of them, and the first rows, for a notebook."""
        return show_rows(self)

    @property
    def shared_subjects(self) -> np.ndarray | None:
        """``(n,)`` of whom or what each row is; None where no two rows are of the same, or nobody said."""
        known = self.subjects
        return known if known is not None and len(set(known.tolist())) < len(self) else None

    @property
    def independent(self) -> np.ndarray:
        """``(n,)`` words that two rows share where they are not independent: subjects, else each its own name."""
        return np.asarray(self.names if self.subjects is None else self.subjects)

    @property
    def classes_without_rows(self) -> tuple[str, ...]:
        """The classes of which the panel holds no row, so that nothing can be said of them each."""
        there = set(self.truth.tolist())
        return tuple(name for k, name in enumerate(self.class_names) if k not in there)

    @property
    def populations(self) -> Populations:
        """The sub-populations of all divisions: those that are measured, and those of too few rows."""
        return list_populations(self.groups or {})

    @property
    def remarks(self) -> tuple[str, ...]:
        """What speaks against the panel without forbidding it, a sentence each.

        Classes without rows, sub-populations of too few rows, columns that hold one value, missing
        values, categories that look like numbers or names, subjects with rows of one class only, and
        rows that are there more than once.
        """
        return find_row_remarks(self)

    def subset(self, rows: np.ndarray) -> TablePanel:
        """Return the panel of some rows.

        Parameters
        ----------
        rows : np.ndarray
            Indices or a boolean mask over the rows.
        """
        return TablePanel(
            {name: part[rows] for name, part in self.values.items()},
            self.truth[rows],
            target=self.target,
            class_names=self.class_names,
            subjects=None if self.subjects is None else self.subjects[rows],
            groups={name: part[rows] for name, part in (self.groups or {}).items()},
            names=self.names[rows],
            units=self.units,
            conversion=self.conversion,
        )

    def digest(self) -> str:
        """Return the sha256 over every part's name, dtype, shape and bytes, in hex."""
        digest = hashlib.sha256()
        for name, part in _take_apart(self).items():
            digest.update(f"{name}|{part.dtype.str}|{part.shape}|".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the panel as one compressed ``.npz`` file: whole, or not at all."""
        write_parts(path, _take_apart(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_gib: float = MAX_GIB) -> TablePanel:
        """Read a panel file of a table.

        Parameters
        ----------
        path : str or path-like
            The ``.npz`` file.
        max_gib : float
            GiB that it may unpack to; more than 100 times its own bytes are refused in any case
            above 64 MiB.

        Raises
        ------
        PanelError
            When the file is missing, no panel of a table, of a newer format, or its content does not
            fit together.
        """
        _, parts = read_parts(path, layouts=(ROWS,), max_gib=max_gib)
        return build_panel(path, cls.from_parts, parts)

    @classmethod
    def from_frame(  # noqa: PLR0913 - each says what a column is, or settles what a table leaves open
        cls,
        frame: str | os.PathLike[str] | Mapping[str, Sequence[Any]] | pd.DataFrame,
        *,
        target: str,
        features: Sequence[str] | None = None,
        groups: Sequence[str] = (),
        subjects: str | None = None,
        names: str | None = None,
        class_names: Sequence[str] | None = None,
        task: str | None = None,
        units: Mapping[str, str] | None = None,
        missing: str = "refuse",
        features_like: TablePanel | Sequence[Column] | None = None,
    ) -> TablePanel:
        """Build a panel from a table with one row for each case.

        Numbers and booleans become numbers, text and categories become categories. In a CSV file a
        column holds numbers where all its cells are written so, without leading zeros; among numbers
        NA, NaN, null and their like are missing.

        Parameters
        ----------
        frame : path, mapping or pandas.DataFrame
            A CSV file in UTF-8, a dict of columns, or a DataFrame.
        target : str
            The column of what the network is to say.
        features : sequence of str, optional
            The columns that it is told, in the order of its inputs; by default all but the target,
            the subjects and the names.
        groups : sequence of str
            Columns that divide the rows into sub-populations, features or not. Numbers must be few,
            or cut before.
        subjects : str, optional
            The column of whom or what each row is, where several rows are of one.
        names : str, optional
            The column of a distinct name for each row; ``row-0007`` by default, counted in the
            table from 0.
        class_names : sequence of str, optional
            The classes in the order of the network's outputs; by default the categories in their own
            order, the sorted words, or the numbers from 0.
        task : str, optional
            ``classification`` or ``regression``, where the target's column leaves it open.
        units : mapping of str to str, optional
            By feature, what its numbers are measured in.
        missing : str
            What is done where values are missing: ``refuse``; ``drop`` leaves those rows out, and
            `conversion` counts them; ``keep`` keeps features that are missing.
        features_like : TablePanel or sequence of Column, optional
            The columns of another panel, whose order, kinds and units are taken, in place of
            `features`.

        Raises
        ------
        PanelError
            When columns are lacking or cannot be used, or values are missing or infinite; it names
            all of them.

        Examples
        --------
        >>> table = {"age": [31, 58, 44], "sex": ["m", "f", "f"], "bought": ["yes", "no", "no"]}
        >>> TablePanel.from_frame(table, target="bought", groups=["sex"]).columns
        (Column(age, number, 31 to 58), Column(sex, category, 2 categories))
        """
        if features is not None and features_like is not None:
            raise PanelError("features and features_like both name the features: give one.")
        like = features_like.columns if isinstance(features_like, TablePanel) else tuple(features_like or ())
        chosen = [column.name for column in like] or features
        roles = Roles(target=target, features=chosen, groups=groups, subjects=subjects, names=names)
        parts = read_frame(frame, roles, class_names=class_names, task=task, missing=missing, like=like)
        known = {column.name: column.unit for column in like if column.unit}
        return cls(**parts, units=known if units is None else units)

    @classmethod
    def from_parts(cls, parts: Mapping[str, np.ndarray]) -> TablePanel:
        """Return the panel that the parts of a file make, as `modelcheck.panel.storage.read_parts` gives them.

        Raises
        ------
        PanelError
            When they do not fit together.
        """
        columns, divisions = (_list_names(parts, name) for name in ("columns", "divisions"))
        units = _list_names(parts, "units")
        if units and len(units) != len(columns):
            raise PanelError(f"units must be {len(columns)} words, one a column, not {len(units)}.")
        for k, name in enumerate(columns):
            if parts[f"values/{k}"].dtype.kind not in "fU":
                raise PanelError(f"The column {name!r} must be float64 or text, not {parts[f'values/{k}'].dtype}.")
        target = parts["target"]
        if target.shape != () or target.dtype.kind != "U":
            raise PanelError(f"target must be one text, not {target.dtype} of shape {target.shape}.")
        return cls(
            {name: parts[f"values/{k}"] for k, name in enumerate(columns)},
            parts["truth"],
            target=str(target),
            class_names=tuple(_list_names(parts, "class_names")),
            subjects=parts.get("subjects"),
            groups={name: parts[f"groups/{k}"] for k, name in enumerate(divisions)},
            names=parts["names"],
            units=dict(zip(columns, units, strict=True)) if units else None,
            conversion=None if "conversion" not in parts else check_conversion(parts["conversion"]),
        )


def _take_apart(panel: TablePanel) -> dict[str, np.ndarray]:
    """Return the parts of a panel as a file has them, columns and divisions by position: their names may be any."""
    units, groups = panel.units or {}, panel.groups or {}
    parts: dict[str, Any] = {
        "truth": panel.truth,
        "target": np.array(panel.target, np.str_),
        "class_names": np.array(panel.class_names, np.str_),
        "subjects": panel.subjects,
        "names": panel.names,
        "conversion": None if panel.conversion is None else np.array(panel.conversion, np.str_),
        "columns": np.array(list(panel.values), np.str_),
        "units": np.array([units.get(name, "") for name in panel.values], np.str_) if units else None,
        "divisions": np.array(list(groups), np.str_) if groups else None,
    }
    parts |= {f"values/{k}": part for k, part in enumerate(panel.values.values())}
    parts |= {f"groups/{k}": part for k, part in enumerate(groups.values())}
    return {name: part for name, part in parts.items() if part is not None}


def _list_names(parts: Mapping[str, np.ndarray], part: str) -> list[str]:
    """Return the words of a part that lists names; none where a file lacks it."""
    names = parts.get(part, np.empty(0, np.str_))
    if names.ndim != 1 or names.dtype.kind != "U" or (part != "units" and len(set(names.tolist())) < len(names)):
        raise PanelError(f"{part} must be distinct words, not {names.dtype} of shape {names.shape}.")
    return [str(name) for name in names]
