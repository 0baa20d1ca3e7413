"""Ways to break a project, each named for what is wrong: one line of the table in tests/test_gate_fail_closed.py."""

import dataclasses
import hashlib
import json
import shutil
import sys

import numpy as np

from gates import ROOT, approve, build, measured
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


def older_baseline(folder):
    rewrite_manifest(folder, format=FORMAT - 1)


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


def candidate_lacks_every_hidden_layer(folder):
    forged(folder, layers=LAYERS[-1:])


def candidate_lacks_a_layer_that_a_row_names(folder):
    candidate_lacks_a_layer(folder)
    row = '\n[[criterion]]\nmetric = "counterpart"\nabout = "dense1"\nat_least = 1\nwhy = "the head must have it"\n'
    append(folder, "suites/criteria.toml", row)


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

    return Recipe(attribution_methods=("smoothgrad", "occlusion"), exchange_pictures=12, mosaics=30)


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


def about_matches_nothing(folder):
    append(
        folder, "suites/criteria.toml", '[[criterion]]\nmetric = "transfer"\nabout = "x"\nat_least = 0\nwhy = "typo"\n'
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
    text += '    check(replace(comparison.find("answers"), value=0.0))\n'
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
    text = "import pathlib\n\n\ndef test_flaky(comparison, check):\n    check(comparison.find('answers'))\n"
    text += "    seen = pathlib.Path('seen')\n    again = seen.exists()\n    seen.touch()\n    assert again\n"
    append(folder, "suites/test_flaky.py", text)


def child(folder, script):
    """Let a script stand in for the process that measures, not for the one that scans, and empty the cache."""
    shutil.rmtree(folder / ".modelcheck")
    fake = folder / "fake-python"
    scans = f'case "$*" in *modelcheck.modelfile*) exec {sys.executable} "$@";; esac'
    fake.write_text(f"#!/bin/sh\n{scans}\n{script}\n")
    fake.chmod(0o755)
    (folder / "conftest.py").write_text(
        "import types\nimport modelcheck.gate.child\n"
        f"modelcheck.gate.child.sys = types.SimpleNamespace(executable={str(fake)!r})\n"
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
        "make_signature().write(sys.argv[-1])' $*",
    )
