"""Which hidden layers of a deep network are looked at, where not all of them are: by the network alone."""

from __future__ import annotations

from math import prod

from modelcheck.network.kinds import WINDOWED, WITH_KERNEL, StepKind
from modelcheck.network.steps import Network, UnitLayer

__all__ = ["choose_layers"]

_JOINING = frozenset({StepKind.ADD, StepKind.CONCATENATE})


def choose_layers(network: Network, at_most: int) -> tuple[UnitLayer, ...]:
    """Return the layers that a measurement looks at, in model order: chosen hidden layers, and the decision.

    The last hidden layer comes first, then ends of stages (the last layer before the picture gets
    smaller), then ends of blocks (the last layer before an addition or a concatenation), then the
    others. Among equals the one farthest in depth from all that are chosen comes first, and of two
    as far the deeper. So the choice of fewer layers is part of the choice of more.

    Parameters
    ----------
    network : Network
        A flattened network.
    at_most : int
        How many hidden layers, 0 or more.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((8, 8, 1)), *(keras.layers.Conv2D(2, 3, name=f"conv{n}") for n in (1, 2, 3))]
    >>> network = flatten(keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2, name="decision")]))
    >>> [layer.name for layer in choose_layers(network, 2)]
    ['conv1', 'conv3', 'decision']
    """
    *hidden, decision = network.unit_layers()
    if len(hidden) <= at_most:
        return (*hidden, decision)
    ranks = _rank(network, hidden)
    chosen: list[int] = []
    while len(chosen) < at_most:
        left = [position for position in range(len(hidden)) if position not in chosen]
        chosen.append(
            min(
                left,
                key=lambda position: (
                    ranks[position],
                    -min((abs(position - other) for other in chosen), default=0),
                    -position,
                ),
            )
        )
    return (*(hidden[position] for position in sorted(chosen)), decision)


def _rank(network: Network, hidden: list[UnitLayer]) -> list[int]:
    """Return for each hidden layer 0 for the last, 1 for the end of a stage, 2 for that of a block, else 3."""
    numbers = {layer.name: number for number, layer in enumerate(hidden)}
    ranks = [3] * len(hidden)
    for step in network.steps:
        if step.kind in _JOINING:
            for source in step.inputs:
                for number in _find_layers(network, source, numbers):
                    ranks[number] = min(ranks[number], 2)
    for step in network.steps:
        if step.kind in WINDOWED and _gets_smaller(network, step.inputs[0], step.shape):
            before = _find_layers(network, step.inputs[0], numbers, through_joins=True)
            if before:
                ranks[max(before)] = 1
    ranks[-1] = 0
    return ranks


def _gets_smaller(network: Network, source: int, shape: tuple[int | None, ...]) -> bool:
    return prod(axis or 1 for axis in shape[:-1]) < prod(axis or 1 for axis in network.steps[source].shape[:-1]) / 2


def _find_layers(network: Network, position: int, numbers: dict[str, int], *, through_joins: bool = False) -> set[int]:
    """Return the hidden layers that are the last before a step's output, on each path to it."""
    found, waiting, seen = set[int](), [position], set[int]()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        step = network.steps[at]
        if step.kind in WITH_KERNEL and step.name in numbers:
            found.add(numbers[step.name])
        elif through_joins or step.kind not in _JOINING:
            waiting.extend(step.inputs)
    return found
