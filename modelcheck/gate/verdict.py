"""The one document that says what a run came to: bound to the files it judged, honest, and written whole.

``digest`` seals everything but ``volatile``, which alone differs between two runs on the same
files.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import shlex
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from modelcheck.comparison import KERAS, AnyComparison
from modelcheck.gate.artefacts import describe_candidate
from modelcheck.gate.evidence import Evidence
from modelcheck.gate.explanation import MISREAD, explain_judgement
from modelcheck.gate.heldout import describe_panel
from modelcheck.gate.inputs import describe_settings
from modelcheck.gate.plan import Plan
from modelcheck.gate.settings import Settings, write_options
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import (
    SCHEMA,
    Action,
    AnyPanelRow,
    ConversionRow,
    FailedTestReason,
    FidelityRow,
    InterfaceRow,
    LimitRow,
    NetworkRow,
    NextStep,
    PytestStatusReason,
    Reason,
    VerdictDocument,
    WaiverReason,
    seal,
)
from modelcheck.judgement.findings import Finding, Verdict, overall, severity
from modelcheck.judgement.waivers import Use, WaiverState, apply_waivers
from modelcheck.signature import Record, TableSignature
from modelcheck.signature.misreading import find_misreadings
from modelcheck.support.provenance import NOT_RECORDED, Difference, differences

__all__ = ["Outcome", "error_document", "exit_status", "verdict_document", "write_document"]


# Facts of a file that ships, of its signature's model.
_OF_SHIPPED = ("runtime", "precision", "saturation", "probabilities", "input_use", "fallback", "unreadable")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went, apart from what it judged.

    Parameters
    ----------
    today : datetime.date
        In UTC; what waivers are held against.
    errors : tuple of Reason
        What went wrong, for example a measurement that failed: no judgement then.
    failures : tuple of FailedTestReason or PytestStatusReason
        What failed beside what was judged, a test by itself or pytest as a whole: no pass then.
    narrowed : bool
        Whether the user chose a part of the suite on purpose (``-k``, a path): the scope is then
        partial.
    cut_short : bool
        Whether pytest stopped after as many failures as it was asked for (``-x``, ``--maxfail``):
        what it did not reach is then no error beside what is red.
    refused : bool
        Whether the candidate was refused before anything could be measured.
    interrupted : bool
        Whether a person stopped the run.
    enforced : bool
        Whether the exit status follows the verdict; not with ``--modelcheck-report-only``.
    run_id : str or None
        What the caller named the run by.
    suites : mapping of str to str
        By path, the sha256 of each file that a test of the gate came from.
    measured : {'now', 'cached'}
        Whether the run measured the candidate, or found it in the cache.
    seconds : float
        Wall time of the run.
    """

    today: datetime.date
    errors: tuple[Reason, ...] = ()
    failures: tuple[FailedTestReason | PytestStatusReason, ...] = ()
    narrowed: bool = False
    cut_short: bool = False
    refused: bool = False
    interrupted: bool = False
    enforced: bool = True
    run_id: str | None = None
    suites: Mapping[str, str] = field(default_factory=dict)
    measured: Literal["now", "cached"] = "cached"
    seconds: float = 0.0


