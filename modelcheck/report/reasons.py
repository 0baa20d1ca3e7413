"""What a run came to, why, and what to do next: the one place where the verdict's facts become sentences."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from modelcheck.comparison import METRICS, say_saturated, unit_of
from modelcheck.interface.sentences import say_misreading
from modelcheck.judgement.document import (
    Action,
    ApprovalRow,
    NoSubjectsReason,
    Reason,
    UnseenReason,
    VerdictDocument,
    WaiverUseRow,
)
from modelcheck.judgement.findings import Finding, read_findings
from modelcheck.judgement.waivers import NOTICE, WaiverState
from modelcheck.report.shipped import count_unasked, describe_black_box, describe_input_use, is_shipped, say_break
from modelcheck.report.words import AREAS, call, count, head, material_of, noun_of, title
from modelcheck.support.escaping import clean

__all__ = [
    "count_absent",
    "count_asked",
    "describe_action",
    "describe_missing_scan",
    "describe_reason",
    "describe_use",
    "list_unasked",
    "list_waivers",
    "main_reason",
    "reasons",
    "verdict_line",
]


# What it takes to ask a question, at the head of every reader and in full.
_NEEDS = {
    "regions": "regions",
    "twins": "retrained twins",
    "criteria": "a criterion that gates",
    "divisions": "a division into sub-populations",
}
# Reasons that say what was not asked: they stand by themselves, under the headline.
_UNASKED = (
    *("questions", "black_box", "no_counterpart", "hidden_layers"),
    *("unseen_classes", "no_subjects", "small_groups"),
)
_CURES = {
    "regions": "{}: the panel does not say where the evidence may lie; add regions and approve again.",
    "twins": "{}: it takes two retrained twins of the baseline or more, modelcheck calibrate --help.",
    "criteria": "{}: no criterion that gates is about it.",
    "divisions": "{}: nothing divides the panel's rows into two sub-populations of enough rows; name one (groups) and "
    "approve again.",
}


def verdict_line(document: VerdictDocument, findings: Iterable[Finding]) -> str:
    """Return the verdict in one sentence."""
    candidate = document["candidate"]
    name = call(candidate) or "the candidate"
    word = document["verdict"]
    # A baseline is rendered: a file that ships never becomes one.
    can = "be released" if is_shipped(candidate) else "replace the baseline"
    if word == "pass" and document["scope"] != "full":
        return f"{name} passed the part of the suite that ran."
    if word == "pass":
        excused = sum(found.waiver is not None for found in findings)
        waived = f", with {count(excused, 'waiver')}" if excused else ""
        return f"{name} may {can}{waived}{count_absent(document)}{count_asked(document)}{count_unasked(document)}."
    return {
        "fail": f"{name} should not {can}.",
        "inconclusive": f"It is not settled whether {name} may {can}.",
        "unmeasured": f"{name} could not be judged: something that must be measured was not.",
    }.get(word, f"The gate could not judge {name}.")


def describe_reason(reason: Reason) -> str:
    """Return a reason of a verdict as one harmless sentence; a finding is told by its key alone."""
    return clean(_describe_reason(reason), longest=600)


def _describe_reason(reason: Reason) -> str:  # noqa: PLR0911, PLR0912 - one for each kind
    match reason["kind"]:
        case "error":
            return reason["text"]
        case "interrupted":
            return "The run was interrupted before everything was judged. Run it again; measurements are kept."
        case "stopped":
            return f"pytest ended with exit status {reason['exit_status']} before everything was judged."
        case "flaky":
            return f"{reason['test']} passed only when it was run again: flaky, not a pass."
        case "marked_xfail":
            return f"{reason['test']} is marked xfail: that does not excuse a failing gate."
        case "unwritten":
            other = " Name another folder with --modelcheck-report." if reason["what"] == "verdict" else ""
            return f"The {reason['what']} could not be written to {reason['folder']!r}: {reason['text']}.{other}"
        case "test_failed":
            return f"{reason['test']} failed: {reason['text']}"
        case "pytest_status":
            status = reason["exit_status"]
            return f"pytest's exit status is {status}, which no failed test explains: a plugin or a hook set it."
        case "waiver":
            return describe_use(reason["use"])
        case "not_judged":
            keys, planned = reason["keys"], reason["planned"]
            more = f" and {len(keys) - 6} more" if len(keys) > 6 else ""
            return f"{len(keys)} of {planned} planned checks were never judged: {', '.join(keys[:6])}{more}."
        case "finding":
            return f"{reason['key']} did not pass."
        case "baseline":
            return _describe_approval(reason["approval"])
        case "no_counterpart":
            return _describe_absent(reason["layers"], reason["total"])
        case "unseen_classes":
            unseen = reason["classes"]
            more = f" and {len(unseen) - 6} more" if len(unseen) > 6 else ""
            return (
                f"Of {count(len(unseen), 'class', 'classes')} the panel holds no {_name_one(reason)}, so that nothing "
                f"was judged of it by itself: {', '.join(unseen[:6])}{more}."
            )
        case "no_subjects":
            one = _name_one(reason)
            return (
                f"The panel has no subjects that {one}s share: every {one} counts by itself, and "
                f"{' and '.join(reason['metrics'])} {'is' if len(reason['metrics']) == 1 else 'are'} not asked."
            )
        case "small_groups":
            small = reason["populations"]
            more = f" and {len(small) - 6} more" if len(small) > 6 else ""
            return (
                f"{count(len(small), 'sub-population')} {'has' if len(small) == 1 else 'have'} fewer than "
                f"{reason['least']} rows, so that nothing was judged of them: {', '.join(small[:6])}{more}."
            )
        case "hidden_layers":
            looked = reason["looked_at"]
            return (
                f"{looked} of {count(reason['total'], 'hidden layer')} {'was' if looked == 1 else 'were'} looked at, "
                "as the baseline's recipe asks (hidden_layers); of the others nothing is known."
            )
        case "questions":
            cures = " ".join(
                _CURES[row["needs"]].format(_name_area(row["area"]).capitalize()) for row in reason["unasked"]
            )
            return f"{reason['asked']} of {reason['total']} questions were asked. {cures}"
        case "never_failing":
            return f"No value can fail {len(reason['limits'])} of the criteria: {', '.join(reason['limits'][:6])}."
        case "uncalibrated":
            named = ", ".join(head(metric) for metric in reason["metrics"])
            return (
                f"Uncalibrated: the limits on {named} come from another task. Train the release again with two other "
                "seeds or more, and give them: modelcheck calibrate BASELINE --twin A.keras --twin B.keras"
            )
        case "off_scale":
            named = ", ".join(head(metric) for metric in reason["metrics"])
            return (
                f"Not settled: {named}. No twin has the candidate's kind of layers, {reason['lacking']}, and networks "
                "of the other kind read the baseline's maps otherwise, whatever they learned. Train two or three "
                "networks of the candidate's architecture as the release was trained, and give them beside its twins: "
                "modelcheck calibrate BASELINE --twin A.keras --twin B.keras --twin NEW1.keras --twin NEW2.keras"
            )
        case "preprocessing" | "class_order":
            return say_misreading(reason)
        case "input_use":
            return describe_input_use(reason)
        case "saturated":
            return say_saturated(reason["share"])
        case "conversion":
            return say_break(*(reason["layer"], reason["snr"]), changed=reason["changed"], pictures=reason["pictures"])
        case "black_box":
            return describe_black_box(reason)
        case "all_advisory":
            return "Every criterion that was judged is advisory: nothing gates the release."
        case "passed":
            waived, total = reason["waived"], reason["total"]
            if not waived:
                return f"All {total} checks that gate the release passed."
            return f"{reason['passed']} of {total} checks that gate the release passed; {waived} waived."
        case unknown:
            assert_never(unknown)


def _name_one(reason: UnseenReason | NoSubjectsReason) -> str:
    return "row" if "of" in reason else "picture"


def _describe_absent(layers: Sequence[str], total: int) -> str:
    more = f" and {len(layers) - 6} more" if len(layers) > 6 else ""
    named = f"{', '.join(layers[:6])}{more}"
    if len(layers) == total - 1:
        return f"No hidden layer has a counterpart, so that the decision alone was compared: {named}."
    those = "it" if len(layers) == 1 else "them"
    return f"No counterpart for {len(layers)} of {total} layers, so that nothing is said of {those}: {named}."


def count_absent(document: VerdictDocument) -> str:
    """Return how many layers were not compared, as the end of a sentence; empty where all were."""
    for reason in document["reasons"]:
        if reason["kind"] == "no_counterpart":
            lacking = len(reason["layers"])
            return f"; {lacking} of {reason['total']} layers {'has' if lacking == 1 else 'have'} no counterpart"
    return ""


def count_asked(document: VerdictDocument) -> str:
    """Return how many questions were asked and what the others need, as the end of a sentence; empty for all."""
    for reason in document["reasons"]:
        if reason["kind"] == "questions":
            names = [(_name_area(row["area"]), _NEEDS[row["needs"]]) for row in reason["unasked"]]
            needs = (f"{name} {'need' if name.endswith('s') else 'needs'} {what}" for name, what in names)
            return f"; {reason['asked']} of {reason['total']} questions asked: {', '.join(needs)}"
    return ""


def _name_area(area: str) -> str:
    return AREAS.get(area, clean(area, longest=40)).lower()


def _describe_approval(approval: ApprovalRow) -> str:
    words = {
        "approved": "",
        "outdated": "was approved once, and another one since: somebody put it back by hand.",
        "unknown": "was never approved: its history names others only.",
        "unrecorded": "has no history of approvals.",
        "unreadable": "has a history that cannot be read, or was not written by approvals alone.",
    }[approval["state"]]
    if not words:
        return f"The baseline was approved by {approval['by']} against its own verdict: {approval['even_so']}"
    return f"The baseline {words} See: modelcheck history"


def describe_use(use: WaiverUseRow) -> str:
    """Return one sentence on a waiver and what became of it."""
    about = f"[{use['about']}]" if use["about"] else ""
    words = {
        WaiverState.USED: f"holds until {use['expires']}",
        WaiverState.WORSE: f"was granted for {use['value']:g} and does not cover {', '.join(use['findings'])}",
        WaiverState.WIDE: f"was granted for {use['value']:g}, much further from the limit than "
        f"{', '.join(use['findings'])} is: copy the value from verdict.json",
        WaiverState.EXPIRED: f"expired on {use['expires']}; fix it, or ask {use['owner']} for another decision",
        WaiverState.EARLY: f"begins on {use['created']}",
        WaiverState.STRANGER: f"is for the candidate {use['candidate'][:12]}; remove it, or decide anew",
        WaiverState.UNMATCHED: "excuses nothing: no red finding matches it; remove it",
    }[WaiverState(use["state"])]
    return f"The waiver of {use['metric']}{about} {words}."


def reasons(
    document: VerdictDocument, findings: Sequence[Finding], *, summed: bool = True, unasked: bool = True
) -> list[str]:
    """Return the reasons of a verdict as sentences for somebody who never saw the suite.

    All findings that did not pass come to one sentence: they are listed in plain words elsewhere.
    Where only a part of the suite ran, or the exit status does not follow the verdict, a warning
    comes first; where nothing could be searched for triggers, a sentence says so.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    findings : sequence of Finding
        The document's.
    summed : bool
        Leave False where each finding is told by a line of its own.
    unasked : bool
        Leave False where `list_unasked` is told apart.
    """
    made = []
    if document["scope"] != "full" and document["verdict"] != "error":
        made.append("Only a part of the suite ran: this does not decide a release.")
    if not document["enforced"]:
        made.append("Report only: the exit status does not follow this verdict, and nothing is released by it.")
    told = (reason for reason in document["reasons"] if reason["kind"] != "finding")
    made += [describe_reason(reason) for reason in told if unasked or reason["kind"] not in _UNASKED]
    if summed and any(reason["kind"] == "finding" for reason in document["reasons"]):
        made.append(_summarise_failures(findings))
    if unasked:
        made += _list_missing_scan(document, findings)
    return made


def list_unasked(document: VerdictDocument) -> list[str]:
    """Return what the run did not ask, as sentences: questions, criteria, layers and classes that it leaves open."""
    made = [describe_reason(reason) for reason in document["reasons"] if reason["kind"] in _UNASKED]
    return made + _list_missing_scan(document, read_findings(document))


def _list_missing_scan(document: VerdictDocument, findings: Sequence[Finding]) -> list[str]:
    evidence = (found.measured.evidence for found in findings if _is_scan(found.measured.metric))
    missing = describe_missing_scan(document["metrics"], next(evidence, ""))
    return [missing] if missing else []


def describe_missing_scan(metrics: Mapping[str, Mapping[str, float | None]], evidence: str) -> str:
    """Return one sentence where nothing could be searched for triggers; empty where something was.

    Parameters
    ----------
    metrics : mapping
        Every value by metric and by what it is about, None or NaN where there is none.
    evidence : str
        Why not; empty where nobody asked.

    Examples
    --------
    >>> describe_missing_scan({"trigger": {"": None}}, "It takes 3 clean twins.")
    'The scan for triggers could not be made: It takes 3 clean twins.'
    >>> describe_missing_scan({"trigger": {"": 0.4}, "reach": {"": None}}, "")
    ''
    """
    values = [value for metric, about in metrics.items() if _is_scan(metric) for value in about.values()]
    if not values or any(value is not None and math.isfinite(value) for value in values):
        return ""
    why = evidence or "no criterion asks for it, or it takes retrained twins: modelcheck calibrate --help"
    return clean(f"The scan for triggers could not be made: {why}", longest=600)


def _is_scan(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].area == "triggers"


def main_reason(document: VerdictDocument) -> str:
    """Return a verdict's first reason, a finding with all that is known of it; empty for none."""
    if not document["reasons"]:
        return ""
    first = document["reasons"][0]
    named = {found.key: found for found in read_findings(document)}
    if first["kind"] == "finding" and first["key"] in named:
        found = named[first["key"]]
        unit = unit_of(found.measured.metric, noun=noun_of(document), of=material_of(document))
        return found.describe(unit)
    return describe_reason(first)


