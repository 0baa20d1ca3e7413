"""How every method reads a network: checked inputs, the score of one class, batches that fit, cached graphs.

A method sees the network as steps (see `modelcheck.network`) and never as a Keras model, so nothing
it does can change the user's weights or activations. Compiled graphs are kept per network and
released with it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network import Network, NetworkError, check_agreement, flatten
from modelcheck.network.readout import read_tensors
from modelcheck.support.spelling import did_you_mean

__all__ = [
    "MAX_BYTES",
    "AttributionError",
    "Reading",
    "check_images",
    "check_targets",
    "cut_blocks",
    "fill_reference",
    "read",
]

Tensor = Any  # tensorflow ships no types

MAX_BYTES = 192 * 2**20  # bytes of activations at once
_MAX_PICTURES = 256  # at once
_SHOWN = 4  # pictures on which a network must answer as Keras does
_MAX_GRAPHS = 48  # compiled graphs that are kept for one network
_Entry = tuple[Network | None, dict[Any, Any], str]
_known: weakref.WeakKeyDictionary[Any, _Entry] = weakref.WeakKeyDictionary()


class AttributionError(ValueError):
    """An attribution that cannot be computed; the message names the cause and what would work."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A network as one call of `attribute` sees it.

    Parameters
    ----------
    network : Network or None
        None where the model cannot be flattened; only the black-box methods work then.
    predict : callable
        ``predict(images)`` -> ``(n, n_classes)`` or ``(n, 1)`` scores as tensors, usable inside a
        graph.
    dtype : tf.DType
        ``float32`` or ``float64``; everything is computed and returned in it.
    row_bytes : int
        The memory that one picture's activations take.
    rows_at_once : int, optional
        The user's own batch size.
    graphs : dict
        Compiled functions by key.
    why : str
        Why there is no network.
    """

    network: Network | None
    predict: Callable[[Tensor], Tensor]
    dtype: Any
    row_bytes: int
    rows_at_once: int | None
    graphs: dict[Any, Any]
    why: str = ""

    @property
    def steps(self) -> Network:
        """The flattened network; `attribute` has checked that there is one."""
        if self.network is None:
            raise AttributionError(f"This needs the network's layers. {self.why} Only occlusion and rise work then.")
        return self.network

    @property
    def rows(self) -> int:
        """Pictures that fit into memory at once."""
        if self.rows_at_once is not None:
            return self.rows_at_once
        return int(np.clip(MAX_BYTES // max(self.row_bytes, 1), 1, _MAX_PICTURES))

    def batches(self, n: int, *, rows: int | None = None) -> Iterator[slice]:
        """Yield slices of at most `rows` pictures."""
        size = max(1, rows or self.rows)
        yield from (slice(start, start + size) for start in range(0, n, size))

    def compile_graph(
        self, key: tuple[Any, ...], function: Callable[..., Any], *shapes: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """Return a graph for `function(images, targets, *more)`; built once per key.

        Parameters
        ----------
        key : tuple
            What the function depends on beside the network and the dtype.
        function : callable
            Traced only when the key is new.
        *shapes : tuple
            Shapes of the arguments after images and targets, None for free axes; all in the
            reading's dtype.
        """
        key = (*key, self.dtype.name)
        if key not in self.graphs:
            while len(self.graphs) >= _MAX_GRAPHS:
                self.graphs.pop(next(iter(self.graphs)))
            shape = (None, None, None, None) if self.network is None else (None, *self.network.input_shape)
            signature = [tf.TensorSpec(shape, self.dtype), tf.TensorSpec((None,), tf.int32)]
            signature += [tf.TensorSpec(more, self.dtype) for more in shapes]
            # A concrete function is called without TensorFlow's search for a trace and its
            # retracing warnings.
            self.graphs[key] = tf.function(function, autograph=False).get_concrete_function(*signature)
        return self.graphs[key]

    def map(
        self, call: Callable[..., Tensor], images: np.ndarray, targets: np.ndarray, *more: np.ndarray
    ) -> np.ndarray:
        """Run a compiled function over the pictures in batches that fit; `more` is cut along with them."""
        parts = [
            np.asarray(call(images[rows], targets[rows], *(part[rows] for part in more)))
            for rows in self.batches(len(images))
        ]
        return np.concatenate(parts)

    def score(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return the target's score before softmax or sigmoid, ``(n,)``."""
        return self.of_target(self.predict(images), targets)

    def of_target(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return each picture's score of its target, ``(n,)``.

        With a single score s, the second class has s and the first -s: the log-odds of either
        against the other.
        """
        if self.network is not None:
            scores = read_tensors(self.network.readout, scores)
        if scores.shape[-1] == 1:
            return scores[:, 0] * tf.cast(2 * targets - 1, scores.dtype)
        return tf.gather(scores, targets, axis=1, batch_dims=1)

    def start(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return the gradient of `of_target` to the network's outputs: where a walk back begins."""
        with tf.GradientTape() as tape:
            tape.watch(scores)
            chosen = self.of_target(scores, targets)
        return tape.gradient(chosen, scores)


def cut_blocks(reading: Reading, n: int, n_samples: int, *, rows: int | None = None) -> list[tuple[slice, slice]]:
    """Cut pictures x samples into blocks of at most `rows`, or as fit; every picture sees the samples in order."""
    most = rows or reading.rows
    at_once = max(1, min(n, most // min(n_samples, most)))
    samples = max(1, most // at_once)
    return [
        (pictures, slice(start, start + samples))
        for pictures in reading.batches(n, rows=at_once)
        for start in range(0, n_samples, samples)
    ]


def read(
    model: Any, *, dtype: str | None = None, batch_size: int | None = None, images: np.ndarray | None = None
) -> Reading:
    """Flatten a model, or take it from the cache.

    Parameters
    ----------
    model : keras.Model, Network or callable
        A callable takes ``(n, h, w, c)`` arrays and returns ``(n, n_classes)``.
    dtype : {'float32', 'float64'}, optional
        The model's own by default, and float32 where that is a half precision.
    batch_size : int, optional
        Pictures at once; by default as many as fit.
    images : np.ndarray, optional
        Pictures, not yet checked: when a Keras network is first seen, its steps must answer some of
        them as ``model(images, training=False)`` does, or it is one that cannot be read.

    Raises
    ------
    AttributionError
        When the model is nothing that can be called, or an argument is out of range.
    """
    if dtype not in (None, "float32", "float64"):
        raise AttributionError(f"dtype is 'float32' or 'float64', not {dtype!r}.")
    if batch_size is not None and batch_size < 1:
        raise AttributionError(f"batch_size is at least 1, not {batch_size!r}.")
    if not callable(model) and not isinstance(model, Network):
        raise AttributionError(
            f"A model is the path of a .keras file, a keras.Model, a Network or a callable, not {type(model).__name__}."
        )
    network, graphs, why = _flatten_or_recall(model, images)
    kind = tf.as_dtype(dtype or _own_dtype(model))
    if network is None:
        predict, row_bytes = _make_opaque_predict(model, kind), 2**21
    else:
        predict = _make_predict(network)
        sizes = [int(np.prod([side or 1 for side in step.shape])) for step in network.steps]
        row_bytes = 3 * kind.size * sum(sizes)
    return Reading(network, predict, kind, row_bytes, batch_size, graphs, why)


def _make_predict(network: Network) -> Callable[[Tensor], Tensor]:
    return lambda images: network.evaluate(images, [network.logits])[0]


def _flatten_or_recall(model: Any, images: Any) -> _Entry:
    with contextlib.suppress(KeyError, TypeError):
        return _known[model]
    network: Network | None = model if isinstance(model, Network) else None
    why = f"{type(model).__name__} is no Keras network."
    if network is None and isinstance(model, keras.Model):
        try:
            network = flatten(model)
            shown = np.asarray(images)[:_SHOWN] if images is not None else np.empty(0)
            if shown.ndim == 4 and len(shown) and shown.shape[1:] == network.input_shape and np.isfinite(shown).all():
                check_agreement(network, shown.astype(np.float32), released=False)
        except NetworkError as error:
            network, why = None, str(error)
    if network is not None:
        # What the cache keeps must not hold the key, or it would never be released.
        owner = network.model
        network = replace(network, model=owner if isinstance(owner, weakref.ProxyType) else weakref.proxy(owner))
    entry: _Entry = (network, {}, why)
    with contextlib.suppress(TypeError):  # not every callable can be referred to weakly
        _known[model] = entry
    return entry


def _make_opaque_predict(model: Any, dtype: Any) -> Callable[[Tensor], Tensor]:
    """Call a model whose layers cannot be read; its own output is its score."""
    if isinstance(model, keras.Model):
        reference = weakref.ref(model)

        def of_model(images: Tensor) -> Tensor:
            return tf.cast(reference()(images, training=False), dtype)  # type: ignore[misc]

        return of_model

    def of_callable(images: Tensor) -> Tensor:
        scores = tf.numpy_function(lambda rows: np.asarray(model(rows), dtype.as_numpy_dtype), [images], dtype)
        return tf.ensure_shape(scores, (None, None))

    return of_callable


def _own_dtype(model: Any) -> str:
    holder = model.model if isinstance(model, Network) else model
    kinds = {str(weight.dtype) for weight in getattr(holder, "weights", ())}
    return "float64" if kinds == {"float64"} else "float32"


def check_images(images: Any, reading: Reading) -> np.ndarray:
    """Return the pictures as ``(n, h, w, c)`` in the reading's dtype.

    Raises
    ------
    AttributionError
        When there are none, the shape is not the network's, or a value is not finite.
    """
    array = np.asarray(images)
    if array.ndim != 4 or not len(array) or array.dtype.kind not in "buif":
        raise AttributionError(
            f"Pictures are a non-empty array (n, height, width, channels) of numbers, not {array.dtype} of shape "
            f"{array.shape}. One picture is images[None]."
        )
    if reading.network is not None and array.shape[1:] != reading.network.input_shape:
        raise AttributionError(
            f"The network takes pictures of shape {reading.network.input_shape}, not {array.shape[1:]}. "
            "Resize them as for training."
        )
    array = array.astype(reading.dtype.as_numpy_dtype)
    if not np.isfinite(array).all():
        raise AttributionError("The pictures hold NaN or infinite values. Remove or repair them first.")
    return array


def check_targets(
    targets: Any, n: int, n_classes: int | None, *, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Return one class index per picture, ``(n,)`` int32.

    Raises
    ------
    AttributionError
        When they are neither whole numbers nor names of classes, not one or `n` of them, or name no
        class.
    """
    array = np.asarray(targets)
    names = None if class_names is None else _check_class_names(class_names, n_classes)
    if array.size and all(isinstance(target, str) for target in array.flat):
        if names is None:
            raise AttributionError(
                f"Targets are names, such as {str(array.flat[0])!r}, and nothing says which output is which class. "
                "Give class_names in the order of the network's outputs: attribute(..., class_names=panel.class_names)"
            )
        array = _find_classes(array, names)
    if array.dtype.kind not in "iu" or array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise AttributionError(
            f"Targets are one class, or one per picture ({n}), as whole numbers or names; not {array.dtype} of shape "
            f"{array.shape}."
        )
    array = np.broadcast_to(array, (n,)).astype(np.int64)
    if array.min() < 0 or (n_classes is not None and array.max() >= n_classes):
        raise AttributionError(
            f"Targets name classes from 0 to {'the last' if n_classes is None else n_classes - 1}; found "
            f"{int(array.min())} to {int(array.max())}."
        )
    return array.astype(np.int32)


def _check_class_names(class_names: Sequence[str], n_classes: int | None) -> list[str]:
    names = [] if isinstance(class_names, str) else list(class_names)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise AttributionError(
            f"class_names are distinct names in the order of the network's outputs, not {class_names!r}."
        )
    if n_classes is not None and len(names) != n_classes:
        raise AttributionError(f"The network has {n_classes} classes, and class_names has {len(names)} names.")
    return [str(name) for name in names]


def _find_classes(targets: np.ndarray, class_names: list[str]) -> np.ndarray:
    """Return the positions of the classes that are named."""
    known = {name: k for k, name in enumerate(class_names)}
    for name in targets.flat:
        if name not in known:
            raise AttributionError(f"There is no class {str(name)!r}. {did_you_mean(str(name), class_names)}")
    return np.array([known[name] for name in targets.flat]).reshape(targets.shape)


def fill_reference(value: Any, images: np.ndarray, name: str) -> np.ndarray:
    """Return a reference picture per picture: from a number, a channel vector, one picture, or one for each.

    Raises
    ------
    AttributionError
        When it does not fit, or is not finite.
    """
    array = np.asarray(value, images.dtype)
    try:
        array = np.broadcast_to(array, images.shape)
    except ValueError as error:
        raise AttributionError(
            f"{name} is a number, a value per channel, one picture or one per picture; its shape {array.shape} "
            f"does not fit {images.shape}."
        ) from error
    if not np.isfinite(array).all():
        raise AttributionError(f"{name} holds NaN or infinite values.")
    return np.ascontiguousarray(array)
