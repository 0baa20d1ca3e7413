"""Where two networks look: how much of their relevance lies inside the regions, group by group.

A method must pass two checks first. In the randomisation check its maps must differ from those of
untrained weights (Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, "Sanity checks for saliency
maps", NeurIPS 2018); in the flipping check, flipping the pixels it ranks first must hurt more than
flipping random ones (Samek et al., IEEE TNNLS 28, 2017). What a method says that failed either is
unmeasured, whatever the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.asking import offer_of
from modelcheck.comparison.catalogue import METRICS, rate_of
from modelcheck.comparison.lineage import select_clean_networks
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate, subject_mean, subject_share
from modelcheck.metrics.faithfulness import map_similarity
from modelcheck.metrics.localisation import pointing_game, relevance_mass
from modelcheck.signature import Signature

__all__ = ["compute_mass_changes", "compute_relevance_mass", "measure_regions"]

# Rank correlation with untrained weights' maps from which on a map shows the picture, not the
# network. Measured on CMU Faces: SmoothGrad 0.05 to 0.12, occlusion 0.05 to 0.25; an edge detector
# would be near 1.
_MAX_SIMILARITY = 0.7
_MIN_CLEAN = 2  # one network of a family does not say what is the family's
_MIN_RECOGNITION = 0.5  # of recognition: half way from a guess to certain
_METRICS = tuple(name for name, row in METRICS.items() if row.domain == "group")
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, eq=False)
class _View:
    """One group of probe pictures, seen by one method."""

    group: str
    method: str
    rows: np.ndarray
    independent: np.ndarray
    names: np.ndarray
    regions: np.ndarray

    def masses(self, side: Signature) -> np.ndarray:
        return compute_relevance_mass(side.attributions[self.method][self.rows], self.regions)

    def hits(self, side: Signature) -> np.ndarray:
        return pointing_game(np.abs(side.attributions[self.method][self.rows]), self.regions)

    def mean(self, values: np.ndarray, *, most: float = 1.0) -> Rate:
        """Return the mean, over subjects where there are any, of values from 0 to `most`; NaN where one has none."""
        return subject_mean(values, self.independent, within=(0.0, most))

    def change(self, before: np.ndarray, after: np.ndarray, *, explained: float = 0.0) -> Rate:
        """Return the mean over subjects of a share's change, less what explains it; all that was had can be lost."""
        had = self.mean(before).value
        within = (-had - explained, 1 - had - explained)
        return subject_mean(after - before - explained, self.independent, within=within)


