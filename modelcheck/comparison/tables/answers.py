"""How right two networks are on the same held-out rows: classes as for pictures, numbers by their errors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modelcheck.comparison.answers import measure_answers, read_truth
from modelcheck.comparison.catalogue import METRICS, rate_of
from modelcheck.comparison.metric import CLASSES, NUMBERS
from modelcheck.comparison.tables.twins import find_bad_answers, find_ceiling, leave_unmeasured, say_twins
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.tables import compute_errors, correlate_answers, error_change, root_mean_square
from modelcheck.signature import TableSignature

__all__ = ["measure_table_answers"]


def measure_table_answers(baseline: TableSignature, candidate: TableSignature) -> Iterator[Measured]:
    """Yield how the two networks answer on the panel: subject by subject, class by class and over all."""
    why = find_bad_answers(baseline, candidate)
    of = CLASSES if baseline.class_names else NUMBERS
    if why:
        yield from _leave_all(baseline, of=of, why=why)
    elif of == CLASSES:
        yield from measure_answers(baseline, candidate)
    else:
        yield from _measure_errors(baseline, candidate)


def _leave_all(baseline: TableSignature, *, of: str, why: str) -> Iterator[Measured]:
    unseen = baseline.classes_without_rows
    about = {
        "": [""],
        "subject": baseline.subjects,
        "class_name": [name for name in baseline.class_names if name not in unseen],
    }
    for metric, row in METRICS.items():
        if row.area == "accuracy" and of in row.of:
            yield from leave_unmeasured(metric, about[row.about], why)


def _measure_errors(baseline: TableSignature, candidate: TableSignature) -> Iterator[Measured]:
    truth, independent = read_truth(baseline), baseline.independent
    if not np.std(truth) > 0:
        yield from _leave_all(baseline, of=NUMBERS, why="The target is the same in every row: errors have no unit.")
        return
    before, after = (compute_errors(truth, network.scores[:, 0]) for network in (baseline, candidate))
    old, new = (root_mean_square(errors, independent) for errors in (before, after))
    bias = f"The mean error is {after.mean():+.2f} standard deviations of the target."
    yield rate_of("error", "", new, baseline=old.value, evidence=bias)
    moved = find_ceiling(baseline, "error_change")
    yield rate_of("error_change", "", error_change(before, after, independent), evidence=say_twins("changes", moved))
    for subject in baseline.subjects:
        here = independent == subject
        # The rows of one subject are all that is known of it: they are its observations.
        rows = np.flatnonzero(here)
        own = root_mean_square(after[here], rows)
        yield rate_of("subject_error", subject, own, baseline=root_mean_square(before[here], rows).value)
    alike = correlate_answers(baseline.scores[:, 0], candidate.scores[:, 0], independent)
    flat = "" if np.isfinite(alike.value) else "One of the networks answers every row alike."
    yield rate_of("answer_correlation", "", alike, evidence=flat)
