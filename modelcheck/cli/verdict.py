"""The command that a deploy job runs, to learn whether a verdict releases a file."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from modelcheck.gate.promotion import Demands, promotable, refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.support.escaping import clean

__all__ = ["verdict"]


@click.command()
@click.argument("document", type=click.Path(path_type=Path))
@click.option("--candidate", type=click.Path(path_type=Path), required=True, help="The file to be released.")
@click.option("--require", type=click.Choice(["pass", "inconclusive"]), default="pass", show_default=True)
@click.option("--criteria", type=click.Path(path_type=Path), help="The criteria it must have been judged by.")
@click.option("--baseline", type=click.Path(path_type=Path), help="The baseline it must have been compared with.")
@click.option("--no-waivers", is_flag=True, help="Refuse a pass that rests on a waiver.")
@click.option("--project", type=click.Path(path_type=Path), help="Where the suites that judged must stand unchanged.")
@click.option("--run-id", help="What --modelcheck-run-id named the run by.")
@click.option("--measured-now", is_flag=True, help="Refuse a candidate that was not measured but found in the cache.")
def verdict(
    document: Path,
    *,
    candidate: Path,
    require: str,
    criteria: Path | None,
    baseline: Path | None,
    no_waivers: bool,
    project: Path | None,
    run_id: str | None,
    measured_now: bool,
) -> None:
    """Say whether the verdict DOCUMENT releases a candidate: exit code 0 only then, 1 where not, 4 where unreadable.

    \b
    Example:
      modelcheck verdict report/verdict.json --candidate mine.keras
    """
    read = read_verdict(document)
    today = datetime.datetime.now(datetime.UTC).date()
    demands = Demands(
        require=require,
        waivers=not no_waivers,
        criteria=criteria,
        baseline=baseline,
        project=project,
        run_id=run_id,
        measured_now=measured_now,
    )
    why = refusal(read, candidate, today=today, demands=demands)
    click.echo(clean(why or promotable(read), longest=1000))
    if why:
        raise SystemExit(1)
