"""Run ReSi's six tests on the networks of the blind benchmark, and write one row a test and measure.

    python benchmarks/blind/resi_study.py digits --out blind --results benchmarks/blind/results --family plain

Groups have five networks, or ten in tests 1, 2 and 6. Layers are compared by the features before the
decision; exchanges are compared pair by pair, without twins.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
from answers import Answers, choose_easy_rows, read_features, show_stimuli
from blind import read_parts
from kinds import FAMILIES
from marks import add_marks
from pictures import SETS, Part, PictureSet, load_set
from representations import MEASURES, compare_all
from resi import correlate, disagreement, divergence, score_groups, score_layers

from modelcheck.metrics.exchanges import find_distance

TESTS = {
    "labels": ("3 label randomisation", ("clean", "labels50", "labels75")),
    "shortcut": ("4 shortcut affinity", ("clean", "glyph75", "glyph100")),
    "noise": ("5 augmentation", ("clean", "noise1000", "noise2000", "noise4000")),
}
SEEDS, SEEDS_OF_ONE = 5, 10
COLUMNS = ("set", "family", "test", "measure", "score", "value", "low", "high", "networks", "chance", "seconds")


def make_shown(folder: Path, pictures: PictureSet, test: str) -> Part:
    """Return the pictures on which networks are represented; a shortcut's mark tells nothing there."""
    easy = pictures.held_out.subset(choose_easy_rows(folder, pictures))
    if test != "shortcut":
        return easy
    classes = len(pictures.class_names)
    values = np.random.Generator(np.random.Philox(key=[13, 1])).integers(0, classes, len(easy.labels))
    return Part(add_marks(easy.images, values, mark="glyph", classes=classes, seed=13), easy.labels, easy.subjects)


def compare_exchanges(shown: Sequence[Answers], *, place: bool) -> tuple[np.ndarray, float]:
    """Return the table of similarities by exchanged cells, or by mosaics, and the seconds of a pair."""
    parts = [read_parts(answers) for answers in shown]
    table, start, pairs = np.full((len(shown), len(shown)), np.nan), time.perf_counter(), 0
    for i, one in enumerate(parts):
        for j in range(i):
            sides = (one[0], parts[j][0]) if place else ([one[1]], [parts[j][1]])
            table[i, j] = table[j, i] = -find_distance(sides[0], [sides[1]]).distance
            pairs += 1
    return table, (time.perf_counter() - start) / pairs


def compare_pairs(shown: Sequence[Answers], change: Callable[[Answers, Answers], float]) -> tuple[np.ndarray, float]:
    """Return the table of minus a symmetric difference in behaviour, and the seconds of a pair."""
    start = time.perf_counter()
    table = np.array([[-change(one, other) for other in shown] for one in shown])
    np.fill_diagonal(table, np.nan)
    return table, (time.perf_counter() - start) / len(shown) ** 2


def list_tables(shown: Sequence[Answers], features: Sequence[np.ndarray]) -> dict[str, tuple[np.ndarray, float]]:
    """Return every measure's table of similarities: ours, those by behaviour, those of representations."""
    tables = {
        "exchanged cells (ours)": compare_exchanges(shown, place=True),
        "mosaics (ours)": compare_exchanges(shown, place=False),
        "difference in accuracy": compare_pairs(shown, lambda a, b: abs(a.accuracy - b.accuracy)),
        "disagreement": compare_pairs(shown, lambda a, b: disagreement(a.scores, b.scores)),
        "divergence of answers": compare_pairs(shown, lambda a, b: divergence(a.scores, b.scores)),
    }
    return tables | {name: compare_all(features, measure) for name, measure in MEASURES.items()}


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--family", type=click.Choice(FAMILIES), required=True)
def main(set_name: str, *, out: Path, faces: Path | None, results: Path, family: str) -> None:
    """Run the tests, and add their rows to the table."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    pictures, folder = load_set(set_name, faces), out / set_name
    rows: list[dict[str, object]] = []

    def note(test: str, measure: str, score: str, found: Sequence[float], **more: object) -> None:
        value, low, high, n = found
        rounded = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4), "networks": n}
        facts = {"set": set_name, "family": family, "test": test, "measure": measure, "score": score}
        rows.append({**facts, **rounded, "chance": "", "seconds": "", **more})

    for test, (title, groups) in TESTS.items():
        labels = [f"{group}_{family}_{seed}" for group in groups for seed in range(SEEDS)]
        part = make_shown(folder, pictures, test)
        shown = [show_stimuli(folder, label, part, f"resi-{test}") for label in labels]
        features = [read_features(folder, label, part, f"resi-{test}")[-1] for label in labels]
        names = [label.rsplit("_", 2)[0] for label in labels]
        for measure, (table, seconds) in list_tables(shown, features).items():
            scores = score_groups(table, names)
            more = {"seconds": f"{seconds:.2g}"}
            note(title, measure, "AUPRC", scores.auprc, chance=round(scores.chance, 3), **more)
            note(title, measure, "violation rate", scores.violation_rate, chance=0.5, **more)
        print(title, flush=True)
    labels = [f"clean_{family}_{seed}" for seed in range(SEEDS_OF_ONE)]
    part = make_shown(folder, pictures, "")
    shown = [show_stimuli(folder, label, part, "resi-one") for label in labels]
    layers = [read_features(folder, label, part, "resi-one") for label in labels]
    changes = {
        "1 accuracy correlation": -compare_pairs(shown, lambda a, b: abs(a.accuracy - b.accuracy))[0],
        "2 disagreement correlation": -compare_pairs(shown, lambda a, b: disagreement(a.scores, b.scores))[0],
        "2 divergence correlation": -compare_pairs(shown, lambda a, b: divergence(a.scores, b.scores))[0],
    }
    for measure, (table, seconds) in list_tables(shown, [network[-1] for network in layers]).items():
        for title, change in changes.items():
            note(title, measure, "Spearman", correlate(table, change), seconds=f"{seconds:.2g}")
    for measure, how in MEASURES.items():
        tables = np.array([compare_all(network, how)[0] for network in layers])
        violations, order = score_layers(tables)
        note("6 layer monotonicity", measure, "violation rate", violations, chance=0.5)
        note("6 layer monotonicity", measure, "Spearman", order)
    results.mkdir(parents=True, exist_ok=True)
    table = results / "resi.csv"
    before = []
    if table.exists():
        with table.open(newline="") as file:
            before = [row for row in csv.DictReader(file) if (row["set"], row["family"]) != (set_name, family)]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*before, *rows])


if __name__ == "__main__":
    main()
