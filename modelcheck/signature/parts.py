"""A signature in parts: which block of a measurement made each, as bytes between processes, and joined again."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from modelcheck.interface import Interface
from modelcheck.recipe import Recipe
from modelcheck.signature.exchange import MapExchange
from modelcheck.signature.record import LayerRecord, Signature, SignatureError
from modelcheck.support.archive import ArchiveError
from modelcheck.support.arrays import read_arrays
from modelcheck.support.tables import json_document

__all__ = ["PART", "Block", "Part", "StagePart", "join_parts", "pack_part", "take_stage", "unpack_part"]

# What each layer has, whichever block measured it; and what the block of the decision has of one network.
_PER_LAYER = ("units", "maps", "activations", "at_rest")
_TABLES = ("features", "pictures", "attributions", "flipping", "stickers", "exchanges", "fed_otherwise", "fingerprint")
_ARRAYS = ("scores", "probes", "regions", "natural", "natural_activations")
_FACTS = ("model", "panel_digest", "class_names", "provenance")
_ANSWERS = ("class_scores", "unit_answers", "class_scores_back", "unit_answers_back")
PART = "part.npz"
"""The file that a measuring process writes of a block."""
_TOLD = "told"  # the array that holds the JSON text
_MAX_BYTES = 4 * 2**30
_SHA = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of the work of measuring one network, which can be done apart from the others.

    Parameters
    ----------
    stages : tuple of int
        Of which networks: 0 is the trained one, its untrained twins follow.
    group, groups : int
        Which of so many groups of layers, from 0. The decision, and what is measured without a
        layer, is one thing of one group; see `modelcheck.measurement.grouping.choose_group`.

    Examples
    --------
    >>> Block(stages=(0, 1)).is_whole, Block(stages=(0, 1), group=1, groups=2).is_whole
    (True, False)
    """

    stages: tuple[int, ...]
    group: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        whole = all(type(value) is int for value in (self.group, self.groups, *self.stages))
        if not (whole and self.stages and min(self.stages) >= 0 and len(set(self.stages)) == len(self.stages)):
            raise ValueError(f"The stages of a block are different whole numbers from 0, not {self.stages!r}.")
        if not 0 <= self.group < self.groups:
            raise ValueError(f"A block is one of {self.groups} groups of layers, from 0, not {self.group!r}.")

    @property
    def is_whole(self) -> bool:
        """Whether all layers belong to it."""
        return self.groups == 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, from which `from_dict` makes an equal block."""
        return {"stages": list(self.stages), "group": self.group, "groups": self.groups}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Block:
        """Build a block from plain values.

        Raises
        ------
        ValueError
            When they are not those of a block.
        """
        if set(values) != {item.name for item in fields(cls)} or not isinstance(values["stages"], list | tuple):
            raise ValueError(f"A block has stages, group and groups, not {values!r}.")
        return cls(**{**values, "stages": tuple(values["stages"])})


@dataclass(frozen=True, kw_only=True, eq=False)
class StagePart:
    """What one block measured of one network, trained or not.

    Parameters
    ----------
    stage : int
        0 for the trained network, then its untrained twins.
    layers : mapping of int to LayerRecord
        By position among the layers that are measured, those of this block.
    arrays : mapping of str to mapping
        ``units``, ``maps``, ``activations`` and ``at_rest`` by layer, as in a `Signature`.
    exchange : MapExchange or None
        What was exchanged of these layers.
    rest : mapping of str to Any or None
        All else that a `Signature` holds, where the decision is among the layers.
    """

    stage: int
    layers: Mapping[int, LayerRecord]
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    exchange: MapExchange | None = None
    rest: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one block measured.

    Parameters
    ----------
    sha256 : str
        Of the network's file.
    stages : tuple of StagePart
        By network.
    seconds_per_picture : float or None
        How long it took for one answer, for information; None where that was not measured.
    """

    sha256: str
    stages: tuple[StagePart, ...] = field(default_factory=tuple)
    seconds_per_picture: float | None = None


def join_parts(parts: Sequence[Part]) -> Signature:
    """Return the signature that blocks make together, the same in whatever blocks and order they were measured.

    Parameters
    ----------
    parts : sequence of Part
        Of one network, in any order.

    Raises
    ------
    SignatureError
        When they are of several networks, a layer or a network is missing, or one is there twice.
    """
    if len({part.sha256 for part in parts}) != 1:
        raise SignatureError("The blocks were measured of different files. Run again when nothing writes to them.")
    found: dict[int, list[StagePart]] = {}
    for part in parts:
        for stage in part.stages:
            found.setdefault(stage.stage, []).append(stage)
    if sorted(found) != list(range(len(found))):
        raise SignatureError(f"Of the network and its untrained twins, number {_missing(found)} was not measured.")
    trained, *twins = (_join_stage(found[number]) for number in range(len(found)))
    return replace(trained, twins=tuple(twins))


def _join_stage(parts: Sequence[StagePart]) -> Signature:
    """Return one network's signature, without twins."""
    rests = [part for part in parts if part.rest is not None]
    positions = sorted(position for part in parts for position in part.layers)
    if len(rests) != 1 or positions != list(range(len(positions))):
        raise SignatureError("The blocks of a network do not hold each of its layers once.")
    rest = rests[0]
    if max(rest.layers) != positions[-1]:
        raise SignatureError("The decision is not the last layer of the blocks that were measured.")
    layers = [record for _, record in sorted((at, record) for part in parts for at, record in part.layers.items())]
    arrays: dict[str, Any] = {
        name: {layer.name: table[layer.name] for layer in layers}
        for name in _PER_LAYER
        for table in [{key: value for part in parts for key, value in part.arrays[name].items()}]
    }
    return Signature(**(rest.rest or {}), layers=tuple(layers), **arrays, exchange=_join_exchange(rest.exchange, parts))


