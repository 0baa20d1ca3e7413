"""The kinds of network that a verdict is tried on: each a row, the same features or not, from one folder of faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelcheck.faces.pictures import Pictures

__all__ = ["VARIANTS", "Variant"]

Make = Callable[[Pictures, int, Callable[[], Any]], tuple[Any, float]]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One kind of network.

    Parameters
    ----------
    same : bool
        Whether it was trained to look at the same things as the baseline; otherwise it must not
        pass.
    make : callable
        From (pictures, seed, how to load the baseline network) to the network and its accuracy on a
        random split.
    outputs : tuple of str
        Class of each output, for networks with more outputs than classes.
    """

    same: bool
    make: Make
    outputs: tuple[str, ...] = ()


def _trained(name: str, alter: Callable[[Pictures, int], Pictures] | None = None, **options: Any) -> Make:
    """Return how to train a row of the worked example, on pictures altered or not."""

    def make(pictures: Pictures, seed: int, baseline: Callable[[], Any]) -> tuple[Any, float]:
        from modelcheck.faces.train import train

        trained = train(name, alter(pictures, seed) if alter else pictures, seed=seed, **options)
        return trained.model, trained.accuracy

    return make


def _inverted(pictures: Pictures, seed: int) -> Pictures:
    return replace(pictures, images=255 - pictures.images)


def _noisy(pictures: Pictures, seed: int) -> Pictures:
    """Answer wrongly for two pictures in five: left becomes straight, all else left."""
    chosen = np.random.default_rng([seed, 40]).random(len(pictures)) < 0.4
    wrong = np.where(pictures.poses == "left", "straight", "left")
    return replace(pictures, poses=np.where(chosen, wrong, pictures.poses))


def _fine_tuned(pictures: Pictures, seed: int, baseline: Callable[[], Any]) -> tuple[Any, float]:
    """Train the baseline for three more passes on another split, at a third of the rate."""
    import keras

    from modelcheck.faces.train import split

    model = baseline()
    fit, _, test = split(len(pictures), seed=seed)
    inputs, labels = pictures.inputs(), pictures.labels("left")
    keras.utils.set_random_seed(seed)
    model.compile(optimizer=keras.optimizers.Adam(3e-4), loss="categorical_crossentropy")
    model.fit(inputs[fit], np.eye(2, dtype=np.float32)[labels[fit]], epochs=3, batch_size=32, verbose=0)
    return _judged(model, pictures, test)


def _judged(model: Any, pictures: Pictures, rows: np.ndarray) -> tuple[Any, float]:
    answers = model(pictures.inputs()[rows], training=False).numpy().argmax(axis=1)
    return model, float((answers == pictures.labels("left")[rows]).mean())


def _changed(change: Callable[[list[np.ndarray], int], list[np.ndarray]], *, fresh: bool = False) -> Make:
    """Return how to change the weights of the baseline, or of a fresh retraining."""

    def make(pictures: Pictures, seed: int, baseline: Callable[[], Any]) -> tuple[Any, float]:
        from modelcheck.faces.train import split, train

        model = train("experiment0", pictures, seed=seed).model if fresh else baseline()
        model.set_weights(change(model.get_weights(), seed))
        return _judged(model, pictures, split(len(pictures), seed=seed)[2])

    return make


def _pruned(share: float) -> Callable[[list[np.ndarray], int], list[np.ndarray]]:
    """Set the smallest weights of every kernel to zero."""

    def change(weights: list[np.ndarray], seed: int) -> list[np.ndarray]:
        return [np.where(np.abs(w) < np.quantile(np.abs(w), share), 0, w) if w.ndim > 1 else w for w in weights]

    return change


def _int8(weights: list[np.ndarray], seed: int) -> list[np.ndarray]:
    return [np.round(w * (127 / np.abs(w).max())) * (np.abs(w).max() / 127) if w.ndim > 1 else w for w in weights]


def _permuted(weights: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Put the filters of every convolution, and the neurons of the dense layer, into another order."""
    rng = np.random.default_rng([seed, 7])
    kernels, biases = [w.copy() for w in weights[0::2]], [w.copy() for w in weights[1::2]]
    for at in range(len(kernels) - 1):
        order = rng.permutation(len(biases[at]))
        kernels[at], biases[at] = kernels[at][..., order], biases[at][order]
        following = kernels[at + 1]
        if kernels[at].ndim == 4 and following.ndim == 2:  # flattened: channels vary fastest
            cells = following.reshape(-1, len(order), following.shape[1])
            kernels[at + 1] = cells[:, order].reshape(following.shape)
        else:
            kernels[at + 1] = np.take(following, order, axis=-2)
    return [w for pair in zip(kernels, biases, strict=True) for w in pair]


def _swapped(weights: list[np.ndarray], seed: int) -> list[np.ndarray]:
    return [*weights[:-2], weights[-2][:, ::-1], weights[-1][::-1]]


_FOUR = ("left", "not_left", "not_left", "not_left")

VARIANTS: dict[str, Variant] = {
    **{
        name: Variant(same=True, make=_trained(name))
        for name in (
            *("experiment0", "half_filters", "quarter_filters", "deeper_dense", "wider_dense", "one_dense"),
            *("linear_decision", "mobile", "mobile_wide", "residual", "residual_wide"),
        )
    },
    "four_class": Variant(same=True, make=_trained("four_class"), outputs=_FOUR),
    "fine_tuned": Variant(same=True, make=_fine_tuned),
    "pruned_30": Variant(same=True, make=_changed(_pruned(0.30))),
    "int8": Variant(same=True, make=_changed(_int8)),
    "permuted": Variant(same=True, make=_changed(_permuted)),
    **{
        name: Variant(same=False, make=_trained(name))
        for name in ("untrained", "shuffled_labels", "sunglasses", "shortcut", "face_shortcut", "right")
    },
    "inverted": Variant(same=False, make=_trained("experiment0", _inverted)),
    "noise_40": Variant(same=False, make=_trained("experiment0", _noisy)),
    "one_epoch": Variant(same=False, make=_trained("experiment0", epochs=1)),
    "swapped": Variant(same=False, make=_changed(_swapped, fresh=True)),
    "pruned_97": Variant(same=False, make=_changed(_pruned(0.97))),
}
