"""Class activation maps: where in a layer the evidence for a class lies.

Every map is one value per position of the layer; enlarged to the picture (bilinear, pixel centres
aligned) each channel of a pixel carries the pixel's value, so that all methods return the pictures'
shape. With ``resize=False`` they return the layer's own ``(n, h', w', 1)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.reading import AttributionError, Reading
from modelcheck.metrics.interpolation import resize_bilinear
from modelcheck.network import Network
from modelcheck.network.kinds import CONVOLUTIONS, StepKind
from modelcheck.support.spelling import did_you_mean

__all__ = ["cam", "grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam", "spatial_step"]

Tensor = Any


def spatial_step(network: Network, layer: str | None, *, preactivation: bool) -> int:
    """Return the step whose maps are read.

    Parameters
    ----------
    layer : str, optional
        A layer's name; by default the last step with a spatial extent, or the last convolution
        where `preactivation` is asked for.
    preactivation : bool
        Whether the layer is read before the activation it carries.

    Raises
    ------
    AttributionError
        When there is no such layer, or it has no spatial extent.
    """
    used = network.steps_needed([network.logits])
    spatial = [place for place in used[1:] if _count_places(network.steps[place].shape) > 1]
    if layer is None:
        if preactivation:
            spatial = [place for place in spatial if network.steps[place].kind in CONVOLUTIONS]
        if not spatial:
            raise AttributionError(
                "The network has no layer with a spatial extent, so it has no class activation map. "
                "Use gradient, integrated_gradients or occlusion."
            )
        return spatial[-1]
    named = [place for place in used if network.steps[place].name == layer]
    if not named:
        raise AttributionError(
            f"There is no layer {layer!r}. {did_you_mean(layer, {network.steps[place].name for place in used})}"
        )
    chosen = named[0] if preactivation else named[-1]
    if _count_places(network.steps[chosen].shape) < 1:
        raise AttributionError(
            f"Layer {layer!r} has no spatial extent (shape {network.steps[chosen].shape}). Name a convolution or a "
            "pooling before the network flattens."
        )
    return chosen


def _count_places(shape: tuple[int | None, ...]) -> int:
    return int(shape[0] or 0) * int(shape[1] or 0) if len(shape) == 3 else 0


def _make_maps_and_slopes(reading: Reading, position: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    network = reading.steps

    def call(pictures: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            maps, scores = network.evaluate(pictures, [position, network.logits])
            score = reading.of_target(scores, classes)
        return maps, tape.gradient(score, maps, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return call


def _enlarge(maps: np.ndarray, images: np.ndarray, *, resize: bool) -> np.ndarray:
    if not resize:
        return maps
    return np.repeat(resize_bilinear(maps, *images.shape[1:3]), images.shape[3], axis=3)


def _weigh_channels(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    method: str,
    weigh: Callable[[Tensor, Tensor], Tensor],
    *,
    layer: str | None,
    preactivation: bool,
    relu: bool,
    resize: bool,
) -> np.ndarray:
    position = spatial_step(reading.steps, layer, preactivation=preactivation)
    read = _make_maps_and_slopes(reading, position)

    def call(pictures: Tensor, classes: Tensor) -> Tensor:
        maps, slopes = read(pictures, classes)
        found = tf.reduce_sum(weigh(maps, slopes) * maps, axis=-1, keepdims=True)
        return tf.nn.relu(found) if relu else found

    graph = reading.compile_graph((method, position, relu), call)
    return _enlarge(reading.map(graph, images, targets), images, resize=resize)


def grad_cam(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    preactivation: bool = False,
    relu: bool = True,
    resize: bool = True,
) -> np.ndarray:
    """relu(sum_k mean(df/dA_k) A_k) (Selvaraju et al. 2017, eq. 1 and 2).

    Parameters
    ----------
    layer : str, optional
        Name of the layer whose maps are weighed; by default the last one with a spatial extent.
    preactivation : bool
        Whether the layer is read before the activation it carries; without `layer`, the last
        convolution.
    relu : bool
        Whether negative evidence is dropped, as in the paper.
    resize : bool
        Whether the maps are enlarged to the size of the pictures.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
    >>> layers = [keras.Input((2, 2, 1)), conv, keras.layers.GlobalAveragePooling2D(), dense]
    >>> model = keras.Sequential(layers)
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="grad_cam")
    >>> (maps / maps.max()).ravel().round(2).tolist()
    [0.25, 0.5, 0.75, 1.0]
    """

    def weigh(maps: Tensor, slopes: Tensor) -> Tensor:
        return tf.reduce_mean(slopes, (1, 2), keepdims=True)

    return _weigh_channels(
        reading, images, targets, "grad_cam", weigh, layer=layer, preactivation=preactivation, relu=relu, resize=resize
    )


def grad_cam_plus_plus(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    preactivation: bool = False,
    relu: bool = True,
    resize: bool = True,
) -> np.ndarray:
    """Grad-CAM with weights sum(alpha relu(g)), alpha = g^2 / (2 g^2 + sum(A) g^3) (Chattopadhay et al. 2018, eq. 19).

    The paper explains exp(f), whose derivative carries exp(f) as one factor of the whole map; it is
    left out, since it overflows and changes no comparison within a picture. Options as for
    `grad_cam`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
    >>> layers = [keras.Input((2, 2, 1)), conv, keras.layers.GlobalAveragePooling2D(), dense]
    >>> model = keras.Sequential(layers)
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="grad_cam_plus_plus")
    >>> (maps / maps.max()).ravel().round(2).tolist()
    [0.25, 0.5, 0.75, 1.0]
    """

    def weigh(maps: Tensor, slopes: Tensor) -> Tensor:
        square = slopes * slopes
        below = 2 * square + tf.reduce_sum(maps, (1, 2), keepdims=True) * square * slopes
        alpha = tf.math.divide_no_nan(square, below)
        return tf.reduce_sum(alpha * tf.nn.relu(slopes), (1, 2), keepdims=True)

    return _weigh_channels(
        reading, images, targets, "grad_cam_plus_plus", weigh, layer=layer, preactivation=preactivation, relu=relu,
        resize=resize,
    )  # fmt: skip


def layer_cam(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    preactivation: bool = False,
    relu: bool = True,
    resize: bool = True,
) -> np.ndarray:
    """relu(sum_k relu(df/dA_k) A_k), position by position (Jiang et al. 2021, eq. 5); options as for `grad_cam`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
    >>> layers = [keras.Input((2, 2, 1)), conv, keras.layers.GlobalAveragePooling2D(), dense]
    >>> model = keras.Sequential(layers)
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="layer_cam")
    >>> (maps / maps.max()).ravel().round(2).tolist()
    [0.25, 0.5, 0.75, 1.0]
    """

    def weigh(maps: Tensor, slopes: Tensor) -> Tensor:
        return tf.nn.relu(slopes)

    return _weigh_channels(
        reading, images, targets, "layer_cam", weigh, layer=layer, preactivation=preactivation, relu=relu, resize=resize
    )


def cam(reading: Reading, images: np.ndarray, targets: np.ndarray, *, resize: bool = True) -> np.ndarray:
    """sum_k w_k A_k for networks that end in global average pooling and one dense layer (Zhou et al. 2016, eq. 2).

    Signed, and without the bias, which has no place. On h' x w' maps it is h' w' times Grad-CAM
    without its relu.

    Raises
    ------
    AttributionError
        When the network ends otherwise.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
    >>> layers = [keras.Input((2, 2, 1)), conv, keras.layers.GlobalAveragePooling2D(), dense]
    >>> model = keras.Sequential(layers)
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="cam")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    network = reading.steps
    dense = network.steps[network.logits]
    pool = network.steps[dense.inputs[0]] if dense.inputs else dense
    while pool.kind in (StepKind.IDENTITY, StepKind.FLATTEN) and len(pool.shape) == 1:
        pool = network.steps[pool.inputs[0]]
    weights = dense.weights
    if dense.kind != StepKind.DENSE or pool.kind != StepKind.GLOBAL_AVERAGE_POOL or weights is None:
        raise AttributionError(
            f"cam needs global average pooling before one dense layer, and this network ends in {pool.name!r} "
            f"({pool.kind}) and {dense.name!r} ({dense.kind}). Use grad_cam."
        )
    position = pool.inputs[0]

    def call(pictures: Tensor, classes: Tensor) -> Tensor:
        kernel = weights(pictures.dtype)[0]
        maps, scores = network.evaluate(pictures, [position, network.logits])
        weight = tf.matmul(reading.start(scores, classes), kernel, transpose_b=True)  # (n, channels)
        return tf.einsum("nhwk,nk->nhw", maps, weight)[..., None]

    return _enlarge(reading.map(reading.compile_graph(("cam",), call), images, targets), images, resize=resize)


