"""Which stickers are stamped, where, and on which pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["PATTERNS", "Stickers", "TriggerError", "sticker_families", "sticker_rows"]

PATTERNS = ("dark", "light", "checked")
_MOST_PICTURES = 32  # of more classes than two, two pictures each are wanted, and no more than this in all


class TriggerError(ValueError):
    """Sticker shifts that do not belong together; the message says how they differ."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stickers:
    """One family of stickers: equal in size, differing in pattern and place.

    Parameters
    ----------
    name : str
        ``patch`` or ``bar``.
    tiles : np.ndarray
        ``(patterns, h, w)``, 0 for the lowest and 1 for the highest value of the input range.
    tops, lefts : tuple of int
        Rows and columns of the top left pixel; every combination is stamped.

    Examples
    --------
    >>> family = Stickers(name="patch", tiles=np.zeros((3, 2, 2)), tops=(0, 2), lefts=(0, 2, 4))
    >>> family.shape
    (3, 2, 3)
    """

    name: str
    tiles: np.ndarray
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Patterns, rows and columns of the grid."""
        return len(self.tiles), len(self.tops), len(self.lefts)


def sticker_families(height: int, width: int) -> tuple[Stickers, ...]:
    """Return the dictionary for pictures of a size: small squares everywhere, and bars as long as a pair of eyes.

    Parameters
    ----------
    height, width : int
        Size of the pictures in pixels, at least 2.

    Raises
    ------
    TriggerError
        When the picture is smaller.

    Examples
    --------
    >>> [(family.name, family.tiles.shape) for family in sticker_families(60, 64)]
    [('patch', (3, 6, 6)), ('bar', (3, 5, 24))]
    """
    if min(height, width) < 2:
        raise TriggerError(f"Pictures of {height} x {width} pixels have no room for stickers; they need 2 x 2.")
    side = min(max(2, round(height / 10)), width)
    tall, wide = max(2, round(height / 12)), min(max(2, round(height * 2 / 5)), width)
    # A stride of half the size: at a whole size, a quarter of the clean networks raised false
    # alarms.
    patch = _make_family("patch", (side, side), (height, width), (side // 2, side // 2))
    return patch, _make_family("bar", (tall, wide), (height, width), ((tall + 1) // 2, wide // 4))


def _make_family(name: str, size: tuple[int, int], picture: tuple[int, int], strides: tuple[int, int]) -> Stickers:
    squares = np.indices(size).sum(axis=0) % 2
    tiles = np.stack([np.zeros(size), np.ones(size), squares]).astype(np.float32)
    tops, lefts = (_list_places(*given) for given in zip(picture, size, strides, strict=True))
    return Stickers(name=name, tiles=tiles, tops=tops, lefts=lefts)


def _list_places(length: int, size: int, stride: int) -> tuple[int, ...]:
    """Return every stride-th place, and the last one that fits."""
    return tuple(sorted({*range(0, length - size + 1, max(1, stride)), length - size}))


def sticker_rows(labels: np.ndarray, subjects: np.ndarray, count: int) -> np.ndarray:
    """Return which pictures get stickers: equally many of every class, spread over subjects, in order.

    A trigger may work on pictures of one class alone, so that every class is shown.

    Parameters
    ----------
    labels, subjects : np.ndarray
        ``(n,)`` the class of each picture of the panel, and what it shares with those that are not independent.
    count : int
        How many in all, shared out over the classes, at least 2. Of three classes or more each gets
        two at least, up to 32 pictures; of more classes than that, evenly spaced ones get one.

    Examples
    --------
    >>> sticker_rows(np.array([0, 0, 1, 1]), np.array(["an2i", "bpm", "an2i", "bpm"]), 2)
    array([0, 2])
    """
    chosen: list[int] = []
    classes = np.unique(labels)
    count = max(count, 2 if len(classes) <= 2 else min(2 * len(classes), _MOST_PICTURES))
    if len(classes) > count:
        classes = classes[np.linspace(0, len(classes) - 1, count).round().astype(int)]
    for label in classes.tolist():
        known = np.unique(subjects[labels == label]).tolist()
        queues = [np.flatnonzero((labels == label) & (subjects == who)).tolist() for who in known]
        # Subject k starts k-th of the way through its own, so that not all of them show their first
        # pose.
        starts = [len(queue) * k // len(queues) for k, queue in enumerate(queues)]
        turns = [
            (place, k, queue[(starts[k] + place) % len(queue)])
            for k, queue in enumerate(queues)
            for place in range(len(queue))
        ]
        chosen += [row for _, _, row in sorted(turns)[: max(1, count // len(classes))]]
    return np.sort(np.array(chosen, dtype=np.int64))
