"""Two networks on one table: what is measured is what is planned, and says what was planted."""

import math
from dataclasses import replace

import numpy as np
import pytest

from modelcheck.comparison import (
    ABOUT,
    CLASSES,
    METRICS,
    NUMBERS,
    CompareError,
    TableComparison,
    compare,
    compare_tables,
    measure_sureness,
    plan_metric,
    possible,
    reduce_table_twin,
    tell_material,
    unit_of,
)
from modelcheck.judgement.criteria import Criterion
from modelcheck.signature import LocalEffect, ProfileExchange, read_manifest
from modelcheck.table_recipe import TableRecipe
from signatures import make_signature
from table_networks import LIGHT, PlantedNetwork, make_table_panel, make_table_signature

PANELS = {
    "two classes": make_table_panel(subjects=12),
    "three classes": make_table_panel(classes=("low", "mid", "high"), missing=9),
    "numbers": make_table_panel(target="numbers"),
    "numbers of subjects": make_table_panel(target="numbers", subjects=12, missing=9),
}
KINDS = pytest.mark.parametrize("kind", PANELS)


def with_twins(panel, *, twins=3):
    """Return a baseline that keeps so many retrained twins, and the network that it is of."""
    baseline = make_table_signature(panel)
    network = PlantedNetwork(n_outputs=len(panel.class_names) or 1)
    again = [
        make_table_signature(panel, network.jitter(k, 0.05), seed=10 + k, stimuli=baseline) for k in range(1, twins + 1)
    ]
    return replace(baseline, retrained=tuple(reduce_table_twin(baseline, twin) for twin in again)), network


@pytest.fixture(scope="module", params=PANELS)
def pair(request):
    """Return a baseline with twins and another network's signature, on each kind of panel."""
    panel = PANELS[request.param]
    baseline, network = with_twins(panel)
    other = replace(network, weights={"x1": 0.5, "x3": 1.0}, name="other")
    return baseline, make_table_signature(panel, other, untrained=2, seed=5, stimuli=baseline)


@pytest.fixture(scope="module")
def compared(pair):
    """Return the comparison of the two."""
    return compare(*pair)


class TestLaws:
    def test_what_is_measured_is_what_is_planned(self, pair, compared, tmp_path):
        """Every metric has a value for exactly what it is planned for from the manifest, none for anything else."""
        pair[0].write(tmp_path / "b")
        manifest = read_manifest(tmp_path / "b")
        planned = {(metric, about) for metric in METRICS for about in plan_metric(metric, manifest)}
        assert compared.measures.keys() == planned
        assert {METRICS[metric].area for metric, _ in planned} >= {"drivers", "effects", "populations", "accuracy"}

    def test_values_lie_in_their_range_and_in_their_interval(self, pair, compared, tmp_path):
        """Values, ends of intervals, baselines and floors are possible ones, and an interval holds its value."""
        pair[0].write(tmp_path / "b")
        manifest = read_manifest(tmp_path / "b")
        for item in compared.measures.values():
            low, high = possible(item.metric, manifest)
            before = [] if item.baseline is None else [item.baseline]
            for end in [item.value, *(item.interval or ()), *before, *item.floor, *item.ceiling]:
                assert math.isnan(end) or low - 1e-6 <= end <= high + 1e-6, item
            if item.interval is not None and math.isfinite(item.value):
                assert item.interval[0] <= item.value <= item.interval[1], item

    def test_everything_has_a_value_where_everything_is_there(self, compared):
        """Of whole signatures nothing is unmeasured but layers whose twins lie too close, and said so."""
        missing = {item.metric for item in compared.measures.values() if not math.isfinite(item.value)}
        assert missing <= {"layer_likeness"}

    def test_sentences_are_sentences(self, compared):
        """Evidence speaks of rows and variables, ends with a point or a command, and names no picture."""
        for item in compared.measures.values():
            assert not item.evidence or item.evidence.endswith((".", "--help")), item.evidence
            assert "picture" not in item.evidence

    def test_observations_are_what_their_unit_says(self, pair, compared):
        """The number behind each value is one that there is of its unit: rows, subjects, columns, sub-populations."""
        baseline = pair[0]
        rows, shown = len(baseline.scores), len(baseline.exchanges["rows"])
        of = CLASSES if baseline.class_names else NUMBERS
        at_most = {"row": rows, "subject": len(baseline.subjects) or rows, "variable": 5, "sub-population": 2}
        at_most |= {"output": len(baseline.class_names) or 2, "twin": 5, "pair of units": 6, "kernel": 2, "layer": 2}
        for item in compared.measures.values():
            unit = unit_of(item.metric, of=of)[0]
            assert item.n is None or 0 < item.n <= at_most[unit], item
        assert compared.find("driver_distance").n == shown

    def test_values_have_six_decimals(self, compared):
        """What machines differ in is cut off."""
        for item in compared.measures.values():
            assert math.isnan(item.value) or item.value == round(item.value, 6)


