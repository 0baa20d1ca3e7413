"""The options of pytest: their names carry the package's, former names work with one warning, and help is short."""

import argparse
import re
from pathlib import Path

import pytest

from gates import gate, run
from modelcheck.gate.options import OPTIONS, add_options, read_options

ROOT = Path(__file__).parents[1]
RENAMED = [option for option in OPTIONS if option.former]
# The runs share a process that has modelcheck imported, of which pytest warns.
STRICT = ("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")
SWITCHES = {"report_folder", "redact_inputs", "report_only"}


class Group:
    """A parser and its group in one, as pytest has them: just enough to be given options, and to read words."""

    def __init__(self):
        self.parser = argparse.ArgumentParser(allow_abbrev=False)
        self.dest = {}
        self.warned = []

    def getgroup(self, name, heading):
        assert name in heading
        return self

    def addoption(self, name, **kind):
        self.dest[name] = self.parser.add_argument(name, **kind).dest

    def read(self, *words):
        self.given = self.parser.parse_args(words)
        return read_options(self)

    def getoption(self, name):
        return getattr(self.given, self.dest[name])

    def issue_config_time_warning(self, warning, stacklevel):
        self.warned.append(str(warning))


@pytest.fixture
def config():
    """What pytest would make of the options."""
    group = Group()
    add_options(group)
    return group


def test_the_promised_names():
    """Four options have short names; each other carries the package's, and the older ones were once without it."""
    short = ["candidate", "source", "baseline", "panel"]
    assert [option.name for option in OPTIONS if not option.name.startswith("modelcheck-")] == short
    never = {f"modelcheck-{name}" for name in ("run-id", "output", "input", "label", "threshold", "preprocessing")}
    never |= {"modelcheck-workers", "modelcheck-scheduler"}
    assert {option.name for option in OPTIONS if not option.former} == {*short, *never}
    assert {option.former for option in RENAMED} == {
        *("report", "today", "criteria", "waivers", "outputs", "baseline-model"),
        *("report-folder", "redact-inputs", "report-only"),
    }


@pytest.mark.parametrize("option", RENAMED, ids=lambda option: option.key)
def test_both_names_do_the_same_and_the_former_warns(config, option):
    """A former name sets what the new one sets; it alone is warned of, by the name to use."""
    value = [] if option.key in SWITCHES else ["x"]
    new = config.read(f"--{option.name}", *value)
    assert new[option.key] == (value[0] if value else True)
    assert not config.warned
    assert config.read(f"--{option.former}", *value) == new
    assert len(config.warned) == 1
    assert f"--{option.former} is now --{option.name}." in config.warned[0]
    assert config.read(f"--{option.former}", *value, f"--{option.name}", *value) == new


@pytest.mark.parametrize("option", [row for row in RENAMED if row.key not in SWITCHES], ids=lambda option: option.key)
def test_two_values_are_refused(config, option):
    """Both names with different values are a usage error: neither is the obvious one."""
    with pytest.raises(pytest.UsageError, match=f"--{option.name} is 'a', and --{option.former}, .* is 'b'"):
        config.read(f"--{option.former}", "b", f"--{option.name}", "a")


def test_nothing_is_given(config):
    """Without options all is None, and every switch is off."""
    given = config.read()
    assert {key for key, value in given.items() if value is False} == SWITCHES
    assert {value for key, value in given.items() if key not in SWITCHES} == {None}


def test_a_worker_does_not_warn(config):
    """A worker of a distributed run reads the same words as its controller, which has warned."""
    config.workerinput = {}
    assert config.read("--report", "x")["report"] == "x"
    assert not config.warned


def test_help_shows_the_new_names_in_one_line_each(project):
    """`pytest --help` lists our options under a heading of ours, each explained in one line, and no former name."""
    told = run(project, "--help", environment={"COLUMNS": "80"}).stdout
    section = re.search(r"^(.*modelcheck.*):\n((?:  .*\n)+)", told, re.M)[2]
    for option in OPTIONS:
        assert re.search(rf"--{option.name}(=\S+)?\s+{re.escape(option.help)}\n", section), option
        assert not option.former or not re.search(rf"(?<![\w-])--{option.former}(?![\w-])", told), option
    assert section.count("--") == len(OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["alone", "two workers"]
)
def test_a_former_name_works_and_warns_once(project, workers):
    """A run with former names is judged as asked, with one warning in all."""
    done, verdict = gate(project, "--candidate", "other.keras", "--report-only", "--report", "report", *workers)
    assert (done.returncode, verdict["verdict"], verdict["enforced"]) == (0, "fail", False)
    assert done.stdout.count("is now --modelcheck-report-only") == 1
    assert done.stdout.count("PytestDeprecationWarning") == 1
    assert "--report is now --modelcheck-report," in done.stdout


@pytest.mark.slow
def test_a_new_name_does_not_warn(project):
    """The names of today are silent, also where warnings are errors."""
    done, verdict = gate(project, "--modelcheck-report", "report", *STRICT)
    assert (done.returncode, verdict["verdict"]) == (0, "pass")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--report", "report", *STRICT), "--report is now --modelcheck-report."),
        (("--report", "a", "--modelcheck-report", "b"), "--modelcheck-report is 'b', and --report, its former name"),
    ],
    ids=["warnings are errors", "two values"],
)
def test_what_cannot_be_meant_is_a_usage_error(project, words, said):
    """A former name where warnings are errors, and two values for one option: exit code 4, and a line that says why."""
    done, verdict = gate(project, *words)
    assert (done.returncode, verdict) == (4, None)
    assert f"ERROR: modelcheck: {said}" in done.stdout or f"ERROR: {said}" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_a_former_name_can_be_silenced(project):
    """A filter of the project's own for the warning is kept."""
    done, _ = gate(project, "--report", "report", "-W", "ignore::pytest.PytestDeprecationWarning")
    assert done.returncode == 0
    assert "is now" not in done.stdout


def test_nobody_uses_a_former_name():
    """Documents, messages and scripts use today's names; options of other commands are called the same and may stay."""
    others = {"criteria", "outputs", "baseline-model", "redact-inputs", "report-folder"}
    names = "|".join(option.former for option in RENAMED if option.former not in others)
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".ci" / "run", *ROOT.glob("suites/*")]
    kinds = (".md", ".py", ".json", ".txt", ".jinja")
    for folder in ("docs", "modelcheck", "benchmarks"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    for path in files:
        if path.is_file():
            found = re.findall(rf"(?<![\w-])--(?:{names})(?![\w-])", path.read_text(encoding="utf-8"))
            assert not found, path


@pytest.mark.slow
@pytest.mark.parametrize("written", [r"a\u0000b.keras", ""], ids=["NUL", "empty"])
def test_a_path_that_names_no_file_is_an_error_of_the_settings(tmp_path, written):
    """Nothing at all, or the one character that no name can hold: exit 4 and a sentence, from file and option alike."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "test_x.py").write_text("def test_x(comparison):\n    pass\n")
    for text in (
        f'[tool.modelcheck]\ncandidate = "{written}"\n',
        f"[tool.modelcheck]\ntimeout = 60\n[tool.pytest.ini_options]\naddopts = \"'--candidate={written}'\"\n",
    ):
        (tmp_path / "pyproject.toml").write_text(text)
        done = run(tmp_path, "suites/")
        assert done.returncode == 4, done.stdout
        assert "candidate must be a path in quotes" in done.stdout
        assert "INTERNALERROR" not in done.stdout
