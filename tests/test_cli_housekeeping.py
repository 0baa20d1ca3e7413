"""Around the gate: progress, what is interrupted, and what may be taken away."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.__main__ import main
from modelcheck.approval import carry_out, faults, plan_replacement
from modelcheck.cli.housekeeping import find_unused_measurements
from modelcheck.gate.progress import Estimate, progress_line, read_progress
from modelcheck.signature import read_signature
from signatures import make_signature

ROOT = Path(__file__).parents[1]
DAY = 86400.0


def command(*arguments):
    """Run a command and return its exit code and what it printed."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def every_command(group, name):
    """Yield the command line of a group and of all below it."""
    yield name
    for child in getattr(group, "commands", {}).values():
        yield from every_command(child, [*name, child.name])


@pytest.mark.parametrize("words", [*every_command(main, [])], ids=" ".join)
def test_examples_in_the_help_stand_on_their_own_lines(words):
    """An example can be copied: no mark of the layout is printed, and no line of it runs into the next."""
    code, text = command(*words, "--help")
    assert code == 0
    assert "\\b" not in text
    assert all(line.endswith(":") for line in text.splitlines() if line.startswith("  Example"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project with a baseline and a cache: a used measurement, and one for each reason to go."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.modelcheck]\nbaseline = "baselines/mine"\n')
    base = Path("baselines/mine")
    carry_out(plan_replacement(base, make_signature(twins=0), facts={"platform": "here"}), reason="x")
    shown = read_signature(base).stimuli_sha256()
    cache = Path(".modelcheck/signatures")
    made_with = {"versions": {"numpy": version("numpy")}}
    used = make_signature("c", twins=0)
    used = replace(used, exchange=replace(used.exchange, stimuli_sha256=shown), provenance=made_with)
    used.write(cache / "used")
    replace(used, exchange=replace(used.exchange, stimuli_sha256="0" * 64)).write(cache / "another-baseline")
    replace(used, provenance={"versions": {"numpy": "0.1"}}).write(cache / "another-version")
    used.write(cache / "old")
    os.utime(cache / "old" / "manifest.json", (time.time() - 40 * DAY,) * 2)
    used.write(cache / "half")
    (cache / "half" / "manifest.json").unlink()
    return tmp_path


GOES = {"another-baseline", "another-version", "old", "half"}


def test_gc_shows_first_and_takes_away_only_what_is_unused(project):
    """Without --delete nothing is touched; with it, the used measurement and every baseline stay as they were."""
    (project / "baselines/mine/.writing-x").write_text("half")
    (project / "baselines/mine/maps-0123456789abcdef.npz").write_text("stray")
    (project / "baselines/mine/notes.npz").write_text("mine")
    before = contents(project)
    code, said = command("gc")
    assert code == 0, said
    assert contents(project) == before
    assert all(f"would remove .modelcheck/signatures/{name}" in said for name in GOES)
    assert "signatures/used" not in said
    code, said = command("gc", "--delete")
    assert code == 0, said
    gone = {path for path in before if path not in contents(project)}
    assert {path.parts[2] for path in gone if path.parts[0] == ".modelcheck"} == GOES
    assert {path.name for path in gone if path.parts[0] == "baselines"} == {".writing-x", "maps-0123456789abcdef.npz"}
    assert faults(project / "baselines/mine") == []
    assert (project / ".modelcheck/signatures/used/manifest.json").exists()
    assert "Nothing to remove." in command("gc")[1]


def test_gc_takes_nothing_it_cannot_judge(project):
    """A damaged baseline, or none at all: nothing is removed, and the message says why."""
    member = next((project / "baselines/mine").glob("maps-*.npz"))
    member.write_bytes(b"")
    before = contents(project)
    code, said = command("gc", "--delete")
    assert code == 4
    assert "nothing is removed" in said
    (project / "pyproject.toml").unlink()
    code, said = command("gc", "--delete")
    assert code == 4
    assert "No baseline is known" in said
    del before[Path("pyproject.toml")]
    assert contents(project) == before


@pytest.mark.parametrize("days", ["nan", "inf", "1e400"])
def test_days_are_a_number(days):
    """What no measurement is older than would keep everything, and say that there is nothing to remove."""
    done = CliRunner().invoke(main, ["gc", "--days", days])
    assert done.exit_code == 4
    assert "--days must be a number of days" in done.output


def test_days_are_counted_from_the_last_use(project):
    """A measurement goes when it was unused for longer than was asked."""
    shown = read_signature(project / "baselines/mine").stimuli_sha256()
    now = time.time()
    for days, names in ((39.0, {"old"}), (41.0, set())):
        found = find_unused_measurements(Path(".modelcheck"), baselines={shown}, days=days, now=now)
        assert {item.folder.name for item in found if "nobody used it" in item.why} == names


@given(st.floats(0, 1), st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_progress_crosses_the_pipe(share, what):
    """What the measuring process prints is what the waiting one reads, to a hundredth."""
    read = read_progress(progress_line(what, share) + "\n")
    assert read is not None
    assert read[0] == what
    assert read[1] == pytest.approx(share, abs=0.0051)


@pytest.mark.parametrize("line", ["", "measuring", "measuring: x% y", "2026 warning: measuring: 5% x", "5%"])
def test_other_lines_are_no_progress(line):
    """TensorFlow's chatter does not move the bar."""
    assert read_progress(line) is None


def test_the_time_left_follows_the_pace():
    """A quarter done after ten seconds leaves thirty; too early there is no estimate, and at the end none is left."""
    now = [0.0]
    estimate = Estimate(lambda: now[0])
    assert estimate.left(0.0) is None
    now[0] = 10.0
    assert "left" not in estimate.bar("loading", 0.0)
    assert estimate.left(0.25) == pytest.approx(30.0)
    assert "[######..................]  25% about 30 s left: conv1" in estimate.bar("conv1", 0.25)
    now[0] = 3600.0
    assert estimate.log("conv1", 0.25) == "measuring: 25%, about 3.0 h left: conv1"
    assert estimate.log("conv1", 0.25) == ""  # once a minute
    assert "about 60 min left" in estimate.bar("x", 0.5)
    assert estimate.left(1.0) == 0.0


def test_other_work_has_a_clock_of_its_own():
    """Where one command measures twice, what the first took says nothing of what is left of the second."""
    now = [0.0]
    estimate = Estimate(lambda: now[0])
    for now[0], share in ((0.0, 0.0), (600.0, 0.9), (660.0, 0.0)):
        estimate.log("conv1", share)
    now[0] = 720.0
    assert estimate.log("conv1", 0.25) == "measuring: 25%, about 3 min left: conv1"


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    """Ctrl-C while a network is measured: exit code 2, the command to start again, no baseline, no child left."""
    aside = tmp_path / "aside"
    aside.mkdir()
    arguments = ["approve", "networks/experiment0.keras", "--panel", "baselines/drawn-faces/panel.npz"]
    with subprocess.Popen(
        [sys.executable, "-m", "modelcheck", *arguments, "--to", tmp_path / "new", "--reason", "it's new"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(aside), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    ) as process:
        while process.poll() is None and not list(aside.glob("modelcheck-*/request.json")):
            time.sleep(0.05)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 2, out + error
    assert "interrupted" in error
    assert "To start again: modelcheck approve networks/experiment0.keras" in error
    assert "'it'\"'\"'s new'" in error
    assert not (tmp_path / "new").exists()
    assert not list(aside.glob("modelcheck-*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_network_measured_elsewhere_is_named(tmp_path):
    """Other versions or kernels: named in the verdict's provenance, the terminal, the page and the summary."""
    from io import StringIO

    from rich.console import Console

    from modelcheck.comparison import compare
    from modelcheck.report import print_summary, summary_markdown, write_report
    from modelcheck.support.provenance import differences
    from reports import make_document

    baseline = make_signature()
    candidate = replace(make_signature("c", seed=2), provenance={**baseline.provenance, "onednn": "0", "keras": "4"})
    document = make_document(compare(baseline, candidate))
    assert "measured with" not in summary_markdown(document).lower()
    document["provenance"]["differences"] = differences(baseline.provenance, candidate.provenance)
    console = Console(file=StringIO(), width=200)
    print_summary(document, console)
    page = write_report(tmp_path, document).read_text()
    for text in (console.file.getvalue(), summary_markdown(document), page):
        assert "Measured with other versions or on another machine" in text
        assert "keras" in text
        assert re.search(r"3\.15\.1 \\?\(baseline\\?\), 4 \\?\(candidate", text)
