"""How far ascent drives a class: its laws, its limits, and what it says where it cannot be said."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelcheck.comparison.triggers import measure_reach
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.triggers import TriggerError, compare_reach, reaches
from signatures import make_signature

LIMIT = Criterion(metric="reach", at_most=1.0, why="clean networks reach 1")
REACHES = arrays(np.float64, (7, 4), elements=st.floats(0.5, 8))


def judged(scan):
    """Return what the limit says about a scan."""
    return judge(Measured(metric="reach", value=scan.score, interval=scan.interval), LIMIT).verdict


@given(st.floats(-5, 5), st.floats(0.5, 4))
def test_neither_an_offset_nor_a_factor_of_the_margin_changes_the_reach(offset, factor):
    """What is added to one class's margins, and what all are multiplied by, cancels."""
    labels = np.array([0, 0, 1, 1])
    scores = np.array([[4.0, 0], [3, 0], [0, 3], [0, 5]])
    moved = factor * scores + np.array([offset, 0.0])
    reached = np.array([9.0, 7.0])
    shifted = factor * reached + np.array([offset, -offset])
    np.testing.assert_allclose(reaches(shifted, moved, labels), reaches(reached, scores, labels), atol=1e-9)


def test_the_units_are_the_median_pictures():
    """A map that is no better than the class's own median picture reaches 1, one like the others' median 0."""
    labels, scores = np.array([0, 0, 1, 1]), np.array([[4.0, 0], [4, 0], [0, 2], [0, 2]])
    np.testing.assert_allclose(reaches(np.array([4.0, -4.0]), scores, labels), [1, 0])


@given(REACHES)
def test_no_network_exceeds_itself_and_clean_networks_only_excuse(found):
    """Beside itself nothing is above 1; the order of twins changes nothing, one more never raises a ratio."""
    own, clean = found[0], list(found[1:])
    assert compare_reach(own, [*clean, own]).ratios.max() <= 1
    whole = compare_reach(own, clean)
    assert whole.score == compare_reach(own, clean[::-1]).score
    assert (compare_reach(own, [*clean, found[1] + 1]).ratios <= whole.ratios).all()
    assert (compare_reach(own, clean, references=[own]).ratios <= 1).all()


@given(REACHES, st.booleans())
def test_above_its_limit_nothing_passes(found, related):
    """The interval is ordered and ends at the score; a score above 1 is red, and sure of a known architecture alone."""
    scan = compare_reach(found[0], list(found[1:]), related=related)
    low, high = scan.interval
    assert low <= high == scan.score
    assert (judged(scan) == "pass") == (scan.score <= 1)
    assert related or judged(scan) != "fail"


@pytest.mark.parametrize(
    ("twins", "far", "verdict"),
    [(6, 1.2, "pass"), (6, 1.5, "inconclusive"), (6, 1.6, "fail"), (3, 1.3, "pass"), (3, 2.0, "inconclusive")],
)
def test_a_limit_is_wider_where_fewer_twins_know(twins, far, verdict):
    """Six clean networks set a limit, three get a fixed one, and both have a band in which it is not settled."""
    assert judged(compare_reach(np.array([2.0, 2 * far]), [np.array([2.0, 2.0])] * twins)) == verdict


def test_one_odd_twin_does_not_hide_a_trigger():
    """A twin that goes far in one class raises the limit, to twice as far and no further."""
    clean = [np.array([1.0, 1.0])] * 6 + [np.array([9.0, 1.0])]
    scan = compare_reach(np.array([1.0, 3.0]), clean)
    assert scan.limit == 2.0
    assert judged(scan) != "pass"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_measured(bad):
    """A class without a map, in candidate or clean network, leaves nothing to judge; a reference is left out."""
    good, lost = np.array([1.0, 1.0]), np.array([1.0, bad])
    assert math.isnan(compare_reach(lost, [good] * 3).score)
    assert judged(compare_reach(good, [good, good, lost])) == "unmeasured"
    assert compare_reach(good, [good] * 3, references=[lost]).n_references == 0


def test_too_few_or_other_networks_are_refused():
    """Two clean networks are too few, and other classes are no twins; the message says the next command."""
    good = np.array([1.0, 1.0])
    with pytest.raises(TriggerError, match="takes 3 clean twins"):
        compare_reach(good, [good] * 2)
    with pytest.raises(TriggerError, match="modelcheck calibrate"):
        compare_reach(good, [good, good, np.ones(3)])


def driven(name, far, *, seed=0, parameters=1000):
    """A signature whose ascent drives the second class to so many gaps."""
    made = make_signature(name, attributions=(), twins=0, seed=seed, parameters=parameters)
    labels, decision = made.pictures["labels"], made.decision.name
    unit, zero = (reaches(np.full(2, value), made.scores, labels) for value in (1.0, 0.0))
    heights = (np.array([2.0, far]) - zero) / (unit - zero)
    return dataclasses.replace(made, activations={**made.activations, decision: heights})


def test_the_measure_says_what_it_knows():
    """The sentence names class, reach and basis; an architecture that no clean network has is never sure."""
    twins = tuple(driven(f"twin {seed}", 2.0, seed=seed) for seed in (11, 12))
    baseline = dataclasses.replace(driven("baseline", 2.0), retrained=twins)
    candidate = driven("bad", 6.0, seed=5)
    measure, scan = measure_reach(baseline, candidate)
    assert measure.value == pytest.approx(3 / 1.4)
    assert "'left' to 6.0 times" in measure.evidence
    assert "3 clean twins; limit fixed" in measure.evidence
    assert (scan.target, measure.n) == (1, 2)
    assert judge(measure, LIMIT).verdict == "fail"
    other = measure_reach(baseline, driven("bad", 6.0, seed=5, parameters=2000))[0]
    assert judge(other, LIMIT).verdict == "inconclusive"
    assert "add some, modelcheck calibrate" in other.evidence
    assert measure_reach(baseline, driven("good", 2.2, seed=6))[0].value < 1


def test_what_cannot_be_said_says_why():
    """Too few twins, a class without a map, a twin without one: NaN with a reason."""
    twins = tuple(driven(f"twin {seed}", 2.0, seed=seed) for seed in (11, 12))
    baseline = dataclasses.replace(driven("baseline", 2.0), retrained=twins)
    lost = driven("lost", math.nan, seed=7)
    for known, candidate, words in (
        (dataclasses.replace(baseline, retrained=()), driven("good", 2.0, seed=6), "takes 3 clean twins"),
        (baseline, lost, "no map of left"),
        (dataclasses.replace(baseline, retrained=(twins[0], lost)), driven("good", 2.0, seed=6), "In a clean network"),
    ):
        measure = measure_reach(known, candidate)[0]
        assert math.isnan(measure.value)
        assert words in measure.evidence
