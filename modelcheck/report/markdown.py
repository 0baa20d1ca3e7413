"""The summary in Markdown, for a pull request or the step summary of a build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modelcheck.report.words import NOTHING, clean, compared, limits, number, reasons, spelled, title, verdict_line

__all__ = ["summary_markdown"]

_ROWS = 200
_SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "\N{HEAVY MINUS SIGN}", "unmeasured": "❓"}


def summary_markdown(document: Mapping[str, Any]) -> str:
    """Return a verdict document as Markdown: the verdict, its reasons, what to do next, and the findings worst first.

    Parameters
    ----------
    document : mapping
        The verdict document.

    Returns
    -------
    str
        Under a million bytes: at most 200 findings, long texts cut. Names from outside are escaped.
    """
    word = clean(document.get("verdict", "error")).upper()
    lines = [f"## {_SIGNS.get(word.lower(), '⚠️')} {_escaped(word)}: {_escaped(verdict_line(document))}", ""]
    lines += [f"- {_escaped(reason)}" for reason in reasons(document)[:_ROWS]]
    sizes = compared(document.get("candidate"), document.get("baseline"))
    lines += ["", _escaped(sizes)] if sizes else []
    commands = (document.get("next") or [])[:20]
    if commands:
        # Indented code cannot be closed from inside, whatever the command holds.
        lines += ["", "Next:", "", *(f"    {clean(command, longest=1000)}" for command in commands)]
    findings = document.get("findings") or []
    if findings:
        lines += [
            "",
            "| Result | What | Of | Candidate | Baseline | Must be | n | Why |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(found) for found in findings[:_ROWS]]
    if len(findings) > _ROWS:
        lines += ["", f"{len(findings) - _ROWS} more findings stand in the report."]
    missed = document.get("not_judged") or []
    if missed:
        shown = ", ".join(_escaped(clean(key, longest=80)) for key in missed[:20])
        lines += ["", f"Measured but not judged ({len(missed)}): {shown}{', …' if len(missed) > 20 else ''}."]
    return "\n".join(lines) + "\n"


def _row(found: Mapping[str, Any]) -> str:
    sign = _SIGNS.get(found["verdict"], "⚠️")
    cells = [
        f"{sign} {found['verdict']}" + ("" if found["gating"] else " (advisory)"),
        title(found["metric"]),
        clean(found["subject"], longest=80),
        spelled(found["value"], found["interval"]),
        number(found["baseline"]),
        limits(found),
        NOTHING if found["n"] is None else str(found["n"]),
        clean(found["why"], longest=300),
    ]
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no link, no mention, no HTML."""
    text = clean(text, longest=1000)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", text)
    # A zero-width joint would do as well, but shows up when copied; an entity does not.
    text = text.replace("@", "&#64;")
    return re.sub(r"(?i)(https?|ftp|www)(?=[:.])", r"\1&#8203;", text)
