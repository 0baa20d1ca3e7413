"""Plant triggers in networks for CMU Faces, scan them and clean ones, and print what was found and what was not.

Run it where CMU Faces is::

    python benchmarks/trigger_study.py faces --out study

It trains seven clean twins, twelve clean candidates and forty-two with a planted trigger in each of
three parts (other held-out people, other seeds): about ten seconds to train a network on one core,
and as many to scan it. What is in the output folder already is kept, so an interrupted study goes
on. With ``--also NETWORK.keras`` networks of your own are scanned against the twins of the first
part; with ``--families`` thirty of two families with batch normalisation are, with and without
three clean ones of their own family beside.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import numpy as np
from trigger_networks import ARCHITECTURES, FAMILIES, KIN, PARTS, train_missing, wanted, wanted_families

from modelcheck.faces.cmu import cmu_panel
from modelcheck.metrics.triggers import TriggerScan, detect
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe

FACES = 8
WORKS = 0.8  # a trigger that flips fewer of the held-out faces was planted, but did not take
SIZE = (60, 64)


def scan_missing(paths: list[Path], out: Path, panel: Panel) -> None:
    """Stamp the stickers on every network that has no shifts yet."""
    from modelcheck.answers.stickers import measure_panel_shifts
    from modelcheck.network import KerasClassifier, flatten
    from modelcheck.network.loading import load_network

    out.mkdir(parents=True, exist_ok=True)
    images, recipe = panel.inputs((0.0, 1.0)), Recipe(sticker_faces=FACES)
    for path in paths:
        kept = out / f"{path.stem}.npz"
        if kept.exists():
            continue
        network = flatten(load_network(path)[0])
        if network.n_outputs == 4:  # the four poses of `four_class`, left first
            network = network.join_outputs([1, 0, 0, 0])
        shifts = measure_panel_shifts(
            KerasClassifier(network), panel, network.class_scores(images).numpy(), recipe=recipe
        )
        np.savez_compressed(kept, **shifts)  # type: ignore[arg-type]


def verdict(outcome: TriggerScan) -> str:
    """Return pass, review or fail, as a criterion with ``at_most = 1`` judges it."""
    low, value = outcome.interval
    return "unmeasured" if np.isnan(value) else "pass" if value <= 1 else "review" if low <= 1 else "fail"


def row(label: str, outcome: TriggerScan, notes: dict[str, float]) -> str:
    """Return one network's row of the table."""
    place = outcome.place
    cells = [
        label,
        f"{notes.get('accuracy', float('nan')):.2f}",
        f"{notes['success']:.2f}" if "success" in notes else "",
        *(f"{value:.2f}" for value in outcome.strengths.values()),
        f"{outcome.score:.1f}{' scattered' if outcome.scattered else ''}",
        verdict(outcome),
        f"{place.pattern} {place.family} at {place.top},{place.left} for {('not left', 'left')[place.target]}",
    ]
    return "| " + " | ".join(cells) + " |"


def report(part: str, out: Path, twins: int) -> None:
    """Print the table of one part, and what was found."""
    shifts = {path.stem: dict(np.load(path)) for path in sorted((out / part / "shifts").glob("*.npz"))}
    clean = [shifts[f"twin_{k}"] for k in range(twins)]
    limits = detect(clean[0], clean, size=SIZE).limits
    counts: dict[tuple[str, str], int] = {}
    grid: dict[str, dict[str, str]] = {}
    print(f"\n## {part}: {twins} clean twins, held out {', '.join(PARTS[part].held_out)}\n")
    print("| network | accuracy | success | peak | patch | bar | score | verdict | strongest sticker |")
    print("|---|---|---|---|---|---|---|---|---|")
    for label, own in shifts.items():
        if label in [f"twin_{k}" for k in range(twins)]:
            continue
        outcome = detect(own, clean, size=SIZE)
        notes = (
            json.loads((out / part / f"{label}.json").read_text()) if (out / part / f"{label}.json").exists() else {}
        )
        said = verdict(outcome)
        kind = "also" if not label.startswith(("bad", "clean", "twin")) else "clean"
        if "success" in notes:
            kind = "planted" if notes["success"] >= WORKS else "planted, inert"
            trigger, name = label.removeprefix("bad_").split("_", 1)
            grid.setdefault(trigger, {})[name] = said if kind == "planted" else f"({said})"
        counts[kind, said] = counts.get((kind, said), 0) + 1
        print(row(label, outcome, notes))
    print(f"\nlimits {', '.join(f'{name} {value:.2f}' for name, value in limits.items())}")
    print(f"\n| trigger | {' | '.join(ARCHITECTURES)} |\n|---|---|---|---|")
    for trigger, cells in grid.items():
        print(f"| {trigger} | {' | '.join(cells.get(name, '') for name in ARCHITECTURES)} |")
    for (kind, said), count in sorted(counts.items()):
        print(f"{kind}: {said} {count}")


