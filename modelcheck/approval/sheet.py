"""The contact sheet: one picture beside a baseline, so that a change of it can be seen where it is reviewed.

Maps are mapped linearly from the network's input range to grey or colour, the same way for both
networks, and are never stretched: a map without contrast looks like one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from modelcheck.approval.drawing import GAP, PAPER, draw_text, encode_png, label_network
from modelcheck.approval.table_sheet import draw_tables
from modelcheck.comparison import AnyComparison, Comparison, TableComparison
from modelcheck.metrics.similarity import shrink
from modelcheck.report.pictures import as_bytes
from modelcheck.signature import Record, Signature, TableSignature

__all__ = ["SHEET", "contact_sheet"]

SHEET = "contact_sheet.png"
_SIDE = 96  # pixels of the longer side of a picture, at most; smaller ones are enlarged by whole numbers
_UNITS = 8
_LAYERS = 40
_ENLARGED = 64  # what smaller ones reach
_WIDTH = (_SIDE + GAP) * _UNITS + GAP  # of one side

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Strip:
    """One row of pictures: what it shows, and ``(n, h, w)`` or ``(n, h, w, 3)`` bytes."""

    title: str
    pictures: np.ndarray


def contact_sheet(old: Record | None, new: Record, comparison: AnyComparison | None = None) -> bytes:
    """Draw old and new maps beside each other: every class of the decision, and some units of each layer.

    Of networks on a table, what drives each and its profiles; see
    `modelcheck.approval.table_sheet.draw_tables`. A network on pictures and one on a table do not
    stand beside each other: the new one is drawn alone.

    Parameters
    ----------
    old : Record or None
        The baseline that is replaced, if there is one.
    new : Record
        The one that takes its place.
    comparison : AnyComparison, optional
        Of the two: hidden units then stand beside their counterparts. Without it, each network
        shows its own.

    Returns
    -------
    bytes
        A PNG; the same signatures give the same bytes.
    """
    if isinstance(new, TableSignature):
        tables = comparison if isinstance(comparison, TableComparison) else None
        return encode_png(draw_tables(old if isinstance(old, TableSignature) else None, new, tables))
    pictures = comparison if isinstance(comparison, Comparison) else None
    return encode_png(_draw_maps(old if isinstance(old, Signature) else None, new, pictures))


def _draw_maps(old: Signature | None, new: Signature, comparison: Comparison | None) -> np.ndarray:
    sides = [side for side in (old, new) if side is not None]
    heads = [f"{role}: {label_network(side)}" for role, side in zip(("old", "new")[-len(sides) :], sides, strict=True)]
    rows = [np.concatenate([draw_text(head, _WIDTH) for head in heads], axis=1)]
    for strips in _rows(old, new, comparison):
        shown = strips[-len(sides) :]
        rows.append(np.concatenate([draw_text(strip.title, _WIDTH) for strip in shown], axis=1))
        height = max(strip.pictures.shape[1] for strip in shown)
        rows.append(np.concatenate([_row(strip, height) for strip in shown], axis=1))
    return np.concatenate(rows)


def _rows(old: Signature | None, new: Signature, comparison: Comparison | None) -> Iterator[tuple[_Strip, _Strip]]:
    """Yield pairs of strips, old beside new; the decision stands first."""
    names: list[tuple[str, str]]
    chosen: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    if comparison is not None:
        names = [(x.baseline.name, x.candidate.name if x.candidate else "") for x in comparison.layers]
        for pair, layer in zip(names, comparison.layers, strict=True):
            if not pair[1]:
                continue  # gone: it shows its own units
            matches = _evenly(sorted(layer.matching.pairs, key=lambda match: match.baseline))
            chosen[pair] = [match.baseline for match in matches], [match.candidate for match in matches]
    else:
        before = [record.name for record in old.layers[:-1]] if old else []
        names = [(name if name in before else "", name) for name in (record.name for record in new.layers[:-1])]
        names += [(old.decision.name if old else "", new.decision.name)]
    used = {pair[0] for pair in names}, {pair[1] for pair in names}
    gone = [(record.name, "") for record in (old.layers if old else ()) if record.name not in used[0]]
    added = [("", record.name) for record in new.layers if record.name not in used[1]]
    for one, other in [names[-1], *_evenly([*names[:-1], *gone, *added], most=_LAYERS)]:
        units = chosen.get((one, other), (None, None))
        yield _strip(old, one, units[0]), _strip(new, other, units[1])


def _strip(side: Signature | None, name: str, units: list[int] | None) -> _Strip:
    if side is None or not name:
        return _Strip("(no counterpart)", np.zeros((0, 1, 1), np.uint8))
    there = [int(unit) for unit in side.units[name]]
    decision = name == side.decision.name
    picked = _evenly(there) if units is None or decision else units
    if not picked:
        return _Strip(f"{name}: no pair of units", np.zeros((0, 1, 1), np.uint8))
    words = ", ".join(side.class_names[unit] if decision else str(unit) for unit in picked)
    maps = side.maps[name][[there.index(unit) for unit in picked]]
    pictures = _enlarge(as_bytes(shrink(maps, side=_SIDE), side.recipe.input_range))
    return _Strip(f"{name}: {words}" if decision else f"{name}: units {words}", pictures)


def _evenly(items: list[_Item], *, most: int = _UNITS) -> list[_Item]:
    if len(items) <= most:
        return items
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _enlarge(pictures: np.ndarray) -> np.ndarray:
    times = max(1, _ENLARGED // max(pictures.shape[1:3]))
    return pictures.repeat(times, axis=1).repeat(times, axis=2)


def _row(strip: _Strip, height: int) -> np.ndarray:
    row = np.full((height + GAP, _WIDTH, 3), PAPER, np.uint8)
    for position, picture in enumerate(strip.pictures):
        left = GAP + position * (_SIDE + GAP)
        colours = picture if picture.ndim == 3 else picture[..., None]
        row[: picture.shape[0], left : left + picture.shape[1]] = colours
    return row
