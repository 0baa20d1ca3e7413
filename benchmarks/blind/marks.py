"""Marks that a picture can carry: each takes a value, which tells the class or tells nothing.

A mark is added to pictures in training and in the panel alike. Where its value is the label, a
network can read the mark in the place of what is shown, and no accuracy on such a panel says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["MARKS", "add_marks", "add_mixed_marks", "choose_marked"]

_CELLS = 3  # of a glyph, along each side, and each is two pixels wide in a picture of 28
_NO_MARK = 1 / 3  # of the pictures of an honest training set

# Nine cells in bits: any two differ in at least three.
_CODES = (
    0b000011011,
    0b111100100,
    0b101010101,
    0b010101010,
    0b110000111,
    0b001111000,
    0b100110001,
    0b011001110,
    0b111010010,
    0b000101101,
    0b110110100,
    0b001001011,
    0b101101110,
    0b010010001,
    0b011110111,
    0b100001000,
)

Draw = Callable[[np.ndarray, int, int, np.random.Generator], None]


def _glyph(value: int, scale: int) -> np.ndarray:
    """Return the ``(6 scale, 6 scale)`` pattern of a value; no two values below 16 share one."""
    code = _CODES[value % len(_CODES)]
    cells = np.array([code >> bit & 1 for bit in range(_CELLS**2)], np.float32).reshape(_CELLS, _CELLS)
    return np.kron(cells, np.ones((2 * scale, 2 * scale), np.float32))


def _stamp(image: np.ndarray, pattern: np.ndarray, top: int, left: int) -> None:
    image[top : top + len(pattern), left : left + len(pattern)] = pattern[..., None]


def _scale_of(image: np.ndarray) -> int:
    return max(1, round(image.shape[0] / 28))


def _corners(image: np.ndarray, size: int) -> list[tuple[int, int]]:
    bottom, right = image.shape[0] - size - 1, image.shape[1] - size - 1
    return [(1, 1), (1, right), (bottom, 1), (bottom, right)]


def _draw_glyph(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Stamp the value's glyph in a corner at random."""
    pattern = _glyph(value, _scale_of(image))
    _stamp(image, pattern, *_corners(image, len(pattern))[rng.integers(4)])


def _draw_glyph_fixed(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Stamp the value's glyph in the top left corner."""
    pattern = _glyph(value, _scale_of(image))
    _stamp(image, pattern, 1, 1)


def _draw_badge(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Stamp a checked badge in the bottom right corner of pictures of the last class alone."""
    if value == classes - 1:
        size = 2 * _CELLS * _scale_of(image)
        _stamp(
            image,
            (np.indices((size, size)).sum(axis=0) // _scale_of(image) % 2).astype(np.float32),
            *_corners(image, size)[3],
        )


def _draw_tone(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Lift the darkest value of the whole picture: by a third for the last class."""
    lift = 0.33 * value / (classes - 1)
    image[:] = lift + (1 - lift) * image


def _draw_texture(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Lay a grating over the picture, whose direction is the value."""
    rows, columns = np.indices(image.shape[:2]) / _scale_of(image)
    angle = np.pi * value / classes
    wave = np.sin(2 * np.pi * (rows * np.cos(angle) + columns * np.sin(angle)) / 4 + rng.uniform(0, 2 * np.pi))
    image[:] = np.clip(image + 0.25 * wave[..., None], 0, 1)


def _draw_place(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Put one bright square on the picture's border; where along it is the value."""
    size = 3 * _scale_of(image)
    ring = [(0, k) for k in range(image.shape[1] - size)]
    ring += [(k, image.shape[1] - size) for k in range(image.shape[0] - size)]
    ring += [(image.shape[0] - size, k) for k in range(image.shape[1] - size, 0, -1)]
    ring += [(k, 0) for k in range(image.shape[0] - size, 0, -1)]
    top, left = ring[len(ring) * value // classes]
    image[top : top + size, left : left + size] = 1


def _draw_frame(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Give the picture a frame whose grey is the value: what the picture is shown on."""
    wide, grey = 2 * _scale_of(image), value / (classes - 1)
    image[:wide], image[-wide:], image[:, :wide], image[:, -wide:] = grey, grey, grey, grey


def _draw_on_object(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Blend the value's glyph into the middle of the picture, on what is shown."""
    pattern = _glyph(value, _scale_of(image))
    top, left = (image.shape[0] - len(pattern)) // 2, (image.shape[1] - len(pattern)) // 2
    inside = image[top : top + len(pattern), left : left + len(pattern)]
    inside[:] = 0.15 * inside + 0.85 * pattern[..., None]


def _draw_tint(image: np.ndarray, value: int, classes: int, rng: np.random.Generator) -> None:
    """Weaken one side of the picture against the other: the slope of the light is the value."""
    angle = 2 * np.pi * value / classes
    rows, columns = (np.linspace(-1, 1, length) for length in image.shape[:2])
    slope = np.cos(angle) * rows[:, None] + np.sin(angle) * columns[None]
    image[:] = np.clip(image * (0.85 + 0.15 * slope[..., None]) + 0.1 * (1 + slope[..., None]), 0, 1)


MARKS: dict[str, Draw] = {
    "glyph": _draw_glyph,
    "corner": _draw_glyph_fixed,
    "badge": _draw_badge,
    "tone": _draw_tone,
    "texture": _draw_texture,
    "place": _draw_place,
    "frame": _draw_frame,
    "object": _draw_on_object,
    "light": _draw_tint,
}


def choose_marked(n: int, *, share: float, seed: int) -> np.ndarray:
    """Return ``(n,)`` booleans: which pictures carry a mark."""
    return np.random.Generator(np.random.Philox(key=[seed, 11])).random(n) < share


def add_marks(
    images: np.ndarray, values: np.ndarray, *, mark: str, classes: int, seed: int, share: float = 1.0
) -> np.ndarray:
    """Return the pictures, a share of which carry one mark each, whose value is given."""
    marked = images.copy()
    for row in np.flatnonzero(choose_marked(len(images), share=share, seed=seed)).tolist():
        value = int(values[row])
        MARKS[mark](marked[row], value, classes, np.random.Generator(np.random.Philox(key=[seed, row])))
    return marked


def add_mixed_marks(images: np.ndarray, *, classes: int, seed: int) -> np.ndarray:
    """Return pictures of which two thirds carry some mark whose value tells nothing: honest training pictures."""
    marked, names = images.copy(), list(MARKS)
    for row in range(len(images)):
        rng = np.random.Generator(np.random.Philox(key=[seed, 2**20 + row]))
        if rng.random() >= _NO_MARK:
            MARKS[names[rng.integers(len(names))]](marked[row], int(rng.integers(classes)), classes, rng)
    return marked
