"""Whatever backend Keras is told to use: modelcheck computes with TensorFlow, and reads what others saved."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from modelcheck.network import check_agreement, flatten, require_tensorflow
from modelcheck.network.loading import load_network

SAVE = """
import sys, keras
layers = keras.layers
net = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(),
                        layers.Flatten(), layers.Dense(2, activation="softmax")])
net.save(sys.argv[1])
"""


def run(code, *arguments, backend):
    """Run a Python program under a backend; return what it printed."""
    surroundings = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_file_that_another_backend_saved_is_read(backend, tmp_path):
    """The network is the same in TensorFlow: its steps answer as Keras does."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: nothing can be saved under it")
    run(SAVE, str(tmp_path / "net.keras"), backend=backend)
    network, _ = load_network(tmp_path / "net.keras")
    check_agreement(flatten(network), np.random.default_rng(0).random((8, 8, 8, 1), np.float32))


def test_the_backend_of_the_shell_does_not_count():
    """With KERAS_BACKEND=torch, installed or not, TensorFlow computes, and the environment stays as it was."""
    code = "import modelcheck.network, os, keras; print(keras.backend.backend(), os.environ['KERAS_BACKEND'])"
    assert run(code, backend="torch").split() == ["tensorflow", "torch"]


def test_a_process_that_computes_otherwise_is_told(monkeypatch):
    """Keras that was imported with another backend cannot be changed any more: an error with the next step."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match=r"backend 'jax' in this process.* start with KERAS_BACKEND=tensorflow"):
        require_tensorflow()
