"""`modelcheck units`: which units a smaller network could spare, with the ablation effect as evidence."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelcheck.cli.interface import interface_options
from modelcheck.cli.shared import FILE, child_progress, recipe_from, say
from modelcheck.gate.child import examine_in_child
from modelcheck.gate.outputs import check_outputs
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import Request
from modelcheck.gate.settings import read_settings

if TYPE_CHECKING:
    from modelcheck.interface import Interface
    from modelcheck.pruning.layer_units import LayerUnits

__all__ = ["units"]


@click.command()
@click.argument("model", type=FILE)
@click.option("--panel", "panel_path", type=FILE, required=True, help="Pictures of the network's size (.npz).")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json).")
@interface_options
@click.option("--csv", "table", type=FILE, help="Also write one row a unit to this file.")
def units(model: Path, *, panel_path: Path, recipe_path: Path | None, interface: Interface, table: Path | None) -> None:
    """Look at every hidden unit of MODEL (.keras): what its HappyMap looks like, and what is lost without it.

    A unit is to spare when it is dead or flat, or when holding its activation at its mean moves the
    margins by less than half a percent of their spread. A map that is all on, all off or static
    makes no unit useless: look at the ablation.

    \b
    Example:
      modelcheck units release.keras --panel heldout.npz --csv units.csv
    """
    from modelcheck.pruning.layer_units import read_layer_units, units_table

    instead = ["modelcheck", "units", "PARENT.keras", "--panel", panel_path]
    refuse_shipped(model, what="what a unit looks for", instead=instead)
    if table is not None:
        check_outputs({table: "--csv"}, inputs={"network": model, "panel": panel_path, "recipe": recipe_path})
    settings = read_settings(Path.cwd())
    request = Request(
        network=model,
        panel=panel_path,
        recipe=recipe_from(recipe_path),
        interface=interface,
        custom_objects=settings.custom_objects,
        panel_size=settings.panel_size,
    )
    with child_progress() as tell, tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        answer = Path(aside) / "units.json"
        examine_in_child(request, answer, settings=settings, tell=tell)
        rows = read_layer_units(answer)
    for row in rows:
        for line in _lines(row):
            say(line)
    if table is not None:
        units_table(rows).to_csv(table, index=False)
        say(f"Wrote {table}.")


def _lines(row: LayerUnits) -> list[str]:
    import numpy as np

    from modelcheck.support.escaping import clean

    looks = ", ".join(f"{count} {word}" for word, count in Counter(row.health).most_common())
    spare = int(row.spare.sum())
    median = float(np.median(row.effects))
    lines = [
        f"{clean(row.name, longest=60)}: {len(row.units)} {row.kind} units, {spare} to spare; ablation moves the "
        f"margins by {median:.3f} of their spread (median). Maps: {looks}."
    ]
    order = np.argsort(row.effects)
    named = [f"{row.units[k]} ({row.health[k]}, {row.effects[k]:.4f})" for k in order if row.spare[k]]
    if named:
        rest = f" and {len(named) - 12} more" if len(named) > 12 else ""
        lines.append(f"  to spare: {', '.join(named[:12])}{rest}")
    return lines
