"""Why a verdict is what it is, from the rest of its document alone: the gate writes it, and a reader makes it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelcheck.comparison import AREAS, KERAS, METRICS, find_offer, is_saturated
from modelcheck.gate.panel_rows import find_unseen, tell_row_material
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import (
    AnyPanelRow,
    ApprovalRow,
    ConversionRow,
    NetworkRow,
    NoSubjectsReason,
    Reason,
    UnaskedRow,
    UnseenReason,
)
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.panel.populations import SMALLEST_GROUP

__all__ = ["MISREAD", "explain_judgement"]

MISREAD = (Verdict.FAIL.value, Verdict.UNMEASURED.value)
"""Verdicts that may come of a network that is fed or read otherwise than it should be.

That is then told before what follows from it. It comes of the candidate's signature, not of the rest
of the document.
"""
# From which shares on pictures are not those that an input was calibrated for: values that are cut, and what is used of
# its range.
_CLIPPED, _REACHED = 0.01, 0.25


def explain_judgement(
    verdict: str,
    rows: Sequence[Finding],
    *,
    metrics: Mapping[str, Mapping[str, float | None]],
    criteria: Sequence[Criterion],
    never_failing: Sequence[Criterion],
    approval: ApprovalRow | None,
    panel: AnyPanelRow | None,
    candidate: NetworkRow | None = None,
    conversion: ConversionRow | None = None,
) -> list[Reason]:
    """Return the reasons that follow from what was judged, and by what; other facts of a run come before them.

    Parameters
    ----------
    verdict : str
        What the document says.
    rows : sequence of Finding
        What was judged, in the document's order.
    metrics : mapping of str to mapping of str to float or None
        The document's.
    criteria : sequence of Criterion
        By what was judged.
    never_failing : sequence of Criterion
        See `Plan`.
    approval : ApprovalRow or None
        The baseline's.
    panel : AnyPanelRow or None
        The pictures, or the rows of a table.
    candidate : NetworkRow or None
        What the document says of it.
    conversion : ConversionRow or None
        What became of its source, where that was given.
    """
    converted = _explain_conversion(candidate, conversion)
    reasons: list[Reason] = list(converted) if verdict in MISREAD else []
    reasons += [{"kind": "finding", "key": row.key} for row in rows if row.red]
    if verdict == "pass":
        gating = [row for row in rows if row.gating]
        waived = sum(row.verdict is Verdict.WAIVED for row in gating)
        reasons.append({"kind": "passed", "passed": len(gating) - waived, "waived": waived, "total": len(gating)})
    told = metrics.get("counterpart", {})
    if lacking := [layer for layer, value in told.items() if value == 0]:
        # The decision, which always has one, counts as a layer too.
        reasons.append({"kind": "no_counterpart", "layers": lacking, "total": len(told) + 1})
    if candidate is not None and "hidden_layers" in candidate:
        reasons.append({"kind": "hidden_layers", **candidate["hidden_layers"]})
    if never_failing:
        limits = [f"{row.metric} {row.limits}" for row in never_failing]
        reasons.append({"kind": "never_failing", "limits": limits})
    uncalibrated = dict.fromkeys(row.measured.metric for row in rows if row.gating and row.criterion.calibrated_by)
    if uncalibrated:
        reasons.append({"kind": "uncalibrated", "metrics": list(uncalibrated)})
    off_scale = [row.measured for row in rows if row.gating and row.measured.off_scale]
    if off_scale:
        named = list(dict.fromkeys(item.metric for item in off_scale))
        reasons.append({"kind": "off_scale", "metrics": named, "lacking": off_scale[0].off_scale})
    if approval is not None and (approval["state"] != "approved" or approval["even_so"]):
        reasons.append({"kind": "baseline", "approval": approval})
    of_subjects = dict.fromkeys(row.metric for row in criteria if METRICS[row.metric].about == "subject")
    if panel is not None and not panel["subjects"] and of_subjects:
        lone: NoSubjectsReason = {"kind": "no_subjects", "metrics": list(of_subjects)}
        reasons.append({**lone, "of": "rows"} if "rows" in panel else lone)
    questions = [area for area, row in AREAS.items() if row.question and tell_row_material(panel) in row.of]
    unasked = _find_unasked(rows, questions, metrics=metrics, panel=panel)
    if rows and unasked:
        total = len(questions)
        reasons.append({"kind": "questions", "asked": total - len(unasked), "total": total, "unasked": unasked})
    if panel is not None and (unseen := find_unseen(panel)):
        gone: UnseenReason = {"kind": "unseen_classes", "classes": unseen}
        reasons.append({**gone, "of": "rows"} if "rows" in panel else gone)
    if panel is not None and "rows" in panel and panel["small_populations"]:
        small = list(panel["small_populations"])
        reasons.append({"kind": "small_groups", "populations": small, "least": SMALLEST_GROUP})
    if verdict not in MISREAD:  # no limit is on it, or it informs: told all the same, and after the verdict's reason
        reasons += converted
    return reasons + _explain_unasked(criteria, candidate, source=conversion is not None)


def _explain_conversion(candidate: NetworkRow | None, conversion: ConversionRow | None) -> list[Reason]:
    """Return what went wrong when a file was converted."""
    reasons: list[Reason] = []
    use = candidate.get("input_use") if candidate else None
    if use is not None and (use["clipped"] > _CLIPPED or use["reached"] < _REACHED):
        reasons.append({"kind": "input_use", **use})
    if candidate is not None and is_saturated(candidate):
        reasons.append({"kind": "saturated", "share": candidate["saturation"]})
    rows = conversion["layers"] if conversion else []
    broken = next((row for row in rows if conversion and row["source"] == conversion["breaks"]), None)
    if conversion is not None and broken is not None:
        changed, pictures = conversion["changed"], conversion["pictures"]
        told: Reason = {
            "kind": "conversion",
            "layer": broken["source"],
            "snr": broken["snr"],
            "changed": changed,
            "pictures": pictures,
        }
        reasons.append(told)
    return reasons


def _explain_unasked(criteria: Sequence[Criterion], candidate: NetworkRow | None, *, source: bool) -> list[Reason]:
    """Return what criteria ask with a say in the release, and a file that ships cannot be asked for."""
    runtime = candidate.get("runtime", KERAS) if candidate else KERAS
    offer = find_offer(runtime, source=source)
    gating = dict.fromkeys(row.metric for row in criteria if not row.advisory)
    unasked = [name for name in gating if not offer.holds(METRICS[name].takes)]
    unasked = [name for name in unasked if runtime != KERAS and ("source" not in METRICS[name].takes)]
    if not unasked:
        return []
    return [{"kind": "black_box", "runtime": runtime, "metrics": unasked, "source": source}]


def _find_unasked(
    rows: Sequence[Finding],
    questions: Sequence[str],
    *,
    metrics: Mapping[str, Mapping[str, float | None]],
    panel: AnyPanelRow | None,
) -> list[UnaskedRow]:
    """Return the questions of which nothing that was judged has a say, each with what asking it needs.

    Whether an attribution method can be believed is no answer to where the network looks.
    """
    gating = [METRICS[row.measured.metric] for row in rows if row.gating and row.measured.metric in METRICS]
    asked = {metric.area for metric in gating if metric.domain != "method"}
    unasked: list[UnaskedRow] = []
    for area in (area for area in questions if area not in asked):
        waiting = [metrics.get(name, {}) for name, row in METRICS.items() if row.area == area and row.awaits_twins]
        if area == "attention" and panel is not None and panel.get("regions", True) is False:
            unasked.append({"area": area, "needs": "regions"})
        elif area == "populations" and panel is not None and "rows" in panel and not panel["divisions"]:
            unasked.append({"area": area, "needs": "divisions"})
        elif waiting and not any(value is not None for values in waiting for value in values.values()):
            unasked.append({"area": area, "needs": "twins"})
        else:
            unasked.append({"area": area, "needs": "criteria"})
    return unasked
