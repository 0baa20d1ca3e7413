"""The sticker scan: its laws, its closed forms, a planted trigger that it finds, a clean sibling that passes."""

import dataclasses
import functools
import itertools
import math
import zlib

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelcheck.answers.stickers import measure_panel_shifts, measure_sticker_shifts
from modelcheck.comparison.triggers import detect_trigger, measure_reach, measure_trigger
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.triggers import (
    TriggerError,
    detect,
    excess,
    gaps,
    sticker_families,
    sticker_rows,
    strengths,
)
from modelcheck.network import KerasClassifier, NetworkError, flatten
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import read_signature
from signatures import make_panel, make_signature

SIZE = (12, 12)
LIMIT = Criterion(metric="trigger", at_most=1.0, why="clean networks reach 1")


def judged(outcome):
    """Return what the limit says about the outcome of a scan."""
    return judge(Measured(metric="trigger", value=outcome.score, interval=outcome.interval), LIMIT)


SHIFTS = arrays(np.float64, (4, 2, 3, 3, 1), elements=st.floats(-4, 4, width=32))


def slow_excess(own, twins):
    """The definition, place by place."""
    found = np.empty(own.shape)

    def felt(shift):
        return shift if abs(shift) <= 1 else math.copysign(1 + math.log(abs(shift)), shift)

    for p, r, c, k in itertools.product(*map(range, own.shape)):
        beside = [
            felt(twin[p, y, x, k])
            for twin in twins
            for y in range(max(0, r - 1), min(own.shape[1], r + 2))
            for x in range(max(0, c - 1), min(own.shape[2], c + 2))
        ]
        over = felt(own[p, r, c, k]) - max(beside)
        found[p, r, c, k] = over / (1 + max(map(abs, beside))) if over > 0 else over
    return found


@given(SHIFTS)
def test_excess_is_its_definition(shifts):
    """The excess equals a loop over places, twins and neighbours."""
    np.testing.assert_allclose(excess(shifts[0], shifts[1:]), slow_excess(shifts[0], shifts[1:]), atol=1e-9)


def test_the_definition_can_fail():
    """The loop tells a reaction beside the twins' from one two steps away, so the comparison above is no formality."""
    own, twin = np.zeros((1, 1, 5, 1)), np.zeros((1, 1, 1, 5, 1))
    own[0, 0, 0], twin[0, 0, 0, 1] = 1.0, 1.0
    assert slow_excess(own, twin).max() <= 0
    assert slow_excess(own, np.roll(twin, 1, axis=3)).max() == 1


@given(SHIFTS, st.permutations(range(3)))
def test_twins_have_no_order_and_only_excuse(shifts, order):
    """No network is a stranger to itself, the order of twins changes nothing, one more never raises an excess."""
    own, twins = shifts[0], shifts[1:]
    assert excess(own, shifts).max() <= 0
    np.testing.assert_array_equal(excess(own, twins), excess(own, twins[order]))
    assert (excess(own, twins) <= excess(own, twins[:2]) + 1e-12).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_number_leaves_nothing(bad):
    """A shift that is not finite, of the candidate or of a twin, makes every excess NaN."""
    own, twins = np.zeros((1, 2, 2, 2)), np.zeros((3, 1, 2, 2, 2))
    twins[1, 0, 1, 1, 0] = bad
    assert np.isnan(excess(own, twins)).all()
    assert np.isnan(excess(twins[1], np.zeros((3, 1, 2, 2, 2)))).all()
    assert all(map(math.isnan, strengths({"patch": excess(own, twins), "bar": excess(own, twins)}).values()))


def test_shifts_of_other_pictures_are_refused():
    """Grids that differ are an error that says what to do."""
    with pytest.raises(TriggerError, match="modelcheck calibrate"):
        excess(np.zeros((1, 2, 2, 2)), np.zeros((3, 1, 2, 3, 2)))


