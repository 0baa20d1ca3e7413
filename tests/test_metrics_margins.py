"""Margins equal a slow computation with sixty digits, also where scores are large or infinite."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from modelcheck.metrics.margins import margins


def slow_margins(scores):
    """Return score minus log of the sum of exponentials of the others, for one picture, in sixty digits."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**9), 10**9
        exact = [Decimal(float(score)) for score in scores]
        others = [exact[:k] + exact[k + 1 :] for k in range(len(exact))]
        return [float(own - sum(x.exp() for x in rest).ln()) for own, rest in zip(exact, others, strict=True)]


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(-2000, 2000)))
def test_margins_equal_the_slow_oracle(scores):
    """To twelve digits of the largest score, of which exponentials alone would overflow or vanish."""
    expected = np.array([slow_margins(row) for row in scores])
    np.testing.assert_allclose(margins(scores), expected, atol=1e-12 * max(1.0, np.abs(scores).max()), rtol=0)


def test_the_oracle_can_fail():
    """A margin over the largest of the others alone is told apart from one over all of them."""
    scores = np.array([1.0, 0.0, 0.5])
    over_largest = scores - np.array([0.5, 1.0, 1.0])
    assert not np.allclose(slow_margins(scores), over_largest, atol=0.1)


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, min_side=2), elements=st.floats(-50, 50)))
def test_margins_are_log_odds_and_blind_to_an_offset(scores):
    """A margin is the log-odds of the class after softmax, whatever is added to all scores."""
    np.testing.assert_allclose(margins(scores + 7), margins(scores), atol=1e-9)
    if scores.shape[-1] == 2:
        np.testing.assert_allclose(margins(scores)[..., 0], scores[..., 0] - scores[..., 1], atol=1e-9)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([-np.inf, 1.0, 1.0], [-np.inf, 0.0, 0.0]),
        ([2.0, -np.inf], [np.inf, -np.inf]),
        ([2.0, -np.inf, -np.inf], [np.inf, -np.inf, -np.inf]),
        ([np.inf, 0.0], [np.inf, -np.inf]),
        ([-np.inf, -np.inf], [np.nan, np.nan]),
        ([np.inf, np.inf, 0.0], [np.nan, np.nan, -np.inf]),
        ([np.nan, 0.0, 0.0], [np.nan, np.nan, np.nan]),
        ([1e308, -1e308], [np.inf, -np.inf]),
        ([1e300, 1e300, 0.0], [0.0, 0.0, -1e300]),
    ],
    ids=str,
)
def test_infinite_and_huge_scores(scores, expected):
    """What has no margin is NaN, never a number that could pass, and nothing warns."""
    np.testing.assert_array_equal(margins(np.array(scores)), expected)


def test_single_precision_is_computed_in_double():
    """Scores of a network come in float32; their margins are float64."""
    scores = np.array([[100.0, 99.0, 3.0]], np.float32)
    np.testing.assert_array_equal(margins(scores), margins(scores.astype(np.float64)))


@pytest.mark.parametrize("shape", [(), (0,), (3, 1)], ids=str)
def test_one_class_leads_nobody(shape):
    """Fewer than two classes are an error that shows the shape."""
    with pytest.raises(ValueError, match="at least two classes, not of shape"):
        margins(np.zeros(shape))
