"""The judged function is the network's own: where Keras answers otherwise than the steps, the layer is named."""

import weakref
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from modelcheck.answers.stickers import measure_sticker_shifts
from modelcheck.attributions import AttributionError, attribute
from modelcheck.happymaps import render_happy_maps
from modelcheck.measurement import ExchangePartner, measure
from modelcheck.network import KerasClassifier, NetworkError, agreement, check_agreement, flatten
from modelcheck.network import layers as room
from modelcheck.panel import Panel
from modelcheck.pruning.spare import examine_units
from modelcheck.recipe import Recipe
from networks import ZOO, plain
from signatures import make_panel

ROOT = Path(__file__).parents[1]
SHAPE = (12, 10, 2)
GENERATOR = np.random.default_rng(8)


@pytest.fixture(autouse=True)
def _seeded():
    """Give each test the same random weights, whichever tests ran before."""
    keras.utils.set_random_seed(2)


PICTURES = GENERATOR.random((70, *SHAPE), np.float32)


def conv(filters=4, **options):
    """A convolution of 3 x 3."""
    return layers.Conv2D(filters, 3, activation="relu", **options)


def ended(x, activation=None, units=2):
    """Pooling, a dense layer and a decision."""
    x = layers.Dense(5, activation="relu")(layers.Flatten()(layers.MaxPooling2D()(x)))
    return layers.Dense(units, activation=activation, name="decision")(x)


def graph(function, **options):
    """A functional network of the pictures' size."""
    entry = keras.Input(SHAPE, name="entry", **options)
    return keras.Model(entry, function(entry))


def between(*parts, activation=None):
    """Layers between a convolution and the ending; a pair is a layer and the arguments of its call."""

    def build(x):
        x = conv()(x)
        for part in parts:
            layer, arguments = part if isinstance(part, tuple) else (part, {})
            x = layer(x, **arguments)
        return ended(x, activation)

    return graph(build)


def cast_input(dtype):
    """A network whose input casts, so that pictures between 0 and 1 lose what they show."""
    return graph(lambda x: ended(conv()(layers.Rescaling(1.0)(x))), dtype=dtype)


def overflowing(dtype="float16"):
    """A layer that is the identity in float32, and infinite in float16."""
    return between(layers.Rescaling(1e7, dtype=dtype, name="large"), layers.Rescaling(1e-7, dtype="float32"))


def nested(*, training=None, dtype="float32"):
    """A network in a network."""
    start = keras.Input((10, 8, 4), name="start", dtype=dtype)
    inner = keras.Model(
        start, layers.Dropout(0.9, name="drop")(conv(4, padding="same")(layers.Rescaling(1.0)(start))), name="inner"
    )
    return between((inner, {} if training is None else {"training": training}))


def squeezed(factor, activation="softmax", offset=0.0):
    """Scores that probabilities of single precision cannot tell apart."""
    return graph(lambda x: layers.Activation(activation, name="end")(ended(conv()(x)) * factor + offset))


def nested_noise():
    """A network of nothing but noise."""
    start = keras.Input((10, 8, 4))
    return keras.Model(start, layers.GaussianNoise(0.5, name="noise")(start), name="deep")


def twice(layer, x):
    """A layer that is called at rest, and then in training."""
    return ended(layer(conv()(layer(x)), training=True))


def averaged(rows):
    """The mean of rows that are not masked, and a decision."""
    return layers.Dense(2)(layers.GlobalAveragePooling1D(name="average")(rows))


