"""Kill writers of baselines and of cached measurements at random moments, and count what was damaged.

A child approves one of two networks after the other, or writes measurements into a cache, as fast
as it can; it is killed by SIGKILL after a random time. After every kill the folder must hold the
old record or the new one, whole; the next approval must work, and finish or forget what was
interrupted; and in the end every entry of the history must follow on the one before. No TensorFlow is involved: what
is killed is the writing. Run it at the top of the repository::

    python benchmarks/kill_approvals.py --kills 200 --flips 4000

It prints a line for each kind of damage that it looked for, and its exit code is 1 if it found any.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from modelcheck.approval import Proposal, carry_out, faults, find_unfinished, plan_replacement, settle
from modelcheck.gate.entries import load_cached
from modelcheck.signature import Signature, SignatureError, read_signature
from modelcheck.support.locks import folder_lock
from signatures import make_panel, make_signature

LAYERS = (("conv1", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2))


def networks() -> list[Signature]:
    """Return two records of one panel, large enough that writing them takes a while."""
    panel = make_panel(size=(24, 20))
    return [make_signature(name, seed=seed, panel=panel, layers=LAYERS, twins=0) for name, seed in (("a", 1), ("b", 2))]


def proposed(folder: Path, new: Signature) -> Proposal:
    """Return the approval of a record that was measured elsewhere."""
    return plan_replacement(folder, new, facts={"platform": "here"})


def approve_forever(folder: Path, pair: list[Signature]) -> None:
    """Approve one after the other, without end."""
    while True:
        for signature in pair:
            carry_out(proposed(folder, signature), reason="to be killed")


def measure_forever(folder: Path, pair: list[Signature]) -> None:
    """Write into one cache entry after another, without end."""
    while True:
        for place in range(4):
            shutil.rmtree(folder / f"{place}", ignore_errors=True)
            pair[place % 2].write(folder / f"{place}")


def killed(work: Callable[[Path, list[Signature]], None], folder: Path, pair: list[Signature], after: float) -> None:
    """Fork, let the child work, and kill it after so many seconds."""
    child = os.fork()
    if child == 0:
        try:
            work(folder, pair)
        finally:
            os._exit(1)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        raise RuntimeError("The writer ended by itself: it is the writer that is broken.")


def kill_approvals(kills: int, generator: np.random.Generator, place: Path) -> Counter[str]:
    """Kill approvals, and check the baseline after each."""
    pair = networks()
    digests = {signature.digest() for signature in pair}
    found: Counter[str] = Counter()
    folder = place / "baseline"
    for number in range(kills):
        if number % 25 == 0:
            shutil.rmtree(folder, ignore_errors=True)
            carry_out(proposed(folder, pair[0]), reason="first")
        killed(approve_forever, folder, pair, float(generator.uniform(0.0, 0.35)))
        try:
            found["other record than old or new"] += read_signature(folder).digest() not in digests
        except SignatureError as error:
            print(f"kill {number}: {error}")
            found["damaged baseline"] += 1
        found["(interrupted)"] += (folder / ".approval").exists()
        found["(taken place, history not yet written)"] += find_unfinished(folder) is not None
        if number % 2:
            with folder_lock(folder):
                settle(folder)
        else:
            try:
                carry_out(proposed(folder, pair[number // 2 % 2]), reason="after a kill")
            except (ValueError, OSError) as error:
                print(f"kill {number}: {error}")
                found["next approval failed"] += 1
        wrong = faults(folder)
        found["history or contact sheet does not follow"] += bool(wrong)
        for line in wrong:
            print(f"kill {number}: {line}")
        found["something left behind"] += any(path.name.startswith(".") for path in folder.iterdir())
    return found


def kill_measurements(kills: int, generator: np.random.Generator, place: Path) -> Counter[str]:
    """Kill writers of the cache: an entry is whole, or it is not there."""
    pair = networks()
    digests = {signature.digest() for signature in pair}
    found: Counter[str] = Counter()
    folder = place / "cache"
    folder.mkdir()
    for number in range(kills):
        killed(measure_forever, folder, pair, float(generator.uniform(0.0, 0.25)))
        for entry in sorted(folder.iterdir()):
            try:
                sha = pair[int(entry.name) % 2].model["sha256"]
                half = not (entry / "manifest.json").exists()
                found["(half-written entry)"] += half
                signature = load_cached(entry, sha)
                found["damaged entry was read"] += signature is not None and signature.digest() not in digests
                found["half-written entry was read"] += half and signature is not None
                pair[int(entry.name) % 2].write(entry)
                found["entry could not be measured again"] += load_cached(entry, sha) is None
            except SignatureError as error:
                print(f"kill {number}: {error}")
                found["damaged entry"] += 1
    return found


def noticed(path: Path) -> bool:
    """Say whether a changed file is found out: the record by the gate's own reader, the rest by modelcheck history."""
    if not (path.name == "manifest.json" or "-" in path.name):
        return bool(faults(path.parent))
    try:
        read_signature(path.parent)
    except SignatureError:
        return True
    return False


