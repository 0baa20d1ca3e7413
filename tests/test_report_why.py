"""Why a candidate did not pass: a sentence for each family of failures, from values alone."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.comparison import AREAS, METRICS
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.judgement.measured import Measured
from modelcheck.report.opening import choose_classes, opening_view
from modelcheck.report.why import explain
from reports import CORPUS, make_case, make_shipped_case


@pytest.fixture(scope="module")
def case():
    return make_case()


def failure(metric, *, about=None, value=0.5, **more):
    """Return a finding that failed, of the metric's kind of thing."""
    abouts = {"layer": "conv1", "class_name": "left", "effect": "age|sex", "": ""}
    about = abouts.get(METRICS[metric].about, "ada") if about is None else about
    rule = Criterion(metric=metric, at_least=value + 0.1, why="as agreed")
    return judge(Measured(metric=metric, about=about, value=value, n=8, **more), rule)


SENTENCES = {
    "subject_accuracy": "It is right on 50 % of the pictures of ada, the baseline on 100 %.",
    "class_accuracy": "It has 50 % of 'left' right (the baseline 100 %).",
    "group_accuracy": "Over 8 subjects it is right 50 % of the time; the baseline 100 %.",
    "trigger": "A small sticker moves its answer 0.50 times as far",
    "place_distance": "It decides by other parts of the picture",
    "mass_over_area": "On 'ada' pictures it looks past the region where the evidence is",
    "likeness": "It does not know the pictures that make the baseline surest: likeness of conv1 0.50 < 0.6",
    "layer_likeness": "Inside, conv1 looks for other things than in the baseline",
    "mapped_units": "In conv1 only 50 % of 8 units react to any picture",
    "randomisation": "The maps of ada say little about this network",
    "source_agreement": "The file is not what its source is",
    "driver_share": "ada holds 50 % of what decides its answers (the baseline 100 %).",
    "effect_gap": "age moves its answers differently by sex",
    "accuracy_difference": "By ada it is not the same for everyone",
}


@pytest.mark.parametrize("metric", SENTENCES)
def test_each_family_has_its_sentence(metric):
    """A product owner reads what happened, with the numbers of the finding."""
    [told] = explain([failure(metric, baseline=1.0)])
    assert told.says.replace("\N{NO-BREAK SPACE}", " ").startswith(SENTENCES[metric])
    assert told.fix
    assert (told.metric, told.area in {*AREAS, "conversion"}) == (metric, True)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_told(metric):
    """Whatever fails, one sentence says it and names what it is about."""
    [told] = explain([failure(metric)])
    assert told.says.endswith(".")
    assert "nan" not in told.says


def test_a_mark_is_named_with_its_place_and_what_it_costs(case):
    """With the comparison the sentence names pattern, place and class, and counts pictures."""
    _, comparison = case
    exchanges = comparison.exchanges
    [told] = explain([failure("place_distance")], comparison=comparison)
    assert f"It decides by the {exchanges.place}" in told.says
    assert f"on {exchanges.changed} of {exchanges.n} pictures" in told.says
    row = comparison.statistics["candidate"].confusion[1]
    [told] = explain([failure("class_accuracy")], comparison=comparison)
    assert f"misses {row.sum() - row[1]} of {row.sum()} 'left' pictures" in told.says


def test_what_was_broken_in_conversion_is_named():
    """The first layer that breaks, and how many answers changed, come from the comparison."""
    _, comparison = make_shipped_case(changed=3)
    [told] = explain([failure("source_agreement")], comparison=comparison)
    assert (
        f"It answers {len(comparison.conversion.changed)} of {comparison.conversion.n} pictures otherwise" in told.says
    )


def test_what_passed_is_no_reason():
    """A pass, a waiver and what is advisory have no sentence; what is not settled has one of its own."""
    red = failure("subject_accuracy")
    advisory = dataclasses.replace(red, criterion=dataclasses.replace(red.criterion, advisory=True))
    passed = dataclasses.replace(red, verdict=Verdict.PASS)
    assert explain([passed, advisory]) == ()
    [told] = explain([dataclasses.replace(red, verdict=Verdict.INCONCLUSIVE)])
    assert told.says.startswith("Not settled: accuracy of ada 0.50")


@given(st.lists(st.sampled_from(sorted(METRICS)), min_size=1, max_size=12), st.randoms())
def test_order_does_not_matter(metrics, random):
    """The same findings in another order give the same reasons: each family once."""
    found = [failure(metric, value=0.5 + 0.01 * k) for k, metric in enumerate(dict.fromkeys(metrics))]
    shuffled = random.sample(found, len(found))
    assert {item.metric for item in explain(found)} == {item.metric for item in explain(shuffled)}
    assert len(explain(found)) == len({item.says for item in explain(found)})


@pytest.mark.parametrize("hostile", CORPUS, ids=str)
def test_names_are_cleaned(hostile):
    """Nothing that a terminal or a reader would act on comes through a name."""
    [told] = explain([failure("subject_accuracy", about=hostile)])
    assert "\x1b" not in told.says
    assert "\u202e" not in told.says


def test_it_opens_with_what_shows_the_difference(case):
    """Pictures of the person or class of the first reason, both answers beside; without pictures none."""
    panel, comparison = case
    told = explain([failure("subject_accuracy", about="ben")], comparison=comparison)
    shown = opening_view(comparison, told, panel, [])
    assert shown["anchor"] == "accuracy"
    for cell in shown["cells"]:
        before, after = cell["answers"]
        assert before["says"] == cell["truth"] != after["says"]
        assert after["other"]
    assert opening_view(comparison, told, None, []) is None
    assert opening_view(comparison, (), panel, []) is None


def test_the_class_of_a_reason_stands_first(case):
    """Never the class whose maps look least alike: that of a reason, then the one whose accuracy changed most."""
    _, comparison = case
    names = list(comparison.baseline.class_names)
    told = explain([failure("class_accuracy", about="other")], comparison=comparison)
    assert choose_classes(comparison, told)[0] == names.index("other")
    changes = {name: abs(comparison.find("class_change", name).value) for name in names}
    assert changes[names[choose_classes(comparison, ())[0]]] == max(changes.values())
