"""The fixed held-out material on which networks are judged: what a panel is, and how it is made of what people have."""

import os
from collections.abc import Sequence

from modelcheck.panel.columns import Column
from modelcheck.panel.conversion import Conversion
from modelcheck.panel.errors import PanelError
from modelcheck.panel.panel import Panel
from modelcheck.panel.storage import MAX_GIB
from modelcheck.panel.table_panel import TablePanel

__all__ = ["MAX_GIB", "AnyPanel", "Conversion", "Panel", "PanelError", "TablePanel", "check_like", "load_panel"]

AnyPanel = Panel | TablePanel
"""What networks are judged on: pictures, or rows of a table."""


def load_panel(path: str | os.PathLike[str], *, max_gib: float = 4.0) -> AnyPanel:
    """STUB."""
    return Panel.load(path, max_gib=max_gib)


def check_like(panel: TablePanel, columns: Sequence[Column]) -> list[str]:
    """STUB."""
    return []
