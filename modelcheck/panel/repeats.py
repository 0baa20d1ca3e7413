"""The same picture twice: inside a panel, and in a panel and what a network was trained on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.conversion import Conversion, size_words
from modelcheck.panel.errors import Fault, PanelError, list_faults, shorten
from modelcheck.panel.folders import find_files
from modelcheck.panel.tables import read_columns
from modelcheck.support.pictures import PictureError, read_picture

if TYPE_CHECKING:
    from modelcheck.panel.panel import Panel

__all__ = ["check_repeats", "check_training_list", "find_repeats", "fingerprint"]


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
            f"{len(torn)} pictures are there under two labels, with the same pixels: {shorten(shown)}. Correct the "
            "labels or take the pictures out."
        )


def check_training_list(
    training: str | os.PathLike[str], panel: Panel, conversion: Conversion, *, skip_bad: bool = False
) -> int:
    """Refuse a panel that holds pictures of a training set, and return how many pictures that has.

    Pictures are the same where all their pixels are, after decoding and `conversion`. A picture
    that was saved anew with losses, cropped or shifted is not found.

    Parameters
    ----------
    training : path
        A folder, read with all folders in it, or a CSV file with a column ``path``, relative to it.
    panel : Panel
        The held-out pictures, as bytes.
    conversion : Conversion
        What was done to the panel's pictures; the same is done to those of the training set.
    skip_bad : bool
        Leave out what cannot be read of the training set.

    Raises
    ------
    PanelError
        When a picture is in both, when pictures of the training set cannot be read, or when none of
        them has the panel's shape, so that nothing can be found.
    """
    where, shape = os.fspath(training), panel.images.shape[1:]
    paths = _list_training(Path(training))
    held: dict[bytes, str] = {}
    for name, picture in zip(panel.names.tolist(), panel.images, strict=True):
        held.setdefault(fingerprint(picture), name)
    found, faults, shapes = [], [], set()
    for path in paths:
        try:
            picture = conversion.convert(read_picture(path, turn=conversion.turn))
        except PictureError as error:
            faults.append(Fault(os.fspath(path), str(error)))
            continue
        shapes.add(picture.shape)
        mark = fingerprint(picture)
        if mark in held:
            found.append(f"{held[mark]} = {os.fspath(path)}")
    if found:
        more = f" Besides, {len(faults)} pictures of the training list cannot be read." if faults else ""
        raise PanelError(
            f"{len(found)} of {len(paths)} pictures that were trained on are in the panel, with the same pixels: "
            f"{shorten(found)}. A network knows them by heart: take them out of the panel.{more}"
        )
    if faults and not skip_bad:
        raise PanelError(
            f"{len(faults)} of {len(paths)} pictures of the training list {where!r} cannot be read, so nothing can be "
            f"said of them:\n{list_faults(faults)}",
            options="--skip-bad",
        )
    if shape not in shapes:
        sizes = shorten(f"{size_words(other)}x{other[-1]}" for other in sorted(shapes)) or "none that can be read"
        raise PanelError(
            f"No picture of the training list {where!r} has the panel's {size_words(shape)}x{shape[-1]} ({sizes}): "
            f"none could be found in it. Bring both to one size: --size {size_words(shape)}",
            options=f"--size {size_words(shape)}",
        )
    return len(paths) - len(faults)


def _list_training(training: Path) -> list[Path]:
    if training.is_dir():
        paths = find_files(training)[0]
    else:
        paths = [training.parent / str(path) for path in read_columns(training, needed=["path"]).columns["path"]]
    if not paths:
        raise PanelError(f"The training list {os.fspath(training)!r} names no pictures.")
    return paths
