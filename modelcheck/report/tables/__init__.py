"""What the report shows of networks on a table: drivers, effects, sub-populations, profiles, held-out rows, layers."""

from modelcheck.report.tables.view import gallery_view, table_view

__all__ = ["gallery_view", "table_view"]
