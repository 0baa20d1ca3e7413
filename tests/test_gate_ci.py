"""What a build sees of the gate: exit codes, JUnit, the step summary, report-only, and the documented workflows."""

import json
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ET

import pytest
import yaml

from gates import ROOT, approve, gate, measured, run
from modelcheck.report.markdown import step_summary, summary_markdown
from modelcheck.support.escaping import clean
from reports import CORPUS, make_case, make_document
from signatures import make_panel

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
WORKFLOWS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]


def junit(project, *arguments):
    """Run the gate and return the test cases of its JUnit file."""
    gate(project, "--junitxml", "junit.xml", *arguments)
    return {case.get("name"): case for case in ET.parse(project / "junit.xml").iter("testcase")}


def properties(case):
    return {item.get("name"): item.get("value") for item in case.iter("property")}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["serial", "workers"])
def test_junit_has_a_case_for_each_layer_and_person(project, workers):
    """One test case a layer, person, pose and method; its properties hold verdict, value, limit, baseline and n."""
    cases = junit(project, "--candidate", "other.keras", *workers)
    assert {"test_same_features[conv1]", "test_subject_accuracy[ben]", "test_attention[left]"} <= set(cases)
    told = properties(cases["test_subject_accuracy[ben]"])
    name = "modelcheck.subject_accuracy[ben]"
    assert told == {
        f"{name}.verdict": "fail",
        f"{name}.value": "0.5",
        f"{name}.limit": "at least 0.75",
        f"{name}.baseline": "1.0",
        f"{name}.n": "8",
    }
    assert cases["test_subject_accuracy[ben]"].find("failure") is not None
    assert cases["test_subject_accuracy[ada]"].find("failure") is None
    assert properties(cases["test_subject_accuracy[ada]"])["modelcheck.subject_accuracy[ada].verdict"] == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("hostile", [*CORPUS, "::error::x", "##[add-mask]x"], ids=range(len(CORPUS) + 2))
def test_hostile_names_act_nowhere(light, tmp_path, hostile):
    """A person whose name is markup, an escape or a command: JUnit is well formed, and no line of the log is obeyed."""
    project = tmp_path / "project"
    shutil.copytree(light, project)
    panel = make_panel(subjects=("ada", hostile))
    panel.save(project / "heldout.npz")
    approve(project, panel=panel)
    measured(project, "same.keras", panel=panel, learned=0.95, seed=3, accuracy={hostile: 0.25})
    summary = project / "step.md"
    done, verdict = gate(project, "--junitxml", "junit.xml", environment={"GITHUB_STEP_SUMMARY": str(summary)})
    assert done.returncode == 1, done.stdout
    assert any(row["about"] == hostile and row["verdict"] == "fail" for row in verdict["findings"])
    assert ET.parse(project / "junit.xml").getroot() is not None
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", done.stdout)
    assert not re.search(r"(?im)^\s*::[a-z-]+( .*)?::|##\[", done.stdout)
    assert not re.search(r"(?<!\\)\[x\]|<svg|<img|@me", summary.read_text())


@pytest.mark.slow
def test_the_step_summary_is_appended_once(project):
    """The controller alone adds the summary to what other steps wrote, also when workers ran the tests."""
    target = project / "step.md"
    target.write_text("# before\n")
    gate(project, "-n", "2", environment={"GITHUB_STEP_SUMMARY": str(target)})
    text = target.read_text()
    assert text.startswith("# before\n\n## ")
    assert text.count("PASS") == 1
    assert text.endswith((project / "report" / "summary.md").read_text())


@pytest.mark.slow
def test_a_step_summary_that_cannot_be_written_is_said(project):
    """The verdict does not depend on it: the run stays green, and a line says where the summary stands."""
    done, verdict = gate(project, environment={"GITHUB_STEP_SUMMARY": str(project / "no" / "folder")})
    assert (done.returncode, verdict["verdict"]) == (0, "pass")
    assert "step summary could not be written" in done.stdout


@pytest.mark.slow
def test_the_step_summary_keeps_within_its_limit():
    """Two thousand findings with the longest names fit into what is left of a mebibyte, the gravest first."""
    document = make_document(make_case()[1])
    first = document["findings"][0]
    rows = [
        {**row, "key": f"{row['metric']}[{about}]", "about": about, "criterion": {**row["criterion"], "why": "<" * 400}}
        for row, about in ((first, "the worst"), *[(first, "&" * 400)] * 2_000)
    ]
    document |= {"findings": rows, "reasons": [{"kind": "error", "text": "&" * 600}] * 500}
    for used in (0, 1_000_000, 1_040_000):
        text = step_summary(document, used=used)
        assert text
        assert used + len(text.encode()) <= 1024 * 1024
        assert "the worst" in text
    assert step_summary(document, used=1024 * 1024 - 10) == ""
    assert len(summary_markdown(document).encode()) > 48_576  # the limit was felt above


@pytest.mark.slow
def test_report_only_exits_0_and_stays_honest(project):
    """A judgement is not enforced: exit 0, while the document says fail and what it would have answered."""
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-report-only")
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["enforced"], verdict["exit_code"]) == ("fail", False, 1)
    assert "Report only" in done.stdout
    for name in ("summary.md", "index.html"):
        assert "Report only" in (project / "report" / name).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["suites/test_same_features.py", "heldout.npz", "baselines/mine/manifest.json"])
