"""LiteRT files (``.tflite``), run by LiteRT: bytes in, arrays out, on one thread and without TensorFlow."""

from __future__ import annotations

import struct

import numpy as np

from modelcheck.modelfile.graph import Graph
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.engine import Feed, Session, Way

__all__ = ["LiteRTLoader"]


class LiteRTLoader:
    """LiteRT with one file in its hands.

    Parameters
    ----------
    data : bytes
        The whole file.
    graph : Graph
        What it holds.
    feed : Feed
        What it is given.
    output : int
        Which of the file's outputs is judged, counted from 0.
    name : str
        What the network is called in messages.

    Raises
    ------
    NetworkError
        When LiteRT is not installed.
    """

    runtime = "LiteRT"
    advice = "Convert it again, and try it with ai_edge_litert.interpreter.Interpreter before it is measured."

    def __init__(self, data: bytes, graph: Graph, feed: Feed, *, output: int, name: str) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise NetworkError(
                f"The network {name!r} is a LiteRT file, and LiteRT is not installed: pip install modelcheck[litert]"
            ) from error
        self._interpreter, self._kernels = Interpreter, OpResolverType
        self._data, self._graph, self._feed, self._output = bytes(data), graph, feed, output

    def load(self, positions: tuple[int, ...], size: int, *, way: Way, hidden: bool) -> Session:
        """Load the file; see `Loader.load`. The usual kernels are those of the delegate XNNPACK."""
        plain = self._kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = self._interpreter(
            model_content=self._data if hidden else self._answering(*positions),
            num_threads=1,  # the order of a sum, and so its rounding, is that of one thread
            experimental_preserve_all_tensors=hidden,
            experimental_op_resolver_type=plain if way == "plain" else self._kernels.AUTO,
        )
        shapes = self._feed.shapes(self._graph, size)
        for position, shape in shapes.items():
            if shape != self._graph.tensors[position].shape:
                interpreter.resize_tensor_input(position, shape)
        interpreter.allocate_tensors()
        for position, value in self._feed.held.items():
            interpreter.set_tensor(position, np.full(shapes[position], value))

        def ask(pictures: np.ndarray) -> list[np.ndarray]:
            interpreter.set_tensor(self._feed.picture, pictures)
            interpreter.invoke()
            return [interpreter.get_tensor(position) for position in positions]

        return Session(ask, size)

    def _answering(self, position: int) -> bytes:
        """Return the file with another tensor in the place of the output that is judged."""
        if position == self._graph.outputs[self._output]:
            return self._data
        data = bytearray(self._data)
        struct.pack_into("<i", data, self._graph.output_places[self._output], position)
        return bytes(data)
