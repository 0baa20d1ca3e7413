"""Two records of one kind compared, whichever kind it is: networks on pictures, or on a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelcheck.comparison.catalogue import tell_material
from modelcheck.comparison.comparison import Comparison, reduce_twin
from modelcheck.comparison.tables.comparison import TableComparison, reduce_table_twin
from modelcheck.signature import Record, Signature, TableSignature
from modelcheck.signature.counterparts import CompareError

__all__ = [
    "AnyComparison",
    "has_same_architecture",
    "reduce_record",
    "tell_record",
    "with_retrained",
    "without_untrained",
]

AnyComparison = Comparison | TableComparison
"""What two networks say about each other, on pictures or on a table."""


def reduce_record(baseline: Record, twin: Record) -> Record:
    """Return what a baseline keeps of a clean network, with every metric of the comparison of the two.

    Raises
    ------
    CompareError
        When the two were not measured alike.
    """
    if isinstance(baseline, TableSignature) and isinstance(twin, TableSignature):
        return reduce_table_twin(baseline, twin)
    if isinstance(baseline, Signature) and isinstance(twin, Signature):
        return reduce_twin(baseline, twin)
    raise CompareError("A twin is measured on the baseline's own panel, and this one was on a panel of another kind.")


def tell_record(record: Record) -> str:
    """Return what a network answers: `PICTURES`, or rows of a table, `CLASSES` or `NUMBERS`."""
    kind = {"kind": "table"} if isinstance(record, TableSignature) else {}
    return tell_material({**kind, "class_names": record.class_names})


def has_same_architecture(one: Record, other: Record) -> bool:
    """Return whether two networks have kernels of the same shapes in the same order, and as many parameters."""
    kept: Any = other  # of one kind: they were measured on one panel
    return one.same_architecture(kept)


def with_retrained(record: Record, twins: Iterable[Record]) -> Record:
    """Return a record that keeps these retrained twins in the place of its own."""
    kept: Any = record  # of one kind, as its twins are
    return replace(kept, retrained=tuple(twins))


def without_untrained(record: Record) -> Record:
    """Return a record without its untrained twins, as an approval measures it."""
    kept: Any = record
    return replace(kept, twins=())
