"""Matching: the best pairs, whatever the order; never a pair that could not be compared."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.matching import align, match


def best_sum(scores):
    """Try every assignment of the shorter side."""
    n, m = scores.shape
    if n > m:
        return best_sum(scores.T)
    return max(sum(scores[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(m), n))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 5))
def test_pairs_have_the_largest_sum(seed, n, m):
    """The pairs are the best of all assignments, found by trying every one."""
    scores = np.random.default_rng(seed).uniform(-1, 1, (n, m))
    matching = match(scores, range(n), range(m))
    assert sum(pair.score for pair in matching.pairs) == pytest.approx(best_sum(scores))
    assert len(matching.pairs) == min(n, m)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_permuting_channels_changes_no_score(seed):
    """Shuffling the candidate's channels shuffles the partners and nothing else."""
    generator = np.random.default_rng(seed)
    scores, order = generator.uniform(-1, 1, (5, 5)), generator.permutation(5)
    before, after = match(scores, range(5), range(5)), match(scores[:, order], range(5), range(5))
    assert after.mean == pytest.approx(before.mean)
    assert {(p.baseline, order[p.candidate]) for p in after.pairs} == {(p.baseline, p.candidate) for p in before.pairs}


def test_what_cannot_be_compared_is_no_pair():
    """A unit without a map finds no partner and is listed."""
    scores = np.array([[0.2, np.nan], [np.nan, np.nan]])
    matching = match(scores, [10, 11], [20, 21])
    assert [(p.baseline, p.candidate) for p in matching.pairs] == [(10, 20)]
    assert (matching.unmatched_baseline, matching.unmatched_candidate) == ((11,), (21,))
    assert np.isnan(match(np.full((1, 1), np.nan), [0], [0]).mean)


def most_pairs(known):
    """Try every assignment and count the pairs that can be compared."""
    n = len(known)
    return max(sum(known[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(n)))


@given(st.integers(0, 2**31), st.integers(2, 5), st.floats(0.01, 1e6), st.floats(-1e6, 1e6))
def test_no_score_leaves_a_unit_alone(seed, n, scale, middle):
    """As many units find a partner as can, whatever the scores are and on whatever scale."""
    generator = np.random.default_rng(seed)
    scores = generator.choice([-1.0, 1.0], (n, n)) * scale + middle
    scores[generator.random((n, n)) < 0.4] = np.nan
    assert len(match(scores, range(n), range(n)).pairs) == most_pairs(np.isfinite(scores))


def test_many_good_pairs_do_not_buy_a_missing_one():
    """Thirteen units: all can be paired, though badly; twelve perfect pairs and an empty one would sum to more."""
    n = 13
    scores = np.full((n, n), np.nan)
    rows = np.arange(n)
    scores[rows, rows], scores[rows, (rows + 1) % n] = 1.0, -1.0
    scores[0, 0] = np.nan
    assert len(match(scores, rows, rows).pairs) == n


def test_classes_are_paired_by_index():
    """Decision neurons keep their class even where another would score higher."""
    scores = np.array([[0.1, 0.9], [0.9, 0.1]])
    matching = match(scores, [0, 1], [0, 1], by_index=True)
    assert {(p.baseline, p.candidate) for p in matching.pairs} == {(0, 0), (1, 1)}
    assert matching.mean == pytest.approx(0.1)


def test_scores_must_fit_the_units():
    """A table of another size is refused."""
    with pytest.raises(ValueError, match="Scores of shape"):
        match(np.zeros((2, 2)), [0], [0, 1])


def test_worst_pairs_come_first():
    """The first pair is the one to look at."""
    scores = np.diag([0.9, 0.1, 0.5])
    assert [p.baseline for p in match(scores, range(3), range(3)).pairs] == [1, 2, 0]


def slow_align(n, m, likeness):
    """Try every monotone pairing."""
    best = -1.0
    for size in range(min(n, m) + 1):
        for rows in itertools.combinations(range(n), size):
            for columns in itertools.combinations(range(m), size):
                values = [likeness[i][j] for i, j in zip(rows, columns, strict=True)]
                if None not in values:
                    best = max(best, sum(values) + 1e-3 * size)
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 4))
def test_alignment_is_the_best_in_order(seed, n, m):
    """Layers are paired in order with the largest sum, found by trying every monotone pairing."""
    generator = np.random.default_rng(seed)
    table = [[None if generator.random() < 0.2 else float(generator.random()) for _ in range(m)] for _ in range(n)]
    own, other = [f"a{i}" for i in range(n)], [f"b{j}" for j in range(m)]
    found = align(own, other, lambda one, another: table[int(one[1:])][int(another[1:])])
    pairs = [(i, other.index(found[name])) for i, name in enumerate(own) if found[name] is not None]
    assert pairs == sorted(pairs)
    assert len({j for _, j in pairs}) == len(pairs)
    total = sum(table[i][j] + 1e-3 for i, j in pairs)
    assert total == pytest.approx(slow_align(n, m, table))
