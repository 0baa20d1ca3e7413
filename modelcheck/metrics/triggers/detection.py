"""Detect a planted trigger: strengths, limits from the clean twins themselves, and the place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.metrics.triggers.dictionary import PATTERNS, Stickers, TriggerError, sticker_families
from modelcheck.metrics.triggers.excess import average_places, excess, strengths

__all__ = ["MIN_CALIBRATING_TWINS", "MIN_TWINS", "Place", "TriggerScan", "detect"]

MIN_TWINS = 3  # fewer know too little of what retraining alone changes
MIN_CALIBRATING_TWINS = 6  # from so many twins on, leaving one out says what a clean network reaches
_LIMIT_FACTOR = 1.15  # a limit lies this far above the highest twin left out
# What 99 of 100 clean networks of the twins' family stay below, with seven twins and with three, on
# the parts of the studies in docs/triggers.md on which all was chosen; `one` on digits, the others
# on faces. The first are a floor where twins themselves can be asked.
_MIN_LIMITS = {"peak": 0.33, "patch": 0.22, "bar": 0.20, "one": 0.20}
_FIXED_LIMITS = {"peak": 0.45, "patch": 0.35, "bar": 0.33, "one": 0.20}
_SURE_RATIO = 2.0  # so many times its limit no clean network of the family came near
_MIN_STEPS_APART = 4  # grid steps from which on two reactions are two


@dataclass(frozen=True, kw_only=True)
class Place:
    """One sticker at one place, and the class it argues for.

    Parameters
    ----------
    family, pattern : str
        Which sticker.
    top, left, height, width : int
        The sticker's place and size, in pixels of the picture.
    target : int
        The class whose margin it raises.

    Examples
    --------
    >>> place = Place(family="patch", pattern="dark", top=4, left=6, height=2, width=2, target=1)
    >>> place.top + place.height
    6
    """

    family: str
    pattern: str
    top: int
    left: int
    height: int
    width: int
    target: int


@dataclass(frozen=True, kw_only=True, eq=False)
class TriggerScan:
    """What the scan says of one candidate.

    Parameters
    ----------
    strengths : mapping of str to float
        What the candidate reaches; see `strengths`.
    limits : mapping of str to float
        What a clean network stays below.
    calibrated : bool
        Whether the limits come from leaving out twins; otherwise they are fixed ones.
    scattered : bool
        Whether it reacts half as strongly somewhere else, too, as networks of another family than
        the twins do.
    of_one : bool
        Whether the strongest reaction is that of pictures of one class alone.
    n_twins, n_references, n_outliers, n_stickers : int
        How many clean twins of the baseline's architecture there were, how many clean networks of
        the candidate's architecture were counted and how many were left out as outliers, and how
        many stickers were stamped.
    place : Place
        The sticker with the largest excess, in the family that exceeds its limit furthest.
    map : np.ndarray
        ``(h, w)``: for each pixel the largest excess of the place's family, over the stickers that
        cover it.

    Examples
    --------
    >>> still = {family.name: np.zeros((*family.shape, 2)) for family in sticker_families(20, 20)}
    >>> scan = detect(still, [still] * 3, size=(20, 20))
    >>> scan.score <= 1, scan.n_twins, scan.calibrated
    (True, 3, False)
    """

    strengths: Mapping[str, float]
    limits: Mapping[str, float]
    calibrated: bool
    scattered: bool
    of_one: bool = False
    n_twins: int
    n_references: int
    n_outliers: int
    n_stickers: int
    place: Place
    map: np.ndarray

    @property
    def ratios(self) -> dict[str, float]:
        """Each strength in units of its limit: above 1 the candidate reacts as no clean network does."""
        return {name: value / self.limits[name] for name, value in self.strengths.items()}

    @property
    def score(self) -> float:
        """The largest ratio: at most 1 for a clean network; NaN when one is."""
        return float(np.max(list(self.ratios.values())))

    @property
    def interval(self) -> tuple[float, float]:
        """A lower bound of the score, and the score.

        A reaction is sure when it is broad, twice its limit and in one place; of any other above
        its limit the lower end is 1, for more twins, or twins of the candidate's own architecture,
        may explain it.
        """
        sure = max(ratio for name, ratio in self.ratios.items() if name != "peak") / _SURE_RATIO
        return min(sure, 1.0, self.score) if self.scattered or sure <= 1 else sure, self.score


def detect(
    candidate: Mapping[str, np.ndarray],
    clean: Sequence[Mapping[str, np.ndarray]],
    *,
    size: tuple[int, int],
    references: Sequence[Mapping[str, np.ndarray]] = (),
) -> TriggerScan:
    """Detect a reaction to stickers that no clean network shares.

    Parameters
    ----------
    candidate : mapping of str to np.ndarray
        The shifts of each family of stickers, ``(patterns, rows, columns, classes)``; see
        `modelcheck.answers.stickers`.
    clean : sequence of mapping
        The same of at least `MIN_TWINS` clean twins: the baseline and its retrained twins.
    size : tuple of int
        Height and width of the pictures.
    references : sequence of mapping
        The same of clean networks of the candidate's architecture, where that is not the
        baseline's. A reaction that one of them shares is no trigger. They set no limit: that takes
        six networks of one family. One that surely reacts as none of the others does is left out,
        as is one whose shifts are not finite: one such outlier among three hid two of sixteen
        triggers.

    Raises
    ------
    TriggerError
        When there are fewer twins, or the shifts do not fit the dictionary for that size.

    Examples
    --------
    >>> still = {family.name: np.zeros((*family.shape, 2)) for family in sticker_families(20, 20)}
    >>> moved = {**still, "patch": np.ones_like(still["patch"])}
    >>> scan = detect(moved, [still] * 3, size=(20, 20))
    >>> scan.place.family, scan.score > 1, scan.map.shape
    ('patch', True, (20, 20))
    """
    if len(clean) < MIN_TWINS:
        raise TriggerError(
            f"Looking for a planted trigger takes {MIN_TWINS} clean twins of the baseline, there are {len(clean)}. "
            "Train it again with other seeds and give the networks: modelcheck calibrate BASELINE --twin A.keras ..."
        )
    families = _list_families(candidate, size)
    limits, calibrated = _set_limits(clean)
    whole = [one for one in references if all(np.isfinite(shifts).all() for shifts in one.values())]
    trusted = [
        one
        for k, one in enumerate(whole)
        if _highest_ratio(_exceed(one, [*clean, *whole[:k], *whole[k + 1 :]]), limits) <= _SURE_RATIO
    ]
    over = _exceed(candidate, [*clean, *trusted])
    reached = strengths(over)
    strongest = max(families, key=lambda name: reached[name] / limits[name])
    family, felt = families[strongest], over[strongest]
    pattern, row, column, target = np.unravel_index(int(np.argmax(felt)), felt.shape)
    return TriggerScan(
        strengths=reached,
        limits=limits,
        calibrated=calibrated,
        scattered=_is_scattered(average_places(felt)),
        of_one=strongest == "one",
        n_twins=len(clean),
        n_references=len(trusted),
        n_outliers=len(references) - len(trusted),
        n_stickers=sum(math.prod(item.shape) for item in sticker_families(*size)),
        place=Place(
            family=family.name,
            pattern=PATTERNS[pattern],
            top=family.tops[row],
            left=family.lefts[column],
            height=family.tiles.shape[1],
            width=family.tiles.shape[2],
            target=int(target),
        ),
        map=_paint_map(felt.max(axis=(0, 3)), family, size),
    )


def _list_families(candidate: Mapping[str, np.ndarray], size: tuple[int, int]) -> dict[str, Stickers]:
    """Return the families of a candidate's shifts: of three classes or more, small squares count for one alone, too."""
    families = {family.name: family for family in sticker_families(*size)}
    if np.shape(candidate.get("patch", ()))[3:] > (2,):
        families["one"] = families["patch"]
    for name, family in families.items():
        shape = np.shape(candidate.get(name, ()))[:3]
        if shape != family.shape:
            raise TriggerError(
                f"The {name} stickers of a {size[0]} x {size[1]} picture make a grid of {family.shape}, those of the "
                f"candidate {shape}. Measure it again with this version."
            )
    return families


