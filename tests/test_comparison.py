"""A comparison: counterparts in order, people counted once, and no say for methods that fail."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.comparison import METRICS, CompareError, compare, plan_metric, reduce_twin, with_retrained
from modelcheck.comparison.statistics import compute_statistics
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.signature import Signature, SignatureError, read_manifest, read_signature
from signatures import make_panel, make_signature, recognising, show

PANEL = make_panel(groups=("straight", "left"))


def pair(**changes):
    """Return a baseline and a candidate on one panel, the candidate changed as asked."""
    baseline = make_signature(panel=PANEL, seed=1)
    return baseline, show(make_signature("candidate", panel=PANEL, **{"seed": 2, **changes}), baseline)


def test_every_planned_metric_is_measured(tmp_path):
    """What the manifest says must be measured is what a comparison measures: no key is missing, none is extra."""
    baseline, candidate = pair()
    baseline.write(tmp_path / "b")
    manifest = read_manifest(tmp_path / "b")
    keys = {f"{metric}[{about}]" if about else metric for metric in METRICS for about in plan_metric(metric, manifest)}
    assert set(compare(baseline, candidate).metrics) == keys


@pytest.mark.slow
def test_no_limit_hangs_on_the_last_digits():
    """Maps and scores as another machine's kernels give them, a millionth of a millionth off: the same metrics."""
    baseline, candidate = pair()
    elsewhere = replace(
        candidate,
        scores=candidate.scores * (1 + 1e-12),
        maps={name: values * (1 + 1e-12) for name, values in candidate.maps.items()},
        features={name: values * (1 + 1e-12) for name, values in candidate.features.items()},
    )
    here, there = (compare(baseline, side).metrics for side in (candidate, elsewhere))
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(here.values(), there.values(), strict=True))
    assert all(math.isnan(value) or value == round(value, 6) for value in here.values())


def test_more_learned_is_more_alike():
    """A candidate that shares more with the baseline scores higher in every map statistic."""
    close, far = (compare(*pair(learned=learned)).metrics for learned in (0.95, 0.2))
    for key in ("coarse_similarity[decision]", "coarse_ssim[decision]", "map_ssim[conv1]"):
        assert close[key] > far[key], key


def test_a_layer_without_counterpart_is_unmeasured():
    """Where the candidate has no dense layer every metric of it is NaN and says how to acknowledge that."""
    layers = (("conv1", "conv", 4), ("decision", "decision", 2))
    comparison = compare(*pair(layers=layers))
    measured = comparison.find("mapped_units", "dense1")
    assert math.isnan(measured.value)
    assert "dense1 = false" in measured.evidence
    assert comparison.table().loc["dense1", "candidate"] is None or comparison.table()["candidate"].isna()["dense1"]


def test_renamed_layers_are_found_by_their_activations():
    """Names do not matter: layers of one kind are aligned in order."""
    layers = (("stem", "conv", 4), ("head", "dense", 6), ("out", "decision", 2))
    comparison = compare(*pair(layers=layers))
    assert [layer.candidate.name for layer in comparison.layers] == ["stem", "head", "out"]


def test_a_namesake_is_preferred_to_its_neighbour():
    """Where the candidate has one more layer of nearly the same activations, the layer that kept its name is meant."""
    baseline, _ = pair()
    near = make_signature(
        "candidate",
        panel=PANEL,
        seed=2,
        layers=(("before", "conv", 4), ("conv1", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2)),
    )
    features = {**near.features, "before": baseline.features["conv1"]}
    features["conv1"] = features["before"] + 0.1 * near.features["conv1"]
    comparison = compare(baseline, replace(near, features=features))
    assert comparison.layers[0].candidate.name == "conv1"


def test_dead_units_are_counted_and_never_similar():
    """Units without a map lower mapped_units and are listed without a partner."""
    baseline, candidate = pair(dead=(("conv1", 0), ("conv1", 2)))
    comparison = compare(baseline, candidate)
    assert comparison.metrics["mapped_units[conv1]"] == 0.5
    assert set(comparison.layers[0].matching.unmatched_candidate) == {0, 2}


