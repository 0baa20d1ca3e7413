"""What a run of the gate leaves behind for an approval elsewhere: the candidate's signature, bound to the verdict.

Digests bind the parts of one report to each other, to the baseline and to the candidate's bytes.
They are no signatures: who may replace the whole report may replace them as well, so fetch it from
a place you trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from modelcheck.comparison import without_untrained
from modelcheck.gate.reading import find_mismatch
from modelcheck.judgement.document import VerdictDocument, check_schema, seal
from modelcheck.signature import Record, SignatureError, read_record
from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document

__all__ = ["ArtefactError", "as_baseline", "describe_candidate", "leave_candidate", "take_candidate"]

FOLDER = "candidate"
_VERDICTS = ("pass", "fail", "inconclusive", "unmeasured")


class ArtefactError(ValueError):
    """A report from which nothing may be approved; the message says why and what to do."""


def as_baseline(candidate: Record) -> Record:
    """Return a candidate's signature as an approval would measure it: without twins, without another's maps."""
    kept: Any = without_untrained(candidate)
    return replace(kept, exchange=None)


class KeptSignature(TypedDict):
    """Where a report keeps the candidate's signature, and its digest."""

    folder: str
    signature: str


def describe_candidate(candidate: Record) -> KeptSignature:
    """Return what a verdict of full scope says of the candidate's signature: ``folder`` in the report and digest."""
    return {"folder": FOLDER, "signature": as_baseline(candidate).digest()}


def leave_candidate(report: Path, candidate: Record) -> None:
    """Write the candidate's signature into a report's folder, as the baseline that it may become."""
    alone = as_baseline(candidate)
    try:
        there = read_record(report / FOLDER).digest() == alone.digest()
    except SignatureError:
        there = False
    if not there:
        alone.write(report / FOLDER)


def take_candidate(report: Path) -> tuple[VerdictDocument, Record]:
    """Read a report's verdict and the candidate's signature, after checking each against the other.

    Parameters
    ----------
    report : Path
        The folder of a finished run of the gate.

    Returns
    -------
    document : VerdictDocument
        The verdict.
    candidate : Record
        As it may become the baseline.

    Raises
    ------
    ArtefactError, DocumentError, SignatureError
        When the run judged a part only, came to no verdict, its document is of another schema, or
        anything does not belong to anything else.
    """
    document = _verdict(report / "verdict.json")
    if document.get("scope") != "full":
        raise ArtefactError(
            f"The run behind {str(report)!r} was {document.get('scope')!r}, not 'full': it did not judge everything. "
            "Run the whole gate: pytest suites/"
        )
    if document.get("verdict") not in _VERDICTS:
        raise ArtefactError(
            f"The run behind {str(report)!r} came to no verdict ({document.get('verdict')!r}). Correct what its "
            "reasons name, and run the gate again: pytest suites/"
        )
    parts = {name: _table(document, name, report) for name in ("candidate", "panel", "recipe")}
    claimed = parts["candidate"].get("signature")
    if not isinstance(claimed, str):
        raise ArtefactError(
            f"The verdict in {str(report)!r} names no signature of the candidate. Run the gate again with this "
            "modelcheck."
        )
    signature = read_record(report / FOLDER)
    for what, told, found in (
        ("signature", claimed, signature.digest()),
        ("network", parts["candidate"].get("sha256"), signature.model["sha256"]),
        ("panel", parts["panel"].get("digest"), signature.panel_digest),
        ("recipe", parts["recipe"].get("digest"), signature.recipe.digest()),
    ):
        if told != found:
            raise ArtefactError(
                f"{str(report / FOLDER)!r} does not belong to the verdict beside it: the {what} is {str(found)[:12]}, "
                f"the verdict says {str(told)[:12]}. Fetch the whole report of one run again."
            )
    wrong = find_mismatch(document)
    if wrong:
        raise ArtefactError(f"The verdict in {str(report)!r} is damaged: {wrong}. Fetch the report of the run again.")
    if document["digest"] != seal(document):
        raise ArtefactError(
            f"The verdict in {str(report)!r} was changed after it was written: it does not match its digest. Fetch the "
            "report of the run again."
        )
    return cast("VerdictDocument", document), signature


def _verdict(path: Path) -> dict[str, Any]:
    try:
        document = json_document(read_file(path))
    except OSError as error:
        raise ArtefactError(
            f"There is no verdict at {str(path)!r} ({error.strerror}). Give the folder that a run of the gate wrote."
        ) from error
    except ValueError as error:
        raise ArtefactError(f"{str(path)!r} is damaged: {error}. Fetch the report of the run again.") from error
    if not isinstance(document, dict):
        raise ArtefactError(f"{str(path)!r} is no verdict. Fetch the report of the run again.")
    check_schema(document, repr(str(path)))
    return document


def _table(document: Mapping[str, Any], name: str, report: Path) -> Mapping[str, Any]:
    part = document.get(name)
    if not isinstance(part, Mapping):
        raise ArtefactError(f"The verdict in {str(report)!r} says nothing of its {name}. Run the gate again.")
    return part
