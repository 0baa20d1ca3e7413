"""What the networks of the blind benchmark answer to their panels, to exchanged cells and to mosaics.

Answers are kept in files, so that a study goes on where it was interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from kinds import KINDS, panel_of
from marks import add_marks
from pictures import Part, PictureSet

from modelcheck.metrics.exchanges import Stimuli, choose_stimuli, exchange_cells, mix_pictures

__all__ = [
    "Answers",
    "choose_easy_rows",
    "list_networks",
    "load_answers",
    "load_network",
    "make_panel",
    "measure_reliance",
    "read_features",
    "show_stimuli",
    "stimuli_of",
]

PICTURES, MOSAICS, SEED = 100, 400, 0  # as a recipe has them by default
_JUDGES = ("clean_plain_11", "clean_plain_12")  # nobody's candidates
_EASY = {"digits": 40, "crops": 60, "faces": 60}  # pictures of a class, at most
_EASY_SHARE = 0.75
_BATCH = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What one network answers.

    Parameters
    ----------
    labels : np.ndarray
        ``(n,)`` the classes of the panel's pictures.
    scores : np.ndarray
        ``(n, classes)`` class scores before softmax on the panel.
    exchanged : tuple of np.ndarray
        By grid, ``(pictures, cells, donors, classes)``.
    mixed : np.ndarray
        ``(mosaics, classes)``.
    stimuli : Stimuli
        What was shown.
    """

    labels: np.ndarray
    scores: np.ndarray
    exchanged: tuple[np.ndarray, ...]
    mixed: np.ndarray
    stimuli: Stimuli

    @property
    def accuracy(self) -> float:
        """Share of the panel's pictures that are answered right."""
        return float((self.scores.argmax(axis=1) == self.labels).mean())


def list_networks(folder: Path, name: str, family: str, *, seeds: range) -> list[str]:
    """Return the labels of the networks that were trained, of one kind and family."""
    labels = [f"{name}_{family}_{seed}" for seed in seeds]
    return [label for label in labels if (folder / f"{label}.keras").exists()]


