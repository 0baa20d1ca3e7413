"""What the answers to rows of a table tell: held against closed forms, slow loops, and another library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.answers.tables import (
    ask_with,
    choose_donors,
    choose_rows,
    exchange_columns,
    find_profiles,
    make_asker,
    measure_effects,
    read_decision,
    shuffle_columns,
)
from modelcheck.metrics.tables.encoding import decode_rows, encode_rows, find_typical_row, list_trials
from modelcheck.panel import Column, TablePanel
from modelcheck.runtimes import NetworkError
from table_networks import LIGHT, PlantedNetwork, make_table_panel, make_table_signature

SUM = PlantedNetwork(weights={"x1": 2.0, "x2": -1.0}, words={"shift": {"night": 3.0}}, interactions=())
KINDS = {
    "two classes": make_table_panel(60, seed=1),
    "three classes": make_table_panel(60, seed=2, classes=("a", "b", "c"), subjects=15),
    "numbers": make_table_panel(60, seed=3, target="numbers"),
    "missing": make_table_panel(60, seed=4, missing=7),
}


def start(panel, network=SUM):
    """Return the network as a function of encoded rows, and the panel's rows."""
    outputs = len(panel.class_names) or 1
    made = PlantedNetwork(network.weights, network.words, network.interactions, n_outputs=outputs)
    return make_asker(made, panel.columns), encode_rows(panel.values, panel.columns)


@pytest.mark.parametrize("panel", KINDS.values(), ids=KINDS)
def test_rows_are_decoded_as_they_were_encoded(panel):
    """Encoding loses nothing, what is missing included."""
    columns = panel.columns
    for name, part in decode_rows(encode_rows(panel.values, columns), columns).items():
        np.testing.assert_array_equal(part, panel.values[name])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), at=st.sampled_from(sorted(KINDS)))
def test_rows_and_donors_are_spread_and_belong_to_others(seed, count, at):
    """Fewer rows are among more, classes have alike many, and donors are of other classes and subjects."""
    panel = KINDS[at]
    rows = choose_rows(panel, count, seed=seed)
    assert len(rows) == min(count, len(panel))
    assert set(rows) <= set(choose_rows(panel, count + 5, seed=seed))
    donors = choose_donors(panel, rows, seed=seed)
    if panel.class_names:
        counts = np.bincount(panel.truth[rows], minlength=len(panel.class_names))
        assert counts.max() - counts.min() <= 1 or count > 50
        assert (panel.truth[donors] != panel.truth[rows][:, None]).all()
    assert (panel.independent[donors] != panel.independent[rows][:, None]).all()
    np.testing.assert_array_equal(choose_donors(panel, rows[-1:], seed=seed)[0], donors[-1])


def test_subjects_come_before_second_rows_of_any():
    """As many rows as there are subjects in each class are of as many subjects."""
    panel = make_table_panel(120, subjects=6)
    rows = choose_rows(panel, 12, seed=0)
    kinds = set(zip(panel.truth[rows].tolist(), panel.subjects[rows].tolist(), strict=True))
    assert len(kinds) == 12


@pytest.mark.parametrize("panel", KINDS.values(), ids=KINDS)
def test_falls_are_those_of_a_slow_loop(panel):
    """Each fall is what one changed row gives, asked alone."""
    ask, encoded = start(panel)
    scores = ask(encoded)
    found = exchange_columns(ask, panel, encoded, scores=scores, count=12, seed=5)
    for m, row in enumerate(found["rows"]):
        for k, donor in enumerate(found["donors"][m]):
            for column in range(encoded.shape[1]):
                changed = encoded[row].copy()
                changed[column] = encoded[donor, column]
                before, after = scores[row], ask(changed[None])[0]
                own, other = (panel.truth[row], panel.truth[donor]) if panel.class_names else (0, 0)
                fall = (before[own] - before[other]) - (after[own] - after[other])
                expected = fall if panel.class_names else after[0] - before[0]
                assert found["falls"][m, column, k] == pytest.approx(expected, abs=1e-4)


