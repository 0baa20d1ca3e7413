"""Whatever stands in the place of a file, readers say so at once: a pipe, a device, a folder, a circle of links."""

import ast
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval.swap import find_unfinished
from modelcheck.cli.child import main as measure
from modelcheck.cli.limits import Questions
from modelcheck.cli.shared import recipe_from
from modelcheck.cli.start import Paths, write_configuration
from modelcheck.comparison import METRICS
from modelcheck.faces.cmu import read_pgm
from modelcheck.faces.regions import read_boxes
from modelcheck.gate.artefacts import take_candidate
from modelcheck.gate.plan import make_plan
from modelcheck.gate.promotion import refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.gate.settings import Settings, read_settings
from modelcheck.judgement.criteria import read_criteria
from modelcheck.judgement.waiver_file import read_waivers
from modelcheck.modelfile import scan_model
from modelcheck.panel import Panel
from modelcheck.signature import read_manifest, read_signature
from modelcheck.support.files import hash_file, read_file, read_start
from signatures import make_signature

PACKAGE = Path(__file__).parents[1] / "modelcheck"
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system knows no pipes in folders")


def put_pipe(path):
    os.mkfifo(path)


def put_device(path):
    path.symlink_to("/dev/zero")


def put_folder(path):
    path.mkdir()


def put_circle(path):
    other = path.with_name(f"{path.name}.other")
    other.symlink_to(path)
    path.symlink_to(other)


def put_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def put_endless(path):
    with path.open("wb") as file:
        file.truncate(2**43)  # of which nothing lies on the disk


KINDS = {
    "pipe": put_pipe,
    "device": put_device,
    "folder": put_folder,
    "circle": put_circle,
    "socket": put_socket,
    "endless": put_endless,
}


def plan_of(folder):
    """Plan a run whose criteria or waivers are at fault."""
    make_signature().write(folder / "baseline")
    shutil.copy(PACKAGE.parent / "suites" / "criteria.toml", folder / "criteria.toml")
    network = folder / "a.keras"
    network.write_bytes(b"")
    return {"candidate": network, "baseline": folder / "baseline", "criteria": folder / "criteria.toml"}


def without(path):
    """Take a file or folder away, so that something else can stand in its place."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


# Each reader: where the file stands in a folder, and how it is read from there.
READERS = {
    "file": ("x", lambda folder: read_file(folder / "x")),
    "digest": ("x", lambda folder: hash_file(folder / "x")),
    "start": ("x", lambda folder: read_start(folder / "x", size=8)),
    "network": ("x.keras", lambda folder: scan_model(folder / "x.keras")),
    "panel": ("x.npz", lambda folder: Panel.load(folder / "x.npz")),
    "manifest": ("manifest.json", read_manifest),
    "signature": ("manifest.json", read_signature),
    "settings": ("pyproject.toml", read_settings),
    "criteria": ("x.toml", lambda folder: read_criteria(folder / "x.toml", metrics=METRICS)),
    "waivers": ("x.toml", lambda folder: read_waivers(folder / "x.toml", metrics=METRICS)),
    "recipe": ("x.toml", lambda folder: recipe_from(folder / "x.toml")),
    "verdict": ("verdict.json", lambda folder: read_verdict(folder / "verdict.json")),
    "report": ("verdict.json", take_candidate),
    "boxes": ("x.csv", lambda folder: read_boxes(folder / "x.csv")),
    "pgm": ("x.pgm", lambda folder: read_pgm(folder / "x.pgm")),
    "init": ("pyproject.toml", lambda folder: list(configure(folder))),
}


def configure(folder):
    return write_configuration(folder, Paths(candidate="a", baseline="b", panel="c"), questions=Questions())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits(reader, kind, tmp_path):
    """A reader that meets no regular file of bounded size raises its own error, which says what is there."""
    name, read = READERS[reader]
    KINDS[kind](tmp_path / name)
    if (reader, kind) == ("network", "folder"):
        assert read(tmp_path).refusals  # a SavedModel, perhaps: a report says so
        return
    with pytest.raises((ValueError, OSError)) as error:
        read(tmp_path)
    words = {"circle": os.strerror(errno.ELOOP), "endless": "more than", "device": "a device"}
    assert words.get(kind, f"a {kind}") in str(error.value)


@pytest.mark.parametrize("kind", ["pipe", "circle"])
def test_no_reader_of_a_run_waits(kind, tmp_path):
    """The plan of a run reads manifest, criteria, waivers and baseline's network: none of them is waited for."""
    parts = plan_of(tmp_path)
    KINDS[kind](tmp_path / "x")
    for name in ("criteria", "waivers", "baseline_model"):
        with pytest.raises(ValueError, match=r"a pipe|symbolic links"):
            make_plan(Settings(**{**parts, name: tmp_path / "x"}))
    KINDS[kind](without(tmp_path / "baseline" / "manifest.json"))
    with pytest.raises(ValueError, match=r"a pipe|symbolic links"):
        make_plan(Settings(**parts))


@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
def test_no_command_waits(kind, tmp_path):
    """Commands end with exit code 4 and one sentence, or name what is wrong."""
    KINDS[kind](tmp_path / "x")
    (tmp_path / "b").mkdir()
    KINDS[kind](tmp_path / "b" / "HISTORY.md")
    x = str(tmp_path / "x")
    for words in (
        ["scan", x],
        ["verdict", x, "--candidate", x],
        ["report", x],
        ["history", str(tmp_path / "b")],
        ["compare", x, x],
        ["calibrate", x, "--twin", x, "--twin", x],
        ["approve", x, "--panel", x, "--to", x, "--reason", "y"],
        ["approve", x, "--from", x, "--to", x, "--reason", "y"],
    ):
        done = CliRunner().invoke(main, words)
        assert done.exit_code in (1, 4), (words, done.output, done.exception)
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)


