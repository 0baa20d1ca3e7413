"""Flip single bits in every file that a verdict rests on, and count what was believed all the same.

Each trial takes one file of a small project, changes one bit of it, and reads it as the gate does.
It must be refused, be known as another by its digest, or hold the same pictures or the same verdict
still; anything else is printed as a fault. Trials are keyed by their number, so that one can be
repeated alone.

Run: ``python benchmarks/flips.py [trials] [first]`` from the project's folder.
"""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import gates
from modelcheck.comparison import METRICS
from modelcheck.gate.promotion import refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.judgement.criteria import read_criteria
from modelcheck.judgement.waiver_file import read_waivers
from modelcheck.modelfile import scan_model
from modelcheck.panel import Panel
from modelcheck.signature import find_approval, read_signature

ROOT = Path(__file__).parents[1]
TODAY = datetime.date(2026, 3, 10)
WAIVER = """
[[waiver]]
metric = "subject_accuracy"
about = "ben"
candidate = "{0}"
owner = "mona"
reason = "known"
created = 2026-03-01
expires = 2026-03-31
value = 0.5
"""


def panel(path: Path) -> object:
    """Return what the panel is known by."""
    return Panel.load(path).digest()


def signature(path: Path) -> object:
    """Return what the record is known by."""
    return read_signature(path.parent).digest()


def history(path: Path) -> object:
    """Return what the history says of the record beside it."""
    said = find_approval(path.parent, signature=read_signature(path.parent).digest())
    if said.state != "approved":
        raise ValueError(said.state)
    return said


def criteria(path: Path) -> object:
    """Return what the limits are known by."""
    return read_criteria(path, metrics=METRICS)[1]


def waivers(path: Path) -> object:
    """Return what the waivers are known by."""
    return read_waivers(path, metrics=METRICS)[1]


def network(path: Path) -> object:
    """Return what the network's file is known by."""
    report = scan_model(path)
    if report.refusals:
        raise ValueError(report.sentence())
    return report.sha256


def verdict(path: Path) -> object:
    """Return the verdict where it releases the file, apart from what no digest covers."""
    document = read_verdict(path)
    if why := refusal(document, path.parents[1] / "same.keras", today=TODAY):
        raise ValueError(why)
    return json.dumps({**document, "volatile": None}, sort_keys=True)


def files(project: Path) -> list[tuple[Path, Callable[[Path], object]]]:
    """Return the files to damage and how each is read, one entry a kind."""
    baseline, shipped = project / "baselines" / "mine", project / "baselines" / "shipped"
    found: list[tuple[Path, Callable[[Path], object]]] = [
        (project / "heldout.npz", panel),
        (project / "suites" / "criteria.toml", criteria),
        (project / "suites" / "waivers.toml", waivers),
        (project / "same.keras", network),
        (project / "report" / "verdict.json", verdict),
        (shipped / "HISTORY.md", history),
    ]
    members = [path for path in sorted(baseline.iterdir()) if path.is_file()]
    return found + [(path, signature) for path in members]


def main(trials: int, first: int) -> int:
    """Run the trials and print what became of them; answer 1 where damage was believed."""
    import shutil

    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "project"
        gates.build(project)
        shutil.copytree(ROOT / "baselines" / "drawn-faces", project / "baselines" / "shipped")
        (project / "suites" / "waivers.toml").write_text(WAIVER.format("a" * 64))
        gates.gate(project, "--modelcheck-waivers", _empty(project))
        targets = files(project)
        before = {path: read(path) for path, read in targets}
        became, faults = Counter[str](), list[str]()
        for trial in range(first, first + trials):
            rng = np.random.default_rng([41, trial])
            path, read = targets[int(rng.integers(len(targets)))]
            whole = path.read_bytes()
            bit = int(rng.integers(8 * len(whole)))
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(damaged)
            try:
                found = read(path)
            except ValueError:
                became[f"{path.name}: refused"] += 1
            except Exception as error:  # anything else is a traceback for the user
                faults.append(f"trial {trial}: {path.name} bit {bit}: {type(error).__name__}: {error}")
            else:
                if found == before[path]:
                    # A bit of what no digest covers: of the time of a run, or of an archive's listing.
                    harmless = path.name in ("verdict.json", "heldout.npz")
                    became[f"{path.name}: the same in all that is judged"] += harmless
                    if not harmless:
                        faults.append(f"trial {trial}: {path.name} bit {bit}: believed")
                else:
                    became[f"{path.name}: known as another"] += 1
            finally:
                path.write_bytes(whole)
    for what, count in sorted(became.items()):
        print(f"{count:6d}  {what}")
    print(f"{trials} bits flipped, {len(faults)} faults")
    for fault in faults:
        print(fault)
    return bool(faults)


def _empty(project: Path) -> Path:
    path = project / "none.toml"
    path.write_text("")
    return path


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    sys.exit(main(*(given + [2000, 0][len(given) :])))
