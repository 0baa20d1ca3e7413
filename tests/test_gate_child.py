"""Watching the child that measures: its lines arrive, and nothing that it leaves behind holds the gate up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelcheck.gate import child, confine
from modelcheck.gate.child import ChildError, KilledError, RefusedError
from modelcheck.gate.settings import Settings


def watch(monkeypatch, tmp_path, script, *, timeout=60.0):
    """Watch a shell script as if it measured, and return the progress that it told."""
    told = []
    monkeypatch.setattr(child, "limit_resources", lambda command, **_: command)
    command = ["/bin/sh", "-c", script]
    child._watch(command, Path("a.keras"), home=tmp_path, settings=Settings(timeout=timeout), tell=told.append)
    return told


@pytest.fixture
def left_behind(tmp_path):
    """Return where a script notes the process that it leaves behind, which must still run and is ended here."""
    note = tmp_path / "pid"
    yield note
    os.kill(int(note.read_text()), signal.SIGKILL)  # an error where it was waited for


@pytest.mark.slow
@pytest.mark.parametrize("busy", ["sleep 600", "(while echo measuring: still; do sleep 0.2; done)", "yes measuring: x"])
@pytest.mark.parametrize(("end", "words"), [("exit 0", ""), ("exit 1", "exit code 1"), ("wait", "took more than 2 s")])
def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(monkeypatch, tmp_path, left_behind, busy, end, words):
    """A child that ends well, badly or not at all is done with, whatever holds its output open, silent or talking."""
    script = f"{busy} & echo $! > {left_behind}; echo 'measuring: a'; {end}"
    timeout = 2 if end == "wait" else 60
    before = time.monotonic()
    if words:
        with pytest.raises(ChildError, match=words):
            watch(monkeypatch, tmp_path, script, timeout=timeout)
    else:
        assert "measuring: a" in watch(monkeypatch, tmp_path, script)
    assert time.monotonic() - before < 30


def test_every_line_arrives_in_order(monkeypatch, tmp_path):
    """Thousands of lines are told one by one, and the last ones explain a failure."""
    told = watch(monkeypatch, tmp_path, "for i in $(seq 5000); do echo measuring: $i; done")
    assert told == [f"measuring: {i}" for i in range(1, 5001)]
    with pytest.raises(ChildError, match="no such layer"):
        watch(monkeypatch, tmp_path, "echo measuring: 1; echo no such layer; exit 3")


def test_a_long_part_is_told_again(monkeypatch, tmp_path):
    """While a child is silent its last line of progress comes again, so that a log can tell the time left."""
    monkeypatch.setattr(child, "_SILENT", 0.2)
    monkeypatch.setattr(child, "_GLANCE", 0.1)
    told = watch(monkeypatch, tmp_path, "echo measuring: a; sleep 2; echo measuring: b; sleep 0.05")
    assert told.count("measuring: a") > 1
    assert told[-1] == "measuring: b"


def test_a_scan_that_hangs_is_not_given_the_time_of_a_measurement(monkeypatch, tmp_path):
    """Looking at a file has a limit of its own, and its message speaks of files, not of units."""
    monkeypatch.setattr(child, "_SCAN_SECONDS", 0.3)
    monkeypatch.setattr(child, "limit_resources", lambda *_, **__: ["/bin/sh", "-c", "exec sleep 600"])
    with pytest.raises(ChildError, match=r"Looking at .* took more than 0.3 seconds .* copy it to a disk"):
        child.scan_in_child(tmp_path / "a.keras", settings=Settings(timeout=3600))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_child_ends_with_who_started_it():
    """A gate that is killed leaves no process that measures on, or that has yet to begin."""
    starter = (
        "import subprocess, sys, time; from modelcheck.gate.confine import limit_resources; "
        "waiting = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(20); print(2)']; "
        "subprocess.Popen(limit_resources(waiting, memory=1)); time.sleep(600)"
    )
    source = str(Path(child.__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, cwd=source) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"  # the child's own word: it is under way
        process.kill()
        assert process.stdout.read() == b""  # nobody holds the pipe open any more
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    late = confine.limit_resources([sys.executable, "-c", "print('measured')"], memory=1)
    late[late.index(str(os.getpid()))] = str(gone.pid)
    assert b"measured" not in subprocess.run(late, capture_output=True, check=False).stdout


def test_an_interrupted_watch_ends_the_child(monkeypatch, tmp_path):
    """When telling progress is interrupted, the child does not measure on."""
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(child.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "limit_resources", lambda command, **_: command)
    command = ["/bin/sh", "-c", "echo measuring: 1; exec sleep 600"]
    with pytest.raises(KeyboardInterrupt):
        child._watch(command, Path("a.keras"), home=tmp_path, settings=Settings(), tell=interrupt)
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("kill -9 $$", KilledError),
        ("kill -11 $$", KilledError),
        ("echo MemoryError; kill -9 $$", ChildError),
        ("echo MemoryError; exit 1", ChildError),
        ("exit 4", RefusedError),
        ("exit 1", ChildError),
    ],
)
def test_only_what_a_signal_ended_may_be_started_once_more(monkeypatch, tmp_path, script, error):
    """A signal without a word of memory is a killed process; no other end is."""
    with pytest.raises(ChildError) as raised:
        watch(monkeypatch, tmp_path, script)
    assert type(raised.value) is error


def test_a_stopped_child_ends_at_once(monkeypatch, tmp_path):
    """What is to be stopped is killed within a second or two, however long it would take."""
    monkeypatch.setattr(child, "limit_resources", lambda command, **_: command)
    before = time.monotonic()
    with pytest.raises(ChildError, match="was stopped"):
        child._watch(
            ["/bin/sh", "-c", "exec sleep 600"],
            Path("a.keras"),
            home=tmp_path,
            settings=Settings(),
            tell=None,
            stopped=lambda: time.monotonic() > before + 0.3,
        )
    assert time.monotonic() - before < 10
