"""Where two networks' maps are alike, pixel by pixel: the numbers behind a report's pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelcheck.comparison.decision import scale_decision_maps
from modelcheck.comparison.layers import LayerComparison, crop_to_common
from modelcheck.metrics.matching import Match
from modelcheck.metrics.similarity import local_ssim, shrink
from modelcheck.signature import Signature

__all__ = ["locate_decision_similarity", "locate_pair_similarity", "select_maps"]


def locate_decision_similarity(baseline: Signature, candidate: Signature) -> dict[str, np.ndarray]:
    """Return where the decision's maps of a class are alike, by scale ``(classes, h, w)``.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks; for the scales see `modelcheck.comparison.decision.scale_decision_maps`.
    """
    low, high = baseline.recipe.input_range
    before, after = scale_decision_maps(baseline), scale_decision_maps(candidate)
    return {scale: local_ssim(before[scale], after[scale], data_range=high - low) for scale in before}


def locate_pair_similarity(
    baseline: Signature, candidate: Signature, layer: LayerComparison, *, pairs: Sequence[Match], side: int
) -> np.ndarray:
    """Return where the maps of matched units are alike, ``(pairs, h, w)``.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks.
    layer : LayerComparison
        A layer with a counterpart.
    pairs : sequence of Match
        Some of its matched units.
    side : int
        In pixels: maps with a longer side are made smaller first.

    Raises
    ------
    ValueError
        When the layer has no counterpart.
    """
    if layer.candidate is None:
        raise ValueError(f"The layer {layer.baseline.name!r} has no counterpart, so none of its units is matched.")
    low, high = baseline.recipe.input_range
    maps = crop_to_common(
        select_maps(baseline, layer.baseline.name, [pair.baseline for pair in pairs]),
        select_maps(candidate, layer.candidate.name, [pair.candidate for pair in pairs]),
    )
    left, right = (shrink(stack, side=side) for stack in maps)
    return local_ssim(left, right, data_range=high - low)


def select_maps(signature: Signature, layer: str, units: Sequence[int]) -> np.ndarray:
    """Return the maps of some rendered units of a layer, ``(n, h, w, c)``."""
    known = signature.units[layer].tolist()
    return signature.maps[layer][[known.index(unit) for unit in units]]
