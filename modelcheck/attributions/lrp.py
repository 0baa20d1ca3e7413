"""Layer-wise relevance propagation and deep Taylor decomposition, by the names of the literature.

Relevance starts at the target's score before softmax, with its sign: for a negative score all of
z-plus relevance is negative. See `modelcheck.attributions.rules` for the rules and
`modelcheck.attributions.relevance` for what happens at the steps without weights. Options common to
all: `batch_norm` (see there), and `input_range` where a rule needs the input's bounds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modelcheck.attributions.reading import AttributionError, Reading
from modelcheck.attributions.relevance import InputRange, propagate
from modelcheck.attributions.rules import (
    STABILISER,
    Composite,
    Rule,
    alpha_beta,
    epsilon_rule,
    flat,
    gamma_rule,
    w_square,
    z_box,
    z_plus,
)

__all__ = [
    "deep_taylor", "deep_taylor_w_square", "lrp", "lrp_0", "lrp_alpha1_beta0", "lrp_alpha2_beta1", "lrp_epsilon",
    "lrp_epsilon_alpha2_beta1", "lrp_epsilon_gamma_box", "lrp_epsilon_plus", "lrp_epsilon_plus_flat", "lrp_flat",
    "lrp_gamma", "lrp_w_square", "lrp_z_box", "lrp_z_plus",
]  # fmt: skip


def lrp(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    composite: Composite | Mapping[str, Rule],
    input_range: InputRange = (0.0, 1.0),
    batch_norm: str = "fold",
) -> np.ndarray:
    """Relevance with the user's own rules.

    Parameters
    ----------
    composite : Composite or mapping of str to Rule
        Rules for every layer, or a mapping from names of layers to rules; the epsilon rule serves
        the layers that it leaves out.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones", name="dense")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp", composite={"dense": z_plus()})
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    if not isinstance(composite, Composite):
        names = {step.name for step in reading.steps.steps if step.weights is not None}
        strange = sorted(set(composite) - names)
        if strange:
            raise AttributionError(
                f"composite gives rules to layers without weights or that are not there: {', '.join(strange)}. "
                f"The network has {', '.join(sorted(names))}."
            )
        composite = Composite(epsilon_rule(), epsilon_rule(), layers=composite)
    return propagate(reading, images, targets, composite, method="lrp", input_range=input_range, batch_norm=batch_norm)


