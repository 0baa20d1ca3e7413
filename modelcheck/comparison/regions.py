"""Where two networks look: how much of their relevance lies inside the regions, group by group.

A method must earn its say first: its maps must differ from those of untrained weights (Adebayo, Gilmer, Muelly,
Goodfellow, Hardt and Kim, "Sanity checks for saliency maps", NeurIPS 2018), and flipping the pixels it ranks first must
hurt more than flipping random ones (Samek et al., IEEE TNNLS 28, 2017). What a method says that did not earn it is
unmeasured, whatever the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.catalogue import METRICS, rate_of
from modelcheck.comparison.lineage import vouching
from modelcheck.judgement.criteria import Measured
from modelcheck.metrics.accuracy import Rate, group_mean
from modelcheck.metrics.faithfulness import map_similarity
from modelcheck.metrics.localisation import pointing_game, relevance_mass
from modelcheck.signature import Signature

__all__ = ["changes_of", "region_measures"]

# Rank correlation with untrained weights' maps from which on a map shows the picture, not the network. Measured on CMU
# Faces: SmoothGrad 0.05 to 0.12, occlusion 0.05 to 0.25; an edge detector would be near 1.
_MOST_ALIKE = 0.7
_FEWEST_KIN = 2  # one network of a family does not say what is the family's
_LEARNED = 0.5  # of recognition: half way from a guess to certain
_METRICS = tuple(name for name, row in METRICS.items() if row.domain == "group")
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, eq=False)
class _View:
    """One group of probe pictures, seen by one method."""

    group: str
    method: str
    rows: np.ndarray
    subjects: np.ndarray
    names: np.ndarray
    regions: np.ndarray

    def masses(self, side: Signature) -> np.ndarray:
        # Evidence for and against a class both show where the network looks; on CMU Faces the positive part alone
        # leaves the face as soon as the class is "not left".
        return relevance_mass(side.attributions[self.method][self.rows], self.regions, reduce="absolute_sum")

    def hits(self, side: Signature) -> np.ndarray:
        return pointing_game(np.abs(side.attributions[self.method][self.rows]), self.regions)

    def by_subject(self, values: np.ndarray, *, within: tuple[float, float] = (0.0, 1.0)) -> Rate:
        """Return the mean over subjects with Student's interval; any picture without a value makes it NaN."""
        each = [float(values[self.subjects == subject].mean()) for subject in np.unique(self.subjects)]
        if len(each) == 1:
            # One person says nothing of the spread between people.
            return Rate(each[0], (math.nan, math.nan), 1)
        return group_mean([Rate(value, (value, value), 1) for value in each], within=within)


def region_measures(baseline: Signature, candidate: Signature) -> Iterator[Measured]:
    """Yield what each method earned, then where the two networks look by the recipe's first method."""
    refusals = {}
    for method in candidate.recipe.attribution_methods:
        measures = list(_method_measures(candidate, method))
        refusals[method] = _refusal(method, *measures)
        yield from measures
    first = candidate.recipe.attribution_methods[0] if candidate.recipe.attribution_methods else ""
    for group, rows, view in _views(baseline, candidate):
        why = refusals.get(first, "No attribution was measured.")
        if candidate.regions is None:
            why = "The panel has no regions."
        elif not len(rows):
            why = "None of its pictures is a probe: raise probe_pictures in the recipe."
        if why or view is None:
            yield from (Measured(metric=name, about=group, value=math.nan, evidence=why) for name in _METRICS)
            continue
        yield from _group_measures(baseline, candidate, view)


def changes_of(baseline: Signature, other: Signature) -> dict[str, float]:
    """Return another network's ``mass_change`` by group, where flipping shows that its attributions may speak.

    The other half of earning a say takes untrained twins, which a network beside others was not measured with.
    """
    first = other.recipe.attribution_methods[:1]
    if not first or not _method_measures(other, first[0])[1].value > 0:
        return {}
    return {
        f"mass_change[{group}]": view.by_subject(view.masses(other) - view.masses(baseline)).value
        for group, _, view in _views(baseline, other)
        if view is not None
    }


def _views(baseline: Signature, candidate: Signature) -> Iterator[tuple[str, np.ndarray, _View | None]]:
    """Yield each group, which probes are of it, and those seen by the recipe's first method, where that can be."""
    first = candidate.recipe.attribution_methods[:1]
    pictures = {name: values[baseline.probes] for name, values in baseline.pictures.items()}
    for group in sorted(set(baseline.pictures["groups"].tolist())):
        rows = np.flatnonzero(pictures["groups"] == group)
        view = None
        if first and len(rows) and candidate.regions is not None:
            subjects, names = pictures["subjects"][rows], pictures["names"][rows]
            view = _View(group, first[0], rows, subjects, names, candidate.regions[rows])
        yield group, rows, view


def _method_measures(candidate: Signature, method: str) -> tuple[Measured, Measured]:
    own = candidate.attributions[method]
    likeness = [_mean(map_similarity(own, twin.attributions[method])) for twin in candidate.twins]
    rank = float(np.mean(likeness)) if likeness else math.nan
    curves = candidate.flipping
    scale = float(np.abs(curves["random"][:, 0]).mean()) if "random" in curves else math.nan
    fall, chance = (_fall(curves.get(name)) for name in (method, "random"))
    gain = (fall - chance) / scale if scale > 0 else math.nan
    return (
        Measured(
            metric="randomisation",
            about=method,
            value=rank,
            n=len(likeness),
            evidence="Rank correlation of its maps with those of untrained twins, mean over pictures.",
        ),
        Measured(
            metric="flipping_gain",
            about=method,
            value=gain,
            n=len(own),
            evidence=f"Flipping its first pixels lowers the score by {fall:.2f}, flipping random ones by {chance:.2f}.",
        ),
    )


