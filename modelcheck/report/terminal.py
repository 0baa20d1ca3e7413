"""The summary in the terminal: a red run fits one screen, and says the same without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.comparison import shown_in
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, read_findings
from modelcheck.report.reasons import describe_action, list_waivers, reasons, verdict_line
from modelcheck.report.shipped import describe_release, summarise_shipped
from modelcheck.report.words import (
    MINUS,
    NOTHING,
    OF_PICTURES,
    Noun,
    clean,
    count,
    describe_augmentation,
    gravest,
    head,
    limits,
    material_of,
    name_about,
    noun_of,
    number,
    plain,
    surroundings,
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
_SIMPLER = str.maketrans({MINUS: "-", NOTHING: "-", "…": "~", "≥": ">=", "≤": "<=", "\u2009": " ", "\xa0": " "})
_WORST = 5
_ROWS = 8
# The tables: the kind of thing that a row is about, and what a row is called; a subject has its own name.
_TABLES = {
    "column": "variable",
    "effect": "variable and division",
    "division": "division",
    "population": "sub-population",
    "layer": "layer",
    "subject": "",
    "class_name": "class",
    "group": "region check",
}
# Kinds whose rows stand in the order of their first column, the gravest and largest first.
_BY_SIZE = ("column", "effect")
# At most so many rows of a kind, where a panel of a table has more kinds than one screen has room for.
_FEWER = {"effect": 4, "division": 4, "population": 4, "subject": 4, "class_name": 4}
# How many columns the limit takes where its words are folded: the longest of them and a number.
_LIMIT = 18
_NAME = 30  # columns at most for the name of a row
_UNJUDGED, _ABSENT = "not judged", "no counterpart"


def print_summary(document: VerdictDocument, console: Console, *, report: str | Path | None = None) -> None:
    """Print a verdict document: tables by kind of thing, the verdict, what is wrong and what to do.

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
    from rich.measure import Measurement
    from rich.padding import Padding
    from rich.text import Text

    findings, noun, of = read_findings(document), noun_of(document), material_of(document)
    roomy = console.options.update(width=1000)
    for kind in _TABLES:
        # As many columns as the terminal has room for; the report has them all.
        for most in range(len(shown_in("column", about=kind, of=of)), 0, -1):
            table = _table(kind, document["metrics"], findings, most=most, noun=noun, of=of)
            if table is not None and (most == 1 or Measurement.get(console, roomy, table).minimum <= console.width):
                console.print(table)
                break
    state = document["verdict"]
    excused = list_waivers(findings, today=document["volatile"]["today"])
    style = _STYLES["waived"] if state == "pass" and excused else _STYLES.get(state, "bold red")
    line = Text.assemble((clean(state).upper(), style), f"  {verdict_line(document, findings)}")
    console.print()
    console.print(line, highlight=False)
    facts = summarise_shipped(document["candidate"], document.get("source"))
    if facts:
        console.print(Text(f"  {facts}", "dim"), highlight=False)
    for reason in reasons(document, findings)[:4]:
        console.print(Text(f"  {clean(reason, longest=600)}"), highlight=False)
    for other in (describe_augmentation(document["candidate"]), surroundings(document)):
        if other:
            console.print(Text(f"  {other}", "yellow"), highlight=False)
    if state != "pass":
        _print_worst(findings, console, noun, of)
    for place, words in excused[:_WORST]:
        row = Text.assemble(
            (f"{'waived':<12} ", _STYLES["waived"]), f"{plain(findings[place], noun=noun, of=of)} {words}"
        )
        console.print(Padding(row, (0, 0, 0, 2), expand=False), highlight=False)
    if len(excused) > _WORST:
        console.print(Text(f"  … {len(excused) - _WORST} more waived in the report"), highlight=False)
    _print_next(document, console)
    if report is not None:
        console.print(
            Text.assemble(("Report:  ", "bold"), clean(report, longest=2000)), highlight=False, soft_wrap=True
        )


def _print_next(document: VerdictDocument, console: Console) -> None:
    """Print what can be done now: what is released, and commands."""
    from rich.text import Text

    release = describe_release(document)
    if release:
        console.print(Text.assemble((f"{'Next:':<9}", "bold"), release), highlight=False)
    for k, step in enumerate(document["next"][:3], start=1 if release else 0):
        says = describe_action(step["action"], verdict=document["verdict"])
        console.print(Text.assemble((f"{'Or:' if k else 'Next:':<9}", "bold"), says), highlight=False)
        # Never folded: a command that is copied must be whole.
        console.print(Text(f"{'':9}{clean(step['command'], longest=2000)}"), highlight=False, soft_wrap=True)


def _print_worst(findings: Sequence[Finding], console: Console, noun: Noun, of: str) -> None:
    from rich.padding import Padding
    from rich.text import Text

    failed = [found for found in findings if found.red]
    if not failed:
        return
    console.print(Text(f"Worst of {count(len(failed), 'check')} that did not pass:", "bold"), highlight=False)
    for found in (findings[k] for k in worst(findings, _WORST)):
        line = Text.assemble((f"{found.verdict:<12} ", _STYLES[found.verdict]), plain(found, noun=noun, of=of))
        console.print(Padding(line, (0, 0, 0, 2), expand=False), highlight=False)


