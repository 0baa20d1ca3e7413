"""Train the networks of the blind benchmark: those that are not there yet, so that an interrupted run goes on.

    python benchmarks/blind/train.py digits --out blind
    python benchmarks/blind/train.py faces --out blind --faces FOLDER --kinds clean,glyph100

A network is written as ``OUT/SET/KIND_FAMILY_SEED.keras``. Several processes may share the work:
each takes the next network that nobody has begun.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from kinds import KINDS, training_pictures
from pictures import SETS, PictureSet, load_set

from networks import CHANGES, alter_network, build, train

EPOCHS = {"digits": 8, "crops": 6, "faces": 25}
BASELINE = "clean_plain_0"
CLEAN_SEEDS, SEEDS = 13, 5


def list_labels(kinds: list[str], families: list[str], *, set_name: str, seeds: int) -> list[str]:
    """Return what is trained, in order: the clean networks first."""
    labels = []
    for name in kinds:
        kind = KINDS[name]
        if kind.merged and set_name != "digits":
            continue
        for family in kind.families:
            if family in families:
                labels += [
                    f"{name}_{family}_{seed}" for seed in range(CLEAN_SEEDS if name in ("clean", "naive") else seeds)
                ]
    return labels


def make_network(label: str, pictures: PictureSet, out: Path, *, epochs: int) -> Any:
    """Return one trained network."""
    import keras

    name, family, number = label.rsplit("_", 2)
    kind, seed, classes = KINDS[name], int(number), len(pictures.class_names)
    keras.utils.set_random_seed(7919 * seed + 13)
    part = training_pictures(pictures.fit, kind, classes=classes, seed=1000 * list(KINDS).index(name) + seed)
    if kind.change and kind.change not in CHANGES:
        model = keras.models.load_model(out / f"{BASELINE}.keras", compile=False)
        return alter_network(model, kind.change, part, seed=seed, epochs=2)
    # A kind's seeds are its own: no two networks of the study start from the same weights.
    keras.utils.set_random_seed(100_003 * list(KINDS).index(name) + 17 * seed + len(family))
    model = build(pictures.fit.images.shape[1:], classes, family=family, change=kind.change)
    return train(model, part, seed=seed, epochs=epochs, augment=kind.change == "augmented")


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--kinds", default=",".join(KINDS), help="Comma-separated; all by default.")
@click.option("--families", default="plain,normed,strided", show_default=True)
@click.option("--seeds", default=SEEDS, show_default=True, help="Networks of each kind but the clean ones.")
def main(set_name: str, *, out: Path, faces: Path | None, kinds: str, families: str, seeds: int) -> None:
    """Train what is missing."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    pictures = load_set(set_name, faces)
    folder = out / set_name
    folder.mkdir(parents=True, exist_ok=True)
    for label in list_labels(kinds.split(","), families.split(","), set_name=set_name, seeds=seeds):
        target, begun = folder / f"{label}.keras", folder / f"{label}.begun"
        if target.exists():
            continue
        try:
            begun.touch(exist_ok=False)
        except FileExistsError:
            continue
        started = time.monotonic()
        try:
            model = make_network(label, pictures, folder, epochs=EPOCHS[set_name])
            aside = folder / f".{label}.keras"
            model.save(aside)
            aside.replace(target)
        finally:
            begun.unlink()
        answers = np.asarray(model(pictures.held_out.images, training=False)).argmax(axis=1)
        right = float((answers == pictures.held_out.labels).mean())
        print(f"{label}: {right:.3f} on all held-out pictures, {time.monotonic() - started:.1f} s", flush=True)
        import keras

        keras.backend.clear_session()


if __name__ == "__main__":
    main()
