"""The two `conftest.py`: a run never tests another checkout's modelcheck, and names what took long unmarked."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from durations import QUICK, find_unmarked
from gates import run

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.mark.slow
def test_another_checkouts_modelcheck_is_refused(tmp_path):
    """Where Python imports modelcheck from elsewhere, the run ends before a test, and says which is which."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_any.py").write_text("def test_any():\n    pass\n")
    done = run(tmp_path, "-q", environment={"COLUMNS": "1000"})
    assert done.returncode == 4
    assert f"This is the checkout {str(tmp_path)!r}" in done.stdout
    assert f"imports modelcheck from {str(CONFTEST.parent)!r}. Install this one: pip install" in done.stdout
    assert "passed" not in done.stdout


def test_this_checkouts_modelcheck_is_taken():
    """Where it is the one that lies beside the file, nothing is said."""
    spec = importlib.util.spec_from_file_location("conftest_at_the_top", CONFTEST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pytest_configure()


def report(name, seconds, *, when="call", marks=()):
    """Return what pytest reports of a phase of a test."""
    return pytest.TestReport(
        name, (name, 0, name), dict.fromkeys(marks, 1), "passed", None, when=when, duration=seconds
    )


def test_what_took_long_unmarked_is_named():
    """The slowest first; what is marked, what is quick and a fixture that others share are not named."""
    reports = [
        report("quick", 1),
        report("long", 6),
        report("marked", 60, marks=["slow"]),
        report("shares", 60, when="setup"),
        report("longest", 7.5),
    ]
    assert find_unmarked(reports, seconds=5) == [(7.5, "longest"), (6, "long")]


def test_the_header_names_the_readmes_command(pytestconfig):
    """The quick part that a run tells of is the one that the README gives."""
    header = pytestconfig.hook.pytest_report_header(config=pytestconfig, start_path=CONFTEST.parent)
    assert any(QUICK in str(lines) for lines in header)
    for page in ("README.md", "CONTRIBUTING.md"):
        assert QUICK in (CONFTEST.parent / page).read_text(encoding="utf-8")
