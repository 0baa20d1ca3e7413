"""How sure a panel can be: against exact quantiles, and against simulated candidates that the gate judges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import balanced_accuracy, change, paired_change
from modelcheck.metrics.power import observations_to_decide, smallest_drop


def simulate(right, pictures, *, drop, limit, judged_by, candidates=400):
    """Return how often the gate's own judgement is red on candidates that lose this much."""
    labels = np.repeat(np.arange(len(pictures)), pictures)
    first = np.arange(len(labels)) - np.repeat(np.cumsum(pictures) - pictures, pictures)
    before = np.where(first < np.repeat(right, pictures), labels, -1)
    chance = drop / np.mean(np.asarray(right) / pictures)
    generator, red = np.random.Generator(np.random.Philox(key=[1, 0])), 0
    criterion = Criterion(metric="change", at_least=limit, why="x", judged_by=judged_by)
    for _ in range(candidates):
        after = np.where(generator.random(len(labels)) < chance, -1, before)
        rate = change(labels, before, after)
        red += judge(Measured(metric="change", value=rate.value, interval=rate.interval), criterion).red
    return red / candidates


@pytest.mark.parametrize("judged_by", ["value", "interval"])
@pytest.mark.parametrize(
    ("right", "pictures"), [([14], [16]), ([16, 16], [16, 16]), ([20, 6], [24, 8]), ([3] * 5, [4] * 5)]
)
def test_the_smallest_drop_is_red_as_often_as_it_says(right, pictures, judged_by):
    """400 simulated candidates with that drop are red four times in five, within three standard errors."""
    limit = -0.125
    drop = smallest_drop(np.array(right), np.array(pictures), limit=limit, by_interval=judged_by == "interval")
    if math.isnan(drop):
        assert (
            simulate(right, pictures, drop=np.mean(np.divide(right, pictures)), limit=limit, judged_by=judged_by) < 0.8
        )
        return
    found = simulate(right, pictures, drop=drop, limit=limit, judged_by=judged_by)
    if drop == 0:
        assert found > 0.8
        return
    assert found == pytest.approx(0.8, abs=0.06)
    # The oracle can fail: a drop of half the size is far from that.
    assert simulate(right, pictures, drop=drop / 2, limit=limit, judged_by=judged_by) < 0.6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(0, 10), st.sampled_from([-0.3, -0.125, -0.05, 0.0]))
def test_of_one_class_it_is_a_quantile_of_beta(right, wrong, limit):
    """So many of the right pictures must turn; when the k-th does is a beta variable."""
    pictures = right + wrong
    needed = next((k for k in range(right + 1) if round(-k / pictures, 6) < limit), None)
    drop = smallest_drop(np.array([right]), np.array([pictures]), limit=limit)
    if needed is None:
        assert math.isnan(drop)
    else:
        assert drop == pytest.approx(stats.beta.ppf(0.8, needed, right - needed + 1) * right / pictures, abs=1e-3)


@pytest.mark.parametrize("classes", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("each", [2, 8, 30])
def test_of_several_classes_it_is_drawn_to_a_hundredth(classes, each):
    """Of as many pictures of each, all right, the loss is one binomial: how often it is red is 0.8, within 0.01."""
    n = classes * each
    drop = smallest_drop(np.full(classes, each), np.full(classes, each), limit=-0.125)
    needed = next(k for k in range(n + 1) if round(-k / n, 6) < -0.125)
    assert stats.binom.sf(needed - 1, n, drop) == pytest.approx(0.8, abs=0.01)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40))
def test_more_pictures_show_a_smaller_drop(few, more):
    """Sixteen times as many pictures of each class, all right: the drop that shows is smaller, and beyond the limit."""
    small, large = (smallest_drop(np.array([few, more]) * k, np.array([few, more]) * k, limit=-0.125) for k in (1, 16))
    assert 0.125 < large < small <= 1


