"""How often an order of the classes is proposed for networks that have none, and how often it is found where there is.

Answers are drawn, not measured: right with a probability, and otherwise any other class alike. Weak
networks answer so in the panel's order; one that learned the opposite of a rule is an accuracy
below chance. `shuffled` are right answers to labels that were then shuffled, `confused` a good
network (0.95) that takes its first two classes for each other half of the time. A good network's
outputs are put into an order that moves every class (`all`), or its first two exchanged (`two`). As
many pictures of each class as the panel's size allows; each picture is a subject of its own.

Run: ``python benchmarks/class_order.py [trials] [seed]`` from the project's folder. It takes a few
minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from modelcheck.metrics.ordering import find_better_order

Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]

PANELS = [(classes, pictures) for classes in (2, 3, 10) for pictures in (40, 80, 224)]
WEAK, GOOD = (0.2, 0.3, 0.4, 0.5, 0.6), (0.8, 0.9, 0.97)


def answer(labels: np.ndarray, generator: np.random.Generator, *, classes: int, accuracy: float) -> np.ndarray:
    """Return answers of which so many are right."""
    right = generator.random(len(labels)) < accuracy
    return np.where(right, labels, (labels + generator.integers(1, classes, len(labels))) % classes)


def confuse(labels: np.ndarray, generator: np.random.Generator, *, classes: int) -> np.ndarray:
    """Return a good network's answers, but for the first two classes, which it cannot tell apart."""
    given = answer(labels, generator, classes=classes, accuracy=0.95)
    return np.where(given < 2, generator.integers(0, 2, len(labels)), given)


def move_all(classes: int, generator: np.random.Generator) -> np.ndarray:
    """Return an order that leaves no class where it is."""
    while True:
        order = generator.permutation(classes)
        if (order != np.arange(classes)).all():
            return order


def count(classes: int, pictures: int, *, trials: int, seed: int, draw: Draw) -> float:
    """Return in what share of trials an order is found."""
    generator = np.random.default_rng(seed)
    labels, found = np.arange(pictures) % classes, 0
    for _ in range(trials):
        found += find_better_order(np.eye(classes)[draw(labels, generator)], labels) is not None
    return found / trials


def main(trials: int = 100, seed: int = 0) -> None:
    """Print one row for each size of panel, and the largest share of false alarms."""
    heads = [*(f"{accuracy:g}" for accuracy in WEAK), "shuffled", "confused"]
    heads += [f"{kind} {accuracy:g}" for kind in ("all", "two") for accuracy in GOOD]
    print(f"{trials} trials each, seed {seed}")
    print(" ".join(["classes", "pictures", *(f"{head:>8}" for head in heads)]))
    for classes, pictures in PANELS:
        two = np.array([1, 0, *range(2, classes)])

        def weak(
            labels: np.ndarray, generator: np.random.Generator, *, accuracy: float, k: int = classes
        ) -> np.ndarray:
            return answer(labels, generator, classes=k, accuracy=accuracy)

        draws: list[Draw] = [
            lambda labels, generator, accuracy=accuracy: weak(labels, generator, accuracy=accuracy) for accuracy in WEAK
        ]
        draws.append(lambda labels, generator: generator.permutation(labels))
        draws.append(lambda labels, generator, k=classes: confuse(labels, generator, classes=k))
        draws += [
            lambda labels, generator, k=classes, accuracy=accuracy: move_all(k, generator)[
                answer(labels, generator, classes=k, accuracy=accuracy)
            ]
            for accuracy in GOOD
        ]
        draws += [
            lambda labels, generator, k=classes, order=two, accuracy=accuracy: order[
                answer(labels, generator, classes=k, accuracy=accuracy)
            ]
            for accuracy in GOOD
        ]
        shares = [count(classes, pictures, trials=trials, seed=seed, draw=draw) for draw in draws]
        print(f"{classes:7} {pictures:8}", *(f"{share:8.3f}" for share in shares), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
