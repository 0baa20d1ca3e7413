"""A file that ships, read once: its bytes, and the graph that they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from modelcheck.modelfile import ScanError, read_model_file, scan_bytes
from modelcheck.modelfile.graph import Graph
from modelcheck.modelfile.onnx import read_onnx
from modelcheck.modelfile.tflite import read_tflite

__all__ = ["ShippedFile", "read_shipped"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ShippedFile:
    """A LiteRT or ONNX file that nothing speaks against.

    Parameters
    ----------
    data : bytes
        The whole file.
    sha256 : str
        Of these bytes.
    graph : Graph
        What they hold.
    """

    data: bytes
    sha256: str
    graph: Graph


def read_shipped(path: str | os.PathLike[str]) -> ShippedFile:
    """Read a LiteRT or an ONNX file once, and look at it before anything runs it.

    Raises
    ------
    ScanError
        When there is none, it is a file of Keras, or the scan refuses it.
    """
    name = os.fspath(path)
    data = read_model_file(path)
    report = scan_bytes(data, name=Path(path).name)
    if report.refusals:
        raise ScanError(
            f"{name!r} is refused, and was not loaded:\n{report.sentence()}\nSee: modelcheck help model_files"
        )
    if report.format == "keras":
        raise ScanError(f"{name!r} is a file of Keras, which is measured as one: modelcheck measure --help")
    graph = read_tflite(data) if report.format == "litert" else read_onnx(data)
    return ShippedFile(data=data, sha256=report.sha256, graph=graph)
