"""Whether a network is misread: it answers surely better when it is fed, or its outputs are taken, in another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.interface import (
    REVERSED,
    Interface,
    reverse_channels,
    spell_preprocessing,
    write_preprocessing,
)
from modelcheck.metrics.accuracy import Rate
from modelcheck.metrics.feeding import find_better_feeding
from modelcheck.metrics.ordering import find_better_order
from modelcheck.metrics.separation import is_surely_better
from modelcheck.signature.record import Signature

if TYPE_CHECKING:
    from modelcheck.judgement.document import ClassOrderReason, MisreadingReason, PreprocessingReason

__all__ = ["find_better_preprocessing", "find_misreadings", "list_misreadings"]


def find_misreadings(signature: Signature) -> list[MisreadingReason]:
    """Return the ways in which a network surely answers better than as it was fed and read, as a verdict keeps them.

    Parameters
    ----------
    signature : Signature
        What was measured of the network.

    Returns
    -------
    list of MisreadingReason
        Empty where there is none. Two where neither another preprocessing nor another order of the
        classes is surely the better one: channels that are reversed look like colours exchanged.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> find_misreadings(read_signature("baselines/drawn-faces"))
    []
    """
    return list_misreadings(
        signature.fed_otherwise,
        signature.scores,
        labels=signature.pictures["labels"],
        subjects=signature.pictures.get("subjects"),
        class_names=signature.class_names,
        interface=signature.interface,
        input_range=signature.recipe.input_range,
        own_scaling=signature.model.get("own_scaling", ()),
    )


def list_misreadings(
    fed: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    labels: np.ndarray,
    subjects: np.ndarray | None,
    class_names: Sequence[str],
    interface: Interface,
    input_range: tuple[float, float],
    own_scaling: Sequence[str],
) -> list[MisreadingReason]:
    """Return what `find_misreadings` does, of a network that was not yet measured, or that only answers.

    Parameters
    ----------
    fed : mapping of str to np.ndarray
        What it answered to some pictures preprocessed in other ways; see
        `modelcheck.metrics.feeding.find_better_feeding`.
    scores : np.ndarray
        ``(n, classes)`` its class scores before softmax.
    labels : np.ndarray
        ``(n,)`` the true classes.
    subjects : np.ndarray or None
        ``(n,)`` of whom or what each picture is, where several are of the same.
    class_names : sequence of str
        The classes.
    interface : Interface
        How its inputs and outputs were understood.
    input_range : tuple of float
        The values of black and white in the pictures.
    own_scaling : sequence of str
        Its layers that scale pictures.
    """
    found: tuple[tuple[MisreadingReason, Rate] | None, ...] = (
        _find_preprocessing(
            fed, scores, labels=labels, interface=interface, input_range=input_range, own_scaling=own_scaling
        ),
        _find_order(scores, labels, subjects=subjects, class_names=class_names),
    )
    told = [pair for pair in found if pair is not None]
    return [reason for reason, rate in told if not any(is_surely_better(other, rate) for _, other in told)]


def find_better_preprocessing(signature: Signature) -> PreprocessingReason | None:
    """Return the preprocessing with which a network surely answers better than as it was fed, as a verdict keeps it.

    Parameters
    ----------
    signature : Signature
        What was measured of the network; see `modelcheck.signature.Signature.fed_otherwise`.

    Returns
    -------
    PreprocessingReason or None
        None where no other is surely better, or none that was tried is better than chance.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> find_better_preprocessing(read_signature("baselines/drawn-faces")) is None
    True
    """
    found = _find_preprocessing(
        signature.fed_otherwise,
        signature.scores,
        labels=signature.pictures["labels"],
        interface=signature.interface,
        input_range=signature.recipe.input_range,
        own_scaling=signature.model.get("own_scaling", ()),
    )
    return None if found is None else found[0]


def _find_preprocessing(
    fed: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    labels: np.ndarray,
    interface: Interface,
    input_range: tuple[float, float],
    own_scaling: Sequence[str],
) -> tuple[PreprocessingReason, Rate] | None:
    better = find_better_feeding(fed, labels=labels, scores=scores)
    if better is None:
        return None
    reverse = spell_preprocessing(write_preprocessing(reverse_channels(interface.front, input_range)))
    name, *alike = (reverse if name == REVERSED else name for name in (better.name, *better.alike))
    reason: PreprocessingReason = {
        "kind": "preprocessing",
        "name": name,
        "now": round(better.now.value, 6),
        "reached": round(better.rate.value, 6),
        "alike": alike,
        "own_scaling": list(own_scaling),
    }
    return reason, better.rate


def _find_order(
    scores: np.ndarray, labels: np.ndarray, *, subjects: np.ndarray | None, class_names: Sequence[str]
) -> tuple[ClassOrderReason, Rate] | None:
    better = find_better_order(scores, labels, subjects=subjects)
    if better is None:
        return None
    reason: ClassOrderReason = {
        "kind": "class_order",
        "classes": list(class_names),
        "order": [class_names[k] for k in better.order],
        "now": round(better.now.value, 6),
        "reached": round(better.rate.value, 6),
    }
    return reason, better.rate
