"""The table of methods, and the one call that runs them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modelcheck.attributions import (
    activation_maps,
    backward,
    blackbox,
    deeplift,
    gradients,
    lrp,
    taylor,
)
from modelcheck.attributions.reading import AttributionError, check_images, check_targets, read
from modelcheck.network.loading import open_model
from modelcheck.recipe import BLACK_BOX
from modelcheck.support.spelling import did_you_mean

__all__ = ["BLACK_BOX", "SLOPES", "attribute", "attribution_methods"]

_METHODS: dict[str, Callable[..., np.ndarray]] = {
    "gradient": gradients.gradient,
    "sensitivity": gradients.sensitivity,
    "gradient_x_input": gradients.gradient_x_input,
    "simple_taylor": taylor.simple_taylor,
    "integrated_gradients": gradients.integrated_gradients,
    "smoothgrad": gradients.smoothgrad,
    "vargrad": gradients.vargrad,
    "deconvolution": backward.deconvolution,
    "guided_backprop": backward.guided_backprop,
    "lrp": lrp.lrp,
    "lrp_0": lrp.lrp_0,
    "lrp_epsilon": lrp.lrp_epsilon,
    "lrp_gamma": lrp.lrp_gamma,
    "lrp_alpha1_beta0": lrp.lrp_alpha1_beta0,
    "lrp_alpha2_beta1": lrp.lrp_alpha2_beta1,
    "lrp_z_plus": lrp.lrp_z_plus,
    "lrp_w_square": lrp.lrp_w_square,
    "lrp_flat": lrp.lrp_flat,
    "lrp_z_box": lrp.lrp_z_box,
    "lrp_epsilon_plus": lrp.lrp_epsilon_plus,
    "lrp_epsilon_plus_flat": lrp.lrp_epsilon_plus_flat,
    "lrp_epsilon_alpha2_beta1": lrp.lrp_epsilon_alpha2_beta1,
    "lrp_epsilon_gamma_box": lrp.lrp_epsilon_gamma_box,
    "deep_taylor": lrp.deep_taylor,
    "deep_taylor_w_square": lrp.deep_taylor_w_square,
    "deeplift": deeplift.deeplift,
    "cam": activation_maps.cam,
    "grad_cam": activation_maps.grad_cam,
    "grad_cam_plus_plus": activation_maps.grad_cam_plus_plus,
    "layer_cam": activation_maps.layer_cam,
    "score_cam": activation_maps.score_cam,
    "occlusion": blackbox.occlusion,
    "rise": blackbox.rise,
}

_DEFAULT = "smoothgrad"
# Their maps say, with a sign, how the score changes when the pixel does; no others do.
SLOPES = ("gradient", "smoothgrad", "deconvolution", "guided_backprop")


def attribution_methods() -> tuple[str, ...]:
    """Return the names that `attribute` takes as its method.

    Examples
    --------
    >>> "lrp_epsilon" in attribution_methods()
    True
    """
    return tuple(_METHODS)


def attribute(
    model: Any,
    images: np.ndarray,
    targets: np.ndarray | Sequence[str] | int | str,
    *,
    method: str = _DEFAULT,
    class_names: Sequence[str] | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> np.ndarray:
    """Return how much each pixel contributes to the score of a class.

    Parameters
    ----------
    model : str, path-like, keras.Model, Network or callable
        Sequential or functional, read and never changed; a ``.keras`` file is scanned and loaded,
        as `modelcheck.network.loading.load_network` does, with every call. The black-box methods (`occlusion`,
        `rise`) also take a model that cannot be read (subclassed) and any callable ``(n, h, w, c)``
        -> ``(n, n_classes)``, and explain its own output.
    images : np.ndarray
        ``(n, h, w, c)`` in the network's input range.
    targets : np.ndarray, sequence of str, int or str
        The class to explain, one per picture or one for all, as positions or, with `class_names`, as
        names; its score before softmax or sigmoid is explained. With a single score s, class 1 has s
        and class 0 has -s.
    method : str
        One of `attribution_methods`. The default is the method by which the gate judges. It takes
        every layer; and of fifteen that were measured (docs/attributions.md) its maps come first in
        what is lost when the pixels that they rank first are replaced (1.28 margins), while of those
        that read gradients or relevance they are the least like an untrained network's (rank
        correlation 0.10). It says where, by its magnitude; its sign says little.
    class_names : sequence of str, optional
        The classes in the order of the network's outputs, where targets are names; a panel and a
        signature have them.
    dtype : {'float32', 'float64'}, optional
        What to compute and return in; by default the model's, and float32 for half precisions.
    batch_size : int, optional
        Pictures at once, noisy and masked copies counted; by default as many as fit into 192 MiB.
    **options
        The method's own, all keyword-only; see its function, for example
        `modelcheck.attributions.gradients.smoothgrad`.

    Returns
    -------
    np.ndarray
        ``(n, h, w, c)``, signed; class activation maps with ``resize=False`` are
        ``(n, h', w', 1)``.

    Raises
    ------
    AttributionError
        When the method or an option is unknown, the pictures or targets do not fit the network, the
        network cannot be read, or the method does not support one of its layers.
    ModelError
        When the file cannot be loaded.

    Examples
    --------
    >>> import keras
    >>> layers = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2, kernel_initializer="ones")]
    >>> pictures = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> maps = attribute(keras.Sequential(layers), pictures, 0, method="gradient_x_input")
    >>> maps[0, :, :, 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    >>> attribute(keras.Sequential(layers), pictures, "left", class_names=("other", "left")).shape
    (1, 2, 2, 1)
    """
    if method not in _METHODS:
        raise AttributionError(f"There is no attribution method {method!r}. {did_you_mean(method, _METHODS)}")
    function = _METHODS[method]
    _check_options(method, function, options)
    model = open_model(model)
    reading = read(model, dtype=dtype, batch_size=batch_size, images=images)
    if reading.network is None and method not in BLACK_BOX:
        raise AttributionError(
            f"{method} needs the network's layers. {reading.why} Methods that support it: {', '.join(BLACK_BOX)}."
        )
    pictures = check_images(images, reading)
    n_classes = None if reading.network is None else reading.network.n_classes
    classes = check_targets(targets, len(pictures), n_classes, class_names=class_names)
    maps = function(reading, pictures, classes, **options)
    if not np.isfinite(maps).all():
        raise AttributionError(
            f"{method} gave NaN or infinite values. Check the network's weights and the pictures' range for "
            "values beyond the dtype's, or compute with dtype='float64'."
        )
    return maps


def _check_options(method: str, function: Callable[..., np.ndarray], options: dict[str, Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    known = {item.name: item for item in parameters if item.kind is item.KEYWORD_ONLY}
    for name in options:
        if name not in known:
            advice = did_you_mean(name, known) if known else "It takes none."
            raise AttributionError(f"{method} has no option {name!r}. {advice}")
    missing = [name for name, item in known.items() if item.default is item.empty and name not in options]
    if missing:
        raise AttributionError(f"{method} needs the option {', '.join(missing)}.")
    seed = options.get("seed", 0)
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise AttributionError(f"seed is a whole number of at least 0, not {seed!r}.")
