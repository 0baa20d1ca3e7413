"""Two records of one kind compared, whichever kind it is: networks on pictures, or on a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from modelcheck.comparison.catalogue import tell_material
from modelcheck.comparison.comparison import Comparison, compare, reduce_twin
from modelcheck.comparison.tables.comparison import TableComparison, compare_tables
from modelcheck.signature import Record, Signature, TableSignature
from modelcheck.signature.counterparts import CompareError

__all__ = [
    "AnyComparison",
    "compare_records",
    "has_same_architecture",
    "reduce_record",
    "tell_record",
    "with_retrained",
    "without_untrained",
]

AnyComparison = Comparison | TableComparison
"""What two networks say about each other, on pictures or on a table."""


def compare_records(
    baseline: Record,
    candidate: Record,
    *,
    layers: Mapping[str, str | None] | None = None,
    source: Record | None = None,
) -> AnyComparison:
    """Compare two records that were measured alike; see `modelcheck.compare`.

    Raises
    ------
    CompareError
        When one is of pictures and the other of a table, or they were measured otherwise.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> release = read_signature("baselines/drawn-faces")
    >>> compare_records(release, release)
    Comparison(experiment0 -> experiment0, 5 layers, 89 measures)
    """
    if isinstance(baseline, TableSignature) and isinstance(candidate, TableSignature) and source is None:
        return compare_tables(baseline, candidate, layers=layers)
    if isinstance(baseline, Signature) and isinstance(candidate, Signature) and not isinstance(source, TableSignature):
        return compare(baseline, candidate, layers=layers, source=source)
    raise CompareError(
        "A network that was measured on pictures and one that was measured on a table do not compare. Measure both on "
        "one panel: modelcheck measure --help"
    )


def reduce_record(baseline: Record, twin: Record) -> Record:
    """Return what a baseline keeps of a clean network, with every metric of the comparison of the two.

    Raises
    ------
    CompareError
        When the two were not measured alike.
    """
    if isinstance(baseline, Signature) and isinstance(twin, Signature):
        return reduce_twin(baseline, twin)
    return twin.reduce_to_twin(compare_records(with_retrained(baseline, ()), twin).metrics)


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
