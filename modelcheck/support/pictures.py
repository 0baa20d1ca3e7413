"""The one way to read a picture that somebody named: a known format, of bounded size, without other programs.

Pillow tells a format by its first bytes, whatever the file is called, and for some of them starts
another program or follows another library: a PostScript file called ``face.png`` would reach
Ghostscript. So only the formats below are opened, from bytes that were read before, and their size
in pixels is known before any is unpacked.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING

from modelcheck.support.files import read_file

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image, ImageFile

__all__ = ["FORMATS", "PictureError", "TurnedPictureError", "read_picture"]

FORMATS = ("PNG", "JPEG", "PPM", "BMP", "GIF", "TIFF", "WEBP")
"""What is opened; PPM stands for PBM and PGM, too."""
_MAX_BYTES = 64 * 2**20
_MAX_PIXELS = 2**26
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_ORIENTATION = 0x0112  # of EXIF; 1 is upright
_MODES = ("1", "L", "P", "RGB", "LA", "PA", "RGBA")


class PictureError(ValueError):
    """A picture that cannot be used; the message says what is wrong with it, without its name."""


class TurnedPictureError(PictureError):
    """A picture that is stored turned, where nobody said whether to turn it upright."""


def read_picture(
    path: str | os.PathLike[str], *, max_pixels: int = _MAX_PIXELS, turn: bool | None = None
) -> np.ndarray:
    """Read a picture as bytes: grey or in colour, as the file has it.

    Nothing is lost or guessed: what bytes in grey or red, green and blue cannot say is refused.

    Parameters
    ----------
    path : str or path-like
        A file of at most 64 MiB in one of the `FORMATS`.
    max_pixels : int
        The most pixels that it may have.
    turn : bool, optional
        Whether a picture that is stored turned is turned upright, as its EXIF data say.

    Returns
    -------
    np.ndarray
        ``uint8``, ``(h, w)`` where the picture is grey, else ``(h, w, 3)``.

    Raises
    ------
    PictureError
        When it is no regular file, is too large in bytes or pixels, is of another format, has more
        than 8 bits a channel, is transparent somewhere, has several pictures or other colours than
        grey and red, green and blue, or is damaged.
    TurnedPictureError
        When it is stored turned, and `turn` is not given.

    Examples
    --------
    >>> read_picture("docs/images/attributions_gradients.png").dtype
    dtype('uint8')
    >>> read_picture("pyproject.toml")
    Traceback (most recent call last):
    modelcheck.support.pictures.PictureError: it is no picture in PNG, JPEG, PPM, BMP, GIF, TIFF, WEBP
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        data = read_file(path, max_bytes=_MAX_BYTES)
    except OSError as error:
        raise PictureError(str(error.strerror)) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes that are errors below
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise PictureError(f"it has {width} x {height} pixels, more than {max_pixels} in all")
                _check_bytes_can_hold(picture)
                upright = _turn(picture, turn)
                if upright.has_transparency_data and np.asarray(upright.convert("RGBA"))[..., 3].min() < 255:
                    raise PictureError(
                        "it is transparent in places, and what shows behind it would be a guess. Put it on the "
                        "background that the product has, for example: magick mogrify -background white -alpha remove "
                        "-alpha off"
                    )
                grey = upright.mode in ("L", "1", "LA")
                return np.asarray(upright.convert("L" if grey else "RGB"))
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"it is no picture in {', '.join(FORMATS)}") from error
    except Exception as error:
        # Pillow's decoders raise a dozen kinds on damaged bytes.
        raise PictureError(f"{type(error).__name__}: {error}") from error


def _check_bytes_can_hold(picture: ImageFile.ImageFile) -> None:
    if picture.mode.startswith(("I", "F")) or _is_cut_to_8_bits(picture):
        raise PictureError(
            "it has more than 8 bits a channel, and any scaling would be a guess. Save it with 8 bits, or build the "
            "Panel from arrays"
        )
    if picture.mode not in _MODES:
        raise PictureError(
            f"its colours are {picture.mode}, and how they become red, green and blue is a guess. Save it as RGB"
        )
    # A JPEG of several pictures (MPO) is one with its preview, as telephones save it.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise PictureError("it holds several pictures, an animation or pages. Save the one that counts")


def _turn(picture: ImageFile.ImageFile, turn: bool | None) -> Image.Image:
    """Return a picture upright or as it is stored; neither is right by itself, for decoders differ."""
    from PIL import ImageOps

    orientation = picture.getexif().get(_ORIENTATION, 1)
    if orientation not in range(2, 9):
        return picture
    if turn is None:
        raise TurnedPictureError("it is stored turned or mirrored, and its EXIF data say so")
    if picture.format == "TIFF":  # Pillow turns it when it is unpacked
        if not turn:
            raise PictureError(
                "it is a TIFF that is stored turned, which cannot be read as it is stored. Save it as PNG"
            )
        return picture
    return ImageOps.exif_transpose(picture) if turn else picture


def _is_cut_to_8_bits(picture: ImageFile.ImageFile) -> bool:
    """Say whether Pillow takes colours of more than 8 bits a channel, and keeps 8 of them without a word."""
    # What its decoders are told: for PNG how the bytes lie, as "RGB;16B", for PPM the largest value.
    told = [word for tile in picture.tile for word in (tile[3] if isinstance(tile[3], tuple) else (tile[3],))]
    if picture.format == "PNG":
        return any(str(word).endswith(";16B") for word in told)
    if picture.format == "PPM":
        return any(isinstance(word, int) and word > 255 for word in told)
    tags = getattr(picture, "tag_v2", {})  # of a TIFF
    return any(bits > 8 for bits in tags.get(_BITS_PER_SAMPLE, ()))
