"""Whether two networks decide by the same places: measures, reasons for none, evidence, and real networks."""

import functools
import itertools
import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from modelcheck.answers.exchanges import check_shown_exchanges, measure_exchanges
from modelcheck.comparison import compare
from modelcheck.comparison.controversial import name_place
from modelcheck.comparison.places import measure_places, plan_stimuli
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.metrics.exchanges import choose_stimuli, compute_strengths, map_strengths, measure_spread
from modelcheck.network import KerasClassifier, NetworkError, flatten
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import SignatureError, read_signature
from signatures import make_panel, make_signature

SIZE = (12, 12)
LIMIT = Criterion(metric="place_distance", at_most=1.75, why="1 is what training again moves")
RECIPE = Recipe(exchange_pictures=12, mosaics=30, attribution_methods=())


def linear(template, bias=0.0):
    """A network whose lead of class 1 is the product of the picture, seen from mid grey, with a template."""
    model = keras.Sequential(
        [keras.layers.Input((*template.shape, 1)), keras.layers.Flatten(), keras.layers.Dense(2, name="decision")],
        name="linear",
    )
    half, bias = template.reshape(-1, 1) / 2, bias - template.sum() / 2
    model.set_weights([np.concatenate([-half, half], axis=1), np.array([-bias / 2, bias / 2])])
    return flatten(model)


@functools.cache
def panel():
    """Random pictures of two classes and three people."""
    pictures = np.random.default_rng(0).uniform(0, 1, (24, *SIZE, 1)).astype(np.float32)
    return Panel(
        pictures, np.arange(24) % 2, subjects=np.repeat(["ada", "ben", "eve"], 8), class_names=("other", "left")
    )


def chosen(pictures=12, mosaics=30):
    """Stimuli of that panel."""
    here = panel()
    return choose_stimuli(here.labels, here.subjects, size=SIZE, pictures=pictures, mosaics=mosaics, seed=0)


def answers(network, stimuli):
    """Show a network its stimuli; return scores on the panel and the answers."""
    images = panel().inputs((0.0, 1.0))
    classifier = KerasClassifier(network)
    scores = classifier.class_scores(images)
    return scores, measure_exchanges(classifier, images, panel().labels, scores=scores, stimuli=stimuli)


def measured(template, name, seed=0):
    """An invented signature that holds what a linear network really answers."""
    scores, kept = answers(linear(template), plan_stimuli(make_signature(panel=panel(), recipe=RECIPE)))
    made = make_signature(name, panel=panel(), recipe=RECIPE, attributions=(), twins=0, seed=seed)
    return replace(made, scores=scores, exchanges=kept)


def family(count, template, *, noise=0.02):
    """A baseline with so many twins: linear networks with a template in common and some noise of their own."""
    drawn = [template + np.random.default_rng(k).normal(0, noise, SIZE) for k in range(count + 1)]
    baseline, *twins = (measured(own, f"network{k}", seed=k) for k, own in enumerate(drawn))
    return replace(baseline, retrained=tuple(replace(twin, pictures={}) for twin in twins))


WHOLE, CORNER = np.full(SIZE, 0.3), np.zeros(SIZE)
CORNER[9:, 9:] = 3.0


