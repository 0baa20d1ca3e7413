"""What moves answers to rows of a table: effects, gaps, drivers and rates against closed forms and other libraries."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelcheck.metrics.tables import (
    LocalChanges,
    accumulate_effect,
    adjust_holm,
    compute_errors,
    compute_rates,
    correlate_answers,
    correlate_ranks,
    draw_shares,
    error_change,
    find_difference,
    find_ends,
    find_error_difference,
    measure_effect_change,
    measure_gaps,
    measure_share,
    measure_view_spread,
    root_mean_square,
    view_scores,
)
from modelcheck.metrics.tables.draws import permute_groups, resample_rows
from modelcheck.metrics.tables.effects import draw_curves, find_places, part_grid

SLOPES = st.floats(-5, 5).filter(lambda slope: abs(slope) > 0.01)


def measure_slope(values, slopes, *, parts=8):
    """Return the local changes of answers that are a slope times a column's value, the slope of each row."""
    edges = np.quantile(values, np.linspace(0, 1, parts + 1))
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, parts - 1)
    return LocalChanges(bins=bins, changes=(slopes * np.diff(edges)[bins])[:, None], edges=edges)


def spread_of(grid, weights):
    """Return the standard deviation of values of which each has a weight."""
    return math.sqrt(weights @ (grid - weights @ grid) ** 2)


class TestViews:
    def test_a_common_offset_changes_nothing(self):
        """What is added to all classes of a row is in no view."""
        rng = np.random.default_rng(0)
        for classes in (2, 3, 5):
            scores = rng.normal(size=(6, classes))
            np.testing.assert_allclose(view_scores(scores + rng.normal(size=(6, 1))), view_scores(scores), atol=1e-12)

    def test_there_are_as_many_views_as_there_is_to_say(self):
        """A number and two classes have one view, three classes three that add up to nothing."""
        scores = np.random.default_rng(0).normal(size=(4, 3))
        assert [view_scores(scores[:, :n]).shape[1] for n in (1, 2, 3)] == [1, 1, 3]
        np.testing.assert_allclose(view_scores(scores).sum(axis=1), 0, atol=1e-12)

    def test_the_spread_is_the_pooled_standard_deviation(self):
        """Over networks and views the variances have their mean; a constant network has none, NaN is none."""
        rng = np.random.default_rng(1)
        one, other = rng.normal(size=(50, 3)), 4 * rng.normal(size=(50, 3))
        pooled = math.sqrt(np.concatenate([one.var(axis=0), other.var(axis=0)]).mean())
        assert measure_view_spread(one, other) == pytest.approx(pooled)
        assert measure_view_spread(np.full((5, 1), 1e6)) == 0
        assert math.isnan(measure_view_spread(np.array([[math.nan]])))
        assert math.isnan(measure_view_spread(np.empty((0, 1))))


def draw_curve_slowly(part, rows):
    """Return a curve that is not centred, in plain loops, of some rows, or of some for each part."""
    if part.edges is None:
        return part.changes[rows].mean(axis=0)
    height, curve = np.zeros(part.changes.shape[1]), []
    for b, place in enumerate(find_places(part.bins, part.edges)):
        chosen = rows[b] if isinstance(rows, list) else rows
        here = chosen[part.bins[chosen] == b]
        step = part.changes[here].mean(axis=0) if len(here) else 0
        curve.append(height + place * step)
        height = height + step
    return np.array(curve)


