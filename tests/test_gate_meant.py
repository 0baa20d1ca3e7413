"""A run that comes to the suites is a gate, whatever it finds there; and every file that judges is named."""

from __future__ import annotations

import json

import pytest

from gates import gate, run

STALE = '{"verdict": "pass"}'
UNIT = "def test_unit():\n    pass\n"
SKIP = "import pytest\n\npytest.skip('not today', allow_module_level=True)\n"
LEAVES = "import os\n\n\ndef test_it():\n    os._exit(0)\n"
UNITTEST = """import unittest

import pytest


class Test(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, check, comparison):
        self.check, self.comparison = check, comparison

    def test_it(self):
        self.check(self.comparison.find("answers"))
"""
DYNAMIC = """def test_it(request, comparison):
    request.getfixturevalue("check")(comparison.find("answers"))
"""
DOCTEST = '"""\n>>> getfixture("check")(getfixture("comparison").find("answers"))\n"""'


@pytest.fixture
def stale(project):
    """Return a project with a verdict that passes and a unit test beside the suites."""
    (project / "report").mkdir()
    (project / "report" / "verdict.json").write_text(STALE)
    (project / "test_unit.py").write_text(UNIT)
    return project


def verdict(folder):
    path = folder / "report" / "verdict.json"
    return path.read_text() if path.exists() else None


def skip_all(folder):
    for file in folder.glob("test_*.py"):
        file.write_text(SKIP)


def rename(folder):
    """Give the suites another name, which the settings know by the criteria in it."""
    (folder / "suites").rename(folder / "checks")
    with (folder / "pyproject.toml").open("a") as file:
        file.write('criteria = "checks/criteria.toml"\n')
    (folder / "checks" / "test_unit.py").write_text(UNIT)
    return folder / "checks"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), (".",), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=" ".join)
def test_suites_that_skip_themselves_are_red(stale, arguments):
    """The whole project with nothing but unit tests left: not judged, and the old pass is gone."""
    skip_all(stale / "suites")
    assert run(stale, "-q", *arguments).returncode == 3
    assert json.loads(verdict(stale))["verdict"] == "error"


@pytest.mark.slow
@pytest.mark.parametrize("skipped", [True, False])
def test_suites_of_another_name_are_suites(stale, skipped):
    """The folder of the criteria counts as well, with its gates skipped or deleted."""
    folder = rename(stale)
    if skipped:
        skip_all(folder)
    else:
        for name in ("attention", "held_out_subjects", "same_features"):
            (folder / f"test_{name}.py").unlink()
    (folder / "test_unit.py").write_text(UNIT)
    assert run(stale, "checks", "-q").returncode == 3
    assert json.loads(verdict(stale))["verdict"] == "error"


def test_a_run_that_dies_leaves_no_old_pass(stale):
    """The old verdict is taken away before the first test, also where no path named the suites."""
    (stale / "a_test.py").write_text(LEAVES)
    run(stale, "-q")
    assert verdict(stale) is None


def test_a_page_that_cannot_be_removed_keeps_no_old_pass(stale):
    """A folder in the page's place: the verdict goes all the same."""
    (stale / "report" / "index.html").mkdir()
    (stale / "suites" / "test_a.py").write_text(LEAVES)
    run(stale, "suites", "-q")
    assert verdict(stale) is None


@pytest.mark.parametrize(
    "arguments", [("--ignore=suites",), ("-o", "norecursedirs=suites"), ("test_unit.py",)], ids=" ".join
)
def test_unit_tests_alone_are_left_alone(stale, arguments):
    """Where the suites are left out by name, the old verdict stays."""
    assert run(stale, "-q", *arguments).returncode == 0
    assert verdict(stale) == STALE


def test_a_unit_test_beside_the_criteria_is_left_alone(stale):
    """One file of a folder that is not called suites is no gate."""
    rename(stale)
    assert run(stale, "checks/test_unit.py", "-q").returncode == 0
    assert verdict(stale) == STALE


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["serial", "workers"])
def test_a_case_of_unittest_is_named(project, workers):
    """pytest makes such tests in another way; the verdict names their file all the same."""
    (project / "suites" / "test_case.py").write_text(UNITTEST)
    done, document = gate(project, *workers)
    assert done.returncode == 0, done.stdout
    assert "suites/test_case.py" in document["suites"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_own.py", DYNAMIC),
        ("own.py", '"""\n>>> getfixture("check")(getfixture("comparison").find("answers"))\n"""'),
    ],
    ids=["dynamic", "doctest"],
)
def test_a_file_that_the_verdict_does_not_name_judges_nothing(project, name, text):
    """A test that asks for `check` while it runs, seen too late to be named, fails by itself."""
    (project / "suites" / name).write_text(text)
    done, document = gate(project, "--doctest-modules")
    assert (done.returncode, document["verdict"]) == (1, "fail"), done.stdout
    assert "Name it among the test's arguments" in json.dumps(document["reasons"])


@pytest.mark.slow
def test_a_conftest_above_the_project_is_named(project):
    """pytest loads it where its own root lies higher: the verdict names it, and `--project` finds it."""
    inner = project / "inner"
    inner.mkdir()
    for name in ("suites", "baselines", "same.keras", "heldout.npz", ".modelcheck"):
        (project / name).rename(inner / name)
    pytests, _, ours = (project / "pyproject.toml").read_text().partition("[tool.modelcheck]")
    (project / "pyproject.toml").write_text(pytests)
    (inner / "pyproject.toml").write_text(f"[tool.modelcheck]{ours}")
    (project / "conftest.py").write_text("")
    done = run(project, "inner/suites", "-q")
    assert done.returncode == 0, done.stdout
    named = json.loads(verdict(inner))["suites"]
    assert {"../conftest.py", "suites/test_same_features.py"} <= set(named)
