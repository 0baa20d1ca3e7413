"""Parse untrusted TOML and JSON; every failure is a ValueError, and work and memory follow the bytes.

Parsers of both languages call themselves for what is nested, and make objects of far more bytes
than the text has. So a document is first looked at in one pass: how deep it is nested, and how many
values it holds.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import Any, NoReturn

__all__ = ["json_document", "toml_document"]

_MAX_DEPTH = 200
_MAX_VALUES = 2_000_000
_MAX_TOML_BYTES = 2**20
_MAX_DOTS = 32

# Possessive throughout, so that no input makes the search look at a byte twice.
_JSON_MARK = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[{]|[\]}]|,', re.DOTALL)
_TOML_TEXT = re.compile(
    rb'"""(?:[^"\\]++|\\.?|"(?!""))*+(?:"""|\Z)|\'\'\'(?:[^\']++|\'(?!\'\'))*+(?:\'\'\'|\Z)'
    rb'|"(?:[^"\\\n]++|\\.?)*+"?|\'[^\'\n]*+\'?|#[^\n]*+',
    re.DOTALL,
)
_TOML_DOTS = re.compile(rb"(?:\.[^.\n=\[\]{},]*+){%d}" % _MAX_DOTS)
_DEEP = "it is nested too deeply to be read"


def json_document(
    data: bytes, *, max_depth: int = _MAX_DEPTH, max_values: int = _MAX_VALUES, finite: bool = True
) -> Any:
    """Parse a JSON document that two readers cannot understand differently.

    Parameters
    ----------
    data : bytes
        Content of the file.
    max_depth, max_values : int
        How deep it may be nested, and how many values it may hold.
    finite : bool
        Whether NaN and infinity, which Python writes and JSON does not know, are refused.

    Raises
    ------
    ValueError
        When it is not JSON in UTF-8, is nested too deeply or holds too many values, holds a key
        twice in one object, or a number that no float can hold.

    Examples
    --------
    >>> json_document(b'{"verdict": "pass", "metrics": []}')
    {'verdict': 'pass', 'metrics': []}
    >>> json_document(b'{"value": 1e999}')
    Traceback (most recent call last):
    ValueError: it holds 1e999, which is no finite number
    """
    _check_json(data, max_depth=max_depth, max_values=max_values)
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_twice,
            parse_constant=_no_constant if finite else float,
            parse_float=_finite_float if finite else float,
            parse_int=_finite_int,
        )
    except RecursionError as error:
        raise ValueError(_DEEP) from error


def toml_document(data: bytes) -> dict[str, Any]:
    """Parse a TOML document.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Raises
    ------
    ValueError
        When it is not TOML in UTF-8, is larger than 1 MiB, is nested too deeply, or holds a whole
        number that no float can hold.

    Examples
    --------
    >>> toml_document(b"timeout = 60")
    {'timeout': 60}
    """
    if len(data) > _MAX_TOML_BYTES:
        raise ValueError(f"it has {len(data)} bytes, more than {_MAX_TOML_BYTES}")
    # A dotted key costs its parts' number squared.
    if _TOML_DOTS.search(_TOML_TEXT.sub(b"_", data)):
        raise ValueError(f"it has a key of more than {_MAX_DOTS} parts")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError(_DEEP) from error
    _check_numbers(document)
    return document


def _check_json(data: bytes, *, max_depth: int, max_values: int) -> None:
    """Refuse, in one pass over the bytes, what would take far more memory than they do."""
    depth = values = 0
    for mark in _JSON_MARK.finditer(data):
        sign = data[mark.start()]
        if sign in b"[{":
            depth, values = depth + 1, values + 1
        elif sign in b"]}":
            depth -= 1
        elif sign == 0x2C:
            values += 1
        if depth > max_depth:
            raise ValueError(f"it is nested deeper than {max_depth}")
        if values > max_values:
            raise ValueError(f"it holds more than {max_values} values")


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word[:40]}, which is no finite number")


def _finite_float(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def _finite_int(digits: str) -> int:
    # A float holds no whole number of more than 309 digits; Python prints 4300 at most.
    if len(digits) > 310:
        _no_constant(digits)
    value = int(digits)
    _check_whole(value)
    return value


def _check_whole(value: int) -> None:
    try:
        float(value)
    except OverflowError as error:
        raise ValueError("it holds a whole number too large for any float") from error


def _check_numbers(document: dict[str, Any]) -> None:
    """Refuse whole numbers that no float can hold: in base 16 they are read at any length."""
    inner: list[Any] = [document]
    while inner:
        value = inner.pop()
        if isinstance(value, dict):
            inner += value.values()
        elif isinstance(value, list):
            inner += value
        elif isinstance(value, int):
            _check_whole(value)
