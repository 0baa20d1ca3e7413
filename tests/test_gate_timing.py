"""How long an answer took stands beside a measurement, for information: no digest and no judgement knows it."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

import gates
from modelcheck.gate import child
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.reading import read_verdict
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.gate.timing import read_timing, write_timing
from modelcheck.signature import read_signature
from signatures import make_signature

ROOT = Path(__file__).parents[1]


def test_what_is_no_time_is_not_shown(tmp_path):
    """A time is read as it was written; whatever else the file holds, or if it is none, is nothing."""
    assert read_timing(tmp_path) is None
    write_timing(tmp_path, 0.0125)
    assert read_timing(tmp_path) == 0.0125
    for text in ("", "{", "[1]", '{"seconds_per_picture": "1"}', '{"seconds_per_picture": true}', "[" * 1000,
                 '{"seconds_per_picture": NaN}', '{"seconds_per_picture": -1}', '{"seconds_per_picture": 1e9}',
                 '{"seconds_per_picture": 1' + " " * 300 + "}"):  # fmt: skip
        (tmp_path / "timing.json").write_text(text)
        assert read_timing(tmp_path) is None, text
    write_timing(tmp_path, float("nan"))
    assert not (tmp_path / "timing.json").exists()
    (tmp_path / "timing.json").mkdir()
    assert read_timing(tmp_path) is None
    write_timing(tmp_path, 1.0)  # what cannot be written is left out
    (tmp_path / "timing.json").rmdir()
    (tmp_path / "real.json").write_text('{"seconds_per_picture": 1}')
    (tmp_path / "timing.json").symlink_to(tmp_path / "real.json")
    assert read_timing(tmp_path) is None


def test_a_time_moves_no_digest_and_survives_the_cache(tmp_path, monkeypatch):
    """The entry with its time is believed, sealed too, and the signature is the same with or without."""
    network = tmp_path / "a.keras"
    network.write_bytes((ROOT / "networks" / "half_filters.keras").read_bytes())
    made = make_signature("a")
    model = {**made.model, "file": "a.keras", "sha256": hashlib.sha256(network.read_bytes()).hexdigest()}
    made = dataclasses.replace(made, model=model)

    def write(request, target, **_):
        made.write(target)
        write_timing(target, 0.5)
        return read_signature(target)

    monkeypatch.setattr(child, "measure_in_child", write)
    monkeypatch.setenv("MODELCHECK_CACHE_KEY", "k" * 40)
    asked = Request(network=network, panel=tmp_path / "panel.npz")
    settings = Settings(cache=tmp_path / "cache")
    first = load_or_measure(asked, digests={}, settings=settings)
    second = load_or_measure(asked, digests={}, settings=settings)
    assert (first.measured, second.measured) == ("now", "cached")
    assert first.seconds_per_picture == second.seconds_per_picture == 0.5
    assert first.signature.digest() == second.signature.digest() == made.digest()


@pytest.mark.slow
def test_a_verdict_says_it_outside_of_its_seal(project):
    """It stands in `volatile`, where it was kept, and the sealed part is the same with and without."""
    assert gates.run(project, "suites").returncode in (0, 1)
    before = read_verdict(project / "report" / "verdict.json")
    assert "seconds_per_picture" not in before["volatile"]
    for entry in (project / ".modelcheck" / "signatures").glob("*/manifest.json"):
        write_timing(entry.parent, 0.002)
    gates.run(project, "suites")
    after = read_verdict(project / "report" / "verdict.json")
    assert after["volatile"]["measured"] == "cached"
    assert after["volatile"]["seconds_per_picture"] == {"candidate": 0.002, "source": None}
    assert after["digest"] == before["digest"]
