"""A Keras network on a table, read as steps: it answers as Keras does, and says what does not fit."""

import keras
import numpy as np
import pytest
from keras import layers

from modelcheck.interface import Interface
from modelcheck.measurement.table_fitting import fit_table_network
from modelcheck.metrics.tables.encoding import encode_rows
from modelcheck.network import NetworkError
from modelcheck.network.table_agreement import check_table_agreement
from modelcheck.panel import TablePanel
from table_keras import on_inputs, on_vector
from table_networks import LIGHT, make_table_panel

ROWS = make_table_panel(40)
THREE = make_table_panel(40, classes=("a", "b", "c"))
NUMBERS = make_table_panel(40, target="numbers")
MISSING = make_table_panel(40, missing=4)


def numbers_of(panel):
    """Return the same rows with their columns of numbers alone."""
    return TablePanel(
        {name: part for name, part in panel.values.items() if part.dtype.kind == "f"},
        panel.truth,
        target=panel.target,
        class_names=panel.class_names,
    )


def fit(model, panel, interface=None, *, agrees=True):
    """Return a network fitted to a panel, after its agreement with Keras was checked or not, and the encoded rows."""
    encoded = encode_rows(panel.values, panel.columns)
    network = fit_table_network(model, panel, encoded, interface or Interface(), recipe=LIGHT)
    if agrees:
        check_table_agreement(network, encoded)
    return network, encoded


def feed(panel, axis=True):
    """Return the panel's rows as Keras takes named inputs."""
    parts = {name: part.astype("float32" if part.dtype.kind == "f" else object) for name, part in panel.values.items()}
    return {name: keras.ops.convert_to_tensor(part[:, None] if axis else part) for name, part in parts.items()}


def listed(panel):
    """A list of inputs in another order, one-hot words, and a softmax that is a layer of its own."""
    entries = [
        layers.Input((1,), name=column.name, dtype="string" if column.values else "float32")
        for column in reversed(panel.columns)
    ]
    parts = [
        layers.StringLookup(vocabulary=list(column.values), output_mode="one_hot")(entry) if column.values else entry
        for column, entry in zip(reversed(panel.columns), entries, strict=True)
    ]
    x = layers.LeakyReLU()(layers.Dense(4, name="dense1")(layers.Concatenate()(parts)))
    return keras.Model(entries, layers.Softmax()(layers.Dense(2, name="decision")(x)), name="listed")


def adapted(panel):
    """Lookups and normalisations that were adapted to the rows."""
    entries, parts = {}, []
    for column in panel.columns:
        name = column.name
        entries[name] = layers.Input((1,), name=name, dtype="string" if column.values else "float32")
        layer = layers.StringLookup(output_mode="multi_hot") if column.values else layers.Normalization(axis=None)
        layer.adapt(panel.values[name])
        parts.append(layer(entries[name]))
    x = layers.Dense(4, activation="relu", name="dense1")(layers.Concatenate()(parts))
    return keras.Model(entries, layers.Dense(1, activation="sigmoid", name="decision")(x), name="adapted")


def softened(outputs, scores):
    """Return what Keras' outputs are of scores."""
    if outputs.shape[1] == 1:
        return 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))[:, None]
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


KINDS = {
    "softmax": (on_vector(3), numbers_of(ROWS)),
    "three classes": (on_vector(3, 3), numbers_of(THREE)),
    "sigmoid": (on_vector(3, 1, activation="sigmoid"), numbers_of(ROWS)),
    "inputs": (on_inputs(ROWS.columns), ROWS),
    "inputs without an axis": (on_inputs(ROWS.columns, shape=()), ROWS),
    "a list of inputs": (listed(ROWS), ROWS),
    "adapted": (adapted(ROWS), ROWS),
}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "panel"), KINDS.values(), ids=KINDS)
def test_scores_are_those_before_keras_probabilities(model, panel):
    """Softmax or sigmoid of the scores is what predict answers."""
    network, encoded = fit(model, panel)
    rows = encoded.astype(np.float32) if network.inputs == "vector" else feed(panel, len(model.inputs[0].shape) > 1)
    if isinstance(model.input, list):
        rows = [rows[tensor.name] for tensor in model.inputs]
    outputs = np.asarray(model(rows, training=False))
    scores = network.scores(panel.values)
    assert scores.shape == (40, len(panel.class_names) or 1)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(softened(outputs, scores), outputs, atol=1e-5)


