"""The one document that says what a run came to: bound to the files it judged, honest, and written whole.

``digest`` seals everything but ``volatile``, which alone differs between two runs on the same files.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcheck.comparison import unit_of
from modelcheck.gate.artefacts import describe_candidate
from modelcheck.gate.evidence import Evidence, Plan
from modelcheck.gate.settings import Settings
from modelcheck.judgement.criteria import Finding, Verdict, overall
from modelcheck.judgement.waivers import Use, WaiverState, apply_waivers
from modelcheck.panel import Panel
from modelcheck.signature import Signature
from modelcheck.support.provenance import differences

__all__ = ["SCHEMA", "Outcome", "error_document", "exit_status", "seal", "verdict_document", "write_document"]

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went, apart from what it judged.

    Parameters
    ----------
    today : datetime.date
        In UTC; what waivers are held against.
    errors : tuple of str
        What went wrong, for example a measurement that failed: no judgement then.
    failures : tuple of str
        Tests that failed by themselves, beside what was judged: no pass then.
    narrowed : bool
        Whether the user chose a part of the suite on purpose (``-k``, a path): the scope is then partial.
    refused : bool
        Whether the candidate was refused before anything could be measured.
    interrupted : bool
        Whether a person stopped the run.
    enforced : bool
        Whether the exit status follows the verdict; not with ``--modelcheck-report-only``.
    seconds : float
        Wall time of the run.
    """

    today: datetime.date
    errors: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    narrowed: bool = False
    refused: bool = False
    interrupted: bool = False
    enforced: bool = True
    seconds: float = 0.0


def verdict_document(
    settings: Settings,
    outcome: Outcome,
    *,
    plan: Plan | None,
    findings: Iterable[Finding],
    evidence: Evidence | None,
) -> dict[str, Any]:
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
    dict
        See ``docs/verdict.schema.json``.
    """
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=_badness):
        worst.setdefault(finding.key, finding)  # judged twice, the graver judgement counts
    rows, uses = list(worst.values()), list[Use]()
    missing = sorted((plan.keys if plan else frozenset()) - set(worst))
    if plan and evidence:
        judged = {(row.criterion.metric, row.subject) for row in rows}
        rows, uses = apply_waivers(
            rows,
            plan.waivers,
            candidate=evidence.candidate.model["sha256"],
            today=outcome.today,
            unjudged=plan.pairs - judged if outcome.narrowed else (),
        )
    rows.sort(key=_badness)
    failures = [*outcome.failures, *(use.sentence() for use in uses if use.state is not WaiverState.USED)]
    verdict = overall(rows).value
    if outcome.errors or plan is None or ((missing or not rows) and not outcome.narrowed):
        verdict = "error"
    elif failures and verdict in (Verdict.PASS.value, Verdict.INCONCLUSIVE.value):
        verdict = Verdict.FAIL.value
    full = plan is not None and not missing
    left = describe_candidate(evidence.candidate) if evidence and full else {}
    document = {
        "schema": SCHEMA,
        "verdict": verdict,
        "scope": "full" if full else "partial" if outcome.narrowed and plan else "incomplete",
        "enforced": outcome.enforced,
        "reasons": _reasons(verdict, rows, missing, plan=plan, outcome=outcome, failures=failures),
        "exit_code": _exit_code(verdict, settings, plan=plan, outcome=outcome),
        "candidate": _network(evidence.candidate) | left if evidence else None,
        "baseline": _network(evidence.baseline, folder=settings.baseline) if evidence else None,
        "panel": _panel(evidence.panel) if evidence else None,
        "recipe": {"digest": evidence.baseline.recipe.digest(), **evidence.baseline.recipe.to_dict()}
        if evidence
        else None,
        "criteria": {"file": settings.criteria.name, "sha256": plan.criteria_sha256, "rows": len(plan.criteria)}
        if plan
        else None,
        "waivers": {
            "file": settings.waivers.name,
            "sha256": plan.waivers_sha256,
            "rows": [use.to_dict() for use in uses],
        }
        if plan and settings.waivers
        else None,
        "metrics": {key: _round(value) for key, value in (evidence.comparison.metrics if evidence else {}).items()},
        "findings": [row.to_dict() for row in rows],
        "not_judged": missing,
        "acknowledged": list(settings.acknowledged),
        "next": _next_steps(verdict, settings),
        "provenance": {
            "baseline": dict(evidence.baseline.provenance),
            "candidate": dict(evidence.candidate.provenance),
            "differences": differences(evidence.baseline.provenance, evidence.candidate.provenance),
        }
        if evidence
        else {},
    }
    return {
        **document,
        "digest": seal(document),
        "volatile": {
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "today": str(outcome.today),
            "host": platform.node(),
            "seconds": round(outcome.seconds, 2),
        },
    }


def seal(document: Mapping[str, Any]) -> str:
    """Return the sha256, in hex, over everything but ``digest`` and ``volatile``.

    It shows damage and edits by hand. Whoever wants to forge a verdict can write it anew: keep the file where only the
    gate's job can.
    """
    kept = {key: value for key, value in document.items() if key not in ("digest", "volatile")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, allow_nan=False).encode()).hexdigest()


def error_document(document: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return a document turned into an error: what it says could not be kept."""
    changed = {**document, "verdict": "error", "exit_code": 3, "reasons": [reason, *document["reasons"]]}
    return {**changed, "digest": seal(changed)}