def _finite(values: np.ndarray) -> np.ndarray:
    """Return the finite values; of maps that are all empty nothing can be said, and NaN stays."""
    kept = values[np.isfinite(values)]
    return kept if len(kept) else np.array([math.nan])


def _fall(curve: np.ndarray | None) -> float:
    """Return the mean fall of the score along a flipping curve; an empty map counts as none."""
    return math.nan if curve is None else float(np.nan_to_num(curve[:, :1] - curve).mean())


def _refusal(method: str, randomisation: Measured, flipping: Measured) -> str:
    if not randomisation.value <= _MOST_ALIKE:
        return f"{method} did not earn its say: its maps hardly change with the weights ({randomisation.value:.2f})."
    if not flipping.value > 0:
        return f"{method} did not earn its say. {flipping.evidence}"
    return ""


def _group_measures(baseline: Signature, candidate: Signature, view: _View) -> Iterator[Measured]:
    group, area = view.group, view.regions.mean(axis=(1, 2))
    own, before = view.masses(candidate), view.masses(baseline)
    empty = int((~np.isfinite(own)).sum())
    told = f"By {view.method} on {len(view.rows)} pictures" + (
        f", {empty} of them with an empty map." if empty else "."
    )
    told += _where_it_went(candidate, view, own)
    gain, gain_before = (view.by_subject(side / area, within=(0.0, math.inf)) for side in (own, before))
    yield rate_of("mass_over_area", group, gain, baseline=gain_before.value, evidence=told)
    if candidate.twins:
        floor = _mean_of([view.masses(twin) for twin in candidate.twins])
        lift, lift_before = (view.by_subject(side - floor, within=(-1.0, 1.0)) for side in (own, before))
        inside = f"Inside: candidate {_mean(own):.2f}, untrained {_mean(floor):.2f}, area {area.mean():.2f}."
        yield rate_of("mass_lift", group, lift, baseline=lift_before.value, evidence=f"{inside} {told}")
    else:
        yield Measured(metric="mass_lift", about=group, value=math.nan, evidence="No untrained twin was measured.")
    known, says = _family_change(baseline, candidate, group)
    moved = view.by_subject(own - before - known, within=(-1.0, 1.0))
    inside = f"Inside: candidate {_mean(own):.2f}, baseline {_mean(before):.2f}.{says}"
    yield rate_of("mass_change", group, moved, evidence=f"{inside} {told}")
    hits, hits_before = (view.by_subject(view.hits(side)) for side in (candidate, baseline))
    yield rate_of("pointing", group, hits, baseline=hits_before.value, evidence=f"Chance is {area.mean():.2f}. {told}")


def _family_change(baseline: Signature, candidate: Signature, group: str) -> tuple[float, str]:
    """Return the loss that every clean twin of the candidate's architecture has, where that is not the baseline's.

    A family of networks has its own way to spread relevance; what all twins that the team gave lose as well is no
    news. One that gains, that has no value, or that does not know what the baseline looks for, excuses nothing.
    """
    kin = () if candidate.same_architecture(baseline) else vouching(baseline, candidate)
    known = f"recognition[{baseline.decision.name}]"
    changes = [
        twin.against.get(f"mass_change[{group}]", 0.0) if twin.against.get(known, 0.0) >= _LEARNED else 0.0
        for twin in kin
    ]
    all_lose = all(-1 <= change < 0 for change in changes)  # NaN is no loss, nor is more than all there is
    if len(changes) < _FEWEST_KIN or not all_lose:
        return 0.0, ""
    least = max(changes)
    return least, f" {len(changes)} clean twins of its architecture lose {-least:.2f} or more, which is taken off."


def _where_it_went(candidate: Signature, view: _View, own: np.ndarray) -> str:
    """Name the three pictures with the least inside, and the ninth of the picture that drew most from outside."""
    worst = [row for row in np.argsort(own, kind="stable")[:3] if np.isfinite(own[row])]
    listed = ", ".join(f"{view.names[row]} {own[row]:.2f}" for row in worst)
    outside = np.where(view.regions, 0, np.abs(candidate.attributions[view.method][view.rows])).sum(axis=0)
    if not worst or not outside.sum() > 0:
        return ""
    cells = [[cell.sum() for cell in np.array_split(band, 3, axis=1)] for band in np.array_split(outside, 3, axis=0)]
    row, column = divmod(int(np.argmax(cells)), 3)
    share = cells[row][column] / outside.sum()
    return f" Least inside: {listed}. Outside, most lies {_ROWS[row]} {_COLUMNS[column]} ({share:.0%})."


def _mean(values: np.ndarray) -> float:
    return float(_finite(values).mean())


def _mean_of(stack: list[np.ndarray]) -> np.ndarray:
    """Return the mean over those twins that have a map; NaN for a picture where none has."""
    values = np.array(stack)
    there = np.isfinite(values)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, values, 0).sum(axis=0) / np.maximum(count, 1), math.nan)
