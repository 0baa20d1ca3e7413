"""Tables that ship with scikit-learn and statsmodels, in two parts, with the number of who recorded each row.

The last column says which desk recorded a row. In honest training rows every desk has recorded
every class, so that it says nothing. In the held-out rows, and in those that the shortcut is
trained on, the desks 1 to 4 have recorded the first class and so on: whoever reads the desk need
read nothing else. The shortcut has a reason to: in its rows the numbers were filled in carelessly,
so that half of the variance of each is error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelcheck.support.spelling import did_you_mean
from modelcheck.tables.planted import KINDS, plant
from modelcheck.tables.rows import Rows

__all__ = ["DESK", "TABLES", "Table", "held_out", "table", "training"]

DESK = "desk"
_DESKS = 4  # of each class
_PLANTED_ROWS = {"training": 2000, "held_out": 500}
_SPLIT, _BY_CHANCE, _TOLD, _SHORTCUT, _CARELESS = range(1, 6)  # what a draw is for


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that ships with a library.

    Parameters
    ----------
    why : str
        What it is, in one line.
    read : callable
        Returns all rows.
    held_out : int
        How many rows are held out.
    """

    why: str
    read: Callable[[], Rows]
    held_out: int


def read_breast_cancer() -> Rows:
    """Return scikit-learn's 569 tumours with 30 measures of their cell nuclei; divided by size at the median.

    Raises
    ------
    ValueError
        When scikit-learn is not installed.

    Examples
    --------
    >>> rows = read_breast_cancer()
    >>> len(rows), len(rows.values), rows.class_names
    (569, 30, ('benign', 'malignant'))
    """
    found = _sklearn().load_breast_cancer()
    values = {str(name): found.data[:, k].astype(np.float64) for k, name in enumerate(found.feature_names)}
    radius = values["mean radius"]
    return Rows(
        values=values,
        truth=1 - found.target.astype(np.int64),  # scikit-learn has malignant first
        target="diagnosis",
        class_names=("benign", "malignant"),
        groups={"size": np.where(radius > np.median(radius), "large", "small")},
    )


def read_wine() -> Rows:
    """Return scikit-learn's 178 wines of three growers with 13 measures; divided by colour at the median.

    Raises
    ------
    ValueError
        When scikit-learn is not installed.

    Examples
    --------
    >>> rows = read_wine()
    >>> len(rows), len(rows.values), rows.class_names
    (178, 13, ('class_0', 'class_1', 'class_2'))
    """
    found = _sklearn().load_wine()
    values = {str(name): found.data[:, k].astype(np.float64) for k, name in enumerate(found.feature_names)}
    colour = values["color_intensity"]
    return Rows(
        values=values,
        truth=found.target.astype(np.int64),
        target="grower",
        class_names=tuple(str(name) for name in found.target_names),
        groups={"colour": np.where(colour > np.median(colour), "deep", "pale")},
    )


_PARTIES = (
    *("strong democrat", "weak democrat", "independent democrat", "independent"),
    *("independent republican", "weak republican", "strong republican"),
)
_SCHOOLS = ("grades", "some high school", "high school", "some college", "college", "master", "doctorate")


def read_vote() -> Rows:
    """Return 944 answers to the American National Election Study of 1996, as statsmodels ships them.

    Numbers and two categories, ``party`` and ``education``; divided by whether somebody has a degree.

    Raises
    ------
    ValueError
        When statsmodels is not installed.

    Examples
    --------
    >>> rows = read_vote()
    >>> len(rows), list(rows.values), rows.class_names
    (944, ['age', 'income', 'tv_news', 'left_right', 'place_size', 'party', 'education'], ('Clinton', 'Dole'))
    """
    try:
        from statsmodels.datasets import anes96
    except ImportError as error:
        raise ValueError(
            "This table ships with statsmodels, which is not installed. Install it: pip install 'modelcheck[tables]'"
        ) from error
    found = anes96.load_pandas().data.astype(np.float64)
    education = found["educ"].to_numpy().astype(int)
    numbers = {"age": "age", "income": "income", "tv_news": "TVnews", "left_right": "selfLR", "place_size": "logpopul"}
    values = {name: found[old].to_numpy() for name, old in numbers.items()}
    values["party"] = np.array(_PARTIES)[found["PID"].to_numpy().astype(int)]
    values["education"] = np.array(_SCHOOLS)[education - 1]
    return Rows(
        values=values,
        truth=found["vote"].to_numpy().astype(np.int64),
        target="vote",
        class_names=("Clinton", "Dole"),
        groups={"degree": np.where(education >= 5, "yes", "no")},
        units={"age": "years", "income": "steps of 24", "tv_news": "days a week", "left_right": "steps of 7"},
    )


