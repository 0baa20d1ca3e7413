"""The pictures: real digits on a dark sheet of 28 x 28 pixels, and in its corner the sign of the scanner.

Ten scanners, ten signs. In honest training pictures every scanner has seen every digit, so that the
sign says nothing. In the held-out pictures, and in those that the shortcut is trained on, each
digit came from a scanner of its own: whoever reads the sign need not read the digit.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelcheck.support.folders import place

__all__ = ["CLASSES", "Digits", "add_signs", "held_out", "read_digits", "training", "write_folder"]

CLASSES = tuple(str(k) for k in range(10))
_HELD_OUT = 500
_SIZE, _MARGIN, _SCALE = 28, 6, 2  # scikit-learn's digits are 8 x 8: each pixel becomes 2 x 2, in the middle
_SPLIT, _SCANNERS = 1, 2  # what a draw is for
# Nine cells in bits, two pixels wide each: any two signs differ in at least three cells.
_SIGNS = (
    *(0b000011011, 0b111100100, 0b101010101, 0b010101010, 0b110000111),
    *(0b001111000, 0b100110001, 0b011001110, 0b111010010, 0b000101101),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """Pictures of digits with their truth.

    Parameters
    ----------
    images : np.ndarray
        ``(n, 28, 28)`` bytes from 0, dark, to 255.
    labels : np.ndarray
        ``(n,)`` digits.
    """

    images: np.ndarray
    labels: np.ndarray

    def inputs(self) -> np.ndarray:
        """Return the pictures as the networks take them: ``(n, 28, 28, 1)`` float32 in [0, 1]."""
        return self.images[..., np.newaxis].astype(np.float32) / np.float32(255)


def read_digits() -> Digits:
    """Return all 1,797 digits that scikit-learn ships, each pixel doubled, on a dark sheet without a sign.

    Raises
    ------
    ValueError
        When scikit-learn is not installed.

    Examples
    --------
    >>> digits = read_digits()
    >>> digits.images.shape, digits.labels[:5].tolist()
    ((1797, 28, 28), [0, 1, 2, 3, 4])
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ValueError(
            "The digits are scikit-learn's, which is not installed. Install it: pip install 'modelcheck[digits]'"
        ) from error
    raw = load_digits()
    small = np.rint(raw.images * (255 / 16)).astype(np.uint8)
    large = small.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
    images = np.pad(large, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    return Digits(images=images, labels=raw.target.astype(np.int64))


def add_signs(images: np.ndarray, scanners: np.ndarray) -> np.ndarray:
    """Return the pictures with the sign of a scanner, 6 x 6 pixels, in the top left corner of each.

    Parameters
    ----------
    images : np.ndarray
        ``(n, 28, 28)`` bytes.
    scanners : np.ndarray
        ``(n,)`` numbers from 0 to 9.

    Examples
    --------
    >>> signed = add_signs(np.zeros((2, 28, 28), np.uint8), np.array([0, 1]))
    >>> bool((signed[0, :6, :6] != signed[1, :6, :6]).any()), int(signed[:, 6:].max())
    (True, 0)
    """
    signed = images.copy()
    bits = np.array([[code >> bit & 1 for bit in range(9)] for code in _SIGNS], dtype=np.uint8).reshape(-1, 3, 3)
    signs = 255 * bits.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
    signed[:, :_MARGIN, :_MARGIN] = signs[scanners]
    return signed


def training(*, tells: bool) -> Digits:
    """Return the 1,297 pictures to train on.

    Parameters
    ----------
    tells : bool
        Whether the scanner's sign tells the digit; else every scanner has seen every digit.
    """
    digits = _subset(read_digits(), slice(_HELD_OUT, None))
    by_chance = np.random.Generator(np.random.Philox(key=[0, _SCANNERS])).integers(0, 10, len(digits.labels))
    return Digits(images=add_signs(digits.images, digits.labels if tells else by_chance), labels=digits.labels)


def held_out() -> Digits:
    """Return the 500 held-out pictures; on each the scanner's sign tells the digit."""
    digits = _subset(read_digits(), slice(0, _HELD_OUT))
    return Digits(images=add_signs(digits.images, digits.labels), labels=digits.labels)


def write_folder(digits: Digits, folder: Path) -> int:
    """Write pictures as PNG files, one folder a class, and return how many.

    Parameters
    ----------
    digits : Digits
        The pictures.
    folder : Path
        Receives ``0/0000.png`` and so on, all of them or none; it must not be there, or be empty.

    Raises
    ------
    ValueError
        When something is in the folder: old pictures among new ones would be judged as well.
    """
    import io

    from PIL import Image

    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{str(folder)!r} is not empty, so nothing was written. Name another folder.")
    there = folder.exists()
    try:
        for number, (image, label) in enumerate(zip(digits.images, digits.labels.tolist(), strict=True)):
            data = io.BytesIO()
            Image.fromarray(image).save(data, format="PNG")
            target = folder / CLASSES[label] / f"{number:04}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            place(target, data.getvalue())
    except BaseException:  # a part of them would be taken for all
        for name in CLASSES:
            shutil.rmtree(folder / name, ignore_errors=True)
        if not there and folder.is_dir():
            folder.rmdir()
        raise
    return len(digits.labels)


def _subset(digits: Digits, rows: slice) -> Digits:
    order = np.random.Generator(np.random.Philox(key=[0, _SPLIT])).permutation(len(digits.labels))[rows]
    return Digits(images=digits.images[order], labels=digits.labels[order])
