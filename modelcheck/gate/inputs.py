"""What one process judged by, as digests: a worker's and the controller's must be the same, and are the verdict's."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from modelcheck.gate.settings import Settings
from modelcheck.judgement.criteria import criterion_for
from modelcheck.judgement.document import SettingsRow
from modelcheck.judgement.findings import Finding, judge
from modelcheck.support.files import hash_file

if TYPE_CHECKING:
    from modelcheck.comparison import AnyComparison
    from modelcheck.gate.evidence import Evidence
    from modelcheck.gate.plan import Plan

__all__ = [
    "Inputs",
    "describe_settings",
    "digest_suites",
    "find_candidate_change",
    "find_invented",
    "make_inputs",
    "name_suite",
]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The sha256, in hex, of each thing that a process judged by; empty where there is none.

    Parameters
    ----------
    settings : str
        Of what `describe_settings` says.
    criteria, waivers : str
        Of the files.
    baseline : str
        Of the signature.
    candidate : str
        Of the network's file.
    panel : str
        Of the pictures and what is said of them.
    suites : mapping of str to str
        Of each file that a test of the gate came from, by its path from the project's folder.

    Examples
    --------
    >>> here = Inputs(settings="1", criteria="2", waivers="", baseline="3", candidate="4", panel="5")
    >>> Inputs.from_json(here.to_json()) == here
    True
    >>> here.find_differences(dataclasses.replace(here, criteria="6"))
    ['criteria']
    """

    settings: str
    criteria: str
    waivers: str
    baseline: str
    candidate: str
    panel: str
    suites: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the digests as JSON text, from which `from_json` makes an equal value."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Inputs:
        """Build the value from what `to_json` gave."""
        return cls(**json.loads(text))

    def find_differences(self, other: Inputs) -> list[str]:
        """Return the names of what differs, in order."""
        return [item.name for item in dataclasses.fields(self) if getattr(self, item.name) != getattr(other, item.name)]


def make_inputs(settings: Settings, plan: Plan, evidence: Evidence, *, suites: Mapping[str, str]) -> Inputs:
    """Return what a process judged by.

    Parameters
    ----------
    settings : Settings
        As the process read them.
    plan : Plan
        Made from the criteria, waivers and manifest that the process read.
    evidence : Evidence
        What it measured or found measured.
    suites : mapping of str to str
        By path, the digests of the files of tests.
    """
    return Inputs(
        settings=hashlib.sha256(json.dumps(describe_settings(settings), sort_keys=True).encode()).hexdigest(),
        criteria=plan.criteria_sha256,
        waivers=plan.waivers_sha256,
        baseline=evidence.baseline.digest(),
        candidate=str(evidence.candidate.model["sha256"]),
        panel=evidence.panel.digest(),
        suites=dict(suites),
    )


def describe_settings(settings: Settings) -> SettingsRow:
    """Return the settings that decide a judgement, apart from the files that they name.

    Examples
    --------
    >>> describe_settings(Settings(layers={"conv2": None}))["layers"]
    {'conv2': None}
    """
    row = {
        "outputs": list(settings.interface.outputs),
        "layers": dict(settings.layers),
        "custom_objects": list(settings.custom_objects),
        "inconclusive": settings.inconclusive,
        **settings.interface.to_dict(),
    }
    named = {"subject_name": list(settings.subject_name)} if settings.subject_name else {}
    return cast("SettingsRow", {**row, **named})


def digest_suites(file: Path, root: Path, *, top: Path | None = None) -> dict[str, str]:
    """Return the sha256 of a file of tests and of each ``conftest.py`` above it, by their names in a verdict.

    Parameters
    ----------
    file : Path
        The file of tests.
    root : Path
        The project's folder.
    top : Path, optional
        The highest folder whose ``conftest.py`` counts: where pytest's root lies above the project,
        it loads those between as well.
    """
    highest = top or root
    above = [folder / "conftest.py" for folder in file.parents if folder == highest or highest in folder.parents]
    return {name_suite(path, root): hash_file(path) for path in (file, *filter(Path.is_file, above))}


def name_suite(file: Path, root: Path) -> str:
    """Return the name of a file of tests in a verdict: its path from the project, absolute for a test elsewhere.

    Examples
    --------
    >>> name_suite(Path("/mine/suites/test_a.py"), Path("/mine")), name_suite(Path("/conftest.py"), Path("/mine"))
    ('suites/test_a.py', '../conftest.py')
    """
    if file.parent in root.parents:
        return (Path(*[".."] * (len(root.parts) - len(file.parent.parts))) / file.name).as_posix()
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()


def find_candidate_change(settings: Settings, sha256: str) -> str:
    """Return why the candidate's file is not the one that was judged, in a sentence; empty where it is.

    Parameters
    ----------
    settings : Settings
        What names the file.
    sha256 : str
        Of the file that was judged.
    """
    path = settings.require("candidate")
    try:
        now = hash_file(path)
    except OSError as error:
        return f"The candidate {str(path)!r} was judged, and cannot be read any more: {error}"
    if now == sha256:
        return ""
    return (
        f"The candidate {str(path)!r} was changed during the run: the tests judged sha256 {sha256[:12]}, and the file "
        f"has {now[:12]} now. Run again when nothing writes to it: pytest suites/"
    )


def find_invented(findings: Iterable[Finding], plan: Plan, comparison: AnyComparison) -> Iterator[str]:
    """Yield why a finding is not what the comparison measured and the plan's row asks, in a sentence each.

    Parameters
    ----------
    findings : iterable of Finding
        As the tests judged.
    plan : Plan
        The rows of limits.
    comparison : AnyComparison
        What was measured.
    """
    for found in findings:
        measured = comparison.measures.get((found.measured.metric, found.about))
        criterion = criterion_for(plan.criteria, found.measured.metric, found.about)
        if measured is None or criterion is None:
            yield f"{found.key} was judged, and nothing of that name was measured. Judge what the comparison holds."
        elif not _is_same(found, judge(measured, criterion)):
            yield (
                f"{found.key} was judged with another value or limit than was measured and planned. Judge what the "
                "comparison holds, as it is."
            )


def _is_same(one: Finding, other: Finding) -> bool:
    facts = [
        (row.key, row.verdict, row.gating, row.criterion, row.measured.n, row.measured.interval is None)
        for row in (one, other)
    ]
    return facts[0] == facts[1] and all(map(_is_close, _numbers(one), _numbers(other)))


def _numbers(finding: Finding) -> list[float]:
    item = finding.measured
    baseline = math.nan if item.baseline is None else item.baseline
    return [item.value, baseline, *(item.interval or ())]


def _is_close(one: float, other: float) -> bool:
    """Compare as a verdict keeps numbers: six digits, and nothing for what is not finite."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.isfinite(one) == math.isfinite(other)
    return math.isclose(one, other, rel_tol=1e-5, abs_tol=2e-6)
