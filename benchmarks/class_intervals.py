"""How often intervals over independent pictures of many classes hold the truth.

``python benchmarks/class_intervals.py 1000`` makes so many draws for each row.

The first number is that of the intervals that are combined class by class, the second that of the
gate, the third how often its lower end lies above the truth.
"""

from __future__ import annotations

import sys

import numpy as np

from modelcheck.metrics.accuracy import balanced_accuracy, change
from modelcheck.metrics.stratified import stratified_accuracy, stratified_change


def main(draws: int = 1000) -> None:
    """Print one row for each number of classes, pictures in each, accuracy and share of answers that turn wrong."""
    print("| classes | pictures of each | right | turned wrong | accuracy | change |")
    print("|---|---|---|---|---|---|")
    for classes in (2, 10):
        for pictures in (5, 20):
            for right, lost in ((0.6, 0.3), (0.9, 0.1), (0.99, 0.01)):
                cells = _count(classes, pictures, right=right, lost=lost, draws=draws)
                print(f"| {classes} | {pictures} | {right} | {lost} | {' | '.join(cells)} |", flush=True)


def _count(classes: int, pictures: int, *, right: float, lost: float, draws: int) -> list[str]:
    generator = np.random.Generator(np.random.Philox(key=[classes, pictures]))
    labels = np.repeat(np.arange(classes), pictures)
    wrong = (labels + 1) % classes
    held = np.zeros((2, 3))
    for _ in range(draws):
        before = np.where(generator.random(len(labels)) < right, labels, wrong)
        after = np.where(generator.random(len(labels)) < lost, wrong, before)
        pairs = (
            (right, balanced_accuracy(labels, before), stratified_accuracy(labels, before)),
            (-right * lost, change(labels, before, after), stratified_change(labels, before, after)),
        )
        for row, (truth, old, new) in zip(held, pairs, strict=True):
            row += [old.interval[0] <= truth <= old.interval[1], new.interval[0] <= truth <= new.interval[1], 0]
            row[2] += new.interval[0] > truth
    return [", ".join(f"{share:.3f}" for share in row / draws) for row in held]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
