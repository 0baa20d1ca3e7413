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
