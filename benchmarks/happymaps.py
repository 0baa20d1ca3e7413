r"""Time HappyMaps against Xplique and tf-keras-vis: all units of all layers, the same objective and steps.

Run it in an environment that has the peers beside this package, installed without their pins::

    pip install --no-deps xplique==2.0.2 tf-keras-vis==0.8.7 deprecated einops
    opencv-python-headless \
        scikit-learn joblib threadpoolctl cloudpickle narwhals matplotlib
    python benchmarks/happymaps.py networks/experiment0.keras --repeats 3
    python benchmarks/happymaps.py mobilenet --units 32 --every 8 --steps 64 --repeats 1
    python benchmarks/happymaps.py resnet --units 4 --every 18 --steps 16 --repeats 1

Every layer's pre-activations are maximised: a convolution's unit in the middle of its map, a dense
layer's and the decision's units as they are (or another objective, see ``--decision`` and
``--convolutions``). All units of a layer go in one call, and all sides climb plainly: no
transformations, no regularisers, no copies, the peers in pixels with Adam at 0.05. What each side
reaches is read off the network on the maps it returns; a patch of ours on patches.

Two times per side, the fastest of the repeats, taken in turns: a whole call, tracing counted, and
the steps alone, from calls with the given number of steps and with a quarter of it.
``--clock processor`` counts processor seconds of all threads, which other programs on the machine
disturb less than the time on the wall. ``reached`` is the share of units that are at least as happy
on our map as on the peer's, and ``fewest`` our smallest number of steps (of 1, 1/2, 1/4, ... of the
given one) at which their mean is at least the peer's; the last two ratios compare that call, and
its steps alone, with the peer's.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from modelcheck.happymaps import OBJECTIVES, ascend, choose_units
from modelcheck.network import Network, UnitLayer, flatten
from modelcheck.network.receptive import receptive_field
from modelcheck.recipe import Recipe

RATE = 0.05
Call = Callable[[int], np.ndarray]  # from a number of steps to maps


def mobilenet() -> keras.Model:
    """Return MobileNetV2 for 96 x 96 colour pictures, with random weights."""
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10, classifier_activation=None)


def resnet() -> keras.Model:
    """Return ResNet50 for 224 x 224 colour pictures, with random weights."""
    keras.utils.set_random_seed(0)
    return keras.applications.ResNet50(input_shape=(224, 224, 3), weights=None, classes=10, classifier_activation=None)


BUILT = {"mobilenet": mobilenet, "resnet": resnet}


def exposed(model: keras.Model) -> keras.Model:
    """Return a network of the same weights whose layers end before their activations, so that peers can read them."""
    fused = [layer for layer in model.layers if getattr(layer, "kernel", None) is not None]
    if all(layer.activation is keras.activations.linear for layer in fused if hasattr(layer, "activation")):
        return model
    entry = keras.Input(model.input_shape[1:])
    value = entry
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        settings = layer.get_config()
        activation = settings.get("activation")
        if layer.weights and activation not in (None, "linear"):
            value = type(layer).from_config({**settings, "activation": "linear"})(value)
            if layer is not model.layers[-1]:
                value = keras.layers.Activation(activation, name=f"{layer.name}_activation")(value)
        else:
            value = type(layer).from_config(settings)(value)
    found = keras.Model(entry, value)
    found.set_weights(model.get_weights())
    return found


def middle(layer: UnitLayer, network: Network) -> int:
    """Return the position of a layer's first unit that is read, counted over its flattened output."""
    shape = network.steps[layer.read].shape
    return 0 if len(shape) == 1 else ((shape[0] // 2) * shape[1] + shape[1] // 2) * shape[2]


def ours(network: Network, layer: UnitLayer, objective: str, units: int) -> Call:
    """Return our call: plain ascent."""
    plain = Recipe(copies=1, shift=0.0, jitter=0.0, blur=0.0, pull=0.0, units_per_layer=units)

    def call(steps: int) -> np.ndarray:
        return ascend(network, layer, recipe=replace(plain, steps=steps), objective=objective).maps

    return call


def xplique(model: keras.Model, layer: str, places: list[int]) -> Call:
    """Return Xplique's call, in pixels and without transformations."""
    from xplique.features_visualizations import Objective, optimize

    def call(steps: int) -> np.ndarray:
        objective = Objective.neuron(model, layer, places)
        maps, _ = optimize(
            objective, tf.keras.optimizers.Adam(RATE), nb_steps=steps, use_fft=False, custom_shape=None,
            transformations=None, values_range=(0, 1),
        )  # fmt: skip
        return np.asarray(maps[-1])

    return call


def tf_keras_vis(model: keras.Model, layer: str, places: list[int]) -> Call:
    """Return tf-keras-vis' call, without modifiers and regularisers."""
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.utils.model_modifiers import ExtractIntermediateLayer

    climber = ActivationMaximization(model, model_modifier=ExtractIntermediateLayer(layer), clone=True)
    grey = np.full((len(places), *model.input_shape[1:]), 0.5, np.float32)
    rows = np.arange(len(places))

    def score(output: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(output, (len(places), -1))
        return tf.gather_nd(flat, np.stack([rows, places], 1))

    def call(steps: int) -> np.ndarray:
        maps = climber(
            score, seed_input=grey, input_range=(0.0, 1.0), input_modifiers=[], regularizers=[], steps=steps,
            optimizer=tf.keras.optimizers.Adam(RATE),
        )  # fmt: skip
        return np.asarray(maps)

    return call


def seconds(call: Call, steps: int, clock: Callable[[], float]) -> tuple[float, np.ndarray]:
    """Return how long a call takes, and its maps."""
    start = clock()
    maps = call(steps)
    return clock() - start, maps


def both_times(
    calls: dict[str, Call], steps: int, repeats: int, clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, float], dict[str, np.ndarray]]:
    """Return each call's fastest time, its steps' alone, and its maps; the calls take turns."""
    whole, short, maps = {}, {}, {}
    for _ in range(repeats):
        for name, call in calls.items():
            took, maps[name] = seconds(call, steps, clock)
            whole[name] = min(took, whole.get(name, math.inf))
            short[name] = min(seconds(call, steps // 4, clock)[0], short.get(name, math.inf))
    alone = {name: max(whole[name] - short[name], 1e-3) * steps / (steps - steps // 4) for name in calls}
    return whole, alone, maps


def happiness(network: Network, layer: UnitLayer, objective: str, maps: np.ndarray) -> np.ndarray:
    """Return each unit's objective on its map, from whole pictures or from patches of ours put into grey ones."""
    field = receptive_field(network, layer.read)
    if field is not None and maps.shape[1:3] == field.size:
        return np.diag(field.evaluate(network, tf.constant(maps), layer.read))
    output = network.evaluate(tf.constant(maps, tf.float32), [layer.read])[0]
    return np.diag(OBJECTIVES[objective].value(network, output))


def prepared() -> None:
    """Let Xplique be imported where TensorFlow Probability, which this benchmark does not need, is missing."""
    if importlib.util.find_spec("tensorflow_probability") is None:
        sys.modules.setdefault("tensorflow_probability", mock.MagicMock(spec=types.ModuleType("probability")))


def main() -> None:
    """Print one row per layer and peer, and the geometric means."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("network", help="a .keras file, mobilenet or resnet")
    options.add_argument("--steps", type=int, default=256)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--units", type=int, default=64, help="at most this many units of a layer")
    options.add_argument("--every", type=int, default=1, help="only every n-th layer, and the last")
    options.add_argument("--clock", default="wall", choices=("wall", "processor"))
    options.add_argument("--decision", default="logit", choices=("logit", "margin", "probability"))
    options.add_argument("--convolutions", default="channel", choices=("channel", "neuron", "channel_mean"))
    given = options.parse_args()
    clock = time.process_time if given.clock == "processor" else time.perf_counter
    prepared()
    model = BUILT[given.network]() if given.network in BUILT else keras.models.load_model(Path(given.network))
    network, shown = flatten(model), exposed(model)
    # A call that is thrown away: the first row would pay for TensorFlow's start.
    ours(network, network.unit_layers()[0], "channel_mean", 1)(1)
    print(f"{'layer':24s}units  peer           ours s  theirs s   ratio  steps alone", end="")
    print("  reached  fewest   ratio at fewest  steps alone")
    ratios: dict[str, list[tuple[float, ...]]] = {}
    layers = network.unit_layers()
    for layer in (*layers[: -1 : given.every], layers[-1]):
        objective = {"conv": given.convolutions, "decision": given.decision}.get(layer.kind, "neuron")
        mine = ours(network, layer, objective, given.units)
        chosen = (
            range(network.n_classes)
            if layer.kind == "decision"
            else choose_units(layer, Recipe(units_per_layer=given.units))
        )
        places = [middle(layer, network) + int(unit) for unit in chosen]
        made: dict[str, Callable[..., Call]] = {"Xplique": xplique, "tf-keras-vis": tf_keras_vis}
        for name, make in made.items():
            calls = {"ours": mine, name: make(shown, network.steps[layer.read].name, places)}
            whole, alone, maps = both_times(calls, given.steps, given.repeats, clock)
            happy, theirs = (happiness(network, layer, objective, maps[side]) for side in calls)
            few, fewest = whole["ours"], given.steps
            while fewest > 1:
                took, found_maps = min(
                    (seconds(mine, fewest // 2, clock) for _ in range(given.repeats)), key=lambda x: x[0]
                )
                if not happiness(network, layer, objective, found_maps).mean() >= theirs.mean():  # NaN reaches nothing
                    break
                few, fewest = took, fewest // 2
            found = (
                whole[name] / whole["ours"],
                alone[name] / alone["ours"],
                whole[name] / few,
                alone[name] / alone["ours"] * given.steps / fewest,
            )
            ratios.setdefault(name, []).append(found)
            print(
                f"{layer.name[:24]:24s}{len(places):5d}  {name:13s}{whole['ours']:8.3f}{whole[name]:10.2f}"
                f"{found[0]:8.1f}{found[1]:13.1f}{np.mean(happy >= theirs):9.2f}"
                f"{fewest:8d}{found[2]:18.1f}{found[3]:13.1f}"
                f"   mean {happy.mean():.2f} against {theirs.mean():.2f}",
                flush=True,
            )
    for name, rows in ratios.items():
        means = [math.exp(np.mean(np.log(column))) for column in zip(*rows, strict=True)]
        says = f"{means[0]:.1f} whole, {means[1]:.1f} steps alone"
        print(f"geometric mean, {name}: {says}; at fewest {means[2]:.1f} whole, {means[3]:.1f} steps alone")


if __name__ == "__main__":
    main()
