"""Similarity: equal to scikit-image's, symmetric, explicit about ranges, and never fooled by NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from modelcheck.metrics.similarity import (
    correlation_matrix,
    find_moved_pixels,
    linear_cka,
    local_ssim,
    low_pass,
    ssim,
    ssim_matrix,
)
from modelcheck.metrics.ssim_pairs import gaussian_window


def pictures(seed, n=3, shape=(20, 17)):
    """Return a stack of pictures in [0, 1] with structure at several scales."""
    generator = np.random.default_rng(seed)
    noise = generator.random((n, *shape))
    return (noise + low_pass(generator.random((n, *shape, 1)), sigma=3)[..., 0]) / 2


def reference(a, b, data_range):
    """Call scikit-image as the issue names it."""
    return structural_similarity(
        a,
        b,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1 if a.ndim == 3 else None,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(11, 11), (12, 30), (60, 64)]), st.sampled_from([1.0, 2.0, 255.0]))
def test_ssim_equals_scikit_image(seed, shape, data_range):
    """Grey pictures of any size and range score as in scikit-image."""
    a, b = pictures(seed, 2, shape) * data_range
    assert ssim(a, b, data_range=data_range) == pytest.approx(reference(a, b, data_range), abs=1e-6)


def test_ssim_equals_scikit_image_in_colour():
    """Channels are averaged as scikit-image does with a channel axis."""
    a, b = np.random.default_rng(0).random((2, 15, 16, 3))
    assert ssim(a, b, data_range=1.0) == pytest.approx(reference(a, b, 1.0), abs=1e-6)


def test_the_oracle_can_fail():
    """Another window gives another number, so agreement with scikit-image is no accident."""
    a, b = pictures(1, 2)
    other = structural_similarity(a, b, data_range=1.0)
    assert abs(ssim(a, b, data_range=1.0) - other) > 1e-3


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_ssim_matrix_is_every_pair(seed):
    """Row i, column j of the matrix is the similarity of picture i with picture j, and transposing swaps the stacks."""
    a, b = pictures(seed, 3), pictures(seed + 1, 2)
    matrix = ssim_matrix(a, b, data_range=1.0)
    each = [[ssim(x, y, data_range=1.0) for y in b] for x in a]
    np.testing.assert_allclose(matrix, each, atol=1e-6)
    np.testing.assert_allclose(matrix.T, ssim_matrix(b, a, data_range=1.0), atol=1e-6)


@pytest.mark.parametrize("flat", [0.0, 0.3, 1.0])
def test_ssim_of_saturated_pictures_equals_scikit_image(flat):
    """Where single precision is worst, in flat regions far from a picture's mean, scores stay within 1e-5."""
    a, b = (np.random.default_rng(5).random((2, 60, 64)) > 0.5).astype(float)
    a[:, :40], b[20:] = flat, 1.0
    assert ssim(a, b, data_range=1.0) == pytest.approx(reference(a, b, 1.0), abs=1e-5)


def test_ssim_matrix_in_chunks_is_the_same(monkeypatch):
    """Memory bounds never change a score."""
    a, b = pictures(3, 5), pictures(4, 4)
    whole = ssim_matrix(a, b, data_range=1.0)
    monkeypatch.setattr("modelcheck.metrics.similarity._MAX_PAIRS", 1)
    np.testing.assert_allclose(whole, ssim_matrix(a, b, data_range=1.0), atol=1e-6)


def count_slowly(x, y, counted, c1=1e-4, c2=9e-4):
    """SSIM of two grey pictures over the counted pixels, window by window."""
    tall, wide = (gaussian_window(length) for length in x.shape)
    window, total, weight = np.outer(tall, wide), 0.0, 0.0
    for top in range(x.shape[0] - len(tall) + 1):
        for left in range(x.shape[1] - len(wide) + 1):
            place = slice(top, top + len(tall)), slice(left, left + len(wide))
            held = (window * counted[place]).sum()
            if held == 0:
                continue
            w, a, b = window * counted[place] / held, x[place], y[place]
            one, other = (w * a).sum(), (w * b).sum()
            shared, spread = (w * a * b).sum() - one * other, (w * (a**2 + b**2)).sum() - one**2 - other**2
            total += held * (2 * one * other + c1) * (2 * shared + c2) / ((one**2 + other**2 + c1) * (spread + c2))
            weight += held
    return total / weight


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["half", "every third", "some", "all"]))
def test_ssim_on_counted_pixels_is_the_slow_form_and_knows_no_other(seed, which):
    """Window by window; what stands in pixels that do not count changes nothing; all counted is plain SSIM."""
    a, b = pictures(seed, 3, (20, 17)), pictures(seed + 1, 2, (20, 17))
    counted = {"half": np.arange(20)[:, None] >= 10, "every third": np.indices((20, 17)).sum(axis=0) % 3 == 0}.get(
        which, np.random.default_rng(seed).random((20, 17)) < (2 if which == "all" else 0.1)
    )
    counted = np.broadcast_to(counted, (20, 17))
    found = ssim_matrix(a, b, data_range=1.0, counted=counted)
    np.testing.assert_allclose(found, [[count_slowly(x, y, counted) for y in b] for x in a], atol=1e-5)
    covered = ssim_matrix(np.where(counted, a, 0.5), np.where(counted, b, 0.5), data_range=1.0, counted=counted)
    np.testing.assert_allclose(found, covered, atol=1e-9)
    if which == "all":
        np.testing.assert_array_equal(found, ssim_matrix(a, b, data_range=1.0))


