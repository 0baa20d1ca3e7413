"""The pytest plugin: options, and the fixtures that suites read. TensorFlow is never imported here."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelcheck.gate.failures import EXPLAINED, WorkerNotes, explain
from modelcheck.gate.meant import find_suites
from modelcheck.gate.options import add_options, read_options
from modelcheck.gate.progress import Estimate, read_progress
from modelcheck.gate.project import Project, find_project, owner_of
from modelcheck.gate.run import RUN, Run
from modelcheck.gate.session import COLLECTOR, INPUTS, PROPERTY, Collector
from modelcheck.judgement.criteria import criterion_for
from modelcheck.judgement.findings import Finding, Verdict, judge
from modelcheck.judgement.measured import Measured
from modelcheck.support.escaping import clean, clean_lines

if TYPE_CHECKING:
    from modelcheck.comparison import AnyComparison
    from modelcheck.gate.evidence import Evidence
    from modelcheck.panel import AnyPanel
    from modelcheck.signature import Record

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; most can also stand in ``[tool.modelcheck]``."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Remember the options; nothing is read before a suite asks."""
    options = read_options(config)
    if told := getattr(config, "workerinput", {}).get(PROPERTY):  # workers judge by what their controller found
        project = Project(root=Path(told["root"]), top=Path(told["top"]), conflict=told["conflict"])
    else:
        project = find_project(config)
    run = Run(
        blocked=told["blocked"] if told else "",
        options=options,
        project=project,
        redact_inputs=options.pop("redact_inputs"),
        pictures_as_files=options.pop("report_folder"),
        enforced=not options.pop("report_only"),
        run_id=options.pop("run_id"),
    )
    if day := options.pop("today"):
        try:
            run.today = datetime.date.fromisoformat(day)
        except ValueError as error:
            raise pytest.UsageError(f"--modelcheck-today must be a day like 2026-01-31, not {day!r}.") from error
    config.stash[RUN] = run
    plugin = WorkerNotes(config, run=run) if hasattr(config, "workerinput") else Collector(config)
    if config.pluginmanager.register(plugin, COLLECTOR) is None:
        raise pytest.UsageError(f"-p no:{COLLECTOR} takes away what writes the verdict. Leave it out.")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Remember that a run came to the suites: whatever it finds there, it may not end as if there were no gate."""
    run = parent.config.stash[RUN]
    if not run.active and run.places is None:
        run.places = find_suites(run, parent.config)
    if not run.active and any(folder in file_path.resolve().parents for folder in run.places or ()):
        run.active = True


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Iterator[None]:
    """Make one test a layer, a subject, a class or a variable, say, from the baseline's manifest alone."""
    if _is_gate(metafunc.definition):
        from modelcheck.comparison import ABOUT

        wanted = [name for name in dict.fromkeys(ABOUT.values()) if name in metafunc.fixturenames]
        run = metafunc.config.stash[RUN]
        run.active = True
        if other := _find_other_owner(metafunc.definition, run):
            raise pytest.Collector.CollectError(other)
        run.add_suite(metafunc.definition.path)
        if run.blocked:  # said once, at the end: of the tests nothing is left
            for name in wanted:
                metafunc.parametrize(name, [None], ids=["not judged"])
        elif wanted:
            try:
                _, plan = run.load()
            except ValueError as error:
                raise pytest.Collector.CollectError(f"modelcheck: {clean_lines(error)}") from error
            for name in wanted:
                values = getattr(plan, f"{name}s")
                ids = [clean(value, longest=120) for value in values]
                if not values and name in plan.nothing_to_ask:  # one test says so, instead of pytest's empty set
                    skip = pytest.mark.skip(reason=f"Nothing to ask: {plan.nothing_to_ask[name]}.")
                    values, ids = (pytest.param(None, marks=skip),), ["nothing to ask"]
                metafunc.parametrize(name, values, ids=ids)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a gate that can judge nothing: the verdict says why, once, and is red."""
    if config.stash[RUN].blocked:
        left_out = [item for item in items if _is_gate(item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Name the file of a test that pytest makes without `pytest_generate_tests`, as those of unittest."""
    if _is_gate(item):
        run = item.config.stash[RUN]
        run.active = True
        if not _find_other_owner(item, run):
            run.add_suite(item.path)


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Baseline, candidate and panel, measured: the candidate in a child process, once, behind a lock."""
    config = request.config
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")

    estimate = Estimate()

    def tell(line: str) -> None:
        done = read_progress(line)
        if done is None:
            return
        with capture.global_and_fixture_disabled():
            if terminal.isatty:
                terminal.rewrite(clean(estimate.bar(*done), longest=78).ljust(78), erase=True)
            elif said := estimate.log(*done):  # a build's log is not silent for minutes
                terminal.ensure_newline()
                terminal.write_line(clean(said, longest=200))

    watched = terminal is not None and capture is not None and not hasattr(config, "workerinput")
    try:
        return config.stash[RUN].gather(tell if watched else None)
    except (ValueError, RuntimeError, OSError) as error:
        words = f"modelcheck could not gather evidence: {clean_lines(error)}"
        unmeasured = config.stash[RUN].unmeasured = pytest.fail.Exception(words, pytrace=False)
        raise unmeasured from None


@pytest.fixture(scope="session")
def comparison(evidence: Evidence) -> AnyComparison:
    """Return everything the two signatures say about each other."""
    return evidence.comparison


@pytest.fixture(scope="session")
def baseline(evidence: Evidence) -> Record:
    """Return the approved network's signature."""
    return evidence.baseline


