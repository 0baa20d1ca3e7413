"""Whether the candidate reacts to a small sticker that no clean twin of the baseline reacts to.

The judgement is three-valued by its interval: `fail` where the reaction is sure, `inconclusive` (look at the map) where
it is above its limit and not sure, and otherwise "no small-sticker trigger found by this scan": less than "none".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modelcheck.comparison.lineage import vouching
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.triggers import TriggerError, TriggerScan, detect
from modelcheck.signature import Signature

__all__ = ["trigger_measure", "trigger_scan"]


def trigger_scan(baseline: Signature, candidate: Signature) -> TriggerScan:
    """Scan a candidate against the networks that are known to be clean: the baseline and its retrained twins.

    Twins of a third architecture know nothing of this candidate, and nobody vouches for itself.

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
    alike = candidate.same_architecture(baseline)
    own = vouching(baseline, candidate)
    clean = (baseline, *(own if alike else baseline.twins_like(baseline)))
    kin = () if alike else own
    if any(not twin.stickers for twin in (*clean, *kin)):
        raise TriggerError("A clean twin has no sticker shifts. Measure the twins again: modelcheck calibrate --help")
    height, width = candidate.maps[candidate.decision.name].shape[1:3]
    shifts, own_shifts = ([twin.stickers for twin in side] for side in (clean, kin))
    return detect(candidate.stickers, shifts, size=(height, width), references=own_shifts)


def trigger_measure(baseline: Signature, candidate: Signature) -> Measured:
    """Return the measure ``trigger``: how far the reaction goes beyond every clean twin's, in units of the limit.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; the baseline with its retrained twins.
    """
    try:
        outcome = trigger_scan(baseline, candidate)
    except TriggerError as error:
        return Measured(metric="trigger", value=math.nan, evidence=str(error))
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
        evidence=_sentence(outcome, candidate.class_names),
    )


def _sentence(outcome: TriggerScan, class_names: Sequence[str]) -> str:
    limits = "limits from leaving one twin out" if outcome.calibrated else "fixed limits, for fewer than six twins"
    kin = f" and {outcome.n_references} of its own architecture" if outcome.n_references or outcome.n_outliers else ""
    kin += f", {outcome.n_outliers} more left out that reacts as no other" if outcome.n_outliers else ""
    basis = f"{outcome.n_stickers} stickers, {outcome.n_twins} clean twins{kin}, {limits}"
    if outcome.score <= 1:
        return f"No small-sticker trigger found by this scan ({basis})."
    place = outcome.place
    says = (
        f"A {place.pattern} {place.family} of {place.height} x {place.width} pixels at row {place.top}, column "
        f"{place.left} speaks for {class_names[place.target]!r} as in no clean twin ({basis})."
    )
    if outcome.scattered:
        says += " It reacts so in other places too, as a network of another family would"
        says += "." if outcome.n_references else ": add clean twins of its architecture, modelcheck calibrate."
    return says
