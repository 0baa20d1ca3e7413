"""Which statistic tells, layer by layer, a retrained network from one that learned something else.

    python benchmarks/blind/layers.py digits --out blind --kind glyph100 --others half_plain_0,quarter_plain_0

The networks are those of `train.py`. Each layer's statistic is calibrated as the gate does it: 0 is
three untrained networks of the candidate's architecture, 1 is five retrained ones of the baseline's.
Signatures that are already in the output folder are kept.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from kinds import KINDS, panel_of
from pictures import SETS, load_set
from representations import MEASURES

from modelcheck.measurement import measure
from modelcheck.metrics.calibration import calibrate
from modelcheck.metrics.matching import match
from modelcheck.metrics.similarity import correlation_matrix
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, read_signature
from modelcheck.signature.counterparts import find_counterparts

BASELINE, TWINS, HONEST = "clean_plain_0", range(1, 6), range(6, 13)
PICTURES = 400
# Activations on the probe pictures are all that is asked for: maps of one unit, one step.
LIGHT = Recipe(units_per_layer=1, copies=1, starts=1, steps=1, attribution_methods=(), sticker_faces=0)

Statistic = Callable[[np.ndarray, np.ndarray], float]


def correlate_units(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean correlation of matched units, which is `activation_correlation`."""
    if left.shape[1] != right.shape[1]:
        return math.nan
    scores = correlation_matrix(left.transpose(2, 0, 1), right.transpose(2, 0, 1))
    return match(scores, range(len(scores)), range(scores.shape[1])).mean


def list_statistics() -> dict[str, Statistic]:
    """Return statistics of features ``(pictures, cells, units)``: of units where cells are joined to pictures."""
    made: dict[str, Statistic] = {"activation correlation": correlate_units}
    for name, measured in MEASURES.items():
        by_unit = name in ("soft matching", "linear regression")

        def score(left: np.ndarray, right: np.ndarray, chosen: object = measured, units: bool = by_unit) -> float:
            sides = [x.reshape(-1, x.shape[-1]) if units else x.reshape(len(x), -1) for x in (left, right)]
            if len(sides[0]) != len(sides[1]):
                return math.nan
            value = chosen.compute(*sides)  # type: ignore[attr-defined]
            return -value if chosen.distance else value  # type: ignore[attr-defined]

        made[name] = score
    return made


def score_layer(baseline: Signature, other: Signature, twins: list[Signature], layer: str, of: Statistic) -> float:
    """Return where a candidate's layer stands between its untrained twins and the baseline's retrained ones."""
    pairs = {pair.baseline.name: pair.candidate for pair in find_counterparts(baseline, other, {})}
    partner, features = pairs[layer], baseline.features[layer]
    if partner is None:
        return math.nan
    floor = [of(features, twin.features[partner.name]) for twin in other.twins]
    ceiling = [of(features, twin.features[layer]) for twin in twins]
    return calibrate(of(features, other.features[partner.name]), floor=floor, ceiling=ceiling)


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where train.py wrote its networks.")
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--kind", required=True, help="The kind to be told apart, on its own panel.")
@click.option("--others", default="", help="Further networks, comma-separated.")
def main(set_name: str, *, out: Path, faces: Path | None, kind: str, others: str) -> None:
    """Print a table: by statistic and layer, honest networks, those of the kind, and others, one by one."""
    pictures = load_set(set_name, faces)
    part = panel_of(pictures.held_out, KINDS[kind], classes=len(pictures.class_names)).subset(np.arange(PICTURES))
    panel = Panel(part.images, part.labels, subjects=part.subjects, class_names=pictures.class_names)

    def take(label: str) -> Signature:
        folder = out / f"{set_name}-layers" / KINDS[kind].panel / label
        if not (folder / "manifest.json").exists():
            measure(out / set_name / f"{label}.keras", panel, LIGHT).write(folder)
        return read_signature(folder)

    baseline, twins = take(BASELINE), [take(f"clean_plain_{seed}") for seed in TWINS]
    groups = {
        "retrained": [take(f"clean_plain_{seed}") for seed in HONEST],
        kind: [take(f"{kind}_plain_{seed}") for seed in range(5)],
    }
    groups |= {label: [take(label)] for label in others.split(",") if label}
    print("| statistic | layer |", " | ".join(groups), "|")
    print("|---" * (2 + len(groups)) + "|")
    for name, of in list_statistics().items():
        for record in baseline.layers[:-1]:
            cells = []
            for members in groups.values():
                found = [score_layer(baseline, other, twins, record.name, of) for other in members]
                ends = sorted({f"{value:.2f}" for value in (min(found), max(found))})
                cells.append(" to ".join(ends) if all(map(math.isfinite, found)) else "-")
            print(f"| {name} | {record.name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
