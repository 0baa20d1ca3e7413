"""Commands that make a panel of held-out pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelcheck.cli.shared import FILE
from modelcheck.gate.settings import split_names

__all__ = ["panel"]


@click.group()
def panel() -> None:
    """Make a panel of held-out pictures.

    \b
    Examples:
      modelcheck panel drawn --out panel.npz
      modelcheck panel cmu faces --subjects an2i,glickman --task left --out panel.npz
    From your own pictures, in Python: modelcheck.Panel.from_frame(table).save("panel.npz")
    """


@panel.command()
@click.argument("folder", type=FILE)
@click.option("--resolution", type=click.Choice(["1", "2", "4"]), default="2", show_default=True)
@click.option("--subjects", help="Comma-separated; everybody by default.")
@click.option("--task", default="left", show_default=True, help="left, right, four or sunglasses.")
@click.option("--out", type=FILE, required=True, help="The panel file to write.")
def cmu(folder: Path, *, resolution: str, subjects: str | None, task: str, out: Path) -> None:
    """Make a panel from CMU Faces as distributed.

    \b
    Example:
      modelcheck panel cmu faces --resolution 2 --subjects an2i,glickman --task left --out panel.npz
    """
    from modelcheck.faces.cmu import cmu_panel

    names = split_names(subjects) if subjects else None
    _save(cmu_panel(folder, resolution=int(resolution), subjects=names, task=task), out)


@panel.command()
@click.option("--task", default="left", show_default=True, help="left, right, four or sunglasses.")
@click.option("--repeats", default=1, show_default=True, help="How often each picture is drawn anew.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=FILE, required=True, help="The panel file to write.")
def drawn(*, task: str, repeats: int, seed: int, out: Path) -> None:
    """Make a panel of drawn people whom the drawn training set does not hold.

    \b
    Example:
      modelcheck panel drawn --task left --out panel.npz
    """
    from modelcheck.faces.drawn import colleagues, draw_panel, visitors

    _save(draw_panel((*colleagues(), *visitors()), task=task, repeats=repeats, seed=seed), out)


def _save(made: Any, out: Path) -> None:
    made.save(out)
    people = len(set(made.subjects.tolist()))
    click.echo(f"Wrote {len(made)} pictures of {people} people to {out} (digest {made.digest()[:12]}).")
