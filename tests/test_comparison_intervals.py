"""Intervals of a whole comparison: none from few people is a point, and a baseline is not red against itself."""

from dataclasses import replace

import numpy as np
import pytest

from modelcheck.comparison import METRICS, compare
from modelcheck.judgement.criteria import Criterion, criterion_for, read_criteria
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.metrics.accuracy import wilson
from signatures import make_panel, make_signature, show

SAMPLED = ("subject", "group")  # what is measured on people, besides the means over them


def on(people, **changes):
    """Return a baseline on a panel of so many people."""
    panel = make_panel(subjects=[f"person {k}" for k in range(people)], groups=("straight", "left"))
    return make_signature(panel=panel, seed=1, **changes)


def looking(signature, place):
    """Return a network whose relevance is one pixel of each picture: at a corner of the region, or of the picture."""
    maps = np.zeros(signature.regions.shape, np.float32)
    for picture, region in zip(maps, signature.regions, strict=True):
        picture[tuple(np.argwhere(region)[0]) if place == "inside" else (0, 0)] = 1
    return replace(signature, attributions={**signature.attributions, "smoothgrad": maps})


def of_people(comparison):
    """Return what was measured on people and has a value."""
    rows = [item for item in comparison.measures.values() if np.isfinite(item.value)]
    return [item for item in rows if METRICS[item.metric].domain in SAMPLED or METRICS[item.metric].mean_of]


@pytest.mark.parametrize("people", [1, 2, 3, 7])
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_no_interval_from_few_people_is_a_point(people, place):
    """A network beside itself whose people all agree: every interval has a width and holds its value."""
    baseline = looking(on(people), place)
    measured = of_people(compare(baseline, show(baseline, baseline)))
    assert {"pointing", "mass_change", "mass_over_area", "subject_change"} <= {item.metric for item in measured}
    for item in measured:
        assert item.interval[0] <= item.value <= item.interval[1], item
        assert item.interval[1] - item.interval[0] > 1e-3, item


def test_two_people_who_point_inside_do_not_pass_by_interval():
    """Hits of two people: the interval is Wilson's of the two, and a limit of 0.5 by interval is not shown to hold."""
    baseline = looking(on(2), "inside")
    item = compare(baseline, show(baseline, baseline)).find("pointing", "left")
    assert (item.value, item.n) == (1, 2)
    assert item.interval == pytest.approx(wilson(1.0, 2), abs=1e-6)
    limit = Criterion(metric="pointing", at_least=0.5, judged_by="interval", why="test")
    assert judge(item, limit).verdict is Verdict.INCONCLUSIVE


def test_two_people_who_point_outside_do_not_fail_for_certain():
    """Two misses are below the limit and prove nothing: inconclusive, which is red as well, and not a failure."""
    baseline = looking(on(2), "outside")
    item = compare(baseline, show(baseline, baseline)).find("pointing", "left")
    assert judge(item, Criterion(metric="pointing", at_least=0.1, why="test")).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("people", [2, 3, 7])
def test_a_baseline_is_green_against_itself(people):
    """All that is measured on people, by the limits of the suites: no change, however few the people are."""
    criteria, _ = read_criteria("suites/criteria.toml", metrics=METRICS)
    baseline = on(people)
    for item in of_people(compare(baseline, show(baseline, baseline))):
        assert judge(item, criterion_for(criteria, item.metric, item.about)).verdict is Verdict.PASS, item
