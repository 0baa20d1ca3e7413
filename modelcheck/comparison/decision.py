"""Whether two networks decide by the same features: each is shown what makes the other's classes happy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from modelcheck.comparison.catalogue import METRICS, find_floor
from modelcheck.comparison.exchange import NO_WAY_BACK, NOT_SHOWN
from modelcheck.comparison.layers import collect_twin_values, say_floor
from modelcheck.comparison.recognition import (
    VIEWS,
    find_ceiling_twins,
    find_classes_without_map,
    measure_agreement,
    name_foreign_family,
    recognise_by_class,
    recognise_scores,
)
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import calibrate, steadiness
from modelcheck.metrics.margins import margins
from modelcheck.metrics.similarity import correlation_matrix, find_moved_pixels, low_pass, ssim_matrix
from modelcheck.signature import Signature

__all__ = ["measure_decision", "scale_decision_maps"]

_STEADY = 3  # retrained twins that say by themselves how far a second training moves a value
_DRAWS = 50  # panels drawn from the panel's own pictures, where they do not


def measure_decision(baseline: Signature, candidate: Signature, *, refusal: str = "") -> Iterator[Measured]:
    """Yield every metric of the decision layer.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks.
    refusal : str
        Why the candidate's exchange of maps was not accepted; see
        `modelcheck.comparison.exchange.accept_exchange`.
    """
    name = baseline.decision.name
    not_shown = (refusal or NOT_SHOWN) if candidate.exchange is None else ""
    recognitions = list(_measure_recognitions(baseline, candidate, not_shown))
    yield from recognitions
    own = _compare_by_class(baseline, candidate)
    floors = [_compare_by_class(baseline, twin) for twin in candidate.twins]
    for metric, by_class in own.items():
        floor, ceiling = collect_twin_values(
            f"{metric}[{name}]", baseline, [_average_rendered(values[metric]) for values in floors]
        )
        yield Measured(
            metric=metric,
            about=name,
            value=float(np.mean(by_class)),
            n=len(by_class),
            evidence=(metric == "transfer" and not_shown) or _say_by_class(by_class, baseline.class_names),
            floor=floor,
            ceiling=ceiling,
        )
    yield _measure_transfer_back(baseline, candidate, refusal)
    if baseline.retrained:
        family = name_foreign_family(candidate, find_ceiling_twins(baseline, candidate))
        yield replace(_measure_likeness(name, recognitions), off_scale=family)
        yield replace(_measure_worst_likeness(name, recognitions), off_scale=family)
        yield measure_agreement(baseline, candidate, refusal=not_shown)
    yield Measured(
        metric="complementarity",
        about=name,
        value=_compute_complementarity(candidate),
        baseline=_compute_complementarity(baseline),
        evidence="1 means that what one class wants is what the others do not.",
    )


def _measure_recognitions(baseline: Signature, candidate: Signature, not_shown: str) -> Iterator[Measured]:
    """Yield the recognition of each view, mean over the classes, and that of the worst class."""
    labels, classes = baseline.pictures["labels"], baseline.class_names
    without = find_classes_without_map(baseline)
    own = recognise_by_class(candidate, labels)
    floors = [recognise_by_class(twin, labels) for twin in candidate.twins]
    ceilings = [recognise_by_class(twin, labels) for twin in find_ceiling_twins(baseline, candidate)]
    drawn = [] if len(ceilings) >= _STEADY else _recognise_on_drawn_panels(candidate, labels)

    def measured(metric: str, summary: Callable[[np.ndarray], float], says: str, n: int) -> Measured:
        value, ceiling = summary(own), tuple(map(summary, ceilings))
        return Measured(
            metric=metric,
            about=baseline.decision.name,
            value=value,
            interval=_band(metric, value, ceiling, drawn=[summary(by_class) for by_class in drawn]),
            n=n,
            evidence=not_shown or says,
            floor=tuple(map(summary, floors)),
            ceiling=ceiling,
        )

    absent = {view: _say_absent(view, names) for view, names in without.items()}
    for row, (metric, view) in enumerate(VIEWS.items()):
        there = [k for k, name in enumerate(classes) if name not in without[view]]
        yield measured(
            metric,
            partial(_average, row=row, there=there),
            f"{_say_by_class(own[row], classes)}{absent[view]}",
            len(there),
        )
    # A class that has no map is not recognised by anybody: the worst class is then not known.
    yield measured(
        "worst_recognition",
        _find_worst,
        f"{_say_by_class(own.mean(axis=0), classes)}{''.join(dict.fromkeys(absent.values()))}",
        len(classes),
    )


def _average_rendered(by_class: np.ndarray) -> float:
    """Return the mean over the classes of which an untrained twin has a map: of many classes not all are rendered."""
    known = by_class[np.isfinite(by_class)]
    return float(known.mean()) if len(known) else math.nan


def _average(by_class: np.ndarray, *, row: int, there: Sequence[int]) -> float:
    return float(np.mean(by_class[row, there])) if there else math.nan


def _find_worst(by_class: np.ndarray) -> float:
    return float(np.min(by_class.mean(axis=0)))


def _recognise_on_drawn_panels(network: Signature, labels: np.ndarray) -> list[np.ndarray]:
    """Return the same with the panel's pictures drawn anew from each class: what the choice of pictures moves."""
    groups = [np.flatnonzero(labels == k) for k in np.unique(labels)]
    made = []
    for draw in range(_DRAWS):
        rng = np.random.Generator(np.random.Philox(key=[network.recipe.seed, draw]))
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        made.append(recognise_by_class(replace(network, scores=network.scores[rows]), labels[rows]))
    return made


