"""A verdict document from a file: whole, of the known schema and sealed, or an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from modelcheck.judgement.document import DocumentError, VerdictDocument, check_schema, seal
from modelcheck.judgement.findings import read_findings, read_limits
from modelcheck.support.escaping import clean
from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document

__all__ = ["find_mismatch", "read_verdict"]

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
        data = read_file(path)
    except OSError as error:
        raise DocumentError(
            f"There is no verdict {name} ({error.strerror}). Run the gate first: pytest suites/"
        ) from error
    try:
        document = json_document(data)
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not valid UTF-8. {_AGAIN}") from error
    except ValueError as error:
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
