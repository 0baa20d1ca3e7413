"""ONNX files, run by ONNX Runtime: bytes in, arrays out, on one thread of the processor, without the library onnx."""

from __future__ import annotations

import numpy as np

from modelcheck.modelfile.graph import Graph
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.engine import Feed, Session, Way

__all__ = ["OnnxLoader", "add_outputs"]

# Numbers of fields in onnx.proto, each with its wire type 2: a length, and so many bytes.
_GRAPH, _OUTPUT, _NAME = (field << 3 | 2 for field in (7, 12, 1))


class OnnxLoader:
    """ONNX Runtime with one file in its hands.

    Parameters
    ----------
    data : bytes
        The whole file.
    graph : Graph
        What it holds.
    feed : Feed
        What it is given.
    name : str
        What the network is called in messages.

    Raises
    ------
    NetworkError
        When ONNX Runtime is not installed.
    """

    runtime = "ONNX Runtime"
    advice = "Export it again, and try it with onnxruntime.InferenceSession before it is measured."

    def __init__(self, data: bytes, graph: Graph, feed: Feed, *, name: str) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise NetworkError(
                f"The network {name!r} is an ONNX file, and ONNX Runtime is not installed: pip install modelcheck[onnx]"
            ) from error
        self._onnxruntime = onnxruntime
        self._data, self._graph, self._feed = bytes(data), graph, feed

    def load(self, positions: tuple[int, ...], size: int, *, way: Way, hidden: bool) -> Session:
        """Load the file; see `Loader.load`. Plain is the graph as it is written, with nothing folded or fused."""
        levels = self._onnxruntime.GraphOptimizationLevel
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = {
            "plain": levels.ORT_DISABLE_ALL,
            "usual": levels.ORT_ENABLE_BASIC,  # what these change is no answer
            "alone": levels.ORT_ENABLE_ALL,  # what whoever says nothing else gets
        }[way]
        names = [self._graph.tensors[position].name for position in positions]
        given = {self._graph.tensors[position].name for position in self._graph.outputs}
        session = self._onnxruntime.InferenceSession(
            add_outputs(self._data, [name for name in names if name not in given]),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
        shapes = self._feed.shapes(self._graph, size)
        held = {
            self._graph.tensors[position].name: np.full(shapes[position], value)
            for position, value in self._feed.held.items()
        }
        picture = self._graph.tensors[self._feed.picture].name

        def ask(pictures: np.ndarray) -> list[np.ndarray]:
            return session.run(names, {picture: pictures, **held})

        return Session(ask, size)


def add_outputs(data: bytes, names: list[str]) -> bytes:
    r"""Return an ONNX file that also answers with some of its tensors.

    A message that is written twice in a protobuf file is merged: a second graph, which has outputs
    alone, adds these to the first.

    Examples
    --------
    >>> add_outputs(b"", ["a"])
    b':\x05b\x03\n\x01a'
    """
    outputs = b"".join(_field(_OUTPUT, _field(_NAME, name.encode())) for name in names)
    return data + (_field(_GRAPH, outputs) if outputs else b"")


def _field(tag: int, content: bytes) -> bytes:
    length, rest = bytearray(), len(content)
    while True:  # seven bits to a byte, the lowest first
        length.append(rest & 127 | (128 if rest > 127 else 0))
        rest >>= 7
        if not rest:
            return bytes([tag, *length]) + content