def lrp_0(reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold") -> np.ndarray:
    """LRP-0 at every layer: no stabiliser, 0/0 = 0.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_0")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(epsilon_rule(0.0), epsilon_rule(0.0), epsilon=0.0)
    return propagate(reading, images, targets, composite, method="lrp_0", batch_norm=batch_norm)


def lrp_epsilon(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    epsilon: float = STABILISER,
    batch_norm: str = "fold",
    pool_epsilon: float | None = None,
) -> np.ndarray:
    """LRP-epsilon at every layer.

    Parameters
    ----------
    pool_epsilon : float, optional
        Epsilon of poolings. By default the largest input of a max-pooling takes all, and average
        poolings, additions and unfolded batch normalisation are stabilised by 1e-6, as in Zennit. A
        number is the epsilon of all of them, of max-pooling and of flattening, as in Captum, whose
        own is 1e-9.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_epsilon")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    rule = epsilon_rule(_positive_number(epsilon, "epsilon"))
    composite = Composite(rule, rule)
    if pool_epsilon is not None:
        composite = Composite(rule, rule, epsilon=_positive_number(pool_epsilon, "pool_epsilon"), pooled=True)
    return propagate(reading, images, targets, composite, method="lrp_epsilon", batch_norm=batch_norm)


def lrp_gamma(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, gamma: float = 0.25, batch_norm: str = "fold"
) -> np.ndarray:
    """LRP-gamma at every layer, in the form for inputs and outputs of both signs.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_gamma")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    rule = gamma_rule(_positive_number(gamma, "gamma"))
    return propagate(reading, images, targets, Composite(rule, rule), method="lrp_gamma", batch_norm=batch_norm)


def lrp_alpha1_beta0(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold"
) -> np.ndarray:
    """LRP-alpha-beta with alpha 1 and beta 0 at every layer.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_alpha1_beta0")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return lrp_z_plus(reading, images, targets, batch_norm=batch_norm)


def lrp_alpha2_beta1(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold"
) -> np.ndarray:
    """LRP-alpha-beta with alpha 2 and beta 1 at every layer; a positive bias counts as positive only.

    The map need not add up to the score: each layer whose contributions are all positive doubles
    what it hands on, as below.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_alpha2_beta1")
    >>> maps.ravel().round(1).tolist()
    [2.0, 4.0, 6.0, 8.0]
    """
    composite = Composite(alpha_beta(), alpha_beta())
    return propagate(reading, images, targets, composite, method="lrp_alpha2_beta1", batch_norm=batch_norm)


def lrp_z_plus(reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold") -> np.ndarray:
    """LRP-z-plus at every layer.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_z_plus")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(z_plus(), z_plus())
    return propagate(reading, images, targets, composite, method="lrp_z_plus", batch_norm=batch_norm)


def lrp_w_square(reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold") -> np.ndarray:
    """LRP-w-square at every layer.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_w_square")
    >>> maps.ravel().round(1).tolist()
    [2.5, 2.5, 2.5, 2.5]
    """
    composite = Composite(w_square(), w_square())
    return propagate(reading, images, targets, composite, method="lrp_w_square", batch_norm=batch_norm)


def lrp_flat(reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold") -> np.ndarray:
    """LRP-flat at every layer.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_flat")
    >>> maps.ravel().round(1).tolist()
    [2.5, 2.5, 2.5, 2.5]
    """
    return propagate(reading, images, targets, Composite(flat(), flat()), method="lrp_flat", batch_norm=batch_norm)


def lrp_z_box(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    input_range: InputRange = (0.0, 1.0),
    batch_norm: str = "fold",
) -> np.ndarray:
    """LRP-z-box at the first layers, the only ones whose inputs have known bounds, and LRP-epsilon elsewhere.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_z_box")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(epsilon_rule(), epsilon_rule(), z_box())
    return propagate(
        reading, images, targets, composite, method="lrp_z_box", input_range=input_range, batch_norm=batch_norm
    )


def lrp_epsilon_plus(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, epsilon: float = STABILISER, batch_norm: str = "fold"
) -> np.ndarray:
    """z-plus at convolutions, epsilon at dense layers.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_epsilon_plus")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(z_plus(), epsilon_rule(_positive_number(epsilon, "epsilon")))
    return propagate(reading, images, targets, composite, method="lrp_epsilon_plus", batch_norm=batch_norm)


def lrp_epsilon_plus_flat(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, epsilon: float = STABILISER, batch_norm: str = "fold"
) -> np.ndarray:
    """Flat at the first layers, z-plus at other convolutions, epsilon at dense layers.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_epsilon_plus_flat")
    >>> maps.ravel().round(1).tolist()
    [2.5, 2.5, 2.5, 2.5]
    """
    composite = Composite(z_plus(), epsilon_rule(_positive_number(epsilon, "epsilon")), flat())
    return propagate(reading, images, targets, composite, method="lrp_epsilon_plus_flat", batch_norm=batch_norm)


def lrp_epsilon_alpha2_beta1(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, epsilon: float = STABILISER, batch_norm: str = "fold"
) -> np.ndarray:
    """Alpha 2, beta 1 at convolutions, epsilon at dense layers.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_epsilon_alpha2_beta1")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(alpha_beta(), epsilon_rule(_positive_number(epsilon, "epsilon")))
    return propagate(reading, images, targets, composite, method="lrp_epsilon_alpha2_beta1", batch_norm=batch_norm)


def lrp_epsilon_gamma_box(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    epsilon: float = STABILISER,
    gamma: float = 0.25,
    input_range: InputRange = (0.0, 1.0),
    batch_norm: str = "fold",
) -> np.ndarray:
    """z-box at the first layers, gamma at other convolutions, epsilon at dense layers.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="lrp_epsilon_gamma_box")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    dense = epsilon_rule(_positive_number(epsilon, "epsilon"))
    composite = Composite(gamma_rule(_positive_number(gamma, "gamma")), dense, z_box())
    return propagate(
        reading, images, targets, composite, method="lrp_epsilon_gamma_box", input_range=input_range,
        batch_norm=batch_norm,
    )  # fmt: skip


def deep_taylor(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    input_range: InputRange = (0.0, 1.0),
    batch_norm: str = "fold",
) -> np.ndarray:
    """Deep Taylor decomposition for bounded inputs: z-box at the first layers, z-plus elsewhere.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="deep_taylor")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    composite = Composite(z_plus(), z_plus(), z_box())
    return propagate(
        reading, images, targets, composite, method="deep_taylor", input_range=input_range, batch_norm=batch_norm
    )


def deep_taylor_w_square(
    reading: Reading, images: np.ndarray, targets: np.ndarray, *, batch_norm: str = "fold"
) -> np.ndarray:
    """Deep Taylor decomposition for unbounded inputs: w-square at the first layers, z-plus elsewhere.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> ones = keras.layers.Dense(1, kernel_initializer="ones")
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), ones])
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="deep_taylor_w_square")
    >>> maps.ravel().round(1).tolist()
    [2.5, 2.5, 2.5, 2.5]
    """
    composite = Composite(z_plus(), z_plus(), w_square())
    return propagate(reading, images, targets, composite, method="deep_taylor_w_square", batch_norm=batch_norm)


def _positive_number(value: float, name: str) -> float:
    if not np.isfinite(value) or value < 0:
        raise AttributionError(f"{name} is a number of at least 0, not {value!r}.")
    return float(value)
