"""The contact sheet of a network on a table: which variables drive it, and each output's happiest row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.approval.drawing import GAP, LINE, PAPER, draw_text, label_network
from modelcheck.approval.table_changes import rank_drivers
from modelcheck.comparison import TableComparison
from modelcheck.comparison.tables.drivers import measure_drivers
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.signature import TableSignature

__all__ = ["draw_tables"]

_WIDTH, _NAME, _BAR, _MARK = 560, 180, 260, 6  # pixels of one side, a variable's name, a whole bar, and a mark
_DRIVERS, _UNITS, _COLUMNS = 12, 6, 5  # variables with a bar, outputs with a profile, and variables of a profile
_EVIDENCE, _PLACE, _GROUND = (60, 100, 160), (170, 110, 50), (225, 225, 225)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One line of a side: words alone, or a name, a bar up to a place from 0 to 1 or a mark there, and a value."""

    words: str
    place: float = math.nan
    value: str = ""
    marked: bool = False


def draw_tables(old: TableSignature | None, new: TableSignature, comparison: TableComparison | None) -> np.ndarray:
    """Draw what drives the old network and the new one, and their profiles, beside each other.

    Parameters
    ----------
    old : TableSignature or None
        The baseline that is replaced, if there is one on a table.
    new : TableSignature
        The one that takes its place.
    comparison : TableComparison or None
        Of the two, where their numbers compare.

    Returns
    -------
    np.ndarray
        ``(h, w, 3)`` bytes; the same signatures give the same.
    """
    sides = [side for side in (old, new) if side is not None]
    roles = ("old", "new")[-len(sides) :]
    shares = _list_shares(sides, comparison)
    # One order for both, so that a bar stands beside its like.
    strongest: dict[str, float] = {}
    for told in shares:
        strongest |= {name: max(share, strongest.get(name, 0.0)) for name, share in told.items()}
    names = list(strongest)
    order = [names[place] for place in rank_drivers(list(strongest.values()), most=_DRIVERS)]
    drawn = []
    for role, side, told in zip(roles, sides, shares, strict=True):
        lines = [_Line(words=f"{role}: {label_network(side)}"), *_list_drivers(told, order), *_list_profiles(side)]
        drawn.append([_draw_line(line) for line in lines])
    height = max(map(len, drawn))
    blank = np.full((LINE, _WIDTH, 3), PAPER, np.uint8)
    return np.concatenate([np.concatenate([*rows, *[blank] * (height - len(rows))]) for rows in drawn], axis=1)


def _list_shares(sides: Sequence[TableSignature], comparison: TableComparison | None) -> list[dict[str, float]]:
    """Return by side the share of each variable; nothing where no values were exchanged, or none moves anything."""
    if comparison is not None and len(sides) > 1:
        drivers = comparison.drivers
        found = [] if drivers is None else [(drivers.columns, drivers.baseline), (drivers.columns, drivers.candidate)]
    else:
        drivers_of = [measure_drivers(side, side)[1] for side in sides]
        found = [((), np.empty(0)) if item is None else (item.columns, item.candidate) for item in drivers_of]
    listed = [dict(zip(names, values.tolist(), strict=True)) for names, values in found]
    return [side if all(map(math.isfinite, side.values())) else {} for side in listed or [{} for _ in sides]]


def _list_drivers(shares: dict[str, float], order: Sequence[str]) -> Iterator[_Line]:
    yield _Line(words="What drives the model: share of its evidence by variable" if shares else "Drivers: not measured")
    for name in order if shares else ():
        share = shares.get(name)
        if share is None:
            yield _Line(words=name, place=0.0, value="no such variable")
        else:
            yield _Line(words=name, place=share, value=f"{share:.0%}")


def _list_profiles(side: TableSignature) -> Iterator[_Line]:
    name = side.decision.name
    called = side.class_names or (f"highest {side.target}", f"lowest {side.target}")
    for place, unit in list(enumerate(side.units[name].tolist()))[:_UNITS]:
        yield _Line(words=f"Happiest row of {called[unit]}, within what was seen; the variables that matter most:")
        gains = side.gains[name][place].tolist()
        for position in rank_drivers(gains, most=_COLUMNS):
            column, value = side.columns[position], float(side.profiles[name][place, position])
            if gains[position] > 0:
                yield _Line(words=column.name, place=_locate(column, value), value=_spell(column, value), marked=True)


def _locate(column: Column, value: float) -> float:
    """Return where a value lies in what was seen of its column, from 0 to 1."""
    low, high = (column.low, column.high) if column.kind is ColumnKind.NUMBER else (0.0, len(column.values) - 1.0)
    return (value - low) / (high - low) if high > low else 1.0


def _spell(column: Column, value: float) -> str:
    if column.kind is ColumnKind.NUMBER:
        return f"{value:.4g} {column.unit}".rstrip()
    return column.values[round(value)]


def _draw_line(line: _Line) -> np.ndarray:
    if math.isnan(line.place):
        return draw_text(line.words, _WIDTH)
    row = np.full((LINE, _WIDTH, 3), PAPER, np.uint8)
    row[:, :_NAME] = draw_text(f"  {line.words}", _NAME)
    row[3 : LINE - 3, _NAME : _NAME + _BAR] = _GROUND
    end = _NAME + round(_BAR * min(max(line.place, 0.0), 1.0))
    if line.marked:
        start = min(max(end - _MARK // 2, _NAME), _NAME + _BAR - _MARK)
        row[1 : LINE - 1, start : start + _MARK] = _PLACE
    else:
        row[3 : LINE - 3, _NAME:end] = _EVIDENCE
    row[:, _NAME + _BAR + GAP :] = draw_text(line.value, _WIDTH - _NAME - _BAR - GAP)
    return row
