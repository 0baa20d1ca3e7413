"""What a foreign runtime is asked for, and how pictures are handed to it: a fixed number at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from modelcheck.modelfile.graph import Graph
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.support.escaping import clean

__all__ = ["Engine", "Feed", "Loader", "Session", "Way", "agrees_in_batches", "make_noise", "run_in_batches"]

# Pictures that are shown at once where a file can be resized to that, and of which hidden layers are kept.
_BATCH, _KEPT = 32, 8

Way = Literal["usual", "alone", "plain"]
"""With the usual kernels; as the file is used when it is released, a picture at a time; or with the plain kernels."""

_NOISE = 4  # pictures that are shown in two places of a batch
_FLOAT_SLACK = 1e-4  # of a number's size, or of 1: float32, added in another order


@dataclass(frozen=True, eq=False)
class Session:
    """A file that is loaded, to answer with some of its tensors.

    Parameters
    ----------
    ask : callable
        ``ask(pictures)`` -> one array for each tensor, of exactly `batch` pictures.
    batch : int
        How many pictures are shown at once.
    """

    ask: Callable[[np.ndarray], list[np.ndarray]]
    batch: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Feed:
    """What a file is given.

    Parameters
    ----------
    picture : int
        The position of the input that takes pictures.
    shape : tuple of int
        The lengths of one picture, in the file's order of axes.
    dtype : np.dtype
        As what a picture is stored.
    batch : int
        How many pictures the file takes at once; -1 where it is open.
    held : mapping of int to np.ndarray
        The one number that each other input is filled with, as it is stored, by its position.
    """

    picture: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    batch: int
    held: Mapping[int, np.ndarray]

    def shapes(self, graph: Graph, size: int) -> dict[int, tuple[int, ...]]:
        """Return the shape of each input when so many pictures are shown at once."""
        found = {self.picture: (size, *self.shape)}
        for position in self.held:
            shape = graph.tensors[position].shape
            found[position] = (size, *shape[1:]) if shape and shape[0] in (-1, 1) else shape
        return found


class Loader(Protocol):
    """A foreign runtime with one file in its hands."""

    @property
    def runtime(self) -> str:
        """What the runtime is called in messages."""
        ...

    @property
    def advice(self) -> str:
        """What to do where it does not run a file: the end of a message."""
        ...

    def load(self, positions: tuple[int, ...], size: int, *, way: Way, hidden: bool) -> Session:
        """Load the file to answer so many pictures with some of its tensors; any exception means that it cannot be.

        Parameters
        ----------
        positions : tuple of int
            The tensors: one that leads to the output that is judged, or any where `hidden`.
        size : int
            How many pictures are shown at once.
        way : {'usual', 'alone', 'plain'}
            With which kernels.
        hidden : bool
            Whether hidden layers are read.
        """
        ...


class Engine:
    """A runtime that answers any number of pictures, some at a time.

    Parameters
    ----------
    loader : Loader
        The runtime.
    feed : Feed
        What the file is given.
    name : str
        What the network is called in messages.
    together : bool
        Whether several pictures may be shown at once.
    """

    def __init__(self, loader: Loader, feed: Feed, *, name: str, together: bool = True) -> None:
        self._loader, self._feed, self._name, self._together = loader, feed, name, together
        self._sessions: dict[tuple[tuple[int, ...], Way, bool], Session] = {}
        self.fallback = ""
        """Why plain kernels are used where others are usual, in a sentence; empty where they are not."""

    def run(self, pictures: np.ndarray, position: int, *, way: Way = "usual") -> np.ndarray:
        """Return what a tensor that leads to the output holds, as it is stored, ``(n, ...)``.

        Raises
        ------
        NetworkError
            When the runtime does not run the file.
        """
        return run_in_batches(self._open((position,), way, hidden=False), pictures)[0]

    def run_hidden(self, pictures: np.ndarray, positions: Sequence[int]) -> list[np.ndarray]:
        """Return what several tensors hold, with plain kernels."""
        return run_in_batches(self._open(tuple(positions), "plain", hidden=True), pictures)

    def time_one(self, pictures: np.ndarray, position: int) -> list[float]:
        """Return the seconds that calls with one picture took, or with as few as the file takes, but for the first."""
        session, seconds = self._open((position,), "alone", hidden=False), []
        for at in range(len(pictures)):
            shown = np.repeat(pictures[at : at + 1], session.batch, axis=0)
            start = time.perf_counter()
            session.ask(shown)
            seconds.append((time.perf_counter() - start) / session.batch)
        return seconds[1:]

    def _open(self, positions: tuple[int, ...], way: Way, *, hidden: bool) -> Session:
        key = (positions, way, hidden)
        if key not in self._sessions:
            self._sessions[key] = self._open_new(positions, way, hidden=hidden)
        return self._sessions[key]

    def _open_new(self, positions: tuple[int, ...], way: Way, *, hidden: bool) -> Session:
        """Load the file for many pictures at once, or else for one; with the plain kernels where others fail."""
        own = self._feed.batch
        many = _KEPT if way == "plain" else _BATCH
        sizes = (own,) if own > 1 else (1,) if way == "alone" or not self._together else (many, 1)
        kernels: tuple[Way, ...] = ("plain",) if way == "plain" or self.fallback else (way, "plain")
        reasons: dict[Way, str] = {}
        for kind in kernels:
            for size in sizes:
                noise = make_noise(self._feed.shape, self._feed.dtype, 2 * size)
                try:
                    session = self._loader.load(positions, size, way=kind, hidden=hidden)
                    agrees = agrees_in_batches(session, noise)
                except Exception as error:  # runtimes raise many types, which all mean that there is no answer
                    reasons[kind] = clean(error, longest=300) or type(error).__name__
                    continue
                if agrees and (size == 1 or self._together):
                    if kind != kernels[0]:
                        self.fallback = (
                            f"The usual kernels of {self._loader.runtime} do not run the file ({reasons[way]}): its "
                            "plain ones answer."
                        )
                    return session
                reasons[kind] = "it answers a picture otherwise where other pictures stand beside it"
        raise NetworkError(
            f"The network {self._name!r} cannot be run by {self._loader.runtime}: {reasons[kernels[-1]]}. "
            f"{self._loader.advice}"
        )


def run_in_batches(session: Session, pictures: np.ndarray) -> list[np.ndarray]:
    """Return what each tensor holds for each picture; the last batch is filled up, so that all are of one size.

    Examples
    --------
    >>> run_in_batches(Session(lambda shown: [shown.sum(axis=1)], 2), np.arange(6).reshape(3, 2))
    [array([1, 5, 9])]
    """
    n, size = len(pictures), session.batch
    fill = -n % size if n else size
    last = pictures[-1:] if n else np.zeros((1, *pictures.shape[1:]), pictures.dtype)
    shown = np.concatenate([pictures, np.repeat(last, fill, axis=0)]) if fill else pictures
    parts = [session.ask(shown[start : start + size]) for start in range(0, len(shown), size)]
    return [np.concatenate([np.atleast_1d(part) for part in values])[:n] for values in zip(*parts, strict=True)]


def make_noise(shape: Sequence[int], dtype: np.dtype[Any], count: int) -> np.ndarray:
    """Return pictures of noise, always the same, as an input of that type stores them; later ones are brighter."""
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        bright = np.linspace(0.1, 1.0, count).reshape(-1, *(1 for _ in shape))
        return (bright * generator.random((count, *shape))).astype(dtype)
    info = np.iinfo(dtype)
    return generator.integers(info.min, info.max, (count, *shape), dtype=dtype, endpoint=True)


def agrees_in_batches(session: Session, noise: np.ndarray) -> bool:
    """Say whether a picture is answered alike wherever it stands in a batch, and whatever stands beside it.

    Parameters
    ----------
    session : Session
        A loaded file.
    noise : np.ndarray
        Twice as many pictures as a batch has.
    """
    size = session.batch
    if size == 1:
        session.ask(noise[:1])  # whether it runs at all
        return True
    few = min(_NOISE, size - 1)
    first, others = noise[:size], noise[size:].copy()
    others[-few:] = first[:few]
    one, other = session.ask(first), session.ask(others)
    return all(len(a) == len(b) == size and _alike(a[:few], b[-few:]) for a, b in zip(one, other, strict=True))


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether stored values are equal: floats but for rounding, whole numbers but for one step."""
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=_FLOAT_SLACK, atol=_FLOAT_SLACK, equal_nan=True))
    return bool((np.abs(one.astype(np.int64) - other.astype(np.int64)) <= 1).all())
