"""The maps of some units, and how they are shown: as a picture, as a figure, in a notebook."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.support.drawing import as_bytes
from modelcheck.support.escaping import clean, one_line_repr
from modelcheck.support.notebook import Figure, card, choose_evenly, figures
from modelcheck.support.numbers import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure
    from PIL import Image

__all__ = ["HappyMaps", "count_maps"]

_GAP = 6  # pixels between maps on a sheet
_MOST = 64  # maps in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class HappyMaps:
    """What `render_happy_maps` returns; ``maps, activations = render_happy_maps(...)`` takes it apart.

    Parameters
    ----------
    maps : np.ndarray
        ``(n_units, h, w, c)`` float32 in the recipe's input range; NaN for a unit that has no map.
    activations : np.ndarray
        ``(n_units,)`` float32: the objective reached; NaN for a unit that has no map.
    names : sequence of str
        ``(n_units,)`` what each map is of, for example ``conv1:7``; ``unit 0`` and so on by default.
    input_range : tuple of float
        What is shown as black and white. Maps are never stretched.

    Raises
    ------
    ValueError
        When there are not as many maps, activations and names.

    Examples
    --------
    >>> found = HappyMaps(np.zeros((2, 3, 3, 1)), np.array([1.5, np.nan]), names=("conv1:0", "conv1:4"))
    >>> found
    HappyMaps(1 of 2 units have a map, 3x3x1)
    >>> found.to_image(side=30).size
    (78, 42)
    """

    maps: np.ndarray
    activations: np.ndarray
    _: KW_ONLY
    names: tuple[str, ...] = ()
    input_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        n = len(self.maps)
        names = tuple(self.names) or tuple(f"unit {k}" for k in range(n))
        if self.maps.ndim != 4 or not n == len(self.activations) == len(names):
            raise ValueError(
                "HappyMaps are maps (n, h, w, c) with n activations and n names, not maps of shape "
                f"{self.maps.shape}, {len(self.activations)} activations and {len(names)} names."
            )
        object.__setattr__(self, "names", names)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.maps, self.activations))

    def __repr__(self) -> str:
        return one_line_repr("HappyMaps", *count_maps(self.maps, self.activations))

    def _repr_html_(self) -> str:
        """Return the maps, each with the activation that it reached, for a notebook."""
        found, size = count_maps(self.maps, self.activations)
        places = choose_evenly(len(self.maps), _MOST)
        pixels = as_bytes(self.maps[places], self.input_range)
        shown = [
            Figure(picture if self._has_map(k) else None, self.names[k], number(float(self.activations[k])))
            for k, picture in zip(places, pixels, strict=True)
        ]
        facts = [f"{size} pixels", f"black {self.input_range[0]:g}, white {self.input_range[1]:g}"]
        if len(places) < len(self.maps):
            facts.append(f"{len(places)} of {len(self.maps)} are shown: to_image() shows all")
        return card("HappyMaps", found, [figures(shown)], facts=facts)

    def to_image(self, *, columns: int | None = None, side: int = 96) -> Image.Image:
        """Return all maps on one sheet, row by row in their order; a unit without a map is crossed out.

        Parameters
        ----------
        columns : int, optional
            Maps in a row; by default as many as make the sheet square.
        side : int
            Pixels of the longer side of a map, which is enlarged by a whole number and never made
            smaller: a pixel of the map is a block of one colour.

        Returns
        -------
        PIL.Image.Image
            In grey, or in colour where the maps have three channels; ``.save("maps.png")`` writes it.

        Raises
        ------
        ValueError
            When `columns` or `side` is below 1.
        """
        from PIL import Image, ImageDraw

        across = self._columns(columns)
        if side < 1:
            raise ValueError(f"side is a number of pixels of at least 1, not {side!r}.")
        pixels = as_bytes(self.maps, self.input_range)
        times = max(1, side // max(pixels.shape[1:3]))
        height, width = (size * times for size in pixels.shape[1:3])
        mode = "RGB" if pixels.ndim == 4 else "L"
        size = (across * (width + _GAP) + _GAP, -(-len(pixels) // across) * (height + _GAP) + _GAP)
        sheet = Image.new(mode, size, "white")
        pen = ImageDraw.Draw(sheet)
        for k, picture in enumerate(pixels):
            x, y = _GAP + k % across * (width + _GAP), _GAP + k // across * (height + _GAP)
            if self._has_map(k):
                sheet.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (x, y))
                continue
            right, low = x + width - 1, y + height - 1
            pen.rectangle((x, y, right, low), outline="gray")
            pen.line((x, y, right, low), fill="gray")
            pen.line((x, low, right, y), fill="gray")
        return sheet

    def to_figure(self, *, columns: int | None = None) -> MatplotlibFigure:
        """Return all maps as a figure of matplotlib, each under its name and activation.

        Parameters
        ----------
        columns : int, optional
            Maps in a row; by default as many as make the sheet square.

        Returns
        -------
        matplotlib.figure.Figure
            Which pyplot does not know: nothing is shown twice, and nothing is to be closed.

        Raises
        ------
        ModuleNotFoundError
            When matplotlib is not installed: it is no dependency of modelcheck.
        ValueError
            When `columns` is below 1.
        """
        across = self._columns(columns)
        try:
            from matplotlib.figure import Figure as MatplotlibFigure
        except ImportError as error:
            raise ModuleNotFoundError(
                "to_figure draws with matplotlib, which is not installed. Install it: pip install matplotlib. "
                "to_image() does without.",
                name="matplotlib",
            ) from error
        pixels = as_bytes(self.maps, self.input_range)
        down = -(-len(pixels) // across)
        figure = MatplotlibFigure(figsize=(1.4 * across, 1.7 * down), layout="constrained")
        for k, picture in enumerate(pixels):
            axes = figure.add_subplot(down, across, k + 1)
            axes.set_axis_off()
            title = f"{clean(self.names[k], longest=24)}\n{number(float(self.activations[k]))}"
            axes.set_title(title, fontsize=8, parse_math=False)
            if self._has_map(k):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            else:
                axes.text(0.5, 0.5, "no map", ha="center", va="center", fontsize=8)
        return figure

    def _has_map(self, k: int) -> bool:
        return bool(np.isfinite(self.activations[k]) and np.isfinite(self.maps[k]).all())

    def _columns(self, columns: int | None) -> int:
        if columns is None:
            return max(1, math.ceil(math.sqrt(len(self.maps))))
        if columns < 1:
            raise ValueError(f"columns is a number of maps of at least 1, not {columns!r}.")
        return columns


def count_maps(maps: np.ndarray, activations: np.ndarray) -> tuple[str, str]:
    """Return what is said of maps: how many units have one, and how large they are."""
    found = int(np.isfinite(activations).sum())
    return f"{found} of {len(activations)} units have a map", "x".join(map(str, maps.shape[1:]))
