"""The nouns of a flattened network: steps, their windows, the layers that have units, the network itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

__all__ = ["Network", "NetworkError", "Step", "UnitLayer", "Window"]

Tensor = Any  # tensorflow ships no types


class NetworkError(ValueError):
    """A network that modelcheck cannot look into; the message names the layer."""


@dataclass(frozen=True)
class Window:
    """The sliding window of a convolution or a pooling, per axis (rows, columns).

    Parameters
    ----------
    size, strides, dilation : tuple of int
        In pixels of the step's input.
    padding : {'SAME', 'VALID'}
        TensorFlow's names.
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
        The layer's path, for example ``backbone/conv1``; the activation of ``conv1`` is ``conv1`` too.
    kind : str
        ``input``, ``conv``, ``depthwise``, ``dense``, ``affine``, ``activation``, ``max_pool``,
        ``average_pool``, ``global_average_pool``, ``global_max_pool``, ``flatten`` (reshapes too), ``pad``,
        ``crop``, ``add``, ``multiply``, ``concatenate``, ``identity`` or ``other``.
    inputs : tuple of int
        Positions of the steps it reads.
    shape : tuple of int or None
        Its output's shape without the batch.
    run : callable
        ``run(values, window_padding)`` -> output; `window_padding` overrides the padding of a window.
    layer : keras.layers.Layer, optional
        Where it comes from.
    activation : str
        For activations, the function's Keras name, for example ``relu``; ``unknown`` for custom ones.
    window : Window, optional
        For convolutions, poolings, paddings and croppings.
    weights : callable, optional
        ``weights(dtype)`` -> ``(kernel, bias)`` tensors, bias may be None; for ``affine`` the per-channel
        factor and shift.
    linear : callable, optional
        ``linear(value, kernel)`` -> the step without its bias, for any kernel of the same shape.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int | None, ...]
    run: Callable[..., Tensor]
    layer: Any = None
    activation: str = ""
    window: Window | None = None
    weights: Callable[[Any], tuple[Tensor, Tensor | None]] | None = None
    linear: Callable[..., Tensor] | None = None


@dataclass(frozen=True)
class UnitLayer:
    """A layer that has units: a convolution or a dense layer.

    Parameters
    ----------
    name : str
        The layer's path.
    kind : {'conv', 'dense', 'decision'}
        The last one is the decision, whatever its type.
    read : int
        The step at which a unit's pre-activation is read: the layer's own linear step, or the batch
        normalisation that follows it alone.
    n_units : int
        Length of the last axis there.
    activated : int
        The step after the layer's activation, or `read` where there is none.
    """

    name: str
    kind: str
    read: int
    n_units: int
    activated: int


