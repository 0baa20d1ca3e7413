"""Whether one network descends from the other: kernels at the same place correlate by index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from modelcheck.judgement.measured import Measured
from modelcheck.signature import Record, Signature, TableSignature

__all__ = ["RELATED", "correlate_kernels", "exclude_relatives", "measure_lineage", "select_clean_networks"]

Kind = TypeVar("Kind", Signature, TableSignature)

RELATED = 0.3  # two seeds of one architecture reach 0.1 in a kernel by chance, an untrained ancestor far more


def measure_lineage(baseline: Record, candidate: Record) -> Measured:
    """Return the mean correlation of the two networks' kernels, weight by weight.

    Networks that were fine-tuned, pruned or quantised from one another, or that started from the
    same initialisation, reach far above `RELATED`; retrained ones do not.
    """
    value, known = correlate_kernels(baseline, candidate)
    if not known:
        words = "No kernels of the same shape at the same place: the architectures differ."
    elif value > RELATED:
        words = (
            "Common ancestor: weights correlate by index. Conv layers then look alike whatever was learned since, so "
            "their similarity says nothing about the decision."
        )
    else:
        words = "Trained apart: weights do not correlate by index."
    return Measured(metric="lineage", value=value, n=known, evidence=words)


def correlate_kernels(one: Record, other: Record) -> tuple[float, int]:
    """Return the mean correlation of two networks' kernels, NaN where they share none, and how many they share."""
    shared = [name for name in one.fingerprint if name in other.fingerprint]
    values = [_correlation(one.fingerprint[name], other.fingerprint[name]) for name in shared]
    known = [value for value in values if math.isfinite(value)]
    return (float(np.mean(known)) if known else math.nan), len(known)


def select_clean_networks(baseline: Kind, candidate: Kind) -> tuple[Kind, ...]:
    """Return the clean networks of the candidate's architecture that a baseline keeps, without its relatives."""
    return exclude_relatives(baseline.twins_like(candidate), candidate)


def exclude_relatives(twins: Sequence[Kind], candidate: Kind) -> tuple[Kind, ...]:
    """Return the twins that do not descend from a candidate, nor it from them.

    The candidate under another name, saved again or trained a little further is no evidence for the
    candidate: networks whose kernels correlate with its own are left out.
    """
    return tuple(
        twin
        for twin in twins
        if twin.model.get("sha256") != candidate.model.get("sha256")
        and not correlate_kernels(twin, candidate)[0] > RELATED
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 8 or len(one) != len(other) or not one.std() or not other.std():
        return math.nan
    return float(np.corrcoef(one.astype(np.float64), other.astype(np.float64))[0, 1])
