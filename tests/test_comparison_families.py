"""Candidates of another family than the twins: which networks make their scale, and what is said where none do."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from modelcheck.comparison import Comparison, compare
from modelcheck.comparison.recognition import find_ceiling_twins
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Finding, judge
from modelcheck.network import normalises
from modelcheck.signature import MapExchange, Signature
from signatures import make_panel, make_signature, show

PANEL = make_panel()
METRICS = ("likeness", "worst_likeness", "map_agreement")


def network(name: str, seed: int, *, family: bool | None = False, sure: float = 6.0) -> Signature:
    """Return a network that takes each of the baseline's maps for its class, more or less surely."""
    made = make_signature(name, panel=PANEL, seed=seed)
    scores = dict.fromkeys(("free", "natural"), np.diag([sure, sure]).astype(np.float32))
    known = {} if family is None else {"normalises": family}
    shown = show(made, make_signature(panel=PANEL))
    exchange = MapExchange(stimuli_sha256=shown.exchange.stimuli_sha256, class_scores=scores)
    return replace(made, model={**made.model, **known}, exchange=exchange)


def of_other_size(made: Signature) -> Signature:
    """Return a network with other kernels: not of the baseline's architecture."""
    model = {**made.model, "parameters": made.model["parameters"] + 64}
    return replace(made, model=model, fingerprint={f"{key}x1": part for key, part in made.fingerprint.items()})


def compared(candidate: Signature, twins: tuple[Signature, ...], *, family: bool | None = False) -> Comparison:
    """Compare a candidate with a baseline that keeps some twins."""
    baseline = make_signature(panel=PANEL)
    known = {} if family is None else {"normalises": family}
    kept = tuple(twin.reduce_to_twin({}) for twin in twins)
    return compare(replace(baseline, model={**baseline.model, **known}, retrained=kept), candidate)


def judged(found: Comparison, *, at_least: float = 0.4) -> list[Finding]:
    """Judge all that is measured on the scale of twins."""
    return [
        judge(found.find(metric, "decision"), Criterion(metric=metric, at_least=at_least, why="as agreed"))
        for metric in METRICS
    ]


PLAIN = tuple(network(f"twin{k}", 20 + k) for k in range(3))
NORMED = tuple(of_other_size(network(f"new{k}", 30 + k, family=True, sure=2.0)) for k in range(3))


@pytest.mark.parametrize("sure", [6.0, 0.0])
def test_a_candidate_of_another_family_than_all_twins_is_inconclusive(sure):
    """However like the twins it answers, or unlike: neither a pass nor a failure, and its family is named."""
    candidate = of_other_size(network("candidate", 9, family=True, sure=sure))
    for row in judged(compared(candidate, PLAIN)):
        assert row.verdict.value == "inconclusive"
        assert row.red
        assert row.measured.off_scale == "normalisation"
        assert "no twin has the candidate's kind of layers: normalisation" in row.sentence()


def test_the_other_way_round_is_inconclusive_too():
    """A plain candidate beside twins that all normalise."""
    candidate = of_other_size(network("candidate", 9))
    twins = tuple(network(f"twin{k}", 20 + k, family=True) for k in range(3))
    rows = judged(compared(candidate, twins, family=True))
    assert {row.measured.off_scale for row in rows} == {"no normalisation"}
    assert {row.verdict.value for row in rows} == {"inconclusive"}


@pytest.mark.parametrize("family", [False, None])
def test_the_same_family_is_judged_in_any_architecture(family):
    """Half, deeper and wider networks are judged by their numbers, and so is one of a record that does not say."""
    candidate = of_other_size(network("candidate", 9, family=family))
    assert [row.verdict.value for row in judged(compared(candidate, PLAIN))] == ["pass"] * 3
    poor = of_other_size(network("candidate", 9, family=family, sure=-6.0))
    assert [row.verdict.value for row in judged(compared(poor, PLAIN))] == ["fail"] * 3


