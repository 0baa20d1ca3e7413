"""Exit 0 only where pytest's own status was 0, or excused findings alone explain it."""

import hashlib
import json

import pytest

from gates import gate

STATUS_AT_THE_END = "def pytest_sessionfinish(session):\n    session.exitstatus = {status}\n"
WRAPPER = "def pytest_sessionfinish(session):\n    yield\n    session.exitstatus = {status}\n"
HOOK = "import pytest\n\n\n@pytest.hookimpl({order})\n"
COVERAGE = """import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    result = yield
    session.testsfailed += 1  # as pytest-cov does below its limit
    return result
"""
AFTER_THE_LAST = """def pytest_runtest_logreport(report):
    if report.when == "teardown":
        SEEN.append(report.nodeid)
        if len(SEEN) == SESSION[0].testscollected:
            SESSION[0].shouldfail = "too slow"


SEEN, SESSION = [], []


def pytest_sessionstart(session):
    SESSION.append(session)
"""
LEAVES = """import pytest


def pytest_sessionfinish(session):
    pytest.exit("enough", returncode=0)
"""
WORKER = """def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        session.exitstatus = 1
"""


def conftest(text):
    """Return a damage: a conftest beside the suites."""
    return lambda folder: (folder / "suites" / "conftest.py").write_text(text)


def broken_import(folder):
    (folder / "suites" / "test_more.py").write_text("import nothing_like_it\n")


def broken_unit_test(folder):
    (folder / "suites" / "test_unit.py").write_text("def test_sum():\n    assert 1 + 1 == 3\n")


def waived(body):
    """Return a damage: findings that are waived, one of them judged again in a test that fails for another reason."""

    def damage(folder):
        sha = hashlib.sha256((folder / "other.keras").read_bytes()).hexdigest()
        rows = (("subject_accuracy", "ben", 0.5), ("accuracy_change", "", -0.25))
        text = "".join(
            f'[[waiver]]\nmetric = "{metric}"\nabout = "{about}"\nvalue = {value}\ncandidate = "{sha}"\n'
            'owner = "mona"\nreason = "known"\ncreated = 2026-01-01\nexpires = 2026-02-01\n'
            for metric, about, value in rows
        )
        (folder / "suites" / "waivers.toml").write_text(text)
        (folder / "suites" / "test_own.py").write_text(f"import pytest\n\n\n{body}")

    return damage


RED = "    check(comparison.find('accuracy_change'))\n"
TEARDOWN = f"@pytest.fixture\ndef ends():\n    yield\n    assert 0\n\n\ndef test_own(check, comparison, ends):\n{RED}"
ASSERTS = f"def test_own(check, comparison):\n{RED}    assert 0\n"
TODAY = ("--candidate", "other.keras", "--modelcheck-today", "2026-01-15")
GOES_ON = "--continue-on-collection-errors"

ROWS = {
    "a file cannot be imported": (broken_import, (GOES_ON,), "test_failed"),
    "a file cannot be imported, report only": (broken_import, (GOES_ON, "--modelcheck-report-only"), "test_failed"),
    "a file cannot be imported, two workers": (broken_import, (GOES_ON, "-n", "2"), "test_failed"),
    "a unit test fails": (broken_unit_test, (), "test_failed"),
    "a unit test fails, report only": (broken_unit_test, ("--modelcheck-report-only",), "test_failed"),
    "a unit test fails, two workers, report only": (
        broken_unit_test,
        ("-n", "2", "--modelcheck-report-only"),
        "test_failed",
    ),
    "a waived test asserts": (waived(ASSERTS), TODAY, "test_failed"),
    "a waived test fails in its teardown": (waived(TEARDOWN), TODAY, "test_failed"),
    "a plugin sets the status": (conftest(STATUS_AT_THE_END.format(status=1)), (), "pytest_status"),
    "a plugin sets it last": (
        conftest(HOOK.format(order="trylast=True") + STATUS_AT_THE_END.format(status=1)),
        (),
        "pytest_status",
    ),
    "a plugin sets it first": (
        conftest(HOOK.format(order="tryfirst=True") + STATUS_AT_THE_END.format(status=1)),
        (),
        "pytest_status",
    ),
    "a plugin sets another one": (conftest(STATUS_AT_THE_END.format(status=6)), (), "pytest_status"),
    "a plugin sets it after all others": (
        conftest(HOOK.format(order="wrapper=True, tryfirst=True") + WRAPPER.format(status=1)),
        (),
        None,
    ),
    "a plugin sets it around the others": (
        conftest(HOOK.format(order="wrapper=True") + WRAPPER.format(status=1)),
        (),
        "pytest_status",
    ),
    "a plugin counts a failure": (conftest(COVERAGE), (), "pytest_status"),
    "a plugin counts a failure, report only": (conftest(COVERAGE), ("--modelcheck-report-only",), "pytest_status"),
    "a plugin ends the session": (conftest(AFTER_THE_LAST), (), "pytest_status"),
    "a plugin ends the session, report only": (
        conftest(AFTER_THE_LAST),
        ("--modelcheck-report-only",),
        "pytest_status",
    ),
    "a worker's status": (conftest(WORKER), ("-n", "2"), "pytest_status"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "arguments", "kind"),
    [pytest.param(*row, id=name, marks=pytest.mark.slow if "-n" in row[1] else ()) for name, row in ROWS.items()],
)
def test_what_findings_do_not_explain_stays_red(project, damage, arguments, kind):
    """Whatever else failed, and whoever set the status, in whatever order: not 0, and no verdict that passes."""
    damage(project)
    done, verdict = gate(project, *arguments)
    assert done.returncode == 1, done.stdout
    if kind is not None:  # what an outermost hook does comes after the last word
        assert verdict["verdict"] in ("fail", "error")
        assert kind in [reason["kind"] for reason in verdict["reasons"]]


