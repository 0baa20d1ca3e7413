"""What the report shows of exchanged pictures: whether the candidate decides by the same parts of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcheck.comparison import METRICS, Comparison, ControversialExchange, ExchangeMap, PictureExchanges
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import row
from modelcheck.report.pictures import Sheet, outline, photograph_sheet, relevance_sheet
from modelcheck.report.words import clean, count, number

__all__ = ["places_view", "say_certainty"]

_SIDE = 96
# From which probability on an answer is called so.
_CERTAINTY = ((0.99, "certain"), (0.9, "sure"), (0.7, "fairly sure"), (0.0, "in doubt"))


def places_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any] | None:
    """Return everything of the section *Same places*; None for a comparison without these measures.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    findings : mapping
        What was judged, by key.
    panel : Panel or None
        The pictures that were exchanged; None leaves them out, and the maps stay.
    sheets : list of Sheet
        Receives the pictures.
    """
    items = [item for item in comparison.measures.values() if METRICS[item.metric].area == "places"]
    if not items:
        return None
    judged = [findings[item.key] for item in items if item.key in findings]
    view: dict[str, Any] = {
        "rows": [row(item, findings) for item in items],
        "red": any(found.gating and found.red for found in judged),
        "sentence": "",
        "others": "",
        "maps": [],
        "sheet": None,
        "exchanges": [],
    }
    shown = comparison.exchanges
    if shown is None:
        return view
    pixels = None if panel is None else panel.inputs(comparison.baseline.recipe.input_range)
    sheet = None if pixels is None or not shown.controversial else _lay_out(shown, pixels)
    if sheet is not None:
        sheets.append(sheet)
    return view | {
        "sentence": shown.sentence,
        "others": _name_others(len(shown.references_changed) - 1),
        "maps": _draw_maps(shown, pixels, sheets),
        "sheet": sheet,
        "exchanges": [] if sheet is None or pixels is None else _describe(shown, comparison, size=pixels.shape[1:3]),
    }


def say_certainty(probability: float) -> str:
    """Return how sure an answer is, in words and as a number that is never rounded up to certainty.

    Examples
    --------
    >>> say_certainty(0.9996), say_certainty(0.93), say_certainty(0.5)
    ('certain (over 0.99)', 'sure (0.93)', 'in doubt (0.50)')
    """
    word = next(word for least, word in _CERTAINTY if probability >= least)
    return f"{word} ({'over 0.99' if probability > 0.99 else number(probability)})"


def _name_others(twins: int) -> str:
    return "Baseline" + (f" and {count(twins, 'twin')}" if twins else "")


def _lay_out(shown: PictureExchanges, pixels: np.ndarray) -> Sheet:
    """Return a sheet with picture, donor and exchanged picture of each exchange, which share their contrast."""
    parts = []
    for item in shown.controversial:
        top, left, bottom, right = item.box
        exchanged = pixels[item.row].copy()
        exchanged[top:bottom, left:right] = pixels[item.donor, top:bottom, left:right]
        parts += [pixels[item.row], pixels[item.donor], exchanged]
    return photograph_sheet("exchanges", shrink(np.stack(parts), side=_SIDE), together=3)


def _describe(shown: PictureExchanges, comparison: Comparison, *, size: tuple[int, int]) -> list[dict[str, Any]]:
    names, pictures = comparison.baseline.class_names, comparison.baseline.pictures

    def describe(k: int, item: ControversialExchange) -> dict[str, Any]:
        return {
            "at": 3 * k,
            "outline": _outline(item.box, size=size),
            "label": clean(names[item.label]),
            "donor": clean(names[int(pictures["labels"][item.donor])]),
            "others_sure": say_certainty(item.reference_probability),
            "answer": clean(names[item.answer]),
            "sure": say_certainty(item.answer_probability),
        }

    return [describe(k, item) for k, item in enumerate(shown.controversial)]


def _draw_maps(shown: PictureExchanges, pixels: np.ndarray | None, sheets: list[Sheet]) -> list[dict[str, Any]]:
    """Return by grid the two exchange maps on one scale, over the mean picture, with the cell of the sentence."""
    photo = None
    if pixels is not None:
        sheets.append(photograph_sheet("exchange-photo", shrink(pixels.mean(axis=0, keepdims=True), side=_SIDE)))
        photo = sheets[-1]
    made = []
    for part in shown.maps:
        sides = {"reference": part.reference, "candidate": part.candidate}
        full = max(float(shares.max()) for shares in sides.values())
        drawn: dict[str, Any] = {"name": part.grid.name, "photo": photo, "sheets": {}, "shares": None}
        for role, shares in sides.items():
            spread = shrink(_spread(part, shares)[None], side=_SIDE)
            sheets.append(relevance_sheet(f"exchange-{part.grid.name}-{role}", spread, full=full))
            drawn["sheets"][role] = sheets[-1]
        drawn["row"] = {"at": 0, "photo": 0, "outline": None}
        if part is shown.maps[0]:
            cell = part.grid.boxes.tolist().index(list(shown.box))
            drawn["row"]["outline"] = _outline(shown.box, size=(part.grid.tops[-1], part.grid.lefts[-1]))
            drawn["shares"] = {role: f"{100 * shares.flat[cell]:.0f} %" for role, shares in sides.items()}
        made.append(drawn)
    return made


def _spread(part: ExchangeMap, shares: np.ndarray) -> np.ndarray:
    """Return each cell's share at each of its pixels."""
    return np.repeat(np.repeat(shares, np.diff(part.grid.tops), axis=0), np.diff(part.grid.lefts), axis=1)


def _outline(box: tuple[int, int, int, int], *, size: tuple[int, int]) -> str:
    mask = np.zeros(size)
    mask[box[0] : box[2], box[1] : box[3]] = 1
    return outline(shrink(mask[None], side=_SIDE)[0] >= 0.5)
