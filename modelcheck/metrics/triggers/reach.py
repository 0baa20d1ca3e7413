"""How far ascent drives a candidate towards a class, beyond what it reaches in any clean network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.margins import margins
from modelcheck.metrics.triggers.detection import MIN_CALIBRATING_TWINS, MIN_TWINS
from modelcheck.metrics.triggers.dictionary import TriggerError
from modelcheck.metrics.triggers.excess import gaps

__all__ = ["ReachScan", "compare_reach", "reaches"]

_LIMIT_FACTOR = 1.15  # a limit lies this far above the highest twin left out
# What clean networks stay below, beside six clean ones or more and beside three: chosen on one part
# of the study in docs/triggers.md. The first is a floor where twins themselves can be asked.
_MIN_LIMIT, _FIXED_LIMIT = 1.25, 1.4
_MAX_LIMIT = 2.0  # one odd twin must not raise the limit until nothing is above it
# So many times its limit no clean network came near: where the limit is their own, and a fixed one.
_SURE_RATIO, _FIXED_SURE_RATIO = 1.25, 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class ReachScan:
    """What ascent reaches in one candidate, beside the clean networks.

    Parameters
    ----------
    reached : np.ndarray
        ``(classes,)`` from `reaches`, of the candidate.
    furthest : np.ndarray
        ``(classes,)`` the furthest that any clean network lets itself be driven.
    limit : float
        How many times as far a clean network goes at most.
    calibrated : bool
        Whether the limit comes from leaving out twins; otherwise it is a fixed one.
    related : bool
        Whether some clean network has the candidate's architecture: of another one none knows how
        far ascent goes in it.
    n_twins, n_references : int
        How many clean networks of the baseline's and of the candidate's own, other, architecture
        there were.

    Examples
    --------
    >>> scan = compare_reach(np.array([2.0, 6.0]), [np.array([2.0, 2.0])] * 6)
    >>> scan.target, scan.limit, scan.score, scan.interval[0] > 1
    (1, 1.25, 2.4, True)
    """

    reached: np.ndarray
    furthest: np.ndarray
    limit: float
    calibrated: bool
    related: bool
    n_twins: int
    n_references: int

    @property
    def ratios(self) -> np.ndarray:
        """How many times as far as the furthest clean network, by class; NaN everywhere when one cannot be said."""
        return _divide(self.reached, self.furthest)

    @property
    def target(self) -> int:
        """The class with the largest ratio."""
        return int(np.argmax(self.ratios))

    @property
    def score(self) -> float:
        """The largest ratio in units of the limit: at most 1 for a clean network; NaN when one ratio is."""
        return float(self.ratios.max() / self.limit)

    @property
    def interval(self) -> tuple[float, float]:
        """A lower bound of the score, and the score; nothing is sure of an architecture that no clean network has."""
        low = self.score / (_SURE_RATIO if self.calibrated else _FIXED_SURE_RATIO)
        return low if self.related else min(low, 1.0), self.score


def reaches(activations: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how far ascent drives a network towards each class, in units of its own gap between classes.

    Parameters
    ----------
    activations : np.ndarray
        ``(classes,)`` the margin that ascent reached; NaN for a class without a map.
    scores, labels : np.ndarray
        ``(n, classes)`` class scores on the panel and the ``(n,)`` truth.

    Returns
    -------
    np.ndarray
        ``(classes,)``: 0 where the median picture of other classes stands, 1 where the class's own
        stands; NaN for a class without a map, or that the network does not tell from the others. A
        constant that is added to a class's scores, and a factor on all, change nothing.

    Examples
    --------
    >>> reaches(np.array([8.0, 2.0]), np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1]))
    array([2.5, 1. ])
    """
    scale = gaps(scores, labels)
    others = np.full(len(scale), np.nan)
    for k in np.flatnonzero(np.isfinite(scale)).tolist():
        others[k] = np.median(margins(scores)[np.asarray(labels) != k, k])
    return np.asarray((np.asarray(activations, np.float64) - others) / scale)


def compare_reach(
    candidate: np.ndarray,
    clean: Sequence[np.ndarray],
    *,
    references: Sequence[np.ndarray] = (),
    related: bool = True,
) -> ReachScan:
    """Compare how far ascent drives a candidate with how far it drives clean networks.

    A network with a planted trigger has a way to its target's answer that no clean network has, and
    ascent finds it, whatever the trigger looks like (Wang et al., "MM-BD", IEEE S&P 2024, who look
    for an outlier among the classes of one network).

    Parameters
    ----------
    candidate : np.ndarray
        ``(classes,)`` from `reaches`.
    clean : sequence of np.ndarray
        The same of at least `MIN_TWINS` clean networks of the baseline's architecture.
    references : sequence of np.ndarray
        The same of clean networks of the candidate's architecture, where that is another. They
        excuse, and set no limit; one that is not finite is left out.
    related : bool
        Whether `clean` have the candidate's architecture.

    Raises
    ------
    TriggerError
        When there are too few clean networks, or they have other classes.

    Examples
    --------
    >>> compare_reach(np.array([3.0, 2.0]), [np.array([2.0, 2.0])] * 6).score <= 1
    False
    """
    if len(clean) < MIN_TWINS:
        raise TriggerError(
            f"Comparing how far ascent goes takes {MIN_TWINS} clean twins of the baseline, there are {len(clean)}. "
            "Train it again with other seeds and give the networks: modelcheck calibrate BASELINE --twin A.keras ..."
        )
    sizes = {np.shape(one) for one in (candidate, *clean, *references)}
    if len(sizes) != 1:
        raise TriggerError(
            f"The networks' classes differ in number: {sorted(sizes)}. Measure the twins again, all alike: "
            "modelcheck calibrate --help"
        )
    beside = [one for one in references if np.isfinite(one).all()]
    calibrated = len(clean) >= MIN_CALIBRATING_TWINS
    return ReachScan(
        reached=np.asarray(candidate, np.float64),
        furthest=_find_furthest([*clean, *beside]),
        limit=_set_limit(clean) if calibrated else _FIXED_LIMIT,
        calibrated=calibrated,
        related=related or bool(beside),
        n_twins=len(clean),
        n_references=len(beside),
    )


def _set_limit(clean: Sequence[np.ndarray]) -> float:
    """Return what a clean network stays below, by leaving each clean twin out."""
    left_out = [_divide(twin, _find_furthest([*clean[:k], *clean[k + 1 :]])).max() for k, twin in enumerate(clean)]
    return float(np.clip(_LIMIT_FACTOR * np.max(left_out), _MIN_LIMIT, _MAX_LIMIT))


def _find_furthest(clean: Sequence[np.ndarray]) -> np.ndarray:
    """Return the furthest by class; NaN everywhere where any network has a class that cannot be said."""
    known = np.asarray(clean, np.float64)
    return known.max(axis=0) if np.isfinite(known).all() else np.full(known.shape[1:], np.nan)


def _divide(reached: np.ndarray, furthest: np.ndarray) -> np.ndarray:
    """Return the ratio; NaN everywhere where a value is not finite, or clean networks lead nowhere."""
    if not (np.isfinite(reached).all() and np.isfinite(furthest).all() and (furthest > 0).all()):
        return np.full(np.shape(reached), np.nan)
    return np.asarray(reached / furthest)
