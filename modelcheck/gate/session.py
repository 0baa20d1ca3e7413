"""One run of pytest as a gate: what a process knows of it, and the controller that collects, concludes and writes.

Findings travel from workers as JSON text in `user_properties`. The controller compares what was
planned with what was judged, decides the exit status, and alone writes the verdict and the report.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from modelcheck.gate.settings import Settings, SettingsError, has_settings, read_settings
from modelcheck.judgement.document import FailedTestReason, Reason, VerdictDocument
from modelcheck.judgement.findings import Finding
from modelcheck.support.escaping import clean

if TYPE_CHECKING:
    from modelcheck.gate.evidence import Evidence, Plan

__all__ = ["PROPERTY", "RUN", "Collector", "Run"]

PROPERTY = "modelcheck"
_VERDICT, _PAGES = "verdict.json", ("index.html", "summary.md")


@dataclass
class Run:
    """What one pytest process knows of the gate; `red` are the tests whose own findings explain why they failed."""

    options: dict[str, Any]
    root: Path
    redact_inputs: bool = False
    pictures_as_files: bool = False
    enforced: bool = True
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())
    started: float = field(default_factory=time.monotonic)
    active: bool = False
    deselected: bool = False
    interrupted: bool = False
    findings: list[Finding] = field(default_factory=list)
    errors: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    red: set[str] = field(default_factory=set)
    flaky: set[str] = field(default_factory=set)
    trouble: Exception | None = None
    document: VerdictDocument | None = None
    settings: Settings | None = None
    plan: Plan | None = None
    evidence: Evidence | None = None

    def load(self) -> tuple[Settings, Plan]:
        """Read settings and plan once."""
        from modelcheck.gate.evidence import make_plan

        if self.settings is None:
            self.settings = read_settings(self.root, self.options)
        if self.plan is None:
            self.plan = make_plan(self.settings)
        return self.settings, self.plan

    def gather(self, tell: Callable[[str], None] | None = None) -> Evidence:
        """Return the evidence, measured at most once."""
        from modelcheck.gate.evidence import gather

        if self.trouble is not None:
            raise self.trouble  # what failed once is not tried again for every test
        if self.evidence is None:
            try:
                self.evidence = gather(self.load()[0], tell=tell)
            except Exception as error:
                self.trouble = error
                raise
        return self.evidence

    @property
    def report(self) -> Path:
        """The report's folder, also where the settings cannot be read."""
        return self.settings.report if self.settings else Path(self.options["report"] or "report")


RUN = pytest.StashKey[Run]()


