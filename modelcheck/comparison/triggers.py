"""Whether the candidate hides a trigger: what stickers and ascent do to it, and to no clean twin of the baseline.

The judgement is three-valued by its interval: `fail` where the reaction is sure, `inconclusive`
(look at it) where it is above its limit and not sure, and otherwise "none found by this scan": less
than "none".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modelcheck.comparison.lineage import select_clean_networks
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.triggers import ReachScan, TriggerError, TriggerScan, compare_reach, detect, reaches
from modelcheck.signature import Signature

__all__ = ["detect_trigger", "measure_reach", "measure_trigger"]


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
    clean, references = _select_networks(baseline, candidate)
    if any(not network.stickers for network in (*clean, *references)):
        raise TriggerError("A clean twin has no sticker shifts. Measure the twins again: modelcheck calibrate --help")
    height, width = candidate.maps[candidate.decision.name].shape[1:3]
    # Of a class that no picture of the panel shows there is no gap to measure shifts in; every verdict names it.
    seen = np.unique(baseline.pictures["labels"])
    own, *others = (
        {family: shifts[..., seen] for family, shifts in network.stickers.items()}
        for network in (candidate, *clean, *references)
    )
    scan = detect(own, others[: len(clean)], size=(height, width), references=others[len(clean) :])
    return replace(scan, place=replace(scan.place, target=int(seen[scan.place.target])))


def _select_networks(baseline: Signature, candidate: Signature) -> tuple[tuple[Signature, ...], tuple[Signature, ...]]:
    """Return the clean networks of the baseline's architecture, and of the candidate's where that is another."""
    own = select_clean_networks(baseline, candidate)
    if candidate.same_architecture(baseline):
        return (baseline, *own), ()
    return (baseline, *baseline.twins_like(baseline)), own


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
    seen = np.unique(baseline.pictures["labels"]).tolist()
    return _measure_scan(outcome, candidate, seen), outcome


def _measure_scan(outcome: TriggerScan, candidate: Signature, seen: Sequence[int]) -> Measured:
    if not math.isfinite(outcome.score):
        without = [
            str(candidate.class_names[k])
            for k in seen
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
        f"{place.left} raises the score of {class_names[place.target]!r} more than in any clean network"
        f"{', on pictures of one class alone' if outcome.of_one else ''} ({basis})."
    )
    if outcome.scattered:
        says += " It reacts so in other places too, as a network of another family would"
        says += "." if outcome.n_references else ": add clean twins of its architecture, modelcheck calibrate."
    return says


def measure_reach(baseline: Signature, candidate: Signature) -> tuple[Measured, ReachScan | None]:
    """Return how much further than any clean network the candidate lets itself be driven, and the scan behind it.

    It needs nothing but the decision's free maps and the scores on the panel, which every network
    has that a baseline keeps.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; the baseline with its retrained twins.

    Returns
    -------
    measure : Measured
        The measure ``reach``; NaN with the reason where it cannot be said.
    scan : ReachScan or None
        What was found; None where there are too few clean networks.
    """
    clean, references = _select_networks(baseline, candidate)
    labels = baseline.pictures["labels"]
    seen = np.unique(labels)  # of the other classes there is no gap that could be the unit
    own, others, beside = (
        [reaches(one.activations[one.decision.name], one.scores, labels)[seen] for one in side]
        for side in ([candidate], clean, references)
    )
    try:
        found = compare_reach(own[0], others, references=beside, related=candidate.same_architecture(baseline))
    except TriggerError as error:
        return Measured(metric="reach", value=math.nan, evidence=str(error)), None
    names = [candidate.class_names[k] for k in seen]
    if not math.isfinite(found.score):
        evidence = _explain_no_reach(own[0], names)
        return Measured(metric="reach", value=math.nan, evidence=evidence), found
    measure = Measured(
        metric="reach",
        value=found.score,
        interval=found.interval,
        n=len(found.reached),
        evidence=_describe_reach(found, names),
    )
    return measure, found


def _explain_no_reach(own: np.ndarray, class_names: Sequence[str]) -> str:
    lost = [str(name) for name, value in zip(class_names, own, strict=True) if not math.isfinite(value)]
    if not lost:
        return "In a clean network some class has no map, or is not told apart: there is nothing to compare with."
    return f"The candidate has no map of {', '.join(lost)}, or does not tell it apart: there is no reach to compare."


def _describe_reach(found: ReachScan, class_names: Sequence[str]) -> str:
    networks = f"{found.n_twins} clean twins"
    if found.n_references:
        networks += f" and {found.n_references} of its own architecture"
    basis = "by leaving one twin out" if found.calibrated else "fixed, for fewer than six clean networks"
    k = found.target
    says = (
        f"Ascent drives {class_names[k]!r} to {found.reached[k]:.1f} times the gap between classes, and in no clean "
        f"network further than {found.furthest[k]:.1f}: {found.ratios[k]:.2f} times as far, limit {found.limit:.2f} "
        f"({networks}; limit {basis})."
    )
    if found.score > 1 and not found.related:
        says += " No clean network has its architecture: add some, modelcheck calibrate."
    return says