def test_a_missing_map_has_no_score_on_counted_pixels():
    """NaN anywhere in a map is no score, also where it does not count."""
    dead, alive, counted = pictures(0, 1), pictures(1, 2), np.arange(20)[:, None] * np.ones(17) >= 10
    dead[0, 0, 0] = np.nan
    assert np.isnan(ssim_matrix(dead, alive, data_range=1.0, counted=counted)).all()


def test_pixels_that_no_ascent_moved_are_found():
    """Grey in every map of both stacks, to half floats' precision; not what all push to an end of the range."""
    a, b = (pictures(seed, 3, (6, 5))[..., None] for seed in (0, 1))
    for side, noise in ((a, 0), (b, 1e-4)):
        side[:, :3] = 0.5 + noise
        side[:, 3, :2] = 1.0
    b[1] = np.nan  # a unit without a map says nothing
    expected = np.arange(6)[:, None] * np.ones(5) >= 3
    np.testing.assert_array_equal(find_moved_pixels(a, b, input_range=(0.0, 1.0)), expected)
    grey = np.full((2, 6, 5, 1), 0.5)
    assert find_moved_pixels(grey, grey, input_range=(0.0, 1.0)).all()
    assert find_moved_pixels(grey * np.nan, grey * np.nan, input_range=(0.0, 1.0)).all()


@pytest.mark.parametrize("side", [3, 4, 8, 10])
def test_small_patches_have_a_score(side):
    """Patches smaller than the window are compared, and a patch equals itself alone."""
    a, b = np.random.default_rng(side).random((2, side, side))
    assert ssim(a, a, data_range=1.0) == pytest.approx(1.0)
    assert ssim(a, b, data_range=1.0) < 0.9


def test_local_ssim_is_scikit_images_map():
    """Around each pixel, borders included, the likeness is scikit-image's; its mean where the window fits is ssim."""
    a, b = pictures(0, shape=(20, 17, 3)), pictures(1, shape=(20, 17, 3))
    local = local_ssim(a, b, data_range=2.0)
    for k in range(len(a)):
        options = {"data_range": 2.0, "gaussian_weights": True, "use_sample_covariance": False, "channel_axis": -1}
        _, expected = structural_similarity(a[k], b[k], full=True, **options)
        np.testing.assert_allclose(local[k], expected.mean(axis=-1), atol=1e-9)
        assert local[k, 5:-5, 5:-5].mean() == pytest.approx(ssim(a[k], b[k], data_range=2.0), abs=1e-5)


@pytest.mark.parametrize("side", [1, 2, 5, 10])
def test_local_ssim_of_small_patches_averages_to_their_score(side):
    """Patches smaller than the window get a map too, and it agrees with the score beneath it."""
    a, b = pictures(0, shape=(side, side)), pictures(1, shape=(side, side))
    local = local_ssim(a, b, data_range=2.0)
    edge = (side - 1) // 2
    inner = local[:, edge : side - edge, edge : side - edge]
    assert local.shape == a.shape
    expected = np.diag(ssim_matrix(a, b, data_range=2.0))
    np.testing.assert_allclose(inner.mean(axis=(1, 2)), expected, atol=1e-5)


def test_local_ssim_of_a_missing_map_is_missing():
    """A pair that holds NaN has no likeness anywhere, and spoils no other pair."""
    a, b = pictures(0), pictures(1)
    a[1, 0, 0] = np.nan
    local = local_ssim(a, b, data_range=2.0)
    assert np.isnan(local[1]).all()
    assert np.isfinite(local[[0, 2]]).all()


