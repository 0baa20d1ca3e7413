"""One run of pytest as a gate: the controller that collects, concludes and writes.

Findings travel from workers as JSON text in `user_properties`. The controller compares what was
planned with what was judged, decides the exit status, and alone writes the verdict and the report.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from modelcheck.gate.failures import FailureCount, is_explained
from modelcheck.gate.meant import is_asked_for, is_part, lies_ahead
from modelcheck.gate.outputs import check_run_outputs, name_other_outputs
from modelcheck.gate.run import RUN
from modelcheck.gate.settings import Settings, SettingsError
from modelcheck.judgement.document import FailedTestReason, PytestStatusReason, Reason, VerdictDocument
from modelcheck.judgement.findings import Finding
from modelcheck.support.escaping import clean, clean_lines
from modelcheck.support.stopping import stop_like_ctrl_c

__all__ = ["COLLECTOR", "INPUTS", "PROPERTY", "Collector"]

PROPERTY, INPUTS = "modelcheck", "modelcheck inputs"
COLLECTOR = "modelcheck-collector"
PARTIAL = "partial"  # beside the full run's report, which a part of the suites leaves alone
_AGAIN = "Run again when nothing writes to them: pytest suites/"
_PIPED = 200  # columns
_REPORTED = "fE"  # what pytest's short summary lists where nobody asked for anything
_VERDICT, _PAGES = "verdict.json", ("index.html", "summary.md")


class Collector:
    """Registered on the controller only: collects findings, decides the exit status, writes the verdict."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.run = config.stash[RUN]
        self.gates: set[str] = set()
        self.count = FailureCount()
        self.exit_status: int | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what a test found, and what went wrong with a test of the gate."""
        self.count.add(report)
        rows = [json.loads(str(value)) for name, value in report.user_properties if name == PROPERTY]
        # Read before others do: JUnit shows the words, not this.
        told = [json.loads(str(value)) for name, value in report.user_properties if name == INPUTS]
        kept = [item for item in report.user_properties if item[0] not in (PROPERTY, INPUTS)]
        report.user_properties[:] = kept
        self._take_inputs(report.nodeid, told)
        if rows:
            self.gates.add(report.nodeid)
            if report.when == "teardown":
                self.run.findings += [Finding.from_dict(row) for row in rows]
        if report.failed and is_explained(report):
            self.run.red.add(report.nodeid)
        elif report.failed:
            self.run.failed.setdefault(report.nodeid, _last_line(report))
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            self.run.flaky.add(report.nodeid)
        if getattr(report, "wasxfail", None) is not None and rows:
            self.run.errors.append({"kind": "marked_xfail", "test": report.nodeid})

    def _take_inputs(self, nodeid: str, told: list[dict[str, str]]) -> None:
        from modelcheck.gate.inputs import Inputs

        self.run.told += [(nodeid, Inputs.from_json(item["inputs"])) for item in told]
        self.run.measured_now |= any(item["measured"] == "now" for item in told)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected: pytest goes on with the rest where it is asked to."""
        self.count.add(report)
        if report.failed:
            self.run.uncollected.setdefault(report.nodeid or "collection", _last_line(report))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker whose settings count: it is started with less of the command line, and would find others."""
        project = self.run.project
        facts = {"root": str(project.root), "top": str(project.top), "conflict": project.conflict}
        facts["blocked"] = self.run.blocked
        node.workerinput[PROPERTY] = facts

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker saw of the suites."""
        told = getattr(node, "workeroutput", {}).get(PROPERTY, {})
        self.run.active |= bool(told.get("active"))
        self.run.deselected |= bool(told.get("deselected"))
        self.run.notes += told.get("notes", [])
        if told.get("interrupted"):
            self.run.unexplained.add(int(pytest.ExitCode.INTERRUPTED))
        if told.get("unexplained"):
            self.run.unexplained.add(int(told["unexplained"]))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that a person stopped the run; pytest and pytest-xdist stop themselves by errors of that kind."""
        self.run.interrupted = type(excinfo.value) is KeyboardInterrupt or isinstance(
            excinfo.value, pytest.exit.Exception
        )

    def pytest_sessionstart(self) -> None:
        """Take a stale verdict away, and the page that shows it, so that nobody promotes it.

        A part of the suites, chosen on purpose, leaves the report of the full run alone.
        """
        gate = self.is_gate()
        if self.run.project.conflict and (gate or any(self.run.options.values())):
            raise pytest.UsageError(f"modelcheck: {self.run.project.conflict}")
        if self.run.project.conflict or not (gate or lies_ahead(self.run, self.config)):
            return
        with suppress(SettingsError):
            self.run.load_settings()
        settings = self.run.known
        try:
            self._check_outputs(settings)
        except SettingsError as error:
            if gate:
                raise pytest.UsageError(f"modelcheck: {error}") from error
            return  # a test of the gate, if one is seen, says so
        self.run.look_ahead()
        if self.run.blocked and self.config.option.collectonly:  # which comes to no verdict that would say it
            raise pytest.UsageError(f"modelcheck: {clean_lines(self.run.blocked)}")
        if self._is_chosen():
            return
        report = settings.report
        if (report / _VERDICT).exists():  # otherwise the pages may be somebody else's
            for name in (_VERDICT, *_PAGES):
                with suppress(OSError):  # a folder that cannot be written is reported when the verdict is
                    (report / name).unlink(missing_ok=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Stop a gate whose job is cancelled as Ctrl-C stops it: with a verdict, and no measuring process left."""
        if not (self.is_gate() or self.run.active):
            return (yield)
        with stop_like_ctrl_c():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        """Write the verdict and set the exit status, after other plugins have; a run without suites is left alone."""
        try:
            result = yield
        except BaseException as error:
            self.run.errors.append({"kind": "error", "text": f"The run did not end well: {type(error).__name__}."})
            self._finish(session, int(exitstatus))
            raise
        self._finish(session, int(exitstatus))
        return result

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        run = self.run
        if not (run.active or self.gates or self.is_gate()) or self.config.option.collectonly:
            return
        from modelcheck.gate.verdict import exit_status

        errors = list(run.errors)
        cut_short = exitstatus in (1, 2) and 0 < (self.config.option.maxfail or 0) <= self.count.failed
        try:
            run.load()
            if run.blocked:
                errors.append({"kind": "error", "text": run.blocked})
            elif run.findings if cut_short else exitstatus in (0, 1):
                errors += self._find_disagreements()
        except (ValueError, RuntimeError) as error:
            errors.append({"kind": "error", "text": str(error) or type(error).__name__})
        except Exception as error:  # whatever it was, a verdict must be written, and be red
            errors.append({"kind": "error", "text": f"{type(error).__name__}: {error}"})
        if run.interrupted:
            errors.append({"kind": "interrupted"})
        elif exitstatus not in (0, 1, 5) and not cut_short:
            errors.append({"kind": "stopped", "exit_status": exitstatus})
        errors += [{"kind": "flaky", "test": nodeid} for nodeid in sorted(run.flaky - set(run.failed) - run.red)]
        if status := self.count.unexplained_status(session, exitstatus):
            run.unexplained.add(status)
        run.document = self._conclude(errors, cut_short=cut_short)
        self.exit_status = exit_status(run.document)
        session.exitstatus = self.exit_status

    def hold_exit_status(self, session: pytest.Session) -> None:
        """Keep a red exit status red, and leave no verdict that passes beside one that was made red afterwards."""
        run, status = self.run, int(session.exitstatus)
        if run.document is None or status == self.exit_status:
            return
        if status == 0:
            session.exitstatus = self.exit_status or 0
        elif self.exit_status == 0:
            from modelcheck.gate.verdict import error_document

            reason: Reason = {"kind": "pytest_status", "exit_status": status}
            run.document = self._write(error_document(run.document, reason, settings=run.known), run.known)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None]:
        """Print the tables and the verdict, and what its lines say of failures not a second and a third time.

        With ``-v`` pytest's section says each with its interval, evidence and reason; ``-rf`` and
        ``-rA`` list the tests as ever.
        """
        option = self.config.option
        stats = terminalreporter.stats
        failed = stats.get("failed", [])
        known = self.run.document is not None and option.verbose <= 0 and option.reportchars == _REPORTED
        untold = [report for report in failed if not is_explained(report)] if known else failed
        if failed:
            stats["failed"] = untold
        try:
            yield
        finally:
            if failed:  # they are counted in the last line
                stats["failed"] = failed

    @pytest.hookimpl(specname="pytest_terminal_summary")
    def pytest_print_verdict(self, terminalreporter: Any) -> None:
        """Print the tables and the verdict."""
        if self.run.document is not None:
            from modelcheck.report import print_summary

            evidence = self.run.evidence
            print_summary(
                self.run.document,
                _console(terminalreporter),
                report=self.run.known.report / "index.html",
                comparison=evidence.comparison if evidence else None,
            )
            for line in self.run.notes:
                terminalreporter.write_line(clean(line, longest=1000), yellow=True)

    def _find_disagreements(self) -> list[Reason]:
        """Return what other processes of this run judged by and this one does not; gather the evidence.

        The candidate's bytes are looked at first: a file that was changed meanwhile is not measured
        to learn that it is another.
        """
        from modelcheck.gate.inputs import find_candidate_change, find_invented

        run = self.run
        told = run.told
        settings, plan = run.load()
        if run.evidence is None and told and (text := find_candidate_change(settings, told[0][1].candidate)):
            return [{"kind": "error", "text": text}]
        evidence = run.gather()
        run.measured_now |= evidence.measured == "now"
        if told and not run.suites:
            run.suites = dict(told[0][1].suites)
        own, found = run.digest_inputs(), dict[str, str]()
        for nodeid, inputs in told:
            for name in own.find_differences(inputs):
                found.setdefault(name, nodeid)
        errors: list[Reason] = [
            {
                "kind": "error",
                "text": f"{nodeid} was judged by other {name} than the verdict is bound to: changed during "
                f"the run. {_AGAIN}",
            }
            for name, nodeid in found.items()
        ]
        errors += [
            {"kind": "error", "text": f"{nodeid} judged, and does not say by which files. {_AGAIN}"}
            for nodeid in sorted(self.gates - {nodeid for nodeid, _ in told})
        ]
        if not errors:
            invented = find_invented(run.findings, plan, evidence.comparison)
            errors += [{"kind": "error", "text": text} for text in invented]
        return errors

    def is_gate(self) -> bool:
        """Say whether the run was meant as a gate although no test of one was seen, as under xdist or after errors."""
        return is_asked_for(self.run, self.config)

    def _is_chosen(self) -> bool:
        """Say whether the command line may leave tests out."""
        option = self.config.option
        narrowing = option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False)
        return bool(narrowing) or is_part(self.config)

    def _check_outputs(self, settings: Settings) -> None:
        """Refuse what would overwrite an input, files that pytest and the build's summary write among them."""
        check_run_outputs(settings, root=self.run.project.root, more=name_other_outputs(self.config))

    def _is_narrowed(self) -> bool:
        return (self._is_chosen() and self.run.deselected) or is_part(self.config)

    def _conclude(self, errors: list[Reason], *, cut_short: bool) -> VerdictDocument:
        """Return the verdict, written with report and summary: what cannot be written makes it red."""
        from modelcheck.gate.child import RefusedError
        from modelcheck.gate.verdict import Outcome, verdict_document

        run = self.run
        settings, evidence = run.known, run.evidence
        narrowed = self._is_narrowed()
        # Where not even the plan can be read, that is why nothing could be collected.
        failed = {**run.failed, **(run.uncollected if run.plan is not None else {})}
        failures: list[FailedTestReason | PytestStatusReason] = [
            {"kind": "test_failed", "test": nodeid, "text": words} for nodeid, words in sorted(failed.items())
        ]
        failures += [{"kind": "pytest_status", "exit_status": status} for status in sorted(run.unexplained)]
        outcome = Outcome(
            today=run.today,
            errors=tuple(errors),
            failures=tuple(failures),
            narrowed=narrowed,
            cut_short=cut_short,
            refused=isinstance(run.trouble, RefusedError),
            interrupted=run.interrupted,
            enforced=run.enforced,
            run_id=run.run_id,
            suites=run.suites,
            measured="now" if run.measured_now else "cached",
            seconds=time.monotonic() - run.started,
        )
        document = verdict_document(settings, outcome, plan=run.plan, findings=run.findings, evidence=evidence)
        if narrowed and document["scope"] != "full":
            run.settings = settings = replace(settings, report=settings.report / PARTIAL)
        return self._write(document, settings)

    def _write(self, document: VerdictDocument, settings: Settings) -> VerdictDocument:
        """Write verdict, report and summary, and return the verdict: what cannot be written makes it red."""
        from modelcheck.gate.results import append_to_build, describe_unwritten, write_results
        from modelcheck.gate.verdict import error_document

        run = self.run
        try:
            self._check_outputs(settings)
        except SettingsError as error:  # also the verdict would be written over what was judged by
            return error_document(document, describe_unwritten("verdict", settings, error), settings=settings)
        document = write_results(
            document,
            settings=settings,
            evidence=run.evidence,
            redact_inputs=run.redact_inputs,
            pictures_as_files=run.pictures_as_files,
        )
        run.notes += append_to_build(document, settings=settings, evidence=run.evidence)
        return document


def _last_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    line = str(report.longreprtext).strip().rpartition("\n")[2]
    return clean(line.removeprefix("E  "), longest=300)  # pytest's mark of the line that says why


def _console(terminalreporter: Any) -> Any:
    from rich.console import Console

    writer = terminalreporter._tw
    # What is piped is folded by whoever reads it, if at all.
    width = max(80, min(writer.fullwidth, 120)) if terminalreporter.isatty else _PIPED
    return Console(file=writer._file, force_terminal=writer.hasmarkup, width=width)