def exit_status(document: Mapping[str, Any]) -> int:
    """Return what the process answers: the document's exit code, or 0 for a judgement that is not enforced.

    What is no judgement (an error, an interruption, nothing judged) stays red.
    """
    code = int(document["exit_code"])
    return 0 if code == 1 and document["verdict"] != "error" and not document["enforced"] else code


def write_document(folder: Path, document: dict[str, Any]) -> Path:
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


_ORDER = [Verdict.FAIL, Verdict.UNMEASURED, Verdict.INCONCLUSIVE, Verdict.WAIVED, Verdict.PASS]


def _badness(row: Finding) -> tuple[bool, int, float, str]:
    """Sort gating findings first, then by verdict, then by how far the value is from its limit."""
    limits = [
        row.value - limit if sign > 0 else limit - row.value
        for limit, sign in ((row.criterion.at_least, 1), (row.criterion.at_most, -1))
        if limit is not None
    ]
    room = min(limits, default=0.0)
    return (not row.gating, _ORDER.index(row.verdict), -math.inf if math.isnan(room) else room, row.key)


def _reasons(
    verdict: str,
    rows: Sequence[Finding],
    missing: Sequence[str],
    *,
    plan: Plan | None,
    outcome: Outcome,
    failures: Sequence[str],
) -> list[str]:
    reasons = [*outcome.errors, *failures]
    if missing and not outcome.narrowed and plan is not None:
        reasons.append(f"{len(missing)} of {len(plan.keys)} planned checks were never judged: {_few(missing)}.")
    red = [row for row in rows if row.red]
    reasons += [row.sentence(unit_of(row.criterion.metric)) for row in red[:5]]
    if len(red) > 5:
        reasons.append(f"And {len(red) - 5} more.")
    gating = [row for row in rows if row.gating]
    if rows and not gating:
        reasons.append("Every criterion that was judged is advisory: nothing gates the release.")
    waived = sum(row.verdict is Verdict.WAIVED for row in gating)
    if verdict == "pass" and waived:
        reasons.append(f"{len(gating) - waived} of {len(gating)} checks that gate the release passed; {waived} waived.")
    elif verdict == "pass":
        reasons.append(f"All {len(gating)} checks that gate the release passed.")
    return reasons


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


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _round(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _network(signature: Signature, *, folder: Path | None = None) -> dict[str, Any]:
    where = {} if folder is None else {"folder": folder.as_posix(), "signature": signature.digest()}
    return {**where, **{key: signature.model[key] for key in ("name", "file", "sha256", "parameters", "bytes")}}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "digest": panel.digest(),
        "pictures": len(panel),
        "subjects": sorted(set(panel.subjects.tolist())),
        "classes": list(panel.class_names),
    }


def _next_steps(verdict: str, settings: Settings) -> list[str]:
    candidate, baseline = settings.candidate or "CANDIDATE.keras", settings.baseline or "BASELINE"
    panel = settings.panel or f"{baseline}/panel.npz"
    if verdict == "pass":
        return [f"modelcheck approve {candidate} --panel {panel} --to {baseline} --reason 'WHY'"]
    if verdict == "error":
        return [f"pytest suites/ --candidate {candidate} --baseline {baseline}"]
    return [
        f"modelcheck approve {candidate} --panel {panel} --to {baseline} --reason 'WHY THE CHANGE IS WANTED'",
    ]