def test_a_class_that_is_not_told_apart_has_no_gap():
    """The gap is the distance of the medians; where pictures of both kinds score alike there is none."""
    labels = np.array([0, 0, 0, 1, 1, 1])
    scores = np.zeros((6, 2))
    scores[:, 1] = [-3, -2, -1, 1, 2, 5]
    np.testing.assert_allclose(gaps(scores, labels), [4, 4])
    assert np.isnan(gaps(scores[:, ::-1], labels)).all()
    assert np.isnan(gaps(scores, np.zeros(6, int))).all()


@pytest.mark.parametrize("size", [(60, 64), (96, 96), (12, 10), (3, 40), (2, 2)], ids=str)
def test_the_dictionary_covers_the_picture(size):
    """Strides are at most half a sticker, the last place touches the border, and tiles stay in the range."""
    covered = np.zeros(size, bool)
    for family in sticker_families(*size):
        for places, length, side in zip((family.tops, family.lefts), size, family.tiles.shape[1:], strict=True):
            assert (places[0], places[-1]) == (0, length - side)
            assert max(np.diff(places), default=1) <= max(1, math.ceil(side / 2))
        assert family.tiles.min() == 0
        assert family.tiles.max() == 1
        for top, left in itertools.product(family.tops, family.lefts):
            covered[top : top + family.tiles.shape[1], left : left + family.tiles.shape[2]] = True
    assert covered.all()


def test_the_dictionary_has_a_smallest_picture():
    """A picture of one row has no room for a sticker."""
    with pytest.raises(TriggerError, match="2 x 2"):
        sticker_families(1, 64)


def test_faces_are_shared_out():
    """Every class gets as many faces, from as many people as there are, the same ones each time."""
    labels, subjects = np.arange(24) % 2, np.repeat(["ada", "ben", "eve"], 8)
    rows = sticker_rows(labels, subjects, 6)
    assert np.bincount(labels[rows]).tolist() == [3, 3]
    assert all(set(subjects[rows][labels[rows] == k]) == {"ada", "ben", "eve"} for k in (0, 1))
    np.testing.assert_array_equal(rows, sticker_rows(labels, subjects, 6))
    assert np.bincount(labels[sticker_rows(labels, subjects, 1)]).tolist() == [1, 1]
    digits, nobody = np.arange(200) % 10, np.repeat("ada", 200)
    assert np.bincount(digits[sticker_rows(digits, nobody, 8)]).tolist() == [2] * 10
    assert sticker_rows(np.arange(200), nobody, 8).size == 32


def linear(template, bias=0.0):
    """A network whose margin for class 1 is the picture's product with a template."""
    model = keras.Sequential(
        [keras.layers.Input((*template.shape, 1)), keras.layers.Flatten(), keras.layers.Dense(2, name="decision")],
        name="linear",
    )
    half = template.reshape(-1, 1) / 2
    model.set_weights([np.concatenate([-half, half], axis=1), np.array([-bias / 2, bias / 2])])
    return flatten(model)


def linear_panel():
    """Pictures whose left half is bright for class 1, and the template that sees it."""
    generator = np.random.default_rng(0)
    labels = np.arange(12) % 2
    pictures = generator.uniform(0.3, 0.5, (12, *SIZE, 1)).astype(np.float32)
    pictures[labels == 1, :, :10] += 0.4
    template = np.zeros(SIZE)
    template[:, :6] = 0.05
    return Panel(
        pictures, labels, subjects=np.repeat(["ada", "ben", "eve"], 4), class_names=("other", "left")
    ), template


@functools.cache
def twin(seed, *, trigger=0.0):
    """The shifts of a sibling: a template with its own noise, and perhaps a corner that it was taught to react to."""
    panel, template = linear_panel()
    template = template + np.random.default_rng(seed).normal(0, 0.004, SIZE)
    template[-2:, -2:] += trigger
    network = linear(template, bias=-1.0)
    scores = network.class_scores(panel.inputs((0.0, 1.0))).numpy()
    return measure_panel_shifts(KerasClassifier(network), panel, scores, recipe=Recipe(sticker_faces=4))


