"""Whether what one network's units look for makes some unit of the other network happy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from modelcheck.comparison.exchange import NO_WAY_BACK, NOT_SHOWN
from modelcheck.signature import LayerRecord, Signature

__all__ = ["Coverage", "measure_coverage", "measure_coverage_back"]

_HAPPY = 0.5  # of what a unit's own map makes it


class Coverage(NamedTuple):
    """How much of one layer's maps makes the other layer happy.

    Parameters
    ----------
    value : float
        The share of the maps that do; NaN where nothing was measured or nothing has a map.
    n : int
        How many maps were shown.
    says : str
        One sentence.
    """

    value: float
    n: int
    says: str


def measure_coverage(
    baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord, *, refusal: str = ""
) -> Coverage:
    """Return the share of the baseline's maps that make some unit of the other's layer at least half as happy.

    Parameters
    ----------
    baseline, other : Signature
        The other network exchanged maps with the baseline.
    record, partner : LayerRecord
        A hidden layer of the baseline and its counterpart.
    refusal : str
        Why the exchange was not accepted; see `modelcheck.comparison.exchange.accept_exchange`.
    """
    if other.exchange is None:
        return _nothing(refusal or NOT_SHOWN)
    if words := _exchanged_otherwise(other, record, partner):
        return _nothing(words)
    if record.name not in other.exchange.unit_answers:
        return _nothing(NOT_SHOWN)
    return _count_covered(other.exchange.unit_answers[record.name], shows=(baseline, record), sees=(other, partner))


def measure_coverage_back(
    baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord, *, refusal: str = ""
) -> Coverage:
    """Return the share of the other's maps that make some unit of the baseline's layer at least half as happy.

    Parameters and result are those of `measure_coverage`; it takes the baseline's network while the
    candidate is measured.
    """
    if other.exchange is None:
        return _nothing(refusal or NO_WAY_BACK)
    if record.name not in other.exchange.unit_answers_back:
        return _nothing(NO_WAY_BACK)
    if words := _exchanged_otherwise(other, record, partner):
        return _nothing(words)
    return _count_covered(
        other.exchange.unit_answers_back[record.name], shows=(other, partner), sees=(baseline, record)
    )


def _nothing(why: str) -> Coverage:
    return Coverage(math.nan, 0, why)


def _exchanged_otherwise(other: Signature, record: LayerRecord, partner: LayerRecord) -> str:
    """Return a sentence where a layer exchanged maps with another than its counterpart."""
    exchanged = other.exchange.counterparts.get(record.name) if other.exchange is not None else None
    if exchanged is not None and exchanged != partner.name:
        return f"{record.name!r} was measured with {exchanged!r} as its counterpart: measure the candidate again."
    return ""


def _count_covered(
    answers: np.ndarray, *, shows: tuple[Signature, LayerRecord], sees: tuple[Signature, LayerRecord]
) -> Coverage:
    """Judge the answers of one layer's units to the maps of another, ``(maps, units)``."""
    (one, shown), (other, seen) = shows, sees
    maps, units = one.units[shown.name], other.units[seen.name]
    if answers.shape != (len(maps), len(units)):
        return _nothing("The answers are not those of these layers' units: measure the candidate again.")
    best = _find_happiest(answers, at_rest=other.at_rest[seen.name], reached=other.activations[seen.name])
    there = np.isfinite(one.activations[shown.name]) & np.isfinite(best)
    if not there.any():
        return _nothing(f"No unit of {shown.name!r} or none of {seen.name!r} has a map.")
    best, maps = best[there], maps[there]
    happy = int((best >= _HAPPY).sum())
    least = np.argsort(best, kind="stable")[:3]
    words = ", ".join(f"{shown.name}:{maps[k]} {best[k]:.2f}" for k in least)
    return Coverage(happy / len(best), len(best), f"{happy} of {len(best)} maps; least: {words}.")


def _find_happiest(answers: np.ndarray, *, at_rest: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Return for each map how happy it makes the unit that it makes happiest: 0 at rest, 1 as its own map does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        happiness = (answers - at_rest) / (reached - at_rest)
    known = np.where(np.isfinite(happiness), happiness, -np.inf).max(axis=1, initial=-np.inf)
    # Kernels and machines differ in the digits after these, and no share hangs on them.
    return np.where(np.isfinite(known), np.round(known, 6), np.nan)