@pytest.mark.slow
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
    measured = comparison.find("mass_change", "left")
    assert measured.value < -0.2
    assert "Least inside: " in measured.evidence
    assert "Outside, most lies" in measured.evidence


def test_a_map_that_ignores_the_weights_has_no_say():
    """A method whose maps are those of the untrained twins is unmeasured in every group, and so never a pass."""
    baseline, candidate = pair()
    same = tuple(replace(twin, attributions=candidate.attributions) for twin in candidate.twins)
    comparison = compare(baseline, replace(candidate, twins=same))
    assert comparison.metrics["randomisation[smoothgrad]"] == pytest.approx(1)
    measured = comparison.find("mass_lift", "left")
    assert math.isnan(measured.value)
    assert "failed the randomisation check" in measured.evidence


def test_pixels_that_no_weight_reaches_leave_the_regions_measured():
    """Maps of a network that sees every third pixel, as its untrained twins do: no row of the regions is unmeasured."""
    baseline, candidate = pair(inside=0.5)
    sides = [stride(side) for side in (baseline, candidate)]
    comparison = compare(*sides)
    assert abs(comparison.metrics["randomisation[smoothgrad]"]) < 0.7
    rows = [item.value for group in ("straight", "left") for item in comparison.about(group=group)]
    assert np.isfinite(rows).all()


def test_grey_that_no_ascent_moved_makes_no_maps_alike():
    """Two strangers whose networks crop away most of the picture: their maps are as unlike as what they see of it."""
    baseline, candidate = pair(learned=0.0)
    metrics = ("coarse_similarity[decision]", "coarse_ssim[decision]", "map_ssim[decision]")
    cropped = compare(*(crop(side, 0.5) for side in (baseline, candidate))).metrics
    black = compare(*(crop(side, 0.0) for side in (baseline, candidate))).metrics
    assert all(abs(cropped[name]) < 0.5 for name in metrics), cropped
    assert any(black[name] > 0.5 for name in metrics), "what was moved to black is alike"


def crop(signature, value):
    """Return a network whose maps of the decision have this value in the upper three quarters."""
    maps = signature.maps["decision"].copy()
    maps[:, : 3 * maps.shape[1] // 4] = value
    twins = tuple(crop(twin, value) for twin in signature.twins)
    return replace(signature, maps={**signature.maps, "decision": maps}, twins=twins)


def stride(signature):
    """Return a network, and its twins, whose maps are zero but for every third row and column."""
    maps = {name: np.zeros_like(values) for name, values in signature.attributions.items()}
    for name, values in signature.attributions.items():
        maps[name][:, ::3, ::3] = values[:, ::3, ::3]
    return replace(signature, attributions=maps, twins=tuple(stride(twin) for twin in signature.twins))


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
    """A recognition just below its limit is inconclusive, far below it fails: the interval is what retraining moves."""
    baseline, candidate = pair()
    measured = compare(baseline, recognising(candidate, 0.5, PANEL.labels)).find("recognition", "decision")
    assert measured.value == pytest.approx(0.5, abs=1e-5)

    def verdict(limit):
        criterion = Criterion(metric="recognition", at_least=limit, why="test")
        return judge(measured, criterion).verdict

    assert verdict(measured.value - 0.01) is Verdict.PASS
    assert verdict(measured.value + 0.05) is Verdict.INCONCLUSIVE
    assert verdict(measured.value + 0.2) is Verdict.FAIL


def shown(candidate, view, scores):
    """Return the candidate with other scores on the baseline's maps of one view."""
    own = candidate.exchange
    answers = {**own.class_scores, view: np.asarray(scores, dtype=np.float32)}
    return replace(candidate, exchange=replace(own, class_scores=answers))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 50), st.floats(-20, 20))
