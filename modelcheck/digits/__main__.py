"""The digits example's command line: write the held-out pictures, train a network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelcheck.digits.networks import NETWORKS, network
from modelcheck.digits.pictures import held_out, write_folder

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make the pictures and train the networks of the digits example.

    \b
    Example:
      python -m modelcheck.digits pictures heldout
      python -m modelcheck.digits train release --out release.keras
    """


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def pictures(folder: Path) -> None:
    """Write the 500 held-out pictures into FOLDER, one folder a class.

    \b
    Example:
      python -m modelcheck.digits pictures heldout
    """
    try:
        written = write_folder(held_out(), folder)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Wrote {written} pictures of ten classes to {folder}.")


@main.command(epilog=f"The networks are: {'; '.join(f'{name}, {row.why}' for name, row in NETWORKS.items())}.")
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .keras file.")
def train(name: str, seed: int, out: Path) -> None:
    """Train the network NAME and save it.

    \b
    Example:
      python -m modelcheck.digits train smaller --seed 3 --out candidate.keras
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own chatter is not for this reader
    try:
        network(name)
        if out.suffix != ".keras":
            raise ValueError(f"A network is saved as .keras, not {out.name!r}. Name it {out.stem}.keras.")
        from modelcheck.digits.train import train as train_network  # TensorFlow only where something is trained
        from modelcheck.faces.train import save

        trained = train_network(name, seed=seed)
        save(trained.model, out)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name}: {trained.accuracy:.1%} of 500 held-out pictures; saved as {out}.")


if __name__ == "__main__":
    main(prog_name="python -m modelcheck.digits")
