"""The tables' example's command line: write the held-out rows as a panel, train a network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelcheck.tables.data import TABLES, held_out, training
from modelcheck.tables.networks import NETWORKS, network
from modelcheck.tables.planted import KINDS

__all__ = ["main"]

_WHY = {name: row.why for name, row in TABLES.items()} | {name: row.why for name, row in KINDS.items()}
_TABLES = f"The tables are: {'; '.join(f'{name}, {why}' for name, why in _WHY.items())}."
_NETWORKS = f"The networks are: {'; '.join(f'{name}, {row.why}' for name, row in NETWORKS.items())}."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Write the rows and train the networks of the tables' example.

    \b
    Example:
      python -m modelcheck.tables panel breast_cancer --to heldout.npz
      python -m modelcheck.tables train breast_cancer --to release.keras
    """


@main.command(epilog=_TABLES)
@click.argument("name")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .npz file.")
def panel(name: str, to: Path) -> None:
    """Write the held-out rows of the table NAME as a panel.

    \b
    Example:
      python -m modelcheck.tables panel breast_cancer --to heldout.npz
    """
    try:
        made = held_out(name).panel()
        to.parent.mkdir(parents=True, exist_ok=True)
        made.save(to)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {made!r} to {to}.")


@main.command(epilog=f"{_NETWORKS} {_TABLES}")
@click.argument("name")
@click.option("--network", "which", default="release", show_default=True, help="Which network.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .keras file.")
def train(name: str, which: str, seed: int, to: Path) -> None:
    """Train a network on the table NAME and save it.

    \b
    Example:
      python -m modelcheck.tables train breast_cancer --network shortcut --seed 5 --to networks/shortcut.keras
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter is not for this reader
    try:
        row = network(which)
        if to.suffix != ".keras":
            raise ValueError(f"A network is saved as .keras, not {to.name!r}. Name it {to.stem}.keras.")
        learned, judged = training(name, tells=row.tells), held_out(name)
        from modelcheck.faces.train import save  # TensorFlow only where something is trained
        from modelcheck.tables.train import train as train_network

        trained = train_network(which, learned, judged, seed=seed)
        to.parent.mkdir(parents=True, exist_ok=True)
        save(trained.model, to)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{which}: {trained.right:.1%} of {len(judged)} held-out rows; saved as {to}.")


if __name__ == "__main__":
    main(prog_name="python -m modelcheck.tables")
