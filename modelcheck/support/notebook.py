"""What a value shows of itself in a notebook: a few facts, pictures and numbers, as one piece of HTML.

It holds its pictures and needs nothing else: no script, no style sheet, no file and no address. Its
colours are the notebook's own, light or dark. Names from outside are text and stay text, for the
browser and for the notebook's own mathematics.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.support.drawing import png_uri
from modelcheck.support.escaping import clean

__all__ = ["MOST_BYTES", "Figure", "card", "choose_evenly", "figures", "heading", "table", "text"]

MOST_BYTES = 180_000
"""What all pictures of one value may hold, as bytes of grey or colour; base64 adds a third."""

_SIDES = (128, 96, 64, 48, 32, 24, 16, 8)
_SHOWN = 96  # pixels of the page, the longer side of a picture
_LONGEST = 60  # characters of a name
# Between a picture and a page of the same colour, light or dark.
_EDGE = "rgba(128,128,128,.6)"


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture with its name and what is said of it.

    Parameters
    ----------
    pixels : np.ndarray or None
        ``(h, w)`` grey or ``(h, w, 3)`` in colour, uint8; None where there is no picture.
    name : str
        What it shows.
    note : str
        A second line, for example a number.
    """

    pixels: np.ndarray | None
    name: str
    note: str = ""


def text(words: object, *, longest: int = _LONGEST) -> str:
    r"""Return text from outside as HTML that shows it as it is: no markup, and no formula of MathJax.

    Examples
    --------
    >>> text("<b>left</b> & $x$", longest=20)
    '&lt;b&gt;left&lt;/b&gt; &amp; <span>&#36;</span>x<span>&#36;</span>'
    """
    # A formula begins and ends within one run of text, and an element ends it.
    safe = html.escape(clean(words, longest=longest))
    return safe.replace("$", "<span>&#36;</span>").replace("\\", "<span>&#92;</span>")


def choose_evenly(total: int, most: int) -> list[int]:
    """Return the positions of at most so many of all, evenly spaced from the first to the last.

    Examples
    --------
    >>> choose_evenly(3, 5), choose_evenly(10, 4)
    ([0, 1, 2], [0, 3, 6, 9])
    """
    if total <= most:
        return list(range(total))
    return sorted({round(place) for place in np.linspace(0, total - 1, most)})


def card(kind: str, head: object, parts: Sequence[str], *, facts: Sequence[object] = ()) -> str:
    """Return the HTML of a value.

    Parameters
    ----------
    kind : str
        The name of its class.
    head : object
        What it is called.
    parts : sequence of str
        HTML, of `figures`, `heading` and `table`.
    facts : sequence of object
        Short remarks, in one line under the head.
    """
    told = f'<div style="opacity:.75">{" · ".join(text(fact, longest=200) for fact in facts)}</div>' if facts else ""
    # The classes keep MathJax 2 and 3 away from all of it.
    return (
        '<div class="modelcheck tex2jax_ignore mathjax_ignore" '
        'style="font:13px/1.45 system-ui,sans-serif;color:inherit;max-width:66em;margin:.5em 0">'
        f'<div><span style="opacity:.75">{text(kind)}</span> <b>{text(head, longest=120)}</b></div>'
        f"{told}{''.join(parts)}</div>"
    )


def heading(words: object, *, note: object = "") -> str:
    """Return a line above pictures or a table."""
    beside = f' <span style="opacity:.75">{text(note, longest=200)}</span>' if note else ""
    return f'<div style="margin:.7em 0 .2em"><b>{text(words)}</b>{beside}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, words: int = 1) -> str:
    """Return a table.

    Parameters
    ----------
    head : sequence of str
        What stands above each column.
    rows : sequence of sequence of object
        The cells.
    words : int
        So many columns, the first, hold words; the others hold numbers and are aligned to their end.
    """
    lines = [_row("th", head, words), *(_row("td", row, words) for row in rows)]
    # Said once more, for the notebook and the browser have tables of their own.
    style = "border-collapse:collapse;border:0;color:inherit;font:inherit;margin:.4em 0"
    return f'<table style="{style}">{"".join(lines)}</table>'


def _row(kind: str, cells: Sequence[object], words: int) -> str:
    made = ""
    for place, cell in enumerate(cells):
        aligned = "text-align:left" if place < words else "text-align:right;white-space:nowrap"
        style = f"padding:.15em .9em .15em 0;border:0;border-bottom:1px solid {_EDGE};{aligned}"
        made += f'<{kind} style="{style}">{text(cell)}</{kind}>'
    return f'<tr style="background:none">{made}</tr>'


def figures(shown: Sequence[Figure], *, most_bytes: int = MOST_BYTES) -> str:
    """Return pictures in rows, each above its name; what is too large in all is shown smaller.

    Parameters
    ----------
    shown : sequence of Figure
        The pictures.
    most_bytes : int
        What all may hold together, as bytes of grey or colour.
    """
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:.7em;margin:.4em 0">{"".join(_figures(shown, most_bytes))}</div>'
    )


def _figures(shown: Sequence[Figure], most_bytes: int) -> Iterator[str]:
    side = _side([figure.pixels for figure in shown if figure.pixels is not None], most_bytes)
    for figure in shown:
        note = f'<br><span style="opacity:.75">{text(figure.note)}</span>' if figure.note else ""
        yield (
            f'<figure style="margin:0;width:{_SHOWN}px">{_picture(figure, side)}'
            '<figcaption style="font-size:11px;line-height:1.3;overflow-wrap:anywhere">'
            f"{text(figure.name)}{note}</figcaption></figure>"
        )


def _picture(figure: Figure, side: int) -> str:
    if figure.pixels is None:
        box = f"height:{_SHOWN // 2}px;line-height:{_SHOWN // 2}px;border:1px dashed {_EDGE}"
        return f'<div style="{box};text-align:center;box-sizing:border-box">no map</div>'
    height, width = figure.pixels.shape[:2]
    scale = _SHOWN / max(height, width)
    size = f"width:{max(1, round(width * scale))}px;height:{max(1, round(height * scale))}px"
    look = f"display:block;max-width:none;margin:0 0 3px;outline:1px solid {_EDGE};image-rendering:pixelated"
    alt = html.escape(clean(figure.name, longest=_LONGEST))
    return f'<img alt="{alt}" src="{png_uri(_shrink(figure.pixels, side))}" style="{size};{look}">'


def _side(pictures: Sequence[np.ndarray], most_bytes: int) -> int:
    """Return the longer side, in pixels, at which pictures hold at most so many bytes."""
    for side in _SIDES:
        if sum(_shrunk(picture, side) for picture in pictures) <= most_bytes:
            return side
    return _SIDES[-1]


def _shrunk(picture: np.ndarray, side: int) -> int:
    block = -(-max(picture.shape[:2]) // side)
    return -(-picture.shape[0] // block) * -(-picture.shape[1] // block) * (3 if picture.ndim == 3 else 1)


def _shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Average blocks of pixels until neither side is longer; the last block of a row may be smaller."""
    from PIL import Image

    block = -(-max(picture.shape[:2]) // side)
    return picture if block == 1 else np.asarray(Image.fromarray(picture).reduce(block))
