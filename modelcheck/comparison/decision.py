"""Whether two networks decide by the same features: each is shown what makes the other's classes happy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.layers import floor_words, twins_of
from modelcheck.judgement.criteria import Measured
from modelcheck.metrics.calibration import calibrate, steadiness
from modelcheck.metrics.margins import margins
from modelcheck.metrics.similarity import correlation_matrix, low_pass, ssim_matrix
from modelcheck.signature import Signature

__all__ = ["decision_measures"]

_VIEWS = {"recognition": "free", "natural_recognition": "natural"}


def decision_measures(baseline: Signature, candidate: Signature) -> Iterator[Measured]:
    """Yield every metric of the decision layer and of the two networks' common ancestry."""
    name = baseline.decision.name
    own = _values(baseline, candidate)
    floors = [_values(baseline, twin) for twin in candidate.twins]
    scores: dict[str, float] = {}
    for metric, by_class in own.items():
        mean = float(np.mean(by_class))
        floor, ceiling = twins_of(f"{metric}[{name}]", baseline, [float(np.mean(values[metric])) for values in floors])
        if metric in _VIEWS:
            scores[metric] = calibrate(mean, floor=floor, ceiling=ceiling)
        yield Measured(
            metric=metric,
            about=name,
            value=mean,
            interval=_band(metric, mean, ceiling),
            n=len(by_class),
            evidence=_each(by_class, baseline.class_names),
            floor=floor,
            ceiling=ceiling,
        )
    yield _transfer_back(baseline, candidate)
    if baseline.retrained:
        yield _likeness(name, scores, len(baseline.twins_like(baseline)), len(candidate.twins))
    yield Measured(
        metric="complementarity",
        about=name,
        value=_complementarity(candidate),
        baseline=_complementarity(baseline),
        evidence="1 means that what one class wants is what the others do not.",
    )


def _transfer_back(baseline: Signature, candidate: Signature) -> Measured:
    """Return how happy the candidate's maps make the baseline, with its recognition of both views of them."""
    name = baseline.decision.name
    by_class = _back(baseline, candidate)
    twins = [float(np.mean(_back(baseline, twin))) for twin in candidate.twins]
    floor, ceiling = twins_of(f"transfer_back[{name}]", baseline, [value for value in twins if math.isfinite(value)])
    if candidate.responses_back:
        known = [
            f"{METRICS[metric].head} {np.mean(_certainties(baseline, _margins_back(baseline, candidate, view))):.2f}"
            for metric, view in _VIEWS.items()
        ]
        told = f"{_each(by_class, baseline.class_names)} The baseline, shown the candidate's maps: {', '.join(known)}."
        told += floor_words(floor)
    else:
        told = "The baseline's network was not shown the candidate's maps: set baseline_model in [tool.modelcheck]."
    return Measured(
        metric="transfer_back",
        about=name,
        value=float(np.mean(by_class)),
        n=len(by_class),
        evidence=told,
        floor=floor,
        ceiling=ceiling,
    )


def _back(baseline: Signature, other: Signature) -> np.ndarray:
    """Return how happy the other network's map of each class makes the baseline."""
    return _happiness(baseline, _margins_back(baseline, other, "free"))


def _happiness(signature: Signature, shown: np.ndarray) -> np.ndarray:
    """Return margins on shown maps relative to mid grey, 0, and to the network's own maps, 1."""
    own = signature.decision.name
    at_rest, reached = signature.at_rest[own], signature.activations[own]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (shown - at_rest) / (reached - at_rest)


def _likeness(name: str, scores: Mapping[str, float], retrained: int, untrained: int) -> Measured:
    """Return the lowest calibrated recognition that can tell twins apart; where none can, no value."""
    known = {metric: score for metric, score in scores.items() if math.isfinite(score)}
    value = min(known.values(), default=math.nan)
    told = [f"{METRICS[metric].head} {score:.2f}" for metric, score in known.items()]
    told += [
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
        evidence=f"0 is {untrained} untrained twins, 1 is {retrained} retrained ones: {'; '.join(told)}.",
        # The recognitions themselves still gate: what is silent here is the scale, not the evidence.
        silent=not known and untrained > 1 and retrained > 1,
    )


def _band(metric: str, value: float, ceiling: Sequence[float]) -> tuple[float, float] | None:
    fallback = METRICS[metric].spread
    if fallback is None or not math.isfinite(value):
        return None
    spread = steadiness(ceiling, fallback=fallback)
    most = 1.0 if metric in _VIEWS else math.inf
    return max(value - spread, -most), min(value + spread, most)


def _values(baseline: Signature, other: Signature) -> dict[str, np.ndarray]:
    """Return the decision's metrics by class; NaN where something is not there."""
    name, own = baseline.decision.name, other.decision.name
    maps = baseline.maps[name], other.maps[own]
    # The features of a face are about a fifteenth of the picture's height (measured on CMU Faces).
    sigma = maps[0].shape[1] / 15
    low, high = baseline.recipe.input_range
    coarse = [low_pass(stack, sigma=sigma) for stack in maps]
    values = {metric: _certainties(other, _margins_on_maps(baseline, other, view)) for metric, view in _VIEWS.items()}
    values["transfer"] = _happiness(other, _margins_on_maps(baseline, other, "free"))
    values["coarse_similarity"] = np.diag(correlation_matrix(coarse[0], coarse[1]))
    values["coarse_ssim"] = np.diag(ssim_matrix(coarse[0], coarse[1], data_range=high - low))
    return values


def _certainties(signature: Signature, shown: np.ndarray) -> np.ndarray:
    """Return how surely a network takes another's map of each class for that class, from -1 to 1.

    The margin is measured from that of a guess, in standard deviations of the network's own margins over the panel;
    tanh(m / 2) is then 2 p - 1 with p the probability of the class on that scale. A margin relative to the network's
    *own* map would punish networks whose own maps are painted in fine detail that nobody else reads.
    """
    own = margins(signature.scores)
    guess = -math.log(max(own.shape[1] - 1, 1))
    spread = own.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        certainty = (shown - guess) / spread
    return np.where(spread > 0, np.tanh(certainty / 2), np.nan)  # constant answers recognise nothing


def _margins_on_maps(baseline: Signature, other: Signature, view: str) -> np.ndarray:
    """Return each class's margin on the baseline's map of it; responses to other maps are not about this baseline."""
    if other.stimuli_digest in ("", baseline.stimuli_sha256()) and view in other.responses:
        return np.diag(margins(other.responses[view]))
    return np.full(len(baseline.class_names), np.nan)


def _margins_back(baseline: Signature, other: Signature, view: str) -> np.ndarray:
    """Return the baseline's margin of each class on the other network's map of it."""
    if other.stimuli_digest in ("", baseline.stimuli_sha256()) and view in other.responses_back:
        return np.diag(margins(other.responses_back[view]))
    return np.full(len(baseline.class_names), np.nan)


def _complementarity(signature: Signature) -> float:
    """Return minus the mean correlation of the decision's maps with each other."""
    maps = signature.maps[signature.decision.name]
    pairs = correlation_matrix(maps, maps)[np.triu_indices(len(maps), 1)]
    return float(-np.mean(pairs)) if len(pairs) else math.nan


def _each(by_class: np.ndarray, class_names: Sequence[str]) -> str:
    order = np.argsort(np.where(np.isnan(by_class), -np.inf, by_class))[:6]
    words = ", ".join(f"{class_names[k]} {by_class[k]:.2f}" for k in order)
    return f"By class{', worst first' if len(by_class) > 2 else ''}: {words}."
