"""Files that ship, made of Keras networks: right conversions, wrong ones, and files that are broken.

`CASES` says of each what it is made of and whether a gate must let it pass. `make(name, folder)`
gives its bytes and keeps them in the folder, so that workers convert nothing twice: take the
fixture `converted` of tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from filelock import FileLock
from keras import layers

from modelcheck.faces.export import Precision, choose_pictures, convert
from modelcheck.faces.silence import silence
from modelcheck.panel import Panel

ROOT = Path(__file__).parents[1]
SIDE = 24  # rows and columns of a sign


@dataclass(frozen=True)
class Case:
    """One file: how it is made, of which source, and what a gate must say of it."""

    make: Callable[[], bytes]
    source: str  # a name in SOURCES
    passes: bool
    why: str


@cache
def network(name):
    """Load a committed network; nobody changes it."""
    return keras.models.load_model(ROOT / "networks" / f"{name}.keras", compile=False, safe_mode=True)


@cache
def faces():
    """Return the embedded panel."""
    return Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz")


def pictures(panel):
    """Return the pictures that a conversion to int8 is rightly calibrated on."""
    return panel.inputs((0.0, 1.0))[choose_pictures(panel)]


def copy(model):
    """Return a network of its own with the same weights."""
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin


def takes_bytes():
    """Return the source that scales its pictures itself: it takes bytes from 0 to 255."""
    start = layers.Input((60, 64, 1), name="bytes")
    return keras.Model(start, copy(network("half_filters"))(layers.Rescaling(1 / 255, name="rescale")(start)))


# A colour network of three classes: warm signs on a cool ground, drawn here and learned in seconds.


def draw_signs(count, *, seed):
    """Return ``(count, SIDE, SIDE, 3)`` bytes and ``(count,)`` classes: a disc, a square or a cross, warm on cool."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    drawn, kinds = np.zeros((count, SIDE, SIDE, 3), np.float32), np.arange(count) % 3
    for picture, kind in zip(drawn, kinds, strict=True):
        down, across = np.abs(rows - generator.uniform(9, 14)), np.abs(columns - generator.uniform(9, 14))
        size = generator.uniform(4, 7)
        sign = [
            down**2 + across**2 < size**2,
            np.maximum(down, across) < 0.85 * size,
            (np.minimum(down, across) < 0.3 * size) & (np.maximum(down, across) < size),
        ][kind]
        ground = generator.uniform((20, 60, 110), (70, 120, 200))
        picture[:] = np.where(sign[..., None], generator.uniform((170, 90, 20), (250, 170, 90)), ground)
    return np.clip(drawn + generator.normal(0, 12, drawn.shape), 0, 255).astype(np.uint8), kinds


@cache
def signs():
    """Return the held-out panel of signs: 90 pictures by five painters."""
    images, kinds = draw_signs(90, seed=1)
    painters = [f"painter{row // 3 % 5}" for row in range(len(kinds))]
    return Panel(images, kinds, class_names=("disc", "square", "cross"), subjects=painters)


@cache
def reads_signs():
    """Return the colour network, trained on other signs than the panel's."""
    images, kinds = draw_signs(600, seed=0)
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    model = keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 3), name="picture"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(24, activation="relu", name="dense1"),
            layers.Dense(3, activation="softmax", name="decision"),
        ],
        name="signs",
    )
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    model.fit(images / np.float32(255), kinds, epochs=10, batch_size=32, verbose=0)
    return model


# Of each source: the Keras network, and its panel.
SOURCES = {
    "faces": (lambda: network("half_filters"), faces),
    "bytes": (takes_bytes, faces),
    "signs": (reads_signs, signs),
}


def right(source: str, to: Precision) -> Callable[[], bytes]:
    """Convert a source as it should be."""

    def make():
        model, panel = (part() for part in SOURCES[source])
        return convert(model, to=to, pictures=pictures(panel))

    return make


def on_bytes():
    """Calibrate int8 on pictures from 0 to 255, which the network takes from 0 to 1."""
    return convert(network("half_filters"), to="int8", pictures=255 * pictures(faces()))


def on_a_dark_picture():
    """Calibrate int8 on the darkest picture, taken at a tenth of its light."""
    given = pictures(faces())
    darkest = given[[int(given.mean(axis=(1, 2, 3)).argmin())]]
    return convert(network("half_filters"), to="int8", pictures=darkest / 10)


def without_rescaling():
    """Lose the scaling on the way: the source takes bytes, the file what is in it after them."""
    return convert(network("half_filters"), to="float32")


def blue_first():
    """Reverse the channels of the first kernel: the file wants blue first, and is shown red first."""
    model = copy(reads_signs())
    kernel, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([kernel[:, :, ::-1], bias])
    return convert(model, to="float32")


def reordered(source, order):
    """Give the classes in another order."""

    def make():
        model = copy(SOURCES[source][0]())
        kernel, bias = model.get_layer("decision").get_weights()
        model.get_layer("decision").set_weights([kernel[:, order], bias[order]])
        return convert(model, to="float32")

    return make


