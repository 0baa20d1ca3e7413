"""Show the decision maps of a few baselines to every kind of network on CMU Faces: recognition alone, quickly.

Run it where CMU Faces is::

    python benchmarks/recognition_study.py faces --out study --baselines 0,1,2,5 --seeds 3,4

A network costs its training and one look at the maps. Networks that are in the output folder are
kept.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from gate_study import cmu_pictures, train_missing
from variants import VARIANTS

from modelcheck.faces.cmu import cmu_panel
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe

VIEWS = ("free", "natural")


def recognitions(out: Path, panel: Panel, baselines: list[str], labels: list[str]) -> dict[str, np.ndarray]:
    """Return for each network ``(baselines, views)`` recognitions, and its balanced accuracy in a last column."""
    import keras
    import tensorflow as tf

    from modelcheck.happymaps import ascend, margins, natural_pictures
    from modelcheck.metrics.recognition import recognise
    from modelcheck.network import flatten

    recipe, images = Recipe(), panel.inputs((0.0, 1.0))
    among = natural_pictures(images, components=recipe.natural_components)

    def network(label: str) -> object:
        made = flatten(keras.models.load_model(out / f"{label}.keras", compile=False))
        outputs = VARIANTS[label.rsplit("_", 1)[0]].outputs
        return made.join_outputs([panel.class_names.index(name) for name in outputs]) if outputs else made

    maps = []
    for label in baselines:
        shower = network(label)
        decision = shower.unit_layers()[-1]
        maps.append([ascend(shower, decision, recipe=recipe, among=kind).maps for kind in (None, among)])
    found = {}
    for label in labels:
        other = network(label)

        def look(pictures: np.ndarray, other: object = other) -> np.ndarray:
            return margins(other.class_scores(tf.constant(pictures, tf.float32))).numpy()

        own = look(images)
        right = own.argmax(axis=1) == panel.labels
        accuracy = np.mean([right[panel.labels == k].mean() for k in range(len(panel.class_names))])
        shown = [[np.diag(recognise(look(kind), own, panel.labels)).mean() for kind in views] for views in maps]
        found[label] = np.array([*shown, [accuracy] * len(VIEWS)])
    return found


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where networks go.")
@click.option("--held-out", default="an2i,glickman,mitchell,saavik", show_default=True)
@click.option("--baselines", default="0", show_default=True, help="Seeds of experiment0, comma-separated.")
@click.option("--seeds", default="3", show_default=True, help="Of the candidates, comma-separated.")
def main(folder: Path, *, out: Path, held_out: str, baselines: str, seeds: str) -> None:
    """Train, show and print."""
    people = held_out.split(",")
    showing = [f"experiment0_{seed}" for seed in baselines.split(",")]
    labels = [f"{name}_{seed}" for name in VARIANTS for seed in seeds.split(",")]
    labels = [label for label in labels if label not in showing]
    out.mkdir(parents=True, exist_ok=True)
    pictures = cmu_pictures(folder, people)
    train_missing(pictures, out, [*showing, *labels], baseline=out / f"{showing[0]}.keras")
    panel = cmu_panel(folder, resolution=2, subjects=people, task="left")
    found = recognitions(out, panel, showing, labels)
    print(f"baselines {', '.join(showing)}; held out: {', '.join(people)}")
    print(
        "| network | learned the same | people | free, every baseline | natural, every baseline |\n" + "|---" * 5 + "|"
    )
    for label, values in found.items():
        views = [" ".join(f"{value:.2f}" for value in values[:-1, view]) for view in range(len(VIEWS))]
        same = "yes" if VARIANTS[label.rsplit("_", 1)[0]].same else "no"
        print(f"| {label} | {same} | {values[-1, 0]:.2f} | {views[0]} | {views[1]} |")
    sides = {
        same: np.stack([v[:-1] for k, v in found.items() if VARIANTS[k.rsplit("_", 1)[0]].same is same])
        for same in (True, False)
    }
    for view, name in enumerate(VIEWS):
        high, low = sides[True][..., view].ravel(), sides[False][..., view].ravel()
        auroc = (high[:, None] > low[None]).mean()
        print(f"{name}: lowest same {high.min():.2f}, highest different {low.max():.2f}, AUROC {auroc:.3f}")


if __name__ == "__main__":
    main()
