"""docs/networks.md is held to account: each row's small network is measured, or refused with the row's words."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hostile import formats
from modelcheck.modelfile import scan_bytes, scan_model
from modelcheck.network import NetworkError, check_agreement, flatten
from network_table import MEASURED, PICTURES, REFUSED, SHAPE, Halve, Own, bend, called, chain

ROOT = Path(__file__).parents[1]
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TABLE = {
    name: (what, words)
    for name, what, words in re.findall(
        r"^\| (.+?) \| (measured|refused|refused by the scan) \| (.*?) ?\|$",
        (ROOT / "docs" / "networks.md").read_text(encoding="utf-8"),
        re.M,
    )
}
SCANNED = {
    "a Lambda layer": lambda: chain(layers.Lambda(bend, output_shape=(14, 12, 3))),
    "a custom layer that nobody allowed": lambda: chain(Halve()),
    "a subclass that nobody allowed": lambda: called(Own()),
}
FILES = {"HDF5 (.h5)": "hdf5", "a pickle": "pickle"}
ALLOWED = [f"network_table>{name}" for name in ("Halve", "bend", "Own")]


def test_the_table_has_a_row_for_each_network_and_no_other():
    """At least 35 kinds; none stands in the table that is not built here."""
    by_outcome = {"measured": MEASURED, "refused": REFUSED, "refused by the scan": {**SCANNED, **FILES}}
    for outcome, made in by_outcome.items():
        assert {name for name, (what, _) in TABLE.items() if what == outcome} == set(made)
    assert len(TABLE) >= 35


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_what_is_measured_passes_the_scan_and_answers_as_keras_does(name, tmp_path):
    """Its file is clean, its steps answer as Keras, it has units, and a score has a finite slope."""
    keras.utils.set_random_seed(4)
    model = MEASURED[name]()
    model.save(tmp_path / "net.keras")
    assert not scan_model(tmp_path / "net.keras", custom_objects=ALLOWED).refusals
    network = flatten(model, size=SHAPE[:2])
    pictures = PICTURES[..., : network.input_shape[2]]
    check_agreement(network, pictures)
    assert network.unit_layers()[-1].kind == "decision"
    with tf.GradientTape() as tape:
        tape.watch(shown := tf.constant(pictures[:1]))
        score = network.class_scores(shown)[:, 0] - network.class_scores(shown)[:, 1]
    assert np.isfinite(tape.gradient(score, shown)).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_told_in_the_words_of_the_table(name):
    """Flattening or asking Keras ends in an error that holds the row's words."""
    keras.utils.set_random_seed(4)
    with pytest.raises(NetworkError, match=re.escape(TABLE[name][1])):
        check_agreement(flatten(REFUSED[name]()), PICTURES)


@pytest.mark.parametrize("name", SCANNED)
def test_what_the_scan_refuses_is_told_in_the_words_of_the_table(name, tmp_path):
    """The file is refused before Keras sees it."""
    SCANNED[name]().save(tmp_path / "net.keras")
    assert TABLE[name][1] in scan_model(tmp_path / "net.keras").sentence()


@pytest.mark.parametrize("name", FILES)
def test_other_formats_are_called_by_their_name(name):
    """Whatever the file is called."""
    assert TABLE[name][1] in scan_bytes(formats()[FILES[name]][1], name="net.keras").sentence()