def test_falls_of_a_sum_are_differences_times_weights():
    """In closed form: of two classes a fall is the weight times the difference, with the sign of the row's class."""
    panel = KINDS["two classes"]
    ask, encoded = start(panel)
    found = exchange_columns(ask, panel, encoded, scores=ask(encoded), count=20, seed=0)
    difference = encoded[found["rows"]][:, None, :2] - encoded[found["donors"]][..., :2]
    sign = np.where(panel.truth[found["rows"]] == 1, 1.0, -1.0)[:, None]
    np.testing.assert_allclose(found["falls"][:, 0], 2.0 * sign * difference[..., 0], atol=1e-4)
    np.testing.assert_allclose(found["falls"][:, 1], -1.0 * sign * difference[..., 1], atol=1e-4)
    assert not found["falls"][:, [2, 4]].any()


def test_one_class_exchanges_nothing():
    """Where all rows are of one class, or none are asked for, there is nothing to exchange."""
    panel = TablePanel({"age": [1.0, 2.0, 3.0]}, [0, 0, 0], target="t", class_names=("no", "yes"))
    ask, encoded = (lambda rows: np.zeros((len(rows), 2))), encode_rows(panel.values, panel.columns)
    assert exchange_columns(ask, panel, encoded, scores=ask(encoded), count=3, seed=0) == {}
    ask, encoded = start(KINDS["numbers"])
    assert exchange_columns(ask, KINDS["numbers"], encoded, scores=ask(encoded), count=0, seed=0) == {}


@pytest.mark.parametrize("panel", KINDS.values(), ids=KINDS)
def test_the_effect_of_a_sum_is_its_slope(panel):
    """Numbers: the change over a part is the weight times its width; categories: the weight less the mean of all."""
    ask, encoded = start(panel)
    effects = measure_effects(ask, encoded, panel.columns, bins=5)
    for name, weight in (("x1", 2.0), ("x2", -1.0), ("x3", 0.0)):
        effect = effects[name]
        there = effect.bins >= 0
        np.testing.assert_array_equal(there, ~np.isnan(panel.values[name]))
        widths = np.diff(effect.edges)[effect.bins[there]]
        np.testing.assert_allclose(
            effect.changes[there, -1], weight * widths * (effect.changes.shape[1] - 1 or 1), atol=1e-4
        )
        assert not effect.changes[~there].any()
        inside = panel.values[name][there]
        assert (effect.edges[effect.bins[there]] <= inside).all()
        assert (inside <= effect.edges[effect.bins[there] + 1]).all()
    shift = effects["shift"]
    expected = np.array([-1.0, -1.0, 2.0]) * (shift.changes.shape[2] - 1 or 1)
    there = shift.bins >= 0
    np.testing.assert_allclose(shift.changes[there][..., -1], np.broadcast_to(expected, (there.sum(), 3)), atol=1e-4)
    assert not shift.changes[~there].any()


def test_a_column_that_never_varies_moves_nothing():
    """It has one part of no width, and one category; one that is always missing has none."""
    values = {"same": np.full(5, 3.0), "gone": np.full(5, np.nan), "word": np.array(["a"] * 5)}
    columns = [Column.seen(name, part) for name, part in values.items()]
    encoded = encode_rows(values, columns)
    effects = measure_effects(lambda rows: rows[:, :1] ** 2, encoded, columns, bins=4)
    assert effects["same"].edges.tolist() == [3.0, 3.0]
    assert not any(effect.changes.any() for effect in effects.values())
    assert effects["gone"].edges.size == 0
    assert (effects["gone"].bins == -1).all()
    typical = find_typical_row(encoded, columns)
    found = find_profiles(
        lambda rows: rows[:, :1], encoded, typical=typical, trials=list_trials(encoded, columns, most=4), starts=2
    )
    np.testing.assert_array_equal(found.rows, [[3.0, np.nan, 0.0]])


