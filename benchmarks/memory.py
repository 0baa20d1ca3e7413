"""Measure MobileNetV2 (96 x 96 x 3, random weights) in a child, and print its peak memory.

Run ``python benchmarks/memory.py``. The peak hangs on the batches, which size themselves, and on
the traced ascents, not on the number of steps; so a few steps are enough, and ``--steps 64`` gives
the time of a whole measurement.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from modelcheck.gate.child import measure_in_child
from modelcheck.gate.request import Request
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe


def pictures(count: int, side: int) -> Panel:
    """Return a panel of noise: two classes, four people."""
    rows = np.arange(count)
    return Panel(
        images=np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8),
        labels=rows % 2,
        subjects=np.array([f"person{row % 4}" for row in rows]),
        groups=np.array(["any"] * count),
        names=np.array([f"picture{row}" for row in rows]),
        class_names=("no", "yes"),
    )


def main() -> None:
    """Print layers, seconds and the peak."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=2)
    options.add_argument("--units", type=int, default=32, help="at most this many units of a layer")
    options.add_argument("--twins", type=int, default=1, help="untrained twins")
    options.add_argument("--side", type=int, default=96)
    given = options.parse_args()
    recipe = Recipe(steps=given.steps, units_per_layer=given.units, untrained_twins=given.twins)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        network = keras.applications.MobileNetV2((given.side, given.side, 3), weights=None, classes=2)
        network.save(folder / "mobilenet.keras")
        pictures(64, given.side).save(folder / "panel.npz")
        request = Request(network=folder / "mobilenet.keras", panel=folder / "panel.npz", recipe=recipe)
        start = time.monotonic()
        found = measure_in_child(request, folder / "signature")
        took = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{len(found.layers)} layers, {given.steps} steps, {given.twins} untrained twins: {took:.0f} s")
    print(f"peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
