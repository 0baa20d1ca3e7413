"""Which variables drive two networks: what is lost where a column of a row is exchanged for another row's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.lineage import select_clean_networks
from modelcheck.comparison.tables.twins import find_ceiling, leave_unmeasured, say_twins
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import steadiness
from modelcheck.metrics.exchanges import Apart, compute_strengths, find_distance, map_strengths
from modelcheck.metrics.tables import correlate_ranks, draw_shares, find_ends
from modelcheck.signature import TableSignature

__all__ = ["Drivers", "measure_drivers"]

# What training again moves the exchange map, where no twins say it, and by which factor that may be wrong.
_USUAL, _UNSURE = 0.15, 2.0
_MIN_TWINS = 2
_NAMED = 3  # drivers that a sentence names


class DriversError(ValueError):
    """Answers to exchanged columns that cannot be compared; the message is a sentence for the report."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drivers:
    """Which variables drive each network: shares of the evidence that is lost where a column is exchanged.

    Parameters
    ----------
    columns : tuple of str
        The features, in the panel's order.
    baseline, candidate : np.ndarray
        ``(columns,)`` shares that sum to 1.
    intervals : np.ndarray
        ``(columns, 2)``: 95 % interval of the candidate's shares over what is independent.
    twins : np.ndarray
        ``(twins, columns)`` of the baseline's retrained twins.
    shuffled : mapping of str to np.ndarray
        By ``baseline`` and ``candidate``, ``(columns, 3)``: permutation importance, mean, lowest and
        highest over the shuffles; none where the recipe asks for no shuffles.
    relevance : mapping of str to np.ndarray
        By attribution method, ``(2, columns)``: shares of the mean absolute relevance, baseline and
        candidate; none for networks with named inputs.
    """

    columns: tuple[str, ...]
    baseline: np.ndarray
    candidate: np.ndarray
    intervals: np.ndarray
    twins: np.ndarray
    shuffled: Mapping[str, np.ndarray]
    relevance: Mapping[str, np.ndarray]


def measure_drivers(baseline: TableSignature, candidate: TableSignature) -> tuple[list[Measured], Drivers | None]:
    """Return what drives the candidate, beside the baseline.

    Returns
    -------
    measures : list of Measured
        Every metric of the area; NaN with the reason where there is none.
    drivers : Drivers or None
        The shares; None where no columns were exchanged.
    """
    names = tuple(column.name for column in baseline.columns)
    try:
        before = _read_strengths(baseline, baseline, who="The baseline", again="modelcheck approve --help")
        after = _read_strengths(candidate, baseline, who="The candidate", again="measure it again")
    except DriversError as error:
        return list(_leave_all(names, str(error))), None
    independent = baseline.independent[baseline.exchanges["rows"]]
    drawn = [draw_shares(strengths, independent) for strengths in (before, after)]
    drivers = Drivers(
        columns=names,
        baseline=drawn[0][0],
        candidate=drawn[1][0],
        intervals=find_ends(drawn[1]),
        twins=_map_twins(baseline),
        shuffled=_summarise_shuffles(baseline, candidate),
        relevance=_share_relevance(baseline, candidate),
    )
    measures = [
        _measure_distance(baseline, candidate, before, after, independent),
        _measure_ranks(baseline, candidate, drivers),
        *_measure_columns(baseline, drivers, drawn, n=len(after)),
    ]
    return measures, drivers


def _leave_all(names: Sequence[str], why: str) -> Iterator[Measured]:
    for metric, row in METRICS.items():
        if row.area == "drivers":
            yield from leave_unmeasured(metric, names if row.about == "column" else [""], why)


def _read_strengths(network: TableSignature, baseline: TableSignature, *, who: str, again: str) -> np.ndarray:
    """Return ``(rows, columns)`` strengths; refuse what cannot be compared."""
    if baseline.recipe.exchange_rows == 0:
        raise DriversError("No columns were exchanged: the recipe has exchange_rows = 0.")
    if not baseline.exchanges or not len(baseline.exchanges["rows"]):
        raise DriversError("No columns were exchanged: all rows of the panel are of one class, or there is one alone.")
    shown = [
        bool(network.exchanges) and np.array_equal(network.exchanges[part], baseline.exchanges[part])
        for part in ("rows", "donors")
    ]
    if not all(shown):
        raise DriversError(f"{who} was not shown these exchanged rows: {again}.")
    falls = network.exchanges["falls"]
    bad = int((~np.isfinite(falls)).sum())
    if bad:
        raise DriversError(f"{who} answers NaN or infinity on {bad} of {falls.size} exchanged rows.")
    strengths = compute_strengths(falls)
    if not strengths.any():
        raise DriversError(f"{who} answers every row as before, whatever is put into it: nothing drives it.")
    return strengths


def _map_twins(baseline: TableSignature) -> np.ndarray:
    """Return ``(twins, columns)`` shares of the retrained twins of which they can be read."""
    found = [map_strengths(strengths) for strengths in _read_others(baseline, baseline.twins_like(baseline))]
    return np.array(found).reshape(len(found), len(baseline.columns))


def _read_others(baseline: TableSignature, networks: Sequence[TableSignature]) -> list[np.ndarray]:
    """Return the strengths of those networks of which they can be read."""
    found = []
    for network in networks:
        try:
            found.append(_read_strengths(network, baseline, who="A twin", again="measure it again"))
        except DriversError:
            continue
    return found


