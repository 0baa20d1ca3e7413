"""What planning, approving and gating a network of ``keras.applications`` takes: seconds on the clock and memory.

Run ``python benchmarks/real_gate.py MobileNetV2 --side 96 --minutes 8``. Weights are random; the
statistics of normalising layers and the last layer are fitted to drawn faces, so that the network
answers. The candidate is the release with its weights rounded to half precision. ``--recipe`` takes
a recipe of one's own instead of the plan's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.faces.drawn import draw_panel, draw_pictures
from modelcheck.faces.people import colleagues, training_subjects
from modelcheck.panel import Panel

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
FITTED, BATCH = 256, 32


def enlarge(pictures: np.ndarray, side: int) -> np.ndarray:
    """Return grey pictures ``(n, h, w, 1)`` as ``(n, side, side, 3)`` bytes."""
    found = tf.image.resize(pictures.reshape(*pictures.shape[:3], 1).astype(np.float32), (side, side)).numpy()
    return np.repeat(found.clip(0, 255).round().astype(np.uint8), 3, axis=3)


def fit(name: str, side: int) -> Any:
    """Return a network of random weights that answers whether a drawn person looks to the left."""
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(input_shape=(side, side, 3), weights=None, classes=2)
    drawn = draw_pictures(training_subjects())
    rows = np.random.default_rng(0).permutation(len(drawn.images))[:FITTED]
    pictures = enlarge(drawn.images[rows], side) / np.float32(255)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    network(pictures[: 2 * BATCH], training=True)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    last = network.layers[-1]
    features = keras.Model(network.inputs, last.input).predict(pictures, batch_size=BATCH, verbose=0)
    features = features.astype(np.float64)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread += spread.mean()  # what hardly varies gets no large weight
    scaled = (features - mean) / spread
    wanted = np.where(drawn.poses[rows] == "left", 3.0, -3.0)
    gram = scaled @ scaled.T + len(rows) * np.eye(len(rows))  # a ridge, of which the pictures are fewer than features
    weights = scaled.T @ np.linalg.solve(gram, wanted - wanted.mean()) / spread
    offset = wanted.mean() - mean @ weights
    last.set_weights([np.stack([-weights, weights], 1) / 2, np.array([-offset, offset]) / 2])
    return network


def draw(side: int) -> Panel:
    """Return half of the drawn held-out pictures, in colour and of this size."""
    panel = draw_panel(colleagues())
    held = panel.subset(np.arange(0, len(panel), 2))
    regions = enlarge(held.regions.astype(np.uint8)[..., None] * 255, side)[..., 0] > 127
    return replace(held, images=enlarge(held.images, side), regions=regions)


def save_all(name: str, side: int, folder: Path) -> None:
    """Save a release, the same with its weights in half precision, and a panel."""
    network = fit(name, side)
    network.save(folder / "release.keras")
    network.set_weights([w.astype(np.float16).astype(w.dtype) for w in network.get_weights()])
    network.save(folder / "candidate.keras")
    draw(side).save(folder / "heldout.npz")


def call(folder: Path, *words: str) -> str:
    """Run a command in a folder, say what it took, and return what it said; a red gate is told too."""
    start = time.monotonic()
    with (folder / "said.txt").open("w+") as told:
        child = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, env=ENVIRONMENT, stdout=told, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(child.pid, 0)  # of the largest process that it started, too
        took, code = time.monotonic() - start, os.waitstatus_to_exitcode(status)
        child.returncode = code
        told.seek(0)
        said = told.read()
    shown = " ".join(words[:2])
    print(f"{shown}: {took:.0f} s, exit code {code}, at most {used.ru_maxrss / 2**20:.1f} GiB", flush=True)
    if code not in (0, 1):
        raise SystemExit(f"{' '.join(words)} failed:\n{said[-3000:]}")
    return said


def main() -> None:
    """Plan, approve and gate one network."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("name")
    options.add_argument("--side", type=int, default=96)
    options.add_argument("--minutes", type=float, default=8)
    options.add_argument("--recipe", type=Path, help="a recipe of your own (.toml) instead of the plan's")
    options.add_argument("--workers", type=int, help="so many processes measure")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        # In a process of its own: what this one holds counts as what the commands take.
        made = multiprocessing.get_context("spawn").Process(target=save_all, args=(given.name, given.side, folder))
        made.start()
        made.join()
        if made.exitcode:
            raise SystemExit("The networks could not be made.")
        workers = [] if given.workers is None else [f"workers = {given.workers}"]
        (folder / "pyproject.toml").write_text(
            "\n".join(["[tool.modelcheck]", "timeout = 7200", "memory = 8", *workers])
        )
        if given.recipe is None:
            asked = ("--minutes", str(given.minutes), "--to", "recipe.toml")
            print(call(folder, "modelcheck", "plan", "release.keras", "--panel", "heldout.npz", *asked))
        else:
            shutil.copy(given.recipe, folder / "recipe.toml")
        approve = ("approve", "release.keras", "--panel", "heldout.npz", "--to", "baselines/release")
        why = ("--reason", "first", "--even-so", "weights are random")
        call(folder, "modelcheck", *approve, "--recipe", "recipe.toml", *why)
        call(folder, "modelcheck", "init", "--candidate", "candidate.keras", "--baseline", "baselines/release")
        about = ("--candidate", "candidate.keras", "--baseline", "baselines/release", "--panel", "heldout.npz")
        told = call(folder, "pytest", "suites/", *about, "-q", "-p", "no:cacheprovider")
        print("\n".join(told.splitlines()[-12:]))
        call(folder, "pytest", "suites/", *about, "-q", "-p", "no:cacheprovider")


if __name__ == "__main__":
    main()
