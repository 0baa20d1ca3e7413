"""What a measurement costs, counted before it begins: passes through the network, and what is traced."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from weakref import WeakKeyDictionary

from modelcheck.answers.feeding import FED_PICTURES
from modelcheck.answers.flipping import FLIP_STEPS
from modelcheck.answers.occlusion import choose_window
from modelcheck.happymaps import choose_units
from modelcheck.happymaps.answers import count_maps_at_once
from modelcheck.happymaps.objectives import objective_of
from modelcheck.metrics.exchanges.stimuli import make_grids
from modelcheck.metrics.triggers import sticker_families, sticker_rows
from modelcheck.network import Network, UnitLayer
from modelcheck.network.choosing import choose_layers
from modelcheck.network.operations import count_multiplications, count_values
from modelcheck.network.receptive import receptive_field
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.units import LayerKind

__all__ = ["TWIN_CLASSES", "Cost", "count_costs", "count_layer", "measure_share", "schedule_parts"]

TWIN_CLASSES = 16
"""Of untrained twins the maps of so many classes are rendered: their mean is a floor, and nobody looks at one."""

# A number that a step writes and the next reads takes about as long as so many multiplications.
_PER_VALUE = 15
# How many passes forward and back an attribution takes for one picture; of the others one.
_PASSES = {"integrated_gradients": 50, "vargrad": 50}
_RISE_MASKS = 4000
# Tracing the whole network takes about as long as so many passes forward.
_TRACING = 200
# A pass layer by layer, by Keras and by us, takes about as long as so many that are one graph.
_UNFUSED = 8
# In how many other ways pictures are preprocessed, at most, for a network that answers many wrongly.
_READINGS = 6
_MAPS_OF = "HappyMaps of "


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One part of a measurement in counts, which no clock decides.

    Parameters
    ----------
    part : str
        What is done, for example ``HappyMaps of conv1``.
    stage : int
        Of which network: 0 is the trained one, its untrained twins follow.
    forward, both : int
        Passes of one picture forward alone, and forward and back.
    multiplications : int
        Of one pass forward, each with its addition.
    values : int
        How many numbers the steps of one pass give.
    traced : int
        How many steps of the network are traced.

    Examples
    --------
    >>> Cost(part="activations", stage=0, forward=96, multiplications=10**6, values=10**4).both
    0
    """

    part: str
    stage: int
    forward: int = 0
    both: int = 0
    multiplications: int = 0
    values: int = 0
    traced: int = 0


def measure_share(cost: Cost, network: Network) -> float:
    """Return what one pass of a part takes, as a share of a pass through the whole network.

    Parameters
    ----------
    cost : Cost
        The part.
    network : Network
        The network of which it was counted.
    """
    _, whole_pass = _look_at(network, network.logits, patch=False)
    whole = whole_pass["multiplications"] + _PER_VALUE * whole_pass["values"]
    return (cost.multiplications + _PER_VALUE * cost.values) / max(whole, 1)


def count_costs(network: Network, panel: Panel, recipe: Recipe, *, partner: Network | None = None) -> tuple[Cost, ...]:
    """Return every part of a measurement with its counts, in the order in which they are done.

    Parameters
    ----------
    network : Network
        The flattened network.
    panel : Panel
        The pictures on which it is measured.
    recipe : Recipe
        How it is measured, with how many untrained twins.
    partner : Network, optional
        The network with which each exchanges maps.

    Notes
    -----
    The windows of an occlusion are an upper bound: the first layers are run where a window reaches
    alone. Not foreseen are a class that gets no map under the recipe's noise and is rendered again,
    and a network that misses pictures, which are then fed otherwise.
    """
    return tuple(
        cost
        for stage in range(1 + recipe.untrained_twins)
        for cost in (
            *_count_stage(network, panel, recipe, stage=stage),
            *_count_exchange(network, partner, recipe, stage),
        )
    )


def schedule_parts(
    network: Network, costs: Sequence[Cost], *, stages: Sequence[int], layers: Collection[str], rest: bool
) -> dict[tuple[int, str], float]:
    """Return by network and part which share of a block's work is done when that part begins, from 0 to 1.

    Parameters
    ----------
    network : Network
        The flattened network.
    costs : sequence of Cost
        Of the whole measurement, in order.
    stages : sequence of int
        The networks of the block.
    layers : collection of str
        The names of its layers.
    rest : bool
        Whether what belongs to no layer is part of it.
    """
    own = [f"{_MAPS_OF}{name}" for name in layers]
    parts: dict[tuple[int, str], float] = {}
    done = 0.0
    for cost in costs:
        if cost.stage not in stages or not (cost.part in own or (rest and not cost.part.startswith(_MAPS_OF))):
            continue
        parts.setdefault((cost.stage, cost.part), done)
        passes = measure_share(cost, network) * (cost.forward + 2 * cost.both)
        done += passes + _TRACING * cost.traced / len(network.steps)
    return {part: before / max(done, 1e-9) for part, before in parts.items()}


