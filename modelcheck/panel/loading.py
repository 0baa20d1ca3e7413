"""Reading a panel file, whatever it holds: pictures, or rows of a table."""

from __future__ import annotations

import os

from modelcheck.panel.panel import Panel
from modelcheck.panel.storage import MAX_GIB, PICTURES, ROWS, build_panel, read_parts
from modelcheck.panel.table_panel import TablePanel

__all__ = ["load_panel"]


def load_panel(path: str | os.PathLike[str], *, max_gib: float = MAX_GIB) -> Panel | TablePanel:
    """Read a panel file of pictures or of a table.

    Parameters
    ----------
    path : str or path-like
        The ``.npz`` file.
    max_gib : float
        GiB that it may unpack to; more than 100 times its own bytes are refused in any case above
        64 MiB.

    Raises
    ------
    PanelError
        When the file is missing, no panel, of a newer format, or its content does not fit together.

    Examples
    --------
    >>> load_panel("none.npz")
    Traceback (most recent call last):
    modelcheck.panel.errors.PanelError: There is no panel file 'none.npz'. Make one with: modelcheck panel --help
    """
    layout, parts = read_parts(path, layouts=(PICTURES, ROWS), max_gib=max_gib)
    if layout is ROWS:
        return build_panel(path, TablePanel.from_parts, parts)
    return build_panel(path, Panel.from_parts, parts)
