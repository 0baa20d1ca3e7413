"""Which rows of a table are looked at closely, and which give their values to which."""

from __future__ import annotations

import numpy as np

from modelcheck.panel.table_panel import TablePanel

__all__ = ["choose_donors", "choose_rows"]

_LEVELS = 4  # parts of a target of numbers, over which rows are spread
_DONORS = 4
_ORDER, _DONOR = 8 << 40, 9 << 40  # what a draw is for: part of its key


def _find_levels(panel: TablePanel) -> np.ndarray:
    """Return ``(n,)`` the class of each row; of a target of numbers in which quarter of them it lies."""
    if panel.class_names:
        return np.asarray(panel.truth)
    ends = np.quantile(panel.truth, np.linspace(0, 1, _LEVELS + 1)[1:-1])
    return np.searchsorted(ends, panel.truth, side="right")


def choose_rows(panel: TablePanel, count: int, *, seed: int) -> np.ndarray:
    """Return at most `count` rows, spread evenly over classes and independent subjects, in order.

    Parameters
    ----------
    panel : TablePanel
        The rows.
    count : int
        At most how many.
    seed : int
        In which order rows of one kind are taken; fewer rows are the first of more.

    Returns
    -------
    np.ndarray
        ``(m,)`` positions, ascending.

    Examples
    --------
    >>> panel = TablePanel({"age": np.arange(8.0)}, [0] * 6 + [1] * 2, target="bought", class_names=("no", "yes"))
    >>> np.bincount(panel.truth[choose_rows(panel, 4, seed=0)]).tolist()
    [2, 2]
    """
    order = np.random.Generator(np.random.Philox(key=[seed, _ORDER])).permutation(len(panel))
    levels, whom = _find_levels(panel).tolist(), panel.independent.tolist()
    taken: dict[tuple[int, str], int] = {}
    ranked = []
    for place, row in enumerate(order.tolist()):
        kind = (levels[row], whom[row])
        taken[kind] = taken.get(kind, 0) + 1
        ranked.append((taken[kind], place, row))
    # First rows of every subject come before second ones; among those, classes take turns.
    turns: dict[int, int] = {}
    spread = []
    for rank, place, row in sorted(ranked):
        turns[levels[row]] = turns.get(levels[row], 0) + 1
        spread.append((turns[levels[row]], rank, place, row))
    return np.sort(np.array([row for *_, row in sorted(spread)[:count]], dtype=np.int64))


def choose_donors(panel: TablePanel, rows: np.ndarray, *, seed: int) -> np.ndarray:
    """Return ``(m, donors)`` the rows from which each row takes values: of other classes, and of other subjects.

    Of a target of numbers any other row is taken. A row's donors depend on the panel, the seed and
    the row alone; some come twice where there are too few. Empty where all rows are of one class.

    Parameters
    ----------
    panel : TablePanel
        The rows.
    rows : np.ndarray
        ``(m,)`` which of them take values.
    seed : int
        Of the draws.

    Examples
    --------
    >>> panel = TablePanel({"age": np.arange(4.0)}, [0, 0, 1, 1], target="bought", class_names=("no", "yes"))
    >>> set(choose_donors(panel, np.array([0]), seed=0)[0].tolist()) == {2, 3}
    True
    """
    truth = panel.truth if panel.class_names else np.arange(len(panel))
    whom = panel.independent
    donors = np.empty((len(rows), _DONORS), np.int64)
    for number, row in enumerate(np.asarray(rows).tolist()):
        others = truth != truth[row]
        found = np.flatnonzero(others & (whom != whom[row]))
        found = found if len(found) else np.flatnonzero(others)
        if not len(found):
            return np.empty((0, _DONORS), np.int64)
        draws = np.random.Generator(np.random.Philox(key=[seed, _DONOR + row])).permutation(found)
        donors[number] = np.resize(draws, _DONORS)
    return donors
