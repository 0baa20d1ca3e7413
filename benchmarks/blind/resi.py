"""The scores of ReSi (Klabunde et al., ICLR 2025): how well a measure tells alike networks from others.

A measure is given as a table ``(networks, networks)`` of similarities, more being more alike, as
`representations.compare_all` returns it. Definitions are those of ReSi's code but for two:

* A pair without a value counts against the measure; ReSi leaves it out.
* Chance is what a random order is expected to reach. ReSi's readers take the share of positives for
  it, 10 of 60, which is a little low: of so few pairs a random order reaches 0.219 on average.

Intervals resample the networks of each group, not pairs: pairs share networks, so that an interval
over pairs would be too narrow. A pair of a network with its own copy is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr, softmax
from scipy.stats import rankdata

__all__ = [
    "Estimate",
    "GroupScores",
    "chance_precision",
    "compare_groups",
    "correlate",
    "disagreement",
    "divergence",
    "score_groups",
    "score_layers",
]

_DRAWS, _SEED = 2000, 0


class Estimate(NamedTuple):
    """A value with its 95 % interval over networks, and how many networks it rests on."""

    value: float
    low: float
    high: float
    n: int


class GroupScores(NamedTuple):
    """How well a measure keeps groups apart (ReSi's tests 3 to 5), averaged over groups.

    Parameters
    ----------
    auprc : Estimate
        Area under precision and recall, pairs within a group being the positives: 1 is perfect.
    violation_rate : Estimate
        Share of (within, across) pairs of pairs in which the one within is not more alike: 0 is perfect.
    chance : float
        The AUPRC that a random order is expected to have.
    within, across : int
        How many pairs there are of each, summed over groups.
    """

    auprc: Estimate
    violation_rate: Estimate
    chance: float
    within: int
    across: int


def score_groups(table: np.ndarray, groups: Sequence[object], *, draws: int = _DRAWS, seed: int = _SEED) -> GroupScores:
    """Return how well similarities keep groups of networks apart.

    Parameters
    ----------
    table : np.ndarray
        ``(networks, networks)`` similarities, ``[i, j]`` of i with j.
    groups : sequence
        ``(networks,)`` the group of each: at least two groups, of at least two networks each.
    draws, seed : int
        Of the bootstrap.
    """
    weights = _draw_weights(groups, draws=draws, seed=seed)
    auprc, violations, counts = _score(table, groups, weights)
    chance = float(np.mean([chance_precision(within, across) for within, across in counts]))
    within, across = (sum(column) for column in zip(*counts, strict=True))
    return GroupScores(_estimate(auprc, len(table)), _estimate(violations, len(table)), chance, within, across)


def compare_groups(
    one: np.ndarray, other: np.ndarray, groups: Sequence[object], *, draws: int = _DRAWS, seed: int = _SEED
) -> Estimate:
    """Return by how much one measure's AUPRC exceeds another's, on the same draws of networks."""
    weights = _draw_weights(groups, draws=draws, seed=seed)
    return _estimate(_score(one, groups, weights)[0] - _score(other, groups, weights)[0], len(one))


def chance_precision(within: int, across: int) -> float:
    """Return the average precision that a random order of so many positives and negatives is expected to have.

    Of `n` places the one at rank k holds a positive in ``within / n`` of the orders, and then the
    k - 1 before it hold a share ``(within - 1) / (n - 1)`` of positives on average.
    """
    n = within + across
    if n < 2:
        return 1.0
    share, harmonic = (within - 1) / (n - 1), float(np.sum(1 / np.arange(1, n + 1)))
    return share + (1 - share) * harmonic / n


def correlate(table: np.ndarray, changes: np.ndarray, *, draws: int = _DRAWS, seed: int = _SEED) -> Estimate:
    """Return Spearman's correlation of dissimilarity with a difference in behaviour (ReSi's tests 1 and 2).

    Parameters
    ----------
    table : np.ndarray
        ``(networks, networks)`` similarities of networks of one recipe.
    changes : np.ndarray
        ``(networks, networks)`` symmetric differences: of accuracy, `disagreement` or `divergence`.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate
        1 where the less alike two networks are, the less alike they answer. NaN where a similarity
        is missing or all are the same.
    """
    weights = _draw_weights([0] * len(table), draws=draws, seed=seed)
    symmetric = np.array_equal(table, table.T, equal_nan=True)
    rows, columns = np.triu_indices(len(table), 1) if symmetric else np.nonzero(~np.eye(len(table), dtype=bool))
    times = weights[:, rows] * weights[:, columns]
    one, other = -table[rows, columns], changes[rows, columns]
    values = [_spearman(np.repeat(one, row), np.repeat(other, row)) for row in times]
    return _estimate(np.array(values), len(table))


def score_layers(tables: np.ndarray, *, draws: int = _DRAWS, seed: int = _SEED) -> tuple[Estimate, Estimate]:
    """Return how far layers that lie further apart are less alike (ReSi's test 6), averaged over networks.

    Parameters
    ----------
    tables : np.ndarray
        ``(networks, layers, layers)`` similarities within each network, ``[i, j]`` of layer i with j;
        at least three layers.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    violation_rate : Estimate
        How often the further of two layers on one side is the more alike.
    spearman : Estimate
        Of the distance in layers with dissimilarity, mean over layers and the two sides of each.
    """
    tables = np.asarray(tables, np.float64)
    if tables.ndim != 3 or tables.shape[1] != tables.shape[2] or tables.shape[1] < 3:
        raise ValueError(f"Tables (networks, layers, layers) of three layers or more are needed, not {tables.shape}.")
    sides = [side for i in range(tables.shape[1]) for side in (np.arange(i)[::-1], np.arange(i + 1, tables.shape[1]))]
    centres = np.repeat(np.arange(tables.shape[1]), 2)
    rates, correlations = [], []
    for table in tables:
        ordered = [table[i, side] for i, side in zip(centres, sides, strict=True) if len(side) > 1]
        pairs = np.concatenate([_is_violated(values) for values in ordered])
        rates.append(pairs.mean())
        correlations.append(np.mean([_spearman(-values, np.arange(len(values))) for values in ordered]))
    weights = _draw_weights([0] * len(tables), draws=draws, seed=seed)
    rate, spearman = ((weights @ np.array(values)) / len(tables) for values in (rates, correlations))
    return _estimate(rate, len(tables)), _estimate(spearman, len(tables))


def disagreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of pictures that two networks answer otherwise, by their scores ``(pictures, classes)``."""
    return float((one.argmax(axis=1) != other.argmax(axis=1)).mean())


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean Jensen-Shannon divergence, in bits, of two networks' softmax of ``(pictures, classes)``."""
    left, right = (softmax(np.asarray(scores, np.float64), axis=1) for scores in (one, other))
    middle = (left + right) / 2
    bits = (rel_entr(left, middle) + rel_entr(right, middle)).sum(axis=1) / (2 * math.log(2))
    return float(np.clip(bits, 0, 1).mean())


def _draw_weights(groups: Sequence[object], *, draws: int, seed: int) -> np.ndarray:
    """Return how often each network is drawn, ``(1 + draws, networks)``: once each in the first row."""
    names = list(groups)
    generator = np.random.Generator(np.random.Philox(key=[seed, len(names)]))
    weights = np.ones((1 + draws, len(names)), np.int64)
    for group in dict.fromkeys(names):
        members = np.flatnonzero([name == group for name in names])
        weights[1:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), size=draws)
    return weights


