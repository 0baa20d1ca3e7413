"""Which recipe is proposed where the default takes too long: what decides least is given up first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from modelcheck.recipe import Recipe

__all__ = ["RUNGS", "propose_recipe"]

RUNGS: tuple[tuple[str, Any], ...] = (
    ("hidden_layers", 16),
    ("units_per_layer", 16),
    ("untrained_twins", 2),
    ("smoothgrad_samples", 15),
    ("probe_pictures", 48),
    ("exchange_pictures", 50),
    ("mosaics", 200),
    ("hidden_layers", 8),
    ("untrained_twins", 1),
    ("units_per_layer", 8),
    ("attribution_methods", ("smoothgrad",)),
    ("sticker_faces", 4),
    ("probe_pictures", 32),
    ("smoothgrad_samples", 8),
    ("exchange_pictures", 24),
    ("mosaics", 100),
    ("copies", 8),
    ("sticker_faces", 2),
    ("hidden_layers", 4),
    ("probe_pictures", 16),
    ("exchange_pictures", 12),
    ("copies", 4),
    ("hidden_layers", 0),
    ("sticker_faces", 1),
)
"""A setting and a lower value for it, in the order in which they are given up.

Hidden layers come first, the decision and the search for triggers last: hidden layers say why, those
say what. No
fewer units than eight of a layer are rendered, for twins' floors are the best of as many.
"""


def propose_recipe(recipe: Recipe, *, seconds: float, estimate: Callable[[Recipe], float]) -> tuple[Recipe, bool]:
    """Return the recipe nearest to the given one that takes no longer, and whether there is one.

    Rungs are taken one after another until it fits. Then those that turned out not to be needed are
    given back, what decides most first.

    Parameters
    ----------
    recipe : Recipe
        Where to begin. A setting that is as low as a rung's already is left as it is.
    seconds : float
        How long it may take.
    estimate : callable
        ``estimate(recipe)`` -> seconds.

    Examples
    --------
    >>> found, fits = propose_recipe(Recipe(), seconds=60, estimate=lambda recipe: 2 * recipe.probe_pictures)
    >>> found == Recipe(probe_pictures=16), fits
    (True, True)
    >>> found.probe_pictures, found.hidden_layers
    (16, 1000)
    """
    taken: list[tuple[str, Any]] = []
    rungs = [rung for rung in RUNGS if _lowers(recipe, rung)]
    while estimate(_take(recipe, taken)) > seconds:
        if len(taken) == len(rungs):
            return _take(recipe, taken), False
        taken.append(rungs[len(taken)])
    for rung in reversed(taken):
        without = [other for other in taken if other != rung]
        if estimate(_take(recipe, without)) <= seconds:
            taken = without
    return _take(recipe, taken), True


def _take(recipe: Recipe, taken: Sequence[tuple[str, Any]]) -> Recipe:
    return replace(recipe, **dict(taken))


def _lowers(recipe: Recipe, rung: tuple[str, Any]) -> bool:
    name, value = rung
    now = getattr(recipe, name)
    return set(value) < set(now) if isinstance(value, tuple) else bool(value < now)
