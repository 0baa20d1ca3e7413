"""A panel held against what a network was trained on: a picture that is in both is not held out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.panel.conversion import Conversion, size_words
from modelcheck.panel.errors import Fault, PanelError, count, list_faults, shorten
from modelcheck.panel.folders import find_files
from modelcheck.panel.repeats import fingerprint
from modelcheck.panel.tables import read_columns
from modelcheck.support.pictures import PictureError, read_picture

if TYPE_CHECKING:
    from modelcheck.panel.panel import Panel

__all__ = ["NEAR", "TrainingCheck", "check_training_list", "shrink"]

_SIDE = 16
NEAR = 0.998
"""From which correlation two shrunk pictures are nearly the same.

Of 4105 real pictures (digits of 8 and 28 pixels, crops of 48) none is so near another of its set;
after JPEG of quality 75, 64 to 100 % are so near themselves (benchmarks/near_pictures.py).
"""


@dataclass(frozen=True)
class TrainingCheck:
    """What a panel shares with a training list, where no picture is in both."""

    pictures: int
    """Pictures of the list that were compared."""
    near: tuple[str, ...]
    """Pairs that are nearly the same picture, in words."""
    hidden: int = 0
    """Files of the list that were not looked at, because their names or folders begin with a dot."""

    def sentences(self, training: str | os.PathLike[str]) -> list[str]:
        """Return what was found, to be read by a person."""
        where = os.fspath(training)
        lines = [f"None of {count(self.pictures, 'picture')} of {where} has the pixels of one in the panel."]
        if self.hidden:
            lines.append(f"Note: {count(self.hidden, 'hidden file')} of {where} left out.")
        if self.near:
            lines.append(
                f"Note: {count(len(self.near), 'picture')} of {where} may be in the panel all the same, saved anew: "
                f"shrunk to {_SIDE}x{_SIDE} they correlate at {NEAR:g} or more. Look at {shorten(self.near)}."
            )
        return lines


def check_training_list(
    training: str | os.PathLike[str], panel: Panel, conversion: Conversion, *, skip_bad: bool = False
) -> TrainingCheck:
    """Refuse a panel that holds pictures of a training set, and name those that are nearly the same.

    Pictures are the same where all their pixels are, after decoding and `conversion`. One that was
    compressed anew or is brighter is nearly the same; one that was cropped, shifted or turned is not
    found.

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
    if panel.images.dtype != np.uint8 or shape[-1] not in (1, 3):
        raise PanelError(
            "A training list is held against pictures that were read from files: bytes, grey or in colour."
        )
    paths, hidden = _list_training(Path(training))
    held: dict[bytes, str] = {}
    for name, picture in zip(panel.names.tolist(), panel.images, strict=True):
        held.setdefault(fingerprint(picture), name)
    likeness = _Likeness(panel.images)
    found, near, faults, shapes = [], [], [], set()
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
        elif (row := likeness.find(picture)) is not None:
            near.append(f"{panel.names[row]} and {os.fspath(path)}")
    if found:
        more = f" Besides, {count(len(faults), 'picture')} of the list cannot be read." if faults else ""
        raise PanelError(
            f"{len(found)} of {len(paths)} pictures that were trained on are in the panel, with the same pixels: "
            f"{shorten(found)}. A network knows them by heart: take them out of the panel.{more}"
        )
    if faults and not skip_bad:
        raise PanelError(
            f"{len(faults)} of {len(paths)} pictures of the training list {where!r} cannot be read, so nothing can be "
            f"said of them:\n{list_faults(faults)}",
            options=["--skip-bad"],
        )
    if shape not in shapes:
        raise _none_alike(where, shape, sorted(shapes))
    return TrainingCheck(len(paths) - len(faults), tuple(near), hidden)


def _none_alike(where: str, shape: tuple[int, ...], others: Sequence[tuple[int, ...]]) -> PanelError:
    """Return the error that no picture of a training list can be one of the panel, and what makes them alike."""
    sizes = shorten(f"{size_words(other)}x{other[-1]}" for other in others) or "none can be read"
    found = (
        f"No picture of the training list {where!r} has the panel's {size_words(shape)}x{shape[-1]} ({sizes}): none "
        "could be found in it."
    )
    if not others:
        return PanelError(f"{found} Mend the list.")
    options = []
    if all(other[:2] != shape[:2] for other in others):
        options += ["--size", size_words(shape)]
    if all(other[-1] != shape[-1] for other in others):
        options += ["--colours", "grey" if shape[-1] == 1 else "rgb"]
    if not options:  # some have the size and others the colours
        options = ["--size", size_words(shape), "--colours", "grey" if shape[-1] == 1 else "rgb"]
    return PanelError(f"{found} Bring both to one form: {' '.join(options)}", options=options)


class _Likeness:
    """The pictures of a panel, shrunk and in grey, to be held against others.

    Parameters
    ----------
    images : np.ndarray
        ``uint8``, ``(n, h, w, c)``.
    """

    def __init__(self, images: np.ndarray) -> None:
        self.shrunk = np.array([shrink(picture) for picture in images])

    def find(self, picture: np.ndarray) -> int | None:
        """Return the row of the picture that is nearly this one, or None."""
        alike = self.shrunk @ shrink(picture)
        row = int(np.argmax(alike))
        return row if alike[row] >= NEAR else None


def shrink(picture: np.ndarray) -> np.ndarray:
    """Return a small grey picture without its mean, of length 1; zeros where it is flat, so that it is like none.

    Parameters
    ----------
    picture : np.ndarray
        ``uint8``, ``(h, w, 1)`` or ``(h, w, 3)``.

    Examples
    --------
    >>> picture = np.arange(75, dtype=np.uint8).reshape(5, 5, 3)
    >>> bool(shrink(picture) @ shrink(picture + 9) > NEAR)
    True
    """
    from PIL import Image

    grey = Image.fromarray(picture.squeeze(axis=-1) if picture.shape[-1] == 1 else picture).convert("L")
    small = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), dtype=np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 0 else small


def _list_training(training: Path) -> tuple[list[Path], int]:
    """Return the pictures of the list, and how many hidden files are left out."""
    hidden: list[Path] = []
    if training.is_dir():
        paths, hidden = find_files(training)
    else:
        paths = [training.parent / str(path) for path in read_columns(training, needed=["path"]).columns["path"]]
    if not paths:
        raise PanelError(f"The training list {os.fspath(training)!r} names no pictures.")
    return paths, len(hidden)
