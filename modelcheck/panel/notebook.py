"""What a panel shows of itself in a notebook: its classes and some pictures, or its columns and the first rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.errors import count
from modelcheck.support.drawing import as_bytes
from modelcheck.support.notebook import MOST_BYTES, Figure, card, choose_evenly, figures, heading
from modelcheck.support.notebook import table as write_table

if TYPE_CHECKING:
    from modelcheck.panel.panel import Panel
    from modelcheck.panel.table_panel import TablePanel

__all__ = ["show_panel", "show_rows"]

_CLASSES, _PICTURES = 12, 6
_COLUMNS, _ROWS, _CELLS = 30, 5, 8  # of the list of columns; of the first rows, and their features


def show_panel(panel: Panel) -> str:
    """Return the HTML of a panel: at most six pictures of each of at most twelve classes, evenly chosen."""
    height, width, channels = panel.images.shape[1:]
    low, high = _find_range(panel.images)
    facts = [
        f"{height}x{width}x{channels}, black {low:g}, white {high:g}",
        *([] if panel.subjects is None else [count(len(set(panel.subjects.tolist())), "subject")]),
        *([] if panel.regions is None else ["with regions"]),
        *([] if panel.conversion is None else [panel.conversion]),
    ]
    classes = choose_evenly(len(panel.class_names), _CLASSES)
    parts = [part for k in classes for part in _show_class(panel, k, (low, high), MOST_BYTES // len(classes))]
    if len(classes) < len(panel.class_names):
        facts.append(f"{len(classes)} of {len(panel.class_names)} classes are shown")
    return card("Panel", count(len(panel), "picture"), parts, facts=facts)


def _show_class(panel: Panel, k: int, input_range: tuple[float, float], most_bytes: int) -> list[str]:
    rows = np.flatnonzero(panel.labels == k)
    parts = [heading(panel.class_names[k], note=count(len(rows), "picture"))]
    if not len(rows):
        return parts
    chosen = rows[choose_evenly(len(rows), _PICTURES)]
    pixels = as_bytes(panel.images[chosen], input_range)
    shown = [Figure(picture, str(panel.names[row])) for row, picture in zip(chosen, pixels, strict=True)]
    return [*parts, figures(shown, most_bytes=most_bytes)]


def _find_range(images: np.ndarray) -> tuple[float, float]:
    """Return what is black and white: a byte's range, or that of the floats, and from 0 to 1 at least."""
    if images.dtype == np.uint8:
        return 0.0, 255.0
    return min(0.0, float(images.min())), max(1.0, float(images.max()))


def show_rows(panel: TablePanel) -> str:
    """Return the HTML of a panel of rows: at most thirty columns, and five rows with at most eight of them."""
    columns = panel.columns
    facts = [
        f"target {panel.target}: {', '.join(panel.class_names) or 'numbers'}",
        *([] if panel.subjects is None else [count(len(set(panel.subjects.tolist())), "subject")]),
        *([f"sub-populations by {', '.join(panel.groups)}"] if panel.groups else []),
        *([] if panel.conversion is None else [panel.conversion]),
        *([f"{_COLUMNS} of {len(columns)} columns are listed"] if len(columns) > _COLUMNS else []),
    ]
    listed = [[column.name, column.kind, column.describe(), column.missing or "none"] for column in columns[:_COLUMNS]]
    shown = list(panel.values)[:_CELLS]
    cells = f", {len(shown)} of {len(columns)} columns" if len(columns) > len(shown) else ""
    first = [_list_row(panel, row, shown) for row in range(min(_ROWS, len(panel)))]
    parts = [
        write_table(["column", "kind", "seen", "missing"], listed, words=3),
        heading("The first rows", note=f"of {count(len(panel), 'row')}{cells}"),
        write_table(["row", *shown, panel.target], first),
    ]
    return card("TablePanel", count(len(panel), "row"), parts, facts=facts)


def _list_row(panel: TablePanel, row: int, shown: Sequence[str]) -> list[object]:
    truth = panel.truth[row]
    cells = [panel.values[name][row] for name in shown]
    return [
        panel.names[row],
        *(cell if isinstance(cell, str) else f"{cell:g}" for cell in cells),
        panel.class_names[truth] if panel.class_names else f"{truth:g}",
    ]
