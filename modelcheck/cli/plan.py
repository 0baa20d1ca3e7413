"""`modelcheck plan`: what a gate of a network takes here, and a recipe that fits into some minutes."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelcheck.cli.interface import interface_options
from modelcheck.cli.shared import FILE, recipe_from, say
from modelcheck.gate.child import plan_in_child
from modelcheck.gate.outputs import check_outputs
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import Request
from modelcheck.gate.settings import read_settings
from modelcheck.support.commands import write_command
from modelcheck.support.files import read_file

if TYPE_CHECKING:
    from modelcheck.interface import Interface
    from modelcheck.planning.plan import Estimate, Plan
    from modelcheck.recipe import Recipe

__all__ = ["make_plan", "plan"]


@click.command()
@click.argument("model", type=FILE)
@click.option("--panel", "panel_path", type=FILE, required=True, help="The held-out panel (.npz).")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=10.0, help="What a gate may take.")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json) to begin with.")
@click.option("--to", "target", type=FILE, help="Write the proposed recipe to this new file (.toml).")
@interface_options
def plan(
    model: Path,
    *,
    panel_path: Path,
    minutes: float,
    recipe_path: Path | None,
    target: Path | None,
    interface: Interface,
) -> None:
    """Say what a gate of MODEL (.keras) takes on this machine, and propose a recipe that fits into some minutes.

    The network is run for about a second. The recipe holds counts alone, so that no result depends
    on a clock; another machine may propose another one. Approved, it travels with the baseline.

    \b
    Example:
      modelcheck plan release.keras --panel heldout.npz --minutes 10 --to recipe.toml
    """
    from modelcheck.support.folders import place

    instead = ["modelcheck", "plan", "PARENT.keras", "--panel", panel_path]
    refuse_shipped(model, what="a network whose HappyMaps are rendered", instead=instead)
    if target is not None:
        check_outputs({target: "--to"}, inputs={"network": model, "panel": panel_path, "recipe": recipe_path})
        if target.exists():
            raise ValueError(f"{str(target)!r} is there already, and is not written over. Give --to a new file.")
    start = recipe_from(recipe_path)
    found = make_plan(model, panel_path, minutes=minutes, recipe=start, interface=interface)
    for line in _lines(found, given=recipe_path is not None):
        say(line)
    if not found.fits:
        raise ValueError(
            f"No recipe fits into {minutes:g} minutes here: the smallest takes about {_minutes(found.proposed)}. Give "
            "more minutes, a panel of fewer pictures, or a faster machine."
        )
    left_out = _describe_cuts(start, found.recipe)
    for line in left_out:
        say(f"  {line}")
    if target is not None:
        place(target, _as_toml(found, left_out).encode())
        approve = ["modelcheck", "approve", model, "--panel", panel_path, "--to", "BASELINE", "--recipe", target]
        say(f"Wrote {target}. Next: {write_command(approve)}")


def make_plan(model: Path, panel: Path, *, minutes: float, recipe: Recipe | None, interface: Interface) -> Plan:
    """Plan in a confined process, and return the plan.

    Parameters
    ----------
    model, panel : Path
        The network's file, and the panel's.
    minutes : float
        How long a gate may take.
    recipe : Recipe or None
        Where the proposal begins; None is the default recipe.
    interface : Interface
        How the network's inputs and outputs are to be understood.
    """
    from modelcheck.planning.plan import Plan

    settings = read_settings(Path.cwd())
    request = Request(
        network=model,
        panel=panel,
        recipe=recipe,
        interface=interface,
        custom_objects=settings.custom_objects,
        panel_size=settings.panel_size,
        minutes=minutes,
    )
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        answer = Path(aside) / "plan.json"
        plan_in_child(request, answer, settings=settings)
        return Plan.from_json(read_file(answer).decode("utf-8"))


def _lines(found: Plan, *, given: bool) -> list[str]:
    """Return the network in one line, and a short table of both estimates."""
    rows = [("", "hidden layers", "units", "passes", "a gate", "memory")]
    for name, estimate in (
        ("given recipe" if given else "default recipe", found.default),
        ("proposed", found.proposed),
    ):
        layers = f"{estimate.hidden_layers} of {found.hidden_layers}"
        passes = f"{estimate.passes:,}"
        rows.append((name, layers, f"{estimate.units:,}", passes, _minutes(estimate), f"{estimate.gib:.1f} GiB"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    network = (
        f"{found.parameters / 1e6:.1f} million weights, {found.hidden_layers} hidden layers, "
        f"{found.multiplications / 1e9:.2f} billion multiplications a picture, {found.pictures} pictures."
    )
    slowest = sorted(found.proposed.parts.items(), key=lambda item: -item[1])[:3]
    most = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in slowest)
    return [network, "", *table, "", f"Most of the proposed one: {most}."]


def _minutes(estimate: Estimate) -> str:
    return f"{estimate.minutes:.1f} min" if estimate.minutes < 10 else f"{estimate.minutes:.0f} min"


def _describe_cuts(start: Recipe, proposed: Recipe) -> list[str]:
    """Return what the proposal gave up, a setting a line."""
    before, after = dataclasses.asdict(start), dataclasses.asdict(proposed)
    cuts = [
        f"{name}: {_toml(after[name])} instead of {_toml(value)}"
        for name, value in before.items()
        if after[name] != value
    ]
    return cuts or ["Nothing is given up: the recipe fits as it is."]


def _as_toml(found: Plan, left_out: list[str]) -> str:
    from modelcheck.recipe import Recipe

    default = dataclasses.asdict(Recipe())
    kept = {name: value for name, value in dataclasses.asdict(found.recipe).items() if value != default[name]}
    lines = [
        "# A recipe of counts alone: results do not depend on the machine that proposed it.",
        f"# A gate takes about {_minutes(found.proposed)} where it was planned, {_minutes(found.default)} without it.",
        *(f"# {line}" for line in left_out),
        *(f"{name} = {_toml(value)}" for name, value in kept.items()),
    ]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
