"""Put the mean occlusion map beside the exchange map, and write one row a pair of ``blind.csv`` of equal accuracy.

    python benchmarks/blind/occlusion.py digits --out blind --results benchmarks/blind/results

The same pictures, grids, references and scale as `place_distance` has; what differs is that a cell
shows the panel's mean picture and not another picture's cell. Two maps are tried: one of the
label's lead over the highest other class, as occlusion is usually read, and one of its lead over
the classes of the donors, as exchange maps have it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np
from answers import load_network, make_panel, stimuli_of
from kinds import KINDS
from pictures import SETS, Part, load_set
from tables import MOST_CHANGE

from modelcheck.metrics.exchanges import Stimuli, compute_falls, compute_strengths, find_distance

TWINS = range(1, 4)
KEYS = ("set", "panel", "baseline", "candidate")
COLUMNS = (*KEYS, "occlusion_distance", "occlusion_distance_by_donor")


def occlude_cells(images: np.ndarray, boxes: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return every picture with each cell in turn replaced by that of `fill`, ``(pictures * cells, h, w, c)``."""
    shown = np.repeat(images[:, None], len(boxes), axis=1)
    for k, (top, left, bottom, right) in enumerate(boxes.tolist()):
        shown[:, k, top:bottom, left:right] = fill[top:bottom, left:right]
    return shown.reshape(-1, *images.shape[1:])


def show_occluded(folder: Path, label: str, panels: dict[str, Part]) -> None:
    """Ask one network about the occluded pictures of several panels, where that was not done."""
    targets = {name: folder / "occluded" / name / f"{label}.npz" for name in panels}
    missing = [name for name, target in targets.items() if not target.exists()]
    answer = load_network(folder / f"{label}.keras") if missing else None
    for name in missing:
        panel, stimuli = panels[name], stimuli_of(panels[name])
        rows, fill = panel.images[stimuli.rows], panel.images.mean(axis=0)
        arrays = {"scores": answer(rows)}
        for grid in stimuli.grids:
            after = answer(occlude_cells(rows, grid.boxes, fill))
            arrays[f"grid {grid.name}"] = after.reshape(len(rows), len(grid.boxes), -1)
        targets[name].parent.mkdir(parents=True, exist_ok=True)
        aside = targets[name].with_name(f".{label}.npz")
        np.savez_compressed(aside, **arrays)
        aside.replace(targets[name])


def find_margins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return by how much the label leads the highest other class; `labels` broadcast against ``scores[..., 0]``."""
    own = np.arange(scores.shape[-1]) == labels[..., None]
    return np.where(own, scores, -np.inf).max(axis=-1) - np.where(own, -np.inf, scores).max(axis=-1)


def read_strengths(folder: Path, label: str, name: str, panel: Part, stimuli: Stimuli) -> list[list[np.ndarray]]:
    """Return a network's strengths by grid, by either lead: see the top."""
    own, donors = panel.labels[stimuli.rows], panel.labels[stimuli.donors]
    margins: list[np.ndarray] = []
    leads: list[np.ndarray] = []
    with np.load(folder / "occluded" / name / f"{label}.npz") as arrays:
        before = arrays["scores"].astype(np.float64)
        for grid in stimuli.grids:
            after = arrays[f"grid {grid.name}"].astype(np.float64)
            margins.append(np.abs(find_margins(before, own)[:, None] - find_margins(after, own[:, None])))
            theirs = donors[:, : grid.donors]
            shown = np.broadcast_to(after[:, :, None], (*after.shape[:2], grid.donors, after.shape[2]))
            leads.append(compute_strengths(compute_falls(before, shown, own, theirs)))
    return [margins, leads]


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="Where blind.csv is.")
def main(set_name: str, *, out: Path, faces: Path | None, results: Path) -> None:
    """Ask what was not asked, then write the rows of the set that are not in the table."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    pictures, folder, table = load_set(set_name, faces), out / set_name, results / "occlusion.csv"
    with (results / "blind.csv").open(newline="") as file:
        equal = [row for row in csv.DictReader(file) if float(row["accuracy_change"]) <= MOST_CHANGE]
    # The few that learned something else come first: without them there is nothing to tell apart.
    pairs = sorted((row for row in equal if row["set"] == set_name), key=lambda row: row["honest"])
    done = set()
    if table.exists():
        with table.open(newline="") as file:
            done = {tuple(row[key] for key in KEYS) for row in csv.DictReader(file)}
    pairs = [row for row in pairs if tuple(row[key] for key in KEYS) not in done]
    panels: dict[str, Part] = {}
    asked: dict[str, set[str]] = {}
    for row in pairs:
        name = KINDS[row["panel"]].panel
        if name not in panels:
            panels[name] = make_panel(folder, pictures, row["panel"])
        for label in (row["candidate"], *references_of(row["baseline"])):
            asked.setdefault(label, set()).add(name)
    for number, (label, names) in enumerate(asked.items()):
        show_occluded(folder, label, {name: panels[name] for name in sorted(names)})
        print(f"{set_name}: {label}, {number + 1} of {len(asked)}", flush=True)
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done and not file.tell():
            writer.writeheader()
        for row in pairs:
            name = KINDS[row["panel"]].panel
            panel = panels[name]
            stimuli = stimuli_of(panel)
            maps = [
                read_strengths(folder, label, name, panel, stimuli)
                for label in (row["candidate"], *references_of(row["baseline"]))
            ]
            by_margin, by_donor = (
                find_distance(candidate, references).ratio for candidate, *references in zip(*maps, strict=True)
            )
            writer.writerow(
                {key: row[key] for key in KEYS} | {COLUMNS[4]: round(by_margin, 5), COLUMNS[5]: round(by_donor, 5)}
            )


def references_of(baseline: str) -> list[str]:
    """Return the baseline and its retrained twins."""
    kind = baseline.rsplit("_", 1)[0]
    return [f"{kind}_{k}" for k in (0, *TWINS)]


if __name__ == "__main__":
    main()
