"""What is kept of one network that was measured on a table."""

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
from modelcheck.panel.columns import Column
from modelcheck.signature.record import LayerRecord, SignatureError
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.locks import folder_lock
from modelcheck.table_recipe import TableRecipe

__all__ = ["LocalEffect", "ProfileExchange", "TableSignature"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalEffect:
    """How a network's answers to each row change when one column of it does.

    Parameters
    ----------
    edges : np.ndarray
        ``(bins + 1,)`` of a column of numbers: where its parts meet; empty for categories.
    bins : np.ndarray
        ``(rows,)`` in which part a row lies, or which category it has; -1 where it is missing.
    changes : np.ndarray
        Numbers: ``(rows, outputs)``, the scores with the column at the upper edge of the row's part,
        minus those at the lower one. Categories: ``(rows, categories, outputs)``, the scores with
        each category put in, minus their mean. 0 where the value is missing.
    """

    edges: np.ndarray
    bins: np.ndarray
    changes: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileExchange:
    """What a network makes of another one's profiles of the decision.

    Parameters
    ----------
    profiles_sha256 : str
        See `TableSignature.profiles_sha256` of the other network.
    happiness, at_rest : np.ndarray
        ``(units,)``: how happy the other's profile of each unit of the decision makes the same unit
        of this network, and how happy the other's typical row does.
    """

    profiles_sha256: str
    happiness: np.ndarray
    at_rest: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TableSignature:
    """All that is kept of one network that was measured on a table.

    A row is encoded as ``(columns,)`` float64: a number as it is, a category as its position in
    `modelcheck.panel.columns.Column.values`.

    Parameters
    ----------
    model : mapping
        ``name``, ``file``, ``sha256``, ``parameters`` and ``bytes`` of the network; ``inputs`` is
        ``vector`` or ``named``.
    recipe : TableRecipe
        How it was measured.
    panel_digest : str
        Digest of the panel on which it was measured.
    target : str
        What the target is called.
    class_names : tuple of str
        The panel's classes, in the order of the outputs; empty for a target of numbers.
    columns : tuple of Column
        The features, in the panel's order.
    layers : tuple of LayerRecord
        The layers in model order; the last is the decision. Its units are the classes; of a target
        of numbers the highest answer and the lowest.
    units : mapping of str to np.ndarray
        Per layer, ``(units,)`` indices of those that have a profile.
    typical : np.ndarray
        ``(columns,)`` encoded: the median of each column of numbers, the commonest category.
    profiles : mapping of str to np.ndarray
        Per layer, ``(units, columns)`` encoded: the row, within what was seen of each column, that
        makes the unit happiest; columns that hardly matter have their typical value.
    happiness, at_rest : mapping of str to np.ndarray
        Per layer, ``(units,)``: what the unit gives on its profile and on the typical row. A class
        gives its lead over the strongest other; the lowest answer counts as its negative.
    gains : mapping of str to np.ndarray
        Per layer, ``(units, columns)``: by how much happiness falls where one column of the profile
        has its typical value instead.
    features : mapping of str to np.ndarray
        Per layer, ``(probes, units)``: activations on the probe rows, all units.
    scores : np.ndarray
        ``(rows, outputs)``: class scores before softmax, one column for each class (a single unit
        has 0 for its first); or the answers, ``(rows, 1)``.
    rows : mapping of str to np.ndarray
        ``truth`` and ``names`` of all rows, ``subjects`` where several rows share one, and
        ``groups/NAME`` for each division into sub-populations.
    probes : np.ndarray
        ``(probes,)`` positions of the rows that have features and relevance.
    exchanges : mapping of str to np.ndarray
        ``rows`` ``(m,)`` and ``donors`` ``(m, k)``, positions in the panel, and ``falls``
        ``(m, columns, k)``: how far the lead of the row's class over the donor's falls when the
        donor's value stands in one column; of a target of numbers, how far the answer moves. Empty
        where the recipe asks for none.
    effects : mapping of str to LocalEffect
        By column.
    shuffled : np.ndarray
        ``(columns, shuffles)``: by how much balanced accuracy falls, or the root mean square error
        rises in units of the target's standard deviation, when the column is shuffled over the rows.
    relevance : mapping of str to np.ndarray
        Per attribution method, ``(probes, columns)``: signed relevance for the row's own class, or
        for the answer. Empty where a network takes named inputs.
    fingerprint : mapping of str to np.ndarray
        By position and shape of a kernel, ``(m,)`` of its weights at fixed places.
    exchange : ProfileExchange or None
        What this network makes of another one's profiles, usually the baseline's; None where none
        were shown.
    twins : tuple of TableSignature
        Untrained networks of the same architecture.
    retrained : tuple of TableSignature
        Networks that were trained like this one with other seeds, reduced; see `reduce_to_twin`.
    against : mapping of str to float
        For a retrained twin, every metric of the comparison with the network that keeps it.
    interface : Interface
        How its inputs and outputs were understood.
    provenance : mapping
        Versions and platform of the measurement.

    Examples
    --------
    >>> import tempfile, warnings
    >>> import keras
    >>> from modelcheck import TablePanel, TableRecipe, measure
    >>> ages = np.linspace(18.0, 90.0, 30)
    >>> panel = TablePanel({"age": ages, "pay": ages[::-1] / 7}, ["no", "yes"] * 15, target="bought",
    ...                    class_names=("no", "yes"))
    >>> weights = keras.initializers.RandomNormal(seed=1)
    >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer=weights, name="out")])
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):  # of Keras, to NumPy
    ...     network.save(f"{folder}/release.keras")
    ...     signature = measure(f"{folder}/release.keras", panel, TableRecipe(untrained_twins=0))
    >>> signature.scores.shape, [column.name for column in signature.columns]
    ((30, 2), ['age', 'pay'])
    """

    model: Mapping[str, Any]
    recipe: TableRecipe
    panel_digest: str
    target: str
    class_names: tuple[str, ...]
    columns: tuple[Column, ...]
    layers: tuple[LayerRecord, ...]
    units: Mapping[str, np.ndarray]
    typical: np.ndarray
    profiles: Mapping[str, np.ndarray]
    happiness: Mapping[str, np.ndarray]
    at_rest: Mapping[str, np.ndarray]
    gains: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]
    scores: np.ndarray
    rows: Mapping[str, np.ndarray]
    probes: np.ndarray
    exchanges: Mapping[str, np.ndarray] = field(default_factory=dict)
    effects: Mapping[str, LocalEffect] = field(default_factory=dict)
    shuffled: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    relevance: Mapping[str, np.ndarray] = field(default_factory=dict)
    fingerprint: Mapping[str, np.ndarray] = field(default_factory=dict)
    exchange: ProfileExchange | None = None
    twins: tuple[TableSignature, ...] = ()
    retrained: tuple[TableSignature, ...] = ()
    against: Mapping[str, float] = field(default_factory=dict)
    interface: Interface = field(default_factory=Interface)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        twins = f"{len(self.twins)} untrained and {len(self.retrained)} retrained twins"
        counts = f"{len(self.layers)} layers, {len(self.scores)} rows, {len(self.columns)} columns"
        return one_line_repr("TableSignature", self.model["name"], counts, twins, f"target: {self.target}")

    @property
    def runtime(self) -> str:
        """What ran it."""
        return "keras"

    @property
    def decision(self) -> LayerRecord:
        """The last layer."""
        return self.layers[-1]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of whom or what the panel's rows are, in alphabetical order; none where no two share a subject."""
        return tuple(sorted(set(np.asarray(self.rows.get("subjects", ())).tolist())))

    @property
    def independent(self) -> np.ndarray:
        """``(rows,)`` words that two rows share where they are not independent: subjects, else names."""
        return np.asarray(self.rows["subjects" if "subjects" in self.rows else "names"])

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """``(rows,)`` by division: the sub-population that each row belongs to."""
        found = {key.removeprefix("groups/"): part for key, part in self.rows.items() if key.startswith("groups/")}
        return dict(sorted(found.items()))

    @property
    def classes_without_rows(self) -> tuple[str, ...]:
        """The classes of which the panel holds no row, so that nothing can be said of them each."""
        there = set(np.asarray(self.rows.get("truth", range(len(self.class_names)))).tolist())
        return tuple(name for k, name in enumerate(self.class_names) if k not in there)

    def same_architecture(self, other: TableSignature) -> bool:
        """Return whether two networks have kernels of the same shapes in the same order, and as many parameters."""
        sizes = {network.model.get("parameters") for network in (self, other)}
        return len(sizes) == 1 and self.fingerprint.keys() == other.fingerprint.keys()

    def twins_like(self, other: TableSignature) -> tuple[TableSignature, ...]:
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

    def profiles_sha256(self) -> str:
        """Return the sha256 of the decision's profiles and the typical row: answers to any others are not compared."""
        digest = hashlib.sha256()
        for part in (self.profiles[self.decision.name], self.typical):
            digest.update(f"{part.shape}|".encode() + np.ascontiguousarray(part, np.float64).tobytes())
        return digest.hexdigest()

    def reduce_to_twin(self, against: Mapping[str, float]) -> TableSignature:
        """Return what a baseline keeps of a retrained twin: its answers, exchanges and effects, and how it compares."""
        name = self.decision.name
        per_layer = ("units", "profiles", "happiness", "at_rest", "gains", "features")
        parts: dict[str, Any] = {part: {name: getattr(self, part)[name]} for part in per_layer}
        return replace(
            self,
            layers=(self.decision,),
            **parts,
            rows={},
            relevance={},
            twins=(),
            retrained=(),
            against={key: float(value) for key, value in against.items() if math.isfinite(value)},
        )

    def digest(self) -> str:
        """Return the sha256 of the whole content, in hex; it does not depend on where or when it was written."""
        from modelcheck.signature.table_storage import digest_record

        return digest_record(self)

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write the record: whole, or not at all. Other files of the folder are left alone."""
        from modelcheck.signature.table_storage import write_table_record

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        with folder_lock(target):
            write_table_record(target, self)
