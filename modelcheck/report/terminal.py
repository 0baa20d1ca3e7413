"""The summary in the terminal: each failure is said once, on a line of its own; what passed stands in tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.comparison import METRICS, shown_in
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, Verdict, read_findings
from modelcheck.report.reasons import describe_action, list_waivers, reasons, verdict_line
from modelcheck.report.shipped import describe_release, summarise_shipped
from modelcheck.report.why import explain
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
    one_line,
    surroundings,
    worst,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from modelcheck.comparison import Comparison
    from modelcheck.comparison.tables.comparison import TableComparison

__all__ = ["STYLES", "in_its_letters", "print_summary"]

STYLES = {
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
_WHY = 3  # sentences
_FAILURES = 20
_ROWS = 8
_COLUMNS = 5
_GROUPS = 2  # tables of one kind of thing
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


def print_summary(
    document: VerdictDocument,
    console: Console,
    *,
    report: str | Path | None = None,
    comparison: Comparison | TableComparison | None = None,
) -> None:
    """Print a verdict document: tables of what passed, the verdict, why, a line for each failure, what to do.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    console : rich.console.Console
        Where to; it knows whether it can show colours.
    report : path, optional
        Of the page, for the last line.
    comparison : Comparison or TableComparison, optional
        The two networks; with it the reasons name places, counts and layers.
    """
    in_its_letters(console, lambda: _print(document, console, report=report, comparison=comparison))


def in_its_letters(console: Console, print_all: Callable[[], None]) -> None:
    """Print in the letters that a console knows: where that is not Unicode, signs are written otherwise."""
    if console.encoding.lower().startswith("utf"):
        print_all()
        return
    with console.capture() as captured:
        print_all()
    text = captured.get().translate(_SIMPLER)
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))


def _print(
    document: VerdictDocument,
    console: Console,
    *,
    report: str | Path | None,
    comparison: Comparison | TableComparison | None,
) -> None:
    from rich.text import Text

    findings, noun, of = read_findings(document), noun_of(document), material_of(document)
    for thing in _TABLES:
        _print_tables(thing, document["metrics"], findings, console, noun=noun, of=of)
    state = document["verdict"]
    excused = list_waivers(findings, today=document["volatile"]["today"])
    style = STYLES["waived"] if state == "pass" and excused else STYLES.get(state, "bold red")
    console.print()
    _say(console, Text.assemble((clean(state).upper(), style), f"  {verdict_line(document, findings)}"))
    facts = summarise_shipped(document["candidate"], document.get("source"))
    if facts:
        _say(console, Text(f"  {facts}", "dim"))
    told = reasons(document, findings, summed=False)
    for reason in told[:4]:
        _say(console, Text(f"  {clean(reason, longest=600)}"))
    for other in (describe_augmentation(document["candidate"]), surroundings(document)):
        if other:
            _say(console, Text(f"  {other}", "yellow"))
    _print_why(findings, console, comparison=comparison, noun=noun, of=of)
    _print_failures(findings, console, noun, of)
    for place, words in excused[:_WORST]:
        line = one_line(findings[place], noun=noun, of=of)
        _say(console, Text.assemble("  ", ("waived ", STYLES["waived"]), f"{line}. {words}"))
    if len(excused) > _WORST:
        _say(console, Text(f"  … {len(excused) - _WORST} more waived in the report"))
    _print_next(document, console)
    if report is not None:
        _say(console, Text.assemble(("Report:  ", "bold"), clean(report, longest=2000)), whole=True)


def _say(console: Console, line: Text, *, whole: bool = False) -> None:
    """Print a line: folded by a terminal, and whole where it is kept in a file, or must be copied."""
    console.print(line, highlight=False, soft_wrap=whole or not console.is_terminal)


def _print_next(document: VerdictDocument, console: Console) -> None:
    """Print what can be done now: what is released, and commands."""
    from rich.text import Text

    release = describe_release(document)
    if release:
        _say(console, Text.assemble((f"{'Next:':<9}", "bold"), release))
    for k, step in enumerate(document["next"][:3], start=1 if release else 0):
        says = describe_action(step["action"], verdict=document["verdict"])
        _say(console, Text.assemble((f"{'Or:' if k else 'Next:':<9}", "bold"), says))
        # Never folded: a command that is copied must be whole.
        _say(console, Text(f"{'':9}{clean(step['command'], longest=2000)}"), whole=True)


def _print_why(
    findings: Sequence[Finding],
    console: Console,
    *,
    comparison: Comparison | TableComparison | None,
    noun: Noun,
    of: str,
) -> None:
    """Print what explains most of what failed, in sentences, and where to look.

    What is not settled or not measured explains nothing: its line says as much.
    """
    from rich.text import Text

    failed = [found for found in findings if found.verdict is Verdict.FAIL]
    why = explain(failed, comparison=comparison, noun=noun, of=of)
    for k, item in enumerate(why[:_WHY]):
        _say(console, Text.assemble((f"{'' if k else 'Why:':<9}", "bold"), item.says))
    if why and why[0].fix:
        _say(console, Text(f"{'':9}{why[0].fix}", "dim"))


def _print_failures(findings: Sequence[Finding], console: Console, noun: Noun, of: str) -> None:
    """Print each finding that stands in the way on a line that begins with the number and the limit."""
    from rich.text import Text

    failed = [found for found in findings if found.red]
    if not failed:
        return
    total = sum(found.gating for found in findings)
    _say(console, Text(f"{len(failed)} of {count(total, 'check')} did not pass:", "bold"))
    for found in (findings[k] for k in worst(findings, _FAILURES)):
        note = "" if found.verdict in (Verdict.FAIL, Verdict.UNMEASURED) else f": {found.verdict.value}"
        line = one_line(found, noun=noun, of=of)
        _say(console, Text.assemble("  ", (line, STYLES[found.verdict]), note))
    if len(failed) > _FAILURES:
        _say(console, Text(f"  … {len(failed) - _FAILURES} more in the report"))


def _print_tables(
    thing: str,
    values: Mapping[str, Mapping[str, float | None]],
    findings: Sequence[Finding],
    console: Console,
    *,
    noun: Noun,
    of: str,
) -> None:
    """Print what passed of one kind of thing, a key of `_TABLES`, and what the heads of its columns mean."""
    from rich.measure import Measurement
    from rich.text import Text

    roomy = console.options.update(width=1000)
    rows = _find_rows(thing, values, findings, of=of)
    # As many columns as the terminal has room for; the report has them all.
    for most in range(max(min(len(rows.columns), _COLUMNS), 1), 0, -1):
        groups = _alike(rows, [values[metric] for metric in rows.columns[:most]])
        tables = [_table(rows, abouts, values, most=most, noun=noun) for abouts in groups]
        wide = max((Measurement.get(console, roomy, table).minimum for table, _ in tables), default=0)
        if most == 1 or wide <= console.width:
            break
    for table, _ in tables:
        console.print(table)
    named = [name for name in rows.columns if any(name in shown for _, shown in tables)]
    if named:
        _say(console, Text(f"  {'; '.join(f'{head(name)}: {METRICS[name].brief}' for name in named)}", "dim"))


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What the terminal says of one kind of thing: whose rows, which columns, and what was judged of each."""

    thing: str
    abouts: tuple[str, ...]
    used: tuple[str, ...]
    columns: tuple[str, ...]
    judged: Mapping[str, Sequence[Finding]]
    absent: frozenset[str]
    hidden: int


