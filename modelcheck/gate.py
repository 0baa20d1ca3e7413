"""The evidence of a run, and the one document that says what it came to. Nothing here imports TensorFlow."""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcheck.child import measured_signature
from modelcheck.compare import METRICS, Comparison, compare, planned
from modelcheck.criteria import CriteriaError, Criterion, Finding, Verdict, criterion_for, overall, read_criteria
from modelcheck.panel import Panel, PanelError
from modelcheck.settings import Settings
from modelcheck.signature import Signature, read_manifest, read_signature

__all__ = [
    "Evidence",
    "Plan",
    "gather",
    "make_plan",
    "verdict_document",
    "write_document",
]

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a full run must judge: known before anything is measured.

    Parameters
    ----------
    criteria : tuple of Criterion
        The rows of limits.
    keys : frozenset of str
        ``metric[about]`` for every pair of a criterion and a thing it is about.
    layers, subjects, groups, methods : tuple of str
        What the suites make one test each for.
    """

    criteria: tuple[Criterion, ...]
    keys: frozenset[str]
    layers: tuple[str, ...]
    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What the tests of a run read."""

    panel: Panel
    comparison: Comparison

    @property
    def baseline(self) -> Signature:
        """The approved network's signature."""
        return self.comparison.baseline

    @property
    def candidate(self) -> Signature:
        """The signature of the network that wants to be released."""
        return self.comparison.candidate


def make_plan(settings: Settings) -> Plan:
    """Read criteria and the baseline's manifest, and list what has to be judged.

    Raises
    ------
    CriteriaError, SignatureError, SettingsError
        When one of them cannot be used.
    """
    settings.required("candidate")
    manifest = read_manifest(settings.required("baseline"))
    criteria = read_criteria(settings.required("criteria"), metrics=METRICS)
    for row in criteria:
        matches = [x for x in planned(row.metric, manifest) if fnmatch.fnmatchcase(x, row.where)]
        if not matches and not row.optional:
            known = ", ".join(planned(row.metric, manifest))
            raise CriteriaError(
                f"The criterion on {row.metric!r} for where={row.where!r} matches nothing; there is: {known}. "
                "Correct it, remove the row, or write optional = true."
            )
    keys = set()
    for metric in {row.metric for row in criteria}:
        for about in planned(metric, manifest, acknowledged=settings.acknowledged):
            if criterion_for(criteria, metric, about) is not None:
                keys.add(f"{metric}[{about}]" if about else metric)
    layers = [layer["name"] for layer in manifest["layers"] if layer["name"] not in settings.acknowledged]
    return Plan(
        criteria=criteria,
        keys=frozenset(keys),
        layers=tuple(layers),
        subjects=tuple(manifest["subjects"]),
        groups=tuple(manifest["groups"]),
        methods=tuple(manifest["recipe"]["attribution_methods"]),
    )


def gather(settings: Settings, *, tell: Callable[[str], None] | None = None) -> Evidence:
    """Return the evidence of a run, measuring the candidate where the cache does not have it.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    tell : callable, optional
        Receives a line about the measurement as it proceeds.

    Raises
    ------
    ChildError, SignatureError, PanelError, CompareError
        When a part is missing, damaged or does not fit the others.
    """
    baseline = read_signature(settings.required("baseline"))
    panel_path = settings.required("panel")
    panel = Panel.load(panel_path)
    if panel.digest() != baseline.panel_digest:
        raise PanelError(
            f"The panel {str(panel_path)!r} is not the one the baseline was measured on (digest {panel.digest()[:12]}, "
            f"the baseline's is {baseline.panel_digest[:12]}). Use the baseline's panel, or approve the release on "
            f"this one: modelcheck approve RELEASE.keras --panel {panel_path} --to {settings.baseline} --reason '...'"
        )
    candidate = measured_signature(
        settings.required("candidate"),
        panel_path,
        baseline=settings.required("baseline"),
        settings=settings,
        key=(baseline.digest(), panel.digest(), baseline.recipe.digest(), *settings.outputs),
        tell=tell,
    )
    return Evidence(panel=panel, comparison=compare(baseline, candidate, layers=settings.layers))