def describe_action(action: Action, *, verdict: str) -> str:
    """Return what a next step is good for, as the words before its command.

    Parameters
    ----------
    action : {'rerun', 'approve'}
        What the step does.
    verdict : str
        The document's.
    """
    match action:
        case "rerun":
            if verdict == "pass":
                return "To judge everything, run the whole suite:"
            if verdict == "error":
                return "When the cause is fixed, run the gate again:"
            return "Fix the candidate and run the gate again:"
        case "approve":
            if verdict == "pass":
                return "To make the candidate the new baseline, with a reason for its history:"
            return "Only if the change is wanted, make the candidate the new baseline:"
        case unknown:
            assert_never(unknown)


def list_waivers(findings: Sequence[Finding], *, today: str) -> list[tuple[int, str]]:
    """Return the findings that somebody answers for, with what is left of the time, the shortest first.

    Parameters
    ----------
    findings : sequence of Finding
        The verdict document's.
    today : str
        The document's own day, from which the days are counted.

    Returns
    -------
    list of tuple
        The position among the findings, and one sentence on the waiver.
    """
    rows = [(k, found.waiver) for k, found in enumerate(findings) if found.waiver is not None]
    told = []
    for k, waiver in sorted(rows, key=lambda pair: (pair[1]["expires"], pair[0])):
        left = (datetime.date.fromisoformat(waiver["expires"]) - datetime.date.fromisoformat(today)).days
        soon = "; decide soon" if left <= NOTICE else ""
        line = f"Waived until {waiver['expires']} ({count(left, 'day')} left{soon}) by {waiver['owner']}"
        told.append((k, clean(f"{line}: {waiver['reason']}", longest=600)))
    return told


def _summarise_failures(findings: Sequence[Finding]) -> str:
    gating = [found for found in findings if found.gating]
    failed = [found for found in gating if found.red]
    kinds: dict[str, int] = {}
    for found in failed:
        name = title(found.measured.metric)
        kinds[name] = kinds.get(name, 0) + 1
    named = [name if n == 1 else f"{name} ({n})" for name, n in kinds.items()]
    more = f"; and {len(named) - 4} more" if len(named) > 4 else ""
    return f"{len(failed)} of {count(len(gating), 'check')} did not pass: {'; '.join(named[:4])}{more}."
