"""How two networks answer on the same held-out pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.catalogue import rate_of
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate, balanced_accuracy, change, cohen_kappa, group_mean
from modelcheck.metrics.stratified import stratified_accuracy, stratified_change
from modelcheck.signature import Record, TableSignature

__all__ = ["AnswerChanges", "compare_answers", "measure_answers", "read_truth"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerChanges:
    """On which pictures the two networks' answers differ in being right.

    Parameters
    ----------
    turned_wrong : np.ndarray
        ``(n,)`` positions in the panel of pictures that the baseline gets right and the candidate
        wrong, those first in which the candidate prefers its answer most to the truth.
    turned_right : int
        How many pictures the candidate gets right and the baseline wrong.
    """

    turned_wrong: np.ndarray
    turned_right: int


def read_truth(network: Record) -> np.ndarray:
    """Return the true class of every picture, or the truth of every row of a table."""
    return np.asarray(network.rows["truth"] if isinstance(network, TableSignature) else network.pictures["labels"])


def compare_answers(baseline: Record, candidate: Record) -> AnswerChanges:
    """Return on which pictures, or rows, the candidate's answer turned wrong, and how many turned right."""
    labels = read_truth(candidate)
    before, after = baseline.scores.argmax(axis=1), candidate.scores.argmax(axis=1)
    rows = np.flatnonzero((before == labels) & (after != labels))
    preference = candidate.scores[rows, after[rows]] - candidate.scores[rows, labels[rows]]
    return AnswerChanges(
        turned_wrong=rows[np.argsort(-preference, kind="stable")],
        turned_right=int(((before != labels) & (after == labels)).sum()),
    )


def measure_answers(baseline: Record, candidate: Record) -> Iterator[Measured]:
    """Yield how the two networks answer on the panel, subject by subject, class by class and over all.

    Over all, each subject counts once. Without subjects each class does, and the intervals are those
    of independent pictures, or rows, drawn class by class.
    """
    labels, noun = read_truth(baseline), "row" if isinstance(baseline, TableSignature) else "picture"
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
    for subject in baseline.subjects:
        here = baseline.independent == subject
        old, new = (balanced_accuracy(labels[here], side[here]) for side in (before, after))
        moved = change(labels[here], before[here], after[here])
        for key, rate in (("before", old), ("after", new), ("change", moved)):
            rates[key].append(rate)
        yield rate_of("subject_accuracy", subject, new, baseline=old.value)
        yield rate_of("subject_change", subject, moved, evidence=_say_turned(labels, before, after, here, noun=noun))
    yield from _measure_classes(baseline, candidate, noun=noun)
    old, new = (stratified_accuracy(labels, side) for side in (before, after))
    moved = stratified_change(labels, before, after)
    if baseline.subjects:
        old, new = (group_mean(rates[key]) for key in ("before", "after"))
        moved = group_mean(rates["change"], within=(-1.0, 1.0))
    yield rate_of("group_accuracy", "", new, baseline=old.value)
    yield rate_of("accuracy_change", "", moved)


def _measure_classes(baseline: Record, candidate: Record, *, noun: str) -> Iterator[Measured]:
    """Yield how the two networks answer on each class that the panel holds pictures, or rows, of."""
    labels = read_truth(baseline)
    before, after = baseline.scores.argmax(axis=1), candidate.scores.argmax(axis=1)
    for k, name in enumerate(baseline.class_names):
        here = labels == k
        if not here.any():
            continue
        old, new = (balanced_accuracy(labels[here], side[here]) for side in (before, after))
        answers, amounts = np.unique(after[here & (after != k)], return_counts=True)
        taken = ", ".join(f"{baseline.class_names[answers[i]]} ({amounts[i]})" for i in np.argsort(-amounts)[:3])
        yield rate_of("class_accuracy", name, new, baseline=old.value, evidence=f"Taken for {taken}." if taken else "")
        moved = change(labels[here], before[here], after[here])
        yield rate_of("class_change", name, moved, evidence=_say_turned(labels, before, after, here, noun=noun))


def _say_turned(labels: np.ndarray, before: np.ndarray, after: np.ndarray, here: np.ndarray, *, noun: str) -> str:
    wrong = int(((before == labels) & (after != labels) & here).sum())
    right = int(((before != labels) & (after == labels) & here).sum())
    return f"{wrong} {noun}{'' if wrong == 1 else 's'} turned wrong, {right} turned right."