def load_network(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return how a network answers pictures with class scores before softmax."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    model.layers[-1].activation = keras.activations.linear
    traced = tf.function(lambda images: model(images, training=False), reduce_retracing=True)

    def answer(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            full = np.concatenate([part, np.zeros((_BATCH - len(part), *part.shape[1:]), np.float32)])
            parts.append(traced(tf.constant(full, tf.float32)).numpy()[: len(part)])
        return np.concatenate(parts)

    return answer


def choose_easy_rows(folder: Path, pictures: PictureSet) -> np.ndarray:
    """Return the held-out pictures that two networks, which judge nothing else, are surest of.

    On easy pictures every network of the study is right, so that accuracy tells none from another.
    """
    kept = folder / "easy.npy"
    if kept.exists():
        return np.load(kept)
    part = pictures.held_out
    rows, surest = np.arange(len(part.labels)), np.full(len(part.labels), np.inf)
    for label in _JUDGES:
        scores = load_network(folder / f"{label}.keras")(part.images)
        own = scores[rows, part.labels].copy()
        scores[rows, part.labels] = -np.inf
        lead = own - scores.max(axis=1)
        surest = np.minimum(surest, lead / lead.std())
    chosen: list[int] = []
    for k in range(len(pictures.class_names)):
        here = rows[(part.labels == k) & (surest > 0)]
        here = here[np.argsort(-surest[here], kind="stable")]
        chosen += here[: min(_EASY[folder.name], int(_EASY_SHARE * len(here)))].tolist()
    np.save(kept, np.sort(chosen))
    return np.sort(chosen)


def make_panel(folder: Path, pictures: PictureSet, kind: str) -> Part:
    """Return the panel on which a kind of network is judged."""
    easy = pictures.held_out.subset(choose_easy_rows(folder, pictures))
    return panel_of(easy, KINDS[kind], classes=len(pictures.class_names))


def load_answers(folder: Path, label: str, kind: str, pictures: PictureSet) -> Answers:
    """Return what a network answers on a kind's panel, from its file or by asking.

    Parameters
    ----------
    folder : Path
        Of the networks of a set of pictures.
    label : str
        ``KIND_FAMILY_SEED``.
    kind : str
        Whose panel is shown.
    pictures : PictureSet
        The set.
    """
    return show_stimuli(folder, label, make_panel(folder, pictures, kind), KINDS[kind].panel)


def stimuli_of(panel: Part) -> Stimuli:
    """Return what is shown of a panel, as a recipe has it by default."""
    return choose_stimuli(
        panel.labels, panel.subjects, size=panel.images.shape[1:3], pictures=PICTURES, mosaics=MOSAICS, seed=SEED
    )


def show_stimuli(folder: Path, label: str, panel: Part, name: str) -> Answers:
    """Return what a network answers on a panel of a name, from its file or by asking."""
    stimuli = stimuli_of(panel)
    kept = folder / "answers" / name / f"{label}.npz"
    if not kept.exists():
        answer = load_network(folder / f"{label}.keras")
        mosaics = mix_pictures(panel.images, stimuli, np.arange(MOSAICS))
        arrays = {"scores": answer(panel.images), "mixed": answer(mosaics)}
        for grid in stimuli.grids:
            shape = stimuli.shape(grid)
            shown = exchange_cells(panel.images, stimuli, grid, np.arange(np.prod(shape)))
            arrays[f"grid {grid.name}"] = answer(shown).reshape(*shape, -1).astype(np.float32)
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_name(f".{kept.name}")
        np.savez_compressed(aside, **arrays)
        aside.replace(kept)
    with np.load(kept) as arrays:
        return Answers(
            labels=panel.labels,
            scores=arrays["scores"],
            exchanged=tuple(arrays[f"grid {grid.name}"] for grid in stimuli.grids),
            mixed=arrays["mixed"],
            stimuli=stimuli,
        )


def read_features(folder: Path, label: str, panel: Part, name: str) -> list[np.ndarray]:
    """Return the outputs of every convolution and hidden dense layer on a panel, ``(pictures, features)``.

    Maps are averaged over a 4 x 4 grid, so that no measure works on thousands of numbers; the last
    entry is what the decision reads, as it is.
    """
    kept = folder / "features" / name / f"{label}.npz"
    if not kept.exists():
        import keras

        model = keras.models.load_model(folder / f"{label}.keras", compile=False)
        read = [layer for layer in model.layers if layer.name.startswith(("relu", "dense"))]
        read = read or [layer for layer in model.layers if layer.name.startswith("conv")]
        tapped = keras.Model(model.inputs, [layer.output for layer in read] + [model.layers[-1].input])
        values = [np.asarray(value) for value in tapped(panel.images, training=False)]
        flat = [_pool(value).reshape(len(value), -1) for value in values[:-1]] + [values[-1]]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, **{f"{k:03d}": value for k, value in enumerate(flat)})
    with np.load(kept) as arrays:
        found = [arrays[key].astype(np.float64) for key in sorted(arrays)]
    # A dense layer before the decision is both the last hidden layer and what the decision reads.
    return found[:-1] if found[-1].shape == found[-2].shape else found


def _pool(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return values
    rows, columns = (np.array_split(np.arange(length), 4) for length in values.shape[1:3])
    return np.stack([values[:, r[:, None], c].mean(axis=(1, 2)) for r in rows for c in columns], axis=1)


def measure_reliance(folder: Path, label: str, pictures: PictureSet) -> float:
    """Return how much of its accuracy a network loses where its mark tells another class instead of the picture's.

    Near 0 the network did not take the shortcut, whatever it was trained on: such networks are
    counted apart, for nothing is wrong with them.
    """
    name = label.rsplit("_", 2)[0]
    kind, part, classes = KINDS[name], pictures.held_out, len(pictures.class_names)
    if not kind.mark:
        return float("nan")
    kept = folder / "reliance" / f"{label}.npy"
    if not kept.exists():
        rng = np.random.Generator(np.random.Philox(key=[77, classes]))
        other = (part.labels + rng.integers(1, classes, len(part.labels))) % classes
        if kind.mark == "badge":  # of the last class alone: all others carry it, and its own pictures none
            other = np.where(part.labels == classes - 1, 0, classes - 1)
        answer = load_network(folder / f"{label}.keras")
        right = [
            (
                answer(add_marks(part.images, values, mark=kind.mark, classes=classes, seed=5)).argmax(1) == part.labels
            ).mean()
            for values in (part.labels, other)
        ]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, right[0] - right[1])
    return float(np.load(kept))
