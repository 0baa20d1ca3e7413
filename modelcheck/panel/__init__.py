"""The fixed held-out material on which networks are judged: what a panel is, and how it is made of what people have."""

from modelcheck.panel.conversion import Conversion
from modelcheck.panel.errors import PanelError
from modelcheck.panel.panel import Panel
from modelcheck.panel.storage import MAX_GIB

__all__ = ["MAX_GIB", "Conversion", "Panel", "PanelError"]
