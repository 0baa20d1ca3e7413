"""What stands at the top of the page: networks, panel, counts, one tile for each question, the worst findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import AREAS, CLASSES, METRICS, shown_in
from modelcheck.judgement.document import AnyPanelRow, TablePanelRow, VerdictDocument
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.report.charts import describe_finding
from modelcheck.report.reasons import describe_action
from modelcheck.report.shipped import describe_shipped
from modelcheck.report.words import (
    OF_PICTURES,
    STATES,
    Noun,
    area_of,
    call,
    choose_noun,
    clean,
    count,
    describe_augmentation,
    describe_interface,
    format_bytes,
    gravest,
)
from modelcheck.signature import Signature, TableSignature

__all__ = ["about_panel", "counts", "networks", "next_steps", "panel_line", "tiles"]

_CLASSES_SHOWN = 6
# The order of the sections of a table's page.
_TABLE_ORDER = ("drivers", "effects", "populations", "features", "accuracy")


def networks(candidate: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what is known of the two networks: name, size, file and digest."""
    made = []
    for role, network in (("Baseline", baseline), ("Candidate", candidate)):
        if not network:
            continue
        parameters, size = network.get("parameters"), network.get("bytes")
        made.append(
            {
                "role": role,
                "name": call(network) or "unnamed",
                "file": clean(network.get("file") or ""),
                "folder": clean(network.get("folder") or ""),
                "sha256": clean(network.get("sha256") or ""),
                "parameters": count(int(parameters), "parameter") if parameters else "",
                "size": format_bytes(int(size)) if size else "",
                "augments": describe_augmentation(network),
                "interface": describe_interface(network.get("interface") or {}),
                "shipped": describe_shipped(network),
            }
        )
    return made


def about_panel(signature: Signature | TableSignature) -> AnyPanelRow:
    """Return what a signature tells of its panel, in the words of a verdict document."""
    if isinstance(signature, TableSignature):
        return _about_table(signature)
    return {
        "digest": signature.panel_digest,
        "pictures": len(signature.pictures["labels"]),
        "subjects": list(signature.subjects),
        "classes": list(signature.class_names),
    }


def _about_table(signature: TableSignature) -> TablePanelRow:
    return {
        "digest": signature.panel_digest,
        "rows": len(signature.scores),
        "subjects": list(signature.subjects),
        "target": signature.target,
        "classes": list(signature.class_names),
        "columns": [{"name": x.name, "kind": x.kind.value, "missing": x.missing} for x in signature.columns],
        "populations": [],
        "small_populations": [],
        "divisions": sorted(signature.groups),
    }


def panel_line(panel: AnyPanelRow | None, *, noun: Noun | None = None, judged: bool = False) -> str:
    """Return one sentence on the panel; empty where there is none. `noun` is what its subjects are called."""
    if not panel:
        return ""
    if "rows" in panel:
        return _table_line(panel, noun=noun, judged=judged)
    one, many = noun or choose_noun(panel["subjects"])
    of = f" of {count(len(panel['subjects']), one, many)}" if panel["subjects"] else ""
    *others, last = (clean(name) for name in panel["classes"])
    pictures = count(panel["pictures"], "picture")
    held_out = f"{'Judged' if judged else 'Measured'} on {pictures}{of} held out from training"
    converted = f" Pictures: {clean(panel['conversion'])}." if "conversion" in panel else ""
    return f"{held_out}: {', '.join(others)} or {last}.{converted}"


def _table_line(panel: TablePanelRow, *, noun: Noun | None, judged: bool) -> str:
    one, many = noun or choose_noun(panel["subjects"], of=CLASSES)
    of = f" of {count(len(panel['subjects']), one, many)}" if panel["subjects"] else ""
    size = f"{count(panel['rows'], 'row')}{of} and {count(len(panel['columns']), 'variable')}"
    target = clean(panel["target"], longest=60)
    *others, last = (clean(name, longest=60) for name in panel["classes"][-_CLASSES_SHOWN:] or ["a number"])
    more = len(panel["classes"]) - _CLASSES_SHOWN
    several = f"one of {len(panel['classes'])} classes" if more > 0 else f"{', '.join(others)} or {last}"
    answered = several if others else last
    missing = [row for row in panel["columns"] if row["missing"]]
    lacking = ", ".join(f"{clean(x['name'], longest=40)} in {count(x['missing'], 'row')}" for x in missing[:4])
    more_lacking = f" and {count(len(missing) - 4, 'more variable')}" if len(missing) > 4 else ""
    said = f" Missing: {lacking}{more_lacking}." if missing else ""
    converted = f" Rows: {clean(panel['conversion'])}." if "conversion" in panel else ""
    held_out = f"{'Judged' if judged else 'Measured'} on {size}, held out from training"
    return f"{held_out}. It answers {target}: {answered}.{said}{converted}"


def counts(findings: Sequence[Finding], *, unasked: int = 0) -> list[dict[str, Any]]:
    """Return how many checks with a say ended in each state, most severe first, and where the page lists them.

    What was not asked stands before what passed, and what has no say comes last.
    """
    gating = [found.verdict for found in findings if found.gating]
    made = [{"state": state.value, "n": gating.count(state), "anchor": "findings"} for state in STATES]
    made.insert(-1, {"state": "unasked", "n": unasked, "anchor": "not-asked"})
    return [*made, {"state": "note", "n": len(findings) - len(gating), "anchor": "findings"}]


def next_steps(document: VerdictDocument) -> list[dict[str, str]]:
    """Return the commands to run next, each with what it is good for."""
    return [
        {
            "says": describe_action(step["action"], verdict=document["verdict"]),
            "command": clean(step["command"], longest=2000),
        }
        for step in document["next"]
    ]


def tiles(findings: Sequence[Finding], *, noun: Noun, of: str = OF_PICTURES) -> list[dict[str, Any]]:
    """Return the questions of the report, those of pictures or of a table, with their most severe answers."""
    made = []
    order = list(AREAS) if of == OF_PICTURES else [*_TABLE_ORDER, *(area for area in AREAS if area not in _TABLE_ORDER)]
    for area, about in ((area, AREAS[area]) for area in order):
        if not about.question or of not in about.of:
            continue
        here = [found for found in findings if found.gating and area_of(found.measured.metric) == area]
        state = gravest(here)
        failed = [found for found in here if found.red]
        wanted = [
            found for metric in shown_in("headline", area=area, of=of) for found in _worst_first(findings, metric)
        ]
        # The number that explains the colour: a failing one where there is one.
        head = next(iter([*(found for found in wanted if found.verdict == state), *failed, *wanted, *here]), None)
        made.append(
            {
                "area": area,
                "anchor": "conversion" if head and "source" in METRICS[head.measured.metric].takes else area,
                "name": about.title,
                "question": about.question,
                "state": state,
                "head": describe_finding(head, noun=noun, of=of) if head else None,
                "checks": len(here),
                "bad": len(failed),
                "waived": sum(found.verdict is Verdict.WAIVED for found in here),
            }
        )
    return made


def _worst_first(findings: Sequence[Finding], metric: str) -> list[Finding]:
    """Return a metric's findings, the lowest value first; where only high values fail, the highest."""
    named = [found for found in findings if found.measured.metric == metric]

    def rank(found: Finding) -> float:
        value = found.measured.value if math.isfinite(found.measured.value) else 0.0
        return -value if found.criterion.at_least is None and found.criterion.at_most is not None else value

    return sorted(named, key=rank)
