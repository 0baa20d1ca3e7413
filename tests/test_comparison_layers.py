"""Layer by layer: where each hidden layer stands among its twins, and what is said of one that is not there."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.comparison import METRICS, compare, plan_metric
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.report import write_comparison
from modelcheck.report.calibration import calibration_view
from modelcheck.signature import read_manifest
from signatures import LAYERS, make_panel, make_signature, show

PANEL = make_panel(groups=("straight", "left"))
HIDDEN = ("conv1", "dense1")
LIMIT = Criterion(metric="layer_likeness", at_least=0.8, why="as agreed")


@functools.cache
def alone(layers=LAYERS):
    """Return a baseline without retrained twins, and a candidate with three untrained ones."""
    baseline = make_signature(panel=PANEL, twins=3)
    return baseline, show(make_signature("candidate", panel=PANEL, layers=layers, twins=3, seed=1), baseline)


def pair(values=(), *, layers=LAYERS):
    """Return a pair whose baseline keeps retrained twins that reached these alignments in every hidden layer."""
    baseline, candidate = alone(layers)
    kept = tuple(baseline.reduce_to_twin({f"cka[{name}]": value for name in HIDDEN}) for value in values)
    return replace(baseline, retrained=kept), candidate


@functools.cache
def level(layer="conv1"):
    """Return the candidate's own alignment, and the median of its untrained twins'."""
    item = compare(*pair()).find("cka", layer)
    return item.value, float(np.median(item.floor))


@pytest.mark.slow
def test_a_layer_stands_between_untrained_and_retrained_twins():
    """As alike as retrained twins is 1, as untrained ones 0, half of the way a half; n counts the twins."""
    own, floor = level()
    again = compare(*pair([own - 0.01, own, own + 0.01])).find("layer_likeness", "conv1")
    assert (again.value, again.n) == (pytest.approx(1), 6)
    halfway = compare(*pair([2 * own - floor] * 3)).find("layer_likeness", "conv1")
    assert halfway.value == pytest.approx(0.5, abs=1e-4)
    baseline, candidate = pair([own] * 3)
    learned_nothing = replace(candidate, features=candidate.twins[0].features)
    assert compare(baseline, learned_nothing).metrics["layer_likeness[conv1]"] < 0.4


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-0.03, 0.03), min_size=3, max_size=6), st.floats(-0.1, 0.1))
def test_a_layer_is_alike_within_what_retraining_moves(moves, shift):
    """It could be frozen where its interval, two deviations of retrained twins or half the fallback, reaches 1."""
    own, floor = level()
    values = [own + shift + move for move in moves]
    comparison = compare(*pair(values))
    found, top = comparison.find("layer_likeness", "conv1"), float(np.median(values))
    if math.isnan(found.value):
        return
    spread = max(2 * float(np.std(values, ddof=1)) / (top - floor), METRICS["layer_likeness"].spread / 2)
    assert found.interval[1] - found.value == pytest.approx(spread, abs=1e-4)
    alike = "conv1" in comparison.layers_as_retrained
    if abs(found.interval[1] - 1) > 1e-5:
        assert alike == (found.value + spread >= 1)
    assert ("Alike: could be frozen." in found.evidence) == alike


@pytest.mark.slow
def test_the_report_names_the_layers_that_could_be_frozen(tmp_path):
    """The page's sentence, its layers, the comparison's property and the evidence are one rule."""
    comparison = compare(*pair([level()[0]] * 3))
    alike = [item.about for item in comparison.measures.values() if "could be frozen" in item.evidence]
    assert list(comparison.layers_as_retrained) == alike == calibration_view(comparison)["alike"]
    assert "conv1" in alike
    page = write_comparison(tmp_path, comparison).read_text(encoding="utf-8")
    assert page.count("alike: could be frozen") == len(alike)


def test_a_scale_that_tells_nothing_is_silent():
    """Twins too close to tell: unmeasured without a say, but for a row that names the layer."""
    own, floor = level()
    found = compare(*pair([floor, own, floor])).find("layer_likeness", "conv1")
    assert (math.isnan(found.value), found.silent, found.interval) == (True, True, None)
    assert "too close to tell" in found.evidence
    assert [judge(found, replace(LIMIT, about=about)).red for about in ("*", "conv1")] == [False, True]


@pytest.mark.parametrize("values", [(), (0.9,)], ids=["none", "one"])
def test_without_two_retrained_twins_there_is_no_scale(values):
    """None are planned and none measured without twins; with one the value is missing, and not silent."""
    comparison = compare(*pair(values))
    if values:
        found = judge(comparison.find("layer_likeness", "conv1"), LIMIT)
        assert (found.verdict, found.gating) == (Verdict.UNMEASURED, True)
    else:
        assert not any(metric == "layer_likeness" for metric, _ in comparison.measures)
    assert comparison.layers_as_retrained == ()


def test_a_dead_layer_is_unmeasured_and_not_silent():
    """A layer that answers every picture alike has no alignment: that is the candidate's fault, not the scale's."""
    baseline, candidate = pair([0.9, 0.91, 0.92])
    dead = replace(candidate, features={**candidate.features, "conv1": np.zeros_like(candidate.features["conv1"])})
    found = judge(compare(baseline, dead, layers={"conv1": "conv1"}).find("layer_likeness", "conv1"), LIMIT)
    assert (found.verdict, found.red) == (Verdict.UNMEASURED, True)


@pytest.mark.slow
def test_a_layer_that_is_not_there_has_no_say_while_another_is():
    """Its counterpart is 0 and every other metric silent; where no hidden layer is left none of them is."""
    values = [0.9, 0.91, 0.92]
    for layers, silent in ((LAYERS[:1] + LAYERS[-1:], True), (LAYERS[-1:], False)):
        comparison = compare(*pair(values, layers=layers))
        found = {item.metric: item for item in comparison.about(layer="dense1")}
        assert found.pop("counterpart").value == 0
        assert "layer_likeness" in found
        assert all(math.isnan(item.value) and item.silent == silent for item in found.values())
        assert compare(*pair(values)).metrics["counterpart[dense1]"] == 1


@pytest.mark.slow
def test_what_is_planned_of_layers_is_measured(tmp_path):
    """Likeness of hidden layers is planned where the baseline keeps retrained twins, counterparts always."""
    for values, planned in (([0.9, 0.91], list(HIDDEN)), ([], [])):
        baseline, candidate = pair(values)
        baseline.write(tmp_path / str(len(values)))
        manifest = read_manifest(tmp_path / str(len(values)))
        comparison = compare(baseline, candidate)
        assert plan_metric("layer_likeness", manifest) == planned
        assert plan_metric("counterpart", manifest) == list(HIDDEN)
        measured = [about for metric, about in comparison.measures if metric == "layer_likeness"]
        assert measured == planned
