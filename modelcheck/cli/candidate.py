"""What a candidate's file says of itself before it is measured: what it is, and which pictures it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.support.commands import write_command

if TYPE_CHECKING:
    from modelcheck.panel import AnyPanel

__all__ = ["say_misfit", "say_shipped"]

# By the format of a file that ships, the extra that runs it.
_EXTRAS = {"litert": "litert", "onnx": "onnx"}


def say_misfit(candidate: Path, panel: AnyPanel) -> Iterator[str]:
    """Yield what speaks against a candidate on a panel, as far as its file says so without being loaded.

    Parameters
    ----------
    candidate : Path
        The network's file; one that is not there is not spoken of.
    panel : AnyPanel
        The held-out pictures; of rows of a table a file does not say which it takes.
    """
    from modelcheck.modelfile import ScanError
    from modelcheck.modelfile.pictures import read_picture_shape
    from modelcheck.panel import Panel

    if not candidate.exists() or not isinstance(panel, Panel):
        return
    try:
        takes = read_picture_shape(candidate)
    except ScanError as error:
        yield f"The candidate {candidate} could not be looked at: {str(error).rstrip('.')}."
        yield f"        What it is: {write_command(['modelcheck', 'scan', str(candidate)])}"
        return
    holds = panel.images.shape[1:]
    if takes is None or all(length in (None, own) for length, own in zip(takes, holds, strict=True)):
        return
    written = " x ".join("any" if length is None else str(length) for length in takes)
    yield f"The candidate {candidate} takes pictures of {written}, and the panel holds {' x '.join(map(str, holds))}:"
    yield "        the gate refuses it. Make a panel of the network's size: modelcheck panel --help"


def say_shipped(candidate: Path, *, source: bool, table: bool = False) -> Iterator[str]:
    """Yield what the gate of a file that ships takes, of a LiteRT or ONNX candidate.

    Parameters
    ----------
    candidate : Path
        The network's file; one that is not there is not spoken of.
    source : bool
        Whether the network is named that it was converted from.
    table : bool
        Whether it is to answer rows of a table, which such a file is not asked for.
    """
    from modelcheck.modelfile import FORMATS, tell_format

    format_ = tell_format(candidate)
    if format_ not in _EXTRAS:
        return
    if table:
        yield f"The candidate {candidate} is a file of {FORMATS[format_]}, which is measured on pictures alone:"
        yield "        the gate refuses it. Name the Keras network that it was converted from in [tool.modelcheck]."
        return
    install = write_command(["pip", "install", f"modelcheck[{_EXTRAS[format_]}]"])
    yield f"The candidate {candidate} is a file of {FORMATS[format_]}. Wherever the gate runs: {install}"
    if not source:
        yield "        Compared with the network that it was converted from, it is asked more, and the first layer that"
        yield '        breaks is named: source = "PARENT.keras" in [tool.modelcheck], or --source PARENT.keras'
