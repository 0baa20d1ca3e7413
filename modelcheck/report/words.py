"""How numbers, names and metrics are written for people; everything that comes from outside is cleaned here."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import AREAS as _CATALOGUE_AREAS
from modelcheck.comparison import METRICS, unit_of
from modelcheck.judgement.waivers import NOTICE
from modelcheck.support.escaping import clean

__all__ = [
    "AREAS",
    "COUNTS",
    "MINUS",
    "NOTHING",
    "STATES",
    "area_of",
    "bad",
    "clean",
    "compare_sizes",
    "count",
    "format_objective",
    "format_with_interval",
    "head",
    "limits",
    "list_waivers",
    "meaning",
    "number",
    "observations",
    "plain",
    "proportion",
    "reasons",
    "surroundings",
    "title",
    "verdict_line",
    "worst",
]

# Dashes that look right in a column of numbers.
MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"
STATES = ("fail", "unmeasured", "inconclusive", "waived", "pass")
# The areas of the catalogue with their headings, and the metrics whose values are whole numbers.
AREAS = {key: area.title for key, area in _CATALOGUE_AREAS.items()}
COUNTS = tuple(name for name, metric in METRICS.items() if metric.whole)
_FRACTIONS = (
    (1.0, "as many"),
    (0.5, "half the"),
    (1 / 3, "a third of the"),
    (0.25, "a quarter of the"),
    (2.0, "twice the"),
)


def title(metric: str) -> str:
    """Return a metric's name in words; an unknown metric is its own name.

    Examples
    --------
    >>> title("mass_over_area"), head("mass_over_area"), title("cka"), head("cka")
    ('Mass over area', 'mass over area', 'CKA', 'CKA')
    """
    return METRICS[metric].title if metric in METRICS else clean(metric).replace("_", " ")


def head(metric: str) -> str:
    """Return a metric's name in words as it stands within a sentence or above a column."""
    return METRICS[metric].head if metric in METRICS else title(metric)


def meaning(metric: str) -> str:
    """Return what a metric says; nothing of an unknown one."""
    return METRICS[metric].explanation if metric in METRICS else ""


def area_of(metric: str) -> str:
    """Return the part of the report that a metric belongs to, a key of `AREAS`."""
    return METRICS[metric].area if metric in METRICS else "other"


def number(value: float | None, *, whole: bool = False) -> str:
    """Return a number with two digits behind the point, or none when it is whole; a dash where there is no number.

    Examples
    --------
    >>> number(0.123), number(0.5), number(12.345), number(2.0, whole=True)
    ('0.12', '0.50', '12.35', '2')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:.0f}" if whole else f"{value:.4g}" if abs(value) >= 10 else f"{value:.2f}"
    # "-0.00" says nothing that "0.00" does not.
    text = text.lstrip("-") if not text.strip("-0.") else text
    return text.replace("-", MINUS)


def format_objective(value: float) -> str | None:
    """Return the objective on a unit's map in words; None for a unit without a map."""
    return number(value) if math.isfinite(value) else None


def format_with_interval(
    value: float | None, interval: tuple[float, float] | list[float | None] | None, *, whole: bool = False
) -> str:
    """Return a value with its interval, ``0.50 (0.31 to 0.69)``."""
    if value is None or not math.isfinite(value):
        return "not measured"
    if interval is None or any(end is None or not math.isfinite(end) for end in interval):
        return number(value, whole=whole)
    return f"{number(value, whole=whole)} ({number(interval[0])} to {number(interval[1])})"


def limits(row: Mapping[str, Any]) -> str:
    """Return the limits of a finding's row in words, ``at least 0.5``."""
    parts = [(word, row.get(key)) for word, key in (("at least", "at_least"), ("at most", "at_most"))]
    # As it was written: a limit that is rounded would look like another one.
    written = [f"{word} {limit:g}".replace("-", MINUS) for word, limit in parts if limit is not None]
    return " and ".join(written) or NOTHING


def plain(row: Mapping[str, Any]) -> str:
    """Return a finding's row as one sentence for somebody who never saw the suite."""
    where = f" ({clean(row['subject'])})" if row["subject"] else ""
    whole = row["metric"] in COUNTS
    value = format_with_interval(row["value"], row["interval"], whole=whole)
    parts = [f"{title(row['metric'])}{where}: {value}, must be {limits(row)}"]
    if row["baseline"] is not None:
        parts.append(f"baseline {number(row['baseline'], whole=whole)}")
    if row["n"] is not None:
        parts.append(observations(row["metric"], row["n"]))
    return "; ".join(parts) + "."


