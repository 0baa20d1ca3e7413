"""What can be asked of a candidate: a file that ships answers pictures, and nothing can be rendered from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.recipe import BLACK_BOX
from modelcheck.signature import Signature

__all__ = ["KERAS", "WHOLE", "Offer", "find_offer", "is_saturated", "offer_of", "say_saturated", "say_unasked"]

_SATURATED = 0.1  # of the pictures
KERAS = "keras"
"""The runtime of networks that can be looked into."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a candidate lets itself be asked for beside answers.

    Parameters
    ----------
    parts : frozenset of str
        ``margins``, by which one class leads the others, ``maps``, for which it takes gradients,
        ``layers``, whose activations can be read,
        ``weights``, ``untrained``, untrained networks of its architecture, and ``source``, the
        network that it was converted from.

    Examples
    --------
    >>> find_offer("litert", source=False).choose_methods(("smoothgrad", "occlusion"))
    ('occlusion',)
    """

    parts: frozenset[str]

    def holds(self, takes: Sequence[str]) -> bool:
        """Say whether it offers all that something takes."""
        return self.parts >= set(takes)

    def choose_methods(self, methods: Sequence[str]) -> tuple[str, ...]:
        """Return those of some attribution methods that it can be asked for: all, or what takes answers alone."""
        return tuple(method for method in methods if "maps" in self.parts or method in BLACK_BOX)


WHOLE = Offer(parts=frozenset(("margins", "maps", "layers", "weights", "untrained")))
"""What a Keras network offers."""


def find_offer(runtime: str, *, source: bool) -> Offer:
    """Return what a candidate offers.

    Parameters
    ----------
    runtime : str
        What runs it: `KERAS`, or ``litert`` or ``onnx``.
    source : bool
        Whether the Keras network is given that a file that ships was converted from: its untrained
        twins are then the file's.

    Examples
    --------
    >>> sorted(find_offer("onnx", source=True).parts)
    ['layers', 'margins', 'source', 'untrained', 'weights']
    """
    if runtime == KERAS:
        return WHOLE
    return Offer(parts=frozenset(("margins", "layers", "weights", *(("source", "untrained") if source else ()))))


def offer_of(candidate: Signature) -> Offer:
    """Return what a measured candidate offers; a file that ships has untrained twins of its source alone."""
    return find_offer(candidate.runtime, source=bool(candidate.twins))


def say_unasked(candidate: Signature) -> str:
    """Return why something cannot be asked of a candidate, in a sentence."""
    if candidate.runtime == KERAS:
        return "It is asked of files that were converted from another network, and the candidate is none."
    return f"{candidate.model['file']!r} answers pictures, and nothing can be rendered from it."


def is_saturated(model: Mapping[str, Any]) -> bool:
    """Say whether a file's answers are probabilities so coarse that too many lie at the ends of what they can say.

    Parameters
    ----------
    model : mapping
        What a signature, or a verdict, says of the network.

    Examples
    --------
    >>> is_saturated({"probabilities": True, "saturation": 0.9}), is_saturated({"saturation": 0.9})
    (True, False)
    """
    return bool(model.get("probabilities")) and float(model.get("saturation", 0.0)) > _SATURATED


def say_saturated(share: float) -> str:
    """Return that answers are saturated, and what to do, in two sentences."""
    return (
        f"The file answers with probabilities of whole numbers, and on {share:.0%} of the pictures one of them is the "
        "smallest or the largest that it can say: by how much a class leads is not known. Convert it with its scores, "
        "without the last softmax or sigmoid, or with answers in float32."
    )
