"""The calibrated scale: 0 at the floor, 1 at the ceiling, and silence where the two cannot be told apart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.metrics.calibration import calibrate, steadiness

VALUES = st.floats(-5, 5)


def test_floor_is_nought_and_ceiling_is_one():
    """The medians of the twins are the ends of the scale."""
    floor, ceiling = (-0.1, 0.0, 0.1), (0.8, 0.9, 1.0)
    assert calibrate(0.0, floor=floor, ceiling=ceiling) == pytest.approx(0)
    assert calibrate(0.9, floor=floor, ceiling=ceiling) == pytest.approx(1)
    assert calibrate(0.45, floor=floor, ceiling=ceiling) == pytest.approx(0.5)


@given(VALUES, st.floats(0.1, 10), VALUES)
def test_units_do_not_matter(value, scale, shift):
    """Another unit or origin for the statistic changes no score."""
    floor, ceiling = (-0.1, 0.0, 0.2), (2.0, 2.2, 2.1)
    moved = [tuple(scale * x + shift for x in side) for side in (floor, ceiling)]
    score = calibrate(scale * value + shift, floor=moved[0], ceiling=moved[1])
    assert score == pytest.approx(calibrate(value, floor=floor, ceiling=ceiling), abs=1e-6)


def test_a_statistic_that_cannot_tell_says_nothing():
    """Ends closer than three standard deviations, upside down, or of one twin: no score."""
    assert math.isnan(calibrate(0.5, floor=(0.0, 0.5), ceiling=(0.6, 0.9)))
    assert math.isnan(calibrate(0.5, floor=(1.0, 1.1), ceiling=(0.0, 0.1)))
    assert math.isnan(calibrate(0.5, floor=(0.0,), ceiling=(1.0, 1.1)))
    assert math.isnan(calibrate(0.5, floor=(0.0, math.nan), ceiling=(1.0, 1.1)))
    assert math.isnan(calibrate(math.nan, floor=(0.0, 0.1), ceiling=(1.0, 1.1)))


def test_the_spread_of_few_twins_is_not_believed():
    """Fewer than three twins fall back; three that happen to agree still leave half of it."""
    assert steadiness((0.9, 0.5), fallback=0.12) == 0.12
    assert steadiness((0.9, 0.9, 0.9), fallback=0.12) == 0.06
    assert steadiness((0.5, 0.7, 0.9), fallback=0.12) == pytest.approx(2 * np.std([0.5, 0.7, 0.9], ddof=1))
