"""How right two networks are about each sub-population, and how far sub-populations differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.answers import read_truth
from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.metric import CLASSES, NUMBERS
from modelcheck.comparison.tables.gaps import list_divisions, number_groups
from modelcheck.comparison.tables.twins import find_bad_answers, find_ceiling, leave_unmeasured
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate
from modelcheck.metrics.tables import (
    Difference,
    compute_errors,
    compute_rates,
    find_difference,
    find_error_difference,
    measure_share,
    root_mean_square,
)
from modelcheck.panel.populations import list_populations
from modelcheck.signature import TableSignature

__all__ = ["GroupRates", "measure_groups"]

_RATES = {True: ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"), False: ("accuracy",)}


@dataclass(frozen=True, kw_only=True)
class GroupRates:
    """How right both networks are about one sub-population.

    Parameters
    ----------
    division, population : str
        What divides the rows, and which part it is.
    n : int
        Its rows.
    measured : bool
        Whether it has enough rows to be measured.
    baseline, candidate : mapping of str to float
        By rate in fairlearn's words: ``accuracy``, ``selection_rate``, ``true_positive_rate``,
        ``false_positive_rate`` of two classes; ``accuracy`` of more; ``error`` for a target of
        numbers, in units of its standard deviation. NaN where it is not measured.
    interval : tuple of float
        95 % of the candidate's accuracy or error; NaN where it is not measured.
    """

    division: str
    population: str
    n: int
    measured: bool
    baseline: Mapping[str, float]
    candidate: Mapping[str, float]
    interval: tuple[float, float]


def measure_groups(
    baseline: TableSignature, candidate: TableSignature
) -> tuple[list[Measured], tuple[GroupRates, ...]]:
    """Return how right the candidate is about each sub-population, and how far those differ.

    Returns
    -------
    measures : list of Measured
        Every metric of the area that is asked of such a target; NaN with the reason where there is none.
    groups : tuple of GroupRates
        One for each sub-population, those of too few rows among them.
    """
    of = CLASSES if baseline.class_names else NUMBERS
    found = list_populations(baseline.groups)
    why = find_bad_answers(baseline, candidate)
    if of == NUMBERS and not why and not np.std(read_truth(baseline)) > 0:
        why = "The target is the same in every row: its errors have no unit."
    if why:
        return list(_leave_all(baseline, found.measured, found.divisions, of=of, why=why)), _list_unmeasured(baseline)
    if of == CLASSES:
        return _measure_classes(baseline, candidate, found.measured)
    return _measure_numbers(baseline, candidate, found.measured)


def _leave_all(
    baseline: TableSignature, populations: Sequence[str], divisions: Sequence[str], *, of: str, why: str
) -> Iterator[Measured]:
    for metric, row in METRICS.items():
        asked = not row.two_classes or len(baseline.class_names) == 2
        if row.area == "populations" and of in row.of and asked:
            yield from leave_unmeasured(metric, populations if row.about == "population" else divisions, why)


def _each(baseline: TableSignature) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield every sub-population with its division and which rows belong to it."""
    for division, words in baseline.groups.items():
        for name in sorted(set(words.tolist())):
            yield division, name, words == name


def _list_unmeasured(baseline: TableSignature) -> tuple[GroupRates, ...]:
    return tuple(_leave_out(baseline, division, name, int(here.sum())) for division, name, here in _each(baseline))


def _leave_out(baseline: TableSignature, division: str, name: str, n: int) -> GroupRates:
    names = _RATES[len(baseline.class_names) == 2] if baseline.class_names else ("error",)
    nothing = dict.fromkeys(names, math.nan)
    return GroupRates(
        division=division,
        population=name,
        n=n,
        measured=False,
        baseline=nothing,
        candidate=nothing,
        interval=(math.nan, math.nan),
    )


def _measure_populations(
    baseline: TableSignature,
    measured: Sequence[str],
    *,
    metric: str,
    rate: Callable[[np.ndarray], Rate],
    sides: Sequence[Callable[[np.ndarray], dict[str, float]]],
    says: Callable[[np.ndarray], str],
) -> tuple[list[Measured], tuple[GroupRates, ...]]:
    """Return the first rate of each sub-population as a measure, and all of them for people."""
    measures, groups = [], []
    for division, name, here in _each(baseline):
        about, n = f"{division}={name}", int(here.sum())
        if about not in measured:
            groups.append(_leave_out(baseline, division, name, n))
            continue
        own = rate(here)
        before, after = (side(here) for side in sides)
        groups.append(
            GroupRates(
                division=division,
                population=name,
                n=n,
                measured=True,
                baseline=before,
                candidate=after,
                interval=own.interval,
            )
        )
        measures.append(
            Measured(
                metric=metric,
                about=about,
                value=own.value,
                interval=own.interval,
                baseline=next(iter(before.values())),
                n=n,
                evidence=says(here),
                ceiling=find_ceiling(baseline, metric, about),
            )
        )
    return measures, tuple(groups)


