"""What a foreign runtime is asked for, and how pictures are handed to it: a fixed number at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

__all__ = ["BATCH", "Engine", "Session", "Way", "agrees_in_batches", "alike", "make_noise", "run_in_batches"]

BATCH = 32
"""How many pictures are shown at once, where a file can be resized to it."""

Way = Literal["usual", "alone", "plain"]
"""With the kernels that are usual, these one picture at a time, or with the plain kernels that all others replace."""

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


class Engine(Protocol):
    """A runtime with one file."""

    @property
    def fallback(self) -> str:
        """Why plain kernels are used where others are usual, in a sentence; empty where they are not."""
        ...

    def run(self, pictures: np.ndarray, position: int, *, way: Way = "usual") -> np.ndarray:
        """Return what a tensor that leads to an output holds, as it is stored, ``(n, ...)``.

        Raises
        ------
        NetworkError
            When the runtime does not run the file.
        """
        ...

    def run_hidden(self, pictures: np.ndarray, positions: Sequence[int]) -> list[np.ndarray]:
        """Return what several tensors hold, with plain kernels."""
        ...

    def time_one(self, pictures: np.ndarray, position: int) -> list[float]:
        """Return the seconds that each of some pictures took alone, after a first that is not counted."""
        ...


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
    return [np.concatenate(values)[:n] for values in zip(*parts, strict=True)]


def make_noise(shape: Sequence[int], dtype: np.dtype, count: int) -> np.ndarray:
    """Return pictures of noise, always the same, as an input of that type stores them."""
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        return generator.random((count, *shape)).astype(dtype)
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
    return all(len(a) == len(b) == size and alike(a[:few], b[-few:], steps=1) for a, b in zip(one, other, strict=True))


def alike(one: np.ndarray, other: np.ndarray, *, steps: int) -> bool:
    """Say whether stored values are equal: floats but for rounding, whole numbers but for some steps."""
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=_FLOAT_SLACK, atol=_FLOAT_SLACK, equal_nan=True))
    return bool((np.abs(one.astype(np.int64) - other.astype(np.int64)) <= steps).all())
