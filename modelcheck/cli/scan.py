"""The command that looks at a network file without loading it."""

from __future__ import annotations

from pathlib import Path

import click

from modelcheck.cli.shared import FILE

__all__ = ["scan"]


@click.command()
@click.argument("model", type=FILE)
@click.pass_context
def scan(ctx: click.Context, model: Path) -> None:
    """Look at MODEL without loading it: what it holds, and why it is refused (exit code 4).

    MODEL is a Keras, LiteRT or ONNX file; which of them, its first bytes say. Of the latter two it
    shows format, precision, inputs and outputs with their scales, operators and weights.

    \b
    Examples:
      modelcheck scan candidate.keras
      modelcheck scan phone.tflite
    """
    from modelcheck.gate.child import scan_in_child
    from modelcheck.gate.settings import read_settings
    from modelcheck.support.escaping import clean

    settings = read_settings(Path.cwd())
    report = scan_in_child(model, custom_objects=settings.custom_objects, settings=settings)
    for line in report.lines():
        click.echo(clean(line))
    ctx.exit(4 if report.refusals else 0)
