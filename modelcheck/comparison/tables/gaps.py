"""Whether the candidate's effect of a column is the same in every sub-population."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.tables.effects import read_changes
from modelcheck.comparison.tables.twins import find_bad_answers, find_ceiling, leave_unmeasured, say_twins
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.tables import Gap, LocalChanges, adjust_holm, measure_gaps, measure_view_spread, view_scores
from modelcheck.panel.populations import list_populations
from modelcheck.signature import TableSignature

__all__ = ["EffectGap", "list_divisions", "measure_effect_gaps", "number_groups"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectGap:
    """The candidate's effect of one column in each sub-population of a division, on common support.

    Parameters
    ----------
    column, division : str
        The feature, and what divides the rows.
    populations : tuple of str
        Those that are compared, each of enough rows.
    counts : tuple of int
        Their rows.
    grid : np.ndarray
        ``(k,)`` as in `EffectComparison`: where every population has rows.
    curves : np.ndarray
        ``(populations, k, views)`` centred on the common support.
    gap, baseline_gap : float
        Root mean square distance between the two populations that differ most, over the pooled
        standard deviation of the answers, less what permuted groups give; NaN where it could not be
        measured.
    p, p_adjusted : float
        Of the gap under permuted groups, and after Holm's correction over all columns of the division.
    """

    column: str
    division: str
    populations: tuple[str, ...]
    counts: tuple[int, ...]
    grid: np.ndarray
    curves: np.ndarray
    gap: float
    baseline_gap: float
    p: float
    p_adjusted: float


def list_divisions(signature: TableSignature) -> dict[str, tuple[str, ...]]:
    """Return the measured sub-populations of each division that has at least two."""
    found = list_populations(signature.groups)
    measured = set(found.measured)
    return {
        name: tuple(word for word in sorted(set(signature.groups[name].tolist())) if f"{name}={word}" in measured)
        for name in found.divisions
    }


def number_groups(signature: TableSignature, division: str, populations: Sequence[str]) -> np.ndarray:
    """Return ``(rows,)`` the position of each row's sub-population among some, -1 for a row of none."""
    places = {name: k for k, name in enumerate(populations)}
    return np.array([places.get(word, -1) for word in signature.groups[division].tolist()], np.int64)


def measure_effect_gaps(
    baseline: TableSignature, candidate: TableSignature
) -> tuple[list[Measured], tuple[EffectGap, ...]]:
    """Return how far the candidate's effects differ between sub-populations, and the curves.

    Returns
    -------
    measures : list of Measured
        ``effect_gap`` of every column and division of another name; NaN with the reason where there is none.
    gaps : tuple of EffectGap
        One for each of them that the candidate was asked about.
    """
    measures: list[Measured] = []
    found: list[EffectGap] = []
    for division, populations in list_divisions(baseline).items():
        names = [column.name for column in baseline.columns if column.name != division]
        groups = number_groups(baseline, division, populations)
        own = _measure_network(candidate, names, groups, independent=baseline.independent, tested=True)
        before = _measure_network(baseline, names, groups, independent=baseline.independent, tested=False)
        adjusted = dict(zip(own, adjust_holm([gap.p for gap in own.values()]), strict=True))
        units = [_find_unit(network) for network in (baseline, candidate)]
        for name in names:
            about = f"{name}|{division}"
            why = find_bad_answers(baseline, candidate)
            if why or name not in own:
                why = why or _say_unread(candidate, name)
                measures += leave_unmeasured("effect_gap", [about], why)
                continue
            gap = EffectGap(
                column=name,
                division=division,
                populations=populations,
                counts=tuple(int((groups == k).sum()) for k in range(len(populations))),
                grid=own[name].grid,
                curves=own[name].curves,
                gap=own[name].value / units[1],
                baseline_gap=before[name].value / units[0] if name in before else math.nan,
                p=own[name].p,
                p_adjusted=adjusted[name],
            )
            found.append(gap)
            measures.append(_measure(baseline, gap, own[name], units[1], tests=len(own)))
    return measures, tuple(found)


def _find_unit(network: TableSignature) -> float:
    spread = measure_view_spread(view_scores(network.scores))
    return spread if spread > 0 else math.nan


def _measure_network(
    network: TableSignature, names: Sequence[str], groups: np.ndarray, *, independent: np.ndarray, tested: bool
) -> dict[str, Gap]:
    columns = dict(_read_columns(network, names, rows=len(groups)))
    return measure_gaps(columns, groups, independent, tested=tested, seed=network.recipe.seed)


def _read_columns(network: TableSignature, names: Sequence[str], *, rows: int) -> Iterator[tuple[str, LocalChanges]]:
    """Yield those columns whose effect can be read."""
    for column in network.columns:
        effect = network.effects.get(column.name)
        if column.name not in names or effect is None or len(effect.bins) != rows:
            continue
        if np.isfinite(effect.changes).all():
            yield column.name, read_changes(effect, column)


def _say_unread(candidate: TableSignature, name: str) -> str:
    if name not in candidate.effects:
        return "The candidate was not asked for its effect of this variable: measure it again."
    return "The candidate answers NaN or infinity where this variable is changed. Look at its weights."


def _measure(baseline: TableSignature, gap: EffectGap, own: Gap, unit: float, *, tests: int) -> Measured:
    about, n = f"{gap.column}|{gap.division}", sum(gap.counts)
    ceiling = find_ceiling(baseline, "effect_gap", about)
    why = ""
    if not math.isfinite(unit):
        why = "The candidate answers every row alike."
    elif not math.isfinite(own.value):
        why = f"There is no value of it at which {', '.join(gap.populations)} all have at least three rows."
    if why:
        # Where the panel has no common support, as of age between age bands, no network is at fault.
        silent = math.isfinite(unit)
        return Measured(metric="effect_gap", about=about, value=math.nan, n=n, evidence=why, silent=silent)
    far = " and ".join(f"{gap.division}={gap.populations[k]}" for k in own.pair)
    return Measured(
        metric="effect_gap",
        about=about,
        value=gap.gap,
        interval=(own.interval[0] / unit, own.interval[1] / unit),
        baseline=gap.baseline_gap if math.isfinite(gap.baseline_gap) else None,
        n=n,
        evidence=f"Furthest apart are {far}: p = {gap.p:.3f} under permuted groups, {gap.p_adjusted:.3f} after Holm's "
        f"correction over {tests} variables. {say_twins('gaps', ceiling)}",
        ceiling=ceiling,
    )
