"""Measuring: everything a signature promises, the same on every run, and clear errors for what does not fit."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from modelcheck.answers.flipping import compute_flipping_curves
from modelcheck.answers.probes import choose_probe_rows
from modelcheck.comparison import CompareError, compare
from modelcheck.interface import Interface
from modelcheck.measurement import fit_network, make_untrained_twin, measure
from modelcheck.network import KerasClassifier, NetworkError, flatten
from modelcheck.network.loading import ModelError, load_network
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.runtimes import Readout
from modelcheck.signature import read_signature
from networks import nested, plain, residual
from signatures import make_panel

RECIPE = Recipe(steps=6, copies=2, untrained_twins=1, smoothgrad_samples=2, probe_pictures=6)
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def panel():
    """Return a panel of the small networks' size."""
    return make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder of saved networks."""
    folder = tmp_path_factory.mktemp("networks")
    plain(seed=4).save(folder / "plain.keras")
    plain(seed=4).save(folder / "again.keras")
    nested(seed=4).save(folder / "nested.keras")
    plain(classes=4, seed=4).save(folder / "four.keras")
    return folder


@pytest.fixture(scope="module")
def measured(saved, panel):
    """Return the signature of the plain network."""
    return measure(saved / "plain.keras", panel, RECIPE)


def test_a_signature_holds_everything(measured, panel, saved, tmp_path):
    """Layers, maps, features, scores, attributions, twins and provenance are there, and survive the folder."""
    assert [layer.name for layer in measured.layers] == ["conv1", "conv2", "dense1", "decision"]
    assert [layer.objective for layer in measured.layers] == ["channel", "channel", "neuron", "margin"]
    assert measured.maps["conv1"].shape == (4, 3, 3, 1)
    assert measured.maps["decision"].shape == (2, 12, 10, 1)
    assert measured.features["conv1"].shape == (6, 16, 4)
    assert measured.features["dense1"].shape == (6, 1, 6)
    model, sha = load_network(saved / "plain.keras")
    assert measured.model["sha256"] == sha
    np.testing.assert_allclose(measured.scores.argmax(1), model(panel.inputs((0, 1))).numpy().argmax(1))
    assert set(measured.attributions) == {"smoothgrad", "occlusion"}
    assert len(measured.twins) == 1
    measured.write(tmp_path / "s")
    assert read_signature(tmp_path / "s").digest() == measured.digest()


@pytest.mark.slow
def test_measuring_again_gives_the_same(measured, saved, panel):
    """Another run on the same file gives the same signature to the last bit of its digest."""
    assert measure(saved / "plain.keras", panel, RECIPE).digest() == measured.digest()


@pytest.mark.slow
def test_a_network_equals_itself(measured, saved, panel):
    """Compared with its own copy, a network transfers fully, looks the same and changes nothing."""
    again = measure(saved / "again.keras", panel, RECIPE, stimuli=measured)
    metrics = compare(measured, again).metrics
    assert metrics["transfer[decision]"] == pytest.approx(1, abs=0.02)
    assert metrics["lineage"] == pytest.approx(1)
    assert metrics["coarse_similarity[decision]"] == pytest.approx(1)
    assert metrics["map_ssim[conv2]"] == pytest.approx(1)
    assert metrics["accuracy_change"] == 0
    assert metrics["mass_change[left]"] == pytest.approx(0, abs=1e-6)
    assert metrics["floor_ssim[conv2]"] < 0.99


def test_without_stimuli_there_is_no_transfer(measured):
    """A candidate that was never shown the baseline's maps has NaN, not zero."""
    assert np.isnan(compare(measured, measured).metrics["transfer[decision]"])


def test_the_table_has_a_row_per_layer(measured):
    """The table lists every layer of the baseline with its counterpart."""
    table = compare(measured, measured).table()
    assert list(table.index) == ["conv1", "conv2", "dense1", "decision"]
    assert (table["candidate"] == table.index).all()


