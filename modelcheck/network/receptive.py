"""Exact receptive fields: which input pixels one unit sees, and the network run on just those.

The ranges are followed backwards, step by step, from one output position to the input: a window of
size k, stride s, dilation d and p pixels of padding before reads, for outputs a to b, the inputs a
s - p to b s - p + (k - 1) d. Where several steps read one, the union counts. Away from the borders
this is exact through convolutions, poolings, element-wise steps and residual adds (Araujo, Norris
and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcheck.network.kinds import LINEAR_IN_ONE_INPUT, POINTWISE, RESIZING, WINDOWED, StepKind
from modelcheck.network.steps import Network

__all__ = ["ReceptiveField", "receptive_field"]

Tensor = Any  # tensorflow ships no types
Range = tuple[int, int]


@dataclass(frozen=True)
class ReceptiveField:
    """The input pixels that one unit sees.

    Parameters
    ----------
    size : tuple of int
        How many rows and columns of the input the unit sees.
    ranges : mapping
        From each step that the unit depends on to the first and last row and the first and last
        column of it that are needed; they may lie outside the picture, where the network would see
        padding.
    """

    size: tuple[int, int]
    ranges: Mapping[int, tuple[Range, Range]]

    def evaluate(self, network: Network, patches: Tensor, target: int) -> Tensor:
        """Run the network on patches instead of pictures.

        Parameters
        ----------
        network : Network
            The network the field was derived from.
        patches : tf.Tensor
            ``(n, *size, channels)``.
        target : int
            The step whose unit is read.

        Returns
        -------
        tf.Tensor
            ``(n, units)``: what the units at the field's position answer, were no border near.
        """
        return self.evaluate_between(network, patches, 0, target)[:, 0, 0, :]

    def evaluate_between(self, network: Network, value: Tensor, start: int, target: int) -> Tensor:
        """Run the network on patches from one step to another.

        Parameters
        ----------
        network : Network
            The network the field was derived from.
        value : tf.Tensor
            ``(n, *shape(start))``: what the first step answers.
        start, target : int
            The steps; every path to the target leads through the start.
        """
        values: dict[int, Tensor] = {start: value}
        for position, step in network.steps_between([target], start=start):
            wanted = _read_ranges(step, self.ranges[position])
            parts = [_crop(values[source], self.ranges[source], wanted) for source in step.inputs]
            values[position] = parts[0] if step.kind in RESIZING else step.run(parts, "VALID")
        return values[target]

    def shape(self, network: Network, position: int) -> tuple[int, int, int]:
        """Return rows, columns and channels of what a step answers on a patch."""
        (top, bottom), (left, right) = self.ranges[position]
        return bottom - top + 1, right - left + 1, network.steps[position].shape[-1] or 0

    def last_nonlinearity(self, network: Network, target: int) -> int:
        """Return the step of the last nonlinearity before a step.

        After it the path to the step is affine, so that slopes are constant there.

        Parameters
        ----------
        network : Network
            The network the field was derived from.
        target : int
            The step; the target that the field was derived for, or one before it.
        """
        while network.steps[target].kind in LINEAR_IN_ONE_INPUT:
            (target,) = network.steps[target].inputs
        return target


def receptive_field(network: Network, target: int) -> ReceptiveField | None:
    """Derive the receptive field of the centre unit of a step.

    Parameters
    ----------
    network : Network
        A flattened network.
    target : int
        The step whose units are read.

    Returns
    -------
    ReceptiveField or None
        None when the step has no rows and columns, when a layer on the way mixes all pixels or
        cannot be followed, or when the field is as large as the picture along either axis.
    """
    shape = network.steps[target].shape
    if len(shape) != 3 or shape[0] is None or shape[1] is None:
        return None
    centre = ((shape[0] // 2, shape[0] // 2), (shape[1] // 2, shape[1] // 2))
    ranges: dict[int, tuple[Range, Range]] = {target: centre}
    for position in reversed(network.steps_needed([target])):
        if position == 0:
            continue
        step = network.steps[position]
        if step.kind not in WINDOWED | POINTWISE | RESIZING or not step.uniform:
            return None
        wanted = _read_ranges(step, ranges[position])
        for source in step.inputs:
            ranges[source] = _unite(ranges[source], wanted) if source in ranges else wanted
    (top, bottom), (left, right) = ranges[0]
    size = (bottom - top + 1, right - left + 1)
    height, width, _ = network.input_shape
    return None if size[0] >= height or size[1] >= width else ReceptiveField(size, ranges)


def _read_ranges(step: Any, outputs: tuple[Range, Range]) -> tuple[Range, Range]:
    window = step.window
    if step.kind in WINDOWED:
        spans = []
        for axis, (first, last) in enumerate(outputs):
            start = first * window.strides[axis] - window.before[axis]
            stop = last * window.strides[axis] - window.before[axis]
            spans.append((start, stop + (window.size[axis] - 1) * window.dilation[axis]))
        return spans[0], spans[1]
    if step.kind in RESIZING:
        sign = -1 if step.kind == StepKind.PAD else 1
        rows, columns = (
            (first + sign * before, last + sign * before)
            for (first, last), before in zip(outputs, window.before, strict=True)
        )
        return rows, columns
    return outputs


def _unite(one: tuple[Range, Range], other: tuple[Range, Range]) -> tuple[Range, Range]:
    rows, columns = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(one, other, strict=True))
    return rows, columns


def _crop(value: Tensor, have: tuple[Range, Range], wanted: tuple[Range, Range]) -> Tensor:
    if have == wanted:
        return value
    top, left = wanted[0][0] - have[0][0], wanted[1][0] - have[1][0]
    height, width = (last - first + 1 for first, last in wanted)
    return value[:, top : top + height, left : left + width, :]
