"""Measure a network in a process of its own: start it within its limits, watch it, and say why it failed.

Loading a network can run code, and TensorFlow is slow to import: both stay in the child.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, NamedTuple

from modelcheck.gate.confine import environment, limit_resources
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.modelfile import ScanError, ScanReport
from modelcheck.signature import Record, read_record
from modelcheck.support.commands import write_command
from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document

__all__ = [
    "ChildError",
    "KilledError",
    "RefusedError",
    "carry_out",
    "examine_in_child",
    "measure_in_child",
    "plan_in_child",
    "scan_in_child",
]


class ChildError(RuntimeError):
    """Evidence that could not be had; the message says why and what to do."""


class RefusedError(ChildError):
    """What the child was given cannot be measured, as the scan or the child says: file, panel, or both together."""


class KilledError(ChildError):
    """The measuring process was ended by a signal, and said nothing of memory: it may be started once more."""


def measure_in_child(
    request: Request,
    folder: Path,
    *,
    settings: Settings | None = None,
    tell: Callable[[str], None] | None = None,
) -> Record:
    """Measure a network in a process of its own, for loading a network can run code.

    Parameters
    ----------
    request : Request
        What to measure; it is written to a ``request.json``, which the child reads.
    folder : Path
        Where the signature goes.
    settings : Settings, optional
        Its limits of time and memory count here.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    ChildError
        When the child fails, is killed, takes too long or too much memory: its last lines are in
        the message.

    Notes
    -----
    The child has an empty home, a file size of at most 4 GiB, and of the environment only what
    `modelcheck.gate.confine` names: no tokens. It is started with ``-P``: a ``resource.py`` or
    ``click.py`` in the working folder is not imported in the place of the library of that name.
    """
    carry_out(request, folder, settings=settings or Settings(), tell=tell)
    return read_record(folder)


def examine_in_child(
    request: Request,
    answer: Path,
    *,
    settings: Settings | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Look at every hidden unit of a network in a process of its own, under the limits under which one is measured.

    Parameters
    ----------
    request : Request
        The network, the panel and how to measure; see `measure_in_child`.
    answer : Path
        Where what was found goes; see `modelcheck.pruning.layer_units.read_layer_units`.
    settings : Settings, optional
        Its limits of time and memory count here.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    ChildError
        When the child fails, is killed, takes too long or too much memory.
    """
    carry_out(request, answer, module="modelcheck.pruning", settings=settings or Settings(), tell=tell)


def plan_in_child(request: Request, answer: Path, *, settings: Settings | None = None) -> None:
    """Plan the measurement of a network in a process of its own, under the limits under which one is measured.

    Parameters
    ----------
    request : Request
        The network, the panel, and the minutes that a gate may take; see `measure_in_child`.
    answer : Path
        Where the plan goes; see `modelcheck.planning.plan.Plan`.
    settings : Settings, optional
        Its limits of time and memory count here.

    Raises
    ------
    ChildError
        When the child fails, is killed, takes too long or too much memory.
    """
    carry_out(request, answer, module="modelcheck.planning", settings=settings or Settings())


