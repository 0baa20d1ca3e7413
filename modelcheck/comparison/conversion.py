"""What a conversion did to a network: its source's layers beside the file's, and the answers that changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelcheck.comparison.asking import KERAS
from modelcheck.comparison.lineage import RELATED, correlate_kernels
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.matching import align
from modelcheck.metrics.similarity import layer_cka
from modelcheck.signature import Signature
from modelcheck.signature.counterparts import CompareError
from modelcheck.signature.storage import PER_LAYER
from modelcheck.units import LayerKind

__all__ = ["BROKEN_BELOW", "Conversion", "LayerFidelity", "adopt_source", "measure_conversion", "say_unrelated"]

BROKEN_BELOW = 20.0
"""Decibels of signal to noise from which on a layer is no longer what it was: noise of a tenth of the signal.

Right conversions of the worked example keep 40 or more in every layer; see docs/shipped_files.md.
"""
_MOST = 120.0  # decibels: about what float32 can tell apart


@dataclass(frozen=True, kw_only=True)
class LayerFidelity:
    """How a layer of a file that ships answers beside the same layer of its source.

    Parameters
    ----------
    source, file : str
        What the layer is called in each.
    snr : float
        Signal to noise in decibels, from the probe pictures' activations averaged over a coarse
        grid: ten times the logarithm of the source's mean square over that of the difference.
    cosine : float
        Of the angle between the two, 1 for the same direction.
    """

    source: str
    file: str
    snr: float
    cosine: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """A file that ships beside the network that it was converted from.

    Parameters
    ----------
    source : Signature
        That network.
    layers : tuple of LayerFidelity
        The layers that both have, in order, the decision last.
    breaks : str
        The first of them, as the source calls it, that is no longer what it was; empty for none.
    changed : np.ndarray
        ``(m,)`` positions in the panel of the pictures that the two answer differently, those first
        on which the file prefers its own answer most.
    n : int
        On how many pictures.
    """

    source: Signature
    layers: tuple[LayerFidelity, ...]
    breaks: str
    changed: np.ndarray
    n: int

    @property
    def lowest(self) -> LayerFidelity | None:
        """The layer with the lowest signal to noise; None where no layer can be compared."""
        return min(self.layers, key=lambda layer: layer.snr, default=None)


def adopt_source(candidate: Signature, source: Signature | None) -> tuple[Signature, Conversion | None]:
    """Return a file that ships with what its source alone can give, and what became of the source in it.

    The file gets the source's untrained twins, what the network is made of, and the source's names
    of the layers that both have.

    Parameters
    ----------
    candidate, source : Signature
        The file and the Keras network, measured alike; None for no source.

    Raises
    ------
    CompareError
        When the two were measured differently, or the file's weights are not the source's.
    """
    if source is None:
        return candidate, None
    if candidate.runtime == KERAS:
        raise CompareError(
            f"{candidate.model['file']!r} is a Keras network, which is compared with its baseline alone. Leave the "
            "source out: it is for LiteRT and ONNX files."
        )
    if source.runtime != KERAS:
        raise CompareError(f"The source {source.model['file']!r} is no Keras network. Give the .keras file.")
    for what, one, other in (
        ("recipe", source.recipe.digest(), candidate.recipe.digest()),
        ("panel", source.panel_digest, candidate.panel_digest),
        ("classes", source.class_names, candidate.class_names),
    ):
        if one != other:
            raise CompareError(f"The candidate and its source differ in their {what}. Measure both alike.")
    if unrelated := say_unrelated(candidate, source):
        raise CompareError(f"{unrelated} Give the network that it was converted from: --source PARENT.keras")
    given = {name: source.model[name] for name in ("parameters", "normalises") if name in source.model}
    pairs = {**_pair_layers(source, candidate), source.decision.name: candidate.decision.name}
    conversion = _compare_layers(source, candidate, pairs)
    renamed = _rename_layers(candidate, {other: name for name, other in pairs.items()})
    return replace(renamed, model={**candidate.model, **given}, twins=source.twins), conversion


def say_unrelated(candidate: Signature, source: Signature) -> str:
    """Return why a file cannot have been converted from a network, in a sentence; empty where it can have been."""
    related, known = correlate_kernels(source, candidate)
    if not known or related > RELATED:
        return ""
    return (
        f"{candidate.model['file']!r} was not converted from {source.model['file']!r}: their weights do not correlate "
        f"({related:.2f})."
    )


def _rename_layers(signature: Signature, names: Mapping[str, str]) -> Signature:
    """Return a signature with other names of its layers; one that is not renamed gives way to one of its name."""
    left = {record.name for record in signature.layers} - names.keys()
    names = {**names, **{name: f"{name} (file)" if name in names.values() else name for name in left}}
    records = tuple(replace(record, name=names[record.name]) for record in signature.layers)
    parts: dict[str, Any] = {
        part: {names[name]: values for name, values in getattr(signature, part).items()} for part in PER_LAYER
    }
    return replace(signature, layers=records, **parts)


def _compare_layers(source: Signature, candidate: Signature, pairs: Mapping[str, str]) -> Conversion:
    """Return what the conversion of a source to a file did, layer by layer and picture by picture."""
    layers = [
        _measure_layer(source, candidate, name, pairs[name])
        for name in (record.name for record in source.layers)
        if name in pairs
    ]
    known = tuple(layer for layer in layers if math.isfinite(layer.snr))
    before, after = source.scores.argmax(axis=1), candidate.scores.argmax(axis=1)
    rows = np.flatnonzero(before != after)
    lead = candidate.scores[rows, after[rows]] - candidate.scores[rows, before[rows]]
    return Conversion(
        source=source,
        layers=known,
        breaks=next((layer.source for layer in known if layer.snr < BROKEN_BELOW), ""),
        changed=rows[np.argsort(-lead, kind="stable")],
        n=len(before),
    )


def _pair_layers(source: Signature, candidate: Signature) -> dict[str, str]:
    """Return by the source's hidden layers those of the file: of one kind and width, in order, likest first."""
    own = [record.name for record in source.layers[:-1]]
    other = [record.name for record in candidate.layers[:-1]]

    def score(one: str, another: str) -> float | None:
        left, right = source.features[one], candidate.features[another]
        if source.layer(one).kind != candidate.layer(another).kind or left.shape != right.shape:
            return None
        found = layer_cka(left, right)
        return (found if math.isfinite(found) else 0.0) + (1.0 if one == another else 0.0)

    return {one: another for one, another in align(own, other, score).items() if another is not None}


