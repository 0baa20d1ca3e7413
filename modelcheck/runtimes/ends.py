"""Inputs and outputs of a network that has several: which is meant, and at what others are held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.runtimes.classifier import NetworkError

__all__ = ["End", "choose_end", "choose_picture", "match_values"]


@dataclass(frozen=True)
class End:
    """An input or an output of a network.

    Parameters
    ----------
    names : tuple of str
        What it is called, the name that is shown first.
    shape : tuple of int or None
        Its lengths, that of the batch first; None for one that is not fixed.
    tensor : object
        What stands for it in its network.
    """

    names: tuple[str, ...]
    shape: tuple[int | None, ...]
    tensor: Any

    def __str__(self) -> str:
        return f"{self.names[0]} {self.shape[1:]}"


def choose_end(what: str, name: str | None, ends: Sequence[End], model: str) -> End:
    """Return the input or output of a name or number; the only one where nothing is said."""
    if name is None and len(ends) == 1:
        return ends[0]
    listed = ", ".join(map(str, ends))
    many = f"{model!r} has {len(ends)} {what}s, {listed}" if len(ends) > 1 else f"{model!r} has one {what}, {listed}"
    if name is None:
        first = next((end for end in ends if what == "output" or len(end.shape) == 4), ends[0]).names[0]
        does = "is judged" if what == "output" else "takes the picture"
        raise NetworkError(
            f'{many}, and it is not said which {does}. Name it: {what} = "{first}" in [tool.modelcheck], or '
            f"--{what} {first}"
        )
    named = [end for end in ends if name in end.names]
    named = named or (list(ends[int(name) : int(name) + 1]) if name.isdecimal() else [])
    if len(named) != 1:
        raise NetworkError(f"{many}, and {what} names {name!r}. Give one of these names, or a number counted from 0.")
    return named[0]


def choose_picture(name: str | None, ends: Sequence[End], model: str) -> End:
    """Return the input that takes the picture: the one of four axes, where there is one and nothing is said."""
    pictures = [end for end in ends if len(end.shape) == 4]
    return pictures[0] if name is None and len(pictures) == 1 else choose_end("input", name, ends, model)


def match_values(values: Mapping[str, float], ends: Sequence[End], model: str) -> dict[str, float]:
    """Return the value of each other input, by its first name: none is made up, and none is left over."""
    listed = ", ".join(map(str, ends)) or "none"
    known = {name: end.names[0] for end in ends for name in end.names}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise NetworkError(f"inputs gives a value of {unknown[0]!r}; beside the picture {model!r} takes: {listed}.")
    found = {known[name]: value for name, value in values.items()}
    missing = [end.names[0] for end in ends if end.names[0] not in found]
    if missing:
        table = ", ".join(f"{name} = 0.5" for name in missing)
        typed = " ".join(f"--inputs {name}=0.5" for name in missing)
        raise NetworkError(
            f"Beside the picture {model!r} takes: {listed}. Say at which value each is held, for nothing is made up: "
            f"inputs = {{ {table} }} in [tool.modelcheck], or {typed}"
        )
    return found
