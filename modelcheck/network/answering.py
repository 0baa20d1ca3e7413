"""A flattened network as a classifier: pictures in, class scores out, in one traced graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.network.agreement import check_agreement, in_full_precision, trace_keras
from modelcheck.network.diagnosis import list_dtypes
from modelcheck.network.front import preprocess_first
from modelcheck.network.steps import Network
from modelcheck.network.weights import read_weights, with_weights

__all__ = ["KerasClassifier"]

_BATCH_BYTES = 2 * 2**20  # of pictures in one step; larger batches are no faster on a CPU
_LEAST = 16  # pictures in one step, however large they are
_TIMED = 20


@dataclass(frozen=True, eq=False)
class KerasClassifier:
    """A flattened network that is asked for answers alone; see `modelcheck.runtimes.Classifier`.

    Parameters
    ----------
    network : Network
        The network. It may be given other weights in between: its answers are then theirs.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    >>> KerasClassifier(flatten(keras.Sequential(layers))).class_scores(np.zeros((5, 4, 4, 1))).shape
    (5, 3)
    """

    network: Network
    _ask: Callable[[Any, list[list[Any]]], Any] = field(init=False)
    _ask_keras: Callable[[Any], Any] = field(init=False)

    def __post_init__(self) -> None:
        network = self.network
        targets = [network.logits, len(network.steps) - 1]

        # Weights are handed over with what scales them folded in, as in an ascent: where a graph reads
        # them TensorFlow reorders products, and one that vanishes by itself does not there.
        def ask(images: Any, weights: list[list[Any]]) -> Any:
            return with_weights(network, network.logits, weights).evaluate(images, targets)

        spec = tf.TensorSpec((None, *self.input_shape), tf.float32)
        read = [[tf.TensorSpec(values.shape) for values in step] for step in read_weights(network, network.logits)]
        object.__setattr__(self, "_ask", tf.function(ask, input_signature=[spec, read], autograph=False))
        object.__setattr__(self, "_ask_keras", trace_keras(network))

    @property
    def name(self) -> str:
        """What the network is called."""
        return str(self.network.model.name)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        return self.network.input_shape

    @property
    def n_classes(self) -> int:
        """How many classes it tells apart."""
        return self.network.n_classes

    @property
    def plain(self) -> bool:
        """Whether it computes in float32 throughout."""
        return bool(list_dtypes(self.network.model) == {"float32"})

    def class_scores(self, images: np.ndarray, *, checked: np.ndarray | None = None) -> np.ndarray:
        """Return the scores before softmax or sigmoid, ``(n, classes)`` float32, a few pictures at a time.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` pictures in the input range.
        checked : np.ndarray, optional
            Rows of those that Keras is shown, too.

        Raises
        ------
        NetworkError
            When Keras answers otherwise there; see `modelcheck.network.check_agreement`.
        """
        images = np.asarray(images, np.float32)
        if len(images) == 0:
            return np.zeros((0, self.n_classes), np.float32)
        with nullcontext() if checked is None else in_full_precision():
            scores, outputs = self._ask_steps(images)
        if checked is not None:
            # Outside a graph each operation overflows by itself, as it does where the network is used so.
            traced, told = (self._ask_keras, (scores[checked], outputs[checked])) if self.plain else (None, None)
            check_agreement(self.network, images[checked], released=False, traced=traced, told=told)
        return self.network.as_class_scores(tf.constant(scores)).numpy().astype(np.float32)

    def _ask_steps(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the scores and the outputs of the network, with the weights that it has now."""
        weights = read_weights(self.network, self.network.logits)
        at_once = max(_LEAST, _BATCH_BYTES // (4 * int(np.prod(self.input_shape))))
        parts = [
            [part.numpy() for part in self._ask(tf.constant(images[start : start + at_once]), weights)]
            for start in range(0, len(images), at_once)
        ]
        return [np.concatenate(half) for half in zip(*parts, strict=True)]

    def seconds_per_picture(self, images: np.ndarray) -> float:
        """Return the median of some calls with one picture, on as many threads as TensorFlow takes: for information.

        Parameters
        ----------
        images : np.ndarray
            ``(n, h, w, c)`` pictures in the input range, one at least.
        """
        seconds, weights = [], read_weights(self.network, self.network.logits)
        for at in np.arange(_TIMED + 1) % len(images):
            shown = tf.constant(images[at : at + 1], tf.float32)
            start = time.perf_counter()
            self._ask(shown, weights)[0].numpy()
            seconds.append(time.perf_counter() - start)
        return float(np.median(seconds[1:]))

    def without_preprocessing(self) -> KerasClassifier:
        """Return the same network, given pictures as it takes them; see `Classifier`."""
        return KerasClassifier(preprocess_first(self.network, None, input_range=(0.0, 1.0)))