@pytest.mark.parametrize(
    "options", [{"data_range": 0.0}, {"data_range": 1.0, "other": (3, 4, 4)}], ids=["range", "shape"]
)
def test_local_ssim_refuses_what_cannot_be_compared(options):
    """A range that is none and shapes that differ are refused, as by ssim."""
    other = np.zeros(options.pop("other", (3, 5, 5)))
    with pytest.raises(ValueError, match=r"data_range|one shape"):
        local_ssim(np.zeros((3, 5, 5)), other, **options)


def test_a_missing_map_has_no_score():
    """NaN never compares, not even with itself: two dead units are not similar."""
    dead = np.full((1, 12, 12), np.nan)
    alive = pictures(0, 1, (12, 12))
    assert np.isnan(ssim_matrix(dead, dead, data_range=1.0)).all()
    assert np.isnan(ssim_matrix(dead, alive, data_range=1.0)).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_a_range_that_is_none_is_refused(wrong):
    """data_range has no default and must be positive."""
    with pytest.raises(ValueError, match="data_range must be the positive width"):
        ssim_matrix(pictures(0), pictures(1), data_range=wrong)


def test_shapes_must_agree():
    """Pictures of two sizes are never cropped in silence."""
    with pytest.raises(ValueError, match="one shape are needed"):
        ssim_matrix(pictures(0, 2, (12, 12)), pictures(0, 2, (12, 13)), data_range=1.0)
    with pytest.raises(ValueError, match="one shape are needed"):
        ssim(np.zeros((12, 12)), np.zeros((13, 12)), data_range=1.0)
    with pytest.raises(ValueError, match=r"A stack of pictures"):
        ssim_matrix(np.zeros((12,)), np.zeros((12,)), data_range=1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 10), st.floats(-5, 5))
def test_correlation_is_numpys_and_knows_no_scale(seed, scale, shift):
    """Correlations equal numpy's and do not change with brightness or contrast."""
    a, b = np.random.default_rng(seed).normal(size=(2, 4, 9))
    own = correlation_matrix(a, b)
    np.testing.assert_allclose(own, np.corrcoef(a, b)[:4, 4:], atol=1e-9)
    np.testing.assert_allclose(own, correlation_matrix(a * scale + shift, b), atol=1e-9)


def test_a_constant_row_has_no_correlation():
    """A unit that never changes correlates with nothing."""
    assert np.isnan(correlation_matrix(np.ones((1, 5)), np.random.default_rng(0).normal(size=(1, 5)))).all()
    with pytest.raises(ValueError, match="Rows of one length"):
        correlation_matrix(np.ones((1, 5)), np.ones((1, 6)))


@given(st.floats(-1e9, 1e9), st.integers(2, 60))
def test_a_constant_row_correlates_with_nothing(value, length):
    """A row of one number has no correlation, however large it is, not even with its like."""
    rows = np.stack([np.full(length, value), np.full(length, value), np.arange(length)])
    assert np.isnan(correlation_matrix(rows[:2], rows)).all()


def slow_cka(a, b):
    """Debiased CKA from Song et al. 2012, equation 5, term by term."""

    def hsic(k, m):
        n = len(k)
        one = np.ones(n)
        first = np.trace(k @ m)
        second = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        third = 2 / (n - 2) * (one @ k @ m @ one)
        return (first + second - third) / (n * (n - 3))

    grams = []
    for x in (a, b):
        gram = x @ x.T
        grams.append(gram - np.diag(np.diag(gram)))
    return hsic(*grams) / np.sqrt(hsic(grams[0], grams[0]) * hsic(grams[1], grams[1]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_cka_equals_the_slow_form_and_knows_no_rotation(seed):
    """CKA matches its equation on centred data, is 1 under rotation and scale, and near 0 for strangers."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(30, 5)), generator.normal(size=(30, 4))
    centred = [x - x.mean(axis=0) for x in (a, b)]
    assert linear_cka(a, b) == pytest.approx(slow_cka(*centred), abs=1e-9)
    rotation, _ = np.linalg.qr(generator.normal(size=(5, 5)))
    assert linear_cka(a, 3 * a @ rotation) == pytest.approx(1.0)
    assert abs(linear_cka(a, b)) < 0.5


def test_cka_of_a_constant_is_nan():
    """A dead layer is like nothing, and too few examples are refused."""
    assert np.isnan(linear_cka(np.ones((6, 3)), np.random.default_rng(0).normal(size=(6, 3))))
    with pytest.raises(ValueError, match="at least 4"):
        linear_cka(np.ones((3, 2)), np.ones((3, 2)))
