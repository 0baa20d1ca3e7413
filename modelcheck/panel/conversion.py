"""What is done to pictures when they are read, and only when it was asked for: size, colours, turning upright."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelcheck.panel.errors import PanelError
from modelcheck.support.validation import Check, check_value, one_of

__all__ = ["COLOURS", "EXIF", "FITS", "Conversion", "size_words"]

FITS = ("stretch", "crop", "pad")
COLOURS = ("grey", "rgb")
EXIF = ("apply", "ignore")
_MAX_SIDE = 2**14
_MAX_SIZES = 4  # in a text
_FIT_WORDS = {
    "stretch": "stretched",
    "crop": "cropped to the centre and scaled",
    "pad": "scaled and padded with black",
}


def _is_size(value: Any) -> bool:
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    sides = [side for side in value if isinstance(side, int | np.integer) and not isinstance(side, bool)]
    return len(sides) == 2 and all(1 <= side <= _MAX_SIDE for side in sides)


def _keep_size(value: Any) -> tuple[int, int]:
    return int(value[0]), int(value[1])


_SIZE = Check(f"(height, width), two whole numbers of pixels from 1 to {_MAX_SIDE}", _is_size, _keep_size)


def size_words(shape: tuple[int, ...]) -> str:
    """Return height and width as they are written everywhere.

    Examples
    --------
    >>> size_words((480, 640, 3))
    '480x640'
    """
    return f"{shape[0]}x{shape[1]}"


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How pictures are changed on the way into a panel; by default not at all.

    Parameters
    ----------
    size : tuple of int, optional
        ``(height, width)`` in pixels, the network's input size. Pictures of another size are scaled
        by Pillow's bilinear filter, which averages over all pixels that become one; masks by the
        nearest pixel.
    fit : str
        How a picture of another aspect comes to `size`: ``stretch``, as
        ``keras.utils.image_dataset_from_directory`` does by default, ``crop`` to the largest window
        at the centre, or ``pad`` with black.
    colours : str, optional
        ``grey`` (Pillow's luma, ITU-R 601) or ``rgb`` (grey three times).
    exif : str, optional
        For pictures that are stored turned: ``apply`` turns them upright as their EXIF data say,
        ``ignore`` takes them as they are stored, as TensorFlow's decoders do. Without it they are
        refused.

    Raises
    ------
    PanelError
        When a setting is none of these.

    Examples
    --------
    >>> Conversion(size=(2, 2)).convert(np.full((4, 8), 7, np.uint8)).tolist()
    [[[7], [7]], [[7], [7]]]
    """

    size: tuple[int, int] | None = None
    fit: str = "stretch"
    colours: str | None = None
    exif: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", check_value("size", self.size, _SIZE, error=PanelError))
        check_value("fit", self.fit, one_of(*FITS), error=PanelError)
        for name, known in (("colours", COLOURS), ("exif", EXIF)):
            if getattr(self, name) is not None:
                check_value(name, getattr(self, name), one_of(*known), error=PanelError)

    @property
    def turn(self) -> bool | None:
        """Whether pictures are turned upright; None where nobody said."""
        return None if self.exif is None else self.exif == "apply"

    def convert(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture as the panel holds it, ``uint8`` ``(h, w, c)``.

        Parameters
        ----------
        picture : np.ndarray
            ``uint8``, ``(h, w)`` where it is grey, else ``(h, w, 3)``.
        """
        from PIL import Image

        colour = picture.ndim == 3
        if self.colours == "grey" and colour:
            picture = np.asarray(Image.fromarray(picture).convert("L"))
        elif self.colours == "rgb" and not colour:
            picture = np.repeat(picture[..., np.newaxis], 3, axis=-1)
        picture = self._scale(picture, smooth=True)
        return picture if picture.ndim == 3 else picture[..., np.newaxis]

    def convert_mask(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask, ``(h, w)`` booleans, brought to the size as its picture is."""
        return self._scale(mask.astype(np.uint8), smooth=False) > 0

    def _scale(self, values: np.ndarray, *, smooth: bool) -> np.ndarray:
        if self.size is None or values.shape[:2] == self.size:
            return values
        from PIL import Image, ImageOps

        method = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        picture, size = Image.fromarray(values), (self.size[1], self.size[0])
        if self.fit == "crop":
            return np.asarray(ImageOps.fit(picture, size, method))
        if self.fit == "pad":
            return np.asarray(ImageOps.pad(picture, size, method))
        return np.asarray(picture.resize(size, method))

    def describe(self, sizes: Counter[str], colours: Counter[str]) -> str | None:
        """Return what was done to pictures of these sizes and colours, or None where it was nothing.

        Parameters
        ----------
        sizes : Counter of str
            How many pictures had which size, as ``480x640``.
        colours : Counter of str
            How many were ``grey`` and ``rgb``.

        Examples
        --------
        >>> done = Conversion(size=(96, 96), fit="crop").describe(Counter({"480x640": 7, "96x96": 2}), Counter(rgb=9))
        >>> done
        '7 of 9 pictures brought from 480x640 (7) to 96x96, cropped to the centre and scaled, by Pillow (bilinear)'
        """
        n = sizes.total()
        done = []
        if self.size is not None:
            other = Counter({size: times for size, times in sizes.items() if size != size_words(self.size)})
            ranked = [f"{size} ({times})" for size, times in other.most_common(_MAX_SIZES)]
            more = f" and {len(other) - _MAX_SIZES} sizes more" if len(other) > _MAX_SIZES else ""
            if other:
                done.append(
                    f"{other.total()} of {n} pictures brought from {', '.join(ranked)}{more} to "
                    f"{size_words(self.size)}, {_FIT_WORDS[self.fit]}, by Pillow (bilinear)"
                )
        changed = {name: times for name, times in colours.items() if self.colours not in (None, name) and times}
        done += [f"{times} of {n} pictures made {self.colours} from {name}" for name, times in changed.items()]
        if self.exif is not None:
            done.append("turned upright as EXIF says" if self.turn else "EXIF orientation ignored")
        return "; ".join(done) or None
