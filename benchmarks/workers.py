"""Time one worker and two, in one run: several small candidates, or one MobileNetV2 (96 x 96) split into blocks.

Run ``python benchmarks/workers.py`` and ``python benchmarks/workers.py --mobilenet``. The seconds
are those of the whole call, from the scan of the files to the signatures; the digests must agree.
``--scheduler tcp://HOST:8786`` adds a run on the workers of a Dask scheduler.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from applications import BUILD
from memory import pictures

from modelcheck.gate.child import ChildError
from modelcheck.gate.jobs import Job, measure_all
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.recipe import Recipe

ROOT = Path(__file__).parents[1]
STORY = ("half_filters", "experiment0", "shortcut")


def make_candidates(folder: Path, count: int) -> list[Path]:
    """Save so many different candidates: the story's networks, and copies whose weights are moved a little."""
    paths = []
    for number in range(count):
        name = STORY[number % len(STORY)]
        network = keras.saving.load_model(ROOT / "networks" / f"{name}.keras", compile=False)
        noise = np.random.default_rng(number)
        scale = 0.01 if number >= len(STORY) else 0.0
        network.set_weights([w + scale * noise.standard_normal(w.shape).astype(w.dtype) for w in network.get_weights()])
        paths.append(folder / f"candidate{number}.keras")
        network.save(paths[-1])
    return paths


def time_all(requests: list[Request], settings: Settings) -> tuple[float, list[str]]:
    """Measure into an empty cache; return the seconds and the digests."""
    start = time.monotonic()
    found = measure_all([Job(request=request, digests={}) for request in requests], settings=settings)
    seconds = time.monotonic() - start
    for one in found:
        if isinstance(one, ChildError):
            raise one
    return seconds, [one.signature.digest() for one in found if not isinstance(one, ChildError)]


def main() -> None:
    """Print seconds and ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--candidates", type=int, default=8)
    options.add_argument("--mobilenet", action="store_true", help="one large network instead")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options.add_argument("--twins", type=int, default=1, help="untrained twins")
    options.add_argument("--whole", action="store_true", help="first without workers, in one process")
    options.add_argument("--scheduler", help="also on the workers of a Dask scheduler")
    given = options.parse_args()
    recipe = Recipe(untrained_twins=given.twins)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if given.mobilenet:
            recipe = Recipe(
                steps=16,
                units_per_layer=4,
                copies=4,
                probe_pictures=8,
                smoothgrad_samples=8,
                untrained_twins=given.twins,
            )
            paths = [folder / "mobilenet.keras"]
            subprocess.run([sys.executable, "-c", BUILD, "MobileNetV2", "96", str(paths[0])], check=True)
            pictures(24, 96).save(folder / "panel.npz")
        else:
            paths = make_candidates(folder, given.candidates)
        panel = folder / "panel.npz" if given.mobilenet else ROOT / "baselines" / "drawn-faces" / "panel.npz"
        requests = [Request(network=path, panel=panel, recipe=recipe) for path in paths]
        runs = {f"{count} workers": Settings(workers=count) for count in given.workers}
        if given.whole:
            runs = {"no workers": Settings()} | runs
        if given.scheduler:
            runs |= {given.scheduler: Settings(scheduler=given.scheduler)}
        first: tuple[float, list[str]] | None = None
        for name, settings in runs.items():
            cache = folder / f"cache of {name.replace('/', '')}"
            seconds, digests = time_all(
                requests, Settings(cache=cache, workers=settings.workers, scheduler=settings.scheduler, memory=8)
            )
            first = first or (seconds, digests)
            same = "same digests" if digests == first[1] else "OTHER DIGESTS"
            print(f"{name:>24}: {seconds:6.1f} s, {first[0] / seconds:.2f} times the first, {same}", flush=True)


if __name__ == "__main__":
    main()
