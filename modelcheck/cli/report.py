"""The command that writes an HTML report of signatures."""

from __future__ import annotations

from pathlib import Path

import click

from modelcheck.cli.shared import FILE
from modelcheck.gate.outputs import check_outputs

__all__ = ["report"]


@click.command()
@click.argument("baseline", type=FILE)
@click.argument("candidate", type=FILE, required=False)
@click.option("--panel", "panel_path", type=FILE, help="The panel, for the pictures themselves.")
@click.option("--to", "folder", type=FILE, default=Path("report"), show_default=True, help="The report's folder.")
@click.option("--redact-inputs", is_flag=True, help="Leave out the panel's pictures and single rows.")
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
    from modelcheck.comparison import compare
    from modelcheck.gate.settings import read_settings
    from modelcheck.panel import load_panel
    from modelcheck.report import write_comparison, write_gallery
    from modelcheck.signature import read_record

    outputs = {folder / "index.html": "--to", folder / "pictures": "--to"}
    check_outputs(outputs, inputs={"baseline": baseline, "candidate": candidate, "panel": panel_path})
    settings = read_settings(Path.cwd())
    panel = load_panel(panel_path, max_gib=settings.panel_size) if panel_path else None
    one, called = read_record(baseline), settings.subject_name
    if candidate is None:
        path = write_gallery(
            folder, one, panel=panel, redact_inputs=redact_inputs, as_files=as_files, subject_name=called
        )
    else:
        found = compare(one, read_record(candidate))
        path = write_comparison(
            folder, found, panel=panel, redact_inputs=redact_inputs, as_files=as_files, subject_name=called
        )
    click.echo(f"Wrote {path}.")
