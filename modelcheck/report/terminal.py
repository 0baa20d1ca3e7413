"""The summary in the terminal: a red run fits one screen, and says the same without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcheck.comparison import shown_in
from modelcheck.report.words import (
    MINUS,
    NOTHING,
    STATES,
    bad,
    clean,
    count,
    head,
    limits,
    list_waivers,
    number,
    plain,
    reasons,
    surroundings,
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
_SIMPLER = str.maketrans({MINUS: "-", NOTHING: "-", "…": "~", "≥": ">=", "≤": "<=", "\u2009": " ", "\xa0": " "})
_WORST = 5
_ROWS = 8
# The tables: the kind of thing that a row is about, and what a row is called.
_TABLES = {"layer": "layer", "subject": "subject", "group": "region check"}
# How many columns the limit takes where its words are folded: the longest of them and a number.
_LIMIT = 18
_NAME = 30  # columns at most for the name of a row
_UNJUDGED = "not judged"


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
    from rich.measure import Measurement
    from rich.padding import Padding
    from rich.text import Text

    findings = document.get("findings") or []
    roomy = console.options.update(width=1000)
    for kind in _TABLES:
        # As many columns as the terminal has room for; the report has them all.
        for most in range(len(shown_in("column", about=kind)), 0, -1):
            table = _table(kind, document.get("metrics") or {}, findings, most=most)
            if table is not None and (most == 1 or Measurement.get(console, roomy, table).minimum <= console.width):
                console.print(table)
                break
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


def _table(kind: str, values: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], *, most: int) -> Table | None:
    """Return the table of one kind of thing, a key of `_TABLES`, with at most so many columns of metrics.

    What was judged shows in the verdict of a row, whether or not there is room for its column.
    """
    from rich.table import Table
    from rich.text import Text

    found = {row["key"]: row for row in findings}
    ranked = shown_in("column", about=kind)
    used = [metric for metric in ranked if any(_split(key)[0] == metric for key in values)]
    columns = [metric for metric in used if metric in ranked[:most]]
    abouts = list(dict.fromkeys(_split(key)[1] for key in values if _split(key)[0] in used))
    rows = []
    for about in abouts:
        here = [
            found[key] for key in (f"{metric}[{about}]" for metric in used) if key in found and found[key]["gating"]
        ]
        states = {row["verdict"] for row in here}
        state = next((state for state in STATES if state in states), "")
        rows.append((about, state, {metric: values.get(f"{metric}[{about}]") for metric in columns}))
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
    # What is never folded says how wide it is, for whoever asks whether the table has room.
    names = [f"By {_TABLES[kind]}", *(clean(about) for about, _, _ in rows)]
    table.add_column(
        Text(names[0]),
        min_width=min(max(map(len, names)), _NAME),
        max_width=_NAME,
        overflow="ellipsis",
        no_wrap=True,
        vertical="bottom",
    )
    for metric in columns:
        table.add_column(Text(_fold(head(metric))), justify="right", no_wrap=True, vertical="bottom")
    table.add_column(Text("limit"), min_width=_LIMIT, max_width=34, vertical="bottom")
    verdicts = ["verdict", *(state or _UNJUDGED for _, state, _ in rows)]
    table.add_column(Text(verdicts[0]), min_width=max(map(len, verdicts)), no_wrap=True, vertical="bottom")
    for about, state, cells in rows:
        limit = _limit(about, used, found)
        table.add_row(
            Text(clean(about)),
            *(Text(number(value)) for value in cells.values()),
            Text(limit),
            Text(state or _UNJUDGED, _STYLES.get(state, "dim")),
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
    words = limits(worst)
    for word, sign in (("at least", "≥"), ("at most", "≤")):
        # The sign stays on the line of its number.
        words = words.replace(f"{word} ", f"{sign}\N{NO-BREAK SPACE}")
    return f"{head(worst['metric'])} {words}"


def _fold(words: str) -> str:
    """Return words on two lines, as narrow as they can be; a single word stays as it is."""
    places = [k for k, letter in enumerate(words) if letter == " "]
    folded = [f"{words[:k]}\n{words[k + 1 :]}" for k in places]
    return min(folded, key=lambda text: max(map(len, text.split("\n"))), default=words)


def _split(key: str) -> tuple[str, str]:
    metric, _, about = key.partition("[")
    return metric, about.removesuffix("]")
