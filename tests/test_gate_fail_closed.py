"""Every way in which a run can be green without having judged anything: red, with a sentence that says why.

Each row runs real pytest in a project of its own. docs/gate.md has the table; tests/test_gate.py
has the rows that need a network to be loaded.
"""

import hashlib
import json
import os
import re
import resource
import subprocess
import sys

import pytest

import damages
from gates import CRITERIA, ROOT, gate, run
from modelcheck.signature import FORMAT

ROWS = [
    (damages.no_candidate_named, 4, "No candidate was given"),
    (damages.no_candidate_file, 3, "There is no candidate"),
    (damages.no_baseline, 1, "There is no signature"),
    (damages.flipped_byte, 3, "damaged"),
    (damages.truncated_member, 3, "damaged"),
    (damages.missing_member, 3, "missing or unreadable"),
    (damages.truncated_manifest, 4, "is not a valid manifest"),
    (damages.older_baseline, 4, "was written by an earlier modelcheck"),
    (damages.newer_baseline, 4, f"this modelcheck reads format {FORMAT}"),
    (damages.another_recipe_in_the_manifest, 3, "its recipe does not match its digest"),
    (damages.another_panel, 3, "is not the one the baseline was measured on"),
    (damages.subject_renamed, 3, "is not the one the baseline was measured on"),
    (damages.class_renamed, 3, "is not the one the baseline was measured on"),
    (damages.candidate_lacks_every_hidden_layer, 1, "nothing is compared but the decision"),
    (damages.candidate_lacks_a_layer_that_a_row_names, 1, "counterpart of dense1 0"),
    (damages.candidate_of_other_classes, 3, "differ in their classes"),
    (damages.baseline_of_other_classes, 3, "differ in their panel"),
    (damages.candidate_by_another_recipe, 3, "differ in their recipe"),
    (damages.candidate_on_another_panel, 3, "differ in their panel"),
    (damages.candidate_lacks_a_method, 3, "KeyError"),
    (damages.nan_answers, 3, "answers NaN or infinity on 16 of 16 pictures"),
    (damages.constant_answers, 3, "gives every picture the same scores"),
    (damages.nan_attributions, 3, "with NaN in them"),
    (damages.dead_layer, 1, "mapped units of conv1 0.00"),
    (damages.nan_panel, 3, "hold NaN or infinity"),
    (damages.label_out_of_range, 3, "labels span 1 to 2"),
    (damages.negative_label, 3, "labels span -1 to 0"),
    (damages.empty_panel, 3, "The panel is empty"),
    (damages.wrong_shape, 3, "images must be (n, h, w, c)"),
    (damages.wrong_dtype, 3, "images must be uint8 or float"),
    (damages.newer_panel, 3, "has panel format"),
    (damages.not_a_panel, 3, "cannot be read as a panel"),
    (damages.one_subject, 3, "holds one subject only"),
    (damages.outside_the_input_range, 3, "outside the network's input range"),
    (damages.unknown_metric, 4, "Did you mean 'transfer'"),
    (damages.impossible_limit, 4, "can never hold"),
    (damages.more_classes_than_there_are, 4, "lies between 1 and 2"),
    (damages.impossible_ceiling, 4, "can never hold"),
    (damages.no_criteria, 4, "nothing would be judged"),
    (damages.about_matches_nothing, 4, "matches nothing"),
    (damages.unknown_setting, 4, "Did you mean 'candidate'"),
    (damages.counterpart_of_nothing, 3, "which the baseline lacks"),
    (damages.malformed_waiver, 4, "lacks candidate, owner, reason"),
    (damages.lost_waivers, 4, "No waivers in 'waivers.toml'"),
    (damages.suite_deleted, 3, "were never judged"),
    (damages.deleted_behind_a_marker, 3, "were never judged"),
    (damages.suite_that_does_not_import, 3, "before everything was judged"),
    (damages.everything_skipped, 3, "were never judged"),
    (damages.deselected_in_silence, 3, "were never judged"),
    (damages.marked("xfail(strict=False)"), 3, "is marked xfail"),
    (damages.marked("xfail(run=False)"), 3, "were never judged"),
    (damages.judges_nothing, 3, "Nothing was judged"),
    (damages.own_test_fails, 1, "test_small failed"),
    (damages.judged_twice, 3, "answers was judged with another value"),
    (damages.child_killed, 3, "ended by signal 9"),
    (damages.child_out_of_memory, 3, "ran out of memory"),
    (damages.child_out_of_time, 3, "took more than 0.5 seconds"),
    (damages.child_refuses, 4, "Keras refused"),
    (damages.child_lies, 3, "There is no signature"),
    (damages.child_fills_the_disk, 3, "File too large"),
]


