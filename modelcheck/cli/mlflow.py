"""The command that logs a verdict and its report to MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from modelcheck.cli.shared import FILE, say

__all__ = ["mlflow"]


@click.command()
@click.argument("folder", type=FILE, default=Path("report"))
@click.option("--experiment", default="modelcheck", show_default=True, help="Made where it is missing.")
@click.option("--tracking-uri", "uri", help="By default what MLflow takes from the environment.")
@click.option("--run-id", help="A run that there is, for example that of the training.")
def mlflow(folder: Path, *, experiment: str, uri: str | None, run_id: str | None) -> None:
    """Log the verdict and the report in FOLDER as a run of MLflow: metrics, tags and artefacts.

    It takes MLflow's client: pip install 'modelcheck[mlflow]'

    \b
    Example:
      modelcheck mlflow report --experiment release --tracking-uri http://127.0.0.1:5000
    """
    from modelcheck.gate.tracking import log_to_mlflow
    from modelcheck.report.words import count

    done = log_to_mlflow(folder, experiment=experiment, uri=uri, run_id=run_id)
    missing = f"; {done.left_out} could not be measured and are left out" if done.left_out else ""
    say(f"Logged {count(done.metrics, 'metric')} and the report to run {done.run_id}{missing}.")
