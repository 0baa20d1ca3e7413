"""The command that compares two signatures."""

from __future__ import annotations

from pathlib import Path

import click

from modelcheck.cli.shared import FILE
from modelcheck.support.escaping import clean

__all__ = ["compare"]


@click.command()
@click.argument("baseline", type=FILE)
@click.argument("candidate", type=FILE)
def compare(baseline: Path, candidate: Path) -> None:
    """Compare two signature folders and print a table by layer.

    \b
    Example:
      modelcheck compare baselines/mine signatures/candidate
    """
    from modelcheck.comparison import compare as run
    from modelcheck.comparison import shown_in
    from modelcheck.signature import read_signature

    comparison = run(read_signature(baseline), read_signature(candidate))
    table = comparison.table()
    click.echo(table.to_string(float_format=lambda value: f"{value:.2f}", na_rep="-"))
    for metric in shown_in("summary", about=""):
        click.echo(f"{metric}: {comparison.find(metric).value:.3f}")
    if alike := comparison.layers_as_retrained:
        click.echo(
            f"as alike as a second training leaves them, so that they could be frozen: {', '.join(map(clean, alike))}"
        )
