"""The ranking in the terminal: one row a candidate, and under it what stands in its way most."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelcheck.comparison import METRICS
from modelcheck.judgement.measured import Measured
from modelcheck.report.ranking import Ranked, Ranking
from modelcheck.report.terminal import STYLES, in_its_letters
from modelcheck.report.words import OF_PICTURES, clean, format_bytes, head, number, one_line, worst

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_ranking", "say_worst"]

# Letters at most of a candidate's and of another name, and columns, from the roomiest layout to one for 80 columns.
_LAYOUTS = ((28, 14, 9), (20, 12, 9), (20, 12, 8), (20, 12, 7), (18, 7, 7))
_NUMBERS = ("", "red", "decision", "drivers", "size", "ms")


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print one row a candidate, the best first, and what stands in its way most.

    Parameters
    ----------
    ranking : Ranking
        The candidates.
    console : rich.console.Console
        Where to; what is piped is never folded.
    """
    in_its_letters(console, lambda: _print(ranking, console))


def _print(ranking: Ranking, console: Console) -> None:
    from rich.text import Text

    for name, about, most in _LAYOUTS:
        heads, *rows = _cells(ranking, name=name, about=about)
        widths = [max(len(line[k]) for line in (heads, *rows)) for k in range(most)]
        if not console.is_terminal or sum(widths) + 2 * (most - 1) <= console.width:
            break
    _say(console, Text(_align(heads, widths, heads), "bold"))
    for row, cells in zip(ranking.rows, rows, strict=True):
        line = Text(_align(cells, widths, heads))
        start = line.plain.index(cells[2], widths[0] + widths[1] + 4)
        line.stylize(STYLES.get(row.verdict, "bold red"), start, start + len(cells[2]))
        _say(console, line)
        for words in say_worst(ranking, row):
            for part in _fold(words, console.width - 6 if console.is_terminal else 0):
                _say(console, Text(f"{'':4}{part}", "dim"))
    decides = METRICS[ranking.decision]
    lowest = METRICS[ranking.hidden]
    first = "decision" if ranking.of == OF_PICTURES else "drivers"
    legend = f"{first}: {decides.head}, {decides.brief}; lowest layer: {lowest.head}, {lowest.brief}"
    for part in _fold(legend, console.width if console.is_terminal else 0):
        _say(console, Text(part, "dim"))


def _say(console: Console, line: object) -> None:
    # What is too long for a narrow terminal is cut by no one: it is whole, and folded by the terminal itself.
    console.print(line, highlight=False, soft_wrap=True)


def _cells(ranking: Ranking, *, name: int, about: int) -> list[tuple[str, ...]]:
    """Return the heads, and the cells of every row, names in so many letters at most."""
    first, names = "decision" if ranking.of == OF_PICTURES else "drivers", ranking.names
    answered = f"worst {ranking.who}" if ranking.who else head(ranking.answered)
    made: list[tuple[str, ...]] = [("", "candidate", "verdict", "red", answered, first, "lowest layer", "size", "ms")]
    for place, row in enumerate(ranking.rows, 1):
        size = row.model.get("bytes")
        made.append(
            (
                str(place),
                _cut(names[row.file], name),
                row.verdict,
                str(len(row.red)) if row.comparison else "",
                _about(ranking.worst_answered(row), about),
                number(ranking.decides(row)),
                _about(ranking.lowest(row), about),
                format_bytes(int(size)) if size else "",
                f"{1000 * row.seconds:.3g}" if row.seconds else "",
            )
        )
    return made


def _about(item: Measured | None, most: int) -> str:
    if item is None:
        return number(None)
    return f"{number(item.value)} {_cut(item.about, most)}".rstrip()


def _cut(name: str, most: int) -> str:
    """Return a name in at most so many letters: of a path, the end tells it from others."""
    whole = clean(name)
    return whole if len(whole) <= most else f"…{whole[1 - most :]}"


def _align(cells: Sequence[str], widths: Sequence[int], heads: Sequence[str]) -> str:
    shown = zip(cells, widths, heads, strict=False)
    return "  ".join(
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width) for cell, width, name in shown
    ).rstrip()


def _fold(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, max(width, 40), break_on_hyphens=False) if width else [words]


def say_worst(ranking: Ranking, row: Ranked) -> list[str]:
    """Return what stands in a candidate's way most, in the words of the gate; nothing of one that passes.

    Parameters
    ----------
    ranking : Ranking
        All candidates.
    row : Ranked
        One of them.
    """
    if row.comparison is None:
        return [f"could not be measured: {clean(row.refusal, longest=600)}"]
    said = [clean(words) for words in row.broken]
    if row.red:
        first = row.red[worst(row.red, 1)[0]]
        more = f", and {len(row.red) - 1} more" if len(row.red) > 1 else ""
        said.append(one_line(first, noun=ranking.noun, of=ranking.of).rstrip(".") + more)
    return said
