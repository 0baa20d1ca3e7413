"""What a network makes of another's maps, and whether it makes of the baseline's what retrained twins make of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.lineage import exclude_relatives
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.margins import margins
from modelcheck.metrics.recognition import place_beside_pictures, recognise
from modelcheck.signature import Signature

__all__ = [
    "VIEWS",
    "MapAnswer",
    "find_ceiling_twins",
    "find_classes_without_map",
    "measure_agreement",
    "name_foreign_family",
    "read_map_answers",
    "recognise_by_class",
    "recognise_scores",
]

VIEWS = {"recognition": "free", "natural_recognition": "natural"}
"""By metric, the view of the baseline's maps that it is about."""

_MIN_TWINS = 2
# On a scale from -1 to 1: twins whose answers differ by less are all certain of everything, and a candidate that
# differs from them by as little is no different.
_LEAST_DISTANCE = 0.02


@dataclass(frozen=True, kw_only=True)
class MapAnswer:
    """What a network makes of the baseline's map of one class.

    Parameters
    ----------
    view : str
        ``free``, the map as drawn, or ``natural``, that among natural pictures.
    shown, answer : int
        The class whose map it is, and the class that the network answers to it.
    value : float
        How surely the network takes the map for the class whose map it is, from -1 to 1; see
        `modelcheck.metrics.recognition.recognise`.
    twins : tuple of float
        The same of the retrained twins that make its scale; see `find_ceiling_twins`.

    Examples
    --------
    >>> MapAnswer(view="free", shown=1, answer=1, value=0.67, twins=(0.71, 0.84)).answer
    1
    """

    view: str
    shown: int
    answer: int
    value: float
    twins: tuple[float, ...]


def recognise_scores(
    network: Signature, scores: Mapping[str, np.ndarray], view: str, *, labels: np.ndarray
) -> np.ndarray:
    """Return how surely a network takes each shown map for each class, ``(maps, classes)`` from -1 to 1.

    Parameters
    ----------
    network : Signature
        The network that answered, with its answers to the panel.
    scores : mapping of str to np.ndarray
        By view, its ``(maps, classes)`` class scores on the maps.
    view : str
        One of the views; NaN throughout where it was not shown.
    labels : np.ndarray
        ``(pictures,)`` the classes of the panel's pictures.
    """
    return recognise(_read_margins(network, scores, view), margins(network.scores), labels)


def recognise_by_class(network: Signature, labels: np.ndarray) -> np.ndarray:
    """Return how surely a network takes the baseline's map of each class for that class, ``(views, classes)``."""
    scores = {} if network.exchange is None else network.exchange.class_scores
    return np.array([np.diag(recognise_scores(network, scores, view, labels=labels)) for view in VIEWS.values()])


def read_map_answers(baseline: Signature, candidate: Signature) -> tuple[MapAnswer, ...]:
    """Return what the candidate makes of the baseline's maps, by view and class; nothing of one it was not shown.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks, with exchanges of the baseline's maps alone; see
        `modelcheck.comparison.exchange.accept_exchange`.
    """
    labels, scores = baseline.pictures["labels"], {} if candidate.exchange is None else candidate.exchange.class_scores
    own = recognise_by_class(candidate, labels)
    others = [recognise_by_class(twin, labels) for twin in find_ceiling_twins(baseline, candidate)]
    return tuple(
        MapAnswer(
            view=view,
            shown=k,
            answer=int(scores[view][k].argmax()),
            value=float(own[row, k]),
            twins=tuple(float(twin[row, k]) for twin in others if np.isfinite(twin[row, k])),
        )
        for row, view in enumerate(VIEWS.values())
        if view in scores
        for k in range(len(baseline.class_names))
        if np.isfinite(scores[view][k]).all()
    )


def _read_margins(network: Signature, scores: Mapping[str, np.ndarray], view: str) -> np.ndarray:
    """Return ``(maps, classes)`` margins on the maps of a view, NaN throughout where it was not shown."""
    classes = len(network.class_names)
    return margins(scores[view]) if view in scores else np.full((classes, classes), np.nan)


def find_classes_without_map(baseline: Signature) -> dict[str, tuple[str, ...]]:
    """Return by view the names of the classes that no map makes happy: nobody can recognise them."""
    return {
        view: tuple(name for name, own in zip(baseline.class_names, maps, strict=True) if not np.isfinite(own).all())
        for view, maps in baseline.stimuli().items()
    }


