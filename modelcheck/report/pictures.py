"""Arrays to PNG data URIs: many pictures on one sheet, one fixed scale, and nothing written to disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.support.drawing import as_bytes, jpeg_uri, lay_out, png_uri

__all__ = ["Sheet", "as_bytes", "likeness_sheet", "outline", "photograph_sheet", "relevance_sheet", "sheet"]

# Okabe and Ito's vermilion and blue, which people with any colour vision tell apart.
_WARM, _COOL = (213, 94, 0), (0, 114, 178)
_STEPS = 12
# From 0 to 1: light to dark, so that it reads in grey, and of one hue that neither maps nor
# differences have.
_LIKENESS = ((247, 247, 247), (204, 223, 214), (147, 192, 172), (76, 149, 122), (0, 96, 74))
_SHADES = 16  # of likeness: four bits a pixel
_LOSSLESS = 250_000  # bytes of photographs; more of them are for the eye alone, and JPEG will do


@dataclass(frozen=True)
class Sheet:
    """Many equal pictures in one PNG, each with its border repeated, so that no neighbour shows at a rounded edge.

    Parameters
    ----------
    name : str
        The element's id in the page.
    uri : str
        The PNG as a data URI.
    columns, rows : int
        Of the grid.
    cell : tuple of int
        Height and width of one picture in pixels.
    """

    name: str
    uri: str
    columns: int
    rows: int
    cell: tuple[int, int]

    @property
    def width(self) -> int:
        """Width of the whole sheet in pixels."""
        return self.columns * (self.cell[1] + 2)

    @property
    def height(self) -> int:
        """Height of the whole sheet in pixels."""
        return self.rows * (self.cell[0] + 2)

    def x(self, position: int) -> int:
        """Return how far the sheet is shifted sideways to show a picture."""
        return -(position % self.columns) * (self.cell[1] + 2) - 1

    def y(self, position: int) -> int:
        """Return how far the sheet is shifted upwards to show a picture."""
        return -(position // self.columns) * (self.cell[0] + 2) - 1


def photograph_sheet(name: str, pictures: np.ndarray, *, together: int = 1) -> Sheet:
    """Lay photographs out at full contrast each, so that a dark one can be made out; HappyMaps never go this way.

    Parameters
    ----------
    name : str
        The element's id in the page.
    pictures : np.ndarray
        ``(n, h, w, c)`` on any scale.
    together : int
        So many neighbours share their contrast, as do a picture and one that has a part of it.
    """
    groups = pictures.reshape(-1, together, *pictures.shape[1:])
    low, high = np.percentile(groups, (0.5, 99.5), axis=(1, 2, 3, 4), keepdims=True)
    spread = ((groups - low) / np.where(high > low, high - low, 1)).reshape(pictures.shape)
    pixels = as_bytes(spread, (0.0, 1.0))
    grid, columns, rows = lay_out(pixels)
    uri = jpeg_uri(grid) if grid.size > _LOSSLESS else png_uri(grid)
    return Sheet(name, uri, columns, rows, (pixels.shape[1], pixels.shape[2]))


def sheet(name: str, pictures: np.ndarray) -> Sheet:
    """Lay pictures out on one sheet.

    Parameters
    ----------
    name : str
        The element's id in the page.
    pictures : np.ndarray
        ``(n, h, w)`` grey or ``(n, h, w, 3)`` colour, uint8, n at least 1.
    """
    grid, columns, rows = lay_out(pictures)
    return Sheet(name, png_uri(grid), columns, rows, (pictures.shape[1], pictures.shape[2]))


def relevance_sheet(name: str, relevance: np.ndarray, *, full: float | None = None) -> Sheet:
    """Lay signed relevance out on one transparent sheet: warm for, cool against, each picture on its own scale.

    Parameters
    ----------
    name : str
        The element's id in the page.
    relevance : np.ndarray
        ``(n, h, w)``; an empty map is transparent throughout.
    full : float, optional
        What gets the fullest colour, the same for all pictures, instead of each picture's strongest
        hundredth.
    """
    size = np.abs(np.nan_to_num(relevance))
    # One pixel must not set the scale of a whole picture, unless there is but one.
    strong, largest = np.percentile(size, 99, axis=(1, 2), keepdims=True), size.max(axis=(1, 2), keepdims=True)
    own = np.where(strong > 0, strong, np.where(largest > 0, largest, 1))
    scale = own if full is None else np.full_like(own, full)
    levels = (np.rint(np.clip(np.nan_to_num(relevance) / scale, -1, 1) * _STEPS) + _STEPS).astype(np.uint8)
    grid, columns, rows = lay_out(levels, fill=_STEPS)
    colours = [_COOL] * _STEPS + [(0, 0, 0)] + [_WARM] * _STEPS
    opacity = [round(235 * (abs(level - _STEPS) / _STEPS) ** 0.8) for level in range(2 * _STEPS + 1)]
    uri = png_uri(grid, palette=[part for colour in colours for part in colour], opacity=bytes(opacity))
    return Sheet(name, uri, columns, rows, (relevance.shape[1], relevance.shape[2]))


def likeness_sheet(name: str, likeness: np.ndarray) -> Sheet:
    """Lay pictures of local likeness out on one sheet: pale for 0 and less, dark green for 1.

    Parameters
    ----------
    name : str
        The element's id in the page.
    likeness : np.ndarray
        ``(n, h, w)``; NaN is shown as 0.
    """
    levels = np.rint(np.clip(np.nan_to_num(likeness), 0, 1) * (_SHADES - 1)).astype(np.uint8)
    grid, columns, rows = lay_out(levels)
    places = np.linspace(0, len(_LIKENESS) - 1, _SHADES)
    shades = np.stack([np.interp(places, range(len(_LIKENESS)), part) for part in zip(*_LIKENESS, strict=True)], axis=1)
    uri = png_uri(grid, palette=np.rint(shades).astype(int).ravel().tolist())
    return Sheet(name, uri, columns, rows, (likeness.shape[1], likeness.shape[2]))


def outline(mask: np.ndarray) -> str:
    """Return a region's border as an SVG path along the edges of its pixels.

    Parameters
    ----------
    mask : np.ndarray
        ``(h, w)`` booleans.
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    parts = []
    for y, row in enumerate(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        parts += [f"M{start} {y}H{end}" for start, end in _runs(row)]
    for x, column in enumerate((padded[1:-1, 1:] != padded[1:-1, :-1]).T):
        parts += [f"M{x} {start}V{end}" for start, end in _runs(column)]
    return "".join(parts)


def _runs(line: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(np.int8), [0]))))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
