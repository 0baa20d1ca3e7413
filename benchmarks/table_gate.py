"""What gating a network on a table of 20 columns takes, with an empty cache: processor seconds, clock, memory.

Run ``python benchmarks/table_gate.py``. It plants a table, trains a release, three twins and a
candidate, approves and calibrates, has ``modelcheck init`` write the suites, and then runs the whole
gate, ``--repeats`` times, each in a fresh copy of the folder.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from batched_networks import as_keras, train_all

from modelcheck.faces.train import save
from modelcheck.tables import plant

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 20, 500
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def call(folder: Path, *words: str) -> None:
    """Run a command in a folder; what it says is shown only where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def prepare(folder: Path) -> None:
    """Write panel, networks, baseline and suites."""
    plant("linear", rows=ROWS, seed=0, columns=COLUMNS).rows.panel().save(folder / "heldout.npz")
    table = plant("linear", rows=2000, seed=0, columns=COLUMNS, part="training").rows
    names = ("release", "twin1", "twin2", "twin3", "candidate")
    trained = train_all("release", [table] * len(names), range(len(names)))
    for name, weights in zip(names, trained, strict=True):
        save(as_keras("release", table, weights), folder / f"{name}.keras")
    call(folder, "modelcheck", "init", "--candidate", "candidate.keras", "--panel", "heldout.npz")
    approve = ("approve", "release.keras", "--panel", "heldout.npz", "--to", "baselines/release", "--reason", "first")
    call(folder, "modelcheck", *approve)
    twins = [word for k in (1, 2, 3) for word in ("--twin", f"twin{k}.keras")]
    call(folder, "modelcheck", "calibrate", "baselines/release", *twins)
    call(folder, "modelcheck", "init")


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "first"
        first.mkdir()
        prepare(first)
        for number in range(repeats):
            folder = Path(place) / f"run{number}"
            shutil.copytree(first, folder, ignore=shutil.ignore_patterns(".modelcheck", "report"))
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            call(folder, "pytest", "suites/", "-q", "-p", "no:cacheprovider")
            took, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"{COLUMNS} columns, {ROWS} rows: {seconds:.1f} processor seconds, {took:.1f} s on the clock, at most "
                f"{used.ru_maxrss / 1024:.0f} MiB in a process",
                flush=True,
            )


if __name__ == "__main__":
    main()