def verdict_document(
    settings: Settings,
    outcome: Outcome,
    *,
    plan: Plan | None,
    findings: Iterable[Finding],
    evidence: Evidence | None,
) -> VerdictDocument:
    """Return what a run came to, as JSON-ready builtins.

    Parameters
    ----------
    settings : Settings
        What the run was about.
    outcome : Outcome
        How it went.
    plan : Plan or None
        What it had to judge; None when not even that could be read.
    findings : iterable of Finding
        What was judged, before waivers.
    evidence : Evidence or None
        What was measured.

    Returns
    -------
    VerdictDocument
        See ``docs/verdict.schema.json``.
    """
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=severity):
        worst.setdefault(finding.key, finding)  # judged twice, the more severe judgement counts
    rows, uses = list(worst.values()), list[Use]()
    missing = sorted((plan.keys if plan else frozenset()) - set(worst))
    if plan and evidence:
        judged = {(row.measured.metric, row.about) for row in rows}
        rows, uses = apply_waivers(
            rows,
            plan.waivers,
            candidate=evidence.candidate.model["sha256"],
            today=outcome.today,
            unjudged=plan.pairs - judged if outcome.narrowed else (),
        )
    rows.sort(key=severity)
    broken: list[WaiverReason] = [
        {"kind": "waiver", "use": use.to_dict()} for use in uses if use.state is not WaiverState.USED
    ]
    failures: list[FailedTestReason | PytestStatusReason | WaiverReason] = [*outcome.failures, *broken]
    metrics = _metrics(evidence.comparison) if evidence else {}
    verdict = overall(rows).value
    passing = verdict in (Verdict.PASS.value, Verdict.INCONCLUSIVE.value)
    if (failures and passing) or (outcome.failures and not rows):
        verdict = Verdict.FAIL.value
    whole = outcome.narrowed or not (missing or not rows)
    if outcome.errors or plan is None or not (whole or (outcome.cut_short and verdict == Verdict.FAIL.value)):
        verdict = "error"
    full = plan is not None and not missing
    document: VerdictDocument = {
        "schema": SCHEMA,
        "verdict": verdict,
        "scope": "full" if full else "partial" if outcome.narrowed and plan else "incomplete",
        "enforced": outcome.enforced,
        "run_id": outcome.run_id,
        "suites": dict(sorted(outcome.suites.items())),
        "settings": describe_settings(settings) if plan else None,
        "reasons": _reasons(
            *(verdict, rows, missing),
            metrics=metrics,
            plan=plan,
            evidence=evidence,
            outcome=outcome,
            failures=failures,
        ),
        "exit_code": _exit_code(verdict, settings, plan=plan, outcome=outcome),
        "candidate": _candidate(evidence.candidate, full=full) if evidence else None,
        "baseline": _baseline(evidence) if evidence else None,
        "panel": _describe_panel(evidence) if evidence else None,
        "recipe": {"digest": evidence.baseline.recipe.digest(), **evidence.baseline.recipe.to_dict()}
        if evidence
        else None,
        "criteria": {
            "file": settings.criteria.name,
            "sha256": plan.criteria_sha256,
            "rows": [_limit(row, can_fail=row not in plan.never_failing) for row in plan.criteria],
        }
        if plan
        else None,
        "waivers": {
            "file": settings.waivers.name,
            "sha256": plan.waivers_sha256,
            "rows": [use.to_dict() for use in uses],
        }
        if plan and settings.waivers
        else None,
        "metrics": metrics,
        "findings": [row.to_dict() for row in rows],
        "not_judged": missing,
        "next": _next_steps(
            verdict, settings, full=full, approvable=not evidence or evidence.candidate.runtime == KERAS
        ),
        "provenance": {
            "baseline": dict(evidence.baseline.provenance),
            "candidate": dict(evidence.candidate.provenance),
            "differences": _find_differences(evidence),
        }
        if evidence
        else None,
        "digest": "",
        "volatile": {
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "measured": outcome.measured if evidence else None,
            "today": str(outcome.today),
            "host": platform.node(),
            "seconds": round(outcome.seconds, 2),
        },
    }
    if evidence and evidence.seconds_per_picture:
        document["volatile"]["seconds_per_picture"] = evidence.seconds_per_picture
    conversion = _describe_conversion(evidence.comparison) if evidence else None
    if evidence and evidence.comparison.conversion and conversion:
        document["source"], document["conversion"] = _network(evidence.comparison.conversion.source), conversion
    return {**document, "digest": seal(document)}


