"""The worked example's command line: train a network of the story, convert one, make the committed default again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from modelcheck.faces.drawn import colleagues, draw_panel, draw_pictures, training_subjects, visitors
from modelcheck.faces.networks import NETWORKS, network
from modelcheck.faces.pictures import Pictures
from modelcheck.faces.silence import silence
from modelcheck.panel import Panel

if TYPE_CHECKING:
    from modelcheck.faces.export import Precision

__all__ = ["main"]

# The reductions that CMU Faces comes in.
_SCALES: dict[str, Literal[1, 2, 4]] = {"1": 1, "2": 2, "4": 4}
# Those of modelcheck.faces.export, which is heavy to import.
_PRECISIONS = ("float32", "float16", "dynamic", "int8")
# Each network another seed: two trainings must find the same features for the gate to let one
# replace the other.
_COMMITTED = {"experiment0": 0, "half_filters": 1, "shortcut": 2}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train the networks of the worked example, and convert them to files for phones.

    \b
    Examples:
      python -m modelcheck.faces train half_filters --data drawn --seed 3 --out half.keras
      python -m modelcheck.faces export half.keras --to int8 --panel heldout.npz --out half.tflite
    """


@main.command(epilog=f"The networks are: {', '.join(NETWORKS)}.")
@click.argument("name")
@click.option("--data", default="drawn", show_default=True, help="drawn, or cmu:FOLDER of CMU Faces.")
@click.option("--subjects", help="Comma-separated people of CMU Faces to train on; all by default.")
@click.option("--resolution", type=click.Choice(list(_SCALES)), default="2", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .keras file.")
def train(name: str, data: str, subjects: str | None, resolution: str, seed: int, out: Path) -> None:
    """Train the network NAME and save it.

    \b
    Example:
      python -m modelcheck.faces train experiment0 --data cmu:faces --seed 3 --out e0.keras
    """
    try:
        network(name)
        if out.suffix != ".keras":
            raise ValueError(f"A network is saved as .keras, not {out.name!r}. Name it {out.stem}.keras.")
        pictures = _read(data, subjects, resolution)
        record = _train_and_save(name, pictures, seed, out)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{name}: {record['accuracy']:.1%} of {record['test_pictures']} pictures of the random test split after "
        f"{record['epochs']} passes; saved as {out}."
    )


@main.command()
@click.argument("model", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", type=click.Choice(_PRECISIONS), required=True, help="Of weights, or of all arithmetic (int8).")
@click.option(
    "--panel",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Pictures to calibrate int8 on, and to ask both files.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .tflite file.")
def export(model: Path, to: Precision, panel: Path, out: Path) -> None:
    """Convert the network file MODEL to LiteRT, and say what that changed.

    \b
    Example, at the top of the repository:
      python -m modelcheck.faces export networks/half_filters.keras --to int8 \\
        --panel baselines/drawn-faces/panel.npz --out half_filters_int8.tflite
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter is not for this reader
    try:
        held_out = Panel.load(panel)
        with silence():  # TensorFlow only where something is converted
            from modelcheck.faces.export import check_target, write
            from modelcheck.faces.export import export as convert_and_ask
            from modelcheck.network.loading import load_network

        check_target(out)
        loaded, _ = load_network(model)
        data, difference = convert_and_ask(loaded, held_out, to=to)
        write(out, data)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: LiteRT, {to}, {len(data)} bytes.")
    if difference is None:
        click.echo(
            "What that changed was not measured: ai-edge-litert is not installed. Install it, then again: "
            "pip install 'modelcheck[litert]'"
        )
    else:
        click.echo(
            f"On the panel's {difference.pictures} pictures the largest difference of {difference.of_what} is "
            f"{difference.largest:.2g}, and {difference.changed} of the answers changed."
        )


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), show_default=True)
def default(out: Path) -> None:
    """Draw the held-out panel and train the committed networks again, from nothing.

    \b
    Example, at the top of the repository:
      python -m modelcheck.faces default --out .
    """
    panel = draw_panel((*colleagues(), *visitors()), task="left")
    panel.save(out / "baselines" / "drawn-faces" / "panel.npz")
    click.echo(f"panel: {len(panel)} pictures of {len(set(panel.subjects.tolist()))} held-out people.")
    pictures = draw_pictures(training_subjects(), repeats=2)
    records = {}
    for name, seed in _COMMITTED.items():
        records[name] = _train_and_save(name, pictures, seed, out / "networks" / f"{name}.keras")
        click.echo(f"{name}: {records[name]['accuracy']:.1%} on the random test split.")
    (out / "networks" / "training.json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def _read(data: str, subjects: str | None, resolution: str) -> Pictures:
    kind, _, folder = data.partition(":")
    if data == "drawn" and subjects is None:
        return draw_pictures(training_subjects(), repeats=2)
    if kind == "cmu" and folder:
        from modelcheck.faces.cmu import read_cmu  # pandas is heavy; drawn faces need none

        people = None if subjects is None else [name.strip() for name in subjects.split(",")]
        return Pictures.from_frame(read_cmu(folder, resolution=_SCALES[resolution], subjects=people))
    raise ValueError(
        f"Pictures come from --data drawn or --data cmu:FOLDER, not {data!r}"
        f"{'' if subjects is None else ' with --subjects, which only CMU Faces has'}."
    )


def _train_and_save(name: str, pictures: Pictures, seed: int, path: Path) -> dict[str, float | int]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter is not for this reader
    from modelcheck.faces.train import save, train  # TensorFlow only where something is trained

    trained = train(name, pictures, seed=seed)
    save(trained.model, path)
    return {
        "seed": seed,
        "epochs": trained.epochs,
        "accuracy": trained.accuracy,
        "test_pictures": trained.test_pictures,
        "parameters": int(trained.model.count_params()),
    }


if __name__ == "__main__":
    main(prog_name="python -m modelcheck.faces")
