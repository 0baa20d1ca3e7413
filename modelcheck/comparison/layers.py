"""Which layers and units of two networks correspond, and how alike their HappyMaps are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.metrics import METRICS, CompareError
from modelcheck.criteria import Measured
from modelcheck.matching import Matching, align, match
from modelcheck.signature import LayerRecord, Signature
from modelcheck.similarity import correlation_matrix, linear_cka, low_pass, ssim_matrix
from modelcheck.spelling import did_you_mean

__all__ = ["LayerComparison", "counterparts", "layer_measures", "matched"]

# How far retraining with another seed moves a value; used as its interval where no twins calibrate it. Measured on
# CMU Faces: 12 pairs of retrained, halved, deeper and wider networks spread by less than this around their mean.
RETRAINING_SPREAD = {"transfer": 0.10, "coarse_similarity": 0.08}


@dataclass(frozen=True, kw_only=True, eq=False)
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


def counterparts(
    baseline: Signature, candidate: Signature, given: Mapping[str, str | None]
) -> list[tuple[LayerRecord, LayerRecord | None, bool]]:
    """Return for each layer of the baseline its counterpart, and whether having none is acknowledged."""
    own, other = [x.name for x in baseline.layers], [x.name for x in candidate.layers]
    for name, partner in given.items():
        if name not in own:
            raise CompareError(f"layers names {name!r}, which the baseline lacks. {did_you_mean(name, own)}")
        if partner is not None and partner not in other:
            raise CompareError(f"layers names {partner!r}, which the candidate lacks. {did_you_mean(partner, other)}")
    if baseline.decision.name in given:
        raise CompareError("layers must leave the decision layer alone: it is always compared with the decision.")
    free = [x for x in own[:-1] if x not in given]
    others = [x for x in other[:-1] if x not in given.values()]

    def likeness(one: str, another: str) -> float | None:
        if baseline.layer(one).kind != candidate.layer(another).kind:
            return None
        left, right = (side.features[name] for side, name in ((baseline, one), (candidate, another)))
        value = _cka(left, right)
        return value if math.isfinite(value) else 0.0

    found = align(free, others, likeness)
    rows: list[tuple[LayerRecord, LayerRecord | None, bool]] = []
    for record in baseline.layers[:-1]:
        partner = given[record.name] if record.name in given else found[record.name]
        rows.append((record, candidate.layer(partner) if partner else None, record.name in given and partner is None))
    return [*rows, (baseline.decision, candidate.decision, False)]


def matched(
    baseline: Signature, candidate: Signature, record: LayerRecord, partner: LayerRecord | None, acknowledged: bool
) -> LayerComparison:
    """Match the units of two layers by the similarity of their maps, classes by index."""
    units = baseline.units[record.name]
    if partner is None:
        nothing = Matching((), tuple(units.tolist()), ())
        return LayerComparison(baseline=record, candidate=None, matching=nothing, acknowledged=acknowledged)
    scores = _map_scores(baseline, candidate, record, partner)
    by_index = record.kind == "decision"
    matching = match(scores, units, candidate.units[partner.name], by_index=by_index)
    return LayerComparison(baseline=record, candidate=partner, matching=matching)


def _map_scores(baseline: Signature, candidate: Signature, record: LayerRecord, partner: LayerRecord) -> np.ndarray:
    left, right = _centred(baseline.maps[record.name], candidate.maps[partner.name])
    low, high = baseline.recipe.input_range
    return ssim_matrix(left, right, data_range=high - low)


def _centred(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut the larger patches to the centre that both see."""
    size = [min(left.shape[axis], right.shape[axis]) for axis in (1, 2)]

    def cut(maps: np.ndarray) -> np.ndarray:
        top, side = ((maps.shape[axis] - size[axis - 1]) // 2 for axis in (1, 2))
        return maps[:, top : top + size[0], side : side + size[1]]

    return cut(left), cut(right)


def layer_measures(baseline: Signature, candidate: Signature, layer: LayerComparison) -> Iterator[Measured]:
    """Yield every metric of one layer; all NaN, with the reason, where it has no counterpart."""
    name, partner = layer.baseline.name, layer.candidate
    decision = layer.baseline.kind == "decision"
    if partner is None:
        absent = f"The candidate has no layer that corresponds to {name!r}. If that is meant, write {name} = false in "
        absent += "[tool.modelcheck.layers]."
        for metric, row in METRICS.items():
            if row.domain in ("layer", "hidden"):
                yield Measured(metric=metric, about=name, value=math.nan, evidence=absent)
        return
    reached = np.isfinite(candidate.activations[partner.name])
    yield Measured(
        metric="mapped_units",
        about=name,
        value=float(reached.mean()),
        baseline=float(np.isfinite(baseline.activations[name]).mean()),
        n=len(reached),
        evidence=f"{int(reached.sum())} of {len(reached)} rendered units of {partner.name!r} have a map.",
    )
    yield Measured(
        metric="map_ssim",
        about=name,
        value=layer.matching.mean,
        n=len(layer.matching.pairs),
        evidence=_worst(layer),
    )
    floors = [
        match(
            _map_scores(baseline, twin, layer.baseline, partner),
            baseline.units[name],
            twin.units[partner.name],
            by_index=decision,
        ).mean
        for twin in candidate.twins
    ]
    yield Measured(metric="floor_ssim", about=name, value=float(np.mean(floors)) if floors else math.nan, n=len(floors))
    left, right = baseline.features[name], candidate.features[partner.name]
    yield Measured(
        metric="cka",
        about=name,
        value=_cka(left, right),
        n=len(left),
    )
    if decision:
        yield from _decision_measures(baseline, candidate, name)
    else:
        yield _activation_correlation(name, left, right)


def _cka(left: np.ndarray, right: np.ndarray) -> float:
    """Return the alignment of two layers' features; of fewer than four pictures nothing can be said."""
    if len(left) < 4:
        return math.nan
    return linear_cka(left.reshape(len(left), -1), right.reshape(len(right), -1))


def _worst(layer: LayerComparison) -> str:
    if not layer.matching.pairs:
        return "No pair of units could be compared."
    pair = layer.matching.pairs[0]
    return (
        f"Worst pair: {layer.baseline.name}:{pair.baseline} and {layer.candidate.name if layer.candidate else '?'}:"
        f"{pair.candidate}, {pair.score:.2f}."
    )


def _activation_correlation(name: str, left: np.ndarray, right: np.ndarray) -> Measured:
    if left.shape[1] != right.shape[1]:
        return Measured(
            metric="activation_correlation", about=name, value=math.nan, evidence="The layers' grids differ in size."
        )
    scores = correlation_matrix(left.transpose(2, 0, 1), right.transpose(2, 0, 1))
    matching = match(scores, range(len(scores)), range(scores.shape[1]))
    return Measured(metric="activation_correlation", about=name, value=matching.mean, n=len(matching.pairs))


def _decision_measures(baseline: Signature, candidate: Signature, name: str) -> Iterator[Measured]:
    own = candidate.decision.name
    maps = baseline.maps[name], candidate.maps[own]
    # The features of a face are about a fifteenth of the picture's height (measured on CMU Faces).
    sigma = maps[0].shape[1] / 15
    low, high = baseline.recipe.input_range
    coarse = [low_pass(stack, sigma=sigma) for stack in maps]
    likeness = np.diag(correlation_matrix(coarse[0], coarse[1]))
    alike = np.diag(ssim_matrix(coarse[0], coarse[1], data_range=high - low))
    yield _by_class("coarse_similarity", name, likeness, baseline.class_names)
    yield _by_class("coarse_ssim", name, alike, baseline.class_names)
    # Responses to other maps than this baseline's would be a number about something else.
    shown_ours = candidate.stimuli_digest in ("", baseline.digest())
    responses = candidate.responses if shown_ours else None
    shown = np.full(len(maps[0]), np.nan) if responses is None else np.diag(_margins(responses))
    grey, reached = candidate.at_grey[own], candidate.activations[own]
    with np.errstate(divide="ignore", invalid="ignore"):
        transfer = (shown - grey) / (reached - grey)
    yield _by_class("transfer", name, transfer, baseline.class_names)


def _by_class(metric: str, name: str, values: np.ndarray, class_names: Sequence[str]) -> Measured:
    mean = float(np.mean(values))
    spread = RETRAINING_SPREAD.get(metric)
    each = ", ".join(f"{word} {value:.2f}" for word, value in zip(class_names, values, strict=True))
    return Measured(
        metric=metric,
        about=name,
        value=mean,
        interval=None if spread is None or not math.isfinite(mean) else (mean - spread, mean + spread),
        n=len(values),
        evidence=f"By class: {each}.",
    )


def _margins(scores: np.ndarray) -> np.ndarray:
    """Return each class score minus the logsumexp of the others, ``(n, classes)``."""
    columns = []
    for k in range(scores.shape[1]):
        others = np.delete(scores, k, axis=1).astype(np.float64)
        top = others.max(axis=1)
        columns.append(scores[:, k] - top - np.log(np.exp(others - top[:, None]).sum(axis=1)))
    return np.stack(columns, axis=1)
