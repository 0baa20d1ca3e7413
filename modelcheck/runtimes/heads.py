"""What a network's outputs say of the panel's classes: one unit, one of several, or scores of one class each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelcheck.interface import Interface
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.readout import Readout
from modelcheck.support.spelling import did_you_mean

__all__ = ["LINKS", "Head", "read_outputs"]

_SIGMOID = "sigmoid"
LINKS = {"softmax": "log", _SIGMOID: "logit"}
"""By what function scores follow from probabilities, by what made these of scores."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The end of a network, before it is said what it means.

    Parameters
    ----------
    name : str
        What the network is called in messages.
    n_outputs : int
        Length of the output; 1 means a single score for the second of two classes.
    gives : str
        What each unit gives: ``sigmoid``, ``softmax`` or another activation behind the scores, or
        ``linear`` where it is a plain score.
    link : str
        ``log`` or ``logit`` where only probabilities can be read, else empty; see `Readout`.
    """

    name: str
    n_outputs: int
    gives: str = "linear"
    link: str = ""


def read_outputs(head: Head, class_names: Sequence[str], interface: Interface) -> Readout:
    """Return how scores of the panel's classes follow from a network's outputs.

    Parameters
    ----------
    head : Head
        The end of the network.
    class_names : sequence of str
        The panel's classes.
    interface : Interface
        What its file does not say.

    Raises
    ------
    NetworkError
        When it does not follow from both what an output means; the message names the setting.

    Examples
    --------
    >>> read_outputs(Head(name="a", n_outputs=3), ("no", "yes"), Interface(label=2))
    Readout(classes=None, unit=2, sign=1, border=0.0, link='')
    """
    alone = head.gives == _SIGMOID  # each unit answers a question of its own
    if interface.label is not None:
        return _read_unit(head, class_names, interface)
    if head.n_outputs > 1 and interface.threshold is not None:
        raise NetworkError(
            f"threshold is where the answers of a single unit part, and {_name(head)} has {head.n_outputs} "
            "outputs. Leave it out, or name the unit that is judged: label = 0 in [tool.modelcheck], or --label 0"
        )
    if head.n_outputs > 1 and alone and not interface.outputs:
        names = ", ".join(f'"{name}"' for name in class_names)
        said = f"outputs = [{names}]" if head.n_outputs == len(class_names) else "outputs, the panel's class of each"
        raise NetworkError(
            f"{_name(head)} has {head.n_outputs} sigmoid units, each of which answers a question of its own, and "
            "it is not said which is judged. Name it, counted from 0, with a panel of two classes: label = 0 in "
            f"[tool.modelcheck], or --label 0. Where exactly one of them is true, as of classes: {said}"
        )
    readout = _join_outputs(head, class_names, interface.outputs)
    return readout if interface.threshold is None else _part_at(head, readout, threshold=interface.threshold)


def _name(head: Head) -> str:
    return f"The network {head.name!r}"


def _read_unit(head: Head, class_names: Sequence[str], interface: Interface) -> Readout:
    """Return one unit as what is judged: it speaks for the class of its name, or else for the second."""
    count, names, label = head.n_outputs, interface.outputs, str(interface.label)
    if head.gives == "softmax":
        raise NetworkError(
            f"label names a unit that answers a question of its own, and {_name(head)} ends in a softmax, whose "
            "units share one. Say which class each output means instead: outputs, with one name for each."
        )
    if len(class_names) != 2:
        raise NetworkError(
            f"label names one unit, which answers yes or no, and the panel has {len(class_names)} classes "
            f"({', '.join(class_names)}). Make a panel of two classes for it: modelcheck panel --help"
        )
    if names and (len(names) != count or len(set(names)) != count):
        raise NetworkError(
            f"With label, outputs is the name of each unit: {count} distinct names in their order, not {list(names)}."
        )
    if label not in names and not (label.isdecimal() and int(label) < count):
        named = did_you_mean(label, names) if names else "Names of units are given by outputs, one for each."
        raise NetworkError(f"{_name(head)} has {_count(count)}, 0 to {count - 1}, and label names {label!r}. {named}")
    unit = names.index(label) if label in names else int(label)
    name = names[unit] if names else label
    sign = -1 if name == class_names[0] else 1
    readout = Readout(unit=unit, sign=sign, link=head.link)
    return readout if interface.threshold is None else _part_at(head, readout, threshold=interface.threshold)


def _part_at(head: Head, readout: Readout, *, threshold: float) -> Readout:
    """Return the border of a single unit there, in the units of its own output."""
    border = threshold
    if head.gives == _SIGMOID:
        if not 0 < threshold < 1:
            raise NetworkError(
                f"{_name(head)} ends in a sigmoid, whose answers part between 0 and 1, not at {threshold:g}. Give a "
                "threshold such as 0.5."
            )
        border = math.log(threshold) - math.log1p(-threshold)
    return replace(readout, unit=readout.unit or 0, border=border)


def _join_outputs(head: Head, class_names: Sequence[str], outputs: Sequence[str]) -> Readout:
    """Return one score for each class, in the panel's order."""
    readout, n_outputs = Readout(link=head.link), max(head.n_outputs, 2)
    has = f"{_name(head)} has {_count(head.n_outputs)}"
    classes = f"the panel {len(class_names)} classes ({', '.join(class_names)})"
    if not outputs:
        if n_outputs == len(class_names):
            return readout
        if n_outputs > len(class_names):
            raise NetworkError(
                f"{has}, {classes}. If several outputs mean one class, say which: outputs = ['left', 'not_left', ...] "
                "in [tool.modelcheck]."
            )
        tells = ", which tells two classes apart" if head.n_outputs == 1 else ""
        raise NetworkError(
            f"{has}{tells}, {classes}: no output speaks for some of them. Make a panel of the network's classes, in "
            "its order: modelcheck panel --help"
        )
    for name in outputs:
        if name not in class_names:
            raise NetworkError(f"outputs names the class {name!r}. {did_you_mean(name, class_names)}")
    lost = [name for name in class_names if name not in outputs]
    if len(outputs) != n_outputs or lost:
        said = f"; it leaves out {', '.join(lost)}" if lost else ""
        raise NetworkError(
            f"outputs must name a class for each of the {n_outputs} outputs and every class once or more, not "
            f"{list(outputs)}{said}."
            if head.n_outputs > 1
            else f"{has}, which speaks for the second of two classes: outputs would be {list(class_names)}, not "
            f"{list(outputs)}. Leave outputs out."
        )
    if len(outputs) > len(class_names):
        return replace(readout, classes=tuple(class_names.index(name) for name in outputs))
    if tuple(outputs) != tuple(class_names):
        raise NetworkError(
            f"outputs {list(outputs)} puts the panel's classes {list(class_names)} into another order. It "
            "joins outputs into classes where there are more outputs than classes; as many are taken in the "
            "panel's order, so that no setting swaps the answers. Leave outputs out, and where the network was "
            "trained on another order, make the panel in that order: modelcheck panel --help"
        )
    return readout


def _count(outputs: int) -> str:
    return "one output" if outputs == 1 else f"{outputs} outputs"
