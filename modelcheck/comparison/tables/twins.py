"""What a baseline's retrained twins and a candidate's untrained ones say of a value, and why one could not be made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from modelcheck.comparison.layers import collect_twin_values
from modelcheck.judgement.measured import Measured
from modelcheck.signature import TableSignature

__all__ = ["find_bad_answers", "find_ceiling", "leave_unmeasured", "say_twins"]


def find_ceiling(baseline: TableSignature, metric: str, about: str = "") -> tuple[float, ...]:
    """Return what the baseline's retrained twins reach, as they were measured when they were taken in."""
    _, ceiling = collect_twin_values(f"{metric}[{about}]" if about else metric, baseline, ())
    return ceiling


def say_twins(what: str, values: Sequence[float]) -> str:
    """Return one sentence on what the twins of the baseline have of something, or that nobody knows.

    Examples
    --------
    >>> say_twins("shares", (0.1, 0.14))
    "The shares of the baseline's 2 twins are 0.10 to 0.14."
    >>> say_twins("shares", ())
    'How far training again moves it is not known: modelcheck calibrate --help'
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "How far training again moves it is not known: modelcheck calibrate --help"
    if len(known) == 1:
        return f"That of the baseline's only twin is {known[0]:.2f}."
    return f"The {what} of the baseline's {len(known)} twins are {min(known):.2f} to {max(known):.2f}."


def leave_unmeasured(metric: str, about: Iterable[str], why: str) -> Iterator[Measured]:
    """Yield a metric as one that could not be measured, for each thing that it has a value for."""
    for name in about:
        yield Measured(metric=metric, about=name, value=math.nan, evidence=why)


def find_bad_answers(baseline: TableSignature, candidate: TableSignature) -> str:
    """Return why answers cannot be compared, one sentence; empty where they can."""
    for who, network in (("The candidate", candidate), ("The baseline", baseline)):
        bad = int((~np.isfinite(network.scores).all(axis=1)).sum())
        if bad:
            return f"{who} answers NaN or infinity on {bad} of {len(network.scores)} rows. Look at its weights."
    return "" if len(candidate.scores) else "The panel has no rows."