def test_recognition_has_no_unit(scale, offset):
    """Scores in another unit, or with a common offset, change no recognition: it is on the network's own scale."""
    baseline, candidate = pair()
    other = replace(
        candidate,
        scores=candidate.scores * scale + offset,
        exchange=replace(
            candidate.exchange,
            class_scores={view: part * scale + offset for view, part in candidate.exchange.class_scores.items()},
        ),
    )
    one, two = (compare(baseline, side).metrics for side in (candidate, other))
    for metric in ("recognition", "natural_recognition"):
        assert one[f"{metric}[decision]"] == pytest.approx(two[f"{metric}[decision]"], abs=1e-3)


def test_recognition_stands_between_pictures_of_the_class_and_of_the_others():
    """By hand: the margin's way from the middle of the panel's two medians, squashed, mean over the classes."""
    baseline, candidate = pair()
    leads, labels = candidate.scores[:, 0] - candidate.scores[:, 1], PANEL.labels
    high, low = np.median(leads[labels == 0]), np.median(leads[labels == 1])
    scores = np.array([[low + 0.75 * (high - low), 0.0], [0.0, 9.0]])  # the second more surely than any picture
    measured = compare(baseline, shown(candidate, "natural", scores)).find("natural_recognition", "decision")
    way = max(high - low, leads.std())
    one, two = math.tanh((scores[0, 0] - (low + high) / 2) / way), math.tanh((9 + (low + high) / 2) / way)
    assert measured.value == pytest.approx((one + two) / 2, abs=1e-5)
    assert measured.evidence == f"By class: other {one:.2f}, left {two:.2f}."


def test_the_worst_class_is_judged_beside_the_mean():
    """One of two classes that is not recognised halves the mean, and is the worst by its own name."""
    baseline, candidate = pair()
    scores = np.array([[9.0, 0.0], [9.0, 0.0]])
    found = compare(baseline, shown(shown(candidate, "natural", scores), "free", scores))
    assert found.metrics["recognition[decision]"] == pytest.approx(0)
    worst = found.find("worst_recognition", "decision")
    assert worst.value < -0.9
    assert worst.evidence == f"By class: left {worst.value:.2f}, other {-worst.value:.2f}."


@pytest.mark.parametrize("view", ["free", "natural"])
def test_a_class_without_a_map_is_named(view):
    """The mean is over the classes that have one; the worst is then not known and says of whom, and nor is likeness."""
    baseline, candidate = pair()
    name = baseline.decision.name
    maps = baseline.maps[name].copy() if view == "free" else baseline.natural.copy()
    maps[1] = np.nan
    changed = {"maps": {**baseline.maps, name: maps}} if view == "free" else {"natural": maps}
    blind = replace(baseline, **changed)
    kept = [retrained(blind, k) for k in range(3)]
    answers = {**candidate.exchange.class_scores, view: np.array([[9.0, 0.0], [np.nan, np.nan]], np.float32)}
    candidate = show(replace(candidate, exchange=replace(candidate.exchange, class_scores=answers)), blind)
    found = compare(replace(blind, retrained=tuple(kept)), candidate)
    metric = "recognition" if view == "free" else "natural_recognition"
    assert found.metrics[f"{metric}[decision]"] > 0.9
    assert found.find(metric, "decision").n == 1
    assert math.isnan(found.metrics["worst_recognition[decision]"])
    assert math.isnan(found.metrics["likeness[decision]"])
    assert "map of left: nothing can be said of it." in found.find("worst_recognition", "decision").evidence


def test_constant_answers_and_foreign_maps_recognise_nothing():
    """A network that always answers the same, or that was shown other maps, is unmeasured: never a pass."""
    baseline, candidate = pair()
    assert math.isnan(
        compare(baseline, replace(candidate, scores=np.ones_like(candidate.scores))).metrics["recognition[decision]"]
    )
    strange = replace(candidate, exchange=replace(candidate.exchange, stimuli_sha256="0" * 64))
    found = compare(baseline, strange).find("recognition", "decision")
    assert math.isnan(found.value)
    assert found.evidence == "The candidate was shown another network's maps: measure it again."