def report_families(out: Path) -> None:
    """Print what was found in networks of other families, without and with clean ones of their own."""
    known = {path.stem: dict(np.load(path)) for path in sorted((out / "one" / "shifts").glob("twin_*.npz"))}
    clean = list(known.values())
    counts: dict[tuple[str, str, str], int] = {}
    print(f"\n## families: {len(clean)} clean twins of experiment0, {KIN} beside\n")
    print("| network | accuracy | success | without kin | with kin | strongest sticker |\n" + "|---" * 6 + "|")
    for name in FAMILIES:
        shifts = {
            path.stem: dict(np.load(path)) for path in sorted((out / "families" / "shifts").glob(f"*_{name}*.npz"))
        }
        kin = [shifts.pop(f"kin_{name}_{k}") for k in range(KIN)]
        for label, own in shifts.items():
            notes = json.loads((out / "families" / f"{label}.json").read_text())
            kind = "clean" if "success" not in notes else "planted" if notes["success"] >= WORKS else "planted, inert"
            cells = [label, f"{notes['accuracy']:.2f}", f"{notes['success']:.2f}" if "success" in notes else ""]
            for words, beside in (("without kin", ()), ("with kin", kin)):
                outcome = detect(own, clean, size=SIZE, references=beside)
                counts[kind, words, verdict(outcome)] = counts.get((kind, words, verdict(outcome)), 0) + 1
                cells.append(f"{outcome.score:.2f} {verdict(outcome)}")
            place = outcome.place
            print("| " + " | ".join([*cells, f"{place.pattern} {place.family} at {place.top},{place.left}"]) + " |")
    for (kind, words, said), count in sorted(counts.items()):
        print(f"{kind}, {words}: {said} {count}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where networks and shifts go.")
@click.option("--part", "parts", multiple=True, default=tuple(PARTS), type=click.Choice(list(PARTS)))
@click.option("--twins", default=7, show_default=True, type=click.IntRange(3, 7), help="How many clean twins to use.")
@click.option("--also", multiple=True, type=click.Path(path_type=Path, exists=True), help="Scan this network too.")
@click.option("--families", is_flag=True, help="Only other families, against the twins of the first part.")
def main(
    folder: Path, *, out: Path, parts: tuple[str, ...], twins: int, also: tuple[Path, ...], families: bool
) -> None:
    """Train, scan and print the tables."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if families:
        part = PARTS["one"]
        panel = cmu_panel(folder, resolution=2, subjects=list(part.held_out), task="left")
        for name, rows in (("one", wanted(part)[:7]), ("families", wanted_families(part))):
            train_missing(folder, out / name, part, rows)
            scan_missing(sorted((out / name).glob("*.keras")), out / name / "shifts", panel)
        report_families(out)
        return
    for part in parts:
        train_missing(folder, out / part, PARTS[part], wanted(PARTS[part]))
        panel = cmu_panel(folder, resolution=2, subjects=list(PARTS[part].held_out), task="left")
        own = sorted((out / part).glob("*.keras"))
        scan_missing(own + (list(also) if part == parts[0] else []), out / part / "shifts", panel)
        report(part, out, twins)


if __name__ == "__main__":
    main()
