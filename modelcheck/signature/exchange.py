"""What two networks answered when each was shown the other's HappyMaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["MapExchange"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MapExchange:
    """What two networks answered when each was shown the other's HappyMaps.

    One of the two is the network whose signature holds the exchange, *this* network. The *other*
    one, usually the baseline, is known by its maps alone.

    Parameters
    ----------
    stimuli_sha256 : str
        Which maps were shown: `modelcheck.signature.Signature.stimuli_sha256` of the other network.
    class_scores : mapping of str to np.ndarray
        By view, ``free`` and ``natural``: ``(classes, classes)`` class scores before softmax of
        this network on the other's decision maps, one row a map; NaN for a map that is not there.
    counterparts : mapping of str to str
        By hidden layer of the other network, the layer of this one that was shown its maps.
    unit_answers : mapping of str to np.ndarray
        By hidden layer of the other network, ``(its rendered units, own rendered units)``: what the
        units of this network's corresponding layer answer to its maps.
    class_scores_back, unit_answers_back : mapping of str to np.ndarray
        The way back, empty unless the other network's file was at hand. By view ``(classes,
        classes)`` class scores, and by hidden layer of the other network ``(own rendered units, its
        rendered units)``: what the other network answers to the maps of this one.

    Examples
    --------
    >>> import numpy as np
    >>> exchange = MapExchange(stimuli_sha256="91e95e", class_scores={"free": np.eye(2)})
    >>> exchange.class_scores["free"].shape
    (2, 2)
    """

    stimuli_sha256: str
    class_scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    counterparts: Mapping[str, str] = field(default_factory=dict)
    unit_answers: Mapping[str, np.ndarray] = field(default_factory=dict)
    class_scores_back: Mapping[str, np.ndarray] = field(default_factory=dict)
    unit_answers_back: Mapping[str, np.ndarray] = field(default_factory=dict)

    def reduce_to_class_scores(self) -> MapExchange:
        """Return this network's class scores alone: what a baseline keeps of a retrained twin."""
        return replace(self, counterparts={}, unit_answers={}, class_scores_back={}, unit_answers_back={})