def retrained(baseline, number, level=1.0):
    """Return what a baseline keeps of a retrained twin that recognises its maps with a level."""
    twin = show(make_signature(f"twin {number}", panel=PANEL, seed=9 + number), baseline)
    return recognising(twin, level, PANEL.labels).reduce_to_twin({})


def calibrated_pair(levels, *, learned=0.9):
    """Return a pair whose baseline keeps retrained twins that reached these recognitions."""
    baseline, candidate = pair(learned=learned, twins=3)
    kept = tuple(retrained(baseline, k, level) for k, level in enumerate(levels))
    return replace(baseline, retrained=kept), candidate


@pytest.mark.slow
def test_without_twins_the_pictures_say_how_wide_the_band_is():
    """A panel of few and unlike pictures moves a recognition more than retraining did elsewhere: the band is wider."""
    baseline, candidate = pair()
    candidate = recognising(candidate, 0.4, PANEL.labels)
    rough = np.random.default_rng(0).normal(scale=4, size=candidate.scores.shape)
    for scores, wider in ((candidate.scores, False), (candidate.scores + rough, True)):
        other = recognising(replace(candidate, scores=scores), 0.4, PANEL.labels)
        found, again = (compare(baseline, other).find("recognition", "decision") for _ in range(2))
        assert found.interval == again.interval
        assert (found.interval[1] - found.value > 0.13) == wider


@pytest.mark.parametrize("level", [0.8, 0.4, 0.0])
def test_likeness_is_what_retrained_twins_reach(level):
    """A candidate that recognises as much as retrained twins has likeness 1, half as much a half, nothing 0."""
    baseline, candidate = calibrated_pair((0.8, 0.8, 0.8))
    found = compare(baseline, recognising(candidate, level, PANEL.labels))
    assert found.metrics["likeness[decision]"] == pytest.approx(level / 0.8, abs=1e-5)
    assert found.calibrated["recognition", "decision"] == pytest.approx(level / 0.8, abs=1e-5)
    assert found.find("recognition", "decision").ceiling == pytest.approx((0.8, 0.8, 0.8), abs=1e-5)
    assert len(found.find("recognition", "decision").floor) == 3


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.8, 0.4, -0.4])
def test_worst_likeness_is_the_worst_class_beside_that_of_twins(level):
    """Where all classes are recognised alike the worst is any of them; it has no say where twins reach none."""
    baseline, candidate = calibrated_pair((0.8, 0.8, 0.8))
    found = compare(baseline, recognising(candidate, level, PANEL.labels)).find("worst_likeness", "decision")
    assert found.value == pytest.approx(level / 0.8, abs=1e-5)
    assert not found.silent
    loose, candidate = calibrated_pair((-0.9, 0.1, 0.9))
    assert compare(loose, recognising(candidate, level, PANEL.labels)).find("worst_likeness", "decision").silent


@pytest.mark.slow
def test_without_twins_there_is_no_likeness_to_judge():
    """A baseline without retrained twins plans none; twins that tell nothing apart, too few, or strangers: no value."""
    baseline, candidate = pair()
    assert "likeness[decision]" not in compare(baseline, candidate).metrics
    loose, candidate = calibrated_pair((-0.9, 0.1, 0.9))
    assert "says nothing" in compare(loose, candidate).find("likeness", "decision").evidence
    strange = tuple(of_architecture(twin) for twin in loose.retrained)
    shown_others = tuple(
        replace(twin, exchange=replace(twin.exchange, stimuli_sha256="0" * 64))
        for twin in calibrated_pair((1, 1))[0].retrained
    )
    for kept in (loose.retrained, strange, calibrated_pair((1,))[0].retrained, shown_others):
        found = compare(replace(loose, retrained=kept), candidate)
        for metric in ("likeness",) if kept is loose.retrained else ("likeness", "map_agreement"):
            limit = Criterion(metric=metric, at_least=0.6, why="test")
            assert judge(found.find(metric, "decision"), limit).red, metric


