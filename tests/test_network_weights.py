"""A network's weights as values: folded once, handed to what is traced, read anew at every climb."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelcheck.happymaps import ascend
from modelcheck.network import flatten
from modelcheck.network.weights import read_weights, with_weights
from modelcheck.recipe import Recipe


def normalised() -> keras.Model:
    """Return a network with batch normalisation, a separable convolution and a residual add."""
    keras.utils.set_random_seed(0)
    entry = keras.Input((12, 12, 2))
    value = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(entry)
    value = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(value))
    value = keras.layers.Add()([value, keras.layers.SeparableConv2D(4, 3, padding="same")(value)])
    value = keras.layers.Dense(3)(keras.layers.Flatten()(value))
    model = keras.Model(entry, value)
    model.get_layer("norm").set_weights([np.arange(1, 5.0), np.arange(4.0), np.arange(4.0) / 9, np.arange(1, 5.0)])
    return model


def test_a_network_with_its_own_weights_as_values_answers_alike():
    """What is read and handed back changes no bit of any answer, and Keras says the same."""
    model = normalised()
    network = flatten(model)
    pictures = tf.constant(np.random.default_rng(0).random((3, 12, 12, 2), np.float32))
    held = with_weights(network, network.logits, read_weights(network, network.logits))
    found = held.class_scores(pictures).numpy()
    np.testing.assert_array_equal(found, network.class_scores(pictures).numpy())
    np.testing.assert_allclose(found, model.predict(pictures.numpy(), verbose=0), rtol=1e-4, atol=1e-5)


def test_a_graph_traced_with_weights_as_values_reads_no_variable():
    """No operation of the graph reads a weight, where the network's own graph has one for each."""
    network = flatten(normalised())
    pictures, weights = tf.zeros((1, 12, 12, 2)), read_weights(network, network.logits)

    def held(images: tf.Tensor, given: list[list[tf.Tensor]]) -> tf.Tensor:
        return with_weights(network, network.logits, given).class_scores(images)

    def count_reads(function: object, *arguments: object) -> int:
        graph = tf.function(function, autograph=False).get_concrete_function(*arguments).graph
        return sum(operation.type == "ReadVariableOp" for operation in graph.get_operations())

    assert count_reads(held, pictures, weights) == 0
    assert count_reads(network.class_scores, pictures) > 0


@pytest.mark.slow
def test_an_ascent_that_is_traced_already_sees_new_weights():
    """Weights that are set anew between two ascents of one trace are those that climb."""
    model, recipe, climbs = normalised(), Recipe(steps=3, copies=2), {}
    network = flatten(model)
    decision = network.unit_layers()[-1]
    before = ascend(network, decision, recipe=recipe, climbs=climbs)
    model.set_weights([values[::-1].copy() if values.ndim == 4 else values for values in model.get_weights()])
    again, anew = (ascend(network, decision, recipe=recipe, climbs=given) for given in (climbs, {}))
    np.testing.assert_array_equal(again.maps, anew.maps)
    assert not np.array_equal(again.maps, before.maps)
