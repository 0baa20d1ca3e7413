"""What a network's outputs say of the panel's classes: one unit, one of several, or scores of one class each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from modelcheck.interface import Interface
from modelcheck.network import Network
from modelcheck.network.kinds import MIXING_PROBABILITIES, StepKind
from modelcheck.runtimes import Head, Readout, read_outputs
from modelcheck.runtimes.heads import LINKS

__all__ = ["describe_head", "read_head"]


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
    link = _find_link(network, images)
    network = replace(network, readout=Readout(link=link))
    head = Head(name=network.model.name, n_outputs=network.n_outputs, gives=describe_head(network), link=link)
    return replace(network, readout=read_outputs(head, class_names, interface))


def describe_head(network: Network) -> str:
    """Return what each unit of the head gives: ``sigmoid``, ``softmax`` or, where it is a plain score, ``linear``."""
    softening = network.softening
    if not softening and network.readout.link:
        softening = next(name for name, link in LINKS.items() if link == network.readout.link)
    return {"log_softmax": "softmax", "": "linear"}.get(softening, softening)


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
    if len(kinds) != 1 or not kinds <= LINKS.keys():
        return ""
    given = network.evaluate(tf.constant(images), [network.logits])[0].numpy()
    most = 1.0 + 1e-3 if kinds == {"sigmoid"} else math.inf
    return LINKS[kinds.pop()] if ((given >= 0) & (given <= most)).all() else ""
