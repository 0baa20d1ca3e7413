"""How many multiplications one pass through a flattened network takes, counted from its steps."""

from __future__ import annotations

from math import prod

from modelcheck.network.kinds import WITH_KERNEL, StepKind
from modelcheck.network.receptive import ReceptiveField
from modelcheck.network.steps import Network

__all__ = ["count_multiplications", "count_values"]


def count_multiplications(network: Network, target: int, *, field: ReceptiveField | None = None) -> int:
    """Return the multiplications, each with its addition, of the convolutions and dense layers up to a step.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The last step.
    field : ReceptiveField, optional
        The patch that is shown instead of a picture, derived for `target`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((5, 5, 2)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    >>> network = flatten(keras.Sequential(layers))
    >>> count_multiplications(network, len(network.steps) - 1) == 3 * 3 * (3 * 3 * 2) * 4 + 36 * 3
    True
    """
    total = 0
    for position in network.steps_needed([target]):
        step = network.steps[position]
        if step.kind not in WITH_KERNEL or step.weights is None:
            continue
        kernel = step.weights("float32")[0].shape
        places = prod(_shape(network, position, field)[:-1])
        # A depthwise kernel is (rows, columns, channels, multiplier), each used once at a place; others are
        # used whole, and of a grouped convolution's each unit has its own.
        total += places * prod(kernel)
    return int(total)


def count_values(network: Network, target: int, *, field: ReceptiveField | None = None) -> int:
    """Return how many numbers the steps up to one give for one picture or patch.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The last step.
    field : ReceptiveField, optional
        The patch that is shown instead of a picture, derived for `target`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((5, 5, 2)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    >>> count_values(flatten(keras.Sequential(layers)), 1)
    86
    """
    return sum(
        prod(_shape(network, position, field))
        for position in network.steps_needed([target])
        if network.steps[position].kind != StepKind.IDENTITY
    )


def _shape(network: Network, position: int, field: ReceptiveField | None) -> tuple[int, ...]:
    if field is not None:
        return field.shape(network, position)
    return tuple(axis or 1 for axis in network.steps[position].shape)
