"""The worked example of structured data: tables with planted truth, and tables that ship with libraries.

Rows of numbers and categories instead of pictures. The core never imports it. It takes scikit-learn
and, for one table, statsmodels (``pip install "modelcheck[tables]"``); nothing is downloaded. This
door is light: it loads neither Keras nor one of those. Training is in `modelcheck.tables.train`.
"""

from __future__ import annotations

from modelcheck.tables.data import TABLES, held_out, training
from modelcheck.tables.planted import KINDS, Planted, plant
from modelcheck.tables.rows import Rows

__all__ = ["KINDS", "TABLES", "Planted", "Rows", "held_out", "plant", "training"]
