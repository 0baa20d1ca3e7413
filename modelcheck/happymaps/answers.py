"""What a layer's units answer to pictures or patches: the same reading for an ascent and for another network's maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.happymaps.objectives import Objective, objective_of
from modelcheck.network import Network, UnitLayer
from modelcheck.network.receptive import ReceptiveField, receptive_field
from modelcheck.units import LayerKind

__all__ = ["MAX_BATCH_BYTES", "count_maps_at_once", "make_answer", "unit_answers"]

Tensor = Any  # tensorflow ships no types

MAX_BATCH_BYTES = 192 * 2**20


def make_answer(
    network: Network, layer: UnitLayer, row: Objective, field: ReceptiveField | None
) -> Callable[[Tensor], Tensor]:
    """Return the function from pictures, or from patches of a field's size, to the layer's units' values.

    Parameters
    ----------
    network : Network
        A flattened network.
    layer : UnitLayer
        One of its layers.
    row : Objective
        The objective: what a unit's value is.
    field : ReceptiveField or None
        Receptive field of the layer's units; None for whole pictures.
    """
    if field is not None:
        return lambda patches: field.evaluate(network, patches, layer.read)
    return lambda images: row.value(network, network.evaluate(images, [layer.read])[0])


def count_maps_at_once(network: Network, target: int, size: tuple[int, int], *, copies: int = 1) -> int:
    """Return how many maps of a size may pass through the network at once, forward and backward, up to a step."""
    height, width, _ = network.input_shape
    share = size[0] * size[1] / (height * width)
    values = sum(
        int(np.prod([axis or 1 for axis in network.steps[step].shape])) for step in network.steps_needed([target])
    )
    # Measured: a picture takes as much as its float32 answers in a network without batch
    # normalisation, and half of it in MobileNetV2, for the way back frees what it has used.
    return max(1, MAX_BATCH_BYTES // ((int(4 * values * share) + 1) * copies))


def unit_answers(network: Network, layer: UnitLayer, maps: np.ndarray, *, grey: float) -> np.ndarray:
    """Show a layer's units maps that were made for another layer.

    Parameters
    ----------
    network : Network
        A flattened network.
    layer : UnitLayer
        The layer whose units answer, with its default objective.
    maps : np.ndarray
        ``(n, h, w, c)``, NaN where there is none. What these units do not see is cut off around the
        centre; what they see beyond it is grey.
    grey : float
        The middle of the input range.

    Returns
    -------
    np.ndarray
        ``(n, units)`` float32; NaN for a map that is not there.
    """
    _, row = objective_of(layer, None)
    field = receptive_field(network, layer.read) if row.patch else None
    size = network.input_shape[:2] if field is None else field.size
    answers, batch = make_answer(network, layer, row, field), count_maps_at_once(network, layer.read, size)
    there = np.flatnonzero(np.isfinite(maps).all(axis=(1, 2, 3)))
    n_units = network.n_classes if layer.kind == LayerKind.DECISION else layer.n_units
    found = np.full((len(maps), n_units), np.nan, np.float32)
    for start in range(0, len(there), batch):
        rows = there[start : start + batch]
        found[rows] = answers(tf.constant(_fit_size(maps[rows], size, grey))).numpy()
    return found


def _fit_size(maps: np.ndarray, size: tuple[int, int], grey: float) -> np.ndarray:
    """Cut maps to a size, or put them on grey, around the centre."""
    canvas = np.full((len(maps), *size, maps.shape[3]), grey, np.float32)
    cuts, places = [], []
    for have, want in zip(maps.shape[1:3], size, strict=True):
        kept = min(have, want)
        cuts.append(slice((have - kept) // 2, (have - kept) // 2 + kept))
        places.append(slice((want - kept) // 2, (want - kept) // 2 + kept))
    canvas[:, places[0], places[1]] = maps[:, cuts[0], cuts[1]]
    return canvas
