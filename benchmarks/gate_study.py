"""Gate every kind of network on faces: train on some people, judge on others, print one row a network.

On CMU Faces, twelve people against four, and on the drawn faces of the embedded default::

    python benchmarks/gate_study.py faces --out study --seeds 3,4,6
    python benchmarks/gate_study.py drawn --out drawn-study --seeds 3,4

Networks and signatures that are already in the output folder are kept, so an interrupted study goes
on, and several processes may share the work: ``--part 0/2`` and ``--part 1/2``, then once without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from variants import VARIANTS

from modelcheck.comparison import METRICS, Comparison, compare, reduce_twin
from modelcheck.faces.cmu import cmu_panel, read_cmu
from modelcheck.faces.drawn import draw_pictures, training_subjects
from modelcheck.faces.pictures import Pictures
from modelcheck.interface import Interface
from modelcheck.judgement.criteria import Criterion, criterion_for, read_criteria
from modelcheck.judgement.findings import Finding, Verdict, judge, overall
from modelcheck.panel import Panel
from modelcheck.report.words import area_of
from modelcheck.signature import Signature, read_signature

ROOT = Path(__file__).parents[1]
BASELINE = "experiment0_0"
AREAS = ("features", "accuracy", "attention")
TWINS = ("experiment0_1", "experiment0_2", "experiment0_5")
# Clean networks of the families that the baseline is not of; their seeds are nobody's in the table.
KIN = tuple(f"{name}_{seed}" for name in ("mobile", "mobile_wide", "residual", "residual_wide") for seed in (7, 8))
CRITERIA = ROOT / "suites" / "criteria.toml"
EMBEDDED = ROOT / "baselines" / "drawn-faces"
EMBEDDED_NETWORK = ROOT / "networks" / "experiment0.keras"


def cmu_pictures(folder: Path, held_out: Sequence[str]) -> Pictures:
    """Return the pictures of everybody who is not held out."""
    table = read_cmu(folder, resolution=2)
    return Pictures.from_frame(table[~table["subject"].isin(held_out)])


def train_missing(pictures: Pictures, out: Path, labels: Sequence[str], *, baseline: Path) -> None:
    """Train what is not there yet; some kinds are made from the baseline network."""
    import keras

    from modelcheck.faces.train import save

    for label in labels:
        path = out / f"{label}.keras"
        if not path.exists():
            name, seed = label.rsplit("_", 1)
            made = VARIANTS[name].make(pictures, int(seed), lambda: keras.models.load_model(baseline))
            save(made[0], path)
            path.with_suffix(".json").write_text(json.dumps({"accuracy": made[1]}))


def calibrated_baseline(out: Path, panel: Panel) -> Signature:
    """Measure the baseline, its retrained twins and clean networks of other families, where that was not done."""
    from modelcheck.measurement import measure

    first = out / "signatures" / BASELINE
    if not (first / "manifest.json").exists() or len(read_signature(first).retrained) < len((*TWINS, *KIN)):
        baseline = measure(out / f"{BASELINE}.keras", panel, twins=False)
        kept = []
        for label in (*TWINS, *KIN):
            twin = measure(out / f"{label}.keras", panel, stimuli=baseline, twins=False)
            kept.append(reduce_twin(baseline, twin))
        replace(baseline, retrained=tuple(kept)).write(first)
    return read_signature(first)


def measure_missing(out: Path, panel: Panel, baseline: Signature, labels: Sequence[str]) -> None:
    """Measure what is not there yet."""
    from modelcheck.measurement import measure

    for label in labels:
        folder = out / "signatures" / label
        if not (folder / "manifest.json").exists():
            outputs = VARIANTS[label.rsplit("_", 1)[0]].outputs
            signature = measure(out / f"{label}.keras", panel, stimuli=baseline, interface=Interface(outputs=outputs))
            signature.write(folder)


def judged(comparison: Comparison, criteria: tuple[Criterion, ...]) -> list[Finding]:
    """Apply the release's criteria to everything that was measured."""
    findings = []
    for item in comparison.measures.values():
        criterion = criterion_for(criteria, item.metric, item.about)
        if criterion is not None:
            findings.append(judge(item, criterion))
    return findings


