"""The pytest plugin: options, the fixtures that suites read, and a run that cannot be green without having judged.

TensorFlow is never imported here. Findings travel from workers as JSON text in `user_properties`; the controller
compares what was planned with what was judged, and alone writes the verdict and the report.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelcheck.criteria import Finding, Measured, Verdict, criterion_for, judge
from modelcheck.settings import Settings, SettingsError, has_settings, read_settings

if TYPE_CHECKING:
    from modelcheck.compare import Comparison
    from modelcheck.gate import Evidence, Plan
    from modelcheck.panel import Panel
    from modelcheck.signature import Signature

__all__: list[str] = []

_PROPERTY = "modelcheck"
_DOMAINS = {"layer": "layers", "subject": "subjects", "group": "groups", "method": "methods"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each can also stand in ``[tool.modelcheck]``."""
    group = parser.getgroup("modelcheck", "did the candidate learn the same features?")
    for name, words in (
        ("candidate", "the .keras network that wants to be released"),
        ("baseline", "the folder of the approved signature"),
        ("panel", "the held-out panel (.npz); by default the baseline's own"),
        ("criteria", "the rows of limits (.toml)"),
        ("report", "the folder for index.html, verdict.json and summary.md"),
        ("outputs", "class of each output, comma-separated, where the candidate has more outputs than classes"),
    ):
        group.addoption(f"--{name}", metavar=name.upper(), default=None, help=words)
    group.addoption("--redact-inputs", action="store_true", help="leave photographs of people out of the report")


@dataclass
class _Run:
    """What one pytest process knows of the gate."""

    options: dict[str, Any]
    root: Path
    redact_inputs: bool = False
    started: float = field(default_factory=time.monotonic)
    active: bool = False
    deselected: bool = False
    interrupted: bool = False
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    flaky: set[str] = field(default_factory=set)
    trouble: Exception | None = None
    document: dict[str, Any] | None = None
    settings: Settings | None = None
    plan: Plan | None = None
    evidence: Evidence | None = None

    def load(self) -> tuple[Settings, Plan]:
        """Read settings and plan once."""
        from modelcheck.gate import make_plan

        if self.settings is None:
            self.settings = read_settings(self.root, self.options)
        if self.plan is None:
            self.plan = make_plan(self.settings)
        return self.settings, self.plan

    def gathered(self, tell: Callable[[str], None] | None = None) -> Evidence:
        """Return the evidence, measured at most once."""
        from modelcheck.gate import gather

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


_RUN = pytest.StashKey[_Run]()


def pytest_configure(config: pytest.Config) -> None:
    """Remember the options; nothing is read before a suite asks."""
    options = {name: config.getoption(f"--{name}") for name in ("candidate", "baseline", "panel", "criteria", "report")}
    options["outputs"] = config.getoption("--outputs")
    config.stash[_RUN] = _Run(
        options=options, root=config.rootpath, redact_inputs=bool(config.getoption("--redact-inputs"))
    )


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Iterator[None]:
    """Make one test a layer, a subject or a group, from the baseline's manifest alone."""
    wanted = [name for name in _DOMAINS if name in metafunc.fixturenames]
    if _is_gate(metafunc.definition):
        run = metafunc.config.stash[_RUN]
        run.active = True
        if wanted:
            try:
                _, plan = run.load()
            except ValueError as error:
                raise pytest.Collector.CollectError(f"modelcheck: {error}") from error
            for name in wanted:
                metafunc.parametrize(name, getattr(plan, _DOMAINS[name]))
    return (yield)


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Baseline, candidate and panel, measured: the candidate in a child process, once, behind a lock."""
    config = request.config
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.rewrite(line[:78].ljust(78), erase=True)

    watched = terminal is not None and capture is not None and terminal.isatty and not hasattr(config, "workerinput")
    try:
        return config.stash[_RUN].gathered(tell if watched else None)
    except (ValueError, RuntimeError, OSError) as error:
        raise pytest.fail.Exception(f"modelcheck could not gather evidence: {error}", pytrace=False) from error


@pytest.fixture(scope="session")
def comparison(evidence: Evidence) -> Comparison:
    """Return everything the two signatures say about each other."""
    return evidence.comparison


@pytest.fixture(scope="session")
def baseline(evidence: Evidence) -> Signature:
    """Return the approved network's signature."""
    return evidence.baseline


