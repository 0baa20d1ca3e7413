"""Which layers of two networks correspond, and so which layer is shown whose maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelcheck.metrics.matching import align
from modelcheck.metrics.similarity import layer_cka
from modelcheck.signature import LayerRecord, Record
from modelcheck.support.spelling import did_you_mean

__all__ = ["CompareError", "LayerPair", "SeenLayers", "check_given", "find_counterparts"]

_SAME_NAME = 0.1  # of CKA: conv2 and the depthwise layer before it differ by 0.02 to 0.06


class CompareError(ValueError):
    """Signatures that must not be compared, or a question that a comparison cannot answer."""


class LayerPair(NamedTuple):
    """A layer of the baseline and the layer of the candidate that corresponds to it.

    Parameters
    ----------
    baseline : LayerRecord
        The baseline's layer.
    candidate : LayerRecord or None
        Its counterpart; None where the candidate has none.
    acknowledged : bool
        Whether having none is acknowledged by the configuration.
    """

    baseline: LayerRecord
    candidate: LayerRecord | None
    acknowledged: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenLayers:
    """What finding counterparts takes of a network that is still being measured.

    Parameters
    ----------
    layers : sequence of LayerRecord
        Its layers, the decision last.
    features : mapping of str to np.ndarray
        Their activations on the probe pictures; see `modelcheck.signature.Signature`.
    """

    layers: Sequence[LayerRecord]
    features: Mapping[str, np.ndarray]


def find_counterparts(
    baseline: Record, candidate: Record | SeenLayers, given: Mapping[str, str | None]
) -> tuple[LayerPair, ...]:
    """Return each layer of the baseline with its counterpart, the decision last.

    Hidden layers of one kind are aligned in order by the CKA of their activations on the probe
    pictures, or rows.

    Parameters
    ----------
    baseline : Signature or TableSignature
        One of two networks that are measured on one panel.
    candidate : Signature, TableSignature or SeenLayers
        The other.
    given : mapping of str to str or None
        Counterparts that are given instead of found; None where the candidate has none on purpose.

    Raises
    ------
    CompareError
        When `given` names a layer that is not there, or the decision.
    """
    check_given(baseline, given)
    records = {x.name: x for x in candidate.layers}
    own, other = [x.name for x in baseline.layers], list(records)
    for partner in given.values():
        if partner is not None and partner not in other:
            raise CompareError(f"layers names {partner!r}, which the candidate lacks. {did_you_mean(partner, other)}")
    free = [x for x in own[:-1] if x not in given]
    others = [x for x in other[:-1] if x not in given.values()]

    def score_pair(one: str, another: str) -> float | None:
        if baseline.layer(one).kind != records[another].kind:
            return None
        value = layer_cka(baseline.features[one], candidate.features[another])
        # Whoever kept a name most likely meant the same layer, and neighbours differ by less than
        # this.
        return (value if math.isfinite(value) else 0.0) + (_SAME_NAME if one == another else 0.0)

    partners = {**align(free, others, score_pair), **given}
    pairs = []
    for record in baseline.layers[:-1]:
        partner = partners[record.name]
        counterpart = records[partner] if partner else None
        pairs.append(LayerPair(record, counterpart, acknowledged=record.name in given and partner is None))
    return (*pairs, LayerPair(baseline.decision, candidate.layers[-1]))


def check_given(baseline: Record, given: Mapping[str, str | None]) -> None:
    """Check the baseline's side of a table of counterparts, before anything is measured.

    Raises
    ------
    CompareError
        When it names a layer that the baseline lacks, or the decision.
    """
    own = [x.name for x in baseline.layers]
    for name in given:
        if name not in own:
            raise CompareError(f"layers names {name!r}, which the baseline lacks. {did_you_mean(name, own)}")
    if baseline.decision.name in given:
        raise CompareError("layers must leave the decision layer alone: it is always compared with the decision.")
