"""Arrays to pictures in a page: bytes on one scale, a grid of equals, data URIs; nothing is written to disk."""

from __future__ import annotations

import base64
import io
import math

import numpy as np

__all__ = ["as_bytes", "jpeg_uri", "lay_out", "png_uri"]


def as_bytes(pictures: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Map pictures linearly from the network's input range to bytes, the same way for every network.

    Parameters
    ----------
    pictures : np.ndarray
        ``(n, h, w, c)``; NaN becomes mid grey. Three channels are colours, any other number is
        averaged to grey.
    input_range : tuple of float
        What becomes black and white.

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` or ``(n, h, w, 3)`` uint8.
    """
    low, high = input_range
    values = np.asarray(pictures, np.float64)
    values = values if values.shape[-1] == 3 else values.mean(axis=-1)
    scaled = (np.nan_to_num(values, nan=(low + high) / 2) - low) / (high - low)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def lay_out(pictures: np.ndarray, *, fill: int = 0) -> tuple[np.ndarray, int, int]:
    """Lay equal pictures out on one sheet, each with its border repeated; also return its columns and rows."""
    pictures = np.pad(pictures, ((0, 0), (1, 1), (1, 1), *((0, 0),) * (pictures.ndim - 3)), mode="edge")
    n, height, width = pictures.shape[:3]
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    full = np.full((rows * columns, *pictures.shape[1:]), fill, np.uint8)
    full[:n] = pictures
    grid = full.reshape(rows, columns, height, width, *pictures.shape[3:]).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, *pictures.shape[3:]), columns, rows


def png_uri(pixels: np.ndarray, *, palette: list[int] | None = None, opacity: bytes | None = None) -> str:
    """Return bytes as a PNG data URI: grey, in colour, or positions in a palette with each colour's opacity."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    file = io.BytesIO()
    if palette is None:
        picture.save(file, "PNG", optimize=True)
    else:
        indexed = Image.frombytes("P", picture.size, pixels.tobytes())
        indexed.putpalette(palette)
        options = {} if opacity is None else {"transparency": opacity}
        indexed.save(file, "PNG", optimize=True, **options)
    return _uri("png", file)


def jpeg_uri(pixels: np.ndarray) -> str:
    """Return bytes as a JPEG data URI, for what is for the eye alone."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=82, subsampling=0, optimize=True)
    return _uri("jpeg", file)


def _uri(kind: str, file: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
