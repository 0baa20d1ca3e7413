"""Gate every network of the story on CMU Faces: train on twelve people, judge on four, print one row a network.

Run it where CMU Faces is::

    python benchmarks/cmu_study.py faces --out study --seeds 3

Networks and signatures that are already in the output folder are kept, so an interrupted study goes on.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from modelcheck.compare import METRICS, Comparison, compare
from modelcheck.criteria import Criterion, Finding, Verdict, criterion_for, judge, overall, read_criteria
from modelcheck.faces.cmu import cmu_panel, read_cmu
from modelcheck.faces.networks import network
from modelcheck.faces.pictures import Pictures
from modelcheck.panel import Panel
from modelcheck.signature import read_signature

BASELINE = "experiment0_0"
SAME = ("experiment0", "half_filters", "deeper_dense", "wider_dense", "four_class", "one_dense", "linear_decision")
DIFFERENT = ("untrained", "shuffled_labels", "sunglasses", "shortcut", "face_shortcut", "right")
HARD = ("mobile", "residual")
CRITERIA = Path(__file__).parents[1] / "suites" / "criteria.toml"


def train_missing(folder: Path, out: Path, held_out: list[str], seeds: list[int]) -> None:
    """Train what is not there yet."""
    from modelcheck.faces.train import save, train

    table = read_cmu(folder, resolution=2)
    pictures = Pictures.from_frame(table[~table["subject"].isin(held_out)])
    wanted = [BASELINE] + [f"{name}_{seed}" for name in (*SAME, *HARD, *DIFFERENT) for seed in seeds]
    for label in wanted:
        path = out / f"{label}.keras"
        if not path.exists():
            name, seed = label.rsplit("_", 1)
            trained = train(name, pictures, seed=int(seed))
            save(trained.model, path)
            path.with_suffix(".json").write_text(json.dumps({"accuracy": trained.accuracy, "epochs": trained.epochs}))


def measure_missing(out: Path, panel: Panel) -> None:
    """Measure what is not there yet, the baseline first."""
    from modelcheck.measure import measure

    first = out / "signatures" / BASELINE
    if not (first / "manifest.json").exists():
        measure(out / f"{BASELINE}.keras", panel, twins=False).write(first)
    baseline = read_signature(first)
    for path in sorted(out.glob("*.keras")):
        folder = out / "signatures" / path.stem
        if not (folder / "manifest.json").exists():
            outputs = ["left", "not_left", "not_left", "not_left"] if path.stem.startswith("four_class") else None
            measure(path, panel, stimuli=baseline, outputs=outputs).write(folder)


def judged(comparison: Comparison, criteria: tuple[Criterion, ...]) -> list[Finding]:
    """Apply the release's criteria to everything that was measured."""
    findings = []
    for item in comparison.measures:
        criterion = criterion_for(criteria, item.metric, item.about)
        if criterion is not None:
            findings.append(judge(item.value, criterion, subject=item.about, interval=item.interval, n=item.n))
    return findings


def row(label: str, out: Path) -> str:
    """Return one network's row of the table."""
    baseline, candidate = (read_signature(out / "signatures" / name) for name in (BASELINE, label))
    has_dense = any(layer.name == "dense1" for layer in candidate.layers)
    comparison = compare(baseline, candidate, layers={} if has_dense else {"dense1": None})
    findings = judged(comparison, read_criteria(CRITERIA, metrics=METRICS))
    metrics = comparison.metrics

    def each(metric: str, about: tuple[str, ...]) -> str:
        return " ".join(f"{metrics.get(f'{metric}[{name}]', float('nan')):.2f}" for name in about)

    red = sorted({finding.key for finding in findings if finding.gating and finding.verdict is not Verdict.PASS})
    split = json.loads((out / f"{label}.json").read_text())["accuracy"]
    cells = [
        label,
        f"{candidate.model['parameters']:,}",
        f"{split:.2f}",
        each("subject_accuracy", comparison.subjects),
        f"{metrics['transfer[decision]']:.2f}",
        f"{metrics['coarse_similarity[decision]']:.2f}",
        each("map_ssim", ("conv1", "conv2", "conv3", "dense1")),
        each("mass_lift", ("left", "right", "straight", "up")),
        overall(findings).value,
        ", ".join(red) or "none",
    ]
    return "| " + " | ".join(cells) + " |"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where networks and signatures go.")
@click.option("--held-out", default="an2i,glickman,mitchell,saavik", show_default=True)
@click.option("--seeds", default="3", show_default=True, help="Comma-separated.")
def main(folder: Path, *, out: Path, held_out: str, seeds: str) -> None:
    """Train, measure, judge and print the table."""
    people = held_out.split(",")
    out.mkdir(parents=True, exist_ok=True)
    train_missing(folder, out, people, [int(seed) for seed in seeds.split(",")])
    measure_missing(out, cmu_panel(folder, resolution=2, subjects=people, task="left"))
    print(f"baseline {BASELINE}; accuracy of {', '.join(people)}; maps of conv1 conv2 conv3 dense1; mass by pose")
    print("| network | parameters | split | people | transfer | coarse | map SSIM | mass lift | verdict | red checks |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for path in sorted((out / "signatures").iterdir()):
        name = path.name.rsplit("_", 1)[0]
        if path.name != BASELINE and network(name):
            print(row(path.name, out))


if __name__ == "__main__":
    main()
