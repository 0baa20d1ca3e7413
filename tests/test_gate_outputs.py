"""Nothing that a run or a command writes may be, lie in, or hold what it reads."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gates import gate, run
from modelcheck.cli.main import main
from modelcheck.gate.outputs import OutputError, check_outputs
from modelcheck.signature import read_signature
from signatures import make_signature


def content(folder):
    """Return every file below a folder, but for what each run writes."""
    skipped = ("report/", ".log", ".modelcheck/")
    files = ((path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        name: path.read_bytes() for name, path in files if not name.startswith(skipped) and "__pycache__" not in name
    }


def named_candidate(folder):
    (folder / "baselines" / "mine").rename(folder / "baselines" / "candidate")
    return "--baseline", "baselines/candidate", "--modelcheck-report", "baselines"


def another_spelling(folder):
    (folder / "baselines" / "mine").rename(folder / "baselines" / "candidate")
    return "--baseline", "baselines/candidate", "--modelcheck-report", "suites/../baselines/../baselines/."


def through_a_link(folder):
    (folder / "baselines" / "mine").rename(folder / "baselines" / "candidate")
    (folder / "out").symlink_to("baselines")
    return "--baseline", "baselines/candidate", "--modelcheck-report", "out"


def a_link_in_the_report(folder):
    (folder / "report").mkdir()
    (folder / "report" / "candidate").symlink_to("../baselines/mine")
    return ("--modelcheck-report", "report")


def pictures_in_the_baseline(folder):
    (folder / "report").mkdir()
    (folder / "report" / "pictures").symlink_to("../baselines/mine")
    return ("--modelcheck-report-folder",)


def a_baseline_that_is_a_link(folder):
    (folder / "baselines" / "candidate").symlink_to("mine")
    return "--baseline", "baselines/candidate", "--modelcheck-report", "baselines"


def the_baseline_itself(folder):
    return "--modelcheck-report", "baselines/mine"


def below_the_baseline(folder):
    return "--modelcheck-report", "baselines/mine/report"


def the_folder_of_baselines(folder):
    return "--modelcheck-report", "baselines"


def another_baseline(folder):
    make_signature("other").write(folder / "baselines" / "other")
    (folder / "baselines" / "other" / "HISTORY.md").write_text("# History\n")
    return "--modelcheck-report", "baselines/other/report"


def the_suites(folder):
    return "--modelcheck-report", "suites"


def criteria_as_the_summary(folder):
    shutil.move(folder / "suites" / "criteria.toml", folder / "summary.md")
    return "--modelcheck-criteria", "summary.md", "--modelcheck-report", "."


def criteria_by_a_hard_link(folder):
    (folder / "out").mkdir()
    os.link(folder / "suites" / "criteria.toml", folder / "out" / "summary.md")
    return "--modelcheck-report", "out"


def the_candidate(folder):
    (folder / "out" / "candidate").mkdir(parents=True)
    shutil.move(folder / "same.keras", folder / "out" / "candidate" / "same.keras")
    return "--candidate", "out/candidate/same.keras", "--modelcheck-report", "out"


def cache_in_the_baseline(folder):
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(f'{text}cache = "baselines/mine"\n')
    return ()


def cache_among_the_baselines(folder):
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(f'{text}cache = "baselines"\n')
    return ()


def cache_is_the_project(folder):
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(f'{text}cache = "."\n')
    return ()


def junit_over_the_criteria(folder):
    return ("--junitxml", "suites/criteria.toml")


ROWS = (
    *(named_candidate, another_spelling, through_a_link, a_link_in_the_report, pictures_in_the_baseline),
    *(a_baseline_that_is_a_link, the_baseline_itself, below_the_baseline, the_folder_of_baselines, another_baseline),
    *(the_suites, criteria_as_the_summary, criteria_by_a_hard_link, the_candidate, cache_in_the_baseline),
    *(cache_among_the_baselines, cache_is_the_project, junit_over_the_criteria),
)


@pytest.mark.parametrize("damage", ROWS, ids=lambda damage: damage.__name__)
def test_an_output_that_is_an_input_is_refused(project, damage):
    """Report, cache or another file where something is read: exit 4, both are named, and nothing is changed."""
    arguments = damage(project)
    before = content(project)
    if "--candidate" not in arguments:
        arguments = (*arguments, "--candidate", "other.keras")
    done = run(project, "suites", "-q", *arguments)
    assert done.returncode == 4, done.stdout
    assert "Nothing was written. Give another place" in done.stdout
    assert content(project) == before


def test_a_run_that_only_collection_shows_to_be_a_gate(project):
    """Where pytest is called without paths, the report is refused all the same, and not written."""
    before = content(project)
    done = run(project, "-q", "--modelcheck-report", "baselines/mine/report")
    assert done.returncode in (3, 4), done.stdout
    assert "Giveanotherplace" in "".join(done.stdout.split())  # a long path folds lines anywhere
    assert content(project) == before


def test_settings_that_cannot_be_read_write_into_no_baseline(project):
    """The verdict of a run whose settings are wrong goes into no input either."""
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(f"{text}no_such_setting = 1\n")
    before = content(project)
    arguments = ("--baseline", "baselines/mine", "--modelcheck-report", "baselines/mine")
    assert run(project, "suites", "-q", *arguments).returncode == 4
    assert content(project) == before


@pytest.mark.slow
@pytest.mark.parametrize("paths", [("suites",), ()], ids=["suites", "no paths"])
def test_a_step_summary_over_an_input_is_refused(project, paths):
    """The build's summary is appended to a file, which must not be the criteria."""
    before = content(project)
    path = str(project / "suites" / "criteria.toml")
    done = run(project, *paths, "-q", environment={"GITHUB_STEP_SUMMARY": path})
    assert done.returncode in (3, 4), done.stdout
    assert "Giveanotherplace" in "".join(done.stdout.split())  # a long path folds lines anywhere
    assert content(project) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "report", ["report", "out/of/the/way", "suites/report", ".modelcheck/report", "baselines/../r"]
)
def test_ordinary_places_are_taken(project, report):
    """A folder of its own, wherever it is, receives the report; twice."""
    for _ in range(2):
        done = run(project, "suites", "-q", "--modelcheck-report", report)
        assert done.returncode == 0, done.stdout
    assert (project / report / "candidate" / "manifest.json").exists()


