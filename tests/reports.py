"""Verdict documents and comparisons to report on, with hostile names where asked."""

from __future__ import annotations

import dataclasses

from modelcheck.comparison import compare
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import SCHEMA, seal
from modelcheck.judgement.findings import judge, overall
from signatures import document_parts, make_panel, make_signature, recognising, ship, show

HOSTILE = '</script><img src=x onerror="window.hacked=1"><svg onload="window.hacked=2">'
CORPUS = (
    HOSTILE,
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }}",
    "a\x1b[31mred\x00\u202eback",
    "[x](http://a.b) @me |`",
)
LIMITS = (
    Criterion(metric="transfer", at_least=0.5, why="the same features"),
    Criterion(metric="subject_accuracy", at_least=0.9, why="nobody is left behind"),
    Criterion(metric="mass_over_area", at_least=1.0, why="the evidence lies in the region"),
    Criterion(metric="map_ssim", at_least=0.3, why="for information", advisory=True),
)

_LIMIT_ROWS = [{"metric": row.metric, **row.to_dict(), "can_fail": True} for row in LIMITS]
_RUN = {"written": "2026-01-01T00:00:00Z", "measured": "now", "today": "2026-01-01", "host": "here", "seconds": 1.5}


def make_document(comparison, *, why=None):
    findings = []
    for item in comparison.measures.values():
        for limit in LIMITS:
            if limit.metric == item.metric:
                findings.append(judge(item, dataclasses.replace(limit, why=why or limit.why)))
    findings.sort(key=lambda found: (not found.gating, -found.verdict.gravity))
    document = {
        "schema": SCHEMA,
        "verdict": overall(findings).value,
        "scope": "full",
        "enforced": True,
        "run_id": None,
        "suites": {},
        "settings": {"outputs": [], "layers": {}, "custom_objects": [], "inconclusive": "fail"},
        "reasons": [{"kind": "error", "text": "because it is so"}],
        "exit_code": 1,
        **document_parts(comparison),
        "criteria": {
            "file": "criteria.toml",
            "sha256": "c" * 64,
            "rows": _LIMIT_ROWS,
        },
        "waivers": None,
        "findings": [found.to_dict() for found in findings],
        "not_judged": [item.key for item in comparison.measures.values() if item.metric == "cka"],
        "next": [{"action": "rerun", "command": "modelcheck report a b"}],
        "provenance": {"baseline": {"keras": "3"}, "candidate": {"keras": "3"}, "differences": []},
        "volatile": {
            "written": "2026-01-01T00:00:00Z",
            "measured": "now",
            "today": "2026-01-01",
            "host": "here",
            "seconds": 1.5,
        },
    }
    return {**document, "digest": seal(document)}


def empty_document(**changes):
    """Return the document of a run that could not begin."""
    document = {
        "schema": SCHEMA,
        "verdict": "error",
        "scope": "incomplete",
        "enforced": True,
        "run_id": None,
        "suites": {},
        "settings": {"outputs": [], "layers": {}, "custom_objects": [], "inconclusive": "fail"},
        "reasons": [],
        "exit_code": 3,
        **dict.fromkeys(("candidate", "baseline", "panel", "recipe", "criteria", "waivers", "provenance")),
        "metrics": {},
        "findings": [],
        "not_judged": [],
        "next": [],
        "volatile": {
            "written": "2026-01-01T00:00:00Z",
            "measured": "now",
            "today": "2026-01-01",
            "host": "here",
            "seconds": 1.5,
        },
        **changes,
    }
    return {**document, "digest": seal(document)}


def make_case(*, hostile=None, **options):
    names = ("ada", "ben", "eve") if hostile is None else (hostile, "ben", "eve")
    panel = make_panel(subjects=names)
    layers = (("conv1" if hostile is None else hostile, "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2))
    baseline = make_signature(panel=panel, layers=layers)
    candidate = make_signature(
        hostile or "candidate",
        panel=panel,
        layers=layers,
        learned=0.2,
        accuracy={"ben": 0.5},
        parameters=500,
        seed=3,
        **options,
    )
    return panel, compare(baseline, show(candidate, baseline))


def make_shipped_case(
    *, source=True, level=0.6, accuracy=1.0, changed=0, noise=0.0, runtime="litert", panel=None, **said
):
    """Return a panel, and a baseline beside a file that ships, which answers some pictures otherwise than its source.

    The file recognises every map of the baseline with `level`; the baseline has two retrained twins.
    """
    panel = panel or make_panel(subjects=("ada", "ben", "eve"))
    baseline, parent = make_signature(panel=panel), make_signature("parent", panel=panel, accuracy=accuracy, seed=3)
    twins = (show(make_signature(f"twin {k}", panel=panel, seed=9 + k), baseline) for k in range(2))
    kept = tuple(recognising(twin, 0.8, panel.labels).reduce_to_twin({}) for twin in twins)
    baseline = dataclasses.replace(baseline, retrained=kept)
    file = ship(parent, noise=noise, runtime=runtime, **said)
    scores = file.scores.copy()
    scores[:changed] = scores[:changed, ::-1]
    file = recognising(show(dataclasses.replace(file, scores=scores), baseline), level, panel.labels)
    return panel, compare(baseline, file, source=show(parent, baseline) if source else None)


def make_shipped_document(comparison, **changes):
    """Return the verdict on a file that ships, as far as a report reads it, with the criteria that it was not asked."""
    document = make_document(comparison)
    runtime, source = comparison.candidate.runtime, comparison.conversion is not None
    unasked = {"kind": "black_box", "runtime": runtime, "metrics": ["mapped_units", "reach"], "source": source}
    document = {**document, "reasons": [unasked], "next": []}
    if comparison.conversion is not None:
        document["source"] = dict(comparison.conversion.source.model)
    document |= changes
    return {**document, "digest": seal(document)}
