"""The rows that drive each unit highest, and whether the baseline's drive the candidate too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.tables.layers import TableLayer, correlate_units
from modelcheck.comparison.tables.twins import find_ceiling
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import steadiness
from modelcheck.metrics.matching import match
from modelcheck.signature import LayerRecord, ProfileExchange, TableSignature

__all__ = ["ProfilePair", "measure_profiles", "name_outputs"]

_ENDS = ("highest", "lowest")
_NOT_SHOWN = "The candidate was not shown the baseline's profiles: measure it again."
_OTHER_PROFILES = "The candidate was shown another network's profiles: measure it again."
_OTHER_OUTPUTS = "The candidate's answers to the baseline's profiles are not of these outputs: measure it again."


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfilePair:
    """The profile of a unit of the baseline and that of its counterpart.

    Parameters
    ----------
    layer, unit : str
        The baseline's layer, and what the unit is called: a class, ``highest``, ``lowest``, or its
        index.
    counterpart : str
        The candidate's unit, ``layer:index``.
    baseline, candidate : np.ndarray
        ``(columns,)`` encoded rows.
    baseline_gains, candidate_gains : np.ndarray
        ``(columns,)``: by how much happiness falls where one column is typical instead.
    transfer : float
        How happy the baseline's profile makes the candidate: 0 as the typical row, 1 as its own
        profile; NaN for hidden units.
    correlation : float
        Of the two units' activations on the probe rows.
    """

    layer: str
    unit: str
    counterpart: str
    baseline: np.ndarray
    candidate: np.ndarray
    baseline_gains: np.ndarray
    candidate_gains: np.ndarray
    transfer: float
    correlation: float


def name_outputs(signature: TableSignature) -> tuple[str, ...]:
    """Return what the units of the decision are called: the classes, or ``highest`` and ``lowest`` answer."""
    return signature.class_names or _ENDS


def measure_profiles(
    baseline: TableSignature, candidate: TableSignature, layers: Sequence[TableLayer]
) -> tuple[Measured, tuple[ProfilePair, ...]]:
    """Return how happy the baseline's profiles make the candidate, and all pairs of profiles."""
    refusal = _refuse(baseline, candidate.exchange)
    transfers = np.full(len(name_outputs(baseline)), math.nan)
    if candidate.exchange is not None and not refusal:
        transfers = _transfer(candidate, candidate.exchange)
    item = _measure_transfer(baseline, candidate, transfers, refusal)
    pairs = [*_pair_decision(baseline, candidate, transfers)]
    for layer in layers[:-1]:
        if layer.candidate is not None:
            pairs += _pair_hidden(baseline, candidate, layer.baseline, layer.candidate)
    return item, tuple(pairs)


def _refuse(baseline: TableSignature, exchange: ProfileExchange | None) -> str:
    """Return why answers to profiles are not about the baseline's, or nothing."""
    if exchange is None:
        return _NOT_SHOWN
    if exchange.profiles_sha256 != baseline.profiles_sha256():
        return _OTHER_PROFILES
    shape = (len(name_outputs(baseline)),)
    return "" if exchange.happiness.shape == exchange.at_rest.shape == shape else _OTHER_OUTPUTS


def _transfer(network: TableSignature, exchange: ProfileExchange) -> np.ndarray:
    """Return ``(outputs,)``: 0 as happy as on the typical row, 1 as on the network's own profile.

    NaN for an output that its own profile makes no happier than the typical row.
    """
    own = np.asarray(network.happiness[network.decision.name], np.float64)
    shown, rest = (np.asarray(part, np.float64) for part in (exchange.happiness, exchange.at_rest))
    room = own - rest
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > 0, (shown - rest) / room, math.nan)


def _measure_transfer(
    baseline: TableSignature, candidate: TableSignature, transfers: np.ndarray, refusal: str
) -> Measured:
    metric, about = "profile_transfer", baseline.decision.name
    value = float(np.mean(transfers))
    ceiling = find_ceiling(baseline, metric, about)
    spread = steadiness(ceiling, fallback=METRICS[metric].spread or math.inf)
    floor = [
        float(np.mean(_transfer(twin, twin.exchange)))
        for twin in candidate.twins
        if twin.exchange is not None and not _refuse(baseline, twin.exchange)
    ]
    names = name_outputs(baseline)
    flat = [name for name, known in zip(names, np.isfinite(transfers), strict=True) if not known]
    says = f"The candidate's own profile of {', '.join(flat)} makes it no happier than the typical row."
    if not flat:
        order = np.argsort(transfers, kind="stable")[:6]
        worst = ", worst first" if len(names) > 2 else ""
        says = f"By output{worst}: {', '.join(f'{names[k]} {transfers[k]:.2f}' for k in order)}."
    return Measured(
        metric=metric,
        about=about,
        value=value,
        interval=(value - spread, value + spread) if math.isfinite(value) else None,
        n=len(names),
        evidence=refusal or says,
        floor=tuple(x for x in floor if math.isfinite(x)),
        ceiling=ceiling,
    )


def _pair_decision(baseline: TableSignature, candidate: TableSignature, transfers: np.ndarray) -> Iterator[ProfilePair]:
    one, other = baseline.decision, candidate.decision
    scores = correlate_units(baseline.features[one.name], candidate.features[other.name])
    for k, name in enumerate(name_outputs(baseline)):
        places = [_find_place(network, record, k) for network, record in ((baseline, one), (candidate, other))]
        if min(places) < 0:
            continue
        correlation = float(scores[k, k]) if k < min(scores.shape) else math.nan
        yield _pair(
            baseline,
            candidate,
            (one, other),
            (places[0], places[1]),
            unit=name,
            index=k,
            transfer=float(transfers[k]),
            correlation=correlation,
        )


def _pair_hidden(
    baseline: TableSignature, candidate: TableSignature, one: LayerRecord, other: LayerRecord
) -> Iterator[ProfilePair]:
    """Yield pairs among the units that have a profile, the most alike first."""
    left, right = baseline.units[one.name], candidate.units[other.name]
    scores = correlate_units(baseline.features[one.name], candidate.features[other.name])
    for pair in reversed(match(scores[np.ix_(left, right)], left, right).pairs):
        places = _find_place(baseline, one, pair.baseline), _find_place(candidate, other, pair.candidate)
        yield _pair(
            baseline,
            candidate,
            (one, other),
            places,
            unit=str(pair.baseline),
            index=pair.candidate,
            transfer=math.nan,
            correlation=pair.score,
        )


def _find_place(network: TableSignature, record: LayerRecord, unit: int) -> int:
    """Return where a unit stands among those of its layer that have a profile; -1 where it does not."""
    places = np.flatnonzero(network.units[record.name] == unit)
    return int(places[0]) if len(places) else -1


def _pair(
    baseline: TableSignature,
    candidate: TableSignature,
    records: tuple[LayerRecord, LayerRecord],
    places: tuple[int, int],
    *,
    unit: str,
    index: int,
    transfer: float,
    correlation: float,
) -> ProfilePair:
    one, other = records
    return ProfilePair(
        layer=one.name,
        unit=unit,
        counterpart=f"{other.name}:{index}",
        baseline=baseline.profiles[one.name][places[0]],
        candidate=candidate.profiles[other.name][places[1]],
        baseline_gains=baseline.gains[one.name][places[0]],
        candidate_gains=candidate.gains[other.name][places[1]],
        transfer=transfer,
        correlation=correlation,
    )
