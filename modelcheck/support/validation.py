"""One way to check values that a person wrote: what they must be is said once, in a table of checks.

A room keeps a table from the names of its settings to checks, and hands it to `check_table` or, one
by one, to `check_value`. Every message reads alike: what must be what, what it is instead, and
where.
"""

from __future__ import annotations

import datetime
import math
import numbers
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.support.spelling import did_you_mean

__all__ = [
    "ANY_NUMBER",
    "DAY",
    "FLAG",
    "TABLE",
    "TEXT",
    "Check",
    "array_of",
    "check_keys",
    "check_table",
    "check_value",
    "name_list",
    "number",
    "number_range",
    "one_of",
    "text",
    "whole_number",
]

_MAX_SHOWN = 300  # characters of a value in a message


def _keep(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Check:
    """What a value must be.

    Parameters
    ----------
    words : str
        How a message goes on behind "must be", for example ``a whole number, at least 1``.
    accepts : callable
        ``accepts(value)`` -> whether the value is that. It takes a value of any type and never
        raises.
    convert : callable
        From an accepted value to the one that is kept, for example from an integer of numpy to one
        of Python.

    Examples
    --------
    >>> even = Check("an even number", lambda value: isinstance(value, int) and value % 2 == 0)
    >>> even.accepts(4), even.accepts("4")
    (True, False)
    """

    words: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = _keep


def check_value(name: str, value: Any, check: Check, *, error: type[ValueError] = ValueError, where: str = "") -> Any:
    """Return a value as a check keeps it.

    Parameters
    ----------
    name : str
        What the value is called where it was written.
    value : object
        The value, of any type.
    check : Check
        What it must be.
    error : type
        The kind of ValueError that is raised.
    where : str
        In what the value stands, for example ``a row of 'criteria.toml'``; may be empty.

    Raises
    ------
    ValueError
        Of the kind `error`, when the value is something else.

    Examples
    --------
    >>> check_value("steps", 3, whole_number(at_least=1))
    3
    >>> check_value("steps", 0, whole_number(at_least=1), where="the recipe")
    Traceback (most recent call last):
    ValueError: steps must be a whole number, at least 1, not 0, in the recipe.
    """
    if not check.accepts(value):
        place = f", in {where}" if where else ""
        raise error(f"{name} must be {check.words}, not {_describe(value)}{place}.")
    return check.convert(value)


def check_keys(
    keys: Iterable[str], known: Collection[str], *, where: str, error: type[ValueError] = ValueError
) -> None:
    """Refuse a key that nobody reads, which is most likely a typo.

    Parameters
    ----------
    keys : iterable of str
        The keys that were written.
    known : collection of str
        The keys that there are.
    where : str
        In what they stand, for example ``a row of 'criteria.toml'``.
    error : type
        The kind of ValueError that is raised.

    Raises
    ------
    ValueError
        Of the kind `error`, with the nearest known key.

    Examples
    --------
    >>> check_keys(["setps"], ["steps", "seed"], where="the recipe")
    Traceback (most recent call last):
    ValueError: The recipe has an unknown key 'setps'. Did you mean 'steps'?
    """
    for key in keys:
        if key not in known:
            raise error(f"{where[:1].upper()}{where[1:]} has an unknown key {key!r}. {did_you_mean(str(key), known)}")


def check_table(
    values: Mapping[str, Any],
    checks: Mapping[str, Check],
    *,
    where: str,
    required: Collection[str] = (),
    error: type[ValueError] = ValueError,
) -> dict[str, Any]:
    """Return a table's values as their checks keep them.

    Parameters
    ----------
    values : mapping
        The table as it was read.
    checks : mapping of str to Check
        What each value must be; other keys are errors.
    where : str
        What the table is, for example ``a row of 'criteria.toml'``.
    required : collection of str
        Keys that must be there.
    error : type
        The kind of ValueError that is raised.

    Raises
    ------
    ValueError
        Of the kind `error`, when a key is unknown or missing, or a value is not what it must be.

    Examples
    --------
    >>> check_table({"why": "as agreed"}, {"why": TEXT, "at_least": number()}, where="a row")
    {'why': 'as agreed'}
    """
    check_keys(values, checks, where=where, error=error)
    missing = [key for key in checks if key in required and key not in values]
    if missing:
        raise error(f"{where[:1].upper()}{where[1:]} lacks {', '.join(missing)}.")
    return {key: check_value(key, value, checks[key], error=error, where=where) for key, value in values.items()}


def whole_number(*, at_least: int) -> Check:
    """Return the check of a whole number: one of Python's or numpy's, not a float, and not True or False.

    Examples
    --------
    >>> [whole_number(at_least=1).accepts(value) for value in (1, 0, 1.0, True, "1")]
    [True, False, False, False, False]
    """

    def accepts(value: Any) -> bool:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= at_least

    return Check(f"a whole number, at least {at_least}", accepts, int)


def number(
    words: str = "a finite number",
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Check:
    """Return the check of a finite number, which is kept as a float; True and False are no numbers.

    Parameters
    ----------
    words : str
        How a message goes on behind "must be"; limits that are not in these words are hidden.
    at_least, above, below : float, optional
        The lowest value that is accepted, and values between which, ends excluded, it must lie.

    Examples
    --------
    >>> [number(above=0).accepts(value) for value in (0.5, 0, float("nan"), 10**400, True, "1")]
    [True, False, False, False, False, False]
    """

    def accepts(value: Any) -> bool:
        return _is_finite(value) and (
            (at_least is None or float(value) >= at_least)
            and (above is None or float(value) > above)
            and (below is None or float(value) < below)
        )

    # So that -0.0, which equals 0.0, is written like it.
    return Check(words, accepts, lambda value: float(value) + 0.0)


def number_range(words: str) -> Check:
    """Return the check of two finite numbers, the lower first, which are kept as a tuple of floats.

    Examples
    --------
    >>> [number_range("two numbers").accepts(value) for value in ([0, 1], (1, 0), (0, 1, 2), "01")]
    [True, False, False, False]
    """
    end = number()

    def accepts(value: Any) -> bool:
        if not _is_list(value) or len(value) != 2 or not all(end.accepts(item) for item in value):
            return False
        return bool(end.convert(value[0]) < end.convert(value[1]))

    return Check(words, accepts, lambda value: (end.convert(value[0]), end.convert(value[1])))


def name_list(
    words: str = "a list of distinct names",
    *,
    accepts: Callable[[str], bool] = bool,
    distinct: bool = True,
    at_least: int = 0,
) -> Check:
    """Return the check of a list of names, which is kept as a tuple; one word is no list.

    Parameters
    ----------
    words : str
        How a message goes on behind "must be".
    accepts : callable
        ``accepts(name)`` -> whether a text is such a name; by default, whether it is not empty.
    distinct : bool
        Whether a name may stand there once only.
    at_least : int
        How many there must be.

    Examples
    --------
    >>> [name_list().accepts(value) for value in (["left", "up"], [], ["up", "up"], [""], "up")]
    [True, True, False, False, False]
    """

    def accepts_all(value: Any) -> bool:
        if (
            not _is_list(value)
            or len(value) < at_least
            or not all(isinstance(item, str) and bool(accepts(item)) for item in value)
        ):
            return False
        return not distinct or len(set(value)) == len(value)

    return Check(words, accepts_all, tuple)


def text(words: str = "text") -> Check:
    """Return the check of a text, which may be empty.

    Examples
    --------
    >>> [text("a path in quotes").accepts(value) for value in ("a/b", "", 1)]
    [True, True, False]
    """
    return Check(words, lambda value: isinstance(value, str))


def one_of(*known: str) -> Check:
    """Return the check of one of a few words.

    Examples
    --------
    >>> one_of("value", "interval").words
    "'value' or 'interval'"
    """
    shown = [repr(word) for word in known]
    listed = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]
    return Check(listed, lambda value: isinstance(value, str) and value in known)


def array_of(words: str, *, kinds: str, shape: Sequence[int | None]) -> Check:
    """Return the check of an array by its dtype and shape.

    Parameters
    ----------
    words : str
        How a message goes on behind "must be".
    kinds : str
        The kinds of dtype that are accepted, as ``numpy.dtype.kind`` has them, for example ``iu``.
    shape : sequence of int or None
        The length of each axis, None where any will do.

    Examples
    --------
    >>> import numpy as np
    >>> check_value("labels", np.zeros(2), array_of("3 whole numbers", kinds="iu", shape=(3,)))
    Traceback (most recent call last):
    ValueError: labels must be 3 whole numbers, not float64 of shape (2,).
    """
    import numpy as np  # settings and criteria are read at every start of pytest, and hold no arrays

    def accepts(value: Any) -> bool:
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds or value.ndim != len(shape):
            return False
        return all(wanted in (None, length) for wanted, length in zip(shape, value.shape, strict=True))

    return Check(words, accepts)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    try:
        return _is_number(value) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _describe(value: Any) -> str:
    """Write a value as Python does, but not to any length; an array is told by its dtype and shape."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        try:
            shown = repr(value)
        except ValueError:  # Python prints whole numbers of some thousand digits only
            shown = f"a value of type {type(value).__name__} that is too long to be printed"
        return shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 1]}…"
    return f"of shape {value.shape}" if value.dtype == object else f"{value.dtype} of shape {value.shape}"


# NaN and infinity too, where whoever reads the value says better than a table why it cannot be one.
ANY_NUMBER = Check("a number", _is_number)
TEXT = text()
FLAG = Check("true or false", lambda value: isinstance(value, bool))
TABLE = Check("a table", lambda value: isinstance(value, dict))
# A datetime is a date to Python, and would bring a time zone along.
DAY = Check("a day without quotes, like 2026-01-31", lambda value: type(value) is datetime.date)
