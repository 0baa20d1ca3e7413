"""The gate from outside: real pytest runs in a small project whose networks are loaded and measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import gates
from modelcheck.__main__ import main
from modelcheck.gate.entries import KEY
from modelcheck.judgement.findings import Finding
from modelcheck.panel import Panel
from modelcheck.report.words import one_line
from modelcheck.signature import read_signature
from networks import plain
from signatures import make_panel

ROOT = Path(__file__).parents[1]

CRITERIA = """
[[criterion]]
metric = "mapped_units"
at_least = 0.1
why = "dead layers cannot be compared"

[[criterion]]
metric = "transfer"
at_least = 0.9
why = "the same decision"

[[criterion]]
metric = "subject_change"
at_least = -0.3
why = "nobody pays"

[[criterion]]
metric = "class_change"
at_least = -0.5
why = "no class pays"

[[criterion]]
metric = "place_distance"
at_most = 1.75
why = "the same places"

[[criterion]]
metric = "answers"
at_least = 1
why = "it answers"

[[criterion]]
metric = "accuracy_change"
at_least = -0.2
why = "not worse"

[[criterion]]
metric = "flipping_gain"
at_least = 0.0
why = "the method ranks what matters"

[[criterion]]
metric = "flipping_gain"
about = "occlusion"
at_least = -10.0
why = "not asked of it here"

[[criterion]]
metric = "mass_change"
at_least = -0.5
why = "it looks where it looked"
"""


def run(folder, *arguments):
    """Run pytest in the project, forked from a server that has all but TensorFlow loaded."""
    return gates.run(folder, *arguments, seconds=300)


def command(folder, *arguments):
    """Run modelcheck's command in the project, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "modelcheck", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120", "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=300,
    )


