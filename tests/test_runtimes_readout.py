"""Readings and preprocessing exist for tensors and for arrays: both say the same."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.interface import PRESETS, Preprocessing
from modelcheck.network import flatten, preprocess_first
from modelcheck.network.readout import read_tensors
from modelcheck.runtimes import Readout, as_class_scores, read_arrays
from modelcheck.runtimes.pictures import preprocess
from networks import plain, residual

BYTES = np.random.default_rng(0).integers(0, 256, (4, 13, 12, 3)).astype(np.float32)
readouts = st.builds(
    Readout,
    classes=st.sampled_from([None, (1, 0, 0, 0), (0, 1, 2, 1)]),
    unit=st.sampled_from([None, 0, 3]),
    sign=st.sampled_from([1, -1]),
    border=st.floats(-3, 3),
    link=st.sampled_from(["", "log", "logit"]),
)
probabilities = st.lists(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=5)


@given(readouts, probabilities)
def test_arrays_are_read_as_tensors_are(readout, values):
    """One rule for scores, written for tensors and for arrays."""
    values = np.array(values, np.float32)
    np.testing.assert_allclose(read_arrays(readout, values), read_tensors(readout, values), rtol=1e-5, atol=1e-5)


def test_the_oracle_tells_readouts_apart():
    """Another unit, sign, border, joining or link is another reading, so that the test above can fail."""
    values = np.random.default_rng(0).random((5, 4), np.float32)
    made = [Readout(), Readout(classes=(1, 0, 0, 0)), Readout(classes=(0, 1, 1, 1)), Readout(link="log")]
    made += [Readout(link="logit"), Readout(unit=1), Readout(unit=2), Readout(unit=1, sign=-1)]
    made += [Readout(unit=1, border=0.5)]
    read = [as_class_scores(readout, values) for readout in made]
    assert not any(a.shape == b.shape and np.allclose(a, b) for k, a in enumerate(read) for b in read[:k])


def test_a_single_score_leads_a_score_of_zero():
    """One output becomes two columns, as in a flattened network."""
    network = flatten(plain(classes=1, activation="sigmoid"))
    images = np.random.default_rng(0).random((3, 12, 10, 1), np.float32)
    values = network.evaluate(tf.constant(images), [network.logits])[0].numpy()
    np.testing.assert_array_equal(as_class_scores(network.readout, values), network.class_scores(images))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("span", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)], ids=str)
def test_arrays_are_preprocessed_as_by_the_first_steps(name, span):
    """What a network of Keras is fed, a file is fed too."""
    images = (span[0] + (span[1] - span[0]) * BYTES / 255).astype(np.float32)
    network = preprocess_first(flatten(residual()), PRESETS[name], input_range=span)
    np.testing.assert_allclose(
        preprocess(images, PRESETS[name], input_range=span), network.feed(images), rtol=1e-5, atol=1e-5
    )


def test_another_order_of_channels_is_seen():
    """Order, factor and shift each change what a network is given, so that the test above can fail."""
    images = BYTES / 255
    made = [
        preprocess(images, given, input_range=(0.0, 1.0))
        for given in (None, Preprocessing(), Preprocessing(order="bgr"), Preprocessing(mean=(9.0,)))
    ]
    assert all(np.abs(a - b).max() > 0.05 for k, a in enumerate(made) for b in made[:k])
