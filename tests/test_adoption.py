"""What other repositories take in: the GitHub action, the GitLab component, the container, the hook and its command."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.gate.plan import make_plan
from modelcheck.gate.settings import read_settings

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
COMPONENT = [*yaml.safe_load_all((ROOT / "templates" / "gate.yml").read_text(encoding="utf-8"))]


def put(folder, name, text):
    """Write an executable, which stands for a program on PATH."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs a script of the action where `python` and `gh` write down what they were given."""
    programs, project = tmp_path / "bin", tmp_path / "project"
    programs.mkdir()
    project.mkdir()
    real = shutil.which("python3", path=os.defpath) or sys.executable
    put(
        programs,
        "python",
        f'#!/bin/sh\nif [ "$1" = -m ]; then printf "%s\\n" "$@" >>"$LOG"; exit "${{CODE:-0}}"; fi\nexec {real} "$@"\n',
    )
    put(
        programs,
        "gh",
        '#!/bin/sh\nprintf "%s\\n" "$@" >>"$LOG"\n'
        'for word in "$@"; do\n'
        'case "$word" in body=@*) cp "${word#body=@}" "$BODY";; --paginate) cat "$OLD";; esac\n'
        'done\nexit "${CODE:-0}"\n',
    )

    def run(script, **environment):
        paths = {
            "LOG": tmp_path / "log",
            "BODY": tmp_path / "body",
            "OLD": tmp_path / "old",
            "GITHUB_OUTPUT": tmp_path / "output",
        }
        (tmp_path / "log").write_text("")
        (tmp_path / "old").touch()
        done = subprocess.run(
            ["bash", ROOT / "actions" / script],
            cwd=project,
            env={"PATH": f"{programs}:{os.environ['PATH']}", **{k: str(v) for k, v in paths.items()}, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, (tmp_path / "log").read_text().splitlines()

    run.folder, run.project = tmp_path, project
    return run


PLAIN = {"SUITES": "suites", "CANDIDATE": "", "SOURCE": "", "WORKERS": "0", "REPORT_ONLY": "false"}


def test_what_the_action_uses_is_pinned():
    """A tag can be moved: every action is named by a full commit."""
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", name) for name in used)


def test_no_input_is_pasted_into_a_script():
    """An input that holds shell is a value in the environment, never a part of the script."""
    assert all("${{" not in step["run"] for step in STEPS if "run" in step)
    assert all(
        "$[[" not in line
        for line in [*COMPONENT[1]["modelcheck"]["script"], *COMPONENT[1]["modelcheck"]["before_script"]]
    )


def test_every_input_is_used():
    """An input that nothing reads would be a promise."""
    text = json.dumps(ACTION["runs"])
    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in text and f"inputs.{name}}}" not in text] == []


def test_only_a_protected_branch_saves_the_cache():
    """What a pull request measures is never read by another."""
    [save] = [step for step in STEPS if "cache/save" in step.get("uses", "")]
    assert "github.ref_protected == true" in save["if"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ["suites", "--junitxml", "junit.xml"]),
        (
            {"CANDIDATE": "models/a b; touch x.keras", "SOURCE": "a b.keras", "WORKERS": "2", "REPORT_ONLY": "true"},
            [
                "suites",
                "--junitxml",
                "junit.xml",
                "--candidate",
                "models/a b; touch x.keras",
                "--source",
                "a b.keras",
                "-n",
                "2",
                "--modelcheck-report-only",
            ],
        ),
    ],
    ids=["plain", "all"],
)
def test_the_gate_is_run_as_the_action_was_told(shell, given, wanted):
    """Inputs become options, each one word, whatever it holds."""
    done, words = shell("gate.sh", **{**PLAIN, **given})
    assert (done.returncode, words) == (0, ["-m", "pytest", *wanted])
    assert [*shell.project.iterdir()] == []


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_step_ends_as_the_gate_does(shell, code):
    """The exit code is the gate's, and the verdict is an output."""
    (shell.project / "report").mkdir()
    (shell.project / "report" / "verdict.json").write_text('{"verdict": "fail"}')
    done, _ = shell("gate.sh", **PLAIN, CODE=str(code))
    assert done.returncode == code
    assert (shell.folder / "output").read_text() == "verdict=fail\n"


def test_a_verdict_that_cannot_be_read_is_no_pass(shell):
    """A damaged verdict beside an exit code of 0 is an error of its own."""
    (shell.project / "report").mkdir()
    (shell.project / "report" / "verdict.json").write_text("{")
    done, _ = shell("gate.sh", **PLAIN)
    assert done.returncode == 3


