"""Suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest known word, or with all of them.

    Examples
    --------
    >>> did_you_mean("candidat", ["candidate", "baseline"])
    "Did you mean 'candidate'?"
    >>> did_you_mean("x", ["candidate", "baseline"])
    'Known: baseline, candidate.'
    """
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(words)}."
