"""How numbers are written for people: in reports, in notebooks, in the terminal."""

from __future__ import annotations

import math

__all__ = ["MINUS", "NOTHING", "number"]

# Dashes that look right in a column of numbers.
MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value: float | None, *, whole: bool = False) -> str:
    """Return a number with two digits behind the point, or none when it is whole; a dash where there is no number.

    Examples
    --------
    >>> number(0.123), number(0.5), number(12.345), number(2.0, whole=True)
    ('0.12', '0.50', '12.35', '2')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:.0f}" if whole else f"{value:.4g}" if abs(value) >= 10 else f"{value:.2f}"
    # "-0.00" says nothing that "0.00" does not.
    text = text.lstrip("-") if not text.strip("-0.") else text
    return text.replace("-", MINUS)