@pytest.mark.parametrize(("model", "panel"), KINDS.values(), ids=KINDS)
def test_no_row_depends_on_others(model, panel):
    """Rows in another order, or alone, are answered alike, and so are their units."""
    network, encoded = fit(model, panel, agrees=False)
    order = np.random.default_rng(0).permutation(len(encoded))
    scores, units = network.read_units(encoded)
    again, moved = network.read_units(encoded[order])
    np.testing.assert_allclose(again, scores[order], atol=1e-5)
    np.testing.assert_allclose(moved, units[order], atol=1e-5)
    np.testing.assert_allclose(network.ask(encoded[7:8])[0], scores[7], atol=1e-5)
    assert network.ask(encoded[:0]).shape == (0, scores.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, "softplus"])
def test_numbers_are_answered_as_they_are(activation):
    """Of a target of numbers the output is the answer, whatever activation it ends in."""
    model, panel = on_vector(3, 1, activation=activation), numbers_of(NUMBERS)
    network, encoded = fit(model, panel)
    np.testing.assert_allclose(network.ask(encoded), model.predict(encoded.astype("f4"), verbose=0), atol=1e-5)


def test_units_are_read_before_and_features_after_their_activation():
    """What a unit is given is a matrix product; what it gives is that behind its activation."""
    model, panel = on_vector(3), numbers_of(ROWS)
    network, encoded = fit(model, panel)
    assert [layer.name for layer in network.hidden] == ["dense1", "dense2"]
    kernel, bias = model.get_layer("dense1").get_weights()
    given = (encoded / np.sqrt(2.0)) @ kernel + bias
    np.testing.assert_allclose(network.read_units(encoded)[1][:, :4], given[:, network.shown["dense1"]], atol=1e-5)
    features = network.read_features(encoded)
    np.testing.assert_allclose(features["dense1"], np.maximum(given, 0.0), atol=1e-5)
    assert features["dense2"].shape == (40, 4)


@pytest.mark.slow
def test_whole_numbers_and_parts_of_a_range_are_encoded_inside():
    """Inputs of whole numbers are looked up, and a range is cut, as Keras does."""
    panel = TablePanel(
        {"age": np.arange(40.0) % 7, "code": np.arange(40.0) % 3 + 100, "x": ROWS.values["x1"]},
        ROWS.truth,
        target="bought",
        class_names=("no", "yes"),
    )
    age, code, x = (
        layers.Input((1,), name=name, dtype=d) for name, d in (("age", "int32"), ("code", "int64"), ("x", "float32"))
    )
    parts = [
        layers.CategoryEncoding(num_tokens=7, output_mode="one_hot")(age),
        layers.IntegerLookup(vocabulary=[100, 101, 102], output_mode="one_hot")(code),
        layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")(
            layers.Discretization(bin_boundaries=[-0.5, 0.5])(x)
        ),
    ]
    model = keras.Model([age, code, x], layers.Dense(2, name="decision")(layers.Concatenate()(parts)))
    network, encoded = fit(model, panel)
    rows = [part.astype(kind)[:, None] for part, kind in zip(encoded.T, ("int32", "int64", "float32"), strict=True)]
    np.testing.assert_allclose(network.ask(encoded), model.predict(rows, verbose=0), atol=1e-5)
    broken = TablePanel(
        {**panel.values, "age": panel.values["age"] + 0.5}, panel.truth, target="t", class_names=("a", "b")
    )
    with pytest.raises(NetworkError, match=r"'age' holds 0\.5, which is no whole number"):
        fit(model, broken)
    gone = TablePanel(
        {**panel.values, "age": np.where(np.arange(40) < 3, np.nan, 1.0)},
        panel.truth,
        target="t",
        class_names=("a", "b"),
    )
    with pytest.raises(NetworkError, match=r"'age' is missing in 3 rows"):
        fit(model, gone)


@pytest.mark.slow
def test_what_is_missing_reaches_the_network():
    """A network that fills in missing values is measured; an empty word is one that it does not know."""
    entries = {
        column.name: layers.Input((1,), name=column.name, dtype="string" if column.values else "float32")
        for column in MISSING.columns
    }
    known = [keras.ops.where(keras.ops.isnan(entries[name]), 0.0, entries[name]) for name in ("x1", "x2", "x3")]
    words = [
        layers.StringLookup(vocabulary=list(column.values), output_mode="one_hot")(entries[column.name])
        for column in MISSING.columns
        if column.values
    ]
    model = keras.Model(entries, layers.Dense(2, name="decision")(layers.Concatenate()([*known, *words])))
    network, encoded = fit(model, MISSING)
    np.testing.assert_allclose(network.ask(encoded), model.predict(feed(MISSING), verbose=0), atol=1e-5)