def test_what_a_baseline_does_not_have_it_cannot_lose():
    """Right on one picture of ten, or on none: no candidate can be an eighth worse, and no drop is named."""
    for right in (0, 1):
        assert math.isnan(smallest_drop(np.array([right]), np.array([10]), limit=-0.125))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(0, 60))
def test_losing_one_more_picture_never_looks_better(pictures, lost):
    """Value and lower end fall with every picture that turns wrong: a larger drop is red more often."""
    lost = min(lost, pictures - 1)
    n = np.array([pictures])
    (value, low, _), (more, lower, _) = (paired_change(np.array([0]), np.array([k]), n) for k in (lost, lost + 1))
    assert more < value
    assert lower <= low + 1e-12


def settled(rate, limit):
    criterion = Criterion(metric="m", at_least=limit, why="x")
    found = judge(Measured(metric="m", value=rate.value, interval=rate.interval), criterion)
    return found.verdict is not Verdict.INCONCLUSIVE


def repeat(counts, factor):
    """Return labels and the answers of two networks: by class, pictures (kept right, lost, won, both wrong)."""
    labels = np.repeat(np.arange(len(counts)), [factor * sum(row) for row in counts])
    parts = [np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], np.multiply(row, factor), axis=0) for row in counts]
    before, after = np.concatenate(parts).T
    return labels, np.where(before, labels, -1), np.where(after, labels, -1)


ROWS = {
    "one class": [(12, 5, 1, 2)],
    "a class of few": [(6, 2, 0, 0)],
    "a person with two classes": [(10, 4, 0, 2), (12, 3, 1, 0)],
    "a person with classes of unlike size": [(16, 6, 1, 1), (4, 2, 0, 2)],
    "a person with one lost class": [(24, 0, 0, 0), (3, 5, 0, 0)],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("narrows", ["share", "change"])
def test_the_pictures_that_decide_are_those_of_a_panel_that_large(row, narrows):
    """The same shares on ever larger panels, judged by the gate's own functions: settled from about there on."""

    def measure(factor):
        labels, before, after = repeat(row, factor)
        return balanced_accuracy(labels, after) if narrows == "share" else change(labels, before, after)

    rate, n = measure(1), sum(map(sum, row))
    limit = rate.value + 0.06
    assert not settled(rate, limit)
    more = observations_to_decide(rate.value, rate.interval, n, limit=limit, narrows=narrows)
    factor = next(k for k in range(1, 1000) if settled(measure(k), limit))
    # Panels grow here by whole panels.
    tolerance = 1.0 if len(row) == 1 else 0.25 * factor + 1
    assert (n + more) / n == pytest.approx(factor, abs=tolerance)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_for_a_class_the_number_is_exact(n, data):
    """With so many pictures the interval no longer reaches the limit; with one less it does."""
    from modelcheck.metrics.accuracy import wilson

    hits = data.draw(st.integers(0, n))
    value, limit = hits / n, data.draw(st.floats(0.01, 0.99))
    interval = wilson(value, n)
    if not interval[0] < limit < interval[1] or abs(value - limit) < 0.01:
        return
    more = observations_to_decide(value, interval, n, limit=limit, narrows="share")
    side = value < limit
    reaches = [
        wilson(value, n + k)[side] >= limit if side else wilson(value, n + k)[side] <= limit for k in (more - 1, more)
    ]
    assert reaches == [True, False]


def test_a_mean_needs_four_times_as_many_people_for_half_the_width():
    """An interval that reaches twice as far as the limit: three times as many people come to those that are there."""
    assert observations_to_decide(0.6, (0.2, 1.0), 10, limit=0.8, narrows="mean") == 31
    assert observations_to_decide(0.6, (0.2, 1.0), 10, limit=0.4, narrows="mean") == 31


@pytest.mark.parametrize("narrows", ["share", "change", "mean"])
def test_what_lies_on_its_limit_is_settled_by_no_number(narrows):
    """Nor what lies a millionth beside it."""
    for limit in (0.5, 0.5 + 1e-6):
        assert observations_to_decide(0.5, (0.3, 0.7), 20, limit=limit, narrows=narrows) == math.inf
