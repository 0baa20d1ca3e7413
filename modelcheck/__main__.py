"""The command line: ``modelcheck`` and ``python -m modelcheck``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from modelcheck.cli.baselines import approve, calibrate, diff, history
from modelcheck.cli.housekeeping import gc
from modelcheck.cli.shared import FILE, progress, recipe_from
from modelcheck.cli.start import init
from modelcheck.cli.units import units
from modelcheck.gate.promotion import verdict
from modelcheck.support.escaping import clean_lines

__all__ = ["main"]

_EPILOG = "Documentation: docs/index.md. The gate itself is a pytest run: pytest suites/"


class _Commands(click.Group):
    """Turn the errors meant for users into one message and exit code 4; others stay tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            again = " ".join(shlex.quote(word) for word in ["modelcheck", *sys.argv[1:]])
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"modelcheck: interrupted; nothing is half-written. To start again: {again}", markup=False
            )
            ctx.exit(2)
        except (ValueError, OSError, _child_error()) as error:
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"modelcheck: {clean_lines(error)}", markup=False
            )
            ctx.exit(4)


def _child_error() -> type[Exception]:
    from modelcheck.gate.child import ChildError

    return ChildError


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="modelcheck")
def main() -> None:
    """Pytest for what a neural network learned."""


@main.command()
@click.argument("model", type=FILE)
@click.option("--panel", "panel_path", type=FILE, required=True, help="The held-out panel (.npz).")
@click.option("--to", "folder", type=FILE, required=True, help="The folder that receives the signature.")
@click.option("--like", type=FILE, help="A signature: use its recipe, and show its maps to this network.")
@click.option("--baseline-model", type=FILE, help="The network behind --like: show it this network's maps, too.")
@click.option("--layer", "layers", multiple=True, help="Its layer and the one of MODEL that corresponds: conv1=stem.")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json).")
@click.option("--outputs", help="Class of each output, comma-separated, where there are more outputs than classes.")
@click.option("--custom-object", multiple=True, help="A class outside Keras that the network may name: module>Class.")
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
    outputs: str | None,
    custom_object: tuple[str, ...],
    no_twins: bool,
    plain: bool,
) -> None:
    """Measure MODEL (.keras) and write its signature.

    \b
    Example:
      modelcheck measure release.keras --panel heldout.npz --to signatures/release
    """
    from modelcheck.panel import Panel
    from modelcheck.signature import read_signature

    if (folder / "HISTORY.md").exists():
        raise ValueError(
            f"{str(folder)!r} is a baseline, which only modelcheck approve writes. Give another folder: --to PATH"
        )
    panel = Panel.load(panel_path)
    stimuli = read_signature(like) if like else None
    if stimuli is not None and recipe_path is not None:
        raise click.UsageError("--like already brings a recipe; leave --recipe out.")
    if stimuli is None and (baseline_model is not None or layers):
        raise click.UsageError("--baseline-model and --layer are about the network behind --like: give that too.")
    pairs = [pair.partition("=") for pair in layers]
    if not all(name and partner for name, _, partner in pairs):
        raise click.UsageError("--layer takes two names: --layer conv1=stem")
    from modelcheck.measurement import ExchangePartner
    from modelcheck.measurement import measure as run

    given = {name: partner for name, _, partner in pairs}
    with progress(plain=plain) as tell:
        signature = run(
            model,
            panel,
            stimuli.recipe if stimuli else recipe_from(recipe_path),
            stimuli=stimuli and ExchangePartner(signature=stimuli, model=baseline_model, layers=given),
            outputs=outputs.split(",") if outputs else None,
            twins=not no_twins,
            custom_objects=custom_object,
            progress=tell,
        )
    signature.write(folder)
    click.echo(f"Wrote the signature of {model} to {folder}.")


@main.command()
@click.argument("model", type=FILE)
@click.pass_context
def scan(ctx: click.Context, model: Path) -> None:
    """Look at MODEL without loading it: what it holds, and why it is refused (exit code 4).

    \b
    Example:
      modelcheck scan candidate.keras
    """
    from modelcheck.gate.settings import read_settings
    from modelcheck.modelfile import scan_model
    from modelcheck.support.escaping import clean

    report = scan_model(model, custom_objects=read_settings(Path.cwd()).custom_objects)
    for line in report.lines():
        click.echo(clean(line))
    ctx.exit(4 if report.refusals else 0)


@main.command()
@click.argument("baseline", type=FILE)
@click.argument("candidate", type=FILE)
def compare(baseline: Path, candidate: Path) -> None:
    """Compare two signature folders and print a table by layer.

    \b
    Example:
      modelcheck compare baselines/mine signatures/candidate
    """
    from modelcheck.comparison import compare as run
    from modelcheck.signature import read_signature

    comparison = run(read_signature(baseline), read_signature(candidate))
    table = comparison.table()
    click.echo(table.to_string(float_format=lambda value: f"{value:.2f}", na_rep="-"))
    for metric in ("group_accuracy", "accuracy_change", "kappa"):
        click.echo(f"{metric}: {comparison.find(metric).value:.3f}")


@main.command()
@click.argument("baseline", type=FILE)
@click.argument("candidate", type=FILE, required=False)
@click.option("--panel", "panel_path", type=FILE, help="The panel, for the pictures themselves.")
@click.option("--to", "folder", type=FILE, default=Path("report"), show_default=True, help="The report's folder.")
@click.option("--redact-inputs", is_flag=True, help="Leave out photographs of people.")
@click.option("--report-folder", "as_files", is_flag=True, help="Write the pictures as files beside the page.")
def report(
    baseline: Path,
    candidate: Path | None,
    *,
    panel_path: Path | None,
    folder: Path,
    redact_inputs: bool,
    as_files: bool,
) -> None:
    """Write an HTML report of two signatures, or of what one network learned.

    \b
    Examples:
      modelcheck report baselines/mine signatures/candidate --panel heldout.npz
      modelcheck report baselines/mine
    """
    from modelcheck.comparison import compare as run
    from modelcheck.panel import Panel
    from modelcheck.report import write_comparison, write_gallery
    from modelcheck.signature import read_signature

    panel = Panel.load(panel_path) if panel_path else None
    if candidate is None:
        path = write_gallery(
            folder, read_signature(baseline), panel=panel, redact_inputs=redact_inputs, as_files=as_files
        )
    else:
        comparison = run(read_signature(baseline), read_signature(candidate))
        path = write_comparison(folder, comparison, panel=panel, redact_inputs=redact_inputs, as_files=as_files)
    click.echo(f"Wrote {path}.")


@main.group()
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

    names = subjects.split(",") if subjects else None
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


for _command in (approve, calibrate, diff, gc, history, init, units, verdict):
    main.add_command(_command)


if __name__ == "__main__":
    main()
