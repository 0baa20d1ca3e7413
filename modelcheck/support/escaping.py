"""Text from outside, made harmless where it is printed: the terminal, a build's log, Markdown.

Layer names, subjects, file names and reasons were written by somebody else. HTML is escaped by the
templates and JUnit by pytest; everything else passes through here.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean", "clean_lines", "is_legible", "markdown", "one_line_repr"]

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?", re.DOTALL)
# A build's log obeys these: ``::error file=x::text`` at the start of a line, which a folded line
# also has, and ``##[group]`` anywhere (the runner's ActionCommand.cs).
_COMMAND = re.compile(r"::(?=[a-z][\w-]*(?:\s.*?)?::)|##(?=\[)", re.IGNORECASE)

# Letters and symbols that nobody sees: the fillers of Hangul, an empty pattern of Braille, and what
# `clean` puts in the place of other invisible signs.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800\ufffd"


def clean(text: object, *, longest: int = 400) -> str:
    r"""Return text from outside in one line, without anything that acts on a terminal or in a build's log.

    Parameters
    ----------
    text : object
        A layer's name, a subject, a path, a reason: whatever somebody else wrote.
    longest : int
        Longer text is cut and ends in an ellipsis.

    Examples
    --------
    >>> clean("a\x1b[31mred\nline"), clean("::error::x")
    ('ared line', ': :error::x')
    """
    bare = re.sub(r"\s+", " ", _ESCAPES.sub("", str(text))).strip()
    shown = "".join("\ufffd" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn") else sign for sign in bare)
    safe = _COMMAND.sub(lambda found: " ".join(found[0]), shown)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def is_legible(text: str) -> bool:
    r"""Say whether there is anything to read in a text: a reason of invisible characters is none.

    Examples
    --------
    >>> is_legible("release 7"), is_legible(" \n"), is_legible("\u200b\u3164")
    (True, False, False)
    """
    return any(unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANK for sign in clean(text, longest=10_000))


def clean_lines(text: object) -> str:
    """Return text of several lines, each cleaned; what a child process said, for example."""
    return "\n".join(clean(line, longest=4000) for line in str(text).splitlines())


def one_line_repr(kind: str, *parts: object, longest: int = 120) -> str:
    r"""Return what a value's ``__repr__`` says of it: one harmless line, however much the value holds.

    Parameters
    ----------
    kind : str
        The name of the value's class.
    *parts : object
        What it is called and the counts that matter; text from files is allowed.
    longest : int
        The most characters of the whole line; what is longer is cut and ends in an ellipsis.

    Examples
    --------
    >>> one_line_repr("Panel", "182 pictures 64x60x1", "7 subjects", "classes: straight,\n left")
    'Panel(182 pictures 64x60x1, 7 subjects, classes: straight, left)'
    """
    return f"{kind}({clean(', '.join(map(str, parts)), longest=longest - len(kind) - 2)})"


# GitHub and GitLab look for references in the text that Markdown yields, when entities and backslashes
# are gone: only what lies within code, or is not there in one piece, stays text. So a space of no
# width is put behind the sign; GitHub's own documents keep dollars from being mathematics by an
# element of their own. Entities are written in hexadecimal: "#36" would be an issue to who does not
# decode them.
_JOINT = "&#x200B;"
_ACTIVE = re.compile(
    r"""
    (?P<commit>   (?<![0-9A-Za-z]) (?: (?=[0-9]*[a-f]) | (?<![0-9]\.) ) [0-9a-f]{7,40} (?![0-9A-Za-z]) )
    | (?P<number> ^[0-9]{1,9} (?=\.(?:\ |$)) )       # a list
    | (?P<dash>   ^[-=] (?=[-=\ ]|$) )               # a list, a rule, a heading's underline
    | (?P<refer>  [@\#!~%^&] (?=[\w"]) )             # people, issues, labels, milestones, alerts, epics
    | (?P<name>   (?<=[A-Z]) (?<![0-9]e) - (?=[0-9]) )  # GH-1
    | (?P<colon>  : (?=//|[\w+-]+:) )                # an address, an emoji
    | (?P<host>   www (?=\.) )
    | (?P<dollar> \$ )
    | (?P<sign>   [\\`*_{}\[\]()\#+!|~&<>] )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown(text: object, *, longest: int = 1000) -> str:
    r"""Return text that Markdown shows as it is: no markup, no link, no HTML, and no reference of GitHub or GitLab.

    Parameters
    ----------
    text : object
        Whatever somebody else wrote; it is cleaned first.
    longest : int
        Longer text is cut before it is escaped.

    Examples
    --------
    >>> markdown("[x](http://a.b) @me <b> #1")
    '\\[x\\]\\(http:&#x200B;//a.b\\) @&#x200B;me &lt;b&gt; \\#&#x200B;1'
    """
    return _ACTIVE.sub(_disarm, clean(text, longest=longest))


def _disarm(found: re.Match[str]) -> str:
    group, sign = found.lastgroup, found[0]
    if group == "commit":
        return f"`{sign}`"
    if group == "dollar":
        return "<span>&#x24;</span>"
    if group == "number":
        return f"{sign}\\"
    shown = _ENTITIES.get(sign, f"\\{sign}" if sign in "\\`*_{}[]()#+!|~" or group == "dash" else sign)
    return shown if group in ("sign", "dash") else shown + _JOINT
