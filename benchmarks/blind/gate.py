"""Ask the whole gate, calibrated with three retrained twins, about networks whose accuracy is equal.

    python benchmarks/blind/gate.py digits --out blind --results benchmarks/blind/results --kinds glyph75,badge100

One row a network: the verdict of every suite and of the gate, and what was red. The limits are those
that ``modelcheck init`` writes for a panel without regions, and those on triggers gate. Signatures
that are in the output folder are kept. The baseline and its twins are of the candidate's family
(``--family``), or of another, as where an architecture changes (``--baseline plain --family normed``).
"""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from answers import list_networks, make_panel, measure_reliance
from blind import list_candidates
from kinds import FAMILIES, KINDS
from pictures import SETS, load_set

from modelcheck.cli.limits import Questions, starter_criteria
from modelcheck.comparison import METRICS, Comparison, compare, reduce_twin
from modelcheck.gate.plan import Plan, make_plan
from modelcheck.gate.settings import Settings
from modelcheck.judgement.criteria import criterion_for
from modelcheck.judgement.findings import Finding, judge, overall
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, read_signature

TWINS = range(1, 4)
AREAS = ("features", "places", "accuracy", "triggers")
# Hidden layers gate on how many units have a map alone; nothing is asked of attributions without regions.
RECIPE = Recipe(units_per_layer=8, untrained_twins=2, attribution_methods=())
VALUES = ("place_distance", "content_distance", "likeness", "worst_likeness", "map_agreement", "trigger", "reach")
COLUMNS = (
    "set",
    "panel",
    "baseline",
    "candidate",
    "honest",
    "kept",
    "reliance",
    "accuracy_change",
    *AREAS,
    "gate",
    "red",
    *VALUES,
    "seconds",
)


def make_gate_panel(folder: Path, kind: str, set_name: str, faces: Path | None) -> Panel:
    """Return a kind's panel as the gate takes it."""
    pictures = load_set(set_name, faces)
    part = make_panel(folder, pictures, kind)
    return Panel(part.images, part.labels, subjects=part.subjects, class_names=pictures.class_names)


def measure_baseline(folder: Path, where: Path, panel: Panel, *, family: str, honest: str) -> Signature:
    """Return the baseline with its retrained twins, measured where that was not done."""
    from modelcheck.measurement import measure

    if not (where / "manifest.json").exists():
        baseline = measure(folder / f"{honest}_{family}_0.keras", panel, RECIPE, twins=False)
        twins = [
            measure(folder / f"{honest}_{family}_{k}.keras", panel, RECIPE, stimuli=baseline, twins=False)
            for k in TWINS
        ]
        replace(baseline, retrained=tuple(reduce_twin(baseline, twin) for twin in twins)).write(where)
    return read_signature(where)


def plan_gate(where: Path) -> Plan:
    """Return what is judged: the limits of a new project whose baseline has retrained twins."""
    criteria = where / "criteria.toml"
    criteria.write_text(starter_criteria(Questions(subjects=True, triggers=True)))
    return make_plan(Settings(baseline=where / "baseline", candidate=where, criteria=criteria))


def judge_all(comparison: Comparison, plan: Plan) -> list[Finding]:
    """Return a finding for all that was planned."""
    findings = []
    for metric, about in sorted(plan.pairs):
        criterion = criterion_for(plan.criteria, metric, about)
        if criterion is not None:  # as it is for all that is planned
            findings.append(judge(comparison.find(metric, about), criterion))
    return findings


def describe(comparison: Comparison, plan: Plan) -> dict[str, object]:
    """Return the verdicts of a candidate, and what was red."""
    findings = judge_all(comparison, plan)
    said: dict[str, object] = {}
    for area in AREAS:
        rows = [row for row in findings if METRICS[row.measured.metric].area == area]
        said[area] = overall(rows).value if rows else ""
    red = sorted({row.measured.metric for row in findings if row.red})
    return said | {"gate": overall(findings).value, "red": " ".join(red)}


