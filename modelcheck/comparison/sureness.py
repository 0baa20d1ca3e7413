"""How sure a panel can be: the smallest drop that its limits find red, and what an inconclusive finding lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.answers import read_truth
from modelcheck.comparison.catalogue import METRICS
from modelcheck.judgement.criteria import Criterion, criterion_for
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.metrics.power import observations_to_decide, smallest_drop
from modelcheck.signature import Record

__all__ = ["Sureness", "count_missing", "measure_sureness"]


@dataclass(frozen=True, kw_only=True)
class Sureness:
    """The smallest drop in accuracy on one subject or class that a panel and a limit find red.

    Parameters
    ----------
    metric, about : str
        The change that is judged, and of whom or what.
    pictures : int
        How many pictures, or rows, there are.
    accuracy : float
        The baseline's accuracy on them, balanced over the classes.
    criterion : Criterion
        The limit.
    drop : float
        From `modelcheck.metrics.power.smallest_drop`, which says what NaN and 0 mean.
    """

    metric: str
    about: str
    pictures: int
    accuracy: float
    criterion: Criterion
    drop: float


def measure_sureness(baseline: Record, criteria: Sequence[Criterion]) -> tuple[Sureness, ...]:
    """Return the smallest drop for every subject and class whose change from the baseline has a lower limit that gates.

    Parameters
    ----------
    baseline : Signature or TableSignature
        The baseline, which says how much there is to lose; of a target of numbers nothing is returned.
    criteria : sequence of Criterion
        The rows of limits; of several that match the last counts.

    Returns
    -------
    tuple of Sureness
        Subjects first, then classes; of each the largest drop first, and before it what no drop can show.
    """
    rows = []
    truth = read_truth(baseline)
    for metric, about, here in _list_changes(baseline):
        criterion = criterion_for(criteria, metric, about)
        if criterion is None or criterion.advisory or criterion.at_least is None:
            continue
        labels, answers = truth[here], baseline.scores[here].argmax(axis=1)
        classes = np.unique(labels)
        pictures = (labels == classes[:, np.newaxis]).sum(axis=1)
        right = ((labels == classes[:, np.newaxis]) & (answers == labels)).sum(axis=1)
        by_interval = criterion.judged_by == "interval"
        rows.append(
            Sureness(
                metric=metric,
                about=about,
                pictures=len(labels),
                accuracy=float((right / pictures).mean()),
                criterion=criterion,
                drop=smallest_drop(right, pictures, limit=criterion.at_least, by_interval=by_interval),
            )
        )
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                METRICS[row.metric].about != "subject",
                -math.inf if math.isnan(row.drop) else -row.drop,
                row.about,
            ),
        )
    )


def _list_changes(baseline: Record) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield each change of one subject or class, and which pictures, or rows, it is of."""
    labels = read_truth(baseline)
    for row in METRICS.values() if baseline.class_names else ():
        if row.narrows == "change" and row.about == "subject":
            yield from ((row.name, who, baseline.independent == who) for who in baseline.subjects)
        elif row.narrows == "change" and row.about == "class_name":
            yield from ((row.name, name, labels == k) for k, name in enumerate(baseline.class_names) if k in labels)


def count_missing(found: Finding) -> float:
    """Return how many more observations would settle an inconclusive finding.

    Parameters
    ----------
    found : Finding
        One judgement.

    Returns
    -------
    float
        0 for any other finding, and where observations do not narrow the interval: that of a
        recognition is what retraining moves. Infinite where no number of them would; see
        `modelcheck.metrics.power.observations_to_decide`.

    Examples
    --------
    >>> from modelcheck.judgement.findings import judge
    >>> from modelcheck.judgement.measured import Measured
    >>> limit = Criterion(metric="class_accuracy", at_least=0.75, why="As agreed.")
    >>> count_missing(judge(Measured(metric="class_accuracy", value=0.6, interval=(0.39, 0.78), n=20), limit))
    12
    """
    item, low, high = found.measured, found.criterion.at_least, found.criterion.at_most
    row = METRICS.get(item.metric)
    if found.verdict is not Verdict.INCONCLUSIVE or row is None or not row.narrows or item.interval is None:
        return 0
    # A document from outside may hold any numbers.
    if not (
        item.n and item.n > 0 and max(item.interval[0], row.lowest) <= item.value <= min(item.interval[1], row.highest)
    ):
        return 0
    # Outside, it fails once the interval leaves the limit that it missed; inside, it passes once both are free.
    missed = [low] if low is not None and item.value < low else [high] if high is not None and item.value > high else []
    reached = [end for end in (low, high) if end is not None and item.interval[0] <= end <= item.interval[1]]
    needed = [
        observations_to_decide(item.value, item.interval, item.n, limit=end, narrows=row.narrows)
        for end in (missed or reached)
        if end in reached
    ]
    return max(needed, default=0)