def _join_exchange(told: MapExchange | None, parts: Sequence[StagePart]) -> MapExchange | None:
    if told is None:
        return None
    exchanges = [part.exchange for part in parts if part.exchange is not None]
    joined: dict[str, Any] = {}
    for name in ("unit_answers", "unit_answers_back"):
        table = {layer: answers for exchange in exchanges for layer, answers in getattr(exchange, name).items()}
        joined[name] = {layer: table[layer] for layer in told.counterparts if layer in table}
    return replace(told, **joined)


def _missing(found: Mapping[int, Any]) -> int:
    return next(number for number in range(len(found) + 1) if number not in found)


def take_stage(signature: Signature, positions: Collection[int]) -> StagePart:
    """Return what a block would have measured of the trained network behind a signature, without an exchange.

    Parameters
    ----------
    signature : Signature
        Of the network.
    positions : collection of int
        Of the layers that belong to the block.
    """
    layers = {at: layer for at, layer in enumerate(signature.layers) if at in positions}
    names = [layer.name for layer in layers.values()]
    apart = {"layers", "exchange", "twins", "retrained", "against", *_PER_LAYER}
    rest = {item.name: getattr(signature, item.name) for item in fields(signature) if item.name not in apart}
    return StagePart(
        stage=0,
        layers=layers,
        arrays={part: {name: getattr(signature, part)[name] for name in names} for part in _PER_LAYER},
        rest=rest if len(signature.layers) - 1 in positions else None,
    )


def pack_part(part: Part) -> bytes:
    """Return a part as the bytes of an ``.npz`` file: arrays as they are, and JSON text.

    Parameters
    ----------
    part : Part
        What a block measured.
    """
    arrays: dict[str, np.ndarray] = {}
    told: dict[str, Any] = {"sha256": part.sha256, "seconds_per_picture": part.seconds_per_picture, "stages": []}
    for number, stage in enumerate(part.stages):
        tables = {name: stage.arrays[name] for name in _PER_LAYER}
        facts: dict[str, Any] = {"stage": stage.stage, "layers": [[at, vars(x)] for at, x in stage.layers.items()]}
        if stage.exchange is not None:
            tables |= {f"exchange.{name}": getattr(stage.exchange, name) for name in _ANSWERS}
            facts["exchange"] = {
                "stimuli_sha256": stage.exchange.stimuli_sha256,
                "counterparts": list(stage.exchange.counterparts.items()),
            }
        if stage.rest is not None:
            tables |= {f"rest.{name}": stage.rest[name] for name in _TABLES if name in stage.rest}
            single = {name: stage.rest[name] for name in _ARRAYS if stage.rest.get(name) is not None}
            arrays |= {f"{number}/single/{name}": np.asarray(value) for name, value in single.items()}
            rest = {name: stage.rest[name] for name in _FACTS if name in stage.rest}
            rest["recipe"] = stage.rest["recipe"].to_dict()
            rest["interface"] = stage.rest.get("interface", Interface()).to_dict()
            facts["rest"] = rest
        facts["tables"] = {name: list(table) for name, table in tables.items()}
        arrays |= {
            f"{number}/{name}/{key}": np.asarray(value)
            for name, table in tables.items()
            for key, value in table.items()
        }
        told["stages"].append(facts)
    arrays[_TOLD] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]  # the stub takes keys for its own flags
    return packed.getvalue()


def unpack_part(data: bytes) -> Part:
    """Read what `pack_part` wrote; nothing is unpickled, and sizes are bounded as a signature's are.

    Parameters
    ----------
    data : bytes
        Of an ``.npz`` file.

    Raises
    ------
    SignatureError
        When they are no part.
    """
    try:
        arrays = read_arrays(data, max_bytes=_MAX_BYTES)
        told = json_document(arrays.pop(_TOLD).tobytes())
        stages = tuple(_read_stage(facts, arrays, number) for number, facts in enumerate(told["stages"]))
        seconds = told["seconds_per_picture"]
        if not _SHA.fullmatch(told["sha256"]) or not isinstance(seconds, float | None):
            raise ValueError("its facts are of other types")
    except (ArchiveError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SignatureError(f"A block's result cannot be read: {error}. Measure it again.") from error
    return Part(sha256=told["sha256"], stages=stages, seconds_per_picture=seconds)


def _read_stage(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], number: int) -> StagePart:
    tables = {name: {key: arrays[f"{number}/{name}/{key}"] for key in keys} for name, keys in facts["tables"].items()}
    exchange = rest = None
    if "exchange" in facts:
        exchange = MapExchange(
            stimuli_sha256=str(facts["exchange"]["stimuli_sha256"]),
            counterparts=dict(facts["exchange"]["counterparts"]),
            **{name: tables[f"exchange.{name}"] for name in _ANSWERS},
        )
    if "rest" in facts:
        given = facts["rest"]
        rest = {name: given[name] for name in _FACTS if name in given}
        rest |= {name: tables[f"rest.{name}"] for name in _TABLES if f"rest.{name}" in tables}
        rest |= {name: arrays.get(f"{number}/single/{name}") for name in _ARRAYS}
        rest |= {"recipe": Recipe.from_dict(given["recipe"]), "interface": Interface.from_dict(given["interface"])}
        rest["class_names"] = tuple(given["class_names"])
    return StagePart(
        stage=facts["stage"],
        layers={at: LayerRecord(**record) for at, record in facts["layers"]},
        arrays={name: tables[name] for name in _PER_LAYER},
        exchange=exchange,
        rest=rest,
    )
