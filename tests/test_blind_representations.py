"""The blind benchmark's baselines and scores: closed forms, slow oracles, and what cannot be told is said."""

import itertools
import math

import numpy as np
import pytest
from blind.representations import MEASURES, Measure, compare_all
from blind.resi import (
    chance_precision,
    compare_groups,
    correlate,
    disagreement,
    divergence,
    score_groups,
    score_layers,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine, jensenshannon, pdist
from scipy.stats import pearsonr, spearmanr

BEST = {name: 0.0 if measure.distance else 1.0 for name, measure in MEASURES.items()}
# What each measure does not see. Aligned cosine and the cosines of neighbours see a shift, RSA sees a rotation.
BLIND = {
    "rotation": set(MEASURES) - {"RSA", "soft matching"},
    "order of the units": set(MEASURES),
    "scale": set(MEASURES),
    "shift": {"CKA", "Procrustes", "distance correlation", "soft matching", "linear regression"},
    "scale of each unit": {"soft matching", "linear regression"},
}
GROUPS = [0] * 5 + [1] * 5 + [2] * 5


def features(seed, n=40, units=6, shift=1.0):
    """Return features of n pictures that are not centred, as after a ReLU."""
    return np.random.default_rng(seed).normal(size=(n, units)) + shift


def turn(seed, units):
    """Return a rotation."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))[0]


def alter(how, x, seed=0):
    """Return features that hold the same, otherwise written down."""
    rng = np.random.default_rng(seed)
    return {
        "rotation": lambda: x @ turn(seed, x.shape[1]),
        "order of the units": lambda: x[:, rng.permutation(x.shape[1])],
        "scale": lambda: 3.5 * x,
        "shift": lambda: x + rng.normal(size=x.shape[1]) * 4,
        "scale of each unit": lambda: x * rng.uniform(0.5, 4, x.shape[1]),
    }[how]()


def values_of(a, b):
    """Return every measure of two layers."""
    return {name: measure.compute(a, b) for name, measure in MEASURES.items()}


def table_of(seed, n=15, symmetric=True):
    """Return similarities of n networks at random."""
    table = np.random.default_rng(seed).normal(size=(n, n))
    return (table + table.T) / 2 if symmetric else table


def test_a_layer_is_like_itself():
    """The same features score best by every measure."""
    x = features(0)
    assert values_of(x, x) == pytest.approx(BEST, abs=1e-6)


@pytest.mark.parametrize("how", BLIND)
def test_what_a_measure_does_not_see(how):
    """A change that a measure does not see leaves it at its best, and every other measure moves."""
    x = features(1)
    found = values_of(x, alter(how, x))
    unmoved = {name for name in MEASURES if abs(found[name] - BEST[name]) < 1e-6}
    assert unmoved == BLIND[how]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_only_linear_regression_hangs_on_the_order(seed):
    """Every other measure is the same both ways."""
    a, b = features(seed), features(seed + 1, units=4)
    there, back = values_of(a, b), values_of(b, a)
    unlike = {name for name in MEASURES if abs(there[name] - back[name]) > 1e-8}
    assert unlike == {name for name, measure in MEASURES.items() if not measure.symmetric} == {"linear regression"}


@pytest.mark.slow
def test_strangers_stand_where_chance_is():
    """Independent features stand at the value that the measure's definition expects of them."""
    n, units = 2000, 3
    found = values_of(features(2, n, units, 0), features(3, n, units, 0))
    assert found["CKA"] == pytest.approx(0, abs=0.02)
    assert found["RSA"] == pytest.approx(0, abs=0.05)
    assert found["linear regression"] == pytest.approx(units / n, abs=0.005)
    assert found["Jaccard"] == pytest.approx(10 / (2 * n - 10), abs=0.005)
    assert found["Procrustes"] == pytest.approx(math.sqrt(2), abs=0.05)
    assert max(found["distance correlation"], found["soft matching"], found["aligned cosine"]) < 0.15


def slow_jaccard(a, b, k=10):
    """Return the shared neighbours, picture by picture."""

    def near(x, i):
        return set(sorted((j for j in range(len(x)) if j != i), key=lambda j: cosine(x[i], x[j]))[:k])

    return np.mean([len(near(a, i) & near(b, i)) / len(near(a, i) | near(b, i)) for i in range(len(a))])


def slow_second_order(a, b, k=10):
    """Return the cosine of distances to the joined neighbours, picture by picture."""
    scores = []
    for i in range(len(a)):
        joined = set()
        for x in (a, b):
            joined |= set(sorted((j for j in range(len(x)) if j != i), key=lambda j: cosine(x[i], x[j]))[:k])
        one, other = ([cosine(x[i], x[j]) for j in sorted(joined)] for x in (a, b))
        scores.append(1 - cosine(one, other))
    return np.mean(scores)


def slow_soft_matching(a, b):
    """Return the best pairing of as many copies of each unit as make both layers as wide, by trying all."""
    wide = math.lcm(a.shape[1], b.shape[1])
    one, other = (np.repeat(x, wide // x.shape[1], axis=1) for x in (a, b))
    scores = np.corrcoef(one.T, other.T)[:wide, wide:]
    return max(np.mean([scores[i, j] for i, j in enumerate(order)]) for order in itertools.permutations(range(wide)))


def slow_distance_correlation(a, b):
    """Return the distance correlation from its definition, pair by pair."""

    def centred(x):
        d = np.array([[np.linalg.norm(p - q) for q in x] for p in x])
        n = range(len(x))
        return np.array([[d[i, j] - d[i].mean() - d[:, j].mean() + d.mean() for j in n] for i in n])

    one, other = centred(a), centred(b)
    return math.sqrt((one * other).mean() / math.sqrt((one**2).mean() * (other**2).mean()))


def slow_procrustes(a, b):
    """Return what is left of two centred layers of norm 1 after turning one onto the other."""
    from scipy.linalg import orthogonal_procrustes

    wide = max(a.shape[1], b.shape[1])
    one, other = (np.pad(x - x.mean(0), ((0, 0), (0, wide - x.shape[1]))) for x in (a, b))
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    return np.linalg.norm(one @ orthogonal_procrustes(one, other)[0] - other)


def slow_aligned_cosine(a, b):
    """Return the mean cosine after turning one onto the other, picture by picture."""
    from scipy.linalg import orthogonal_procrustes

    wide = max(a.shape[1], b.shape[1])
    one, other = (np.pad(x, ((0, 0), (0, wide - x.shape[1]))) for x in (a, b))
    one = one @ orthogonal_procrustes(one, other)[0]
    return np.mean([1 - cosine(p, q) for p, q in zip(one, other, strict=True)])


def slow_regression(a, b):
    """Return the share of variance that least squares explains, unit by unit."""
    one, other = (x - x.mean(0) for x in (a, b))
    left = sum(np.linalg.lstsq(other, column, rcond=None)[1].sum() for column in one.T)
    return 1 - left / (one**2).sum()


SLOW = {
    "Jaccard": slow_jaccard,
    "second-order cosine": slow_second_order,
    "soft matching": slow_soft_matching,
    "distance correlation": slow_distance_correlation,
    "Procrustes": slow_procrustes,
    "aligned cosine": slow_aligned_cosine,
    "linear regression": slow_regression,
    "RSA": lambda a, b: spearmanr(*(pdist(x, "correlation") for x in (a, b))).statistic,
}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("units", [(3, 3), (3, 6), (6, 3)])
def test_measures_are_their_slow_forms(name, units):
    """Each measure is its definition, written out, also for layers of two widths; another pair scores otherwise."""
    a, b = features(4, 24, units[0]), features(5, 24, units[1])
    expected = SLOW[name](a, b)
    assert MEASURES[name].compute(a, b) == pytest.approx(expected, abs=1e-8)
    assert abs(MEASURES[name].compute(a, features(6, 24, units[1])) - expected) > 1e-6


# Aligned cosine does not centre: all pictures of a constant layer point in one direction.
DEAD = [
    (name, what)
    for name in MEASURES
    for what in ("constant", "zero", "NaN")
    if (name, what) != ("aligned cosine", "constant")
]


@pytest.mark.parametrize(("name", "what"), DEAD)
def test_a_dead_layer_is_like_nothing(name, what):
    """Features that do not vary, or hold NaN, have no likeness, not even with themselves."""
    dead = np.full((24, 3), {"constant": 2.0, "zero": 0.0, "NaN": np.nan}[what])
    assert math.isnan(MEASURES[name].compute(dead, dead))
    assert math.isnan(MEASURES[name].compute(features(0, 24), dead))


def test_all_pairs_are_compared_once():
    """A table holds similarities both ways, distances negated; what hangs on the order is computed both ways."""
    layers = [features(seed, 24) for seed in range(3)]
    for name in ("Procrustes", "Jaccard", "linear regression"):
        table, seconds = compare_all(layers, MEASURES[name])
        sign = -1 if MEASURES[name].distance else 1
        expected = [[sign * MEASURES[name].compute(a, b) for b in layers] for a in layers]
        np.fill_diagonal(table, np.diag(expected))
        np.testing.assert_allclose(table, expected, atol=1e-12)
        assert seconds > 0
    calls = []
    compare_all(layers, Measure(compute=lambda a, b: calls.append(1) or 0.0))
    assert len(calls) == 3


def slow_groups(table, groups):
    """Return ReSi's two scores, group by group and pair by pair, with scikit-learn's average precision."""
    metrics = pytest.importorskip("sklearn.metrics")
    precisions, rates = [], []
    for group in sorted(set(groups)):
        inside = [i for i, name in enumerate(groups) if name == group]
        outside = [i for i, name in enumerate(groups) if name != group]
        within = [table[pair] for pair in itertools.combinations(inside, 2)]
        across = [table[pair] for pair in itertools.product(inside, outside)]
        precisions.append(metrics.average_precision_score([1] * len(within) + [0] * len(across), within + across))
        rates.append(np.mean([one <= other for one, other in itertools.product(within, across)]))
    return np.mean(precisions), np.mean(rates)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.booleans(), st.sampled_from([0, 1, 6]))
def test_groups_are_scored_as_in_resi(seed, symmetric, digits):
    """AUPRC and violation rate are ReSi's, ties and measures that hang on the order included."""
    table = np.round(table_of(seed, symmetric=symmetric), digits)
    found = score_groups(table, GROUPS, draws=2)
    assert (found.auprc.value, found.violation_rate.value) == pytest.approx(slow_groups(table, GROUPS))
    assert (found.within, found.across, found.auprc.n) == (30, 150, 15)


def test_a_measure_that_separates_is_perfect_and_its_reverse_is_not():
    """Where all pairs within are more alike the scores are 1 and 0, with no width; turned round they are worst."""
    same = np.equal.outer(GROUPS, GROUPS).astype(float)
    best, worst = score_groups(same, GROUPS), score_groups(-same, GROUPS)
    assert (best.auprc[:3], best.violation_rate[:3]) == ((1, 1, 1), (0, 0, 0))
    assert worst.violation_rate[:3] == (1, 1, 1)
    assert worst.auprc.value < best.chance


@pytest.mark.slow
def test_chance_is_what_random_orders_reach():
    """Ten of sixty positives: 0.219, above their share of 0.167; the mean of many random orders says so too."""
    assert chance_precision(10, 50) == pytest.approx(0.2187, abs=1e-4)
    assert chance_precision(1, 0) == chance_precision(7, 0) == 1
    found = [score_groups(table_of(seed, symmetric=False), GROUPS, draws=1).auprc.value for seed in range(400)]
    assert np.mean(found) == pytest.approx(score_groups(table_of(0), GROUPS, draws=1).chance, abs=0.01)


def test_a_pair_without_a_value_counts_against_the_measure():
    """NaN within a group is least alike, NaN across is most alike: no measure gains by saying nothing."""
    same = np.equal.outer(GROUPS, GROUPS).astype(float)
    for pair in ((0, 1), (0, 5)):
        table = same.copy()
        table[pair] = np.nan
        found = score_groups(table, GROUPS, draws=1)
        assert found.auprc.value < 1
        assert found.violation_rate.value > 0


def test_intervals_resample_networks_and_not_pairs():
    """One odd network of five widens the interval as much as its pairs are many; a seed gives one interval."""
    table = np.equal.outer(GROUPS, GROUPS) + 0.01 * table_of(0)
    table[0, 1:5] = table[1:5, 0] = -1
    found = score_groups(table, GROUPS)
    assert found.auprc.low < found.auprc.value < found.auprc.high == 1
    assert found == score_groups(table, GROUPS)
    assert found.auprc != score_groups(table, GROUPS, draws=20, seed=1).auprc


def test_draws_are_pairs_of_distinct_networks():
    """A draw's score is ReSi's on the drawn networks, less pairs of a network with its own copy."""
    from blind import resi

    table, groups = table_of(3), GROUPS
    weights = resi._draw_weights(groups, draws=20, seed=0)
    scores = resi._score(table, groups, weights)[0]
    for row, score in zip(weights, scores, strict=True):
        drawn = np.repeat(np.arange(15), row)
        values = []
        for group in range(3):
            inside, outside = (drawn[np.array(groups)[drawn] == group], drawn[np.array(groups)[drawn] != group])
            pairs = [(i, j, 1) for i, j in itertools.combinations(inside, 2) if i != j]
            pairs += [(i, j, 0) for i, j in itertools.product(inside, outside)]
            truth, likeness = [p[2] for p in pairs], [table[p[:2]] for p in pairs]
            values.append(pytest.importorskip("sklearn.metrics").average_precision_score(truth, likeness))
        assert score == pytest.approx(np.mean(values))


def test_the_difference_of_two_measures_is_of_the_same_draws():
    """A measure against itself differs by nothing; a better one by what its score is higher."""
    one, other = np.equal.outer(GROUPS, GROUPS) + 0.3 * table_of(1), table_of(2)
    assert compare_groups(one, one, GROUPS)[:3] == (0, 0, 0)
    found = compare_groups(one, other, GROUPS)
    assert found.value == pytest.approx(score_groups(one, GROUPS).auprc.value - score_groups(other, GROUPS).auprc.value)
    assert 0 < found.low < found.value < found.high


@pytest.mark.parametrize("groups", [[0] * 15, [0] + [1] * 14, [0] * 14], ids=["one group", "one network", "too few"])
def test_groups_that_cannot_be_scored_are_refused(groups):
    """One group, a group of one network and another number of networks are errors."""
    with pytest.raises(ValueError, match=r"needs two networks or more|A table of 14 networks"):
        score_groups(table_of(0), groups)


@pytest.mark.slow
@pytest.mark.parametrize("symmetric", [True, False])
def test_correlation_is_spearmans_over_pairs(symmetric):
    """Each unordered pair counts once, or both orders where they differ; what rises together is 1."""
    table, changes = table_of(0, 10, symmetric), np.abs(table_of(1, 10))
    pairs = itertools.combinations(range(10), 2) if symmetric else itertools.permutations(range(10), 2)
    one, other = zip(*((-table[pair], changes[pair]) for pair in pairs), strict=True)
    assert correlate(table, changes, draws=10).value == pytest.approx(spearmanr(one, other).statistic)
    perfect = correlate(-changes, changes)
    assert (perfect.value, perfect.low, perfect.high, perfect.n) == pytest.approx((1, 1, 1, 10))
    assert pearsonr(one, other).statistic != pytest.approx(spearmanr(one, other).statistic)


def test_a_correlation_of_nothing_is_nan():
    """A missing similarity, or similarities that are all the same, have no correlation."""
    table = table_of(0, 10)
    table[0, 1] = table[1, 0] = np.nan
    assert math.isnan(correlate(table, table_of(1, 10), draws=5).value)
    assert math.isnan(correlate(np.ones((10, 10)), table_of(1, 10), draws=5).value)


def slow_layers(table):
    """Return ReSi's test 6 of one network, triple by triple."""
    n, wrong, correlations = len(table), [], []
    for i in range(n):
        for side in (range(i + 1, n), range(i - 1, -1, -1)):
            wrong += [table[i, near] < table[i, far] for near, far in itertools.combinations(side, 2)]
            if len(side) > 1:
                correlations.append(spearmanr([-table[i, j] for j in side], [abs(i - j) for j in side]).statistic)
    return np.mean(wrong), np.mean(correlations)


def test_layers_are_scored_as_in_resi():
    """Violation rate and correlation are ReSi's, the mean over networks; layers in order are perfect."""
    tables = np.stack([table_of(seed, 5) for seed in range(4)])
    rate, spearman = score_layers(tables)
    expected = np.mean([slow_layers(table) for table in tables], axis=0)
    assert (rate.value, spearman.value) == pytest.approx(tuple(expected))
    assert (rate.n, rate.low < rate.value < rate.high) == (4, True)
    distances = -np.abs(np.subtract.outer(np.arange(5.0), np.arange(5)))[None]
    assert [found.value for found in score_layers(distances)] == [0, pytest.approx(1)]
    with pytest.raises(ValueError, match="three layers or more"):
        score_layers(tables[:, :2, :2])


def test_a_layer_without_a_value_is_a_violation():
    """NaN between two layers is no monotonicity."""
    table = -np.abs(np.subtract.outer(np.arange(5.0), np.arange(5)))
    table[0, 1] = np.nan
    assert score_layers(table[None])[0].value == pytest.approx(3 / 20)


def test_behaviour_differs_by_answers_and_by_probabilities():
    """The share of other answers, and scipy's Jensen-Shannon distance squared: 0 for the same, 1 for opposites."""
    one, other = np.random.default_rng(0).normal(size=(2, 50, 4))
    assert disagreement(one, other) == np.mean([a.argmax() != b.argmax() for a, b in zip(one, other, strict=True)])
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (one, other))
    assert divergence(one, other) == pytest.approx(np.mean(jensenshannon(p, q, base=2, axis=1) ** 2))
    assert divergence(one, one + 7) == pytest.approx(0)
    assert divergence(np.array([[0.0, 900]]), np.array([[900.0, 0]])) == pytest.approx(1)
