"""Whether one network descends from the other: kernels at the same place correlate by index."""

from __future__ import annotations

import math

import numpy as np

from modelcheck.criteria import Measured
from modelcheck.signature import Signature

__all__ = ["RELATED", "lineage_measure"]

RELATED = 0.3  # two seeds of one architecture reach 0.1 in a kernel by chance, an untrained ancestor far more


def lineage_measure(baseline: Signature, candidate: Signature) -> Measured:
    """Return the mean correlation of the two networks' kernels, weight by weight.

    Networks that were fine-tuned, pruned or quantised from one another, or that started from the same initialisation,
    reach far above `RELATED`; retrained ones do not.
    """
    shared = [name for name in baseline.fingerprint if name in candidate.fingerprint]
    values = [_correlation(baseline.fingerprint[name], candidate.fingerprint[name]) for name in shared]
    known = [value for value in values if math.isfinite(value)]
    value = float(np.mean(known)) if known else math.nan
    if not known:
        words = "No kernels of the same shape at the same place: the architectures differ."
    elif value > RELATED:
        words = (
            "Common ancestor: weights correlate by index. Conv layers then look alike whatever was learned since, so "
            "their likeness says nothing about the decision."
        )
    else:
        words = "Trained apart: weights do not correlate by index."
    return Measured(metric="lineage", value=value, n=len(known), evidence=words)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 8 or len(one) != len(other) or not one.std() or not other.std():
        return math.nan
    return float(np.corrcoef(one.astype(np.float64), other.astype(np.float64))[0, 1])