def gate(folder, *arguments, environment=None):
    """Run the suites of a project; return the process and the verdict, None where none was written."""
    return gates.gate(folder, *arguments, environment=environment, seconds=300)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build a project once: a release, a candidate, a panel, an approved baseline, and a warm cache."""
    folder = tmp_path_factory.mktemp("project")
    panel = make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)
    panel.save(folder / "heldout.npz")
    with pytest.warns(DeprecationWarning, match="__array__") if np.__version__ >= "2" else _nothing():
        plain(seed=8).save(folder / "release.keras")
        plain(seed=8).save(folder / "same.keras")
        plain(seed=7).save(folder / "other.keras")
    shutil.copytree(
        ROOT / "suites", folder / "suites", ignore=shutil.ignore_patterns("__pycache__", "test_no_triggers.py")
    )
    (folder / "suites" / "criteria.toml").write_text(CRITERIA)
    (folder / "recipe.toml").write_text("steps = 6\ncopies = 2\nuntrained_twins = 1\nsmoothgrad_samples = 2\n")
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n'
        '[tool.modelcheck]\ncandidate = "same.keras"\nbaseline = "baselines/mine"\npanel = "heldout.npz"\n'
    )
    approve = ["approve", "release.keras", "--panel", "heldout.npz", "--to", "baselines/mine", "--reason", "first"]
    done = command(folder, *approve, "--recipe", "recipe.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    done, verdict = gate(folder)
    assert verdict is not None, done.stdout
    return folder


@pytest.fixture
def project(built, tmp_path):
    """Return a copy of the project, its cache warm, for a test to break."""
    folder = tmp_path / "project"
    shutil.copytree(built, folder)
    shutil.rmtree(folder / "report")
    return folder


class _nothing:  # noqa: N801 - a context that does nothing
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


@pytest.mark.slow
def test_the_same_network_passes(project):
    """A copy of the release passes in full, with a verdict, a report and a summary, bound to the files by digest."""
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["scope"], verdict["exit_code"]) == ("pass", "full", 0)
    assert {"verdict", "scope", "candidate", "baseline", "panel", "metrics", "findings"} <= set(verdict)
    assert (
        verdict["candidate"]["sha256"] == verdict["baseline"]["sha256"] or verdict["candidate"]["file"] == "same.keras"
    )
    assert verdict["metrics"]["transfer"]["decision"] == pytest.approx(1.0, abs=0.05)
    assert (project / "report" / "index.html").stat().st_size > 1000
    assert (project / "report" / "summary.md").read_text().strip()
    assert "test_same_features" not in done.stdout


@pytest.mark.slow
def test_another_network_fails_by_name(project):
    """A network that learned something else is red, and a line of the output names check, value and limit."""
    done, verdict = gate(project, "--candidate", "other.keras")
    assert done.returncode == 1, done.stdout
    assert verdict["verdict"] == "fail"
    worst = verdict["findings"][0]
    assert worst["verdict"] == "fail"
    assert f"  {one_line(Finding.from_dict(worst))}\n" in done.stdout


def without_volatile(verdict):
    """Return a verdict without the block that may differ between two runs."""
    return {key: value for key, value in verdict.items() if key != "volatile"}


@pytest.mark.slow
def test_runs_agree_serial_and_distributed(project):
    """Two runs, and one on two workers, give the same verdict apart from the volatile block."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    _, first = gate(project)
    _, second = gate(project)
    done, distributed = gate(project, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert without_volatile(first) == without_volatile(second) == without_volatile(distributed)


@pytest.mark.slow
def test_a_failing_gate_is_red_on_workers(project):
    """A distributed run fails exactly as a serial one."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    serial, one = gate(project, "--candidate", "other.keras")
    spread, two = gate(project, "--candidate", "other.keras", "-n", "2")
    assert serial.returncode == spread.returncode == 1
    assert without_volatile(one) == without_volatile(two)


@pytest.mark.slow
def test_a_warm_gate_loads_no_tensorflow(project):
    """A second run on unchanged files measures nothing: it works with TensorFlow made impossible to import."""
    (project / "conftest.py").write_text("import sys\nsys.modules['tensorflow'] = sys.modules['keras'] = None\n")
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert verdict["verdict"] == "pass"


@pytest.mark.slow
def test_a_file_that_is_no_network_is_refused(project):
    """What Keras does not take is refused by the process that loads, in its own words: exit 4."""
    (project / "same.keras").write_text("import os")
    done, verdict = gate(project)
    assert done.returncode == verdict["exit_code"] == 4, done.stdout
    assert "is no .keras archive" in json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_a_network_that_answers_nan_is_refused(project):
    """Who answers NaN is refused by the process that measures, before anything is compared: exit 4."""
    broken = plain(seed=8)
    broken.get_layer("decision").set_weights([np.full((6, 2), np.nan), np.zeros(2)])
    with pytest.warns(DeprecationWarning, match="__array__") if np.__version__ >= "2" else _nothing():
        broken.save(project / "same.keras")
    done, verdict = gate(project)
    assert done.returncode == verdict["exit_code"] == 4, done.stdout
    assert "answers NaN or infinity on " in json.dumps(verdict["reasons"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_network_that_answers_otherwise_than_it_is_read_is_refused(project):
    """The release with an input of whole numbers passes nowhere: the measuring process refuses it by name, exit 4."""
    release = plain(seed=8)
    entry = keras.Input(release.input_shape[1:], dtype="int32", name="entry")
    casting = keras.Model(entry, keras.Sequential([keras.layers.Rescaling(1.0), *release.layers])(entry))
    casting.save(project / "same.keras")
    done, verdict = gate(project)
    assert done.returncode == verdict["exit_code"] == 4, done.stdout
    assert "first at the input 'entry', which takes int32" in json.dumps(verdict["reasons"])


@pytest.mark.slow
def test_an_unwritable_report_is_red(project):
    """Where no verdict can be written the run is red and says so, without a traceback."""
    (project / "report").write_text("in the way")
    done = run(project, "suites/", "-q")
    assert done.returncode == 3
    assert "could not be written" in done.stdout
    assert "INTERNALERROR" not in done.stdout


@pytest.mark.slow
def test_a_damaged_cache_is_measured_again(project):
    """The cache is no evidence: a damaged entry is thrown away and measured anew."""
    member = next((project / ".modelcheck" / "signatures").glob("*/maps-*.npz"))
    member.write_bytes(member.read_bytes()[:-1])
    done, verdict = gate(project)
    assert done.returncode == 0, done.stdout
    assert verdict["verdict"] == "pass"


@pytest.mark.slow
def test_a_run_says_once_that_it_did_not_believe_the_cache(project):
    """With a key, an entry that has no seal is measured again: a run of workers says so once, the next not at all."""
    secret = "0123456789abcdef" * 2
    done = [gate(project, "-n", "2", environment={KEY: secret})[0] for _ in range(2)]
    assert [run.returncode for run in done] == [0, 0], done[0].stdout + done[1].stdout
    assert [run.stdout.count(f"is not sealed by {KEY}") for run in done] == [1, 0]
    left = [path for path in project.rglob("*") if path.is_file()]
    assert not [path for path in left if secret.encode() in path.read_bytes()]


@pytest.mark.slow
def test_other_tests_are_left_alone(project):
    """A run that holds no gate writes no verdict, although the plugin is there."""
    (project / "suites" / "criteria.toml").unlink()
    (project / "unit").mkdir()
    (project / "unit" / "test_x.py").write_text("def test_x():\n    pass\n")
    done = run(project, "unit", "-q")
    assert done.returncode == 0, done.stdout
    assert not (project / "report").exists()


@pytest.mark.slow
def test_other_peoples_names_are_left_alone(tmp_path):
    """A project with a fixture and a folder of our names, and nothing of ours, runs as if we were not installed."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "test_x.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef check():\n    return 1\n\n\n"
        "@pytest.fixture\ndef layer():\n    return 2\n\n\n"
        "def test_x(check, layer):\n    assert check < layer\n"
    )
    done = run(tmp_path, "suites", "-q")
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "report").exists()


