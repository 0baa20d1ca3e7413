"""What a panel of rows holds, in lines; and what speaks against it without forbidding it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.cells import find_missing
from modelcheck.panel.errors import count, shorten
from modelcheck.panel.populations import SMALLEST_GROUP
from modelcheck.support.escaping import clean

if TYPE_CHECKING:
    from modelcheck.panel.table_panel import TablePanel

__all__ = ["find_row_remarks", "find_same_rows", "list_row_contents"]


def find_row_remarks(panel: TablePanel) -> tuple[str, ...]:
    """Return what speaks against a panel of rows, a sentence each; see `TablePanel.remarks`."""
    return (
        *_remark_truth(panel),
        *_remark_populations(panel),
        *_remark_columns(panel),
        *_remark_subjects(panel),
        *_remark_repeats(panel),
    )


def find_same_rows(panel: TablePanel) -> np.ndarray:
    """Return ``(n,)`` whole numbers that two rows share exactly where all their features are the same.

    Missing values count as the same.
    """
    same = np.zeros(len(panel), np.int64)
    for part in panel.values.values():
        seen, value = np.unique(part, return_inverse=True)
        # Numbered anew with each column, so that no product of many columns can overflow.
        same = np.unique(same * len(seen) + value.reshape(-1), return_inverse=True)[1].reshape(-1)
    return same


def _remark_truth(panel: TablePanel) -> Iterator[str]:
    unseen = panel.classes_without_rows
    if panel.class_names and len(unseen) == len(panel.class_names) - 1:
        only = next(name for name in panel.class_names if name not in unseen)
        yield f"All rows are of one class, {only}: a network that always says so is right everywhere."
    elif unseen:
        yield f"Classes without a row, of which nothing is judged ({len(unseen)}): {shorten(unseen)}."
    if not panel.class_names and len(panel) > 1 and np.ptp(panel.truth) == 0:
        yield f"The truth is one number, {panel.truth[0]:g}, in all rows: a network that always says so is right."


def _remark_populations(panel: TablePanel) -> Iterator[str]:
    groups = panel.groups or {}
    counts = [
        (f"{division}={name}", int(n))
        for division, words in groups.items()
        for name, n in zip(*np.unique(words, return_counts=True), strict=True)
    ]
    small = [f"{name} ({count(n, 'row')})" for name, n in counts if n < SMALLEST_GROUP]
    if small:
        yield (
            f"Sub-populations of fewer than {SMALLEST_GROUP} rows, of which nothing is measured ({len(small)}): "
            f"{shorten(small)}."
        )
    divisions = panel.populations.divisions
    alone = [name for name in groups if name not in divisions]
    if alone:
        yield f"Divisions without two sub-populations to compare ({len(alone)}): {shorten(alone)}."


def _remark_columns(panel: TablePanel) -> Iterator[str]:
    constant, gaps, mixed, many = [], [], [], []
    for name, part in panel.values.items():
        missing = find_missing(part)
        seen = np.unique(part[~missing])
        if len(seen) == 1 and len(panel) > 1:
            constant.append(name)
        if missing.any():
            gaps.append(f"{name} ({count(int(missing.sum()), 'row')})")
        if part.dtype.kind == "U":
            like_numbers = sum(map(_reads_as_number, seen.tolist()))
            if len(seen) / 2 < like_numbers < len(seen):
                words = (word for word in seen.tolist() if not _reads_as_number(word))
                mixed.append(f"{name} ({shorten(map(repr, words), most=3)})")
            if len(seen) > max(SMALLEST_GROUP, len(panel) / 2):
                many.append(f"{name} ({len(seen)} categories)")
    for found, says in (
        (constant, "Columns that hold one value, of which nothing can be learned here"),
        (gaps, "Columns in which values are missing"),
        (mixed, "Categories that are numbers but for a few: are those cells as they should be"),
        (many, "Categories that hardly repeat: an identifier, which no network should see"),
    ):
        if found:
            yield f"{says} ({len(found)}): {shorten(found)}."


def _reads_as_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _remark_subjects(panel: TablePanel) -> Iterator[str]:
    if panel.shared_subjects is None:
        return
    of_whom, who = np.unique(panel.shared_subjects, return_inverse=True)
    if len(of_whom) == 1:
        yield "All rows are of one subject: they are not independent of each other, and intervals need at least two."
    elif panel.class_names:
        pairs = np.unique(np.stack([who.reshape(-1), panel.truth]), axis=1)
        single = of_whom[np.bincount(pairs[0], minlength=len(of_whom)) == 1]
        if len(single):
            yield (
                f"{len(single)} of {len(of_whom)} subjects have rows of one class only, where a network that knows "
                f"the subject cannot be told from one that sees the class: {shorten(single.tolist())}."
            )


def _remark_repeats(panel: TablePanel) -> Iterator[str]:
    same = find_same_rows(panel)
    repeated = np.flatnonzero(np.bincount(same) > 1)
    if not len(repeated):
        return
    rows: dict[int, list[int]] = {int(k): [] for k in repeated}
    for row, k in enumerate(same.tolist()):
        if k in rows:
            rows[k].append(row)
    torn = [found for found in rows.values() if len(np.unique(panel.truth[found])) > 1]
    agreed = [found for found in rows.values() if len(np.unique(panel.truth[found])) == 1]
    for kind, says in (
        (torn, "with different truth, which no network can get right for all"),
        (agreed, "and count as often"),
    ):
        if kind:
            shown = (" = ".join(panel.names[found[:3]].tolist()) for found in kind)
            yield f"Rows that are there more than once {says} ({len(kind)}): {shorten(shown)}."


def list_row_contents(panel: TablePanel) -> list[str]:
    """Return the lines that ``modelcheck panel show`` prints of a table, without the remarks."""
    lines = [f"{count(len(panel), 'row')} of {count(len(panel.values), 'column')}, in the order of the inputs:"]
    for column in panel.columns:
        missing = f"; missing in {count(column.missing, 'row')}" if column.missing else ""
        lines.append(f"- {clean(column.name)} ({column.kind}): {clean(column.describe())}{missing}")
    if panel.class_names:
        counts = np.bincount(panel.truth, minlength=len(panel.class_names)).tolist()
        lines.append(f"target {clean(panel.target)}, classes in the order of the network's outputs:")
        named = zip(panel.class_names, counts, strict=True)
        lines += [f"- {place} {clean(name)}: {n}" for place, (name, n) in enumerate(named)]
    else:
        low, high = panel.truth.min(), panel.truth.max()
        lines.append(f"target {clean(panel.target)}: numbers, {low:g} to {high:g}, {panel.truth.mean():g} on average")
    subjects = panel.subjects
    who = "none; every row counts as independent" if subjects is None else str(len(set(subjects.tolist())))
    lines.append(f"subjects: {who}")
    for division, words in (panel.groups or {}).items():
        found = zip(*np.unique(words, return_counts=True), strict=True)
        lines.append(f"sub-populations by {clean(division)}: {shorten(f'{name} {n}' for name, n in found)}")
    lines.append(f"names: {shorten(panel.names.tolist(), most=3)}")
    lines.append(f"conversion: {clean(panel.conversion or 'none that is recorded', longest=2000)}")
    return lines
