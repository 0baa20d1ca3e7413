"""Damage honest network files at random and look at them: each must be clean or refused, soon and within memory.

    python benchmarks/fuzz_model_files.py --seconds 300 --seed 1 a.tflite b.onnx

Counts the executions, what came of them, and findings: an error of another kind than a report,
or a look of more than two seconds. With `--load`, what
the scan calls clean although it was damaged is loaded and asked by its runtime in a child process;
one that is killed by a signal is a finding too (of the runtime: a network whose weights are
damaged is for the gate's criteria to find). A finding's bytes are written beside the script's
output as `finding-N`.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from modelcheck.modelfile import ScanReport, scan_bytes

EXTREMES = [0, 1, 2, 4, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]
LOAD = """
import sys
import numpy as np
for path in sys.argv[1:]:
    print(path, flush=True)
    data = open(path, "rb").read()
    try:
        if data[4:8] == b"TFL3":
            from ai_edge_litert.interpreter import Interpreter
            runtime = Interpreter(model_content=data)
            runtime.allocate_tensors()
            runtime.invoke()
        else:
            import onnxruntime
            onnxruntime.set_default_logger_severity(4)
            session = onnxruntime.InferenceSession(data)
            shapes = {each.name: [n if isinstance(n, int) else 1 for n in each.shape] for each in session.get_inputs()}
            session.run(None, {name: np.zeros(shape, "float32") for name, shape in shapes.items()})
    except Exception:
        continue
    print("answered", flush=True)
"""


def damage(data: bytes, draw: random.Random, others: Sequence[bytes]) -> bytes:
    """Return a file with one to four changes: bits, bytes, lengths, cuts, repetitions, pieces of other files."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        if not changed:
            break
        size = len(changed)
        # Half of the changes go where the graph is described: the ends of a file, mostly.
        place = draw.randrange(size) if draw.random() < 0.5 else draw.choice((draw.randrange(min(size, 4096)), -1))
        place = place if place >= 0 else size - 1 - draw.randrange(min(size, 4096))
        kind = draw.randrange(8)
        if kind == 0:
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[place] = draw.randrange(256)
        elif kind == 2:  # a length, an offset or a number of four bytes
            place &= ~3
            changed[place : place + 4] = struct.pack("<I", draw.choice(EXTREMES))
        elif kind == 3:  # one that is a little off
            place &= ~3
            if place + 4 <= size:
                (value,) = struct.unpack_from("<I", changed, place)
                struct.pack_into("<I", changed, place, (value + draw.choice((-16, -8, -4, -1, 1, 4, 8, 16))) % 2**32)
        elif kind == 4:
            del changed[place : place + draw.randrange(1, 64)]
        elif kind == 5:
            changed[place:place] = changed[place : place + draw.randrange(1, 256)]
        elif kind == 6:
            other = draw.choice(others)
            start = draw.randrange(len(other))
            piece = other[start : start + draw.randrange(1, 256)]
            changed[place : place + len(piece)] = piece
        else:
            del changed[place + draw.randrange(64) :]
    return bytes(changed)


def load(paths: Sequence[Path]) -> tuple[int, list[Path]]:
    """Load files in a child process; return how many answered, and those at which it was killed by a signal."""
    answered, crashed = 0, []
    left = list(paths)
    while left:
        command = [sys.executable, "-c", LOAD, *map(str, left)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answered += done.stdout.split().count("answered")
        if done.returncode == 0:
            break
        at = [path for path in map(Path, done.stdout.split()) if path in left][-1]
        crashed.append(at)
        left = left[left.index(at) + 1 :]
    return answered, crashed


def main() -> int:
    """Fuzz until the time is over; print what came of it; return 1 where there were findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--load", action="store_true")
    options = parser.parse_args()
    whole = [path.read_bytes() for path in options.files]
    for path, data in zip(options.files, whole, strict=True):
        if scan_bytes(data, name=path.name).refusals:
            parser.error(f"{path} is refused as it is; give honest files.")
    draw, outcomes, slowest = random.Random(options.seed), Counter[str](), 0.0
    findings: list[str] = []
    kept: list[bytes] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        data = damage(draw.choice(whole), draw, whole)
        start = time.perf_counter()
        try:
            report = scan_bytes(data, name="x")
            outcome = "clean" if not report.refusals else f"{report.format}: {report.refusals[0].rule}"
            wrong = "" if ScanReport.from_dict(report.to_dict()) == report else "the report is not read back"
        except Exception as error:  # whatever it is: that is what is looked for
            outcome, wrong = "error", repr(error)
        seconds = time.perf_counter() - start
        slowest = max(slowest, seconds)
        if wrong or seconds > 2:
            findings.append(wrong or f"{seconds:.1f} seconds")
            Path(f"finding-{len(findings)}").write_bytes(data)
        outcomes[outcome] += 1
        if outcome == "clean" and data not in whole and len(kept) < 5000:
            kept.append(data)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{outcomes.total():,} executions, {len(findings)} findings, slowest {slowest * 1000:.0f} ms, {grown:.0f} MiB"
    )
    for outcome, count in outcomes.most_common():
        print(f"  {outcome}: {count:,}")
    if options.load:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / str(index) for index in range(len(kept))]
            for path, data in zip(paths, kept, strict=True):
                path.write_bytes(data)
            loaded = [load(paths[start : start + 200]) for start in range(0, len(paths), 200)]
            crashed = [path for _, some in loaded for path in some]
            answered = sum(count for count, _ in loaded)
            print(f"of {len(kept):,} damaged and clean ones {answered:,} answer; {len(crashed)} kill their runtime")
            for path in crashed:
                findings.append("killed the runtime")
                Path(f"finding-{len(findings)}").write_bytes(path.read_bytes())
    for finding in findings[:20]:
        print(f"  finding: {finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