def comment(shell, summary, *, old="", code="0"):
    (shell.project / "report").mkdir()
    (shell.project / "report" / "summary.md").write_text(summary, encoding="utf-8")
    (shell.folder / "old").write_text(old)
    return shell("comment.sh", GITHUB_REPOSITORY="team/project", PULL_REQUEST="7", CODE=code)


@pytest.mark.parametrize(
    ("old", "method", "place"), [("", "POST", "issues/7/comments"), ("41\n42\n", "PATCH", "issues/comments/41")]
)
def test_there_is_one_comment(shell, old, method, place):
    """The first run writes a comment, later ones replace it."""
    done, words = comment(shell, "## fail\n\nada: 0.50 < 0.75\n", old=old)
    assert done.returncode == 0, done.stderr
    assert method in words
    assert f"repos/team/project/{place}" in words
    assert (shell.folder / "body").read_text() == "<!-- modelcheck -->\n## fail\n\nada: 0.50 < 0.75\n"


def test_a_token_that_may_not_write_is_a_warning(shell):
    """Pull requests from forks get a token that only reads: the gate's answer stays what it was."""
    done, _ = comment(shell, "## pass\n", code="1")
    assert done.returncode == 0
    assert "::warning::" in done.stdout


def test_a_long_summary_is_cut_at_a_line(shell):
    """GitHub refuses comments above 65,536 characters: what is left out is said."""
    comment(shell, "every line has é\n" * 6000)
    body = (shell.folder / "body").read_text(encoding="utf-8")
    assert len(body) < 65_536
    assert body.endswith("every line has é\n\nThe rest is in the uploaded report.\n")


def test_without_a_summary_nothing_is_commented(shell):
    """A gate that ended before its report leaves no comment, and the step is no second failure."""
    done, words = shell("comment.sh", GITHUB_REPOSITORY="team/project", PULL_REQUEST="7")
    assert (done.returncode, words) == (0, [])
    assert "nothing is commented" in done.stdout


def test_the_install_takes_words_and_runs_nothing(shell):
    """A requirement file is two words; what looks like shell is a word for pip."""
    _, words = shell("install.sh", INSTALL="-r requirements.txt $(touch x) *", WORKERS="2")
    assert words[:7] == ["-m", "pip", "install", "--quiet", "-r", "requirements.txt", "$(touch"]
    assert words[-1] == "pytest-xdist"
    assert [*shell.project.iterdir()] == []


def test_the_component_keeps_caches_of_protected_branches_apart():
    """The job has the inputs that its header names, JUnit, the report, and a cache key of its own."""
    header, jobs = COMPONENT
    job = jobs["modelcheck"]
    text = json.dumps(job)
    assert all(f"$[[ inputs.{name} ]]" in text for name in header["spec"]["inputs"])
    assert "$CI_COMMIT_REF_PROTECTED" in job["cache"]["key"]
    assert job["artifacts"]["when"] == "always"


def test_the_container_is_made_from_what_is_there():
    """Every source that the Dockerfile copies exists, and .dockerignore lets it in."""
    admitted = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    ]
    assert sorted(copied) == sorted(admitted)
    assert all((ROOT / name).exists() for name in copied)


def test_the_hook_runs_a_command_that_there_is():
    """The hook's entry is a command line of ours, and looks at the files that it checks."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, name = hook["entry"].split()
    assert program == "modelcheck"
    assert name in main.commands
    assert all(
        re.search(hook["files"], path) for path in ("suites/criteria.toml", "suites/waivers.toml", "pyproject.toml")
    )
    assert not re.search(hook["files"], "modelcheck/cli/criteria.py")


def test_the_command_lists_what_the_gate_judges():
    """As many checks gate in the list as the plan of a run has."""
    done = CliRunner().invoke(main, ["criteria", "--in", str(ROOT)])
    assert done.exit_code == 0, done.output
    plan = make_plan(read_settings(ROOT))
    lines = done.output.splitlines()
    assert len(lines) == len(plan.criteria) + 1
    gating = [line for line in lines if line.startswith("gates ") and not line.endswith(": nothing here")]
    assert sum(len(line.rpartition(": ")[2].split(", ")) for line in gating) == int(lines[-1].split()[0])


def test_the_command_refuses_what_the_gate_refuses(tmp_path):
    """A row on a metric that does not exist is exit 4, with the nearest known one."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "criteria.toml").write_text(
        '[[criterion]]\nmetric = "recogniton"\nat_least = 0.4\nwhy = "As agreed."\n'
    )
    (tmp_path / "pyproject.toml").write_text(f'[tool.modelcheck]\nbaseline = "{ROOT / "baselines" / "drawn-faces"}"\n')
    done = CliRunner().invoke(main, ["criteria", "--in", str(tmp_path)])
    assert done.exit_code == 4
    assert "'recogniton', which does not exist. Did you mean 'recognition'?" in done.output
