"""The nouns of a flattened network: steps, their windows, the layers that have units, the network itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.network.kinds import WITH_KERNEL, StepKind
from modelcheck.network.readout import read_tensors
from modelcheck.runtimes import NetworkError, Readout
from modelcheck.units import LayerKind

__all__ = ["Network", "NetworkError", "Step", "UnitLayer", "Window"]

Tensor = Any  # tensorflow ships no types


@dataclass(frozen=True)
class Window:
    """The sliding window of a convolution or a pooling, per axis (rows, columns).

    Parameters
    ----------
    size, strides, dilation : tuple of int
        Size of the window, its step and the gaps between its pixels, all in pixels of the step's
        input.
    padding : {'SAME', 'VALID'}
        How borders are padded, by TensorFlow's names.
    before : tuple of int
        Rows and columns of padding before the first pixel.
    """

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "VALID"
    before: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of a flattened network.

    Parameters
    ----------
    name : str
        The layer's path, for example ``backbone/conv1``; the activation of ``conv1`` is ``conv1``
        too.
    kind : StepKind
        What it does.
    inputs : tuple of int
        Positions of the steps it reads.
    shape : tuple of int or None
        Shape of the step's output without the batch; None for a length that is not fixed.
    run : callable
        ``run(values, window_padding)`` -> output; `window_padding` overrides the padding of a
        window.
    layer : keras.layers.Layer, optional
        The Keras layer that the step comes from.
    activation : str
        Keras name of an activation's function, for example ``relu``; ``unknown`` for custom ones,
        and empty for steps that are no activation.
    window : Window, optional
        The window of a convolution, pooling, padding or cropping.
    weights : callable, optional
        ``weights(dtype)`` -> ``(kernel, bias)`` tensors, bias may be None; for ``affine`` the
        per-channel factor and shift.
    linear : callable, optional
        ``linear(value, kernel)`` -> the step without its bias, for any kernel of the same shape.
    uniform : bool
        Whether an activation treats every pixel alike and alone; not so with a parameter for each
        pixel, a softmax over the picture, or a function that nobody knows.
    """

    name: str
    kind: StepKind
    inputs: tuple[int, ...]
    shape: tuple[int | None, ...]
    run: Callable[..., Tensor]
    layer: Any = None
    activation: str = ""
    window: Window | None = None
    weights: Callable[[Any], tuple[Tensor, Tensor | None]] | None = None
    linear: Callable[..., Tensor] | None = None
    uniform: bool = True