def test_a_named_output_is_judged():
    """Of several outputs one is named; of none there is a list."""
    entry = layers.Input((3,), name="row")
    model = keras.Model(entry, [layers.Dense(k, name=f"of{k}")(entry) for k in (2, 3)])
    network, encoded = fit(model, numbers_of(ROWS), Interface(output="of2"))
    np.testing.assert_allclose(network.ask(encoded), model.predict(encoded.astype("f4"), verbose=0)[0], atol=1e-5)
    with pytest.raises(NetworkError, match="has 2 outputs, of2"):
        fit(model, numbers_of(ROWS))


def noisy():
    entry = layers.Input((3,))
    return keras.Model(entry, layers.Dense(2)(layers.GaussianNoise(0.1)(entry, training=True)))


def mixing():
    entry = layers.Input((3,))
    return keras.Model(entry, layers.Dense(2)(entry - keras.ops.mean(entry, axis=0, keepdims=True)))


def picture():
    return keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])


UNFIT = {
    "width": (lambda: on_vector(4), numbers_of(ROWS), "a vector of 4 numbers, and the panel has 3 features: 'x1'"),
    "words": (lambda: on_vector(5), ROWS, "the panel has categories: 'shift', 'sex'"),
    "lacking": (lambda: on_inputs(ROWS.columns[:4]), ROWS, "no input for 'sex'"),
    "strange": (lambda: on_inputs(ROWS.columns), numbers_of(ROWS), "no feature of the panel is called 'sex', 'shift'"),
    "number for a word": (
        lambda: on_inputs(ROWS.columns),
        TablePanel({**ROWS.values, "sex": np.zeros(40)}, ROWS.truth, target="t", class_names=("no", "yes")),
        "takes string, and the panel's 'sex' holds numbers",
    ),
    "word for a number": (
        lambda: on_inputs(ROWS.columns),
        TablePanel({**ROWS.values, "x1": ROWS.values["sex"]}, ROWS.truth, target="t", class_names=("no", "yes")),
        "takes float32, and the panel's 'x1' holds words, such as 'f'",
    ),
    "classes": (lambda: on_vector(3, 3), numbers_of(ROWS), "has 3 outputs, the panel 2 classes"),
    "classes for a number": (lambda: on_vector(3, 2), numbers_of(NUMBERS), "target is of numbers, which takes one"),
    "missing": (
        lambda: on_inputs(MISSING.columns),
        MISSING,
        "on 4 of 40 rows, all of which miss a value, of 'x3', 'sh",
    ),
    "noise": (noisy, numbers_of(ROWS), "called with training=True"),
    "mixing": (mixing, numbers_of(ROWS), "does not answer as its layers do"),
    "pictures": (picture, numbers_of(ROWS), "is neither a row nor a value"),
}


@pytest.mark.parametrize(("make", "panel", "message"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_is_named(make, panel, message):
    """Each refusal says which input, column or row it is about."""
    with pytest.raises(NetworkError, match=message):
        fit(make(), panel)


@pytest.mark.parametrize("interface", [Interface(input="row"), Interface(preprocessing="torch")])
def test_what_is_of_pictures_is_refused(interface):
    """A table has no picture to preprocess or to pick."""
    with pytest.raises(NetworkError, match="says how a network takes pictures"):
        fit(on_vector(3), numbers_of(ROWS), interface)
    with pytest.raises(NetworkError, match="says how outputs mean classes"):
        fit(on_vector(3, 1, activation=None), numbers_of(NUMBERS), Interface(threshold=0.5))


def test_a_category_that_was_never_seen_is_named():
    """The network answers rows of the panel's categories alone."""
    network, _ = fit(on_inputs(ROWS.columns), ROWS, agrees=False)
    rows = {name: part[:2] for name, part in ROWS.values.items()} | {"shift": np.array(["dawn", "day"])}
    with pytest.raises(NetworkError, match="has the category 'dawn'"):
        network.scores(rows)
