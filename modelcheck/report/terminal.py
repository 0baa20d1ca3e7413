"""The summary in the terminal: a red run fits one screen, and says the same without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, read_findings
from modelcheck.report.words import (
    MINUS,
    NOTHING,
    clean,
    count,
    describe_action,
    gravest,
    limits,
    list_waivers,
    number,
    plain,
    reasons,
    surroundings,
    title,
    verdict_line,
    worst,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["print_summary"]

_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "unmeasured": "bold yellow",
    "waived": "yellow",
    "error": "bold red",
}
# For terminals that know no Unicode.
_SIMPLER = str.maketrans({MINUS: "-", NOTHING: "-", "…": "~", "≥": ">=", "≤": "<=", "\u2009": " "})
_WORST = 5
_ROWS = 8
_LAYERS = (
    *("recognition", "natural_recognition", "likeness", "map_ssim", "floor_ssim"),
    *("activation_correlation", "mapped_units"),
)
# Left out where a terminal is narrower than this: the report has them.
_ROOMY = 96
_OPTIONAL = ("floor_ssim", "activation_correlation", "mass_change")
_SUBJECTS = ("subject_accuracy", "subject_change")
_GROUPS = ("mass_over_area", "mass_lift", "mass_change", "pointing")
_HEADS = {
    "mapped_units": "mapped",
    "recognition": "known",
    "natural_recognition": "natural",
    "likeness": "likeness",
    "map_ssim": "maps",
    "floor_ssim": "untrained",
    "activation_correlation": "responses",
    "subject_accuracy": "accuracy",
    "subject_change": "change",
    "mass_over_area": "over chance",
    "mass_lift": "over untrained",
    "mass_change": "change",
    "pointing": "pointing",
}


def print_summary(document: VerdictDocument, console: Console, *, report: str | Path | None = None) -> None:
    """Print a verdict document: tables by layer, subject and region check, the verdict, what is wrong and what to do.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    console : rich.console.Console
        Where to; it knows whether it can show colours.
    report : path, optional
        Of the page, for the last line.
    """
    if console.encoding.lower().startswith("utf"):
        _print(document, console, report)
        return
    with console.capture() as captured:
        _print(document, console, report)
    text = captured.get().translate(_SIMPLER)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def _print(document: VerdictDocument, console: Console, report: str | Path | None) -> None:
    from rich.padding import Padding
    from rich.text import Text

    findings = read_findings(document)
    for name, metrics in (("layer", _LAYERS), ("subject", _SUBJECTS), ("region check", _GROUPS)):
        shown = [metric for metric in metrics if console.width >= _ROOMY or metric not in _OPTIONAL]
        table = _table(name, shown, document["metrics"], findings)
        if table is not None:
            console.print(table)
    state = document["verdict"]
    excused = list_waivers(findings, today=document["volatile"]["today"])
    style = _STYLES["waived"] if state == "pass" and excused else _STYLES.get(state, "bold red")
    line = Text.assemble((clean(state).upper(), style), f"  {verdict_line(document, findings)}")
    console.print()
    console.print(line, highlight=False)
    for reason in reasons(document, findings)[:4]:
        console.print(Text(f"  {clean(reason, longest=280)}"), highlight=False)
    other = surroundings(document)
    if other:
        console.print(Text(f"  {other}", "yellow"), highlight=False)
    if state != "pass":
        _print_worst(findings, console)
    for place, words in excused[:_WORST]:
        row = Text.assemble((f"{'waived':<12} ", _STYLES["waived"]), f"{plain(findings[place])} {words}")
        console.print(Padding(row, (0, 0, 0, 2), expand=False), highlight=False)
    if len(excused) > _WORST:
        console.print(Text(f"  … {len(excused) - _WORST} more waived in the report"), highlight=False)
    for k, step in enumerate(document["next"][:3]):
        says = describe_action(step["action"], verdict=state)
        console.print(Text.assemble((f"{'Or:' if k else 'Next:':<9}", "bold"), says), highlight=False)
        # Never folded: a command that is copied must be whole.
        console.print(Text(f"{'':9}{clean(step['command'], longest=2000)}"), highlight=False, soft_wrap=True)
    if report is not None:
        console.print(
            Text.assemble(("Report:  ", "bold"), clean(report, longest=2000)), highlight=False, soft_wrap=True
        )


def _print_worst(findings: Sequence[Finding], console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    failed = [found for found in findings if found.red]
    if not failed:
        return
    console.print(Text(f"Worst of {count(len(failed), 'check')} that did not pass:", "bold"), highlight=False)
    for found in (findings[k] for k in worst(findings, _WORST)):
        line = Text.assemble((f"{found.verdict:<12} ", _STYLES[found.verdict]), plain(found))
        console.print(Padding(line, (0, 0, 0, 2), expand=False), highlight=False)


def _table(
    name: str,
    metrics: Sequence[str],
    values: Mapping[str, Mapping[str, float | None]],
    findings: Sequence[Finding],
) -> Table | None:
    """Return the table of one kind of thing, one row each; None where nothing was measured."""
    from rich.table import Table
    from rich.text import Text

    used = [metric for metric in metrics if metric in values]
    judged: dict[str, list[Finding]] = {about: [] for metric in used for about in values[metric]}
    for found in findings:
        if found.gating and found.measured.metric in used and found.about in judged:
            judged[found.about].append(found)
    # The decision, which alone has a recognition, stands last as in the network.
    abouts = sorted(judged, key=lambda about: about in values.get("recognition", {}))
    if not abouts:
        return None
    hidden = 0
    if len(abouts) > _ROWS:
        kept = sorted(abouts, key=lambda about: -max((found.verdict.gravity for found in judged[about]), default=-1))
        hidden = len(abouts) - _ROWS
        abouts = [about for about in abouts if about in kept[:_ROWS]]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    table.add_column(Text(f"By {name}"), max_width=30, overflow="ellipsis", no_wrap=True, min_width=12)
    for metric in used:
        table.add_column(Text(_HEADS.get(metric, title(metric))), justify="right", no_wrap=True)
    table.add_column(Text("limit"), max_width=26, no_wrap=True, overflow="ellipsis")
    table.add_column(Text("verdict"), no_wrap=True)
    for about in abouts:
        state = gravest(judged[about])
        table.add_row(
            Text(clean(about)),
            *(Text(number(values[metric].get(about))) for metric in used),
            Text(_limit(judged[about], used)),
            Text("not judged" if state == "info" else state, _STYLES.get(state, "dim")),
        )
    if hidden:
        table.add_row(Text(f"… {hidden} more in the report", "dim"))
    return table


def _limit(findings: Sequence[Finding], used: Sequence[str]) -> str:
    """Return the limit of a row's most severe finding, of several the first, with its metric."""
    if not findings:
        return ""
    first = min(findings, key=lambda found: (-found.verdict.gravity, used.index(found.measured.metric)))
    return f"{_HEADS.get(first.measured.metric, '')} {limits(first.criterion, signs=True)}".strip()
