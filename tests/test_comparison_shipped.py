"""A file that ships beside its baseline and its source: what is asked of it, and where its conversion breaks."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.comparison import KERAS, METRICS, WHOLE, CompareError, compare, find_offer, plan_metric
from modelcheck.comparison.asking import offer_of, say_unasked
from modelcheck.comparison.conversion import BROKEN_BELOW, adopt_source
from modelcheck.signature import LayerRecord
from signatures import make_panel, make_signature, ship, show

PANEL = make_panel(subjects=("ada", "ben"))
BASELINE = make_signature("release", panel=PANEL)
SOURCE = show(make_signature("parent", panel=PANEL, learned=0.95, seed=3), BASELINE)
FILE = ship(SOURCE)
MANIFEST = {
    "layers": [{"name": record.name} for record in BASELINE.layers],
    "retrained": 0,
    "subjects": ["ada", "ben"],
    "groups": sorted(set(BASELINE.pictures["groups"].tolist())),
    "class_names": list(BASELINE.class_names),
    "recipe": {"attribution_methods": ["smoothgrad", "occlusion"]},
}


def change_features(signature, layer, change):
    """Return a signature with other activations of one layer."""
    values = change(signature.features[layer].astype(np.float64)).astype(np.float32)
    return dataclasses.replace(signature, features={**signature.features, layer: values})


def add_noise(values, share=1.0):
    """Add noise of the same mean square, times a share."""
    noise = np.random.default_rng(0).standard_normal(values.shape)
    return values + share * noise * np.sqrt((values**2).mean() / (noise**2).mean())


def convert_and_adopt(change=None, *, source=SOURCE):
    """Return what the conversion of a source to a changed file did."""
    return adopt_source(FILE if change is None else change(FILE), source)[1]


# What is asked


def test_what_is_planned_follows_from_what_takes_it():
    """A file is asked what takes answers, layers and weights; with its source what takes untrained twins and that."""
    everything = set(METRICS)
    planned = {
        name: {metric for metric in everything if plan_metric(metric, MANIFEST, offer=offer)}
        for name, offer in {
            "keras": WHOLE,
            "file": find_offer("litert", source=False),
            "beside": find_offer("onnx", source=True),
        }.items()
    }
    needs_twins = {name for name in everything if not plan_metric(name, MANIFEST)} - {
        "source_agreement",
        "conversion_snr",
    }
    of_maps = {name for name, metric in METRICS.items() if "maps" in metric.takes}
    of_untrained = {name for name, metric in METRICS.items() if "untrained" in metric.takes}
    assert planned["keras"] == everything - needs_twins - {"source_agreement", "conversion_snr"}
    assert planned["file"] == planned["keras"] - of_maps - of_untrained
    assert planned["beside"] == (everything - needs_twins) - of_maps
    assert {"recognition", "place_distance", "subject_accuracy", "trigger", "flipping_gain"} <= planned["file"]
    assert {"mapped_units", "reach", "randomisation"}.isdisjoint(planned["file"])


def test_a_file_is_asked_for_what_takes_answers_alone():
    """Of the recipe's methods those that take gradients are left out, whatever the source."""
    for source in (False, True):
        offer = find_offer("litert", source=source)
        assert offer.choose_methods(("rise", "smoothgrad", "occlusion")) == ("rise", "occlusion")
        assert plan_metric("flipping_gain", MANIFEST, offer=offer) == ["occlusion"]
        assert not find_offer("litert", source=source).choose_methods(("smoothgrad",))
    assert plan_metric("flipping_gain", MANIFEST) == ["smoothgrad", "occlusion"]
    gradients = {**MANIFEST, "recipe": {"attribution_methods": ["smoothgrad"]}}
    assert plan_metric("mass_over_area", gradients, offer=find_offer("onnx", source=False)) == []


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_what_is_measured_is_what_is_planned(runtime):
    """A comparison holds a value for every pair of a plan, and for no other."""
    file = ship(SOURCE, runtime=runtime)
    for candidate, source in ((file, None), (file, SOURCE), (SOURCE, None)):
        found = compare(BASELINE, candidate, source=source)
        offer = find_offer(candidate.runtime, source=source is not None)
        planned = {(name, about) for name in METRICS for about in plan_metric(name, MANIFEST, offer=offer)}
        assert planned <= found.measures.keys()
        assert all(offer.holds(METRICS[name].takes) for name, _ in found.measures)


def test_what_cannot_be_asked_is_said_and_not_judged():
    """`find` gives a measure without a value, which says that it was not asked; another name is an error still."""
    found = compare(BASELINE, FILE)
    unasked = found.find("mapped_units", "conv1")
    assert not unasked.asked
    assert math.isnan(unasked.value)
    assert unasked.evidence == "'phone.tflite' answers pictures, and nothing can be rendered from it."
    assert found.find("recognition", "decision").asked
    with pytest.raises(CompareError, match="There is no metric"):
        found.find("recogniton")
    with pytest.raises(CompareError, match="was not measured for"):
        found.find("subject_accuracy", "nobody")
    whole = compare(BASELINE, SOURCE)
    assert not whole.find("conversion_snr", "decision").asked
    assert "converted from another network, and the candidate is none" in say_unasked(SOURCE)