def test_twins_that_do_not_say_judge_as_before():
    """Records from before families were kept lose no verdict."""
    twins = tuple(network(f"twin{k}", 20 + k, family=None) for k in range(3))
    candidate = of_other_size(network("candidate", 9, family=True))
    assert [row.verdict.value for row in judged(compared(candidate, twins, family=None))] == ["pass"] * 3


def test_two_twins_of_its_family_make_its_scale():
    """Their answers alone count: a candidate that answers as they do is at 1, whatever the release's twins answer."""
    candidate = of_other_size(network("candidate", 9, family=True, sure=2.0))
    found = compared(candidate, (*PLAIN, *NORMED[:2]))
    assert [row.verdict.value for row in judged(found)] == ["pass"] * 3
    assert found.metrics["likeness[decision]"] == pytest.approx(1, abs=0.02)
    assert len(found.find("likeness", "decision").ceiling or found.find("recognition", "decision").ceiling) == 2
    one = compared(candidate, (*PLAIN, NORMED[0]))
    assert {row.verdict.value for row in judged(one)} == {"inconclusive"}


def test_twins_of_its_family_move_no_plain_candidate():
    """What is kept for another family leaves the release's own scale alone."""
    candidate = network("candidate", 9)
    one, other = (compared(candidate, twins) for twins in (PLAIN, (*PLAIN, *NORMED)))
    assert [one.metrics[f"{name}[decision]"] for name in METRICS] == [
        other.metrics[f"{name}[decision]"] for name in METRICS
    ]


def test_a_relative_makes_no_scale_for_itself():
    """The candidate under other names is not evidence for it: one twin is left, and one is too few."""
    candidate = of_other_size(network("candidate", 9, family=True))
    copy = replace(candidate, model={**candidate.model, "file": "copy.keras"})
    kept = tuple(twin.reduce_to_twin({}) for twin in (*PLAIN, NORMED[0], copy))
    baseline = replace(make_signature(panel=PANEL), retrained=kept)
    assert find_ceiling_twins(baseline, candidate) == kept[:3]


def test_the_row_of_a_finding_keeps_it():
    """What travels to the document and back is judged the same; a row without it never has the key."""
    candidate = of_other_size(network("candidate", 9, family=True))
    for candidate_, there in ((candidate, True), (network("candidate", 9), False)):
        for row in judged(compared(candidate_, PLAIN)):
            made = row.to_dict()
            assert ("off_scale" in made) == there
            again = Finding.from_dict(made)
            assert judge(again.measured, again.criterion).verdict == row.verdict


def test_the_family_is_a_fact_of_the_record_and_optional(tmp_path):
    """A record without it has the digest that it had."""
    made = make_signature(panel=PANEL)
    assert "normalises" not in made.model
    told = replace(made, model={**made.model, "normalises": True})
    assert told.digest() != made.digest()
    assert made.same_family(told)
    assert not told.same_family(replace(made, model={**made.model, "normalises": False}))


LAYER = keras.layers
NETWORKS = {
    "plain": ([LAYER.Conv2D(2, 3), LAYER.ReLU()], False),
    "separable": ([LAYER.SeparableConv2D(2, 3), LAYER.DepthwiseConv2D(3)], False),
    "prepared": ([LAYER.Rescaling(2.0), LAYER.Normalization(mean=0.5, variance=1.0)], False),
    "batch": ([LAYER.Conv2D(2, 3), LAYER.BatchNormalization()], True),
    "layer": ([LAYER.Conv2D(2, 3), LAYER.LayerNormalization()], True),
    "group": ([LAYER.Conv2D(2, 3), LAYER.GroupNormalization(2)], True),
    "nested": ([keras.Sequential([LAYER.Input((8, 8, 1)), LAYER.Conv2D(2, 3), LAYER.BatchNormalization()])], True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_asked_for_layers_that_normalise_activations(name):
    """Not for what prepares its input, and inside of nested networks as well."""
    layers, expected = NETWORKS[name]
    model = keras.Sequential([LAYER.Input((8, 8, 1)), *layers, LAYER.Flatten(), LAYER.Dense(2)])
    assert normalises(model) == expected