@pytest.mark.slow
def test_nested_networks_and_single_scores(saved, panel):
    """A backbone as a layer and a single sigmoid are measured like any other network."""
    signature = measure(saved / "nested.keras", panel, RECIPE)
    assert signature.decision.n_units == 2
    assert signature.maps["score"].shape == (2, 12, 10, 1)
    assert signature.scores.shape == (len(panel), 2)


@pytest.mark.slow
def test_several_outputs_for_one_class(saved, panel, measured):
    """A four-class network is judged on two classes when told which outputs mean which."""
    outputs = ["left", "other", "other", "other"]
    signature = measure(saved / "four.keras", panel, RECIPE, interface=Interface(outputs=outputs), stimuli=measured)
    assert signature.scores.shape == (len(panel), 2)
    assert np.isfinite(compare(measured, signature).metrics["transfer[decision]"])
    with pytest.raises(NetworkError, match="4 outputs, the panel 2 classes"):
        measure(saved / "four.keras", panel, RECIPE)
    with pytest.raises(NetworkError, match="Did you mean 'left'"):
        measure(saved / "four.keras", panel, RECIPE, interface=Interface(outputs=["lft", "other", "other", "other"]))
    with pytest.raises(NetworkError, match="must name a class for each"):
        measure(saved / "four.keras", panel, RECIPE, interface=Interface(outputs=["left", "left", "left", "left"]))


