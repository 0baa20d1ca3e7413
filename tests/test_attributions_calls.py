"""Calling attributions: anything that answers, one unit, own rules, caches, and errors that say what to do."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from attribution_networks import FAST, SHAPE, L, fill, filled, pictures, plain, residual
from modelcheck.attributions import (
    AttributionError,
    alpha_beta,
    attribute,
    attribution_methods,
    project_unit,
    top_images,
)
from modelcheck.attributions.randomisation import (
    other_targets,
    random_logit_similarity,
    randomisation_similarity,
    randomise_layers,
)
from modelcheck.network import flatten
from modelcheck.units import Unit


@pytest.fixture(scope="module")
def networks():
    """Return one filled network of each kind, so that graphs are built once."""
    return filled()


@pytest.mark.slow
def test_black_box_methods_take_anything_that_answers(networks):
    """A bare function and a subclassed model get the maps of the network that they hide."""
    network = networks["plain"]

    class Hidden(keras.Model):
        def call(self, x):
            return network(x)

    images = pictures(2).astype(np.float32)
    for method in ("occlusion", "rise"):
        wanted = attribute(network, images, 1, method=method, **FAST.get(method, {}))
        for model in (Hidden(), lambda rows: network(rows).numpy()):
            found = attribute(model, images, 1, method=method, **FAST.get(method, {}))
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    with pytest.raises(AttributionError, match=r"gradient needs the network's layers.*occlusion, rise"):
        attribute(Hidden(), images, 1, method="gradient")


def test_rise_finds_the_pixels_that_count():
    """On a score that reads one corner, the map is largest there and without offset elsewhere."""
    images = np.ones((1, 12, 12, 1), np.float32)
    found = attribute(lambda rows: rows[:, :4, :4].mean((1, 2)) * [[0, 1]], images, 1, method="rise", samples=600)
    assert found[0, :4, :4].mean() > 5 * np.abs(found[0, 8:, 8:]).mean()
    raw = attribute(
        lambda rows: rows[:, :4, :4].mean((1, 2)) * [[0, 1]], images, 1, method="rise", samples=600, centred=False
    )
    assert abs((raw - found).std()) < 1e-6
    assert 0.4 < (raw - found).mean() < 0.6


def test_max_pooling_sends_all_to_the_first_of_equals():
    """Ties of a window go to the first input in row-major order."""
    network = keras.Sequential([keras.Input((2, 2, 1)), L.MaxPooling2D(), L.Flatten(), L.Dense(1, use_bias=False)])
    network.layers[-1].set_weights([np.ones((1, 1))])
    for method in ("gradient", "lrp_0"):
        np.testing.assert_array_equal(attribute(network, np.ones((1, 2, 2, 1)), 1, method=method).ravel(), [1, 0, 0, 0])


def test_projection_is_the_unit_s_receptive_field():
    """A unit of the first layer is projected as its own kernel, placed where it fires most, times its activation."""
    network = fill(plain(), 4)
    image = pictures(7, 1)[0]
    activation = np.asarray(flatten(network).evaluate(tf.constant(image[None]), [2])[0])[0, :, :, 1]
    y, x = np.unravel_index(activation.argmax(), activation.shape)
    wanted = np.zeros((10, 8, 2))
    wanted[y : y + 3, x : x + 3] = network.layers[0].get_weights()[0][..., 1] * activation.max()
    found = project_unit(network, image, Unit(network.layers[0].name, 1))
    np.testing.assert_allclose(found, wanted[1:-1, 1:-1], atol=1e-9)
    with pytest.raises(AttributionError, match="units 0 to 3, not 9"):
        project_unit(network, image, f"{network.layers[0].name}:9")


def test_top_images_are_the_happiest(networks):
    """They are in order of the unit's strongest activation, and the mean gives its own order."""
    network, images = networks["plain"], pictures(3, 12)
    name = network.layers[0].name
    activation = np.asarray(flatten(network).evaluate(tf.constant(images.astype(np.float32)), [2])[0])[..., 2]
    found = top_images(network, images, f"{name}:2", 4)
    np.testing.assert_array_equal(found.indices, np.argsort(-activation.max((1, 2)), kind="stable")[:4])
    np.testing.assert_allclose(found.activations, np.sort(activation.max((1, 2)))[::-1][:4], rtol=1e-5)
    mean = top_images(network, images, f"{name}:2", 4, reduce="mean")
    np.testing.assert_array_equal(mean.indices, np.argsort(-activation.mean((1, 2)), kind="stable")[:4])


@pytest.mark.slow
def test_randomisation_cascades_and_leaves_the_network_alone():
    """Layers are drawn from the decision down by their initialisers, reproducibly; the network keeps its weights."""
    network = fill(residual(dtype="float32"), 2)
    before = [value.copy() for value in network.get_weights()]
    names = [name for name, _ in randomise_layers(network, seed=1)]
    with_weights = [step.name for step in flatten(network).steps if step.layer is not None and step.layer.weights]
    assert names == list(reversed(list(dict.fromkeys(with_weights))))
    once, twice = (list(randomise_layers(network, seed=1))[-1][1].get_weights() for _ in range(2))
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    dense = next(iter(randomise_layers(network, seed=1)))[1].layers[-1].get_weights()
    limit = np.sqrt(6 / (5 + 3))
    assert np.abs(dense[0]).max() <= limit
    np.testing.assert_array_equal(dense[1], 0)


