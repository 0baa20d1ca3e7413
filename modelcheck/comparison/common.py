"""What comparisons of pictures and of tables have in common: what must agree, and how numbers are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from modelcheck.judgement.measured import Measured
from modelcheck.signature.counterparts import CompareError
from modelcheck.support.spelling import did_you_mean

__all__ = ["check_alike", "check_named", "choose_one", "keep_measures", "round_value"]


def check_alike(facts: Iterable[tuple[str, object, object]]) -> None:
    """Check that two signatures agree in what they must.

    Parameters
    ----------
    facts : iterable of tuple
        What it is, and what it is of the baseline and of the candidate.

    Raises
    ------
    CompareError
        With the first in which they do not.
    """
    for what, one, other in facts:
        if one != other:
            raise CompareError(
                f"The two signatures differ in their {what}: baseline {_short(one)}, candidate {_short(other)}. "
                "Measure both alike: modelcheck measure --help"
            )


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)


def choose_one(given: Mapping[str, str | None], *, example: str) -> tuple[str, str]:
    """Return the one kind of thing that was named, and its name.

    Parameters
    ----------
    given : mapping of str to str or None
        By kind of thing.
    example : str
        A call that is right.

    Raises
    ------
    CompareError
        When none or several are named.
    """
    named = [(sort, name) for sort, name in given.items() if name is not None]
    if len(named) != 1:
        *kinds, last = given
        raise CompareError(
            f"Name exactly one of {', '.join(kinds)} and {last}, not "
            f"{', '.join(sort for sort, _ in named) or 'none of them'}: comparison.about({example})"
        )
    return named[0]


def check_named(sort: str, name: str, known: Iterable[str]) -> None:
    """Check that a comparison is about a thing.

    Raises
    ------
    CompareError
        When it is not, with the nearest name that it knows.
    """
    words = list(known)
    if name not in words:
        raise CompareError(f"There is no {sort} {name!r} in this comparison. {did_you_mean(name, words)}")


def keep_measures(measures: Iterable[Measured]) -> dict[tuple[str, str], Measured]:
    """Return measures by metric and what they are about, rounded to six decimals.

    Kernels and machines differ in the digits after those, and no limit hangs on them.
    """
    return {(item.metric, item.about): _round(item) for item in measures}


def _round(item: Measured) -> Measured:
    ends = None if item.interval is None else (round_value(item.interval[0]), round_value(item.interval[1]))
    before = None if item.baseline is None else round_value(item.baseline)
    return replace(item, value=round_value(item.value), interval=ends, baseline=before)


def round_value(value: float) -> float:
    """Return a value with six decimals."""
    return round(float(value), 6) + 0.0  # which turns minus zero into zero
