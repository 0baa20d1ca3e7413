"""Commands that a message names: what is typed after it is what was meant."""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Sequence

from modelcheck.support.escaping import clean

__all__ = ["as_argument", "can_be_typed", "join_names", "write_command"]


def join_names(names: Sequence[object], *, at: str = ",") -> str:
    """Return names as one word of a command line; one that holds the separator stands in double quotes.

    Parameters
    ----------
    names : sequence
        For example the classes, in the order of a network's outputs.
    at : str
        The separator, one character.

    Examples
    --------
    >>> join_names(["left", "left, up"])
    'left,"left, up"'
    """
    line = io.StringIO()
    csv.writer(line, delimiter=at, lineterminator="").writerow(names)
    return line.getvalue()


def write_command(words: Sequence[object]) -> str:
    """Return the words of a command line so that a shell takes them apart into the same words.

    Examples
    --------
    >>> write_command(["modelcheck", "init", "--panel", "my panel.npz"])
    "modelcheck init --panel 'my panel.npz'"
    """
    return shlex.join(map(str, words))


def as_argument(path: str | os.PathLike[str]) -> str:
    """Return a path as a word that no command takes for an option.

    Examples
    --------
    >>> as_argument("-pictures"), as_argument("pictures")
    ('./-pictures', 'pictures')
    """
    text = os.fspath(path)
    return f"./{text}" if text.startswith("-") else text


def can_be_typed(words: Sequence[object]) -> bool:
    r"""Say whether a message shows the words as they are: signs that act on a terminal are left out there.

    Examples
    --------
    >>> can_be_typed(["init", "my panel.npz"]), can_be_typed(["init", "two\nlines.npz"])
    (True, False)
    """
    return all(clean(word, longest=1000) == str(word) for word in words)
