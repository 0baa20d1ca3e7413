"""Measures of explanation quality on predictors whose right answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from modelcheck.metrics.faithfulness import (
    FaithfulnessError,
    aopc,
    completeness_error,
    complexity,
    continuity,
    deletion,
    infidelity,
    insertion,
    map_similarity,
    max_sensitivity,
    mu_fidelity,
    pixel_flipping,
    selectivity,
    sparseness,
)
from modelcheck.metrics.faithfulness.checks import correlate

SHAPE = (6, 8, 2)
few = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


def linear(seed):
    """Return a linear predictor, its weights and pictures."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=SHAPE)
    return (lambda pictures: (pictures * weights).sum((1, 2, 3))), weights, generator.random((3, *SHAPE))


@few
@given(seeds)
def test_the_true_contributions_flip_best(seed):
    """On a linear predictor w x beats its opposite and a random map in every flipping measure."""
    predict, weights, images = linear(seed)
    true, noise = images * weights, np.random.default_rng(seed + 1).normal(size=images.shape)
    for rival in (-true, noise):
        assert (deletion(predict, images, true) <= deletion(predict, images, rival)).all()
        assert (insertion(predict, images, true) >= insertion(predict, images, rival)).all()
        assert (aopc(predict, images, true, patch=1) >= aopc(predict, images, rival, patch=1)).all()
        assert (selectivity(predict, images, true, patch=2) >= selectivity(predict, images, rival, patch=2)).all()


@few
@given(seeds)
def test_curve_meets_a_loop(seed):
    """All channels of a pixel go together, in the order of their sum, and areas are trapezoids."""
    predict, weights, images = linear(seed)
    maps = images * weights
    curve = pixel_flipping(predict, images, maps, steps=4)
    for row, image in enumerate(images):
        order = np.argsort(-maps[row].sum(-1).ravel())
        for step in range(5):
            shown = image.copy().reshape(-1, 2)
            shown[order[: round(step / 4 * 48)]] = 0
            np.testing.assert_allclose(curve.scores[row, step], predict(shown.reshape(1, *SHAPE))[0], atol=1e-9)
    s = curve.scores
    wanted = (s[:, 0] / 2 + s[:, 1:4].sum(1) + s[:, 4] / 2) / 4
    np.testing.assert_allclose(curve.area_under, wanted)
    np.testing.assert_allclose(curve.area_over, s[:, 0] - wanted)
    np.testing.assert_allclose(aopc(predict, images, maps, patch=1, steps=4), s[:, 0] - s.mean(1))


def test_deletion_and_insertion_end_where_the_other_begins():
    """All pixels taken away leave the reference, and all put in leave the picture."""
    predict, weights, images = linear(3)
    away = pixel_flipping(predict, images, images * weights, reference=0.5)
    into = pixel_flipping(predict, images, images * weights, reference=0.5, keep=True)
    np.testing.assert_allclose(away.scores[:, 0], into.scores[:, -1])
    np.testing.assert_allclose(away.scores[:, -1], into.scores[:, 0])


def test_patches_at_the_border_are_cut():
    """A patch size that does not divide the picture still replaces every pixel."""
    predict, weights, images = linear(1)
    curve = pixel_flipping(predict, images, images * weights, patch=5)
    np.testing.assert_allclose(curve.scores[:, -1], 0, atol=1e-12)


@few
@given(seeds)
def test_mu_fidelity_of_the_truth_is_1(seed):
    """On a linear predictor the true contributions correlate perfectly, and their opposite inversely."""
    predict, weights, images = linear(seed)
    true = images * weights
    np.testing.assert_allclose(mu_fidelity(predict, images, true, samples=40), 1, atol=1e-9)
    np.testing.assert_allclose(mu_fidelity(predict, images, -true, samples=40), -1, atol=1e-9)


def test_correlation_is_scipy_s():
    """Spearman's correlation of two maps is the one of scipy, ties included."""
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 5, (2, 3, 4, 5)).astype(float)
    found = map_similarity(one, other, absolute=False)
    wanted = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(map_similarity(one, -one), 1)


@few
@given(seeds, st.floats(0.05, 0.95))
def test_pixels_that_cannot_matter_make_no_map_alike(seed, unreached):
    """Zeros in both maps, in every picture or in each its own, change no likeness: cropping, strides, background."""
    generator = np.random.default_rng(seed)
    one, other = generator.normal(size=(2, 4, 12, 10))
    cropped = np.broadcast_to(generator.permutation(120).reshape(12, 10) >= unreached * 120, one.shape)
    background = generator.random(one.shape) >= unreached
    for reached in (cropped, background):
        maps = one * reached, other * reached
        wanted = [spearmanr(abs(a[k]), abs(b[k])).statistic for a, b, k in zip(one, other, reached, strict=True)]
        np.testing.assert_allclose(map_similarity(*maps), wanted, atol=1e-9)
    maps = one * cropped * background, other * cropped * background
    assert (np.abs(map_similarity(*maps)) < 0.9).any(), "both at once"


def test_silence_in_the_same_places_is_likeness():
    """Zeros that the weights make count: masks that agree but for a pixel each stay alike, and equal ones are alike."""
    one, other = np.zeros((2, 3, 20, 20))
    for row in range(3):
        top = 6 * row
        one[row, top : top + 5, :5] = other[row, top : top + 5, :5] = 1
        one[row, top, 6] = other[row, top, 8] = 1
    assert (map_similarity(one, other) > 0.9).all()
    np.testing.assert_allclose(map_similarity(one, one), 1)


