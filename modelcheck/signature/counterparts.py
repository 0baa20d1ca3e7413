"""Which layers of two networks correspond. The measurement asks this too: who is shown whose maps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from modelcheck.metrics.matching import align
from modelcheck.metrics.similarity import linear_cka
from modelcheck.signature import LayerRecord, Signature
from modelcheck.support.spelling import did_you_mean

__all__ = ["CompareError", "check_given", "cka", "counterparts"]


class CompareError(ValueError):
    """Two signatures that must not be compared; the message says in what they differ."""


_NAMESAKE = 0.1  # of CKA: conv2 and the depthwise layer before it differ by 0.02 to 0.06


def counterparts(
    baseline: Signature, candidate: Signature, given: Mapping[str, str | None]
) -> list[tuple[LayerRecord, LayerRecord | None, bool]]:
    """Return for each layer of the baseline its counterpart, and whether having none is acknowledged.

    Parameters
    ----------
    baseline, candidate : Signature
        Measured on one panel.
    given : mapping of str to str or None
        Counterparts that are given instead of found; None where the candidate has none on purpose.

    Raises
    ------
    CompareError
        When `given` names a layer that is not there, or the decision.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> found = counterparts(baseline, baseline, {"conv2": None})
    >>> [(layer.name, partner and partner.name) for layer, partner, _ in found[:2]]
    [('conv1', 'conv1'), ('conv2', None)]
    """
    check_given(baseline, given)
    own, other = [x.name for x in baseline.layers], [x.name for x in candidate.layers]
    for partner in given.values():
        if partner is not None and partner not in other:
            raise CompareError(f"layers names {partner!r}, which the candidate lacks. {did_you_mean(partner, other)}")
    free = [x for x in own[:-1] if x not in given]
    others = [x for x in other[:-1] if x not in given.values()]

    def likeness(one: str, another: str) -> float | None:
        if baseline.layer(one).kind != candidate.layer(another).kind:
            return None
        left, right = (side.features[name] for side, name in ((baseline, one), (candidate, another)))
        value = cka(left, right)
        # Whoever kept a name most likely meant the same layer, and neighbours differ by less than this.
        return (value if math.isfinite(value) else 0.0) + (_NAMESAKE if one == another else 0.0)

    found = align(free, others, likeness)
    rows: list[tuple[LayerRecord, LayerRecord | None, bool]] = []
    for record in baseline.layers[:-1]:
        partner = given[record.name] if record.name in given else found[record.name]
        rows.append((record, candidate.layer(partner) if partner else None, record.name in given and partner is None))
    return [*rows, (baseline.decision, candidate.decision, False)]


def check_given(baseline: Signature, given: Mapping[str, str | None]) -> None:
    """Check the baseline's side of a table of counterparts, before anything is measured.

    Raises
    ------
    CompareError
        When it names a layer that the baseline lacks, or the decision.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> check_given(read_signature("baselines/drawn-faces"), {"conv2": None})
    """
    own = [x.name for x in baseline.layers]
    for name in given:
        if name not in own:
            raise CompareError(f"layers names {name!r}, which the baseline lacks. {did_you_mean(name, own)}")
    if baseline.decision.name in given:
        raise CompareError("layers must leave the decision layer alone: it is always compared with the decision.")


def cka(left: np.ndarray, right: np.ndarray) -> float:
    """Return the alignment of two layers' features; of fewer than four pictures nothing can be said.

    Examples
    --------
    >>> features = np.random.default_rng(0).normal(size=(8, 2, 3))
    >>> round(cka(features, 2 * features), 6), cka(features[:3], features[:3])
    (1.0, nan)
    """
    if len(left) < 4:
        return math.nan
    return linear_cka(left.reshape(len(left), -1), right.reshape(len(right), -1))
