"""What a panel holds, in lines; and what speaks against it without forbidding it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.errors import count, shorten
from modelcheck.panel.repeats import find_repeats
from modelcheck.support.escaping import clean

if TYPE_CHECKING:
    from modelcheck.panel.panel import Panel

__all__ = ["find_remarks", "list_contents", "remark_repeats", "remark_subjects"]


def find_remarks(panel: Panel) -> tuple[str, ...]:
    """Return what speaks against a panel, a sentence each; see `Panel.remarks`."""
    remarks = []
    unseen = panel.classes_without_pictures
    if len(unseen) == len(panel.class_names) - 1:
        only = next(name for name in panel.class_names if name not in unseen)
        remarks.append(f"All pictures are of one class, {only}: a network that always says so is right everywhere.")
    elif unseen:
        remarks.append(f"Classes without a picture, of which nothing is judged ({len(unseen)}): {shorten(unseen)}.")
    return (*remarks, *remark_subjects(panel), *remark_repeats(panel))


def remark_subjects(panel: Panel) -> list[str]:
    """Return what speaks against the subjects of a panel, where pictures share any."""
    if panel.shared_subjects is None:
        return []
    classes: dict[str, set[int]] = {}
    for subject, label in zip(panel.shared_subjects.tolist(), panel.labels.tolist(), strict=True):
        classes.setdefault(subject, set()).add(label)
    if len(classes) == 1:
        return [
            "All pictures are of one subject: they are not independent of each other, and intervals need at least two."
        ]
    single = [subject for subject, seen in classes.items() if len(seen) == 1]
    if not single:
        return []
    return [
        f"{len(single)} of {len(classes)} subjects have pictures of one class only, where a network that knows the "
        f"subject cannot be told from one that sees the class: {shorten(single)}."
    ]


def remark_repeats(panel: Panel) -> list[str]:
    """Return which pictures are there more than once, pixel by pixel."""
    repeats = find_repeats(panel.images)
    torn = [same for same in repeats if len(set(panel.labels[same].tolist())) > 1]
    agreed = [same for same in repeats if same not in torn]
    remarks = []
    for found, says in ((torn, "under different labels, of which one is wrong"), (agreed, "and count as often")):
        if found:
            shown = (" = ".join(panel.names[same].tolist()) for same in found)
            remarks.append(f"Pictures that are there more than once {says} ({len(found)}): {shorten(shown)}.")
    return remarks


def list_contents(panel: Panel) -> list[str]:
    """Return the lines that ``modelcheck panel show`` prints, without the remarks."""
    height, width, channels = panel.images.shape[1:]
    span = "" if panel.images.dtype == np.uint8 else f", {panel.images.min():g} to {panel.images.max():g}"
    lines = [f"{count(len(panel), 'picture')} of {height}x{width}x{channels} ({panel.images.dtype}{span})"]
    counts = np.bincount(panel.labels, minlength=len(panel.class_names)).tolist()
    lines.append("classes, in the order of the network's outputs:")
    lines += [
        f"- {place} {clean(name)}: {n}" for place, (name, n) in enumerate(zip(panel.class_names, counts, strict=True))
    ]
    subjects = [] if panel.subjects is None else panel.subjects.tolist()
    lines.append(f"subjects: {_count(subjects) if subjects else 'none; every picture counts as independent'}")
    groups = panel.groups.tolist()
    as_classes = groups == [panel.class_names[label] for label in panel.labels.tolist()]
    lines.append(f"groups: {'the classes' if as_classes else _count(groups)}")
    if panel.regions is None:
        lines.append("regions: none; where a network looks is not asked")
    else:
        shares = panel.regions.mean(axis=(1, 2))
        empty = int(np.sum(shares == 0))
        lines.append(
            f"regions: {shares.min():.0%} to {shares.max():.0%} of a picture, {shares.mean():.0%} on average"
            + (f"; {empty} pictures have an empty one" if empty else "")
        )
    lines.append(f"names: {shorten(panel.names.tolist(), most=3)}")
    lines.append(f"conversion: {clean(panel.conversion or 'none that is recorded', longest=2000)}")
    return lines


def _count(words: list[str]) -> str:
    counts = Counter(words)
    each = sorted(set(counts.values()))
    n = count(each[0], "picture") if len(each) == 1 else f"{each[0]} to {each[-1]} pictures"
    return f"{len(counts)}, with {n} each: {shorten(sorted(counts), most=6)}"