class TestOfItself:
    @KINDS
    def test_a_network_is_like_itself(self, kind):
        """Nothing changed, everything agrees, and its own profiles make it as happy as they do."""
        panel = PANELS[kind]
        baseline = make_table_signature(panel)
        found = compare(baseline, make_table_signature(panel, stimuli=baseline))
        names = [column.name for column in panel.columns]
        assert found.find("driver_rank_agreement").value == 1
        assert found.find("driver_distance").value == 0
        assert found.find("lineage").value == pytest.approx(1)
        assert found.find("profile_transfer", "decision").value == pytest.approx(1)
        assert all(found.find(metric, x).value == 0 for metric in ("driver_change", "effect_change") for x in names)
        assert sum(found.find("driver_share", x).value for x in names) == pytest.approx(1, abs=1e-5)
        if panel.class_names:
            assert found.find("kappa").value == 1
            assert found.find("accuracy_change").value == 0
        else:
            assert found.find("answer_correlation").value == pytest.approx(1)
            assert found.find("error_change").value == 0
        assert {pair.counterpart for pair in found.profiles[:2]} == {"decision:0", "decision:1"}
        assert all(pair.correlation > 0.999 for pair in found.profiles if math.isfinite(pair.correlation))


class TestPlanted:
    @pytest.mark.parametrize("kind", ["two classes", "three classes", "numbers"])
    def test_the_planted_interaction_is_the_gap_that_is_found(self, kind):
        """The effect of x2 differs between the sexes, that of no other column does."""
        panel = PANELS[kind]
        signature = make_table_signature(panel)
        found = compare(signature, signature)
        gaps = {gap.column: gap for gap in found.gaps}
        assert gaps["x2"].gap > 0.4
        assert gaps["x2"].p_adjusted < 0.01
        assert gaps["x2"].baseline_gap == pytest.approx(gaps["x2"].gap)
        for name in ("x1", "x3", "shift"):
            assert gaps[name].gap < 1e-3
        slopes = [np.polyfit(gaps["x2"].grid, curve[:, -1], 1)[0] for curve in gaps["x2"].curves]
        assert slopes[0] > 0.5 * (1 if kind != "three classes" else 0.9)
        assert abs(slopes[1]) < 1e-4  # of m: x2 moves nothing

    def test_the_gap_is_the_planted_difference_in_deviations_of_the_answers(self):
        """It is the interaction's weight times the spread of its column, in units of the network's own answers."""
        panel = PANELS["numbers"]
        signature = make_table_signature(panel, PlantedNetwork(n_outputs=1))
        [gap] = [gap for gap in compare(signature, signature).gaps if gap.column == "x2"]
        values = panel.values["x2"]
        # The curves are lines of slope 1 and 0, of which six parts are seen.
        assert gap.gap == pytest.approx(values.std() / signature.scores.std(), rel=0.1)

    @pytest.mark.slow
    def test_another_driver_is_seen(self):
        """A network that decides by x3 instead of x1 has other drivers, another order and another effect."""
        baseline, network = with_twins(PANELS["two classes"])
        other = replace(network, weights={"x3": 1.0}, name="other")
        found = compare(baseline, make_table_signature(PANELS["two classes"], other, seed=5))
        assert found.find("driver_distance").value > 3
        assert found.find("driver_rank_agreement").value < 0.5
        assert found.find("driver_share", "x1").value == 0
        assert found.find("driver_share", "x1").baseline > 0.4
        assert found.find("driver_change", "x3").value > 0.4
        changes = {effect.column: effect.change for effect in found.effects}
        assert min(changes["x1"], changes["x3"]) > 0.5
        assert changes["shift"] == 0

    @pytest.mark.slow
    def test_a_network_that_was_trained_again_is_as_far_as_twins(self):
        """Another twin has no other drivers, and its effects are as near as theirs."""
        baseline, network = with_twins(PANELS["two classes"])
        again = make_table_signature(PANELS["two classes"], network.jitter(9, 0.05), seed=19)
        found = compare(baseline, again)
        assert found.find("driver_distance").value < 2.5
        assert found.find("driver_rank_agreement").value > 0.9
        item = found.find("effect_change", "x1")
        assert item.value < 3 * max(item.ceiling)
        assert len(item.ceiling) == 3

    def test_rates_are_those_of_the_rows(self, pair, compared):
        """Accuracy or error of each sub-population follows from the scores alone."""
        baseline, candidate = pair
        truth, sex = baseline.rows["truth"], baseline.groups["sex"]
        for group in compared.groups:
            here = sex == group.population
            if baseline.class_names:
                value = (candidate.scores.argmax(axis=1) == truth)[here].mean()
                assert group.candidate["accuracy"] == pytest.approx(value)
            else:
                value = math.sqrt(np.mean((candidate.scores[here, 0] - truth[here]) ** 2)) / truth.std()
                assert group.candidate["error"] == pytest.approx(value)
            metric = "by_group_accuracy" if baseline.class_names else "by_group_error"
            assert compared.find(metric, f"sex={group.population}").value == pytest.approx(value, abs=1e-6)

    def test_fairness_is_fairlearns(self):
        """Differences between sub-populations are those of fairlearn on the candidate's answers."""
        metrics = pytest.importorskip("fairlearn.metrics")
        panel = PANELS["two classes"]
        candidate = make_table_signature(panel, PlantedNetwork(weights={"x2": 1.0}, words={"sex": {"f": 1.2}}))
        found = compare(make_table_signature(panel), candidate)
        given = {"y_true": panel.truth, "y_pred": candidate.scores.argmax(axis=1)}
        for name in ("demographic_parity_difference", "equalized_odds_difference"):
            value = getattr(metrics, name)(**given, sensitive_features=panel.groups["sex"])
            assert found.find(name, "sex").value == pytest.approx(value, abs=1e-6)
            assert value > 0.1