def test_report_only_excuses_judgements_alone(project, missing):
    """Where nothing could be judged, --modelcheck-report-only is as red as ever."""
    (project / missing).unlink()
    done, verdict = gate(project, "--modelcheck-report-only")
    assert done.returncode == verdict["exit_code"] != 0, done.stdout
    assert verdict["verdict"] == "error"


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "code"), [("", 1), ('inconclusive = "fail"\n', 1), ('inconclusive = "pass"\n', 0)])
def test_inconclusive_is_red_unless_it_is_asked_for(project, setting, code):
    """The verdict says inconclusive either way; the setting moves the exit code, and the test is amber, not green."""
    with (project / "pyproject.toml").open("a") as file:
        file.write(setting)
    text = (project / "suites" / "criteria.toml").read_text()
    (project / "suites" / "criteria.toml").write_text(text.replace("at_least = 0.75", "at_least = 0.4"))
    done, verdict = gate(project, "--candidate", "other.keras")
    assert done.returncode == code == verdict["exit_code"], done.stdout
    assert verdict["verdict"] == "inconclusive"
    assert ("1 inconclusive" in done.stdout) == (code == 0)


@pytest.mark.slow
def test_inconclusive_does_not_cover_a_test_that_fails(project):
    """Where inconclusive may pass, a test that failed by itself is still red."""
    test_inconclusive_is_red_unless_it_is_asked_for(project, 'inconclusive = "pass"\n', 0)
    (project / "suites" / "test_own.py").write_text("def test_small(candidate):\n    assert candidate.layers == 0\n")
    done, verdict = gate(project, "--candidate", "other.keras")
    assert (done.returncode, verdict["verdict"]) == (1, "fail")
    assert "test_small failed" in done.stdout


def steps(workflow):
    """Yield every mapping of a workflow that holds shell lines."""
    if isinstance(workflow, dict):
        if "run" in workflow or "script" in workflow or "before_script" in workflow:
            yield workflow
        for part in workflow.values():
            yield from steps(part)
    elif isinstance(workflow, list):
        for part in workflow:
            yield from steps(part)


def shell(workflow):
    """Return the shell lines of a workflow."""
    found = []
    for step in steps(workflow):
        for key in ("run", "before_script", "script", "after_script"):
            lines = step.get(key, [])
            found += [lines] if isinstance(lines, str) else lines
    return found


def test_two_workflows_are_documented():
    """One for GitHub Actions, one for GitLab; both are YAML that a parser reads."""
    assert len(WORKFLOWS) == 2
    github, gitlab = WORKFLOWS
    assert set(github["jobs"]) == {"gate", "deploy"}
    assert {"gate", "deploy"} <= set(gitlab)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["github", "gitlab"])
def test_the_shell_lines_parse_and_exist(workflow, project):
    """Every shell line passes `bash -n`, and every option of ours that it uses is one that exists."""
    lines = shell(workflow)
    assert any(line.startswith("pytest suites/") or "\npytest suites/" in line for line in lines)
    assert any("modelcheck verdict report/verdict.json --candidate" in line for line in lines)
    known = run(project, "--help").stdout + (ROOT / "modelcheck" / "cli" / "verdict.py").read_text()
    for line in lines:
        checked = subprocess.run(["bash", "-n"], input=line, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
        if line.startswith(("pytest", "modelcheck")):
            for option in re.findall(r"(?<!\S)(--[a-z-]+)", line):
                assert option.replace("--junitxml", "--junit-xml") in known, option


def test_the_github_workflow_keeps_the_rules():
    """Read-only, actions pinned by commit, the report kept also when red, and no job that swallows a red gate."""
    github = WORKFLOWS[0]
    assert github["permissions"] == {"contents": "read"}
    assert "continue-on-error" not in json.dumps(github)
    used = [step for job in github["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@<[a-z ]*commit[^>]*>", step["uses"]) for step in used)
    upload = next(step for step in used if "upload-artifact" in step["uses"])
    assert upload["if"] == "${{ !cancelled() }}"
    assert any(step.get("with", {}).get("path") == ".modelcheck" for step in used)
    assert github["jobs"]["deploy"]["needs"] == "gate"


def test_the_gitlab_pipeline_keeps_the_rules():
    """The report is kept also when red, JUnit is named, the cache holds measurements, and deploy needs the gate."""
    gitlab = WORKFLOWS[1]
    kept = gitlab["gate"]["artifacts"]
    assert kept["when"] == "always"
    assert kept["reports"]["junit"] == "junit.xml"
    assert gitlab["gate"]["cache"]["paths"] == [".modelcheck/"]
    assert "allow_failure" not in gitlab["gate"]
    assert gitlab["deploy"]["needs"] == ["gate"]


def test_settings_of_the_page_are_read():
    """Configuration shown on the page is TOML with keys that exist."""
    from modelcheck.gate.settings import Settings

    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.S):
        for key in tomllib.loads(block).get("tool", {}).get("modelcheck", {}):
            assert key in Settings.__dataclass_fields__


def test_the_oracle_of_logs_can_fail():
    """What the log is searched for is there before it is cleaned."""
    assert re.search(r"(?im)^\s*::[a-z-]+( .*)?::|##\[", "::error::x")
    assert not re.search(r"(?im)^\s*::[a-z-]+( .*)?::|##\[", clean("::error::x"))
