"""Many small networks trained at once, for the studies of tables: a second each instead of ten.

The architecture, loss and optimiser of `modelcheck.tables.train`, in numpy, with a leading axis of
networks. The weights are put into the Keras networks of the example, which are then measured as any
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from modelcheck.tables import Rows
from modelcheck.tables.networks import build, network

_RATE, _DECAY, _BATCH = 4e-3, 1.0, 64
_WEIGHTS, _ORDER = 1, 2  # what a draw is for


def train_all(
    name: str, tables: Sequence[Rows], seeds: Sequence[int], *, epochs: int = 30
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return kernels and biases of one network for each pair of a table and a seed; all tables are of one size."""
    vectors = np.stack([table.vector() for table in tables])
    means, spreads = vectors.mean(axis=1, keepdims=True), vectors.std(axis=1, keepdims=True)
    x = (vectors - means) / np.maximum(spreads, 1e-6)
    n_classes = len(tables[0].class_names)
    y = np.stack([table.truth for table in tables])
    target = np.eye(n_classes)[y.astype(int)] if n_classes else y[..., None]
    sizes = [x.shape[2], *network(name).units, max(n_classes, 1)]
    draws = [np.random.Generator(np.random.Philox(key=[seed, _WEIGHTS])) for seed in seeds]
    orders = [np.random.Generator(np.random.Philox(key=[seed, _ORDER])) for seed in seeds]
    parts: list[np.ndarray] = []
    for fan_in, fan_out in pairwise(sizes):
        reach = np.sqrt(6 / (fan_in + fan_out))  # Glorot's, as in Keras
        parts += [np.stack([draw.uniform(-reach, reach, (fan_in, fan_out)) for draw in draws]).astype(np.float32)]
        parts += [np.zeros((len(seeds), 1, fan_out), np.float32)]
    first, second = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    step, rows = 0, np.arange(len(tables))[:, None]
    for _ in range(epochs):
        order = np.stack([generator.permutation(x.shape[1]) for generator in orders])
        for start in range(0, x.shape[1], _BATCH):
            chosen = order[:, start : start + _BATCH]
            step += 1
            for k, slope in enumerate(_slopes(parts, x[rows, chosen], target[rows, chosen], classes=bool(n_classes))):
                first[k] = 0.9 * first[k] + 0.1 * slope
                second[k] = 0.999 * second[k] + 0.001 * slope**2
                rate = _RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                parts[k] = parts[k] * (1 - _RATE * _DECAY) - rate * first[k] / (np.sqrt(second[k]) + 1e-7)
    return [[(parts[k][at], parts[k + 1][at, 0]) for k in range(0, len(parts), 2)] for at in range(len(seeds))]


def _slopes(parts: list[np.ndarray], x: np.ndarray, target: np.ndarray, *, classes: bool) -> list[np.ndarray]:
    """Return the derivatives of the mean loss: cross entropy after softmax, or the squared error."""
    activations = [x.astype(np.float32)]
    for k in range(0, len(parts), 2):
        z = activations[-1] @ parts[k] + parts[k + 1]
        activations.append(np.maximum(z, 0) if k < len(parts) - 2 else z)
    answers = activations[-1]
    if classes:
        powers = np.exp(answers - answers.max(axis=-1, keepdims=True))
        back = powers / powers.sum(axis=-1, keepdims=True) - target
    else:
        back = 2 * (answers - target)
    back = (back / x.shape[1]).astype(np.float32)
    slopes: list[np.ndarray] = []
    for k in range(len(parts) - 2, -1, -2):
        slopes = [activations[k // 2].swapaxes(1, 2) @ back, back.sum(axis=1, keepdims=True), *slopes]
        if k:
            back = (back @ parts[k].swapaxes(1, 2)) * (activations[k // 2] > 0)
    return slopes


def as_keras(name: str, rows: Rows, weights: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """Return the Keras network of the example with these weights; its normalisation is that of the rows."""
    model = build(name, rows)
    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    for layer, (kernel, bias) in zip(dense, weights, strict=True):
        layer.set_weights([kernel, bias])
    return model
