"""The command that ranks many candidates beside the approved baseline."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from modelcheck.cli.settings import find_settings
from modelcheck.cli.shared import FILE, child_progress, say

__all__ = ["compare_all"]


@click.command("compare-all")
# One that cannot be read is a row with its reason, and stops no other.
@click.argument("candidates", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--baseline", type=FILE, help="The approved signature; by default the settings'.")
@click.option("--panel", type=FILE, help="The held-out panel; by default the settings'.")
@click.option("--criteria", type=FILE, help="The limits; by default the settings'.")
@click.option("--html", "page", type=FILE, help="Also write a page that ranks them, here.")
@click.option("--json", "file", type=FILE, help="Also write the rows to this file.")
@click.pass_context
def compare_all(
    context: click.Context,
    /,
    candidates: tuple[Path, ...],
    *,
    baseline: Path | None,
    panel: Path | None,
    criteria: Path | None,
    page: Path | None,
    file: Path | None,
) -> None:
    """Measure CANDIDATES beside the approved baseline, judge each as the gate would, and rank them in one table.

    A pass comes first, then inconclusive, unmeasured and fail, and what could not be measured comes
    last; among equals those with fewer red checks, then whose worst subject is answered better. It
    informs, and releases nothing: the exit code is 0 when all could be measured, whatever the
    verdicts, and 3 when one could not.

    \b
    Examples:
      modelcheck compare-all candidates/*.keras
      modelcheck compare-all candidates/*.keras --html ranking --json ranking.json
    """
    from rich.console import Console

    from modelcheck.gate.outputs import check_outputs
    from modelcheck.gate.ranking import rank_candidates
    from modelcheck.report.ranking_terminal import print_ranking

    with child_progress() as tell, tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        settings = find_settings(Path(aside), {"baseline": baseline, "panel": panel, "criteria": criteria})
        outputs = {} if page is None else {page / "index.html": "--html"}
        outputs |= {} if file is None else {file: "--json"}
        names = ("baseline", "panel", "criteria", "waivers", "baseline_model")
        inputs = {name: getattr(settings, name) for name in names}
        inputs |= {f"candidate {path}": path for path in candidates}
        check_outputs(outputs, inputs=inputs)
        ranking = rank_candidates(candidates, settings=settings, tell=tell)
    print_ranking(ranking, Console())
    if page is not None:
        from modelcheck.report import write_ranking

        say(f"Wrote {write_ranking(page, ranking)}.")
    if file is not None:
        import json

        from modelcheck.support.folders import place

        file.parent.mkdir(parents=True, exist_ok=True)
        place(file, json.dumps(ranking.to_dict(), indent=1, allow_nan=False).encode("utf-8", errors="replace"))
        say(f"Wrote {file}.")
    if any(row.comparison is None for row in ranking.rows):
        context.exit(3)
