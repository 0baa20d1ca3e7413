"""Scores that separate the classes are told from scores that do not, however they are read."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.metrics.margins import margins
from modelcheck.metrics.separation import (
    find_best_order,
    find_best_threshold,
    is_near_chance,
    is_surely_better,
    rank_separation,
)

few = settings(max_examples=60, deadline=None)


@st.composite
def answered(draw, most=4):
    """Return scores on coarse steps, so that ties occur, and labels of which each class has one at least."""
    k = draw(st.integers(2, most))
    n = draw(st.integers(k, 14))
    labels = np.array([*range(k), *draw(st.lists(st.integers(0, k - 1), min_size=n - k, max_size=n - k))])
    values = draw(st.lists(st.integers(-2, 2), min_size=n * k, max_size=n * k))
    return np.array(values, np.float64).reshape(n, k), labels


@few
@given(answered())
def test_separation_is_the_share_of_pairs_in_order(case):
    """The area is the share of pairs, own before other, that the margin ranks rightly; a tie counts half."""
    scores, labels = case
    for k, rate in enumerate(rank_separation(scores, labels)):
        lead = margins(scores)[:, k]
        pairs = [(a > b) + 0.5 * (a == b) for a in lead[labels == k] for b in lead[labels != k]]
        assert rate.value == pytest.approx(np.mean(pairs))
        assert rate.interval[0] <= rate.value <= rate.interval[1]


@pytest.mark.slow
@few
@given(answered())
def test_the_best_order_is_that_of_all_permutations(case):
    """No order of the classes answers better than the one that is found."""
    scores, labels = case
    answers = scores.argmax(axis=1)
    every = [
        balanced_accuracy(labels, np.array(order)[answers]).value
        for order in itertools.permutations(range(scores.shape[1]))
    ]
    found = find_best_order(scores, labels)
    assert found.rate.value == pytest.approx(max(every))
    assert sorted(found.order) == list(range(scores.shape[1]))
    if balanced_accuracy(labels, answers).value == pytest.approx(max(every)):
        assert found.order == tuple(range(scores.shape[1]))


@pytest.mark.slow
@few
@given(answered(most=2))
def test_no_threshold_is_better_than_the_best(case):
    """Neither between any two leads, nor the other way round, does a threshold answer better."""
    scores, labels = case
    lead = scores[:, 1] - scores[:, 0]
    cuts = (np.unique(lead)[1:] + np.unique(lead)[:-1]) / 2
    every = [
        balanced_accuracy(labels, answers).value
        for cut in cuts
        for answers in ((lead > cut).astype(int), (lead <= cut).astype(int))
    ]
    now = balanced_accuracy(labels, (lead > 0).astype(int)).value
    assert find_best_threshold(scores, labels).rate.value == pytest.approx(max([now, *every]))


@pytest.mark.parametrize(("each", "near"), [(2, True), (200, False)])
def test_few_pictures_are_near_chance(each, near):
    """Two of three right is above chance where there are hundreds, and might be luck where there are six."""
    labels = np.repeat([0, 1], 3 * each)
    answers = np.where(np.arange(6 * each) % 3 == 0, 1 - labels, labels)
    assert is_near_chance(balanced_accuracy(labels, answers), labels) is near


def test_luck_is_no_separation():
    """Four pictures that are ranked perfectly prove nothing; forty do."""
    for each, proven in ((2, False), (20, True)):
        labels = np.repeat([0, 1], each)
        rates = rank_separation(np.stack([np.zeros(2 * each), 5.0 + labels], axis=1), labels)
        assert all((rate.interval[0] > 0.5) is proven for rate in rates)


def test_better_means_beyond_chance():
    """A reading is better where the intervals lie apart, and the gain is worth a word."""
    labels = np.repeat([0, 1], 40)
    half, most = (
        balanced_accuracy(labels, np.where(np.arange(80) % 40 < right, labels, 1 - labels)) for right in (20, 38)
    )
    assert is_surely_better(most, half)
    assert not is_surely_better(half, most)
    assert not is_surely_better(half, half)
