"""Small files that would cost the scan hours or gigabytes: refused, with work and memory that follow the bytes."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

import hdf5_files
from hostile import honest, packed, sequential
from modelcheck import modelfile
from modelcheck.__main__ import main
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.child import ChildError, RefusedError, scan_in_child
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.modelfile import ScanError, ScanReport, scan_bytes
from modelcheck.modelfile.config import read_json, walk
from modelcheck.modelfile.refusal import MAX_REFUSALS
from modelcheck.modelfile.weights import _Walk, check_weights

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "make",
    [hdf5_files.one_set, hdf5_files.inner_group, lambda: hdf5_files.two_names(b"a", b"b")],
    ids=["set", "group", "two"],
)
def test_plain_files_pass(make):
    """What is written byte by byte and strange in nothing is clean, and the HDF5 library reads it."""
    data = make()
    assert check_weights(data, "w")[1] == ()
    with h5py.File(io.BytesIO(data)) as file:
        assert "a" in file


@pytest.mark.parametrize("name", hdf5_files.STRANGE)
def test_strange_weights_are_refused(name):
    """A message twice, one behind the count, a name twice, another table remembered, overlaps: refused by name."""
    _, refusals = check_weights(hdf5_files.STRANGE[name](), "w")
    assert [refusal.rule for refusal in refusals] == ["weights"]


def test_a_second_layout_is_called_so():
    """The refusal of a repeated message names it."""
    _, (refusal,) = check_weights(hdf5_files.layout_before(), "w")
    assert "'/a' has a layout twice" in refusal.reason


@pytest.mark.parametrize("kind", sorted(set(range(0x19)) - {0x00, 0x01, 0x03, 0x05, 0x08, 0x0C, 0x10, 0x11, 0x12}))
def test_unknown_messages_are_refused(kind):
    """A message of any kind that Keras does not write is refused, also where the library would skip it."""
    assert check_weights(hdf5_files.one_set(hdf5_files.message(kind, b"\0" * 8)), "w")[1]


@pytest.mark.parametrize(
    "make",
    [lambda: hdf5_files.overlapping(500, 20_000), lambda: hdf5_files.nested(60, 10_000), hdf5_files.one_long_name],
    ids=["overlapping", "nested", "names"],
)
def test_the_walk_pays_for_every_byte(make, monkeypatch):
    """All that the walk looks at together is at most twice the file, however its structures overlap."""
    looked, real = [0], _Walk.look

    def count(self, address, size, what):
        looked[0] += size
        return real(self, address, size, what)

    monkeypatch.setattr(_Walk, "look", count)
    data = make()
    check_weights(data, "w")
    assert looked[0] <= 2 * len(data) + 2**17  # the last look is one too many, and is of one message at most


def deep_keys(values):
    """Return a configuration of some 0.2 MB whose every value stands at the end of a path of 50,000 characters."""
    inner = values
    for _ in range(120):
        inner = {"\U000e0001" * 40: inner}
    return json.dumps({**sequential(), "build_config": inner}).encode()


BOMBS = {
    "overlapping": lambda: {"model.weights.h5": hdf5_files.overlapping(60_000)},
    "names": lambda: {"model.weights.h5": hdf5_files.nested()},
    "deep_keys": lambda: {"config.json": deep_keys([0] * 60_000)},
    "deep_refusals": lambda: {"config.json": deep_keys(["/etc/passwd"] * 15_000)},
    "empty_lists": lambda: {"config.json": b'{"a": [' + b"[]," * 2_700_000 + b"0]}"},
    "empty_tables": lambda: {"config.json": b'{"a": [' + b"{}," * 2_700_000 + b"0]}"},
    "brackets": lambda: {"config.json": b"[" * 200_000},
    "quotes": lambda: {"config.json": b'{"a": "' + b'\\"' * 4_000_000},
}
SCAN = """
import re, resource, sys
from pathlib import Path
from modelcheck.modelfile import scan_model

def most():  # not getrusage, which counts the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

