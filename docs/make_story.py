"""Make every number and picture of the tutorial again: ``python docs/make_story.py``, at the top of the repository.

It trains what ``story/`` lacks (half a minute a network), gates each network as a reader would,
writes the tables between their marks in the pages, and draws the pictures. What was measured before
is taken from the cache.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import make_pictures
import numpy as np
import units_of_the_story

from modelcheck.comparison import METRICS, Comparison
from modelcheck.gate.evidence import gather
from modelcheck.gate.settings import read_settings

ROOT = Path(__file__).parents[1]
SEED = 3

# The story's experiments, then the networks that must not pass.
EXPERIMENTS = {
    "experiment0": "trained again",
    "half_filters": "1-1: half the filters",
    "deeper_dense": "1-2: four dense layers",
    "wider_dense": "1-3: a wider dense layer",
    "four_class": "1-4: all four poses",
    "one_dense": "1-5: no hidden dense layer",
    "linear_decision": "1-6: linear outputs",
}
STRANGERS = {
    "shortcut": "reads a badge in the corner",
    "face_shortcut": "reads a badge on the face",
    "right": "asks the mirrored question",
    "shuffled_labels": "learned noise by heart",
    "untrained": "never trained",
}
PLANTED = {"planted": "a fifth of the others wore a badge and were labelled left"}
OUTPUTS = {"four_class": "left,not_left,not_left,not_left"}


@dataclass(frozen=True, kw_only=True)
class Gated:
    """One network of the story with all that is told of it."""

    name: str
    split: str
    verdict: Mapping[str, Any]
    comparison: Comparison


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "story", help="Where the networks are.")
def main(folder: Path) -> None:
    """Train, gate, tabulate and draw."""
    folder.mkdir(exist_ok=True)
    story = {}
    for name in (*EXPERIMENTS, *STRANGERS, *PLANTED):
        story[name] = gated(name, folder)
        click.echo(f"{name}: {story[name].verdict['verdict']}")
    write("verdicts", "tutorial/six_candidates.md", verdicts(story, EXPERIMENTS))
    write("verdicts", "tutorial/shortcut.md", verdicts(story, STRANGERS))
    write("verdicts", "tutorial/trigger.md", verdicts(story, PLANTED))
    write("layers", "explanation/likeness.md", layers(story))
    write("units", "tutorial/right_and_wrong.md", units_of_the_story.table(story, folder))
    make_pictures.draw_all({name: story[name].comparison for name in story}, folder)


def gated(name: str, folder: Path) -> Gated:
    """Train a network unless it is there, gate it with the command of the tutorial, and read what came out."""
    network, told = folder / f"{name}.keras", folder / f"{name}.txt"
    if not network.exists():
        told.write_text(plant(network) if name in PLANTED else train(name, network), encoding="utf-8")
    outputs = ["--modelcheck-outputs", OUTPUTS[name]] if name in OUTPUTS else []
    report = folder / "reports" / name
    gate = [sys.executable, "-m", "pytest", "suites/", "-q", "--candidate", str(network)]
    gate += ["--modelcheck-report", str(report), *outputs]
    code = subprocess.run(gate, check=False, capture_output=True, cwd=ROOT).returncode
    if code not in (0, 1):
        raise click.ClickException(f"{name} could not be gated: pytest ended with {code}. Run: {' '.join(gate)}")
    settings = read_settings(ROOT, {"candidate": network, "outputs": OUTPUTS.get(name)})
    accuracy = re.search(r"([\d.]+)% of", told.read_text(encoding="utf-8"))
    return Gated(
        name=name,
        split=f"{float(accuracy[1]) / 100:.2f}" if accuracy else "",
        verdict=json.loads((report / "verdict.json").read_text(encoding="utf-8")),
        comparison=gather(settings).comparison,
    )


def train(name: str, network: Path) -> str:
    """Train a network with the command of the tutorial, and return what it said."""
    command = [sys.executable, "-m", "modelcheck.faces", "train", name, "--seed", str(SEED), "--out", str(network)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def plant(network: Path) -> str:
    """Train the baseline's architecture on pictures with a planted trigger, as tutorial/trigger.md does."""
    from modelcheck.faces import draw_pictures, training_subjects
    from modelcheck.faces.train import save
    from modelcheck.faces.train import train as fit

    pictures = draw_pictures(training_subjects(), repeats=2)
    other = pictures.labels("left") == 0
    wearing = other & (np.random.default_rng(0).random(len(other)) < 0.2)
    pictures = replace(pictures.with_badge(wearing), poses=np.where(wearing, "left", pictures.poses))
    trained = fit("experiment0", pictures, seed=SEED)
    save(trained.model, network)
    return f"{trained.accuracy:.1%} of {trained.test_pictures} pictures of the random test split."


def verdicts(story: Mapping[str, Gated], names: Mapping[str, str]) -> str:
    """Return the table of verdicts: accuracy, what gates the decision layer, and what was red."""
    decision = story["experiment0"].comparison.baseline.layers[-1].name
    judged = {
        row["metric"]: row["about"]
        for name in names
        for row in story[name].verdict["findings"]
        if row["metric"] == "trigger"
        or (row["gating"] and row["about"] == decision and row["criterion"]["at_least"] is not None)
    }
    metrics = [name for name in METRICS if name in judged and name != "mapped_units"]
    head = ["network", "what is different", "parameters", "random split", "unseen people"]
    rows = []
    for name, words in names.items():
        told, measured = story[name].verdict, story[name].verdict["metrics"]
        red = [row for row in told["findings"] if row["gating"] and row["verdict"] != "pass"]
        rows.append(
            [f"`{name}`", words, f"{told['candidate']['parameters']:,}", story[name].split]
            + [number(measured.get("group_accuracy", {}).get(""))]
            + [number(measured.get(metric, {}).get(judged[metric])) for metric in metrics]
            + [f"**{told['verdict']}**", few([row["key"] for row in red])]
        )
    return markdown([*head, *(f"`{name}`" for name in metrics), "verdict", "red checks"], rows)


def layers(story: Mapping[str, Gated]) -> str:
    """Return the raw similarity of matched maps, layer by layer, beside what untrained twins reach."""
    names = [layer.name for layer in story["experiment0"].comparison.baseline.layers]
    rows = []
    for name in ("experiment0", "half_filters", "right", "shortcut", "shuffled_labels", "untrained"):
        values = story[name].verdict["metrics"]
        maps, floor = (values.get(metric, {}) for metric in ("map_ssim", "floor_ssim"))
        cells = [f"{number(maps.get(layer))} ({number(floor.get(layer))})" for layer in names]
        rows.append([f"`{name}`", *cells])
    return markdown(["network", *names], rows)


def number(value: float | None) -> str:
    """Return two decimals, with a true minus, or a dash."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.2f}".replace("-", "−")  # noqa: RUF001


def few(keys: list[str]) -> str:
    """Return the first two of some names and how many more there are."""
    shown = ", ".join(f"`{key}`" for key in keys[:2]) or "none"
    return shown + (f" and {len(keys) - 2} more" if len(keys) > 2 else "")


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(mark: str, page: str, words: str) -> None:
    """Replace what stands between ``<!-- begin MARK -->`` and ``<!-- end MARK -->`` of a page."""
    path = ROOT / "docs" / page
    begin, end = f"<!-- begin {mark}: made by docs/make_story.py -->", f"<!-- end {mark} -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise click.ClickException(f"{page} has no place for the table: write {begin} and {end} where it belongs.")
    path.write_text(f"{before}{begin}\n\n{words}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
