"""How the time of HappyMaps grows with units, layers and pixels: seconds, and the exponent of a power law.

Run ``python benchmarks/scaling.py``. A network of random weights: convolutions of 16 filters of 3 x 3,
halved in size by each of the first three, and a dense layer of 64 units, whose maps are whole
pictures. One of the three numbers is doubled while the others stay. A call before is thrown away
where tracing is not to count. An exponent of 1 means that the time grows as the number does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np

from modelcheck.happymaps import Climbs, ascend
from modelcheck.network import Network, flatten
from modelcheck.recipe import Recipe


def make(*, pixels: int, layers: int) -> Network:
    """Return a network for grey pictures of so many pixels on a side."""
    keras.utils.set_random_seed(0)
    steps = [keras.Input((pixels, pixels, 1))]
    for number in range(layers):
        strides = 2 if number < 3 else 1
        steps.append(keras.layers.Conv2D(16, 3, strides=strides, padding="same", activation="relu"))
    steps += [keras.layers.Flatten(), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2)]
    return flatten(keras.Sequential(steps))


def time_call(call: Callable[[], object], repeats: int) -> float:
    """Return the fastest of some calls, after one that is thrown away."""
    call()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def show(name: str, numbers: list[int], seconds: list[float]) -> None:
    """Print seconds, seconds for each, and the slope of their logarithms."""
    slope = np.polyfit(np.log(numbers), np.log(seconds), 1)[0]
    rows = ", ".join(f"{n}: {s:.2f} s" for n, s in zip(numbers, seconds, strict=True))
    each = seconds[-1] / numbers[-1] / (seconds[0] / numbers[0])
    print(f"{name}: {rows}; exponent {slope:.2f}, each takes {each:.2f} times what it took at first", flush=True)


def main() -> None:
    """Print one line for each of the three."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=64)
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    recipe = Recipe(steps=given.steps, copies=4)

    network = make(pixels=64, layers=4)
    dense = network.unit_layers()[-2]
    units = [1, 2, 4, 8, 16, 32, 64]
    traced: Climbs = {}
    calls = [lambda n=n: ascend(network, dense, recipe=recipe, units=range(n), climbs=traced) for n in units]
    show("units of a dense layer, without tracing", units, [time_call(call, given.repeats) for call in calls])

    layers = [2, 4, 8, 16]
    seconds = []
    for count in layers:
        found = make(pixels=64, layers=count)
        start = time.perf_counter()
        for layer in found.unit_layers()[:count]:
            ascend(found, layer, recipe=recipe)
        seconds.append(time.perf_counter() - start)
    show("layers, all units of all convolutions, with tracing", layers, seconds)

    sides = [32, 64, 128]
    found_networks: list[tuple[Network, Climbs]] = [(make(pixels=side, layers=4), {}) for side in sides]
    seconds = [
        time_call(
            lambda n=n, c=c: ascend(n, n.unit_layers()[-2], recipe=recipe, units=range(16), climbs=c), given.repeats
        )
        for n, c in found_networks
    ]
    show("pixels of a picture, 16 units of a dense layer, without tracing", [side * side for side in sides], seconds)


if __name__ == "__main__":
    main()