def _say_absent(view: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    which = "natural map" if view == "natural" else "map"
    return f" The baseline has no {which} of {', '.join(names)}: nothing can be said of it."


def _measure_transfer_back(baseline: Signature, candidate: Signature, refusal: str) -> Measured:
    """Return how happy the candidate's maps make the baseline, with its recognition of both views of them."""
    name = baseline.decision.name
    by_class = _compute_transfer_back(baseline, candidate)
    twins = [_average_rendered(_compute_transfer_back(baseline, twin)) for twin in candidate.twins]
    reached = [value for value in twins if math.isfinite(value)]
    floor, ceiling = collect_twin_values(f"transfer_back[{name}]", baseline, reached)
    evidence = refusal or NO_WAY_BACK
    if candidate.exchange is not None and candidate.exchange.class_scores_back:
        known = [
            f"{METRICS[metric].head} {_say(np.mean(_recognise_back(baseline, candidate, view)))}"
            for metric, view in VIEWS.items()
        ]
        evidence = f"{_say_by_class(by_class, baseline.class_names)} The baseline, shown the candidate's maps: "
        evidence += f"{', '.join(known)}.{say_floor(floor)}"
    return Measured(
        metric="transfer_back",
        about=name,
        value=float(np.mean(by_class)),
        n=len(by_class),
        evidence=evidence,
        floor=floor,
        ceiling=ceiling,
    )


def _compute_transfer_back(baseline: Signature, other: Signature) -> np.ndarray:
    """Return how happy the other network's map of each class makes the baseline."""
    return _compute_happiness(baseline, _read_margins_back(other, "free"))


def _compute_happiness(signature: Signature, shown: np.ndarray) -> np.ndarray:
    """Return margins on shown maps relative to mid grey, 0, and to the network's own maps, 1."""
    own = signature.decision.name
    at_rest, reached = signature.at_rest[own], signature.activations[own]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (shown - at_rest) / (reached - at_rest)


def _recognise_back(baseline: Signature, other: Signature, view: str) -> np.ndarray:
    """Return how surely the baseline takes the other's map of each class for that class."""
    scores = {} if other.exchange is None else other.exchange.class_scores_back
    return np.diag(recognise_scores(baseline, scores, view, labels=baseline.pictures["labels"]))


def _measure_likeness(name: str, recognitions: Sequence[Measured]) -> Measured:
    """Return the lower mean recognition on the scale of retrained twins.

    NaN where any recognition is, that of the worst class too, and where twins reach none.
    """
    views = [item for item in recognitions if item.metric in VIEWS]
    telling = [item for item in views if math.isfinite(_calibrate(item, 1.0))]
    scores = {item.metric: _calibrate(item, item.value) for item in telling}
    known = all(math.isfinite(item.value) for item in recognitions)
    value = min(scores.values()) if scores and known else math.nan
    parts = [f"{METRICS[metric].head} {_say(score)}" for metric, score in scores.items()]
    parts += [
        f"{METRICS[item.metric].head} says nothing, for retrained twins reach too little of it"
        for item in views
        if item.metric not in scores
    ]
    twins = len(recognitions[0].ceiling)
    return Measured(
        metric="likeness",
        about=name,
        value=value,
        interval=_band("likeness", value, ()),
        n=twins,
        evidence=f"0 is a map that says nothing, 1 is {twins} retrained twins: {'; '.join(parts)}.",
    )


def _measure_worst_likeness(name: str, recognitions: Sequence[Measured]) -> Measured:
    """Return the recognition of the worst class on the scale of retrained twins; NaN where twins reach none.

    It has no say then; where the candidate's own is not known, or too few twins', it is unmeasured like any other.
    """
    [worst] = [item for item in recognitions if item.metric not in VIEWS]
    value = _calibrate(worst, worst.value)
    known = [x for x in worst.ceiling if math.isfinite(x)]
    reached = math.isfinite(_calibrate(worst, 1.0))
    if reached:
        says = f"0 is a map that says nothing, 1 is {len(known)} retrained twins' own worst class."
    elif len(known) > 1:
        says = "Retrained twins themselves do not recognise some class: there is no scale for the worst one."
    else:
        says = "Fewer than two retrained twins of the baseline's architecture have a worst class: modelcheck calibrate."
    return Measured(
        metric="worst_likeness",
        about=name,
        value=value,
        interval=_band("worst_likeness", value, ()),
        n=len(worst.ceiling),
        evidence=f"{says} {worst.evidence}",
        silent=not reached and len(known) > 1 and math.isfinite(worst.value),
    )


def _calibrate(item: Measured, value: float) -> float:
    return calibrate(value, floor=find_floor(item), ceiling=item.ceiling)


def _band(
    metric: str, value: float, ceiling: Sequence[float], *, drawn: Sequence[float] = ()
) -> tuple[float, float] | None:
    """Return what retraining leaves open about a value: by its twins, or as elsewhere and as its own pictures say."""
    fallback = METRICS[metric].spread
    if fallback is None or not math.isfinite(value):
        return None
    spread = max(steadiness(ceiling, fallback=fallback), 2 * float(np.std(drawn)) if len(drawn) else 0.0)
    return max(value - spread, METRICS[metric].lowest), min(value + spread, METRICS[metric].highest)


def _compare_by_class(baseline: Signature, other: Signature) -> dict[str, np.ndarray]:
    """Return the decision's metrics by class; NaN where something is not there."""
    name, own = baseline.decision.name, other.decision.name
    low, high = baseline.recipe.input_range
    maps = baseline.maps[name], other.maps[own]
    counted = find_moved_pixels(*maps, input_range=(low, high))
    coarse = [low_pass(side, sigma=_feature_scale(side)) for side in maps]
    values = {"transfer": _compute_happiness(other, _read_margins(other, "free"))}
    values["coarse_similarity"] = np.diag(correlation_matrix(*(side[:, counted] for side in coarse)))
    values["coarse_ssim"] = np.diag(ssim_matrix(*coarse, data_range=high - low, counted=counted))
    return values


def _feature_scale(maps: np.ndarray) -> float:
    """Return a feature's size in pixels: of a face a fifteenth of the height (on CMU Faces)."""
    return float(maps.shape[1] / 15)


def scale_decision_maps(signature: Signature) -> dict[str, np.ndarray]:
    """Return the decision's maps for a reader, by scale: ``full``, ``coarse`` and ``natural``.

    Parameters
    ----------
    signature : Signature
        The network.

    Returns
    -------
    dict of str to np.ndarray
        ``(classes, h, w, c)`` each: as they are, at the scale of the features, and among natural
        pictures; NaN for a map that is not there, at every scale.
    """
    maps = signature.maps[signature.decision.name]
    grey = float(np.mean(signature.recipe.input_range))
    coarse = low_pass(np.nan_to_num(maps, nan=grey), sigma=_feature_scale(maps))
    coarse[~np.isfinite(maps).all(axis=(1, 2, 3))] = np.nan  # two maps that are not there are not alike
    return {"full": maps, "coarse": coarse, "natural": signature.natural}


def _read_margins(other: Signature, view: str) -> np.ndarray:
    """Return a network's margin of each class on the baseline's map of it; NaN where not shown."""
    return _own_margins(other, {} if other.exchange is None else other.exchange.class_scores, view)


def _read_margins_back(other: Signature, view: str) -> np.ndarray:
    """Return the baseline's margin of each class on the other's map of it; NaN where not shown."""
    return _own_margins(other, {} if other.exchange is None else other.exchange.class_scores_back, view)


def _own_margins(other: Signature, scores: Mapping[str, np.ndarray], view: str) -> np.ndarray:
    return np.diag(margins(scores[view])) if view in scores else np.full(len(other.class_names), np.nan)


def _compute_complementarity(signature: Signature) -> float:
    """Return minus the mean correlation of the decision's maps with each other."""
    maps = signature.maps[signature.decision.name]
    pairs = correlation_matrix(maps, maps)[np.triu_indices(len(maps), 1)]
    return float(-np.mean(pairs)) if len(pairs) else math.nan


def _say_by_class(by_class: np.ndarray, class_names: Sequence[str]) -> str:
    order = np.argsort(np.where(np.isnan(by_class), -np.inf, by_class))[:6]
    words = ", ".join(f"{class_names[k]} {_say(by_class[k])}" for k in order)
    return f"By class{', worst first' if len(by_class) > 2 else ''}: {words}."


def _say(value: float) -> str:
    """Return a value as a sentence has it."""
    return f"{value:.2f}" if math.isfinite(value) else "not measured"
