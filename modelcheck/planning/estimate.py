"""From counts to minutes and memory: what a whole gate takes with a recipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod

from modelcheck.happymaps import choose_units
from modelcheck.happymaps.answers import MAX_BATCH_BYTES
from modelcheck.interface import Interface
from modelcheck.measurement.costs import Cost, count_costs, measure_share
from modelcheck.measurement.fitting import fit_network
from modelcheck.network import Network
from modelcheck.network.choosing import choose_layers
from modelcheck.network.loading import load_network
from modelcheck.network.operations import count_multiplications, count_values
from modelcheck.panel import Panel
from modelcheck.planning.ladder import propose_recipe
from modelcheck.planning.pace import Pace, measure_pace
from modelcheck.planning.plan import Estimate, Plan
from modelcheck.recipe import Recipe

__all__ = ["estimate_gate", "estimate_seconds", "plan_gate"]

# Rough, and small beside a large network's passes: importing TensorFlow and starting pytest, and comparing and drawing
# a layer.
_START, _LAYER = 12.0, 0.4
# What is done around a pass forward and back: a map is painted, shifted and moved, noise is drawn.
_AROUND = 1.4
_GIB = 2.0**30
_BASE_GIB = 0.7  # Python, TensorFlow and Keras
# What traced graphs of one step hold, all together: from the peak of measuring MobileNetV2, 2.0 to 2.4 GiB.
_STEP_GIB = 0.006
_PICTURES_AT_ONCE = 64  # of whoever is asked for answers alone


def estimate_seconds(costs: list[Cost], network: Network, pace: Pace) -> dict[str, float]:
    """Return by part what its passes and its tracing take, all networks of a measurement together.

    Parameters
    ----------
    costs : list of Cost
        See `modelcheck.measurement.costs.count_costs`.
    network : Network
        The network of which they were counted.
    pace : Pace
        How fast it runs here.
    """
    found: dict[str, float] = {}
    for cost in costs:
        share = measure_share(cost, network)
        passes = cost.forward * pace.forward + _AROUND * cost.both * pace.both
        seconds = share * passes + cost.traced * pace.traced
        found[cost.part] = found.get(cost.part, 0.0) + seconds
    return found


def estimate_gate(network: Network, panel: Panel, recipe: Recipe, *, pace: Pace) -> Estimate:
    """Return what one gate takes: a candidate of this architecture with its twins, the comparison and the report.

    Parameters
    ----------
    network : Network
        The flattened network.
    panel : Panel
        The pictures.
    recipe : Recipe
        How it is measured.
    pace : Pace
        How fast it runs here.
    """
    costs = list(count_costs(network, panel, recipe, partner=network))
    layers = choose_layers(network, recipe.hidden_layers)
    parts = estimate_seconds(costs, network, pace)
    parts["start, comparison and report"] = _START + _LAYER * len(layers)
    return Estimate(
        hidden_layers=len(layers) - 1,
        units=sum(len(choose_units(layer, recipe)) for layer in layers[:-1]),
        passes=sum(cost.forward + cost.both for cost in costs),
        seconds=sum(parts.values()),
        gib=_estimate_gib(network, panel, recipe),
        parts=parts,
    )


def _estimate_gib(network: Network, panel: Panel, recipe: Recipe) -> float:
    """Return the memory of the process that measures: weights of network and twin, pictures, and the largest batch."""
    weights = 4 * int(network.model.count_params())
    picture = 4 * count_values(network, network.logits)
    largest = 4 * sum(sorted((prod(axis or 1 for axis in step.shape) for step in network.steps), reverse=True)[:3])
    climbing = max(MAX_BATCH_BYTES, picture * recipe.copies) * 2
    answering = largest * _PICTURES_AT_ONCE
    pictures = 4 * len(panel) * prod(network.input_shape) * 3
    return _BASE_GIB + _STEP_GIB * len(network.steps) + (4 * weights + max(climbing, answering) + pictures) / _GIB


def plan_gate(
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe,
    *,
    minutes: float,
    interface: Interface,
    custom_objects: Sequence[str] = (),
) -> Plan:
    """Load a network, run it for about a second, and return what a gate takes, and a recipe that fits.

    Parameters
    ----------
    model_path : str or path-like
        The ``.keras`` file.
    panel : Panel
        The pictures.
    recipe : Recipe
        Where the proposal begins.
    minutes : float
        How long a gate may take.
    interface : Interface
        How the network's inputs and outputs are to be understood.
    custom_objects : sequence of str
        Classes and functions outside Keras that the network may name.
    """
    model, _ = load_network(model_path, custom_objects=custom_objects)
    network = fit_network(model, panel, interface, recipe=recipe)
    pace = measure_pace(network, panel.inputs(recipe.input_range)[:8])

    def estimate(tried: Recipe) -> float:
        return estimate_gate(network, panel, tried, pace=pace).seconds

    proposed, fits = propose_recipe(recipe, seconds=60 * minutes, estimate=estimate)
    return Plan(
        hidden_layers=len(network.unit_layers()) - 1,
        parameters=int(model.count_params()),
        multiplications=count_multiplications(network, network.logits),
        pictures=len(panel),
        default=estimate_gate(network, panel, recipe, pace=pace),
        proposed=estimate_gate(network, panel, proposed, pace=pace),
        recipe=proposed,
        fits=fits,
    )