def test_effects_are_those_of_effector():
    """The curve that adds the changes up is effector's accumulated local effect, on parts of equal width."""
    effector = pytest.importorskip("effector", reason="effector is not installed: pip install 'modelcheck[tables]'")
    draw = np.random.default_rng(0)
    grid = np.linspace(0, 1, 241)
    rows = np.stack([grid, draw.permutation(grid)], axis=1)
    columns = [Column.seen(name, rows[:, k]) for k, name in enumerate(("a", "b"))]

    def ask(given):
        return (np.sin(4 * given[:, :1]) * (1 + given[:, 1:])).astype(np.float64)

    effect = measure_effects(ask, rows, columns, bins=12)["a"]
    np.testing.assert_allclose(np.diff(effect.edges), 1 / 12, atol=1e-9)
    found = np.cumsum([0.0, *(effect.changes[effect.bins == part, 0].mean() for part in range(12))])
    theirs = effector.ALE(rows, lambda given: ask(given)[:, 0], axis_limits=np.array([[0.0, 0.0], [1.0, 1.0]]))
    theirs.fit(features=0, centering=True, binning_method=effector.axis_partitioning.Fixed(nof_bins=12))
    expected = theirs.eval(0, effect.edges, centering=True)
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=0.02)
    assert np.ptp(found) > 1.0


@pytest.mark.parametrize("panel", KINDS.values(), ids=KINDS)
def test_the_profile_of_a_sum_is_a_corner(panel):
    """Of a linear network it has the end of every range that matters, and is typical in what does not."""
    ask, encoded = start(panel)
    columns = panel.columns
    typical, trials = find_typical_row(encoded, columns), list_trials(encoded, columns, most=6)
    found = find_profiles(lambda rows: ask(rows)[:, -1:], encoded, typical=typical, trials=trials, starts=3)
    x1, x2 = (panel.values[name] for name in ("x1", "x2"))
    corner = typical.copy()
    corner[:2], corner[3] = (x1.max(), x2.min()), 2.0  # night
    np.testing.assert_allclose(found.rows[0], corner)
    at_rest = ask(typical[None])[0, -1]
    lone = [ask(np.where(np.arange(5) == k, typical, corner)[None])[0, -1] for k in range(5)]
    np.testing.assert_allclose(found.gains[0], found.happiness[0] - np.array(lone), atol=1e-4)
    assert found.at_rest[0] == pytest.approx(at_rest)
    assert found.gains[0, [2, 4]].tolist() == [0.0, 0.0]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), units=st.integers(1, 4))
def test_a_profile_is_at_least_as_happy_as_any_row_it_starts_from(seed, units):
    """Within what was seen, and no single value makes it much happier: an optimum, but for what was put back."""
    draw = np.random.default_rng(seed)
    rows, mix = draw.normal(size=(30, 4)), draw.normal(size=(4, 6))
    out = draw.normal(size=(6, units))
    columns = [Column.seen(f"c{k}", part) for k, part in enumerate(rows.T)]

    def ask(given):
        return np.tanh(given @ mix) @ out

    typical, trials = find_typical_row(rows, columns), list_trials(rows, columns, most=5)
    found = find_profiles(ask, rows, typical=typical, trials=trials, starts=4)
    slack = 0.05 * (found.happiness - found.at_rest) / 0.95 + 1e-4
    assert (found.happiness + slack >= np.maximum(ask(rows).max(axis=0), ask(typical[None])[0])).all()
    for unit in range(units):
        for column, values in enumerate(trials):
            assert found.rows[unit, column] in values or found.rows[unit, column] in rows[:, column]
            best = ask_with(ask, found.rows[[unit]], column, values)[0, :, unit].max()
            assert best <= found.happiness[unit] + 3 * slack[unit] + 0.05
    again = find_profiles(ask, rows, typical=typical, trials=trials, starts=4)
    np.testing.assert_array_equal(again.rows, found.rows)


