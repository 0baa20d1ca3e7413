"""What can be said of one network from its signature alone: a report shows it of either side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.asking import KERAS
from modelcheck.comparison.decision import scale_decision_maps
from modelcheck.comparison.regions import compute_relevance_mass
from modelcheck.metrics.health import unit_health
from modelcheck.signature import LayerRecord, Signature

__all__ = ["NetworkStatistics", "compute_statistics"]

_SMALLEST_AREA = 1e-9  # an empty region holds no share: its mass is NaN, whatever it is divided by


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkStatistics:
    """What can be said of one network from its signature alone.

    Parameters
    ----------
    confusion : np.ndarray
        ``(classes, classes)`` how often each class, in rows, was answered by each, in columns.
    unit_health : mapping of str to mapping of int to str
        By hidden layer and rendered unit, a word of `modelcheck.metrics.health.HEALTH`; empty for a
        network from which nothing can be rendered.
    relevance_mass : mapping of str to np.ndarray
        By attribution method, ``(probes,)`` shares of the relevance inside the region, from 0 to 1;
        NaN for an empty map and where the panel has no regions.
    least_inside : mapping of str to np.ndarray
        By attribution method, ``(probes,)`` positions of the probe pictures, those first that have
        the least relevance inside the region beside the region's share of the picture.
    decision_maps : mapping of str to np.ndarray
        By scale, the decision's maps; see `modelcheck.comparison.decision.scale_decision_maps`.
    """

    confusion: np.ndarray
    unit_health: Mapping[str, Mapping[int, str]]
    relevance_mass: Mapping[str, np.ndarray]
    least_inside: Mapping[str, np.ndarray]
    decision_maps: Mapping[str, np.ndarray]


def compute_statistics(signature: Signature) -> NetworkStatistics:
    """Return what can be said of a network from its signature alone.

    Parameters
    ----------
    signature : Signature
        The network.
    """
    rendered = signature.layers[:-1] if signature.runtime == KERAS else ()
    masses = {method: _compute_masses(signature, method) for method in signature.attributions}
    return NetworkStatistics(
        confusion=_count_answers(signature),
        unit_health={record.name: _describe_units(signature, record) for record in rendered},
        relevance_mass=masses,
        least_inside={method: _order_by_gain(signature, values) for method, values in masses.items()},
        decision_maps=scale_decision_maps(signature),
    )


def _count_answers(signature: Signature) -> np.ndarray:
    labels, answers = signature.pictures["labels"], signature.scores.argmax(axis=1)
    counts = np.zeros((len(signature.class_names),) * 2, np.int64)
    np.add.at(counts, (labels, answers), 1)
    return counts


def _describe_units(signature: Signature, record: LayerRecord) -> dict[int, str]:
    units, features = signature.units[record.name], signature.features[record.name]
    # Features are kept of every unit, maps of the rendered ones.
    own = features[..., units] if features.shape[-1] == record.n_units else features
    words = unit_health(signature.maps[record.name], own, input_range=signature.recipe.input_range)
    return dict(zip(units.tolist(), words, strict=True))


def _compute_masses(signature: Signature, method: str) -> np.ndarray:
    if signature.regions is None:
        return np.full(len(signature.probes), np.nan)
    return compute_relevance_mass(signature.attributions[method], signature.regions)


def _order_by_gain(signature: Signature, masses: np.ndarray) -> np.ndarray:
    area = 1.0 if signature.regions is None else np.maximum(signature.regions.mean(axis=(1, 2)), _SMALLEST_AREA)
    gain = np.where(np.isfinite(masses), masses / area, -np.inf)
    return np.argsort(gain, kind="stable")
