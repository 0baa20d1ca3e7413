"""Random masks through which pictures are seen: smooth, shifted, and the same for every network that is shown them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from modelcheck.metrics.interpolation import interpolation_weights

__all__ = ["RandomMasks", "draw_masks"]


@dataclass(frozen=True, eq=False)
class RandomMasks:
    """Masks as squares that are shown or not, and by how much each is shifted.

    A mask of a picture is ``down @ squares @ across.T`` with the weights of `weigh`.

    Parameters
    ----------
    squares : np.ndarray
        ``(samples, cells + 1, cells + 1)``, 1 where a square is shown and else 0.
    shifts : np.ndarray
        ``(samples, 2)`` down and across, in squares.
    """

    squares: np.ndarray
    shifts: np.ndarray

    def __getitem__(self, part: slice) -> RandomMasks:
        return RandomMasks(self.squares[part], self.shifts[part])

    def weigh(self, height: int, width: int) -> Iterator[np.ndarray]:
        """Yield the weights of the squares along each axis of a picture, ``(samples, length, cells + 1)``."""
        side = self.squares.shape[1]
        for axis, length in enumerate((height, width)):
            places = (np.arange(length) + 0.5) * (side - 1) / length - 0.5
            yield interpolation_weights(places + self.shifts[:, axis, None], side)

    def enlarge(self, height: int, width: int) -> np.ndarray:
        """Return the masks of a picture, ``(samples, height, width)``, from 0 to 1.

        Examples
        --------
        >>> draw_masks(5, cells=3, probability=0.5, seed=0).enlarge(8, 6).shape
        (5, 8, 6)
        """
        down, across = self.weigh(height, width)
        return np.einsum("shi,sij,swj->shw", down, self.squares, across, optimize=True)


@lru_cache(maxsize=4)
def draw_masks(samples: int, *, cells: int, probability: float, seed: int) -> RandomMasks:
    """Return random masks; mask k depends on the seed and k alone.

    Parameters
    ----------
    samples : int
        How many.
    cells : int
        They are bilinear enlargements of cells x cells squares, shifted by up to a square.
    probability : float
        Chance that a square is shown.
    seed : int
        Of the draws.
    """
    side = cells + 1
    draws = np.stack(
        [np.random.Generator(np.random.Philox(key=[seed, sample])).random(side * side + 2) for sample in range(samples)]
    )
    squares = (draws[:, :-2] < probability).reshape(samples, side, side).astype(np.float64)
    return RandomMasks(squares, draws[:, -2:])