def count(amount: int, one: str, many: str | None = None) -> str:
    """Return an amount with its noun, ``1 picture`` or ``2 pictures``; thousands are set apart."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}".replace(",", "\u2009")


def observations(metric: str, n: int | None) -> str:
    """Return how many observations a value rests on, in the metric's own unit; a dash for none.

    Examples
    --------
    >>> observations("subject_accuracy", 16), observations("recognition", 2), observations("group_accuracy", 1)
    ('16 pictures', '2 classes', '1 person')
    """
    return NOTHING if n is None else count(n, *unit_of(metric))


def proportion(candidate: float, baseline: float) -> str:
    """Say how a size compares with the baseline's, in words.

    Examples
    --------
    >>> proportion(64_000, 128_000), proportion(100, 100), proportion(430, 100), proportion(38, 100)
    ('half the', 'as many', '4.3 times the', '38 % of the')
    """
    ratio = candidate / baseline
    for value, word in _FRACTIONS:
        if abs(ratio - value) <= 0.03 * value:
            return word
        if value != 1 and abs(ratio - value) <= 0.1 * value:
            return f"about {word}"
    return f"{ratio:.1f} times the" if ratio > 1.2 else f"{100 * ratio:.0f} % of the"


def compare_sizes(candidate: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> str:
    """Return one sentence on the sizes of the two networks; empty where one is unknown."""
    if not candidate or not baseline or not candidate.get("parameters") or not baseline.get("parameters"):
        return ""
    own, other = int(candidate["parameters"]), int(baseline["parameters"])
    word = proportion(own, other)
    tail = "parameters as the baseline" if word == "as many" else "parameters of the baseline"
    sizes = _group_digits(own) if own == other else f"{_group_digits(own)} against {_group_digits(other)}"
    return f"The candidate has {word} {tail}: {sizes}."


def surroundings(document: Mapping[str, Any], *, most: int = 4) -> str:
    """Return one sentence on what else differed between the two measurements than the network; empty for nothing."""
    lines = [clean(line, longest=120) for line in (document.get("provenance") or {}).get("differences") or []]
    if not lines:
        return ""
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return f"Measured with other versions or on another machine: {'; '.join(lines[:most])}{more}."


def _group_digits(amount: int) -> str:
    return f"{amount:,}".replace(",", "\u2009")


def verdict_line(document: Mapping[str, Any]) -> str:
    """Return the verdict in one sentence."""
    name = clean((document.get("candidate") or {}).get("name") or "the candidate", longest=60)
    word = document.get("verdict", "error")
    if word == "pass" and document.get("scope", "full") != "full":
        return f"{name} passed the part of the suite that ran."
    if word == "pass" and (excused := list_waivers(document)):
        return f"{name} may replace the baseline, with {count(len(excused), 'waiver')}."
    return {
        "pass": f"{name} may replace the baseline.",
        "fail": f"{name} should not replace the baseline.",
        "inconclusive": f"It is not settled whether {name} may replace the baseline.",
        "unmeasured": f"{name} could not be judged: something that must be measured was not.",
    }.get(word, f"The gate could not judge {name}.")


def reasons(document: Mapping[str, Any]) -> list[str]:
    """Return the reasons of a verdict for somebody who never saw the suite.

    A reason that repeats a finding gives way to one sentence on all findings that did not pass: they are listed in
    plain words elsewhere. Where only a part of the suite ran, a warning comes first.

    Parameters
    ----------
    document : mapping
        The verdict document.
    """
    rows = [row for row in document.get("findings") or [] if row["gating"]]
    starts = tuple(f"{row['verdict'].upper()}: {row['key']} = " for row in rows)
    given = [str(reason) for reason in document.get("reasons") or []]
    kept = [reason for reason in given if not starts or not reason.startswith(starts)]
    if len(kept) < len(given):
        kept = [reason for reason in kept if not re.fullmatch(r"And \d+ more\.", reason)]
        kept.append(_summarise_failures(rows))
    whole = document.get("scope", "full") == "full" or document.get("verdict", "error") == "error"
    partial = [] if whole else ["Only a part of the suite ran: this is no decision on a release."]
    if not document.get("enforced", True):
        partial.append("Report only: the exit status does not follow this verdict, and nothing is released by it.")
    return partial + [clean(reason, longest=600) for reason in kept]


def bad(row: Mapping[str, Any]) -> bool:
    """Say whether a finding's row stands in the way of a release."""
    return row["gating"] and row["verdict"] not in ("pass", "waived")


def list_waivers(document: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Return the findings that somebody answers for, with what is left of the time, the shortest first.

    Parameters
    ----------
    document : mapping
        The verdict document; the days are counted from its own day.

    Returns
    -------
    list of tuple
        The position among the findings, and one sentence on the waiver.
    """
    rows = [(k, row["waiver"]) for k, row in enumerate(document.get("findings") or []) if row.get("waiver")]
    today = (document.get("volatile") or {}).get("today")
    told = []
    for k, waiver in sorted(rows, key=lambda pair: (pair[1]["expires"], pair[0])):
        line = f"Waived until {waiver['expires']}"
        if today:
            left = (datetime.date.fromisoformat(waiver["expires"]) - datetime.date.fromisoformat(today)).days
            line += f" ({count(left, 'day')} left{'; decide soon' if left <= NOTICE else ''})"
        told.append((k, clean(f"{line} by {waiver['owner']}: {waiver['reason']}", longest=600)))
    return told


def _summarise_failures(rows: Sequence[Mapping[str, Any]]) -> str:
    failed = [row for row in rows if bad(row)]
    kinds: dict[str, int] = {}
    for row in failed:
        kinds[title(row["metric"])] = kinds.get(title(row["metric"]), 0) + 1
    named = [name if n == 1 else f"{name} ({n})" for name, n in kinds.items()]
    more = f"; and {len(named) - 4} more" if len(named) > 4 else ""
    return f"{len(failed)} of {len(rows)} checks did not pass: {'; '.join(named[:4])}{more}."


def worst(findings: Sequence[Mapping[str, Any]], most: int) -> list[int]:
    """Return the positions of the findings to name first: the gravest of every metric before a second of any.

    Parameters
    ----------
    findings : sequence of mapping
        Rows of the verdict document, the gravest first.
    most : int
        How many at most.
    """
    seen: dict[str, int] = {}
    ranked = []
    for k, row in enumerate(findings):
        if bad(row):
            ranked.append((seen.get(row["metric"], 0), k))
            seen[row["metric"]] = seen.get(row["metric"], 0) + 1
    return sorted(k for _, k in sorted(ranked)[:most])
