"""The contact sheet: one picture beside a baseline, so that a change of it can be seen where it is reviewed.

Maps are mapped linearly from the network's input range to grey or colour, the same way for both
networks, and are never stretched: a map without contrast looks like one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from modelcheck.comparison import Comparison
from modelcheck.metrics.similarity import shrink
from modelcheck.report.pictures import as_bytes
from modelcheck.signature import Signature
from modelcheck.support.escaping import clean

__all__ = ["SHEET", "contact_sheet"]

SHEET = "contact_sheet.png"
_SIDE = 96  # pixels of the longer side of a picture, at most; smaller ones are enlarged by whole numbers
_UNITS = 8
_LAYERS = 40
_ENLARGED = 64  # what smaller ones reach
_GAP, _LINE, _SIGN = 6, 14, 6  # pixels between pictures, of a line of text, and of one letter
_PAPER, _INK = 245, 20
_WIDTH = (_SIDE + _GAP) * _UNITS + _GAP  # of one side

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Strip:
    """One row of pictures: what it shows, and ``(n, h, w)`` or ``(n, h, w, 3)`` bytes."""

    title: str
    pictures: np.ndarray


def contact_sheet(old: Signature | None, new: Signature, comparison: Comparison | None = None) -> bytes:
    """Draw old and new maps beside each other: every class of the decision, and some units of each layer.

    Parameters
    ----------
    old : Signature or None
        The baseline that is replaced, if there is one.
    new : Signature
        The one that takes its place.
    comparison : Comparison, optional
        Of the two: hidden units then stand beside their counterparts. Without it, each network
        shows its own.

    Returns
    -------
    bytes
        A PNG; the same signatures give the same bytes.
    """
    sides = [side for side in (old, new) if side is not None]
    heads = [f"{role}: {_label(side)}" for role, side in zip(("old", "new")[-len(sides) :], sides, strict=True)]
    rows = [np.concatenate([_text(head, _WIDTH) for head in heads], axis=1)]
    for strips in _rows(old, new, comparison):
        shown = strips[-len(sides) :]
        rows.append(np.concatenate([_text(strip.title, _WIDTH) for strip in shown], axis=1))
        height = max(strip.pictures.shape[1] for strip in shown)
        rows.append(np.concatenate([_row(strip, height) for strip in shown], axis=1))
    return _png(np.concatenate(rows))


def _label(signature: Signature) -> str:
    return f"{signature.model.get('file') or signature.model['name']} {str(signature.model.get('sha256', ''))[:12]}"


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
    row = np.full((height + _GAP, _WIDTH, 3), _PAPER, np.uint8)
    for position, picture in enumerate(strip.pictures):
        left = _GAP + position * (_SIDE + _GAP)
        colours = picture if picture.ndim == 3 else picture[..., None]
        row[: picture.shape[0], left : left + picture.shape[1]] = colours
    return row


def _text(words: str, width: int) -> np.ndarray:
    """Draw a line in Pillow's built-in bitmap letters, which are the same everywhere."""
    from PIL import Image, ImageDraw, ImageFont

    plain = clean(words, longest=(width - 2 * _GAP) // _SIGN).encode("ascii", "replace").decode("ascii")
    line = Image.new("L", (width, _LINE), _PAPER)
    ImageDraw.Draw(line).text((_GAP, 1), plain, fill=_INK, font=ImageFont.load_default_imagefont())
    return np.repeat(np.asarray(line, np.uint8)[..., None], 3, axis=2)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=9)
    return file.getvalue()