before = most()
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
report = scan_model(sys.argv[1])
print((most() - before) // 1024, len(report.lines()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to RLIMIT_DATA")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_no_more_than_they_hold(name, tmp_path):
    """A file made to take hours or gigabytes is looked at in seconds, in some times its unpacked bytes of memory."""
    parts = {**honest(), **BOMBS[name]()}
    (tmp_path / "x.keras").write_bytes(packed(parts, method=zipfile.ZIP_DEFLATED))
    command = [sys.executable, "-c", SCAN, str(tmp_path / "x.keras")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    used, lines = map(int, done.stdout.split())
    assert used < 100 + 8 * sum(map(len, parts.values())) / 2**20
    assert lines < 200


def test_refusals_are_counted_to_an_end():
    """A configuration with a fault in every value is refused for some of them, and the report says so."""
    document = {**sequential(), "build_config": ["/etc/passwd"] * 5000}
    data = packed({**honest(), "config.json": json.dumps(document).encode()})
    report = scan_bytes(data, name="x")
    assert MAX_REFUSALS <= len(report.refusals) < MAX_REFUSALS + 10
    assert f"REFUSED, at least {len(report.refusals)} reasons:" in report.lines()


def test_a_refusal_says_where_it_stands():
    """The place of a value is written as Python would reach it, with keys that are no words in quotes."""
    document = {**sequential(), "build_config": {"a": [0, {"b c": "/etc/passwd"}]}}
    assert [refusal.where for refusal in walk(document).refusals] == ["config.json.build_config.a[1].'b c'"]


@pytest.mark.parametrize(
    "text", ["[1e999]", "NaN", '{"a": 1, "a": 2}', "[" * 100_000, '"', "", "1" * 5000, '{"a":' * 999]
)
def test_no_document_is_a_traceback(text):
    """Whatever stands in a member of JSON, it is read or refused."""
    document, refusal = read_json(text.encode(), "config.json")
    assert document is None
    assert refusal.rule == "json"


def test_a_report_travels_whole():
    """What the scanning process tells is what was seen, whatever the names are made of."""
    document = sequential({**sequential(), "class_name": "\ud800\x1b", "config": {"name": "a\0"}})
    for data in (packed(honest()), packed({**honest(), "config.json": json.dumps(document).encode()}), b""):
        report = scan_bytes(data, name="x", custom_objects=["own>X"])
        assert ScanReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to RLIMIT_DATA")
def test_the_scan_runs_within_limits(tmp_path):
    """A file that needs more memory than the settings allow is an error that says so, and not the caller's end."""
    parts = {**honest(), "model.weights.h5": b"\0" * 2**30}
    (tmp_path / "x.keras").write_bytes(packed(parts, method=zipfile.ZIP_STORED))
    with pytest.raises(ChildError, match=r"Looking at .* ran out of memory \(its limit is 0.5 GiB\)"):
        scan_in_child(tmp_path / "x.keras", settings=Settings(memory=0.5))


def test_the_scan_says_what_is_missing(tmp_path):
    """An error of the scanning process is raised as if the file had been looked at here."""
    with pytest.raises(ScanError, match="There is no network file"):
        scan_in_child(tmp_path / "none.keras")


def test_nothing_is_scanned_in_the_gates_own_process(tmp_path, monkeypatch):
    """Command and gate look at a file in the process with limits alone."""

    def refuse(*_, **__):
        raise AssertionError("scanned here")

    monkeypatch.setattr(modelfile, "scan_bytes", refuse)
    path = tmp_path / "x.keras"
    path.write_bytes(packed({**honest(), "data.pkl": b""}))
    assert CliRunner().invoke(main, ["scan", str(path)]).exit_code == 4
    request = Request(network=path, panel=tmp_path / "x.npz", like=tmp_path)
    with pytest.raises(RefusedError, match="a pickle is a program"):
        load_or_measure(request, digests={}, settings=Settings(cache=tmp_path / "cache"))