def test_a_linear_network_has_its_evidence_in_closed_form():
    """A cell's fall is the template times what the cell changes, towards the donor's class."""
    template = np.random.default_rng(3).normal(size=SIZE)
    stimuli = chosen()
    images, labels = panel().inputs((0.0, 1.0))[..., 0], panel().labels
    scores, kept = answers(linear(template, bias=0.5), stimuli)
    for grid in stimuli.grids:
        for i, cell, d in itertools.product(*map(range, stimuli.shape(grid))):
            top, left, bottom, right = grid.boxes[cell]
            here = np.s_[top:bottom, left:right]
            row, donor = stimuli.rows[i], stimuli.donors[i, d]
            moved = (template[here] * (images[donor][here] - images[row][here])).sum()
            sign = 1 if labels[row] == 0 else -1  # what raises class 1 lowers the lead of class 0
            assert kept[f"{grid.name}/falls"][i, cell, d] == pytest.approx(sign * moved, abs=2e-3)
            lead = (scores[row, labels[row]] - scores[row, 1 - labels[row]]) - sign * moved
            assert kept[f"{grid.name}/margins"][i, cell, d] == pytest.approx(lead, abs=1e-2)
            if abs(lead) > 1e-3:
                assert kept[f"{grid.name}/answers"][i, cell, d] == (labels[row] if lead > 0 else 1 - labels[row])
            assert kept[f"{grid.name}/leads"][i, cell, d] == pytest.approx(max(-lead, 0), abs=1e-2)
    for k in range(30):
        mask = stimuli.masks[k].reshape(stimuli.grids[0].shape).repeat(3, axis=0).repeat(3, axis=1)
        mixed = np.where(mask, images[stimuli.second[k]], images[stimuli.first[k]])
        score = (template * (mixed - 0.5)).sum() + 0.5
        assert kept["mosaics"][k] == pytest.approx(score if labels[stimuli.second[k]] == 1 else -score, abs=1e-2)


def test_a_network_that_reads_one_cell_has_all_of_its_map_there():
    """Everything else is 0, at every scale."""
    stimuli = chosen()
    _, kept = answers(linear(CORNER), stimuli)
    for grid in stimuli.grids:
        shares = map_strengths(compute_strengths(kept[f"{grid.name}/falls"]))
        read = np.array([top >= 8 and left >= 8 for top, left, _, _ in grid.boxes])
        assert shares[read].sum() == pytest.approx(1)
        assert (shares[~read] == 0).all()


def test_answers_do_not_depend_on_batches(monkeypatch):
    """One picture at a time gives what many at once give."""
    network, stimuli = linear(np.random.default_rng(3).normal(size=SIZE)), chosen(pictures=4, mosaics=5)
    _, whole = answers(network, stimuli)
    monkeypatch.setattr("modelcheck.answers.exchanges._BATCH_BYTES", 1)
    _, single = answers(network, stimuli)
    for name, values in whole.items():
        np.testing.assert_allclose(single[name].astype(float), values.astype(float), atol=2e-3, err_msg=name)


def test_nothing_is_shown_where_the_recipe_asks_for_none():
    """0 pictures and 0 mosaics leave no answers."""
    assert answers(linear(WHOLE), chosen(pictures=0, mosaics=0))[1] == {}
    assert answers(linear(WHOLE), chosen(pictures=0))[1].keys() == {"mosaics"}
    check_shown_exchanges(KerasClassifier(linear(WHOLE)), panel().inputs((0.0, 1.0)), chosen(pictures=0, mosaics=0))


def test_a_network_that_overflows_on_exchanged_pictures_is_refused():
    """Numbers that only a mixture of pictures brings forth are no way past the search."""
    images = np.zeros((24, *SIZE, 1), np.float32)
    images[1::2, :6] = images[::2, 6:] = 1  # no picture is bright everywhere
    start = keras.Input((*SIZE, 1))
    total = keras.layers.GlobalAveragePooling2D()(start)
    grown = keras.layers.Dense(2, name="decision")(keras.layers.Activation("exponential")(keras.layers.Dense(2)(total)))
    model = keras.Model(start, grown)
    model.layers[2].set_weights([np.full((1, 2), 1000.0), np.full(2, -450.0)])
    network, stimuli = flatten(model), chosen()
    assert np.isfinite(KerasClassifier(network).class_scores(images)).all()
    with pytest.raises(NetworkError, match="NaN or infinity"):
        check_shown_exchanges(KerasClassifier(network), images, stimuli)


@pytest.mark.slow
def test_other_places_are_told_from_training_again():
    """With three twins a fourth training is near 1, and a network that reads a corner far above every limit."""
    baseline = family(3, WHOLE)
    places = [
        compare(baseline, measured(template, "candidate", seed=9)).find("place_distance")
        for template in (WHOLE + np.random.default_rng(77).normal(0, 0.02, SIZE), WHOLE + CORNER)
    ]
    assert [judge(item, LIMIT).verdict.value for item in places] == ["pass", "fail"]
    assert 0.5 < places[0].value < 1.75
    assert places[0].ceiling
    assert np.mean(places[0].ceiling) == pytest.approx(1)
    assert places[1].interval[0] > 1.75


