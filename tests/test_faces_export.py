"""A network of the worked example becomes a LiteRT file, and what that changed is measured and said."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.faces.__main__ import main
from modelcheck.faces.silence import silence
from modelcheck.panel import Panel

keras = pytest.importorskip("keras")
pytest.importorskip("ai_edge_litert", reason="converted files are asked with ai-edge-litert")

import conversions  # noqa: E402 - after the skips above
from modelcheck.faces.export import (  # noqa: E402
    MARK,
    Precision,
    answer,
    check_target,
    choose_pictures,
    convert,
    export,
)

ROOT = Path(__file__).parents[1]
HALF, PANEL = str(ROOT / "networks" / "half_filters.keras"), str(ROOT / "baselines" / "drawn-faces" / "panel.npz")
# Keras 3.15 hands its variables to numpy in the way of numpy 1 when it saves; nothing of ours can
# change that.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def invoke(model, out, *, to="float32", panel=PANEL):
    return CliRunner().invoke(main, ["export", str(model), "--to", to, "--panel", str(panel), "--out", str(out)])


@pytest.fixture(scope="module")
def tiny():
    """Return a network that converts at once, and its panel."""
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Input((6, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    pictures = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 1), np.uint8)
    return keras.Sequential(parts), Panel(pictures, [0, 1] * 6, class_names=("no", "yes"))


def test_the_command_offers_every_precision():
    """The command line's choices, which it has without TensorFlow, are those of the converter."""
    (option,) = (option for option in main.commands["export"].params if option.name == "to")
    assert tuple(option.type.choices) == get_args(Precision)


# Bytes at most, and how far a probability may move: half as much again as was measured.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "most", "moved"),
    [("float32", 260_000, 1e-5), ("float16", 135_000, 1e-3), ("dynamic", 75_000, 0.03), ("int8", 75_000, 0.05)],
)
def test_a_right_conversion_answers_alike(to, most, moved, converted):
    """Each precision has its size, built-in operators alone, and changes no answer of the panel."""
    data = converted(to)
    assert data[4:8] == MARK
    assert len(data) <= most
    assert all(name.isupper() for name in conversions.operators(data))
    pictures = conversions.faces().inputs((0.0, 1.0))
    ours, source = answer(data, pictures), conversions.network("half_filters").predict_on_batch(pictures)
    np.testing.assert_array_equal(ours.argmax(axis=1), source.argmax(axis=1))
    assert 0 < np.abs(ours - source).max() <= moved


def test_int8_takes_and_gives_bytes(converted):
    """The file for phones has 8 bits at both ends; the scale of its input is that of pictures from 0 to 1."""
    from ai_edge_litert.interpreter import Interpreter

    with silence():
        interpreter = Interpreter(model_content=converted("int8"))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert taken["dtype"] == given["dtype"] == np.uint8
    np.testing.assert_allclose(taken["quantization"], (1 / 255, 0), atol=1e-4)


def test_what_it_says_is_what_was_measured(tiny):
    """The difference agrees with one plain loop over both files, and counts the answers that changed."""
    model, panel = tiny
    data, found = export(model, panel, to="int8")
    largest, changed = 0.0, 0
    for picture in panel.inputs((0.0, 1.0)):
        ours, source = answer(data, picture[None])[0], model(picture[None]).numpy()[0]
        largest = max(largest, *np.abs(ours - source).tolist())
        changed += int(ours.argmax() != source.argmax())
    assert found.largest == pytest.approx(largest, abs=1e-6)
    assert largest > 1e-4  # of 8 bits something is lost
    assert (found.pictures, found.changed, found.of_what) == (12, changed, "a probability")


