"""What one unit sees: its activation projected back to the pixels, and the pictures that activate it most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.backward import make_rectifying_rule, record_outputs, walk_back
from modelcheck.attributions.reading import AttributionError, Reading, check_images, read
from modelcheck.network import UnitLayer
from modelcheck.support.spelling import did_you_mean
from modelcheck.units import Unit

__all__ = ["TopImages", "project_unit", "top_images"]

Tensor = Any


@dataclass(frozen=True, eq=False)
class TopImages:
    """The pictures that activate a unit most, the strongest first.

    Parameters
    ----------
    unit : Unit
        The unit.
    indices : np.ndarray
        ``(k,)`` positions in the panel.
    activations : np.ndarray
        ``(k,)`` what the unit reached on them.
    """

    unit: Unit
    indices: np.ndarray
    activations: np.ndarray


def _find_layer(reading: Reading, unit: Unit) -> UnitLayer:
    layers = {layer.name: layer for layer in reading.steps.unit_layers()}
    if unit.layer not in layers:
        raise AttributionError(f"There is no layer {unit.layer!r} with units. {did_you_mean(unit.layer, layers)}")
    found = layers[unit.layer]
    if unit.index >= found.n_units:
        raise AttributionError(f"Layer {unit.layer!r} has units 0 to {found.n_units - 1}, not {unit.index}.")
    return found


def project_unit(model: Any, image: np.ndarray, unit: Unit | str, *, dtype: str | None = None) -> np.ndarray:
    """Project a unit's strongest activation back to the pixels with the deconvnet.

    The activation at the position where the unit is strongest is kept, all else of its layer is set
    to zero, and the walk back unpools with the max-pooling switches of the picture, rectifies, and
    convolves with the transposed kernels.

    Parameters
    ----------
    model : keras.Model or Network
        The network; it is not changed.
    image : np.ndarray
        ``(h, w, c)`` in the network's input range.
    unit : Unit or str
        ``layer:index``; a unit of the decision is read before softmax.
    dtype : {'float32', 'float64'}, optional
        What to compute and return in; by default the model's.

    Returns
    -------
    np.ndarray
        ``(h, w, c)``, signed; zero outside the unit's receptive field, and everywhere when the unit
        is silent.

    Raises
    ------
    AttributionError
        When there is no such unit, or a layer on the way has an activation of its own making.

    References
    ----------
    Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 2.1.
    """
    unit = Unit.parse(unit) if isinstance(unit, str) else unit
    reading = read(model, dtype=dtype)
    position = _find_layer(reading, unit).activated
    network = reading.steps
    picture = check_images(np.asarray(image)[None], reading)
    rule = make_rectifying_rule("project_unit", gated=False)

    def call(pictures: Tensor, units: Tensor) -> Tensor:
        values = record_outputs(network, pictures, position)
        output = values[position]
        flat = tf.reshape(output, (tf.shape(output)[0], -1, output.shape[-1]))
        own = tf.gather(flat, units, axis=2, batch_dims=1)  # (n, positions)
        place = tf.one_hot(tf.argmax(own, axis=1), tf.shape(flat)[1], dtype=output.dtype)
        channel = tf.one_hot(units, output.shape[-1], dtype=output.dtype)
        kept = (own * place)[:, :, None] * channel[:, None, :]
        return walk_back(network, values, position, tf.reshape(kept, tf.shape(output)), rule)

    graph = reading.compile_graph(("project_unit", position), call)
    return np.asarray(graph(picture, np.array([unit.index], np.int32)))[0]


def top_images(model: Any, panel: Any, unit: Unit | str, k: int = 9, *, reduce: str = "max") -> TopImages:
    """Return the pictures of a panel that activate a unit most.

    Parameters
    ----------
    model : keras.Model or Network
        The network; it is not changed.
    panel : Panel or np.ndarray
        A panel of floats, or pictures ``(n, h, w, c)``, in the network's input range.
    unit : Unit or str
        ``layer:index``; its activation after the layer's activation function is compared.
    k : int
        How many; all of them where the panel has fewer.
    reduce : {'max', 'mean'}
        Whether a convolution's unit, which reacts at many positions, counts by its strongest or its
        mean reaction.

    Raises
    ------
    AttributionError
        When there is no such unit or the pictures do not fit.
    """
    if k < 1 or reduce not in ("max", "mean"):
        raise AttributionError(f"k is at least 1 and reduce is 'max' or 'mean', not k={k!r}, reduce={reduce!r}.")
    unit = Unit.parse(unit) if isinstance(unit, str) else unit
    images = np.asarray(getattr(panel, "images", panel))
    if images.dtype == np.uint8 and hasattr(panel, "inputs"):
        raise AttributionError(
            "The panel holds bytes, which have to be mapped onto the network's input range. Pass "
            "panel.inputs(input_range) instead, for example panel.inputs((0, 1))."
        )
    reading = read(model)
    network, position = reading.steps, _find_layer(reading, unit).activated
    pictures = check_images(images, reading)

    def call(rows: Tensor, units: Tensor) -> Tensor:
        output = network.evaluate(rows, [position])[0]
        axes = list(range(1, len(output.shape) - 1))
        found = tf.reduce_max(output, axes) if reduce == "max" else tf.reduce_mean(output, axes)
        return tf.gather(found, units, axis=1, batch_dims=1)

    graph = reading.compile_graph(("top_images", position, reduce), call)
    found = reading.map(graph, pictures, np.full(len(pictures), unit.index, np.int32))
    order = np.argsort(-found, kind="stable")[:k]
    return TopImages(unit, order, found[order])
