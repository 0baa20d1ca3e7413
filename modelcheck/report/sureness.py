"""How sure a panel can be, in words: for each subject and class, the smallest drop that its limits find red."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelcheck.comparison import METRICS, Sureness
from modelcheck.report.words import PICTURES, SUBJECTS, Noun, clean, count, head, limits, number

__all__ = ["describe_drop", "say_sureness"]

_SHOWN = 8


def describe_drop(row: Sureness) -> str:
    """Return the smallest drop that is found red, in words where it is no plain number."""
    if math.isnan(row.drop):
        return "none: the baseline has too little to lose"
    return number(row.drop) if row.drop else "any: even a loss of nothing is red"


def say_sureness(rows: Sequence[Sureness], *, noun: Noun = SUBJECTS) -> list[str]:
    """Return the smallest drops as lines, the largest of each kind first; one line for a kind without a limit.

    Parameters
    ----------
    rows : sequence of Sureness
        From `modelcheck.comparison.measure_sureness`.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """
    things = {"subject": noun[0], "class_name": "class"}
    if noun == PICTURES and not any(METRICS[row.metric].about == "subject" for row in rows):
        things.pop("subject")
    lines = ["The smallest drop in accuracy that this panel finds red, four times in five:"]
    for kind, thing in things.items():
        here = [row for row in rows if METRICS[row.metric].about == kind]
        if not here:
            lines.append(f"  {thing}: none, for no criterion that gates limits the loss on one.")
        for row in here[:_SHOWN]:
            limit = f"{head(row.metric)} {limits(row.criterion)}"
            pictures = count(row.pictures, "picture")
            lines.append(f"  {thing} {clean(row.about, longest=80)}: {describe_drop(row)} ({pictures}; {limit})")
        if len(here) > _SHOWN:
            lines.append(f"  and {len(here) - _SHOWN} more, with as small a drop or a smaller one.")
    return lines
