"""Tell networks apart whose accuracy is equal on the panel that the gate sees, and write one row a network.

    python benchmarks/blind/blind.py digits --out blind --results benchmarks/blind/results

The baseline is the first honest network of a family, its retrained twins the next three. Candidates
are other honest networks, and networks that took a shortcut which the panel carries too.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np
from answers import Answers, list_networks, load_answers, measure_reliance
from kinds import FAMILIES, KINDS
from pictures import SETS, load_set

from modelcheck.metrics.exchanges import (
    compute_evidence,
    compute_strengths,
    find_distance,
    measure_spread,
    win_shares,
)

TWINS, CANDIDATES, SEEDS = range(1, 4), range(4, 11), range(5)
HONEST = tuple(name for name, kind in KINDS.items() if kind.honest and name not in ("clean", "naive"))
COLUMNS = (
    *("set", "panel", "baseline", "candidate", "honest", "kept", "reliance", "accuracy", "accuracy_change"),
    *("disagreement", "score_distance", "place_distance", "content_distance", "place_raw", "content_raw"),
)


def read_parts(answers: Answers) -> tuple[list[np.ndarray], np.ndarray]:
    """Return a network's strengths by grid, and its shares of the mosaics."""
    labels, stimuli = answers.labels, answers.stimuli
    own = labels[stimuli.rows]
    strengths = [
        compute_strengths(
            compute_evidence(answers.scores[stimuli.rows], after, own, labels[stimuli.donors[:, : after.shape[2]]])
        )
        for after in answers.exchanged
    ]
    rows = np.arange(len(answers.mixed))
    lead = answers.mixed[rows, labels[stimuli.second]] - answers.mixed[rows, labels[stimuli.first]]
    return strengths, win_shares(lead, measure_spread(answers.scores))


def compare_answers(candidate: Answers, references: list[Answers]) -> dict[str, float]:
    """Return every statistic of a candidate against a baseline and its twins."""
    baseline, parts = references[0], [read_parts(answers) for answers in references]
    strengths, shares = read_parts(candidate)
    place = find_distance(strengths, [part[0] for part in parts])
    content = find_distance([shares], [[part[1]] for part in parts])
    answers = candidate.scores.argmax(axis=1), baseline.scores.argmax(axis=1)
    scaled = [side.scores - side.scores.mean(axis=1, keepdims=True) for side in (candidate, baseline)]
    one, other = (side / side.std() for side in scaled)
    return {
        "accuracy": candidate.accuracy,
        "accuracy_change": abs(candidate.accuracy - baseline.accuracy),
        "disagreement": float((answers[0] != answers[1]).mean()),
        "score_distance": float(np.abs(one - other).mean()),
        "place_distance": place.ratio,
        "content_distance": content.ratio,
        "place_raw": find_distance(strengths, [parts[0][0]]).distance,
        "content_raw": find_distance([shares], [[parts[0][1]]]).distance,
    }


def list_candidates(folder: Path, kind: str, family: str, *, honest: str, kept: bool) -> list[str]:
    """Return the honest networks and those of a kind that are judged on its panel."""
    labels = list_networks(folder, honest, family, seeds=CANDIDATES)
    for name in HONEST if honest == "clean" else ():
        if KINDS[name].kept == kept and family in KINDS[name].families:
            labels += list_networks(folder, name, family, seeds=SEEDS)
    return labels + list_networks(folder, kind, family, seeds=SEEDS)


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--kinds", help="Comma-separated; by default all that are not kept for the final run.")
@click.option("--families", default=",".join(FAMILIES), show_default=True, help="Of the candidates.")
@click.option("--honest", default="clean", show_default=True, help="The baseline: clean, or naive, which saw no mark.")
@click.option("--kept/--no-kept", default=False, help="The kinds that were kept for the final run.")
def main(
    set_name: str,
    *,
    out: Path,
    faces: Path | None,
    results: Path,
    kinds: str | None,
    families: str,
    honest: str,
    kept: bool,
) -> None:
    """Compare, and add to the table what is not there yet."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    pictures, folder = load_set(set_name, faces), out / set_name
    chosen = kinds.split(",") if kinds else [n for n, k in KINDS.items() if k.kept == kept and not k.honest]
    table = results / ("final.csv" if kept else "blind.csv")
    results.mkdir(parents=True, exist_ok=True)
    done = set()
    if table.exists():
        with table.open(newline="") as file:
            done = {(row["set"], row["panel"], row["baseline"], row["candidate"]) for row in csv.DictReader(file)}
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for kind in chosen:
            for family in families.split(","):
                # The baseline of a family; and for other families the plain one, as where an architecture changes.
                for base in dict.fromkeys((family, "plain")):
                    names = [f"{honest}_{base}_{k}" for k in (0, *TWINS)]
                    if not all((folder / f"{name}.keras").exists() for name in names):
                        continue
                    todo = [
                        label
                        for label in list_candidates(folder, kind, family, honest=honest, kept=kept)
                        if (set_name, kind, names[0], label) not in done and label not in names
                    ]
                    if not any(label.startswith(f"{kind}_") for label in todo):
                        continue
                    references = [load_answers(folder, name, kind, pictures) for name in names]
                    for label in todo:
                        found = compare_answers(load_answers(folder, label, kind, pictures), references)
                        writer.writerow(
                            {
                                **{"set": set_name, "panel": kind, "baseline": names[0], "candidate": label},
                                **{"honest": int(KINDS[label.rsplit("_", 2)[0]].honest), "kept": int(kept)},
                                "reliance": round(measure_reliance(folder, label, pictures), 4),
                                **{key: round(value, 5) for key, value in found.items()},
                            }
                        )
                        file.flush()
                    print(f"{set_name}, {kind}: {len(todo)} of {family} against {names[0]}", flush=True)


if __name__ == "__main__":
    main()
