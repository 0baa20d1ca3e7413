"""Which hidden layers of a deep network are looked at: by the network alone, the telling ones first."""

from itertools import pairwise

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from modelcheck.network import flatten
from modelcheck.network.choosing import choose_layers
from modelcheck.recipe import Recipe


def residual(*, stages=2, blocks=2):
    """A small residual network: in each stage blocks of two convolutions and an addition."""
    start = x = layers.Input((16, 16, 1))
    for stage in range(stages):
        x = layers.Conv2D(2, 3, strides=2 if stage else 1, padding="same", name=f"enter{stage}")(x)
        for block in range(blocks):
            inner = layers.Conv2D(2, 3, padding="same", activation="relu", name=f"first{stage}{block}")(x)
            inner = layers.Conv2D(2, 3, padding="same", name=f"second{stage}{block}")(inner)
            x = layers.ReLU()(layers.Add()([x, inner]))
    x = layers.Dense(3, name="late")(layers.GlobalAveragePooling2D()(x))
    return flatten(keras.Model(start, layers.Dense(2, name="decision")(x)))


NETWORKS = {(stages, blocks): residual(stages=stages, blocks=blocks) for stages in (1, 3) for blocks in (1, 3)}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 40))
@pytest.mark.slow
def test_choice_obeys_its_laws(which, at_most):
    """Never more than asked, in model order, the decision last, all when there are fewer, and part of a larger one."""
    network = NETWORKS[which]
    every = [layer.name for layer in network.unit_layers()]
    chosen, more = ([layer.name for layer in choose_layers(network, count)] for count in (at_most, at_most + 1))
    assert len(chosen) == min(at_most + 1, len(every))
    assert chosen == [name for name in every if name in chosen]
    assert chosen[-1] == "decision"
    assert set(chosen) <= set(more)
    assert at_most == 0 or chosen[-2] == "late"


def test_ends_of_stages_come_before_ends_of_blocks_and_those_before_the_rest():
    """The last hidden layer, then the last before each halving, then what an addition joins, then the others."""
    network = residual(stages=3, blocks=2)
    ordered, before = [], set()
    for count in range(1, 17):
        names = {layer.name for layer in choose_layers(network, count)[:-1]}
        ordered += sorted(names - before)
        before = names
    assert ordered[0] == "late"
    assert set(ordered[1:3]) == {"second01", "second11"}
    # What an addition joins: the second convolution of each block, and the entry of each stage.
    assert set(ordered[3:10]) == {"second00", "second10", "second20", "second21", "enter0", "enter1", "enter2"}
    assert all(name.startswith("first") for name in ordered[10:])


@pytest.mark.slow
def test_mobilenet_is_cut_at_its_stages():
    """Of MobileNetV2 the ends of its stages are among the first eight, spread over its depth."""
    network = flatten(keras.applications.MobileNetV2(input_shape=(32, 32, 3), weights=None, classes=2))
    numbers = {layer.name: number for number, layer in enumerate(network.unit_layers())}
    chosen = [layer.name for layer in choose_layers(network, 8)[:-1]]
    assert len(numbers) == 53
    assert {"block_1_expand", "block_3_expand", "block_6_expand", "block_13_expand", "Conv_1"} <= set(chosen)
    depths = sorted(numbers[name] for name in chosen)
    assert max(b - a for a, b in pairwise(depths)) < 20


@pytest.mark.parametrize("at_most", [0, 63, 65])
def test_recipes_keep_their_digest_while_a_later_setting_has_its_default(at_most):
    """A setting that came later is in the record only where it decides something: approved baselines stay valid."""
    assert "hidden_layers" not in Recipe().to_dict()
    changed = Recipe(hidden_layers=at_most)
    assert changed.digest() != Recipe().digest()
    assert Recipe.from_dict(changed.to_dict()) == changed
    assert Recipe.from_dict(Recipe().to_dict()) == Recipe()