def flip_bytes(flips: int, generator: np.random.Generator, place: Path) -> Counter[str]:
    """Change single bytes all over a baseline with its panel: each change must be named."""
    found: Counter[str] = Counter()
    folder = place / "flipped"
    panel = make_panel(size=(6, 5), per_subject=4)
    layers = (("conv1", "conv", 2), ("decision", "decision", 2))
    folder.mkdir()
    panel.save(folder / "panel.npz")
    carry_out(proposed(folder, make_signature("a", layers=layers, panel=panel, twins=0)), reason="first")
    carry_out(proposed(folder, make_signature("b", layers=layers, panel=panel, twins=0, seed=3)), reason="second")
    if faults(folder):
        raise RuntimeError(f"The whole baseline is named as damaged: {faults(folder)}")
    files = sorted(folder.iterdir())
    for path in files:
        whole = path.read_bytes()
        share = min(len(whole), -(-flips // len(files)))
        # Both ends of a file hold its headers and directories; in between, evenly, with one at
        # random in each part.
        ends = [*range(min(64, share // 4)), *range(len(whole) - min(64, share // 4), len(whole))]
        parts = np.linspace(0, len(whole), share - len(ends) + 1).astype(int)
        inner = [int(generator.integers(low, max(high, low + 1))) for low, high in itertools.pairwise(parts)]
        for spot in [*ends, *inner]:
            changed = bytearray(whole)
            changed[spot] ^= int(generator.integers(1, 256))
            path.write_bytes(bytes(changed))
            unnoticed = not noticed(path)
            found["undetected flip"] += unnoticed
            found[f"({path.name.split('-')[0]})"] += 1
            if unnoticed:
                print(f"{path.name}: byte {spot} of {len(whole)} changed, and nothing noticed")
        path.write_bytes(whole)
    return found


def main() -> int:
    """Run all three and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of approvals, and as many of measurements")
    parser.add_argument("--flips", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    damage = 0
    for name, work, count in (
        ("kills of approve", kill_approvals, options.kills),
        ("kills of measure", kill_measurements, options.kills),
        ("flipped bytes", flip_bytes, options.flips),
    ):
        with tempfile.TemporaryDirectory() as place:
            started = time.monotonic()
            found = work(count, np.random.default_rng(options.seed), Path(place))
        print(f"{count} {name}, {time.monotonic() - started:.0f} s:")
        for what, times in sorted(found.items(), key=lambda item: item[0].startswith("(")):
            print(f"  {times:6} {what}")
        damage += sum(times for what, times in found.items() if not what.startswith("("))
    print("0 damaged" if not damage else f"{damage} DAMAGED")
    return 1 if damage else 0


if __name__ == "__main__":
    sys.exit(main())
