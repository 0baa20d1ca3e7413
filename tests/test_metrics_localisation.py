"""How much of an attribution lies in a region: bounds, chance, ties and emptiness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.localisation import (
    LocalisationError,
    chance,
    pointing_game,
    reduce_evidence,
    relevance_mass,
    relevance_rank,
)

MEASURES = [relevance_mass, relevance_rank, pointing_game]
few = settings(max_examples=25, deadline=None, derandomize=True)


def material(seed):
    """Draw maps with ties and regions that are neither empty nor whole."""
    generator = np.random.default_rng(seed)
    maps = generator.integers(-3, 6, size=(4, 5, 7, 2)).astype(float)
    regions = generator.random((4, 5, 7)) < 0.4
    regions[:, 0, 0], regions[:, 4, 6] = True, False
    return maps, regions


@pytest.mark.parametrize("measure", MEASURES)
@few
@given(st.integers(0, 10**6))
def test_shares_lie_between_0_and_1_and_ignore_scale_and_mirror(measure, seed):
    """Any map scores in [0, 1], the same when multiplied or mirrored together with its region."""
    maps, regions = material(seed)
    found = measure(maps, regions)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(measure(maps * 2.0**-900, regions), found)
    np.testing.assert_allclose(measure(maps[:, ::-1, ::-1], regions[:, ::-1, ::-1]), found)


@pytest.mark.parametrize("measure", MEASURES)
def test_even_maps_score_chance(measure):
    """A map of one value everywhere scores the region's share of the picture."""
    _, regions = material(1)
    np.testing.assert_allclose(measure(np.ones(regions.shape), regions), chance(regions))
    np.testing.assert_allclose(chance(regions), regions.mean((1, 2)))


@pytest.mark.parametrize("measure", MEASURES)
def test_evidence_inside_scores_1_and_outside_0(measure):
    """A map that is its region scores 1, and one that is the rest scores 0."""
    _, regions = material(2)
    np.testing.assert_array_equal(measure(regions.astype(float), regions), 1)
    outside = np.where(regions, 0.0, 1.0)
    if measure is not relevance_rank:  # as many pixels as the region has need not lie outside it
        np.testing.assert_array_equal(measure(outside, regions), 0)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("empty", ["map", "negative", "region"])
def test_empty_maps_and_regions_are_nan_for_their_picture_only(measure, empty):
    """Nothing can be said of one picture, and the others keep their numbers."""
    maps, regions = material(3)
    whole = measure(maps, regions)
    if empty == "region":
        regions[1] = False
        assert np.isnan(chance(regions)[1])
    else:
        maps[1] = 0 if empty == "map" else -1
    found = measure(maps, regions)
    assert np.isnan(found[1])
    np.testing.assert_array_equal(np.delete(found, 1), np.delete(whole, 1))


@pytest.mark.slow
@few
@given(st.integers(0, 10**6))
def test_rank_meets_the_mean_over_orders_of_ties(seed):
    """Ties count as the average over random orders of equal pixels would."""
    maps, regions = material(seed)
    flat, inside = reduce_evidence(maps, reduce="positive_sum").reshape(4, -1), regions.reshape(4, -1)
    generator = np.random.default_rng(0)
    hits = np.zeros(4)
    for _ in range(300):
        noisy = flat + generator.random(flat.shape) * 1e-3
        for row in range(4):
            size = inside[row].sum()
            hits[row] += inside[row][np.argsort(-noisy[row])[:size]].mean() / 300
    np.testing.assert_allclose(relevance_rank(maps, regions), hits, atol=0.06)


def test_pointing_counts_tied_largest_pixels_by_share():
    """Two equal maxima, one of them inside, count one half."""
    maps = np.array([[[5.0, 1.0], [5.0, 0.0]]])
    regions = np.array([[[True, True], [False, False]]])
    np.testing.assert_array_equal(pointing_game(maps, regions), [0.5])


@pytest.mark.parametrize(
    ("reduce", "wanted"),
    [("positive_sum", 3.0), ("sum", 0.0), ("absolute_sum", 7.0), ("maximum", 4.0), ("norm", 5.0)],
)
def test_channels_are_reduced_as_named(reduce, wanted):
    """A pixel with 3 and -4 is what the reduction says."""
    assert reduce_evidence(np.array([3.0, -4.0]).reshape(1, 1, 1, 2), reduce=reduce).item() == wanted


@pytest.mark.parametrize(
    ("maps", "regions", "options", "words"),
    [
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), {}, "Regions are booleans"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 3), bool), {}, "do not belong together"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool), {}, "NaN or infinite"),
        (np.ones((2, 2)), np.ones((1, 2, 2), bool), {}, r"Maps are \(n, h, w\)"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), {"reduce": "mean"}, "reduce is one of"),
    ],
    ids=["numbers", "size", "nan", "axes", "reduction"],
)
def test_what_does_not_fit_is_refused(maps, regions, options, words):
    """Errors say what was given and what is expected."""
    with pytest.raises(LocalisationError, match=words):
        relevance_mass(maps, regions, **options)