@dataclass(frozen=True, eq=False)
class Network:
    """A flattened network.

    Parameters
    ----------
    model : keras.Model
        The user's network, unchanged.
    steps : tuple of Step
        In an order in which each step follows those it reads; the first is the input, the last the output.
    logits : int
        The step that holds the class scores before a final softmax or sigmoid.
    n_outputs : int
        Length of the output; 1 means a single score for the second of two classes.
    classes : tuple of int, optional
        For each output the class it belongs to, where several outputs mean one class; see `joined`.
    """

    model: Any
    steps: tuple[Step, ...]
    logits: int
    n_outputs: int
    classes: tuple[int, ...] | None = None

    @property
    def n_classes(self) -> int:
        """How many classes the network tells apart."""
        return max(self.n_outputs, 2) if self.classes is None else max(self.classes) + 1

    def joined(self, classes: Sequence[int]) -> Network:
        """Return the network with outputs joined into classes, by logsumexp, as their probabilities add.

        Parameters
        ----------
        classes : sequence of int
            For each output the class it belongs to.
        """
        return replace(self, classes=tuple(classes))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""
        height, width, channels = self.steps[0].shape
        if height is None or width is None or channels is None:
            raise NetworkError(
                f"The input of {self.model.name!r} has no fixed size ({self.steps[0].shape}); modelcheck needs "
                "one. Build the network with keras.Input((height, width, channels))."
            )
        return height, width, channels

    def needed(self, targets: Iterable[int]) -> list[int]:
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
        late = self.relus_after_pooling(start, targets)
        for position in self.needed(targets):
            if position > start and position not in late.values():
                step, relu = self.steps[position], late.get(position)
                sources = step.inputs if relu is None else self.steps[relu].inputs
                missing = [source for source in sources if source not in values]
                if missing:
                    raise NetworkError(
                        f"Layer {step.name!r} also reads {self.steps[missing[0]].name!r}, which does not lie "
                        f"behind {self.steps[start].name!r}."
                    )
                found = step.run([values[source] for source in sources])
                values[position] = found if relu is None else self.steps[relu].run([found])
        return [values[target] for target in targets]

    def relus_after_pooling(self, start: int, targets: Sequence[int]) -> dict[int, int]:
        """Return the max poolings that may run before the ReLU that they alone read, with that ReLU.

        Both orders give the same values and the same slopes, and the ReLU has a quarter of the work.

        Parameters
        ----------
        start : int
            The step that is known already.
        targets : sequence of int
            The steps whose outputs are wanted.
        """
        needed = self.needed(targets)
        read = [source for position in needed for source in self.steps[position].inputs]
        pools = [(at, self.steps[at].inputs[0]) for at in needed if self.steps[at].kind == "max_pool"]
        return {
            pool: source
            for pool, source in pools
            if self.steps[source].activation == "relu"
            and source > start
            and source not in targets
            and read.count(source) == 1
        }

    def class_scores(self, images: Tensor) -> Tensor:
        """Return the scores before softmax or sigmoid, ``(n, n_classes)``; see `as_class_scores`."""
        return self.as_class_scores(self.evaluate(images, [self.logits])[0])

    def as_class_scores(self, logits: Tensor) -> Tensor:
        """Return one column per class: a single-score network has the score 0 for its first class."""
        scores = tf.concat([tf.zeros_like(logits), logits], axis=-1) if self.n_outputs == 1 else logits
        if self.classes is None:
            return scores
        members = [[at for at, owner in enumerate(self.classes) if owner == k] for k in range(self.n_classes)]
        return tf.stack([tf.reduce_logsumexp(tf.gather(scores, part, axis=1), axis=1) for part in members], axis=1)

    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """Return the layers that have units, in model order; the last is the decision."""
        readers: dict[int, list[int]] = {}
        for position, step in enumerate(self.steps):
            for source in step.inputs:
                readers.setdefault(source, []).append(position)
        found: dict[str, UnitLayer] = {}
        for position in self.needed([self.logits]):
            step = self.steps[position]
            if step.kind not in ("conv", "dense", "depthwise") or step.name.endswith(":depthwise"):
                continue
            if step.kind == "dense" and len(step.shape) != 1:
                raise NetworkError(
                    f"The dense layer {step.name!r} works on shape {step.shape}, a sequence; modelcheck takes dense "
                    "layers on vectors. Use a 1 x 1 convolution instead, or flatten first."
                )
            read = self._follow(position, readers, ("affine",))
            activated = self._follow(read, readers, ("activation",)) if read != self.logits else read
            kind = "dense" if step.kind == "dense" else "conv"
            units = self.steps[read].shape[-1] or 0
            found.setdefault(step.name, UnitLayer(step.name, kind, read, units, activated))
        layers = list(found.values())
        if not layers:
            raise NetworkError(f"{self.model.name!r} has no convolution and no dense layer: nothing to compare.")
        last = layers[-1]
        return (*layers[:-1], UnitLayer(last.name, "decision", self.logits, self.n_outputs, self.logits))

    def _follow(self, position: int, readers: dict[int, list[int]], kinds: tuple[str, ...]) -> int:
        after = readers.get(position, [])
        return after[0] if len(after) == 1 and self.steps[after[0]].kind in kinds else position
