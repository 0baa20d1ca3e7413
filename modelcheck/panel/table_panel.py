"""The panel of a table: held-out rows with what is known of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from modelcheck.panel.columns import Column
from modelcheck.panel.errors import count
from modelcheck.support.escaping import one_line_repr

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
        values = {str(name): _as_column(part) for name, part in self.values.items()}
        n = len(next(iter(values.values())))
        class_names = tuple(self.class_names)
        places = {name: k for k, name in enumerate(class_names)}
        truth = np.array([places.get(word, word) for word in self.truth]) if class_names else np.asarray(self.truth)
        kept: dict[str, Any] = {
            "values": values,
            "truth": truth.astype(np.int64 if class_names else np.float64),
            "class_names": class_names,
            "subjects": None if self.subjects is None else np.array(self.subjects, np.str_),
            "groups": {name: np.array(part, np.str_) for name, part in (self.groups or {}).items()},
            "names": np.array([f"row-{k:04d}" for k in range(n)] if self.names is None else self.names, np.str_),
            "units": dict(self.units or {}),
        }
        for name, part in kept.items():
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

    @property
    def shared_subjects(self) -> np.ndarray | None:
        """``(n,)`` of whom or what each row is; None where no two rows are of the same, or nobody said."""
        known = self.subjects
        return known if known is not None and len(set(known.tolist())) < len(self) else None

    @property
    def independent(self) -> np.ndarray:
        """``(n,)`` words that two rows share where they are not independent: subjects, else each its own name."""
        return np.asarray(self.names if self.subjects is None else self.subjects)

    def digest(self) -> str:
        """Return the sha256 over every part's name, dtype, shape and bytes, in hex."""
        digest = hashlib.sha256()
        groups = {} if self.groups is None else self.groups
        parts: dict[str, Any] = {f"values/{name}": part for name, part in self.values.items()}
        parts |= {"truth": self.truth, "target": np.array(self.target), "class_names": np.array(self.class_names)}
        parts |= {"subjects": self.subjects, "names": self.names}
        parts |= {f"groups/{name}": part for name, part in groups.items()}
        parts |= {f"units/{name}": np.array(unit) for name, unit in (self.units or {}).items()}
        parts |= {"conversion": None if self.conversion is None else np.array(self.conversion)}
        for name, part in parts.items():
            if part is not None:
                digest.update(f"{name}|{part.dtype.str}|{part.shape}|".encode())
                digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the panel as one compressed ``.npz`` file: whole, or not at all."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_gib: float = 4.0) -> TablePanel:
        """Read a panel file of a table."""
        raise NotImplementedError


def _as_column(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.float64 if array.dtype.kind in "biuf" else np.str_)
