"""What a deploy job asks: may this very file be released, by this verdict? One sentence, and an exit code.

Nothing is taken on trust that can be checked again. The document must be whole and of the known
schema, its digest must hold, its findings must give its verdict when they are judged once more, and
every file that is named must be the one that was judged. A signature against forgers it is not: see
`modelcheck.judgement.document.seal`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcheck.comparison import METRICS
from modelcheck.gate.contradictions import find_contradiction, find_unplanned
from modelcheck.judgement.criteria import inform_where_calibrated, read_criteria
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import read_findings, read_limits
from modelcheck.judgement.waivers import WaiverError, recheck_waivers
from modelcheck.report.reasons import count_absent, main_reason
from modelcheck.report.shipped import count_unasked
from modelcheck.signature import find_approval, read_manifest
from modelcheck.support.files import hash_file

__all__ = ["Demands", "promotable", "refusal"]


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a deploy job asks of a verdict, beyond what it must always be.

    Parameters
    ----------
    require : {'pass', 'inconclusive'}
        The least verdict that is enough.
    waivers : bool
        Whether waived findings may be released.
    criteria : Path, optional
        The criteria file that must have been judged by.
    baseline : Path, optional
        The baseline's folder that must have been compared with.
    project : Path, optional
        The folder in which every file that the tests of the gate came from must stand unchanged.
    run_id : str, optional
        What the run must have been named by.
    measured_now : bool
        Whether the run must have measured the candidate itself, not found it in the cache.

    Examples
    --------
    >>> Demands(run_id="build 41").require
    'pass'
    """

    require: str = "pass"
    waivers: bool = True
    criteria: Path | None = None
    baseline: Path | None = None
    project: Path | None = None
    run_id: str | None = None
    measured_now: bool = False


def refusal(document: VerdictDocument, candidate: Path, *, today: datetime.date, demands: Demands | None = None) -> str:
    """Return why a verdict does not release a file, in one sentence; empty where it does.

    Parameters
    ----------
    document : VerdictDocument
        From `read_verdict`.
    candidate : Path
        The file to be released.
    today : datetime.date
        In UTC; what waivers are held against.
    demands : Demands, optional
        What is asked beyond.

    Raises
    ------
    OSError, SignatureError
        When a file that is named cannot be read.
    """
    asked = demands or Demands()
    return (
        _standing(document, {"pass": ("pass",), "inconclusive": ("pass", "inconclusive")}[asked.require])
        or _other_file(document, candidate, asked)
        or _other_run(document, asked)
        or find_contradiction(document)
        or _other_approval(document, asked)
        or _find_lapsed(document, today, allowed=asked.waivers)
    )


def promotable(document: VerdictDocument) -> str:
    """Return the sentence on a release that is granted."""
    gating = [found for found in read_findings(document) if found.gating]
    waived = sorted(found.waiver["expires"] for found in gating if found.waiver is not None)
    tail = f"; {len(waived)} of them waived, the first until {waived[0]}" if waived else ""
    tail += count_absent(document) + count_unasked(document)
    network = document["candidate"]
    if network is None:
        raise ValueError("The verdict does not say which candidate was judged: nothing may be released by it.")
    return f"{network['file']} (sha256 {network['sha256'][:12]}) may be released: {len(gating)} checks judged{tail}."


def _signature(folder: Path) -> str:
    from modelcheck.signature import read_record

    return read_record(folder).digest()


def _standing(document: VerdictDocument, allowed: Sequence[str]) -> str:
    word = document["verdict"]
    if word not in allowed:
        return f"The verdict is {word}, not {' or '.join(allowed)}. {main_reason(document)}".strip()
    if document["scope"] != "full" or document["not_judged"]:
        return f"Only a part of the suite was judged (scope: {document['scope']}). Run all of it: pytest suites/"
    if not document["enforced"]:
        return "The verdict is of a run with --modelcheck-report-only, which does not decide a release. Run without it."
    parts = {name: document[name] for name in ("candidate", "baseline", "panel", "recipe", "criteria", "settings")}
    missing = [name for name, part in parts.items() if part is None]
    return f"The verdict does not say which {missing[0]} was judged." if missing else ""


