"""Whether the unfolded network answers as Keras does: what is measured is the function that is released.

The steps of a flattened network are written anew from its layers. They compute in one dtype and in
inference mode, and a network can be built that does otherwise: an input that casts, a layer of a
dtype of its own, a call with ``training=True``, a layer that no step describes rightly. So Keras is
asked as its users ask it, and the two must agree before anything else is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from typing import Any, NoReturn

import keras
import numpy as np
import tensorflow as tf

from modelcheck.network.diagnosis import (
    coarsest_dtype,
    find_augmenting_layers,
    find_changing_layer,
    find_differing_layer,
    find_mixing_layer,
)
from modelcheck.network.steps import Network, NetworkError
from modelcheck.network.unfold import find_graph
from modelcheck.support.escaping import clean

__all__ = [
    "Answers",
    "answer",
    "as_refusal",
    "check_agreement",
    "find_distant_rows",
    "find_flipped_rows",
    "in_full_precision",
    "trace_keras",
]

Traced = Callable[[Any], Any]

# Pictures in one step: of large ones 64 take a quarter longer than 16, each, of small ones less, for
# calling layer by layer takes as long whatever they are given (EfficientNetB0, MobileNetV2).
_BATCH, _LEAST, _BATCH_BYTES = 64, 16, 8 * 2**20
_EXAMINED = 16  # pictures at once on which each layer is looked at, all of whose outputs are held
_ALONE = 4  # pictures that are also shown one by one, as in use
# How far scores may differ, as a share of the usual distance between the scores of one picture, by
# the coarsest dtype that the network computes in. Of trained networks none differed by more than
# 6e-8, 2.4e-3 and 1.4e-2, of untrained ones on noise, whose scores hardly differ, by 1e-5, 6e-2 and
# 4e-1.
_TOLERANCES = {"float32": 1e-4, "float16": 0.03, "bfloat16": 0.1}
# How much farther than the steps' own answers Keras' may be from those in double precision, and how
# far at most, as a share of the usual distance: beyond that no two machines give the same answers.
_ROUNDING, _ILL_CONDITIONED = 8.0, 0.01
_AT_REST = "model(images, training=False)"
_IN_NO_MODE = ("model(images)", "model(images[row : row + 1])")
_FLIPPED = 0.01  # the share of pictures whose class, too close to call, may be another
# How far a softmax or a sigmoid rounds, as a share of what it gives, and the smallest that it gives
# in full precision.
_ENDS = {"float32": (2.0**-19, 2.0**-126), "float16": (2.0**-7, 2.0**-14), "bfloat16": (2.0**-4, 2.0**-126)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the unfolded network answers, and how near Keras must come.

    Parameters
    ----------
    outputs : np.ndarray
        ``(n, outputs)`` what the network gives.
    scores : np.ndarray
        ``(n, outputs)`` the scores before a final softmax or sigmoid.
    softening : str
        The activation between the two; empty where there is none.
    tolerance : float
        How far a score may differ.
    rounding, smallest : float
        How far a softmax or a sigmoid rounds, as a share of what it gives, and the smallest that it
        gives in full precision.
    """

    outputs: np.ndarray
    scores: np.ndarray
    softening: str
    tolerance: float
    rounding: float
    smallest: float