@pytest.mark.parametrize(
    ("own", "called"), [("sequential_3", "release"), ("model", "release"), ("sequential_x", "sequential_x")]
)
def test_a_name_that_keras_made_up_is_not_told(tmp_path, panel, own, called):
    """A network without a name of its own is called by its file."""
    layers = [keras.Input((12, 10, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(layers, name=own).save(tmp_path / "release.keras")
    light = Recipe(steps=1, copies=1, untrained_twins=0, probe_pictures=4, attribution_methods=(), exchange_pictures=0)
    assert measure(tmp_path / "release.keras", panel, light).model["name"] == called


def test_what_does_not_fit_is_refused(saved, panel, tmp_path):
    """Another size, a missing file, no archive and unreadable weights are told apart."""
    with pytest.raises(NetworkError, match="takes pictures of shape"):
        measure(saved / "plain.keras", make_panel(size=(16, 12)), RECIPE)
    with pytest.raises(ModelError, match="There is no network file"):
        measure(tmp_path / "none.keras", panel, RECIPE)
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ModelError, match=r"is no \.keras archive"):
        measure(tmp_path / "text.keras", panel, RECIPE)


def test_lambda_layers_are_refused(tmp_path):
    """A network that carries code is not loaded: safe mode stays on."""
    model = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ModelError, match="is refused, and was not loaded"):
        load_network(tmp_path / "lambda.keras")


def test_nan_answers_are_refused(tmp_path, panel):
    """A network that answers NaN is never measured as if it had answered."""
    model = plain()
    model.get_layer("decision").set_weights([np.full((6, 2), np.nan), np.zeros(2)])
    model.save(tmp_path / "nan.keras")
    with pytest.raises(NetworkError, match="NaN or infinity on"):
        measure(tmp_path / "nan.keras", panel, RECIPE)


def begin(what, share):
    """Take the first word of progress behind loading, where the expensive part begins, for a failure."""
    assert what == "loading", f"measuring has begun: {what}"


@pytest.mark.parametrize("name", ["conv\u00a01", "c" * 1200, "conv\\1", "conv\u200b1"])
def test_a_name_that_cannot_be_kept_is_refused_before_anything_is_measured(name, panel, tmp_path):
    """A layer's name that no member of a record can have costs no minute of measuring, and is named."""
    model = plain()
    model.layers[0].name = name
    model.save(tmp_path / "named.keras")
    with pytest.raises(ValueError, match="Nothing can be kept under the layer's name"):
        measure(tmp_path / "named.keras", panel, RECIPE, progress=begin)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv.1>a", "c" * 900])
def test_a_name_that_can_be_kept_survives_the_record(name, panel, tmp_path):
    """Whatever Keras itself can run, up to 900 letters, comes back as it was."""
    model = plain()
    model.layers[0].name = name
    model.save(tmp_path / "named.keras")
    measure(tmp_path / "named.keras", panel, RECIPE, twins=False).write(tmp_path / "record")
    assert read_signature(tmp_path / "record").layers[0].name == name


@pytest.mark.parametrize("twins", [True, False])
def test_a_network_is_asked_as_its_user_asks_it_before_anything_is_measured(panel, tmp_path, twins):
    """Another function than the steps' is refused right after loading, for a baseline and for a candidate."""
    entry = keras.Input((12, 10, 1), name="entry", dtype="bool")
    model = keras.Model(entry, plain()(keras.layers.Rescaling(1.0)(entry)))
    model.save(tmp_path / "bool.keras")
    with pytest.raises(NetworkError, match="input 'entry', which takes bool"):
        measure(tmp_path / "bool.keras", panel, RECIPE, twins=twins, progress=begin)


def test_bytes_are_not_whole_numbers_to_a_network_that_is_shown_more(tmp_path, panel):
    """An input of bytes loses nothing on a panel of bytes, and is refused: the ascent shows what lies between."""
    entry = keras.Input((12, 10, 1), name="entry", dtype="uint8")
    model = keras.Model(entry, plain()(keras.layers.Rescaling(1 / 255)(entry)))
    model.save(tmp_path / "bytes.keras")
    assert panel.images.dtype == np.uint8
    with pytest.raises(NetworkError, match="input 'entry', which takes uint8"):
        measure(tmp_path / "bytes.keras", panel, Recipe(**{**RECIPE.to_dict(), "input_range": (0.0, 255.0)}))


@pytest.mark.parametrize(
    ("file", "given", "words"),
    [
        ("plain.keras", ["other", "left"], None),
        ("plain.keras", ["left", "other"], "another order"),
        ("nested.keras", ["left", "other"], "another order"),
        ("plain.keras", ["left", "left"], "must name a class for each"),
    ],
)
def test_no_setting_swaps_the_answers(saved, panel, file, given, words):
    """As many outputs as classes are taken in the panel's order, of one output too, or not at all."""
    model = load_network(saved / file)[0]
    if words is None:
        assert fit_network(model, panel, Interface(outputs=given), recipe=RECIPE).readout == Readout()
        return
    with pytest.raises(NetworkError, match=words):
        fit_network(model, panel, Interface(outputs=given), recipe=RECIPE)


@pytest.mark.parametrize("make", [plain, residual, nested], ids=["plain", "residual", "nested"])
def test_twins_are_fresh_and_seeded(make):
    """An untrained twin has other weights, the same for the same seed, and leaves the network alone."""
    model = make()
    before = [weight.copy() for weight in model.get_weights()]
    keras.utils.set_random_seed(99)
    one, same, other = (make_untrained_twin(model, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [i for i, weight in enumerate(before) if weight.ndim > 1]
    assert all(not np.array_equal(one.get_weights()[i], other.get_weights()[i]) for i in kernels)
    assert all(not np.array_equal(one.get_weights()[i], before[i]) for i in kernels)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("make", [plain, residual], ids=["plain", "residual"])
def test_a_twin_that_borrows_the_network_is_the_twin(make, panel, tmp_path):
    """What a twin shows in the candidate's place is what a network of its own with the same weights shows."""
    make(shape=(12, 10, 1), seed=4).save(tmp_path / "own.keras")
    model, _ = load_network(tmp_path / "own.keras")
    make_untrained_twin(model, seed=RECIPE.seed + 1).save(tmp_path / "twin.keras")
    outputs = (*panel.class_names, panel.class_names[1])[: model.output_shape[-1]]
    borrowed = measure(tmp_path / "own.keras", panel, RECIPE, interface=Interface(outputs=outputs)).twins[0]
    apart = measure(tmp_path / "twin.keras", panel, RECIPE, interface=Interface(outputs=outputs), twins=False)
    for part in ("maps", "activations", "features", "attributions"):
        one, other = getattr(borrowed, part), getattr(apart, part)
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=f"{part} {name}")
    np.testing.assert_array_equal(borrowed.natural, apart.natural)
    np.testing.assert_array_equal(borrowed.scores, apart.scores)


def test_probes_are_spread_evenly(panel):
    """Every person and class is among the probes before anyone is there twice; few probes span all people."""
    rows = choose_probe_rows(panel, 4)
    assert len({(panel.subjects[row], panel.labels[row]) for row in rows}) == 4
    np.testing.assert_array_equal(choose_probe_rows(panel, 1000), np.arange(len(panel)))
    assert len(set(panel.subjects[choose_probe_rows(panel, 2)].tolist())) == 2


@pytest.mark.slow
def test_signatures_measured_differently_are_not_compared(measured, saved, panel):
    """Another recipe, panel or class list is an error, not a number."""
    other = measure(saved / "plain.keras", panel, Recipe(**{**RECIPE.to_dict(), "steps": 5}))
    with pytest.raises(CompareError, match="differ in their recipe"):
        compare(measured, other)
    part = Panel(
        panel.images[:6],
        panel.labels[:6],
        subjects=panel.subjects[:6],
        class_names=panel.class_names,
        regions=panel.regions[:6],
    )
    with pytest.raises(CompareError, match="differ in their panel"):
        compare(measured, measure(saved / "plain.keras", part, RECIPE))


def test_given_counterparts_are_checked(measured):
    """A table of counterparts may pair or take out hidden layers that exist, and nothing else."""
    comparison = compare(measured, measured, layers={"dense1": None})
    assert comparison.layers[2].acknowledged
    assert "map_ssim[dense1]" not in comparison.metrics
    with pytest.raises(CompareError, match="which the baseline lacks"):
        compare(measured, measured, layers={"dense2": None})
    with pytest.raises(CompareError, match="which the candidate lacks"):
        compare(measured, measured, layers={"dense1": "dense9"})
    with pytest.raises(CompareError, match="must leave the decision layer alone"):
        compare(measured, measured, layers={"decision": None})
    with pytest.raises(CompareError, match="Did you mean 'transfer'"):
        comparison.find("tranfer", "decision")
    with pytest.raises(CompareError, match="was not measured for"):
        comparison.find("transfer", "conv1")


def test_flipping_takes_the_strongest_evidence_first_in_every_channel():
    """On a linear network a slope's curve falls by the largest sums of slope times difference, of any order."""
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    random = np.random.default_rng(5)
    images = random.uniform(size=(6, 8, 8, 3)).astype(np.float32)
    labels, probes = np.array([0, 1] * 3), np.arange(6)
    kernel = network.layers[-1].kernel.numpy().reshape(8, 8, 3, 2)
    slopes = np.stack([kernel[..., k] - kernel[..., 1 - k] for k in labels])
    curves = compute_flipping_curves(
        KerasClassifier(flatten(network)),
        images,
        labels=labels,
        probes=probes,
        relevance={"gradient": slopes, "occlusion": slopes},
        seed=RECIPE.seed,
        slopes=("gradient",),
    )
    evidence = (slopes * (images - images.mean(axis=0))).sum(axis=-1).reshape(6, -1)
    for picture, worth in enumerate(-np.sort(-evidence, axis=1)):
        taken = [worth[: round(share * 64)].sum() for share in np.linspace(0, 0.3, 7)]
        np.testing.assert_allclose(curves["gradient"][picture, 0] - curves["gradient"][picture], taken, atol=1e-4)
    fall = {name: float((curve[:, :1] - curve).mean()) for name, curve in curves.items()}
    assert fall["gradient"] > fall["random"] + 0.1
    assert fall["gradient"] > fall["occlusion"] + 0.1, "the same maps taken for evidence rank worse"


@pytest.mark.slow
def test_of_many_classes_twins_have_maps_of_some(tmp_path):
    """A network has a map of each of twenty classes, an untrained twin of sixteen; floors are known all the same."""
    random = np.random.default_rng(3)
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(20, name="dense")])
    names = tuple(f"c{k}" for k in range(20))
    held = Panel(random.uniform(size=(40, 8, 8, 1)).astype(np.float32), np.arange(40) % 20, class_names=names)
    light = dataclasses.replace(RECIPE, untrained_twins=2, attribution_methods=(), sticker_faces=0)
    path = tmp_path / "twenty.keras"
    network.save(path)
    own = measure(path, held, light, twins=False)
    other = measure(path, held, light, stimuli=own)
    assert np.isfinite(other.activations["dense"]).sum() > 16
    for twin in other.twins:
        assert np.isfinite(twin.maps["dense"]).all(axis=(1, 2, 3)).sum() == 16
        assert np.isfinite(twin.exchange.class_scores["free"]).all()
    comparison = compare(own, other)
    for metric in ("transfer", "coarse_similarity", "recognition"):
        assert np.isfinite(comparison.find(metric, "dense").floor).all()