class TestWhatIsMissing:
    def spoil(self, kind="two classes", **changes):
        panel = PANELS[kind]
        baseline = make_table_signature(panel)
        return compare(baseline, replace(make_table_signature(panel, seed=3), **changes))

    @KINDS
    def test_answers_that_are_nan_are_no_pass(self, kind):
        """Where a score is NaN, answers, effects and rates are unmeasured, and say why."""
        scores = make_table_signature(PANELS[kind]).scores.copy()
        scores[3] = np.nan
        found = self.spoil(kind, scores=scores)
        areas = {"accuracy", "populations", "effects"}
        bad = [item for item in found.measures.values() if METRICS[item.metric].area in areas]
        assert bad
        assert all(math.isnan(item.value) and "NaN or infinity on 1 of 300 rows" in item.evidence for item in bad)
        assert not any(item.silent for item in bad)

    def test_no_exchanges_are_no_drivers(self):
        """Without them every metric of the area says so, and there is nothing to draw."""
        found = self.spoil(exchanges={})
        assert found.drivers is None
        bad = [item for item in found.measures.values() if METRICS[item.metric].area == "drivers"]
        assert len(bad) == 2 + 2 * 5
        assert all("was not shown these exchanged rows" in item.evidence for item in bad)
        recipe = replace(LIGHT, exchange_rows=0)
        none = make_table_signature(PANELS["two classes"], recipe=recipe)
        assert "exchange_rows = 0" in compare(none, none).find("driver_distance").evidence

    def test_a_network_that_nothing_moves_has_no_drivers(self):
        """A constant network answers whatever is put in as before."""
        panel = PANELS["numbers"]
        still = make_table_signature(panel, PlantedNetwork(weights={}, interactions=(), n_outputs=1), seed=4)
        found = compare(make_table_signature(panel), still)
        assert "nothing drives it" in found.find("driver_share", "x1").evidence
        assert "answers every row alike" in found.find("effect_gap", "x1|sex").evidence
        assert "answers every row alike" in found.find("answer_correlation").evidence
        assert math.isnan(compare(still, still).find("effect_change", "x1").value)

    @pytest.mark.slow
    def test_profiles_of_another_network_are_not_taken(self):
        """Not shown, shown another network's, or answered for other outputs: NaN, with the reason."""
        shown = ProfileExchange(profiles_sha256="0" * 64, happiness=np.ones(2), at_rest=np.zeros(2))
        assert "was not shown" in self.spoil().find("profile_transfer", "decision").evidence
        item = self.spoil(exchange=shown).find("profile_transfer", "decision")
        assert math.isnan(item.value)
        assert "another network's profiles" in item.evidence
        own = make_table_signature(PANELS["two classes"]).profiles_sha256()
        other = replace(shown, profiles_sha256=own, happiness=np.ones(3))
        assert "not of these outputs" in self.spoil(exchange=other).find("profile_transfer", "decision").evidence

    @pytest.mark.parametrize("part", ["changes", "edges", "nothing"])
    def test_an_effect_that_cannot_be_compared_is_not(self, part):
        """NaN changes, other parts, and a column that was not asked for."""
        own = make_table_signature(PANELS["two classes"]).effects
        one = own["x1"]
        spoiled = {
            "changes": {**own, "x1": replace(one, changes=one.changes * math.nan)},
            "edges": {**own, "x1": LocalEffect(edges=one.edges + 1, bins=one.bins, changes=one.changes)},
            "nothing": {},
        }[part]
        found = self.spoil(effects=spoiled)
        item = found.find("effect_change", "x1")
        assert math.isnan(item.value)
        assert item.evidence.endswith((".", "again."))
        assert math.isfinite(found.find("effect_change", "x2").value) == (part != "nothing")
        assert math.isfinite(found.find("effect_gap", "x1|sex").value) == (part == "edges")

    def test_bands_of_a_column_have_no_common_support_with_it(self):
        """No network is at fault that nobody is both young and old: it is silent, and says why."""
        panel = make_table_panel()
        # As many rows of each, so that the bands meet where two of six parts do.
        bands = np.where(panel.values["x1"] > np.median(panel.values["x1"]), "high", "low")
        panel = replace(panel, groups={**panel.groups, "band": bands, "rare": ["a"] * 291 + ["b"] * 9})
        signature = make_table_signature(panel)
        found = compare(signature, signature)
        item = found.find("effect_gap", "x1|band")
        assert math.isnan(item.value)
        assert item.silent
        assert math.isfinite(found.find("effect_gap", "x2|band").value)
        small = [group for group in found.groups if not group.measured]
        assert [(group.population, group.n) for group in small] == [("b", 9)]
        assert math.isnan(small[0].candidate["accuracy"])
        with pytest.raises(CompareError, match="too few rows"):
            found.about(population="rare=b")

    def test_a_sub_population_of_one_class_has_no_odds(self):
        """Without a positive row a true positive rate is not known: NaN, which is no pass."""
        panel = make_table_panel()
        words = np.where(panel.truth == 1, "x", np.where(np.arange(300) % 2, "y", "x"))
        signature = make_table_signature(replace(panel, groups={"plan": words}))
        found = compare(signature, signature)
        assert "plan=y has no row of 'yes'" in found.find("equalized_odds_difference", "plan").evidence
        assert math.isnan(found.find("equalized_odds_difference", "plan").value)
        assert math.isfinite(found.find("demographic_parity_difference", "plan").value)

    def test_a_target_without_spread_has_no_errors(self):
        """Of a constant target the unit of errors is nothing."""
        panel = make_table_panel(target="numbers")
        signature = make_table_signature(replace(panel, truth=np.ones(300)))
        found = compare(signature, signature)
        for metric, about in (("error", ""), ("error_difference", "sex"), ("by_group_error", "sex=f")):
            assert math.isnan(found.find(metric, about).value)
            assert "same in every row" in found.find(metric, about).evidence


