"""Exchanged pictures and mosaics: which are shown, and how far networks are apart by their answers."""

import dataclasses
import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelcheck.metrics.exchanges import (
    Stimuli,
    choose_stimuli,
    compute_evidence,
    compute_falls,
    compute_strengths,
    exchange_cells,
    find_distance,
    leave_one_out,
    make_grids,
    map_strengths,
    measure_spread,
    mix_pictures,
    win_shares,
)

SIZE = (8, 12)
LABELS = np.arange(30) % 3
PEOPLE = np.repeat(["ada", "ben", "eve"], 10)
IMAGES = np.random.default_rng(0).uniform(0, 1, (30, *SIZE, 1)).astype(np.float32)
SCORES = hnp.arrays(np.float64, (6, 3), elements=st.floats(-20, 20))
STRENGTHS = hnp.arrays(np.float64, (4, 5, 3), elements=st.floats(0.1, 10))


def choose(*, labels=LABELS, subjects=PEOPLE, size=SIZE, pictures=12, mosaics=20, seed=0):
    """Choose stimuli of a small panel."""
    return choose_stimuli(labels, subjects, size=size, pictures=pictures, mosaics=mosaics, seed=seed)


@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_a_grid_tiles_the_picture(height, width):
    """Every pixel lies in one cell, and no cell is longer than a quarter of a side of four pixels or more."""
    for grid in make_grids(height, width):
        shown = np.zeros((height, width), int)
        for top, left, bottom, right in grid.boxes:
            assert top < bottom
            assert left < right
            assert bottom - top <= max(1, height // 4)
            assert right - left <= max(1, width // 4)
            shown[top:bottom, left:right] += 1
        assert (shown == 1).all()


def test_grids_have_several_scales():
    """A picture of some size gets a coarse grid and a fine one; a tiny one needs no second."""
    assert [len(grid.boxes) for grid in make_grids(28, 28)] == [16, 49]
    assert [grid.name for grid in make_grids(4, 4)] == ["4x4"]


def test_donors_are_of_another_class_and_person():
    """Where people allow, nothing is put in from a picture of the same person, and never of the same class."""
    chosen = choose()
    for rows, donors in ((chosen.rows[:, None], chosen.donors), (chosen.first, chosen.second)):
        assert (LABELS[rows] != LABELS[donors]).all()
        assert (PEOPLE[rows] != PEOPLE[donors]).all()
    assert (chosen.donors[:, 0] != chosen.donors[:, 1]).all()


def test_one_person_is_better_than_nobody():
    """Where everyone of another class is the same person, their pictures are taken."""
    alone = choose(subjects=np.repeat("ada", 30))
    assert (LABELS[alone.rows[:, None]] != LABELS[alone.donors]).all()


@pytest.mark.slow
@given(pictures=st.integers(3, 30), seed=st.integers(0, 99))
def test_pictures_are_spread_over_classes(pictures, seed):
    """No class has two pictures more than another, no row comes twice, and a smaller choice is part of a larger."""
    chosen, fewer = choose(pictures=pictures, seed=seed), choose(pictures=pictures - 1, seed=seed)
    assert np.ptp(np.bincount(LABELS[chosen.rows], minlength=3)) <= 1
    assert len(set(chosen.rows.tolist())) == len(chosen.rows) == pictures
    assert set(fewer.rows.tolist()) < set(chosen.rows.tolist())


def test_more_pictures_change_no_stimulus():
    """What is put into a picture, and each mosaic, do not depend on how many there are."""
    few, many = choose(pictures=5, mosaics=7), choose(pictures=20, mosaics=30)
    where = np.searchsorted(many.rows, few.rows)
    np.testing.assert_array_equal(many.donors[where], few.donors)
    for part in ("first", "second", "masks"):
        np.testing.assert_array_equal(getattr(many, part)[:7], getattr(few, part))


def test_the_seed_decides():
    """The same seed chooses the same, and another one something else."""
    one, same, other = choose(), choose(), choose(seed=1)
    assert all(np.array_equal(getattr(one, part), getattr(same, part)) for part in ("rows", "donors", "first", "masks"))
    assert not np.array_equal(one.donors, other.donors)


def test_a_panel_of_one_class_has_nothing_to_exchange():
    """No picture of another class, no stimuli."""
    none = choose(labels=np.zeros(30, int))
    assert len(none.rows) == len(none.first) == 0


def test_one_picture_of_another_class_is_every_donor():
    """It comes twice where two are asked for."""
    labels = np.array([0, 0, 0, 1])
    chosen = choose(labels=labels, subjects=PEOPLE[:4], pictures=4)
    assert (chosen.donors[labels[chosen.rows] == 0] == 3).all()


def test_an_exchanged_picture_is_its_definition():
    """Inside the cell it is the donor, outside it is the picture; the panel's own pictures stay as they are."""
    chosen, before = choose(), IMAGES.copy()
    for grid in chosen.grids:
        shape = chosen.shape(grid)
        made = exchange_cells(IMAGES, chosen, grid, np.arange(math.prod(shape))).reshape(*shape, *IMAGES.shape[1:])
        for place, cell, donor in itertools.product(*map(range, shape)):
            top, left, bottom, right = grid.boxes[cell]
            inside = np.zeros(SIZE, bool)
            inside[top:bottom, left:right] = True
            expected = np.where(inside[..., None], IMAGES[chosen.donors[place, donor]], IMAGES[chosen.rows[place]])
            np.testing.assert_array_equal(made[place, cell, donor], expected)
    np.testing.assert_array_equal(IMAGES, before)


def test_a_mosaic_is_half_of_each():
    """Half of the cells are the second picture's, and every pixel is of one of the two."""
    chosen = choose()
    made = mix_pictures(IMAGES, chosen, np.arange(20))
    assert (chosen.masks.sum(axis=1) == chosen.masks.shape[1] // 2).all()
    second = made == IMAGES[chosen.second]
    assert (second | (made == IMAGES[chosen.first])).all()
    np.testing.assert_allclose(second.mean(axis=(1, 2, 3)), 0.5)


@given(order=st.permutations(range(20)), cut=st.integers(1, 19))
def test_stimuli_know_no_batch_and_no_order(order, cut):
    """A picture is the same whichever others are made with it."""
    chosen = choose()
    for make in (partial(exchange_cells, IMAGES, chosen, chosen.grids[1]), partial(mix_pictures, IMAGES, chosen)):
        whole = make(np.arange(20))
        parts = np.concatenate([make(np.array(order[:cut])), make(np.array(order[cut:]))])
        np.testing.assert_array_equal(parts, whole[order])


def slow_spread(scores):
    """Return the spread by its definition: variances of all pairs of classes."""
    pairs = itertools.combinations(range(scores.shape[1]), 2)
    return math.sqrt(np.mean([np.var(scores[:, a] - scores[:, b]) for a, b in pairs]))


def slow_distance(candidate, references, weights):
    """Return distance and ratio by their definition, for maps of one grid, one number at a time."""

    def share(strengths):
        cells = [sum(w * row[c] for w, row in zip(weights, strengths, strict=True)) for c in range(strengths.shape[1])]
        return [value / sum(cells) for value in cells]

    def between(one, others):
        mean = [sum(values) / len(others) for values in zip(*others, strict=True)]
        return sum(abs(a - b) for a, b in zip(one, mean, strict=True))

    maps = [share(part) for part in references]
    distance = between(share(candidate), maps)
    apart = [between(own, [other for k, other in enumerate(maps) if k != j]) for j, own in enumerate(maps)]
    scale = sum(apart) / len(apart)
    return distance, distance / scale if scale > 1e-9 else math.nan


@given(scores=SCORES)
def test_the_spread_is_its_definition(scores):
    """The closed form over pairs of classes is the mean over pairs."""
    expected = slow_spread(scores)
    assert measure_spread(scores) == pytest.approx(expected if expected > 1e-6 * np.abs(scores).max() else 0, abs=1e-9)


@given(strengths=STRENGTHS)
def test_the_distance_is_its_definition(strengths):
    """Of one grid, without resampling: the slow sum of absolute differences, over that of each reference."""
    candidate, *references = strengths
    found = find_distance([candidate], [[part] for part in references])
    distance, ratio = slow_distance(candidate, references, [1] * 5)
    assert found.distance == pytest.approx(distance)
    assert found.ratio == pytest.approx(ratio, nan_ok=True)


def test_the_definitions_can_fail():
    """Numbers that are a little wrong are not their definition."""
    strengths = np.random.default_rng(1).uniform(0.5, 1, (4, 5, 3))
    candidate, *references = strengths
    found = find_distance([candidate], [[part] for part in references])
    assert found.distance != pytest.approx(slow_distance(candidate, references, [1, 1, 1, 1, 2])[0])
    assert found.ratio != pytest.approx(slow_distance(candidate, references[:2], [1] * 5)[1])
    assert measure_spread(strengths[0]) != pytest.approx(slow_spread(strengths[0][:, :2]))


@given(strengths=STRENGTHS, factor=st.floats(0.01, 100), order=st.permutations(range(3)))
def test_units_and_the_order_of_references_do_not_matter(strengths, factor, order):
    """Maps are shares: a network's scale is nothing, and twins have no order."""
    candidate, *references = strengths
    one = find_distance([candidate], [[part] for part in references])
    other = find_distance([factor * candidate], [[references[k]] for k in order])
    assert other.distance == pytest.approx(one.distance, abs=1e-9)
    np.testing.assert_allclose(other.references, one.references[list(order)], atol=1e-9)


@given(strengths=STRENGTHS)
def test_the_scale_is_one_for_a_reference(strengths):
    """On their own scale the references are 1 from each other, in the mean; the interval holds the value."""
    candidate, *references = strengths
    found = find_distance([candidate, candidate], [[part, part] for part in references])
    if math.isfinite(found.ratio):
        assert found.ratio * found.references.mean() == pytest.approx(found.distance)
        assert found.ratio_interval[0] <= found.ratio <= found.ratio_interval[1]
    assert found.interval[0] <= found.distance <= found.interval[1]


@given(values=hnp.arrays(np.float64, (5, 4), elements=st.floats(-5, 5)), shift=st.floats(-5, 5), factor=st.floats(0, 5))
def test_leaving_one_out(values, shift, factor):
    """The mean of the others is what numpy says, and follows shifts and factors."""
    expected = [np.delete(values, k, axis=0).mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(leave_one_out(values), expected, atol=1e-12)
    moved = leave_one_out(factor * values + shift)
    np.testing.assert_allclose(moved, factor * leave_one_out(values) + shift, atol=1e-9)


def test_references_that_are_all_the_same_give_no_scale():
    """Copies of one network say nothing of what training again moves; one reference alone says nothing either."""
    part = np.random.default_rng(0).uniform(1, 2, (5, 3))
    assert math.isnan(find_distance([part * [1, 2, 3]], [[part], [part], [part]]).ratio)
    alone = find_distance([part * [1, 2, 3]], [[part]])
    assert math.isnan(alone.ratio)
    assert alone.distance > 0
    assert len(alone.references) == 0


def test_mosaics_that_are_won_alike_are_not_apart():
    """Of shares the distance is the mean absolute difference."""
    shares = np.array([0.0, 0.5, 1.0])
    assert find_distance([shares], [[shares]]).distance == 0
    assert find_distance([shares], [[1 - shares]]).distance == pytest.approx(2 / 3)


def test_evidence_is_the_fall_over_the_spread():
    """By hand, with three classes and two donors; a common offset of all scores changes nothing."""
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=(4, 3)), generator.normal(size=(4, 5, 2, 3))
    labels, donors = np.array([0, 1, 2, 0]), np.array([[1, 2], [0, 2], [1, 0], [2, 1]])
    found = compute_falls(before, after, labels, donors)
    for i, cell, d in itertools.product(range(4), range(5), range(2)):
        own, other = labels[i], donors[i, d]
        fall = (before[i, own] - before[i, other]) - (after[i, cell, d, own] - after[i, cell, d, other])
        assert found[i, cell, d] == pytest.approx(fall)
    evidence = compute_evidence(before, after, labels, donors)
    np.testing.assert_allclose(evidence, found / measure_spread(before))
    np.testing.assert_allclose(compute_evidence(before + 7, after + 7, labels, donors), evidence)
    np.testing.assert_allclose(compute_evidence(3 * before, 3 * after, labels, donors), evidence)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_give_no_number(bad):
    """A NaN or an infinity among the scores leaves neither a spread nor evidence nor a share."""
    before = np.array([[3.0, 0.0], [bad, 3.0]])
    assert math.isnan(measure_spread(before))
    assert np.isnan(compute_evidence(before, np.zeros((2, 1, 1, 2)), np.array([0, 1]), np.array([[1], [0]]))).all()
    assert np.isnan(win_shares(np.array([1.0]), math.nan)).all()


def test_constant_scores_have_no_unit():
    """A network that answers every picture alike, up to rounding, has no spread."""
    assert measure_spread(np.full((5, 2), 3.0) + 1e-9 * np.eye(5, 2)) == 0
    assert np.isnan(win_shares(np.array([1.0]), 0.0)).all()


def test_maps_by_class_and_by_picture():
    """Weights choose the pictures of a map: a class alone, or each on its own."""
    strengths = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    by_class = map_strengths(strengths, np.array([0, 1, 1]) == np.arange(2)[:, None])
    np.testing.assert_allclose(by_class, [[1, 0], [0.25, 0.75]])
    np.testing.assert_allclose(map_strengths(strengths, np.eye(3)), strengths / strengths.sum(axis=1, keepdims=True))
    assert np.isnan(map_strengths(np.zeros((3, 2)))).all()


def test_strengths_know_no_direction():
    """A cell that speaks for the label in one picture and against it in another speaks twice."""
    np.testing.assert_allclose(compute_strengths(np.array([[[2.0, -4.0]]])), [[3.0]])


def test_stimuli_are_frozen():
    """What was chosen cannot be put in another place."""
    chosen = choose()
    assert isinstance(chosen, Stimuli)
    with pytest.raises(dataclasses.FrozenInstanceError):
        chosen.rows = chosen.first
