"""How often 95 % intervals from few people hold the population's value: Student's t alone, and what the gate uses.

    python benchmarks/intervals.py

Each population is drawn from many times: n people with some pictures each. A row says in which share
of the draws the interval holds the population's mean over people, and in which share it has no width.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy import stats

from modelcheck.metrics.accuracy import Rate, subject_mean, subject_share

_PEOPLE = (2, 3, 5, 10)
_PICTURES = 6  # of each person, as a group of probe pictures has

Draw = Callable[[np.random.Generator, int], np.ndarray]


def draw_hits(share: float, alike: float) -> Draw:
    """Return a population of people who hit with this share, and how much one person's pictures are alike, 0 to 1."""

    def draw(generator: np.random.Generator, n: int) -> np.ndarray:
        if alike == 1:
            return np.repeat(generator.random((n, 1)) < share, _PICTURES, axis=1).astype(float)
        scale = 1 / alike - 1
        own = generator.beta(share * scale, (1 - share) * scale, (n, 1))
        return (generator.random((n, _PICTURES)) < own).astype(float)

    return draw


def draw_masses(generator: np.random.Generator, n: int) -> np.ndarray:
    """Return shares of relevance that differ between people and between pictures, as on the drawn faces."""
    return generator.normal(0.25, 0.05, (n, 1)) + generator.normal(0, 0.04, (n, _PICTURES))


def draw_saturated(generator: np.random.Generator, n: int) -> np.ndarray:
    """Return shares that are 1 for nine people of ten and 0.4 for the tenth."""
    return np.repeat(np.where(generator.random((n, 1)) < 0.9, 1.0, 0.4), _PICTURES, axis=1)


def estimate_by_t(values: np.ndarray) -> tuple[float, float]:
    """Return Student's interval between people alone, cut to 0 and 1."""
    each = values.mean(axis=1)
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return max(0.0, each.mean() - half), min(1.0, each.mean() + half)


def main() -> None:
    """Print the shares for each population and number of people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000)
    draws = parser.parse_args().draws
    populations: dict[str, tuple[Draw, float, Callable[..., Rate]]] = {
        f"pointing {share}, alike {alike}": (draw_hits(share, alike), share, subject_share)
        for share in (0.7, 0.9)
        for alike in (0.1, 0.5, 1.0)
    }
    populations["mass"] = (draw_masses, 0.25, subject_mean)
    populations["mass, nine of ten at 1"] = (draw_saturated, 0.94, subject_mean)
    print("| population | people | holds, t alone | no width, t alone | holds | no width | width |")
    print("|---|---|---|---|---|---|---|")
    for name, (draw, truth, estimate) in populations.items():
        for n in _PEOPLE:
            generator = np.random.default_rng(n)
            subjects = np.repeat(np.arange(n), _PICTURES)
            samples = [draw(generator, n) for _ in range(draws)]
            old = np.array([estimate_by_t(values) for values in samples])
            new = np.array([estimate(values.ravel(), subjects).interval for values in samples])
            cells = [f"{share:.3f}" for ends in (old, new) for share in _shares(ends, truth)]
            print(f"| {name} | {n} | {' | '.join(cells)} | {np.diff(new).mean():.2f} |")


def _shares(ends: np.ndarray, truth: float) -> tuple[float, float]:
    holds = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return float(holds.mean()), float((ends[:, 0] == ends[:, 1]).mean())


if __name__ == "__main__":
    main()
