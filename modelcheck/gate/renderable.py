"""The one word on a file that ships where a network is needed that can be rendered, or where there are no pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import KERAS, PICTURES, tell_material
from modelcheck.gate.settings import Settings, SettingsError
from modelcheck.modelfile import FORMATS, tell_format
from modelcheck.support.commands import as_argument, write_command

__all__ = ["refuse_on_rows", "refuse_on_table", "refuse_shipped"]


def refuse_shipped(
    file: str | os.PathLike[str], *, what: str, instead: Sequence[object], runtime: str | None = None
) -> None:
    """Refuse a LiteRT or an ONNX file in a place where something is rendered.

    Parameters
    ----------
    file : str or path-like
        The network's file; one that is missing is for whoever reads it to refuse.
    what : str
        What it was given as, which is rendered.
    instead : sequence
        The words of the command that takes the Keras network in its place.
    runtime : str, optional
        What runs the file, where that is known from its signature; by default its first bytes say.

    Raises
    ------
    SettingsError
        With both commands: for the network that it was converted from, and for the file itself.

    Examples
    --------
    >>> refuse_shipped("networks/half_filters.keras", what="a baseline", instead=[])
    >>> refuse_shipped("x.onnx", what="a baseline", instead=["modelcheck", "approve", "P.keras"], runtime="onnx")
    Traceback (most recent call last):
    modelcheck.gate.settings.SettingsError: 'x.onnx' is an ONNX file, and a baseline is rendered, which such a file \
cannot be. Take the Keras network that it was converted from: modelcheck approve P.keras; and gate the file itself: \
pytest suites/ --candidate x.onnx
    """
    runtime = runtime or tell_format(file)
    if runtime == KERAS:
        return
    gate = ["pytest", "suites/", "--candidate", as_argument(file)]
    article = "an" if runtime == "onnx" else "a"
    raise SettingsError(
        f"{os.fspath(file)!r} is {article} {FORMATS[runtime]} file, and {what} is rendered, which such a file cannot "
        f"be. Take the Keras network that it was converted from: {write_command(instead)}; and gate the file itself: "
        f"{write_command(gate)}"
    )


def refuse_on_table(settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Refuse what a run names that is of pictures alone, where its baseline is of a table.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping
        The baseline's.

    Raises
    ------
    SettingsError
        When the candidate is a LiteRT or ONNX file, or a source or a network behind the baseline is
        given.
    """
    if tell_material(manifest) == PICTURES:
        return
    refuse_on_rows(settings.require("candidate"), instead=["pytest", "suites/", "--candidate", "PARENT.keras"])
    for name in ("source", "baseline_model"):
        if getattr(settings, name) is not None:
            raise SettingsError(
                f"{name} is asked of pictures alone, and the baseline {str(settings.baseline)!r} is of a table. Leave "
                f"{name} out of [tool.modelcheck] and of the command."
            )


def refuse_on_rows(file: str | os.PathLike[str], *, instead: Sequence[object]) -> None:
    """Refuse a LiteRT or ONNX file where rows of a table are answered.

    Parameters
    ----------
    file : str or path-like
        The network's file; one that is missing is for whoever reads it to refuse.
    instead : sequence
        The words of the command that takes a Keras network in its place.

    Raises
    ------
    SettingsError
        With that command.

    Examples
    --------
    >>> refuse_on_rows("networks/half_filters.keras", instead=[])
    """
    runtime = tell_format(file)
    if runtime != KERAS:
        article = "an" if runtime == "onnx" else "a"
        raise SettingsError(
            f"{os.fspath(file)!r} is {article} {FORMATS[runtime]} file, which is measured on pictures alone, and these "
            "are rows of a table. Give the Keras network that it was converted from: "
            f"{write_command(instead)}"
        )
