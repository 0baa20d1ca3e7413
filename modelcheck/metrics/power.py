"""How sure a panel can be: the smallest drop that it shows, and how many more pictures would settle a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import special, stats

from modelcheck.metrics.accuracy import paired_change, wilson

__all__ = ["Narrowing", "observations_to_decide", "smallest_drop"]

Narrowing = Literal["share", "change", "mean"]

_DRAWS = 4096
_STEPS = 14  # halvings: a chance to 0.0001
_FARTHEST = 10_000  # times as many observations; what takes more is not settled by any
_DIGITS = 6  # of a comparison, by which it is judged


def smallest_drop(
    right: np.ndarray, pictures: np.ndarray, *, limit: float, by_interval: bool = False, power: float = 0.8
) -> float:
    """Return the smallest true drop in accuracy that a panel finds red so often.

    The drop is one of a candidate that loses each picture that the baseline gets right with the same
    chance, by itself, and wins none. Its accuracy on one subject or class then falls by that chance
    times the baseline's. It is found red where the change from the baseline, as
    `modelcheck.metrics.accuracy.change` gives it, does not pass its limit: it lies below, settled or
    not, or, judged by the interval, the interval's lower end does.

    Parameters
    ----------
    right : np.ndarray
        ``(classes,)`` how many pictures of each class the baseline gets right.
    pictures : np.ndarray
        ``(classes,)`` how many there are, at least one of each.
    limit : float
        The least change that passes, for example -0.125.
    by_interval : bool
        Whether the whole interval must pass.
    power : float
        In what share of panels of these sizes the drop must be red.

    Returns
    -------
    float
        In units of accuracy, from 0 to the baseline's. 0 where a candidate that loses nothing is red:
        the panel is too small for a limit by the interval. NaN where not even the loss of every picture
        is red so often: the baseline has too little to lose. How often a drop is red is counted in 4,096
        stratified draws that depend on nothing but the number of classes: to 0.0005 for one class, to
        about 0.01 for several.

    Examples
    --------
    >>> [round(smallest_drop(np.array([n]), np.array([n]), limit=-0.125), 2) for n in (4, 16, 64, 1024)]
    [0.33, 0.25, 0.17, 0.13]
    """
    right, pictures = np.asarray(right, np.int64), np.asarray(pictures, np.int64)
    generator = np.random.Generator(np.random.Philox(key=[0, len(right)]))
    ranks = generator.permuted(np.tile(np.arange(_DRAWS), (len(right), 1)), axis=1)
    draws = (ranks + 0.5) / _DRAWS

    def is_red_enough(chance: float) -> bool:
        lost = [
            np.searchsorted(special.bdtr(np.arange(n), n, chance), draw)
            for n, draw in zip(right.tolist(), draws, strict=True)
        ]
        value, low, _ = paired_change(np.zeros_like(pictures), np.stack(lost, axis=-1), pictures)
        return float((np.round(low if by_interval else value, _DIGITS) < limit).mean()) >= power

    below, above = 0.0, 1.0
    if is_red_enough(below):
        return 0.0
    if not is_red_enough(above):
        return math.nan
    for _ in range(_STEPS):
        middle = (below + above) / 2
        below, above = (below, middle) if is_red_enough(middle) else (middle, above)
    return above * float((right / pictures).mean())


def observations_to_decide(
    value: float, interval: tuple[float, float], n: int, *, limit: float, narrows: Narrowing
) -> float:
    """Return how many more observations would settle on which side of a limit a value lies.

    It is the smallest number with which the interval no longer reaches the limit, if the further
    observations come out in the shares of those that are there.

    Parameters
    ----------
    value, interval, n : float, tuple of float, int
        What was measured, on how many observations.
    limit : float
        The limit that the interval reaches.
    narrows : {'share', 'change', 'mean'}
        How the interval narrows: a share's is Wilson's, a change's the paired one of
        `modelcheck.metrics.accuracy.change`, and a mean's shrinks with the root of their number. A
        balanced accuracy, of several classes, is taken for the share of as few pictures as give its
        interval; its change for that of one class.

    Returns
    -------
    float
        A whole number, at least 1; infinite where no number of them would: the value lies on the limit,
        or so near that it would take 10,000 times as many.

    Examples
    --------
    >>> observations_to_decide(0.7, wilson(0.7, 20), 20, limit=0.75, narrows="share")
    269
    """
    side = 1 if value < limit else -1
    end = interval[1] if side > 0 else interval[0]
    near = {"share": _share_end, "change": _change_end, "mean": _mean_end}[narrows](value, interval, end, n, side)

    def settles(factor: float) -> bool:
        return side * (limit - near(factor)) > 0

    if value == limit or not settles(_FARTHEST):
        return math.inf
    few, many = n, _FARTHEST * n
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if settles(middle / n) else (middle, many)
    return many - n


_End = Callable[[float], float]


def _share_end(value: float, interval: tuple[float, float], end: float, n: int, side: int) -> _End:
    # The number of pictures that alone would have this end: Wilson's formula turned around.
    apart = abs(end - value)
    alone = stats.norm.ppf(0.975) ** 2 * end * (1 - end) / apart**2 if 0 < end < 1 and apart else n
    return lambda factor: wilson(value, alone * factor)[side > 0]


def _change_end(value: float, interval: tuple[float, float], end: float, n: int, side: int) -> _End:
    # How many pictures turned at all, from the interval's width.
    half = (interval[1] - interval[0]) / 2 / float(stats.norm.ppf(0.975))
    turned = max(abs(value) * n, (half * (n + 2)) ** 2 + (value * n) ** 2 / (n + 2) - 1)
    won, lost = (turned + value * n) / 2, (turned - value * n) / 2

    def near(factor: float) -> float:
        ends = paired_change(*(np.array([count * factor]) for count in (won, lost, n)))
        return float(ends[2 if side > 0 else 1])

    return near


def _mean_end(value: float, interval: tuple[float, float], end: float, n: int, side: int) -> _End:
    return lambda factor: value + (end - value) / math.sqrt(factor)
