"""A file that ships, as a classifier: it answers pictures, and its hidden layers can be read, not rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.engine import Engine, Way
from modelcheck.runtimes.kernels import count_parameters, describe_precision, find_weights, read_kernel
from modelcheck.runtimes.layers import ReadableLayer, find_layers
from modelcheck.runtimes.pictures import Entry, InputUse
from modelcheck.runtimes.readout import LEAST, Readout, as_class_scores
from modelcheck.runtimes.storing import Span, restore
from modelcheck.runtimes.wiring import Scores, Wiring

__all__ = ["ShippedClassifier"]

_COMPARED = 48  # pictures that are shown in several ways
_TIMED = 20
# How far scores of two kinds of kernels may be apart: share of the usual distance between classes,
# or steps of what the scores are stored in.
_SLACK, _STEPS = 1e-3, 4
_ROUNDED_SHARE = 0.1  # of a probability: what two steps of scores make of one that is undecided
_ROUNDED_SLACK = 0.1  # where activations are rounded on the way, which each kind does in its own place


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ShippedClassifier:
    """A file that ships, fitted to a panel.

    Parameters
    ----------
    name : str
        What it is called in messages.
    wiring : Wiring
        Its graph.
    engine : Engine
        What runs it.
    entry : Entry
        The input that takes pictures.
    scores : Scores
        Where its class scores are read.
    n_outputs : int
        How many numbers it answers with.
    readout : Readout
        How class scores follow from them.
    prepare : callable
        ``prepare(images)`` -> what is done to ``(n, h, w, c)`` pictures first.
    glance : np.ndarray
        ``(n, h, w, c)`` a few pictures, on which ways of asking are compared.
    """

    name: str
    wiring: Wiring
    engine: Engine
    entry: Entry
    scores: Scores
    n_outputs: int
    readout: Readout
    prepare: Callable[[np.ndarray], np.ndarray]
    glance: np.ndarray

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        return self.entry.shape

    @property
    def n_classes(self) -> int:
        """How many classes it tells apart."""
        return self.readout.count_classes(self.n_outputs)

    @property
    def fallback(self) -> str:
        """Why plain kernels are used where others are usual, in a sentence; empty where they are not."""
        return self.engine.fallback

    @property
    def precision(self) -> str:
        """In what numbers it computes, in words."""
        return describe_precision(self.wiring)

    @property
    def coarse(self) -> bool:
        """Whether it answers with probabilities of whole numbers, of which the ends hide by how much a class leads."""
        return bool(self.readout.link) and self._span is not None

    @property
    def parameters(self) -> int:
        """How many weights and biases its convolutions and dense layers have."""
        return count_parameters(self.wiring)

    @property
    def plain(self) -> bool:
        """Whether one picture shows what a sticker does to its numbers: whole numbers end at their range's ends."""
        return True

    def class_scores(self, images: np.ndarray, *, checked: np.ndarray | None = None) -> np.ndarray:
        """Return the scores before softmax or sigmoid, ``(n, classes)`` float32; see `Classifier` and `check_shown`."""
        if checked is not None:
            self.check_shown(images[checked])
        return self._as_scores(self._answer(images))

    def saturation(self, images: np.ndarray) -> float:
        """Return the share of pictures with a score at the end of what the file can say.

        Such a score stands for itself and for all beyond it: margins of these pictures are not what
        the network would have answered.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` pictures in the input range.
        """
        values = self._answer(images)
        values = values if self.readout.unit is None else values[:, self.readout.unit : self.readout.unit + 1]
        span = self._span
        if span is not None:
            low, high = span.low + span.step / 4, span.high - span.step / 4
        elif self.readout.link:
            low, high = LEAST, 1 - LEAST
        else:
            return 0.0
        return float(((values <= low) | (values >= high)).any(axis=1).mean()) if len(values) else 0.0

    def describe_input(self, images: np.ndarray) -> InputUse | None:
        """Return how much pictures use of what the input can hold; None where it is no whole number."""
        return self.entry.describe(self.prepare(images))

    def without_preprocessing(self) -> ShippedClassifier:
        """Return the same file, given pictures as it takes them; see `Classifier`."""
        return replace(self, prepare=partial(np.asarray, dtype=np.float32))

    def check_shown(self, images: np.ndarray) -> None:
        """Refuse a file that answers otherwise with plain kernels, or one picture at a time.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` pictures in the input range, some dozens of which are compared.

        Raises
        ------
        NetworkError
            When answers differ, or one is NaN or infinite.
        """
        rows = np.unique(np.linspace(0, len(images) - 1, min(_COMPARED, len(images))).round().astype(int))
        images = images[rows]
        told = self._answer(images)
        own = self._as_scores(told)
        if not np.isfinite(own).all():
            bad = int((~np.isfinite(own).all(axis=1)).sum())
            raise NetworkError(f"The network {self.name!r} answers NaN or infinity on {bad} of {len(own)} pictures.")
        ways: dict[Way, str] = {"plain": "with the runtime's plain kernels", "alone": "one picture at a time"}
        for way, words in ways.items():
            answered = self._answer(images, way=way)
            other = self._as_scores(answered)
            if self.readout.link and self._span is not None:
                # Between the smallest probabilities that whole numbers can say lie large differences of scores.
                wrong = (np.abs(answered - told) > _ROUNDED_SHARE + _STEPS * self._span.step).any(axis=1)
            else:
                wrong = self._find_distant_rows(own, other)
            if wrong.any():
                apart = float(np.abs(other - own)[wrong].max())
                raise NetworkError(
                    f"The network {self.name!r} answers {int(wrong.sum())} of {len(own)} pictures otherwise {words}: "
                    f"scores are up to {apart:.3g} apart, and modelcheck would judge one of two networks. Convert it "
                    "again with a newer converter, or run it with a newer runtime."
                )

    def layers(self) -> tuple[ReadableLayer, ...]:
        """Return the layers whose activations can be read, in order, the decision last; see `unreadable`."""
        return self._readable[0]

    @property
    def unreadable(self) -> str:
        """Why no layer can be read, in a sentence; empty where they can be."""
        return self._readable[1]

    @cached_property
    def _readable(self) -> tuple[tuple[ReadableLayer, ...], str]:
        """The layers that can be read, and why there is none."""
        layers = find_layers(self.wiring, self.scores.position, n_outputs=self.n_outputs)
        if not layers:
            return (), "It has no convolution and no dense layer that could be read."
        stored = self.entry.store(self.prepare(self.glance))
        alone = self.engine.run(stored, self.scores.position, way="plain")
        positions = [self.scores.position, *(layer.position for layer in layers)]
        try:
            own, *hidden = self.engine.run_hidden(stored, positions)
        except NetworkError as error:
            return (), f"Its hidden layers cannot be read: {error}"
        if not np.array_equal(alone, own, equal_nan=True):
            return (), "It answers otherwise while its hidden layers are read, so that none is."
        pairs = zip(layers, hidden, strict=True)
        return tuple(layer for layer, values in pairs if layer.can_have(values.shape, len(stored))), ""

    def read_layers(self, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return what layers answer behind their activations, in real numbers.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` pictures in the input range.
        names : sequence of str
            Names of `layers`.

        Returns
        -------
        dict of str to np.ndarray
            By name, ``(n, h, w, units)`` or ``(n, units)`` float32.

        Raises
        ------
        NetworkError
            When a layer is not known, or none can be read.
        """
        known = {layer.name: layer for layer in self.layers()}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise NetworkError(
                f"No layer {unknown[0]!r} of the network {self.name!r} can be read: "
                f"{self.unreadable or 'it has ' + ', '.join(known) + '.'}"
            )
        layers = [known[name] for name in names]
        stored = self.engine.run_hidden(
            self.entry.store(self.prepare(images)), [self.scores.position, *(layer.position for layer in layers)]
        )
        found = {}
        for layer, values in zip(layers, stored[1:], strict=True):
            real = restore(self.wiring.tensor(layer.position), values)
            if layer.position == self.scores.position:
                real = real.reshape(len(images), -1)
            found[layer.name] = real.transpose(0, 2, 3, 1) if layer.channels_first else real
        return found

    def kernels(self) -> list[np.ndarray]:
        """Return the weights of convolutions and dense layers in real numbers, in order, with Keras' axes."""
        return [read_kernel(self.wiring, weights) for weights in find_weights(self.wiring)]

    def seconds_per_picture(self) -> float:
        """Return the median of some calls with one picture, on one thread: for information, not for judgement."""
        rows = np.arange(_TIMED + 1) % len(self.glance)
        shown = self.entry.store(self.prepare(self.glance))[rows]
        return float(np.median(self.engine.time_one(shown, self.scores.position)))

    @cached_property
    def _span(self) -> Span | None:
        return self.wiring.span(self.scores.position)

    def _answer(self, images: np.ndarray, *, way: Way = "usual") -> np.ndarray:
        """Return ``(n, outputs)``: the real numbers from which class scores are read."""
        stored = self.engine.run(self.entry.store(self.prepare(images)), self.scores.position, way=way)
        return restore(self.wiring.tensor(self.scores.position), stored).reshape(len(images), self.n_outputs)

    def _as_scores(self, values: np.ndarray) -> np.ndarray:
        if self.readout.link and self._span is not None:  # a stored zero stands for all below half a step
            values = np.clip(values, self._span.step / 2, 1 - self._span.step / 2)
        return as_class_scores(self.readout, values * np.float32(self.scores.factor)).astype(np.float32)

    def _find_distant_rows(self, own: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` where two answers are too far apart, or another class is given that no rounding explains."""
        ordered = np.sort(own, axis=1)
        lead = ordered[:, -1] - ordered[:, -2]
        usual = float(np.median(lead))
        slack = (_ROUNDED_SLACK if "int" in self.precision else _SLACK) * max(usual, 1e-6)
        if self._span is not None:
            slack += _STEPS * self._span.step * abs(self.scores.factor)
        distant = ~(np.abs(other - own) <= slack).all(axis=1)
        flipped = (own.argmax(axis=1) != other.argmax(axis=1)) & (lead > 2 * slack)
        return distant | flipped