def test_many_columns_that_hardly_matter_each_matter_together():
    """Of two hundred columns alike none brings a hundredth, and the profile keeps nearly all that they bring."""
    rows = np.random.default_rng(0).normal(size=(50, 200))
    columns = [Column.seen(f"c{k}", part) for k, part in enumerate(rows.T)]
    found = find_profiles(
        lambda given: given.sum(axis=1, keepdims=True),
        rows,
        typical=find_typical_row(rows, columns),
        trials=list_trials(rows, columns, most=3),
        starts=1,
    )
    gained = rows.max(axis=0).sum() - found.at_rest[0]
    assert 0.94 * gained < found.happiness[0] - found.at_rest[0] < gained


@pytest.mark.parametrize("panel", KINDS.values(), ids=KINDS)
def test_shuffles_are_those_of_a_slow_loop(panel):
    """A column that nothing depends on loses nothing; the others what recalls, or errors, computed by hand lose."""
    ask, encoded = start(panel)
    scores = ask(encoded)
    found = shuffle_columns(ask, panel, encoded, scores=scores, shuffles=3, seed=2)
    assert found.shape == (5, 3)
    assert not found[[2, 4]].any()

    def wrong(answers):
        if not panel.class_names:
            return np.sqrt(np.mean((answers[:, 0] - panel.truth) ** 2)) / np.std(panel.truth)
        return 1 - np.mean([(answers[panel.truth == k].argmax(axis=1) == k).mean() for k in set(panel.truth.tolist())])

    order = np.random.Generator(np.random.Philox(key=[2, (10 << 40) + 1])).permutation(len(panel))
    changed = encoded.copy()
    changed[:, 0] = changed[order, 0]
    assert found[0, 1] == pytest.approx(wrong(ask(changed)) - wrong(scores), abs=1e-5)
    assert shuffle_columns(ask, panel, encoded, scores=scores, shuffles=0, seed=2).size == 0


def test_classes_lead_and_numbers_are_high_or_low():
    """A class is as happy as it leads the strongest other; ties lead by nothing."""
    scores = np.array([[1.0, 4.0, 2.0], [3.0, 3.0, 0.0]])
    np.testing.assert_array_equal(read_decision(scores, classes=True), [[-3, 2, -2], [0, 0, -3]])


def test_answers_that_are_none_are_refused():
    """NaN and infinity are said to be so, with the columns that such rows miss."""
    panel = KINDS["missing"]

    class Deaf(PlantedNetwork):
        def scores(self, values):
            return super().scores(values) + np.where(np.isnan(values["x3"]), np.nan, 0.0)[:, None].astype(np.float32)

    with pytest.raises(NetworkError, match=r"on 7 of 60 rows, all of which miss a value, of 'x3', 'shift'"):
        make_asker(Deaf(), panel.columns)(encode_rows(panel.values, panel.columns))
    with pytest.raises(NetworkError, match="Look at its weights"):
        make_asker(PlantedNetwork({"x1": np.inf}, n_outputs=1), panel.columns)(encode_rows(panel.values, panel.columns))


def test_planted_drivers_are_found():
    """The interaction is seen where it is: the effect of x2 is there for one group, and none for the other."""
    panel = make_table_panel(300)
    signature = make_table_signature(panel, recipe=LIGHT, untrained=1, retrained=1)
    falls = np.abs(signature.exchanges["falls"]).mean(axis=(0, 2))
    assert falls.argsort()[::-1][:3].tolist() == [0, 1, 4]
    effect = signature.effects["x2"]
    slopes = effect.changes[:, 1] / np.diff(effect.edges)[effect.bins]
    np.testing.assert_allclose(slopes, panel.groups["sex"] == "f", atol=1e-4)
    assert signature.twins[0].scores.shape == signature.scores.shape
    assert signature.retrained[0].layers == (signature.decision,)
