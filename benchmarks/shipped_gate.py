"""What gating a file that ships takes: processor seconds, seconds on the clock, and the memory of the measuring child.

Run ``python benchmarks/shipped_gate.py``. It converts the worked example's smaller network to int8
and runs the whole gate on it with an empty cache, and it converts MobileNetV2 (96 x 96 x 3, width
0.35, random weights) to int8 and measures that on noise with the default recipe, in the child that
the gate starts. It takes the test extra: ``pip install -e ".[test]"``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from memory import pictures

from modelcheck.gate.child import measure_in_child
from modelcheck.gate.request import Request
from modelcheck.recipe import Recipe

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / "baselines" / "drawn-faces"


def convert_example(path: Path) -> None:
    """Write the worked example's smaller network as an int8 file."""
    command = ["export", ROOT / "networks" / "half_filters.keras", "--to", "int8", "--panel", BASELINE / "panel.npz"]
    words = [sys.executable, "-m", "modelcheck.faces", *map(str, command), "--out", str(path)]
    subprocess.run(words, check=True, capture_output=True, cwd=ROOT)


def convert_mobilenet(path: Path) -> None:
    """Write MobileNetV2 as an int8 file, calibrated on noise."""
    import keras

    from modelcheck.faces.export import convert

    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=2)
    path.write_bytes(convert(network, to="int8", pictures=pictures(64, 96).inputs((0.0, 1.0))))


def gate(path: Path, folder: Path) -> None:
    """Run the whole gate on a file of the worked example, with an empty cache."""
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n')
    command = [sys.executable, "-m", "pytest", str(ROOT / "suites"), "-q", f"--rootdir={folder}", "-c"]
    command += [str(folder / "pyproject.toml"), "--candidate", str(path), "--baseline", str(BASELINE)]
    command += ["--modelcheck-criteria", str(ROOT / "suites" / "criteria.toml")]
    command += ["--modelcheck-report", str(folder / "report")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)


def measure(path: Path, folder: Path) -> None:
    """Measure a file of MobileNetV2's size on noise, in the child."""
    pictures(224, 96).save(folder / "panel.npz")
    measure_in_child(Request(network=path, panel=folder / "panel.npz", recipe=Recipe()), folder / "signature")


def time_it(what: str, convert: Callable[[Path], None], work: Callable[[Path, Path], None]) -> None:
    """Print what a piece of work on a file takes; each runs in a process of its own, so that its peak is its own."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "phone.tflite"
        converter = multiprocessing.get_context("spawn").Process(target=convert, args=(path,))
        converter.start()
        converter.join()
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(what, work, path, Path(place)))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{what} could not be timed.")


def _run(what: str, work: Callable[[Path, Path], None], path: Path, folder: Path) -> None:
    start = time.monotonic()
    work(path, folder)
    took, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{what}, {path.stat().st_size} bytes: {used.ru_utime + used.ru_stime:.1f} processor seconds, {took:.1f} s on "
        f"the clock, at most {used.ru_maxrss / 1024:.0f} MiB in a process"
    )


def main() -> None:
    """Print a line for each."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    time_it("half_filters, int8, the whole gate", convert_example, gate)
    time_it("MobileNetV2, int8, measured", convert_mobilenet, measure)


if __name__ == "__main__":
    main()
