"""Fuzzing the readers of LiteRT and ONNX files: damaged bytes give a report, clean or with refusals, and nothing else.

Sixty inputs a file in an ordinary run; `benchmarks/fuzz_model_files.py` runs for as long as you
like, and loads what is damaged and clean all the same.
"""

import contextlib
import json
import random

import fuzz_model_files
import pytest
from fuzz_model_files import damage
from hypothesis import given
from hypothesis import strategies as st

import onnx_files
import tflite_files
from fuzzing import EXAMPLES, FUZZ, damaged
from modelcheck.modelfile import ScanReport, scan_bytes, tell_format
from modelcheck.modelfile.refusal import StrangeFileError
from modelcheck.modelfile.tflite import read_tflite

WHOLE = [
    tflite_files.build(tflite_files.network()),
    tflite_files.build(tflite_files.network(quantised=True)),
    onnx_files.network(),
    onnx_files.quantised(),
]


def check(data):
    """Look at bytes: a report comes of it, which goes through JSON unchanged and has printable lines only."""
    report = scan_bytes(data, name="x")
    assert report.format == tell_format(data)
    assert ScanReport.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report
    assert all(sign.isprintable() for line in report.lines() for sign in line)
    return report


@pytest.mark.parametrize("whole", WHOLE, ids=["litert", "litert_int8", "onnx", "onnx_int8"])
@FUZZ
@given(data=st.data())
def test_fuzz_damaged_graphs(whole, data):
    """Bytes set, cut, put in and doubled."""
    check(data.draw(damaged(whole)))


@FUZZ
@given(seed=st.integers(0, 2**32 - 1))
def test_fuzz_lengths_and_pieces(seed):
    """Bits, lengths, offsets, and pieces of the other files."""
    draw = random.Random(seed)
    check(damage(draw.choice(WHOLE), draw, WHOLE))


@pytest.mark.parametrize("whole", WHOLE, ids=["litert", "litert_int8", "onnx", "onnx_int8"])
def test_every_cut_is_refused_or_loses_nothing(whole):
    """A file that is cut off anywhere is refused; only bytes behind the last thing, which align, can be missing."""
    for end in range(len(whole) - 1, 8, -7):
        report = check(whole[:end])
        assert report.refusals or len(whole) - end < 16


@FUZZ
@given(words=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 80), max_size=60))
def test_fuzz_offsets_alone(words):
    """Nothing but offsets, small and large, behind the identifier: refused, or a graph."""
    data = b"".join(word.to_bytes(4, "little") for word in words)
    data = data[:4].ljust(4, b"\0") + b"TFL3" + data[4:]
    with contextlib.suppress(StrangeFileError):
        assert read_tflite(data).outputs


def test_the_fuzzer_finds_what_is_at_fault(monkeypatch, tmp_path, capsys):
    """A reader that raises an error of its own is a finding, and the script ends with 1."""

    def careless(data, *, name):
        if data not in WHOLE:
            raise IndexError("beyond the end")
        return scan_bytes(data, name=name)

    (tmp_path / "a.tflite").write_bytes(WHOLE[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz_model_files, "scan_bytes", careless)
    monkeypatch.setattr("sys.argv", ["fuzz", "--seconds", "0.05", "a.tflite"])
    assert fuzz_model_files.main() == 1
    assert "IndexError" in capsys.readouterr().out
    assert (tmp_path / "finding-1").is_file()


def test_damage_does_damage():
    """Most of what the fuzzers make differs from the file that it is made from, and much is refused."""
    draw = random.Random(3)
    made = [damage(WHOLE[0], draw, WHOLE) for _ in range(max(EXAMPLES, 60))]
    assert sum(data != WHOLE[0] for data in made) > 0.8 * len(made)
    assert sum(bool(scan_bytes(data, name="x").refusals) for data in made) > 0.3 * len(made)
