"""What one process of pytest knows of a run of the gate, each input of it read once."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelcheck.gate.outputs import check_run_outputs
from modelcheck.gate.project import Project
from modelcheck.gate.settings import Settings, SettingsError, near, read_settings
from modelcheck.judgement.document import Reason, VerdictDocument
from modelcheck.judgement.findings import Finding

if TYPE_CHECKING:
    from modelcheck.gate.evidence import Evidence
    from modelcheck.gate.inputs import Inputs
    from modelcheck.gate.plan import Plan

__all__ = ["RUN", "Run"]


@dataclass
class Run:
    """What one pytest process knows of the gate.

    `suites` are the digests of the files that tests of the gate come from, `places` the folders in
    which they are looked for. `red` are tests whose own findings explain why they failed, `failed` those that failed by
    themselves, `uncollected` files that could not be collected, and `unexplained` exit statuses of
    workers. `unmeasured` is what every test fails with where the evidence could not be gathered,
    told once, and `blocked` says why nothing can be judged, where that is known before any test is
    made.
    """

    options: dict[str, Any]
    project: Project
    redact_inputs: bool = False
    pictures_as_files: bool = False
    enforced: bool = True
    run_id: str | None = None
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())
    started: float = field(default_factory=time.monotonic)
    active: bool = False
    deselected: bool = False
    interrupted: bool = False
    findings: list[Finding] = field(default_factory=list)
    errors: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    suites: dict[str, str] = field(default_factory=dict)
    places: tuple[Path, ...] | None = None
    told: list[tuple[str, Inputs]] = field(default_factory=list)
    measured_now: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    uncollected: dict[str, str] = field(default_factory=dict)
    unexplained: set[int] = field(default_factory=set)
    red: set[str] = field(default_factory=set)
    flaky: set[str] = field(default_factory=set)
    trouble: Exception | None = None
    unmeasured: BaseException | None = None
    unmeasured_told: bool = False
    blocked: str = ""
    document: VerdictDocument | None = None
    settings: Settings | None = None
    plan: Plan | None = None
    evidence: Evidence | None = None
    inputs: Inputs | None = None

    def load(self) -> tuple[Settings, Plan]:
        """Read settings and plan once."""
        from modelcheck.gate.plan import make_plan

        settings = self.load_settings()
        if self.plan is None:
            check_run_outputs(settings, root=self.project.root)  # kept all the same: they say where not to write
            self.plan = make_plan(settings)
        return settings, self.plan

    def load_settings(self) -> Settings:
        """Read the settings of the project that judges, once."""
        if self.project.conflict:
            raise SettingsError(self.project.conflict)
        if self.settings is None:
            self.settings = read_settings(self.project.root, self.options)
        return self.settings

    def gather(self, tell: Callable[[str], None] | None = None) -> Evidence:
        """Return the evidence, measured at most once."""
        from modelcheck.gate.evidence import gather

        if self.trouble is not None:
            raise self.trouble  # what failed once is not tried again for every test
        if self.evidence is None:
            try:
                settings, plan = self.load()
                self.evidence = gather(settings, manifest=plan.manifest, tell=tell)
                self.notes += [self.evidence.note] if self.evidence.note else []
            except Exception as error:
                self.trouble = error
                raise
        return self.evidence

    def look_ahead(self) -> None:
        """Find out whether anything can be judged, before there is a test that would say it instead.

        What is read here is read again by whoever judges: this process may be the controller of
        workers, and holds at the end what they judged by against what is there then.
        """
        from modelcheck.gate.evidence import read_parts
        from modelcheck.gate.plan import make_plan

        try:
            settings = self.load_settings()
            check_run_outputs(settings, root=self.project.root)
            read_parts(settings, manifest=make_plan(settings).manifest)
        except (ValueError, RuntimeError, OSError) as error:
            self.blocked = str(error) or type(error).__name__

    def add_suite(self, file: Path) -> None:
        """Take the digests of a file of tests and of each ``conftest.py`` above it: those of the first reading stay."""
        from modelcheck.gate.inputs import digest_suites, name_suite

        root, top = self.project.root, self.project.top
        if name_suite(file, root) not in self.suites:
            self.suites = digest_suites(file, root, top=top) | self.suites

    def digest_inputs(self) -> Inputs:
        """Return what this process judges by, computed once; the evidence is gathered for it."""
        from modelcheck.gate.inputs import make_inputs

        if self.inputs is None:
            evidence = self.gather()
            self.inputs = make_inputs(*self.load(), evidence, suites=self.suites)
        return self.inputs

    @property
    def known(self) -> Settings:
        """The settings; where they cannot be read, the paths of the command line and the usual report's folder."""
        if self.settings is not None:
            return self.settings
        names = ("candidate", "source", "baseline", "baseline_model", "panel", "criteria", "waivers", "report")
        paths: dict[str, Any] = {"report": near(self.project.root / "report")}
        given = {name: str(self.options[name]) for name in names if self.options.get(name)}
        paths |= {name: near(Path(path)) for name, path in given.items() if "\0" not in path}  # no file has such a name
        return Settings(**paths)


RUN = pytest.StashKey[Run]()