def _find_rows(
    thing: str, values: Mapping[str, Mapping[str, float | None]], findings: Sequence[Finding], *, of: str
) -> _Rows:
    """Return the rows of one kind of thing; none where something of it did not pass: that is told by its line."""
    used = tuple(metric for metric in shown_in("column", about=thing, of=of) if metric in values)
    judged: dict[str, list[Finding]] = {about: [] for metric in used for about in values[metric]}
    for found in findings:
        if found.gating and found.measured.metric in used and found.about in judged:
            judged[found.about].append(found)
    red = any(found.red for rows in judged.values() for found in rows)
    there = {"layer": values.get("counterpart", {})}.get(thing, {})  # a subject may be called like a layer
    absent = frozenset(about for about in judged if there.get(about) == 0)
    columns = tuple(metric for metric in used if any(value is not None for value in values[metric].values()))
    # A row of dashes that nobody judged says nothing, unless it says that there is no such layer.
    abouts = [
        about
        for about in judged
        if about in absent or any(values[metric].get(about) is not None for metric in columns) or judged[about]
    ]
    # Of a table's many kinds only what was judged, and the variables.
    unasked = not any(judged.values()) and of != OF_PICTURES and thing != "column"
    if red or unasked:
        abouts = []
    room = _ROWS if of == OF_PICTURES else _FEWER.get(thing, _ROWS)
    hidden = max(len(abouts) - room, 0) if thing != "layer" else 0
    if thing in _BY_SIZE and used:
        size = values[used[0]]  # what drives a network most, and what differs most, says most
        abouts = sorted(abouts, key=lambda about: -(size.get(about) or 0.0))
    return _Rows(
        thing=thing,
        abouts=tuple(abouts[: len(abouts) - hidden]),
        used=used,
        columns=columns,
        judged=judged,
        absent=absent,
        hidden=hidden,
    )