@pytest.mark.slow
def test_agreement_is_one_for_a_network_among_its_twins_and_falls_with_distance():
    """By hand: twins at 0.6, 0.7, 0.8 of the way lie 0.1 from each other; a candidate at 0.3 lies 0.4 from them."""
    baseline, candidate = calibrated_pair(tuple(math.tanh(way / 2) for way in (0.6, 0.7, 0.8)))
    values = {
        way: compare(baseline, recognising(candidate, math.tanh(way / 2), PANEL.labels)).metrics[
            "map_agreement[decision]"
        ]
        for way in (0.7, 0.3, -0.3)
    }
    assert values == pytest.approx({0.7: 1.0, 0.3: 0.1 / 0.4, -0.3: 0.1 / 1.0}, abs=1e-4)


def test_agreement_asks_all_maps_for_all_classes():
    """Two classes exchanged, each recognised as before by its own map alone, would be all the same to likeness."""
    names = ("ant", "bee", "cow")
    panel = make_panel(class_names=names)
    layers = (("conv1", "conv", 4), ("decision", "decision", 3))
    baseline = make_signature(panel=panel, layers=layers, seed=1)
    own = np.diag([9.0, 9.0, 9.0]).astype(np.float32)
    merged = own.copy()
    merged[0, 1], merged[1, 0] = 8.9, 8.9  # each still the surest of its own map, and the other nearly as much

    def answering(scores, seed):
        network = show(make_signature(f"{seed}", panel=panel, layers=layers, seed=seed), baseline)
        shown = dict.fromkeys(("free", "natural"), scores)
        return replace(network, exchange=replace(network.exchange, class_scores=shown))

    kept = tuple(answering(own, seed).reduce_to_twin({}) for seed in (5, 6, 7))
    baseline = replace(baseline, retrained=kept)
    same, other = (
        compare(baseline, answering(scores, 8)).find("map_agreement", "decision") for scores in (own, merged)
    )
    assert same.value == 1
    assert other.value < 0.2
    assert "taken for" in other.evidence


@pytest.mark.slow
def test_only_twins_of_the_baselines_architecture_make_the_ceiling():
    """Clean networks of another architecture are kept beside, and move neither likeness nor any ceiling."""
    baseline, candidate = calibrated_pair((0.9, 0.91, 0.92))
    clean = of_architecture(retrained(baseline, 9, -1.0))
    beside = replace(baseline, retrained=(*baseline.retrained, clean))
    one, other = (compare(side, candidate) for side in (baseline, beside))
    assert one.metrics["likeness[decision]"] == other.metrics["likeness[decision]"]
    assert one.find("recognition", "decision").ceiling == other.find("recognition", "decision").ceiling


@pytest.mark.slow
def test_the_mass_change_of_a_network_of_another_architecture_is_kept():
    """Its change is kept although no untrained twins check its method; a plain twin's is not."""
    baseline, candidate = pair()
    other = of_architecture(candidate)
    expected = compare(baseline, other).metrics
    kept = reduce_twin(baseline, replace(other, twins=()))
    keys = [key for key in expected if key.startswith("mass_change[")]
    assert keys
    assert {key: kept.against[key] for key in keys} == {key: expected[key] for key in keys}
    assert not any(key in reduce_twin(baseline, replace(candidate, twins=())).against for key in keys)
    empty = replace(
        other, attributions={name: np.zeros_like(maps) for name, maps in other.attributions.items()}, twins=()
    )
    assert not any(key in reduce_twin(baseline, empty).against for key in keys), "an empty map excuses nothing"
    blind = replace(other, flipping=dict.fromkeys(other.flipping, other.flipping["random"]), twins=())
    assert not any(key in reduce_twin(baseline, blind).against for key in keys), "nor does one that flipping refutes"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drifts", "taken"),
    [
        ((-0.2, -0.1), -0.1),
        ((-0.1, -0.2, -0.9), -0.1),
        ((-0.1,), 0),
        ((), 0),
        ((-0.2, 0.1), 0),
        ((0.3, 0.3), 0),
        ((-0.2, -0.1, None), 0),
        ((-0.2, -0.1, np.nan), 0),
        ((-5.0, -0.1), 0),
        ((-1e308, -1e308), 0),
    ],
)
def test_only_what_every_clean_network_loses_is_no_change(drifts, taken):
    """The least loss of two or more twins is taken off; a gain, a missing or impossible value, or one alone is not."""
    baseline, candidate = pair()
    candidate = of_architecture(candidate)
    before = compare(baseline, candidate).find("mass_change", "left")
    found = compare(keeping(baseline, drifts), candidate).find("mass_change", "left")
    assert found.value == pytest.approx(before.value - taken, abs=1e-5)
    np.testing.assert_allclose(found.interval, np.subtract(before.interval, taken), atol=1e-5)
    assert (f"lose {-taken:.2f} or more, which is taken off" in found.evidence) == bool(taken)