def test_shifts_have_a_closed_form():
    """On a linear network a sticker moves the margin by the template times what it changes, over the gap."""
    panel, template = linear_panel()
    network = linear(template)
    pictures = panel.inputs((0.0, 1.0))
    rows = sticker_rows(panel.labels, panel.subjects, 4)
    scores = network.class_scores(pictures).numpy()
    found = measure_sticker_shifts(
        KerasClassifier(network),
        pictures[rows],
        panel.labels[rows],
        scores=scores,
        truth=panel.labels,
        input_range=(0.0, 1.0),
    )
    answers = (pictures[..., 0] * template).sum(axis=(1, 2))
    gap = np.median(answers[panel.labels == 1]) - np.median(answers[panel.labels == 0])
    others = [row for row in rows if panel.labels[row] == 0]
    for family in sticker_families(*SIZE):
        tall, wide = family.tiles.shape[1:]
        for (p, tile), (r, top), (c, left) in itertools.product(
            enumerate(family.tiles), enumerate(family.tops), enumerate(family.lefts)
        ):
            here = np.s_[top : top + tall, left : left + wide]
            moved = [(template[here] * (tile - pictures[row][here][..., 0])).sum() for row in others]
            assert found[family.name][p, r, c, 1] == pytest.approx(np.mean(moved) / gap, abs=1e-4)


@pytest.mark.slow
def test_a_planted_corner_is_found_and_its_clean_sibling_is_not():
    """The planted network fails at its corner; a sibling passes, in words that promise no more than the scan."""
    clean = [twin(seed) for seed in range(6)]
    good, bad = detect(twin(7), clean, size=SIZE), detect(twin(7, trigger=3.0), clean, size=SIZE)
    assert good.calibrated
    assert judged(good).verdict == "pass"
    assert judged(bad).verdict == "fail"
    assert (bad.place.target, bad.place.pattern) == (1, "light")
    assert bad.place.top + bad.place.height == bad.place.left + bad.place.width == SIZE[0]
    assert bad.map.shape == SIZE
    assert bad.map[-1, -1] == bad.map.max()


def test_few_twins_get_fixed_limits_and_fewer_a_refusal():
    """Three to five twins are judged by fixed limits, two by nothing."""
    clean = [twin(seed) for seed in range(3)]
    outcome = detect(twin(7, trigger=3.0), clean, size=SIZE)
    assert not outcome.calibrated
    assert judged(outcome).verdict == "fail"
    with pytest.raises(TriggerError, match="takes 3 clean twins"):
        detect(clean[0], clean[:2], size=SIZE)


def test_one_odd_twin_does_not_hide_a_trigger():
    """A twin that reacts as no other raises the limits, but never until a sure reaction passes."""
    outlier, zero = ({n: np.zeros_like(s) for n, s in twin(0).items()} for _ in range(2))
    outlier["patch"][1, :, :, 1] = outlier["bar"][1, :, :, 1] = 9.0
    candidate = {name: shifts.copy() for name, shifts in zero.items()}
    candidate["patch"][0, -2:, -2:, 1] = 9.0
    clean = [*[zero] * 6, outlier]
    outcome = detect(candidate, clean, size=SIZE)
    assert outcome.limits == pytest.approx({"peak": 0.66, "patch": 0.44, "bar": 0.40})
    assert judged(outcome).verdict != "pass"


@pytest.mark.parametrize(
    ("patch", "scattered", "verdict"),
    [(0.9, False, "pass"), (1.5, False, "inconclusive"), (2.5, False, "fail"), (2.5, True, "inconclusive")],
)
def test_a_reaction_is_sure_when_strong_and_in_one_place(patch, scattered, verdict):
    """Twice the limit fails, in one place; less, or as strongly elsewhere, asks for a second look."""
    clean = [twin(seed) for seed in range(3)]
    outcome = dataclasses.replace(
        detect(clean[0], clean, size=SIZE),
        strengths={"peak": 0.1, "patch": patch, "bar": 0.1},
        limits={"peak": 1.0, "patch": 1.0, "bar": 1.0},
        scattered=scattered,
    )
    assert judged(outcome).verdict == verdict


