"""What was seen in a network file, and whether it is refused."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelcheck.modelfile.graph import Graph
from modelcheck.modelfile.precision import count_weight_bytes, describe_precision
from modelcheck.modelfile.refusal import MAX_REFUSALS, Refusal, quote
from modelcheck.support.archive import Member

__all__ = ["FORMATS", "Port", "ScanReport", "describe_graph"]

FORMATS = {"keras": "Keras", "litert": "LiteRT (TensorFlow Lite)", "onnx": "ONNX"}
"""What each format is called."""
_MAX_SHOWN, _MAX_LISTED = 20, 200  # refusals or members, and names of classes or layers, in a report


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or an output of a file's graph.

    Parameters
    ----------
    name : str
        What the file calls it.
    shape : tuple of int
        Its lengths, -1 for one that is not fixed.
    dtype : str
        numpy's name of its type.
    scale, zero_point : float, int or None
        Where it is quantised: a value is ``scale * (stored - zero_point)``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def sentence(self) -> str:
        """Return it in words."""
        shape = ", ".join("?" if length < 0 else str(length) for length in self.shape)
        scaled = "" if self.scale is None else f", scale {self.scale:.6g}, zero point {self.zero_point}"
        return f"{quote(self.name)} {self.dtype} ({shape}){scaled}"


@dataclass(frozen=True, kw_only=True)
class ScanReport:
    """What a network file holds.

    Parameters
    ----------
    file : str
        Its name.
    sha256 : str
        Of the very bytes that were looked at.
    size : int
        Their number.
    format : {'keras', 'litert', 'onnx'}
        What its first bytes say that it is; ``keras`` also for what is none of the three.
    version : str
        Of a LiteRT file's schema, or an ONNX file's operator set.
    producer : str
        Which program says that it wrote an ONNX file.
    precision : str
        In which numbers a LiteRT or ONNX file computes; see `describe_precision`.
    inputs, outputs : tuple of Port
        Of a LiteRT or ONNX file.
    operators : mapping of str to int
        How often each operator occurs in a LiteRT or ONNX file.
    weight_bytes : int
        Of the constants of a LiteRT or ONNX file.
    members : tuple of Member
        The archive's entries.
    keras_version : str
        Which Keras says that it wrote the file.
    layers : tuple of str
        Names of the layers, in order, inner networks included.
    classes : mapping of str to int
        How often each ``module.class`` is named.
    custom : mapping of str to str
        What was knowingly allowed and occurs, ``module>name`` to the name it is registered by.
    weights : int
        The number of data sets among the weights of a Keras file.
    refusals : tuple of Refusal
        Why the file is refused; none where it is not.
    """

    file: str
    sha256: str
    size: int
    format: str = "keras"
    version: str = ""
    producer: str = ""
    precision: str = ""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    weight_bytes: int = 0
    members: tuple[Member, ...] = ()
    keras_version: str = ""
    layers: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    weights: int = 0
    refusals: tuple[Refusal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready builtins, from which `from_dict` makes an equal one."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScanReport:
        """Build a report from what `to_dict` returned."""
        lists = {
            "members": tuple(Member(**member) for member in values["members"]),
            "refusals": tuple(Refusal(**refusal) for refusal in values["refusals"]),
            "layers": tuple(values["layers"]),
        }
        ports = {
            side: tuple(Port(**{**port, "shape": tuple(port["shape"])}) for port in values[side])
            for side in ("inputs", "outputs")
        }
        return cls(**{**values, **lists, **ports})

    def sentence(self) -> str:
        """Return all refusals as one text, a line each."""
        lines = [f"  {refusal}" for refusal in self.refusals[:_MAX_SHOWN]]
        more = len(self.refusals) - _MAX_SHOWN
        return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])

    def lines(self) -> list[str]:
        """Return what was seen, and the judgement, as plain lines; what came from the file is quoted or cut."""
        facts = {
            "file": f"{quote(self.file)}, {self.size:,} bytes",
            "sha256": self.sha256,
            **(self._archive_facts() if self.format == "keras" else self._graph_facts()),
        }
        many = "at least " if len(self.refusals) >= MAX_REFUSALS else ""
        verdict = (
            f"REFUSED, {many}{len(self.refusals)} reasons:" if self.refusals else "CLEAN: nothing in it is refused."
        )
        return [
            *(f"{fact}: {words}" for fact, words in facts.items() if words),
            verdict,
            *self.sentence().splitlines(),
        ]

    def _archive_facts(self) -> dict[str, str]:
        classes = ", ".join(f"{name} x {count}" for name, count in sorted(self.classes.items())[:_MAX_LISTED])
        return {
            "written by": f"Keras {quote(self.keras_version)}" if self.keras_version else "",
            "members": ", ".join(f"{quote(member.name)} {member.size:,}" for member in self.members[:_MAX_SHOWN]),
            f"{len(self.layers)} layers": ", ".join(self.layers[:_MAX_LISTED]),
            "names": classes,
            "weights": f"{self.weights} data sets" if self.weights else "",
            "custom": ", ".join(self.custom),
        }

    def _graph_facts(self) -> dict[str, str]:
        what = {"litert": "schema version", "onnx": "operator set"}[self.format]
        operators = ", ".join(f"{name} x {count}" for name, count in sorted(self.operators.items()))
        return {
            "format": FORMATS[self.format] + (f", {what} {self.version}" if self.version else ""),
            "written by": quote(self.producer) if self.producer else "",
            "precision": self.precision,
            "inputs": "; ".join(port.sentence() for port in self.inputs[:_MAX_SHOWN]),
            "outputs": "; ".join(port.sentence() for port in self.outputs[:_MAX_SHOWN]),
            f"{sum(self.operators.values())} operators": operators,
            "weights": f"{self.weight_bytes:,} bytes" if self.weight_bytes else "",
        }


def describe_graph(graph: Graph) -> dict[str, Any]:
    """Return the fields of a `ScanReport` that a graph fills."""
    inputs, outputs = (tuple(_port(graph, index) for index in side) for side in (graph.inputs, graph.outputs))
    return {
        "version": graph.version,
        "precision": describe_precision(graph),
        "inputs": inputs,
        "outputs": outputs,
        "operators": dict(Counter(operator.name for operator in graph.operators)),
        "weight_bytes": count_weight_bytes(graph),
    }


def _port(graph: Graph, index: int) -> Port:
    tensor = graph.tensors[index]
    single = len(tensor.scales) == 1
    return Port(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=tensor.scales[0] if single else None,
        zero_point=tensor.zero_points[0] if single else None,
    )
