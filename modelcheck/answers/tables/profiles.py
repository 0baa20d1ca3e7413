"""The row that makes a unit happiest, within what was seen of each column: the HappyMap of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.answers.tables.asking import Ask, ask_with

__all__ = ["Profiles", "find_profiles"]

_SWEEPS = 20
_HARDLY = 0.01  # of the happiness gained: a column that brings less is put back to its typical value
_MOST_LOST = 0.05  # of it in all: of a hundred columns each hardly matters, and all do
_SAME = 1e-6  # float32 answers of other batches differ by as much


@dataclass(frozen=True, kw_only=True, eq=False)
class Profiles:
    """The happiest rows of some units.

    Parameters
    ----------
    rows : np.ndarray
        ``(units, columns)`` encoded.
    happiness, at_rest : np.ndarray
        ``(units,)``: of each unit on its row, and on the typical row.
    gains : np.ndarray
        ``(units, columns)``: by how much happiness falls where one column is typical instead.
    """

    rows: np.ndarray
    happiness: np.ndarray
    at_rest: np.ndarray
    gains: np.ndarray

    def take(self, units: slice) -> Profiles:
        """Return those of some units."""
        return Profiles(
            rows=self.rows[units], happiness=self.happiness[units], at_rest=self.at_rest[units], gains=self.gains[units]
        )


def find_profiles(
    ask: Ask, rows: np.ndarray, *, typical: np.ndarray, trials: Sequence[np.ndarray], starts: int
) -> Profiles:
    """Climb column by column: each takes the value that makes the unit happiest, until none changes.

    Parameters
    ----------
    ask : callable
        ``ask(rows)`` -> ``(n, units)``: how happy encoded rows, ``(n, columns)``, make each unit.
    rows : np.ndarray
        ``(n, columns)`` encoded rows of the panel, of which the happiest are starts; a value that is
        missing starts as the typical one.
    typical : np.ndarray
        ``(columns,)`` the typical row, which is a start as well.
    trials : sequence of np.ndarray
        By column, the values that are tried; see `modelcheck.metrics.tables.encoding.list_trials`.
    starts : int
        From how many rows each unit climbs; the happiest end is kept.

    Returns
    -------
    Profiles
        Columns that bring less than a hundredth of the happiness gained have their typical value, as
        long as no more than a twentieth is lost with all of them.

    Examples
    --------
    >>> found = find_profiles(lambda rows: rows @ np.array([[1.0], [-2.0], [0.0]]), np.zeros((4, 3)),
    ...                       typical=np.zeros(3), trials=[np.array([-1.0, 0.0, 1.0])] * 3, starts=2)
    >>> found.rows, found.happiness, found.gains
    (array([[ 1., -1.,  0.]]), array([3.]), array([[1., 2., 0.]]))
    """
    at_rest = np.asarray(ask(typical[None]), np.float64)[0]
    units = np.arange(len(at_rest))
    climbers, whose = _choose_starts(ask, rows, typical=typical, starts=starts)
    climbers = _climb(ask, climbers, whose, trials=trials)
    reached = _ask_own(ask, climbers, whose).reshape(len(units), -1)
    highest = climbers.reshape(len(units), -1, len(typical))[units, reached.argmax(axis=1)]
    found = _put_back(ask, highest, typical=typical, at_rest=at_rest)
    happiness = _ask_own(ask, found, units)
    gains = happiness[:, None] - _ask_without(ask, found, typical=typical)
    gains[found == typical] = 0.0
    return Profiles(rows=found, happiness=happiness, at_rest=at_rest, gains=gains)


def _choose_starts(ask: Ask, rows: np.ndarray, *, typical: np.ndarray, starts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(units * starts, columns)`` the rows from which units climb, and ``(units * starts,)`` which unit does.

    Ties go to the earlier row.
    """
    happiest = np.argsort(-np.asarray(ask(rows), np.float64), axis=0, kind="stable")[: max(starts - 1, 0)].T
    units = len(happiest)
    begin = np.concatenate([np.broadcast_to(typical, (units, 1, len(typical))), rows[happiest]], axis=1)
    begin = np.where(np.isnan(begin), typical, begin)
    return begin.reshape(-1, len(typical)), np.repeat(np.arange(units), begin.shape[1])


def _climb(ask: Ask, climbers: np.ndarray, whose: np.ndarray, *, trials: Sequence[np.ndarray]) -> np.ndarray:
    """Return each climber where no value of any one column makes its unit happier."""
    climbers, best = climbers.copy(), _ask_own(ask, climbers, whose)
    moving = np.ones(len(climbers), bool)
    for _ in range(_SWEEPS):
        moved = np.zeros(len(climbers), bool)
        for column, values in enumerate(trials):
            if len(values) < 2:
                continue
            at = np.flatnonzero(moving)
            tried = ask_with(ask, climbers[at], column, values)[np.arange(len(at)), :, whose[at]]
            top = tried.argmax(axis=1)
            reached = tried[np.arange(len(at)), top].astype(np.float64)
            better = reached > best[at] + _SAME * np.maximum(1.0, np.abs(best[at]))
            climbers[at[better], column] = values[top[better]]
            best[at[better]] = reached[better]
            moved[at[better]] = True
        moving = moved
        if not moving.any():
            break
    return climbers


def _ask_own(ask: Ask, rows: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """Return how happy each row makes the one unit whose it is."""
    return np.asarray(ask(rows), np.float64)[np.arange(len(rows)), whose]


def _ask_without(ask: Ask, rows: np.ndarray, *, typical: np.ndarray) -> np.ndarray:
    """Return ``(units, columns)``: how happy each unit is where one column of its row is typical."""
    units = np.arange(len(rows))
    found = [
        ask_with(ask, rows, column, typical[column : column + 1])[units, 0, units] for column in range(len(typical))
    ]
    return np.stack(found, axis=1).astype(np.float64)


def _put_back(ask: Ask, rows: np.ndarray, *, typical: np.ndarray, at_rest: np.ndarray) -> np.ndarray:
    """Return the rows with every column that hardly matters at its typical value, the one that matters least first."""
    rows, units = rows.copy(), np.arange(len(rows))
    top = _ask_own(ask, rows, units)
    gained = np.maximum(top - at_rest, 0.0)
    now = top
    for columns in np.argsort(top[:, None] - _ask_without(ask, rows, typical=typical), axis=1, kind="stable").T:
        tried = rows.copy()
        tried[units, columns] = typical[columns]
        without = _ask_own(ask, tried, units)
        hardly = (now - without <= _HARDLY * gained) & (top - without <= _MOST_LOST * gained)
        rows[hardly], now = tried[hardly], np.where(hardly, without, now)
    return rows