class TestEffects:
    @given(slope=SLOPES, seed=st.integers(0, 99))
    @settings(max_examples=25, deadline=None)
    def test_the_effect_of_linear_answers_is_a_line(self, slope, seed):
        """The curve has the planted slope everywhere, and mean 0 over the rows."""
        values = np.random.default_rng(seed).normal(size=40)
        part = measure_slope(values, np.full(40, slope))
        curve = accumulate_effect(part.bins, part.changes, edges=part.edges)
        np.testing.assert_allclose(np.diff(curve.values[:, 0]), slope * np.diff(curve.grid), atol=1e-9)
        assert curve.weights.sum() == pytest.approx(1)
        assert curve.weights @ curve.values == pytest.approx(0, abs=1e-9)

    def test_categories_have_their_mean_changes(self):
        """Without parts that meet nothing is accumulated: a category's effect is its mean change, centred by rows."""
        effects = np.array([0.0, 1.0, 5.0])
        bins = np.repeat([0, 1, 2], [5, 3, 2])
        curve = accumulate_effect(bins, np.tile(effects[None, :, None] - effects.mean(), (10, 1, 1)))
        np.testing.assert_allclose(curve.values[:, 0], effects - effects[bins].mean())
        np.testing.assert_allclose(curve.weights, [0.5, 0.3, 0.2])

    @pytest.mark.parametrize("edges", [None, np.array([0.0, 1.0, 3.0])], ids=["categories", "numbers"])
    def test_a_column_that_is_missing_everywhere_has_no_effect(self, edges):
        """Without a row nothing is said, and nothing fails."""
        changes = np.zeros((4, 3, 1) if edges is None else (4, 1))
        nowhere = LocalChanges(bins=np.full(4, -1), changes=changes, edges=edges)
        assert np.isnan(accumulate_effect(nowhere.bins, changes, edges=edges).values).all()
        assert math.isnan(measure_effect_change(nowhere, nowhere, np.arange(4))[0])

    @pytest.mark.parametrize(
        ("draw", "near"),
        [("normal", 0.08), ("uniform", 0.02), ("exponential", 0.15)],
    )
    def test_rows_stand_near_their_mean_in_each_part(self, draw, near):
        """From the parts alone it is known where their rows lie: the spread of a column is that of where they stand."""
        values = getattr(np.random.default_rng(0), draw)(size=2000)
        part = measure_slope(values, np.ones(2000), parts=12)
        grid = part_grid(part.bins, part.edges)
        assert grid[part.bins].std() == pytest.approx(values.std(), rel=near)
        places = find_places(part.bins, part.edges)
        assert ((places > 0) & (places < 1)).all()
        # In the middles of their parts, or at its edges, they would be further apart.
        middles = (part.edges[:-1] + part.edges[1:]) / 2
        assert draw == "uniform" or middles[part.bins].std() > (1 + near) * values.std()

    def test_a_constant_column_moves_nothing(self):
        """A column with a single value has no parts, no effect and no gap."""
        part = LocalChanges(bins=np.zeros(8, int), changes=np.zeros((8, 1)), edges=np.array([2.0]))
        assert accumulate_effect(part.bins, part.changes, edges=part.edges).values == 0
        assert measure_effect_change(part, part, np.arange(8)) == (0, (0, 0))
        gap = measure_gaps({"x": part}, np.arange(8) % 2, np.arange(8))["x"]
        assert (gap.value, gap.p, gap.grid.tolist()) == (0, 1, [2.0])

    @given(one=SLOPES, other=SLOPES)
    @settings(max_examples=15, deadline=None)
    def test_the_change_is_the_difference_of_slopes(self, one, other):
        """Two lines are as far apart as their slopes, times the spread of the column."""
        values = np.random.default_rng(3).normal(size=60)
        sides = [measure_slope(values, np.full(60, slope)) for slope in (one, other)]
        curve = accumulate_effect(sides[0].bins, sides[0].changes, edges=sides[0].edges)
        value, (low, high) = measure_effect_change(*sides, np.arange(60))
        assert value == pytest.approx(abs(one - other) * spread_of(curve.grid, curve.weights), abs=1e-9)
        assert low <= value <= high

    @pytest.mark.parametrize("kind", ["categories", "numbers"])
    def test_many_draws_at_once_are_one_curve_each(self, kind):
        """The vectorised curves are those of the rows by themselves, drawn as often as they count."""
        rng = np.random.default_rng(5)
        bins = rng.integers(-1, 4, size=80)
        edges = np.array([0.0, 1.0, 2.0, 4.0, 7.0]) if kind == "numbers" else None
        changes = rng.normal(size=(80, 2) if edges is not None else (80, 4, 2))
        counts = rng.integers(0, 3, size=(80, 3))
        part = LocalChanges(bins=bins, changes=changes, edges=edges)
        curves, shares = draw_curves(part, counts[:, None].astype(float), fewest=1)
        for draw in range(3):
            rows = np.repeat(np.arange(80), counts[:, draw])
            rows = rows[bins[rows] >= 0]
            slow, weights = draw_curve_slowly(part, rows), np.bincount(bins[rows], minlength=4) / len(rows)
            np.testing.assert_allclose(curves[:, :, 0, draw], slow - weights @ slow, atol=1e-12)
            np.testing.assert_allclose(shares[:, draw], weights)
        alone = accumulate_effect(bins, changes, edges=edges)
        slow = draw_curve_slowly(part, np.flatnonzero(bins >= 0))
        np.testing.assert_allclose(alone.values, slow - alone.weights @ slow, atol=1e-12)