class Collector:
    """Registered on the controller only: collects findings, decides the exit status, writes the verdict."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.run = config.stash[RUN]
        self.gates: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what a test found, and what went wrong with a test of the gate."""
        rows = [json.loads(str(value)) for name, value in report.user_properties if name == PROPERTY]
        # Read before others do: JUnit shows the words, not this.
        report.user_properties[:] = [item for item in report.user_properties if item[0] != PROPERTY]
        if rows:
            self.gates.add(report.nodeid)
            findings = [Finding.from_dict(row) for row in rows]
            if any(finding.red for finding in findings):
                self.run.red.add(report.nodeid)
            if report.when == "teardown":
                self.run.findings += findings
        if report.failed:
            words = str(report.longreprtext).strip().rpartition("\n")[2]
            self.run.failed.setdefault(report.nodeid, clean(words, longest=300))
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            self.run.flaky.add(report.nodeid)
        if getattr(report, "wasxfail", None) is not None and rows:
            self.run.errors.append({"kind": "marked_xfail", "test": report.nodeid})

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker saw of the suites."""
        told = getattr(node, "workeroutput", {}).get(PROPERTY, {})
        self.run.active |= bool(told.get("active"))
        self.run.deselected |= bool(told.get("deselected"))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that a person stopped the run; errors at collection look alike to pytest, but are not that."""
        self.run.interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)

    def pytest_sessionstart(self) -> None:
        """Take a stale verdict away, and the page that shows it, so that nobody promotes it."""
        if not self.is_gate():
            return
        try:
            report = read_settings(self.config.rootpath, self.run.options).report
        except SettingsError:
            report = self.run.report
        with suppress(OSError):  # a folder that cannot be written is reported when the verdict is
            if (report / _VERDICT).exists():  # otherwise the pages may be somebody else's
                for name in (*_PAGES, _VERDICT):
                    (report / name).unlink(missing_ok=True)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the verdict and set the exit status; a run without suites is left alone."""
        run = self.run
        if not (run.active or self.gates or self.is_gate()) or self.config.option.collectonly:
            return
        from modelcheck.gate.verdict import exit_status

        errors = list(run.errors)
        try:
            run.load()
            if exitstatus in (0, 1):
                run.gather()
        except (ValueError, RuntimeError) as error:
            errors.append({"kind": "error", "text": str(error) or type(error).__name__})
        except Exception as error:  # whatever it was, a verdict must be written, and be red
            errors.append({"kind": "error", "text": f"{type(error).__name__}: {error}"})
        if run.interrupted:
            errors.append({"kind": "interrupted"})
        elif exitstatus not in (0, 1, 5):
            errors.append({"kind": "stopped", "exit_status": int(exitstatus)})
        errors += [{"kind": "flaky", "test": nodeid} for nodeid in sorted(run.flaky - set(run.failed))]
        run.document = self._conclude(errors)
        session.exitstatus = exit_status(run.document)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables and the verdict."""
        if self.run.document is not None:
            from modelcheck.report import print_summary

            print_summary(self.run.document, _console(terminalreporter), report=self.run.report / "index.html")
            for line in self.run.notes:
                terminalreporter.write_line(line, yellow=True)

    def is_gate(self) -> bool:
        """Say whether the run was meant as a gate although no test of one was seen, as under xdist or after errors."""
        if any(self.run.options[name] for name in ("candidate", "baseline")):
            return True
        suites = Path(os.path.realpath(self.run.root / "suites"))  # resolve() raises where links lead in a circle
        if not ((suites / "criteria.toml").exists() or has_settings(self.run.root)):
            return False  # somebody else's folder of that name
        return any(
            Path(os.path.realpath(self.config.invocation_params.dir / str(arg).split("::")[0])).is_relative_to(suites)
            for arg in self.config.args
        )

    def _is_narrowed(self) -> bool:
        option = self.config.option
        chosen = bool(option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False))
        return (chosen and self.run.deselected) or any(
            "::" in str(arg) or str(arg).endswith(".py") for arg in self.config.args
        )

    def _conclude(self, errors: list[Reason]) -> VerdictDocument:
        """Return the verdict, written with report and summary: what cannot be written makes it red."""
        from modelcheck.gate.artefacts import leave_candidate
        from modelcheck.gate.child import RefusedError
        from modelcheck.gate.verdict import Outcome, error_document, verdict_document, write_document
        from modelcheck.report import append_step_summary, write_report

        run = self.run
        settings, evidence = run.settings or Settings(report=run.report), run.evidence
        failures: list[FailedTestReason] = [
            {"kind": "test_failed", "test": nodeid, "text": words}
            for nodeid, words in sorted(run.failed.items())
            if nodeid not in run.red
        ]
        outcome = Outcome(
            today=run.today,
            errors=tuple(errors),
            failures=tuple(failures),
            narrowed=self._is_narrowed(),
            refused=isinstance(run.trouble, RefusedError),
            interrupted=run.interrupted,
            enforced=run.enforced,
            seconds=time.monotonic() - run.started,
        )
        document = verdict_document(settings, outcome, plan=run.plan, findings=run.findings, evidence=evidence)
        try:
            if evidence is not None and document["scope"] == "full":
                leave_candidate(settings.report, evidence.candidate)
            write_report(
                settings.report,
                document,
                comparison=evidence.comparison if evidence else None,
                panel=evidence.panel if evidence else None,
                redact_inputs=run.redact_inputs,
                as_files=run.pictures_as_files,
            )
        except Exception as error:  # whatever broke the report, the verdict must still be written, and be red
            text = f"{type(error).__name__}: {error}"
            document = error_document(document, _unwritten("report", settings, text), settings=settings)
        try:
            write_document(settings.report, document)
        except OSError as error:
            document = error_document(document, _unwritten("verdict", settings, str(error)), settings=settings)
        if path := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                append_step_summary(path, document)
            except OSError as error:
                run.notes.append(f"The step summary could not be written ({error}); it stands in {settings.report}.")
        return document


def _unwritten(what: Literal["report", "verdict"], settings: Settings, text: str) -> Reason:
    return {"kind": "unwritten", "what": what, "folder": str(settings.report), "text": text}


def _console(terminalreporter: Any) -> Any:
    from rich.console import Console

    writer = terminalreporter._tw
    return Console(file=writer._file, force_terminal=writer.hasmarkup, width=max(80, min(writer.fullwidth, 120)))
