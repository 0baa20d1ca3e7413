"""Recognition: where margins on a map lie between those on pictures of other classes and of the class."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.margins import margins
from modelcheck.metrics.recognition import recognise


def answers(seed, *, classes=4, pictures=60, learned=3.0):
    """Return margins of a network on pictures, with the pictures' classes, and on a few maps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(pictures) % classes
    scores = rng.normal(size=(pictures, classes)) + learned * (labels[:, None] == np.arange(classes))
    return margins(rng.normal(scale=4, size=(5, classes))), margins(scores), labels


def slow(shown, own, labels):
    """Return the same by its definition, one class at a time, where every class has pictures."""
    found = np.empty_like(shown)
    for k in range(own.shape[1]):
        mine, others = np.median(own[labels == k, k]), np.median(own[labels != k, k])
        way = max(mine - others, own[:, k].std())
        found[:, k] = [math.tanh((margin - (mine + others) / 2) / way) for margin in shown[:, k]]
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 10), st.floats(0, 6))
def test_it_is_what_it_says(seed, classes, learned):
    """Class by class, by hand: the same, and always from -1 to 1."""
    shown, own, labels = answers(seed, classes=classes, learned=learned)
    found = recognise(shown, own, labels)
    np.testing.assert_allclose(found, slow(shown, own, labels), atol=1e-9)
    assert np.abs(found).max() <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_margins_in_another_unit_change_nothing(seed, unit):
    """A network whose margins are all larger recognises the same: the scale travels."""
    shown, own, labels = answers(seed)
    np.testing.assert_allclose(recognise(shown * unit, own * unit, labels), recognise(shown, own, labels), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 10), st.floats(-6, 6), st.floats(0.01, 6))
def test_a_surer_map_stands_higher_and_none_at_the_end(seed, classes, ways, further):
    """The scale never saturates: a hundredth of a way more is more, six ways from the middle as beside it."""
    _, own, labels = answers(seed, classes=classes)
    mine = np.array([np.median(own[labels == k, k]) for k in range(classes)])
    others = np.array([np.median(own[labels != k, k]) for k in range(classes)])
    way = np.maximum(mine - others, own.std(axis=0))
    shown = (mine + others) / 2 + np.array([ways, ways + further])[:, None] * way
    less, more = recognise(shown, own, labels)
    assert (less > -1).all()
    assert (less < more).all()
    assert (more < 1).all()


def test_the_median_picture_of_the_class_stands_at_0_46_and_of_the_others_at_minus_0_46():
    """The panel's own median pictures lie half a way from the middle, for any number of classes."""
    _, own, labels = answers(3, classes=7, pictures=210)
    mine = np.array([np.median(own[labels == k, k]) for k in range(7)])
    others = np.array([np.median(own[labels != k, k]) for k in range(7)])
    np.testing.assert_allclose(
        recognise(np.stack([mine, others]), own, labels), [[math.tanh(0.5)] * 7, [-math.tanh(0.5)] * 7]
    )


def test_a_network_that_tells_nothing_apart_is_certain_of_nothing_small():
    """Where pictures of a class stand no higher than others, the unit is a deviation, not a difference near zero."""
    _, own, labels = answers(5, learned=0.0, pictures=400)
    found = recognise(np.median(own, axis=0)[None] + 0.1 * own.std(axis=0), own, labels)
    assert (np.abs(found) < 0.5).all()


@pytest.mark.parametrize("missing", [0, 2])
def test_a_class_without_pictures_borrows_the_others_way(missing):
    """A class that the panel does not show is placed all the same: as the others, or one median way above."""
    _, own, labels = answers(7)
    kept = labels != missing
    own, labels = own[kept], labels[kept]
    others = np.median(own[:, missing])
    ways = [np.median(own[labels == k, k]) - np.median(own[labels != k, k]) for k in range(4) if k != missing]
    shown = np.zeros((3, 4))
    shown[:, missing] = others + np.array([0.0, 0.5, 1.0]) * max(np.median(ways), own[:, missing].std())
    np.testing.assert_allclose(recognise(shown, own, labels)[:, missing], np.tanh([-0.5, 0, 0.5]), atol=1e-9)


def test_what_was_not_shown_and_constant_answers_are_nan():
    """Nothing shown, nothing recognised; and a class on which the network always answers the same has no scale."""
    shown, own, labels = answers(9)
    shown[1] = np.nan
    own[:, 2] = 0.5
    found = recognise(shown, own, labels)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isfinite(np.delete(np.delete(found, 1, 0), 2, 1)).all()