def _measure_layer(source: Signature, candidate: Signature, name: str, other: str) -> LayerFidelity:
    if source.layer(name).kind == LayerKind.DECISION:  # scores, without what all of a picture have in common
        left, right = (side.scores - side.scores.mean(axis=1, keepdims=True) for side in (source, candidate))
    else:
        left, right = source.features[name], candidate.features[other]
    left, right = left.astype(np.float64), right.astype(np.float64)
    if left.shape != right.shape or not np.isfinite(right).all():
        return LayerFidelity(source=name, file=other, snr=math.nan, cosine=math.nan)
    signal, noise = float((left**2).sum()), float(((left - right) ** 2).sum())
    product = math.sqrt(signal * float((right**2).sum()))
    least = signal * 10 ** (-_MOST / 10)
    return LayerFidelity(
        source=name,
        file=other,
        snr=10 * math.log10(signal / max(noise, least)) if signal > 0 else math.nan,
        cosine=float((left * right).sum()) / product if product > 0 else math.nan,
    )


def measure_conversion(conversion: Conversion | None, *, about: str) -> tuple[Measured, ...]:
    """Return how many answers a conversion left as they were, and its lowest signal to noise; nothing of no source."""
    if conversion is None:
        return ()
    same, lowest = conversion.n - len(conversion.changed), conversion.lowest
    listed = ", ".join(f"{layer.source} {layer.snr:.0f} dB" for layer in conversion.layers)
    return (
        Measured(
            metric="source_agreement",
            about=about,
            value=same / conversion.n,
            n=conversion.n,
            evidence=f"{same} of {conversion.n} pictures are answered as the source answers them.",
        ),
        Measured(
            metric="conversion_snr",
            about=about,
            value=math.nan if lowest is None else lowest.snr,
            n=len(conversion.layers),
            evidence=_say_layers(conversion, listed),
        ),
    )


def _say_layers(conversion: Conversion, listed: str) -> str:
    if not conversion.layers:
        return "No layer of the file could be compared with its source."
    if not conversion.breaks:
        return f"No layer breaks: {listed}."
    return f"The first layer that breaks is {conversion.breaks}: {listed}."
