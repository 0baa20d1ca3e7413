"""What goes wrong with a panel: one error, and how many faults at once are told in few lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelcheck.support.commands import join_names
from modelcheck.support.escaping import clean

__all__ = ["Fault", "PanelError", "count", "list_faults", "name_classes", "shorten"]

_MAX_REASONS = 12
_MAX_PLACES = 8  # of one reason


class PanelError(ValueError):
    """A panel that cannot be used; the message says what is wrong with it and what to do.

    Parameters
    ----------
    message : str
        What happened, what was expected, and the next step.
    options : sequence of str
        The words to add to a command of ``modelcheck panel`` so that it works, for example
        ``("--size", "96x96")``.
    """

    def __init__(self, message: str, *, options: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


@dataclass(frozen=True)
class Fault:
    """One thing that cannot be used, and why."""

    where: str
    """Where it stands: ``line 3`` of a table, or the name of a file."""
    reason: str
    """What is wrong with it, in words that it shares with others of its fault."""


def name_classes(names: Sequence[str]) -> tuple[str, str]:
    """Return the words of a command line that name the classes.

    Examples
    --------
    >>> name_classes(["left, up", "other"])
    ('--classes', '"left, up",other')
    """
    return "--classes", join_names(names)


def count(amount: int, noun: str) -> str:
    """Return a number and what it counts, in the right number.

    Examples
    --------
    >>> count(1, "picture"), count(2, "picture"), count(2, "class")
    ('1 picture', '2 pictures', '2 classes')
    """
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}{'es' if noun.endswith('s') else 's'}"


def shorten(words: Iterable[str], *, most: int = _MAX_PLACES) -> str:
    """Return the first of some words, and how many more there are.

    Examples
    --------
    >>> shorten(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    everything = list(words)
    shown = ", ".join(clean(word, longest=120) for word in everything[:most])
    return shown if len(everything) <= most else f"{shown} and {len(everything) - most} more"


def list_faults(faults: Sequence[Fault]) -> str:
    """Return one line for each reason, the most frequent first, with the places where it holds.

    Examples
    --------
    >>> print(list_faults([Fault("line 3", "no label"), Fault("line 2", "no path"), Fault("line 9", "no label")]))
    - 2 x no label: line 3, line 9
    - no path: line 2
    """
    places: dict[str, list[str]] = {}
    for fault in faults:
        places.setdefault(fault.reason, []).append(fault.where)
    ranked = sorted(places.items(), key=lambda item: -len(item[1]))
    lines = [
        f"- {f'{len(where)} x ' if len(where) > 1 else ''}{clean(reason)}: {shorten(where)}"
        for reason, where in ranked[:_MAX_REASONS]
    ]
    left = sum(len(where) for _, where in ranked[_MAX_REASONS:])
    return "\n".join([*lines, f"- and {left} more for other reasons"] if left else lines)
