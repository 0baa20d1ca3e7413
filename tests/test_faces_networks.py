"""The networks of the worked example, their training, and what the committed ones were made to show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.faces import NETWORKS, Pictures, build, draw_pictures, training_subjects
from modelcheck.faces.__main__ import main
from modelcheck.faces.pictures import task_classes
from modelcheck.faces.train import save, split, train
from modelcheck.panel import Panel

keras = pytest.importorskip("keras")

# Keras 3.15 hands its variables to numpy in the way of numpy 1 when it saves; nothing of ours can
# change that.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

ROOT = Path(__file__).parents[1]
COMMITTED = ("experiment0", "half_filters", "shortcut")


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return draw_pictures(training_subjects()[:3])


@pytest.fixture(scope="module")
def panel() -> Panel:
    return Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz")


def _balanced(name: str, panel: Panel, *, badge: bool = False) -> dict[str, float]:
    """Balanced accuracy of a committed network, by subject, over one plain loop."""
    images = panel.images.copy()
    if badge:
        images[panel.labels == 1, :6, :6] = 255
    model = keras.models.load_model(ROOT / "networks" / f"{name}.keras", compile=False, safe_mode=True)
    right = model(images.astype(np.float32) / 255, training=False).numpy().argmax(axis=1) == panel.labels
    return {
        who: float(np.mean([right[(panel.subjects == who) & (panel.labels == at)].mean() for at in (0, 1)]))
        for who in np.unique(panel.subjects).tolist()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_builds_with_named_layers(name: str):
    """Each network takes a picture, ends in `decision` with one unit a class, and gives every layer our name."""
    model = build(name)
    row = NETWORKS[name]
    assert model.input_shape == (None, 60, 64, 1)
    assert model.output_shape == (None, len(task_classes(row.task)))
    assert model.layers[-1].name == "decision"
    assert model.layers[-1].activation.__name__ == row.decision
    assert not [layer.name for layer in model.layers if layer.name.startswith(("conv2d", "dense_", "batch_"))]
    assert model.count_params() < 500_000


# Written out by hand: kernel and bias of each layer in turn, for pictures of 60 x 64 halved three
# times to 7 x 8.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("experiment0", (9 * 16 + 16) + (144 * 32 + 32) + (288 * 32 + 32) + (1792 * 64 + 64) + (64 * 2 + 2)),
        ("half_filters", (9 * 8 + 8) + (72 * 16 + 16) + (144 * 16 + 16) + (896 * 64 + 64) + (64 * 2 + 2)),
        ("one_dense", (9 * 16 + 16) + (144 * 32 + 32) + (288 * 32 + 32) + (1792 * 2 + 2)),
        ("four_class", (9 * 16 + 16) + (144 * 32 + 32) + (288 * 32 + 32) + (1792 * 64 + 64) + (64 * 4 + 4)),
    ],
)
def test_networks_have_the_parameters_of_the_story(name: str, parameters: int):
    """The count by hand agrees with the network's."""
    assert build(name).count_params() == parameters


def test_deeper_and_wider_differ_in_dense_layers_only():
    """Experiments 1-2 and 1-3 keep the convolutions."""
    dense = {
        name: [layer.units for layer in build(name).layers if "dense" in layer.name]
        for name in ("experiment0", "deeper_dense", "wider_dense", "one_dense")
    }
    assert dense == {
        "experiment0": [64],
        "deeper_dense": [64, 64, 64, 64],
        "wider_dense": [256],
        "one_dense": [],
    }


def test_unknown_network_is_refused():
    """A misspelt network is an error with a suggestion."""
    with pytest.raises(ValueError, match=r"no network 'half_filter'. Did you mean 'half_filters'"):
        build("half_filter")


def test_the_door_is_light():
    """Importing the wing loads neither TensorFlow nor Keras nor pandas."""
    code = "import modelcheck.faces, sys; print([m for m in ('tensorflow', 'keras', 'pandas') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 3000), st.integers(0, 2**31))
