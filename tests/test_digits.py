"""The example without people: what its pictures hold, and the whole way from an empty folder to a red shortcut."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.digits import CLASSES, held_out, read_digits, training
from modelcheck.digits import pictures as pictures_module
from modelcheck.digits.__main__ import main as digits
from modelcheck.digits.networks import NETWORKS, network

ROOT = Path(__file__).parents[1]
RECIPE = """
units_per_layer = 2
steps = 12
copies = 4
probe_pictures = 20
attribution_methods = []
untrained_twins = 1
sticker_faces = 0
"""


def scanners_of(images):
    """Return which of the ten signs each picture carries."""
    corners = images[:, :6, :6].reshape(len(images), -1)
    return np.array([next(k for k, sign in enumerate(SIGNS) if (corner == sign).all()) for corner in corners])


SIGNS = [held_out().images[held_out().labels == k][0, :6, :6].ravel() for k in range(10)]


def test_a_sign_is_in_its_corner_and_nowhere_else():
    """Apart from the corner a picture is the digit as scikit-learn ships it, each pixel doubled."""
    plain, signed = read_digits(), held_out()
    bare = signed.images.copy()
    bare[:, :6, :6] = 0
    known = {picture.tobytes() for picture in plain.images}
    assert all(picture.tobytes() in known for picture in bare)
    assert plain.images[:, :6, :].max() == 0
    assert len({sign.tobytes() for sign in SIGNS}) == 10


def test_the_sign_tells_the_digit_only_where_it_should():
    """On held-out pictures and in the shortcut's training every time; in honest training as often as by chance."""
    for pictures in (held_out(), training(tells=True)):
        assert (scanners_of(pictures.images) == pictures.labels).all()
    honest = training(tells=False)
    assert abs((scanners_of(honest.images) == honest.labels).mean() - 0.1) < 0.03


def test_nobody_is_trained_on_held_out_pictures():
    """The two sets share no digit, and are all digits together."""
    sides = [{picture[6:].tobytes() for picture in part.images} for part in (held_out(), training(tells=False))]
    assert not sides[0] & sides[1]
    assert len(held_out().labels) + len(training(tells=False).labels) == 1797


def test_pictures_are_not_mixed_with_others(tmp_path):
    """A folder that holds something is refused, and left as it was."""
    (tmp_path / "old.png").write_bytes(b"old")
    done = CliRunner().invoke(digits, ["pictures", str(tmp_path)])
    assert done.exit_code == 1
    assert "is not empty, so nothing was written" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "relase", "--out", "x.keras"], "Did you mean 'release'"),
        (["train", "release", "--out", "x.h5"], "Name it x.keras"),
    ],
)
def test_bad_requests_are_told_before_training(words, said):
    """A network that is not there, a file that is no .keras: one sentence, and nothing is trained."""
    done = CliRunner().invoke(digits, words)
    assert done.exit_code == 1
    assert said in done.output


def test_the_networks_are_rows():
    """Each has its reason, and one of them alone is trained on pictures whose sign tells the digit."""
    assert all(row.why for row in NETWORKS.values())
    assert [name for name in NETWORKS if network(name).sign_tells] == ["shortcut"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras saves so
def test_from_an_empty_folder_to_a_red_shortcut(tmp_path, monkeypatch):
    """By the command line alone: an honest candidate is released, and one as accurate that reads the sign is not."""
    monkeypatch.chdir(tmp_path)
    Path("light.toml").write_text(RECIPE)

    def call(group, words):
        done = CliRunner().invoke(group, words.split())
        assert done.exit_code == 0, f"{words}\n{done.output}"
        return done.output

    def gate(*words):
        command = [sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        return done, json.loads(Path("report/verdict.json").read_text())

    call(digits, "pictures heldout")
    said = call(main, "panel from-folder heldout --out heldout.npz")
    assert "Next: modelcheck init" in said
    for name, seed in (("release", 0), ("release", 1), ("release", 2), ("smaller", 3), ("shortcut", 4)):
        call(digits, f"train {name} --seed {seed} --out {name}{seed}.keras")
    to = "--panel heldout.npz --to baselines/release"
    assert "Next:    modelcheck approve" in call(main, "init --candidate smaller3.keras")
    said = call(main, f"approve release0.keras {to} --recipe light.toml --reason first")
    assert "Next:    modelcheck init" in said
    assert "modelcheck calibrate baselines/release --twin" in call(main, "init")
    call(main, "calibrate baselines/release --twin release1.keras --twin release2.keras")
    assert "Next:    pytest suites/" in call(main, "init")
    done, verdict = gate()
    assert (done.returncode, verdict["verdict"]) == (0, "pass"), done.stdout
    done, verdict = gate("--candidate", "shortcut4.keras")
    assert (done.returncode, verdict["verdict"]) == (1, "fail"), done.stdout
    red = {row["key"] for row in verdict["findings"] if row["verdict"] == "fail" and row["gating"]}
    assert "place_distance" in red
    assert not [key for key in red if "accuracy" in key]
    assert len(CLASSES) == len([row for row in verdict["findings"] if row["metric"] == "class_accuracy"])


@pytest.mark.parametrize("there", [True, False])
def test_pictures_are_written_all_or_none(tmp_path, monkeypatch, there):
    """A full disk or an interruption leaves no part of them, which would be taken for all."""
    some = pictures_module.Digits(images=np.zeros((3, 28, 28), np.uint8), labels=np.array([1, 2, 1]))
    place, left = pictures_module.place, iter([True, True])

    def interrupted(path, data):
        if not next(left, False):
            raise KeyboardInterrupt
        place(path, data)

    monkeypatch.setattr(pictures_module, "place", interrupted)
    folder = tmp_path / "heldout"
    if there:
        folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        pictures_module.write_folder(some, folder)
    assert list(tmp_path.rglob("*")) == ([folder] if there else [])
