"""A small network of each row of docs/networks.md."""

import keras
import numpy as np
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth

SHAPE = (16, 14, 2)
PICTURES = np.random.default_rng(3).random((9, *SHAPE), np.float32)


@keras.saving.register_keras_serializable("table")
class Halve(layers.Layer):
    """A layer of somebody's own."""

    def call(self, inputs):
        """Half of what comes in."""
        return inputs / 2


@keras.saving.register_keras_serializable("table")
def bend(x):
    """An activation of somebody's own."""
    return x * ops.sigmoid(x)


@keras.saving.register_keras_serializable("table")
class Own(keras.Model):
    """A subclassed network."""

    def __init__(self, **options):
        super().__init__(**options)
        self.stem, self.out = layers.Conv2D(3, 3, activation="relu"), layers.Dense(2)

    def call(self, x):
        """Scores of two classes."""
        return self.out(layers.GlobalAveragePooling2D()(self.stem(x)))


@keras.saving.register_keras_serializable("table")
class Looks(Own):
    """A subclassed network that looks at values."""

    def call(self, x):
        """Scores of two classes."""
        return super().call(x if float(ops.max(x)) > 0 else -x)


def conv(filters=3, size=3, **options):
    """A convolution."""
    return layers.Conv2D(filters, size, **options)


def ending(x, units=2, activation=None):
    """Pooling and scores."""
    return layers.Dense(units, activation=activation)(layers.GlobalAveragePooling2D()(x))


def graph(function, shape=SHAPE, **options):
    """A functional network."""
    start = keras.Input(shape, **options)
    return keras.Model(start, function(start))


def chain(*parts, shape=SHAPE, **options):
    """Convolutions around layers, and an ending."""
    return graph(lambda x: ending(sequence(x, conv(activation="relu"), *parts, conv()), **options), shape)


def sequence(x, *parts):
    """Layers one behind the other."""
    for part in parts:
        x = part(x)
    return x


def excited(x):
    """Squeeze and excitation."""
    gate = conv(1, 1, activation="swish")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.Multiply()([x, conv(3, 1, activation="sigmoid")(gate)])


def next_block(x):
    """A block of ConvNeXt."""
    inner = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    inner = layers.Dense(3)(layers.Dense(6, activation="gelu")(inner))
    return layers.Add()([x, StochasticDepth(0.1)(LayerScale(0.5, 3)(inner))])


def patches(x):
    """Patches as a sequence, each with its position."""
    rows = layers.Reshape((-1, 4))(conv(4, 4, strides=4, name="patches")(x))
    return rows + layers.Embedding(12, 4)(np.arange(rows.shape[1]))


def transformer(x):
    """A small vision transformer."""
    rows = patches(x)
    known = layers.LayerNormalization()(rows)
    rows = layers.Add()([rows, layers.MultiHeadAttention(2, 2)(known, known)])
    rows = layers.Add()([rows, layers.Dense(4)(layers.Dense(8, activation="gelu")(layers.LayerNormalization()(rows)))])
    return layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(rows))


def mixer(x):
    """Dense layers along patches and along their values."""
    rows = patches(x)
    mixed = layers.Permute((2, 1))(layers.Dense(rows.shape[1], activation="gelu")(layers.Permute((2, 1))(rows)))
    return layers.Dense(2)(layers.Flatten()(layers.Dense(4)(layers.Add()([rows, mixed]))))


def recurrent(x):
    """Rows of the picture as time."""
    rows = layers.TimeDistributed(layers.Dense(4))(layers.Reshape((16, 28))(x))
    return layers.Dense(2)(layers.GRU(3)(layers.Bidirectional(layers.LSTM(3, return_sequences=True))(rows)))


def backbone(size=SHAPE[:2]):
    """Convolutions in a head."""
    inner = graph(lambda x: conv(activation="relu")(conv(padding="same", strides=2)(x)), (*size, 2))
    return graph(lambda x: ending(inner(x)))


def under(policy):
    """A network of half precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return graph(lambda x: layers.Dense(2, dtype="float32")(layers.GlobalAveragePooling2D()(conv()(x))))
    finally:
        keras.config.set_dtype_policy(before)


def called(model):
    """A network that has answered once."""
    model(PICTURES)
    return model


def compiled():
    """A network that was trained with a loss of somebody's own."""
    model = chain()
    model.compile("adam", loss=bend, metrics=[bend])
    return model


def shared():
    """One convolution used twice."""
    own = conv(2, padding="same")
    return graph(lambda x: ending(own(own(x))))


def by_name():
    """One output in a dictionary."""
    start = keras.Input(SHAPE, name="picture")
    return keras.Model({"picture": start}, {"scores": ending(conv()(start))})