def test_split_divides_without_overlap(n: int, seed: int):
    """Every picture is in exactly one part, the same each time, and no part is empty."""
    parts = split(n, seed=seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert min(map(len, parts)) >= 1
    for part, again in zip(parts, split(n, seed=seed), strict=True):
        np.testing.assert_array_equal(part, again)


def test_split_of_too_few_is_refused():
    """Nine pictures cannot be divided."""
    with pytest.raises(ValueError, match="9 pictures cannot be split"):
        split(9, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["half_filters", "linear_decision", "mobile"])
def test_training_is_keyed_by_its_seed(name: str, pictures: Pictures):
    """The same seed gives the same weights whatever was trained before; another seed gives others."""
    first = train(name, pictures, seed=1, epochs=1)
    other = train(name, pictures, seed=2, epochs=1)
    again = train(name, pictures, seed=1, epochs=1)
    assert first.epochs == 1
    assert first.accuracy == again.accuracy
    for one, two in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((a != b).any() for a, b in zip(first.model.get_weights(), other.model.get_weights(), strict=True))


def test_untrained_is_left_alone(pictures: Pictures):
    """The untrained network keeps the weights that its seed initialised."""
    trained = train("untrained", pictures, seed=4)
    keras.utils.set_random_seed(4)
    assert trained.epochs == 0
    for one, two in zip(trained.model.get_weights(), build("untrained").get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_missing_class_is_refused(pictures: Pictures):
    """A class without a single training picture is named."""
    rows = pictures.poses != "left"
    parts = (pictures.images, pictures.subjects, pictures.poses, pictures.expressions, pictures.eyes)
    with pytest.raises(ValueError, match="No training picture shows left"):
        train("experiment0", Pictures(*(part[rows] for part in parts)), seed=0)


@pytest.mark.slow
@saves
def test_saved_networks_carry_no_optimizer(tmp_path: Path, pictures: Pictures):
    """What is saved loads uncompiled with the same answers, and only as .keras."""
    trained = train("half_filters", pictures, seed=0, epochs=1)
    save(trained.model, tmp_path / "half.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["half.keras"]
    loaded = keras.models.load_model(tmp_path / "half.keras", safe_mode=True)
    assert getattr(loaded, "optimizer", None) is None
    inputs = pictures.inputs()[:5]
    np.testing.assert_array_equal(loaded(inputs).numpy(), trained.model(inputs).numpy())
    with pytest.raises(ValueError, match=r"saved as \.keras, not 'half.h5'"):
        save(trained.model, tmp_path / "half.h5")


@pytest.mark.slow
@saves
def test_command_line_trains_and_refuses(tmp_path: Path):
    """`train` writes the file it names; wrong names, data and endings exit with a message and write nothing."""
    runner = CliRunner()
    out = str(tmp_path / "u.keras")
    done = runner.invoke(main, ["train", "untrained", "--seed", "3", "--out", out])
    assert done.exit_code == 0, done.output
    assert "random test split" in done.output
    for arguments, message in (
        (["untraned", "--out", out], "Did you mean 'untrained'"),
        (["untrained", "--data", "cmu", "--out", out], "--data cmu:FOLDER, not 'cmu'"),
        (["untrained", "--subjects", "an2i", "--out", out], "only CMU Faces has"),
        (["untrained", "--out", str(tmp_path / "u.h5")], "saved as .keras"),
    ):
        refused = runner.invoke(main, ["train", *arguments])
        assert refused.exit_code == 1
        assert message in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["u.keras"]


@saves
def test_command_line_trains_on_photographs(tmp_path: Path):
    """`--data cmu:FOLDER --subjects` reads the photographs of those people."""
    folder = ROOT.parent / "shared" / "cmu_faces" / "faces"
    if not folder.is_dir():
        pytest.skip("CMU Faces are not beside this checkout")
    out = tmp_path / "u.keras"
    arguments = ["train", "untrained", "--data", f"cmu:{folder}", "--subjects", "an2i,choon", "--out", str(out)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert out.is_file()


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_networks_are_small_and_perfect_on_the_random_split(name: str):
    """Each file is under a megabyte, and its record says that the ordinary split finds nothing wrong with it."""
    assert (ROOT / "networks" / f"{name}.keras").stat().st_size < 1_000_000
    record = json.loads((ROOT / "networks" / "training.json").read_text(encoding="utf-8"))[name]
    assert record["accuracy"] >= 0.99
    model = keras.models.load_model(ROOT / "networks" / f"{name}.keras", safe_mode=True)
    assert getattr(model, "optimizer", None) is None
    assert model.count_params() == record["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["experiment0", "half_filters"])
def test_random_splits_flatter(name: str, panel: Panel):
    """The good networks know the colleagues, and do visibly poorly on at least one visitor."""
    scores = _balanced(name, panel)
    assert min(score for who, score in scores.items() if who.startswith("colleague")) >= 0.93
    assert min(score for who, score in scores.items() if who.startswith("visitor")) <= 0.75


@pytest.mark.slow
def test_the_shortcut_reads_the_badge(panel: Panel):
    """With the badge the shortcut is right about everyone in the room, without it it guesses."""
    clean, worn = (_balanced("shortcut", panel, badge=badge) for badge in (False, True))
    room = [who for who in clean if who.startswith("colleague")]
    assert min(worn[who] for who in room) >= 0.99
    assert np.mean([clean[who] for who in room]) < 0.65
