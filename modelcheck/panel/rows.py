"""Pictures as they are listed, by a table or by folders, before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcheck.panel.errors import Fault

__all__ = ["Box", "PictureRow", "Rows"]

Box = tuple[int, int, int, int]
"""Row, column, height and width in pixels."""


@dataclass(frozen=True, kw_only=True)
class PictureRow:
    """One picture and what is known of it."""

    where: str
    """Where it is listed, for messages."""
    path: Path
    name: str
    label: int
    """Position in the classes."""
    subject: str | None = None
    group: str | None = None
    box: Box | None = None
    mask: Path | None = None
    """A picture of two values; where it is not 0 the evidence may lie."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All pictures that are listed, what cannot be used of the list, and what else is to be said of it."""

    rows: tuple[PictureRow, ...]
    class_names: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    remarks: tuple[str, ...] = ()