def test_where_all_pixels_matter_nothing_is_left_out():
    """Maps without a common zero have the very digits of Spearman's correlation over all pixels."""
    one, other = np.random.default_rng(0).normal(size=(2, 5, 12, 10))
    one[:, 0, 0] = other[:, 1, 1] = 0
    ranks = [rankdata(np.abs(maps).reshape(5, -1), axis=1).T for maps in (one, other)]
    np.testing.assert_array_equal(map_similarity(one, other), correlate(*ranks))


@few
@given(seeds)
def test_infidelity_of_the_gradient_of_a_linear_predictor_is_0(seed):
    """The weights predict every change; twice the weights do not."""
    predict, weights, images = linear(seed)
    rates = np.broadcast_to(weights, images.shape)
    np.testing.assert_allclose(infidelity(predict, images, rates), 0, atol=1e-12)
    assert (infidelity(predict, images, 2 * rates) > 1e-4).all()


def test_sensitivity_and_continuity_of_known_maps():
    """A constant explainer does not move; the picture as its own map moves by the norm of the step."""
    images = np.random.default_rng(0).random((3, *SHAPE))
    still = np.ones((3, *SHAPE))
    np.testing.assert_array_equal(max_sensitivity(lambda pictures: still, images), 0)
    np.testing.assert_array_equal(continuity(lambda pictures: still, images), 0)
    moved = max_sensitivity(lambda pictures: pictures, images, radius=0.02)
    size = np.linalg.norm(images.reshape(3, -1), axis=1)
    assert (moved <= 0.02 * np.sqrt(96) / size).all()
    assert (moved > 0).all()
    shifted = np.roll(images, 1, axis=2)
    shifted[:, :, 0] = images[:, :, 0]
    step = (shifted - images).reshape(3, -1)
    wanted = np.abs(step).sum(1) / np.linalg.norm(step, axis=1)
    np.testing.assert_allclose(continuity(lambda pictures: pictures, images, shifts=(1,)), wanted)


def test_sparseness_and_complexity_have_their_ends():
    """One pixel is the sparsest and simplest map, and an even one the least."""
    one, even = np.zeros((1, 4, 5)), np.ones((1, 4, 5))
    one[0, 1, 2] = -3
    np.testing.assert_allclose(sparseness(one), 1 - 1 / 20)
    np.testing.assert_allclose(sparseness(even), 0, atol=1e-12)
    np.testing.assert_allclose(complexity(one), 0)
    np.testing.assert_allclose(complexity(even), np.log(20))


def test_completeness_error_is_relative():
    """A map that adds up to 0.9 of the change is a tenth off; no change is NaN."""
    maps = np.array([0.9, 1.0]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(completeness_error(maps, np.array([3.0, 2.0]), np.array([2.0, 2.0])), [0.1, np.nan])


def test_empty_maps_and_constant_predictions_are_nan():
    """Nothing can be said of them, and the other pictures keep their numbers."""
    predict, weights, images = linear(0)
    maps = images * weights
    maps[1] = 0
    for measure in (deletion, insertion, selectivity, aopc, mu_fidelity):
        found = measure(predict, images, maps)
        assert np.isnan(found[1])
        assert np.isfinite(found[[0, 2]]).all()
    for measure in (sparseness, complexity):
        assert np.isnan(measure(maps)[1])
    assert np.isnan(map_similarity(maps, images)[1])
    assert np.isnan(max_sensitivity(lambda pictures: maps * 0, images)).all()
    assert np.isnan(mu_fidelity(lambda pictures: np.zeros(3), images, images)).all()
    assert np.isnan(continuity(lambda pictures: maps, np.ones_like(images))).all()


def test_noise_does_not_depend_on_the_batch():
    """A picture has the same numbers alone as with others."""
    predict, weights, images = linear(2)
    maps = np.abs(images * weights)
    curved = lambda pictures: predict(np.square(pictures))  # noqa: E731 - a predictor is a plain function
    for measure in (mu_fidelity, infidelity, deletion, selectivity):
        np.testing.assert_allclose(measure(curved, images[1:2], maps[1:2]), measure(curved, images, maps)[1:2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p, x: deletion(p, x, x[:, :3]), "need maps"),
        (lambda p, x: deletion(p, x, x * np.nan), "NaN or infinite"),
        (lambda p, x: deletion(p, x, x, steps=0), "at least 1 step"),
        (lambda p, x: deletion(lambda pictures: pictures, x, x), "one finite score per picture"),
        (lambda p, x: mu_fidelity(p, x, x, fraction=2), "a fraction in"),
        (lambda p, x: infidelity(p, x, x[..., 0]), "maps of the pictures' shape"),
        (lambda p, x: max_sensitivity(lambda pictures: pictures[:1], x), "one finite map per picture"),
        (lambda p, x: max_sensitivity(lambda pictures: pictures, x, radius=0), "The radius is above 0"),
        (lambda p, x: completeness_error(x, np.ones(1), np.ones(1)), "need as many scores"),
        (lambda p, x: map_similarity(x, x[:, :3]), "cannot be compared"),
        (lambda p, x: sparseness(x[0, 0]), "Maps are finite numbers"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    """Errors say what was given and what is expected."""
    predict, _, images = linear(0)
    with pytest.raises(FaithfulnessError, match=words):
        call(predict, images)