TRAINING = {"training": True}
HOSTILE = {
    "whole numbers": (lambda: cast_input("int32"), "input 'entry', which takes int32"),
    "bytes": (lambda: cast_input("uint8"), "input 'entry', which takes uint8"),
    "truth values": (lambda: cast_input("bool"), "input 'entry', which takes bool"),
    "an inner input of whole numbers": (lambda: nested(dtype="int32"), "input 'inner/start', which takes int32"),
    "float16 that overflows": (overflowing, "layer 'large', which computes in float16"),
    "bfloat16 that cancels": (
        lambda: between(
            layers.Rescaling(1.0, offset=1e4, dtype="bfloat16"),
            layers.Rescaling(1.0, offset=-1e4, dtype="bfloat16", name="back"),
        ),
        "layer '(back|rescaling.*)', which computes in bfloat16",
    ),
    "dropout in training": (
        lambda: between((layers.Dropout(0.999, name="drop"), TRAINING)),
        r"model\(images\) differs .* layer 'drop', which is called with training=True",
    ),
    "noise in training": (
        lambda: between((layers.GaussianNoise(0.5, name="noise"), TRAINING)),
        "layer 'noise', which is called with training=True",
    ),
    "statistics of the batch": (
        lambda: between((layers.BatchNormalization(name="norm"), TRAINING)),
        "layer 'norm', which is called with training=True",
    ),
    "an inner network in training": (
        lambda: nested(training=True),
        "layer 'inner/drop', which is called with training=True",
    ),
    "augmentation, and more that a plain call takes for training": (
        lambda: between(layers.RandomFlip(name="flip"), (layers.Dropout(0.999, name="drop"), TRAINING)),
        "layer 'drop', which is called with training=True",
    ),
    "a constant that float16 swallows the scores with": (
        lambda: graph(lambda x: layers.Rescaling(1.0, offset=1e3, dtype="float16", name="end")(ended(conv()(x)))),
        "its output 'end', while no layer before does by itself",
    ),
    "pixels beyond float16": (
        lambda: graph(
            lambda x: ended(conv()(layers.Rescaling(1e-6)(layers.Rescaling(1e6, dtype="float16", name="up")(x))))
        ),
        "layer 'up', which computes in float16",
    ),
    "an inner network of an inner network in training": (
        lambda: between((keras.Sequential([keras.Input((10, 8, 4)), nested_noise()], name="outer"), TRAINING)),
        "layer 'outer/deep/noise', which is called with training=True",
    ),
    "a layer that is shared, and once in training": (
        lambda: graph(lambda x: twice(layers.Dropout(0.9, name="drop"), x)),
        "layer 'drop', which is called with training=True",
    ),
    "a mask": (
        lambda: graph(
            lambda x: averaged(layers.Masking()(layers.Reshape((120, 4))(layers.ZeroPadding2D()(conv()(x)))))
        ),
        "layer 'average'",
    ),
    "pictures that see each other": (
        lambda: graph(lambda x: ended(conv(name="conv")(x - ops.mean(x, axis=0, keepdims=True)))),
        "layer 'mean.*', whose answer to one picture depends on the others",
    ),
    "probabilities that are all alike": (lambda: squeezed(1e-9), "its output 'end', which rounds away"),
    "probabilities that are all one": (
        lambda: squeezed(1.0, "sigmoid", offset=60.0),
        "its output 'end', which rounds away",
    ),
    "what Keras does not run": (
        lambda: graph(lambda x: ended(conv()(x)), dtype="int32"),
        r"model\(images, training=False\) .* ends in an error: Exception encountered when calling Conv2D",
    ),
}


