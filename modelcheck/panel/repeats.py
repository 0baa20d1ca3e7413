"""The same picture twice in a panel: pictures are the same where all their pixels are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from modelcheck.panel.errors import PanelError, shorten

__all__ = ["check_repeats", "find_repeats", "fingerprint"]


def fingerprint(picture: np.ndarray) -> bytes:
    """Return what two pictures share exactly where shape and all pixels are equal.

    Examples
    --------
    >>> fingerprint(np.zeros((2, 3, 1))) == fingerprint(np.zeros((3, 2, 1)))
    False
    """
    digest = hashlib.blake2b(f"{picture.dtype.str}|{picture.shape}|".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def find_repeats(images: np.ndarray) -> list[list[int]]:
    """Return the rows of pictures that have the same pixels, a list for each picture that is there twice or more.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)``.

    Examples
    --------
    >>> find_repeats(np.array([5, 6, 5], np.uint8).reshape(3, 1, 1, 1))
    [[0, 2]]
    """
    rows: dict[bytes, list[int]] = {}
    for row, picture in enumerate(images):
        rows.setdefault(fingerprint(picture), []).append(row)
    return [same for same in rows.values() if len(same) > 1]


def check_repeats(images: np.ndarray, labels: np.ndarray, *, names: Sequence[str], class_names: Sequence[str]) -> None:
    """Refuse one picture under two labels: one of them is wrong.

    Raises
    ------
    PanelError
        When pictures of the same pixels have different labels; it names them.
    """
    torn = [same for same in find_repeats(images) if len({int(labels[row]) for row in same}) > 1]
    if torn:
        shown = (" = ".join(f"{names[row]} ({class_names[labels[row]]})" for row in same) for same in torn)
        raise PanelError(
            f"Pictures of the same pixels are there under two labels ({len(torn)}): {shorten(shown)}. Correct the "
            "labels or take the pictures out."
        )
