"""What a panel shows of itself in a notebook: its classes, how many pictures they have, and some of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.errors import count
from modelcheck.support.drawing import as_bytes
from modelcheck.support.notebook import MOST_BYTES, Figure, card, choose_evenly, figures, heading

if TYPE_CHECKING:
    from modelcheck.panel.panel import Panel

__all__ = ["show_panel"]

_CLASSES, _PICTURES = 12, 6


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
