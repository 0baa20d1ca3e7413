"""Scan and measure every network of ``keras.applications`` (random weights, statistics of noise, two classes).

Run ``python benchmarks/applications.py --to benchmarks/results/applications.csv``. Networks that the
table holds already are left out, so that an interrupted run goes on where it stopped; the smallest
come first. The recipe is the lightest: it shows that a network can be measured and what that takes
beside rendering, which grows with steps, copies and units. Seconds are of the processor, so that a
busy machine changes them little.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck import Panel, Recipe
from modelcheck.gate.child import ChildError, measure_in_child
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.modelfile import scan_model

# By size of the pictures; the smallest that Keras takes, so that the layers count and not the pixels.
_SMALL = """
MobileNet MobileNetV2 MobileNetV3Small MobileNetV3Large EfficientNetB0 EfficientNetV2B0 ResNet50 ResNet50V2
VGG16 VGG19 NASNetMobile EfficientNetB1 EfficientNetV2B1 EfficientNetB2 EfficientNetV2B2 ConvNeXtTiny
DenseNet121 EfficientNetV2B3 EfficientNetB3 ResNet101 ResNet101V2 DenseNet169 ConvNeXtSmall EfficientNetV2S
EfficientNetB4 ResNet152 ResNet152V2 DenseNet201 EfficientNetB5 ConvNeXtBase EfficientNetB6 EfficientNetV2M
EfficientNetB7 NASNetLarge EfficientNetV2L ConvNeXtLarge ConvNeXtXLarge
"""
SIDES = {32: tuple(_SMALL.split()), 75: ("Xception", "InceptionV3", "InceptionResNetV2")}
LIGHT = Recipe(
    steps=2,
    copies=1,
    units_per_layer=1,
    probe_pictures=8,
    attribution_methods=(),
    untrained_twins=0,
    sticker_faces=0,
    exchange_pictures=0,
    mosaics=0,
)
# Without statistics of its own a deep network of random weights answers all pictures alike.
BUILD = """
import sys, keras, numpy as np
name, side, path = sys.argv[1:]
keras.utils.set_random_seed(0)
network = getattr(keras.applications, name)(input_shape=(int(side), int(side), 3), weights=None, classes=2)
norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
before = [norm.momentum for norm in norms]
for norm in norms:
    norm.momentum = 0.1
network(np.random.default_rng(1).random((32, int(side), int(side), 3), np.float32), training=True)
for norm, momentum in zip(norms, before):
    norm.momentum = momentum
network.save(path)
"""
# Looked at alone: the file is scanned, flattened, and its steps must answer noise as Keras does.
LOOK = """
import sys, numpy as np
from modelcheck.network import check_agreement, flatten
from modelcheck.network.loading import load_network
network = flatten(load_network(sys.argv[1])[0])
check_agreement(network, np.random.default_rng(0).random((4, *network.input_shape), np.float32))
print(len(network.unit_layers()), network.model.count_params())
"""
FIELDS = ("network", "side", "parameters", "layers", "scan", "measured_layers", "processor_seconds", "peak_gib", "told")


def make_panel(side: int, count: int = 16) -> Panel:
    """Return a panel of noise: two classes, four people."""
    rows = np.arange(count)
    return Panel(
        np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8),
        rows % 2,
        class_names=("no", "yes"),
        subjects=np.array([f"person{row // 2 % 4}" for row in rows]),
        groups=np.array(["any"] * count),
        names=np.array([f"picture{row}" for row in rows]),
    )


def measure(name: str, side: int, folder: Path, *, timeout: float, look: bool) -> dict[str, Any]:
    """Build and scan one network, and measure it or look at its steps alone; return its row."""
    path = folder / f"{name}.keras"
    subprocess.run([sys.executable, "-c", BUILD, name, str(side), str(path)], check=True, capture_output=True)
    report = scan_model(path)
    row = {"network": name, "side": side, "layers": len(report.layers), "scan": "clean"}
    if report.refusals:
        return row | {"scan": "refused", "told": str(report.refusals[0])}
    if look:
        return row | _look(path, timeout=timeout)
    make_panel(side).save(folder / "panel.npz")
    request = Request(network=path, panel=folder / "panel.npz", recipe=LIGHT, twins=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        found = measure_in_child(request, folder / "signature", settings=Settings(timeout=timeout, memory=12))
    except ChildError as error:
        return row | {"told": " ".join(str(error).split())[:300]}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return row | {
        "parameters": found.model["parameters"],
        "measured_layers": len(found.layers),
        "processor_seconds": round(seconds),
        "peak_gib": round(after.ru_maxrss / 2**20, 2),
    }


def _look(path: Path, *, timeout: float) -> dict[str, Any]:
    """Return how many layers have units, where the network's steps answer as Keras does; else why not."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", LOOK, str(path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        return {"told": (ended.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]}
    layers, parameters = ended.stdout.split()[-2:]
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    facts = {"measured_layers": int(layers), "parameters": int(parameters)}
    return {**facts, "processor_seconds": round(seconds), "peak_gib": round(after.ru_maxrss / 2**20, 2)}


def main() -> None:
    """Append one row for each network that the table lacks."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--to", type=Path, required=True, help="the table (.csv); rows are added to it")
    options.add_argument("--only", nargs="*", help="these networks alone")
    options.add_argument("--timeout", type=float, default=1800, help="seconds for each network")
    options.add_argument(
        "--look", action="store_true", help="scan, and hold the steps against Keras, without measuring"
    )
    options.add_argument("--one", help=argparse.SUPPRESS)
    given = options.parse_args()
    sides = {name: side for side, names in SIDES.items() for name in names}
    if given.one:
        with tempfile.TemporaryDirectory() as place:
            row = measure(given.one, sides[given.one], Path(place), timeout=given.timeout, look=given.look)
        with given.to.open("a", newline="", encoding="utf-8") as table:
            csv.DictWriter(table, FIELDS, lineterminator="\n").writerow(row)
        return
    given.to.parent.mkdir(parents=True, exist_ok=True)
    if not given.to.exists():
        given.to.write_text(",".join(FIELDS) + "\n", encoding="utf-8")
    with given.to.open(newline="", encoding="utf-8") as table:
        done = {row["network"] for row in csv.DictReader(table)}
    for name in (name for name in given.only or sides if name not in done):
        # A process for each: the peak of a process' children is that of the largest it ever had.
        command = [sys.executable, __file__, "--to", str(given.to), "--timeout", str(given.timeout), "--one", name]
        command += ["--look"] if given.look else []
        ended = subprocess.run(command, check=False)
        print(f"{name}: {'done' if ended.returncode == 0 else f'ended with {ended.returncode}'}", flush=True)


if __name__ == "__main__":
    main()
