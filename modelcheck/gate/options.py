"""The options of pytest: their names, their former names, and what a run was given."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import pytest

__all__ = ["OPTIONS", "Option", "add_options", "read_options"]

_PREFIX = "modelcheck-"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line.

    Parameters
    ----------
    name : str
        As it is typed, without the dashes in front.
    help : str
        One line of at most 55 characters, which is what ``pytest --help`` leaves.
    metavar : str
        What the value is; empty for a switch.
    renamed : bool
        Whether its name was once shorter by the package's.
    """

    name: str
    help: str
    metavar: str = ""
    renamed: bool = True

    @property
    def key(self) -> str:
        """The name of the setting, for example ``baseline_model``."""
        return self.name.removeprefix(_PREFIX).replace("-", "_")

    @property
    def former(self) -> str:
        """The name that the option had before it carried the package's; empty where it has never had another."""
        return self.name.removeprefix(_PREFIX) if self.renamed and self.name.startswith(_PREFIX) else ""


OPTIONS = (
    Option(name="candidate", metavar="FILE", help="the .keras, .tflite or .onnx file to be released"),
    Option(name="source", metavar="FILE", help="the .keras file that a candidate was converted from"),
    Option(name="baseline", metavar="FOLDER", help="the approved signature that it is compared with"),
    Option(name="panel", metavar="FILE", help="the held-out panel (.npz), if not the baseline's own"),
    Option(name="modelcheck-criteria", metavar="FILE", help="the limits (.toml); default suites/criteria.toml"),
    Option(name="modelcheck-waivers", metavar="FILE", help="the waivers (.toml); default suites/waivers.toml"),
    Option(name="modelcheck-report", metavar="FOLDER", help="where verdict.json and index.html are written"),
    Option(name="modelcheck-baseline-model", metavar="FILE", help="the .keras file the baseline was approved from"),
    Option(name="modelcheck-outputs", metavar="CLASSES", help="class of each output, if there are more than classes"),
    Option(name="modelcheck-output", renamed=False, metavar="NAME", help="the output that is judged, of several"),
    Option(name="modelcheck-input", renamed=False, metavar="NAME", help="the input that takes the picture, of several"),
    Option(name="modelcheck-label", renamed=False, metavar="NAME", help="the unit that is judged, of several sigmoids"),
    Option(name="modelcheck-preprocessing", renamed=False, metavar="NAME", help="how pictures are preprocessed"),
    Option(name="modelcheck-threshold", renamed=False, metavar="NUMBER", help="where answers of a single unit part"),
    Option(
        name="modelcheck-run-id",
        renamed=False,
        metavar="TEXT",
        help="name the run in its verdict, like a build's number",
    ),
    Option(name="modelcheck-workers", renamed=False, metavar="N", help="measure in so many processes at once"),
    Option(
        name="modelcheck-scheduler", renamed=False, metavar="ADDRESS", help="measure on the workers of a Dask scheduler"
    ),
    Option(name="modelcheck-today", metavar="DAY", help="apply waivers as of this day, like 2026-01-31"),
    Option(name="modelcheck-report-folder", help="write the report's pictures as separate files"),
    Option(name="modelcheck-redact-inputs", help="leave the panel's pictures and rows out of the report"),
    Option(name="modelcheck-report-only", help="exit 0 whatever the verdict, which stays what it is"),
)


def add_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser; former names work, and are not shown.

    Parameters
    ----------
    parser : pytest.Parser
        As pytest hands it to ``pytest_addoption``.
    """
    group = parser.getgroup("modelcheck", "modelcheck: gate a release on what the network learned")
    for option in OPTIONS:
        kind: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        group.addoption(f"--{option.name}", help=option.help, **kind)
        if option.former:
            dest = f"modelcheck_former_{option.key}"
            group.addoption(f"--{option.former}", dest=dest, help=argparse.SUPPRESS, **kind)


def read_options(config: pytest.Config) -> dict[str, Any]:
    """Return what was given, by the name of the setting: text or None, and for a switch whether it is on.

    Parameters
    ----------
    config : pytest.Config
        Of this process. One warning names every former name that was used; workers leave it to
        their controller.

    Raises
    ------
    pytest.UsageError
        When an option is given by both names with two values, or by its former name where warnings
        are errors.
    """
    values, renamed = {}, []
    for option in OPTIONS:
        value = config.getoption(f"--{option.name}")
        former = config.getoption(f"--{option.former}") if option.former else None
        if former not in (None, False):
            if value not in (None, False, former):
                raise pytest.UsageError(
                    f"--{option.name} is {value!r}, and --{option.former}, its former name, is {former!r}. "
                    f"Give --{option.name} alone."
                )
            value = former
            renamed.append(option)
        values[option.key] = value
    if renamed and not hasattr(config, "workerinput"):
        pairs = ", ".join(f"--{option.former} is now --{option.name}" for option in renamed)
        warning = pytest.PytestDeprecationWarning(
            f"modelcheck: {pairs}. The former name works in this version and not in the next."
        )
        try:
            config.issue_config_time_warning(warning, stacklevel=2)
        except pytest.PytestDeprecationWarning as error:
            raise pytest.UsageError(f"{error}") from error
    return values
