"""Whether a verdict document contradicts itself: each fact in it that follows from others is made once more.

It is no protection against forgers, who can write a document that agrees with itself. What was cut,
edited in one place, or written by something else than a run of the gate is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from modelcheck.comparison import (
    BROKEN_BELOW,
    KERAS,
    METRICS,
    PICTURES,
    Offer,
    find_offer,
    plan_metric,
    possible,
)
from modelcheck.gate.explanation import MISREAD, explain_judgement
from modelcheck.gate.panel_rows import find_unseen, is_asked, list_facts, list_things, tell_row_material
from modelcheck.gate.request import recipe_for
from modelcheck.judgement.criteria import CriteriaError, Criterion, criterion_for, find_never_failing
from modelcheck.judgement.document import MisreadingReason, Reason, VerdictDocument
from modelcheck.judgement.findings import Finding, Verdict, judge, overall, read_findings, read_limits

__all__ = ["find_contradiction", "find_unplanned"]

_DIGITS = 2e-6  # a document keeps six digits of a number, and both sides of a comparison are rounded


def find_contradiction(document: VerdictDocument) -> str:
    """Return in what a full verdict contradicts itself, in one sentence; empty for nothing.

    Parameters
    ----------
    document : VerdictDocument
        From `modelcheck.gate.reading.read_verdict`, of full scope, with every part that it can have.
    """
    rows = read_findings(document)
    checks: tuple[Callable[[VerdictDocument, Sequence[Finding]], str], ...] = (
        _find_twice,
        _find_foreign,
        _find_unasked,
        _find_other_conversion,
        _find_other_parts,  # early: what is expected below is read from the recipe
        _find_invented,
        _find_acknowledged,
        _find_absent,
        _find_missing,
        _find_uncalibrated,
        _find_misjudged,
        _find_other_reasons,
    )
    wrong = next(filter(None, (check(document, rows) for check in checks)), "")
    return f"The document contradicts itself: {wrong}." if wrong else ""


def find_unplanned(document: VerdictDocument, manifest: Mapping[str, Any]) -> str:
    """Return in what a verdict is not of a baseline, or does not judge all of it, in one sentence; empty for nothing.

    Parameters
    ----------
    document : VerdictDocument
        Without a contradiction in itself.
    manifest : mapping
        The baseline's; see `modelcheck.signature.read_manifest`.
    """
    panel, recipe = document["panel"], document["recipe"]
    named = (
        ("network", manifest["model"]["sha256"], _network(document, "baseline").get("sha256")),
        ("panel", manifest["panel_digest"], panel and panel["digest"]),
        ("classes", manifest["class_names"], panel and panel["classes"]),
        *list_facts(manifest, panel),
        ("set of subjects", sorted(manifest["subjects"]), panel and panel["subjects"]),
        ("recipe", manifest["recipe"], recipe and {name: part for name, part in recipe.items() if name != "digest"}),
    )
    other = next((name for name, there, said in named if there != said), "")
    if other:
        return f"The verdict names another {other} than this baseline has."
    acknowledged = _acknowledged(document)
    judged = {(row.measured.metric, row.about) for row in read_findings(document)}
    criteria, offer = read_limits(document), _find_offer(document)
    for metric in dict.fromkeys(row.metric for row in criteria):
        for about in plan_metric(metric, manifest, acknowledged=acknowledged, offer=offer):
            if criterion_for(criteria, metric, about) is not None and (metric, about) not in judged:
                return f"The verdict does not judge {_key(metric, about)}, which its criteria ask of this baseline."
    return ""


def _find_twice(_: VerdictDocument, rows: Sequence[Finding]) -> str:
    return "a finding stands in it twice" if len({row.key for row in rows}) != len(rows) else ""


def _find_foreign(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    names = [row.measured.metric for row in rows] + [row.metric for row in read_limits(document)]
    other = next((name for name in names if name not in METRICS), None)
    return "" if other is None else f"it judges by {other!r}, which is no metric of this modelcheck"


def _find_unasked(document: VerdictDocument, _: Sequence[Finding]) -> str:
    """Return what was measured, and is asked of another kind of panel."""
    for metric, values in document["metrics"].items():
        if metric in METRICS and values and not is_asked(metric, document["panel"]):
            return f"{metric} was measured, and is not asked of such a panel"
    return ""


def _find_other_conversion(document: VerdictDocument, _: Sequence[Finding]) -> str:
    """Return how a source and what became of it do not belong together, or were measured beyond what can be asked."""
    source, conversion = "source" in document, document.get("conversion")
    if source != (conversion is not None):
        return "it names a source, or what became of one, and not the other"
    offer = _find_offer(document)
    for metric, values in document["metrics"].items():
        if metric in METRICS and values and not offer.holds(METRICS[metric].takes):
            return f"{metric} was measured, and its candidate cannot be asked for it"
    if conversion is None:
        return ""
    low = [row["source"] for row in conversion["layers"] if row["snr"] < BROKEN_BELOW]
    if conversion["breaks"] != (low[0] if low else ""):
        return "its conversion breaks at another layer than its signal to noise says"
    told = document["metrics"].get("source_agreement", {}).values()
    share = 1 - conversion["changed"] / conversion["pictures"]
    if any(value is None or abs(value - share) > _DIGITS for value in told):
        return "its source_agreement is not the share of the answers that its conversion left"
    return ""


def _find_invented(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    """Return the finding whose value or limits the document does not give elsewhere."""
    criteria = read_limits(document)
    for row in rows:
        measured = document["metrics"].get(row.measured.metric, {})
        value = row.to_dict()["value"]
        if row.about not in measured or measured[row.about] != value:
            return f"{row.key} was not measured as {value}"
        if criterion_for(criteria, row.measured.metric, row.about) != row.criterion:
            return f"{row.key} was judged by limits that its criteria do not give"
        if not _is_possible(document, row):
            return f"{row.key} cannot be {value} with such an interval"
    return ""


def _find_acknowledged(document: VerdictDocument, _: Sequence[Finding]) -> str:
    """Return a layer that the settings take out on purpose, and that was measured all the same."""
    for metric, values in document["metrics"].items():
        for about in values:
            if metric in METRICS and METRICS[metric].about == "layer" and about in _acknowledged(document):
                return f"{_key(metric, about)} was measured, and its settings take {about} out"
    return ""


def _find_absent(document: VerdictDocument, _: Sequence[Finding]) -> str:
    """Return what was measured of a layer that the candidate lacks, or a layer of which nobody says whether it does."""
    told = document["metrics"].get("counterpart", {})
    absent = {about for about, value in told.items() if value != 1}
    hidden = ("layer", "hidden", "calibrated_hidden")
    for metric, values in document["metrics"].items():
        if metric not in METRICS or METRICS[metric].domain not in hidden or metric == "counterpart":
            continue
        for about, value in values.items():
            if about in absent and value is not None:
                return f"{_key(metric, about)} was measured, and the candidate has no such layer"
            if METRICS[metric].domain != "layer" and about not in told:
                return f"it does not say whether {about} has a counterpart"
    return ""


def _find_missing(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    """Return what the criteria ask for, and was not measured or not judged."""
    criteria, judged = read_limits(document), {(row.measured.metric, row.about) for row in rows}
    for metric in dict.fromkeys(row.metric for row in criteria):
        measured = set(document["metrics"].get(metric, {}))
        for about in sorted(_expected(document, metric) | measured):
            if criterion_for(criteria, metric, about) is None:
                continue
            if about not in measured:
                return f"{_key(metric, about)} was never measured"
            if (metric, about) not in judged:
                return f"{_key(metric, about)} was measured, and never judged"
    return ""


def _find_uncalibrated(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    """Return a limit that informs without a calibrated one in its place, or gates beside it."""
    gating = {row.measured.metric for row in rows if row.gating}
    for limit in read_limits(document):
        if limit.calibrated_by and limit.advisory != (limit.calibrated_by in gating):
            return f"its limit on {limit.metric} {'informs' if limit.advisory else 'gates'}, whatever its twins say"
    return ""


def _find_misjudged(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    """Judge every finding once more: rows that do not give the document's verdict release nothing."""
    for row in rows:
        again, said = judge(row.measured, _loosen(row.criterion)).verdict, row.verdict
        if said is Verdict.WAIVED:
            fits = row.gating and again is not Verdict.UNMEASURED
        else:
            fits = again.gravity <= said.gravity
        if not fits:
            return f"{row.key} is said to be {said.value}, and is {again.value}"
        if row.measured.silent and not _may_be_silent(document, row):
            return f"{row.key} has no say in the release, and nothing takes it away"
    found, word = overall(rows).value, document["verdict"]
    return "" if found == word else f"it says {word}, and its findings say {found}"


