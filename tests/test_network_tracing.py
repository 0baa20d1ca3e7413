"""Networks whose graph is traced anew: subclassed ones, open sizes, pictures without an axis for channels."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from modelcheck.measurement import make_untrained_twin, measure
from modelcheck.network import NetworkError, as_functional, check_agreement, flatten
from modelcheck.network.receptive import receptive_field
from modelcheck.recipe import Recipe
from signatures import make_panel

# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PANEL = make_panel(subjects=("ada", "ben"), size=(16, 14), per_subject=6)
PICTURES = PANEL.inputs((0.0, 1.0)).astype(np.float32)
LIGHT = Recipe(
    steps=1, copies=1, untrained_twins=1, sticker_faces=0, probe_pictures=4, attribution_methods=(),
    units_per_layer=1, exchange_pictures=0, mosaics=0,
)  # fmt: skip


class Own(keras.Model):
    """A subclassed network with a nested one, a sum and dropout."""

    def __init__(self, **options):
        super().__init__(**options)
        self.stem = layers.Conv2D(4, 3, activation="relu", name="stem")
        self.block = keras.Sequential([layers.Conv2D(4, 3, padding="same", name="inner"), layers.ReLU()], name="block")
        self.drop, self.flat = layers.Dropout(0.5), layers.Flatten()
        self.out = layers.Dense(2, activation="softmax", name="out")

    def call(self, x, training=None):
        """Scores of two classes."""
        x = self.stem(x)
        return self.out(self.flat(self.drop(x + self.block(x), training=training)))


class Noisy(Own):
    """Its dropout acts in every call."""

    def call(self, x):
        """Scores of two classes."""
        return super().call(x, training=True)


class Looks(Own):
    """It looks at values, as Python does."""

    def call(self, x):
        """Scores of two classes."""
        return super().call(x if ops.max(x) > 0 else -x)


def built(kind):
    """A network of a class that has answered once."""
    keras.utils.set_random_seed(1)
    model = kind(name="own")
    model(np.zeros((1, 16, 14, 1), np.float32))
    return model


def backbone(size=(None, None)):
    """Convolutions that leave the size open, in a head of the pictures' size."""
    keras.utils.set_random_seed(1)
    start = keras.Input((*size, 1))
    x = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="one")(start)
    inner = keras.Model(start, layers.Conv2D(4, 3, padding="same", name="two")(x), name="backbone")
    entry = keras.Input((16, 14, 1))
    return keras.Model(entry, layers.Dense(2)(layers.GlobalAveragePooling2D()(inner(entry))))


def test_a_subclassed_network_is_read_through_its_call():
    """Same answers as its own, layers by name, weights shared, and a twin of it has others."""
    model = built(Own)
    network = flatten(model)
    check_agreement(network, PICTURES)
    assert [layer.name for layer in network.unit_layers()] == ["stem", "block/inner", "out"]
    assert as_functional(model) is as_functional(model)
    assert as_functional(model).weights[0] is model.weights[0]
    assert not np.allclose(make_untrained_twin(as_functional(model), seed=1).get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: built(Noisy), r"layer 'own.*' .*training|differs"),
        (lambda: built(Looks), r"is subclassed, and .*keras.Model\(entry, model.call\(entry\)\).save"),
        (Own, "it was built for None"),
    ],
    ids=["in training", "values", "unbuilt"],
)
def test_a_subclassed_network_that_cannot_be_read_is_refused_with_a_remedy(model, words):
    """Noise in its call, Python that looks at values, and no size: a sentence each."""
    with pytest.raises(NetworkError, match=words):
        check_agreement(flatten(model()), PICTURES)


@pytest.mark.slow
def test_a_subclassed_file_is_measured(tmp_path, monkeypatch):
    """Allowed by name, the class is imported, and the network measured with its twin."""
    monkeypatch.setattr(Own, "__module__", "own_networks")
    built(Own).save(tmp_path / "own.keras")
    monkeypatch.setitem(__import__("sys").modules, "own_networks", __import__("sys").modules[__name__])
    signature = measure(tmp_path / "own.keras", PANEL, LIGHT, custom_objects=["own_networks>Own"])
    assert [layer.name for layer in signature.layers] == ["stem", "block/inner", "out"]
    assert not np.allclose(signature.twins[0].scores, signature.scores)


def test_an_inner_network_of_open_size_has_the_size_at_which_it_is_used():
    """Its steps have shapes, and its convolutions the patches, that they have at a given size."""
    fixed, left_open = flatten(backbone((16, 14))), flatten(backbone())
    assert [step.shape for step in left_open.steps] == [step.shape for step in fixed.steps]
    sizes = [[receptive_field(n, layer.read).size for layer in n.unit_layers()[:-1]] for n in (fixed, left_open)]
    assert sizes[0] == sizes[1]
    check_agreement(left_open, PICTURES)


@pytest.mark.slow
def test_a_network_of_open_size_takes_that_of_the_panel(tmp_path):
    """(None, None, 1) is measured at the panel's size; without one, what to give is said."""
    start = keras.Input((None, None, 1), name="entry")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu", name="conv")(start))
    model = keras.Model(start, layers.Dense(2, name="decision")(x))
    with pytest.raises(NetworkError, match=r"Give size=\(height, width\)"):
        _ = flatten(model).input_shape
    network = flatten(model, size=(16, 14))
    assert network.input_shape == (16, 14, 1)
    check_agreement(network, PICTURES)
    model.save(tmp_path / "open.keras")
    assert measure(tmp_path / "open.keras", PANEL, LIGHT).maps["decision"].shape[1:] == (16, 14, 1)


@pytest.mark.slow
def test_pictures_without_an_axis_for_channels_are_read_as_grey(tmp_path):
    """(28, 28), as of digits, is a picture of one channel; casts are found there as well."""

    def made(dtype="float32"):
        start = keras.Input((16, 14), name="entry", dtype=dtype)
        x = layers.Conv2D(4, 3, activation="relu", name="conv")(
            layers.Reshape((16, 14, 1))(layers.Rescaling(1.0)(start))
        )
        return keras.Model(start, layers.Dense(2, name="decision")(layers.Flatten()(x)))

    check_agreement(flatten(made()), PICTURES)
    assert flatten(made()).input_shape == (16, 14, 1)
    with pytest.raises(NetworkError, match="the input 'entry', which takes int32"):
        check_agreement(flatten(made("int32")), PICTURES * 0.9)
    made().save(tmp_path / "grey.keras")
    assert measure(tmp_path / "grey.keras", PANEL, LIGHT).maps["decision"].shape[1:] == (16, 14, 1)
