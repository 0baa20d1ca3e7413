"""A comparison: counterparts in order, people counted once, and no say for a method that did not earn it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.compare import METRICS, compare, planned
from modelcheck.criteria import Verdict, judge
from modelcheck.signature import read_manifest
from signatures import make_panel, make_signature

PANEL = make_panel(groups=("straight", "left"))


def pair(**changes):
    """Return a baseline and a candidate on one panel, the candidate changed as told."""
    return make_signature(panel=PANEL, seed=1), make_signature("candidate", panel=PANEL, **{"seed": 2, **changes})


def test_every_planned_metric_is_measured(tmp_path):
    """What the manifest says must be measured is what a comparison measures: no key is missing, none is extra."""
    baseline, candidate = pair()
    baseline.write(tmp_path / "b")
    manifest = read_manifest(tmp_path / "b")
    keys = {f"{metric}[{about}]" if about else metric for metric in METRICS for about in planned(metric, manifest)}
    assert set(compare(baseline, candidate).metrics) == keys


def test_more_learned_is_more_alike():
    """A candidate that shares more with the baseline scores higher in every map statistic."""
    close, far = (compare(*pair(learned=learned)).metrics for learned in (0.95, 0.2))
    for key in ("coarse_similarity[decision]", "coarse_ssim[decision]", "map_ssim[conv1]"):
        assert close[key] > far[key], key


def test_a_layer_without_counterpart_is_unmeasured():
    """Where the candidate has no dense layer every metric of it is NaN and says how to acknowledge that."""
    layers = (("conv1", "conv", 4), ("decision", "decision", 2))
    comparison = compare(*pair(layers=layers))
    measured = comparison.measured("mapped_units", "dense1")
    assert math.isnan(measured.value)
    assert "dense1 = false" in measured.evidence
    assert comparison.table().loc["dense1", "candidate"] is None or comparison.table()["candidate"].isna()["dense1"]


def test_renamed_layers_are_found_by_their_activations():
    """Names do not matter: layers of one kind are aligned in order."""
    layers = (("stem", "conv", 4), ("head", "dense", 6), ("out", "decision", 2))
    comparison = compare(*pair(layers=layers))
    assert [layer.candidate.name for layer in comparison.layers] == ["stem", "head", "out"]


def test_dead_units_are_counted_and_never_similar():
    """Units without a map lower mapped_units and are listed without a partner."""
    baseline, candidate = pair(dead=(("conv1", 0), ("conv1", 2)))
    comparison = compare(baseline, candidate)
    assert comparison.metrics["mapped_units[conv1]"] == 0.5
    assert set(comparison.layers[0].matching.unmatched_candidate) == {0, 2}


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)))
def test_permuting_units_changes_no_score(order):
    """A candidate with its dense units in another order has the same scores."""
    baseline, candidate = pair()
    order = list(order)
    shuffled = replace(
        candidate,
        maps={**candidate.maps, "dense1": candidate.maps["dense1"][order]},
        features={**candidate.features, "dense1": candidate.features["dense1"][..., order]},
        activations={**candidate.activations, "dense1": candidate.activations["dense1"][order]},
        twins=(),
    )
    one, other = (compare(baseline, side).metrics for side in (replace(candidate, twins=()), shuffled))
    for key in ("map_ssim[dense1]", "activation_correlation[dense1]", "cka[dense1]"):
        assert one[key] == pytest.approx(other[key]), key


def test_people_are_judged_on_their_own():
    """One person on whom the candidate fails shows, and the group counts that person once."""
    comparison = compare(*pair(accuracy={"ada": 0.0, "ben": 1.0, "eve": 1.0}))
    assert comparison.metrics["subject_accuracy[ada]"] == 0
    assert comparison.metrics["subject_change[ada]"] == -1
    assert comparison.metrics["group_accuracy"] == pytest.approx(2 / 3)
    assert comparison.metrics["accuracy_change"] == pytest.approx(-1 / 3)


def test_attention_that_left_the_face_shows():
    """Less mass inside the region means a lower lift and a negative change, with the worst pictures by name."""
    comparison = compare(*pair(inside=0.2))
    measured = comparison.measured("mass_change", "left")
    assert measured.value < -0.2
    assert "Least inside: " in measured.evidence
    assert "Outside, most lies" in measured.evidence


def test_a_map_that_ignores_the_weights_has_no_say():
    """A method whose maps are those of the untrained twins is unmeasured in every group, and so never a pass."""
    baseline, candidate = pair()
    same = tuple(replace(twin, attributions=candidate.attributions) for twin in candidate.twins)
    comparison = compare(baseline, replace(candidate, twins=same))
    assert comparison.metrics["randomisation[smoothgrad]"] == pytest.approx(1)
    measured = comparison.measured("mass_lift", "left")
    assert math.isnan(measured.value)
    assert "did not earn its say" in measured.evidence


def test_a_ranking_no_better_than_chance_has_no_say():
    """A method whose first pixels matter no more than random ones is unmeasured."""
    baseline, candidate = pair()
    flat = dict.fromkeys(candidate.flipping, candidate.flipping["random"])
    comparison = compare(baseline, replace(candidate, flipping=flat))
    assert comparison.metrics["flipping_gain[smoothgrad]"] == 0
    assert math.isnan(comparison.metrics["pointing[left]"])
    assert math.isnan(compare(baseline, replace(candidate, flipping={})).metrics["mass_lift[left]"])


def test_without_regions_or_twins_nothing_is_claimed():
    """No region, no claim about attention; no untrained twin, no lift."""
    bare = make_panel(groups=("straight", "left"), regions=False)
    baseline, candidate = (make_signature(panel=bare, seed=seed) for seed in (1, 2))
    assert math.isnan(compare(baseline, candidate).metrics["mass_over_area[left]"])
    baseline, candidate = pair(twins=0)
    assert math.isnan(compare(baseline, candidate).metrics["mass_lift[left]"])


def test_the_band_of_the_decision_is_inconclusive():
    """A transfer just below its limit is inconclusive, far below it fails: the interval is what retraining moves."""
    comparison = compare(*pair())
    measured = comparison.measured("transfer", "decision")
    from modelcheck.criteria import Criterion

    def verdict(limit):
        criterion = Criterion(metric="transfer", at_least=limit, why="test")
        return judge(measured.value, criterion, interval=measured.interval).verdict

    assert verdict(measured.value - 0.01) is Verdict.PASS
    assert verdict(measured.value + 0.05) is Verdict.INCONCLUSIVE
    assert verdict(measured.value + 0.2) is Verdict.FAIL
