"""Tables of which the truth is known, because it was planted: what drives the target, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from modelcheck.support.spelling import did_you_mean
from modelcheck.tables.rows import Rows

__all__ = ["KINDS", "PROXY", "Kind", "Planted", "plant"]

PROXY = "postcode"
"""The variable of `proxy` that must not drive a network."""

_ORDER, _TRAINING, _HELD_OUT = 0, 1, 2  # what a draw is for: part of its key
_NUMBERS, _COMMON, _SEX, _SEASON, _PROXY, _ERROR, _CARELESS = range(7)
_SEASONS = ("autumn", "spring", "summer", "winter")
_ERRORS = 0.5  # share of the variance of a column that was filled in carelessly
_LINKED = 0.3  # correlation of any two of the numbers: real columns are never independent


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is planted.

    Parameters
    ----------
    why : str
        In one line.
    weights : mapping of str to float
        By role of a number, ``first`` and so on, its weight in the answer for everybody.
    in_group : mapping of str to float
        The same, but in the sub-population ``sex=f`` alone.
    season : float
        Weight of the column ``season``, whose four words count -1, -1/3, 1/3 and 1; 0 leaves it out.
    proxy : bool
        Whether there is a column ``postcode`` that repeats the answer.
    """

    why: str
    weights: Mapping[str, float]
    in_group: Mapping[str, float] = field(default_factory=dict)
    season: float = 0.0
    proxy: bool = False


KINDS = {
    "linear": Kind(
        why="known drivers among columns that mean nothing",
        weights={"first": 1.0, "second": 0.6, "third": 0.4},
        season=0.5,
    ),
    "interaction": Kind(
        why="one variable counts in one sub-population alone", weights={"first": 1.0}, in_group={"second": 1.0}
    ),
    "proxy": Kind(
        why="a variable that must not count repeats the answer",
        weights={"first": 0.7, "second": 0.6, "third": 0.5, "fourth": 0.4},
        proxy=True,
    ),
    "noise": Kind(why="every variable counts the same for everybody", weights={"first": 1.0, "second": 0.7}),
}
"""What can be planted, by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """Rows, and what is true of them.

    Parameters
    ----------
    rows : Rows
        The rows.
    drivers : mapping of str to float
        By column, its weight in the answer for everybody, the strongest first.
    in_group : mapping of str to float
        By column, the weight that it has in the sub-population ``sex=f`` alone.
    """

    rows: Rows
    drivers: Mapping[str, float]
    in_group: Mapping[str, float]


def plant(
    kind: str,
    *,
    rows: int,
    seed: int,
    part: Literal["training", "held_out"] = "held_out",
    columns: int = 8,
    numbers: bool = False,
    words: bool = False,
    tells: bool = False,
    gap: float = 1.0,
) -> Planted:
    """Return rows of a table with planted truth.

    Every table has numbers ``x01``, ``x02`` and so on, any two of which correlate with 0.3, and a
    column ``sex``, which counts for nothing itself and divides the rows into ``f`` and ``m``. Which
    numbers drive the answer is drawn by the seed, so that no place in the table tells.

    Parameters
    ----------
    kind : str
        A name in `KINDS`.
    rows : int
        How many; fewer rows of the same seed are the first of them.
    seed : int
        Of the table: two parts of one seed obey the same rule.
    part : {'held_out', 'training'}
        Which rows; no row is in both.
    columns : int
        How many features there are in all, 5 to 20 or more.
    numbers : bool
        Whether the target is ``amount``, a number, instead of ``bought``, yes or no.
    words : bool
        Whether categories are words; else they are numbered, for networks that take one vector.
    tells : bool
        Whether the column ``postcode`` repeats the answer; else it is drawn by chance. In training
        rows where it tells, the other numbers were filled in carelessly: half of their variance is
        error, so that a network has a reason to read the postcode instead.
    gap : float
        How much of the planted weights ``in_group`` there is: 0 for none.

    Raises
    ------
    ValueError
        When there is no such kind, or there are too few columns for it.

    Examples
    --------
    >>> planted = plant("interaction", rows=200, seed=3)
    >>> planted.drivers, planted.in_group
    ({'x05': 1.0}, {'x02': 1.0})
    >>> planted.rows.panel()
    TablePanel(200 rows, 8 columns, bought: no, yes)
    """
    if kind not in KINDS:
        raise ValueError(f"There is no table {kind!r}. {did_you_mean(kind, KINDS)}")
    row = KINDS[kind]
    beside = 1 + bool(row.season) + row.proxy
    names = [f"x{k:02}" for k in range(1, columns - beside + 1)]
    roles = [*row.weights, *row.in_group]
    if len(names) < len(roles):
        raise ValueError(f"The table {kind!r} has at least {len(roles) + beside} columns, not {columns}.")
    order = _generator(seed, _ORDER, 0).permutation(len(names))
    place = {role: names[at] for role, at in zip(roles, order, strict=False)}
    at = _TRAINING if part == "training" else _HELD_OUT

    common = _generator(seed, at, _COMMON).standard_normal((rows, 1))
    own = _generator(seed, at, _NUMBERS).standard_normal((rows, len(names)))
    drawn = np.sqrt(_LINKED) * common + np.sqrt(1 - _LINKED) * own
    values: dict[str, np.ndarray] = dict(zip(names, drawn.T.copy(), strict=True))
    sex = _generator(seed, at, _SEX).integers(0, 2, rows)  # 0 is f, as in the alphabet
    drivers = {place[role]: weight for role, weight in row.weights.items()}
    in_group = {place[role]: gap * weight for role, weight in row.in_group.items()}
    score = sum((weight * values[name] for name, weight in drivers.items()), np.zeros(rows))
    score += sum((weight * values[name] * (sex == 0) for name, weight in in_group.items()), np.zeros(rows))
    if row.season:
        season = _generator(seed, at, _SEASON).integers(0, len(_SEASONS), rows)
        score += row.season * (season / 1.5 - 1.0)
        drivers["season"] = row.season
        values["season"] = np.array(_SEASONS)[season] if words else season.astype(np.float64)
    if row.proxy:
        by_chance = _generator(seed, at, _PROXY).standard_normal(rows)
        # The score and a little error: it knows what the other columns know, and nothing beside.
        # Where it says nothing it varies as much.
        values[PROXY] = score + 0.2 * by_chance if tells else _spread_of(row.weights) * by_chance
        if tells and part == "training":
            carelessly = _generator(seed, at, _CARELESS).standard_normal((rows, len(names)))
            for k, name in enumerate(names):
                values[name] = np.sqrt(1 - _ERRORS) * values[name] + np.sqrt(_ERRORS) * carelessly[:, k]
    values["sex"] = np.array(["f", "m"])[sex] if words else sex.astype(np.float64)
    answer = score + 0.5 * _generator(seed, at, _ERROR).standard_normal(rows)
    made = Rows(
        values=values,
        truth=answer if numbers else (answer > 0).astype(np.int64),
        target="amount" if numbers else "bought",
        class_names=() if numbers else ("no", "yes"),
        groups={"sex": np.array(["f", "m"])[sex]},
    )
    ranked = dict(sorted(drivers.items(), key=lambda item: -item[1]))
    return Planted(rows=made, drivers=ranked, in_group=in_group)


def _spread_of(weights: Mapping[str, float]) -> float:
    """Return the standard deviation of a sum of the numbers, with its little error."""
    own, whole = sum(weight**2 for weight in weights.values()), sum(weights.values()) ** 2
    return float(np.sqrt((1 - _LINKED) * own + _LINKED * whole + 0.2**2))


def _generator(seed: int, part: int, what: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 16 * part + what]))
