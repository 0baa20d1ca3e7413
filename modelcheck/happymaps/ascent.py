"""Gradient ascent on a canvas: one layer's units in batches, each unit's map the same in any company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelcheck.happymaps.answers import count_maps_at_once, make_answer
from modelcheck.happymaps.canvas import NaturalPictures, free_pixels, on_natural_pictures
from modelcheck.happymaps.climbing import Climb, Path, trace_climb
from modelcheck.happymaps.maps import HappyMaps, count_maps
from modelcheck.happymaps.objectives import objective_of
from modelcheck.network import Network, NetworkError, UnitLayer, check_agreement, flatten
from modelcheck.network.loading import open_model
from modelcheck.network.receptive import receptive_field
from modelcheck.recipe import Recipe
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.spelling import did_you_mean
from modelcheck.units import LayerKind, Unit

__all__ = ["Ascent", "Climbs", "ascend", "choose_units", "render_happy_maps"]

Tensor = Any  # tensorflow ships no types

# Traced ascents by what they were traced for; a network's weights are read anew at each call.
Climbs = dict[tuple[Any, ...], Climb]

# What noise on the copies falls back to, for a class that gets no map under the recipe's: strong noise drowns what a
# class wants where that is fine texture.
_CALMER = (0.1, 0.03, 0.0)
_PLAIN_STARTS = 4  # of plain ascent, where even that is not enough: from grey a class may lie behind a hill


@dataclass(frozen=True, eq=False, repr=False)
class Ascent:
    """The outcome of an ascent, with what is needed to judge it.

    Parameters
    ----------
    units : np.ndarray
        ``(n,)`` the units' indices.
    maps : np.ndarray
        ``(n, h, w, c)`` float32; for a convolutional unit the patch it sees, else the whole
        picture.
    activations : np.ndarray
        ``(n,)`` float32, the objective on the map.
    at_rest : np.ndarray
        ``(n,)`` float32, the objective at rest: on mid grey, or on the mean of the natural
        pictures.
    objective : str
        Name of the objective in `OBJECTIVES`.
    patch : bool
        Whether maps are receptive fields rather than whole pictures.
    """

    units: np.ndarray
    maps: np.ndarray
    activations: np.ndarray
    at_rest: np.ndarray
    objective: str
    patch: bool

    def __repr__(self) -> str:
        return one_line_repr("Ascent", *count_maps(self.maps, self.activations), f"objective: {self.objective}")


def render_happy_maps(
    model: Any,
    layer: str,
    units: Sequence[int] | None = None,
    recipe: Recipe | None = None,
    *,
    objective: str | None = None,
    directions: np.ndarray | None = None,
    among: NaturalPictures | None = None,
) -> HappyMaps:
    """Render the HappyMaps of a layer's units.

    Parameters
    ----------
    model : str, path-like, keras.Model or Network
        The network; it is not changed. A ``.keras`` file is scanned and loaded, as
        `modelcheck.network.loading.load_network` does, with every call.
    layer : str
        The layer's name; nested networks are written ``backbone/conv1``.
    units : sequence of int, optional
        Which units, in this order; by default the recipe's choice.
    recipe : Recipe, optional
        The settings of the ascent.
    objective : str, optional
        One of `OBJECTIVES` that the layer has: ``margin`` (the default), ``logit`` or
        ``probability`` for the decision, ``channel`` (the default), ``neuron`` or ``channel_mean``
        for convolutions, ``neuron`` for dense layers.
    directions : np.ndarray, optional
        ``(n, n_units)``: instead of single units, make happy these directions in the space of the
        layer's units, each divided by its length; the objective says what a unit's value is.
        `units` then counts directions.
    among : NaturalPictures, optional
        Instead of free pixels, only pictures of this kind: see `natural_pictures`. Such maps
        compare networks of different families, and cannot show what no picture of the panel holds,
        for example a badge.

    Returns
    -------
    HappyMaps
        The maps and the activations reached, which a notebook shows. Units of a convolution whose
        receptive field is smaller than the picture yield patches of exactly that field.

    Raises
    ------
    NetworkError
        When it is no network, there is no such layer, unit or objective, or the network cannot be
        read, or does not answer as its layers do.
    ModelError
        When the file cannot be loaded.

    References
    ----------
    Erhan et al. 2009, "Visualizing higher-layer features of a deep network", section 3.

    Examples
    --------
    >>> import keras
    >>> layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, name="decision")]
    >>> found = render_happy_maps(keras.Sequential(layers), "decision", [1], Recipe(steps=2, copies=1))
    >>> found.maps.shape, found.activations.shape
    ((1, 4, 4, 1), (1,))
    """
    model = open_model(model)
    if not isinstance(model, Network | keras.Model):
        raise NetworkError(
            f"A network is the path of a .keras file, a keras.Model or a Network, not {type(model).__name__}."
        )
    network = model if isinstance(model, Network) else flatten(model)
    layers = {item.name: item for item in network.unit_layers()}
    if layer not in layers:
        raise NetworkError(f"There is no layer {layer!r} with units. {did_you_mean(layer, layers)}")
    recipe = recipe or Recipe()
    if not isinstance(model, Network):
        noise = np.random.Generator(np.random.Philox(recipe.seed)).uniform(
            *recipe.input_range, (4, *network.input_shape)
        )
        check_agreement(network, noise.astype(np.float32), released=False)
    outcome = ascend(
        network, layers[layer], recipe=recipe, units=units, objective=objective, directions=directions, among=among
    )
    names = [str(Unit(layer, k)) if directions is None else f"{layer}, direction {k}" for k in outcome.units.tolist()]
    return HappyMaps(outcome.maps, outcome.activations, names=tuple(names), input_range=recipe.input_range)


def choose_units(layer: UnitLayer, recipe: Recipe) -> np.ndarray:
    """Return the units that a recipe renders: all, or evenly spaced ones."""
    return np.unique(np.linspace(0, layer.n_units - 1, min(layer.n_units, recipe.units_per_layer)).round().astype(int))


def ascend(
    network: Network,
    layer: UnitLayer,
    *,
    recipe: Recipe,
    units: Sequence[int] | np.ndarray | None = None,
    objective: str | None = None,
    directions: np.ndarray | None = None,
    among: NaturalPictures | None = None,
    climbs: Climbs | None = None,
) -> Ascent:
    """Render one layer's maps with all that is known of them; see `render_happy_maps`.

    A class that gets no map under the recipe's jitter is rendered again with less of it, by itself
    and whatever the others do, down to none, and at last by plain ascent, without copies, from four
    starts: a decision has a map where one can be had.

    Tracing takes about as long as climbing. Give one dictionary as `climbs` to all calls for one
    `network`, whose weights may be set anew in between, and each ascent is traced once.
    """
    name, row = objective_of(layer, objective)
    n_units = n_values = network.n_classes if layer.kind == LayerKind.DECISION else layer.n_units
    every = np.arange(n_units) if layer.kind == LayerKind.DECISION else choose_units(layer, recipe)
    towards = None
    if directions is not None:
        towards = _normalise_directions(directions, n_units, layer.name)
        n_units, every = len(towards), np.arange(len(towards))
    indices = every if units is None else np.asarray(units, dtype=int)
    if indices.size == 0 or indices.min() < 0 or indices.max() >= n_units:
        raise NetworkError(f"Layer {layer.name!r} has units 0 to {n_units - 1}, not {indices.tolist()}.")
    field = receptive_field(network, layer.read) if row.patch and among is None else None
    height, width, channels = network.input_shape
    if among is not None and among.mean.shape != network.input_shape:
        raise NetworkError(f"The natural pictures are {among.mean.shape}, the network takes {network.input_shape}.")
    size = (height, width) if field is None else field.size

    # After its last nonlinearity the path of a patch to its units is affine: slopes there are found
    # once, before the ascent.
    last = layer.read if field is None else field.last_nonlinearity(network, layer.read)

    def path_of(network: Network) -> Path:
        whole = make_answer(network, layer, row, None)

        def inner(images: Tensor) -> Tensor:
            return whole(images) if field is None else field.evaluate_between(network, images, 0, last)

        def outer(values: Tensor) -> Tensor:
            if field is not None:
                values = field.evaluate_between(network, values, last, layer.read)[:, 0, 0, :]
            return values if towards is None else tf.matmul(values, towards, transpose_b=True)

        return Path(inner, outer, (n_values,) if field is None else field.shape(network, last))

    copies = recipe.copies if layer.kind == LayerKind.DECISION else 1
    rounds = -(-len(indices) // count_maps_at_once(network, layer.read, size, copies=copies))
    batch = -(-len(indices) // rounds)  # batches of one size: what fills up the last is thrown away
    canvas = free_pixels(recipe, (*size, channels)) if among is None else on_natural_pictures(recipe, among)
    climbs = {} if climbs is None or directions is not None else climbs
    # Jitter is told to each climb, so that a calmer one is not traced; the trace itself keeps `among` alive.
    key = (network, layer, replace(recipe, jitter=0.0), name, batch, id(among))
    if key not in climbs:
        climbs[key] = trace_climb(
            network, layer.read, path_of, recipe=recipe, canvas=canvas, copies=copies, batch=batch
        )
    climb = climbs[key]
    maps: list[np.ndarray] = []
    reached: list[np.ndarray] = []
    at_rest: list[np.ndarray] = []
    for start in range(0, len(indices), batch):
        # The last batch is filled up, so that one traced function serves all.
        part = np.resize(indices[start : start + batch], batch) if start else indices[:batch]
        outcome = _climb_from_all_starts(climb, part, recipe)
        kept = len(indices[start : start + batch])
        for store, value in zip((maps, reached, at_rest), outcome, strict=True):
            store.append(value[:kept])
    best = np.concatenate(maps), np.concatenate(reached), np.concatenate(at_rest)
    found = _blank_still_maps(Ascent(indices, *best, name, field is not None))
    still = np.flatnonzero(~np.isfinite(found.activations))
    calmer = _calm(recipe) if copies > 1 else None
    if calmer is None or still.size == 0:
        return found
    again = ascend(
        network,
        layer,
        recipe=calmer,
        units=indices[still],
        objective=objective,
        directions=directions,
        among=among,
        climbs=climbs,
    )
    found.maps[still], found.activations[still] = again.maps, again.activations
    return found


def _calm(recipe: Recipe) -> Recipe | None:
    """Return the recipe for what has no map under this one: with less noise, at last plain ascent from more starts."""
    calmer = next((jitter for jitter in _CALMER if jitter < recipe.jitter), None)
    if calmer is not None:
        return replace(recipe, jitter=calmer)
    return replace(recipe, copies=1, starts=max(recipe.starts, _PLAIN_STARTS))


def _climb_from_all_starts(
    climb: Climb, units: np.ndarray, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Climb from every start, and keep for each unit the map that it likes best."""
    maps, reached, before = climb(units, 0, recipe.jitter)
    for start in range(1, recipe.starts):
        others, heights, _ = climb(units, start, recipe.jitter)
        better = np.isfinite(heights) & ~(heights <= reached)  # NaN is no height to beat
        maps[better], reached[better] = others[better], heights[better]
    return maps, reached, before


def _normalise_directions(directions: np.ndarray, n_units: int, layer: str) -> Tensor:
    towards = np.asarray(directions, dtype=np.float64)
    if towards.ndim != 2 or towards.shape[1] != n_units or not np.isfinite(towards).all():
        raise NetworkError(f"Directions in layer {layer!r} are finite, of shape (n, {n_units}), not {towards.shape}.")
    lengths = np.linalg.norm(towards, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise NetworkError(f"A direction in layer {layer!r} is zero: it points nowhere. Remove that row.")
    return tf.constant(towards / lengths, tf.float32)


def _blank_still_maps(outcome: Ascent) -> Ascent:
    """Blank the maps that their units did not make: the start noise must never be compared."""
    blank = ~np.isfinite(outcome.activations)
    maps = outcome.maps.copy()
    maps[blank] = np.nan
    return Ascent(outcome.units, maps, outcome.activations, outcome.at_rest, outcome.objective, outcome.patch)