@pytest.mark.slow
def test_gradients_change_with_the_weights_and_the_class():
    """The randomisation tests tell a gradient from a map that looks at the picture alone."""
    network, images = fill(plain(dtype="float32"), 2), pictures(1)
    likeness = randomisation_similarity(network, images, 1, method="gradient")
    assert np.abs(np.mean(list(likeness.values())[-1])) < 0.5
    assert random_logit_similarity(network, images, np.array([0, 1, 2]), method="gradient").mean() < 0.9
    targets = np.arange(40) % 3
    assert (other_targets(targets, 3) != targets).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        L.Cropping2D(((12, 0), (0, 0))),
        L.Conv2D(2, 1, strides=3),
        L.Resizing(8, 8, interpolation="nearest"),
    ],
    ids=["crops", "strides", "resizes"],
)
def test_maps_of_networks_that_see_half_the_picture_change_with_the_weights(first):
    """Pixels that no weight reaches are zero in every map, and do not make a gradient look blind to the weights."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((24, 24, 1)), first, L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(2)]
    images = np.random.default_rng(0).random((4, 24, 24, 1)).astype(np.float32)
    for method in ("gradient", "smoothgrad"):
        maps = attribute(keras.Sequential(layers), images, 1, method=method)
        assert (maps == 0).all(axis=0).mean() >= 0.5
        last = list(randomisation_similarity(keras.Sequential(layers), images, 1, method=method).values())[-1]
        assert np.mean(last) < 0.6


@pytest.mark.slow
def test_own_rules_by_layer(networks):
    """A mapping of layers to rules serves the named layers and leaves the others to epsilon."""
    network, images = networks["plain"], pictures(1)
    convs = [layer.name for layer in network.layers if isinstance(layer, L.Conv2D)]
    mine = attribute(network, images, 1, method="lrp", composite=dict.fromkeys(convs, alpha_beta(2.0, 1.0)))
    wanted = attribute(network, images, 1, method="lrp_epsilon_alpha2_beta1")
    np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_the_cache_lets_networks_go():
    """A network that nobody holds any more is released with its graphs."""
    network = plain.__wrapped__(dtype="float32")
    attribute(network, pictures(1), 1, method="gradient")
    watched = weakref.ref(network)
    del network
    keras.backend.clear_session()
    gc.collect()
    assert watched() is None


def test_weights_that_change_change_the_map():
    """Graphs read the weights anew, so training on does not leave old maps behind."""
    network, images = fill(plain(dtype="float32"), 1), pictures(1)
    before = attribute(network, images, 1, method="lrp_epsilon_plus")
    fill(network, 2)
    assert np.abs(attribute(network, images, 1, method="lrp_epsilon_plus") - before).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("function", [tf.nn.relu, keras.ops.relu, "relu"], ids=["tensorflow", "operation", "name"])
def test_a_relu_is_a_relu_however_it_is_written(function):
    """Guided backpropagation and relevance know the ReLU of TensorFlow and of Keras' operations too."""
    maps = []
    for own in (function, "relu"):
        network = keras.Sequential([keras.Input(SHAPE), L.Conv2D(3, 3, activation=own), L.Flatten(), L.Dense(3)])
        fill(network, 1)
        maps.append([attribute(network, pictures(1), 1, method=name) for name in ("guided_backprop", "lrp_gamma")])
    np.testing.assert_array_equal(maps[0], maps[1])


@pytest.mark.parametrize("method", ["guided_backprop", "lrp_epsilon", "deeplift"])
def test_an_activation_of_one_s_own_is_refused_by_name(method):
    """What works on whole vectors may look like an activation, so an unknown one gives no map."""
    normal = L.Activation(lambda value: tf.nn.l2_normalize(value, -1), name="mine")
    network = keras.Sequential([keras.Input(SHAPE), L.Conv2D(3, 3), normal, L.Flatten(), L.Dense(3)])
    with pytest.raises(AttributionError, match="ayer 'mine'"):
        attribute(network, pictures(1), 1, method=method)
    assert np.isfinite(attribute(network, pictures(1), 1, method="smoothgrad", samples=2)).all()


