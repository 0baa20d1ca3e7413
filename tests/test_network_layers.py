"""Layer by layer: a flattened network answers as Keras does, on pictures and on patches, or the layer is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth

from modelcheck.network import NetworkError, flatten
from modelcheck.network.receptive import receptive_field

SHAPE = (15, 14, 2)
GENERATOR = np.random.default_rng(5)
PIXELS = GENERATOR.uniform(0.5, 1.5, SHAPE)


def conv(filters=3, size=3, **options):
    """A convolution; without options of 3 filters of 3 x 3."""
    return layers.Conv2D(filters, size, **options)


def ending(x):
    """Global pooling and two classes."""
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


def chain(*parts):
    """Layers one behind the other, with an ending."""
    return keras.Sequential([layers.Input(SHAPE), *parts, layers.GlobalAveragePooling2D(), layers.Dense(2)])


def graph(function, shape=SHAPE):
    """A functional network."""
    start = layers.Input(shape)
    return keras.Model(start, function(start))


def between(function):
    """An operation between two convolutions, with an ending."""
    return graph(lambda start: ending(conv()(function(conv()(start)))))


def random(alpha):
    """A PReLU with random slopes."""
    return layers.PReLU(alpha_initializer=keras.initializers.RandomUniform(0.1, 0.9, seed=1), shared_axes=alpha)


def adapted(axis):
    """A normalisation with statistics along an axis."""
    layer = layers.Normalization(axis=axis)
    layer.adapt(GENERATOR.random((20, *SHAPE), dtype="float32") * (1, 3))
    return layer


def gate(x):
    """Squeeze and excitation."""
    return layers.Multiply()([x, conv(3, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))])


def attended(x):
    """Patches as a sequence: normalisations, attention and a dense layer, added, and back to maps."""
    rows = layers.Reshape((-1, 3))(x)
    known = layers.LayerNormalization()(rows)
    rows = layers.Add()([rows, layers.MultiHeadAttention(2, 2)(known, known)])
    rows = layers.BatchNormalization()(rows + layers.Dense(3, activation="gelu")(layers.UnitNormalization()(rows)))
    return layers.Reshape(tuple(x.shape[1:]))(rows)


def shared():
    """One convolution and one activation used twice."""
    own, active = conv(2, 3, padding="same"), layers.ReLU(6)
    return graph(lambda start: ending(conv()(active(own(active(own(start)))))))


def twice_nested():
    """A nested network used twice, the second time on its own output."""
    inner = graph(lambda start: layers.BatchNormalization()(conv(2, 3, padding="same", activation="relu")(start)))
    return graph(lambda start: ending(conv()(layers.Add()([inner(start), inner(inner(start))]))))


@keras.saving.register_keras_serializable("tests")
class Dropout(layers.Layer):
    """No layer of Keras, though it is called like one: it halves."""

    def call(self, inputs):
        return inputs / 2


def called(model):
    """A network that has answered once, so that all of it is built."""
    model(np.zeros((1, *SHAPE), np.float32))
    return model


def squared(x):
    """An activation that nobody knows."""
    return x * x


def spread(x):
    """An activation that mixes pixels."""
    return ops.softmax(x, axis=1)


# By name: the network, and whether the last convolution has its patch ("patch") or needs the
# picture ("whole").
TAKEN = {
    "even kernels, same": (lambda: chain(conv(3, 2, padding="same"), conv(3, (4, 2), padding="same")), "patch"),
    "strides, same": (lambda: chain(conv(3, 3, strides=2, padding="same"), conv(3, 2, padding="same")), "patch"),
    "uneven strides": (lambda: chain(conv(3, (2, 3), strides=(2, 1), padding="same"), conv(3, 2)), "patch"),
    "dilation, same": (lambda: chain(conv(3, 2, padding="same", dilation_rate=(3, 2)), conv(3, 2)), "patch"),
    "dilation, then strides": (lambda: chain(conv(3, 3, dilation_rate=2), conv(3, 2, strides=2)), "patch"),
    "zero padding": (
        lambda: chain(layers.ZeroPadding2D(((0, 1), (2, 0))), conv(3, 3, strides=2), layers.ZeroPadding2D(1), conv()),
        "patch",
    ),
    "cropping": (lambda: chain(conv(), layers.Cropping2D(((1, 2), (3, 0))), conv()), "patch"),
    "crop and add": (
        lambda: graph(lambda start: ending(conv(3, 2)(layers.Add()([layers.Cropping2D(1)(start), conv(2)(start)])))),
        "patch",
    ),
    "groups": (lambda: chain(conv(4, groups=2), conv(4, 2, groups=4, strides=2, padding="same"), conv()), "patch"),
    "depth multiplier": (lambda: chain(layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2), conv()), "patch"),
    "dilated depthwise": (lambda: chain(layers.DepthwiseConv2D(2, dilation_rate=2, padding="same"), conv()), "patch"),
    "separable": (
        lambda: chain(layers.SeparableConv2D(4, 3, depth_multiplier=3, strides=2, activation="relu"), conv(3, 2)),
        "patch",
    ),
    "average pooling, same": (lambda: chain(layers.AveragePooling2D(3, strides=2, padding="same"), conv()), "patch"),
    "overlapping pooling": (lambda: chain(layers.MaxPooling2D((3, 2), strides=(1, 2)), conv()), "patch"),
    "transposed": (lambda: chain(conv(), layers.Conv2DTranspose(3, 3, strides=2), conv()), "whole"),
    "upsampling": (lambda: chain(conv(), layers.UpSampling2D(2), conv()), "whole"),
    "resizing": (lambda: chain(layers.Resizing(11, 12), conv(), conv()), "whole"),
    "centre crop": (lambda: chain(layers.CenterCrop(11, 12), conv(), conv()), "whole"),
    "gate": (lambda: between(gate), "whole"),
    "shared layers": (shared, "patch"),
    "nested twice": (twice_nested, "patch"),
    "rescaling by channel": (lambda: chain(layers.Rescaling([2.0, 3.0], offset=[0.1, 0.2]), conv(), conv()), "patch"),
    "rescaling by pixel": (lambda: chain(layers.Rescaling(PIXELS), conv(), conv()), "whole"),
    "offset by pixel": (lambda: chain(layers.Rescaling(2.0, offset=PIXELS), conv(), conv()), "whole"),
    "given normalisation": (
        lambda: chain(layers.Normalization(mean=[0.1, 0.2], variance=[2.0, 3.0]), conv(), conv()),
        "patch",
    ),
    "inverted normalisation": (
        lambda: chain(layers.Normalization(mean=[0.1, 0.2], variance=[2.0, 0.0], invert=True), conv(), conv()),
        "patch",
    ),
    "normalisation by one number": (
        lambda: chain(layers.Normalization(axis=None, mean=0.1, variance=2.0), conv(), conv()),
        "patch",
    ),
    "normalisation by channel": (lambda: chain(adapted(-1), conv(), conv()), "patch"),
    "normalisation by pixel": (lambda: chain(adapted((1, 2, 3)), conv(), conv()), "whole"),
    "normalisation by row": (lambda: chain(adapted(1), conv(), conv()), "whole"),
    "normalisation by column and channel": (lambda: chain(adapted((2, 3)), conv(), conv()), "whole"),
    "normalised vectors": (
        lambda: keras.Sequential(
            [
                *(layers.Input(SHAPE), conv(), layers.GlobalMaxPooling2D()),
                *(layers.Normalization(mean=[1, 2, 3], variance=[3, 2, 1]), layers.BatchNormalization()),
                layers.Dense(2),
            ]
        ),
        "patch",
    ),
    "batch normalisation": (
        lambda: chain(conv(), layers.BatchNormalization(scale=False), layers.BatchNormalization(center=False), conv()),
        "patch",
    ),
    "layer normalisation": (lambda: chain(conv(), layers.LayerNormalization(), conv()), "whole"),
    "layer normalisation of pictures": (lambda: chain(conv(), layers.LayerNormalization(axis=[1, 2]), conv()), "whole"),
    "group normalisation": (lambda: chain(conv(4), layers.GroupNormalization(2), conv()), "whole"),
    "unit normalisation": (lambda: chain(conv(), layers.UnitNormalization(), conv()), "whole"),
    "spectral normalisation": (lambda: chain(layers.SpectralNormalization(conv(4)), conv()), "whole"),
    "noise": (
        lambda: chain(layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.GaussianDropout(0.5), conv(), conv()),
        "patch",
    ),
    "augmentation": (
        lambda: chain(
            *(layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.5), layers.RandomErasing()),
            *(layers.RandomGaussianBlur(), layers.RandomBrightness(0.5), conv(), conv()),
        ),
        "patch",
    ),
    "augmentation in a layer of layers": (
        lambda: chain(layers.Pipeline([layers.RandomInvert(1.0), layers.RandomErasing(1.0)]), conv()),
        "whole",
    ),
    "a stranger called dropout": (lambda: chain(Dropout(), conv()), "whole"),
    "capped rectifier": (
        lambda: chain(conv(), layers.ReLU(max_value=0.3, negative_slope=0.1, threshold=0.05), conv()),
        "patch",
    ),
    "activations by name": (
        lambda: chain(conv(activation="swish"), conv(activation="hard_sigmoid"), conv(activation="softmax"), conv()),
        "patch",
    ),
    "slopes by channel": (lambda: chain(conv(), random([1, 2]), conv()), "patch"),
    "slopes by pixel": (lambda: chain(conv(), random(None), conv()), "whole"),
    "slopes by pixel, read by one pixel": (lambda: chain(conv(), random(None), conv(3, 1)), "whole"),
    "slopes by column": (lambda: chain(conv(), random([1]), conv()), "whole"),
    "slopes by pixel, as an argument": (lambda: called(chain(conv(activation=random(None)), conv())), "whole"),
    "layers as activations": (
        lambda: chain(
            *(conv(activation=layers.LeakyReLU(0.3)), conv(activation=layers.ReLU(1.0)), conv()),
            *(layers.Activation(layers.LeakyReLU(0.3)), conv()),
        ),
        "patch",
    ),
    "softmax over channels": (lambda: chain(conv(), layers.Softmax(axis=3), conv()), "patch"),
    "softmax over rows": (lambda: chain(conv(), layers.Softmax(axis=1), conv()), "whole"),
    "softmax over pixels": (lambda: chain(conv(), layers.Softmax(axis=(1, 2)), conv()), "whole"),
    "an unknown activation": (lambda: chain(conv(activation=squared), conv()), "whole"),
    "an activation over rows": (lambda: chain(conv(activation=spread), conv()), "whole"),
    "reshape": (
        lambda: graph(lambda start: ending(conv()(layers.Reshape((14, 15, 2))(conv(2, padding="same")(start))))),
        "whole",
    ),
    "permute": (lambda: between(layers.Permute((2, 1, 3))), "whole"),
    "minimum": (lambda: between(lambda x: layers.Minimum()([x, conv(3, padding="same")(x)])), "whole"),
    "concatenated rows": (lambda: between(lambda x: layers.Concatenate(axis=1)([x, x])), "whole"),
    "concatenated channels": (lambda: between(lambda x: layers.Concatenate(axis=3)([x, x])), "patch"),
    "a layer added to itself": (lambda: between(lambda x: layers.Add()([x, x])), "patch"),
    "numbers": (lambda: between(lambda x: 1.0 - x * 2.0 / 3.0 + 0.5), "whole"),
    "a picture added": (
        lambda: graph(lambda start: ending(conv()(conv()(start + PIXELS.astype("float32"))))),
        "whole",
    ),
    "operations": (lambda: between(lambda x: ops.relu(x) + ops.sigmoid(x) * ops.gelu(x)), "patch"),
    "operations with a slope": (lambda: between(lambda x: ops.leaky_relu(x, negative_slope=0.3)), "whole"),
    "a mean as an operation": (
        lambda: graph(lambda start: layers.Dense(2)(ops.mean(conv()(conv()(start)), axis=(1, 2)))),
        "patch",
    ),
    "dense on pictures": (lambda: chain(layers.Dense(3, activation="gelu"), conv()), "patch"),
    "scaled and dropped branches": (lambda: between(lambda x: StochasticDepth(0.5)(LayerScale(0.3, 3)(x))), "patch"),
    "batch normalisation of rows": (lambda: chain(conv(), layers.BatchNormalization(axis=1), conv()), "whole"),
    "a sequence of patches": (lambda: between(attended), "whole"),
    "slices": (lambda: between(lambda x: x[:, 2:-2, 1:, :2]), "whole"),
}


def shaken(model):
    """Give statistics, scales and biases values that matter."""
    for layer in model._flatten_layers():
        kinds = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)
        if isinstance(layer, kinds):
            layer.set_weights([GENERATOR.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(GENERATOR.normal(size=layer.bias.shape))
    return model


@pytest.mark.parametrize(("make", "seen"), TAKEN.values(), ids=TAKEN)
def test_each_layer_answers_as_keras_does(make, seen):
    """Same output as Keras in single, in double double; and where there is a patch, its unit answers as on pictures."""
    keras.utils.set_random_seed(3)
    model = shaken(make())
    network = flatten(model)
    images = tf.constant(np.random.default_rng(1).random((3, *SHAPE)), tf.float32)
    values = network.evaluate(images, range(len(network.steps)))
    np.testing.assert_allclose(values[-1], model(images, training=False), rtol=1e-5, atol=1e-5)
    for step, value in zip(network.steps, values, strict=True):
        assert tuple(value.shape[1:]) == tuple(step.shape), step.name
    double = network.class_scores(tf.cast(images, tf.float64))
    assert double.dtype == tf.float64
    np.testing.assert_allclose(double, network.class_scores(images), rtol=1e-4, atol=1e-5)
    fields = []
    for layer in (layer for layer in network.unit_layers() if layer.kind == "conv"):
        fields.append(receptive_field(network, layer.read))
        if fields[-1] is None:
            continue
        (top, bottom), (left, right) = fields[-1].ranges[0]
        assert min(top, left) >= 0
        assert bottom < SHAPE[0]
        assert right < SHAPE[1]
        whole = values[layer.read].numpy()
        answer = fields[-1].evaluate(network, images[:, top : bottom + 1, left : right + 1], layer.read)
        centre = whole[:, whole.shape[1] // 2, whole.shape[2] // 2]
        np.testing.assert_allclose(answer, centre, rtol=1e-4, atol=1e-5, err_msg=layer.name)
    assert ("whole" if fields[-1] is None else "patch") == seen


def quantized():
    """A network whose dense layer holds codes of eight bits."""
    model = graph(lambda start: layers.Dense(2, name="coded", dtype="int8_from_float32")(layers.Flatten()(start)))
    assert model.get_layer("coded").quantization_mode == "int8"
    return model


def halved():
    """A network with an operation of two outputs."""
    return between(lambda x: layers.Add()(ops.split(conv(4)(x), 2, axis=-1)))


def scored(activation):
    """A network of one output."""
    return graph(lambda start: layers.Dense(1, activation=activation, name="score")(layers.Flatten()(conv()(start))))


REFUSED = {
    "channels first": (
        lambda: chain(layers.MaxPooling2D(1, data_format="channels_first", name="turned"), conv()),
        "'turned' is channels_first",
    ),
    "quantized": (quantized, "'coded' is quantized"),
    "two outputs": (halved, "'split.*' has 2 outputs"),
    "slopes that are not there": (
        lambda: chain(conv(activation=random(None), name="sloped"), conv()),
        "'sloped' has a PReLU for its activation",
    ),
    "random crop": (lambda: chain(layers.RandomCrop(9, 9, name="some"), conv()), "'some' gives pictures of another"),
    "one softmax": (lambda: scored("softmax"), "'score' .* has one output after 'softmax'"),
    "one rectifier": (lambda: scored("relu"), "'score' .* has one output after 'relu'"),
    "one hard sigmoid": (lambda: scored("hard_sigmoid"), "'score' .* has one output after 'hard_sigmoid'"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_each_layer_that_cannot_be_taken_is_named(make, words):
    """A clear error with the layer's name, from flattening or from the list of units."""
    model = make()
    with pytest.raises(NetworkError, match=words):
        flatten(model).unit_layers()


@pytest.mark.parametrize("last", [layers.Activation("linear", dtype="float32"), layers.Dropout(0.2)])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_softmax_in_front_of_nothing_is_bypassed(activation, last):
    """A cast at the end, as mixed precision asks for, does not hide the class scores."""
    model = graph(lambda start: last(layers.Activation(activation)(ending(conv()(start)))))
    network = flatten(model)
    assert network.steps[network.logits].kind == "dense"


def test_a_layer_as_activation_keeps_single_precision():
    """In a network of half precision an activation that is a layer does not halve what comes behind it."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = called(chain(conv(activation=layers.LeakyReLU(0.3)), conv(activation=random([1, 2])), conv()))
    finally:
        keras.config.set_dtype_policy(policy)
    network = flatten(model)
    images = tf.constant(np.random.default_rng(1).random((2, *SHAPE)), tf.float32)
    assert network.class_scores(images).dtype == tf.float32