def compute_relevance_mass(relevance: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Return the share of the relevance inside the regions, picture by picture.

    Parameters
    ----------
    relevance, regions : np.ndarray
        ``(n, h, w)`` signed relevance and booleans.

    Returns
    -------
    np.ndarray
        ``(n,)`` from 0 to 1; NaN for an empty map.
    """
    # Evidence for and against a class both show where the network looks; on CMU Faces the positive
    # part alone leaves the face as soon as the class is "not left".
    return np.asarray(relevance_mass(relevance, regions, reduce="absolute_sum"))


def measure_regions(baseline: Signature, candidate: Signature) -> Iterator[Measured]:
    """Yield each method's checks, then where the two networks look by the first method that both can be asked for."""
    refusals = {}
    methods = _choose_methods(candidate)
    for method in methods:
        checks = _check_method(candidate, method)
        refusals[method] = _refuse_method(method, *checks, untrained=offer_of(candidate).holds(("untrained",)))
        yield from checks
    first = methods[0] if methods else ""
    for group, rows, view in _view_groups(baseline, candidate):
        why = refusals.get(first, "No attribution was measured.")
        if candidate.regions is None:
            why = (
                "The panel has no regions, which say where the evidence may lie. Add them (Panel(..., regions=masks), "
                "or row, column, height and width in its table) and approve again, or take the rows on "
                f"{', '.join(_METRICS)} out of the criteria."
            )
        elif not len(rows):
            why = "None of its pictures is a probe: raise probe_pictures in the recipe."
        if why or view is None:
            yield from (Measured(metric=name, about=group, value=math.nan, evidence=why) for name in _METRICS)
            continue
        yield from _measure_group(baseline, candidate, view)


def compute_mass_changes(baseline: Signature, other: Signature) -> dict[str, float]:
    """Return a network's ``mass_change`` by group, where its method passes the flipping check.

    The randomisation check takes untrained twins, with which a network that is kept beside others
    was not measured.
    """
    first = _choose_methods(other)[:1]
    if not first or not _check_method(other, first[0])[1].value > 0:
        return {}
    return {
        f"mass_change[{group}]": view.change(view.masses(baseline), view.masses(other)).value
        for group, _, view in _view_groups(baseline, other)
        if view is not None
    }


def _view_groups(baseline: Signature, candidate: Signature) -> Iterator[tuple[str, np.ndarray, _View | None]]:
    """Yield each group, which probes are of it, and those seen by the recipe's first method, where that can be."""
    first = _choose_methods(candidate)[:1]
    pictures = {name: values[baseline.probes] for name, values in baseline.pictures.items()}
    independent = baseline.independent[baseline.probes]
    for group in sorted(set(baseline.pictures["groups"].tolist())):
        rows = np.flatnonzero(pictures["groups"] == group)
        view = None
        if first and len(rows) and candidate.regions is not None:
            view = _View(group, first[0], rows, independent[rows], pictures["names"][rows], candidate.regions[rows])
        yield group, rows, view


def _choose_methods(candidate: Signature) -> tuple[str, ...]:
    """Return the recipe's methods that the candidate can be asked for, in their order."""
    return offer_of(candidate).choose_methods(candidate.recipe.attribution_methods)


def _check_method(candidate: Signature, method: str) -> tuple[Measured, Measured]:
    """Return a method's randomisation check and its flipping check."""
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


def _refuse_method(method: str, randomisation: Measured, flipping: Measured, *, untrained: bool) -> str:
    """Return which check a method failed, or nothing.

    Of a file that ships without its source there are no untrained twins. What is then left is
    occlusion, whose maps are falls of the score itself.
    """
    if untrained and not randomisation.value <= _MAX_SIMILARITY:
        return (
            f"{method} failed the randomisation check: its maps hardly change with the weights "
            f"({randomisation.value:.2f})."
        )
    if not flipping.value > 0:
        return f"{method} failed the flipping check. {flipping.evidence}"
    return ""


def _measure_group(baseline: Signature, candidate: Signature, view: _View) -> Iterator[Measured]:
    group, area = view.group, view.regions.mean(axis=(1, 2))
    own, before = view.masses(candidate), view.masses(baseline)
    empty = int((~np.isfinite(own)).sum())
    evidence = f"By {view.method} on {len(view.rows)} pictures"
    evidence += f", {empty} of them with an empty map." if empty else "."
    evidence += _describe_outside(candidate, view, own)
    most = 1 / area[area > 0].min(initial=1.0)  # all of the relevance in the smallest region
    gain, gain_before = (view.mean(side / area, most=most) for side in (own, before))
    yield rate_of("mass_over_area", group, gain, baseline=gain_before.value, evidence=evidence)
    if candidate.twins:
        floor = _mean_of([view.masses(twin) for twin in candidate.twins])
        lift, lift_before = (view.change(floor, side) for side in (own, before))
        inside = f"Inside: candidate {_mean(own):.2f}, untrained {_mean(floor):.2f}, area {area.mean():.2f}."
        yield rate_of("mass_lift", group, lift, baseline=lift_before.value, evidence=f"{inside} {evidence}")
    else:
        yield Measured(metric="mass_lift", about=group, value=math.nan, evidence="No untrained twin was measured.")
    usual = view.method == candidate.recipe.attribution_methods[0]  # by which twins were held against the baseline
    explained, says = _explain_change(baseline, candidate, group) if usual else (0.0, "")
    moved = view.change(before, own, explained=explained)
    inside = f"Inside: candidate {_mean(own):.2f}, baseline {_mean(before):.2f}.{says}"
    yield rate_of("mass_change", group, moved, evidence=f"{inside} {evidence}")
    hits, hits_before = (subject_share(view.hits(side), view.independent) for side in (candidate, baseline))
    yield rate_of(
        "pointing", group, hits, baseline=hits_before.value, evidence=f"Chance is {area.mean():.2f}. {evidence}"
    )


def _explain_change(baseline: Signature, candidate: Signature, group: str) -> tuple[float, str]:
    """Return the loss that all clean networks of the candidate's own architecture share.

    An architecture has its own way to spread relevance; what every clean network of it loses as
    well is no news. One that gains, that has no value, or that does not recognise the baseline's
    maps explains nothing.
    """
    clean = () if candidate.same_architecture(baseline) else select_clean_networks(baseline, candidate)
    recognition = f"recognition[{baseline.decision.name}]"
    changes = [
        network.against.get(f"mass_change[{group}]", 0.0)
        if network.against.get(recognition, 0.0) >= _MIN_RECOGNITION
        else 0.0
        for network in clean
    ]
    all_lose = all(-1 <= change < 0 for change in changes)  # NaN is no loss, nor is more than all
    if len(changes) < _MIN_CLEAN or not all_lose:
        return 0.0, ""
    least = max(changes)
    return least, f" {len(changes)} clean twins of its architecture lose {-least:.2f} or more, which is taken off."


def _describe_outside(candidate: Signature, view: _View, own: np.ndarray) -> str:
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