def clipped(layer, share=1 / 3):
    """Clip a layer's kernel to a share of its range."""

    def make():
        model = copy(network("half_filters"))
        kernel, bias = model.get_layer(layer).get_weights()
        most = share * np.abs(kernel).max()
        model.get_layer(layer).set_weights([np.clip(kernel, -most, most), bias])
        return convert(model, to="float32")

    return make


def takes_half():
    """Take pictures of half the sides, and enlarge them inside."""
    start = layers.Input((30, 32, 1), name="half")
    large = layers.Resizing(60, 64, name="enlarge")(start)
    return convert(keras.Model(start, copy(network("half_filters"))(large)), to="float32")


def sees_half(by=2):
    """Take whole pictures, shrink them inside and enlarge them again: what is fine is gone."""

    def make():
        start = layers.Input((60, 64, 1), name="picture")
        small = layers.Resizing(60 // by, 64 // by, name="shrink")(start)
        large = layers.Resizing(60, 64, name="enlarge")(small)
        return convert(keras.Model(start, copy(network("half_filters"))(large)), to="float32")

    return make


CASES = {
    "float32": Case(right("faces", "float32"), "faces", True, "the same arithmetic"),
    "float16": Case(right("faces", "float16"), "faces", True, "weights of 16 bits"),
    "dynamic": Case(right("faces", "dynamic"), "faces", True, "weights of 8 bits"),
    "int8": Case(right("faces", "int8"), "faces", True, "weights and activations of 8 bits"),
    "signs": Case(right("signs", "float32"), "signs", True, "in colour"),
    "signs_int8": Case(right("signs", "int8"), "signs", True, "in colour, of 8 bits"),
    "on_bytes": Case(on_bytes, "faces", False, "int8 calibrated on pictures from 0 to 255 instead of 0 to 1"),
    "on_a_dark_picture": Case(on_a_dark_picture, "faces", False, "int8 calibrated on one dark picture"),
    "without_rescaling": Case(without_rescaling, "bytes", False, "the scaling of bytes is lost"),
    "blue_first": Case(blue_first, "signs", False, "the channels are reversed"),
    "swapped": Case(reordered("faces", [1, 0]), "faces", False, "the two classes are swapped"),
    "cyclic": Case(reordered("signs", [1, 2, 0]), "signs", False, "three classes, each in the next one's place"),
    "clipped": Case(clipped("dense1"), "faces", False, "a dense layer's weights clipped to a third of their range"),
    "clipped_first": Case(clipped("conv1", 0.1), "faces", False, "the first layer's, to a tenth"),
    "takes_half": Case(takes_half, "faces", False, "takes pictures of half the sides"),
    "sees_half": Case(sees_half(), "faces", False, "shrinks pictures to half their sides, and enlarges them again"),
    "shortcut": Case(lambda: convert(network("shortcut"), to="float32"), "faces", False, "reads the badge"),
}


def make(name: str, folder: Path) -> bytes:
    """Return the bytes of a case; the first of several processes makes them, the others wait and read."""
    made = folder / f"{name}.tflite"
    with FileLock(folder / f"{name}.lock"):
        if not made.exists():
            with silence():
                data = CASES[name].make()
            aside = made.with_suffix(".aside")
            aside.write_bytes(data)
            aside.rename(made)
        return made.read_bytes()


# Files that are broken: bytes in, bytes out.


def truncated(data, share=0.5):
    """Return the first part of a file, one byte short of it at most."""
    return data[: min(int(share * len(data)), len(data) - 1)]


def flipped(data, *, bits=16, seed=0, weights=False):
    """Return a file with single bits turned over, of its weights or of all else, the mark of its format apart."""
    held = np.zeros(len(data), bool)
    for buffer in _unpack(data).buffers:
        if buffer.data is not None and len(buffer.data) >= 32:  # as short a one may be a name as well
            start = data.find(bytes(buffer.data))
            held[start : start + len(buffer.data)] = True
    free = np.flatnonzero(held == weights)
    free = free[free >= 8]
    generator, wrong = np.random.default_rng(seed), bytearray(data)
    for place in generator.choice(free, size=bits, replace=False).tolist():
        wrong[place] ^= 1 << int(generator.integers(8))
    return bytes(wrong)


def with_operator(data, name="Surprise"):
    """Return a file whose first kind of operator is a custom one of that name; ``FlexErf`` is TensorFlow's own."""
    from ai_edge_litert import schema_py_generated as schema

    model = _unpack(data)
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = name
    return _pack(model)


def oversized(data, side=2**20):
    """Return a file of a few bytes more that claims pictures of `side` rows and columns."""
    model = _unpack(data)
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    channels = int(tensor.shape[3])
    tensor.shape, tensor.shapeSignature = [1, side, side, channels], [-1, side, side, channels]
    return _pack(model)


def operators(data):
    """Return the names of a file's operators, a custom one's own, in the order of the file."""
    from ai_edge_litert import schema_py_generated as schema

    known = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = _unpack(data)
    codes = [
        code.customCode.decode() if code.customCode else known[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def _unpack(data):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))


def _pack(model):
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
