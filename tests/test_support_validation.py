"""Values are accepted exactly when they are what the words say, and every refusal reads alike."""

from __future__ import annotations

import datetime
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.support.validation import (
    ANY_NUMBER,
    DAY,
    FLAG,
    TABLE,
    TEXT,
    Check,
    array_of,
    check_keys,
    check_table,
    check_value,
    name_list,
    number,
    number_range,
    one_of,
    whole_number,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.dates(),
    st.datetimes(),
    st.complex_numbers(),
    st.fractions(),
    st.decimals(),
    st.integers(-100, 100).map(np.int8),
    st.floats(width=32).map(np.float32),
    st.booleans().map(np.bool_),
    st.just(10**400),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
        st.just(np.zeros((2, 3))),
        st.frozensets(st.text(max_size=2), max_size=2),
    ),
    max_leaves=4,
)


def is_whole(value, low):
    """Say by types alone whether a value is a whole number of at least that."""
    return type(value) in (int, np.int8) and int(value) >= low


def is_finite(value):
    """Say by types alone whether a value is a number that a float can hold."""
    if type(value) in (float, np.float32):
        return math.isfinite(value)
    return type(value) in (int, np.int8, Fraction) and abs(int(value)) < 2**1023


def is_names(value, at_least=0):
    """Say whether a value is a list of distinct, non-empty words."""
    return (
        type(value) in (list, tuple)
        and all(type(item) is str and item != "" for item in value)
        and len({*value}) == len(value) >= at_least
    )


def is_range(value):
    """Say whether a value is two numbers, the lower first."""
    return (
        type(value) in (list, tuple)
        and len(value) == 2
        and all(is_finite(item) for item in value)
        and float(value[0]) < float(value[1])
    )


ORACLES = {
    "whole from 0": (whole_number(at_least=0), lambda value: is_whole(value, 0)),
    "whole from 3": (whole_number(at_least=3), lambda value: is_whole(value, 3)),
    "finite": (number(), is_finite),
    "at least 0": (number(at_least=0), lambda value: is_finite(value) and value >= 0),
    "between": (number(above=0, below=1e7), lambda value: is_finite(value) and 0 < value < 1e7),
    "any number": (ANY_NUMBER, lambda value: type(value) in (int, float, np.int8, np.float32, Fraction)),
    "range": (number_range("a range"), is_range),
    "names": (name_list(), is_names),
    "two names": (name_list(at_least=2), lambda value: is_names(value, 2)),
    "text": (TEXT, lambda value: type(value) is str),
    "flag": (FLAG, lambda value: type(value) is bool),
    "table": (TABLE, lambda value: type(value) is dict),
    "day": (DAY, lambda value: type(value) is datetime.date),
    "one of": (one_of("", "a"), lambda value: type(value) is str and value in ("", "a")),
    "array": (array_of("an array", kinds="f", shape=(2, None)), lambda value: type(value) is np.ndarray),
}


@pytest.mark.parametrize(("check", "is_one"), ORACLES.values(), ids=ORACLES)
@given(value=ANYTHING)
def test_a_value_is_kept_or_refused_by_name(check, is_one, value):
    """Whatever the value is, it is kept when it is what the words say, else the error says what it must be."""
    if is_one(value):
        kept = check_value("x", value, check)
        assert check.accepts(kept)
    else:
        with pytest.raises(ValueError, match=re.escape(f"x must be {check.words}, not ")) as caught:
            check_value("x", value, check, where="the file")
        assert type(caught.value) is ValueError
        assert str(caught.value).endswith(", in the file.")
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("value", "shown"),
    [(10**5000, "a value of type int that is too long to be printed"), ("a" * 10**6, f"'{'a' * 298}…")],
    ids=["digits", "text"],
)
def test_a_value_of_any_length_is_refused_in_a_few_words(value, shown):
    """What Python cannot print, or nobody would read, is cut."""
    with pytest.raises(ValueError, match=f"^x must be true or false, not {shown}.$"):
        check_value("x", value, FLAG)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_kept_as_plain_floats(value):
    """A number of any sort becomes the float that equals it, and minus zero becomes zero."""
    kept = check_value("x", np.float64(value), number())
    assert type(kept) is float
    assert kept == value
    assert math.copysign(1, kept) == 1 or kept < 0


class RowError(ValueError):
    """An error of a room's own."""


CHECKS = {"name": TEXT, "steps": whole_number(at_least=1), "day": DAY}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"nmae": "a"}, "A row of 'f.toml' has an unknown key 'nmae'. Did you mean 'name'?"),
        ({"q": "a"}, "A row of 'f.toml' has an unknown key 'q'. Known: day, name, steps."),
        ({"day": datetime.date(2026, 1, 31)}, "A row of 'f.toml' lacks name, steps."),
        ({"name": "a", "steps": True}, "steps must be a whole number, at least 1, not True, in a row of 'f.toml'."),
    ],
    ids=["typo", "unknown", "missing", "type"],
)
def test_a_bad_table_is_refused(row, message):
    """The first thing that is wrong is said, in the room's own kind of error."""
    with pytest.raises(RowError, match=f"^{re.escape(message)}$"):
        check_table(row, CHECKS, where="a row of 'f.toml'", required=("steps", "name"), error=RowError)


def test_a_good_table_is_kept_in_its_order():
    """Values are converted, keys that may be missing are not made up, and the table itself is left as it is."""
    row = {"steps": np.int64(3), "name": "a"}
    kept = check_table(row, CHECKS, where="a row")
    assert list(kept.items()) == [("steps", 3), ("name", "a")]
    assert type(kept["steps"]) is int
    assert type(row["steps"]) is np.int64


def test_known_keys_pass():
    """A table without a typo is no error, nor is an empty one."""
    check_keys([], ["a"], where="x")
    check_keys({"a": 1}, ["a"], where="x")


def test_the_oracle_can_fail():
    """A check that takes True for a whole number is told apart from one that does not."""
    loose = Check("a whole number", lambda value: isinstance(value, int))
    assert loose.accepts(True)
    assert not is_whole(True, 0)