def row(label: str, out: Path, baseline: Signature) -> tuple[str, dict[str, float], dict[str, Verdict]]:
    """Return one network's row of the table, what it reached, and its verdicts: by area and all in all."""
    candidate = read_signature(out / "signatures" / label)
    has_dense = any(layer.name == "dense1" for layer in candidate.layers)
    comparison = compare(baseline, candidate, layers={} if has_dense else {"dense1": None})
    findings = judged(comparison, read_criteria(CRITERIA, metrics=METRICS)[0])
    metrics = comparison.metrics
    red = sorted({finding.key for finding in findings if finding.gating and finding.verdict is not Verdict.PASS})
    verdicts = {area: overall([item for item in findings if area_of(item.measured.metric) == area]) for area in AREAS}
    verdicts["all"] = overall(findings)
    split = json.loads((out / f"{label}.json").read_text())["accuracy"]
    decision = ("recognition", "natural_recognition", "likeness", "transfer", "coarse_similarity")
    cells = [
        label,
        f"{split:.2f}",
        f"{metrics['group_accuracy']:.2f}",
        *(f"{metrics[f'{name}[decision]']:.2f}" for name in decision),
        f"{metrics['lineage']:.2f}",
        f"{metrics['trigger']:.2f}",
        *(verdict.value for verdict in verdicts.values()),
        ", ".join(red[:2]) + (f" and {len(red) - 2} more" if len(red) > 2 else "") or "none",
    ]
    return "| " + " | ".join(cells) + " |", metrics, verdicts


def summary(reached: dict[str, dict[str, float]], verdicts: dict[str, dict[str, Verdict]]) -> list[str]:
    """Return what the table comes to: how far apart the two sides are, and which verdicts are wrong."""
    same = [label for label in reached if VARIANTS[label.rsplit("_", 1)[0]].same]
    other = [label for label in reached if label not in same]
    lines = []
    for metric in ("likeness", "recognition", "natural_recognition", "transfer", "coarse_similarity"):
        high, low = (np.array([reached[k][f"{metric}[decision]"] for k in side]) for side in (same, other))
        high, low = np.nan_to_num(high, nan=-9), np.nan_to_num(low, nan=-9)
        auroc = (high[:, None] > low[None]).mean()
        lines.append(f"{metric}: AUROC {auroc:.3f}, lowest same {high.min():.2f}, highest different {low.max():.2f}")
    for area in (*AREAS, "all"):
        said = {
            (side, verdict): [label for label in labels if verdicts[label][area] is verdict]
            for side, labels in (("same", same), ("different", other))
            for verdict in Verdict
        }
        counts = ", ".join(
            f"{len(labels)} {side} {verdict.value}" for (side, verdict), labels in said.items() if labels
        )
        wrong = said["same", Verdict.FAIL] + said["same", Verdict.UNMEASURED] + said["different", Verdict.PASS]
        lines.append(f"{area}: {counts}; same and failed, or different and passed: {', '.join(wrong) or 'none'}")
    return lines


@click.command()
@click.argument("faces")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where networks and signatures go.")
@click.option("--held-out", default="an2i,glickman,mitchell,saavik", show_default=True, help="Of CMU Faces.")
@click.option("--seeds", default="3", show_default=True, help="Comma-separated.")
@click.option("--kinds", help="Comma-separated; all by default.")
@click.option("--part", default="0/1", show_default=True, help="Measure only every n-th network, and print nothing.")
def main(faces: str, *, out: Path, held_out: str, seeds: str, kinds: str | None, part: str) -> None:
    """Train, measure, judge and print the table, on FACES: the folder of CMU Faces, or drawn."""
    drawn, people, (number, parts) = faces == "drawn", held_out.split(","), map(int, part.split("/"))
    names = kinds.split(",") if kinds else list(VARIANTS)
    labels = [f"{name}_{seed}" for name in names for seed in seeds.split(",")]
    labels = [label for label in labels if label not in (BASELINE, *TWINS, *KIN)]
    out.mkdir(parents=True, exist_ok=True)
    if number == 0:
        pictures = draw_pictures(training_subjects(), repeats=2) if drawn else cmu_pictures(Path(faces), people)
        needed = labels if drawn else [BASELINE, *TWINS, *KIN, *labels]
        train_missing(pictures, out, needed, baseline=EMBEDDED_NETWORK if drawn else out / f"{BASELINE}.keras")
    if drawn:
        panel, baseline = Panel.load(EMBEDDED / "panel.npz"), read_signature(EMBEDDED)
    else:
        panel = cmu_panel(faces, resolution=2, subjects=people, task="left")
        baseline = calibrated_baseline(out, panel)
    measure_missing(out, panel, baseline, labels[number::parts])
    if parts > 1:
        return
    retrained = len(baseline.twins_like(baseline))
    beside = len(baseline.retrained) - retrained
    print(f"baseline {baseline.model['file']}, {retrained} retrained twins, {beside} beside; {len(panel)} pictures")
    heads = (
        "network,split,unseen,recognition,natural recognition,likeness,transfer,coarse similarity,lineage,trigger,"
        "features,people,attention,all,red"
    )
    print("| " + heads.replace(",", " | ") + " |\n" + "|---" * 15 + "|")
    reached, verdicts = {}, {}
    for label in labels:
        line, reached[label], verdicts[label] = row(label, out, baseline)
        print(line)
    print("\n".join(["", *summary(reached, verdicts)]))


if __name__ == "__main__":
    main()
