"""What is said of a network that is fed otherwise than it was trained, or gives its outputs in another order."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.interface.preprocessing import WORDS
from modelcheck.support.escaping import clean

__all__ = [
    "describe_own_scaling",
    "say_better_preprocessing",
    "say_class_order",
    "say_misreading",
    "say_preprocessing_cure",
]

_LAYERS_SHOWN = 4
_CLASSES_SHOWN = 3


def say_better_preprocessing(
    name: str, *, now: float, reached: float, alike: Sequence[str] = (), own_scaling: Sequence[str] = ()
) -> str:
    """Return that a network is fed otherwise than it wants to be, and how it answers then, in one or two sentences.

    Parameters
    ----------
    name : str
        The preprocessing with which it answers better, as `spell_preprocessing` writes it.
    now, reached : float
        Balanced accuracy as it is fed, and with the other one.
    alike : sequence of str
        Others that are as good.
    own_scaling : sequence of str
        The network's layers that scale its pictures.

    Examples
    --------
    >>> say_better_preprocessing("tf", now=0.5, reached=0.97)  # doctest: +ELLIPSIS
    "The network is fed otherwise than it was trained: ... is 0.50 now, and 0.97 with 'tf' (values from -1 to 1)."
    """
    told = (
        f"The network is fed otherwise than it was trained: its balanced accuracy is {now:.2f} now, and {reached:.2f} "
        f"with {_call(name)}" + (f" ({WORDS[name]})" if name in WORDS else "")
    )
    told += f", or as good with {' or '.join(map(_call, alike))}." if alike else "."
    return " ".join(filter(None, [told, describe_own_scaling(own_scaling)]))


def say_preprocessing_cure(name: str, *, approving: bool) -> str:
    """Return what to do about a preprocessing with which a network answers better, as a sentence.

    Parameters
    ----------
    name : str
        The preprocessing, as `spell_preprocessing` writes it.
    approving : bool
        Whether the network is about to become a baseline, which keeps it, instead of a candidate.

    Examples
    --------
    >>> say_preprocessing_cure("bgr", approving=True)
    'Mend the file, or, where it was trained so, say it: --preprocessing bgr'
    """
    name = clean(name, longest=400)
    option = f"--preprocessing {shlex.quote(name)}"
    if not approving and _is_table(name):
        option = f"preprocessing = {name} in [tool.modelcheck]"
    elif not approving:
        option = f'preprocessing = "{name}" in [tool.modelcheck], or --modelcheck-{option[2:]}'
    return f"Mend the file, or, where it was trained so, say it: {option}"


def say_class_order(classes: Sequence[str], order: Sequence[str], *, now: float, reached: float) -> str:
    """Return that a network gives its outputs in another order than its classes, and what to do, in three sentences.

    Parameters
    ----------
    classes : sequence of str
        By output, the class that it is read as.
    order : sequence of str
        By output, the class that it seems to stand for.
    now, reached : float
        Balanced accuracy as it is read, and in that order.

    Examples
    --------
    >>> say_class_order(["cat", "dog"], ["dog", "cat"], now=0.02, reached=0.97)  # doctest: +ELLIPSIS
    "The network seems to give its outputs in another order: what it calls 'cat' is 'dog', and ... is 'cat'. Its ..."
    """
    moved = [(one, other) for one, other in zip(classes, order, strict=True) if one != other]
    told = [
        f"what it calls {clean(one, longest=40)!r} is {clean(other, longest=40)!r}"
        for one, other in moved[:_CLASSES_SHOWN]
    ]
    more = len(moved) - _CLASSES_SHOWN
    told += ["one more is moved" if more == 1 else f"{more} more are moved"] if more > 0 else []
    said = ", and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
    return (
        f"The network seems to give its outputs in another order: {said}. Its balanced accuracy is {now:.2f} as it is "
        f"read, and {reached:.2f} in that order. No setting swaps answers: mend the file, or make the panel with "
        f"class_names in the order of the outputs ({clean(', '.join(order), longest=200)})."
    )


def say_misreading(reason: Mapping[str, Any], *, approving: bool = False) -> str:
    """Return how a network is misread, and what to do, in sentences.

    Parameters
    ----------
    reason : mapping
        A `modelcheck.judgement.document.MisreadingReason`, as `modelcheck.signature.misreading` finds it.
    approving : bool
        Whether it is about to become a baseline: a preprocessing is then said to that command.
    """
    if reason["kind"] == "class_order":
        return say_class_order(reason["classes"], reason["order"], now=reason["now"], reached=reason["reached"])
    name, now, reached = reason["name"], reason["now"], reason["reached"]
    fact = say_better_preprocessing(
        name, now=now, reached=reached, alike=reason["alike"], own_scaling=reason["own_scaling"]
    )
    return f"{fact} {say_preprocessing_cure(name, approving=approving)}"


def _call(name: str) -> str:
    """Return a preprocessing in quotes; a table that was tried is the present one, but for the channels' order."""
    return "the channels reversed" if _is_table(name) else repr(clean(name, longest=40))


def _is_table(name: str) -> bool:
    return name.startswith("{")


def describe_own_scaling(layers: Sequence[str]) -> str:
    """Return that a network scales its pictures by layers of its own, as a sentence; empty where it does not.

    Examples
    --------
    >>> describe_own_scaling(["rescaling"])
    "It scales its pictures itself, by 'rescaling'."
    """
    shown = ", ".join(repr(clean(name, longest=60)) for name in layers[:_LAYERS_SHOWN])
    return f"It scales its pictures itself, by {shown}." if layers else ""