def read_value(comparison: Comparison, metric: str) -> float:
    """Return what a candidate reaches of a metric, of the decision or of the network."""
    [value] = [item.value for (name, _), item in comparison.measures.items() if name == metric]
    return round(value, 4)


def draw_honest(folder: Path, kind: str, *, family: str, count: int) -> list[str]:
    """Return some of the honest networks, other ones on each panel; those that were kept on kept panels alone."""
    labels = list_candidates(folder, kind, family, honest="clean", kept=KINDS[kind].kept)
    labels = [label for label in labels if KINDS[label.rsplit("_", 2)[0]].honest]
    rng = np.random.Generator(np.random.Philox(key=[17, list(KINDS).index(kind)]))
    return [labels[k] for k in np.sort(rng.permutation(len(labels))[:count])]


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--kinds", required=True, help="Whose panels, and whose networks, comma-separated.")
@click.option("--seeds", default=3, show_default=True, help="Networks of each kind.")
@click.option("--honest", default=4, show_default=True, help="Honest networks on each panel, drawn from all there are.")
@click.option("--family", type=click.Choice(FAMILIES), default="plain", show_default=True, help="Of the candidates.")
@click.option("--baseline", type=click.Choice(FAMILIES), help="Family of baseline and twins; by default the same.")
def main(
    set_name: str,
    *,
    out: Path,
    faces: Path | None,
    results: Path,
    kinds: str,
    seeds: int,
    honest: int,
    family: str,
    baseline: str | None,
) -> None:
    """Measure, judge, and add rows to the table."""
    import tensorflow as tf

    from modelcheck.measurement import measure

    tf.config.threading.set_intra_op_parallelism_threads(1)
    folder, pictures = out / set_name, load_set(set_name, faces)
    names, base = kinds.split(","), baseline or family
    if len({KINDS[kind].kept for kind in names}) > 1:
        raise click.UsageError("Some of these kinds were kept for the final run: give them in a run of their own.")
    target = results / ("gate_final.csv" if KINDS[names[0]].kept else "gate.csv")
    done = set()
    if target.exists():
        with target.open(newline="") as file:
            done = {(row["set"], row["panel"], row["baseline"], row["candidate"]) for row in csv.DictReader(file)}
    results.mkdir(parents=True, exist_ok=True)
    with target.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for kind in names:
            panel = make_gate_panel(folder, kind, set_name, faces)
            where = folder / "gate" / (KINDS[kind].panel + (f"_{base}" if base != "plain" else ""))
            release = measure_baseline(folder, where / "baseline", panel, family=base, honest="clean")
            plan = plan_gate(where)
            candidates = list_networks(folder, kind, family, seeds=range(seeds))
            candidates += draw_honest(folder, kind, family=family, count=honest)
            for label in candidates:
                if (set_name, kind, f"clean_{base}_0", label) in done:
                    continue
                start = time.perf_counter()
                if not (where / label / "manifest.json").exists():
                    measure(folder / f"{label}.keras", panel, RECIPE, stimuli=release).write(where / label)
                seconds = time.perf_counter() - start
                comparison = compare(release, read_signature(where / label))
                change = comparison.candidate.scores.argmax(axis=1), release.scores.argmax(axis=1)
                right = [float((answers == panel.labels).mean()) for answers in change]
                writer.writerow(
                    {
                        **{"set": set_name, "panel": kind, "baseline": f"clean_{base}_0", "candidate": label},
                        **{"honest": int(KINDS[label.rsplit("_", 2)[0]].honest), "kept": int(KINDS[kind].kept)},
                        "reliance": round(measure_reliance(folder, label, pictures), 4),
                        "accuracy_change": round(abs(right[0] - right[1]), 4),
                        **describe(comparison, plan),
                        **{name: read_value(comparison, name) for name in VALUES},
                        "seconds": round(seconds, 1),
                    }
                )
                file.flush()
                print(f"{set_name}, {kind}: {label}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
