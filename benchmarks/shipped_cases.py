"""Whether the gate tells right conversions from wrong ones, and what it says first: the table of docs/shipped_files.md.

Run ``python benchmarks/shipped_cases.py --work cases``. Every case of `tests/conversions.py`,
some ONNX files, and a network that was trained again and then converted go through the whole gate
of `suites/`, alone and with the network that they were converted from (``--source``). The worked
example's baseline is the repository's; a network that takes bytes and one for signs in colour get
baselines of their own, uncalibrated, under the starting limits. Measurements and rows are kept in
the folder, so that a second run goes on where the first one stopped. It takes about ten minutes of
processor time, and the test extra: ``pip install -e ".[test]"``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import conversions
import exported_onnx
from modelcheck.faces.drawn import draw_pictures, training_subjects
from modelcheck.faces.export import convert
from modelcheck.faces.train import train
from modelcheck.report.reasons import main_reason

ROOT = Path(__file__).parents[1]
FIELDS = ("case", "why", "must", "source", "verdict", "exit", "breaks", "lowest", "changed", "seconds", "first")
# Limits to start from, of a baseline that nobody calibrated.
STARTER = ("criteria", "criteria_places", "criteria_subjects")
# Without triggers: they take retrained twins.
SUITES = ("test_held_out_subjects.py", "test_same_features.py", "test_same_places.py")
# What each network of tests/conversions.py is told when it is approved.
OPTIONS: dict[str, list[str]] = {"faces": [], "bytes": ["--preprocessing", "bytes"], "signs": []}

# Strangers whom the released network fails, as suites/criteria.toml has it.
STRANGERS = """
[[criterion]]
metric = "subject_accuracy"
about = "visitor_*"
optional = true
at_least = 0.45
why = "Known, and watched."
"""
# Networks that are in the repository.
COMMITTED = {"faces": "half_filters.keras", "shortcut": "shortcut.keras"}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to gate.

    Parameters
    ----------
    make : callable
        What gives its bytes.
    suffix : str
        ``.tflite`` or ``.onnx``.
    project : str
        Whose baseline it is compared with, a key of `conversions.SOURCES`.
    passes : bool
        Whether it must pass.
    why : str
        What was done to it.
    source : str
        The network that it was converted from.
    """

    make: Callable[[], bytes]
    suffix: str
    project: str
    passes: bool
    why: str
    source: str


def list_files() -> dict[str, File]:
    """Return every file of the table, by name."""
    files = {
        name: File(
            make=case.make,
            suffix=".tflite",
            project=case.source,
            passes=case.passes,
            why=case.why,
            source="shortcut" if name == "shortcut" else case.source,
        )
        for name, case in conversions.CASES.items()
    }
    told = {"suffix": ".tflite", "project": "faces", "source": "twin", "passes": True}
    files["twin_int8"] = File(make=convert_twin, why="another training, converted to 8 bits", **told)
    told |= {"suffix": ".onnx", "source": "faces"}
    files["onnx"] = File(make=partial(export, "half_filters"), why="ONNX, float32", **told)
    files["onnx_int8"] = File(make=export_int8, why="ONNX, 8 bits with QDQ nodes", **told)
    told |= {"passes": False, "source": "shortcut"}
    files["onnx_shortcut"] = File(make=partial(export, "shortcut"), why="ONNX, reads the badge", **told)
    return files


def make_twin() -> Any:
    """Return the network of half the filters, trained again as the released one was, with another seed."""
    return train("half_filters", draw_pictures(training_subjects(), repeats=2), seed=11).model


def convert_twin() -> bytes:
    """Return another training of the same network, in 8 bits."""
    return convert(make_source("twin"), to="int8", pictures=conversions.pictures(conversions.faces()))


def export(name: str) -> bytes:
    """Return a committed network as an ONNX file."""
    return exported_onnx.to_onnx(conversions.network(name))


def export_int8() -> bytes:
    """Return the network of half the filters as an ONNX file of 8 bits."""
    return exported_onnx.quantised(export("half_filters"), conversions.pictures(conversions.faces()))


@cache
def make_source(name: str) -> Any:
    """Return a network that files are converted from."""
    if name in conversions.SOURCES:
        return conversions.SOURCES[name][0]()
    return make_twin() if name == "twin" else conversions.network(name)


