"""What contact sheets are drawn with: lines in Pillow's own bitmap letters, the same everywhere, and a PNG."""

from __future__ import annotations

import io

import numpy as np

from modelcheck.signature import Record
from modelcheck.support.escaping import clean

__all__ = ["GAP", "INK", "LINE", "PAPER", "SIGN", "draw_text", "encode_png", "label_network"]

GAP, LINE, SIGN = 6, 14, 6
"""Pixels between pictures, of a line of text, and of one letter."""

PAPER, INK = 245, 20
"""How bright the ground is, and what is written on it: 0 is black, and 255 white."""


def label_network(record: Record) -> str:
    """Return a network's file and the head of its digest."""
    return f"{record.model.get('file') or record.model['name']} {str(record.model.get('sha256', ''))[:12]}"


def draw_text(words: str, width: int) -> np.ndarray:
    """Return ``(h, width, 3)`` bytes that show one line.

    Examples
    --------
    >>> draw_text("new: release.keras", 200).shape
    (14, 200, 3)
    """
    from PIL import Image, ImageDraw, ImageFont

    plain = clean(words, longest=(width - 2 * GAP) // SIGN).encode("ascii", "replace").decode("ascii")
    line = Image.new("L", (width, LINE), PAPER)
    ImageDraw.Draw(line).text((GAP, 1), plain, fill=INK, font=ImageFont.load_default_imagefont())
    return np.repeat(np.asarray(line, np.uint8)[..., None], 3, axis=2)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return ``(h, w, 3)`` bytes as a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=9)
    return file.getvalue()
