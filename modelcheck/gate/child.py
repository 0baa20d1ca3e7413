"""Measure a network in a process of its own, once, into a cache.

Loading a network can run code, and TensorFlow is slow to import: both stay in the child. Behind a lock, the first
who needs a measurement makes it, into a folder named by everything that decides the result; the others read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from modelcheck.gate.confine import environment, limit_resources
from modelcheck.gate.settings import Settings
from modelcheck.modelfile import ScanError, ScanReport, scan_model
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, SignatureError, read_signature

__all__ = ["ChildError", "RefusedError", "load_cached", "load_or_measure", "measure_in_child"]


class ChildError(RuntimeError):
    """Evidence that could not be had; the message says why and what to do."""


class RefusedError(ChildError):
    """What the child was given cannot be measured, as the scan or the child says: file, panel, or both together."""


def load_or_measure(
    network: Path,
    panel: Path,
    *,
    baseline: Path,
    settings: Settings,
    key: Sequence[str],
    tell: Callable[[str], None] | None = None,
) -> Signature:
    """Return a network's signature from the cache, or measure it there in a child process.

    Parameters
    ----------
    network : Path
        The ``.keras`` file.
    panel : Path
        The panel file.
    baseline : Path
        The signature that gives the recipe and the stimuli.
    settings : Settings
        Cache, outputs, the baseline's network, given counterparts and the time limit.
    key : sequence of str
        What decides the result beside the network's bytes and the versions.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    RefusedError
        When the scan refuses the file, or the baseline's network; no child is started.
    ChildError
        When the child fails, is killed, takes too long or too much memory: its last lines are in the message.
    """
    if not network.exists():
        raise ChildError(f"There is no candidate {str(network)!r}. Give a .keras file: pytest suites/ --candidate PATH")
    report = _scan(network, settings.custom_objects)
    sha, custom = report.sha256, set(report.custom)
    if settings.baseline_model is not None:
        custom |= set(_scan(settings.baseline_model, settings.custom_objects).custom)
    versions = [f"{name}={version(name)}" for name in ("modelcheck", "tensorflow", "keras", "numpy")]
    versions.append(os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"))
    versions += [f"{name}={_source_digest(name.split('>')[0])}" for name in sorted(custom)]
    digest = hashlib.sha256("|".join([_code_digest(), sha, *key, *versions]).encode()).hexdigest()
    folder = settings.cache / "signatures" / digest[:24]
    folder.parent.mkdir(parents=True, exist_ok=True)
    (settings.cache / ".gitignore").write_text("*\n", encoding="utf-8")
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=settings.timeout):
            signature = load_cached(folder, sha)
            if signature is None:
                signature = measure_in_child(
                    network,
                    panel,
                    folder,
                    like=baseline,
                    outputs=settings.outputs,
                    settings=settings,
                    tell=tell,
                )
                if signature.model["sha256"] != sha:
                    shutil.rmtree(folder)
                    raise ChildError(
                        f"{str(network)!r} changed while it was measured. Run again when nothing writes to it."
                    )
    except Timeout as error:
        raise ChildError(
            f"Another run has been measuring {str(network)!r} for {settings.timeout:g} seconds. Wait for it, or remove "
            f"{str(folder.with_suffix('.lock'))!r} if it is gone."
        ) from error
    # The entry is named by content: another file with the same bytes may have made it.
    return replace(signature, model={**signature.model, "file": network.name})


def _scan(network: Path, custom_objects: Sequence[str]) -> ScanReport:
    try:
        report = scan_model(network, custom_objects=custom_objects)
    except ScanError as error:
        raise RefusedError(str(error)) from error
    if report.refusals:
        raise RefusedError(
            f"{str(network)!r} is refused, and was not loaded:\n{report.sentence()}\n"
            f"See docs/model_files.md, and: modelcheck scan {network}"
        )
    return report


def load_cached(folder: Path, sha: str) -> Signature | None:
    """Return the cache's entry; a damaged one is thrown away, for it can be measured again."""
    if not (folder / "manifest.json").exists():
        return None
    try:
        signature = read_signature(folder)
    except SignatureError:
        signature = None
    if signature is None or signature.model["sha256"] != sha:
        shutil.rmtree(folder)
        return None
    (folder / "manifest.json").touch()  # when it was used last, for modelcheck gc
    return signature


_MEASURING = {
    *("recipe", "panel", "signature", "network", "metrics", "happymaps", "attributions", "measurement"),
}