def find_ceiling_twins(baseline: Signature, candidate: Signature) -> tuple[Signature, ...]:
    """Return the retrained twins that say what a second training makes of the baseline's maps.

    They are those of the baseline's own architecture. Where these are of another family than the
    candidate, those of the candidate's family take their place, its relatives left out, as soon as
    there are two.
    """
    own = tuple(twin for twin in baseline.twins_like(baseline) if twin.exchange is not None)
    if not name_foreign_family(candidate, own):
        return own
    shown = [twin for twin in baseline.retrained if twin.exchange is not None and twin.same_family(candidate)]
    kin = exclude_relatives(shown, candidate)
    return kin if len(kin) >= _MIN_TWINS else own


def name_foreign_family(candidate: Signature, twins: Sequence[Signature]) -> str:
    """Return the candidate's family where no twin is of it, so that they make no scale for it; else nothing."""
    if not twins or any(twin.same_family(candidate) for twin in twins):
        return ""
    return "normalisation" if candidate.model["normalises"] else "no normalisation"


def measure_agreement(baseline: Signature, candidate: Signature, *, refusal: str = "") -> Measured:
    """Return whether the candidate answers *all* of the baseline's maps for *all* classes as retrained twins do.

    The recognition of a class asks about its own map alone. Two classes that were merged, or a mark
    that stands for one, show in what the other maps say of it, and in classes of which the panel
    holds no picture.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; the baseline with its retrained twins.
    refusal : str
        Why the candidate's exchange of maps was not accepted.
    """
    labels, twins = baseline.pictures["labels"], find_ceiling_twins(baseline, candidate)
    answers = np.array([_read_answers(network, labels) for network in (candidate, *twins)])
    told = np.isfinite(answers[1:]).all(axis=0)
    value, ceiling, says = math.nan, tuple[float, ...](), refusal
    if len(twins) < _MIN_TWINS:
        says = says or "It takes two retrained twins that were shown the baseline's maps: modelcheck calibrate --help"
    elif told.any() and not says:
        own, others = answers[0, told], answers[1:, told]
        apart = [_distance(others[k], np.delete(others, k, axis=0)) for k in range(len(twins))]
        usual = max(float(np.mean(apart)), _LEAST_DISTANCE)
        value = _agree(_distance(own, others), usual)
        ceiling = tuple(_agree(distance, usual) for distance in apart)
        says = _describe_worst(baseline.class_names, answers[0], answers[1:].mean(axis=0))
    return Measured(
        metric="map_agreement",
        about=baseline.decision.name,
        value=value,
        n=len(twins),
        evidence=says,
        ceiling=ceiling,
        off_scale=name_foreign_family(candidate, twins),
    )


def _describe_worst(class_names: Sequence[str], own: np.ndarray, twins: np.ndarray) -> str:
    """Say on which map and for which class a network's answer differs most from those of the twins."""
    apart = np.abs(own - twins)
    if not np.isfinite(apart).any():
        return ""
    view, shown, asked = (int(k) for k in np.unravel_index(np.nanargmax(apart), apart.shape))
    which = "natural map" if view else "map"
    return (
        f"Furthest from retrained twins: the {which} of {class_names[shown]}, taken for {class_names[asked]} with "
        f"{own[view, shown, asked]:.2f}, by the twins with {twins[view, shown, asked]:.2f}."
    )


def _read_answers(network: Signature, labels: np.ndarray) -> np.ndarray:
    """Return where every map stands beside the pictures of every class, ``(views, maps, classes)`` from -1 to 1.

    Beyond the median pictures all is alike here: how sure a network is of its own class's map is
    what recognition says, and twins differ in it most.
    """
    scores = {} if network.exchange is None else network.exchange.class_scores
    own = margins(network.scores)
    shown = [_read_margins(network, scores, view) for view in VIEWS.values()]
    return np.array([np.clip(place_beside_pictures(maps, own, labels), -1, 1) for maps in shown])


def _distance(own: np.ndarray, others: np.ndarray) -> float:
    return float(np.abs(own - others.mean(axis=0)).mean())


def _agree(distance: float, usual: float) -> float:
    return min(usual / max(distance, _LEAST_DISTANCE / 10), 1.0) if math.isfinite(distance) else math.nan
