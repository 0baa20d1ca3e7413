"""Why a candidate did not pass, in sentences for who never saw the suite, and what mends it.

Which sentence is said follows from the findings that did not pass and from what was measured, as
values: no sentence is taken apart. Each family of checks has one sentence, about the worst of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelcheck.comparison import METRICS, Comparison
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.report.families import FAMILIES, Facts
from modelcheck.report.words import OF_PICTURES, SUBJECTS, Noun, area_of, clean, count, one_line

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One reason why a candidate did not pass, and what to do about it.

    Parameters
    ----------
    says : str
        The reason, as one sentence.
    fix : str
        What would mend it, as one sentence; empty where nobody can say.
    metric, about : str
        The finding that shows it most.
    area : str
        The part of the report that shows it, a key of `modelcheck.report.words.AREAS`.
    class_name : str
        The class that it is about; empty for none.
    """

    says: str
    fix: str
    metric: str
    about: str
    area: str
    class_name: str = ""


def explain(
    findings: Sequence[Finding],
    *,
    comparison: Comparison | TableComparison | None = None,
    noun: Noun = SUBJECTS,
    of: str = OF_PICTURES,
) -> tuple[Explanation, ...]:
    """Return why a candidate did not pass: one reason for each family of checks, what explains most first.

    Parameters
    ----------
    findings : sequence of Finding
        The verdict document's.
    comparison : Comparison or TableComparison, optional
        The two networks; with it sentences name places, counts and layers.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.
    """
    facts = Facts(comparison=comparison if isinstance(comparison, Comparison) else None, noun=noun, of=of)
    red = [found for found in findings if found.red]
    failed = [found for found in red if found.verdict is Verdict.FAIL]
    made: list[Explanation] = []
    by_family: dict[str, list[Finding]] = {}
    for found in failed:
        by_family.setdefault(_family(found.measured.metric), []).append(found)
    for family, say in FAMILIES.items():
        here = sorted(by_family.get(family, []), key=lambda found: (-_excess(found), found.key))
        if here:
            says, fix, class_name = say(here, facts)
            if family != "class" or class_name not in [item.class_name for item in made]:
                made.append(_make(here[0], says, fix, class_name))
    for verdict, words in ((Verdict.UNMEASURED, "Could not be measured"), (Verdict.INCONCLUSIVE, "Not settled")):
        here = [found for found in red if found.verdict is verdict]
        if here:
            more = f"; and {count(len(here) - 1, 'more check')}" if len(here) > 1 else ""
            fix = f"Add {facts.things} to the panel, or decide with them at hand." if words == "Not settled" else ""
            made.append(_make(here[0], f"{words}: {one_line(here[0], noun=noun, of=of)}{more}.", fix, ""))
    return tuple(made)


def _make(found: Finding, says: str, fix: str, class_name: str) -> Explanation:
    item = found.measured
    area = "conversion" if _family(item.metric) == "conversion" else area_of(item.metric)
    said = clean(says, longest=400)
    return Explanation(
        says=said,
        fix=clean(fix, longest=300),
        metric=item.metric,
        about=item.about,
        area=area,
        class_name=class_name,
    )


def _excess(found: Finding) -> float:
    """Return how far a value lies beyond its limit, on the scale of the limit."""
    value, low, high = found.measured.value, found.criterion.at_least, found.criterion.at_most
    past = max(low - value if low is not None else -math.inf, value - high if high is not None else -math.inf)
    return round(past, 9) if math.isfinite(past) else 0.0


def _family(metric: str) -> str:  # noqa: PLR0911 - one for each family
    """Return which sentence tells of a metric, a key of `FAMILIES`, by what the catalogue says of it."""
    row = METRICS.get(metric)
    if row is None:
        return "other"
    if "source" in row.takes:
        return "conversion"
    match row.area:
        case "triggers":
            return metric
        case "effects" if row.about == "effect":
            return "populations"
        case "places" | "drivers" | "effects" | "populations":
            return row.area
        case "accuracy":
            return row.domain if row.domain in ("class", "subject") else "accuracy"
        case "attention":
            return "attention" if row.domain == "group" else "method"
        case "features" if row.domain in ("decision", "calibrated"):
            return "decision"
        case "features" if metric == "mapped_units":
            return "dead"
        case "features" if row.about == "layer":
            return "hidden"
    return "other"
