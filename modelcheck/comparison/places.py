"""Whether two networks decide by the same parts of a picture: cells that were exchanged, and mosaics.

The candidate is held against the mean of the baseline and its retrained twins, in units of how far
each of those is from the others. A baseline without two twins has no such unit: documented ones
stand in, with a wide interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.controversial import PictureExchanges, show_exchanges
from modelcheck.comparison.lineage import select_clean_networks
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.exchanges import (
    Apart,
    Stimuli,
    choose_stimuli,
    compute_strengths,
    find_distance,
    measure_spread,
    win_shares,
)
from modelcheck.signature import Signature

__all__ = ["measure_places", "plan_stimuli"]

# What training again moves, where no twins say it: the mean distance of one of a baseline and its
# twins from the mean of the others, and by which factor that may be wrong, either way.
_USUAL = {"place_distance": 0.20, "content_distance": 0.10}
_UNSURE = 1.5
_MIN_TWINS = 2

Parts = Sequence[np.ndarray]


class PlacesError(ValueError):
    """Answers to exchanged pictures that cannot be compared; the message is a sentence for the report."""


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is read of a signature for one of the metrics.

    Parameters
    ----------
    metric : str
        Its name.
    setting : str
        The setting of the recipe that asks for it.
    shown : str
        What was shown, in words.
    """

    metric: str
    setting: str
    shown: str


_PLACE = _Question(metric="place_distance", setting="exchange_pictures", shown="exchanged pictures")
_CONTENT = _Question(metric="content_distance", setting="mosaics", shown="mosaics")


def plan_stimuli(signature: Signature) -> Stimuli:
    """Return what networks of a signature's panel and recipe are shown."""
    height, width = signature.maps[signature.decision.name].shape[1:3]
    return choose_stimuli(
        signature.pictures["labels"],
        signature.independent,
        size=(height, width),
        pictures=signature.recipe.exchange_pictures,
        mosaics=signature.recipe.mosaics,
        seed=signature.recipe.seed,
    )


def _find_references(baseline: Signature, candidate: Signature) -> tuple[Signature, ...]:
    """Return the baseline and its retrained twins, without the candidate and its relatives among those."""
    if candidate.same_architecture(baseline):
        return (baseline, *select_clean_networks(baseline, candidate))
    return (baseline, *baseline.twins_like(baseline))


def measure_places(
    baseline: Signature, candidate: Signature
) -> tuple[tuple[Measured, Measured], PictureExchanges | None]:
    """Return how far the candidate's exchange maps, and its answers to mosaics, are from the baseline's.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; the baseline with its retrained twins.

    Returns
    -------
    measures : tuple of Measured
        ``place_distance`` and ``content_distance``; NaN with the reason where there is none.
    exchanges : PictureExchanges or None
        What exchanging cells shows; None where it could not be compared.
    """
    stimuli = plan_stimuli(baseline)
    references = _find_references(baseline, candidate)
    shown: PictureExchanges | None = None
    measures = []
    for question in (_PLACE, _CONTENT):
        try:
            own = _read(question, candidate, stimuli, who="The candidate", again="measure it again")
            others = [_read_reference(question, network, stimuli, k) for k, network in enumerate(references)]
        except PlacesError as error:
            measures.append(Measured(metric=question.metric, value=math.nan, evidence=str(error)))
            continue
        if question is _PLACE:
            shown = show_exchanges(candidate, references, stimuli, strengths=own, reference_strengths=others)
        floor = _read_floor(question, candidate, stimuli)
        sentence = f"{shown.sentence} " if shown is not None and question is _PLACE else ""
        measures.append(_measure(question, own, others, floor=floor, sentence=sentence))
    place, content = measures
    return (place, content), shown


def _measure(
    question: _Question, own: Parts, others: Sequence[Parts], *, floor: Sequence[Parts], sentence: str
) -> Measured:
    calibrated = len(others) > _MIN_TWINS
    apart = find_distance(own, others)
    scale = float(apart.references.mean()) if calibrated else _USUAL[question.metric]
    if calibrated and not math.isfinite(apart.ratio):
        return Measured(
            metric=question.metric,
            value=math.nan,
            evidence=f"{sentence}The baseline and its twins answer all {question.shown} alike: nothing says what "
            "training again moves. Give it twins that were trained from other seeds: modelcheck calibrate --help",
        )
    value = apart.ratio if calibrated else apart.distance / scale
    return Measured(
        metric=question.metric,
        value=value,
        interval=apart.ratio_interval if calibrated else (value / _UNSURE, value * _UNSURE),
        baseline=float(apart.references[0]) / scale if calibrated else None,
        n=len(own[0]),
        evidence=sentence + _describe(question, apart, twins=len(others) - 1, calibrated=calibrated),
        floor=tuple(find_distance(twin, others).distance / scale for twin in floor),
        ceiling=tuple(float(distance) / scale for distance in apart.references) if calibrated else (),
    )