def _measure_distance(
    baseline: TableSignature,
    candidate: TableSignature,
    before: np.ndarray,
    after: np.ndarray,
    independent: np.ndarray,
) -> Measured:
    """Return how far the candidate's exchange map is from the mean of the baseline's and its twins'."""
    alike = candidate.same_architecture(baseline)
    twins = select_clean_networks(baseline, candidate) if alike else baseline.twins_like(baseline)
    again = "modelcheck calibrate --help"
    try:
        others = [
            _read_strengths(twin, baseline, who="A retrained twin of the baseline", again=again) for twin in twins
        ]
    except DriversError as error:
        return Measured(metric="driver_distance", value=math.nan, evidence=str(error))
    references = [[before], *([strengths] for strengths in others)]
    apart = find_distance([after], references, independent=independent)
    calibrated = len(others) >= _MIN_TWINS
    if calibrated and not math.isfinite(apart.ratio):
        return Measured(
            metric="driver_distance",
            value=math.nan,
            evidence="The baseline and its twins have the same exchange map: nothing says what training again moves. "
            f"Give it twins that were trained from other seeds: {again}",
        )
    scale = float(apart.references.mean()) if calibrated else _USUAL
    value = apart.ratio if calibrated else apart.distance / scale
    floor = _read_others(baseline, candidate.twins)
    return Measured(
        metric="driver_distance",
        value=value,
        interval=apart.ratio_interval if calibrated else (value / _UNSURE, value * _UNSURE),
        baseline=float(apart.references[0]) / scale if calibrated else None,
        n=len(after),
        evidence=_say_distance(apart, twins=len(others), calibrated=calibrated),
        floor=tuple(find_distance([twin], references).distance / scale for twin in floor),
        ceiling=tuple(float(distance) / scale for distance in apart.references) if calibrated else (),
    )


def _say_distance(apart: Apart, *, twins: int, calibrated: bool) -> str:
    if calibrated:
        low, high = apart.references.min(), apart.references.max()
        return (
            f"The shares of the variables differ from the mean of the baseline and its {twins} twins by "
            f"{apart.distance:.3f} in sum, and those of each of these from the others by {low:.3f} to {high:.3f}."
        )
    beside = " and its twin" if twins else ""
    return (
        f"Uncalibrated: the shares of the variables differ from the baseline's{beside} by {apart.distance:.3f} in sum, "
        f"and training again is taken to move {_USUAL:.2f}, which is another number for every task. Two retrained "
        "twins say it: modelcheck calibrate --help"
    )


def _measure_ranks(baseline: TableSignature, candidate: TableSignature, drivers: Drivers) -> Measured:
    """Return how alike the two networks rank what drives them."""
    metric = "driver_rank_agreement"
    value, n = correlate_ranks(drivers.baseline, drivers.candidate)
    ceiling = find_ceiling(baseline, metric)
    spread = steadiness(ceiling, fallback=METRICS[metric].spread or math.inf)
    known = math.isfinite(value)
    floor = [
        correlate_ranks(drivers.baseline, map_strengths(strengths))[0]
        for strengths in _read_others(baseline, candidate.twins)
    ]
    says = f"Strongest first: {_name_first(drivers, drivers.baseline)} in the baseline, "
    says += f"{_name_first(drivers, drivers.candidate)} in the candidate."
    if not known:
        says = "All variables that drive one of the networks drive it alike: they have no order."
    return Measured(
        metric=metric,
        value=value,
        interval=(max(value - spread, -1.0), min(value + spread, 1.0)) if known else None,
        n=n,
        evidence=says,
        floor=tuple(floor),
        ceiling=ceiling,
    )


def _name_first(drivers: Drivers, shares: np.ndarray) -> str:
    return ", ".join(drivers.columns[k] for k in np.argsort(-shares, kind="stable")[:_NAMED])


def _measure_columns(
    baseline: TableSignature, drivers: Drivers, drawn: Sequence[np.ndarray], *, n: int
) -> Iterator[Measured]:
    """Yield each variable's share of the candidate's evidence, and the change from the baseline."""
    changes = drawn[1] - drawn[0]
    ends = find_ends(changes)
    for k, name in enumerate(drivers.columns):
        twins = tuple(float(share) for share in drivers.twins[:, k])
        yield Measured(
            metric="driver_share",
            about=name,
            value=float(drivers.candidate[k]),
            interval=(float(drivers.intervals[k, 0]), float(drivers.intervals[k, 1])),
            baseline=float(drivers.baseline[k]),
            n=n,
            evidence=say_twins("shares", twins),
            ceiling=twins,
        )
        moved = tuple(share - float(drivers.baseline[k]) for share in twins)
        yield Measured(
            metric="driver_change",
            about=name,
            value=float(changes[0, k]),
            interval=(float(ends[k, 0]), float(ends[k, 1])),
            n=n,
            evidence=say_twins("changes", moved),
            ceiling=moved,
        )


def _summarise_shuffles(baseline: TableSignature, candidate: TableSignature) -> dict[str, np.ndarray]:
    sides = {"baseline": baseline.shuffled, "candidate": candidate.shuffled}
    return {
        role: np.stack([values.mean(axis=1), values.min(axis=1), values.max(axis=1)], axis=1).astype(np.float64)
        for role, values in sides.items()
        if values.size and np.isfinite(values).all()
    }


def _share_relevance(baseline: TableSignature, candidate: TableSignature) -> dict[str, np.ndarray]:
    found = {}
    for method in baseline.relevance:
        if method in candidate.relevance:
            sides = [np.abs(network.relevance[method]).mean(axis=0) for network in (baseline, candidate)]
            with np.errstate(divide="ignore", invalid="ignore"):
                found[method] = np.stack([side / side.sum() for side in sides])
    return found
