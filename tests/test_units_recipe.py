"""Units are written and read alike; recipes are equal exactly when their digests are."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.recipe import _CHECKS, Recipe
from modelcheck.units import Unit

few = settings(max_examples=40, deadline=None)

WHOLE = ["steps", "copies", "units_per_layer", "probe_pictures", "smoothgrad_samples"]
REAL = ["step_size", "pull", "blur", "start_noise", "shift", "jitter"]


@few
@given(layer=st.text(min_size=1), index=st.integers(0, 10**6))
def test_unit_is_read_as_written(layer, index):
    """Parsing what `str` writes gives the unit back, whatever the layer is called."""
    unit = Unit(layer, index)
    assert Unit.parse(str(unit)) == unit


@pytest.mark.parametrize(
    "text",
    ["", "conv2d_1", "conv2d_1:", "conv2d_1:x", "conv2d_1:-1", "conv2d_1:1.0", "conv2d_1: 1", "conv:²", "conv:٣"],
)
def test_unit_text_without_an_index_is_refused(text):
    """Anything but 'layer:digits' is an error that shows how a unit is written."""
    with pytest.raises(ValueError, match=re.escape("'layer:index', like 'conv2d_1:7'")):
        Unit.parse(text)


@pytest.mark.parametrize(("layer", "index"), [("", 0), ("conv", -1)], ids=["no name", "negative"])
def test_impossible_unit_is_refused(layer, index):
    """A unit without a layer or with a negative index does not exist."""
    with pytest.raises(ValueError, match="needs a layer's name and an index from 0"):
        Unit(layer, index)


def test_units_sort_by_layer_then_number():
    """Units order by number, not by the number's spelling."""
    assert sorted([Unit("a", 10), Unit("b", 0), Unit("a", 9)]) == [Unit("a", 9), Unit("a", 10), Unit("b", 0)]


recipes = st.builds(
    Recipe,
    seed=st.integers(0, 2),
    steps=st.integers(1, 3),
    blur=st.sampled_from([0, 0.0, -0.0, 1, 1.0]),
    input_range=st.sampled_from([(0, 1), (0.0, 1.0), [-1, 1]]),
    attribution_methods=st.sampled_from([["gradient"], ("gradient",), ()]),
)


@few
@given(one=recipes, other=recipes)
def test_equal_recipes_have_equal_digests_and_others_not(one, other):
    """Digests agree exactly when recipes do, however their numbers are spelled (1 or 1.0, list or tuple)."""
    assert (one == other) == (one.digest() == other.digest())


def test_every_setting_is_checked():
    """No setting of the recipe goes without a check, and each default passes its own."""
    assert list(_CHECKS) == [field.name for field in dataclasses.fields(Recipe)]
    assert all(check.accepts(getattr(Recipe(), name)) for name, check in _CHECKS.items())


@few
@given(recipe=recipes)
def test_recipe_round_trips_through_json(recipe):
    """A recipe written to a manifest and read back is the same recipe."""
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_setting_has_a_say_in_the_digest(field):
    """No setting can change without changing the digest."""
    value = getattr(Recipe(), field)
    other = {"input_range": (0.0, 2.0), "attribution_methods": ("gradient",)}.get(field)
    changed = dataclasses.replace(Recipe(), **{field: value + 1 if other is None else other})
    assert changed.digest() != Recipe().digest()


def test_numpy_numbers_are_numbers():
    """Numbers out of an array give the digest of plain ones."""
    assert Recipe(seed=np.int64(3), blur=np.float64(2)).digest() == Recipe(seed=3, blur=2).digest()


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", math.nan, None], ids=repr)
def test_counts_must_be_whole_and_at_least_one(name, value):
    """A count that is none is refused by name."""
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1"):
        Recipe.from_dict({name: value})


@pytest.mark.parametrize("name", ["seed", "untrained_twins"])
@pytest.mark.parametrize("value", [-1, 0.5, "0"], ids=repr)
def test_seed_and_twins_may_be_zero_but_not_less(name, value):
    """Zero is allowed, less is refused."""
    Recipe.from_dict({name: 0})
    with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 0"):
        Recipe.from_dict({name: value})


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    "value", [-0.1, math.nan, math.inf, 10**400, "1", True, None], ids=lambda value: repr(value)[:9]
)
def test_strengths_must_be_finite_and_not_negative(name, value):
    """A strength that is NaN, infinite, too large for a float, negative or no number is refused by name."""
    with pytest.raises(ValueError, match=f"{name} must be a finite number, 0 or more, not"):
        Recipe.from_dict({name: value})


@pytest.mark.parametrize(
    "ends", [(1, 0), (1, 1), (0,), (0, 1, 2), "01", 3, None, (math.nan, 1), (0, math.inf), (0, "1")], ids=repr
)
def test_no_input_range(ends):
    """An input range is two ends, finite numbers, the lower first."""
    wanted = "input_range must be the lowest and the highest value of the input, two finite numbers such as (0.0, 1.0)"
    with pytest.raises(ValueError, match=re.escape(f"{wanted}, not {ends!r}.")):
        Recipe.from_dict({"input_range": ends})


@pytest.mark.parametrize("methods", ["gradient", [1]], ids=["one word", "a number"])
def test_attribution_methods_are_a_list_of_names(methods):
    """A single word is not taken apart into letters."""
    with pytest.raises(ValueError, match="attribution_methods must be a list of distinct names"):
        Recipe.from_dict({"attribution_methods": methods})


def test_unknown_setting_is_refused_with_a_suggestion():
    """A mistyped setting is an error that names the nearest one."""
    with pytest.raises(ValueError, match=re.escape("The recipe has an unknown key 'setps'. Did you mean 'steps'?")):
        Recipe.from_dict({"setps": 3})


def test_the_default_keeps_the_digest_of_baselines_approved_before():
    """A setting that came later, at its default, leaves the digest as the shipped baseline's manifest has it."""
    manifest = json.loads((Path(__file__).parents[1] / "baselines" / "drawn-faces" / "manifest.json").read_text())
    assert manifest["recipe_digest"] == Recipe().digest()
    assert Recipe(hidden_layers=0).digest() != Recipe().digest()
