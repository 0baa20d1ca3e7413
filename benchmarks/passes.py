"""Time rendering against the bare passes that it cannot do without, layer by layer.

Run ``python benchmarks/passes.py networks/experiment0.keras``. Bare is the forward and backward
pass of the network truncated at the layer, on whole pictures, as many as rendering takes, in one
traced loop, at the batch size that is best of several; no picture is moved. Both take turns, the
fastest of the repeats counts, and from each the time of a loop of a quarter of the steps is taken
off, so that tracing and the way in and out do not count.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from modelcheck.happymaps import Climbs, ascend
from modelcheck.network import Network, UnitLayer, flatten
from modelcheck.recipe import Recipe

BATCHES = (8, 16, 32, 64)


def bare(network: Network, layer: UnitLayer, batch: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return so many forward and backward passes of a batch, traced."""
    shape = (batch, *network.input_shape)

    def slope(pictures: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pictures)
            answers = network.evaluate(pictures, [layer.read])[0]
        return tape.gradient(answers, pictures)

    def loop(passes: tf.Tensor) -> tf.Tensor:
        start = tf.fill(shape, 0.5)
        # The next pass waits for this one's slope, and is not moved by it.
        return tf.while_loop(
            lambda done, pictures: done < passes,
            lambda done, pictures: (done + 1, tf.ensure_shape(pictures + 0.0 * slope(pictures), shape)),
            (tf.constant(0), start),
            parallel_iterations=1,
        )[1]

    return tf.function(loop, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32))


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return how long a call takes."""
    start = clock()
    call()
    return clock() - start


def main() -> None:
    """Print one row per layer."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("network", type=Path)
    options.add_argument("--steps", type=int, default=64)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--units", type=int, default=64, help="at most this many units of a layer")
    options.add_argument("--clock", default="wall", choices=("wall", "processor"))
    given = options.parse_args()
    clock = time.process_time if given.clock == "processor" else time.perf_counter
    network = flatten(keras.models.load_model(given.network))
    plain = Recipe(copies=1, shift=0.0, jitter=0.0, blur=0.0, units_per_layer=given.units, steps=given.steps)
    short, climbs = replace(plain, steps=given.steps // 4), Climbs()
    print("layer     units  rendering s  bare s (batch)   ratio")
    for layer in network.unit_layers():
        units = len(ascend(network, layer, recipe=plain, climbs=climbs).units)
        ascend(network, layer, recipe=short, climbs=climbs)
        loops = {batch: bare(network, layer, batch) for batch in BATCHES}
        ours, theirs = [], dict.fromkeys(BATCHES, math.inf)
        for _ in range(given.repeats):
            long, quick = (
                seconds(partial(ascend, network, layer, recipe=recipe, climbs=climbs), clock)
                for recipe in (plain, short)
            )
            ours.append(long - quick)
            for batch, loop in loops.items():
                passes = max(1, round(units * (given.steps - given.steps // 4) / batch))
                theirs[batch] = min(theirs[batch], seconds(partial(loop, tf.constant(passes)), clock))
        best = min(theirs, key=lambda batch: theirs[batch])
        print(
            f"{layer.name:10s}{units:5d}{min(ours):13.3f}{theirs[best]:9.3f} ({best}){min(ours) / theirs[best]:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
