"""What a verdict is bound to: every process of a run judges by the same bytes, and by nothing that was made up."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

import damages
import gates
from gates import gate, run

CHANGES = {
    "candidate": "shutil.copy('other.keras', 'same.keras')",
    "criteria": "Path('suites/criteria.toml').open('a').write('\\n')",
    "waivers": "Path('suites/waivers.toml').write_text('\\n')",
    "panel": "shutil.copy('changed.npz', 'heldout.npz')",
    "baseline": "shutil.copytree('changed', 'baselines/mine', dirs_exist_ok=True)",
}
SUITE = """
import shutil
from pathlib import Path


def test_zz(check, comparison):
    {change}
    check(comparison.find("answers"))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "project"
    gates.build(folder)
    (folder / "suites" / "waivers.toml").write_text("")
    panel = gates.make_panel(subjects=("ada", "eve"))
    panel.save(folder / "changed.npz")
    gates.make_signature("release", learned=0.99).write(folder / "changed")
    return folder


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project")


def change(project, what):
    damages.append(project, "suites/test_zz.py", SUITE.format(change=CHANGES[what]))


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_during_a_run_on_workers_is_refused(project, what):
    """Overwritten after a worker has judged: no pass, and the reason names what was changed."""
    change(project, what)
    done, verdict = gate(project, "-n", "2")
    assert done.returncode not in (0, 1), done.stdout
    assert verdict["verdict"] == "error"
    assert what in json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_workers_with_other_settings_are_refused(project):
    """Where a worker reads other settings than the controller has read, nothing is released."""
    text = "import os\nfrom pathlib import Path\n\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw0':\n"
    text += "    Path('pyproject.toml').open('a').write('inconclusive = \"pass\"\\n')\n"
    damages.append(project, "suites/conftest.py", text)
    done, verdict = gate(project, "-n", "2")
    assert done.returncode == 3, done.stdout
    assert "judged by other settings" in json.dumps(verdict["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize("what", ["candidate", "criteria", "waivers"])
def test_in_one_process_the_verdict_is_bound_to_what_was_read(project, what):
    """Each file is read once: what is written over it later changes neither the judgement nor the digest."""
    file = {"candidate": "same.keras", "criteria": "suites/criteria.toml", "waivers": "suites/waivers.toml"}[what]
    before = hashlib.sha256((project / file).read_bytes()).hexdigest()
    change(project, what)
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert verdict[what]["sha256"] == before != hashlib.sha256((project / file).read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options"),
    [
        ("value=0.99", ("-n", "2")),
        *((change, ()) for change in ("value=0.99", "interval=(0.98, 0.99)", "n=10_000", "baseline=0.2")),
    ],
)
def test_a_made_up_measure_is_no_pass(project, change, options):
    """A suite that judges another number than was measured makes the run red, whatever its limits say."""
    text = "import dataclasses\n\n\ndef test_own(check, comparison):\n"
    text += f"    check(dataclasses.replace(comparison.find('subject_accuracy', 'ben'), {change}))\n"
    damages.append(project, "suites/test_own.py", text)
    done, verdict = gate(project, *options)
    assert done.returncode == 3, done.stdout
    assert "subject_accuracy[ben] was judged with another value or limit" in json.dumps(verdict["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["alone", "workers"])
def test_findings_without_their_files_are_no_pass(project, options):
    """Where a test's report no longer says what it judged by, nothing is released."""
    text = "import pytest\n\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_makereport(item):\n"
    text += "    kept = [pair for pair in item.user_properties if pair[0] != 'modelcheck inputs']\n"
    text += "    item.user_properties[:] = kept\n"
    damages.append(project, "suites/conftest.py", text)
    done, verdict = gate(project, *options)
    assert done.returncode == 3, done.stdout
    assert "does not say by which files" in json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_something_unmeasured_is_no_pass(project):
    """A suite that judges a person who is not in the panel makes the run red."""
    text = "from modelcheck import Measured\n\n\ndef test_own(check):\n"
    text += "    check(Measured(metric='subject_accuracy', about='zoe', value=1.0, interval=(0.9, 1.0), n=3))\n"
    damages.append(project, "suites/test_own.py", text)
    done, verdict = gate(project)
    assert done.returncode == 3, done.stdout
    assert "nothing of that name was measured" in json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_the_verdict_names_what_decided_it(project):
    """Settings, rows of limits, suites with their digests, the run's name and how the candidate was had."""
    (project / "suites" / "conftest.py").write_text("")
    done, verdict = gate(project, "--modelcheck-run-id", "build 41")
    assert done.returncode == 0, done.stdout
    assert verdict["run_id"] == "build 41"
    assert verdict["volatile"]["measured"] == "cached"
    assert verdict["settings"] == {"outputs": [], "layers": {}, "custom_objects": [], "inconclusive": "fail"}
    assert [row["metric"] for row in verdict["criteria"]["rows"]][:2] == ["mapped_units", "transfer"]
    for name, sha in verdict["suites"].items():
        assert hashlib.sha256((project / name).read_bytes()).hexdigest() == sha
    assert {"suites/conftest.py", "suites/test_same_features.py"} <= set(verdict["suites"])
    assert gate(project, "-n", "2", "--modelcheck-run-id", "build 41")[1]["suites"] == verdict["suites"]


@pytest.mark.slow
def test_a_part_leaves_the_report_of_the_whole_alone(project):
    """What `-k` or a path chose is written beside it, and says so; the full verdict still releases."""
    _, full = gate(project)
    for arguments in (("suites/", "-k", "conv1"), ("suites/test_same_features.py",)):
        done = run(project, "-q", *arguments)
        assert "report/partial" in done.stdout
        assert json.loads((project / "report" / "verdict.json").read_text()) == full
        assert json.loads((project / "report" / "partial" / "verdict.json").read_text())["scope"] == "partial"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), (".",)])
def test_without_suites_no_verdict_is_left(project, arguments):
    """A run of the whole project whose suites were deleted is red, and takes the old pass away."""
    assert gate(project)[1]["verdict"] == "pass"
    shutil.rmtree(project / "suites")
    (project / "test_unit.py").write_text("def test_unit():\n    pass\n")
    done = run(project, "-q", *arguments)
    assert done.returncode not in (0, 1), done.stdout
    assert json.loads((project / "report" / "verdict.json").read_text())["verdict"] == "error"


@pytest.mark.slow
def test_a_baseline_that_nobody_approved_is_named(project):
    """A record that was put in the baseline's place by hand, without a history: the verdict says so."""
    _, verdict = gate(project)
    assert verdict["baseline"]["approval"]["state"] == "unrecorded"
    assert {"kind": "baseline", "approval": verdict["baseline"]["approval"]} in verdict["reasons"]