def _code_digest() -> str:
    """Return a digest of the source that measures: a changed measurement must not be answered from the cache."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).with_suffix("")
        if _MEASURING & {inside.parts[0], inside.as_posix()}:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _source_digest(module: str) -> str:
    """Return a digest of the package that a custom object comes from, found without importing it."""
    package = module.split(".", maxsplit=1)[0]
    spec = PathFinder.find_spec(package)
    places = [] if spec is None else list(spec.submodule_search_locations or ([spec.origin] if spec.origin else []))
    digest = hashlib.sha256()
    for place in map(Path, places):
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def measure_in_child(
    network: Path,
    panel: Path,
    folder: Path,
    *,
    like: Path | None = None,
    recipe: Recipe | None = None,
    outputs: Sequence[str] = (),
    twins: bool = True,
    settings: Settings | None = None,
    tell: Callable[[str], None] | None = None,
) -> Signature:
    """Measure a network in a process of its own, for loading a network can run code.

    Parameters
    ----------
    network, panel, folder : Path
        The ``.keras`` file, the panel file, and where the signature goes.
    like : Path, optional
        A signature that gives the recipe and whose maps are shown to the network.
    recipe : Recipe, optional
        The recipe, where `like` gives none.
    outputs, twins
        See `modelcheck.measurement.measure`.
    settings : Settings, optional
        Its time and memory limits and custom objects count here, and with `like` the network behind that signature
        and given counterparts of its layers.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    ChildError
        When the child fails, is killed, takes too long or too much memory: its last lines are in the message.

    Notes
    -----
    The child has an empty home, a file size of at most 4 GiB, and of the environment only what
    `modelcheck.gate.confine` names: no tokens.
    """
    settings = settings or Settings()
    command = [sys.executable, "-m", "modelcheck", "measure", str(network), "--panel", str(panel)]
    command += ["--to", str(folder), "--plain"]
    command += [word for name in settings.custom_objects for word in ("--custom-object", name)]
    if like:
        command += ["--like", str(like)]
        command += ["--baseline-model", str(settings.baseline_model)] if settings.baseline_model else []
        command += [f"--layer={name}={partner}" for name, partner in settings.paired.items()]
    command += ["--outputs", ",".join(outputs)] if outputs else []
    command += [] if twins else ["--no-twins"]
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        if recipe is not None:
            path = Path(aside) / "recipe.json"
            path.write_text(json.dumps(recipe.to_dict()), encoding="utf-8")
            command += ["--recipe", str(path)]
        home = Path(aside) / "home"
        home.mkdir()
        _watch(limit_resources(command, memory=settings.memory), network, home=home, settings=settings, tell=tell)
    return read_signature(folder)


# What is not the child's own word: its progress, and TensorFlow's log with its clock and process numbers.
_CHATTER = re.compile(r"measuring: |WARNING: All log messages|[IWEF]\d{4} |[IWEF]\d+ 00:00:")


_GLANCE = 0.5  # seconds after which a silent child is looked at, and for which an ended one is still heard
_AHEAD, _LONGEST = 1000, 65536  # lines that are read ahead, and characters of one


# How Python, numpy, TensorFlow and C++ say that there is no more memory.
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|Unable to allocate|bad_alloc|OOM when allocating|ResourceExhausted|Cannot allocate memory"
    r"|out of memory|failed to allocate memory",
    re.IGNORECASE,
)


def _read_lines(child: subprocess.Popen[str], *, seconds: float) -> Iterator[str]:
    """Yield the lines of a child until it has ended or its time is over.

    The end of its output is not waited for: whatever it started and left behind may hold that open, or talk, for ever.
    """
    lines: queue.Queue[str] = queue.Queue(_AHEAD)  # who talks faster than it is heard has to wait

    def read(output: IO[str]) -> None:
        with output:
            while line := output.readline(_LONGEST):
                lines.put(line)
        lines.put("")

    if child.stdout is not None:
        threading.Thread(target=read, args=(child.stdout,), daemon=True).start()
    end = time.monotonic() + seconds
    ended = False
    while (left := end - time.monotonic()) > 0:
        if not ended and child.poll() is not None:
            ended, end = True, min(end, time.monotonic() + _GLANCE)
            continue
        try:
            line = lines.get(timeout=min(left, _GLANCE))
        except queue.Empty:
            continue
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=left)
            return
        yield line


def _watch(
    command: Sequence[str],
    network: Path,
    *,
    home: Path,
    settings: Settings,
    tell: Callable[[str], None] | None,
) -> None:
    """Run the child to its end, pass its progress on, and say in its own words why it failed."""
    package = str(Path(__file__).parents[2])
    kept = {
        **environment(os.environ, home=str(home)),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    last: list[str] = []
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=kept
    )
    try:
        for line in _read_lines(child, seconds=settings.timeout):
            last = [*last, line.rstrip()][-12:]
            if tell and line.startswith("measuring: "):
                tell(line.strip())
        late = child.poll() is None
    finally:
        child.kill()  # a finished child is not touched
        code = child.wait()
    if late:
        raise ChildError(
            f"Measuring {str(network)!r} took more than {settings.timeout:g} seconds and was stopped. Raise timeout in "
            "[tool.modelcheck], or render fewer units: units_per_layer in the recipe of the baseline."
        )
    short = any(_OUT_OF_MEMORY.search(line) for line in last)
    if code != 0 and (short or code == -signal.SIGKILL):
        what = "ran out of memory" if short else "was ended by signal 9, as a system does that runs out of memory"
        raise ChildError(
            f"Measuring {str(network)!r} {what} (its limit is {settings.memory:g} GiB). Raise memory in "
            "[tool.modelcheck], close other programs, or use smaller pictures; a network that asks for far more than "
            f"its file holds is not to be trusted: modelcheck scan {network}"
        )
    if code != 0:
        told = [line for line in last if line and not _CHATTER.match(line)]
        kind = RefusedError if code == 4 else ChildError
        ended = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        raise kind(f"Measuring {str(network)!r} failed ({ended}):\n  " + "\n  ".join(told or ["it said nothing"]))