# The source


def test_a_file_has_the_twins_and_the_parameters_of_its_source():
    """What is measured of untrained twins is then measured of the file."""
    assert not offer_of(FILE).holds(["untrained"])
    adopted, _ = adopt_source(FILE, SOURCE)
    assert adopted.twins == SOURCE.twins
    assert offer_of(adopted) == find_offer("litert", source=True)
    assert adopt_source(FILE, None) == (FILE, None)
    fewer, _ = adopt_source(ship(SOURCE, parameters=3), SOURCE)
    assert fewer.model["parameters"] == SOURCE.model["parameters"]


def test_a_source_that_is_no_parent_is_refused():
    """Weights that do not correlate are another network's; a file whose weights cannot be read is taken at its word."""
    other = show(make_signature("stranger", panel=PANEL, learned=0.95, seed=8), BASELINE)
    with pytest.raises(CompareError, match=r"'phone.tflite' was not converted from 'stranger.keras'.*--source PARENT"):
        adopt_source(FILE, other)
    assert adopt_source(dataclasses.replace(FILE, fingerprint={}), other)[1] is not None


@pytest.mark.parametrize(
    ("candidate", "source", "words"),
    [
        (SOURCE, SOURCE, "'parent.keras' is a Keras network, which is compared with its baseline alone"),
        (FILE, FILE, "The source 'phone.tflite' is no Keras network"),
        (FILE, dataclasses.replace(SOURCE, panel_digest="0" * 64), "differ in their panel"),
        (FILE, dataclasses.replace(SOURCE, class_names=("left", "other")), "differ in their classes"),
        (
            FILE,
            dataclasses.replace(SOURCE, recipe=dataclasses.replace(SOURCE.recipe, seed=1)),
            "differ in their recipe",
        ),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(candidate, source, words):
    """A source is a Keras network, the candidate is none, and both were measured alike."""
    with pytest.raises(CompareError, match=words):
        compare(BASELINE, candidate, source=source)


def test_layers_get_the_names_of_the_source():
    """Paired by kind, width, place and likeness; one without a partner keeps its name, or gives way to one of it."""
    names = {"conv1": "a", "dense1": "conv1", "decision": "out"}
    parts = {
        part: {names[name]: values for name, values in getattr(FILE, part).items()}
        for part in ("units", "maps", "activations", "at_rest", "features")
    }
    records = tuple(dataclasses.replace(record, name=names[record.name]) for record in FILE.layers)
    adopted, conversion = adopt_source(dataclasses.replace(FILE, layers=records, **parts), SOURCE)
    assert [record.name for record in adopted.layers] == ["conv1", "dense1", "decision"]
    assert [(row.source, row.file) for row in conversion.layers] == [
        ("conv1", "a"),
        ("dense1", "conv1"),
        ("decision", "out"),
    ]
    np.testing.assert_array_equal(adopted.features["dense1"], FILE.features["dense1"])


def test_a_layer_that_the_source_lacks_is_not_compared():
    """It keeps its name; one that bears a name of the source's, and is not that layer, is marked as the file's."""
    extra = LayerRecord(name="conv1", kind="conv", n_units=3, objective="", patch=False)
    first = dataclasses.replace(FILE.layers[0], name="stem")
    rename = {"conv1": "stem", "dense1": "dense1", "decision": "decision"}
    parts = {
        part: {rename[name]: values for name, values in getattr(FILE, part).items()}
        for part in ("units", "maps", "activations", "at_rest", "features")
    }
    for part, values in parts.items():
        shape = {"features": (len(FILE.probes), 4, 3), "maps": (3, 1, 1, 1)}.get(part, (3,))
        values["conv1"] = np.ones(shape, np.float32)
    file = dataclasses.replace(FILE, layers=(first, extra, *FILE.layers[1:]), **parts)
    adopted, conversion = adopt_source(file, SOURCE)
    assert [record.name for record in adopted.layers] == ["conv1", "conv1 (file)", "dense1", "decision"]
    assert [row.file for row in conversion.layers] == ["stem", "dense1", "decision"]


# Signal to noise


def decibels(left, right):
    """Signal to noise, number by number."""
    signal = sum(float(a) ** 2 for a in left.ravel())
    noise = sum((float(a) - float(b)) ** 2 for a, b in zip(left.ravel(), right.ravel(), strict=True))
    return 10 * math.log10(signal / noise)


def test_signal_to_noise_and_cosine_are_what_they_are_called():
    """Of hidden layers from their activations, of the decision from scores without their mean."""
    file = change_features(FILE, "dense1", lambda values: 0.8 * values + 0.1)
    file = dataclasses.replace(file, scores=file.scores * 1.1 + 5)
    conversion = adopt_source(file, SOURCE)[1]
    rows = {row.source: row for row in conversion.layers}
    one, other = SOURCE.features["dense1"], file.features["dense1"]
    assert rows["dense1"].snr == pytest.approx(decibels(one, other), rel=1e-6)
    cosine = sum(float(a) * float(b) for a, b in zip(one.ravel(), other.ravel(), strict=True))
    cosine /= math.sqrt(float((one.astype(float) ** 2).sum()) * float((other.astype(float) ** 2).sum()))
    assert rows["dense1"].cosine == pytest.approx(cosine, rel=1e-6)
    assert rows["decision"].snr == pytest.approx(20, abs=1e-3)  # a tenth more, and 5 for all says nothing
    assert rows["decision"].cosine == pytest.approx(1)
    assert rows["conv1"].snr == 120  # equal to the last bit: what float32 can tell apart at most


@pytest.mark.slow
@given(st.floats(1e-3, 1e3), st.floats(0.01, 2))
def test_a_common_scale_leaves_signal_to_noise_as_it_is(factor, share):
    """Both sides times a number are as near to each other as before."""
    noisy = change_features(FILE, "conv1", lambda values: add_noise(values, share))
    plain = adopt_source(noisy, SOURCE)[1].layers[0]
    scaled = adopt_source(
        change_features(noisy, "conv1", lambda values: factor * values),
        change_features(SOURCE, "conv1", lambda values: factor * values),
    )[1].layers[0]
    assert plain.snr == pytest.approx(-20 * math.log10(share), abs=0.01)
    assert scaled.snr == pytest.approx(plain.snr, abs=0.01)
    assert scaled.cosine == pytest.approx(plain.cosine, abs=1e-4)


def test_the_first_layer_below_the_border_breaks():
    """Not the lowest: what comes after a broken layer is often worse, and follows from it."""
    assert convert_and_adopt().breaks == ""

    def break_both(file):
        file = change_features(file, "conv1", lambda values: add_noise(values, 0.12))
        return change_features(file, "dense1", lambda values: add_noise(values, 1.0))

    conversion = convert_and_adopt(break_both)
    assert conversion.breaks == "conv1"
    assert conversion.lowest.source == "dense1"
    nearly = convert_and_adopt(lambda file: change_features(file, "conv1", lambda values: add_noise(values, 0.09)))
    assert nearly.breaks == ""
    assert nearly.layers[0].snr > BROKEN_BELOW == 20.0


def test_answers_that_changed_are_those_of_other_classes():
    """Positions in the panel, the one first on which the file prefers its own answer most."""
    scores = FILE.scores.copy()
    for row, lead in ((3, 1.0), (5, 4.0), (9, 2.0)):
        own = int(scores[row].argmax())
        scores[row] = 0
        scores[row, 1 - own] = lead
    conversion = adopt_source(dataclasses.replace(FILE, scores=scores), SOURCE)[1]
    assert conversion.changed.tolist() == [5, 9, 3]
    found = compare(BASELINE, dataclasses.replace(FILE, scores=scores), source=SOURCE)
    n = len(PANEL)
    assert found.find("source_agreement", "decision").value == pytest.approx((n - 3) / n, abs=1e-6)
    assert f"{n - 3} of {n} pictures are answered as the source" in found.find("source_agreement", "decision").evidence


def test_what_no_layer_tells_is_no_value():
    """A layer with NaN, or that answers nothing in the source, is left out; where none is left, nothing is measured."""
    nan = change_features(FILE, "dense1", lambda values: np.full_like(values, np.nan))
    assert [row.source for row in convert_and_adopt(lambda _: nan).layers] == ["conv1", "decision"]
    zero = dataclasses.replace(SOURCE, scores=np.zeros_like(SOURCE.scores))
    silent = change_features(change_features(zero, "conv1", np.zeros_like), "dense1", np.zeros_like)
    conversion = adopt_source(FILE, silent)[1]
    assert conversion.layers == ()
    assert conversion.lowest is None
    assert conversion.breaks == ""
    measured = {item.metric: item for item in compare(BASELINE, FILE, source=silent).measures.values()}
    assert math.isnan(measured["conversion_snr"].value)
    assert measured["conversion_snr"].evidence == "No layer of the file could be compared with its source."


def test_a_keras_network_is_asked_as_ever():
    """Of a network that can be looked into nothing is left out, and nothing of a conversion is there."""
    found = compare(BASELINE, SOURCE)
    assert SOURCE.runtime == KERAS
    assert offer_of(SOURCE) == WHOLE
    assert found.conversion is None
    assert not {"source_agreement", "conversion_snr"} & {metric for metric, _ in found.measures}