def _score(
    table: np.ndarray, groups: Sequence[object], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """Return AUPRC and violation rate for each row of weights, averaged over groups, and the pairs of each group."""
    names, n = list(groups), len(table)
    if table.shape != (len(names), len(names)):
        raise ValueError(f"A table of {len(names)} networks is needed, not one of shape {table.shape}.")
    precisions, rates, counts = [], [], []
    for group in dict.fromkeys(names):
        inside = np.array([name == group for name in names])
        if inside.sum() < 2 or inside.all():
            raise ValueError(f"Group {group!r} needs two networks or more, and others to be told from.")
        pairs = [(i, j) for i in range(n) for j in range(n) if inside[i] and (i < j if inside[j] else True)]
        rows, columns = np.array(pairs).T
        within = inside[columns]
        missing = np.where(within, -np.inf, np.inf)
        values = table[rows, columns]
        values = np.where(np.isfinite(values), values, missing)
        times = weights[:, rows] * weights[:, columns]
        precisions.append(_average_precision(values, within, times))
        rates.append(_violation_rate(values, within, times))
        counts.append((int(within.sum()), int((~within).sum())))
    with np.errstate(invalid="ignore"):
        return _mean_of_known(precisions), _mean_of_known(rates), counts


def _average_precision(values: np.ndarray, positive: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return scikit-learn's ``average_precision_score`` for each row of weights, NaN where no positive was drawn."""
    order = np.argsort(-values, kind="stable")
    last = np.append(values[order][1:] != values[order][:-1], True)  # of those that are equal
    taken = np.cumsum(times[:, order], axis=1)[:, last]
    found = np.cumsum(times[:, order] * positive[order], axis=1)[:, last]
    gained = np.diff(found, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(gained > 0, gained * found / taken, 0).sum(axis=1) / found[:, -1]


def _violation_rate(values: np.ndarray, within: np.ndarray, times: np.ndarray) -> np.ndarray:
    violated = values[within][:, None] <= values[~within][None, :]
    inner, outer = times[:, within], times[:, ~within]
    with np.errstate(invalid="ignore"):
        return np.einsum("dw,wa,da->d", inner, violated, outer) / (inner.sum(axis=1) * outer.sum(axis=1))


def _mean_of_known(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean over groups; in a draw in which a group is one network many times, over the others."""
    stack = np.stack(parts)
    known = np.isfinite(stack)
    return np.where(known, stack, 0).sum(axis=0) / known.sum(axis=0)


def _is_violated(values: np.ndarray) -> np.ndarray:
    """Return for each two layers on one side, nearest first, whether the further one is more alike or has no value."""
    near, far = np.triu_indices(len(values), 1)
    return ~(values[near] >= values[far])


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of ranks; NaN where a value is missing or one side does not vary."""
    if len(one) < 2 or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return math.nan
    left, right = (rankdata(side) - (len(side) + 1) / 2 for side in (one, other))
    own = float(left @ left) * float(right @ right)
    return float(left @ right) / math.sqrt(own) if own > 0 else math.nan


def _estimate(values: np.ndarray, n: int) -> Estimate:
    """Return the first value, and the interval of the others."""
    known = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (math.nan, math.nan)
    return Estimate(float(values[0]), float(low), float(high), n)