def count_layer(network: Network, layer: UnitLayer, recipe: Recipe, *, stage: int = 0, natural: bool = False) -> Cost:
    """Return what the HappyMaps of one layer cost.

    Parameters
    ----------
    network : Network
        The flattened network.
    layer : UnitLayer
        One of its layers.
    recipe : Recipe
        How they are rendered.
    stage : int
        Of which network; of untrained twins the decision has maps of some classes alone, and what
        was traced for the first serves all.
    natural : bool
        Whether they are those among natural pictures.
    """
    _, row = objective_of(layer, None)
    size, per_pass = _look_at(network, layer.read, patch=row.patch and not natural)
    decides = layer.kind == LayerKind.DECISION
    copies = recipe.copies if decides else 1
    if decides:
        units = network.n_classes if not stage else min(network.n_classes, TWIN_CLASSES)
    else:
        units = len(choose_units(layer, recipe))
    rounds = -(-units // count_maps_at_once(network, layer.read, size, copies=copies))
    batch = -(-units // rounds)
    words = "HappyMaps among natural pictures" if natural else f"{_MAPS_OF}{layer.name}"
    return Cost(
        part=words,
        stage=stage,
        forward=rounds * recipe.starts * (batch + 1),
        both=rounds * batch * recipe.starts * recipe.steps * copies,
        traced=0 if stage else len(network.steps_needed([layer.read])),
        **per_pass,
    )


def _count_stage(network: Network, panel: Panel, recipe: Recipe, *, stage: int) -> Iterator[Cost]:
    """Yield the parts of one network: what `modelcheck.measurement.measuring` asks of it, in its order."""
    (_, whole), steps = _look_at(network, network.logits, patch=False), len(network.steps)
    n, probes = len(panel), min(len(panel), recipe.probe_pictures)
    *_, decision = layers = choose_layers(network, recipe.hidden_layers)
    height, width, _ = network.input_shape
    several = len(set(panel.labels.tolist())) > 1
    cells = sum(len(grid.boxes) * grid.donors for grid in make_grids(height, width))
    exchanged = min(n, recipe.exchange_pictures) * cells + recipe.mosaics if several else 0
    if stage:
        yield Cost(part="an untrained twin's weights", stage=stage, traced=steps)
    else:
        shown = 5 * (n + 32) * _UNFUSED // 2
        yield Cost(part="agreement with Keras", stage=stage, forward=shown, traced=2 * steps, **whole)
        fed = _READINGS * min(n, FED_PICTURES)
        yield Cost(part="other preprocessing", stage=stage, forward=fed, traced=2 * steps, **whole)
    yield Cost(part="the panel", stage=stage, forward=n, traced=0 if stage else steps, **whole)
    for layer in layers:
        yield count_layer(network, layer, recipe, stage=stage)
    yield count_layer(network, decision, recipe, stage=stage, natural=True)
    yield Cost(part="activations", stage=stage, forward=probes, **whole)
    for method in recipe.attribution_methods:
        forward, both = _count_attribution(method, recipe, height=height, width=width)
        yield Cost(
            part=f"attributions by {method}",
            stage=stage,
            forward=probes * forward,
            both=probes * both,
            traced=2 * steps,
            **whole,
        )
    yield Cost(part="exchanged pictures", stage=stage, forward=exchanged, **whole)
    if stage:
        return
    flips = (len(recipe.attribution_methods) + 1) * probes * (FLIP_STEPS + 1)
    yield Cost(part="flipping curves", stage=stage, forward=flips, **whole)
    if recipe.sticker_faces and min(height, width) >= 2:
        pictures = len(sticker_rows(panel.labels, panel.independent, recipe.sticker_faces))
        places = sum(prod(family.shape) for family in sticker_families(height, width))
        # Each is shown on one picture to Keras, too, in a graph.
        yield Cost(
            part="stickers",
            stage=stage,
            forward=places * (pictures + 1),
            traced=0 if stage else 2 * steps,
            **whole,
        )


def _count_attribution(method: str, recipe: Recipe, *, height: int, width: int) -> tuple[int, int]:
    """Return the passes forward alone, and forward and back, that one picture takes."""
    if method == "smoothgrad":
        return 0, recipe.smoothgrad_samples
    if method == "occlusion":
        window, stride = choose_window(height)
        return 1 + prod(-(-(side - window) // stride) + 1 for side in (height, width)), 0
    if method == "rise":
        return _RISE_MASKS, 0
    return 0, _PASSES.get(method, 1)


def _count_exchange(network: Network, partner: Network | None, recipe: Recipe, stage: int) -> Iterator[Cost]:
    """Yield what it costs that two networks of one architecture show each other their maps."""
    if partner is None:
        return
    *hidden, decision = choose_layers(network, recipe.hidden_layers)
    for layer in hidden:
        _, per_pass = _look_at(network, layer.read, patch=objective_of(layer, None)[1].patch)
        yield Cost(part="exchanged maps", stage=stage, forward=2 * len(choose_units(layer, recipe)), **per_pass)
    _, per_pass = _look_at(network, decision.read, patch=False)
    yield Cost(part="exchanged maps", stage=stage, forward=4 * network.n_classes, **per_pass)


_Look = tuple[tuple[int, int], dict[str, int]]
# What was looked up of a network that is still there: a plan asks for it many times.
_SEEN: WeakKeyDictionary[Network, dict[tuple[int, bool], _Look]] = WeakKeyDictionary()


def _look_at(network: Network, target: int, *, patch: bool) -> _Look:
    """Return the size of what a step's units are shown, and the counts of a pass."""
    seen = _SEEN.setdefault(network, {})
    if (target, patch) not in seen:
        field = receptive_field(network, target) if patch else None
        seen[target, patch] = (
            network.input_shape[:2] if field is None else field.size,
            {
                "multiplications": count_multiplications(network, target, field=field),
                "values": count_values(network, target, field=field),
            },
        )
    return seen[target, patch]
