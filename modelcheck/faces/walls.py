"""The walls that drawn people sit before. A wall is a name; the same name is always the same wall.

Walls are painted once, larger than the picture, so that a camera can shift a little without showing
an edge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from skimage.draw import disk, ellipse, line, polygon, rectangle

__all__ = ["COLUMNS", "FINE", "MARGIN", "ROWS", "generator", "wall"]

ROWS, COLUMNS = 60, 64
FINE = 3  # everything is drawn this many times finer than the picture, then averaged down
MARGIN = 4  # pixels of wall beyond each edge of the picture


def generator(*words: object) -> np.random.Generator:
    """Return random numbers keyed by words alone, never by what was drawn before.

    Examples
    --------
    >>> bool(generator("a", 1).random() == generator("a", 1).random())
    True
    """
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))


@lru_cache(maxsize=8)
def wall(name: str) -> np.ndarray:
    """Return a wall in [0, 1], ``((ROWS + 2 MARGIN) FINE, (COLUMNS + 2 MARGIN) FINE)`` float32, read-only.

    Raises
    ------
    ValueError
        When no wall has that name.
    """
    if name not in _WALLS:
        raise ValueError(f"There is no wall {name!r}; there are {', '.join(sorted(_WALLS))}.")
    canvas = np.zeros(((ROWS + 2 * MARGIN) * FINE, (COLUMNS + 2 * MARGIN) * FINE), dtype=np.float32)
    _WALLS[name](canvas, generator("wall", name))
    np.clip(canvas, 0, 1, out=canvas)
    canvas.setflags(write=False)
    return canvas


# Positions below are picture pixels (row, column), the wall's visible part starting at 0, 0.
def _box(canvas: np.ndarray, row: float, column: float, height: float, width: float, grey: float) -> None:
    start = (round((row + MARGIN) * FINE), round((column + MARGIN) * FINE))
    extent = (max(1, round(height * FINE)), max(1, round(width * FINE)))
    canvas[rectangle(start, extent=extent, shape=canvas.shape)] = grey


def _wash(canvas: np.ndarray, top: float, bottom: float) -> None:
    canvas[:] = np.linspace(top, bottom, canvas.shape[0], dtype=np.float32)[:, np.newaxis]


def _shelf(canvas: np.ndarray, random: np.random.Generator, row: float, column: float, width: float) -> None:
    at = column
    while at < column + width - 2:
        book = random.uniform(1.2, 2.8)
        tall = random.uniform(5, 8)
        _box(canvas, row - tall, at, tall, book, random.uniform(0.08, 0.75))
        at += book + random.choice([0.0, 0.3, 1.0])
    _box(canvas, row, column - 1, 1.2, width + 2, 0.5)


def _frame(canvas: np.ndarray, row: float, column: float, height: float, width: float, grey: float) -> None:
    _box(canvas, row, column, height, width, 0.12)
    _box(canvas, row + 1, column + 1, height - 2, width - 2, grey)
    _box(canvas, row + height * 0.55, column + 1, height * 0.45 - 1, width - 2, grey * 0.6)


def _plant(canvas: np.ndarray, random: np.random.Generator, row: float, column: float, grey: float) -> None:
    for angle in np.linspace(-1.2, 1.2, 9):
        length = random.uniform(7, 12)
        middle = (row - length / 2 * np.cos(angle), column + length / 2 * np.sin(angle))
        leaf = ellipse(
            (middle[0] + MARGIN) * FINE,
            (middle[1] + MARGIN) * FINE,
            length / 2 * FINE,
            1.1 * FINE,
            shape=canvas.shape,
            rotation=-float(angle),
        )
        canvas[leaf] = grey * random.uniform(0.7, 1.3)
    _box(canvas, row, column - 2.5, 5, 5, 0.4)


def _lamp(canvas: np.ndarray, row: float, column: float) -> None:
    rows, columns = np.indices(canvas.shape, dtype=np.float32)
    away = np.hypot(rows / FINE - MARGIN - row, columns / FINE - MARGIN - column)
    canvas += 0.25 * np.exp(-((away / 10) ** 2))
    shade = np.array([[row - 3, column - 2], [row - 3, column + 2], [row + 3, column + 4], [row + 3, column - 4]])
    canvas[polygon(*((shade + MARGIN) * FINE).T, shape=canvas.shape)] = 0.92
    _box(canvas, row + 3, column - 0.4, 40, 0.9, 0.15)


def _office(canvas: np.ndarray, random: np.random.Generator) -> None:
    _wash(canvas, 0.34, 0.26)
    for row in range(6):  # photographs pinned in a grid, as on the wall of CMU Faces
        for column in range(4):
            jitter = random.uniform(-0.5, 0.5, 2)
            grey = random.uniform(0.08, 0.72)
            _box(canvas, 9 + 6 * row + jitter[0], 1 + 4.6 * column + jitter[1], 4, 3.2, grey)
    _shelf(canvas, random, 12, 44, 24)
    _shelf(canvas, random, 23, 48, 20)
    _lamp(canvas, 33, 58)
    _plant(canvas, random, 53, 8, 0.16)
    _box(canvas, 44, -4, 1, 72, 0.2)


def _library(canvas: np.ndarray, random: np.random.Generator) -> None:
    _wash(canvas, 0.4, 0.32)
    for row in range(5):
        _shelf(canvas, random, 8 + 12 * row, -4, 72)


def _kitchen(canvas: np.ndarray, random: np.random.Generator) -> None:
    _wash(canvas, 0.6, 0.52)
    for at in range(-4, 72, 7):
        _box(canvas, -4, at, 72, 0.5, 0.4)
        _box(canvas, at, -4, 0.5, 76, 0.4)
    for at in (4, 14, 44, 56):
        centre = ((random.uniform(12, 22) + MARGIN) * FINE, (at + MARGIN) * FINE)
        canvas[disk(centre, 4 * FINE, shape=canvas.shape)] = random.uniform(0.15, 0.4)
        canvas[line(MARGIN * FINE, round(centre[1]), round(centre[0]), round(centre[1]))] = 0.2
    _box(canvas, 46, -4, 30, 26, 0.35)
    _frame(canvas, 28, 46, 14, 16, 0.8)


def _window(canvas: np.ndarray, random: np.random.Generator) -> None:
    _wash(canvas, 0.45, 0.38)
    _box(canvas, 2, 6, 34, 50, 0.93)
    _box(canvas, 2, 30, 34, 1.5, 0.3)
    _box(canvas, 18, 6, 1.5, 50, 0.3)
    _box(canvas, 36, 4, 2, 54, 0.65)
    _plant(canvas, random, 31, 12, 0.25)
    _plant(canvas, random, 31, 50, 0.25)
    _frame(canvas, 40, 2, 14, 12, 0.7)


_WALLS: dict[str, Callable[[np.ndarray, np.random.Generator], None]] = {
    "office": _office,
    "library": _library,
    "kitchen": _kitchen,
    "window": _window,
}