@pytest.mark.slow
@pytest.mark.parametrize("at_most", [0, 2])
def test_fewer_hidden_layers_are_measured_as_among_all(measured, saved, panel, at_most):
    """A recipe that looks at fewer hidden layers keeps what it has of the others' measurement, and says how many."""
    thin = measure(saved / "plain.keras", panel, dataclasses.replace(RECIPE, hidden_layers=at_most))
    names = [layer.name for layer in thin.layers]
    assert names == {0: ["decision"], 2: ["conv1", "dense1", "decision"]}[at_most]
    assert thin.model["hidden_layers"] == 3
    assert "hidden_layers" not in measured.model
    for name in names:
        np.testing.assert_array_equal(thin.maps[name], measured.maps[name])
        np.testing.assert_array_equal(thin.features[name], measured.features[name])
    np.testing.assert_array_equal(thin.twins[0].maps["decision"], measured.twins[0].maps["decision"])
    assert set(thin.twins[0].maps) == set(names)


@pytest.mark.slow
def test_counterparts_are_sought_among_the_layers_that_were_looked_at(saved, panel, tmp_path):
    """A layer to which none of the candidate's chosen layers corresponds has no counterpart; the rest is compared."""
    recipe = dataclasses.replace(RECIPE, hidden_layers=2)
    baseline = measure(saved / "plain.keras", panel, recipe)
    other = measure(saved / "nested.keras", panel, recipe, stimuli=baseline)
    other.write(tmp_path)
    comparison = compare(baseline, read_signature(tmp_path))
    looked_at = {layer.name for layer in other.layers}
    pairs = {pair.baseline.name: pair.candidate for pair in comparison.layers}
    assert set(pairs) == {"conv1", "dense1", "decision"}
    assert pairs["decision"].name == other.layers[-1].name
    assert all(layer is None or layer.name in looked_at for layer in pairs.values())
    for name in ("conv1", "dense1"):
        assert comparison.find("counterpart", name).value == float(pairs[name] is not None)


@pytest.mark.slow
def test_a_network_in_memory_measures_as_its_file(panel, saved):
    """A model is saved, measured and gone again; all that is measured is what its file gives."""
    light = dataclasses.replace(RECIPE, steps=2, untrained_twins=0)
    kept = measure(saved / "plain.keras", panel, light)
    found = measure(plain(seed=4), panel, light)
    assert dataclasses.replace(found, model=kept.model).digest() == kept.digest()
    assert found.model["file"].endswith(".keras")


def test_what_is_no_network_is_refused(panel):
    """Neither a file nor a model: the error says what is needed."""
    for given, name in (({}, "dict"), (Image.new("L", (4, 4)), "Image")):
        with pytest.raises(NetworkError, match=rf"A network's file or a keras\.Model is needed, not {name}"):
            measure(given, panel)
