"""How fast this machine runs a network: about a second of passes, forward alone and forward and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import tensorflow as tf

from modelcheck.network import Network
from modelcheck.network.weights import read_weights, with_weights

__all__ = ["Pace", "measure_pace"]

_SECONDS = 0.5  # of each direction
_PICTURES = 8
_LEAST = 3  # calls


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a pass takes on this machine now, in seconds.

    Parameters
    ----------
    forward, both : float
        One picture through the whole network: forward alone, and forward and back.
    traced : float
        One step of the network while an ascent is traced.

    Examples
    --------
    >>> Pace(forward=0.01, both=0.02, traced=0.001).both
    0.02
    """

    forward: float
    both: float
    traced: float


def measure_pace(network: Network, images: np.ndarray, *, clock: Callable[[], float] = time.perf_counter) -> Pace:
    """Return the median pace of some calls.

    Parameters
    ----------
    network : Network
        The flattened network.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures in its input range, one at least.
    clock : callable
        Seconds, from any start.
    """
    shown = tf.constant(np.resize(images, (_PICTURES, *network.input_shape)), tf.float32)

    def ask(pictures: tf.Tensor, weights: list[list[tf.Tensor]]) -> tf.Tensor:
        return with_weights(network, network.logits, weights).class_scores(pictures)

    def climb(pictures: tf.Tensor, weights: list[list[tf.Tensor]]) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pictures)
            scores = ask(pictures, weights)
        return tape.gradient(scores, pictures)

    weights = read_weights(network, network.logits)
    forward = tf.function(ask, autograph=False).get_concrete_function(shown, weights)
    start = clock()
    back = tf.function(climb, autograph=False).get_concrete_function(shown, weights)
    back(shown, weights)
    traced = clock() - start
    both = _time_calls(lambda: back(shown, weights), clock)
    return Pace(
        forward=_time_calls(lambda: forward(shown, weights), clock) / _PICTURES,
        both=both / _PICTURES,
        traced=max(traced - both, 0.0) / len(network.steps),
    )


def _time_calls(call: Callable[[], tf.Tensor], clock: Callable[[], float]) -> float:
    call()
    seconds: list[float] = []
    while len(seconds) < _LEAST or sum(seconds) < _SECONDS:
        start = clock()
        call().numpy()
        seconds.append(max(clock() - start, 1e-9))
    return median(seconds)
