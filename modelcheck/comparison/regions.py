"""Where two networks look: how much of their relevance lies inside the regions, group by group."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from modelcheck.accuracy import Rate, group_mean
from modelcheck.comparison.metrics import rate_of
from modelcheck.criteria import Measured
from modelcheck.localisation import pointing_game, relevance_mass
from modelcheck.signature import Signature

__all__ = ["region_measures"]


def region_measures(baseline: Signature, candidate: Signature) -> Iterator[Measured]:
    """Yield where the two networks look, by the recipe's first attribution method, group by group."""
    groups = baseline.pictures["groups"][baseline.probes]
    subjects = baseline.pictures["subjects"][baseline.probes]
    methods = list(candidate.attributions)
    for group in sorted(set(baseline.pictures["groups"].tolist())):
        rows = np.flatnonzero(groups == group)
        if candidate.regions is None or not methods or not len(rows):
            why = "The panel has no regions." if candidate.regions is None else "No attribution was measured."
            for metric in ("mass_over_area", "mass_lift", "mass_change", "pointing"):
                yield Measured(metric=metric, about=group, value=math.nan, evidence=why)
            continue
        yield from _group_measures(baseline, candidate, group, rows, subjects[rows])


def _group_measures(
    baseline: Signature, candidate: Signature, group: str, rows: np.ndarray, subjects: np.ndarray
) -> Iterator[Measured]:
    regions = candidate.regions[rows] if candidate.regions is not None else np.zeros((0, 0, 0), bool)
    area = regions.mean(axis=(1, 2))
    method = candidate.recipe.attribution_methods[0]

    def masses(side: Signature) -> np.ndarray:
        # Evidence for and against a class both show where the network looks; on CMU Faces the positive part alone
        # leaves the face as soon as the class is "not left".
        return relevance_mass(side.attributions[method][rows], regions, reduce="absolute_sum")

    own, before = masses(candidate), masses(baseline)
    empty = int((~np.isfinite(own)).sum())
    told = f"By {method} on {len(rows)} pictures" + (f", {empty} of them with an empty map." if empty else ".")
    gain, gain_before = (_by_subject(side / area, subjects, within=(0.0, math.inf)) for side in (own, before))
    yield rate_of("mass_over_area", group, gain, baseline=gain_before.value, evidence=told)
    if candidate.twins:
        floor = np.mean([masses(twin) for twin in candidate.twins], axis=0)
        lift, lift_before = (_by_subject(side - floor, subjects, within=(-1.0, 1.0)) for side in (own, before))
        told_inside = f"candidate {np.nanmean(own):.2f}, untrained {np.nanmean(floor):.2f}, area {area.mean():.2f}."
        yield rate_of("mass_lift", group, lift, baseline=lift_before.value, evidence=f"{told} Inside: {told_inside}")
    else:
        yield Measured(metric="mass_lift", about=group, value=math.nan, evidence="No untrained twin was measured.")
    moved = _by_subject(own - before, subjects, within=(-1.0, 1.0))
    inside = f"{told} Inside: candidate {np.nanmean(own):.2f}, baseline {np.nanmean(before):.2f}."
    yield rate_of("mass_change", group, moved, evidence=inside)
    hits, hits_before = (
        _by_subject(pointing_game(np.abs(side.attributions[method][rows]), regions), subjects)
        for side in (candidate, baseline)
    )
    yield rate_of("pointing", group, hits, baseline=hits_before.value, evidence=f"{told} Chance is {area.mean():.2f}.")


def _by_subject(values: np.ndarray, subjects: np.ndarray, *, within: tuple[float, float] = (0.0, 1.0)) -> Rate:
    """Return the mean over subjects with Student's interval; any picture without a value makes it NaN."""
    each = [float(values[subjects == subject].mean()) for subject in np.unique(subjects)]
    return group_mean([Rate(value, (value, value), 1) for value in each], within=within)