@pytest.fixture(scope="session")
def candidate(evidence: Evidence) -> Signature:
    """Return the signature of the network that wants to be released."""
    return evidence.candidate


@pytest.fixture(scope="session")
def panel(evidence: Evidence) -> Panel:
    """Return the held-out pictures."""
    return evidence.panel


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Judge measures against the criteria, record the findings, and fail with one sentence each.

    ``check(*measures)`` takes `modelcheck.Measured` values, for example ``comparison.about_layer("conv1")``. A
    measure on which no criterion has a row is left as information; a call that judges nothing fails.
    """
    run = request.config.stash[_RUN]

    def judged(*measures: Measured) -> None:
        __tracebackhide__ = True
        _, plan = run.load()
        findings = []
        for item in measures:
            criterion = criterion_for(plan.criteria, item.metric, item.about)
            if criterion is not None:
                findings.append(
                    judge(
                        item.value,
                        criterion,
                        subject=item.about,
                        interval=item.interval,
                        baseline=item.baseline,
                        n=item.n,
                        evidence=item.evidence,
                    )
                )
        for finding in findings:
            request.node.user_properties.append((_PROPERTY, json.dumps(finding.to_dict(), allow_nan=False)))
        if not findings:
            names = ", ".join(sorted({item.metric for item in measures})) or "no measure"
            pytest.fail(f"Nothing was judged: no criterion has a row on {names}.", pytrace=False)
        red = [finding for finding in findings if finding.gating and finding.verdict is not Verdict.PASS]
        if red:
            pytest.fail(
                "\n".join(f"{finding.sentence()}\n  why: {finding.criterion.why}" for finding in red), pytrace=False
            )

    return judged


class _Collector:
    """Registered on the controller only: collects findings, decides the exit status, writes the verdict."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.run = config.stash[_RUN]
        self.gates: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what a test found, and what went wrong with a test of the gate."""
        rows = [json.loads(str(value)) for name, value in report.user_properties if name == _PROPERTY]
        if rows:
            self.gates.add(report.nodeid)
            if report.when == "teardown":
                self.run.findings += [Finding.from_dict(row) for row in rows]
        if report.failed:
            self.run.failed.setdefault(report.nodeid, str(report.longreprtext).strip().rpartition("\n")[2][:300])
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            self.run.flaky.add(report.nodeid)
        if getattr(report, "wasxfail", None) is not None and rows:
            self.run.errors.append(f"{report.nodeid} is marked xfail: a gate cannot be excused that way.")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker saw of the suites."""
        told = getattr(node, "workeroutput", {}).get(_PROPERTY, {})
        self.run.active |= bool(told.get("active"))
        self.run.deselected |= bool(told.get("deselected"))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that a person stopped the run; errors at collection look alike to pytest, but are not that."""
        self.run.interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the verdict and set the exit status; a run without suites is left alone."""
        run = self.run
        if not (run.active or self.gates or self._asked()) or self.config.option.collectonly:
            return
        errors = list(run.errors)
        try:
            run.load()
            if exitstatus in (0, 1):
                run.gathered()
        except Exception as error:  # whatever it was, a verdict must be written, and be red
            errors.append(str(error) or type(error).__name__)
        if run.interrupted:
            errors.append("The run was interrupted before everything was judged. Run it again; measurements are kept.")
        elif exitstatus not in (0, 1, 5):
            errors.append(f"pytest ended with exit status {int(exitstatus)} before everything was judged.")
        errors += [f"{nodeid} passed only when it was run again: flaky, not a pass." for nodeid in sorted(run.flaky)]
        run.document = _finish(run, errors, narrowed=self._narrowed())
        session.exitstatus = run.document["exit_code"]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the tables and the verdict."""
        if self.run.document is not None:
            from modelcheck.report import print_summary

            print_summary(self.run.document, _console(terminalreporter), report=self.run.report / "index.html")

    def _asked(self) -> bool:
        """Say whether the run was meant as a gate although no test of one was seen, as under xdist or after errors."""
        if any(self.run.options[name] for name in ("candidate", "baseline")):
            return True
        suites = (self.run.root / "suites").resolve()
        if not ((suites / "criteria.toml").exists() or has_settings(self.run.root)):
            return False  # somebody else's folder of that name
        return any(
            (self.config.invocation_params.dir / str(arg).split("::")[0]).resolve().is_relative_to(suites)
            for arg in self.config.args
        )

    def _narrowed(self) -> bool:
        option = self.config.option
        chosen = bool(option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False))
        return (chosen and self.run.deselected) or any(
            "::" in str(arg) or str(arg).endswith(".py") for arg in self.config.args
        )


def _finish(run: _Run, errors: list[str], *, narrowed: bool) -> dict[str, Any]:
    from modelcheck.gate import verdict_document, write_document
    from modelcheck.report import write_report

    settings, evidence = run.settings or Settings(report=run.report), run.evidence
    judged_red = {finding.key for finding in run.findings if finding.gating and finding.verdict is not Verdict.PASS}
    failures = [f"{nodeid} failed: {words}" for nodeid, words in sorted(run.failed.items())]
    document = verdict_document(
        settings,
        plan=run.plan,
        findings=run.findings,
        evidence=evidence,
        errors=errors,
        failures=[] if judged_red else failures,
        narrowed=narrowed,
        interrupted=run.interrupted,
        seconds=time.monotonic() - run.started,
    )
    try:
        write_report(
            settings.report,
            document,
            comparison=evidence.comparison if evidence else None,
            panel=evidence.panel if evidence else None,
            redact_inputs=run.redact_inputs,
        )
    except Exception as error:  # whatever broke the report, the verdict must still be written, and be red
        words = f"The report could not be written to {str(settings.report)!r}: {type(error).__name__}: {error}"
        document |= {"verdict": "error", "exit_code": 3, "reasons": [words, *document["reasons"]]}
    try:
        write_document(settings.report, document)
    except OSError as error:
        words = f"The verdict could not be written to {str(settings.report)!r}: {error}. Give another folder: --report."
        document |= {"verdict": "error", "exit_code": 3, "reasons": [words, *document["reasons"]]}
    return document


def _console(terminalreporter: Any) -> Any:
    from rich.console import Console

    writer = terminalreporter._tw
    return Console(file=writer._file, force_terminal=writer.hasmarkup, width=max(80, min(writer.fullwidth, 120)))


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """On the controller, start collecting, and take a stale verdict away so that nobody promotes it."""
    config = session.config
    if not hasattr(config, "workerinput"):
        collector = _Collector(config)
        config.pluginmanager.register(collector, "modelcheck-collector")
        if collector._asked():
            run = config.stash[_RUN]
            try:
                report = read_settings(config.rootpath, run.options).report
            except SettingsError:
                report = run.report
            with suppress(OSError):  # a folder that cannot be written is reported when the verdict is
                (report / "verdict.json").unlink(missing_ok=True)


def _is_gate(item: Any) -> bool:
    """Say whether a test uses our `check`; other plugins have a fixture of that name, and are left alone."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get("check") or ()
    return any(getattr(fixture.func, "__module__", "") == __name__ for fixture in known[-1:])


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember that tests of the gate were left out by choice."""
    for item in items:
        if _is_gate(item):
            item.config.stash[_RUN].deselected = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """On a worker, tell the controller what was seen of the suites."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        run = session.config.stash[_RUN]
        output[_PROPERTY] = {"active": run.active, "deselected": run.deselected}
