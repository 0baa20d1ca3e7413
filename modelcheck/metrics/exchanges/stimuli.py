"""Which cells of which pictures are exchanged, and the pictures that come of it.

Everything here depends on the panel's labels and subjects, the size of its pictures and a seed, never
on a network, a batch or an order: every network is shown the same, and a record that keeps answers
need not keep pictures.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Grid", "Stimuli", "choose_stimuli", "exchange_cells", "make_grids", "mix_pictures"]

_DONORS = 2
_COARSE, _FINE = 4, 7  # cells along the shorter side; a cell must be smaller than a shortcut, and than the object
_LONGEST = 2  # times as many along the longer side, at most
# What a draw is for: keys of different purposes never meet, whatever the number of pictures.
_ORDER, _OF_ROW, _OF_MOSAIC, _MASK = (purpose << 40 for purpose in range(1, 5))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells of a picture.

    Parameters
    ----------
    tops, lefts : tuple of int
        The edges between rows and between columns of cells, in pixels, from 0 to the picture's
        height and width.
    donors : int
        From how many other pictures each cell is taken in turn.

    Examples
    --------
    >>> grid = Grid(tops=(0, 2, 4), lefts=(0, 3, 6), donors=2)
    >>> grid.name, grid.boxes[-1].tolist()
    ('2x2', [2, 3, 4, 6])
    """

    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    donors: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.tops) - 1, len(self.lefts) - 1

    @property
    def name(self) -> str:
        """Rows and columns in words, ``4x4``."""
        return "x".join(map(str, self.shape))

    @property
    def boxes(self) -> np.ndarray:
        """``(cells, 4)``: each cell's top, left, bottom and right in pixels, row by row; the ends are exclusive."""
        rows, columns = self.shape
        return np.array(
            [
                (self.tops[r], self.lefts[c], self.tops[r + 1], self.lefts[c + 1])
                for r in range(rows)
                for c in range(columns)
            ]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimuli:
    """Which pictures of a panel exchange cells, and which are mixed.

    Parameters
    ----------
    rows : np.ndarray
        ``(n,)`` the pictures into which cells are put.
    donors : np.ndarray
        ``(n, 2)`` the pictures from which they come.
    grids : tuple of Grid
        The cells, coarse ones first.
    first, second : np.ndarray
        ``(m,)`` the two pictures of each mosaic.
    masks : np.ndarray
        ``(m, cells)`` booleans: which cells of the first grid show the second picture.
    """

    rows: np.ndarray
    donors: np.ndarray
    grids: tuple[Grid, ...]
    first: np.ndarray
    second: np.ndarray
    masks: np.ndarray

    def shape(self, grid: Grid) -> tuple[int, int, int]:
        """Return pictures, cells and donors: the shape of what is kept of a grid."""
        return len(self.rows), len(grid.boxes), grid.donors


def make_grids(height: int, width: int) -> tuple[Grid, ...]:
    """Return the grids for pictures of a size: about 4 x 4 cells from two donors each, and 7 x 7 from one.

    No cell of either is longer than a quarter of a side, in pictures of four pixels or more. The
    longer side of a picture has more cells, so that they stay about square.

    Examples
    --------
    >>> [grid.name for grid in make_grids(60, 64)], [grid.name for grid in make_grids(32, 64)]
    (['4x4', '7x7'], ['4x8', '7x14'])
    """
    grids: list[Grid] = []
    for least, donors in ((_COARSE, _DONORS), (_FINE, 1)):
        tops, lefts = (_cut(side, round(least * min(_LONGEST, side / min(height, width)))) for side in (height, width))
        if all((grid.tops, grid.lefts) != (tops, lefts) for grid in grids):  # as in tiny pictures
            grids.append(Grid(tops=tops, lefts=lefts, donors=donors))
    return tuple(grids)


def _cut(length: int, cells: int) -> tuple[int, ...]:
    """Return the edges of so many cells, or of a few more, none of them longer than a quarter."""
    cells = min(length, max(cells, -(-length // max(1, length // _COARSE))))
    return tuple(length * k // cells for k in range(cells + 1))


def choose_stimuli(
    labels: np.ndarray,
    subjects: np.ndarray,
    *,
    size: tuple[int, int],
    pictures: int,
    mosaics: int,
    seed: int,
) -> Stimuli:
    """Choose which pictures of a panel exchange cells, and which are mixed.

    Pictures are spread over the classes, and within a class over its subjects. What is put into a
    picture comes from pictures of another class and, where there are such, of another subject.

    Parameters
    ----------
    labels, subjects : np.ndarray
        ``(n,)`` the class of each picture of the panel, and what it shares with those that are not independent.
    size : tuple of int
        Height and width of the pictures.
    pictures : int
        Into how many pictures cells are put, at most; 0 for none.
    mosaics : int
        How many mosaics; 0 for none.
    seed : int
        Of all draws.

    Returns
    -------
    Stimuli
        Without pictures where all are of one class.

    Examples
    --------
    >>> labels, subjects = np.array([0, 0, 1, 1]), np.array(["an2i", "bpm", "an2i", "bpm"])
    >>> chosen = choose_stimuli(labels, subjects, size=(8, 8), pictures=2, mosaics=1, seed=0)
    >>> chosen.rows.tolist(), chosen.donors.tolist()
    ([1, 3], [[2, 3], [0, 1]])
    """
    labels, subjects = np.asarray(labels), np.asarray(subjects)
    grids = make_grids(*size)
    if len(np.unique(labels)) < 2:
        pictures = mosaics = 0
    order = _order(labels, subjects, seed=seed)
    rows = np.sort(order[:pictures])
    donors = [_find_donors(row, labels, subjects, count=_DONORS, key=(seed, _OF_ROW + row)) for row in rows.tolist()]
    first = order[np.arange(mosaics) % len(order)]
    second = [
        _find_donors(row, labels, subjects, count=1, key=(seed, _OF_MOSAIC + k)) for k, row in enumerate(first.tolist())
    ]
    cells = len(grids[0].boxes)
    draws = _generator(seed, _MASK).random((mosaics, cells))
    return Stimuli(
        rows=rows,
        donors=np.array(donors, np.int64).reshape(len(rows), _DONORS),
        grids=grids,
        first=first,
        second=np.array(second, np.int64).reshape(mosaics),
        masks=draws.argsort(axis=1).argsort(axis=1) < cells // 2,
    )


def _generator(seed: int, what: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, what]))


def _order(labels: np.ndarray, subjects: np.ndarray, *, seed: int) -> np.ndarray:
    """Return all pictures, those first that a smaller number takes too: a class after another, a subject of each."""
    draws = _generator(seed, _ORDER).random(len(labels))
    classes = labels.tolist()
    rounds = _rank(list(zip(classes, subjects.tolist(), strict=True)), np.argsort(draws, kind="stable"))
    places = _rank(classes, np.lexsort((draws, rounds)))
    return np.lexsort((draws, places))


def _rank(keys: Sequence[Hashable], order: np.ndarray) -> np.ndarray:
    """Return of each picture how many with the same key come before it in an order."""
    seen: dict[Hashable, int] = {}
    ranks = np.empty(len(keys), np.int64)
    for row in order.tolist():
        ranks[row] = seen.get(keys[row], 0)
        seen[keys[row]] = ranks[row] + 1
    return ranks


def _find_donors(row: int, labels: np.ndarray, subjects: np.ndarray, *, count: int, key: tuple[int, int]) -> np.ndarray:
    """Return pictures of another class, of other subjects first; some twice where there are too few."""
    draws = _generator(*key).random(len(labels))
    others = np.flatnonzero(labels != labels[row])
    preferred = np.lexsort((draws[others], subjects[others] == subjects[row]))
    return np.resize(others[preferred[:count]], count)


def exchange_cells(images: np.ndarray, stimuli: Stimuli, grid: Grid, positions: np.ndarray) -> np.ndarray:
    """Return pictures with one cell each put in from another picture.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)`` pictures of the whole panel.
    stimuli : Stimuli
        See `choose_stimuli`.
    grid : Grid
        One of its grids.
    positions : np.ndarray
        ``(k,)`` which of its exchanged pictures: positions in the flattened ``stimuli.shape(grid)``.

    Returns
    -------
    np.ndarray
        ``(k, h, w, c)``.

    Examples
    --------
    >>> labels = np.array([0, 1, 0, 1])
    >>> images = np.broadcast_to(labels[:, None, None, None], (4, 4, 4, 1))
    >>> chosen = choose_stimuli(labels, labels, size=(4, 4), pictures=4, mosaics=0, seed=0)
    >>> exchange_cells(images, chosen, chosen.grids[0], np.array([0]))[0, :2, :, 0]
    array([[1, 0, 0, 0],
           [0, 0, 0, 0]])
    """
    places, cells, donors = np.unravel_index(positions, stimuli.shape(grid))
    pictures, boxes = images[stimuli.rows[places]], grid.boxes.tolist()
    for k, (place, cell, donor) in enumerate(zip(places, cells, donors, strict=True)):
        top, left, bottom, right = boxes[cell]
        pictures[k, top:bottom, left:right] = images[stimuli.donors[place, donor], top:bottom, left:right]
    return pictures


def mix_pictures(images: np.ndarray, stimuli: Stimuli, positions: np.ndarray) -> np.ndarray:
    """Return mosaics of two pictures each.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)`` pictures of the whole panel.
    stimuli : Stimuli
        See `choose_stimuli`.
    positions : np.ndarray
        ``(k,)`` which of the mosaics.

    Examples
    --------
    >>> labels = np.array([0, 1, 0, 1])
    >>> images = np.broadcast_to(labels[:, None, None, None], (4, 4, 4, 1))
    >>> chosen = choose_stimuli(labels, labels, size=(4, 4), pictures=0, mosaics=1, seed=0)
    >>> float(mix_pictures(images, chosen, np.array([0])).mean())
    0.5
    """
    grid = stimuli.grids[0]
    rows, columns = grid.shape
    masks = stimuli.masks[positions].reshape(-1, rows, columns)
    masks = masks.repeat(np.diff(grid.tops), axis=1).repeat(np.diff(grid.lefts), axis=2)
    return np.where(masks[..., None], images[stimuli.second[positions]], images[stimuli.first[positions]])