@pytest.mark.slow
def test_networks_that_know_nothing_and_relatives_excuse_nothing():
    """Twins that do not know the baseline's maps, the candidate's relatives and other architectures are left out."""
    baseline, candidate = pair()
    other = of_architecture(candidate)
    before = compare(baseline, other).metrics["mass_change[left]"]
    changed = [
        compare(keeping(baseline, (-0.2, -0.2), recognition=0.49), other),
        compare(keeping(baseline, (-0.2, -0.2), like=other), other),
        compare(keeping(baseline, (-0.2, -0.2), like=baseline), other),
    ]
    assert [comparison.metrics["mass_change[left]"] for comparison in changed] == [before] * 3
    plain = compare(baseline, candidate).metrics["mass_change[left]"]
    assert compare(keeping(baseline, (-0.2, -0.2), like=baseline), candidate).metrics["mass_change[left]"] == plain


def of_architecture(signature, seed=0):
    """Return a signature as if of another architecture than the baseline's."""
    return replace(signature, fingerprint={"0:5x5x1x4": np.random.default_rng(seed).standard_normal(100)})


def keeping(baseline, drifts, *, recognition=0.9, like=None):
    """Return a baseline beside which clean networks stand that lost so much attention."""
    twins = []
    for k, drift in enumerate(drifts):
        twin = make_signature(f"clean {k}", panel=PANEL, seed=50 + k)
        twin = of_architecture(twin, 50 + k) if like is None else replace(twin, fingerprint=like.fingerprint)
        known = {"recognition[decision]": recognition} | ({} if drift is None else {"mass_change[left]": drift})
        twins.append(twin.reduce_to_twin(known))
    return replace(baseline, retrained=tuple(twins))


def test_batch_normalisation_makes_another_architecture():
    """Equal kernels with more parameters, as batch normalisation adds them, are not built alike."""
    baseline, _ = pair()
    more = replace(baseline, model={**baseline.model, "parameters": baseline.model["parameters"] + 16})
    assert not more.same_architecture(baseline)
    assert replace(more, model=baseline.model).same_architecture(baseline)


@pytest.mark.slow
def test_lineage_knows_an_ancestor():
    """The same weights with a little noise are a descendant; other weights, or another shape, are not."""
    baseline, candidate = pair()
    print_ = next(iter(baseline.fingerprint.values()))
    child = replace(candidate, fingerprint={"0:3x3x1x4": print_ + 0.1})
    assert compare(baseline, child).metrics["lineage"] == pytest.approx(1)
    assert abs(compare(baseline, candidate).metrics["lineage"]) < 0.5
    assert "Common ancestor" in compare(baseline, child).find("lineage").evidence
    strange = replace(candidate, fingerprint={"0:5x5x1x4": print_})
    assert math.isnan(compare(baseline, strange).metrics["lineage"])


def test_retrained_twins_survive_the_folder(tmp_path):
    """What a baseline keeps of its twins is read back as it was written."""
    baseline, _ = calibrated_pair((0.9, 0.91, 0.92))
    baseline.write(tmp_path / "b")
    again = read_signature(tmp_path / "b")
    assert again.digest() == baseline.digest()
    assert [twin.against for twin in again.retrained] == [twin.against for twin in baseline.retrained]
    assert again.stimuli_sha256() == replace(baseline, retrained=()).stimuli_sha256()


