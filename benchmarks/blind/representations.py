"""How alike two layers are by their features on the same pictures: the measures that ReSi compares.

Every function takes two arrays ``(pictures, features)`` of the same pictures, which may differ in
their features, and returns one number, NaN where a measure is not defined. `MEASURES` says of each
whether it is a similarity or a distance. Definitions are those of ReSi's code (Klabunde et al., ICLR
2025, ``mklabunde/resi``) but for two: CKA is debiased, and soft matching is Khosla and Williams's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import qr
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from modelcheck.metrics.similarity import correlation_matrix, linear_cka

__all__ = ["MEASURES", "Measure", "compare_all"]

_NEIGHBOURS = 10


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A way to say how alike two layers are.

    Parameters
    ----------
    compute : callable
        Takes two arrays ``(pictures, features)``, returns a number.
    distance : bool
        Whether a larger number means less alike.
    symmetric : bool
        Whether the order of the two does not matter.
    """

    compute: Callable[[np.ndarray, np.ndarray], float]
    distance: bool = False
    symmetric: bool = True


def procrustes(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance that the best rotation leaves, both centred and of norm 1: 0 to the root of 2."""
    left, right = _scale(_centre(a)), _scale(_centre(b))
    if not _is_known(left, right):
        return math.nan
    shared = np.linalg.svd(left.T @ right, compute_uv=False).sum()
    return math.sqrt(max(2 - 2 * float(shared), 0))


def aligned_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean cosine of a picture's two features after the best rotation; features are not centred."""
    wide = max(a.shape[1], b.shape[1])
    left, right = (np.pad(np.asarray(x, np.float64), ((0, 0), (0, wide - x.shape[1]))) for x in (a, b))
    if not _is_known(left, right):
        return math.nan
    u, _, v = np.linalg.svd(left.T @ right)
    turned = left @ u @ v
    lengths = np.linalg.norm(turned, axis=1) * np.linalg.norm(right, axis=1)
    there = lengths > 0  # a picture that moves no unit has no direction
    return float(((turned * right).sum(axis=1)[there] / lengths[there]).mean()) if there.any() else math.nan


def distance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance correlation (Székely, Rizzo and Bakirov 2007): 0 to 1, biased upwards with few pictures."""
    left, right = (_centre(_centre(cdist(x, x)).T) for x in (a, b))
    own = float((left * left).mean()) * float((right * right).mean())
    return math.sqrt(max(float((left * right).mean()), 0) / math.sqrt(own)) if own > 0 else math.nan


def rsa(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation of the correlations of all pairs of pictures, -1 to 1."""
    pairs = np.triu_indices(len(a), 1)
    left, right = (correlation_matrix(x, x)[pairs] for x in (a, b))
    there = np.isfinite(left) & np.isfinite(right)
    if not there.any():
        return math.nan
    return float(correlation_matrix(*(rankdata(x[there])[None] for x in (left, right)))[0, 0])


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of a picture's ten nearest neighbours, by cosine, that both hold: intersection over union."""
    if min(len(a), len(b)) <= _NEIGHBOURS or not _is_known(_centre(a), _centre(b)):
        return math.nan
    left, right = (_find_neighbours(_cosines(x)) for x in (a, b))
    return float(((left & right).sum(axis=1) / (left | right).sum(axis=1)).mean())


def second_order_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean cosine of a picture's cosine distances to those that are near it in either layer, 0 to 1."""
    if min(len(a), len(b)) <= _NEIGHBOURS or not _is_known(_centre(a), _centre(b)):
        return math.nan
    left, right = (_cosines(x) for x in (a, b))
    near = _find_neighbours(left) | _find_neighbours(right)
    one, other = (np.where(near, 1 - x, 0) for x in (left, right))
    with np.errstate(invalid="ignore"):
        cosines = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return float(np.nanmean(cosines)) if np.isfinite(cosines).any() else math.nan


def soft_matching(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean correlation of units under the best transport between the two layers, -1 to 1.

    Each unit of a layer weighs the same. Where both have as many, the best transport is the best
    one-to-one pairing (Khosla and Williams 2024, equation 8). A still unit correlates with nothing.
    """
    scores = np.nan_to_num(correlation_matrix(np.asarray(a).T, np.asarray(b).T))
    if not _is_known(_centre(a), _centre(b)):
        return math.nan
    n, m = scores.shape
    if n == m:
        return float(scores[linear_sum_assignment(scores, maximize=True)].mean())
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    found = linprog(-scores.ravel(), A_eq=sparse.vstack([rows, columns]).tocsr(), b_eq=weights, method="highs")
    return float(-found.fun) if found.success else math.nan


def linear_regression(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of the first's variance that the second predicts linearly, 0 to 1; 1 with few pictures."""
    left, right = _centre(a), _centre(b)
    if not _is_known(left, right):
        return math.nan
    basis, triangle, _ = qr(right, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    basis = basis[:, sizes > sizes[0] * max(right.shape) * np.finfo(np.float64).eps]
    return float(np.linalg.norm(basis.T @ left) ** 2 / np.linalg.norm(left) ** 2)


MEASURES = {
    "CKA": Measure(compute=linear_cka),
    "Procrustes": Measure(compute=procrustes, distance=True),
    "aligned cosine": Measure(compute=aligned_cosine),
    "distance correlation": Measure(compute=distance_correlation),
    "RSA": Measure(compute=rsa),
    "Jaccard": Measure(compute=jaccard),
    "second-order cosine": Measure(compute=second_order_cosine),
    "soft matching": Measure(compute=soft_matching),
    "linear regression": Measure(compute=linear_regression, symmetric=False),
}


def compare_all(networks: Sequence[np.ndarray], measure: Measure) -> tuple[np.ndarray, float]:
    """Return how alike each two of several layers are, and the seconds that a pair takes.

    Parameters
    ----------
    networks : sequence of np.ndarray
        ``(pictures, features)`` each, of the same pictures.
    measure : Measure
        One of `MEASURES`.

    Returns
    -------
    table : np.ndarray
        ``(networks, networks)`` similarities, so that more is more alike: distances are negated. NaN
        on the diagonal.
    seconds : float
        Wall time for a pair, the mean; NaN where there is none.
    """
    table = np.full((len(networks), len(networks)), np.nan)
    pairs = [(i, j) for i in range(len(networks)) for j in range(len(networks)) if i != j]
    if measure.symmetric:
        pairs = [(i, j) for i, j in pairs if i < j]
    start = time.perf_counter()
    for i, j in pairs:
        value = measure.compute(networks[i], networks[j])
        table[i, j] = -value if measure.distance else value
    seconds = time.perf_counter() - start
    if measure.symmetric:
        table.T[np.triu_indices(len(networks), 1)] = table[np.triu_indices(len(networks), 1)]
    return table, seconds / len(pairs) if pairs else math.nan


def _centre(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    return features - features.mean(axis=0)


def _scale(features: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(features)
    return features / length if length > 0 else features


def _is_known(*sides: np.ndarray) -> bool:
    """Say whether features hold numbers, and not all the same for every picture once they are centred."""
    return all(bool(np.isfinite(side).all()) and bool(np.any(side)) for side in sides)


def _cosines(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions = np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
    return np.asarray(directions @ directions.T)


def _find_neighbours(cosines: np.ndarray) -> np.ndarray:
    """Return which pictures are the nearest of each, itself apart; of equally near ones the first."""
    others = np.where(np.eye(len(cosines), dtype=bool), -np.inf, cosines)
    nearest = np.argsort(-others, axis=1, kind="stable")[:, :_NEIGHBOURS]
    found = np.zeros(cosines.shape, dtype=bool)
    np.put_along_axis(found, nearest, values=True, axis=1)
    return found