def _may_be_silent(document: VerdictDocument, row: Finding) -> bool:
    """Say whether a finding has no say of itself.

    It is a scale that its own twins leave without a value, or of a layer that the candidate lacks
    while it has others.
    """
    if row.to_dict()["value"] is not None:
        return False
    if METRICS[row.measured.metric].domain in ("calibrated", "calibrated_hidden"):
        return True
    told = document["metrics"].get("counterpart", {})
    return told.get(row.about) == 0 and 1 in told.values()


def _find_other_parts(document: VerdictDocument, _: Sequence[Finding]) -> str:
    """Return the part of a full run that the document lacks, or that does not have its own digest."""
    parts: tuple[tuple[Literal["candidate", "baseline"], Sequence[str]], ...] = (
        ("candidate", ("folder", "signature")),
        ("baseline", ("folder", "signature", "approval")),
    )
    for role, keys in parts:
        lacks = next((key for key in keys if key not in _network(document, role)), None)
        if lacks:
            return f"it is of a full run, and its {role} has no {lacks}"
    if not document["suites"]:
        return "it names no suite that judged"
    recipe = dict(document["recipe"] or {})
    digest = recipe.pop("digest", None)
    try:
        made = recipe_for(recipe, table=tell_row_material(document["panel"]) != PICTURES)
        fits = (made.to_dict(), made.digest()) == (recipe, digest)
    except (ValueError, TypeError, KeyError):
        fits = False
    return "" if fits else "its recipe does not match its digest"


