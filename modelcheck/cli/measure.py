"""The command that measures a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from modelcheck.cli.interface import interface_options
from modelcheck.cli.recipes import recipe_on
from modelcheck.cli.shared import FILE, child_progress, recipe_from
from modelcheck.comparison import PICTURES, tell_material
from modelcheck.gate.jobs import measure_once
from modelcheck.gate.outputs import check_outputs
from modelcheck.gate.renderable import refuse_on_rows, refuse_shipped
from modelcheck.gate.request import AnyRecipe, Request
from modelcheck.gate.settings import read_settings, split_names
from modelcheck.interface import Interface
from modelcheck.modelfile import FORMATS, tell_format
from modelcheck.panel import PanelError, load_panel
from modelcheck.signature import read_manifest
from modelcheck.support.commands import as_argument
from modelcheck.table_recipe import TableRecipe

__all__ = ["measure"]


@click.command()
@click.argument("model", type=FILE)
@click.option("--panel", "panel_path", type=FILE, required=True, help="The held-out panel (.npz).")
@click.option("--to", "folder", type=FILE, required=True, help="The folder that receives the signature.")
@click.option("--like", type=FILE, help="A signature: use its recipe and interface, and show it its maps.")
@click.option("--baseline-model", type=FILE, help="The network behind --like: show it this network's maps, too.")
@click.option("--layer", "layers", multiple=True, help="Its layer and the one of MODEL that corresponds: conv1=stem.")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json).")
@interface_options
@click.option(
    "--custom-object", multiple=True, help="Another class outside Keras that the network may name: module>Class."
)
@click.option("--no-twins", is_flag=True, help="Leave out untrained twins, as a baseline does.")
@click.option("--plain", is_flag=True, help="Print progress as lines.")
def measure(  # noqa: PLR0913 - one for each option
    model: Path,
    *,
    panel_path: Path,
    folder: Path,
    like: Path | None,
    baseline_model: Path | None,
    layers: tuple[str, ...],
    recipe_path: Path | None,
    interface: Interface,
    custom_object: tuple[str, ...],
    no_twins: bool,
    plain: bool,
) -> None:
    """Measure MODEL (.keras, .tflite or .onnx) and write its signature.

    Of a LiteRT or ONNX file, which its first bytes tell, answers are measured and layers read, and
    nothing is rendered. How long an answer took is written beside the signature, to timing.json.

    \b
    Examples:
      modelcheck measure release.keras --panel heldout.npz --to signatures/release
      modelcheck measure phone.tflite --panel heldout.npz --to signatures/phone --like baselines/mine
    """
    if (folder / "HISTORY.md").exists():
        raise ValueError(
            f"{str(folder)!r} is a baseline, which only modelcheck approve writes. Give another folder: --to PATH"
        )
    inputs = {"network": model, "panel": panel_path, "signature": like, "recipe": recipe_path}
    check_outputs({folder / "manifest.json": "--to"}, inputs={**inputs, "network behind it": baseline_model})
    if like is not None and recipe_path is not None:
        raise click.UsageError("--like already brings a recipe; leave --recipe out.")
    if like is None and (baseline_model is not None or layers):
        raise click.UsageError("--baseline-model and --layer are about the network behind --like: give that too.")
    rendering = {
        "--baseline-model": baseline_model,
        "--layer": layers,
        "--custom-object": custom_object,
        "--no-twins": no_twins,
    }
    _refuse_options(model, [option for option, given in rendering.items() if given])
    if baseline_model is not None:
        instead = ["modelcheck", "measure", as_argument(model), "--like", like, "--baseline-model", "PARENT.keras"]
        refuse_shipped(baseline_model, what="a baseline", instead=instead)
    pairs = [split_names(pair, at="=") for pair in layers]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise click.UsageError("--layer takes two names: --layer conv1=stem")
    if like is not None and not interface:  # as the gate reads a candidate of which nothing is said
        interface = Interface.from_dict(read_manifest(like).get("interface", {}))
    settings = read_settings(Path.cwd())
    recipe = None if like else _read_recipe(recipe_path, panel_path, max_gib=settings.panel_size)
    if isinstance(recipe, TableRecipe) or (like is not None and tell_material(read_manifest(like)) != PICTURES):
        command = ["modelcheck", "measure", "PARENT.keras", "--panel", panel_path, "--to", folder]
        refuse_on_rows(model, instead=command)
        if baseline_model is not None:
            raise click.UsageError("--baseline-model is asked of pictures alone, and the panel is of a table.")
    request = Request(
        network=model,
        panel=panel_path,
        like=like,
        recipe=recipe,
        baseline_model=baseline_model,
        layers=dict(pairs),
        interface=interface,
        custom_objects=(*settings.custom_objects, *custom_object),
        twins=not no_twins,
        panel_size=settings.panel_size,
    )
    with child_progress(plain=plain) as tell:
        measure_once(request, folder, settings=settings, tell=tell)
    click.echo(f"Wrote the signature of {model} to {folder}.")


def _read_recipe(path: Path | None, panel: Path, *, max_gib: float) -> AnyRecipe:
    """Return the recipe for a panel's kind; a panel that cannot be read is for the measuring process to refuse."""
    try:
        return recipe_on(load_panel(panel, max_gib=max_gib), path)
    except PanelError:
        return recipe_from(path)


def _refuse_options(model: Path, given: Sequence[str]) -> None:
    """Refuse options that say how a network is rendered, or loaded by Keras, for a file that ships."""
    format_ = tell_format(model)
    if given and format_ != "keras":
        raise click.UsageError(
            f"{str(model)!r} is a file of {FORMATS[format_]}: nothing is rendered from it, and it names no classes of "
            f"Python. Leave out {', '.join(given)}."
        )
