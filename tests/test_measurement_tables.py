"""From a Keras network's file and a table to its signature, in this process and in the gate's child."""

from dataclasses import replace

import numpy as np
import pytest

from modelcheck.cli import child
from modelcheck.gate.request import Request
from modelcheck.interface import Interface
from modelcheck.measurement import measure
from modelcheck.measurement.table_fitting import check_partner
from modelcheck.network import NetworkError
from modelcheck.panel import PanelError, TablePanel
from modelcheck.recipe import Recipe
from modelcheck.signature import read_record
from modelcheck.table_recipe import TableRecipe
from signatures import make_panel
from table_keras import on_inputs, on_vector
from table_networks import make_table_panel, make_table_signature

# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RECIPE = TableRecipe(
    units_per_layer=3, profile_values=4, profile_starts=2, probe_rows=20, exchange_rows=20, effect_bins=4, shuffles=2,
    untrained_twins=1,
)  # fmt: skip
ROWS = make_table_panel(60, subjects=20)


def numbers_of(panel, **changes):
    """Return the same rows with their columns of numbers alone."""
    values = {name: part for name, part in panel.values.items() if part.dtype.kind == "f"}
    parts = {"target": panel.target, "class_names": panel.class_names, "groups": panel.groups}
    return TablePanel(changes.pop("values", values), panel.truth, **{**parts, **changes})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write one network of each kind; return their folder."""
    folder = tmp_path_factory.mktemp("networks")
    on_vector(3).save(folder / "vector.keras")
    on_vector(3, seed=1).save(folder / "other.keras")
    on_vector(3, 1, activation=None).save(folder / "numbers.keras")
    on_inputs(ROWS.columns, 1, activation="sigmoid").save(folder / "inputs.keras")
    return folder


@pytest.fixture(scope="module")
def baseline(files):
    """Measure a network on a vector, with its twin."""
    return measure(files / "vector.keras", numbers_of(ROWS), RECIPE)


@pytest.mark.slow
def test_a_network_on_a_vector_is_measured_whole(baseline, files, tmp_path):
    """Every part is there, of the shapes that reading asks for, and it is the same when it is measured again."""
    baseline.write(tmp_path)
    assert read_record(tmp_path).digest() == baseline.digest()
    assert [layer.name for layer in baseline.layers] == ["dense1", "dense2", "decision"]
    assert baseline.model["inputs"] == "vector"
    assert "not_asked" not in baseline.model
    assert set(baseline.relevance) == {"integrated_gradients", "deeplift"}
    assert baseline.features["decision"].shape == (20, 2)
    assert baseline.profiles["dense1"].shape == (3, 3)
    assert len(baseline.twins) == 1
    assert baseline.exchange is None
    assert measure(files / "vector.keras", numbers_of(ROWS), RECIPE).digest() == baseline.digest()


def test_an_untrained_twin_has_other_weights_and_the_same_statistics(baseline):
    """Its answers are others, to the same rows, and it keeps no rows of its own."""
    (twin,) = baseline.twins
    assert np.abs(twin.scores - baseline.scores).max() > 0.1
    np.testing.assert_array_equal(twin.exchanges["rows"], baseline.exchanges["rows"])
    np.testing.assert_array_equal(twin.typical, baseline.typical)
    assert twin.rows == {}


def test_integrated_gradients_add_up_to_what_changes(baseline):
    """The relevances of a row sum to its score minus that of the typical row: completeness, from that reference."""
    relevance = baseline.relevance["integrated_gradients"].sum(axis=1)
    truth = baseline.rows["truth"][baseline.probes]
    moved = baseline.scores[baseline.probes, truth]
    differences = relevance - moved
    for label in (0, 1):  # a constant for each class: minus the typical row's score of it
        assert np.ptp(differences[truth == label]) < 0.05


@pytest.mark.slow
def test_another_networks_profiles_are_shown(baseline, files):
    """What is kept of the exchange is what the network answers to those very rows."""
    found = measure(files / "other.keras", numbers_of(ROWS), RECIPE, stimuli=baseline, twins=False)
    assert found.exchange.profiles_sha256 == baseline.profiles_sha256()
    own = measure(files / "vector.keras", numbers_of(ROWS), RECIPE, stimuli=baseline, twins=False)
    np.testing.assert_allclose(own.exchange.happiness, baseline.happiness["decision"], atol=1e-4)
    np.testing.assert_allclose(own.exchange.at_rest, baseline.at_rest["decision"], atol=1e-4)
    assert np.abs(found.exchange.happiness - own.exchange.happiness).max() > 0.01


def test_a_target_of_numbers_has_a_highest_and_a_lowest_answer(files):
    """Its decision has two units; relevance explains the answer."""
    panel = numbers_of(make_table_panel(60, target="numbers"))
    found = measure(files / "numbers.keras", panel, RECIPE, twins=False)
    assert found.class_names == ()
    assert found.profiles["decision"].shape == (2, 3)
    np.testing.assert_allclose(found.at_rest["decision"][0], -found.at_rest["decision"][1], rtol=1e-6)
    assert found.happiness["decision"].sum() >= np.ptp(found.scores) - 1e-3
    assert set(found.relevance) == {"integrated_gradients", "deeplift"}


@pytest.mark.slow
def test_a_network_on_named_inputs_is_measured_without_relevance(files, tmp_path):
    """Words are looked up inside; which methods could not be had is kept, with the reason."""
    found = measure(files / "inputs.keras", ROWS, RECIPE)
    assert found.relevance == {}
    assert set(found.model["not_asked"]) == {"integrated_gradients", "deeplift"}
    assert found.model["head"] == "sigmoid"
    assert found.effects["shift"].changes.shape == (60, 3, 2)
    assert found.subjects == tuple(f"p{k:02d}" for k in range(20))
    assert not found.scores[:, 0].any()
    found.write(tmp_path)
    assert read_record(tmp_path).digest() == found.digest()


def carry_out(request, folder):
    """Do what the gate's child does, in this process; return its exit code."""
    (folder.parent / "request.json").write_text(request.to_json())
    return child.main(str(folder.parent / "request.json"), str(folder))