def _alike(rows: _Rows, columns: Sequence[Mapping[str, float | None]]) -> list[list[str]]:
    """Return the rows by what is known of them, so that no table has a column of dashes."""
    groups: dict[tuple[bool, ...], list[str]] = {}
    for about in rows.abouts:
        groups.setdefault(tuple(values.get(about) is not None for values in columns), []).append(about)
    return list(groups.values()) if len(groups) <= _GROUPS else [list(rows.abouts)]


def _table(
    rows: _Rows,
    abouts: Sequence[str],
    values: Mapping[str, Mapping[str, float | None]],
    *,
    most: int,
    noun: Noun,
) -> tuple[Table, list[str]]:
    """Return a table with at most so many columns of metrics, and which those are.

    What was judged shows in the verdict of a row, whether or not there is room for its column.
    """
    from rich.table import Table
    from rich.text import Text

    columns = [name for name in rows.columns[:most] if any(values[name].get(about) is not None for about in abouts)]
    states = {about: gravest(rows.judged[about]) for about in abouts}
    cells: dict[tuple[str, ...], list[str]] = {}
    for about in abouts:
        verdict = states[about] if states[about] != "info" else _ABSENT if about in rows.absent else _UNJUDGED
        said = (*(number(values[name].get(about)) for name in columns), _limit(rows.judged[about], rows.used), verdict)
        # Layers of which the same is said share a row.
        cells.setdefault(said if rows.thing == "layer" else (*said, about), []).append(about)
    names = [_name_rows(rows.used[0], group) for group in cells.values()]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    # What is never folded says how wide it is, for whoever asks whether the table has room.
    first = f"By {_TABLES[rows.thing] or noun[0]}"
    table.add_column(
        Text(first),
        min_width=min(max(map(len, [first, *names])), _NAME),
        max_width=_NAME,
        overflow="ellipsis",
        no_wrap=True,
        vertical="bottom",
    )
    for words in _fold_heads([head(metric) for metric in columns]):
        wide = max(map(len, words.split("\n")))
        table.add_column(Text(words), justify="right", min_width=wide, no_wrap=True, vertical="bottom")
    table.add_column(Text("limit"), min_width=_LIMIT, max_width=34, vertical="bottom")
    width = max(map(len, ["verdict", *(said[len(columns) + 1] for said in cells)]))
    table.add_column(Text("verdict"), min_width=width, no_wrap=True, vertical="bottom")
    for name, (said, group) in zip(names, cells.items(), strict=True):
        *numbers, limit, verdict = said[: len(columns) + 2]
        table.add_row(Text(name), *map(Text, numbers), Text(limit), Text(verdict, STYLES.get(states[group[0]], "dim")))
    if rows.hidden:
        table.add_row(Text(f"… {rows.hidden} more in the report", "dim"))
    return table, columns


def _name_rows(metric: str, abouts: Sequence[str]) -> str:
    """Return the name of a row, or of several layers in one."""
    names = [name_about(metric, about) for about in abouts]
    together = ", ".join(names)
    if len(names) < 2 or len(together) <= _NAME:
        return together
    return f"{count(len(names), 'layer')}, {names[0]} first"


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
