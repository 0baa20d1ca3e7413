"""The fixed held-out material on which networks are judged: what a panel is, and how it is made of what people have."""

from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.panel.conversion import Conversion
from modelcheck.panel.errors import PanelError
from modelcheck.panel.likeness import check_like
from modelcheck.panel.loading import load_panel
from modelcheck.panel.panel import Panel
from modelcheck.panel.storage import MAX_GIB
from modelcheck.panel.table_panel import TablePanel

__all__ = [
    "MAX_GIB",
    "AnyPanel",
    "Column",
    "ColumnKind",
    "Conversion",
    "Panel",
    "PanelError",
    "TablePanel",
    "check_like",
    "load_panel",
]

AnyPanel = Panel | TablePanel
"""What networks are judged on: pictures, or rows of a table."""
