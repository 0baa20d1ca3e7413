"""Where a value stands between networks that learned nothing and networks that learned the same again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["calibrate", "steadiness"]

_MIN_DEVIATIONS_APART = 3.0  # between floor and ceiling; a statistic that is closer cannot tell twins apart
_MIN_TWINS = 2  # for a spread, of the floor and of the ceiling


def calibrate(value: float, *, floor: Sequence[float], ceiling: Sequence[float]) -> float:
    """Return a value on the scale where untrained twins stand at 0 and retrained twins at 1.

    Parameters
    ----------
    value : float
        The candidate's value.
    floor : sequence of float
        The values of untrained networks of the candidate's architecture, at least two.
    ceiling : sequence of float
        The values of retrained networks of the baseline's architecture, at least two.

    Returns
    -------
    float
        0 at the median of the floor, 1 at the median of the ceiling, and beyond; NaN where the
        value or too many twins are not finite, or where floor and ceiling are closer than three
        standard deviations: such a statistic cannot tell learning the same from learning nothing.

    Examples
    --------
    >>> calibrate(0.5, floor=[0.0, 0.1, 0.2], ceiling=[0.8, 0.9, 1.0])
    0.5
    """
    low, high = (np.asarray([x for x in side if math.isfinite(x)], dtype=np.float64) for side in (floor, ceiling))
    if min(len(low), len(high)) < _MIN_TWINS or not math.isfinite(value):
        return math.nan
    bottom, top = float(np.median(low)), float(np.median(high))
    spread = math.sqrt((low.var(ddof=1) + high.var(ddof=1)) / 2)
    if top - bottom <= _MIN_DEVIATIONS_APART * spread:
        return math.nan
    return (value - bottom) / (top - bottom)


def steadiness(ceiling: Sequence[float], *, fallback: float) -> float:
    """Return how far retraining alone moves a value: two standard deviations of three twins or more.

    Parameters
    ----------
    ceiling : sequence of float
        The values of retrained networks.
    fallback : float
        What holds where there are fewer than three; also the least that is believed, halved, for
        the spread of a few twins is itself uncertain.

    Examples
    --------
    >>> steadiness([0.8], fallback=0.12)
    0.12
    """
    finite = [x for x in ceiling if math.isfinite(x)]
    if len(finite) < 3:
        return fallback
    return max(2 * float(np.std(finite, ddof=1)), fallback / 2)
