"""The summary in Markdown, for a pull request or the step summary of a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, read_findings
from modelcheck.report.reasons import describe_action, list_unasked, list_waivers, reasons, verdict_line
from modelcheck.report.shipped import describe_release, summarise_shipped
from modelcheck.report.why import explain
from modelcheck.report.words import (
    COUNTS,
    NOTHING,
    Noun,
    clean,
    compare_sizes,
    count,
    describe_augmentation,
    format_with_interval,
    limits,
    material_of,
    name_about,
    noun_of,
    number,
    observations,
    one_line,
    surroundings,
    title,
    what_decides,
)
from modelcheck.support.escaping import markdown

if TYPE_CHECKING:
    from modelcheck.comparison import Comparison
    from modelcheck.comparison.tables.comparison import TableComparison

__all__ = ["step_summary", "summary_markdown"]

_ROWS = 200
_HEADS = ("Result", "What", "Of", "Candidate", "Baseline", "Must be", "Measured on", "Why")
_STEP = 1024 * 1024  # bytes; GitHub drops the whole summary of a step that is longer
_SIGNS = {
    "pass": "✅",
    "fail": "❌",
    "inconclusive": "\N{HEAVY MINUS SIGN}",
    "unmeasured": "❓",
    "waived": "\N{LARGE YELLOW CIRCLE}",
}


def step_summary(
    document: VerdictDocument, *, used: int, comparison: Comparison | TableComparison | None = None
) -> str:
    """Return the summary for a step of a build that already holds `used` bytes; empty where nothing fits any more."""
    for rows in (_ROWS, 50, 10, 1):
        text = summary_markdown(document, rows=rows, comparison=comparison)
        if len(text.encode()) <= _STEP - used:
            return text
    return ""


def summary_markdown(
    document: VerdictDocument, *, rows: int = _ROWS, comparison: Comparison | TableComparison | None = None
) -> str:
    """Return a verdict document as Markdown: verdict, why, each failure on a line, what to do, findings folded.

    No picture: GitHub and GitLab show none that is kept within a page, and a summary has no other
    place for one.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    rows : int
        At most so many reasons, waivers and findings, the most severe of them.
    comparison : Comparison or TableComparison, optional
        The two networks; with it the reasons name places, counts and layers.

    Returns
    -------
    str
        Long texts are cut, and names from outside escaped.
    """
    findings = read_findings(document)
    word, excused = clean(document["verdict"]), list_waivers(findings, today=document["volatile"]["today"])
    sign = _SIGNS.get("waived" if word == "pass" and excused else word, "⚠️")
    lines = [f"## {sign} {markdown(word.upper())}: {markdown(verdict_line(document, findings))}", ""]
    lines += [f"- {markdown(reason)}" for reason in reasons(document, findings, unasked=False)[:rows]]
    noun, of = noun_of(document), material_of(document)
    if word != "pass":
        why = explain(findings, comparison=comparison, noun=noun, of=of)
        lines += ["", *(f"{k}. {markdown(item.says)}" for k, item in enumerate(why, 1))] if why else []
        failed = [found for found in findings if found.red][:rows]
        told = (f"- {_SIGNS[found.verdict]} {markdown(one_line(found, noun=noun, of=of))}" for found in failed)
        lines += ["", *told] if failed else []
    unasked = list_unasked(document)
    lines += ["", *(f"- Not asked: {markdown(words)}" for words in unasked[:rows])] if unasked else []
    for k, words in excused[:rows]:
        what = f"{title(findings[k].measured.metric)} {findings[k].about}".strip()
        lines.append(f"- {_SIGNS['waived']} {markdown(f'{what}: {words}')}")
    facts = summarise_shipped(document["candidate"], document.get("source"))
    lines += ["", markdown(f"{facts}.")] if facts else []
    sizes = compare_sizes(document["candidate"], document["baseline"])
    lines += ["", markdown(sizes)] if sizes else []
    for other in (describe_augmentation(document["candidate"]), surroundings(document)):
        lines += ["", markdown(other)] if other else []
    release = describe_release(document)
    lines += ["", markdown(release)] if release else []
    for step in document["next"][:20]:
        lines += ["", markdown(describe_action(step["action"], verdict=word))]
        # Indented code cannot be closed from inside, whatever the command holds.
        lines += ["", f"    {clean(step['command'], longest=1000)}"]
    if findings:
        # An empty line on each side: without it the table within would stay text.
        held = f"<details><summary>All {count(len(findings), 'finding')}</summary>"
        lines += ["", held, "", *_table(findings[:rows], noun, of), "", "</details>"]
    if len(findings) > rows:
        lines += ["", f"{len(findings) - rows} more findings stand in the report."]
    missed = document["not_judged"]
    if missed:
        shown = ", ".join(markdown(clean(key, longest=80)) for key in missed[:20])
        lines += ["", f"Measured but not judged ({len(missed)}): {shown}{', …' if len(missed) > 20 else ''}."]
    return "\n".join(lines) + "\n"


def _table(findings: Sequence[Finding], noun: Noun, of: str) -> list[str]:
    """Return the findings as a table, one a row; columns in which nothing stands are left out."""
    rows = [_cells(found, noun, of) for found in findings]
    shown = [k for k in range(len(_HEADS)) if any(cells[k] not in ("", NOTHING) for cells in rows)]
    lines = [[_HEADS[k] for k in shown], *([markdown(cells[k]) for k in shown] for cells in rows)]
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return [head, f"|{'---|' * len(shown)}", *body]


def _cells(found: Finding, noun: Noun, of: str) -> list[str]:
    item = found.measured
    return [
        f"{_SIGNS[found.verdict]} {found.verdict}" + ("" if found.gating else " (advisory)"),
        title(item.metric),
        clean(name_about(item.metric, item.about), longest=80),
        format_with_interval(item.value, item.interval, whole=item.metric in COUNTS),
        number(item.baseline, whole=item.metric in COUNTS),
        limits(found.criterion),
        "; ".join(
            filter(None, (observations(item.metric, item.n, noun=noun, of=of), what_decides(found, noun=noun, of=of)))
        ),
        clean(found.criterion.why, longest=300),
    ]