@pytest.mark.slow
def test_approve_needs_a_reason_and_keeps_history(project):
    """No reason, no baseline; with one, the history tells who, what and why, and pytest never writes there."""
    before = {path.name: path.read_bytes() for path in (project / "baselines" / "mine").iterdir()}
    _, judged = gate(project, "--candidate", "other.keras")
    approve = ["approve", "other.keras", "--panel", "heldout.npz", "--to", "baselines/mine", "--reason"]
    done = command(project, *approve, " ")
    assert done.returncode == 4
    assert "needs a reason" in done.stderr
    assert before == {path.name: path.read_bytes() for path in (project / "baselines" / "mine").iterdir()}
    # It has no natural map of one class, which is a doubt.
    done = command(project, *approve, "we mean it", "--even-so", "of a few pixels")
    assert done.returncode == 0, done.stderr
    history = (project / "baselines" / "mine" / "HISTORY.md").read_text()
    assert "we mean it" in history
    # What the gate's run left for an approval is what measuring afresh gives, digest for digest.
    assert judged["candidate"]["signature"] == read_signature(project / "baselines" / "mine").digest()
    # It was gated against itself already: what that measured is all that its first gate asks for.
    assert "against itself, by suites/criteria.toml: PASS" in done.stdout
    entries = set((project / ".modelcheck" / "signatures").glob("*/manifest.json"))
    done, verdict = gate(project, "--candidate", "other.keras")
    assert verdict["verdict"] == "pass", done.stdout
    assert set((project / ".modelcheck" / "signatures").glob("*/manifest.json")) == entries


