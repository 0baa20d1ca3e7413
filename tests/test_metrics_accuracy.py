"""Accuracy: people count, not pictures; intervals are honest; constants earn nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.accuracy import Rate, balanced_accuracy, change, cohen_kappa, group_mean

answers = st.lists(st.integers(0, 2), min_size=1, max_size=40)


def test_a_constant_answer_earns_chance():
    """Always saying the commonest class scores one over the number of classes, whatever the shares."""
    labels = np.array([0] * 30 + [1] * 10)
    assert balanced_accuracy(labels, np.zeros(40, int)).value == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(answers, st.randoms())
def test_the_interval_holds_the_value_and_order_does_not_matter(labels, random):
    """The value lies in its interval, inside [0, 1], and shuffling pictures changes nothing."""
    labels = np.array(labels)
    predicted = np.array([random.randrange(3) for _ in labels])
    rate = balanced_accuracy(labels, predicted)
    assert 0 <= rate.interval[0] <= rate.value <= rate.interval[1] <= 1
    order = np.array(random.sample(range(len(labels)), len(labels)))
    assert balanced_accuracy(labels[order], predicted[order]) == rate


def test_perfect_on_few_pictures_is_not_certain():
    """All right on eight pictures of each class still leaves room, and more pictures leave less."""
    few, many = (balanced_accuracy(np.repeat([0, 1], n), np.repeat([0, 1], n)) for n in (8, 80))
    assert few.value == many.value == 1
    assert few.interval[0] < 0.85 < many.interval[0]


def test_wilsons_interval_by_hand():
    """One class: the interval is Wilson's, from his formula."""
    n, hits, z = 20, 15, 1.959963984540054
    p = hits / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    rate = balanced_accuracy(np.zeros(n, int), np.array([0] * hits + [1] * (n - hits)))
    assert rate.interval == pytest.approx((centre - half, centre + half))


@pytest.mark.slow
def test_coverage_is_about_what_is_claimed():
    """Over 2,000 simulated people the 95 % interval covers between 92 and 99 % of the time."""
    generator = np.random.default_rng(0)
    labels, covered = np.repeat([0, 1], 16), 0
    for _ in range(2000):
        right = generator.random(32) < 0.8
        low, high = balanced_accuracy(labels, np.where(right, labels, 1 - labels)).interval
        covered += low <= 0.8 <= high
    assert 0.92 <= covered / 2000 <= 0.99


@settings(max_examples=40, deadline=None)
@given(answers, st.randoms())
def test_change_is_the_difference_and_swaps_sign(labels, random):
    """Candidate minus baseline equals the difference of the two accuracies; swapping the two negates it."""
    labels = np.array(labels)
    one, other = (np.array([random.randrange(3) for _ in labels]) for _ in range(2))
    moved, back = change(labels, one, other), change(labels, other, one)
    expected = balanced_accuracy(labels, other).value - balanced_accuracy(labels, one).value
    assert moved.value == pytest.approx(expected)
    assert back.value == pytest.approx(-moved.value)
    assert back.interval == pytest.approx((-moved.interval[1], -moved.interval[0]))
    assert -1 <= moved.interval[0] <= moved.value <= moved.interval[1] <= 1


def test_pairing_sharpens_the_change():
    """Two networks that err on the same pictures differ for certain less than two that err apart."""
    labels = np.zeros(40, int)
    base = np.array([1] * 10 + [0] * 30)
    same = change(labels, base, base)
    apart = change(labels, base, base[::-1])
    assert same.value == apart.value == 0
    assert same.interval[1] - same.interval[0] < apart.interval[1] - apart.interval[0]


def test_the_group_counts_people():
    """One person's many pictures weigh no more than another's few, and agreement of all is not certainty."""
    sure = Rate(1.0, (0.9, 1.0), 100)
    mean = group_mean([sure, Rate(0.0, (0.0, 0.5), 4)])
    assert mean.value == 0.5
    assert mean.n == 2
    alike = group_mean([sure] * 4)
    assert alike.interval[0] == pytest.approx(1 - 0.1 / 2)


def test_nothing_measured_is_nan():
    """No picture, no person or a NaN person gives NaN, never a number."""
    assert math.isnan(balanced_accuracy(np.array([], int), np.array([], int)).value)
    assert math.isnan(change(np.array([], int), np.array([], int), np.array([], int)).value)
    assert math.isnan(group_mean([]).value)
    assert math.isnan(group_mean([Rate(math.nan, (0, 1), 1), Rate(1.0, (1, 1), 1)]).value)


def test_kappa_by_hand():
    """The textbook example of Cohen's kappa: 20, 5, 10 and 15 give 0.4; constants give NaN."""
    one = np.array([0] * 25 + [1] * 25)
    other = np.array([0] * 20 + [1] * 5 + [0] * 10 + [1] * 15)
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == pytest.approx(1.0)
    assert math.isnan(cohen_kappa(np.zeros(3), np.zeros(3)))