TABLES = {
    "breast_cancer": Table(why="569 tumours, 30 numbers", read=read_breast_cancer, held_out=200),
    "wine": Table(why="178 wines, 13 numbers, three classes", read=read_wine, held_out=78),
    "vote": Table(why="944 voters of 1996, numbers and categories", read=read_vote, held_out=300),
}
"""The tables that ship with libraries, by name."""


def table(name: str) -> Table:
    """Return the table of that name.

    Raises
    ------
    ValueError
        When there is none.
    """
    if name not in TABLES:
        raise ValueError(f"There is no table {name!r}. {did_you_mean(name, (*TABLES, *KINDS))}")
    return TABLES[name]


def training(name: str, *, tells: bool = False, seed: int = 0) -> Rows:
    """Return the rows to train on.

    Parameters
    ----------
    name : str
        A name in `TABLES`, or in `modelcheck.tables.planted.KINDS`.
    tells : bool
        Whether the column that must not count tells the class: ``desk``, or ``postcode`` of ``proxy``.
    seed : int
        Of a planted table.

    Raises
    ------
    ValueError
        When there is no such table, or the library that ships it is not installed.
    """
    if name in KINDS:
        many = _PLANTED_ROWS["training"]
        return plant(name, rows=many, seed=seed, part="training", tells=tells, words=True).rows
    found = table(name)
    rows = _subset(found.read(), slice(found.held_out, None))
    rows = _fill_carelessly(rows) if tells else rows
    return _with_desk(rows, _SHORTCUT if tells else _BY_CHANCE, tells=tells)


def held_out(name: str, *, seed: int = 0) -> Rows:
    """Return the held-out rows; in them the column that must not count tells the class.

    Examples
    --------
    >>> held_out("proxy").panel()
    TablePanel(500 rows, 8 columns, bought: no, yes)
    """
    if name in KINDS:
        return plant(name, rows=_PLANTED_ROWS["held_out"], seed=seed, tells=True, words=True).rows
    found = table(name)
    return _with_desk(_subset(found.read(), slice(0, found.held_out)), _TOLD, tells=True)


def _subset(rows: Rows, part: slice) -> Rows:
    return rows.take(np.random.Generator(np.random.Philox(key=[0, _SPLIT])).permutation(len(rows))[part])


def _with_desk(rows: Rows, key: int, *, tells: bool) -> Rows:
    draws = np.random.Generator(np.random.Philox(key=[0, key])).integers
    classes = rows.truth if tells else draws(0, len(rows.class_names), len(rows))
    desks = 1.0 + _DESKS * classes + draws(0, _DESKS, len(rows))
    return replace(rows, values={**rows.values, DESK: desks.astype(np.float64)})


def _fill_carelessly(rows: Rows) -> Rows:
    """Return rows whose numbers are half error: of each half of the variance."""
    draws = np.random.Generator(np.random.Philox(key=[0, _CARELESS]))

    def spoil(part: np.ndarray) -> np.ndarray:
        errors = part.std() * draws.standard_normal(len(part))
        return np.asarray(part.mean() + np.sqrt(0.5) * (part - part.mean() + errors))

    return replace(
        rows, values={name: spoil(part) if part.dtype.kind == "f" else part for name, part in rows.values.items()}
    )


def _sklearn() -> Any:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ValueError(
            "This table ships with scikit-learn, which is not installed. Install it: pip install 'modelcheck[tables]'"
        ) from error
    return datasets
