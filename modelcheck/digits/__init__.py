"""The second worked example: scikit-learn's handwritten digits, with the sign of a scanner in a corner.

Ten classes, no people, no regions: what most teams have. The core never imports it. It takes
scikit-learn (``pip install "modelcheck[digits]"``), which ships the pictures; nothing is downloaded.
This door is light: it loads neither Keras nor scikit-learn. Training is in `modelcheck.digits.train`.
"""

from __future__ import annotations

from modelcheck.digits.pictures import CLASSES, Digits, add_signs, held_out, read_digits, training

__all__ = ["CLASSES", "Digits", "add_signs", "held_out", "read_digits", "training"]
