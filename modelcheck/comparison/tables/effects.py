"""How each column moves the answers of two networks: their effects beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.tables.twins import find_bad_answers, find_ceiling, leave_unmeasured, say_twins
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.tables import (
    LocalChanges,
    accumulate_effect,
    find_curve_distance,
    measure_effect_change,
    measure_view_spread,
    view_scores,
)
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.signature import LocalEffect, TableSignature

__all__ = ["EffectComparison", "measure_effects", "name_views", "read_changes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectComparison:
    """The effect of one column on the answers of both networks (accumulated local effects).

    Parameters
    ----------
    column : str
        The feature.
    grid : np.ndarray
        ``(k,)`` where the rows of each part of a column of numbers lie on average; positions of
        categories.
    weights : np.ndarray
        ``(k,)`` share of the rows that stand at each, summing to 1.
    baseline, candidate : np.ndarray
        ``(k, views)`` centred curves in units of the scores. Two classes have one view: by how much
        the second leads; more classes one each; a target of numbers one.
    views : tuple of str
        What each view is called: a class, or the target.
    change : float
        Root mean square distance between the two, over the pooled standard deviation of the answers.
    twins : tuple of float
        The same of each retrained twin of the baseline.
    """

    column: str
    grid: np.ndarray
    weights: np.ndarray
    baseline: np.ndarray
    candidate: np.ndarray
    views: tuple[str, ...]
    change: float
    twins: tuple[float, ...]


def name_views(signature: TableSignature) -> tuple[str, ...]:
    """Return what the views of answers are called: the second of two classes, all of more, or the target."""
    names = signature.class_names
    return names[1:] if len(names) == 2 else names or (signature.target,)


def read_changes(effect: LocalEffect, column: Column) -> LocalChanges:
    """Return how the views of a network's answers change with one column of each row."""
    edges = effect.edges if column.kind is ColumnKind.NUMBER else None
    return LocalChanges(bins=np.asarray(effect.bins), changes=view_scores(effect.changes), edges=edges)


def measure_effects(
    baseline: TableSignature, candidate: TableSignature
) -> tuple[list[Measured], tuple[EffectComparison, ...]]:
    """Return how far the two networks' effects of each column are apart, and the curves.

    Returns
    -------
    measures : list of Measured
        ``effect_change`` of every column; NaN with the reason where there is none.
    effects : tuple of EffectComparison
        One for each column that both networks were asked about.
    """
    spread = measure_view_spread(view_scores(baseline.scores), view_scores(candidate.scores))
    measures: list[Measured] = []
    found: list[EffectComparison] = []
    for column in baseline.columns:
        why = find_bad_answers(baseline, candidate) or _refuse(baseline, candidate, column.name)
        if why:
            measures += leave_unmeasured("effect_change", [column.name], why)
            continue
        found.append(_compare(baseline, candidate, column, spread))
        measures.append(_measure(baseline, candidate, column, found[-1], spread))
    return measures, tuple(found)


def _refuse(baseline: TableSignature, candidate: TableSignature, name: str) -> str:
    """Return why the two effects of a column cannot be compared; empty where they can."""
    for who, network in (("The candidate", candidate), ("The baseline", baseline)):
        if name not in network.effects:
            return f"{who} was not asked for its effect of this variable: measure it again."
        changes = network.effects[name].changes
        if not np.isfinite(changes).all():
            bad = int((~np.isfinite(changes)).sum())
            return f"{who} answers NaN or infinity on {bad} of {changes.size} changed rows. Look at its weights."
    one, other = baseline.effects[name], candidate.effects[name]
    same = np.array_equal(one.edges, other.edges) and np.array_equal(one.bins, other.bins)
    return "" if same else "The two networks were asked for it in other parts of its range: measure both again."


def _compare(baseline: TableSignature, candidate: TableSignature, column: Column, spread: float) -> EffectComparison:
    curves = [
        accumulate_effect(side.bins, side.changes, edges=side.edges) for side in _read(baseline, candidate, column)
    ]
    distance = find_curve_distance(curves[0].values, curves[1].values, curves[0].weights)
    return EffectComparison(
        column=column.name,
        grid=curves[0].grid,
        weights=curves[0].weights,
        baseline=curves[0].values,
        candidate=curves[1].values,
        views=name_views(baseline),
        change=distance / spread if spread > 0 else math.nan,
        twins=find_ceiling(baseline, "effect_change", column.name),
    )


def _read(baseline: TableSignature, candidate: TableSignature, column: Column) -> list[LocalChanges]:
    return [read_changes(network.effects[column.name], column) for network in (baseline, candidate)]


def _measure(
    baseline: TableSignature, candidate: TableSignature, column: Column, effect: EffectComparison, spread: float
) -> Measured:
    n = int((baseline.effects[column.name].bins >= 0).sum())
    why = "Both networks answer every row alike." if not spread > 0 else "" if n else "It is missing in every row."
    if why:
        return Measured(metric="effect_change", about=column.name, value=math.nan, n=n, evidence=why)
    before, after = _read(baseline, candidate, column)
    _, (low, high) = measure_effect_change(before, after, baseline.independent)
    return Measured(
        metric="effect_change",
        about=column.name,
        value=effect.change,
        interval=(min(low / spread, effect.change), max(high / spread, effect.change)),
        n=n,
        evidence=say_twins("changes", effect.twins),
        floor=tuple(_measure_floor(baseline, candidate, column)),
        ceiling=effect.twins,
    )


def _measure_floor(baseline: TableSignature, candidate: TableSignature, column: Column) -> Iterator[float]:
    """Yield the same of the candidate's untrained twins, those that can be compared."""
    for twin in candidate.twins:
        if find_bad_answers(baseline, twin) or _refuse(baseline, twin, column.name):
            continue
        spread = measure_view_spread(view_scores(baseline.scores), view_scores(twin.scores))
        change = _compare(baseline, twin, column, spread).change
        if math.isfinite(change):
            yield change