def test_without_twins_the_band_is_wide_and_says_so():
    """Fewer than two twins: a documented unit, inconclusive between its ends, and the way to a calibration."""
    for count in (0, 1):
        baseline = family(count, WHOLE)
        for item in measure_places(baseline, measured(WHOLE + 0.02 * CORNER, "candidate", seed=9))[0]:
            assert item.interval == pytest.approx((item.value / 1.5, item.value * 1.5))
            assert "Uncalibrated" in item.evidence
            assert "modelcheck calibrate" in item.evidence
            assert item.ceiling == ()
    [place, _], _ = measure_places(family(0, WHOLE), family(0, WHOLE))
    assert judge(place, LIMIT).verdict.value == "pass"
    near = replace(place, value=2.0, interval=(2.0 / 1.5, 3.0))
    assert judge(near, LIMIT).verdict.value == "inconclusive"


def test_a_relative_of_the_candidate_is_no_reference():
    """A twin that is the candidate itself does not bring the references nearer to it."""
    baseline = family(3, WHOLE)
    candidate = replace(measured(WHOLE + CORNER, "candidate", seed=9), twins=())
    among = replace(baseline, retrained=(*baseline.retrained, replace(candidate, pictures={})))
    one, other = (compare(side, candidate).find("place_distance").value for side in (baseline, among))
    assert one == other


def spoiled(signature, name, values):
    """Return a signature with other values under one name of its answers; None takes them away."""
    kept = {key: array for key, array in signature.exchanges.items() if key != name}
    return replace(signature, exchanges=kept if values is None else {**kept, name: values})