def carry_out(
    request: Request,
    target: Path,
    *,
    settings: Settings,
    module: str = "modelcheck.cli.child",
    seconds: float | None = None,
    stopped: Callable[[], bool] | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Run ``python -m MODULE REQUEST.json TARGET`` within limits, to its end.

    Parameters
    ----------
    request : Request
        What to measure; see `measure_in_child`.
    target : Path
        What the process writes: a folder or a file.
    settings : Settings
        Its limits of time and memory count here.
    module : str
        What is run.
    seconds : float, optional
        How long it may take, where the limit is not all its own.
    stopped : callable, optional
        Asked about twice a second whether the process is to be ended.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    ChildError
        When the process fails, is killed, stopped, takes too long or too much memory.
    """
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        path = Path(aside) / "request.json"
        path.write_text(request.to_json(), encoding="utf-8")
        home = Path(aside) / "home"
        home.mkdir()
        command = [sys.executable, "-P", "-m", module, str(path), str(target)]
        command = limit_resources(command, memory=settings.memory)
        _watch(
            command,
            request.network,
            home=home,
            settings=settings,
            tell=tell,
            seconds=seconds,
            stopped=stopped,
        )


def scan_in_child(
    network: Path, *, custom_objects: Collection[str] = (), settings: Settings | None = None
) -> ScanReport:
    """Look at a network file in a process of its own, under the limits under which one is measured.

    Parameters
    ----------
    network : Path
        The file.
    custom_objects : collection of str
        Classes and functions outside Keras, ``module>name``, that are knowingly allowed.
    settings : Settings, optional
        Its limits of time and memory count here; no file gets more than ten minutes.

    Raises
    ------
    ScanError
        When the file cannot be looked at.
    ChildError
        When the process fails, is killed, takes too long or too much memory.
    """
    settings = settings or Settings()
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        answer, home = Path(aside) / "report.json", Path(aside) / "home"
        home.mkdir()
        command = [sys.executable, "-P", "-m", "modelcheck.modelfile", str(network), str(answer), *custom_objects]
        command = limit_resources(command, memory=settings.memory)
        bounded = replace(settings, timeout=min(settings.timeout, _SCAN_SECONDS))
        _watch(command, network, home=home, settings=bounded, tell=None, doing=_LOOKING)
        try:
            told = json_document(read_file(answer, max_bytes=_MAX_REPORT_BYTES))
        except (OSError, ValueError) as error:
            raise ChildError(f"Looking at {str(network)!r} left no report: {error}.") from error
    if "error" in told:
        raise ScanError(told["error"])
    return ScanReport.from_dict(told["report"])


# Much more than the largest files take, a few seconds a GiB on a slow disk.
_SCAN_SECONDS = 600.0
_MAX_REPORT_BYTES = 2**28  # the names in a configuration of 8 MiB, escaped


# What is not the child's own word: its progress, and TensorFlow's log with its clock and process
# numbers.
_CHATTER = re.compile(r"measuring: |WARNING: All log messages|[IWEF]\d{4} |[IWEF]\d+ 00:00:")


_GLANCE = 0.5  # seconds after which a silent child is looked at, and for which an ended one is still heard
_SILENT = 10.0  # seconds after which the last line of progress is passed on once more
_AHEAD, _LONGEST = 1000, 65536  # lines that are read ahead, and characters of one


# How Python, numpy, TensorFlow and C++ say that there is no more memory.
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|Unable to allocate|bad_alloc|OOM when allocating|ResourceExhausted|Cannot allocate memory"
    r"|out of memory|failed to allocate memory",
    re.IGNORECASE,
)


def _read_lines(
    child: subprocess.Popen[str], *, seconds: float, stopped: Callable[[], bool] | None = None
) -> Iterator[str]:
    """Yield the lines of a child, "" where it was silent for a glance, until it has ended or is to be stopped.

    It is to be stopped when its time is over, or ``stopped()``.

    The end of its output is not waited for: whatever it started and left behind may hold that open,
    or talk, for ever.
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
    while (left := end - time.monotonic()) > 0 and not (stopped and stopped()):
        if not ended and child.poll() is not None:
            ended, end = True, min(end, time.monotonic() + _GLANCE)
            continue
        try:
            line = lines.get(timeout=min(left, _GLANCE))
        except queue.Empty:
            yield ""
            continue
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=left)
            return
        yield line


class _Doing(NamedTuple):
    """What a child does, in a word, and what helps where it takes too long."""

    word: str
    late: str


_MEASURING = _Doing(
    "Measuring",
    "Raise timeout in [tool.modelcheck], or render fewer units: units_per_layer in the recipe of the baseline.",
)
_LOOKING = _Doing(
    "Looking at",
    "A file is read in seconds: copy it to a disk of this machine, raise timeout in [tool.modelcheck] if it is less "
    "than ten minutes, or save the network again.",
)


def _watch(
    command: Sequence[str],
    network: Path,
    *,
    home: Path,
    settings: Settings,
    tell: Callable[[str], None] | None,
    doing: _Doing = _MEASURING,
    seconds: float | None = None,
    stopped: Callable[[], bool] | None = None,
) -> None:
    """Run the child to its end, pass its progress on, and say in its own words why it failed."""
    package = str(Path(__file__).parents[2])
    kept = {
        **environment(os.environ, home=str(home)),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    last: list[str] = []
    progress, told_at = "", 0.0
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=kept
    )
    try:
        for line in _read_lines(child, seconds=settings.timeout if seconds is None else seconds, stopped=stopped):
            last = [*last, line.rstrip()][-12:] if line else last
            is_progress = line.startswith("measuring: ")
            progress = line.strip() if is_progress else progress
            # Said again where a part takes long: who shows it tells the time left anew, and no log falls silent.
            if tell and progress and (is_progress or time.monotonic() - told_at > _SILENT):
                tell(progress)
                told_at = time.monotonic()
        is_late = child.poll() is None
    finally:
        child.kill()  # a finished child is not touched
        code = child.wait()
    if is_late and stopped is not None and stopped():
        raise ChildError(f"{doing.word} {str(network)!r} was stopped.")
    if is_late:
        took = f"{doing.word} {str(network)!r} took more than {settings.timeout:g} seconds and was stopped."
        raise ChildError(f"{took} {doing.late}")
    short = any(_OUT_OF_MEMORY.search(line) for line in last)
    if code != 0 and (short or code == -signal.SIGKILL):
        what = "ran out of memory" if short else "was ended by signal 9, as a system does that runs out of memory"
        kind = ChildError if short else KilledError
        raise kind(
            f"{doing.word} {str(network)!r} {what} (its limit is {settings.memory:g} GiB). Raise memory in "
            "[tool.modelcheck], close other programs, or use smaller pictures; a network that asks for far more than "
            f"its file holds is not to be trusted: {write_command(['modelcheck', 'scan', network])}"
        )
    if code != 0:
        told = [line for line in last if line and not _CHATTER.match(line)]
        kind = RefusedError if code == 4 else KilledError if code < 0 else ChildError
        ended = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        raise kind(f"{doing.word} {str(network)!r} failed ({ended}):\n  " + "\n  ".join(told or ["it said nothing"]))
