"""Two signatures of networks on one table side by side: every metric of the difference, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelcheck.judgement.measured import Measured
from modelcheck.signature.table_record import TableSignature
from modelcheck.support.escaping import one_line_repr

__all__ = [
    "Drivers",
    "EffectComparison",
    "EffectGap",
    "GroupRates",
    "ProfilePair",
    "TableComparison",
    "compare_tables",
]


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
        ``(columns, 2)``: 95 % interval of the candidate's shares over rows.
    twins : np.ndarray
        ``(twins, columns)`` of the baseline's retrained twins.
    shuffled : mapping of str to np.ndarray
        By ``baseline`` and ``candidate``, ``(columns, 3)``: permutation importance, mean, lowest and
        highest over the shuffles.
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


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectComparison:
    """The effect of one column on the answers of both networks (accumulated local effects).

    Parameters
    ----------
    column : str
        The feature.
    grid : np.ndarray
        ``(k,)`` values of a column of numbers; positions of categories.
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
        numbers, in units of its standard deviation.
    interval : tuple of float
        95 % of the candidate's accuracy or error.
    """

    division: str
    population: str
    n: int
    measured: bool
    baseline: Mapping[str, float]
    candidate: Mapping[str, float]
    interval: tuple[float, float]


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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TableComparison:
    """Everything that two signatures of networks on one table say about each other.

    Parameters
    ----------
    baseline, candidate : TableSignature
        The two networks, always in this order; a change is candidate minus baseline.
    measures : mapping of (str, str) to Measured
        Every metric's value for everything it is about, by ``(metric, about)``, in a stable order.
    drivers : Drivers or None
        Which variables drive each network; None where no columns were exchanged.
    effects : tuple of EffectComparison
        One for each column.
    gaps : tuple of EffectGap
        One for each column and division.
    groups : tuple of GroupRates
        One for each sub-population, those of too few rows among them.
    profiles : tuple of ProfilePair
        Of the decision's units first, then of matched hidden units.
    """

    baseline: TableSignature
    candidate: TableSignature
    measures: Mapping[tuple[str, str], Measured]
    drivers: Drivers | None
    effects: tuple[EffectComparison, ...]
    gaps: tuple[EffectGap, ...]
    groups: tuple[GroupRates, ...]
    profiles: tuple[ProfilePair, ...]

    def __repr__(self) -> str:
        networks = f"{self.baseline.model['name']} -> {self.candidate.model['name']}"
        return one_line_repr("TableComparison", networks, f"{len(self.measures)} measures")

    @property
    def metrics(self) -> dict[str, float]:
        """Flat names, like ``driver_share[age]``, with their values; NaN where nothing could be measured."""
        return {item.key: item.value for item in self.measures.values()}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of whom or what the held-out rows are, in alphabetical order; none where the panel has no subjects."""
        return self.baseline.subjects

    @cached_property
    def confusions(self) -> Mapping[str, np.ndarray]:
        """By ``baseline`` and ``candidate``, ``(classes, classes)`` rows by true class and answer; {} for numbers."""
        sides = {"baseline": self.baseline, "candidate": self.candidate} if self.baseline.class_names else {}
        return {role: _count_answers(signature) for role, signature in sides.items()}

    @property
    def conversion(self) -> None:
        """Nothing: no file that ships is read on a table."""
        return


def _count_answers(signature: TableSignature) -> np.ndarray:
    counts = np.zeros((len(signature.class_names),) * 2, np.int64)
    np.add.at(counts, (np.asarray(signature.rows["truth"]), signature.scores.argmax(axis=1)), 1)
    return counts


def compare_tables(
    baseline: TableSignature, candidate: TableSignature, *, layers: Mapping[str, str | None] | None = None
) -> TableComparison:
    """Compare two signatures that were measured alike on a table."""
    raise NotImplementedError