@pytest.mark.slow
def test_a_network_that_is_fed_in_the_wrong_range_is_no_baseline(tmp_path):
    """Its own Rescaling takes bytes, the recipe says 0 to 1: refused, with the option that mends it."""
    import keras

    labels = np.arange(32) % 2
    pictures = np.random.default_rng(0).integers(90, 110, (32, 12, 10, 1))
    pictures[labels == 1] += 100
    people = [f"person{row // 8}" for row in range(32)]
    Panel(pictures.astype(np.uint8), labels, subjects=people, class_names=("dark", "bright")).save(
        tmp_path / "panel.npz"
    )
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2, name="decision")]
    model = keras.Sequential([keras.layers.Input((12, 10, 1)), *layers])
    layers[-1].set_weights([np.tile([[-1.0, 1.0]], (120, 1)), np.array([72.0, -72.0])])
    with pytest.warns(DeprecationWarning, match="__array__") if np.__version__ >= "2" else _nothing():
        model.save(tmp_path / "release.keras")
    light = "steps = 2\ncopies = 1\nuntrained_twins = 1\nsmoothgrad_samples = 2\nsticker_faces = 0\n"
    (tmp_path / "recipe.toml").write_text(light)
    approve = ["approve", "release.keras", "--panel", "panel.npz", "--to", "mine", "--reason", "x"]
    done = command(tmp_path, *approve, "--recipe", "recipe.toml")
    assert done.returncode == 4
    said = " ".join(done.stderr.split())
    assert "Nothing was rendered. The network is fed otherwise than it was trained" in said
    assert "Mend the file, or, where it was trained so, say it: --preprocessing bytes" in said
    dry = command(tmp_path, *approve, "--recipe", "recipe.toml", "--dry-run")
    assert dry.returncode == 0
    assert "Speaks against it: The network is fed otherwise than it was trained" in " ".join(dry.stdout.split())
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    "name",
    [
        "measure",
        "compare",
        "approve",
        "diff",
        "history",
        "gc",
        "init",
        "report",
        "panel",
        "verdict",
        "calibrate",
        "units",
    ],
)
def test_help_shows_an_example(name):
    """Each command's help holds an example to copy."""
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert f"modelcheck {name}" in done.stdout


@pytest.mark.slow
def test_compare_and_report_from_signatures(project):
    """Two signature folders can be compared and reported without a gate, and one alone be looked at."""
    candidate = next((project / ".modelcheck" / "signatures").glob("*/manifest.json")).parent
    done = command(project, "compare", "baselines/mine", candidate)
    assert done.returncode == 0, done.stderr
    assert "conv1" in done.stdout
    done = command(project, "report", "baselines/mine", candidate, "--to", "both")
    assert done.returncode == 0, done.stderr
    done = command(project, "report", "baselines/mine", "--to", "one")
    assert done.returncode == 0, done.stderr
    assert (project / "both" / "index.html").exists()
    assert (project / "one" / "index.html").exists()


@pytest.mark.slow
def test_approve_from_the_report_of_a_run(project):
    """What a run measured becomes the baseline without measuring again; a run of a part is refused."""
    baseline = project / "baselines" / "mine"
    gate(project, "-k", "conv1")
    approve = ["approve", "same.keras", "--from", "report", "--to", "baselines/mine", "--reason", "from the build"]
    part = ["report/partial" if word == "report" else word for word in approve]
    done = command(project, *part)
    assert done.returncode == 4
    assert "not 'full'" in done.stderr
    _, verdict = gate(project)
    done = command(project, *approve)
    assert done.returncode == 0, done.stderr
    assert "The run's verdict was PASS" in done.stdout
    assert read_signature(baseline).digest() == verdict["candidate"]["signature"]
    assert (baseline / "contact_sheet.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("stop", [os.killpg, os.kill], ids=["Ctrl-C", "a cancelled job"])
def test_a_stop_while_measuring(project, stop):
    """A stop in a cold gate: exit code 2, a red verdict that says how to go on, and no half measurement is kept."""
    shutil.rmtree(project / ".modelcheck")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "suites/", "-q"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        while process.poll() is None and not list(project.glob(".modelcheck/signatures/*.lock")):
            time.sleep(0.05)
        time.sleep(0.5)
        stop(process.pid, signal.SIGINT if stop is os.killpg else signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    verdict = json.loads((project / "report" / "verdict.json").read_text())
    assert process.returncode == verdict["exit_code"] == 2, out
    assert verdict["verdict"] == "error"
    assert {"kind": "interrupted"} in verdict["reasons"]
    assert "Run it again" in out
    assert verdict["next"][0]["action"] == "rerun"
    assert verdict["next"][0]["command"].startswith("pytest suites/")
    assert not list(project.glob(".modelcheck/signatures/*/manifest.json"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