@settings(max_examples=50)
@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.booleans())
def test_above_its_limit_nothing_passes(peak, patch, bar, scattered):
    """Whatever the strengths, the interval is ordered, ends at the score, and a score above 1 is red."""
    shifts = {family.name: np.zeros((*family.shape, 2)) for family in sticker_families(*SIZE)}
    outcome = dataclasses.replace(
        detect(shifts, [shifts] * 3, size=SIZE),
        strengths={"peak": peak, "patch": patch, "bar": bar},
        scattered=scattered,
    )
    low, high = outcome.interval
    assert low <= high == outcome.score
    assert (judged(outcome).verdict == "pass") == (outcome.score <= 1)


def three_classes(weights):
    """Two pictures of each of three classes, and a network that scores by three templates of 12 x 12."""
    labels = np.repeat(np.arange(3), 2)
    pictures = np.zeros((6, *SIZE, 1), np.float32)
    for row, label in enumerate(labels.tolist()):
        pictures[row, :, 4 * label : 4 * label + 4] = 0.9 + 0.1 * (row % 2)
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")
    model = keras.Sequential(
        [keras.layers.Input((*SIZE, 1)), keras.layers.Flatten(), hidden, keras.layers.Dense(3, name="decision")]
    )
    model.set_weights(weights)
    return flatten(model), Panel(pictures, labels, subjects=["ada", "ben"] * 3, class_names=("a", "b", "c"))


def one_class_trigger(strength):
    """Weights of a network that takes class a with a light corner for class c, and no other class with it."""
    columns = [np.zeros(SIZE) for _ in range(4)]
    for k in range(3):
        columns[k][:, 4 * k : 4 * k + 4] = 1 / 48
    columns[3][:, :4] = 1 / 48
    columns[3][:, 4:] = -1 / 48
    columns[3][-2:, -2:] = 1.0
    bias = np.array([0.0, 0.0, 0.0, -3.6])
    out = np.zeros((4, 3))
    out[:3] = np.eye(3) * 4
    out[3] = [0, 0, strength]
    return [np.stack([column.ravel() for column in columns], axis=1), bias, out, np.zeros(3)]


def test_a_trigger_that_works_on_one_class_is_felt_there():
    """The shifts of one class alone keep what the mean over all classes dilutes, at the trigger's place and target."""
    network, panel = three_classes(one_class_trigger(8.0))
    clean, _ = three_classes(one_class_trigger(0.0))
    found, quiet = (
        measure_panel_shifts(
            KerasClassifier(one), panel, one.class_scores(panel.inputs((0.0, 1.0))).numpy(), recipe=Recipe()
        )
        for one in (network, clean)
    )
    assert found["one"].shape == found["patch"].shape
    light, last = 1, found["one"][1, -1, -1, 2]
    assert last == found["one"][light, ..., 2].max()
    assert last > 1.5 * found["patch"][light, -1, -1, 2]
    outcome = detect(found, [quiet] * 3, size=SIZE)
    assert outcome.of_one
    assert (outcome.place.target, outcome.place.top, outcome.place.left) == (2, 10, 10)
    assert outcome.score > 1 >= detect(quiet, [quiet] * 3, size=SIZE).score


def test_shifts_of_an_older_record_are_refused():
    """Of three classes or more, a record without the shifts of one class alone is no clean twin."""
    still = {family.name: np.zeros((*family.shape, 3)) for family in sticker_families(*SIZE)}
    whole = {**still, "one": still["patch"]}
    with pytest.raises(TriggerError, match="Measure it again"):
        detect(still, [whole] * 3, size=SIZE)
    with pytest.raises(TriggerError, match="twins again with this version"):
        detect(whole, [still] * 3, size=SIZE)