@pytest.fixture(scope="session")
def candidate(evidence: Evidence) -> Record:
    """Return the signature of the network that is proposed for release."""
    return evidence.candidate


@pytest.fixture(scope="session")
def panel(evidence: Evidence) -> AnyPanel:
    """Return the held-out pictures, or rows of a table."""
    return evidence.panel


@pytest.fixture
def check(request: pytest.FixtureRequest, evidence: Evidence) -> Callable[..., None]:
    """Judge measures against the criteria, record the findings, and fail with one sentence each.

    ``check(*measures)`` takes `modelcheck.Measured` values, for example
    ``comparison.about(layer="conv1")``. A measure on which no criterion has a row is left as
    information; a call that judges nothing fails.
    """
    from modelcheck.gate.inputs import name_suite

    run = request.config.stash[RUN]
    if name_suite(request.node.path, run.project.root) not in run.suites:
        # Its file would judge, and the verdict would not name it.
        other = _find_other_owner(request.node, run)
        words = "check was asked for while the test ran. Name it among the test's arguments, or those of a fixture."
        pytest.fail(other or words, pytrace=False)

    def judge_all(*measures: Measured) -> None:
        __tracebackhide__ = True
        settings, plan = run.load()
        rows = [(item, criterion_for(plan.criteria, item.metric, item.about)) for item in measures]
        findings = [judge(item, criterion) for item, criterion in rows if item.asked and criterion is not None]
        unasked = next((item for item, criterion in rows if not item.asked and criterion is not None), None)
        if unasked is None and measures and not any(item.asked for item in measures):
            unasked = measures[0]
        if unasked is not None and not findings:
            pytest.skip(f"Nothing to ask: {clean(unasked.evidence, longest=300)}")
        # What this process judged by, and whether it measured: the controller holds it against its own.
        facts = {"measured": evidence.measured, "inputs": run.digest_inputs().to_json()}
        request.node.user_properties.append((INPUTS, json.dumps(facts)))
        shown = _apply_waivers(run, findings)
        for finding, seen in zip(findings, shown, strict=True):
            request.node.user_properties.append((PROPERTY, json.dumps(finding.to_dict(), allow_nan=False)))
            request.node.user_properties.extend(_words(seen))
        if not findings:
            names = ", ".join(sorted({item.metric for item in measures})) or "no measure"
            pytest.fail(f"Nothing was judged: no criterion has a row on {clean(names)}.", pytrace=False)
        red = [finding for finding in shown if finding.red]
        if settings.inconclusive == "pass":
            red = [finding for finding in red if finding.verdict is not Verdict.INCONCLUSIVE]
        if red:
            from modelcheck.comparison import tell_material, unit_of
            from modelcheck.report.words import choose_noun

            of = tell_material(plan.manifest)
            noun = choose_noun(plan.subjects, settings.subject_name, of=of)
            told = ((row, row.sentence(unit_of(row.criterion.metric, noun=noun, of=of))) for row in red)
            lines = (f"{line}\n  why: {clean(row.criterion.why, longest=1000)}" for row, line in told)
            error = pytest.fail.Exception("\n".join(lines), pytrace=False)
            request.node.stash[EXPLAINED] = error
            raise error

    return judge_all


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Mark a failure that the findings of `check` explain: they decide what it means, and nothing else does."""
    return explain((yield), item=item, call=call)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Show in amber, never in green, a test whose findings were waived or left inconclusive by the settings."""
    if report.when != "call" or not report.passed or hasattr(report, "wasxfail"):
        return None
    said = {str(value) for name, value in report.user_properties if str(name).startswith(f"{PROPERTY}.")}
    for word, letter in ((Verdict.WAIVED.value, "w"), (Verdict.INCONCLUSIVE.value, "i")):
        if word in said:
            return word, letter, (word.upper(), {"yellow": True})
    return None