@pytest.mark.slow
def test_a_run_leaves_its_inputs_alone(project):
    """An ordinary run changes nothing that it reads."""
    before = content(project)
    assert gate(project)[0].returncode == 0
    assert content(project) == before


COMMANDS = {
    "measure over the signature": "measure same.keras --panel heldout.npz --like baselines/mine --to baselines/mine",
    "measure below it": "measure same.keras --panel heldout.npz --like baselines/mine --to baselines/mine/x",
    "measure through a link": "measure same.keras --panel heldout.npz --like baselines/mine --to link",
    "measure into the network": "measure same.keras --panel heldout.npz --to same.keras",
    "report into the baseline": "report baselines/mine --to baselines/mine",
    "report through a link": "report baselines/mine --to link",
    "picture over the panel": "approve same.keras --panel heldout.npz --to x --picture heldout.npz --dry-run",
    "picture over the network": "approve same.keras --panel heldout.npz --to x --picture same.keras --dry-run",
    "picture in the baseline": "diff baselines/mine baselines/mine --picture baselines/mine/manifest.json",
    "baseline in the report": "approve --from report --to report/candidate --reason x",
    "approve over the panel": "approve same.keras --panel new/manifest.json --to new --reason x",
    "table over the network": "units same.keras --panel heldout.npz --csv same.keras",
    "table over the panel": "units same.keras --panel heldout.npz --csv ./suites/../heldout.npz",
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_commands_never_write_over_what_they_read(project, words, monkeypatch):
    """The command line refuses the same, before it measures anything."""
    monkeypatch.chdir(project)
    Path("link").symlink_to("baselines/mine")
    Path("new").mkdir()
    shutil.copy("heldout.npz", "new/manifest.json")
    before = content(project)
    told = CliRunner().invoke(main, words.split())
    assert told.exit_code == 4, told.output
    assert "Give another place" in " ".join(told.output.split())
    assert content(project) == before


def test_the_baseline_stays_what_it_was(project):
    """The report of a failing network among baselines: the baseline is still the release."""
    arguments = named_candidate(project)
    run(project, "suites", "-q", "--candidate", "other.keras", *arguments)
    assert read_signature(project / "baselines" / "candidate").model["file"] == "release.keras"


def test_what_is_not_there_can_be_told_apart(tmp_path):
    """Paths that do not exist yet are compared by where they would be."""
    check_outputs({tmp_path / "a" / "b": "--to"}, inputs={"panel": tmp_path / "a" / "c", "none": None})
    with pytest.raises(OutputError, match="the panel"):
        check_outputs({tmp_path / "x" / ".." / "a": "--to"}, inputs={"panel": tmp_path / "a" / "c"})
