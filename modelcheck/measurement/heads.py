"""What a network's outputs say of the panel's classes: one unit, one of several, or scores of one class each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from modelcheck.interface import Interface
from modelcheck.network import Network, NetworkError
from modelcheck.network.kinds import MIXING_PROBABILITIES, StepKind
from modelcheck.support.spelling import did_you_mean

__all__ = ["describe_head", "read_head"]

_SIGMOID = "sigmoid"
_LINKS = {"softmax": "log", _SIGMOID: "logit"}


def read_head(network: Network, class_names: Sequence[str], interface: Interface, images: np.ndarray) -> Network:
    """Return a network with its outputs understood as scores of the panel's classes.

    Parameters
    ----------
    network : Network
        The flattened network.
    class_names : sequence of str
        The panel's classes.
    interface : Interface
        What its file does not say.
    images : np.ndarray
        ``(n, h, w, c)`` a few pictures in the network's input range, to see whether what looks like
        mixed probabilities is that.

    Raises
    ------
    NetworkError
        When it does not follow from both what an output means; the message names the setting.
    """
    network = replace(network, readout=replace(network.readout, link=_find_link(network, images)))
    alone = describe_head(network) == _SIGMOID  # each unit answers a question of its own
    if interface.label is not None:
        return _read_unit(network, class_names, interface)
    if network.n_outputs > 1 and interface.threshold is not None:
        raise NetworkError(
            f"threshold is where the answers of a single unit part, and {_name(network)} has {network.n_outputs} "
            "outputs. Leave it out, or name the unit that is judged: label = 0 in [tool.modelcheck], or --label 0"
        )
    if network.n_outputs > 1 and alone and not interface.outputs:
        names = ", ".join(f'"{name}"' for name in class_names)
        said = f"outputs = [{names}]" if network.n_outputs == len(class_names) else "outputs, the panel's class of each"
        raise NetworkError(
            f"{_name(network)} has {network.n_outputs} sigmoid units, each of which answers a question of its own, and "
            "it is not said which is judged. Name it, counted from 0, with a panel of two classes: label = 0 in "
            f"[tool.modelcheck], or --label 0. Where exactly one of them is true, as of classes: {said}"
        )
    network = _join_outputs(network, class_names, interface.outputs)
    return network if interface.threshold is None else _part_at(network, interface.threshold)


def describe_head(network: Network) -> str:
    """Return what each unit of the head gives: ``sigmoid``, ``softmax`` or, where it is a plain score, ``linear``."""
    softening = network.softening
    if not softening and network.readout.link:
        softening = next(name for name, link in _LINKS.items() if link == network.readout.link)
    return {"log_softmax": "softmax", "": "linear"}.get(softening, softening)


def _name(network: Network) -> str:
    return f"The network {network.model.name!r}"


def _find_link(network: Network, images: np.ndarray) -> str:
    """Return by what function scores follow from outputs that mix the probabilities of several heads."""
    if network.softening:
        return ""
    kinds, todo = set(), [network.logits]
    while todo:
        step = network.steps[todo.pop()]
        if step.kind in MIXING_PROBABILITIES:
            todo += step.inputs
        else:
            kinds.add(step.activation if step.kind == StepKind.ACTIVATION and len(step.shape) == 1 else "")
    if len(kinds) != 1 or not kinds <= _LINKS.keys():
        return ""
    given = network.evaluate(tf.constant(images), [network.logits])[0].numpy()
    most = 1.0 + 1e-3 if kinds == {_SIGMOID} else math.inf
    return _LINKS[kinds.pop()] if ((given >= 0) & (given <= most)).all() else ""


def _read_unit(network: Network, class_names: Sequence[str], interface: Interface) -> Network:
    """Return the network with one unit judged: it speaks for the class of its name, or else for the second."""
    count, names, label = network.n_outputs, interface.outputs, str(interface.label)
    if describe_head(network) == "softmax":
        raise NetworkError(
            f"label names a unit that answers a question of its own, and {_name(network)} ends in a softmax, whose "
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
        raise NetworkError(
            f"{_name(network)} has {_count(count)}, 0 to {count - 1}, and label names {label!r}. {named}"
        )
    unit = names.index(label) if label in names else int(label)
    name = names[unit] if names else label
    sign = -1 if name == class_names[0] else 1
    network = replace(network, readout=replace(network.readout, unit=unit, sign=sign))
    return network if interface.threshold is None else _part_at(network, interface.threshold)


def _part_at(network: Network, threshold: float) -> Network:
    """Return the network with the border of its single unit there, in the units of its own output."""
    border = threshold
    if describe_head(network) == _SIGMOID:
        if not 0 < threshold < 1:
            raise NetworkError(
                f"{_name(network)} ends in a sigmoid, whose answers part between 0 and 1, not at {threshold:g}. Give a "
                "threshold such as 0.5."
            )
        border = math.log(threshold) - math.log1p(-threshold)
    unit = network.readout.unit or 0
    return replace(network, readout=replace(network.readout, unit=unit, border=border))


def _join_outputs(network: Network, class_names: Sequence[str], outputs: Sequence[str]) -> Network:
    """Return the network with one score for each class, in the panel's order."""
    n_outputs = max(network.n_outputs, 2)
    has = f"{_name(network)} has {_count(network.n_outputs)}"
    classes = f"the panel {len(class_names)} classes ({', '.join(class_names)})"
    if not outputs:
        if n_outputs == len(class_names):
            return network
        if n_outputs > len(class_names):
            raise NetworkError(
                f"{has}, {classes}. If several outputs mean one class, say which: outputs = ['left', 'not_left', ...] "
                "in [tool.modelcheck]."
            )
        tells = ", which tells two classes apart" if network.n_outputs == 1 else ""
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
            if network.n_outputs > 1
            else f"{has}, which speaks for the second of two classes: outputs would be {list(class_names)}, not "
            f"{list(outputs)}. Leave outputs out."
        )
    if len(outputs) > len(class_names):
        return network.join_outputs([class_names.index(name) for name in outputs])
    if tuple(outputs) != tuple(class_names):
        raise NetworkError(
            f"outputs {list(outputs)} puts the panel's classes {list(class_names)} into another order. It "
            "joins outputs into classes where there are more outputs than classes; as many are taken in the "
            "panel's order, so that no setting swaps the answers. Leave outputs out, and where the network was "
            "trained on another order, make the panel in that order: modelcheck panel --help"
        )
    return network


def _count(outputs: int) -> str:
    return "one output" if outputs == 1 else f"{outputs} outputs"