def softened():
    """A softmax over positions in the middle, which no relevance rule covers."""
    return keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Softmax(name="gate"), L.Dense(3)])


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (plain, {"method": "gradeint"}, "no attribution method 'gradeint'. Did you mean 'gradient'"),
        (plain, {"method": "smoothgrad", "sample": 3}, "smoothgrad has no option 'sample'. Did you mean 'samples'"),
        (plain, {"method": "gradient", "steps": 3}, "gradient has no option 'steps'. It takes none"),
        (plain, {"method": "lrp"}, "lrp needs the option composite"),
        (plain, {"method": "cam"}, "cam needs global average pooling"),
        (plain, {"method": "grad_cam", "layer": "conv"}, "There is no layer 'conv'"),
        (plain, {"method": "occlusion", "window": 9}, "does not fit pictures"),
        (plain, {"method": "deep_taylor", "input_range": (1, 0)}, "low < high"),
        (plain, {"method": "lrp_epsilon", "epsilon": -1.0}, "epsilon is a number of at least 0"),
        (plain, {"method": "rise", "seed": -1}, "seed is a whole number"),
        (plain, {"method": "integrated_gradients", "reference": np.zeros(3)}, "reference is a number"),
        (plain, {"method": "gradient", "dtype": "float16"}, "'float32' or 'float64'"),
        (softened, {"method": "lrp_z_plus"}, "no relevance rule for layer 'gate'.*integrated_gradients"),
        (softened, {"method": "deeplift"}, "no rule for layer 'gate'.*integrated_gradients"),
    ],
    ids=lambda value: value.get("method") if isinstance(value, dict) else None,
)  # fmt: skip
def test_errors_say_what_to_do(build, options, words):
    """A wrong name, value or layer is named, with what would work."""
    with pytest.raises(AttributionError, match=words):
        attribute(build(), pictures(1), 1, **options)


@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (np.zeros((0, *SHAPE)), 1, "non-empty array"),
        (np.zeros(SHAPE), 1, r"images\[None\]"),
        (np.zeros((1, 5, 5, 2)), 1, "takes pictures of shape"),
        (np.full((1, *SHAPE), np.nan), 1, "NaN or infinite"),
        (np.zeros((2, *SHAPE)), 3, "classes from 0 to 2"),
        (np.zeros((2, *SHAPE)), [1, 1, 1], "one per picture"),
        (np.zeros((2, *SHAPE)), 0.5, "whole numbers"),
    ],
    ids=["none", "one", "size", "nan", "class", "count", "fraction"],
)
def test_pictures_and_targets_are_checked(networks, images, targets, words):
    """What does not fit the network is refused before anything runs."""
    with pytest.raises(AttributionError, match=words):
        attribute(networks["plain"], images, targets, method="gradient")


@pytest.mark.slow
def test_the_network_is_left_as_it_was(networks):
    """No method changes a weight or an activation."""
    network = networks["motley"]
    before, activation = [value.copy() for value in network.get_weights()], network.layers[-1].activation
    for method in attribution_methods():
        attribute(network, pictures(1, 1), 1, method=method, **FAST.get(method, {}))
    assert network.layers[-1].activation is activation
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras saves so
def test_a_file_a_model_and_a_network_have_the_same_maps(networks, tmp_path):
    """A path, a keras.Model and a Network are explained alike, and by SmoothGrad where no method is named."""
    model, images = networks["plain"], pictures(2)
    model.save(tmp_path / "network.keras")
    wanted = attribute(model, images, 1, method="smoothgrad")
    for given in (model, flatten(model), tmp_path / "network.keras", str(tmp_path / "network.keras")):
        np.testing.assert_array_equal(attribute(given, images, 1), wanted)


def test_a_class_is_named_or_counted(networks):
    """Names give the maps of their positions in class_names: one for all pictures, or one for each."""
    model, images = networks["plain"], pictures(2)
    names = [f"class {k}" for k in range(flatten(model).n_classes)]
    for named, counted in ((names[1], 1), (names[::-1], [2, 1, 0]), (np.array(names, object), [0, 1, 2]), (0, 0)):
        wanted = attribute(model, images, np.array(counted), method="gradient")
        found = attribute(model, images, named, method="gradient", class_names=names)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("targets", "names", "words"),
    [
        ("left", None, r"Targets are names, such as 'left'.*class_names=panel.class_names"),
        (["left", "other"], None, r"Targets are names, such as 'left'"),
        ("lft", ("other", "left", "up"), r"There is no class 'lft'. Did you mean 'left'"),
        (["left"], ("other", "left", "up"), r"one per picture \(3\)"),
        ("left", ("other", "left"), r"The network has 3 classes, and class_names has 2 names"),
        ("left", ("left", "left"), r"class_names are distinct names"),
        (0, "left", r"class_names are distinct names.*not 'left'"),
        ([], ("other", "left", "up"), r"one per picture \(3\)"),
        ([], None, r"one per picture \(3\)"),
        (["left", 1], ("other", "left", "up"), r"There is no class '1'"),
    ],
)
def test_a_name_that_means_no_class_is_refused(networks, targets, names, words):
    """Names without class_names, unknown ones, too few, and class_names that do not fit are errors that say so."""
    with pytest.raises(AttributionError, match=words):
        attribute(networks["plain"], pictures(2), targets, class_names=names)


def test_what_is_no_model_is_named():
    """What is neither a path nor can be called is refused by its type, with what is expected."""
    with pytest.raises(
        AttributionError, match=r"path of a .keras file, a keras.Model, a Network or a callable, not int"
    ):
        attribute(7, pictures(1), 0)
