"""A bar for work that takes minutes, as one line of text."""

from __future__ import annotations

import sys

from modelcheck.support.escaping import clean

__all__ = ["draw_bar", "progress_bar"]

_WIDTH = 24
_LINE = 79  # signs: a line that is folded is not overwritten


def draw_bar(what: str, share: float) -> str:
    """Return a bar, the share that is done, and what is being done.

    Examples
    --------
    >>> draw_bar("HappyMaps of conv1", 0.25)
    'measuring [######..................]  25% HappyMaps of conv1'
    """
    full = round(_WIDTH * min(max(share, 0.0), 1.0))
    return f"measuring [{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%} {what}"


def progress_bar(what: str, share: float) -> None:
    """Show how far `measure` is, in a terminal or a notebook; elsewhere, as in a build's log, nothing.

    Give it as it is: ``measure(path, panel, progress=progress_bar)``. The line is written over by the
    next one, by an error where there is one, and is blank in the end.

    Parameters
    ----------
    what : str
        What is being done.
    share : float
        The share of the whole that is done, from 0 to 1.

    Examples
    --------
    >>> progress_bar("HappyMaps of conv1", 0.25)
    """
    # A notebook shows what goes to the standard error as if it were one.
    notebook = "ipykernel" in sys.modules
    stream = sys.stdout if notebook else sys.stderr
    if not notebook and not stream.isatty():
        return
    line = "" if share >= 1 else draw_bar(clean(what), share)[:_LINE]
    stream.write(f"{line:{_LINE}}\r")
    stream.flush()