def _find_other_reasons(document: VerdictDocument, rows: Sequence[Finding]) -> str:
    """Return a reason or an exit code that the rest of the document does not give."""
    criteria = read_limits(document)
    try:
        never = find_never_failing(criteria, {row.metric: _bounds(document, row.metric) for row in criteria})
    except CriteriaError as error:
        return str(error).rstrip(".")
    said = [row["can_fail"] for row in document["criteria"]["rows"]] if document["criteria"] else []
    if said != [row not in never for row in criteria]:
        return "it is wrong about which of its criteria a value can fail"
    approval = _network(document, "baseline")["approval"]
    expected = explain_judgement(
        document["verdict"],
        rows,
        metrics=document["metrics"],
        criteria=criteria,
        never_failing=never,
        approval=approval,
        panel=document["panel"],
        candidate=document["candidate"],
        conversion=document.get("conversion"),
    )
    told, misread = _part_misreadings(document)
    if wrong := next(filter(None, (_find_impossible(document, reason) for reason in misread)), ""):
        return wrong
    if told != expected:
        odd = next((row["kind"] for row in told if row not in expected), "")
        return f"its reasons hold one that nothing in it gives ({odd})" if odd else "its reasons are not all there"
    lenient = document["verdict"] == Verdict.PASS.value or _settings(document)["inconclusive"] == "pass"
    return "" if document["exit_code"] == (0 if lenient else 1) else "its exit code is not that of its verdict"


def _part_misreadings(document: VerdictDocument) -> tuple[list[Reason], list[MisreadingReason]]:
    """Return the reasons that follow from the rest, and how the candidate is misread: once in each way, at their head.

    What the input was calibrated for alone comes before.
    """
    told, misread = list(document["reasons"]), list[MisreadingReason]()
    if document["verdict"] in MISREAD:
        place = int(any(row["kind"] == "input_use" for row in told))
        for way in ("preprocessing", "class_order"):
            if len(told) > place and told[place]["kind"] == way:
                misread.append(cast("MisreadingReason", told.pop(place)))
    return told, misread