@dataclass(frozen=True)
class UnitLayer:
    """A layer that has units: a convolution or a dense layer.

    A layer that is called in several places is one, and its units are read at its first call.

    Parameters
    ----------
    name : str
        The layer's path.
    kind : LayerKind
        The last one is the decision, whatever its type.
    read : int
        The step at which a unit's pre-activation is read: the layer's own linear step, or the batch
        normalisation that follows it alone.
    n_units : int
        Length of the last axis of that step's output.
    activated : int
        The step after the layer's activation, or `read` where there is none.
    """

    name: str
    kind: LayerKind
    read: int
    n_units: int
    activated: int


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A flattened network.

    Parameters
    ----------
    model : keras.Model
        The user's network, unchanged.
    steps : tuple of Step
        The steps in an order in which each follows those it reads; the first is the input, the last
        the output.
    logits : int
        The step that holds the class scores before a final softmax or sigmoid.
    n_outputs : int
        Length of the output; 1 means a single score for the second of two classes.
    readout : Readout
        How class scores follow from the scores in `logits`.
    entry : int
        The step whose output `model` takes for its input: 0, or the last of the steps that
        preprocess pictures for it; see `modelcheck.network.preprocess_first`.
    """

    model: Any
    steps: tuple[Step, ...]
    logits: int
    n_outputs: int
    readout: Readout = field(default_factory=Readout)
    entry: int = 0

    def __repr__(self) -> str:
        """Name it in one line: TensorFlow writes what it traces into its warnings."""
        return f"Network({self.model.name!r}, {len(self.steps)} steps)"

    @property
    def n_classes(self) -> int:
        """How many classes the network tells apart."""
        return self.readout.count_classes(self.n_outputs)

    @property
    def softening(self) -> str:
        """The activation between the class scores and the output, by its Keras name; empty where there is none."""
        return next((step.activation for step in self.steps[self.logits + 1 :] if step.activation), "")

    def join_outputs(self, classes: Sequence[int]) -> Network:
        """Return the network with outputs joined into classes, by logsumexp, as their probabilities add.

        Parameters
        ----------
        classes : sequence of int
            The class that each output belongs to.
        """
        return replace(self, readout=replace(self.readout, classes=tuple(classes)))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""
        height, width, channels = self.steps[0].shape
        if height is None or width is None or channels is None:
            raise NetworkError(
                f"The input of {self.model.name!r} has no fixed size ({self.steps[0].shape}); modelcheck needs "
                "one. Give size=(height, width), or build the network with keras.Input((height, width, channels))."
            )
        return height, width, channels

    def feed(self, images: np.ndarray) -> np.ndarray:
        """Return pictures as `model` takes them, ``(n, h, w, c)`` float32: preprocessed, where they have to be."""
        images = np.asarray(images, np.float32)
        return self.evaluate(tf.constant(images), [self.entry])[0].numpy() if self.entry else images

    def steps_needed(self, targets: Iterable[int]) -> list[int]:
        """Return the steps, in order, that must run before the targets are known."""
        wanted = set(targets)
        for position in range(len(self.steps) - 1, -1, -1):
            if position in wanted:
                wanted.update(self.steps[position].inputs)
        return sorted(wanted)

    def evaluate(self, images: Tensor, targets: Sequence[int], *, start: int = 0) -> list[Tensor]:
        """Run the network up to some steps, in the dtype of `images` and in inference mode.

        Parameters
        ----------
        images : tf.Tensor
            ``(n, h, w, c)``, or the output of step `start`.
        targets : sequence of int
            The steps whose outputs are wanted.
        start : int
            The step whose output `images` is; every path to the targets must lead through it.
        """
        values: dict[int, Tensor] = {start: images}
        between = self.steps_between(targets, start=start)
        # Outside a graph an output is let go once its last reader has it: of a deep network all of them
        # together take gigabytes.
        last = {source: position for position, step in between for source in step.inputs}
        for position, step in between:
            missing = [source for source in step.inputs if source not in values]
            if missing:
                raise NetworkError(
                    f"Layer {step.name!r} also reads {self.steps[missing[0]].name!r}, which does not come "
                    f"after {self.steps[start].name!r}."
                )
            values[position] = step.run([values[source] for source in step.inputs])
            for source in set(step.inputs) - set(targets):
                if last[source] == position:
                    del values[source]
        return [values[target] for target in targets]

    def steps_between(self, targets: Sequence[int], *, start: int = 0) -> list[tuple[int, Step]]:
        """Return the steps between a start and targets with their positions, in order.

        A convolution or dense layer and the batch normalisation that alone reads it are one step,
        which takes a quarter less time on MobileNetV2.
        """
        needed = [position for position in self.steps_needed(targets) if position > start]
        readers = Counter(source for position in needed for source in self.steps[position].inputs)
        found: dict[int, Step] = {}
        for position in needed:
            step = self.steps[position]
            before = found.get(step.inputs[0]) if step.kind == StepKind.AFFINE else None
            if (
                before is None
                or before.kind not in WITH_KERNEL
                or readers[step.inputs[0]] > 1
                or step.inputs[0] in targets
            ):
                found[position] = step
            else:
                del found[step.inputs[0]]
                found[position] = _fold_scale(before, step)
        return list(found.items())

    def class_scores(self, images: Tensor) -> Tensor:
        """Return the scores before softmax or sigmoid, ``(n, n_classes)``; see `as_class_scores`."""
        return self.as_class_scores(self.evaluate(images, [self.logits])[0])

    def as_class_scores(self, logits: Tensor) -> Tensor:
        """Return one column per class: a single-score network has the score 0 for its first class."""
        scores = read_tensors(self.readout, logits)
        return tf.concat([tf.zeros_like(scores), scores], axis=-1) if scores.shape[-1] == 1 else scores

    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """Return the layers that have units, in model order; the last is the decision."""
        readers: dict[int, list[int]] = {}
        for position, step in enumerate(self.steps):
            for source in step.inputs:
                readers.setdefault(source, []).append(position)
        found: dict[str, UnitLayer] = {}
        for position in self.steps_needed([self.logits]):
            step = self.steps[position]
            if step.kind not in WITH_KERNEL or step.name.endswith(":depthwise"):
                continue
            read = self._follow_alone(position, readers, StepKind.AFFINE)
            activated = self._follow_alone(read, readers, StepKind.ACTIVATION) if read != self.logits else read
            kind = LayerKind.DENSE if step.kind == StepKind.DENSE else LayerKind.CONV
            units = self.steps[read].shape[-1] or 0
            found.setdefault(step.name, UnitLayer(step.name, kind, read, units, activated))
        layers = list(found.values())
        if not layers:
            raise NetworkError(f"{self.model.name!r} has no convolution and no dense layer: nothing to compare.")
        last = layers[-1]
        return (*layers[:-1], UnitLayer(last.name, LayerKind.DECISION, self.logits, self.n_outputs, self.logits))

    def _follow_alone(self, position: int, readers: dict[int, list[int]], kind: StepKind) -> int:
        after = readers.get(position, [])
        return after[0] if len(after) == 1 and self.steps[after[0]].kind is kind else position


def _fold_scale(before: Step, affine: Step) -> Step:
    """Return a linear step whose kernel and bias hold the affine step after it."""

    def weights(dtype: Any) -> tuple[Tensor, Tensor]:
        (kernel, bias), (factor, shift) = _require_weights(before, dtype), _require_weights(affine, dtype)
        factor = tf.broadcast_to(factor, [affine.shape[-1]])
        wide = tf.reshape(factor, kernel.shape[-2:]) if before.kind == StepKind.DEPTHWISE else factor
        return kernel * wide, shift if bias is None else shift + bias * factor

    def run(values: Sequence[Tensor], window_padding: str | None = None) -> Tensor:
        kernel, moved = weights(values[0].dtype)
        return before.linear(values[0], kernel, window_padding) + moved  # type: ignore[misc]  # linear steps have it

    return replace(before, run=run, weights=weights)


def _require_weights(step: Step, dtype: Any) -> tuple[Tensor, Tensor | None]:
    if step.weights is None:
        raise NetworkError(f"Layer {step.name!r} has no weights.")
    return step.weights(dtype)
