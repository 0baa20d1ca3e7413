"""In what two measurements' surroundings differ: versions, machine, kernels. A difference is named, never a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["differences"]

_UNKNOWN = "not recorded"


def differences(
    baseline: Mapping[str, Any], candidate: Mapping[str, Any], *, roles: tuple[str, str] = ("baseline", "candidate")
) -> list[str]:
    """Return one line for each setting of the surroundings that is not the same.

    Floating point differs between kernels, versions and machines, so maps are never compared by their bytes; where
    scores of two networks differ, these lines say what else did.

    Parameters
    ----------
    baseline, candidate : mapping
        The `provenance` of two signatures; nested tables are read as one.
    roles : tuple of str
        What to call the two sides.

    Returns
    -------
    list of str
        Like ``tensorflow: 2.21.0 (baseline), 2.20.0 (candidate)``, in alphabetical order; empty when all is the same.

    Examples
    --------
    >>> differences({"versions": {"numpy": "2.3"}, "machine": "x86_64"}, {"versions": {"numpy": "2.4"}})
    ['machine: x86_64 (baseline), not recorded (candidate)', 'numpy: 2.3 (baseline), 2.4 (candidate)']
    """
    one, other = dict(_flat(baseline)), dict(_flat(candidate))
    return [
        f"{name}: {one.get(name, _UNKNOWN)} ({roles[0]}), {other.get(name, _UNKNOWN)} ({roles[1]})"
        for name in sorted({*one, *other})
        if one.get(name, _UNKNOWN) != other.get(name, _UNKNOWN)
    ]


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield str(name), str(value)