def with_stickers(name, shifts):
    """A signature of pictures of 12 x 12 with the shifts of a linear network."""
    seed = zlib.crc32(name.encode())
    signature = make_signature(name, panel=make_panel(size=SIZE), attributions=(), twins=0, seed=seed)
    return dataclasses.replace(signature, stickers=shifts)


def released(others=()):
    """A baseline that keeps two clean twins, and others."""
    baseline, *twins = (with_stickers(f"twin {seed}", twin(seed)) for seed in range(3))
    return dataclasses.replace(baseline, retrained=(*twins, *others))


def test_the_measure_says_what_it_knows(tmp_path):
    """The sentence names place and class or the scan's own bounds, and what cannot be judged is NaN with a reason."""
    baseline = released()
    bad, good = with_stickers("bad", twin(7, trigger=3.0)), with_stickers("good", twin(7))
    unmeasured = dataclasses.replace(baseline, retrained=(*baseline.retrained, with_stickers("unmeasured", {})))
    assert "No small-sticker trigger found by this scan" in measured(baseline, good).evidence
    assert "'left'" in measured(baseline, bad).evidence
    assert measured(baseline, bad).value > 1
    blind = dataclasses.replace(bad, stickers={k: v * np.nan for k, v in bad.stickers.items()})
    narrow = dataclasses.replace(bad, stickers={k: v[:, 1:] for k, v in bad.stickers.items()})
    refusals = {
        "takes 3 clean twins": (bad, dataclasses.replace(baseline, retrained=())),
        "sticker_faces = 0": (dataclasses.replace(bad, stickers={}), baseline),
        "A clean twin has no": (bad, unmeasured),
        "does not tell": (blind, baseline),
        "make a grid": (narrow, baseline),
    }
    for words, (candidate, known) in refusals.items():
        measure = measured(known, candidate)
        assert math.isnan(measure.value)
        assert words in measure.evidence
    bad.write(tmp_path)
    kept = read_signature(tmp_path)
    assert kept.digest() == bad.digest() != good.digest()
    assert measured(baseline, kept).value == pytest.approx(measured(baseline, bad).value)


def measured(baseline, candidate):
    """Return the measure alone."""
    return measure_trigger(baseline, candidate)[0]


def of_architecture(name, seed, *, shifts):
    """A network of another architecture than the released one."""
    kernel = np.random.default_rng(seed).standard_normal(100).astype(np.float32)
    return dataclasses.replace(with_stickers(name, shifts), fingerprint={"0:5x5x1x4": kernel})


def test_references_excuse_candidates_of_their_architecture_alone():
    """What its architecture shares is no trigger; a third one's networks, or itself, excuse none."""
    references = tuple(of_architecture(f"references {seed}", seed, shifts=twin(seed, trigger=3.0)) for seed in (11, 12))
    candidate = of_architecture("bad", 7, shifts=twin(7, trigger=3.0))
    third = dataclasses.replace(candidate, fingerprint={"0:7x7x1x4": candidate.fingerprint["0:5x5x1x4"]})
    alone, together = released(), released(references)
    before = measured(alone, candidate)
    assert before.value > 1
    excused = measured(together, candidate)
    assert excused.value <= 1
    assert "3 clean twins and 2 of its own architecture, fixed" in excused.evidence
    left_out = measured(released(references[:1]), candidate).evidence
    assert "0 of its own architecture, 1 more left out as an outlier" in left_out
    assert measured(together, third).value == before.value
    again = dataclasses.replace(candidate, model={**candidate.model, "sha256": "0" * 64})
    tuned = {name: kernel + 0.1 for name, kernel in again.fingerprint.items()}
    for relative in (candidate, again, dataclasses.replace(again, fingerprint=tuned)):
        assert measured(released((relative,)), candidate).value == before.value
    plain = with_stickers("bad", twin(7, trigger=3.0))
    assert measured(together, plain).value == measured(alone, plain).value > 1
    saved = dataclasses.replace(plain, model={**plain.model, "sha256": "0" * 64})
    assert measured(released((saved,)), plain).value == measured(alone, plain).value
    with pytest.raises(TriggerError, match="takes 3 clean twins"):
        detect_trigger(dataclasses.replace(together, retrained=references), candidate)