@pytest.mark.slow
def test_a_waived_finding_alone_is_green(project):
    """The same test without its own failure: the waiver explains all."""
    waived(f"def test_own(check, comparison):\n{RED}")(project)
    done, verdict = gate(project, *TODAY)
    assert (done.returncode, verdict["verdict"]) == (0, "pass"), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [STATUS_AT_THE_END.format(status=0), LEAVES, HOOK.format(order="wrapper=True") + WRAPPER.format(status=0)]
)
def test_nobody_makes_a_red_run_green(project, text):
    """A hook that sets the status to 0, or ends pytest with it, changes nothing about a red verdict."""
    conftest(text)(project)
    done, verdict = gate(project, "--candidate", "other.keras")
    assert (done.returncode, verdict["verdict"]) == (1, "fail") if text != LEAVES else done.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [("-x",), *(pytest.param((*words, "-n", "2"), marks=pytest.mark.slow) for words in (("-x",), ("--maxfail", "1")))],
    ids=" ".join,
)
def test_stopping_at_the_first_failure_is_a_failure(project, arguments):
    """-x with a red test exits 1, serial and on workers; the verdict is a fail of a run that is not whole."""
    done, verdict = gate(project, "--candidate", "other.keras", *arguments)
    assert (done.returncode, verdict["exit_code"]) == (1, 1), done.stdout
    assert (verdict["verdict"], verdict["scope"]) == ("fail", "incomplete")
    assert [step["action"] for step in verdict["next"]] == ["rerun"]
    kinds = {reason["kind"] for reason in verdict["reasons"]}
    assert kinds >= {"finding", "not_judged"}
    assert not kinds & {"interrupted", "stopped", "pytest_status"}
    assert gate(project, "--candidate", "other.keras", "--modelcheck-report-only", *arguments)[0].returncode == 1


@pytest.mark.slow
def test_stopping_at_a_test_that_fails_by_itself_is_a_failure(project):
    """-x with a broken unit test before everything: exit 1, though nothing was judged."""
    (project / "suites" / "test_a.py").write_text("def test_sum():\n    assert 0\n")
    done, verdict = gate(project, "-x")
    assert (done.returncode, verdict["verdict"], verdict["findings"]) == (1, "fail", []), done.stdout


@pytest.mark.slow
def test_ctrl_c_and_exit_are_an_interruption(project):
    """pytest.exit in a test is no judgement, whatever code it asks for; on a worker neither."""
    (project / "suites" / "test_zz.py").write_text("import pytest\n\n\ndef test_it():\n    pytest.exit('x', 0)\n")
    done, verdict = gate(project)
    assert (done.returncode, verdict["reasons"][0]["kind"]) == (2, "interrupted"), done.stdout
    assert gate(project, "-n", "2")[0].returncode != 0


def test_the_writer_of_the_verdict_cannot_be_left_out(project):
    """Without the plugin that writes the verdict pytest's own status would decide: a usage error instead."""
    done, verdict = gate(project, "-p", "no:modelcheck-collector")
    assert (done.returncode, verdict) == (4, None)
    assert "Leave it out" in done.stdout


@pytest.mark.slow
def test_report_only_still_excuses_findings(project):
    """What report-only is for: a red judgement exits 0, and the document says what it is."""
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-report-only")
    assert (done.returncode, verdict["exit_code"]) == (0, 1), json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_too_many_warnings_leave_no_verdict_that_passes(project, pytestconfig):
    """pytest's own --max-warnings comes after the verdict: its status stays, the verdict becomes an error."""
    if not hasattr(pytestconfig.option, "max_warnings"):
        pytest.skip("this pytest has no --max-warnings")
    (project / "suites" / "test_zz.py").write_text("import warnings\n\n\ndef test_it():\n    warnings.warn('x')\n")
    done, verdict = gate(project, "--max-warnings", "0")
    assert done.returncode == pytest.ExitCode.MAX_WARNINGS_ERROR
    assert (verdict["verdict"], verdict["reasons"][0]["kind"]) == ("error", "pytest_status")