def write(path: Path, save: Callable[[Path], Any]) -> Path:
    """Write a file under its name when it is whole, where it is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"aside_{path.name}")
        save(aside)
        aside.rename(path)
    return path


def find_source(work: Path, name: str) -> Path:
    """Return the file of a network that files are converted from."""
    if name in COMMITTED:
        return ROOT / "networks" / COMMITTED[name]
    return write(work / "sources" / f"{name}.keras", lambda path: make_source(name).save(path))


def make_project(work: Path, name: str) -> Path:
    """Return the folder of a project: suites, limits and a baseline, which is approved where it is not there yet."""
    folder = work / name
    if not (folder / "suites").exists():
        shutil.copytree(ROOT / "suites", folder / "suites", ignore=shutil.ignore_patterns("__pycache__"))
    settings = '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n[tool.modelcheck]\n'
    if name == "faces":
        (folder / "pyproject.toml").write_text(f"{settings}baseline = '{ROOT / 'baselines' / 'drawn-faces'}'\n")
        return folder
    panel = write(work / "sources" / f"{name}.npz", conversions.SOURCES[name][1]().save)
    (folder / "pyproject.toml").write_text(f"{settings}baseline = 'baselines/mine'\npanel = '{panel}'\n")
    for path in (folder / "suites").glob("test_*.py"):
        if path.name not in SUITES:
            path.unlink()
    parts = [(ROOT / "modelcheck" / "cli" / "starter" / f"{part}.toml").read_text() for part in STARTER]
    (folder / "suites" / "criteria.toml").write_text("\n".join([*parts, STRANGERS]))
    if not (folder / "baselines" / "mine" / "manifest.json").exists():
        command = ["approve", find_source(work, name), "--panel", panel, "--to", "baselines/mine", *OPTIONS[name]]
        run("modelcheck", *command, "--reason", "the network that the files are converted from", folder=folder)
    return folder


def run(module: str, *arguments: str | Path, folder: Path, accepts: tuple[int, ...] = (0,)) -> tuple[int, float]:
    """Run a module in a project; return its exit status and the processor seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in accepts:
        told = (done.stdout + done.stderr)[-5000:]
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{told}")
    return done.returncode, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def gate(work: Path, name: str, file: File, *, source: bool) -> dict[str, Any]:
    """Return a row: what the gate says of a file, alone or beside its source."""
    folder = make_project(work, file.project)
    path = write(work / "files" / f"{name}{file.suffix}", lambda place: place.write_bytes(file.make()))
    report = folder / f"report_{name}{'_source' if source else ''}"
    shutil.rmtree(report, ignore_errors=True)
    beside = ["--source", find_source(work, file.source)] if source else []
    command = ["suites", "-q", "--candidate", path, "--modelcheck-report", report, *beside]
    status, seconds = run("pytest", *command, folder=folder, accepts=(0, 1, 4))
    document = json.loads((report / "verdict.json").read_text())
    conversion = document.get("conversion")
    layers = [row["snr"] for row in conversion["layers"]] if conversion else []
    return {
        "case": name,
        "why": file.why,
        "must": "pass" if file.passes else "not pass",
        "source": "yes" if source else "no",
        "verdict": document["verdict"],
        "exit": status,
        "breaks": conversion["breaks"] if conversion else "",
        "lowest": f"{min(layers):.0f}" if layers else "",
        "changed": conversion["changed"] if conversion else "",
        "seconds": f"{seconds:.0f}",
        "first": main_reason(document),
    }


def read_rows(table: Path) -> list[dict[str, Any]]:
    """Return the rows that are there."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Gate what was not gated yet, and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--work", type=Path, required=True, help="where files and measurements are kept")
    options.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results" / "shipped_cases.csv")
    options.add_argument("--only", default="", help="names of files, comma-separated")
    given = options.parse_args()
    work, files = given.work.absolute(), list_files()
    rows = read_rows(given.to)
    for name in given.only.split(",") if given.only else files:
        for source in (False, True):
            if any((row["case"], row["source"]) == (name, "yes" if source else "no") for row in rows):
                continue
            rows.append(gate(work, name, files[name], source=source))
            given.to.parent.mkdir(parents=True, exist_ok=True)
            with given.to.open("w", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    print_table(rows)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each file, what must pass first, and how many verdicts are other than they must be."""
    print("| what was done | alone | with `--source` | lowest layer, dB | answers changed |\n|" + "---|" * 5)
    cases = {row["case"]: row for row in rows}
    for name in sorted(cases, key=lambda name: cases[name]["must"] != "pass"):
        alone, beside = (find_row(rows, name, source) for source in ("no", "yes"))
        cells = [cases[name]["why"], *(say(row) for row in (alone, beside))]
        print(f"| {' | '.join(cells)} | {beside.get('lowest', '')} | {beside.get('changed', '')} |")
    for source in ("no", "yes"):
        judged = [row for row in rows if row["source"] == source]
        wrong = [row["case"] for row in judged if (row["verdict"] == "pass") != (row["must"] == "pass")]
        print(
            f"\n--source: {source}; {len(judged)} files, another verdict than it must be: {', '.join(wrong) or 'none'}"
        )


def find_row(rows: Sequence[Mapping[str, Any]], name: str, source: str) -> Mapping[str, Any]:
    """Return a file's row; empty for none."""
    return next((row for row in rows if (row["case"], row["source"]) == (name, source)), {})


def say(row: Mapping[str, Any]) -> str:
    """Return a verdict, and the first sentence where it is no pass."""
    if not row or row["verdict"] == "pass":
        return row["verdict"] if row else ""
    first = row["first"].split("modelcheck: ")[-1].split(". ")[0].rstrip(".").replace("|", "/")
    return f"{row['verdict']}, exit {row['exit']}: {first}."


if __name__ == "__main__":
    main()