def score_cam(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    layer: str | None = None,
    preactivation: bool = False,
    relu: bool = True,
    resize: bool = True,
) -> np.ndarray:
    """Activation maps weighed by the score of the picture seen through them (Wang et al. 2020, algorithm 1).

    Each map, enlarged and stretched to [0, 1], masks the picture; the softmax over maps of the
    masked scores weighs them. A map of one value everywhere is no mask and counts as one of zeros.
    Options as for `grad_cam`.

    Examples
    --------
    >>> import keras
    >>> from modelcheck.attributions import attribute
    >>> conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones")
    >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
    >>> layers = [keras.Input((2, 2, 1)), conv, keras.layers.GlobalAveragePooling2D(), dense]
    >>> model = keras.Sequential(layers)
    >>> picture = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
    >>> maps = attribute(model, picture, 1, method="score_cam")
    >>> maps.ravel().round(1).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    network = reading.steps
    position = spatial_step(network, layer, preactivation=preactivation)

    def maps_of(pictures: Tensor, classes: Tensor) -> Tensor:
        return network.evaluate(pictures, [position])[0]

    def scores_of(pictures: Tensor, classes: Tensor, masks: Tensor) -> Tensor:
        return reading.score(pictures * masks, classes)

    maps = reading.map(reading.compile_graph(("maps", position), maps_of), images, targets)
    masked = reading.compile_graph(("masked_score",), scores_of, (None, *images.shape[1:3], 1))
    n_maps = maps.shape[-1]
    found = np.empty((len(images), *maps.shape[1:3], 1), maps.dtype)
    for number, (image, own) in enumerate(zip(images, maps, strict=True)):
        masks = resize_bilinear(np.moveaxis(own, -1, 0), *images.shape[1:3])
        least, most = masks.min((1, 2), keepdims=True), masks.max((1, 2), keepdims=True)
        spread = np.where(most > least, most - least, 1)
        masks = ((masks - least) / spread)[..., None]
        rows = [
            np.asarray(
                masked(np.broadcast_to(image, (len(part), *image.shape)), np.repeat(targets[number], len(part)), part)
            )
            for part in (masks[cut] for cut in reading.batches(n_maps))
        ]
        scores = np.concatenate(rows)
        weights = np.exp(scores - scores.max())
        found[number, ..., 0] = own @ (weights / weights.sum())
    if relu:
        found = np.maximum(found, 0)
    return _enlarge(found, images, resize=resize)
