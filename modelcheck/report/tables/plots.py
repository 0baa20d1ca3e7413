"""Where the marks of the charts of a table's report stand: curves over numbers, dots by category, bars of shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.report.tables.values import format_plain
from modelcheck.report.words import MINUS, clean

__all__ = ["draw_bar", "draw_effect", "draw_scatter", "find_top"]

_WIDE, _LEFT, _TALL = 320.0, 34.0, 110.0
_RUG = 9.0
_CATEGORY, _NAMES, _CATEGORIES = 19.0, 104.0, 6
_LABEL = 16
_SQUARE = 230.0
_DOTS = 300


def find_top(curves: Iterable[np.ndarray]) -> float:
    """Return the round number that an axis from minus it to it holds all curves with: they then can be compared."""
    largest = [float(np.abs(part[np.isfinite(part)]).max()) for part in curves if np.isfinite(part).any()]
    most = max(largest, default=0.0)
    if most < 1e-100:  # nothing moves
        return 1.0
    scale = 10.0 ** math.floor(math.log10(most))
    return next(scale * step for step in (1, 1.5, 2, 3, 4, 5, 7.5, 10) if most <= scale * step * (1 + 1e-9))


def draw_effect(
    column: Column, grid: np.ndarray, weights: np.ndarray | None, curves: Mapping[str, np.ndarray], *, top: float
) -> dict[str, Any]:
    """Return the chart of a variable's effect: curves over numbers, or dots by category.

    Parameters
    ----------
    column : Column
        The variable.
    grid : np.ndarray
        ``(k,)`` numbers, or positions of categories.
    weights : np.ndarray or None
        ``(k,)`` share of the rows at each.
    curves : mapping of str to np.ndarray
        By what they are drawn as, ``(k,)`` each; NaN where nothing is known.
    top : float
        Where the axis ends; see `find_top`.
    """
    draw = _draw_categories if column.kind == ColumnKind.CATEGORY else _draw_curves
    return draw(column, grid, weights, curves, top)


def _draw_curves(
    column: Column, grid: np.ndarray, weights: np.ndarray | None, curves: Mapping[str, np.ndarray], top: float
) -> dict[str, Any]:
    known = grid[np.isfinite(grid)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    across = (_WIDE - _LEFT - 6) / (high - low if high > low else 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_LEFT + (x - low) * across, 1), round(_TALL / 2 * (1 - min(max(y / top, -1.05), 1.05)) + 4, 1)

    lines = []
    for kind, values in curves.items():
        runs: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(grid.tolist(), values.tolist(), strict=True):
            if math.isfinite(x) and math.isfinite(y):
                runs[-1].append(place(x, y))
            elif runs[-1]:
                runs.append([])
        drawn = "".join("M" + "L".join(f"{x} {y}" for x, y in run) for run in runs if run)
        ends = [run[-1] for run in runs if len(run) == 1]
        lines.append({"kind": kind, "path": drawn, "alone": ends})
    most = float(np.nanmax(weights)) if weights is not None and np.isfinite(weights).any() else 0.0
    rug = (
        [
            (place(x, 0)[0], round(_TALL + 8 + _RUG, 1), round(_TALL + 8 + _RUG * (1 - w / most), 1))
            for x, w in zip(grid.tolist(), np.nan_to_num(weights).tolist(), strict=True)
            if math.isfinite(x) and w > 0
        ]
        if weights is not None and most > 0
        else []
    )
    return {
        "categories": False,
        "width": _WIDE,
        "height": _TALL + 8 + _RUG + 18,
        "left": _LEFT,
        "right": _WIDE - 6,
        "levels": [(place(low, y)[1], _say_level(y)) for y in (top, 0.0, -top)],
        "lines": lines,
        "rug": rug,
        "ends": [
            (place(x, 0)[0], anchor, format_plain(x))
            for x, anchor in ((low, "start"), ((low + high) / 2, "middle"), (high, "end"))
        ],
        "base": _TALL + 8 + _RUG + 14,
    }


def _draw_categories(
    column: Column, grid: np.ndarray, weights: np.ndarray | None, curves: Mapping[str, np.ndarray], top: float
) -> dict[str, Any]:
    order = np.arange(len(grid)) if weights is None else np.argsort(-np.nan_to_num(weights), kind="stable")
    across = (_WIDE - _NAMES - 10) / (2 * top)
    rows = []
    for k, at in enumerate(order[:_CATEGORIES].tolist()):
        place = round(float(grid[at])) if math.isfinite(grid[at]) else -1
        name = column.values[place] if 0 <= place < len(column.values) else "?"
        marks = [
            (kind, round(_NAMES + (min(max(float(values[at]), -top), top) + top) * across, 1))
            for kind, values in curves.items()
            if math.isfinite(values[at])
        ]
        share = 0.0 if weights is None else float(np.nan_to_num(weights[at]))
        y = round(_CATEGORY * (k + 0.5) + 2, 1)
        rows.append({"name": clean(name, longest=_LABEL), "full": clean(name), "y": y, "marks": marks, "share": share})
    tall = _CATEGORY * max(len(rows), 1) + 4
    return {
        "categories": True,
        "width": _WIDE,
        "height": tall + 18,
        "names": _NAMES - 10,
        "left": _NAMES,
        "right": _WIDE - 10,
        "tall": tall,
        "levels": [(round(_NAMES + (x + top) * across, 1), _say_level(x)) for x in (-top, 0.0, top)],
        "rows": rows,
        "more": len(grid) - len(rows),
    }


def _say_level(value: float) -> str:
    return f"{value + 0.0:g}".replace("-", MINUS)


def draw_bar(share: float, most: float) -> str | None:
    """Return how long a bar is, in per cent of its strip; None where there is no number."""
    return f"{96 * max(share, 0.0) / (most or 1.0):.2f}%" if math.isfinite(share) else None


def draw_scatter(truth: np.ndarray, answers: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Return a chart of answers over the truth, at most 300 rows, evenly spaced; None where nothing is finite.

    Parameters
    ----------
    truth : np.ndarray
        ``(rows,)`` of a target of numbers.
    answers : mapping of str to np.ndarray
        ``(rows,)`` by what they are drawn as.
    """
    shown = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), _DOTS)).astype(int))
    every: Sequence[np.ndarray] = [truth[shown], *(part[shown] for part in answers.values())]
    finite = np.concatenate([part[np.isfinite(part)] for part in every])
    if not len(finite) or not finite.max() > finite.min():
        return None
    low, high = float(finite.min()), float(finite.max())
    side = _SQUARE - 60

    def place(value: float) -> float:
        return round(side * (value - low) / (high - low), 1)

    dots = [
        {"kind": kind, "x": round(52 + place(x), 1), "y": round(8 + side - place(y), 1)}
        for kind, part in answers.items()
        for x, y in zip(truth[shown].tolist(), part[shown].tolist(), strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    ticks = [format_plain(low), format_plain(high)]
    return {"side": side, "dots": dots, "ticks": ticks, "rows": len(shown), "total": len(truth)}
