"""What is kept of one network."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.interface import Interface
from modelcheck.recipe import Recipe
from modelcheck.signature.exchange import MapExchange
from modelcheck.signature.notebook import show_signature
from modelcheck.signature.storage import (
    PER_LAYER,
    build_header,
    digest_arrays,
    flatten_arrays,
    narrow,
    widen,
    write_record,
)
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.locks import folder_lock

__all__ = ["LayerRecord", "Signature", "SignatureError"]


class SignatureError(ValueError):
    """A record that cannot be trusted or read; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LayerRecord:
    """What a signature knows of a layer apart from its arrays.

    Parameters
    ----------
    name, kind : str
        The layer's path; ``conv``, ``dense`` or ``decision``.
    n_units : int
        How many units it has, rendered or not.
    objective : str
        What its HappyMaps maximise.
    patch : bool
        Whether its maps are receptive fields rather than whole pictures.

    Examples
    --------
    >>> LayerRecord(name="conv1", kind="conv", n_units=16, objective="mean", patch=True)
    LayerRecord(conv1, conv, 16 units)
    """

    name: str
    kind: str
    n_units: int
    objective: str
    patch: bool

    def __repr__(self) -> str:
        return one_line_repr("LayerRecord", self.name, self.kind, f"{self.n_units} units")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Signature:
    """All that is kept of one network.

    Parameters
    ----------
    model : mapping
        ``name``, ``file``, ``sha256``, ``parameters`` and ``bytes`` of the network, and whether it
        ``normalises``, which older records do not say; and ``head`` where a single unit answers:
        ``sigmoid``, ``linear`` or another activation.
    recipe : Recipe
        How it was measured.
    panel_digest : str
        Digest of the panel on which it was measured.
    class_names : tuple of str
        The panel's classes, in the order of the outputs.
    layers : tuple of LayerRecord
        The layers in model order; the last is the decision.
    units, maps, activations, at_rest : mapping of str to np.ndarray
        Per layer: ``(n,)`` indices of the rendered units, ``(n, h, w, c)`` HappyMaps in the input
        range (NaN for a unit without a map), the objective on the map and on mid grey (at rest),
        both ``(n,)``.
    features : mapping of str to np.ndarray
        Per layer, ``(probes, cells, units)``: activations on the probe pictures, averaged over a
        coarse grid.
    scores : np.ndarray
        ``(pictures, classes)`` class scores before softmax.
    pictures : mapping of str to np.ndarray
        ``labels``, ``subjects``, ``groups`` and ``names`` of all pictures of the panel; no ``subjects``
        where no two pictures share one.
    probes : np.ndarray
        ``(probes,)`` positions of the pictures that have features and attributions.
    regions : np.ndarray or None
        ``(probes, h, w)`` booleans.
    attributions : mapping of str to np.ndarray
        Per method, ``(probes, h, w)``: relevance for the true class, signed, summed over channels.
    flipping : mapping of str to np.ndarray
        Per method and for ``random``, ``(probes, steps + 1)``: the true class's margin while the
        pixels ranked first are replaced by the panel's mean picture.
    stickers : mapping of str to np.ndarray
        Per family of stickers, ``(patterns, rows, columns, classes)``: how far each moves the
        margin of each class, in units of the network's gap; see `modelcheck.answers.stickers`.
        Empty where the recipe asks for none.
    exchanges : mapping of str to np.ndarray
        What the network answers when cells of the panel's pictures are exchanged, and to mosaics of
        them; see `modelcheck.answers.exchanges`. Empty where the recipe asks for none.
    fed_otherwise : mapping of str to np.ndarray
        What it answered to some pictures preprocessed in other ways; see
        `modelcheck.answers.feeding`. Empty where no other way could be better.
    natural : np.ndarray
        ``(classes, h, w, c)``: the decision's HappyMaps among natural pictures, NaN where there is
        none.
    natural_activations : np.ndarray
        ``(classes,)``: the margin on those.
    fingerprint : mapping of str to np.ndarray
        By position and shape of a kernel, ``(m,)`` of its weights at fixed places: enough to see a
        common ancestry.
    exchange : MapExchange or None
        What this network and another one, usually the baseline, answered when each was shown the
        other's maps; None where no maps were shown.
    twins : tuple of Signature
        Untrained networks of the same architecture, without pictures and attributions of their own
        twins.
    retrained : tuple of Signature
        Networks that were trained like this one with other seeds, some perhaps of an architecture
        that is to be released next, reduced to their decision; see `reduce_to_twin` and
        `twins_like`.
    against : mapping of str to float
        For a retrained twin, every metric of the comparison with the network that keeps it.
    interface : Interface
        How its inputs and outputs were understood; nothing is said of an untrained twin's.
    provenance : mapping
        Versions and platform of the measurement.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> signature = read_signature("baselines/drawn-faces")
    >>> signature.class_names, signature.scores.shape
    (('not_left', 'left'), (224, 2))
    >>> signature.maps["conv1"].shape
    (16, 3, 3, 1)
    """

    model: Mapping[str, Any]
    recipe: Recipe
    panel_digest: str
    class_names: tuple[str, ...]
    layers: tuple[LayerRecord, ...]
    units: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]
    activations: Mapping[str, np.ndarray]
    at_rest: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]
    scores: np.ndarray
    pictures: Mapping[str, np.ndarray]
    probes: np.ndarray
    regions: np.ndarray | None
    attributions: Mapping[str, np.ndarray]
    flipping: Mapping[str, np.ndarray] = field(default_factory=dict)
    natural: np.ndarray
    natural_activations: np.ndarray
    fingerprint: Mapping[str, np.ndarray] = field(default_factory=dict)
    stickers: Mapping[str, np.ndarray] = field(default_factory=dict)
    exchanges: Mapping[str, np.ndarray] = field(default_factory=dict)
    fed_otherwise: Mapping[str, np.ndarray] = field(default_factory=dict)
    exchange: MapExchange | None = None
    twins: tuple[Signature, ...] = ()
    retrained: tuple[Signature, ...] = ()
    against: Mapping[str, float] = field(default_factory=dict)
    interface: Interface = field(default_factory=Interface)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        twins = f"{len(self.twins)} untrained and {len(self.retrained)} retrained twins"
        classes = f"classes: {', '.join(self.class_names)}"
        counts = f"{len(self.layers)} layers, {len(self.scores)} pictures"
        return one_line_repr("Signature", self.model["name"], counts, twins, classes)

    def _repr_html_(self) -> str:
        """Return what it is, its layers and the maps of its decision, for a notebook."""
        return show_signature(self)

    @property
    def runtime(self) -> str:
        """What ran it: ``keras``, or ``litert`` or ``onnx``, which answer and from which nothing can be rendered."""
        return str(self.model.get("runtime", "keras"))

    @property
    def decision(self) -> LayerRecord:
        """The last layer."""
        return self.layers[-1]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of whom or what the panel's pictures are, in alphabetical order; none where no two share a subject."""
        return tuple(sorted(set(np.asarray(self.pictures.get("subjects", ())).tolist())))

    @property
    def independent(self) -> np.ndarray:
        """``(pictures,)`` words that two pictures share where they are not independent: subjects, else names."""
        return np.asarray(self.pictures["subjects" if "subjects" in self.pictures else "names"])

    @property
    def classes_without_pictures(self) -> tuple[str, ...]:
        """The classes of which the panel holds no picture, so that nothing can be said of them each."""
        there = set(np.asarray(self.pictures.get("labels", range(len(self.class_names)))).tolist())
        return tuple(name for k, name in enumerate(self.class_names) if k not in there)

    def same_architecture(self, other: Signature) -> bool:
        """Return whether two networks have kernels of the same shapes in the same order, and as many parameters.

        Kernels alone do not tell a network from the same one with batch normalisation.
        """
        sizes = {network.model.get("parameters") for network in (self, other)}
        return len(sizes) == 1 and self.fingerprint.keys() == other.fingerprint.keys()

    def same_family(self, other: Signature) -> bool:
        """Return whether both networks normalise their activations or neither does, as far as their records say.

        The maps of the two families are painted so differently that neither reads the other's as its
        own kind does. A record that was written before this was kept is taken for either.
        """
        told = {network.model.get("normalises") for network in (self, other)}
        return None in told or len(told) == 1

    def twins_like(self, other: Signature) -> tuple[Signature, ...]:
        """Return the kept twins of a network's architecture, its own or another's."""
        return tuple(twin for twin in self.retrained if twin.same_architecture(other))

    def layer(self, name: str) -> LayerRecord:
        """Return a layer by name.

        Raises
        ------
        SignatureError
            When there is none of that name.
        """
        for record in self.layers:
            if record.name == name:
                return record
        raise SignatureError(f"{self.model['name']!r} has no layer {name!r}; it has {[x.name for x in self.layers]}.")

    def stimuli(self) -> dict[str, np.ndarray]:
        """Return the decision's maps that are shown to other networks, by view; see `maps_as_stored`."""
        return {
            "free": self.maps_as_stored(self.decision.name),
            "natural": widen(narrow(self.natural, np.float16)),
        }

    def maps_as_stored(self, layer: str) -> np.ndarray:
        """Return a layer's maps in the precision in which they are kept: a record that was read shows the same."""
        return widen(narrow(self.maps[layer], np.float16))

    def stimuli_sha256(self) -> str:
        """Return the sha256 of `stimuli`: answers to any other maps are not compared."""
        digest = hashlib.sha256()
        for view, maps in self.stimuli().items():
            digest.update(f"{view}|{maps.shape}|".encode() + np.ascontiguousarray(maps).tobytes())
        return digest.hexdigest()

    def reduce_to_twin(self, against: Mapping[str, float]) -> Signature:
        """Return what a baseline keeps of a retrained twin: its decision, its answers, and how it compares."""
        name = self.decision.name
        parts: dict[str, Any] = {part: {name: getattr(self, part)[name]} for part in PER_LAYER}
        return replace(
            self,
            layers=(self.decision,),
            **parts,
            pictures={},
            regions=None,
            attributions={},
            flipping={},
            fed_otherwise={},
            twins=(),
            retrained=(),
            exchange=None if self.exchange is None else self.exchange.reduce_to_class_scores(),
            against={key: float(value) for key, value in against.items() if math.isfinite(value)},
        )

    def digest(self) -> str:
        """Return the sha256 of the whole content, in hex; it does not depend on where or when it was written."""
        return digest_arrays(build_header(self), flatten_arrays(self))

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write the record: whole, or not at all.

        Other files of the folder (a panel, a history) are left alone.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        with folder_lock(target):
            write_record(target, self)