def verdict_document(
    settings: Settings,
    *,
    plan: Plan | None,
    findings: Iterable[Finding],
    evidence: Evidence | None,
    errors: Sequence[str] = (),
    failures: Sequence[str] = (),
    narrowed: bool = False,
    interrupted: bool = False,
    seconds: float = 0.0,
) -> dict[str, Any]:
    """Return what a run came to, as JSON-ready builtins.

    Parameters
    ----------
    settings : Settings
        What the run was about.
    plan : Plan or None
        What it had to judge; None when not even that could be read.
    findings : iterable of Finding
        What was judged.
    evidence : Evidence or None
        What was measured.
    errors : sequence of str
        What went wrong otherwise, for example a test that failed by itself.
    failures : sequence of str
        Tests that failed by themselves, beside what was judged: no pass then.
    narrowed : bool
        Whether the user chose a part of the suite on purpose (``-k``, a path): the scope is then partial.
    interrupted : bool
        Whether a person stopped the run.
    seconds : float
        Wall time of the run.

    Returns
    -------
    dict
        See ``docs/verdict.schema.json``. ``volatile`` alone differs between two runs on the same files.
    """
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=_badness):
        worst.setdefault(finding.key, finding)  # judged twice, the graver judgement counts
    rows = sorted(worst.values(), key=_badness)
    missing = sorted((plan.keys if plan else frozenset()) - {row.key for row in rows})
    judged = overall(rows)
    verdict = judged.value
    if errors or plan is None or (missing and not narrowed) or (not rows and not narrowed):
        verdict = "error"
    elif failures and verdict == Verdict.PASS.value:
        verdict = Verdict.FAIL.value
    scope = "full" if plan and not missing else "partial" if narrowed and plan else "incomplete"
    reasons = [*errors, *failures]
    if missing and not narrowed and plan is not None:
        reasons.append(f"{len(missing)} of {len(plan.keys)} planned checks were never judged: {_few(missing)}.")
    red = [row for row in rows if row.gating and row.verdict is not Verdict.PASS]
    reasons += [row.sentence() for row in red[:5]]
    if len(red) > 5:
        reasons.append(f"And {len(red) - 5} more.")
    if rows and not any(row.gating for row in rows):
        reasons.append("Every criterion that was judged is advisory: nothing had a say in the release.")
    if verdict == "pass":
        reasons.append(f"All {sum(row.gating for row in rows)} checks that gate the release passed.")
    document = {
        "schema": SCHEMA,
        "verdict": verdict,
        "scope": scope,
        "reasons": reasons,
        "exit_code": 2
        if interrupted
        else _exit_code(
            verdict,
            plan,
            narrowed=narrowed,
            baseline_there=settings.baseline is None or (settings.baseline / "manifest.json").exists(),
        ),
        "candidate": _network(evidence.candidate) if evidence else None,
        "baseline": _network(evidence.baseline, folder=settings.baseline) if evidence else None,
        "panel": _panel(evidence.panel) if evidence else None,
        "recipe": {"digest": evidence.baseline.recipe.digest(), **evidence.baseline.recipe.to_dict()}
        if evidence
        else None,
        "criteria": _criteria(settings, plan),
        "metrics": {key: _rounded(value) for key, value in (evidence.comparison.metrics if evidence else {}).items()},
        "findings": [row.to_dict() for row in rows],
        "not_judged": missing,
        "acknowledged": list(settings.acknowledged),
        "next": _next_steps(verdict, settings),
        "provenance": {
            "baseline": dict(evidence.baseline.provenance),
            "candidate": dict(evidence.candidate.provenance),
        }
        if evidence
        else {},
    }
    document["volatile"] = {
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "seconds": round(seconds, 2),
    }
    return document


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


_ORDER = [Verdict.FAIL, Verdict.UNMEASURED, Verdict.INCONCLUSIVE, Verdict.PASS]


def _badness(row: Finding) -> tuple[bool, int, float, str]:
    """Sort gating findings first, then by verdict, then by how far the value is from its limit."""
    limits = [
        row.value - limit if sign > 0 else limit - row.value
        for limit, sign in ((row.criterion.at_least, 1), (row.criterion.at_most, -1))
        if limit is not None
    ]
    room = min(limits, default=0.0)
    return (not row.gating, _ORDER.index(row.verdict), -math.inf if math.isnan(room) else room, row.key)


def _exit_code(verdict: str, plan: Plan | None, *, narrowed: bool, baseline_there: bool) -> int:
    if verdict == "pass":
        return 0
    if verdict == "error":
        return 3 if plan is not None else 4 if baseline_there else 1
    return 5 if verdict == Verdict.UNMEASURED.value and narrowed else 1


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _rounded(value: float) -> float | None:
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


def _criteria(settings: Settings, plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    sha = hashlib.sha256(settings.criteria.read_bytes()).hexdigest()
    return {"file": settings.criteria.name, "sha256": sha, "rows": len(plan.criteria)}


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
