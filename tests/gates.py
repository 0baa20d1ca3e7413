"""A small project whose gate runs real pytest without TensorFlow: invented signatures, and a cache that holds them.

Each run is a process of its own, forked from a server that has numpy and its like already loaded,
so that a row of the fail-closed table costs a fraction of a second instead of several.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

from modelcheck.signature import SignatureError, read_signature
from signatures import make_panel, make_signature, show

ROOT = Path(__file__).parents[1]
CRITERIA = """
[[criterion]]
metric = "mapped_units"
at_least = 0.5
why = "dead layers cannot be compared"

[[criterion]]
metric = "transfer"
at_least = 0.5
why = "the same decision"

[[criterion]]
metric = "subject_accuracy"
at_least = 0.75
why = "nobody is left behind"

[[criterion]]
metric = "place_distance"
at_most = 3
why = "it decides by the same parts"

[[criterion]]
metric = "class_accuracy"
at_least = 0.25
why = "no class is lost"

[[criterion]]
metric = "answers"
at_least = 2
why = "it answers"

[[criterion]]
metric = "accuracy_change"
at_least = -0.2
why = "not worse"

[[criterion]]
metric = "randomisation"
at_most = 0.9
why = "maps depend on the weights"

[[criterion]]
metric = "mass_over_area"
at_least = 0.5
why = "it looks at the face"

# Invented networks have no stickers, and their baseline has too few twins: nothing to search for triggers with.
[[criterion]]
metric = "trigger"
at_most = 1
advisory = true
why = "no sticker moves it"

[[criterion]]
metric = "reach"
at_most = 1
advisory = true
why = "no class is driven further"
"""
_ENVIRONMENT = ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_TESTRUNUID")


@dataclass(frozen=True)
class Done:
    """A finished run."""

    returncode: int
    stdout: str


def build(folder, **options):
    """Write a project: panel, baseline, two candidates of which the first passes, suites, and a warm cache."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "suites", folder / "suites", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "suites" / "criteria.toml").write_text(CRITERIA)
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider -p no:hypothesispytest"\n'
        '[tool.modelcheck]\ncandidate = "same.keras"\nbaseline = "baselines/mine"\npanel = "heldout.npz"\n'
    )
    for name, network in (("same.keras", "half_filters.keras"), ("other.keras", "shortcut.keras")):
        shutil.copy(ROOT / "networks" / network, folder / name)
    panel = options.pop("panel", None) or make_panel(subjects=("ada", "ben"))
    panel.save(folder / "heldout.npz")
    approve(folder, panel=panel, **options)
    measured(folder, "same.keras", panel=panel, learned=0.95, seed=3)
    measured(folder, "other.keras", panel=panel, learned=0.9, seed=4, accuracy={"ben": 0.5})


def approve(folder, **options):
    """Put an invented network in the baseline's place."""
    make_signature("release", **options).write(folder / "baselines" / "mine")


def measured(folder, file, *, change=None, baseline_model=None, **options):
    """Put an invented measurement of a candidate's file into the cache, as the gate itself would name it."""
    made = as_measured_of(folder / file, make_signature(Path(file).stem, **options))
    with contextlib.suppress(SignatureError):  # a damaged baseline is for the gate itself to find
        made = show(made, read_signature(folder / "baselines" / "mine"))
    keep(folder, file, change(made) if change else made, baseline_model=baseline_model)


def as_measured_of(path, made):
    """Return an invented signature as if it were that of a network's file."""
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    return dataclasses.replace(made, model={**made.model, "file": path.name, "sha256": sha})


def keep(folder, file, made, *, baseline_model=None):
    """Put a signature of a candidate's file into the cache, as the gate itself would name it."""
    from modelcheck.gate import child, evidence
    from modelcheck.gate.settings import Settings

    def write(request, target, **_):
        made.write(target)
        return made

    settings = Settings(
        candidate=folder / file,
        baseline=folder / "baselines" / "mine",
        baseline_model=baseline_model,
        panel=folder / "heldout.npz",
        criteria=folder / "suites" / "criteria.toml",
        cache=folder / ".modelcheck",
    )
    with mock.patch.object(child, "measure_in_child", write), contextlib.suppress(ValueError, KeyError):
        evidence.gather(settings)  # what does not fit together is for the gate itself to say


def run(folder, *arguments, environment=None, seconds=120):
    """Run pytest in the project, in a process of its own, which is ended after so many seconds."""
    log = folder / ".log"
    process = _server().Process(target=_pytest, args=(str(folder), [*map(str, arguments)], str(log), environment or {}))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join(seconds)
    return Done(process.exitcode, log.read_text(errors="replace"))


def gate(folder, *arguments, environment=None, seconds=120):
    """Run the suites of a project; return the process and the verdict, None where none was written."""
    import jsonschema

    done = run(folder, "suites/", "-q", *arguments, environment=environment, seconds=seconds)
    path = folder / "report" / "verdict.json"
    if not path.exists():
        return done, None
    verdict = json.loads(path.read_text())
    jsonschema.validate(verdict, json.loads((ROOT / "docs" / "verdict.schema.json").read_text()))
    return done, verdict


def _server():
    context = multiprocessing.get_context("forkserver")
    heavy = (
        "pytest numpy pandas scipy.stats scipy.ndimage scipy.optimize skimage.metrics PIL.Image rich.console rich.table"
    )
    own = "gate.session gate.evidence gate.inputs gate.verdict gate.promotion report comparison"
    own_modules = [f"modelcheck.{name}" for name in own.split()]
    context.set_forkserver_preload(
        [*heavy.split(), "jinja2", "filelock", "jsonschema", "jsonschema.validators", *own_modules, "gates_preload"]
    )
    # The server does not take over this process's sys.path, and skips in silence what it cannot import.
    with mock.patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}):
        forkserver.ensure_running()
    return context


def _pytest(folder, arguments, log, environment):
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.chdir(folder)
    for name in (*_ENVIRONMENT, "GITHUB_STEP_SUMMARY"):
        os.environ.pop(name, None)
    os.environ |= {"COLUMNS": "120", "PYTHONPATH": str(ROOT), **environment}
    import pytest

    sys.exit(int(pytest.main(arguments)))