def _find_impossible(document: VerdictDocument, reason: MisreadingReason) -> str:
    """Return why the rest of the document does not let a candidate be misread like this."""
    now, reached, panel = reason["now"], reason["reached"], document["panel"]
    if not 0 <= now < reached <= 1:
        return f"its reason {reason['kind']} goes from {now} to {reached}, which is no better answer"
    if reason["kind"] == "preprocessing":
        return ""
    classes, order = reason["classes"], reason["order"]
    if panel is None or classes != panel["classes"] or sorted(order) != sorted(classes) or order == classes:
        return "its order of the outputs is no other order of its panel's classes"
    known = document["metrics"].get("class_accuracy", {})
    seen = [known.get(name) for name in classes if name not in find_unseen(panel)]
    if any(value is None for value in seen):
        return ""
    right = [value for value in seen if value is not None]
    if abs(sum(right) / len(right) - now) > _DIGITS:
        return f"its order of the outputs starts from {now}, and its classes are answered otherwise"
    return ""


def _expected(document: VerdictDocument, metric: str) -> set[str]:
    """Return what a metric is about by the rest of the document: other metrics of its kind, panel and recipe."""
    domain, offer = METRICS[metric].domain, _find_offer(document)
    panel, recipe = document["panel"], document["recipe"] or {}
    if not is_asked(metric, panel) or not offer.holds(METRICS[metric].takes):
        return set()
    known: dict[str, Sequence[str]] = {
        "network": [""],
        "subject": panel["subjects"] if panel else [],
        "class": [name for name in panel["classes"] if name not in find_unseen(panel)] if panel else [],
        **list_things(panel),
        "method": offer.choose_methods(recipe.get("attribution_methods", [])),
    }
    alike = [name for name in document["metrics"] if name in METRICS and METRICS[name].domain == domain]
    return {*known.get(domain, ()), *(about for name in alike for about in document["metrics"][name])}


def _find_offer(document: VerdictDocument) -> Offer:
    """Return what the candidate could be asked for, by what the document says of it."""
    return find_offer(str(_network(document, "candidate").get("runtime", KERAS)), source="source" in document)


def _is_possible(document: VerdictDocument, row: Finding) -> bool:
    """Say whether a finding's value lies where its metric can be, and in its own interval."""
    item = row.to_dict()
    value, interval = item["value"], item["interval"]
    if item["n"] is not None and item["n"] < 0:
        return False
    if value is None:
        return True
    ranges = [_bounds(document, row.measured.metric)]
    if interval is not None and interval[0] is not None and interval[1] is not None:
        ranges.append((interval[0], interval[1]))
    return all(
        low - _DIGITS * max(1.0, abs(low)) <= value <= high + _DIGITS * max(1.0, abs(high)) for low, high in ranges
    )


def _bounds(document: VerdictDocument, metric: str) -> tuple[float, float]:
    panel = document["panel"]
    return possible(metric, {"class_names": panel["classes"] if panel else []})


def _network(document: VerdictDocument, role: Literal["candidate", "baseline"]) -> Mapping[str, Any]:
    return document[role] or {}


def _acknowledged(document: VerdictDocument) -> list[str]:
    return [name for name, partner in _settings(document)["layers"].items() if partner is None]


def _settings(document: VerdictDocument) -> Mapping[str, Any]:
    return document["settings"] or {"layers": {}, "inconclusive": "fail"}


def _key(metric: str, about: str) -> str:
    return f"{metric}[{about}]" if about else metric


def _loosen(criterion: Criterion) -> Criterion:
    """Return limits that numbers with six digits meet where the measured ones did."""
    low, high = criterion.at_least, criterion.at_most
    return dataclasses.replace(
        criterion,
        at_least=None if low is None else low - 1e-6 * max(1.0, abs(low)),
        at_most=None if high is None else high + 1e-6 * max(1.0, abs(high)),
    )