def error_document(document: VerdictDocument, reason: Reason, *, settings: Settings) -> VerdictDocument:
    """Return a document turned into an error: what it says could not be kept."""
    changed: VerdictDocument = {
        **document,
        "verdict": "error",
        "exit_code": 3,
        "reasons": [reason, *document["reasons"]],
        "next": _next_steps("error", settings, full=False),
    }
    return {**changed, "digest": seal(changed)}


def exit_status(document: VerdictDocument) -> int:
    """Return what the process answers: the document's exit code, or 0 for a judgement that is not enforced.

    What is no judgement (an error, an interruption, nothing judged, a run that was cut short, a test
    that failed by itself) stays red.
    """
    code = document["exit_code"]
    judged = document["verdict"] != "error" and document["scope"] != "incomplete"
    explained = not any(reason["kind"] in ("test_failed", "pytest_status") for reason in document["reasons"])
    return 0 if code == 1 and judged and explained and not document["enforced"] else code


def write_document(folder: Path, document: VerdictDocument) -> Path:
    """Write ``verdict.json``: whole, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=folder, prefix=".verdict-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, allow_nan=False)
            file.write("\n")
        Path(aside).chmod(0o644)
        Path(aside).replace(folder / "verdict.json")
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return folder / "verdict.json"


def _reasons(
    verdict: str,
    rows: Sequence[Finding],
    missing: Sequence[str],
    *,
    metrics: Mapping[str, Mapping[str, float | None]],
    plan: Plan | None,
    evidence: Evidence | None,
    outcome: Outcome,
    failures: Sequence[FailedTestReason | PytestStatusReason | WaiverReason],
) -> list[Reason]:
    reasons: list[Reason] = [*outcome.errors, *failures]
    if missing and not outcome.narrowed and plan is not None:
        reasons.append({"kind": "not_judged", "keys": list(missing), "planned": len(plan.keys)})
    if rows and not any(row.gating for row in rows):
        reasons.append({"kind": "all_advisory"})
    never, criteria = (plan.never_failing, plan.criteria) if plan else ((), ())
    approval = evidence.approval.to_dict() if evidence else None
    panel = _describe_panel(evidence) if evidence else None
    derived = explain_judgement(
        verdict,
        rows,
        metrics=metrics,
        criteria=criteria,
        never_failing=never,
        approval=approval,
        panel=panel,
        candidate=_network(evidence.candidate) if evidence else None,
        conversion=_describe_conversion(evidence.comparison) if evidence else None,
    )
    # Told where it may be why, and before what follows from it: what passes is released as it was read. An input that
    # was calibrated on other pictures comes first, for that looks like pictures that are prepared otherwise.
    if verdict in MISREAD:
        reasons += [row for row in derived if row["kind"] == "input_use"]
        reasons += _find_misreadings(evidence.candidate) if evidence else []
        derived = [row for row in derived if row["kind"] != "input_use"]
    # Of a part of the suites nobody can say what the whole asks.
    return reasons + [row for row in derived if not (missing and row["kind"] == "questions")]


def _exit_code(verdict: str, settings: Settings, *, plan: Plan | None, outcome: Outcome) -> int:
    if outcome.interrupted:
        return 2
    if verdict == "pass" or (verdict == Verdict.INCONCLUSIVE.value and settings.inconclusive == "pass"):
        return 0
    if verdict == "error" and plan is None:
        return 4 if settings.baseline is None or (settings.baseline / "manifest.json").exists() else 1
    if verdict == "error":
        return 4 if outcome.refused else 3
    return 5 if verdict == Verdict.UNMEASURED.value and outcome.narrowed else 1


def _metrics(comparison: AnyComparison) -> dict[str, dict[str, float | None]]:
    """Return every value by metric and by what it is about, empty for the network as a whole."""
    values: dict[str, dict[str, float | None]] = {}
    for item in comparison.measures.values():
        values.setdefault(item.metric, {})[item.about] = round(item.value, 6) if math.isfinite(item.value) else None
    return values


def _limit(row: Criterion, *, can_fail: bool) -> LimitRow:
    return {"metric": row.metric, **row.to_dict(), "can_fail": can_fail}


def _network(signature: Record) -> NetworkRow:
    model = signature.model
    row: NetworkRow = {
        "name": model["name"],
        "file": model["file"],
        "sha256": model["sha256"],
        "parameters": model["parameters"],
        "bytes": model["bytes"],
    }
    if model.get("augments"):
        row["augments"] = list(model["augments"])
    if "hidden_layers" in model:
        row["hidden_layers"] = {"looked_at": len(signature.layers) - 1, "total": model["hidden_layers"]}
    if signature.runtime != KERAS:
        row |= {name: model[name] for name in _OF_SHIPPED if name in model}  # type: ignore[typeddict-item]
    if signature.interface:
        row["interface"] = cast("InterfaceRow", signature.interface.to_dict())
    return row


def _find_differences(evidence: Evidence) -> list[Difference]:
    """Return in what the two measurements' surroundings differ; of a file that ships, in what both record."""
    found = differences(evidence.baseline.provenance, evidence.candidate.provenance)
    if evidence.candidate.runtime == KERAS:
        return found
    return [row for row in found if NOT_RECORDED not in (row["baseline"], row["candidate"])]


