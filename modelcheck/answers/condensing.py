"""Activations and weights, condensed to what a signature keeps of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["fingerprint_kernels", "pool_to_grid"]

_GRID = 4  # cells along each axis, over which activations are averaged
_KEPT_WEIGHTS = 512  # weights of a kernel that are kept to recognise an ancestor


def pool_to_grid(values: np.ndarray) -> np.ndarray:
    """Return activations averaged over a coarse grid, ``(n, cells, units)``; one cell where they have no places.

    Parameters
    ----------
    values : np.ndarray
        ``(n, h, w, units)`` or ``(n, units)``.
    """
    if values.ndim == 2:
        return values[:, None, :]
    rows, columns = (np.array_split(np.arange(length), min(_GRID, length)) for length in values.shape[1:3])
    cells = [values[:, r[:, None], c].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.stack(cells, axis=1)


def fingerprint_kernels(weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return some weights of every kernel, at places that depend on its size alone.

    Parameters
    ----------
    weights : sequence of np.ndarray
        A network's weights in order; those of one axis, such as biases, are no kernels.
    """
    kernels = [weight for weight in weights if weight.ndim > 1]
    prints = {}
    for position, kernel in enumerate(kernels):
        places = np.random.Generator(np.random.Philox(key=[kernel.size, 0])).permutation(kernel.size)[:_KEPT_WEIGHTS]
        largest = float(np.abs(kernel).max()) or 1.0  # half floats keep shape, not scale
        name = f"{position}:" + "x".join(str(length) for length in kernel.shape)
        prints[name] = kernel.reshape(-1)[np.sort(places)] / largest
    return prints