def _measure_classes(
    baseline: TableSignature, candidate: TableSignature, measured: Sequence[str]
) -> tuple[list[Measured], tuple[GroupRates, ...]]:
    truth, n_classes, independent = read_truth(baseline), len(baseline.class_names), baseline.independent
    before, after = (network.scores.argmax(axis=1) for network in (baseline, candidate))
    measures, groups = _measure_populations(
        baseline,
        measured,
        metric="by_group_accuracy",
        rate=lambda here: measure_share((after == truth)[here], independent[here]),
        sides=[
            lambda here: compute_rates(truth[here], before[here], n_classes=n_classes),
            lambda here: compute_rates(truth[here], after[here], n_classes=n_classes),
        ],
        says=lambda here: f"{int((after != truth)[here].sum())} of {int(here.sum())} rows are answered wrong.",
    )
    for division, populations in list_divisions(baseline).items():
        numbers = number_groups(baseline, division, populations)

        def differ(
            hits: np.ndarray, counted: np.ndarray, numbers: np.ndarray = numbers, k: int = len(populations)
        ) -> Difference:
            return find_difference(hits, counted, numbers, independent, n_groups=k)

        everything = np.ones(len(truth), bool)
        own, old = (differ(side == truth, everything) for side in (after, before))
        measures.append(_say_difference(baseline, "accuracy_difference", division, populations, own, old))
        if n_classes != 2:
            continue
        own, old = (differ(side == 1, everything) for side in (after, before))
        measures.append(_say_difference(baseline, "demographic_parity_difference", division, populations, own, old))
        odds = [
            {rate: differ(side == 1, truth == label) for rate, label in (("true", 1), ("false", 0))}
            for side in (before, after)
        ]
        absent = [
            f"{division}={name} has no row of {baseline.class_names[label]!r}"
            for label in (0, 1)
            for k, name in enumerate(populations)
            if not ((numbers == k) & (truth == label)).any()
        ]
        measures.append(_measure_odds(baseline, division, populations, odds, absent))
    return measures, groups


def _say_difference(
    baseline: TableSignature,
    metric: str,
    division: str,
    populations: Sequence[str],
    own: Difference,
    old: Difference,
    *,
    what: str = "",
) -> Measured:
    low, high = (f"{division}={populations[k]}" for k in (own.lowest, own.highest))
    return Measured(
        metric=metric,
        about=division,
        value=own.value,
        interval=own.interval,
        baseline=old.value,
        n=len(populations),
        evidence=f"{what}Lowest for {low}, highest for {high}.",
        ceiling=find_ceiling(baseline, metric, division),
    )


def _measure_odds(
    baseline: TableSignature,
    division: str,
    populations: Sequence[str],
    odds: Sequence[Mapping[str, Difference]],
    absent: Sequence[str],
) -> Measured:
    metric = "equalized_odds_difference"
    if absent:
        why = f"{absent[0]}: its rates are not known."
        return Measured(metric=metric, about=division, value=math.nan, n=len(populations), evidence=why)
    before, after = odds
    worst = max(after, key=lambda rate: after[rate].value)
    old = before[max(before, key=lambda rate: before[rate].value)]
    # Of the larger of two the interval begins where the larger lower end is, and ends at the larger upper end.
    ends = max(part.interval[0] for part in after.values()), max(part.interval[1] for part in after.values())
    own = Difference(value=after[worst].value, interval=ends, lowest=after[worst].lowest, highest=after[worst].highest)
    what = f"The {worst} positive rate differs most. "
    return _say_difference(baseline, metric, division, populations, own, old, what=what)


def _measure_numbers(
    baseline: TableSignature, candidate: TableSignature, measured: Sequence[str]
) -> tuple[list[Measured], tuple[GroupRates, ...]]:
    truth, independent = read_truth(baseline), baseline.independent
    before, after = (compute_errors(truth, network.scores[:, 0]) for network in (baseline, candidate))

    def side(errors: np.ndarray) -> Callable[[np.ndarray], dict[str, float]]:
        return lambda here: {"error": root_mean_square(errors[here], independent[here]).value}

    measures, groups = _measure_populations(
        baseline,
        measured,
        metric="by_group_error",
        rate=lambda here: root_mean_square(after[here], independent[here]),
        sides=[side(before), side(after)],
        says=lambda here: f"The mean error is {after[here].mean():+.2f} standard deviations of the target.",
    )
    for division, populations in list_divisions(baseline).items():
        numbers = number_groups(baseline, division, populations)
        own, old = (
            find_error_difference(errors, numbers, independent, n_groups=len(populations)) for errors in (after, before)
        )
        measures.append(_say_difference(baseline, "error_difference", division, populations, own, old))
    return measures, groups