def check_agreement(
    network: Network,
    images: np.ndarray,
    *,
    released: bool = True,
    traced: Traced | None = None,
    told: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Refuse a network whose steps do not answer as Keras does.

    Parameters
    ----------
    network : Network
        The flattened network.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures, as `network` takes them; Keras is given them preprocessed,
        where `network` begins with that.
    released : bool
        Whether every way must agree in which a released network is asked: called with and without
        ``training=False``, picture by picture, and by ``predict``, in the class answered, too. If
        not, ``model(images, training=False)`` alone is compared, whose outputs are then explained.
    traced : callable, optional
        `trace_keras` of the network, for whoever asks often; only where not every way must agree.
    told : tuple of np.ndarray, optional
        The scores and outputs of the steps, ``(n, outputs)`` each, for whoever has them already.

    Raises
    ------
    NetworkError
        When answers are NaN or infinite, or when outputs, scores or the classes answered differ by
        more than rounding. The message names the first layer that differs.

    Notes
    -----
    Kernels round differently, and the more the coarser the network's dtype is. How much a score may
    differ is a share of the *median* distance between the scores of one picture: neither a constant
    that all scores have in common nor a single loud picture widens it. A class may differ only
    where the best one leads by less than that, and on one picture of a hundred. A deep network may
    amplify rounding beyond that on some picture: where no layer does otherwise by itself, answers may
    differ by a few times what single precision costs on any of these pictures, which double precision
    tells, and by a hundredth of the usual distance at most.

    A plain call of a network with Keras' own augmentation layers is a call for training: they augment,
    and tell every layer behind them to train, so that batch normalisation moves its statistics. Such
    a network is not asked in that way. What is measured is the network in use, and
    `find_augmenting_layers` says of which layers that is true.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> pictures = np.random.default_rng(0).random((8, 4, 4, 1), np.float32)
    >>> check_agreement(flatten(keras.Sequential(layers)), pictures)
    """
    with in_full_precision():
        with as_refusal(network.model, "Running the layers"):
            own = answer(network, images, told=told)
        finite = np.isfinite(own.scores).all(axis=1) & np.isfinite(own.outputs).all(axis=1)
        if not finite.all():
            raise NetworkError(
                f"The network {network.model.name!r} answers NaN or infinity on {int((~finite).sum())} of "
                f"{len(images)} pictures. Look at its weights."
            )
        for way, rows, outputs in _ask(network, images, released=released, traced=traced):
            part = replace(own, outputs=own.outputs[rows], scores=own.scores[rows])
            distant, flipped = _find_wrong_rows(part, outputs, released=released)
            if (distant | flipped).any():
                culprit = _find_culprit(network, images[rows[distant | flipped]], way=way)
                some = _choose_some(distant | flipped)
                few = replace(part, outputs=part.outputs[some], scores=part.scores[some])
                allowed = _allow_rounding(network, images[rows[some]], own=few, outputs=outputs[some])
                wide = replace(part, tolerance=allowed)
                if culprit or np.any(_find_wrong_rows(wide, outputs, released=released)):
                    _refuse(network, culprit, way=way, wrong=distant | flipped, rounded=not distant.any())
        if released:
            _refuse_what_panels_do_not_show(network, images)


def trace_keras(network: Network) -> Traced:
    """Return a function that gives Keras' outputs for one batch in one traced graph, as `predict` asks it.

    Asking call by call takes several times as long for a deep network. The function follows weights
    that change. A graph may join operations in which a number overflows by itself: it is for networks
    that compute in float32 throughout.

    Parameters
    ----------
    network : Network
        The flattened network.

    Returns
    -------
    callable
        From ``(n, h, w, c)`` float32 pictures, as the model takes them, to a tensor ``(n, outputs)``.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.network import flatten
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> trace_keras(flatten(keras.Sequential(layers)))(tf.zeros((3, 4, 4, 1))).shape
    TensorShape([3, 2])
    """

    def ask(batch: Any) -> Any:
        return _call(network.model, batch, lambda given: network.model(given, training=False))

    spec = tf.TensorSpec((None, *network.input_shape), tf.float32)
    return tf.function(ask, input_signature=[spec], autograph=False)


def _ask(
    network: Network, images: np.ndarray, *, released: bool, traced: Traced | None
) -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
    """Return what Keras answers by each way in which it is asked; see `_ask_keras`."""
    given = network.feed(images)
    if traced is not None and not released:
        try:
            outputs = np.concatenate([traced(tf.constant(batch)).numpy() for batch in _cut(given)])
        except Exception:  # whatever cannot be traced is asked call by call, and refused there where that fails too
            pass
        else:
            return [(_AT_REST, np.arange(len(images)), outputs)]
    asked = _ask_keras(network.model, given)
    return asked if released else islice(asked, 1)


def _find_wrong_rows(own: Answers, outputs: np.ndarray, *, released: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return where Keras' answers are too far off, and where its class is another, which counts if released."""
    distant = find_distant_rows(own, outputs)
    return distant, find_flipped_rows(own, outputs) if released else np.zeros_like(distant)


def _choose_some(wrong: np.ndarray) -> np.ndarray:
    """Return the rows of a few pictures on which answers part, and of a few of all: double precision takes long."""
    evenly = np.linspace(0, len(wrong) - 1, min(len(wrong), _EXAMINED)).round().astype(int)
    return np.union1d(np.flatnonzero(wrong)[:_EXAMINED], evenly)


def _allow_rounding(network: Network, images: np.ndarray, *, own: Answers, outputs: np.ndarray) -> float:
    """Return how far a score may differ where that is rounding: a few times what the steps' own answers lose by it.

    Double precision tells that, on the picture that loses most of these. Where Keras' answers lose far less, it
    is the steps that are wrong, as where a kernel vanishes with the factor behind it. A layer that computes in single
    precision whatever it is given loses nothing by it; where the steps do not compute at all, or to
    single precision, the tolerance stays.
    """
    try:
        parts = [network.evaluate(tf.constant(batch, tf.float64), [network.logits])[0] for batch in _cut(images)]
        exact = np.concatenate([part.numpy() for part in parts])
    except Exception:  # whatever a layer raises: nothing is excused then
        return own.tolerance
    if exact.dtype != np.float64:
        return own.tolerance
    usual = own.tolerance / _TOLERANCES[coarsest_dtype(network.model)]
    lost = float(np.abs(own.scores - exact).max())
    if not lost <= _ROUNDING * _find_keras_loss(own, outputs, exact):
        return own.tolerance
    return max(own.tolerance, min(_ROUNDING * lost, _ILL_CONDITIONED * usual))


def _find_keras_loss(own: Answers, outputs: np.ndarray, exact: np.ndarray) -> float:
    """Return how far the scores behind Keras' outputs are from exact ones at most, beyond how its last step rounds."""
    if outputs.shape != own.outputs.shape:
        return 0.0
    theirs, slack = _undo_softening(own, outputs) if own.softening else (outputs, np.zeros_like(outputs))
    scores = _log_softmax(exact) if own.softening not in ("", "sigmoid") else exact
    with np.errstate(invalid="ignore"):
        apart = np.abs(theirs - scores) - slack
    return float(np.max(apart, initial=0.0, where=np.isfinite(apart)))


def _refuse_what_panels_do_not_show(network: Network, images: np.ndarray) -> None:
    """Refuse a network whose answer to a picture is no function of it, though it agreed on these pictures."""
    with as_refusal(network.model, "Running each layer"):
        found = find_changing_layer(network.model) or find_mixing_layer(network, images)
    if found:
        raise NetworkError(
            f"The network {network.model.name!r} answers one picture in several ways, if not on these {len(images)}, "
            f"for the sake of its {found}. modelcheck measures one function of one picture. Build the network without "
            "that, load the same weights into it, and save it again."
        )


@contextmanager
def as_refusal(model: Any, way: str) -> Iterator[None]:
    """Make a refusal of whatever Keras and TensorFlow raise: many types, all meaning that there is no answer."""
    try:
        yield
    except NetworkError:
        raise
    except Exception as error:
        reason = clean(error, longest=300) or type(error).__name__
        raise NetworkError(
            f"{way} of the network {model.name!r} ends in an error: {reason}. A network that Keras does not "
            "run is not measured."
        ) from error


@contextmanager
def in_full_precision() -> Iterator[None]:
    """Keep graphics cards from cutting the numbers that they multiply, which would hide what differs."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def answer(network: Network, images: np.ndarray, *, told: tuple[np.ndarray, np.ndarray] | None = None) -> Answers:
    """Return what the unfolded network answers, or has told already, and how near Keras must come."""
    scores, outputs = (half.astype(np.float64) for half in (told or _run_steps(network, images)))
    final = next((step for step in network.steps[network.logits + 1 :] if step.activation), None)
    distances = np.ptp(_with_first_class(scores), axis=1)
    usual = float(np.median(distances[distances > 0])) if (distances > 0).any() else 0.0
    rounding, smallest = _ENDS.get(str(find_graph(network.model).outputs[0].dtype), _ENDS["float32"])
    return Answers(
        outputs=outputs,
        scores=scores,
        softening=final.activation if final is not None else "",
        tolerance=_TOLERANCES[coarsest_dtype(network.model)] * usual,
        rounding=rounding,
        smallest=smallest,
    )


def _run_steps(network: Network, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and outputs, outside a graph: each operation by itself."""
    targets = [network.logits, len(network.steps) - 1]
    parts = [[part.numpy() for part in network.evaluate(tf.constant(batch), targets)] for batch in _cut(images)]
    scores, outputs = (np.concatenate(half) for half in zip(*parts, strict=True))
    return scores, outputs


def _with_first_class(scores: np.ndarray) -> np.ndarray:
    """Return one column per class: a single score says how far the second of two classes leads."""
    return np.concatenate([np.zeros_like(scores), scores], axis=1) if scores.shape[1] == 1 else scores


def _cut(images: np.ndarray, size: int | None = None) -> Iterator[np.ndarray]:
    size = size or _count_at_once(images)
    return (images[start : start + size] for start in range(0, len(images), size))


def _count_at_once(images: np.ndarray) -> int:
    return min(_BATCH, max(_LEAST, _BATCH_BYTES // (4 * prod(images.shape[1:]))))


def _ask_keras(model: Any, images: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield how Keras was asked, the rows of the pictures that were shown, and what it answered."""
    every, at_once = np.arange(len(images)), _count_at_once(images)
    alone = np.unique(np.linspace(0, len(images) - 1, _ALONE).round().astype(int))

    def at_rest(batch: Any) -> Any:
        return model(batch, training=False)

    ways: list[tuple[str, np.ndarray, int, Callable[[Any], Any]]] = [
        (_AT_REST, every, at_once, at_rest),
        (_IN_NO_MODE[0], every, at_once, model),
        (_IN_NO_MODE[1], alone, 1, model),
        ("model.predict(images)", every, len(images), lambda batch: model.predict(batch, verbose=0)),
    ]
    if find_augmenting_layers(model):  # a plain call would train it
        ways[1:3] = [("model(images[row : row + 1], training=False)", alone, 1, at_rest)]
    for way, rows, size, ask in ways:
        batches = _cut(images[rows], size)
        with as_refusal(model, way):
            parts = [_call(model, batch, ask).numpy() for batch in batches]
        yield way, rows, np.concatenate(parts)


def _call(model: Any, images: Any, ask: Callable[[Any], Any]) -> Any:
    """Return the first output for pictures ``(n, h, w, c)``, float64: given as the model takes them, and asked so."""
    graph = find_graph(model)
    images = images[..., 0] if len(graph.inputs[0].shape) == 3 else images
    # The model takes a tensor, or one in a list or a dictionary.
    given = keras.tree.map_structure(lambda _: images, graph.input)
    return tf.cast(keras.tree.flatten(ask(given))[0], tf.float64)


def find_distant_rows(own: Answers, outputs: np.ndarray) -> np.ndarray:
    """Return ``(n,)`` where Keras' outputs, or the scores behind them, are too far off; NaN and infinity always are."""
    if outputs.shape != own.outputs.shape:
        return np.ones(len(own.outputs), bool)
    if not own.softening:
        with np.errstate(invalid="ignore"):
            return ~(np.abs(outputs - own.outputs) <= own.tolerance).all(axis=1)
    scores = own.scores if own.softening == "sigmoid" else _log_softmax(own.scores)
    theirs, slack = _undo_softening(own, outputs)
    with np.errstate(invalid="ignore"):
        near = np.abs(outputs - own.outputs) <= own.tolerance + own.rounding * np.maximum(np.abs(own.outputs), 1.0)
        near &= (np.abs(theirs - scores) <= own.tolerance + slack) | ~np.isfinite(slack)
    return ~near.all(axis=1)


def find_flipped_rows(own: Answers, outputs: np.ndarray) -> np.ndarray:
    """Return ``(n,)`` where Keras answers another class: where ours leads clearly, and anywhere if they are many."""
    if outputs.shape != own.outputs.shape:
        return np.ones(len(own.outputs), bool)
    scores = _with_first_class(own.scores)
    ordered = np.sort(scores, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > own.tolerance
    threshold = 0.5 if own.softening == "sigmoid" else 0.0
    answered = (outputs[:, 0] > threshold).astype(int) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    flipped = answered != scores.argmax(axis=1)
    return flipped if flipped.sum() > max(1, _FLIPPED * len(scores)) else flipped & clear


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    below = scores - scores.max(axis=1, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=1, keepdims=True))


def _undo_softening(own: Answers, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores behind Keras' probabilities, and how far rounding moves them: saturated ones, by any amount."""
    if own.softening == "log_softmax":
        return outputs, own.rounding * np.abs(outputs)
    lost = own.rounding * np.abs(outputs) + own.smallest
    with np.errstate(all="ignore"):
        if own.softening == "sigmoid":
            return np.log(outputs) - np.log1p(-outputs), lost / (outputs * (1 - outputs))
        return np.log(outputs), lost / outputs


def _find_culprit(network: Network, images: np.ndarray, *, way: str) -> str:
    """Return the first layer that does otherwise by itself on pictures on which the network does; empty for none."""
    share = _TOLERANCES[coarsest_dtype(network.model)]
    training = None if way in _IN_NO_MODE else False
    found = (
        find_differing_layer(network.model, network.feed(batch), training=training, share=share)
        for batch in _cut(images, _EXAMINED)
    )
    return next(filter(None, found), "")


def _refuse(network: Network, culprit: str, *, way: str, wrong: np.ndarray, rounded: bool) -> NoReturn:
    """Say which layer is the first that differs, on how many pictures, and what helps.

    Parameters
    ----------
    network : Network
        The flattened network.
    culprit : str
        The layer; empty where none differs by itself.
    way : str
        How Keras was asked.
    wrong : np.ndarray
        ``(n,)`` on which of the pictures.
    rounded : bool
        Whether its outputs are near enough, and only the class is another.
    """
    last = network.steps[-1].name
    end = "which rounds away what its scores say" if rounded else "while no layer before does by itself"
    first = f"first at {culprit}" if culprit else f"first at its output {last!r}, {end}"
    raise NetworkError(
        f"The network {network.model.name!r} does not answer as its layers do: on {int(wrong.sum())} of {len(wrong)} "
        f"pictures {way} differs from the same layers in float32 and in inference mode, {first}. modelcheck would "
        "measure another function than the one that is released. Build the network with a float32 input, float32 "
        "layers and no training= in its calls, load the same weights into it, and save it again."
    )
