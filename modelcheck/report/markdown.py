"""The summary in Markdown, for a pull request or the step summary of a build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcheck.report.words import (
    COUNTS,
    clean,
    compare_sizes,
    format_with_interval,
    limits,
    list_waivers,
    number,
    observations,
    reasons,
    surroundings,
    title,
    verdict_line,
)
from modelcheck.support.escaping import markdown

__all__ = ["step_summary", "summary_markdown"]

_ROWS = 200
_STEP = 1024 * 1024  # bytes; GitHub drops the whole summary of a step that is longer
_SIGNS = {
    "pass": "✅",
    "fail": "❌",
    "inconclusive": "\N{HEAVY MINUS SIGN}",
    "unmeasured": "❓",
    "waived": "\N{LARGE YELLOW CIRCLE}",
}


def step_summary(document: Mapping[str, Any], *, used: int) -> str:
    """Return the summary for a step of a build that already holds `used` bytes; empty where nothing fits any more."""
    for rows in (_ROWS, 50, 10, 1):
        text = summary_markdown(document, rows=rows)
        if len(text.encode()) <= _STEP - used:
            return text
    return ""


def summary_markdown(document: Mapping[str, Any], *, rows: int = _ROWS) -> str:
    """Return a verdict document as Markdown: the verdict, its reasons, what to do next, and the findings worst first.

    Parameters
    ----------
    document : mapping
        The verdict document.
    rows : int
        At most so many reasons, waivers and findings.

    Returns
    -------
    str
        Long texts are cut, and names from outside escaped.
    """
    word, excused = clean(document.get("verdict", "error")), list_waivers(document)
    sign = _SIGNS.get("waived" if word == "pass" and excused else word, "⚠️")
    lines = [f"## {sign} {markdown(word.upper())}: {markdown(verdict_line(document))}", ""]
    lines += [f"- {markdown(reason)}" for reason in reasons(document)[:rows]]
    findings = document.get("findings") or []
    for k, words in excused[:rows]:
        what = f"{title(findings[k]['metric'])} {findings[k]['subject']}".strip()
        lines.append(f"- {_SIGNS['waived']} {markdown(f'{what}: {words}')}")
    sizes = compare_sizes(document.get("candidate"), document.get("baseline"))
    lines += ["", markdown(sizes)] if sizes else []
    other = surroundings(document)
    lines += ["", markdown(other)] if other else []
    commands = (document.get("next") or [])[:20]
    if commands:
        # Indented code cannot be closed from inside, whatever the command holds.
        lines += ["", "Next:", "", *(f"    {clean(command, longest=1000)}" for command in commands)]
    if findings:
        lines += [
            "",
            "| Result | What | Of | Candidate | Baseline | Must be | Measured on | Why |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(found) for found in findings[:rows]]
    if len(findings) > rows:
        lines += ["", f"{len(findings) - rows} more findings stand in the report."]
    missed = document.get("not_judged") or []
    if missed:
        shown = ", ".join(markdown(clean(key, longest=80)) for key in missed[:20])
        lines += ["", f"Measured but not judged ({len(missed)}): {shown}{', …' if len(missed) > 20 else ''}."]
    return "\n".join(lines) + "\n"


def _row(found: Mapping[str, Any]) -> str:
    sign, whole = _SIGNS.get(found["verdict"], "⚠️"), found["metric"] in COUNTS
    cells = [
        f"{sign} {found['verdict']}" + ("" if found["gating"] else " (advisory)"),
        title(found["metric"]),
        clean(found["subject"], longest=80),
        format_with_interval(found["value"], found["interval"], whole=whole),
        number(found["baseline"], whole=whole),
        limits(found),
        observations(found["metric"], found["n"]),
        clean(found["why"], longest=300),
    ]
    return "| " + " | ".join(markdown(cell) for cell in cells) + " |"