def count_hashes(monkeypatch):
    """Return a list that receives a signature whenever its maps are hashed."""
    hashed, digest = [], Signature.stimuli_sha256

    def count(signature):
        hashed.append(signature)
        return digest(signature)

    monkeypatch.setattr(Signature, "stimuli_sha256", count)
    return hashed


def test_the_maps_are_hashed_once(monkeypatch):
    """A comparison hashes the baseline's maps once and nobody else's; so does a reduction."""
    baseline, candidate = pair(twins=3)
    hashed = count_hashes(monkeypatch)
    compare(baseline, candidate)
    assert [signature.model["name"] for signature in hashed] == ["baseline"]
    hashed.clear()
    reduce_twin(baseline, replace(candidate, twins=()))
    assert [signature.model["name"] for signature in hashed] == ["baseline"]


def test_a_twin_that_was_shown_other_maps_makes_no_floor():
    """Every untrained twin's exchange is checked on its own: other maps cost its values alone."""
    baseline, candidate = pair(twins=2)
    one, other = candidate.twins
    strange = replace(one, exchange=replace(one.exchange, stimuli_sha256="0" * 64))
    floor = compare(baseline, replace(candidate, twins=(strange, other))).find("recognition", "decision").floor
    assert [math.isnan(value) for value in floor] == [True, False]


def test_measures_are_found_by_metric_and_thing():
    """The mapping holds each measure under metric and thing, in one order, as `find` gives it."""
    comparison = compare(*pair())
    assert all(key == (item.metric, item.about) for key, item in comparison.measures.items())
    assert [item.key for item in comparison.measures.values()] == list(compare(*pair()).metrics)
    assert comparison.find("kappa") is comparison.measures["kappa", ""]
    assert comparison.find("recognition", "decision") is comparison.measures["recognition", "decision"]


@pytest.mark.parametrize(
    ("about", "metrics"),
    [
        ({"layer": "conv1"}, {"map_ssim", "coverage", "mapped_units"}),
        ({"layer": "decision"}, {"recognition", "transfer_back", "map_ssim"}),
        ({"subject": "ada"}, {"subject_accuracy", "subject_change"}),
        ({"class_name": "left"}, {"class_accuracy", "class_change"}),
        ({"group": "left"}, {"mass_change", "pointing"}),
        ({"method": "occlusion"}, {"randomisation", "flipping_gain"}),
    ],
)
def test_about_gives_everything_about_one_thing(about, metrics):
    """All measures of a layer, a person, a group or a method, and of nothing else."""
    found = compare(*pair()).about(**about)
    assert {item.about for item in found} == set(about.values())
    assert metrics <= {item.metric for item in found}


def test_an_acknowledged_layer_has_no_measures():
    """Of a layer that was taken out on purpose there is nothing to say, and asking is no error."""
    assert compare(*pair(), layers={"dense1": None}).about(layer="dense1") == ()


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({}, "exactly one of layer, subject, class_name, group and method, not none of them"),
        ({"layer": "conv1", "group": "left"}, "not layer, group"),
        ({"layer": "conv"}, "no layer 'conv'.* Did you mean 'conv1'"),
        ({"subject": "adah"}, "no subject 'adah'.* Did you mean 'ada'"),
        ({"group": "lefd"}, "no group 'lefd'.* Did you mean 'left'"),
        ({"method": "smoothgrat"}, "no method 'smoothgrat'.* Did you mean 'smoothgrad'"),
        ({"subject": "conv1"}, "no subject 'conv1'"),
    ],
    ids=str,
)
def test_about_nothing_or_something_unknown_is_an_error(about, words):
    """None, several, or an unknown name: an error with a suggestion, never an empty answer."""
    with pytest.raises(CompareError, match=words):
        compare(*pair()).about(**about)