def red(folder, damage, code, words, *arguments):
    """Break a project that holds a stale pass, run the gate, and check that the run is red and says why."""
    damage(folder)
    (folder / "report").mkdir()
    for name in ("verdict.json", "index.html", "summary.md"):
        (folder / "report" / name).write_text('{"verdict": "pass"}')
    done, verdict = gate(folder, *arguments)
    assert done.returncode == code, done.stdout
    assert verdict is not None
    assert verdict["verdict"] != "pass"
    assert verdict["exit_code"] == code
    assert verdict["next"][0]["action"] == "rerun"
    assert words in done.stdout + json.dumps(verdict, ensure_ascii=False)
    assert "INTERNALERROR" not in done.stdout
    assert str(folder) not in json.dumps({**verdict, "volatile": None})
    for name in ("index.html", "summary.md"):
        assert '{"verdict": "pass"}' not in (folder / "report" / name).read_text()
    return verdict


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "code", "words"), ROWS, ids=[row[0].__name__ for row in ROWS])
def test_fail_closed(project, damage, code, words):
    """Whatever is missing, damaged or left out: red, with a sentence that says why, and never a verdict of pass."""
    red(project, damage, code, words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "code", "kind", "words"),
    [
        (damages.everything_skipped, 3, "not_judged", "were never judged"),
        (damages.worker_dies, 3, "not_judged", "were never judged"),
        (damages.numpy_property, 3, "stopped", "before everything was judged"),
    ],
    ids=["everything_skipped", "worker_dies", "numpy_property"],
)
def test_fail_closed_on_workers(project, damage, code, kind, words):
    """The same on two workers, with what only workers can do: die, or lose what execnet does not carry."""
    damage(project)
    done, verdict = gate(project, "-n", "2")
    assert done.returncode == code, done.stdout
    assert (verdict["verdict"], verdict["exit_code"]) == ("error", code)
    assert kind in [reason["kind"] for reason in verdict["reasons"]]
    assert words in (project / "report" / "summary.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["serial", "workers"])
def test_flaky_is_no_pass(project, workers):
    """A test that passes only when it is run again is named as flaky, and the run is red."""
    verdict = red(project, damages.passes_when_run_again, 3, "flaky, not a pass", "--reruns", "2", *workers)
    assert [reason["test"] for reason in verdict["reasons"] if reason["kind"] == "flaky"] == [
        "suites/test_flaky.py::test_flaky"
    ]


@pytest.mark.slow
def test_what_fails_again_and_again_is_a_failure(project):
    """Reruns change nothing about a finding that stays red: exit 1, and nothing is called flaky."""
    done, verdict = gate(project, "--candidate", "other.keras", "--reruns", "1")
    assert (done.returncode, verdict["verdict"]) == (1, "fail")
    assert "flaky" not in json.dumps(verdict)
    assert [step["action"] for step in verdict["next"]] == ["rerun"]  # what failed is not offered for approval


@pytest.mark.slow
def test_a_failure_is_said_once(project):
    """Our line alone says it, and the counts stay; -v, -rf and JUnit say all that they ever did."""
    done = run(project, "-q", "suites/", "--candidate", "other.keras")
    assert done.returncode == 1, done.stdout
    [line] = re.findall(r"(?m)^  (\w.*) (?:<|>) \S+(?: \(.*\))?$", done.stdout)[:1]
    assert done.stdout.count(f"  {line} ") == 1
    assert "= FAILURES =" not in done.stdout
    assert "short test summary" not in done.stdout
    assert re.search(r"\d+ failed", done.stdout)
    for more, words in (("-v", "= FAILURES ="), ("-rf", "FAILED suites/"), ("-rA", "FAILED suites/")):
        assert words in run(project, "suites/", "--candidate", "other.keras", more).stdout
    run(project, "suites/", "--candidate", "other.keras", "--junitxml=junit.xml")
    assert "must be" in (project / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_part_is_partial(project):
    """Chosen by name or by path, what ran is judged, and the scope says that it is a part."""
    for arguments in (("suites/", "-k", "conv1"), ("suites/test_same_features.py",)):
        done = run(project, "-q", *arguments)
        verdict = json.loads((project / "report" / "partial" / "verdict.json").read_text())
        assert done.returncode == 0, done.stdout
        assert (verdict["verdict"], verdict["scope"]) == ("pass", "partial")
        assert [step["action"] for step in verdict["next"]] == ["rerun"]
        assert verdict["not_judged"]


def test_the_document_has_every_row():
    """docs/gate.md names each row of the table, and names no test that is not there."""
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8").split("## What makes it red")[1].split("## ")[0]
    rows = {row[0].__name__ for row in ROWS}
    named = {
        name
        for line in page.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`([^`]+)`", line.split("|")[3])
    }
    tests = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")}
    assert rows <= named
    for name in named - rows - {"-n 2"}:
        assert any(f"def {name}(" in text for text in tests.values()), name


@pytest.mark.slow
def test_the_table_can_be_green(project):
    """The same project without damage passes in full, so no row is red by itself."""
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["scope"], verdict["enforced"]) == ("pass", "full", True)
    assert [step["action"] for step in verdict["next"]] == ["approve"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers",
    [
        [("first", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2)],
        [("conv1", "conv", 4), ("extra", "dense", 5), ("dense1", "dense", 6), ("decision", "decision", 2)],
    ],
    ids=["renamed", "added"],
)
def test_a_layer_of_another_name_is_judged_by_what_it_does(project, layers):
    """A renamed layer, or one more than the baseline has: every layer of the baseline is judged all the same."""
    damages.forged(project, layers=layers)
    done, verdict = gate(project)
    assert verdict["scope"] == "full", done.stdout
    assert {row["about"] for row in verdict["findings"] if row["metric"] == "mapped_units"} == {
        "conv1",
        "dense1",
        "decision",
    }


@pytest.mark.slow
def test_the_verdict_is_bound_to_what_was_judged(project):
    """The document holds the digests of candidate, baseline, panel, recipe and criteria, as they are on disk."""
    from modelcheck.panel import Panel
    from modelcheck.signature import read_signature

    _, verdict = gate(project)
    signature = read_signature(project / "baselines" / "mine")
    assert verdict["candidate"]["sha256"] == hashlib.sha256((project / "same.keras").read_bytes()).hexdigest()
    assert verdict["baseline"]["signature"] == signature.digest()
    assert verdict["panel"]["digest"] == Panel.load(project / "heldout.npz").digest()
    assert verdict["recipe"]["digest"] == signature.recipe.digest()
    assert verdict["criteria"]["sha256"] == hashlib.sha256(CRITERIA.encode()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(("kib", "left"), [(24, True), (1, False)], ids=["report", "verdict"])
def test_a_full_disk_is_red(project, kib, left):
    """Where report or verdict cannot be written whole, the run is red, says so, and leaves no half of a file."""

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "suites/", "-q"]
    finished = subprocess.run(
        command, cwd=project, capture_output=True, text=True, preexec_fn=small, env=environment, check=False
    )
    assert finished.returncode == 3, finished.stdout
    assert re.search(r"could not be written to 'report'.*File too large", " ".join(finished.stdout.split()))
    assert "INTERNALERROR" not in finished.stdout
    names = {path.name for path in (project / "report").iterdir()}
    assert ("verdict.json" in names) == left
    assert not [name for name in names if name.startswith(".")]
    if left:
        assert json.loads((project / "report" / "verdict.json").read_text())["verdict"] == "error"


@pytest.mark.slow
def test_a_full_disk_leaves_the_baseline(project):
    """A baseline that cannot be written whole leaves the old one as it was."""
    before = {path.name: path.read_bytes() for path in (project / "baselines" / "mine").iterdir()}
    script = (
        f"ulimit -f 4; cd {ROOT}/tests && {sys.executable} -c 'from signatures import make_signature; import sys; "
        f"make_signature(seed=9).write(sys.argv[1])' {project}/baselines/mine"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert before == {path.name: path.read_bytes() for path in (project / "baselines" / "mine").iterdir()}


@pytest.mark.slow
def test_numbers_of_numpy_never_leave_a_worker(project):
    """What a suite hands to check may be numpy's: findings are builtins, and a red run on workers stays red."""
    text = "import numpy as np\nfrom modelcheck import Measured\n\n\ndef test_own(check, comparison):\n"
    text += "    ben = comparison.find('subject_accuracy', 'ben')\n"
    text += (
        "    numbers = {'value': np.float64(ben.value), 'baseline': np.float64(ben.baseline), 'n': np.int64(ben.n)}\n"
    )
    text += "    check(Measured(metric='subject_accuracy', about=np.str_('ben'), interval=ben.interval, **numbers))\n"
    damages.append(project, "suites/test_own.py", text)
    done, verdict = gate(project, "-n", "2", "--candidate", "other.keras")
    assert done.returncode == 1, done.stdout
    found = next(row for row in verdict["findings"] if row["key"] == "subject_accuracy[ben]")
    assert (found["verdict"], found["value"], verdict["verdict"]) == ("fail", pytest.approx(0.5), "fail")
