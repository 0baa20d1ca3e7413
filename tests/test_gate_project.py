"""No option's value decides whose settings judge a run: the suites do, or nothing is judged."""

import hashlib
import inspect
import itertools
import json
import shutil

import pytest
from _pytest.config.findpaths import determine_setup

from gates import CRITERIA, run
from modelcheck.gate.project import _common, _pytest_root, owner_of

QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
LAX = CRITERIA.replace("at_least = 0.75", "at_least = 0.0")
FILES = ("candidate", "baseline", "panel", "modelcheck-baseline-model", "modelcheck-waivers")
VALUES = {
    "candidate": "same.keras",
    "baseline": "baselines/mine",
    "panel": "heldout.npz",
    "modelcheck-baseline-model": "same.keras",
    "modelcheck-waivers": "none.toml",
}


@pytest.fixture
def two(light, tmp_path):
    """Two projects with a [tool.modelcheck] and no settings of pytest: `a` is strict, and `b` is lax."""
    for name, criteria in (("a", CRITERIA), ("b", LAX)):
        folder = tmp_path / name
        shutil.copytree(light, folder)
        text = (folder / "pyproject.toml").read_text()
        (folder / "pyproject.toml").write_text("[tool.modelcheck]" + text.split("[tool.modelcheck]")[1])
        (folder / "suites" / "criteria.toml").write_text(criteria)
        (folder / "none.toml").write_text("")
    return tmp_path


def verdict_of(folder):
    path = folder / "report" / "verdict.json"
    return json.loads(path.read_text()) if path.exists() else None


def judged_by_its_own(two, done, *, own="a", other="b"):
    """Check that a run was refused by name, or judged by its own criteria with its report in its own folder."""
    assert verdict_of(two / other) is None, done.stdout
    document = verdict_of(two / own)
    if done.returncode == 4 and document is None:
        assert str(two / own) in done.stdout
        assert str(two / other) in done.stdout
        return False
    if document["criteria"] is None:  # the value itself cannot be used, and says so in the suites' own report
        assert done.returncode == 4
        return False
    limits = (two / own / "suites" / "criteria.toml").read_bytes()
    assert document["criteria"]["sha256"] == hashlib.sha256(limits).hexdigest(), done.stdout
    return True


@pytest.mark.slow
@pytest.mark.parametrize("place", ["before", "after", "environment"])
@pytest.mark.parametrize("option", FILES)
def test_the_value_of_an_option_decides_nothing(two, option, place):
    """A path into another project, before the suites, after them or from the environment, changes no limit."""
    words = (f"--{option}", str(two / "b" / VALUES[option]))
    arguments = {"before": (*words, "suites"), "after": ("suites", *words), "environment": ("suites",)}[place]
    environment = {"PYTEST_ADDOPTS": " ".join(words)} if place == "environment" else {}
    done = run(two / "a", *QUIET, *arguments, environment=environment)
    judged_by_its_own(two, done)


def test_another_project_is_refused_by_name(two):
    """The value stands first, so pytest's root is the other project: exit 4, and both are named, with what to type."""
    done = run(two / "a", *QUIET, "--panel", two / "b" / "heldout.npz", "suites", "--candidate", "other.keras")
    assert done.returncode == 4, done.stdout
    assert not judged_by_its_own(two, done)
    assert f"--rootdir={two / 'a'}" in done.stdout
    assert "--panel=PATH" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["serial", "workers"])
@pytest.mark.parametrize("way", ["equals", "rootdir"])
def test_what_the_message_says_to_type_works(two, way, workers):
    """Joined by an equals sign, or with the root named, the suites' own limits judge."""
    panel = two / "b" / "heldout.npz"
    ways = {"equals": (f"--panel={panel}", "suites"), "rootdir": ("--panel", panel, "suites", f"--rootdir={two / 'a'}")}
    done = run(two / "a", *QUIET, *ways[way], "--candidate", "other.keras", *workers)
    assert judged_by_its_own(two, done)
    assert done.returncode == 1


def test_without_a_gate_at_the_start(two):
    """pytest in the project's folder, without paths: the same refusal."""
    done = run(two / "a", *QUIET, "--panel", two / "b" / "heldout.npz")
    assert done.returncode == 4, done.stdout
    assert not judged_by_its_own(two, done)


def test_settings_of_pytest_are_the_suites_own(two):
    """Another project's pytest.ini, which could add options, is refused where a value leads to it."""
    (two / "b" / "pytest.ini").write_text("[pytest]\naddopts = --modelcheck-report-only\n")
    (two / "b" / "pyproject.toml").unlink()
    (two / "b" / "suites" / "criteria.toml").unlink()
    done = run(two / "a", *QUIET, "--panel", two / "b" / "heldout.npz", "suites", "--candidate", "other.keras")
    assert done.returncode == 4, done.stdout
    assert "pytest took its settings from" in done.stdout