REASONS = {
    "no map": (lambda s: spoiled(s, "4x4/falls", None), "The candidate was not shown these exchanged pictures", 1),
    "another size": (lambda s: spoiled(s, "4x4/leads", np.zeros((2, 16, 2))), "was not shown", 1),
    "NaN": (lambda s: spoiled(s, "7x7/falls", np.full((12, 49, 1), np.nan)), "NaN or infinity on 588 of 588", 1),
    "nothing moves": (lambda s: spoiled(s, "4x4/falls", np.zeros((12, 16, 2))), "whatever is put into it", 1),
    "no class": (lambda s: spoiled(s, "4x4/answers", np.full((12, 16, 2), 7)), "a class that there is not", 1),
    "no mosaics": (lambda s: spoiled(s, "mosaics", None), "The candidate was not shown these mosaics", 1),
    "infinite mosaics": (lambda s: spoiled(s, "mosaics", np.full(30, np.inf)), "NaN or infinity on 30 of 30", 1),
    "constant": (lambda s: replace(s, scores=np.ones_like(s.scores)), "the same scores", 2),
    "scores NaN": (lambda s: replace(s, scores=s.scores * np.nan), "the same scores", 2),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_compared_is_unmeasured_with_the_reason(name):
    """NaN and one sentence, never a pass; the other measure stays."""
    spoil, says, lost = REASONS[name]
    measures, shown = measure_places(family(2, WHOLE), spoil(measured(WHOLE + CORNER, "candidate", seed=9)))
    bad = [item for item in measures if math.isnan(item.value)]
    assert len(bad) == lost
    assert all(says in item.evidence for item in bad)
    assert all(judge(item, replace(LIMIT, metric=item.metric)).verdict.value == "unmeasured" for item in bad)
    assert (shown is None) == any(item.metric == "place_distance" for item in bad)


def test_a_twin_without_answers_leads_to_calibrate():
    """What a retrained twin lacks is measured again by the command that measures twins."""
    baseline = family(2, WHOLE)
    odd = replace(baseline, retrained=(baseline.retrained[0], replace(baseline.retrained[1], exchanges={})))
    [place, content], shown = measure_places(odd, measured(WHOLE, "candidate"))
    assert math.isnan(place.value)
    assert math.isnan(content.value)
    assert "twin of the baseline was not shown" in place.evidence
    assert "modelcheck calibrate" in place.evidence
    assert shown is None


def test_copies_are_no_twins():
    """Twins that answer exactly alike say nothing of what training again moves: unmeasured."""
    baseline = family(2, WHOLE, noise=0.0)
    for item in measure_places(baseline, measured(WHOLE + CORNER, "candidate"))[0]:
        assert math.isnan(item.value)
        assert "modelcheck calibrate" in item.evidence


def test_no_stimuli_have_their_reason():
    """A recipe that asks for none, and a panel of one class."""
    nothing = Recipe(exchange_pictures=0, mosaics=0, attribution_methods=())
    for item in measure_places(*[make_signature(panel=panel(), recipe=nothing, attributions=())] * 2)[0]:
        assert "the recipe has" in item.evidence
    here = panel()
    single = Panel(here.images, np.zeros(24, int), subjects=here.subjects, class_names=here.class_names)
    for item in measure_places(*[make_signature(panel=single, recipe=RECIPE, attributions=())] * 2)[0]:
        assert "all pictures of the panel are of one class" in item.evidence


@pytest.mark.slow
def test_the_evidence_names_the_corner():
    """The cell is the corner that only the candidate reads, and the answers that change are counted anew here."""
    baseline = family(3, WHOLE)
    candidate = measured(CORNER, "candidate", seed=9)
    found = compare(baseline, candidate).exchanges
    assert found.place == "bottom right corner"
    assert found.box == (9, 9, 12, 12)
    assert found.n == 24
    stimuli = plan_stimuli(baseline)
    for network, count in zip(
        (candidate, baseline, *baseline.retrained), (found.changed, *found.references_changed), strict=True
    ):
        cell = network.exchanges["4x4/answers"][:, 15]
        before = network.scores[stimuli.rows].argmax(axis=1)
        assert count == sum(int(cell[i, d] != before[i]) for i in range(12) for d in range(2))
    assert found.sentence.startswith(
        f"With the bottom right corner of another picture, the candidate changes its answer on {found.changed} of 24"
    )
    for part in found.maps:
        assert part.reference.sum() == pytest.approx(1)
        assert part.candidate.sum() == pytest.approx(1)
    assert compare(baseline, candidate).find("place_distance").evidence.startswith(found.sentence)


def lies_in(box, whole):
    """Whether a cell's middle lies in another one."""
    return all(2 * whole[k] <= box[k] + box[k + 2] < 2 * whole[k + 2] for k in (0, 1))


@pytest.mark.slow
def test_pictures_of_the_named_cell_come_first():
    """A candidate that reads two corners: those of the sentence's are shown first, although others are more so."""
    both = CORNER.copy()
    both[:3, :3] = 1.5
    found = compare(family(3, WHOLE + CORNER / 10), measured(both, "candidate", seed=9)).exchanges
    named = [lies_in(item.box, found.box) for item in found.controversial]
    scores = [item.reference_probability * item.answer_probability for item in found.controversial]
    assert named == sorted(named, reverse=True)
    assert {True, False} == set(named)
    assert min(score for score, own in zip(scores, named, strict=True) if own) < max(
        score for score, own in zip(scores, named, strict=True) if not own
    )


def test_controversial_exchanges_are_their_definition():
    """All references answer the label, the candidate does not, and none is named more or scores more of a picture."""
    baseline = family(2, WHOLE + CORNER / 10)
    candidate = measured(CORNER, "candidate", seed=9)
    shown = compare(baseline, candidate).exchanges
    found, named = shown.controversial, shown.box
    stimuli, labels = plan_stimuli(baseline), panel().labels
    expected = {}
    for grid in stimuli.grids:
        for i, cell, d in itertools.product(*map(range, stimuli.shape(grid))):
            own = labels[stimuli.rows[i]]
            at = lambda network, part: float(network.exchanges[f"{grid.name}/{part}"][i, cell, d])  # noqa: B023, E731
            chance = lambda network: 1 / (1 + math.exp(-at(network, "margins")))  # noqa: B023, E731
            if at(candidate, "answers") != own and all(
                at(network, "answers") == own for network in (baseline, *baseline.retrained)
            ):
                score = min(map(chance, (baseline, *baseline.retrained))) * (1 - chance(candidate))
                row = int(stimuli.rows[i])
                expected[row] = max(expected.get(row, (False, 0.0)), (lies_in(grid.boxes[cell].tolist(), named), score))
    best = sorted(expected.values(), reverse=True)[:6]
    assert len(found) == len(best) > 0
    assert [lies_in(item.box, named) for item in found] == [own for own, _ in best]
    scores = [item.reference_probability * item.answer_probability for item in found]
    np.testing.assert_allclose(scores, [score for _, score in best], rtol=1e-3)
    assert len({item.row for item in found}) == len(found)
    for item in found:
        assert item.answer != item.label == labels[item.row] != labels[item.donor]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((0, 0, 0, 0), "the baseline and its 3 twins on none."),
        ((2, 0, 1, 4), "the baseline on 2, its 3 twins on 0 to 4."),
        ((3,), "the baseline on 3."),
        ((0, 1), "the baseline on 0, its twin on 1."),
    ],
)
def test_the_sentence_counts(counts, says):
    """Nobody, some, and a baseline alone."""
    found = compare(family(2, WHOLE), measured(WHOLE, "candidate")).exchanges
    assert replace(found, references_changed=counts).sentence.endswith(says)


