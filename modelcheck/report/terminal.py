"""The summary in the terminal: a red run fits one screen, and says the same without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcheck.report.words import (
    MINUS,
    NOTHING,
    STATES,
    bad,
    clean,
    count,
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


def print_summary(document: Mapping[str, Any], console: Console, *, report: str | Path | None = None) -> None:
    """Print a verdict document: tables by layer, subject and region check, the verdict, what is wrong and what to do.

    Parameters
    ----------
    document : mapping
        The verdict document.
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


def _print(document: Mapping[str, Any], console: Console, report: str | Path | None) -> None:
    from rich.padding import Padding
    from rich.text import Text

    findings = document.get("findings") or []
    for name, metrics in (("layer", _LAYERS), ("subject", _SUBJECTS), ("region check", _GROUPS)):
        shown = [metric for metric in metrics if console.width >= _ROOMY or metric not in _OPTIONAL]
        table = _table(name, shown, document.get("metrics") or {}, findings)
        if table is not None:
            console.print(table)
    state = str(document.get("verdict", "error"))
    excused = list_waivers(document)
    style = _STYLES["waived"] if state == "pass" and excused else _STYLES.get(state, "bold red")
    line = Text.assemble((clean(state).upper(), style), f"  {verdict_line(document)}")
    console.print()
    console.print(line, highlight=False)
    for reason in reasons(document)[:4]:
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
    for command in (document.get("next") or [])[:3]:
        # Never folded: a command that is copied must be whole.
        console.print(
            Text.assemble(("Next:    ", "bold"), clean(command, longest=2000)), highlight=False, soft_wrap=True
        )
    if report is not None:
        console.print(
            Text.assemble(("Report:  ", "bold"), clean(report, longest=2000)), highlight=False, soft_wrap=True
        )


def _print_worst(findings: Sequence[Mapping[str, Any]], console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    failed = [found for found in findings if bad(found)]
    if not failed:
        return
    console.print(Text(f"Worst of {count(len(failed), 'check')} that did not pass:", "bold"), highlight=False)
    for found in (findings[k] for k in worst(findings, _WORST)):
        line = Text.assemble((f"{found['verdict']:<12} ", _STYLES.get(found["verdict"], "")), plain(found))
        console.print(Padding(line, (0, 0, 0, 2), expand=False), highlight=False)


def _table(
    name: str, metrics: Sequence[str], values: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]
) -> Table | None:
    from rich.table import Table
    from rich.text import Text

    found = {row["key"]: row for row in findings}
    used = [metric for metric in metrics if any(_split(key)[0] == metric for key in values)]
    abouts = list(dict.fromkeys(_split(key)[1] for key in values if _split(key)[0] in used))
    rows = []
    for about in abouts:
        here = [
            found[key] for key in (f"{metric}[{about}]" for metric in used) if key in found and found[key]["gating"]
        ]
        states = {row["verdict"] for row in here}
        state = next((state for state in STATES if state in states), "")
        rows.append((about, state, {metric: values.get(f"{metric}[{about}]") for metric in used}))
    if not rows:
        return None
    # The decision, which alone has a recognition, stands last as in the network.
    rows.sort(key=lambda row: f"recognition[{row[0]}]" in values)
    hidden = 0
    if len(rows) > _ROWS:
        rank = {id(row): STATES.index(row[1]) if row[1] else len(STATES) for row in rows}
        kept = {id(row) for row in sorted(rows, key=lambda row: rank[id(row)])[:_ROWS]}
        hidden = len(rows) - len(kept)
        rows = [row for row in rows if id(row) in kept]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    table.add_column(Text(f"By {name}"), max_width=30, overflow="ellipsis", no_wrap=True, min_width=12)
    for metric in used:
        table.add_column(Text(_HEADS.get(metric, title(metric))), justify="right", no_wrap=True)
    table.add_column(Text("limit"), max_width=26, no_wrap=True, overflow="ellipsis")
    table.add_column(Text("verdict"), no_wrap=True)
    for about, state, cells in rows:
        limit = _limit(about, used, found)
        table.add_row(
            Text(clean(about)),
            *(Text(number(value)) for value in cells.values()),
            Text(limit),
            Text(state or "not judged", _STYLES.get(state, "dim")),
        )
    if hidden:
        table.add_row(Text(f"… {hidden} more in the report", "dim"))
    return table


def _limit(about: str, used: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the limit of the row's gravest finding, with the metric where there are several."""
    rows = [found[key] for key in (f"{metric}[{about}]" for metric in used) if key in found and found[key]["gating"]]
    if not rows:
        return ""
    worst = min(rows, key=lambda row: STATES.index(row["verdict"]) if row["verdict"] in STATES else 0)
    return f"{_HEADS.get(worst['metric'], '')} {limits(worst).replace('at least', '≥').replace('at most', '≤')}".strip()


def _split(key: str) -> tuple[str, str]:
    metric, _, about = key.partition("[")
    return metric, about.removesuffix("]")