def test_what_an_approval_left_is_not_waited_for(tmp_path):
    """A plan that is no regular file is no plan; a measuring process whose request is a pipe ends with code 4."""
    (tmp_path / ".approval").mkdir()
    put_pipe(tmp_path / ".approval" / "plan.json")
    assert find_unfinished(tmp_path) is None
    put_pipe(tmp_path / "request.json")
    assert measure(str(tmp_path / "request.json"), str(tmp_path / "s")) == 4


def test_a_released_file_is_not_waited_for(tmp_path):
    """The check of a release reads the candidate in pieces, and no pipe."""
    put_pipe(tmp_path / "x")
    document = {"verdict": "pass", "scope": "full", "not_judged": [], "enforced": True}
    document |= {key: {} for key in ("candidate", "baseline", "panel", "recipe", "criteria", "settings")}
    with pytest.raises(OSError, match="a pipe"):
        refusal(document, tmp_path / "x", today=None)


def test_strange_names_are_errors_of_their_own(tmp_path):
    """A name that no file can have is an OSError, as a missing file is."""
    for name in ("a\0b", "x" * 5000, "\ud800"):
        with pytest.raises(OSError, match="name"):
            read_file(tmp_path / name)


def test_a_file_that_grows_is_refused(tmp_path, monkeypatch):
    """What is longer than it said is not read to some place in its middle."""
    path = tmp_path / "x"
    path.write_bytes(b"a" * 10)
    real = os.fstat

    def smaller(descriptor):
        path.write_bytes(b"a" * 20)
        return os.stat_result((*real(descriptor)[:6], 10, *real(descriptor)[7:]))

    monkeypatch.setattr(os, "fstat", smaller)
    for read in (read_file, hash_file):
        with pytest.raises(OSError, match="changed while it was read"):
            read(path)


# Files that nobody but modelcheck or a package manager puts in their places.
OWN = {
    "gate/reading.py": "the schema beside it",
    "report/__init__.py": "templates beside it",
    "cli/limits.py": "templates beside it",
    "cli/help.py": "pages beside it",
    "faces/download.py": "an archive that it has just written itself",
}
READS = {"read_text", "read_bytes", "file_digest", "imread", "fromfile", "loadtxt", "genfromtxt", "read_csv", "memmap"}


def reads_of(tree):
    """Yield the line and name of every call that reads a file, whatever it is called on."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        owner = ast.unparse(called.value) if isinstance(called, ast.Attribute) else ""
        modes = [
            word.value
            for word in [*node.args, *(item.value for item in node.keywords)]
            if isinstance(word, ast.Constant)
        ]
        writes = any(isinstance(mode, str) and re.fullmatch(r"[wxa]b?\+?", mode) for mode in modes)
        if name in READS or (name == "load" and owner in ("np", "numpy", "json", "tomllib", "pickle")):
            yield node.lineno, name
        elif name == "loads" and owner in ("json", "tomllib"):
            yield node.lineno, f"{owner}.loads"
        elif name in ("open", "fdopen") and not writes and (owner, name) != ("os", "fdopen"):
            yield node.lineno, f"{owner}.open".lstrip(".")


@pytest.mark.slow
def test_files_are_read_in_one_place():
    """No module but support/files.py opens a file that a user names; who reads its own files is listed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        lines = [
            f"{line} {name}"
            for line, name in reads_of(ast.parse(path.read_text(encoding="utf-8")))
            if not name.endswith(".loads")
        ]
        if lines and where not in OWN and where != "support/files.py":
            found[where] = lines
    assert found == {
        "support/folders.py": [found["support/folders.py"][0]],  # a folder, to bring its names to the disk
        "support/pictures.py": [found["support/pictures.py"][0]],  # bytes that were read before
    }


@pytest.mark.slow
def test_documents_are_parsed_in_one_place():
    """No module but support/tables.py parses JSON or TOML from outside."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.endswith("loads") for _, name in reads_of(ast.parse(path.read_text(encoding="utf-8"))))
    }
    # The schema beside it; findings and inputs of our own workers; settings as they were just written.
    ours = {"gate/reading.py", "gate/inputs.py", "gate/session.py", "recipe.py", "table_recipe.py"}
    assert found == {"support/tables.py", *ours}


def test_the_rule_can_fail():
    """The search sees each way to read a file, so the rules above are no formality."""
    lines = [
        "p.read_text()",
        "open(p)",
        "p.open('rb')",
        "os.open(p, 0)",
        "json.loads(t)",
        "np.load(p)",
        "Image.open(p)",
    ]
    assert len(list(reads_of(ast.parse("\n".join(lines))))) == len(lines)
    assert not list(reads_of(ast.parse("p.open('w')\np.write_text(t)")))


HELD = """
import sys
from modelcheck.support.files import read_file
try:
    read_file("/dev/stdin")
except OSError as error:
    print(error.strerror)
"""


def test_standard_input_is_no_file():
    """A pipe under the name of a device is refused, although nothing was asked of its writer."""
    done = subprocess.run(
        [sys.executable, "-c", HELD], check=True, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=60
    )
    assert "a pipe" in done.stdout