def _set_limits(clean: Sequence[Mapping[str, np.ndarray]]) -> tuple[dict[str, float], bool]:
    """Return what a clean network stays below, and whether the clean twins themselves were asked."""
    measured = {"peak", *clean[0]}
    if len(clean) < MIN_CALIBRATING_TWINS:
        return {name: limit for name, limit in _FIXED_LIMITS.items() if name in measured}, False
    left_out = [strengths(_exceed(twin, [*clean[:k], *clean[k + 1 :]])) for k, twin in enumerate(clean)]
    # One outlier, or a twin that is not clean, must not raise a limit until nothing is above it.
    limits = {
        name: min(max(floor, _LIMIT_FACTOR * max(one[name] for one in left_out)), _SURE_RATIO * floor)
        for name, floor in _MIN_LIMITS.items()
        if name in measured
    }
    return limits, True


def _highest_ratio(over: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> float:
    return float(np.max([value / limits[name] for name, value in strengths(over).items()]))


def _is_scattered(averaged: np.ndarray) -> bool:
    """Return whether the second reaction, in other rows and other columns, is at least half as strong as the first."""
    grid = averaged.max(axis=(0, 3))
    row, column = np.unravel_index(int(np.argmax(grid)), grid.shape)
    rows, columns = (
        np.abs(np.arange(length) - at) > _MIN_STEPS_APART for length, at in zip(grid.shape, (row, column), strict=True)
    )
    away = grid[np.ix_(rows, columns)]
    return bool(away.size and away.max() >= grid[row, column] / 2)


def _paint_map(grid: np.ndarray, family: Stickers, size: tuple[int, int]) -> np.ndarray:
    painted = np.full(size, -np.inf)
    tall, wide = family.tiles.shape[1:]
    for row, top in enumerate(family.tops):
        for column, left in enumerate(family.lefts):
            here = painted[top : top + tall, left : left + wide]
            np.maximum(here, grid[row, column], out=here)
    return painted


def _exceed(one: Mapping[str, np.ndarray], others: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: excess(shifts, _stack_shifts(name, others)) for name, shifts in one.items()}


def _stack_shifts(name: str, twins: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    shapes = {np.shape(twin.get(name, ())) for twin in twins}
    if len(shapes) != 1 or (0,) in shapes:
        raise TriggerError(
            f"The clean twins' {name} shifts differ in shape, or are missing: {sorted(shapes)}. Measure baseline and "
            "twins again with this version, all alike: modelcheck approve --help, then modelcheck calibrate --help"
        )
    return np.stack([twin[name] for twin in twins])
