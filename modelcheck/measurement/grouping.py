"""Which layers are measured together where one network is measured in several processes: by counts alone."""

from __future__ import annotations

from modelcheck.happymaps import choose_units
from modelcheck.network import Network
from modelcheck.network.choosing import choose_layers
from modelcheck.recipe import Recipe
from modelcheck.units import LayerKind

__all__ = ["choose_group"]

_TRACING = 40  # passes of one picture through a layer take about as long as tracing its ascent


def choose_group(network: Network, recipe: Recipe, *, group: int, groups: int) -> frozenset[int]:
    """Return the positions of the layers of one group, of groups that cost about the same.

    Whoever takes the decision also measures what belongs to no layer, so it counts for more. What
    is measured of a layer does not depend on its group.

    Parameters
    ----------
    network : Network
        The flattened network.
    recipe : Recipe
        How it is measured.
    group, groups : int
        Which of so many groups, from 0.
    """
    costs = _estimate_costs(network, recipe)
    loads, members = [0.0] * groups, [set[int]() for _ in range(groups)]
    for position in sorted(costs, key=lambda position: (-costs[position], position)):
        lightest = min(range(groups), key=lambda number: (loads[number], number))
        loads[lightest] += costs[position]
        members[lightest].add(position)
    return frozenset(members[group])


def _estimate_costs(network: Network, recipe: Recipe) -> dict[int, float]:
    """Return for each layer about how many steps of the network are taken for it, with pictures counted one by one."""
    costs = {}
    for position, layer in enumerate(choose_layers(network, recipe.hidden_layers)):
        passes = len(choose_units(layer, recipe)) * recipe.steps
        if layer.kind == LayerKind.DECISION:
            answers = recipe.probe_pictures * recipe.smoothgrad_samples * len(recipe.attribution_methods)
            passes = 2 * network.n_classes * recipe.copies * recipe.steps + answers
        costs[position] = float((layer.read + 1) * (passes + _TRACING))
    return costs
