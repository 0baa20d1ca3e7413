"""What a comparison shows of itself in a notebook: its first numbers, and the maps of both decisions."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from modelcheck.comparison.catalogue import METRICS, shown_in, unit_of
from modelcheck.comparison.metric import AREAS, PICTURES
from modelcheck.judgement.measured import Measured
from modelcheck.signature.notebook import show_decision
from modelcheck.support.notebook import MOST_BYTES, card, heading, table
from modelcheck.support.numbers import NOTHING, number

if TYPE_CHECKING:
    from modelcheck.comparison.comparison import Comparison

__all__ = ["list_rows", "show_comparison"]

_AN_AREA = 3  # metrics of one area


def show_comparison(comparison: Comparison) -> str:
    """Return the HTML of a comparison; of a metric with one value for each thing, the lowest."""
    measured = [item for item in comparison.measures.values() if math.isfinite(item.value)]
    rows = list_rows(comparison.measures.values(), of=PICTURES)
    head = ("", "metric", "value", "interval", "baseline", "rests on")
    networks = (("Baseline", comparison.baseline), ("Candidate", comparison.candidate))
    maps = [
        "".join(show_decision(signature, most_bytes=MOST_BYTES // 2, title=f"{role}: {signature.model['name']}"))
        for role, signature in networks
    ]
    beside = "".join(f'<div style="flex:1 1 14em">{side}</div>' for side in maps)
    parts = [
        table(head, rows, words=2) if rows else heading("No number could be measured"),
        heading("Maps of the decision", note="what makes each class win, at one scale for both"),
        f'<div style="display:flex;flex-wrap:wrap;gap:0 2em">{beside}</div>',
    ]
    facts = [
        f"{len(comparison.layers)} layers",
        f"{len(measured)} of {len(comparison.measures)} measures have a value",
        "no limits, no verdict",
    ]
    names = " → ".join(str(signature.model["name"]) for _, signature in networks)
    return card("Comparison", names, parts, facts=facts)


def list_rows(
    measures: Collection[Measured], *, of: str, noun: tuple[str, str] = ("subject", "subjects")
) -> list[tuple[str, ...]]:
    """Return a row for each number that is named first of its area; an area is named once.

    Parameters
    ----------
    measures : collection of Measured
        Of a comparison.
    of : str
        What the networks answer, as in `modelcheck.comparison.tell_material`.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """
    rows: list[tuple[str, ...]] = []
    named = ""
    for item, several in _choose(measures, of=of):
        area = AREAS[METRICS[item.metric].area].title
        rows.append(
            ("" if area == named else area, *_cells(item, several=several, unit=unit_of(item.metric, noun=noun, of=of)))
        )
        named = area
    return rows


def _choose(measures: Collection[Measured], *, of: str) -> Iterator[tuple[Measured, int]]:
    """Yield what is named first of each area that has values: of a metric that which is worst, and of how many."""
    for area in AREAS:
        found = 0
        for metric in shown_in("headline", area=area, of=of):
            several = [item for item in measures if item.metric == metric and math.isfinite(item.value)]
            if several and found < _AN_AREA:
                found += 1
                worst = max if _falls(metric) else min
                yield worst(several, key=lambda item: item.value), len(several)


def _falls(metric: str) -> bool:
    """Say whether less is better of a metric: one that measures a distance, and so has no highest value."""
    row = METRICS[metric]
    return row.lowest == 0 and (math.isinf(row.highest) or row.about == "division")


def _cells(item: Measured, *, several: int, unit: tuple[str, str]) -> tuple[str, ...]:
    metric = METRICS[item.metric]
    end = "highest" if _falls(item.metric) else "lowest"
    about = f"{item.about}, {end} of {several}" if several > 1 else item.about
    ends = item.interval
    known = ends is not None and all(map(math.isfinite, ends))
    return (
        f"{metric.title} ({about})" if about else metric.title,
        number(item.value, whole=metric.whole),
        f"{number(ends[0])} to {number(ends[1])}" if ends is not None and known else NOTHING,
        NOTHING if item.baseline is None else number(item.baseline, whole=metric.whole),
        NOTHING if item.n is None else f"{item.n} {unit[item.n != 1]}",
    )