def find_gap_slowly(part, groups, n_groups):
    """Return the largest root mean square distance of two groups' curves, in plain loops."""
    rows = [np.flatnonzero((groups == k) & (part.bins >= 0)) for k in range(n_groups)]
    counts = np.array([[(part.bins[r] == b).sum() for b in range(part.n_bins)] for r in rows])
    common = (counts >= 3).all(axis=0)
    if not common.any():
        return math.nan
    weights = np.where(common, counts.sum(axis=0), 0)
    weights = weights / weights.sum()
    curves = []
    for r in rows:
        everyone = np.concatenate(rows)
        chosen = [r if common[b] else everyone for b in range(part.n_bins)]
        curves.append(draw_curve_slowly(part, r if part.edges is None else chosen))
    centred = [curve - weights @ curve for curve in curves]
    return max(math.sqrt(weights @ ((a - b) ** 2).mean(axis=1)) for a, b in combinations(centred, 2))


class TestGaps:
    @given(difference=st.floats(0.1, 4), seed=st.integers(0, 99))
    @settings(max_examples=15, deadline=None)
    def test_the_gap_of_linear_answers_is_the_planted_one(self, difference, seed):
        """One group's slope is steeper: the gap is by how much, times the spread of the column."""
        rng = np.random.default_rng(seed)
        values, groups = np.sort(rng.normal(size=120)), np.arange(120) % 2
        part = measure_slope(values, 1 + difference * groups)
        curve = accumulate_effect(part.bins, part.changes, edges=part.edges)
        gap = measure_gaps({"x": part}, groups, np.arange(120))["x"]
        # Every part has at least three rows of either group.
        assert gap.value == pytest.approx(difference * spread_of(curve.grid, curve.weights), rel=1e-6)
        assert gap.p == 0.001
        assert gap.interval[0] <= gap.value <= gap.interval[1]
        assert gap.curves.shape == (2, 8, 1)

    def test_groups_that_differ_in_level_and_distribution_alone_have_no_gap(self):
        """Additive answers have the same effect in groups whose values, and whose answers, lie elsewhere."""
        rng = np.random.default_rng(2)
        groups = np.repeat([0, 1], 100)
        part = measure_slope(rng.normal(size=200) + groups, np.full(200, 2.0))
        gap = measure_gaps({"x": part}, groups, np.arange(200))["x"]
        assert gap.value == pytest.approx(0, abs=1e-9)
        assert gap.p == 1

    @pytest.mark.parametrize("kind", ["categories", "numbers"])
    @pytest.mark.parametrize("n_groups", [2, 3])
    def test_the_gap_is_that_of_plain_loops(self, kind, n_groups):
        """Value and p are those of a slow reading of the same permutations."""
        rng = np.random.default_rng(n_groups)
        bins, groups = rng.integers(-1, 4, size=60), rng.integers(0, n_groups, size=60)
        edges = np.array([0.0, 1.0, 2.0, 4.0, 7.0]) if kind == "numbers" else None
        changes = rng.normal(size=(60, 2) if edges is not None else (60, 4, 2))
        part = LocalChanges(bins=bins, changes=changes, edges=edges)
        gap = measure_gaps({"x": part}, groups, np.arange(60))["x"]
        own = find_gap_slowly(part, groups, n_groups)
        permuted = permute_groups(groups, np.arange(60), 999)
        beside = [find_gap_slowly(part, drawn, n_groups) for drawn in permuted]
        assert gap.p == pytest.approx((1 + np.sum(np.nan_to_num(beside) >= own * (1 - 1e-6))) / 1000)
        curves = gap.curves[list(gap.pair)]
        assert gap.value < own  # what chance gives is taken away
        assert np.abs(curves[0] - curves[1]).max() > 0

    @pytest.mark.slow
    @pytest.mark.parametrize("per_subject", [1, 4])
    def test_p_is_uniform_where_nothing_differs(self, per_subject):
        """Of rows that are alike p is below 5 % in 5 % of tables, also where rows of a subject are alike."""
        found = []
        for seed in range(150):
            rng = np.random.default_rng(seed)
            subjects = np.repeat(np.arange(60 // per_subject), per_subject)
            own = rng.normal(size=len(set(subjects.tolist())))[subjects]  # a slope of each subject's own
            part = measure_slope(rng.normal(size=60), own, parts=3)
            groups = rng.permutation(len(set(subjects.tolist())))[subjects] % 2
            found.append(measure_gaps({"x": part}, groups, subjects, seed=seed)["x"].p)
        assert stats.kstest(found, "uniform").pvalue > 0.01

    def test_rows_of_a_subject_are_no_independent_ones(self):
        """Permuted over rows where subjects are what is independent, p is too small: the test above can fail."""
        found = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            subjects = np.repeat(np.arange(12), 5)
            part = measure_slope(rng.normal(size=60), rng.normal(size=12)[subjects], parts=3)
            found.append(measure_gaps({"x": part}, subjects % 2, np.arange(60), seed=seed)["x"].p)
        assert stats.kstest(found, "uniform").pvalue < 0.01

    def test_what_chance_gives_is_taken_away(self):
        """Of rows that are alike the gap is far smaller than the distance of the two curves."""
        rng = np.random.default_rng(0)
        gaps, distances = [], []
        for seed in range(30):
            groups = np.arange(100) % 2
            part = measure_slope(rng.normal(size=100), rng.normal(size=100))
            gap = measure_gaps({"x": part}, groups, np.arange(100), tested=False, seed=seed)["x"]
            assert math.isnan(gap.interval[0])
            gaps.append(gap.value**2)
            distances.append(find_gap_slowly(part, groups, 2) ** 2)
        assert np.mean(gaps) < 0.4 * np.mean(distances)
        assert np.median(gaps) < 0.1 * np.median(distances)

    def test_without_common_support_nothing_is_said(self):
        """Age between age bands: no part has rows of both."""
        values = np.arange(40.0)
        gap = measure_gaps({"x": measure_slope(values, np.ones(40))}, (values >= 20).astype(int), np.arange(40))["x"]
        assert math.isnan(gap.value)
        assert math.isnan(gap.p)
        assert not len(gap.grid)

    def test_rows_of_no_group_are_left_out(self):
        """A row of -1 changes nothing."""
        rng = np.random.default_rng(1)
        groups = rng.integers(0, 2, size=60)
        part = measure_slope(rng.normal(size=60), rng.normal(size=60), parts=3)
        more = LocalChanges(
            bins=np.append(part.bins, [0, 1]),
            changes=np.append(part.changes, [[99.0], [-99.0]], axis=0),
            edges=part.edges,
        )
        one = measure_gaps({"x": part}, groups, np.arange(60))["x"]
        other = measure_gaps({"x": more}, np.append(groups, [-1, -1]), np.arange(62))["x"]
        assert (one.value, one.interval, one.p) == (other.value, other.interval, other.p)

    def test_many_columns_take_no_time(self):
        """Twenty columns of 500 rows are measured in one of three divisions in less than two seconds of one core."""
        import time

        rng = np.random.default_rng(0)
        columns = {f"x{k}": measure_slope(rng.normal(size=500), rng.normal(size=500), parts=12) for k in range(20)}
        began = time.process_time()
        measure_gaps(columns, rng.integers(0, 2, size=500), np.arange(500))
        assert time.process_time() - began < 2

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
    @settings(max_examples=50, deadline=None)
    def test_holm_is_the_closed_test_of_bonferroni(self, values):
        """A value after the correction is the largest of Bonferroni's, over all sets of tests that it belongs to."""
        places = range(len(values))
        sets = [chosen for n in range(1, len(values) + 1) for chosen in combinations(places, n)]
        closed = [
            max(min(1.0, len(chosen) * min(values[j] for j in chosen)) for chosen in sets if k in chosen)
            for k in places
        ]
        np.testing.assert_allclose(adjust_holm(values), closed, atol=1e-12)

    def test_holm_leaves_out_what_is_not_known(self):
        """A test that could not be made is none of the many."""
        assert adjust_holm([0.01, math.nan, 0.02])[::2] == adjust_holm([0.01, 0.02])
        assert math.isnan(adjust_holm([math.nan])[0])


class TestDraws:
    def test_permuted_subjects_stay_whole(self):
        """Every draw has as many subjects of each group, and a subject's rows in one."""
        subjects = np.repeat(np.arange(8), 3)
        groups = (np.arange(8) % 2)[subjects]
        for drawn in permute_groups(groups, subjects, 30):
            assert all(len(set(drawn[subjects == k])) == 1 for k in range(8))
            assert drawn.sum() == groups.sum()

    def test_rows_of_one_subject_change_places_within_it(self):
        """Where a subject has rows of several groups it keeps as many of each."""
        rng = np.random.default_rng(0)
        subjects, groups = rng.permutation(np.repeat(np.arange(5), 6)), rng.integers(0, 3, size=30)
        draws = permute_groups(groups, subjects, 40)
        for k in range(5):
            here = subjects == k
            assert (np.sort(draws[:, here], axis=1) == np.sort(groups[here])).all()
        assert len(np.unique(draws, axis=0)) > 30

    def test_draws_are_the_same_every_time(self):
        """What is drawn depends on the seed alone."""
        one, other = (resample_rows(np.arange(9), 5, seed=seed) for seed in (0, 1))
        assert (one == resample_rows(np.arange(9), 5)).all()
        assert not (one == other).all()


class TestDrivers:
    def test_shares_add_up_and_have_ends(self):
        """The shares of every draw sum to 1, and the interval holds the share."""
        strengths = np.random.default_rng(0).gamma(1.0, size=(40, 5)) * np.array([5.0, 2.0, 1.0, 0.5, 0.0])
        drawn = draw_shares(strengths, np.repeat(np.arange(10), 4))
        np.testing.assert_allclose(drawn.sum(axis=1), 1)
        np.testing.assert_allclose(drawn[0], strengths.sum(axis=0) / strengths.sum())
        ends = find_ends(drawn)
        assert ((ends[:, 0] <= drawn[0]) & (drawn[0] <= ends[:, 1])).all()

    def test_nothing_drives_a_network_that_nothing_moves(self):
        """Shares of nothing are NaN, and so are their ends."""
        assert np.isnan(find_ends(draw_shares(np.zeros((4, 2)), np.arange(4)))).all()

    def test_ranks_of_columns_that_all_drive_are_spearmans(self):
        """Where no column is noise the agreement is scipy's."""
        rng = np.random.default_rng(0)
        for _ in range(20):
            one, other = (side / side.sum() for side in rng.uniform(1, 1.9, size=(2, 6)))
            value, n = correlate_ranks(one, other)
            assert n == 6
            assert value == pytest.approx(stats.spearmanr(one, other).statistic)

    def test_the_order_of_noise_does_not_matter(self):
        """Columns that drive neither network change nothing, whatever their order."""
        one, other = np.array([0.6, 0.3, 0.04, 0.03, 0.03]), np.array([0.5, 0.44, 0.01, 0.02, 0.03])
        assert correlate_ranks(one, other) == (1.0, 2)
        assert stats.spearmanr(one, other).statistic < 0.9

    @pytest.mark.parametrize(
        ("one", "other", "value"),
        [
            ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0], 1.0),
            ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], -1.0),
            ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0], 1.0),
            ([0.5, 0.5, 0.0], [0.9, 0.1, 0.0], math.nan),
            ([math.nan, math.nan], [0.5, 0.5], math.nan),
        ],
    )
    def test_few_drivers_have_an_order_too(self, one, other, value):
        """One driver, another one, and ties."""
        assert correlate_ranks(np.array(one), np.array(other))[0] == pytest.approx(value, nan_ok=True)