def _other_file(document: VerdictDocument, candidate: Path, asked: Demands) -> str:
    criteria, baseline = asked.criteria, asked.baseline
    sha, judged = hash_file(candidate), document["candidate"]
    if judged is None or sha != judged["sha256"]:
        named = f"{judged['file']!r} ({judged['sha256'][:12]})" if judged else "none"
        return f"{str(candidate)!r} (sha256 {sha[:12]}) is not the file that was judged: {named}."
    against = document["baseline"]
    if criteria is not None and _other_limits(document, criteria):
        return f"The verdict was judged by other criteria than {str(criteria)!r}."
    if baseline is not None and (against is None or _signature(baseline) != against.get("signature")):
        return f"The verdict was judged against another baseline than the one in {str(baseline)!r}."
    return ""


def _other_run(document: VerdictDocument, asked: Demands) -> str:
    if asked.run_id is not None and document["run_id"] != asked.run_id:
        named = "had no name" if document["run_id"] is None else f"was named {document['run_id']!r}"
        return f"The verdict is of another run than {asked.run_id!r}: that one {named} (--modelcheck-run-id)."
    if asked.measured_now and document["volatile"]["measured"] != "now":
        return "The candidate was not measured in that run but found in the cache, and --measured-now refuses that."
    if asked.project is None:
        return ""
    if not document["suites"]:
        return "The verdict does not say which suites judged. Run the gate again: pytest suites/"
    for name, sha in document["suites"].items():
        path = asked.project / name
        if not path.is_file() or hash_file(path) != sha:
            return f"The verdict was judged by {name!r}, which is gone or another in {str(asked.project)!r}."
    return ""


def _other_approval(document: VerdictDocument, asked: Demands) -> str:
    """Hold what is said of a baseline's approval, and what was judged, against the folder that is named."""
    if asked.baseline is None:
        return ""
    against = document["baseline"]
    approval = find_approval(asked.baseline, signature=str(against and against["signature"])).to_dict()
    if against is None or against["approval"] != approval:
        return (
            f"The history in {str(asked.baseline)!r} says otherwise of the baseline than the verdict: it is "
            f"{approval['state']}."
        )
    return find_unplanned(document, read_manifest(asked.baseline))


def _other_limits(document: VerdictDocument, criteria: Path) -> bool:
    """Say whether a file of limits is another than the one that was judged by: its bytes, or its rows."""
    limits = document["criteria"]
    rows, sha = read_criteria(criteria, metrics=METRICS)
    gating = {found.measured.metric for found in read_findings(document) if found.gating}
    return limits is None or sha != limits["sha256"] or inform_where_calibrated(rows, gating) != read_limits(document)


def _find_lapsed(document: VerdictDocument, today: datetime.date, *, allowed: bool) -> str:
    """Hold the waivers against the day and the findings once more: each must still excuse what it is said to excuse."""
    findings = read_findings(document)
    waived = [found.key for found in findings if found.waiver is not None]
    if waived and not allowed:
        return f"{len(waived)} findings are waived, the first {waived[0]}, and --no-waivers refuses that."
    judged, told = document["candidate"], document["waivers"]
    rows = told["rows"] if told else []
    if judged is None or not (rows or waived):
        return ""
    try:
        lapsed, bare = recheck_waivers(findings, rows, candidate=judged["sha256"], today=today)
    except WaiverError as error:
        return f"The document holds a waiver that no file of waivers can hold: {error}"
    if lapsed:
        use = lapsed[0]
        span = f"{use.waiver.created} to {use.waiver.expires}"
        return f"{use.waiver.name}, from {span}, does not hold: {use.state.value}; today is {today}."
    return f"{bare[0]} is said to be waived, and no waiver in the document excuses it." if bare else ""