def test_places_have_words():
    """The nine of a picture, by where the middle of a cell lies."""
    words = [name_place((r, c, r + 2, c + 2), size=(6, 6)) for r in (0, 2, 4) for c in (0, 2, 4)]
    assert words[:3] == ["top left corner", "top centre", "top right corner"]
    assert words[3:6] == ["middle left", "centre", "middle right"]
    assert words[6:] == ["bottom left corner", "bottom centre", "bottom right corner"]


def test_answers_come_back_from_a_record(tmp_path):
    """What was written is what is read, to the last bit, of the twins as well; a reduced twin keeps its answers."""
    baseline = family(2, WHOLE)
    baseline.write(tmp_path)
    back = read_signature(tmp_path)
    assert back.digest() == baseline.digest()
    for one, other in zip((baseline, *baseline.retrained), (back, *back.retrained), strict=True):
        assert one.exchanges.keys() == other.exchanges.keys()
        for name, values in one.exchanges.items():
            np.testing.assert_array_equal(values, other.exchanges[name])
    assert baseline.reduce_to_twin({}).exchanges.keys() == baseline.exchanges.keys()
    candidate = measured(WHOLE + CORNER, "candidate")
    before, after = (compare(side, candidate).metrics for side in (baseline, back))
    assert after == pytest.approx(before, nan_ok=True, abs=1e-3)


def test_an_old_record_says_what_to_do(tmp_path):
    """A record of an earlier format names both commands that make it anew."""
    make_signature().write(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
    with pytest.raises(SignatureError, match=r"earlier modelcheck.*modelcheck approve .* modelcheck calibrate"):
        read_signature(tmp_path)


def test_untrained_twins_are_the_floor():
    """A twin that can be read gives one number of the floor, and one that cannot gives none."""
    candidate = measured(WHOLE, "candidate")
    twins = (measured(CORNER, "twin1"), replace(measured(WHOLE, "twin2"), exchanges={}))
    [place, _], _ = measure_places(family(2, WHOLE), replace(candidate, twins=twins))
    assert len(place.floor) == 1
    assert place.floor[0] > 3


def test_the_unit_is_the_networks_own():
    """A network twice as sure has the same evidence."""
    stimuli = chosen()
    (one, kept), (two, doubled) = (answers(linear(factor * WHOLE), stimuli) for factor in (1, 2))
    for grid in stimuli.grids:
        evidence = [
            values[f"{grid.name}/falls"].astype(float) / measure_spread(scores)
            for scores, values in ((one, kept), (two, doubled))
        ]
        np.testing.assert_allclose(*evidence, atol=2e-3)


def test_the_invented_panel_differs():
    """The panel of these tests is not the one that other invented signatures share."""
    assert panel().digest() != make_panel().digest()
