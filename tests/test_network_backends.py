"""Whatever backend Keras is told to use: modelcheck computes with TensorFlow, and reads what others saved."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import backend_networks
from backend_networks import DATA, make_labels, make_pictures
from modelcheck import Panel, Recipe, measure
from modelcheck.interface import Interface
from modelcheck.network import require_tensorflow

BACKENDS = ("jax", "torch")
LIGHT = Recipe(
    steps=1,
    copies=1,
    units_per_layer=1,
    probe_pictures=8,
    attribution_methods=(),
    untrained_twins=0,
    sticker_faces=0,
    exchange_pictures=0,
    mosaics=0,
)
# Of scores from -9 to 13; two backends sum in another order.
ROUNDING = 1e-4


def run(*arguments, backend):
    """Run Python under a backend; return what it printed."""
    surroundings = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measured(path):
    """Return the signature of a file that a backend wrote, on the pictures that it was trained on."""
    panel = Panel(
        make_pictures(),
        make_labels(),
        class_names=("red", "green", "blue"),
        names=np.array([f"picture{row}" for row in range(len(make_labels()))]),
    )
    return measure(path, panel, LIGHT, interface=Interface(preprocessing="bytes"), twins=False)


def difference(signature, scores):
    """Return the largest difference of the scores that were measured and those that a backend gave."""
    assert signature.scores.shape == scores.shape == (backend_networks.COUNT, backend_networks.CLASSES)
    return np.abs(signature.scores - scores).max()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_of_another_backend_is_measured_with_that_backends_scores(backend):
    """A file that torch or jax wrote has, here, the scores that torch or jax gave on 240 pictures; another has not."""
    scores = {name: np.load(DATA / f"{name}_scores.npy") for name in BACKENDS}
    (other,) = set(BACKENDS) - {backend}
    signature = measured(DATA / f"{backend}.keras")
    assert difference(signature, scores[backend]) < ROUNDING
    assert difference(signature, scores[other]) > 1
    layers = [layer.name for layer in signature.layers]
    assert layers == ["conv", "separable", "depthwise", "head"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_that_is_installed_is_read_too(backend, tmp_path):
    """What the installed torch or jax writes today is measured with its scores, as the files of the repository are."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: nothing can be saved under it. Its file in tests/data is read.")
    run(str(Path(backend_networks.__file__)), str(tmp_path), backend=backend)
    signature = measured(tmp_path / f"{backend}.keras")
    assert difference(signature, np.load(tmp_path / f"{backend}_scores.npy")) < ROUNDING


@pytest.mark.slow
def test_the_backend_of_the_shell_does_not_count():
    """With KERAS_BACKEND=torch, installed or not, TensorFlow computes, and the environment stays as it was."""
    code = "import modelcheck.network, os, keras; print(keras.backend.backend(), os.environ['KERAS_BACKEND'])"
    assert run("-c", code, backend="torch").split() == ["tensorflow", "torch"]


def test_a_process_that_computes_otherwise_is_told(monkeypatch):
    """Keras that was imported with another backend cannot be changed any more: an error with the next step."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=r"backend 'jax' in this process.* start with KERAS_BACKEND=tensorflow"):
        require_tensorflow()
