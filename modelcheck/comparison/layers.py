"""Which units of two corresponding layers are a pair, and how alike their HappyMaps are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelcheck.comparison.asking import offer_of
from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.coverage import Coverage, measure_coverage, measure_coverage_back
from modelcheck.comparison.lineage import Kind
from modelcheck.comparison.metric import PICTURES
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import calibrate, steadiness
from modelcheck.metrics.matching import Matching, match
from modelcheck.metrics.similarity import correlation_matrix, find_moved_pixels, layer_cka, ssim_matrix
from modelcheck.signature import LayerRecord, Signature
from modelcheck.signature.counterparts import LayerPair
from modelcheck.support.escaping import one_line_repr
from modelcheck.units import LayerKind

__all__ = [
    "LayerComparison",
    "collect_twin_values",
    "crop_to_common",
    "is_as_retrained",
    "match_layer",
    "measure_absent",
    "measure_layer",
    "measure_likeness",
    "say_floor",
]

_ALIGNMENT = (
    "cka"  # tells retrained layers from others where maps and matched units do not: docs/explanation/likeness.md
)
_COVERAGES = {"coverage": measure_coverage, "coverage_back": measure_coverage_back}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LayerComparison:
    """One layer of the baseline and its counterpart.

    Parameters
    ----------
    baseline : LayerRecord
        The baseline's layer.
    candidate : LayerRecord or None
        The candidate's counterpart, or None where it has none.
    matching : Matching
        Pairs of units by the similarity of their maps; classes are paired by index.
    acknowledged : bool
        Whether the configuration says that the layer has no counterpart, on purpose.
    """

    baseline: LayerRecord
    candidate: LayerRecord | None
    matching: Matching
    acknowledged: bool = False

    def __repr__(self) -> str:
        if self.candidate is None:
            return one_line_repr("LayerComparison", self.baseline.name, "no counterpart")
        pairs = f"{len(self.matching.pairs)} pairs of units"
        return one_line_repr("LayerComparison", f"{self.baseline.name} -> {self.candidate.name}", pairs)


def match_layer(baseline: Signature, candidate: Signature, pair: LayerPair) -> LayerComparison:
    """Match the units of two layers by the similarity of their maps or activations, classes by index."""
    record, partner = pair.baseline, pair.candidate
    if partner is None:
        nothing = Matching((), tuple(baseline.units[record.name].tolist()), ())
        return LayerComparison(baseline=record, candidate=None, matching=nothing, acknowledged=pair.acknowledged)
    matching = _match_units(baseline, candidate, record, partner)
    return LayerComparison(baseline=record, candidate=partner, matching=matching)


def _match_units(baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord) -> Matching:
    """Match units by their maps; by their activations on the probe pictures where the other network has no maps."""
    by_index = record.kind == LayerKind.DECISION
    if "maps" in offer_of(other).parts:
        scores = _compare_maps(baseline, other, record, partner)
        return match(scores, baseline.units[record.name], other.units[partner.name], by_index=by_index)
    left, right = baseline.features[record.name], other.features[partner.name]
    if left.shape[1] != right.shape[1] or left.shape[2] != len(baseline.units[record.name]):
        return Matching((), tuple(baseline.units[record.name].tolist()), tuple(other.units[partner.name].tolist()))
    scores = correlation_matrix(left.transpose(2, 0, 1), right.transpose(2, 0, 1))
    return match(scores, baseline.units[record.name], other.units[partner.name], by_index=by_index)


def _compare_maps(baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord) -> np.ndarray:
    left, right = crop_to_common(baseline.maps[record.name], other.maps[partner.name])
    low, high = baseline.recipe.input_range
    counted = find_moved_pixels(left, right, input_range=(low, high))
    return ssim_matrix(left, right, data_range=high - low, counted=counted)


def crop_to_common(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut the larger patches to the centre that both see."""
    size = [min(left.shape[axis], right.shape[axis]) for axis in (1, 2)]

    def cut(maps: np.ndarray) -> np.ndarray:
        top, side = ((maps.shape[axis] - size[axis - 1]) // 2 for axis in (1, 2))
        return maps[:, top : top + size[0], side : side + size[1]]

    return cut(left), cut(right)


def measure_layer(
    baseline: Signature, candidate: Signature, layer: LayerComparison, *, alone: bool = False, refusal: str = ""
) -> Iterator[Measured]:
    """Yield every metric of one layer; where it has no counterpart they are NaN, with the reason.

    Such a layer has no say: most candidates for another device have other layers. That is so only
    while some hidden layer is compared.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks.
    layer : LayerComparison
        The layer with its matched units.
    alone : bool
        Whether no hidden layer of the baseline has a counterpart, so that none can be left out.
    refusal : str
        Why the candidate's exchange of maps was not accepted; see
        `modelcheck.comparison.exchange.accept_exchange`.
    """
    name, partner = layer.baseline.name, layer.candidate
    if partner is None:
        yield from measure_absent(name, alone=alone, calibrated=bool(baseline.retrained), of=PICTURES)
        return
    if layer.baseline.kind != LayerKind.DECISION:
        yield Measured(metric="counterpart", about=name, value=1.0, evidence=f"It is {partner.name!r}.")
    reached = np.isfinite(candidate.activations[partner.name])
    yield Measured(
        metric="mapped_units",
        about=name,
        value=float(reached.mean()),
        baseline=float(np.isfinite(baseline.activations[name]).mean()),
        n=len(reached),
        evidence=f"{int(reached.sum())} of {len(reached)} rendered units of {partner.name!r} have a map.",
    )
    own = _compare_features(baseline, candidate, layer.baseline, partner, layer.matching)
    floors = [
        _compare_features(
            baseline, twin, layer.baseline, partner, _match_units(baseline, twin, layer.baseline, partner)
        )
        for twin in candidate.twins
        if partner.name in twin.features  # of a file that ships its source may not have the layer
    ]
    evidence = {"map_ssim": _describe_worst(layer)}
    for metric, value in own.items():
        floor, ceiling = collect_twin_values(f"{metric}[{name}]", baseline, [values[metric] for values in floors])
        item = Measured(
            metric=metric,
            about=name,
            value=value,
            n=len(layer.matching.pairs),
            evidence=evidence.get(metric, ""),
            floor=floor,
            ceiling=ceiling,
        )
        yield item
        if metric == _ALIGNMENT and baseline.retrained and layer.baseline.kind != LayerKind.DECISION:
            yield measure_likeness(item)
    if layer.baseline.kind != LayerKind.DECISION:
        for metric, share in _COVERAGES.items():
            found = share(baseline, candidate, layer.baseline, partner, refusal=refusal)
            beside = [share(baseline, twin, layer.baseline, partner).value for twin in candidate.twins]
            yield _describe_coverage(metric, baseline, name, found, beside)
    bottom = [values["map_ssim"] for values in floors]
    value = float(np.mean(bottom)) if bottom else math.nan
    yield Measured(metric="floor_ssim", about=name, value=value, n=len(bottom))


def measure_likeness(item: Measured) -> Measured:
    """Return where a layer's alignment stands between untrained twins, 0, and retrained ones, 1."""
    value = calibrate(item.value, floor=item.floor, ceiling=item.ceiling)
    again = [calibrate(one, floor=item.floor, ceiling=item.ceiling) for one in item.ceiling]
    spread = steadiness(again, fallback=METRICS["layer_likeness"].spread or math.inf)
    counts = [sum(map(math.isfinite, side)) for side in (item.floor, item.ceiling)]
    known = math.isfinite(value)
    twins = f"0 is {counts[0]} untrained twins, 1 is {counts[1]} retrained ones"
    likeness = Measured(
        metric="layer_likeness",
        about=item.about,
        value=value,
        interval=(value - spread, value + spread) if known else None,
        n=sum(counts),
        evidence=f"{twins}: {METRICS[item.metric].head} {item.value:.2f}",
        # What cannot tell trained from untrained here says nothing; what is not there at all is no such case.
        silent=not known and math.isfinite(item.value) and min(counts) > 1,
    )
    words = "; the two lie too close to tell." if likeness.silent else "."
    words += " Alike: could be frozen." if is_as_retrained(likeness) else ""
    return replace(likeness, evidence=f"{likeness.evidence}{words}")


def is_as_retrained(likeness: Measured) -> bool:
    """Say whether a layer is as alike as a second training leaves it: its likeness reaches 1 within its interval."""
    return likeness.interval is not None and likeness.interval[1] >= 1


def measure_absent(name: str, *, alone: bool, calibrated: bool, of: str) -> Iterator[Measured]:
    """Yield the metrics of a hidden layer without a counterpart, of pictures or of a table."""
    domains = ("layer", "hidden", *(["calibrated_hidden"] if calibrated else []))
    absent = f"The candidate has no layer that corresponds to {name!r}"
    absent += ", nor to any other hidden layer: nothing is compared but the decision" if alone else ""
    absent += f". If that is meant, write {name} = false in [tool.modelcheck.layers]."
    for metric, row in METRICS.items():
        if metric == "counterpart":
            yield Measured(metric=metric, about=name, value=0.0, evidence=absent)
        elif row.domain in domains and of in row.of:
            yield Measured(metric=metric, about=name, value=math.nan, evidence=absent, silent=not alone)


def _describe_coverage(
    metric: str, baseline: Signature, name: str, found: Coverage, twins: Sequence[float]
) -> Measured:
    """Return a coverage as a measure, with what untrained twins reach beside it."""
    floor, ceiling = collect_twin_values(
        f"{metric}[{name}]", baseline, [value for value in twins if math.isfinite(value)]
    )
    return Measured(
        metric=metric,
        about=name,
        value=found.value,
        n=found.n,
        evidence=f"{found.says}{say_floor(floor)}",
        floor=floor,
        ceiling=ceiling,
    )


def say_floor(floor: Sequence[float]) -> str:
    """Return what untrained twins reach as a further sentence; nothing where there are none."""
    return f" Untrained twins: {min(floor):.2f} to {max(floor):.2f}." if floor else ""


def collect_twin_values(
    key: str, baseline: Kind, floor: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a metric's floor and ceiling: what untrained and what retrained twins reach."""
    return tuple(floor), tuple(twin.against[key] for twin in baseline.twins_like(baseline) if key in twin.against)


def _compare_features(
    baseline: Signature, other: Signature, record: LayerRecord, partner: LayerRecord, matching: Matching
) -> dict[str, float]:
    """Return how alike a layer and its counterpart are, in every way that has a number."""
    left, right = baseline.features[record.name], other.features[partner.name]
    values = {"map_ssim": matching.mean, "cka": layer_cka(left, right)}
    if record.kind != LayerKind.DECISION:
        values["activation_correlation"] = _correlate_activations(left, right)
    return values


def _describe_worst(layer: LayerComparison) -> str:
    if not layer.matching.pairs:
        return "No pair of units could be compared."
    pair = layer.matching.pairs[0]
    return (
        f"Worst pair: {layer.baseline.name}:{pair.baseline} and {layer.candidate.name if layer.candidate else '?'}:"
        f"{pair.candidate}, {pair.score:.2f}."
    )


def _correlate_activations(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean correlation of matched units over the probe pictures; NaN where the grids differ in size."""
    if left.shape[1] != right.shape[1]:
        return math.nan
    scores = correlation_matrix(left.transpose(2, 0, 1), right.transpose(2, 0, 1))
    return match(scores, range(len(scores)), range(scores.shape[1])).mean
