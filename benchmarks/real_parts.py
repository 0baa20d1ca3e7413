"""Where the seconds of one measurement of a real network go, part by part, beside what a plan says of each.

Run ``python benchmarks/real_parts.py MobileNetV2 --side 96 --minutes 4``. The network is that of
``benchmarks/real_gate.py``; the recipe is what `modelcheck plan` proposes for so many minutes. With
``--light`` it is one that versions before the plan have as well: 4 units of every layer, 16 steps, 4
copies, one untrained twin, no stickers. It then prints the seconds alone, and needs nothing newer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from real_gate import draw, fit

from modelcheck.measurement import measure
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe

LIGHT = Recipe(
    steps=16,
    copies=4,
    units_per_layer=4,
    untrained_twins=1,
    probe_pictures=48,
    attribution_methods=("smoothgrad",),
    smoothgrad_samples=4,
    sticker_faces=0,  # the versions before refuse this network on one stamped picture of hundreds
    exchange_pictures=12,
    mosaics=50,
)


def plan_parts(path: Path, panel: Panel, minutes: float) -> tuple[Recipe, Mapping[str, float]]:
    """Return the recipe that a plan proposes, and the seconds that it says each part takes."""
    from modelcheck.interface import Interface
    from modelcheck.planning.estimate import plan_gate

    plan = plan_gate(path, panel, Recipe(), minutes=minutes, interface=Interface())
    return plan.recipe, plan.proposed.parts


def time_parts(run: Callable[[Callable[[str, float], None]], Any]) -> Counter[str]:
    """Return the seconds that pass between the lines of progress of a run, by part, twins' added to the network's."""
    seconds: Counter[str] = Counter()
    now: list[Any] = ["loading and checking", time.monotonic()]

    def tell(part: str, _share: float) -> None:
        seconds[now[0]] += time.monotonic() - now[1]
        now[:] = [part.rpartition(": ")[2], time.monotonic()]

    run(tell)
    tell("", 1.0)
    return seconds


def main() -> None:
    """Measure one network, and print a line for each part."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("name")
    options.add_argument("--side", type=int, default=96)
    options.add_argument("--minutes", type=float, default=4)
    options.add_argument("--light", action="store_true")
    given = options.parse_args()
    held = draw(given.side)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        fit(given.name, given.side).save(path)
        recipe, planned = (LIGHT, {}) if given.light else plan_parts(path, held, given.minutes)
        begun = time.monotonic()
        seconds = time_parts(lambda tell: measure(path, held, recipe, progress=tell))
        took = time.monotonic() - begun
    for part in sorted({*seconds, *planned}, key=lambda part: -max(seconds[part], planned.get(part, 0.0))):
        beside = f" {planned.get(part, 0.0):8.1f} planned" if planned else ""
        print(f"{part:<42} {seconds[part]:8.1f} s{beside}")
    print(f"{'together':<42} {took:8.1f} s" + (f" {sum(planned.values()):8.1f} planned" if planned else ""))


if __name__ == "__main__":
    main()
