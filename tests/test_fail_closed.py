"""Every way in which a run can be green without having judged anything: red, with a sentence that says why.

Each row runs real pytest in a project of its own. docs/gate.md has the table; tests/test_gate.py has the rows that need
a network to be loaded.
"""

import dataclasses
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gates import CRITERIA, ROOT, approve, build, gate, measured, run
from modelcheck.signature import FORMAT
from signatures import LAYERS, make_panel

PEOPLE = ("ada", "ben")


def append(folder, name, text):
    with (folder / name).open("a") as file:
        file.write(text)


def no_candidate_named(folder):
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace('candidate = "same.keras"\n', ""))


def no_candidate_file(folder):
    (folder / "same.keras").unlink()


def no_baseline(folder):
    shutil.rmtree(folder / "baselines" / "mine")


def member(folder):
    return next((folder / "baselines" / "mine").glob("maps-*.npz"))


def flipped_byte(folder):
    data = bytearray(member(folder).read_bytes())
    data[len(data) // 2] ^= 1
    member(folder).write_bytes(bytes(data))


def truncated_member(folder):
    member(folder).write_bytes(member(folder).read_bytes()[:-1])


def missing_member(folder):
    member(folder).unlink()


def truncated_manifest(folder):
    path = folder / "baselines" / "mine" / "manifest.json"
    path.write_bytes(path.read_bytes()[:-40])


def rewrite_manifest(folder, **changes):
    """Change a manifest as somebody who knows its digest would."""
    path = folder / "baselines" / "mine" / "manifest.json"
    document = {**json.loads(path.read_bytes()), **changes}
    del document["digest"]

    def canonical(part):
        return (json.dumps(part, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()

    path.write_bytes(canonical({**document, "digest": hashlib.sha256(canonical(document)).hexdigest()}))


def newer_baseline(folder):
    rewrite_manifest(folder, format=FORMAT + 1)


def another_recipe_in_the_manifest(folder):
    path = folder / "baselines" / "mine" / "manifest.json"
    recipe = json.loads(path.read_bytes())["recipe"]
    rewrite_manifest(folder, recipe={**recipe, "steps": recipe["steps"] + 1})


def another_panel(folder):
    make_panel(subjects=("ada", "ben", "eve")).save(folder / "heldout.npz")


def subject_renamed(folder):
    make_panel(subjects=("ada", "bob")).save(folder / "heldout.npz")


def class_renamed(folder):
    make_panel(subjects=PEOPLE, class_names=("other", "right")).save(folder / "heldout.npz")


def forged(folder, **options):
    """Put a measurement into the cache that the gate itself would not have made."""
    shutil.rmtree(folder / ".modelcheck")
    measured(folder, "same.keras", **{"panel": make_panel(subjects=PEOPLE), "learned": 0.95, "seed": 3, **options})


def candidate_lacks_a_layer(folder):
    forged(folder, layers=[layer for layer in LAYERS if layer[0] != "dense1"])


def candidate_of_other_classes(folder):
    forged(folder, change=lambda made: dataclasses.replace(made, class_names=("other", "right")))


def baseline_of_other_classes(folder):
    approve(folder, panel=make_panel(subjects=PEOPLE, class_names=("other", "right")))
    make_panel(subjects=PEOPLE, class_names=("other", "right")).save(folder / "heldout.npz")
    forged(folder)


def candidate_by_another_recipe(folder):
    forged(
        folder,
        change=lambda made: dataclasses.replace(
            made, recipe=dataclasses.replace(made.recipe, steps=made.recipe.steps + 1)
        ),
    )


def candidate_on_another_panel(folder):
    forged(folder, change=lambda made: dataclasses.replace(made, panel_digest="0" * 64))


def candidate_lacks_a_method(folder):
    forged(folder, attributions=("smoothgrad",), recipe=made_recipe())


def made_recipe():
    from modelcheck.recipe import Recipe

    return Recipe(attribution_methods=("smoothgrad", "occlusion"))


def nan_answers(folder):
    forged(folder, change=lambda made: dataclasses.replace(made, scores=np.full_like(made.scores, np.nan)))


def constant_answers(folder):
    forged(folder, change=lambda made: dataclasses.replace(made, scores=np.tile([1.0, 2.0], (len(made.scores), 1))))


def nan_attributions(folder):
    def change(made):
        return dataclasses.replace(
            made, attributions={k: np.full_like(v, np.nan) for k, v in made.attributions.items()}
        )

    forged(folder, change=change)


def dead_layer(folder):
    forged(folder, dead=[("conv1", k) for k in range(4)])


def raw_panel(folder, **changes):
    """Write a panel file as somebody else's script might."""
    with np.load(folder / "heldout.npz") as file:
        parts = {name: file[name] for name in file.files}
    np.savez_compressed(folder / "heldout.npz", **{**parts, **changes})


def images(folder):
    with np.load(folder / "heldout.npz") as file:
        return file["images"], file["labels"]


def nan_panel(folder):
    pictures = images(folder)[0].astype(np.float32) / 255
    pictures[3, 0, 0] = np.nan
    raw_panel(folder, images=pictures)


def label_out_of_range(folder):
    raw_panel(folder, labels=images(folder)[1] + 1)


def negative_label(folder):
    raw_panel(folder, labels=images(folder)[1] - 1)


def empty_panel(folder):
    raw_panel(folder, images=images(folder)[0][:0], labels=images(folder)[1][:0])


def wrong_shape(folder):
    raw_panel(folder, images=images(folder)[0][..., 0].reshape(len(images(folder)[0]), -1))


def wrong_dtype(folder):
    raw_panel(folder, images=images(folder)[0].astype(np.int32))


def newer_panel(folder):
    raw_panel(folder, format=np.int64(2))


def not_a_panel(folder):
    (folder / "heldout.npz").write_bytes(b"PK not a panel")


def one_subject(folder):
    shutil.rmtree(folder)
    build(folder, panel=make_panel(subjects=("ada",), per_subject=16))


def outside_the_input_range(folder):
    panel = make_panel(subjects=PEOPLE)
    panel = dataclasses.replace(panel, images=panel.images.astype(np.float32))  # 0 to 255, where 0 to 1 is meant
    shutil.rmtree(folder)
    build(folder, panel=panel)


def unknown_metric(folder):
    append(folder, "suites/criteria.toml", '[[criterion]]\nmetric = "tranfer"\nat_least = 0.1\nwhy = "typo"\n')


def impossible_limit(folder):
    append(folder, "suites/criteria.toml", '[[criterion]]\nmetric = "kappa"\nat_least = 1.01\nwhy = "strict"\n')


def more_classes_than_there_are(folder):
    append(folder, "suites/criteria.toml", '[[criterion]]\nmetric = "answers"\nat_least = 3\nwhy = "strict"\n')


def impossible_ceiling(folder):
    append(folder, "suites/criteria.toml", '[[criterion]]\nmetric = "pointing"\nat_most = -0.1\nwhy = "strict"\n')


def no_criteria(folder):
    (folder / "suites" / "criteria.toml").write_text("")


def where_matches_nothing(folder):
    append(
        folder, "suites/criteria.toml", '[[criterion]]\nmetric = "transfer"\nwhere = "x"\nat_least = 0\nwhy = "typo"\n'
    )


def unknown_setting(folder):
    append(folder, "pyproject.toml", 'candidat = "same.keras"\n')


def counterpart_of_nothing(folder):
    append(folder, "pyproject.toml", '[tool.modelcheck.layers]\nnothing = "conv1"\n')


def malformed_waiver(folder):
    (folder / "suites" / "waivers.toml").write_text('[[waiver]]\nmetric = "transfer"\n')


def lost_waivers(folder):
    append(folder, "pyproject.toml", 'waivers = "waivers.toml"\n')


def suite_deleted(folder):
    (folder / "suites" / "test_same_features.py").unlink()


def deleted_behind_a_marker(folder):
    suite_deleted(folder)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace("-p no:cacheprovider", "-p no:cacheprovider -m 'not slow'"))


def suite_that_does_not_import(folder):
    append(folder, "suites/test_same_features.py", "\nimport nothing_of_that_name\n")


def everything_skipped(folder):
    (folder / "suites" / "conftest.py").write_text(
        "import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.skip(reason='tired'))\n"
    )


def deselected_in_silence(folder):
    (folder / "suites" / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items[:] = [x for x in items if 'conv1' not in x.name]\n"
    )


def marked(mark):
    def excuse(folder):
        path = folder / "suites" / "test_same_features.py"
        path.write_text(f"import pytest\npytestmark = pytest.mark.{mark}\n{path.read_text()}")

    excuse.__name__ = f"marked_{mark.replace('.', '_')}"
    return excuse


def judges_nothing(folder):
    (folder / "suites" / "test_same_features.py").write_text("def test_same_features(layer, check):\n    check()\n")


def own_test_fails(folder):
    append(folder, "suites/test_own.py", "def test_small(candidate):\n    assert candidate.layers == 0\n")


def judged_twice(folder):
    text = "from dataclasses import replace\n\n\ndef test_again(comparison, check):\n"
    text += '    check(replace(comparison.measured("answers"), value=0.0))\n'
    append(folder, "suites/test_twice.py", text)


def numpy_property(folder):
    """Record what execnet drops: the worker then loses its report, and xdist alone would end green."""
    text = "import numpy as np\n\n\ndef test_own(candidate, record_property):\n"
    text += '    record_property("score", np.float32(0.5))\n    raise AssertionError("worse")\n'
    append(folder, "suites/test_own.py", text)


def worker_dies(folder):
    path = folder / "suites" / "test_same_features.py"
    path.write_text(f"import os\n{path.read_text()}    os._exit(0)\n")


def passes_when_run_again(folder):
    text = "import pathlib\n\n\ndef test_flaky(comparison, check):\n    check(comparison.measured('answers'))\n"
    text += "    seen = pathlib.Path('seen')\n    again = seen.exists()\n    seen.touch()\n    assert again\n"
    append(folder, "suites/test_flaky.py", text)


def child(folder, script):
    """Let a script stand in for the process that measures, and empty the cache."""
    shutil.rmtree(folder / ".modelcheck")
    fake = folder / "fake-python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    (folder / "conftest.py").write_text(
        "import types\nimport modelcheck.child\n"
        f"modelcheck.child.sys = types.SimpleNamespace(executable={str(fake)!r})\n"
    )


def child_killed(folder):
    child(folder, "kill -9 $$")


def child_out_of_memory(folder):
    child(folder, f"ulimit -v 2000000; exec {sys.executable} -c 'x = bytearray(10**11)'")


def child_out_of_time(folder):
    child(folder, "sleep 60 >/dev/null 2>&1 & echo measuring; wait")
    append(folder, "pyproject.toml", "timeout = 0.5\n")


def child_refuses(folder):
    child(folder, "echo \"modelcheck: Keras refused 'same.keras'\"; exit 4")


def child_lies(folder):
    child(folder, "exit 0")


def child_fills_the_disk(folder):
    child(
        folder,
        f"ulimit -f 4; cd {ROOT}/tests; exec {sys.executable} -c 'import sys; from signatures import make_signature; "
        'make_signature().write(sys.argv[sys.argv.index("--to") + 1])\' $*',
    )


ROWS = [
    (no_candidate_named, 4, "No candidate was given"),
    (no_candidate_file, 3, "There is no candidate"),
    (no_baseline, 1, "There is no signature"),
    (flipped_byte, 3, "damaged"),
    (truncated_member, 3, "damaged"),
    (missing_member, 3, "missing or unreadable"),
    (truncated_manifest, 4, "damaged"),
    (newer_baseline, 4, f"this modelcheck reads format {FORMAT}"),
    (another_recipe_in_the_manifest, 3, "its recipe does not match its digest"),
    (another_panel, 3, "is not the one the baseline was measured on"),
    (subject_renamed, 3, "is not the one the baseline was measured on"),
    (class_renamed, 3, "is not the one the baseline was measured on"),
    (candidate_lacks_a_layer, 1, "has no layer that corresponds to 'dense1'"),
    (candidate_of_other_classes, 3, "differ in their classes"),
    (baseline_of_other_classes, 3, "differ in their panel"),
    (candidate_by_another_recipe, 3, "differ in their recipe"),
    (candidate_on_another_panel, 3, "differ in their panel"),
    (candidate_lacks_a_method, 3, "KeyError"),
    (nan_answers, 3, "answers NaN or infinity on 16 of 16 pictures"),
    (constant_answers, 3, "gives every picture the same scores"),
    (nan_attributions, 3, "with NaN in them"),
    (dead_layer, 1, "FAIL: mapped_units[conv1] = 0.000"),
    (nan_panel, 3, "hold NaN or infinity"),
    (label_out_of_range, 3, "labels span 1 to 2"),
    (negative_label, 3, "labels span -1 to 0"),
    (empty_panel, 3, "The panel is empty"),
    (wrong_shape, 3, "images must be (n, h, w, c)"),
    (wrong_dtype, 3, "images must be uint8 or float"),
    (newer_panel, 3, "has panel format"),
    (not_a_panel, 3, "cannot be read as a panel"),
    (one_subject, 3, "holds one person only"),
    (outside_the_input_range, 3, "outside the network's input range"),
    (unknown_metric, 4, "Did you mean 'transfer'"),
    (impossible_limit, 4, "can never hold"),
    (more_classes_than_there_are, 4, "lies between 1 and 2"),
    (impossible_ceiling, 4, "can never hold"),
    (no_criteria, 4, "nothing would be judged"),
    (where_matches_nothing, 4, "matches nothing"),
    (unknown_setting, 4, "Did you mean 'candidate'"),
    (counterpart_of_nothing, 3, "which the baseline lacks"),
    (malformed_waiver, 4, "lacks candidate, owner, reason"),
    (lost_waivers, 4, "No waivers in 'waivers.toml'"),
    (suite_deleted, 3, "were never judged"),
    (deleted_behind_a_marker, 3, "were never judged"),
    (suite_that_does_not_import, 3, "before everything was judged"),
    (everything_skipped, 3, "were never judged"),
    (deselected_in_silence, 3, "were never judged"),
    (marked("xfail(strict=False)"), 3, "is marked xfail"),
    (marked("xfail(run=False)"), 3, "were never judged"),
    (judges_nothing, 3, "Nothing was judged"),
    (own_test_fails, 1, "test_small failed"),
    (judged_twice, 1, "answers = 0.000"),
    (child_killed, 3, "ended by signal 9"),
    (child_out_of_memory, 3, "ran out of memory"),
    (child_out_of_time, 3, "took more than 0.5 seconds"),
    (child_refuses, 4, "Keras refused"),
    (child_lies, 3, "There is no signature"),
    (child_fills_the_disk, 3, "File too large"),
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
    assert words in done.stdout + json.dumps(verdict, ensure_ascii=False)
    assert "INTERNALERROR" not in done.stdout
    assert str(folder) not in json.dumps({**verdict, "volatile": None})
    for name in ("index.html", "summary.md"):
        assert '{"verdict": "pass"}' not in (folder / "report" / name).read_text()
    return verdict


@pytest.mark.parametrize(("damage", "code", "words"), ROWS, ids=[row[0].__name__ for row in ROWS])
def test_fail_closed(project, damage, code, words):
    """Whatever is missing, damaged or left out: red, with a sentence that says why, and never a verdict of pass."""
    red(project, damage, code, words)


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (everything_skipped, 3, "were never judged"),
        (worker_dies, 3, "were never judged"),
        (numpy_property, 3, "before everything was judged"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_fail_closed_on_workers(project, damage, code, words):
    """The same on two workers, with what only workers can do: die, or lose what execnet does not carry."""
    damage(project)
    done, verdict = gate(project, "-n", "2")
    assert done.returncode == code, done.stdout
    assert (verdict["verdict"], verdict["exit_code"]) == ("error", code)
    assert words in json.dumps(verdict)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "workers"])
def test_flaky_is_no_pass(project, workers):
    """A test that passes only when it is run again is named as flaky, and the run is red."""
    verdict = red(project, passes_when_run_again, 3, "flaky, not a pass", "--reruns", "2", *workers)
    assert "test_flaky" in " ".join(verdict["reasons"])


def test_what_fails_again_and_again_is_a_failure(project):
    """Reruns change nothing about a finding that stays red: exit 1, and nothing is called flaky."""
    done, verdict = gate(project, "--candidate", "other.keras", "--reruns", "1")
    assert (done.returncode, verdict["verdict"]) == (1, "fail")
    assert "flaky" not in json.dumps(verdict)


def test_a_part_is_partial(project):
    """Chosen by name or by path, what ran is judged, and the scope says that it is a part."""
    for arguments in (("suites/", "-k", "conv1"), ("suites/test_same_features.py",)):
        done = run(project, "-q", *arguments)
        verdict = json.loads((project / "report" / "verdict.json").read_text())
        assert done.returncode == 0, done.stdout
        assert (verdict["verdict"], verdict["scope"]) == ("pass", "partial")
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


def test_the_table_can_be_green(project):
    """The same project without damage passes in full, so no row is red by itself."""
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["scope"], verdict["enforced"]) == ("pass", "full", True)


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
    forged(project, layers=layers)
    done, verdict = gate(project)
    assert verdict["scope"] == "full", done.stdout
    assert {row["subject"] for row in verdict["findings"] if row["metric"] == "mapped_units"} == {
        "conv1",
        "dense1",
        "decision",
    }


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


def test_numbers_of_numpy_never_leave_a_worker(project):
    """What a suite hands to check may be numpy's: findings are builtins, and a red run on workers stays red."""
    text = "import numpy as np\nfrom modelcheck import Measured\n\n\ndef test_own(check):\n"
    text += "    numbers = {'value': np.float32(-0.9), 'baseline': np.float64(0.5), 'n': np.int64(3)}\n"
    text += "    check(Measured(metric='accuracy_change', about=np.str_(''), **numbers))\n"
    append(project, "suites/test_own.py", text)
    done, verdict = gate(project, "-n", "2")
    assert done.returncode == 1, done.stdout
    assert verdict["findings"][0]["value"] == pytest.approx(-0.9)
    assert verdict["findings"][0]["n"] == 3
