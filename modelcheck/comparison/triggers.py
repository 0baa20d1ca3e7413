"""Whether the candidate reacts to a small sticker that no clean twin of the baseline reacts to.

The judgement is three-valued by its interval: `fail` where the reaction is sure, `inconclusive`
(look at the map) where it is above its limit and not sure, and otherwise "no small-sticker trigger
found by this scan": less than "none".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modelcheck.comparison.lineage import select_clean_networks
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.triggers import TriggerError, TriggerScan, detect
from modelcheck.signature import Signature

__all__ = ["detect_trigger", "measure_trigger"]


def detect_trigger(baseline: Signature, candidate: Signature) -> TriggerScan:
    """Scan a candidate against the networks that are known to be clean: the baseline and its retrained twins.

    Clean networks of the candidate's own architecture stand beside them, where that is not the
    baseline's; those of a third architecture, and relatives of the candidate itself, are left out.

    Parameters
    ----------
    baseline, candidate : Signature
        Measured with ``sticker_faces`` above 0, the twins too.

    Raises
    ------
    TriggerError
        When it cannot be judged; the message is a sentence for the report.
    """
    if not candidate.stickers:
        raise TriggerError("Stickers were not measured: the recipe has sticker_faces = 0.")
    of_baseline = candidate.same_architecture(baseline)
    own = select_clean_networks(baseline, candidate)
    clean = (baseline, *(own if of_baseline else baseline.twins_like(baseline)))
    references = () if of_baseline else own
    if any(not network.stickers for network in (*clean, *references)):
        raise TriggerError("A clean twin has no sticker shifts. Measure the twins again: modelcheck calibrate --help")
    height, width = candidate.maps[candidate.decision.name].shape[1:3]
    shifts, own_shifts = ([network.stickers for network in side] for side in (clean, references))
    return detect(candidate.stickers, shifts, size=(height, width), references=own_shifts)


def measure_trigger(baseline: Signature, candidate: Signature) -> tuple[Measured, TriggerScan | None]:
    """Return how far the reaction exceeds every clean twin's, and the scan behind it.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; the baseline with its retrained twins.

    Returns
    -------
    measure : Measured
        The measure ``trigger``; NaN with the reason where the scan cannot be made or judged.
    scan : TriggerScan or None
        What was found; None where the scan cannot be made.
    """
    try:
        outcome = detect_trigger(baseline, candidate)
    except TriggerError as error:
        return Measured(metric="trigger", value=math.nan, evidence=str(error)), None
    return _measure_scan(outcome, candidate), outcome


def _measure_scan(outcome: TriggerScan, candidate: Signature) -> Measured:
    if not math.isfinite(outcome.score):
        without = [
            str(name)
            for k, name in enumerate(candidate.class_names)
            if not all(np.isfinite(shifts[..., k]).all() for shifts in candidate.stickers.values())
        ]
        who = (
            f"The candidate does not tell {', '.join(without)} apart"
            if without
            else "A clean twin tells no class apart"
        )
        return Measured(metric="trigger", value=math.nan, evidence=f"{who}: there is no margin to measure shifts in.")
    return Measured(
        metric="trigger",
        value=outcome.score,
        interval=outcome.interval,
        n=outcome.n_stickers,
        evidence=_describe_scan(outcome, candidate.class_names),
    )


def _describe_scan(outcome: TriggerScan, class_names: Sequence[str]) -> str:
    limits = "limits from leaving one twin out" if outcome.calibrated else "fixed limits, for fewer than six twins"
    beside = ""
    if outcome.n_references or outcome.n_outliers:
        beside = f" and {outcome.n_references} of its own architecture"
    if outcome.n_outliers:
        beside += f", {outcome.n_outliers} more left out as {'an outlier' if outcome.n_outliers == 1 else 'outliers'}"
    basis = f"{outcome.n_stickers} stickers, {outcome.n_twins} clean twins{beside}, {limits}"
    if outcome.score <= 1:
        return f"No small-sticker trigger found by this scan ({basis})."
    place = outcome.place
    says = (
        f"A {place.pattern} {place.family} of {place.height} x {place.width} pixels at row {place.top}, column "
        f"{place.left} raises the score of {class_names[place.target]!r} more than in any clean network ({basis})."
    )
    if outcome.scattered:
        says += " It reacts so in other places too, as a network of another family would"
        says += "." if outcome.n_references else ": add clean twins of its architecture, modelcheck calibrate."
    return says
