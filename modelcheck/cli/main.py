"""The command line: every command, and how its errors are told."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click
from rich.console import Console

from modelcheck.cli.baselines import approve, calibrate, diff, history
from modelcheck.cli.compare import compare
from modelcheck.cli.compare_all import compare_all
from modelcheck.cli.criteria import criteria
from modelcheck.cli.help import help_on
from modelcheck.cli.housekeeping import gc
from modelcheck.cli.measure import measure
from modelcheck.cli.mlflow import mlflow
from modelcheck.cli.panel import panel
from modelcheck.cli.plan import plan
from modelcheck.cli.report import report
from modelcheck.cli.scan import scan
from modelcheck.cli.start import init
from modelcheck.cli.units import units
from modelcheck.cli.verdict import verdict
from modelcheck.gate.child import ChildError
from modelcheck.support.escaping import clean_lines
from modelcheck.support.stopping import stop_like_ctrl_c

__all__ = ["main"]

_EPILOG = "Documentation: modelcheck help. The gate itself is a pytest run: pytest suites/"


class _Commands(click.Group):
    """Turn the errors meant for users into one message and exit code 4; others stay tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with stop_like_ctrl_c():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            again = " ".join(shlex.quote(word) for word in ["modelcheck", *sys.argv[1:]])
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"modelcheck: interrupted; nothing is half-written. To start again: {again}", markup=False
            )
            ctx.exit(2)
        except (ValueError, OSError, ChildError) as error:
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"modelcheck: {clean_lines(error)}", markup=False
            )
            ctx.exit(4)


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="modelcheck")
def main() -> None:
    """Pytest for what a neural network learned."""


for _command in (
    *(
        approve,
        calibrate,
        compare,
        compare_all,
        criteria,
        diff,
        gc,
        help_on,
        history,
        init,
        measure,
        mlflow,
        panel,
        plan,
        report,
        scan,
        units,
        verdict,
    ),
):
    main.add_command(_command)