def _table(
    thing: str,
    values: Mapping[str, Mapping[str, float | None]],
    findings: Sequence[Finding],
    *,
    most: int,
    noun: Noun,
    of: str,
) -> Table | None:
    """Return the table of one kind of thing, a key of `_TABLES`, with at most so many columns of metrics.

    What was judged shows in the verdict of a row, whether or not there is room for its column.
    """
    from rich.table import Table
    from rich.text import Text

    ranked = shown_in("column", about=thing, of=of)
    used = [metric for metric in ranked if metric in values]
    judged: dict[str, list[Finding]] = {about: [] for metric in used for about in values[metric]}
    for found in findings:
        if found.gating and found.measured.metric in used and found.about in judged:
            judged[found.about].append(found)
    # The decision, which alone has a recognition, stands last as in the network.
    abouts = sorted(judged, key=lambda about: about in values.get("recognition", {}))
    if of != OF_PICTURES and thing != "column" and not any(judged.values()):
        return None  # of a table's many kinds only what was judged, and the variables
    if not any(judged.values()) and all(values[metric].get(about) is None for metric in used for about in abouts):
        return None  # nothing there, or nothing known of it and nothing asked, as of regions that a panel does not have
    columns = [
        metric for metric in used if metric in ranked[:most] and (_is_known(values[metric]) or _has_say(judged, metric))
    ]
    there = {"layer": values.get("counterpart", {})}.get(thing, {})  # a subject may be called like a layer
    # A row of dashes that nobody judged says nothing, unless it says that there is no such layer.
    abouts = [
        about
        for about in abouts
        if judged[about] or there.get(about) == 0 or any(values[metric].get(about) is not None for metric in columns)
    ]
    if not abouts:
        return None
    room = _ROWS if of == OF_PICTURES else _FEWER.get(thing, _ROWS)
    hidden = max(len(abouts) - room, 0)
    gravity = {about: -max((found.verdict.gravity for found in judged[about]), default=-1) for about in abouts}
    if thing in _BY_SIZE:
        # What drives a network most, and what differs most, says most.
        size = values.get(used[0], {})
        abouts = sorted(abouts, key=lambda about: (gravity[about], -(size.get(about) or 0.0)))[:room]
    elif hidden:
        kept = sorted(abouts, key=lambda about: gravity[about])[:room]
        abouts = [about for about in abouts if about in kept]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    # What is never folded says how wide it is, for whoever asks whether the table has room.
    names = [f"By {_TABLES[thing] or noun[0]}", *(name_about(used[0], about) for about in abouts)]
    table.add_column(
        Text(names[0]),
        min_width=min(max(map(len, names)), _NAME),
        max_width=_NAME,
        overflow="ellipsis",
        no_wrap=True,
        vertical="bottom",
    )
    for words in _fold_heads([head(metric) for metric in columns]):
        wide = max(map(len, words.split("\n")))
        table.add_column(Text(words), justify="right", min_width=wide, no_wrap=True, vertical="bottom")
    table.add_column(Text("limit"), min_width=_LIMIT, max_width=34, vertical="bottom")
    states = {about: gravest(judged[about]) for about in abouts}
    verdicts = {
        about: state if state != "info" else _ABSENT if there.get(about) == 0 else _UNJUDGED
        for about, state in states.items()
    }
    width = max(map(len, ["verdict", *verdicts.values()]))
    table.add_column(Text("verdict"), min_width=width, no_wrap=True, vertical="bottom")
    for about in abouts:
        table.add_row(
            Text(name_about(used[0], about)),
            *(Text(number(values[metric].get(about))) for metric in columns),
            Text(_limit(judged[about], used)),
            Text(verdicts[about], _STYLES.get(states[about], "dim")),
        )
    if hidden:
        table.add_row(Text(f"… {hidden} more in the report", "dim"))
    return table


def _is_known(by_about: Mapping[str, float | None]) -> bool:
    return any(value is not None for value in by_about.values())


def _has_say(judged: Mapping[str, Sequence[Finding]], metric: str) -> bool:
    return any(found.measured.metric == metric for findings in judged.values() for found in findings)


def _limit(findings: Sequence[Finding], used: Sequence[str]) -> str:
    """Return the limit of a row's most severe finding, of several the first, with its metric."""
    if not findings:
        return ""
    first = min(findings, key=lambda found: (-found.verdict.gravity, used.index(found.measured.metric)))
    # The sign stays on the line of its number.
    words = limits(first.criterion, signs=True)
    for sign in "≥≤":
        words = words.replace(f"{sign} ", f"{sign}\N{NO-BREAK SPACE}")
    return f"{head(first.measured.metric)} {words}"


def _fold_heads(heads: Sequence[str]) -> list[str]:
    """Return the heads of columns on two lines, of which the lower one tells them apart: it stands over the numbers."""
    folded = [_fold(words).split("\n") for words in heads]
    lower = [lines[-1] for lines in folded]
    return [
        f"{lines[1]}\n({lines[0]})" if len(lines) > 1 and lower.count(lines[1]) > 1 else "\n".join(lines)
        for lines in folded
    ]


def _fold(words: str) -> str:
    """Return words on two lines, as narrow as they can be; a single word stays as it is."""
    places = [k for k, letter in enumerate(words) if letter == " "]
    folded = [f"{words[:k]}\n{words[k + 1 :]}" for k in places]
    return min(folded, key=lambda text: max(map(len, text.split("\n"))), default=words)
