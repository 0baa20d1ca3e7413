"""What a run leaves: the report, the verdict, the candidate's signature, and lines in the build's summary."""

from __future__ import annotations

import os
from typing import Literal

from modelcheck.gate.artefacts import leave_candidate
from modelcheck.gate.evidence import Evidence
from modelcheck.gate.settings import Settings
from modelcheck.gate.verdict import error_document, write_document
from modelcheck.judgement.document import Reason, VerdictDocument
from modelcheck.report import append_step_summary, write_report

__all__ = ["append_to_build", "describe_unwritten", "write_results"]


def write_results(
    document: VerdictDocument,
    *,
    settings: Settings,
    evidence: Evidence | None,
    redact_inputs: bool,
    pictures_as_files: bool,
) -> VerdictDocument:
    """Write report and verdict, and return the verdict: an error where they could not be written.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    settings : Settings
        Whose report's folder is written.
    evidence : Evidence or None
        What was measured.
    redact_inputs, pictures_as_files : bool
        See `modelcheck.report.write_report`.
    """
    try:
        if evidence is not None and document["scope"] == "full":
            leave_candidate(settings.report, evidence.candidate)
        write_report(
            settings.report,
            document,
            comparison=evidence.comparison if evidence else None,
            panel=evidence.panel if evidence else None,
            redact_inputs=redact_inputs,
            as_files=pictures_as_files,
        )
    except Exception as error:  # whatever broke the report, the verdict must still be written, and be red
        document = error_document(document, describe_unwritten("report", settings, error), settings=settings)
    try:
        write_document(settings.report, document)
    except OSError as error:
        document = error_document(document, describe_unwritten("verdict", settings, error), settings=settings)
    return document


def append_to_build(document: VerdictDocument, *, settings: Settings, evidence: Evidence | None = None) -> list[str]:
    """Append the verdict to the summary of a build's step, where there is one; return what could not be."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    try:
        if path:
            append_step_summary(path, document, comparison=evidence.comparison if evidence else None)
    except OSError as error:
        return [f"The step summary could not be written ({error}); it stands in {settings.report}."]
    return []


def describe_unwritten(what: Literal["report", "verdict"], settings: Settings, error: Exception) -> Reason:
    """Return the reason that report or verdict could not be written."""
    text = str(error) if what == "verdict" else f"{type(error).__name__}: {error}"
    return {"kind": "unwritten", "what": what, "folder": str(settings.report), "text": text}
