"""How two networks answer on the same held-out people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modelcheck.comparison.catalogue import rate_of
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate, balanced_accuracy, change, cohen_kappa, group_mean
from modelcheck.signature import Signature

__all__ = ["people_measures"]


def people_measures(baseline: Signature, candidate: Signature) -> Iterator[Measured]:
    """Yield how the two networks answer on the panel, person by person and over all."""
    labels, subjects = baseline.pictures["labels"], baseline.pictures["subjects"]
    before, after = baseline.scores.argmax(axis=1), candidate.scores.argmax(axis=1)
    agreed = int((before == after).sum())
    yield Measured(
        metric="kappa",
        value=cohen_kappa(before, after),
        n=len(labels),
        evidence=f"{agreed} of {len(labels)} answers agree.",
    )
    yield Measured(
        metric="answers", value=float(len(np.unique(after))), baseline=float(len(np.unique(before))), n=len(labels)
    )
    rates: dict[str, list[Rate]] = {"before": [], "after": [], "change": []}
    for subject in np.unique(subjects).tolist():
        here = subjects == subject
        old, new = (balanced_accuracy(labels[here], side[here]) for side in (before, after))
        moved = change(labels[here], before[here], after[here])
        for key, rate in (("before", old), ("after", new), ("change", moved)):
            rates[key].append(rate)
        broken = int(((before == labels) & (after != labels) & here).sum())
        mended = int(((before != labels) & (after == labels) & here).sum())
        evidence = f"{broken} pictures turned wrong, {mended} turned right."
        yield rate_of("subject_accuracy", subject, new, baseline=old.value)
        yield rate_of("subject_change", subject, moved, evidence=evidence)
    yield rate_of("group_accuracy", "", group_mean(rates["after"]), baseline=group_mean(rates["before"]).value)
    yield rate_of("accuracy_change", "", group_mean(rates["change"], within=(-1.0, 1.0)))