MEASURED = {
    "plain convolutions": lambda: chain(layers.MaxPooling2D()),
    "residual adds": lambda: chain(lambda x: layers.Add()([x, conv(padding="same")(layers.BatchNormalization()(x))])),
    "depthwise and separable": lambda: chain(layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3)),
    "dilated and grouped": lambda: chain(conv(6, dilation_rate=2), conv(6, groups=3)),
    "branches that are concatenated": lambda: chain(lambda x: layers.Concatenate()([x, conv(padding="same")(x)])),
    "squeeze and excitation": lambda: chain(excited),
    "convolutions of ConvNeXt": lambda: chain(next_block),
    "group normalisation": lambda: chain(layers.GroupNormalization(3)),
    "layer normalisation": lambda: chain(layers.LayerNormalization()),
    "batch normalisation of rows": lambda: chain(layers.BatchNormalization(axis=1)),
    "spectral normalisation": lambda: chain(layers.SpectralNormalization(conv())),
    "vision transformer": lambda: graph(transformer),
    "mixer of patches": lambda: graph(mixer),
    "perceptron on pixels": lambda: graph(
        lambda x: layers.Dense(2)(layers.Dense(5, activation="relu")(layers.Flatten()(x)))
    ),
    "up-sampling and transposed convolutions": lambda: chain(
        layers.MaxPooling2D(), layers.UpSampling2D(), layers.Conv2DTranspose(3, 2, strides=2)
    ),
    "convolutions of rows (Conv1D)": lambda: graph(
        lambda x: layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.Conv1D(3, 3)(layers.Reshape((16, 28))(x))))
    ),
    "recurrent layers on rows": lambda: graph(recurrent),
    "a backbone in a head": backbone,
    "a backbone of open size in a head": lambda: backbone((None, None)),
    "open size": lambda: chain(shape=(None, None, 2)),
    "no axis for channels": lambda: graph(
        lambda x: ending(conv()(layers.Reshape((*SHAPE[:2], 1))(x))), shape=SHAPE[:2]
    ),
    "augmentation inside": lambda: graph(lambda x: ending(conv()(layers.RandomRotation(0.1)(layers.RandomFlip()(x))))),
    "scaling inside": lambda: graph(
        lambda x: ending(conv()(layers.Normalization(mean=[0.1, 0.2], variance=[2.0, 3.0])(layers.Rescaling(0.5)(x))))
    ),
    "activations as layers and by name": lambda: chain(layers.PReLU(), layers.LeakyReLU(), layers.ELU(), conv(4, 1)),
    "operations (keras.ops)": lambda: chain(lambda x: ops.relu(x) * 2.0 + x[:, :, ::-1]),
    "a layer used twice": shared,
    "one sigmoid": lambda: chain(units=1, activation="sigmoid"),
    "softmax of many classes": lambda: chain(units=12, activation="softmax"),
    "scores without a softmax": lambda: chain(units=3),
    "half precision": lambda: under("mixed_float16"),
    "outputs by name": by_name,
    "a custom loss, metric or schedule": compiled,
    "a custom layer": lambda: chain(Halve()),
    "a custom activation": lambda: chain(conv(activation=bend)),
    "a subclassed network": lambda: called(Own()),
}
REFUSED = {
    "a subclass that looks at values": lambda: called(Looks()),
    "a Sequential that is not built": lambda: keras.Sequential([layers.Flatten(), layers.Dense(2)]),
    "channels first": lambda: chain(layers.MaxPooling2D(1, data_format="channels_first")),
    "quantised weights": lambda: graph(lambda x: layers.Dense(2, dtype="int8_from_float32")(layers.Flatten()(x))),
    "an input of whole numbers": lambda: graph(lambda x: ending(conv()(layers.Rescaling(1.0)(x))), dtype="int32"),
    "dropout in use": lambda: chain(lambda x: layers.Dropout(0.5)(x, training=True)),
    "a layer of two outputs": lambda: chain(lambda x: layers.Add()(ops.split(conv(4)(x), 2, axis=-1))),
    "segmentation": lambda: graph(conv(2)),
    "vectors": lambda: graph(layers.Dense(2), shape=(7,)),
    "RandomCrop": lambda: graph(lambda x: ending(conv()(layers.RandomCrop(9, 9)(x)))),
    "a stateful layer": lambda: graph(
        lambda x: layers.Dense(2)(layers.LSTM(3, stateful=True)(layers.Reshape((16, 28))(x))), batch_size=9
    ),
    "pictures that see each other": lambda: chain(lambda x: x - ops.mean(x, axis=0, keepdims=True)),
    "one rectified output": lambda: chain(units=1, activation="relu"),
}
