"""Whether what one network's units look for makes some unit of the other network happy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from modelcheck.signature import LayerRecord, Signature

__all__ = ["Coverage", "coverage", "coverage_back"]

_HAPPY = 0.5  # of what a unit's own map makes it
_NO_NETWORK = "The baseline's network was not shown the candidate's maps: set baseline_model in [tool.modelcheck]."


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


def coverage(baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord) -> Coverage:
    """Return the share of the baseline's maps that make some unit of the other's layer at least half as happy.

    Parameters
    ----------
    baseline, other : Signature
        The other was shown the baseline's maps.
    record, partner : LayerRecord
        A hidden layer of the baseline and its counterpart.
    """
    answers = other.answers.get(record.name)
    why = _unmet(baseline, other, record, partner)
    if answers is None or why:
        return Coverage(math.nan, 0, why or "The candidate was not shown the baseline's maps: measure it again.")
    return _count_covered(answers, shows=(baseline, record), sees=(other, partner))


def coverage_back(baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord) -> Coverage:
    """Return the share of the other's maps that make some unit of the baseline's layer at least half as happy.

    Parameters and result are those of `coverage`; it takes the baseline's network while the candidate is measured.
    """
    answers = other.answers_back.get(record.name)
    if answers is None:
        return Coverage(math.nan, 0, _NO_NETWORK)
    why = _unmet(baseline, other, record, partner)
    if why:
        return Coverage(math.nan, 0, why)
    return _count_covered(answers, shows=(other, partner), sees=(baseline, record))


def _unmet(baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord) -> str:
    """Say why answers are not about these two layers, or nothing."""
    if other.stimuli_digest not in ("", baseline.stimuli_sha256()):
        return "The candidate was shown another network's maps: measure it again."
    met = other.partners.get(record.name)
    if met is not None and met != partner.name:
        return f"{record.name!r} was measured with {met!r} as its counterpart: measure the candidate again."
    return ""


def _count_covered(
    answers: np.ndarray, *, shows: tuple[Signature, LayerRecord], sees: tuple[Signature, LayerRecord]
) -> Coverage:
    """Judge the answers of one layer's units to the maps of another, ``(maps, units)``."""
    (one, shown), (other, seen) = shows, sees
    maps, units = one.units[shown.name], other.units[seen.name]
    if answers.shape != (len(maps), len(units)):
        return Coverage(math.nan, 0, "The answers are not those of these layers' units: measure the candidate again.")
    best = _happiest(answers, at_rest=other.at_rest[seen.name], reached=other.activations[seen.name])
    there = np.isfinite(one.activations[shown.name]) & np.isfinite(best)
    if not there.any():
        return Coverage(math.nan, 0, f"No unit of {shown.name!r} or none of {seen.name!r} has a map.")
    best, maps = best[there], maps[there]
    happy = int((best >= _HAPPY).sum())
    least = np.argsort(best, kind="stable")[:3]
    words = ", ".join(f"{shown.name}:{maps[k]} {best[k]:.2f}" for k in least)
    return Coverage(happy / len(best), len(best), f"{happy} of {len(best)} maps; least: {words}.")


def _happiest(answers: np.ndarray, *, at_rest: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Return for each map how happy it makes the unit that it makes happiest: 0 at rest, 1 as its own map does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        happiness = (answers - at_rest) / (reached - at_rest)
    known = np.where(np.isfinite(happiness), happiness, -np.inf).max(axis=1, initial=-np.inf)
    # Kernels and machines differ in the digits after these, and no share hangs on them.
    return np.where(np.isfinite(known), np.round(known, 6), np.nan)
