"""In what two measurements' surroundings differ: versions, machine, kernels. A difference is named, never a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

__all__ = ["NOT_RECORDED", "Difference", "differences"]

NOT_RECORDED = "not recorded"
"""What stands where one of the two does not say."""


class Difference(TypedDict):
    """One setting that is not the same, and what it was for each of the two."""

    name: str
    baseline: str
    candidate: str


def differences(baseline: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[Difference]:
    """Return each setting of the surroundings that is not the same.

    Floating point differs between kernels, versions and machines, so maps are never compared by
    their bytes; where scores of two networks differ, these settings say what else did.

    Parameters
    ----------
    baseline, candidate : mapping
        The `provenance` of two signatures; nested tables are read as one.

    Returns
    -------
    list of Difference
        In alphabetical order; empty when all is the same.

    Examples
    --------
    >>> differences({"versions": {"numpy": "2.3"}, "machine": "x86_64"}, {"versions": {"numpy": "2.4"}})[0]
    {'name': 'machine', 'baseline': 'x86_64', 'candidate': 'not recorded'}
    """
    one, other = dict(_flat(baseline)), dict(_flat(candidate))
    return [
        {"name": name, "baseline": one.get(name, NOT_RECORDED), "candidate": other.get(name, NOT_RECORDED)}
        for name in sorted({*one, *other})
        if one.get(name, NOT_RECORDED) != other.get(name, NOT_RECORDED)
    ]


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield str(name), str(value)