@pytest.mark.slow
def test_the_gates_child_measures_tables(baseline, files, tmp_path):
    """A request with a recipe gives what measuring here gives; one like a signature shows its profiles."""
    panel, first, second = tmp_path / "panel.npz", tmp_path / "first", tmp_path / "second"
    numbers_of(ROWS).save(panel)
    assert carry_out(Request(network=files / "vector.keras", panel=panel, recipe=RECIPE), first) == 0
    assert read_record(first).digest() == baseline.digest()
    assert carry_out(Request(network=files / "other.keras", panel=panel, like=first, twins=False), second) == 0
    assert read_record(second).exchange.profiles_sha256 == baseline.profiles_sha256()


def test_the_child_names_what_does_not_fit(baseline, files, tmp_path, capsys):
    """What cannot be measured ends the child with one sentence, on a table as on pictures."""
    rows, pictures = tmp_path / "rows.npz", tmp_path / "pictures.npz"
    ROWS.save(rows)
    make_panel().save(pictures)
    baseline.write(tmp_path / "like")
    network, like = files / "vector.keras", tmp_path / "like"
    cases = {
        "the panel has categories": Request(network=network, panel=rows, recipe=RECIPE),
        "holds pictures, and the baseline or the recipe is of a table": Request(
            network=network, panel=pictures, like=like
        ),
        "Leave baseline_model out": Request(network=network, panel=rows, like=like, baseline_model=network),
        "'shift' is new": Request(network=network, panel=rows, like=like),
    }
    for message, request in cases.items():
        assert carry_out(request, tmp_path / "out") == 4
        assert message in capsys.readouterr().err


def test_a_partner_of_another_table_is_refused(baseline, files):
    """Columns that are missing, new, of another kind, or in another order are named, and so is another target."""
    values = numbers_of(ROWS).values
    turned = dict(reversed(values.items()))
    renamed = {("x9" if name == "x3" else name): part for name, part in values.items()}
    cases = {
        "the order is another: column 1 is 'x3', and was 'x1'": numbers_of(ROWS, values=turned),
        "'x3' is missing; 'x9' is new": numbers_of(ROWS, values=renamed),
        "'x3' holds categories, and held numbers": numbers_of(ROWS, values={**values, "x3": ROWS.values["shift"]}),
        "the target is 'sold' of no, yes, and was 'bought' of no, yes": numbers_of(ROWS, target="sold"),
    }
    for message, panel in cases.items():
        with pytest.raises(PanelError, match=message):
            measure(files / "vector.keras", panel, RECIPE, stimuli=baseline)


@pytest.mark.parametrize(("seen", "message"), [("less", "'shift' lacks categories"), ("more", "were never seen")])
def test_a_partner_of_other_categories_is_refused(seen, message):
    """A profile names a category by its position: a panel that holds fewer of them, or more, is another table."""
    fewer = ROWS.subset(ROWS.values["shift"] != ROWS.values["shift"][0])
    shown, panel = (ROWS, fewer) if seen == "less" else (fewer, ROWS)
    stimuli = make_table_signature(shown)
    check_partner(stimuli, shown)
    with pytest.raises(PanelError, match=message):
        check_partner(stimuli, panel)


def test_what_is_of_pictures_and_what_is_of_a_table_do_not_mix(baseline, files, tmp_path):
    """Recipe, partner and file must be of what the panel is of."""
    rows, pictures = numbers_of(ROWS), make_panel()
    with pytest.raises(NetworkError, match="is of a table, and the recipe"):
        measure(files / "vector.keras", rows, Recipe())
    with pytest.raises(NetworkError, match="holds pictures, and the recipe"):
        measure(files / "vector.keras", pictures, RECIPE)
    with pytest.raises(NetworkError, match="holds pictures, and the recipe"):
        measure(files / "vector.keras", pictures, stimuli=baseline)
    with pytest.raises(NetworkError, match="Leave out: preprocessing"):
        measure(files / "vector.keras", rows, RECIPE, interface=Interface(preprocessing="torch"))
    shipped = tmp_path / "net.tflite"
    shipped.write_bytes(b"\x18\0\0\0TFL3" + bytes(64))
    with pytest.raises(NetworkError, match="on which Keras networks alone are measured"):
        measure(shipped, rows, RECIPE)
    few = {name: part[:3] for name, part in rows.values.items()}
    few = TablePanel(few, [0, 1, 0], target="t", class_names=("no", "yes"))
    with pytest.raises(PanelError, match="has 3 rows"):
        measure(files / "vector.keras", few, RECIPE)


def test_of_many_units_some_are_shown(files):
    """A layer of more units than the recipe takes shows as many, evenly spaced."""
    light = replace(RECIPE, units_per_layer=2, attribution_methods=(), shuffles=0, exchange_rows=0)
    found = measure(files / "vector.keras", numbers_of(ROWS), light, twins=False)
    assert found.units["dense1"].tolist() == [0, 5]
    assert found.features["dense1"].shape == (20, 6)
    assert found.exchanges == {}
    assert found.shuffled.size == 0
