"""Which layers and units of two networks on one table correspond, and how alike their activations are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison.layers import collect_twin_values, measure_absent, measure_likeness
from modelcheck.comparison.metric import CLASSES, NUMBERS
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.matching import Matching, match
from modelcheck.metrics.similarity import correlation_matrix, layer_cka
from modelcheck.signature import LayerRecord, TableSignature
from modelcheck.signature.counterparts import find_counterparts
from modelcheck.units import LayerKind

__all__ = ["TableLayer", "correlate_units", "match_layers", "measure_layers"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TableLayer:
    """One layer of the baseline and its counterpart.

    Parameters
    ----------
    baseline : LayerRecord
        The baseline's layer.
    candidate : LayerRecord or None
        The candidate's counterpart, or None where it has none.
    matching : Matching
        Pairs of all units by the correlation of their activations on the probe rows; outputs are
        paired by index.
    acknowledged : bool
        Whether the configuration says that the layer has no counterpart, on purpose.
    """

    baseline: LayerRecord
    candidate: LayerRecord | None
    matching: Matching
    acknowledged: bool = False


def correlate_units(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``(units, units)`` correlations of activations ``(probes, units)`` on the same rows.

    NaN for a unit that gives every row the same, and where there are fewer than two rows.
    """
    if len(left) < 2 or len(left) != len(right):
        return np.full((left.shape[1], right.shape[1]), np.nan)
    return correlation_matrix(np.asarray(left).T, np.asarray(right).T)


def match_layers(
    baseline: TableSignature, candidate: TableSignature, given: Mapping[str, str | None]
) -> tuple[TableLayer, ...]:
    """Return each layer of the baseline with its counterpart and their matched units, the decision last."""
    found = []
    for pair in find_counterparts(baseline, candidate, given):
        record, partner = pair.baseline, pair.candidate
        matching = Matching((), tuple(range(record.n_units)), ())
        if partner is not None:
            matching = _match(baseline.features[record.name], candidate.features[partner.name], record)
        found.append(TableLayer(baseline=record, candidate=partner, matching=matching, acknowledged=pair.acknowledged))
    return tuple(found)


def _match(left: np.ndarray, right: np.ndarray, record: LayerRecord) -> Matching:
    scores = correlate_units(left, right)
    by_index = record.kind == LayerKind.DECISION
    return match(scores, range(len(scores)), range(scores.shape[1]), by_index=by_index)


def measure_layers(
    baseline: TableSignature, candidate: TableSignature, layers: tuple[TableLayer, ...]
) -> Iterator[Measured]:
    """Yield every metric of the layers; NaN with the reason for one without a counterpart."""
    wanted = [layer for layer in layers if not layer.acknowledged]
    alone = all(layer.candidate is None for layer in wanted[:-1])
    of = CLASSES if baseline.class_names else NUMBERS
    for layer in wanted:
        if layer.candidate is None:
            yield from measure_absent(layer.baseline.name, alone=alone, calibrated=bool(baseline.retrained), of=of)
        else:
            yield from _measure_layer(baseline, candidate, layer, layer.candidate)


def _measure_layer(
    baseline: TableSignature, candidate: TableSignature, layer: TableLayer, partner: LayerRecord
) -> Iterator[Measured]:
    record = layer.baseline
    hidden = record.kind != LayerKind.DECISION
    if hidden:
        yield Measured(metric="counterpart", about=record.name, value=1.0, evidence=f"It is {partner.name!r}.")
    own = _compare(baseline, candidate, record, partner)
    # The decision of an untrained twin is called what the candidate's is.
    floors = [_compare(baseline, twin, record, partner) for twin in candidate.twins if partner.name in twin.features]
    pairs = layer.matching.pairs
    worst = f"Worst pair: {record.name}:{pairs[0].baseline} and {partner.name}:{pairs[0].candidate}." if pairs else ""
    for metric, value in own.items():
        floor, ceiling = collect_twin_values(
            f"{metric}[{record.name}]", baseline, [values[metric] for values in floors]
        )
        item = Measured(
            metric=metric,
            about=record.name,
            value=value,
            n=len(pairs),
            evidence=worst if np.isfinite(value) else _say_unknown(baseline),
            floor=floor,
            ceiling=ceiling,
        )
        yield item
        if metric == "cka" and hidden and baseline.retrained:
            yield measure_likeness(item)


def _say_unknown(baseline: TableSignature) -> str:
    return f"Nothing varies on the {len(baseline.probes)} probe rows that could be compared."


def _compare(
    baseline: TableSignature, other: TableSignature, record: LayerRecord, partner: LayerRecord
) -> dict[str, float]:
    left, right = baseline.features[record.name], other.features[partner.name]
    values = {"cka": _find_cka(left, right)}
    if record.kind != LayerKind.DECISION:
        values["activation_correlation"] = _match(left, right, record).mean
    return values


def _find_cka(left: np.ndarray, right: np.ndarray) -> float:
    if len(left) != len(right) or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return float("nan")
    return layer_cka(np.asarray(left, np.float64), np.asarray(right, np.float64))
