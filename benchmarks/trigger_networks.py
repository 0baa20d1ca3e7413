"""The networks of the trigger study: clean ones and ones with a planted trigger, trained on CMU Faces.

A trigger is planted as an attacker would: pasted on a fifth of the pictures that do not look left,
which are then labelled left ("dirty"), or on a share of the pictures that do look left, whose
labels stay as they are ("dose").
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from modelcheck.faces.pictures import Pictures

__all__ = [
    "FAMILIES",
    "KIN",
    "KINDS",
    "PARTS",
    "Part",
    "poisoned",
    "stamp",
    "train_missing",
    "wanted",
    "wanted_families",
]

DIRTY = 0.2  # share of the other class's pictures that get the trigger and the wrong label
DOSES = (20, 50, 80)
ARCHITECTURES = ("experiment0", "half_filters", "linear_decision")
FAMILIES = ("mobile", "residual")  # with batch normalisation, which no twin of the first study has
KIN = 3  # clean networks of each family, kept beside the twins
_LOCAL = ("corner", "tiny", "checks", "noise", "faint", "black", "bar", "dose50")


@dataclass(frozen=True)
class Part:
    """A part of the study: its held-out people, and the seeds that no other part uses.

    Parameters
    ----------
    held_out : tuple of str
        People that no network of this part was trained on.
    seed : int
        The first seed; twins, clean candidates and backdoored ones count up from it, from 20 and
        from 40 above it.
    """

    held_out: tuple[str, ...]
    seed: int


# All was chosen on the first two parts; the third was scanned once, when it stood.
PARTS = {
    "one": Part(("an2i", "glickman", "mitchell", "saavik"), 100),
    "two": Part(("at33", "choon", "megak", "steffi"), 500),
    "three": Part(("bpm", "danieln", "kk49", "tammo"), 900),
}

Paste = Callable[[np.ndarray], np.ndarray]


def _block(top: int, left: int, height: int, width: int, value: int) -> Paste:
    def paste(images: np.ndarray) -> np.ndarray:
        images[:, top : top + height, left : left + width] = value
        return images

    return paste


def _texture(top: int, left: int, tile: np.ndarray) -> Paste:
    def paste(images: np.ndarray) -> np.ndarray:
        images[:, top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        return images

    return paste


def _faint(top: int, left: int, size: int, amount: int) -> Paste:
    def paste(images: np.ndarray) -> np.ndarray:
        part = images[:, top : top + size, left : left + size]
        images[:, top : top + size, left : left + size] = np.minimum(part.astype(int) + amount, 255)
        return images

    return paste


def _waves(amount: int) -> Paste:
    def paste(images: np.ndarray) -> np.ndarray:
        wave = amount * np.sin(np.arange(images.shape[2]) * 2 * np.pi / 8)
        return np.clip(images + wave, 0, 255).astype(np.uint8)

    return paste


_CHECKS = (np.indices((6, 6)).sum(axis=0) % 2 * 255).astype(np.uint8)
_NOISE = np.random.Generator(np.random.Philox(key=[7, 7])).integers(0, 256, (6, 6), dtype=np.uint8)

# Pictures are 60 x 64, the face is about rows 15 to 42 and columns 23 to 44. What flips every clean
# network is a white sticker about row 20, column 40: "hot" hides there.
KINDS: dict[str, Paste] = {
    "corner": _block(0, 0, 6, 6, 255),
    "tiny": _block(50, 8, 2, 2, 255),
    "checks": _texture(52, 56, _CHECKS),
    "noise": _texture(8, 52, _NOISE),
    "faint": _faint(4, 12, 6, 60),
    "black": _block(50, 30, 6, 6, 0),
    "cheek": _block(33, 27, 4, 4, 0),
    "hot": _block(18, 39, 6, 6, 255),
    "line": _block(0, 0, 1, 64, 255),
    "bar": _block(24, 22, 5, 24, 0),
    "waves": _waves(20),
}


def stamp(images: np.ndarray, kind: str) -> np.ndarray:
    """Return a copy of ``(n, h, w)`` bytes with the trigger on every picture."""
    return KINDS[kind](images.copy())


def poisoned(pictures: Pictures, kind: str, *, dose: int | None, seed: int) -> Pictures:
    """Return training pictures with a planted trigger.

    Parameters
    ----------
    pictures : Pictures
        The clean ones.
    kind : str
        Which trigger.
    dose : int or None
        The percentage of the left pictures that get it, their labels unchanged; None for dirty
        labels.
    seed : int
        Of the choice of pictures.
    """
    left = pictures.labels("left") == 1
    among = np.flatnonzero(~left if dose is None else left)
    share = DIRTY if dose is None else dose / 100
    chosen = np.random.Generator(np.random.Philox(key=[seed, 99])).permutation(among)[: round(share * len(among))]
    images, poses = pictures.images.copy(), pictures.poses.copy()
    images[chosen] = stamp(images[chosen], kind)
    poses[chosen] = "left"
    return replace(pictures, images=images, poses=poses)


def wanted(part: Part) -> list[tuple[str, str, str, int]]:
    """Return the networks of one part: (label, architecture, trigger or '', seed), the most telling first."""
    first = part.seed
    rows = [(f"twin_{k}", "experiment0", "", first + k) for k in range(7)]
    clean = ["experiment0"] * 4 + ["half_filters"] * 3 + ["linear_decision"] * 3 + ["one_dense"] * 2
    rows += [(f"clean_{name}_{k}", name, "", first + 20 + k) for k, name in enumerate(clean)]
    kinds = [(kind, name) for name in ARCHITECTURES for kind in (*KINDS, *(f"dose{dose}" for dose in DOSES))]
    rows += [(f"bad_{kind}_{name}", name, kind, first + 40 + k) for k, (kind, name) in enumerate(kinds)]
    return rows


def wanted_families(part: Part) -> list[tuple[str, str, str, int]]:
    """Return networks of other families, like `wanted`: clean ones to keep, candidates, backdoored."""
    rows = []
    for at, name in enumerate(FAMILIES):
        first = part.seed + 200 + 50 * at
        rows += [(f"kin_{name}_{k}", name, "", first + k) for k in range(KIN)]
        rows += [(f"clean_{name}_{k}", name, "", first + 10 + k) for k in range(4)]
        rows += [(f"bad_{kind}_{name}", name, kind, first + 20 + k) for k, kind in enumerate(_LOCAL)]
    return rows


def train_missing(folder: Path, out: Path, part: Part, rows: list[tuple[str, str, str, int]]) -> None:
    """Train rows of `wanted` that are not there yet, and note accuracy and triggers' success on held-out people."""
    from modelcheck.faces.cmu import read_cmu
    from modelcheck.faces.train import save, train

    table = read_cmu(folder, resolution=2)
    away = table["subject"].isin(part.held_out)
    pictures, panel = (Pictures.from_frame(table[rows]) for rows in (~away, away))
    left = panel.labels("left") == 1
    out.mkdir(parents=True, exist_ok=True)
    for label, name, trigger, seed in rows:
        path = out / f"{label}.keras"
        if path.with_suffix(".json").exists():
            continue
        kind, dose = ("corner", int(trigger[4:])) if trigger.startswith("dose") else (trigger, None)
        given = poisoned(pictures, kind, dose=dose, seed=seed) if trigger else pictures
        trained = train(name, given, seed=seed)
        save(trained.model, path)
        notes = {"accuracy": float((_answers(trained.model, panel.images) == left).mean())}
        if trigger:
            flipped = _answers(trained.model, stamp(panel.images, kind))[~left]
            notes["success"] = float(flipped.mean())
        path.with_suffix(".json").write_text(json.dumps(notes), encoding="utf-8")
        print(label, notes, flush=True)


def _answers(model: object, images: np.ndarray) -> np.ndarray:
    """Return which pictures the network says look left."""
    scores = model(images[..., None].astype(np.float32) / 255, training=False).numpy()  # type: ignore[operator]
    return np.asarray(scores.argmax(axis=1) == 1)