def draw_answers(seed, *, n=300, n_groups=3):
    """Return truth, answers and groups of two classes that are unlike between groups."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, size=n)
    truth = (rng.random(n) < 0.3 + 0.1 * groups).astype(int)
    answers = np.where(rng.random(n) < 0.6 + 0.1 * groups, truth, 1 - truth)
    return truth, answers, groups


class TestGroups:
    @pytest.mark.parametrize("seed", range(4))
    def test_rates_are_fairlearns(self, seed):
        """Rates by group, and the largest differences of them, are those of fairlearn."""
        metrics = pytest.importorskip("fairlearn.metrics")
        truth, answers, groups = draw_answers(seed)
        named = {
            "accuracy": lambda y, p: float((y == p).mean()),
            "selection_rate": metrics.selection_rate,
            "true_positive_rate": metrics.true_positive_rate,
            "false_positive_rate": metrics.false_positive_rate,
        }
        frame = metrics.MetricFrame(metrics=named, y_true=truth, y_pred=answers, sensitive_features=groups)
        for group in range(3):
            here = groups == group
            rates = compute_rates(truth[here], answers[here], n_classes=2)
            assert rates == pytest.approx(frame.by_group.loc[group].to_dict())
        everything, rows = np.ones(len(truth), bool), np.arange(len(truth))
        parity = find_difference(answers == 1, everything, groups, rows, n_groups=3).value
        assert parity == pytest.approx(metrics.demographic_parity_difference(truth, answers, sensitive_features=groups))
        odds = max(find_difference(answers == 1, truth == label, groups, rows, n_groups=3).value for label in (0, 1))
        assert odds == pytest.approx(metrics.equalized_odds_difference(truth, answers, sensitive_features=groups))
        accuracy = find_difference(answers == truth, everything, groups, rows, n_groups=3)
        assert accuracy.value == pytest.approx(frame.difference(method="between_groups")["accuracy"])
        assert (accuracy.lowest, accuracy.highest) == (
            frame.by_group["accuracy"].argmin(),
            frame.by_group["accuracy"].argmax(),
        )

    def test_the_interval_is_no_narrower_than_newcombes(self):
        """That of 56 of 70 against 48 of 80 holds what Newcombe's paper gives for it, 0.0524 to 0.3339."""
        groups = np.repeat([0, 1], [70, 80])
        hits = np.concatenate([np.arange(70) < 56, np.arange(80) < 48])
        low, high = find_difference(hits, np.ones(150, bool), groups, np.arange(150), n_groups=2).interval
        assert 0 < low <= 0.0524 + 5e-5
        assert 0.3339 - 5e-5 <= high < 0.37

    def test_a_share_of_few_subjects_is_less_sure_than_of_as_many_rows(self):
        """Where a subject's rows are all right or all wrong, its interval is wider than Wilson's."""
        hits, subjects = np.repeat([True, True, False, True, False, True], 20), np.repeat(np.arange(6), 20)
        together, apart = measure_share(hits, subjects), measure_share(hits, np.arange(120))
        assert together.value == apart.value
        assert np.ptp(together.interval) > 1.5 * np.ptp(apart.interval)

    def test_a_group_without_such_rows_has_no_difference(self):
        """Nothing is said of rates of no rows."""
        found = find_difference(np.ones(6, bool), np.arange(6) < 3, np.repeat([0, 1], 3), np.arange(6), n_groups=2)
        assert math.isnan(found.value)
        assert math.isnan(measure_share(np.zeros(0, bool), np.zeros(0)).value)


