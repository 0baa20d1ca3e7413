"""Where something is rendered, a file that ships is refused at once, by every door, with the two commands that work."""

import dataclasses
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval import proposal as proposals
from modelcheck.approval import propose, propose_from_report, propose_twins
from modelcheck.gate import child
from modelcheck.gate.plan import make_plan
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.settings import Settings, SettingsError
from onnx_files import network
from signatures import make_panel, make_signature

ROOT = Path(__file__).parents[1]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with two files that ship, in which nothing can be measured."""
    (tmp_path / "my phone.tflite").write_bytes(bytes(4) + b"TFL3")
    make_panel().save(tmp_path / "heldout.npz")
    make_signature("release").write(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(child, "_watch", lambda *_, **__: pytest.fail("something was started"))
    return tmp_path


def check(message, *, command):
    """Look whether a refusal says what the file is, and names both commands, which a shell takes apart as meant."""
    assert "'my phone.tflite' is a LiteRT (TensorFlow Lite) file" in message
    assert "is rendered, which such a file cannot be" in message
    first, second = message.partition("converted from: ")[2].split("; and gate the file itself: ")
    assert shlex.split(first)[: len(command)] == command
    assert shlex.split(second.strip()) == ["pytest", "suites/", "--candidate", "my phone.tflite"]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (
            ["approve", "my phone.tflite", "--panel", "heldout.npz", "--to", "new", "--reason", "x"],
            ["modelcheck", "approve", "PARENT.keras", "--panel", "heldout.npz", "--to", "new"],
        ),
        (
            ["calibrate", "base", "--panel", "heldout.npz", "--twin", "a.keras", "--twin", "my phone.tflite"],
            [
                *("modelcheck", "calibrate", "base", "--panel", "heldout.npz"),
                *("--twin", "a.keras", "--twin", "PARENT.keras"),
            ],
        ),
        (
            ["units", "my phone.tflite", "--panel", "heldout.npz"],
            ["modelcheck", "units", "PARENT.keras", "--panel", "heldout.npz"],
        ),
    ],
    ids=["approve", "calibrate", "units"],
)
def test_every_command_refuses_a_file_that_ships(place, words, command):
    """Approve, calibrate and units end with exit code 4 before anything is started, and write nothing."""
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 4, done.output
    check(done.stderr.replace("\n", ""), command=command)
    assert not (place / "new").exists()


@pytest.mark.parametrize("name", ["baseline_model", "source"])
def test_the_gate_refuses_one_in_the_place_of_a_network(place, name):
    """As the baseline's network, or as the source of a candidate, it is refused when a run is planned."""
    settings = Settings(candidate=Path("my phone.tflite"), baseline=Path("base"), **{name: Path("my phone.tflite")})
    with pytest.raises(SettingsError) as caught:
        make_plan(settings)
    check(str(caught.value), command=["pytest", "suites/"])


def test_a_report_of_such_a_run_is_refused(place, monkeypatch):
    """`approve --from` takes no candidate that ships: it names the source where the run had one."""
    new = make_signature("phone")
    new = dataclasses.replace(new, model={**new.model, "file": "my phone.tflite", "runtime": "litert"})
    for document, parent in (({}, "PARENT.keras"), ({"source": {"file": "my parent.keras"}}, "my parent.keras")):
        monkeypatch.setattr(proposals, "take_candidate", lambda report, found=document: (found, new))
        with pytest.raises(SettingsError) as caught:
            propose_from_report(Path("report"), Path("base"))
        check(str(caught.value), command=["modelcheck", "approve", parent])


def test_from_python_too(place):
    """The functions behind the commands refuse it themselves."""
    with pytest.raises(SettingsError, match="a baseline is rendered"):
        propose(Path("my phone.tflite"), Path("heldout.npz"), Path("new"))
    with pytest.raises(SettingsError, match="a twin is rendered"):
        propose_twins(Path("base"), [Path("my phone.tflite")])


def test_first_bytes_decide_not_names(tmp_path):
    """A Keras network may be called anything, a missing file is not refused here, and ONNX is named."""
    (tmp_path / "x.tflite").write_bytes((ROOT / "networks" / "half_filters.keras").read_bytes())
    refuse_shipped(tmp_path / "x.tflite", what="a baseline", instead=[])
    refuse_shipped(tmp_path / "missing.tflite", what="a baseline", instead=[])
    (tmp_path / "x.keras").write_bytes(network())
    with pytest.raises(SettingsError, match="is an ONNX file"):
        refuse_shipped(tmp_path / "x.keras", what="a baseline", instead=["x"])