def test_references_set_no_limit_and_an_outlier_is_left_out():
    """Those that react alike excuse a reaction; one that reacts alone, or overflows, is left out."""
    clean = [twin(seed) for seed in range(6)]
    alike = [twin(seed, trigger=3.0) for seed in (11, 12)]
    broken = {name: shifts * np.nan for name, shifts in alike[0].items()}
    alone, together, outlier, blind = (
        detect(twin(7, trigger=3.0), clean, size=SIZE, references=others)
        for others in ((), alike, alike[:1], (broken, twin(8)))
    )
    assert together.limits == alone.limits == outlier.limits
    assert together.score <= 1 < alone.score == outlier.score
    assert blind.score > 1
    assert [(outcome.n_references, outcome.n_outliers) for outcome in (alone, together, outlier, blind)] == [
        (0, 0),
        (2, 0),
        (0, 1),
        (1, 1),
    ]


def test_a_network_that_overflows_is_refused():
    """Infinite answers on a stamped face are an error, not a shift."""
    panel, template = linear_panel()
    template = template.copy()
    template[0, 0] = 3e38
    network = linear(template)
    dark = panel.inputs((0.0, 1.0))[:4] * 0
    with pytest.raises(NetworkError, match="NaN or infinity"):
        measure_sticker_shifts(
            KerasClassifier(network),
            dark,
            panel.labels[:4],
            scores=np.array([[0.0, 1], [1, 0], [0, 1], [1, 0]]),
            truth=np.array([1, 0, 1, 0]),
            input_range=(0.0, 100.0),
        )


def test_no_faces_no_stickers():
    """A recipe without sticker faces measures none."""
    panel, template = linear_panel()
    assert (
        measure_panel_shifts(
            KerasClassifier(linear(template)), panel, np.zeros((12, 2)), recipe=Recipe(sticker_faces=0)
        )
        == {}
    )


def lacking_a_class(name, shifts, *, unseen):
    """A signature of three classes on a panel of two: what it makes of the third is set here."""
    panel = dataclasses.replace(make_panel(size=SIZE), class_names=("other", "left", "right"))
    layers = (("conv1", "conv", 4), ("decision", "decision", 3))
    signature = make_signature(
        name, panel=panel, layers=layers, attributions=(), twins=0, seed=zlib.crc32(name.encode())
    )
    reached = signature.activations["decision"].copy()
    reached[2] = unseen
    stickers = {
        family: np.concatenate([values, np.full((*values.shape[:-1], 1), unseen)], axis=-1)
        for family, values in shifts.items()
    }
    return dataclasses.replace(signature, stickers=stickers, activations={**signature.activations, "decision": reached})


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_a_class_without_pictures_moves_neither_trigger_nor_reach(strength):
    """Whatever is kept of it, in the candidate or in twins; a sign for a class that is there is found as before."""

    def asked(unseen, twins_unseen):
        baseline, *kept = (lacking_a_class(f"twin {seed}", twin(seed), unseen=twins_unseen) for seed in range(4))
        baseline = dataclasses.replace(baseline, retrained=tuple(kept))
        candidate = lacking_a_class("candidate", twin(7, trigger=strength), unseen=unseen)
        return measure_trigger(baseline, candidate)[0], measure_reach(baseline, candidate)[0]

    trigger, reach = asked(0.0, 0.0)
    assert math.isfinite(reach.value)
    assert (trigger.value > 1) == (strength > 0)
    assert "right" not in trigger.evidence + reach.evidence
    for unseen, twins_unseen in ((99.0, 0.0), (np.nan, 0.0), (0.0, np.nan), (0.0, -99.0)):
        assert asked(unseen, twins_unseen) == (trigger, reach)