class TestAsking:
    def test_two_that_differ_are_refused(self):
        """Another recipe, panel, target, class or column is an error that names it."""
        panel = PANELS["two classes"]
        baseline = make_table_signature(panel)
        for what, changes in {
            "recipe": {"recipe": TableRecipe()},
            "panel": {"panel_digest": "other"},
            "target": {"target": "sold"},
            "classes": {"class_names": ("yes", "no")},
            "columns": {"columns": baseline.columns[::-1]},
        }.items():
            with pytest.raises(CompareError, match=f"differ in their {what}"):
                compare_tables(baseline, replace(baseline, **changes))

    def test_kinds_are_not_mixed(self, tmp_path):
        """A network on pictures is not compared with one on a table, in either order, and not from folders."""
        table, pictures = make_table_signature(), make_signature()
        for pair in ((table, pictures), (pictures, table)):
            with pytest.raises(CompareError, match="measured on a table, and the other one on pictures"):
                compare(*pair)
        with pytest.raises(CompareError, match="no source"):
            compare(table, table, source=table)
        table.write(tmp_path / "t")
        found = compare(tmp_path / "t", str(tmp_path / "t"))
        assert isinstance(found, TableComparison)
        assert found.find("kappa").value == 1

    def test_all_that_was_measured_of_one_thing(self, compared):
        """Each kind of thing that a table has is found by its name, with all of its metrics."""
        names = {"column": "x2", "effect": "x2|sex", "population": "sex=f", "division": "sex", "layer": "dense"}
        for sort, name in names.items():
            found = {item.metric for item in compared.about(**{sort: name})}
            of_that = {metric for metric, row in METRICS.items() if ABOUT[row.domain] == sort}
            assert found == {metric for metric, about in compared.measures if about == name} & of_that
            assert found
        for wrong in ({}, {"column": "x2", "layer": "dense"}):
            with pytest.raises(CompareError, match="Name exactly one of column, effect"):
                compared.about(**wrong)
        with pytest.raises(CompareError, match=r"Did you mean 'x2\|sex'"):
            compared.about(effect="x2|sec")

    def test_questions_that_have_no_answer_say_so(self, compared):
        """A mistyped metric, a mistyped column, and a metric of pictures."""
        with pytest.raises(CompareError, match="Did you mean 'driver_share'"):
            compared.find("driver_shar")
        with pytest.raises(CompareError, match="was not measured for 'x9'"):
            compared.find("driver_share", "x9")
        with pytest.raises(CompareError, match="asked of others"):
            compared.find("recognition", "decision")
        if not compared.subjects:
            with pytest.raises(CompareError, match="no subjects"):
                compared.about(subject="p00")

    def test_a_table_has_a_row_for_each_column(self, compared):
        """Drivers, effects and gaps of one column stand in one row."""
        table = compared.table()
        assert table.index.tolist() == [column.name for column in compared.baseline.columns]
        assert table.loc["x2", "effect_gap|sex"] == compared.find("effect_gap", "x2|sex").value
        assert math.isnan(table.loc["sex", "effect_gap|sex"])
        np.testing.assert_allclose(table["driver_share"] - table["baseline_share"], table["driver_change"], atol=2e-6)

    def test_a_notebook_shows_the_drivers(self, compared):
        """The first numbers and every variable stand in the HTML, as text."""
        shown = compared._repr_html_()
        assert all(f">{column.name}<" in shown for column in compared.baseline.columns)
        assert "Driver distance" in shown
        assert ("subjects" in shown) == bool(compared.subjects)

    def test_layers_that_are_taken_out_are_left_out(self):
        """What the configuration takes out on purpose is not measured; where all is missing it is not silent."""
        signature = make_table_signature()
        found = compare(signature, signature, layers={"dense": None})
        assert not [about for _, about in found.measures if about == "dense"]
        flat = make_table_signature(hidden=0)
        alone = compare(signature, flat)
        assert alone.find("counterpart", "dense").value == 0
        assert math.isnan(alone.find("cka", "dense").value)
        assert not alone.find("cka", "dense").silent

    @pytest.mark.slow
    def test_twins_are_kept_with_how_they_compare(self):
        """A twin's reduced signature holds every metric of its comparison, and it is the ceiling of later ones."""
        baseline, _ = with_twins(PANELS["two classes"])
        twin = baseline.retrained[0]
        assert {"driver_share[x1]", "effect_gap[x2|sex]", "kappa", "profile_transfer[decision]"} <= twin.against.keys()
        found = compare(baseline, make_table_signature(PANELS["two classes"], seed=8))
        assert found.find("effect_gap", "x2|sex").ceiling == tuple(
            twin.against["effect_gap[x2|sex]"] for twin in baseline.retrained
        )
        assert "of the baseline's 3 twins are" in found.find("driver_share", "x1").evidence

    def test_sureness_of_rows_is_that_of_pictures(self):
        """The smallest drop that a limit finds red is found of subjects and classes, and of no number."""
        limits = [Criterion(metric=name, at_least=-0.1, why="Agreed.") for name in ("subject_change", "class_change")]
        found = measure_sureness(make_table_signature(PANELS["two classes"]), limits)
        assert {row.about for row in found} >= {"yes", "no", "p00"}
        assert measure_sureness(make_table_signature(PANELS["numbers of subjects"]), limits) == ()


def test_rates_of_two_classes_are_planned_for_two_alone():
    """Of three classes none is the positive one, and no picture is asked for what tables are."""
    manifest = {
        "kind": "table",
        "class_names": ["a", "b"],
        "layers": [],
        "recipe": {"attribution_methods": []},
        "retrained": [],
        "subjects": [],
        "divisions": ["sex"],
    }
    assert plan_metric("equalized_odds_difference", manifest) == ["sex"]
    assert plan_metric("equalized_odds_difference", {**manifest, "class_names": ["a", "b", "c"]}) == []
    assert plan_metric("error_difference", manifest) == []
    assert tell_material({**manifest, "class_names": []}) == NUMBERS