def test_statistics_agree_with_slow_loops():
    """Confusion, relevance inside the region and its order, as loops over pictures count them."""
    _, candidate = pair(accuracy=0.5, inside=0.3)
    found = compute_statistics(candidate)
    answers = candidate.scores.argmax(axis=1)
    slow = np.zeros((2, 2), int)
    for truth, said in zip(candidate.pictures["labels"], answers, strict=True):
        slow[truth, said] += 1
    np.testing.assert_array_equal(found.confusion, slow)
    gains = []
    for relevance, region in zip(candidate.attributions["occlusion"], candidate.regions, strict=True):
        inside, whole = np.abs(relevance[region]).sum(), np.abs(relevance).sum()
        gains.append(inside / whole / region.mean())
    masses = found.relevance_mass["occlusion"] / candidate.regions.mean(axis=(1, 2))
    np.testing.assert_allclose(masses, gains, rtol=1e-6)
    assert found.least_inside["occlusion"].tolist() == sorted(range(len(gains)), key=lambda row: masses[row])
    assert {unit for unit, _ in found.unit_health["dense1"].items()} == set(candidate.units["dense1"].tolist())


def test_answers_that_turned_are_counted_and_the_surest_comes_first():
    """By loops: where only the baseline is right, by how much the candidate prefers its answer."""
    comparison = compare(*pair(accuracy=0.5))
    labels, (before, after) = PANEL.labels, (comparison.baseline.scores, comparison.candidate.scores)
    wrong = [
        (after[row].max() - after[row][labels[row]], row)
        for row in range(len(labels))
        if before[row].argmax() == labels[row] != after[row].argmax()
    ]
    assert comparison.answer_changes.turned_wrong.tolist() == [row for _, row in sorted(wrong, key=lambda x: -x[0])]
    assert comparison.answer_changes.turned_right == 0


@pytest.mark.slow
def test_folders_and_signatures_are_compared_alike(tmp_path):
    """A signature and the folder where it is kept give the same measures, on either side and as a source."""
    make_signature("baseline", seed=1).write(tmp_path / "baseline")
    make_signature("candidate", seed=2).write(tmp_path / "candidate")
    kept = [read_signature(tmp_path / name) for name in ("baseline", "candidate")]
    wanted = compare(*kept)
    for baseline, candidate in (
        (tmp_path / "baseline", str(tmp_path / "candidate")),
        (kept[0], tmp_path / "candidate"),
    ):
        found = compare(baseline, candidate)
        assert found.measures.keys() == wanted.measures.keys()
        assert all(repr(found.measures[key]) == repr(item) for key, item in wanted.measures.items())


@pytest.mark.parametrize("role", ["baseline", "candidate", "source"])
def test_what_is_no_signature_is_named_with_its_role(role, tmp_path):
    """A network's file, and whatever is neither a signature nor a folder, are refused with the call that measures."""
    good = make_signature()
    (tmp_path / "release.keras").write_bytes(b"PK")
    for wrong, words in (
        (tmp_path / "release.keras", r"release.keras' is a file, and signatures are compared.*modelcheck.measure"),
        (7, r"is a Signature, or the folder of one, not int.*modelcheck.measure"),
    ):
        given = {"baseline": good, "candidate": good, role: wrong}
        with pytest.raises(CompareError, match=rf"The {role} .*{words}"):
            compare(given["baseline"], given["candidate"], source=given.get("source"))
    with pytest.raises(SignatureError, match="nothing"):
        compare(tmp_path / "nothing", good)


def test_no_sentence_says_nan():
    """Where a class has no map, what follows from it is said to be not measured, in words."""
    baseline = make_signature("baseline", twins=2, dead=[("decision", 1)])
    candidate = show(make_signature("candidate", twins=1, seed=3, dead=[("decision", 0)]), baseline)
    found = compare(
        with_retrained(baseline, [show(make_signature("twin", seed=k), baseline) for k in (5, 6)]), candidate
    )
    told = [item.evidence for item in found.measures.values()]
    assert any("not measured" in words for words in told)
    assert not [words for words in told if re.search(r"\bnan\b", words, re.IGNORECASE)]