def test_integers_are_taken_for_what_the_file_says(tiny):
    """Of scores below and above 0, whose zero point is not 0, int8 loses a hundredth of their range at most."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential([layers.Input((6, 5, 1)), layers.Flatten(), layers.Dense(2)])
    data, found = export(model, tiny[1], to="int8")
    pictures = tiny[1].inputs((0.0, 1.0))
    source = model.predict_on_batch(pictures)
    assert source.min() < 0 < source.max()
    np.testing.assert_allclose(answer(data, pictures), source, atol=0.01 * np.ptp(source))
    assert found.of_what == "an output"


def test_int8_without_pictures_is_refused(tiny):
    """Nothing is calibrated on nothing."""
    with pytest.raises(ValueError, match="calibrated on pictures, and there are none"):
        convert(tiny[0], to="int8")


def test_what_the_converter_cannot_do_is_one_sentence():
    """A network that needs TensorFlow's own operators is refused, with the operator's name."""
    start = keras.layers.Input((6, 5, 1))
    turned = keras.layers.Lambda(lambda x: keras.ops.linalg.det(x[:, :5, :, 0])[:, None])(start)
    with pytest.raises(ValueError, match=r"converter refused the network: .+"):
        convert(keras.Model(start, turned), to="float32")


@given(
    kinds=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=60), most=st.integers(1, 40)
)
def test_the_choice_is_stratified(kinds, most):
    """Rows are distinct, as many as there may be; no class and subject has two fewer than another, if it has more."""
    labels = [label for label, _ in kinds]
    panel = Panel(
        np.zeros((len(kinds), 2, 2, 1), np.uint8) + np.arange(len(kinds), dtype=np.uint8)[:, None, None, None],
        labels,
        class_names=("a", "b", "c"),
        subjects=[f"s{who}" for _, who in kinds],
    )
    rows = choose_pictures(panel, most=most)
    assert sorted(set(rows.tolist())) == rows.tolist()
    assert len(rows) == min(most, len(kinds))
    np.testing.assert_array_equal(rows, choose_pictures(panel, most=most))
    of_each = kinds if panel.shared_subjects is not None else [(label, 0) for label in labels]
    chosen = [of_each[row] for row in rows.tolist()]
    left = {kind: of_each.count(kind) - chosen.count(kind) for kind in of_each}
    fewest_open = min((chosen.count(kind) for kind in left if left[kind]), default=len(kinds))
    assert max(map(chosen.count, left)) <= fewest_open + 1


def test_another_seed_chooses_others():
    """The choice is keyed by its seed."""
    panel = conversions.faces()
    assert choose_pictures(panel).tolist() != choose_pictures(panel, seed=1).tolist()


@pytest.mark.slow
@saves
def test_the_command_writes_and_measures(tiny, tmp_path):
    """It says format, precision, bytes and what changed; a converted network may be written over, and is whole."""
    model, panel = tiny
    model.save(tmp_path / "tiny.keras")
    panel.save(tmp_path / "panel.npz")
    out = tmp_path / "made" / "tiny.tflite"
    for to in ("float32", "int8"):
        done = invoke(tmp_path / "tiny.keras", out, to=to, panel=tmp_path / "panel.npz")
        assert done.exit_code == 0, done.output
        assert f"LiteRT, {to}, {out.stat().st_size} bytes." in done.output
        assert re.search(r"panel's 12 pictures the largest difference of a probability is \S+, and 0 of", done.output)
    assert [path.name for path in out.parent.iterdir()] == ["tiny.tflite"]


@saves
def test_without_the_runtime_it_says_so(tiny, tmp_path, monkeypatch):
    """Where ai-edge-litert is missing the file is written, and no difference is claimed."""
    model, panel = tiny
    model.save(tmp_path / "tiny.keras")
    panel.save(tmp_path / "panel.npz")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    done = invoke(tmp_path / "tiny.keras", tmp_path / "t.tflite", panel=tmp_path / "panel.npz")
    assert done.exit_code == 0, done.output
    assert "not measured" in done.output
    assert "pip install 'modelcheck[litert]'" in done.output
    assert "largest" not in done.output
    assert (tmp_path / "t.tflite").read_bytes()[4:8] == MARK


@saves
def test_what_answers_nan_is_not_written(tiny, tmp_path):
    """A network with a NaN among its weights is no network to ship."""
    model, panel = conversions.copy(tiny[0]), tiny[1]
    kernel, bias = model.layers[-1].get_weights()
    kernel[0, 0] = np.nan
    model.layers[-1].set_weights([kernel, bias])
    model.save(tmp_path / "nan.keras")
    panel.save(tmp_path / "panel.npz")
    done = invoke(tmp_path / "nan.keras", tmp_path / "nan.tflite", panel=tmp_path / "panel.npz")
    assert done.exit_code == 1
    assert "answers NaN or infinity on 12 of 12 pictures, so nothing was written" in done.output
    assert not (tmp_path / "nan.tflite").exists()


@pytest.mark.parametrize(
    ("model", "out", "panel", "message"),
    [
        (HALF, "x.keras", PANEL, "saved as .tflite, not 'x.keras'. Name it x.tflite."),
        (HALF, "note.tflite", PANEL, "no converted network: it is not written over"),
        (HALF, "note.tflite/x.tflite", PANEL, "is no folder"),
        (HALF, "x.tflite", "other.npz", "The network takes pictures of 60x64x1"),
        (HALF, "x.tflite", "none.npz", "There is no panel file"),
        ("note.tflite", "x.tflite", PANEL, "is refused, and was not loaded"),
        ("none.keras", "x.tflite", PANEL, "There is no network file"),
    ],
)
def test_bad_input_is_one_message(model, out, panel, message, tiny, tmp_path, monkeypatch):
    """Wrong names, files and panels are one message each, and what lies there stays as it is."""
    monkeypatch.chdir(tmp_path)
    Path("note.tflite").write_text("a note of somebody's")
    tiny[1].save("other.npz")
    done = invoke(model, out, panel=panel)
    assert done.exit_code == 1, done.output
    assert done.output.startswith("Error: ")
    assert message in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note.tflite", "other.npz"]
    assert Path("note.tflite").read_text() == "a note of somebody's"


def test_a_folder_is_not_written_over(tmp_path):
    """A folder under the name of a file is refused."""
    (tmp_path / "x.tflite").mkdir()
    with pytest.raises(ValueError, match="that is a folder"):
        check_target(tmp_path / "x.tflite")


def speak_and_fail():
    with silence():
        sys.stdout.write("noise\n")
        os.write(1, b"noise\n")
        os.write(2, b"I0000 00:00:1.1 1 x.cc:1] noise\nE0000 00:00:1.1 1 x.cc:1] no memory\n")
        warnings.warn("noise", UserWarning, stacklevel=1)
        raise KeyError


def test_noise_is_dropped_and_errors_are_kept(capfd):
    """What Python, C++ and warnings say is dropped; a line of an error in TensorFlow's log is not, nor an exception."""
    with pytest.raises(KeyError):
        speak_and_fail()
    assert capfd.readouterr() == ("", "E0000 00:00:1.1 1 x.cc:1] no memory\n")
    os.write(1, b"again\n")
    assert capfd.readouterr().out == "again\n"