class TestErrors:
    def test_errors_are_in_units_of_the_target(self):
        """Always to answer the mean is to be wrong by 1."""
        truth = np.random.default_rng(0).normal(3, 5, size=90)
        errors = compute_errors(truth, np.full(90, truth.mean()))
        rate = root_mean_square(errors, np.arange(90))
        assert rate.value == pytest.approx(1)
        assert rate.interval[0] < 1 < rate.interval[1]
        assert np.isnan(compute_errors(np.ones(4), np.ones(4))).all()

    def test_the_interval_of_normal_errors_holds(self):
        """Of 200 samples of a known spread about 95 % have it in their interval."""
        rng = np.random.default_rng(1)
        held = [
            low <= 2 <= high
            for low, high in (root_mean_square(rng.normal(0, 2, 25), np.arange(25)).interval for _ in range(200))
        ]
        assert np.mean(held) > 0.92

    def test_a_change_is_paired(self):
        """Two networks that are wrong alike differ surely by a little, however wide each one's interval is."""
        errors = np.random.default_rng(2).normal(size=60)
        moved = error_change(errors, 1.1 * errors, np.arange(60))
        value = root_mean_square(errors, np.arange(60)).value
        assert moved.value == pytest.approx(0.1 * value)
        assert 0 < moved.interval[0] <= moved.value <= moved.interval[1] < 0.2 * value

    def test_differences_are_of_groups(self):
        """The group with the largest errors is named, and the interval holds the difference."""
        errors, groups = np.random.default_rng(0).normal(size=90), np.repeat([0, 1, 2], 30)
        errors = errors * (1 + groups)
        found = find_error_difference(errors, groups, np.arange(90), n_groups=3)
        alone = [math.sqrt(np.mean(errors[groups == k] ** 2)) for k in range(3)]
        assert found.value == pytest.approx(max(alone) - min(alone))
        assert (found.lowest, found.highest) == (0, 2)
        assert found.interval[0] <= found.value <= found.interval[1]

    def test_answers_correlate_as_numpy_says(self):
        """Pearson's, whatever the unit and the level of either."""
        rng = np.random.default_rng(0)
        one = rng.normal(size=50)
        other = one + rng.normal(size=50)
        rate = correlate_answers(1e6 + one, 3 * other, np.arange(50))
        assert rate.value == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-8)
        assert rate.interval[0] < rate.value < rate.interval[1]

    def test_what_is_not_there_is_nan(self):
        """Constant, infinite and no answers give NaN, and no warning."""
        varied = np.arange(5.0)
        for bad in (np.ones(5), np.full(5, math.nan), np.full(5, math.inf)):
            assert math.isnan(correlate_answers(varied, bad, np.arange(5)).value)
        assert math.isnan(correlate_answers(np.empty(0), np.empty(0), np.empty(0)).value)
        assert math.isnan(root_mean_square(np.array([math.nan]), np.arange(1)).value)
        assert math.isnan(error_change(np.empty(0), np.empty(0), np.empty(0)).value)
