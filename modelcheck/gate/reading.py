"""A verdict document from a file: whole, of the known schema and sealed, or an error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from modelcheck.judgement.document import DocumentError, VerdictDocument, check_schema, seal
from modelcheck.judgement.findings import read_findings, read_limits
from modelcheck.support.escaping import clean

__all__ = ["find_mismatch", "read_verdict"]

_MAX_BYTES = 64 * 2**20
_AGAIN = "Run the gate again: pytest suites/"


def read_verdict(path: Path) -> VerdictDocument:
    """Read a verdict document, strictly.

    Raises
    ------
    DocumentError
        When it is missing, truncated, of another schema, or does not match its own digest.
    """
    name = repr(str(path))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DocumentError(f"{name} is larger than {_MAX_BYTES} bytes: that is no verdict.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(
            f"There is no verdict {name} ({error.strerror}). Run the gate first: pytest suites/"
        ) from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not valid UTF-8. {_AGAIN}") from error
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_no_twice)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{name} is damaged: {error}. {_AGAIN}") from error
    if isinstance(document, dict):
        check_schema(document, name)
    wrong = find_mismatch(document)
    if wrong:
        raise DocumentError(f"{name} is no verdict of this gate: {wrong}. {_AGAIN}")
    if document["digest"] != seal(document):
        raise DocumentError(f"{name} was changed after it was written: it does not match its digest. {_AGAIN}")
    return cast("VerdictDocument", document)


def find_mismatch(document: object) -> str:
    """Return what is wrong with a document by its schema or its findings; empty for nothing."""
    import jsonschema

    schema = json.loads(Path(__file__).with_name("verdict.schema.json").read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "the document"
        return clean(f"{place}: {error.message}", longest=200)
    try:
        read_findings(cast("VerdictDocument", document))
        read_limits(cast("VerdictDocument", document))
    except ValueError as error:
        return clean(error, longest=200)
    return ""


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which no verdict does")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def _no_twice(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