def _read_reference(question: _Question, network: Signature, stimuli: Stimuli, position: int) -> Parts:
    if position == 0:
        return _read(question, network, stimuli, who="The baseline", again="modelcheck approve --help")
    return _read(
        question, network, stimuli, who="A retrained twin of the baseline", again="modelcheck calibrate --help"
    )


def _read_floor(question: _Question, candidate: Signature, stimuli: Stimuli) -> list[Parts]:
    """Return what the candidate's untrained twins answered, those of which it can be read."""
    found = []
    for twin in candidate.twins:
        try:
            found.append(_read(question, twin, stimuli, who="An untrained twin", again="measure it again"))
        except PlacesError:
            continue
    return found


def _read(question: _Question, network: Signature, stimuli: Stimuli, *, who: str, again: str) -> Parts:
    """Return strengths by grid, or the shares that were won; refuse what cannot be compared."""
    if getattr(network.recipe, question.setting) == 0:
        raise PlacesError(f"No {question.shown} were shown: the recipe has {question.setting} = 0.")
    if not len(stimuli.first if question is _CONTENT else stimuli.rows):
        raise PlacesError(f"No {question.shown} were shown: all pictures of the panel are of one class.")
    try:
        if question is _CONTENT:
            return [_read_shares(network, stimuli)]
        return [compute_strengths(evidence) for evidence in _read_evidence(network, stimuli)]
    except KeyError as error:
        raise PlacesError(f"{who} was not shown these {question.shown}: {again}.") from error
    except PlacesError as error:
        raise PlacesError(f"{who} {error}") from error


def _read_evidence(network: Signature, stimuli: Stimuli) -> list[np.ndarray]:
    """Return by grid the evidence of each cell, ``(pictures, cells, donors)``.

    Raises
    ------
    KeyError
        When the network was not shown these pictures.
    PlacesError
        When its answers cannot be compared: why, without its name.
    """
    spread = _spread(network, stimuli.rows)
    found = []
    for grid in stimuli.grids:
        falls, label_margins, leads, answers = (
            network.exchanges[f"{grid.name}/{part}"] for part in ("falls", "margins", "leads", "answers")
        )
        for values in (falls, label_margins, leads, answers):
            if values.shape != stimuli.shape(grid):
                raise KeyError(grid.name)
            _check_finite(values)
        if not (answers < network.scores.shape[1]).all():
            raise PlacesError("answers a class that there is not.")
        if not falls.any():
            raise PlacesError("answers every picture as before, whatever is put into it: it has no exchange map.")
        found.append(falls.astype(np.float64) / spread)
    return found


def _read_shares(network: Signature, stimuli: Stimuli) -> np.ndarray:
    differences = network.exchanges["mosaics"]
    if differences.shape != stimuli.first.shape:
        raise KeyError("mosaics")
    _check_finite(differences)
    return win_shares(differences, _spread(network, stimuli.first))


def _spread(network: Signature, rows: np.ndarray) -> float:
    spread = measure_spread(network.scores[rows])
    if not spread > 0:
        raise PlacesError("gives every picture the same scores: its answers have no unit.")
    return spread


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise PlacesError(f"answers NaN or infinity on {bad} of {values.size} pictures. Look at its weights.")


def _describe(question: _Question, apart: Apart, *, twins: int, calibrated: bool) -> str:
    what = "mean difference" if question is _CONTENT else "L1 distance"
    if calibrated:
        low, high = apart.references.min(), apart.references.max()
        return (
            f"The {what} from the mean of the baseline and its {twins} twins is {apart.distance:.3f}; of each of those "
            f"from the others it is {low:.3f} to {high:.3f}."
        )
    beside = " and its twin" if twins else ""
    return (
        f"Uncalibrated: the {what} from the baseline{beside} is {apart.distance:.3f}, and training again is taken to "
        f"move {_USUAL[question.metric]:.2f}, which is another number for every task. Two retrained twins say it: "
        "modelcheck calibrate --help"
    )