def _apply_waivers(run: Run, findings: list[Finding]) -> list[Finding]:
    """Return the findings as waivers leave them; the controller, which sees them all, decides for the verdict."""
    from modelcheck.judgement.waivers import apply_waivers

    if run.plan is None or run.evidence is None:
        return findings
    sha = run.evidence.candidate.model["sha256"]
    return apply_waivers(findings, run.plan.waivers, candidate=sha, today=run.today)[0]


def _words(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield what JUnit shows of a finding: text alone, for execnet drops a report that holds anything else."""
    name = f"{PROPERTY}.{clean(finding.key, longest=120)}"
    verdict = finding.verdict.value if finding.gating else f"{finding.verdict.value} (advisory)"
    row = finding.to_dict()
    for part, value in (("verdict", verdict), ("value", row["value"]), ("limit", finding.criterion.limits)):
        yield f"{name}.{part}", "not measured" if value is None else str(value)
    for part, value in (("baseline", row["baseline"]), ("n", row["n"])):
        if value is not None:
            yield f"{name}.{part}", str(value)


def _is_gate(item: Any) -> bool:
    """Say whether a test uses our `check`; other plugins have a fixture of that name, and are left alone."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get("check") or ()
    return any(getattr(fixture.func, "__module__", "") == __name__ for fixture in known[-1:])


def _find_other_owner(item: Any, run: Run) -> str:
    """Return why a test belongs to another project, by whose limits it would not be judged; empty where it does not."""
    root = run.project.root
    owner = owner_of(item.path.parent, top=run.project.top)
    elsewhere = owner is None and not item.path.is_relative_to(root) and not item.config.option.pyargs
    if elsewhere or (owner is not None and owner.resolve() != root.resolve()):
        return (
            f"modelcheck: {str(item.path)!r} belongs to {str(owner or item.path.parent)!r}, and this run is judged by "
            f"the limits of {str(root)!r}. Run it by itself."
        )
    return ""


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember that tests of the gate were left out by choice."""
    for item in items:
        run = item.config.stash[RUN]
        if _is_gate(item) and not run.blocked:
            run.deselected = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Hold the exit status that the verdict came to against whatever was done to it afterwards."""
    collector = session.config.pluginmanager.get_plugin(COLLECTOR)
    try:
        return (yield)
    except pytest.exit.Exception as error:
        if isinstance(collector, Collector):
            error.returncode = collector.exit_status or error.returncode
        raise
    finally:
        if isinstance(collector, Collector):
            collector.hold_exit_status(session)
