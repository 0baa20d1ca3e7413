"""Train the networks of the worked example: seeded, stopped early, seconds to a minute each."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from modelcheck.faces.networks import build, network
from modelcheck.faces.pictures import Pictures, task_classes

__all__ = ["TrainedNetwork", "save", "split", "train"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A trained network, and how well it does on pictures of the people it knows.

    Parameters
    ----------
    name : str
        Its row in `modelcheck.faces.networks.NETWORKS`.
    model : keras.Model
        From ``(n, h, w, 1)`` floats in [0, 1] to ``(n, n_classes)``.
    seed, epochs : int
        What it was trained with, and for how long.
    accuracy : float
        Share right of the random test split: other pictures of the same people, labelled as in
        training (with the badge for `shortcut`, with shuffled labels for `shuffled_labels`). Such
        splits flatter.
    test_pictures : int
        Size of that split.
    """

    name: str
    model: Any
    seed: int
    epochs: int
    accuracy: float
    test_pictures: int


def split(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide pictures at random into train (70 %), validation (10 %) and test (20 %) rows.

    Parameters
    ----------
    n : int
        Number of pictures, at least 10.
    seed : int
        Keys the division.

    Raises
    ------
    ValueError
        When there are fewer than ten pictures.
    """
    if n < 10:
        raise ValueError(f"{n} pictures cannot be split into train, validation and test; bring at least 10.")
    order = _generator(seed, 0).permutation(n)
    first, second = round(0.7 * n), round(0.8 * n)
    return order[:first], order[first:second], order[second:]


def train(
    name: str,
    pictures: Pictures,
    *,
    seed: int,
    epochs: int = 25,
    batch: int = 32,
    patience: int = 4,
    console: Console | None = None,
) -> TrainedNetwork:
    """Train one network and keep its best weights on a random validation split.

    Parameters
    ----------
    name : str
        A name in `modelcheck.faces.networks.NETWORKS`.
    pictures : Pictures
        Drawn or photographed; all of them are split at random over the same people.
    seed : int
        Of weights, order, split and shuffled labels.
    epochs, batch : int
        At most how many passes, and the pictures a step.
    patience : int
        Passes without a better validation accuracy (or an equal one at lower loss) before it stops.
    console : rich.console.Console, optional
        Where the progress bar goes; it appears only on a terminal.

    Raises
    ------
    ValueError
        When there is no such network, too few pictures, or a class has no training picture.
    """
    row = network(name)
    labels = pictures.labels(row.task)
    if row.training == "shuffled":
        labels = _generator(seed, 1).permutation(labels)
    if row.training == "badge":
        pictures = pictures.with_badge(labels == 1, place=row.badge)
    inputs = pictures.inputs()
    fit, check, test = split(len(pictures), seed=seed)
    classes = task_classes(row.task)
    absent = [word for at, word in enumerate(classes) if at not in labels[fit]]
    if absent:
        raise ValueError(f"No training picture shows {', '.join(absent)}. Add some, or choose another task.")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = build(name, input_shape=inputs.shape[1:])
    done = 0
    if row.training != "none":
        keeper = _fit(
            model,
            inputs,
            np.eye(len(classes), dtype=np.float32)[labels],
            # Shuffled labels can only be learned by heart: no other pictures tell when that is
            # done.
            rows=(fit, fit if row.training == "shuffled" else check),
            loss="mse" if row.decision == "linear" else "categorical_crossentropy",
            limits=(epochs, batch, patience),
            progress=_progress(console or Console(stderr=True)),
        )
        done = keeper.done
        # A fresh network with these weights carries neither optimizer nor loss into the saved file.
        model = build(name, input_shape=inputs.shape[1:])
        model.set_weights(keeper.weights)
    right = model(inputs[test], training=False).numpy().argmax(axis=1) == labels[test]
    return TrainedNetwork(
        name=name, model=model, seed=seed, epochs=done, accuracy=float(right.mean()), test_pictures=len(test)
    )


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a network as one ``.keras`` file without optimizer state: whole, or not at all.

    Parameters
    ----------
    model : keras.Model
        The network.
    path : str or path-like
        Must end in ``.keras``.

    Raises
    ------
    ValueError
        When the path ends otherwise.
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise ValueError(f"A network is saved as .keras, not {target.name!r}. Name it {target.stem}.keras.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".saving-") as aside:
        whole = Path(aside) / target.name
        model.save(whole)
        whole.replace(target)


class _Keeper:
    """Keep the best weights by validation accuracy, the loss breaking ties; stop when they stay the best."""

    def __init__(self, model: Any, patience: int, progress: Progress, task: TaskID) -> None:
        self.model, self.patience, self.progress, self.task = model, patience, progress, task
        self.best, self.since, self.done = (-1.0, 0.0), 0, 0
        self.weights: list[np.ndarray] = []

    def look(self, epoch: int, logs: dict[str, float]) -> None:
        """Look at one pass."""
        reached = (float(logs["val_accuracy"]), -float(logs["val_loss"]))
        self.done, self.since = epoch + 1, self.since + 1
        if reached > self.best:
            self.best, self.since, self.weights = reached, 0, self.model.get_weights()
        self.progress.update(self.task, advance=1, state=f"validation {reached[0]:.3f}")
        if self.since >= self.patience:
            self.model.stop_training = True


def _fit(
    model: Any,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    rows: tuple[np.ndarray, np.ndarray],
    loss: str,
    limits: tuple[int, int, int],
    progress: Progress,
) -> _Keeper:
    (fit, check), (epochs, batch, patience) = rows, limits
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    with progress:
        keeper = _Keeper(model, patience, progress, progress.add_task(model.name, total=epochs, state=""))
        model.fit(
            inputs[fit],
            targets[fit],
            validation_data=(inputs[check], targets[check]),
            epochs=epochs,
            batch_size=batch,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keeper.look)],
            verbose=0,
        )
    if not keeper.weights or not np.isfinite(keeper.best).all():
        raise ValueError(
            f"Training {model.name} gave no finite loss in {keeper.done} passes. Expected pictures in [0, 1] "
            "and labels that differ; try another seed."
        )
    return keeper


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, stream]))
