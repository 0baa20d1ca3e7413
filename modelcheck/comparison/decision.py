"""Whether two networks decide by the same features: each is shown what makes the other's classes happy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.exchange import NO_WAY_BACK, NOT_SHOWN
from modelcheck.comparison.layers import collect_twin_values, say_floor
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import calibrate, steadiness
from modelcheck.metrics.margins import margins
from modelcheck.metrics.similarity import correlation_matrix, find_moved_pixels, low_pass, ssim_matrix
from modelcheck.signature import Signature

__all__ = ["measure_decision", "scale_decision_maps"]

_VIEWS = {"recognition": "free", "natural_recognition": "natural"}
_EXCHANGED = (*_VIEWS, "transfer")


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
    own = _compare_by_class(baseline, candidate)
    floors = [_compare_by_class(baseline, twin) for twin in candidate.twins]
    not_shown = (refusal or NOT_SHOWN) if candidate.exchange is None else ""
    scores: dict[str, float] = {}
    for metric, by_class in own.items():
        mean = float(np.mean(by_class))
        floor, ceiling = collect_twin_values(
            f"{metric}[{name}]", baseline, [float(np.mean(values[metric])) for values in floors]
        )
        if metric in _VIEWS:
            scores[metric] = calibrate(mean, floor=floor, ceiling=ceiling)
        yield Measured(
            metric=metric,
            about=name,
            value=mean,
            interval=_band(metric, mean, ceiling),
            n=len(by_class),
            evidence=(metric in _EXCHANGED and not_shown) or _say_by_class(by_class, baseline.class_names),
            floor=floor,
            ceiling=ceiling,
        )
    yield _measure_transfer_back(baseline, candidate, refusal)
    if baseline.retrained:
        yield _measure_likeness(name, scores, len(baseline.twins_like(baseline)), len(candidate.twins))
    yield Measured(
        metric="complementarity",
        about=name,
        value=_compute_complementarity(candidate),
        baseline=_compute_complementarity(baseline),
        evidence="1 means that what one class wants is what the others do not.",
    )


def _measure_transfer_back(baseline: Signature, candidate: Signature, refusal: str) -> Measured:
    """Return how happy the candidate's maps make the baseline, with its recognition of both views of them."""
    name = baseline.decision.name
    by_class = _compute_transfer_back(baseline, candidate)
    twins = [float(np.mean(_compute_transfer_back(baseline, twin))) for twin in candidate.twins]
    reached = [value for value in twins if math.isfinite(value)]
    floor, ceiling = collect_twin_values(f"transfer_back[{name}]", baseline, reached)
    evidence = refusal or NO_WAY_BACK
    if candidate.exchange is not None and candidate.exchange.class_scores_back:
        known = [
            f"{METRICS[metric].head} {np.mean(_compute_certainty(baseline, _read_margins_back(candidate, view))):.2f}"
            for metric, view in _VIEWS.items()
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


def _measure_likeness(name: str, scores: Mapping[str, float], retrained: int, untrained: int) -> Measured:
    """Return the lowest calibrated recognition that can tell twins apart; where none can, no value."""
    known = {metric: score for metric, score in scores.items() if math.isfinite(score)}
    value = min(known.values(), default=math.nan)
    parts = [f"{METRICS[metric].head} {score:.2f}" for metric, score in known.items()]
    parts += [
        f"{METRICS[metric].head} says nothing, its floor and ceiling lie too close"
        for metric in scores
        if metric not in known
    ]
    return Measured(
        metric="likeness",
        about=name,
        value=value,
        interval=_band("likeness", value, ()),
        n=retrained + untrained,
        evidence=f"0 is {untrained} untrained twins, 1 is {retrained} retrained ones: {'; '.join(parts)}.",
        # The recognitions themselves still gate: what has no say here is the scale, not the
        # evidence.
        silent=not known and untrained > 1 and retrained > 1,
    )


def _band(metric: str, value: float, ceiling: Sequence[float]) -> tuple[float, float] | None:
    fallback = METRICS[metric].spread
    if fallback is None or not math.isfinite(value):
        return None
    spread = steadiness(ceiling, fallback=fallback)
    most = 1.0 if metric in _VIEWS else math.inf
    return max(value - spread, -most), min(value + spread, most)


def _compare_by_class(baseline: Signature, other: Signature) -> dict[str, np.ndarray]:
    """Return the decision's metrics by class; NaN where something is not there."""
    name, own = baseline.decision.name, other.decision.name
    low, high = baseline.recipe.input_range
    maps = baseline.maps[name], other.maps[own]
    counted = find_moved_pixels(*maps, input_range=(low, high))
    coarse = [low_pass(side, sigma=_feature_scale(side)) for side in maps]
    values = {metric: _compute_certainty(other, _read_margins(other, view)) for metric, view in _VIEWS.items()}
    values["transfer"] = _compute_happiness(other, _read_margins(other, "free"))
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
        ``(classes, h, w, c)`` each: as they are, at the scale of the features with mid grey for a
        map that is not there, and among natural pictures.
    """
    maps = signature.maps[signature.decision.name]
    grey = float(np.mean(signature.recipe.input_range))
    coarse = low_pass(np.nan_to_num(maps, nan=grey), sigma=_feature_scale(maps))
    return {"full": maps, "coarse": coarse, "natural": signature.natural}


def _compute_certainty(signature: Signature, shown: np.ndarray) -> np.ndarray:
    """Return how surely a network takes another's map of each class for that class, from -1 to 1.

    The margin is measured from that of a guess, in standard deviations of the network's own margins
    over the panel; tanh(m / 2) is then 2 p - 1 with p the probability of the class on that scale. A
    margin relative to the network's *own* map would punish networks whose own maps are painted in
    fine detail that nobody else reads.
    """
    own = margins(signature.scores)
    guess = -math.log(max(own.shape[1] - 1, 1))
    spread = own.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        certainty = (shown - guess) / spread
    return np.where(spread > 0, np.tanh(certainty / 2), np.nan)  # constant answers recognise nothing


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
    words = ", ".join(f"{class_names[k]} {by_class[k]:.2f}" for k in order)
    return f"By class{', worst first' if len(by_class) > 2 else ''}: {words}."
