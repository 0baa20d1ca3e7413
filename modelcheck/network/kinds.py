"""The kinds of steps that a network is made of, and which of them have a property in common.

Each set is named for the property and described by one sentence, so that a room that needs the
property names it instead of listing kinds. A new kind is added to `StepKind` and to every set whose
sentence holds for it.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "ADDING",
    "CONVOLUTIONS",
    "COPYING",
    "GLOBAL_POOLS",
    "KEEPING_NONNEGATIVE",
    "LINEAR",
    "LINEAR_IN_ONE_INPUT",
    "MIXING_ACTIVATIONS",
    "MIXING_PROBABILITIES",
    "POINTWISE",
    "RESIZING",
    "WINDOWED",
    "WITH_KERNEL",
    "StepKind",
]


class StepKind(StrEnum):
    """What one step of a flattened network does.

    Examples
    --------
    >>> StepKind("conv") in WITH_KERNEL, StepKind.CONV == "conv"
    (True, True)
    """

    INPUT = "input"
    CONV = "conv"  # a convolution, dilated or grouped too, and the second half of a separable one
    DEPTHWISE = "depthwise"  # a depthwise convolution, and the first half of a separable one
    DENSE = "dense"
    AFFINE = "affine"  # one factor and one shift per channel: batch normalisation, Normalization, Rescaling
    ACTIVATION = "activation"
    MAX_POOL = "max_pool"
    AVERAGE_POOL = "average_pool"
    GLOBAL_AVERAGE_POOL = "global_average_pool"
    GLOBAL_MAX_POOL = "global_max_pool"
    FLATTEN = "flatten"  # reshapes and permutations too
    PAD = "pad"
    CROP = "crop"
    REORDER = "reorder"  # the same channels in another order
    ADD = "add"
    MULTIPLY = "multiply"
    CONCATENATE = "concatenate"
    IDENTITY = "identity"
    OTHER = "other"  # known to nobody: it can be run, and no rule holds for it


_Kinds = frozenset[StepKind]

CONVOLUTIONS: _Kinds = frozenset({StepKind.CONV, StepKind.DEPTHWISE})
"""A kernel slides over rows and columns."""

WITH_KERNEL: _Kinds = CONVOLUTIONS | {StepKind.DENSE}
"""A trained kernel mixes the channels of the input, and a bias may be added: these steps have units."""

WINDOWED: _Kinds = CONVOLUTIONS | {StepKind.MAX_POOL, StepKind.AVERAGE_POOL}
"""Each output reads a window of the input, described by the step's `Window`."""

RESIZING: _Kinds = frozenset({StepKind.PAD, StepKind.CROP})
"""Rows and columns are added or taken away at the border; the pixels that stay keep their values."""

GLOBAL_POOLS: _Kinds = frozenset({StepKind.GLOBAL_AVERAGE_POOL, StepKind.GLOBAL_MAX_POOL})
"""Each channel becomes one number, whatever its rows and columns."""

POINTWISE: _Kinds = frozenset(
    {
        StepKind.ACTIVATION,
        StepKind.AFFINE,
        StepKind.REORDER,
        StepKind.IDENTITY,
        StepKind.ADD,
        StepKind.MULTIPLY,
        StepKind.CONCATENATE,
    }
)
"""Each output reads its inputs at its own row and column only (activations where they are `Step.uniform`)."""

LINEAR_IN_ONE_INPUT: _Kinds = (
    WITH_KERNEL
    | RESIZING
    | {
        StepKind.AFFINE,
        StepKind.REORDER,
        StepKind.AVERAGE_POOL,
        StepKind.GLOBAL_AVERAGE_POOL,
        StepKind.FLATTEN,
        StepKind.IDENTITY,
    }
)
"""The step has one input, and its output is a linear function of it plus a constant: its slope is constant."""

LINEAR: _Kinds = LINEAR_IN_ONE_INPUT | {StepKind.ADD, StepKind.CONCATENATE}
"""The output is a linear function of all inputs together plus a constant."""

COPYING: _Kinds = RESIZING | {
    StepKind.MAX_POOL,
    StepKind.GLOBAL_MAX_POOL,
    StepKind.FLATTEN,
    StepKind.REORDER,
    StepKind.CONCATENATE,
    StepKind.IDENTITY,
}
"""Each output is a copy of one value of one input, or a padding zero."""

ADDING: _Kinds = frozenset({StepKind.AVERAGE_POOL, StepKind.GLOBAL_AVERAGE_POOL, StepKind.ADD})
"""Each output is a sum of inputs with fixed positive weights, in which each input has a share."""

KEEPING_NONNEGATIVE: _Kinds = COPYING | ADDING | {StepKind.MULTIPLY}
"""Inputs that are never negative give an output that is never negative."""

MIXING_ACTIVATIONS = frozenset({"softmax", "log_softmax", "sparsemax", "glu", "unknown"})
"""Activation functions (`Step.activation`) whose output may depend on more than the one value it stands for."""

MIXING_PROBABILITIES: _Kinds = frozenset(
    {
        StepKind.IDENTITY,
        StepKind.AFFINE,
        StepKind.ADD,
        StepKind.MULTIPLY,
        StepKind.CONCATENATE,
        StepKind.FLATTEN,
        StepKind.OTHER,
    }
)
"""Between the last activations of several heads and one output, the step may average, weigh or collect them."""
