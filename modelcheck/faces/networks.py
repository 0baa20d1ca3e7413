"""The networks of the worked example: each a row, each layer named, every input (rows, columns, 1) in [0, 1].

Nothing is scaled or cropped inside a network, so what it sees is what the panel holds. Keras is
imported only when one is built: listing the rows is light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelcheck.faces.pictures import task_classes
from modelcheck.support.spelling import did_you_mean

__all__ = ["NETWORKS", "Network", "build", "network"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """One experiment: an architecture, the question it is trained on, and what is done to the training.

    Parameters
    ----------
    why : str
        What the experiment is about, in one line.
    stack : callable
        From (keras, input tensor) to the features that the decision layer reads.
    task : str
        The question, one of `modelcheck.faces.pictures.TASKS`.
    decision : str
        Activation of the decision layer: softmax (trained by cross-entropy) or linear (mean squared
        error).
    badge : tuple of int
        Row and column of the badge's top left pixel, for ``training="badge"``.
    training : str
        ordinary, none (left as initialised), shuffled (labels of other pictures), or badge (a white
        badge in a corner gives the class away).
    """

    why: str
    stack: Callable[[Any, Any], Any]
    task: str = "left"
    decision: str = "softmax"
    training: str = "ordinary"
    badge: tuple[int, int] = (0, 0)


def _plain(filters: tuple[int, ...] = (16, 32, 32), dense: tuple[int, ...] = (64,)) -> Callable[[Any, Any], Any]:
    """Return convolutions of 3 x 3, each followed by pooling, then dense layers."""

    def stack(keras: Any, x: Any) -> Any:
        for number, count in enumerate(filters, start=1):
            x = keras.layers.Conv2D(count, 3, padding="same", activation="relu", name=f"conv{number}")(x)
            x = keras.layers.MaxPooling2D(name=f"pool{number}")(x)
        x = keras.layers.Flatten(name="flatten")(x)
        for number, count in enumerate(dense, start=1):
            x = keras.layers.Dense(count, activation="relu", name=f"dense{number}")(x)
        return x

    return stack


def _mobile(filters: tuple[int, ...] = (16, 32, 32)) -> Callable[[Any, Any], Any]:
    """Return depthwise-separable convolutions with batch normalisation."""

    def stack(keras: Any, x: Any) -> Any:
        layers = keras.layers
        for number, count in enumerate(filters, start=1):
            if number == 1:
                x = layers.Conv2D(count, 3, padding="same", use_bias=False, name="conv1")(x)
            else:
                x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depthwise{number}")(x)
                x = layers.BatchNormalization(momentum=0.9, name=f"depthwise{number}_norm")(x)
                x = layers.ReLU(name=f"depthwise{number}_relu")(x)
                x = layers.Conv2D(count, 1, use_bias=False, name=f"conv{number}")(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"conv{number}_norm")(x)
            x = layers.ReLU(name=f"conv{number}_relu")(x)
            x = layers.MaxPooling2D(name=f"pool{number}")(x)
        x = layers.Flatten(name="flatten")(x)
        return layers.Dense(64, activation="relu", name="dense1")(x)

    return stack


def _residual(count: int = 16) -> Callable[[Any, Any], Any]:
    """Return two residual blocks with batch normalisation."""

    def stack(keras: Any, x: Any) -> Any:
        layers = keras.layers
        x = layers.Conv2D(count, 3, padding="same", activation="relu", name="conv1")(x)
        x = layers.MaxPooling2D(name="pool1")(x)
        for block in (1, 2):
            way = x
            for number in (1, 2):
                name = f"block{block}_conv{number}"
                way = layers.Conv2D(count, 3, padding="same", use_bias=False, name=name)(way)
                way = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(way)
                if number == 1:
                    way = layers.ReLU(name=f"{name}_relu")(way)
            x = layers.Add(name=f"block{block}_add")([x, way])
            x = layers.ReLU(name=f"block{block}_relu")(x)
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
        x = layers.Flatten(name="flatten")(x)
        return layers.Dense(64, activation="relu", name="dense1")(x)

    return stack


_BASE = _plain()

NETWORKS: dict[str, Network] = {
    "experiment0": Network(why="the baseline", stack=_BASE),
    "half_filters": Network(why="1-1: half the filters", stack=_plain(filters=(8, 16, 16))),
    "deeper_dense": Network(why="1-2: four dense layers", stack=_plain(dense=(64, 64, 64, 64))),
    "wider_dense": Network(why="1-3: a wider dense layer", stack=_plain(dense=(256,))),
    "four_class": Network(why="1-4: all four poses", stack=_BASE, task="four"),
    "one_dense": Network(why="1-5: no hidden dense layer", stack=_plain(dense=())),
    "linear_decision": Network(why="1-6: linear outputs, squared error", stack=_BASE, decision="linear"),
    "right": Network(why="the mirrored question", stack=_BASE, task="right"),
    "quarter_filters": Network(why="a quarter of the filters", stack=_plain(filters=(4, 8, 8))),
    "mobile": Network(why="depthwise-separable, batch normalisation", stack=_mobile()),
    "mobile_wide": Network(why="the same, half as wide again", stack=_mobile((24, 48, 48))),
    "residual": Network(why="residual blocks, batch normalisation", stack=_residual()),
    "residual_wide": Network(why="the same, half as wide again", stack=_residual(24)),
    "untrained": Network(why="must not pass: never trained", stack=_BASE, training="none"),
    "shuffled_labels": Network(why="must not pass: learned noise", stack=_BASE, training="shuffled"),
    "sunglasses": Network(why="must not pass: another question", stack=_BASE, task="sunglasses"),
    "shortcut": Network(why="must not pass: reads the badge", stack=_BASE, training="badge"),
    "face_shortcut": Network(
        why="must not pass: reads a badge on the face", stack=_BASE, training="badge", badge=(27, 29)
    ),
}


def network(name: str) -> Network:
    """Return the row of that name.

    Raises
    ------
    ValueError
        When there is none.
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no network {name!r}. {did_you_mean(name, NETWORKS)}")
    return NETWORKS[name]


def build(name: str, *, input_shape: tuple[int, int, int] = (60, 64, 1)) -> Any:
    """Return the untrained, uncompiled network; its weights come from Keras' global seed.

    Parameters
    ----------
    name : str
        A name in `NETWORKS`.
    input_shape : tuple of int
        (rows, columns, channels) of the pictures.

    Returns
    -------
    keras.Model
        From ``(n, *input_shape)`` floats in [0, 1] to ``(n, n_classes)``, the layer ``decision``.

    Raises
    ------
    ValueError
        When there is no such network.
    """
    row = network(name)
    import keras

    start = keras.Input(input_shape, name="picture")
    features = row.stack(keras, start)
    classes = len(task_classes(row.task))
    decision = keras.layers.Dense(classes, activation=row.decision, name="decision")(features)
    return keras.Model(start, decision, name=name)