@pytest.mark.parametrize(("make", "words"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_the_networks_function_is_refused_by_name(make, words):
    """Casts, dtypes, arguments of a call and saturation: Keras is believed, and the first layer that differs named."""
    keras.utils.set_random_seed(5)
    with pytest.raises(NetworkError, match=words):
        check_agreement(flatten(make()), PICTURES)


@pytest.mark.parametrize("make", [lambda: cast_input("int32"), overflowing], ids=["an input that casts", "float16"])
def test_a_refusal_says_what_was_expected_and_what_to_do(make):
    """How many pictures differ, from what, and how the network is to be built."""
    with pytest.raises(NetworkError) as refused:
        check_agreement(flatten(make()), PICTURES)
    for words in ("on 70 of 70 pictures", "in float32 and in inference mode", "Build the network with a float32 input"):
        assert words in str(refused.value)


def test_a_step_that_is_written_wrongly_is_found(monkeypatch):
    """A layer that modelcheck takes for another one is named, whatever it is: so is a future one."""
    monkeypatch.setattr(room, "_FAMILIES_AT_REST", (*room._FAMILIES_AT_REST, "UnitNormalization"))
    with pytest.raises(NetworkError, match="first at layer 'unit'"):
        check_agreement(flatten(between(layers.UnitNormalization(name="unit"))), PICTURES)


def shared():
    """One convolution used twice."""
    own = conv(2, padding="same")
    return graph(lambda x: ended(own(own(x)), "softmax"))


def cut(x):
    """Scores of which most are zero, and the others far apart."""
    return layers.ReLU()(ended(conv()(x)) - 5.0)


HONEST = {
    "softmax": lambda: between(activation="softmax"),
    "no softmax": between,
    "one score": lambda: graph(lambda x: ended(conv()(x), units=1)),
    "one sigmoid": lambda: graph(lambda x: ended(conv()(x), "sigmoid", 1)),
    "sure of itself": lambda: squeezed(200.0),
    "unsure of itself": lambda: squeezed(1e-3),
    "a sigmoid, sure of itself": lambda: graph(
        lambda x: layers.Activation("sigmoid")(ended(conv()(x), units=1) * 100.0)
    ),
    "scores of a million": lambda: between(layers.Rescaling(1e6)),
    "nothing but zeros": lambda: between(layers.Rescaling(0.0)),
    "mostly zeros": lambda: graph(cut),
    "noise at rest": lambda: between(
        layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.BatchNormalization(), layers.SpatialDropout2D(0.5)
    ),
    "told that it is no training": lambda: between((layers.Dropout(0.5), {"training": False})),
    "augmentation": lambda: between(layers.RandomFlip(), layers.Pipeline([layers.RandomInvert(1.0)])),
    "augmentation in training, which predict leaves out": lambda: between((layers.RandomFlip(), TRAINING)),
    "an inner network": nested,
    "a shared layer": shared,
    "separable": lambda: between(layers.SeparableConv2D(6, 3), layers.DepthwiseConv2D(2)),
    "another size": lambda: between(layers.ZeroPadding2D(2), layers.Cropping2D(1), layers.UpSampling2D(2)),
    "float16 by rounding alone": lambda: between(layers.Conv2D(4, 3, dtype="float16")),
    "bfloat16 by rounding alone": lambda: between(layers.Conv2D(4, 3, dtype="mixed_bfloat16")),
    "float16 to the end, sure of itself": lambda: graph(
        lambda x: layers.Activation("softmax", dtype="float16")(ended(conv()(x)) * 20.0)
    ),
    "float16 to the end, one sigmoid": lambda: graph(
        lambda x: layers.Activation("sigmoid", dtype="float16")(ended(conv()(x), units=1) * 20.0)
    ),
    "float16 pictures": lambda: cast_input("float16"),
}


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST)
def test_an_honest_network_agrees(make):
    """Rounding of kernels and of coarse dtypes, ties and saturation are no reason to refuse a network."""
    keras.utils.set_random_seed(5)
    check_agreement(flatten(make()), PICTURES)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float16", "mixed_bfloat16"])
def test_a_trained_network_of_any_precision_agrees(policy):
    """The half network of the story, sure of its answers to the last of its layers, loses nothing by rounding."""
    trained = keras.models.load_model(ROOT / "networks" / "half_filters.keras", compile=False)
    parts = [layer for layer in trained.layers if not isinstance(layer, layers.InputLayer)]
    configs = [{**part.get_config(), "dtype": policy} for part in parts]
    made = [type(part).from_config(config) for part, config in zip(parts, configs, strict=True)]
    model = keras.Sequential([keras.Input(trained.input_shape[1:]), *made])
    model.set_weights(trained.get_weights())
    faces = Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz").inputs((0.0, 1.0))
    check_agreement(flatten(model), faces)


@pytest.mark.parametrize("make", ZOO.values(), ids=ZOO)
def test_the_networks_of_the_tests_agree(make):
    """Among them a single sigmoid, grouped and dilated convolutions, and bytes as pictures."""
    model = make()
    pictures = np.random.default_rng(1).random((40, *model.input_shape[1:]), np.float32)
    check_agreement(flatten(model), pictures * (255 if model.name == "residual" else 1))


def test_inputs_and_outputs_by_name_are_taken_as_they_are():
    """A network whose input or output stands in a dictionary or a list is asked as its user asks it."""
    entry = keras.Input(SHAPE, name="entry")
    scores = ended(conv()(entry))
    check_agreement(flatten(keras.Model({"entry": entry}, {"scores": scores})), PICTURES)
    check_agreement(flatten(keras.Model([entry], [scores])), PICTURES)


def test_a_common_constant_does_not_widen_the_tolerance():
    """A thousand added to both scores hides nothing of what bytes lose, though no class changes by it."""
    model = graph(lambda x: ended(conv()(layers.Rescaling(1 / 255)(x))) + 1e3, dtype="uint8")
    with pytest.raises(NetworkError, match="first at the input 'entry', which takes uint8"):
        check_agreement(flatten(model), PICTURES * 255)


def test_one_loud_picture_does_not_widen_the_tolerance():
    """A picture whose scores are a million apart leaves the others under their own tolerance."""
    pictures = PICTURES.copy()
    pictures[0] *= 1e6
    with pytest.raises(NetworkError, match="on 69 of 70 pictures"):
        check_agreement(flatten(cast_input("int32")), np.concatenate([pictures[:1].round(), pictures[1:]]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_never_equal(value):
    """NaN and infinity are refused whether both answer them, or Keras alone."""
    model = between()
    model.get_layer("decision").bias.assign([value, 0.0])
    with pytest.raises(NetworkError, match="answers NaN or infinity on 70 of 70 pictures"):
        check_agreement(flatten(model), PICTURES)


def amplifying(offset, *more):
    """A network that adds a large number and takes it away behind a convolution, with what that has lost."""
    entry = keras.Input(SHAPE)
    convolution, norm = layers.Conv2D(4, 3, name="convolution"), layers.BatchNormalization(epsilon=0.0, name="norm")
    x = norm(convolution(layers.Rescaling(1.0, offset=offset)(entry)))
    for layer in more:
        x = layer(x)
    model = keras.Model(entry, ended(x))
    added = offset * convolution.kernel.numpy().sum(axis=(0, 1, 2))
    norm.set_weights([np.ones(4), np.zeros(4), added, np.ones(4)])
    return model


def find_loss(model, **how):
    """Return how far Keras' answers are from ours and ours from double precision, as shares of the usual distance."""
    network = flatten(model)
    own = agreement.answer(network, PICTURES)
    usual = own.tolerance / 1e-4
    exact = network.evaluate(PICTURES.astype(np.float64), [network.logits])[0].numpy()
    keras_own = np.abs(model(PICTURES, **how).numpy() - own.scores).max() / usual
    return keras_own, np.abs(own.scores - exact).max() / usual


def test_rounding_that_a_network_amplifies_is_no_difference():
    """Answers that differ by what single precision costs in this network, as double precision tells, agree."""
    model = amplifying(1e4)
    apart, lost = find_loss(model)
    assert 1e-4 < apart < min(8 * lost, 1e-2)
    check_agreement(flatten(model), PICTURES)


def test_few_pictures_tell_about_rounding():
    """Of many pictures at most 32 are asked in double precision, the first that differ among them; of few, all."""
    wrong = np.zeros(300, bool)
    wrong[[7, 150, 151]] = True
    chosen = agreement._choose_some(wrong)
    assert {0, 7, 150, 151, 299} <= set(chosen.tolist())
    assert len(agreement._choose_some(np.ones(300, bool))) <= 32
    np.testing.assert_array_equal(agreement._choose_some(np.array([False, True])), [0, 1])


@pytest.mark.parametrize("bound", ["_ROUNDING", "_ILL_CONDITIONED"])
def test_what_rounds_beyond_use_is_refused(monkeypatch, bound):
    """Rounding excuses no more than a multiple of what the network loses, and no more than it can be used with."""
    monkeypatch.setattr(agreement, bound, 1e-4)
    with pytest.raises(NetworkError, match="while no layer before does by itself"):
        check_agreement(flatten(amplifying(1e4)), PICTURES)


def test_rounding_excuses_no_layer_that_does_otherwise():
    """A layer that differs by itself is named, though the network's answers differ by no more than rounding costs."""
    noise = layers.GaussianNoise(1e-3, name="noise")
    model = amplifying(1e4, lambda x: noise(x, training=True))
    apart, lost = find_loss(model)
    assert 1e-4 < apart < min(8 * lost, 1e-2)
    with pytest.raises(NetworkError, match="first at layer 'noise'"):
        check_agreement(flatten(model), PICTURES)


def test_what_does_not_compute_in_double_precision_excuses_nothing():
    """Where the steps raise in double precision, or give single precision back, the tolerance stays."""
    network = flatten(amplifying(1e4))
    own = agreement.answer(network, PICTURES)
    keras_outputs = network.model(PICTURES, training=False).numpy()
    assert agreement._allow_rounding(network, PICTURES, own=own, outputs=keras_outputs) > own.tolerance

    def altered(change):
        steps = [*network.steps[:-1], replace(network.steps[-1], run=lambda values: change(values[0]))]
        return replace(network, steps=tuple(steps))

    def refuse(value):
        raise tf.errors.UnimplementedError(None, None, f"no kernel for {value.dtype}")

    for change in (refuse, lambda value: tf.cast(value, tf.float32)):
        found = agreement._allow_rounding(altered(change), PICTURES, own=own, outputs=keras_outputs)
        assert found == own.tolerance


def test_a_network_of_other_dtypes_is_asked_call_by_call():
    """A graph may join two scalings of which the first overflows by itself; as it is used, the network does."""
    model = between(
        layers.Rescaling(1e7, dtype="float16", name="large"),
        layers.Rescaling(1e-7, dtype="float16"),
        layers.Rescaling(1.0, dtype="float32"),
    )
    with pytest.raises(NetworkError, match="computes in float16"):
        KerasClassifier(flatten(model)).class_scores(PICTURES, checked=np.arange(len(PICTURES)))


def test_asking_in_one_graph_is_asking_call_by_call():
    """Keras' outputs are those of single calls, of weights that changed meanwhile as well."""
    model = between(layers.BatchNormalization(), activation="softmax")
    ask = agreement.trace_keras(flatten(model))
    for _ in range(2):
        np.testing.assert_allclose(ask(PICTURES), model(PICTURES, training=False), rtol=1e-5, atol=1e-6)
        model.set_weights([weight * 1.1 for weight in model.get_weights()])


def test_outputs_are_let_go_when_their_last_reader_has_them():
    """Asked outside a graph, a deep network holds a few outputs at a time, not one for each of its layers."""
    network = flatten(between(*(layers.Conv2D(4, 1) for _ in range(12))))
    made, most = [], []

    def watched(step):
        def run(values, *more):
            found = step.run(values, *more)
            made.append(weakref.ref(found))
            most.append(sum(one() is not None for one in made))
            return found

        return replace(step, run=run)

    steps = tuple(watched(step) for step in network.steps)
    (scores,) = replace(network, steps=steps).evaluate(tf.constant(PICTURES), [network.logits])
    assert len(made) > 12
    assert max(most) <= 3
    np.testing.assert_array_equal(scores, network.evaluate(tf.constant(PICTURES), [network.logits])[0])


def test_a_network_is_named_in_one_line():
    """Whatever TensorFlow writes of what it traces stays short."""
    assert len(repr(flatten(between()))) < 80


def test_what_cannot_be_traced_is_asked_call_by_call():
    """Where the one graph fails the answer is the same: a good network passes, and a bad one is refused."""

    def fail(_):
        raise TypeError("not in a graph")

    check_agreement(flatten(between()), PICTURES, released=False, traced=fail)
    with pytest.raises(NetworkError, match="layer 'large', which computes in float16"):
        check_agreement(flatten(overflowing()), PICTURES, released=False, traced=fail)


@pytest.mark.parametrize("traced", [False, True], ids=["call by call", "in one graph"])
def test_a_difference_is_found_either_way(traced):
    """Pictures on which Keras overflows are refused, whether it is asked call by call or in one graph."""
    network = flatten(overflowing())
    ask = agreement.trace_keras(network) if traced else None
    with pytest.raises(NetworkError, match="layer 'large', which computes in float16"):
        check_agreement(network, PICTURES, released=False, traced=ask)


@pytest.mark.slow
def test_a_coarse_dtype_that_overflows_on_a_sticker_alone_is_found():
    """A bright corner is infinite in float16 and nothing in float32: the panel does not show it, the scan does."""
    panel = make_panel(subjects=("ada", "ben"), size=(24, 20), per_subject=6)
    pictures = (panel.inputs((0.0, 1.0)) * 0.6).astype(np.float32)
    entry = keras.Input((24, 20, 1), name="entry")
    corner = layers.Flatten()(layers.Cropping2D(((22, 0), (18, 0)))(entry))
    total = layers.Dense(1, kernel_initializer="ones")(corner)
    hidden = layers.Rescaling(1e-12, dtype="float32")(layers.Rescaling(2e4, dtype="float16", name="large")(total))
    seen = layers.Concatenate()([layers.Flatten()(entry), layers.Activation("tanh")(hidden)])
    model = keras.Model(entry, layers.Dense(2, name="decision")(seen))
    network = flatten(model)
    check_agreement(network, pictures)
    scores = network.class_scores(pictures).numpy()
    with pytest.raises(NetworkError, match="layer 'large', which computes in float16"):
        measure_sticker_shifts(
            KerasClassifier(network),
            pictures[:4],
            panel.labels[:4],
            scores=scores,
            truth=panel.labels,
            input_range=(0.0, 1.0),
        )


def test_attributions_explain_what_keras_answers():
    """Methods that read layers refuse a network that does otherwise; those that look from outside explain Keras."""
    model = overflowing()
    with pytest.raises(AttributionError, match="layer 'large', which computes in float16"):
        attribute(model, PICTURES[:2], 0, method="gradient")
    casting = cast_input("int32")
    assert not attribute(casting, PICTURES[:2] * 0.4, 0, method="occlusion", window=4, stride=4, reference=0.4).any()


def test_attributions_and_happy_maps_are_of_a_network_at_rest():
    """Where Keras agrees in inference mode, a plain call that augments is no reason to explain nothing."""
    model = between(layers.RandomFlip(name="flip"))
    assert np.isfinite(attribute(model, PICTURES[:2], 0, method="gradient")).all()
    assert np.isfinite(render_happy_maps(model, "decision", [1], Recipe(steps=2, copies=1)).maps).all()


def test_happy_maps_are_of_the_networks_own_function():
    """Rendering refuses a network whose layers compute something else in Keras."""
    with pytest.raises(NetworkError, match="layer 'large', which computes in float16"):
        render_happy_maps(overflowing(), "decision", [1], Recipe(steps=2, copies=1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_units_and_partners_are_looked_at_too(tmp_path, monkeypatch):
    """A network that is examined for spare units, or stands behind a signature of before, is asked as well."""
    panel = make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)
    light = Recipe(
        steps=1,
        copies=1,
        untrained_twins=0,
        sticker_faces=0,
        probe_pictures=4,
        attribution_methods=(),
        units_per_layer=1,
        exchange_pictures=0,  # exchanged pictures are held against Keras by a guard of their own
        mosaics=0,
    )
    entry = keras.Input((12, 10, 1), name="entry", dtype="int32")
    keras.Model(entry, plain()(layers.Rescaling(1.0)(entry))).save(tmp_path / "cast.keras")
    plain().save(tmp_path / "plain.keras")
    with pytest.raises(NetworkError, match="input 'entry', which takes int32"):
        examine_units(tmp_path / "cast.keras", panel, light)
    with monkeypatch.context() as unguarded:
        unguarded.setattr("modelcheck.measurement.measuring.check_agreement", lambda *_: None)
        signature = measure(tmp_path / "cast.keras", panel, light)
    partner = ExchangePartner(signature=signature, model=tmp_path / "cast.keras")
    with pytest.raises(NetworkError, match="input 'entry', which takes int32"):
        measure(tmp_path / "plain.keras", panel, light, stimuli=partner)
