"""What is said of a network that is fed otherwise than it was trained."""

from __future__ import annotations

from collections.abc import Sequence

from modelcheck.interface.preprocessing import WORDS
from modelcheck.support.escaping import clean

__all__ = ["describe_own_scaling", "say_better_preprocessing"]

_LAYERS_SHOWN = 4


def say_better_preprocessing(
    name: str, *, now: float, reached: float, alike: Sequence[str] = (), own_scaling: Sequence[str] = ()
) -> str:
    """Return that a network is fed otherwise than it wants to be, and how it answers then, in one or two sentences.

    Parameters
    ----------
    name : str
        The preprocessing with which it answers better.
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
        f"with {clean(name, longest=40)!r} ({WORDS.get(name, 'values of its own')})"
    )
    told += f", or as good with {' or '.join(map(repr, alike))}." if alike else "."
    return " ".join(filter(None, [told, describe_own_scaling(own_scaling)]))


def describe_own_scaling(layers: Sequence[str]) -> str:
    """Return that a network scales its pictures by layers of its own, as a sentence; empty where it does not.

    Examples
    --------
    >>> describe_own_scaling(["rescaling"])
    "It scales its pictures itself, by 'rescaling'."
    """
    shown = ", ".join(repr(clean(name, longest=60)) for name in layers[:_LAYERS_SHOWN])
    return f"It scales its pictures itself, by {shown}." if layers else ""