def test_a_folder_above_both_is_no_project(two):
    """Where the two have only a folder in common, that one's criteria do not judge."""
    (two / "suites").mkdir()
    (two / "suites" / "criteria.toml").write_text(LAX)
    for name in ("a", "b"):
        (two / name / "pyproject.toml").unlink()
    options = [f"--candidate={two}/a/other.keras", f"--baseline={two}/a/baselines/mine"]
    done = run(two / "a", *QUIET, "suites", *options, "--panel", two / "b" / "heldout.npz")
    assert done.returncode == 4, done.stdout
    assert verdict_of(two) is None


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["serial", "workers"])
def test_suites_of_two_projects_are_refused(two, workers):
    """One run is judged by one project's limits."""
    (two / "pytest.ini").write_text("[pytest]\n")
    done = run(two, *QUIET, "a/suites", "b/suites", *workers)
    assert done.returncode == 4, done.stdout
    assert "Run each by itself" in done.stdout
    done = run(two, *QUIET, "--import-mode=importlib", *workers)  # and where only collection finds them
    assert done.returncode == 4, done.stdout
    assert "is judged by the limits of" in done.stdout


@pytest.mark.slow
def test_a_project_below_the_root_is_judged_by_its_own(two):
    """In a repository of several projects with one pytest.ini, the nearest settings above the suites count."""
    (two / "pytest.ini").write_text("[pytest]\n")
    done = run(two, *QUIET, "a/suites", "--candidate", "a/other.keras")
    assert judged_by_its_own(two, done)
    assert done.returncode == 1


def test_a_root_with_settings_of_its_own_is_refused(two):
    """Where a project lies in another one, which has settings, too, both are named."""
    (two / "pyproject.toml").write_text("[tool.pytest.ini_options]\n[tool.modelcheck]\ntimeout = 60\n")
    done = run(two, *QUIET, "a/suites")
    assert done.returncode == 4, done.stdout
    assert f"{str(two)!r}" in done.stdout


def test_other_runs_are_left_alone(two):
    """Tests that are no gate run in both projects at once."""
    for name in ("a", "b"):
        (two / name / "tests").mkdir()
        (two / name / "tests" / f"test_{name}.py").write_text("def test_it():\n    pass\n")
    done = run(two, *QUIET, "a/tests", "b/tests")
    assert done.returncode == 0, done.stdout


def test_links_in_a_circle_are_no_traceback(two):
    """Suites that are a link to themselves are not there: pytest says so, whoever looked for their project."""
    shutil.rmtree(two / "a" / "suites")
    (two / "a" / "suites").symlink_to("suites")
    done = run(two / "a", *QUIET)
    assert done.returncode in (4, 5), done.stdout
    assert "Traceback" not in done.stdout
    assert "INTERNALERROR" not in done.stdout


LAYOUTS = list(
    itertools.product(
        ["", "pyproject", "options", "ini", "setup.py", "tox", "cfg"], ["", "pyproject", "options", "ini"], ["", "ini"]
    )
)


def fill(folder, kind):
    folder.mkdir(exist_ok=True)
    texts = {
        "pyproject": ("pyproject.toml", "[project]\nname = 'x'\n"),
        "options": ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ''\n"),
        "ini": ("pytest.ini", ""),
        "setup.py": ("setup.py", ""),
        "tox": ("tox.ini", "[pytest]\naddopts=\n"),
        "cfg": ("setup.cfg", "[tool:pytest]\naddopts=\n"),
    }
    if kind:
        name, text = texts[kind]
        (folder / name).write_text(text)


@pytest.mark.parametrize("layout", LAYOUTS, ids=" ".join)
def test_the_search_is_pytests(tmp_path, layout, monkeypatch):
    """With test paths alone the root and the file of settings are those that pytest itself finds."""
    above, one, other = layout
    fill(tmp_path, above)
    fill(tmp_path / "one", one)
    fill(tmp_path / "other", other)
    for name in ("one", "other"):
        (tmp_path / name / "suites").mkdir()
    optional = {"override_ini": None} if "override_ini" in inspect.signature(determine_setup).parameters else {}
    for here, paths in ((tmp_path, ["one/suites", "other/suites"]), (tmp_path / "one", ["suites"]), (tmp_path, [])):
        monkeypatch.chdir(here)
        root, file, options, *_ = determine_setup(
            inifile=None, args=paths, rootdir_cmd_arg=None, invocation_dir=here, **optional
        )
        found, configured = _pytest_root(here, [here / path for path in paths])
        assert found == root
        assert configured == (file.parent if file and (options or file.name == "pytest.ini") else None)


def test_the_nearest_settings_count_up_to_the_top(tmp_path):
    """A [tool.modelcheck] above the top is not looked for."""
    inner = tmp_path / "one" / "suites"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.modelcheck]\ntimeout = 60\n")
    assert owner_of(inner, top=tmp_path) == tmp_path
    assert owner_of(inner, top=tmp_path / "one") is None
    assert _common([inner, tmp_path / "one" / "other"]) == tmp_path / "one"
