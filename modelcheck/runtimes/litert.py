"""LiteRT files (``.tflite``), run by LiteRT: bytes in, arrays out, on one thread and without TensorFlow."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence

import numpy as np

from modelcheck.modelfile.graph import Graph
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.engine import BATCH, Session, Way, agrees_in_batches, make_noise, run_in_batches
from modelcheck.support.escaping import clean

__all__ = ["LiteRTEngine"]


class LiteRTEngine:
    """A LiteRT file and its interpreters.

    Parameters
    ----------
    data : bytes
        The whole file.
    graph : Graph
        What it holds.
    name : str
        What the network is called in messages.
    picture : int
        The position of the input that takes pictures.
    shape : tuple of int
        The lengths of one picture in the file's order.
    held : mapping of int to np.ndarray
        What each other input is given, by its position.
    output : int
        Which of the file's outputs is judged, counted from 0.

    Raises
    ------
    NetworkError
        When LiteRT is not installed, or does not run the file.
    """

    def __init__(
        self,
        data: bytes,
        graph: Graph,
        *,
        name: str,
        picture: int,
        shape: Sequence[int],
        held: Mapping[int, np.ndarray],
        output: int,
    ) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise NetworkError(
                f"The network {name!r} is a LiteRT file, and LiteRT is not installed. Install it: pip install "
                "modelcheck[litert]"
            ) from error
        self._interpreter, self._plain = Interpreter, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._data, self._graph, self._name = data, graph, name
        self._picture, self._shape, self._held, self._output = picture, tuple(shape), held, output
        self._sessions: dict[tuple[tuple[int, ...], Way, bool], Session] = {}
        self.fallback = ""

    def run(self, pictures: np.ndarray, position: int, *, way: Way = "usual") -> np.ndarray:
        """Return what a tensor that leads to an output holds, as it is stored, ``(n, ...)``."""
        return run_in_batches(self._open((position,), way, hidden=False), pictures)[0]

    def run_hidden(self, pictures: np.ndarray, positions: Sequence[int]) -> list[np.ndarray]:
        """Return what several tensors hold, with the built-in kernels."""
        return run_in_batches(self._open(tuple(positions), "plain", hidden=True), pictures)

    def time_one(self, pictures: np.ndarray, position: int) -> list[float]:
        """Return the seconds that each of some pictures took alone, after a first that is not counted."""
        session, seconds = self._open((position,), "alone", hidden=False), []
        for at in range(len(pictures)):
            start = time.perf_counter()
            session.ask(pictures[at : at + 1])
            seconds.append(time.perf_counter() - start)
        return seconds[1:]

    def _open(self, positions: tuple[int, ...], way: Way, *, hidden: bool) -> Session:
        key = (positions, way, hidden)
        if key not in self._sessions:
            self._sessions[key] = self._open_new(positions, way, hidden=hidden)
        return self._sessions[key]

    def _open_new(self, positions: tuple[int, ...], way: Way, *, hidden: bool) -> Session:
        """Load the file for many pictures at once, or else for one; with the built-in kernels where others fail."""
        own = self._graph.tensors[self._picture].shape[0]
        sizes = (own,) if own > 1 else (1,) if way == "alone" else (BATCH, 1)
        reasons = {False: "", True: ""}
        for plain in (True,) if way == "plain" or self.fallback else (False, True):
            for size in sizes:
                noise = make_noise(self._shape, np.dtype(self._graph.tensors[self._picture].dtype), 2 * size)
                try:
                    session = self._load(positions, size, plain=plain, hidden=hidden)
                    agrees = agrees_in_batches(session, noise)
                except (RuntimeError, ValueError) as error:  # what LiteRT raises, whatever is wrong
                    reasons[plain] = clean(error, longest=300)
                    continue
                if agrees:
                    if plain and way != "plain" and not self.fallback:
                        self.fallback = (
                            f"LiteRT's usual kernels do not run the file ({reasons[False]}); it is answered by the "
                            "built-in ones."
                        )
                    return session
                reasons[plain] = "it answers a picture otherwise where other pictures stand beside it"
        raise NetworkError(
            f"The network {self._name!r} cannot be run by LiteRT: {reasons[True]}. Convert it again, and try it with "
            "ai_edge_litert.interpreter.Interpreter before it is measured."
        )

    def _load(self, positions: tuple[int, ...], size: int, *, plain: bool, hidden: bool) -> Session:
        data = self._data if hidden else self._answering(positions)
        own = {} if not plain else {"experimental_op_resolver_type": self._plain}
        interpreter = self._interpreter(
            model_content=data, num_threads=1, experimental_preserve_all_tensors=hidden, **own
        )
        shapes = {self._picture: (size, *self._shape)}
        for position in self._held:
            shape = self._graph.tensors[position].shape
            shapes[position] = (size, *shape[1:]) if shape and shape[0] in (-1, 1) else shape
        for position, shape in shapes.items():
            if shape != self._graph.tensors[position].shape:
                interpreter.resize_tensor_input(position, shape)
        interpreter.allocate_tensors()
        for position, value in self._held.items():
            interpreter.set_tensor(position, np.full(shapes[position], value))

        def ask(pictures: np.ndarray) -> list[np.ndarray]:
            interpreter.set_tensor(self._picture, pictures)
            interpreter.invoke()
            return [interpreter.get_tensor(position) for position in positions]

        return Session(ask, size)

    def _answering(self, positions: tuple[int, ...]) -> bytes:
        """Return the file with another tensor for the output that is judged."""
        (position,) = positions
        if position == self._graph.outputs[self._output]:
            return self._data
        data = bytearray(self._data)
        struct.pack_into("<i", data, self._graph.output_places[self._output], position)
        return bytes(data)
