"""Intervals from few people: those who agree are no certainty, and what is claimed holds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.accuracy import (
    Rate,
    balanced_accuracy,
    change,
    group_mean,
    subject_mean,
    subject_share,
    wilson,
)

few = st.integers(1, 30)
shares = st.sampled_from((0.0, 0.25, 0.5, 1.0)) | st.floats(0, 1)


def holds(rate):
    """Return whether the interval has a width and the value lies inside."""
    low, high = rate.interval
    return low <= rate.value <= high and high - low > 1e-3


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(shares, few, few)
def test_values_that_agree_are_no_certainty(value, people, pictures):
    """However few, and however they agree: every interval has a width, and the value lies inside."""
    subjects = np.repeat(np.arange(people), pictures)
    same = np.full(people * pictures, value)
    assert holds(subject_mean(same, subjects))
    assert holds(subject_share(same, subjects))
    assert holds(subject_mean(same - 0.5, subjects, within=(-1, 1)))
    assert holds(group_mean([Rate(value, (value, value), pictures)] * people))
    labels = np.arange(people * pictures) % 2
    for answers in (labels, 1 - labels):
        assert holds(balanced_accuracy(labels, answers))
        assert holds(change(labels, labels, answers))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), shares), min_size=1, max_size=30))
def test_a_share_holds_both_of_wilsons_intervals(rows):
    """Pointing's interval holds Wilson's of the pooled pictures, and Wilson's of the people, whoever has how many."""
    subjects, hits = (np.array(part) for part in zip(*rows, strict=True))
    rate = subject_share(hits, subjects)
    for low, high in (wilson(hits.mean(), len(hits)), wilson(rate.value, rate.n)):
        assert rate.interval[0] <= low
        assert high <= rate.interval[1]


@pytest.mark.parametrize(("hits", "expected"), [([1, 1], (0.342, 1)), ([0, 0], (0, 0.658)), ([1], (0.207, 1))])
def test_one_or_two_people_by_hand(hits, expected):
    """Two of two hit: Wilson's 0.34 to 1, no certainty; and one person says next to nothing."""
    assert subject_share(np.array(hits), np.arange(len(hits))).interval == pytest.approx(expected, abs=1e-3)


def test_people_who_agree_by_luck_leave_what_their_pictures_differ_by():
    """Two people of one mean: the interval is that of pictures which differ, not nothing."""
    values, subjects = np.array([0.2, 0.6, 0.3, 0.5]), np.array([0, 0, 1, 1])
    spread = math.sqrt((0.08 + 0.02) / 2) * 4.302653 / math.sqrt(4)  # Student's t of two degrees
    assert subject_mean(values, subjects).interval == pytest.approx((max(0, 0.4 - spread), 0.4 + spread), abs=1e-5)


def test_a_picture_without_a_value_leaves_no_value():
    """NaN in one picture is no value and no interval, never a narrower one."""
    for estimate in (subject_mean, subject_share):
        rate = estimate(np.array([1.0, math.nan]), np.array([0, 1]))
        assert np.isnan([rate.value, *rate.interval]).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize("share", [0.8, 0.9])
def test_pointing_covers_what_it_claims_even_if_a_person_always_hits_or_never(n, share):
    """Over 800 draws the interval holds the share 93 times in 100 or more; Student's t alone as seldom as 19 times."""
    generator = np.random.default_rng(n)
    hits = np.repeat(generator.random((800, n)) < share, 3, axis=1)
    rates = [subject_share(row.astype(float), np.repeat(np.arange(n), 3)) for row in hits]
    assert np.mean([rate.interval[0] <= share <= rate.interval[1] for rate in rates]) >= 0.93
