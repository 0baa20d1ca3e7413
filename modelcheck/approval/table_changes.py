"""What changes when one network on a table takes another's place: variables, rows, what drives it, in plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modelcheck.comparison import METRICS, Drivers, TableComparison, shown_in, tell_record
from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.metrics.tables import compute_errors, root_mean_square
from modelcheck.panel import TablePanel
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.panel.populations import SMALLEST_GROUP, list_populations
from modelcheck.report.words import count, number, title
from modelcheck.signature import TableSignature
from modelcheck.support.escaping import clean

__all__ = ["describe_columns", "describe_drivers", "describe_rows", "describe_scores", "measure_rows", "rank_drivers"]

_MOST = 8  # names in a sentence
_DRIVERS = 5  # variables that are listed


def describe_rows(panel: TablePanel) -> list[str]:
    """Say what is taken for independent where no rows share a subject, what is missing, and which groups are small."""
    lines = []
    if panel.subjects is None:
        lines.append(
            "The panel has no subjects: every row counts by itself. Where several are of one and the same thing, name "
            "it as their subject, or every interval is too narrow."
        )
    elif panel.shared_subjects is None:
        lines.append(
            f"Each of the {len(panel)} subjects has one row: as subjects they say nothing, and every row counts by "
            "itself."
        )
    if missing := [f"{clean(x.name, longest=80)} ({x.missing})" for x in panel.columns if x.missing]:
        lines.append(f"Missing values, by variable and rows: {_shorten(missing)}.")
    if small := [clean(name, longest=80) for name in list_populations(panel.groups or {}).small]:
        lines.append(
            f"{count(len(small), 'sub-population')} of fewer than {SMALLEST_GROUP} rows, of which nothing is judged: "
            f"{_shorten(small)}."
        )
    return lines


def describe_columns(old: TableSignature, new: TableSignature) -> Iterator[str]:
    """Yield what became of the target and of the variables: added, removed, of another kind or range, reordered."""
    if old.target != new.target:
        yield f"Target: {clean(old.target, longest=80)} -> {clean(new.target, longest=80)}."
    before, after = ({column.name: column for column in side.columns} for side in (old, new))
    for what, names in (
        ("added", [name for name in after if name not in before]),
        ("removed", [name for name in before if name not in after]),
    ):
        if names:
            yield f"Variables {what}: {_shorten([clean(name, longest=80) for name in names])}."
    for name in (name for name in before if name in after):
        one, other = _in_words(before[name]), _in_words(after[name])
        if one != other:
            yield f"Variable {clean(name, longest=80)}: {one} -> {other}."
    kept = [[name for name in side if name in before and name in after] for side in (before, after)]
    if kept[0] != kept[1]:
        yield f"Variables stand in another order: {_shorten([clean(name, longest=80) for name in after])}."


def measure_rows(signature: TableSignature) -> dict[str, float]:
    """Return how right a network is on each subject, without subjects on each class or on all, in words."""
    truth, independent = np.asarray(signature.rows["truth"]), signature.independent
    parts = {subject: independent == subject for subject in signature.subjects}
    if not signature.class_names:
        whole = {title("error"): np.ones(len(truth), bool)}
        named = {f"{title('subject_error')} of {clean(name, longest=80)}": here for name, here in parts.items()}
        errors = compute_errors(truth, signature.scores[:, 0])
        return {
            what: root_mean_square(errors[here], independent[here]).value for what, here in {**whole, **named}.items()
        }
    metric = "subject_accuracy" if parts else "class_accuracy"
    parts = parts or {name: truth == k for k, name in enumerate(signature.class_names) if k in truth}
    answers = signature.scores.argmax(axis=1)
    return {
        f"{title(metric)} of {clean(name, longest=80)}": balanced_accuracy(truth[here], answers[here]).value
        for name, here in parts.items()
    }


def rank_drivers(shares: Sequence[float], *, most: int) -> list[int]:
    """Return the positions of the largest shares, the largest first.

    Examples
    --------
    >>> rank_drivers([0.2, 0.5, 0.3], most=2)
    [1, 2]
    """
    return sorted(range(len(shares)), key=lambda place: (-shares[place], place))[:most]


def describe_drivers(drivers: Drivers | None, *, changed: bool) -> list[str]:
    """Say which variables drive a network most; where it changed, both networks, by the stronger of the two."""
    if drivers is None:
        return ["Which variables drive it was not measured: the recipe has exchange_rows = 0."]
    strongest = np.maximum(drivers.baseline, drivers.candidate) if changed else drivers.candidate
    if not np.isfinite(strongest).all():
        return ["Which variables drive it cannot be said: no exchange of a value moves its answers."]
    told = []
    for place in rank_drivers(strongest.tolist(), most=_DRIVERS):
        one, other = f"{drivers.baseline[place]:.0%}", f"{drivers.candidate[place]:.0%}"
        shares = f"{one} -> {other}" if changed else other
        told.append(f"{clean(drivers.columns[place], longest=80)} {shares}")
    more = len(drivers.columns) - len(told)
    return [f"What drives the model, by share of its evidence: {', '.join(told)}{f', and {more} more' * (more > 0)}."]


def describe_scores(comparison: TableComparison) -> Iterator[str]:
    """Yield the numbers that stand in an approval's summary."""
    yield from describe_drivers(comparison.drivers, changed=True)
    decision = comparison.baseline.decision.name
    for metric in shown_in("summary", of=tell_record(comparison.baseline)):
        found = comparison.measures.get((metric, decision if METRICS[metric].about == "layer" else ""))
        if found is not None:
            yield f"{title(metric)}: {number(found.value)}."


def _in_words(column: Column) -> str:
    if column.kind is ColumnKind.NUMBER:
        return f"numbers from {column.low:g} to {column.high:g} {column.unit}".rstrip()
    return f"{len(column.values)} categories ({_shorten([clean(value, longest=40) for value in column.values])})"


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"
