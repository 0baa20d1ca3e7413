"""HappyMaps: the image that makes a unit happiest, by gradient ascent in the box of the network's input range.

Activation maximisation after Erhan, Bengio, Courville and Vincent ("Visualizing higher-layer features of a deep
network", 2009), with the gradient averaged over shifted and noisy copies as in Mordvintsev, Olah and Tyka
("Inceptionism", 2015). The noise is keyed by (seed, step) alone and is therefore the same for every unit, every
layer and every network: a unit has the same map alone and in a batch, and permuting channels permutes maps. Maps
are never contrast-stretched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from modelcheck.network import Network, NetworkError, UnitLayer, flatten
from modelcheck.network.receptive import receptive_field
from modelcheck.recipe import Recipe
from modelcheck.spelling import did_you_mean

__all__ = ["Ascent", "HappyMaps", "ascend", "chosen_units", "margins", "render_happy_maps"]

Tensor = Any  # tensorflow ships no types

_BATCH_BYTES = 192 * 2**20
_STILL = 0.01  # a map that moved less than this share of the range has not been made by its unit


class HappyMaps(NamedTuple):
    """What `render_happy_maps` returns.

    Parameters
    ----------
    maps : np.ndarray
        ``(n_units, h, w, c)`` float32 in the recipe's input range; NaN for a unit that has no map.
    activations : np.ndarray
        ``(n_units,)`` float32: the objective reached; NaN for a unit that has no map.
    """

    maps: np.ndarray
    activations: np.ndarray


@dataclass(frozen=True, eq=False)
class Ascent:
    """The outcome of an ascent, with what is needed to judge it.

    Parameters
    ----------
    units : np.ndarray
        ``(n,)`` the units' indices.
    maps : np.ndarray
        ``(n, h, w, c)`` float32; for a convolutional unit the patch it sees, else the whole picture.
    activations : np.ndarray
        ``(n,)`` float32, the objective on the map.
    at_grey : np.ndarray
        ``(n,)`` float32, the objective on mid grey.
    objective : str
        ``margin`` for the decision, ``channel`` for convolutions, ``neuron`` for dense layers.
    patch : bool
        Whether maps are receptive fields rather than whole pictures.
    """

    units: np.ndarray
    maps: np.ndarray
    activations: np.ndarray
    at_grey: np.ndarray
    objective: str
    patch: bool


def render_happy_maps(
    model: Any, layer: str, units: Sequence[int] | None = None, recipe: Recipe | None = None
) -> HappyMaps:
    """Render the HappyMaps of a layer's units.

    Parameters
    ----------
    model : keras.Model or Network
        The network; it is not changed.
    layer : str
        The layer's name; nested networks are written ``backbone/conv1``.
    units : sequence of int, optional
        Which units, in this order; by default the recipe's choice.
    recipe : Recipe, optional
        The settings of the ascent.

    Returns
    -------
    HappyMaps
        The maps and the activations reached. Units of a convolution whose receptive field is smaller than the
        picture yield patches of exactly that field.

    Raises
    ------
    NetworkError
        When there is no such layer or unit, or the network cannot be read.

    References
    ----------
    Erhan et al. 2009, "Visualizing higher-layer features of a deep network", section 3.
    """
    network = model if isinstance(model, Network) else flatten(model)
    layers = {item.name: item for item in network.unit_layers()}
    if layer not in layers:
        raise NetworkError(f"There is no layer {layer!r} with units. {did_you_mean(layer, layers)}")
    recipe = recipe or Recipe()
    outcome = ascend(network, layers[layer], recipe=recipe, units=units)
    return HappyMaps(outcome.maps, outcome.activations)


def chosen_units(layer: UnitLayer, recipe: Recipe) -> np.ndarray:
    """Return the units that a recipe renders: all, or evenly spaced ones."""
    return np.unique(np.linspace(0, layer.n_units - 1, min(layer.n_units, recipe.units_per_layer)).round().astype(int))


def ascend(
    network: Network, layer: UnitLayer, *, recipe: Recipe, units: Sequence[int] | np.ndarray | None = None
) -> Ascent:
    """Render one layer's maps with all that is known of them; see `render_happy_maps`."""
    n_units = network.n_classes if layer.kind == "decision" else layer.n_units
    every = np.arange(n_units) if layer.kind == "decision" else chosen_units(layer, recipe)
    indices = every if units is None else np.asarray(units, dtype=int)
    if indices.size == 0 or indices.min() < 0 or indices.max() >= n_units:
        raise NetworkError(f"Layer {layer.name!r} has units 0 to {n_units - 1}, not {indices.tolist()}.")
    field = receptive_field(network, layer.read) if layer.kind == "conv" else None
    height, width, channels = network.input_shape
    size = (height, width) if field is None else field.size

    def answers(images: Tensor) -> Tensor:
        if field is not None:
            return field.evaluate(network, images, layer.read)
        output = network.evaluate(images, [layer.read])[0]
        if layer.kind == "decision":
            return margins(network.as_class_scores(output))
        if len(output.shape) == 4:
            return output[:, output.shape[1] // 2, output.shape[2] // 2, :]
        return output

    copies = recipe.copies if layer.kind == "decision" else 1
    per_unit = _bytes(network, layer.read, size) * copies
    batch = max(1, min(len(indices), _BATCH_BYTES // per_unit))
    climb = _climber(answers, recipe, (*size, channels), copies, batch)
    maps: list[np.ndarray] = []
    reached: list[np.ndarray] = []
    at_grey: list[np.ndarray] = []
    for start in range(0, len(indices), batch):
        # The last batch is filled up, so that one traced function serves all.
        part = np.resize(indices[start : start + batch], batch) if start else indices[:batch]
        outcome = [value.numpy() for value in climb(tf.constant(part, tf.int32))]
        kept = len(indices[start : start + batch])
        for store, value in zip((maps, reached, at_grey), outcome, strict=True):
            store.append(value[:kept])
    objective = {"decision": "margin", "conv": "channel"}.get(layer.kind, "neuron")
    return _without_still(
        Ascent(
            indices,
            np.concatenate(maps),
            np.concatenate(reached),
            np.concatenate(at_grey),
            objective,
            field is not None,
        ),
        recipe,
    )


def margins(scores: Tensor) -> Tensor:
    """Return how far each class score leads the others, ``(n, k)``: score minus logsumexp of the others."""
    columns = [
        scores[:, k] - tf.reduce_logsumexp(tf.concat([scores[:, :k], scores[:, k + 1 :]], axis=1), axis=1)
        for k in range(scores.shape[1])
    ]
    return tf.stack(columns, axis=1)


def _climber(
    answers: Callable[[Tensor], Tensor], recipe: Recipe, shape: tuple[int, int, int], copies: int, batch: int
) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return a traced function from unit indices to maps, objectives reached and objectives on grey."""
    low, high = recipe.input_range
    span, grey = high - low, (low + high) / 2
    reach = min(round(recipe.shift * shape[0]), shape[0], shape[1]) if copies > 1 else 0
    jitter = recipe.jitter * span if copies > 1 else 0.0
    blur = _gaussian(recipe.blur, shape[-1])

    def objective(maps: Tensor, units: Tensor) -> Tensor:
        return tf.gather(answers(maps), units, axis=1, batch_dims=1)

    def gradient(maps: Tensor, units: Tensor, step: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(maps)
            views = [_view(maps, recipe.seed, step, copy, reach, jitter) for copy in range(copies)]
            value = tf.reduce_sum(objective(tf.concat(views, 0), tf.tile(units, [copies])))
        slope = tf.ensure_shape(tape.gradient(value, maps), maps.shape)
        if blur is not None:
            slope = tf.nn.depthwise_conv2d(slope, blur, [1, 1, 1, 1], "SAME")
        size = tf.sqrt(tf.reduce_mean(tf.square(slope), axis=[1, 2, 3], keepdims=True))
        return tf.math.divide_no_nan(slope, size)

    def climb(units: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        flat = tf.fill((batch, *shape), tf.constant(grey, tf.float32))
        noise = tf.random.stateless_normal(shape, seed=[recipe.seed, 0], stddev=recipe.start_noise * span)
        start = tf.clip_by_value(flat + noise, low, high)

        def body(step: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
            done = tf.cast(step, tf.float32) / max(recipe.steps - 1, 1)
            length = recipe.step_size * span * (1.0 - 0.9 * done)
            direction = gradient(maps, units, step) - recipe.pull * (maps - grey) / span
            return step + 1, tf.clip_by_value(maps + length * direction, low, high)

        _, maps = tf.while_loop(
            lambda step, maps: step < recipe.steps, body, (tf.constant(0), start), parallel_iterations=1
        )
        moved = tf.reduce_mean(tf.abs(maps - start), axis=[1, 2, 3])
        reached, before = objective(maps, units), objective(flat, units)
        no_map = tf.logical_or(moved < _STILL * span, tf.logical_not(reached > before))
        return maps, tf.where(no_map, tf.constant(np.nan, tf.float32), reached), before

    # Traced by hand: calling a fresh tf.function for each layer would be reported as needless retracing.
    return tf.function(climb, autograph=False).get_concrete_function(tf.TensorSpec([batch], tf.int32))


def _view(maps: Tensor, seed: int, step: Tensor, copy: int, reach: int, jitter: float) -> Tensor:
    """Return the maps shifted and with noise, both keyed by (seed, step, copy); edges are mirrored, not wrapped."""
    key = tf.stack([tf.constant(seed, tf.int32), (step + 1) * 4096 + copy])
    if reach:
        whole = maps.shape
        top, left = tf.unstack(tf.random.stateless_uniform([2], key, 0, 2 * reach + 1, tf.int32))
        wide = tf.pad(maps, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "SYMMETRIC")
        maps = tf.ensure_shape(tf.slice(wide, [0, top, left, 0], [-1, *whole[1:3], -1]), whole)
    if jitter:
        maps = maps + tf.random.stateless_normal(maps.shape[1:], key, stddev=jitter)
    return maps


def _gaussian(sigma: float, channels: int) -> Tensor | None:
    if sigma == 0:
        return None
    reach = max(1, round(3 * sigma))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    return tf.constant(np.tile(kernel[:, :, None, None], (1, 1, channels, 1)), tf.float32)


def _bytes(network: Network, target: int, size: tuple[int, int]) -> int:
    """Return roughly the bytes that one picture's forward and backward pass hold."""
    height, width, _ = network.input_shape
    share = size[0] * size[1] / (height * width)
    values = sum(int(np.prod([axis or 1 for axis in network.steps[step].shape])) for step in network.needed([target]))
    return int(4 * 3 * values * share) + 1


def _without_still(outcome: Ascent, recipe: Recipe) -> Ascent:
    """Blank the maps that their units did not make: the start noise must never be compared."""
    blank = ~np.isfinite(outcome.activations)
    maps = outcome.maps.copy()
    maps[blank] = np.nan
    return Ascent(outcome.units, maps, outcome.activations, outcome.at_grey, outcome.objective, outcome.patch)