def _describe_conversion(comparison: AnyComparison) -> ConversionRow | None:
    """Return what became of the candidate's source; None where none was given."""
    found = comparison.conversion
    if found is None:
        return None
    rows: list[FidelityRow] = [
        {"source": row.source, "file": row.file, "snr": round(row.snr, 6), "cosine": round(row.cosine, 6)}
        for row in found.layers
    ]
    return {"layers": rows, "breaks": found.breaks, "changed": len(found.changed), "pictures": found.n}


def _candidate(signature: Record, *, full: bool) -> NetworkRow:
    """Return the candidate; after a full run with its signature, which the report keeps."""
    return {**_network(signature), **describe_candidate(signature)} if full else _network(signature)


def _baseline(evidence: Evidence) -> NetworkRow:
    signature, folder = evidence.baseline, evidence.baseline_folder
    row: NetworkRow = {**_network(signature), "signature": signature.digest()}
    return {**row, "folder": folder.as_posix(), "approval": evidence.approval.to_dict()}


def _describe_panel(evidence: Evidence) -> AnyPanelRow:
    return describe_panel(evidence.panel, subjects=evidence.comparison.subjects)


def _find_misreadings(candidate: Record) -> Sequence[Reason]:
    """Return how pictures are fed, or answers read, otherwise than they should be; of rows of a table nothing."""
    return [] if isinstance(candidate, TableSignature) else find_misreadings(candidate)


def _next_steps(verdict: str, settings: Settings, *, full: bool, approvable: bool = True) -> list[NextStep]:
    """Return what can be done now, first things first; only a Keras network that passed in full may be approved."""
    candidate, baseline = str(settings.candidate or "CANDIDATE.keras"), str(settings.baseline or "BASELINE")
    panel = str(settings.panel or f"{baseline}/panel.npz")
    # The values of other inputs stand in the file of settings, and nowhere else.
    said = write_options(replace(settings.interface, inputs={}))
    read = [
        f"--modelcheck-{name.removeprefix('--')}={value}" for name, value in zip(said[::2], said[1::2], strict=True)
    ]
    source = [] if settings.source is None else ["--source", str(settings.source)]
    rerun = _step("rerun", "pytest", "suites/", "--candidate", candidate, *source, "--baseline", baseline, *read)
    approve = _step(
        *("approve", "modelcheck", "approve", candidate, "--panel", panel, "--to", baseline),
        *(*write_options(settings.interface), "--reason", "WHY"),
    )
    if verdict != "pass" or not full:
        return [rerun]
    return [approve] if approvable else []  # a baseline is rendered


def _step(action: Action, *words: str) -> NextStep:
    return {"action": action, "command": shlex.join(words)}
