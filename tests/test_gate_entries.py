"""The cache is written through no link and believed only as far as it can be: nothing outside of it is ever changed."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval import carry_out, faults, plan_replacement
from modelcheck.gate import child
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.confine import environment
from modelcheck.gate.entries import KEY, read_key
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings, SettingsError
from modelcheck.support.folders import UnsafePathError
from signatures import make_signature

NETWORK = Path(__file__).parents[1] / "networks" / "half_filters.keras"
SECRET = "0123456789abcdef" * 2


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads or "measures" a network in a project's cache, and counts what it measured."""
    made = make_signature("a", twins=0)
    made = replace(made, model={**made.model, "sha256": hashlib.sha256(NETWORK.read_bytes()).hexdigest()})
    measured = []

    def write(request, target, **_):
        measured.append(target)
        made.write(target)
        return made

    monkeypatch.setattr(child, "measure_in_child", write)
    monkeypatch.delenv(KEY, raising=False)
    asked = Request(network=NETWORK, panel=tmp_path / "panel.npz")

    def call(*, like="", **settings):
        digests = {"recipe": like}
        return load_or_measure(asked, digests=digests, settings=Settings(cache=tmp_path / ".modelcheck", **settings))

    call.measured = measured
    return call


@pytest.fixture
def baseline(tmp_path, monkeypatch):
    """Return the baseline of a project in the working folder, and a function that says whether it is as it was."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.modelcheck]\nbaseline = "baselines/mine"\n')
    folder = tmp_path / "baselines" / "mine"
    carry_out(plan_replacement(folder, make_signature("b", twins=0), facts={"platform": "here"}), reason="x")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    yield folder
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert faults(folder) == []


def entry_of(folder):
    """Return the one entry of a cache."""
    return next(path for path in (folder / ".modelcheck" / "signatures").iterdir() if path.is_dir())


def test_who_loads_a_network_is_told_whether_it_was_measured_now(load):
    """The first call measures, and says so; the second finds the same signature in the cache, and says that."""
    first, second = load(), load()
    assert (first.measured, second.measured, len(load.measured)) == ("now", "cached", 1)
    assert first.signature.digest() == second.signature.digest()


@pytest.mark.slow
@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["soft", "hard"])
@pytest.mark.parametrize("name", [".gitignore", "manifest.json", "seal.txt", ".writing-x"])
def test_a_file_of_the_cache_is_never_written_through_a_link(load, baseline, tmp_path, monkeypatch, name, link):
    """A name in the cache that leads to a baseline's manifest is replaced itself; the manifest stays as it is."""
    monkeypatch.setenv(KEY, SECRET)
    load()
    place = (tmp_path / ".modelcheck" if name == ".gitignore" else entry_of(tmp_path)) / name
    place.unlink(missing_ok=True)
    link(baseline / "manifest.json", place)
    assert load().measured == ("cached" if name == ".gitignore" else "now")
    assert not place.is_symlink()
    assert load().measured == "cached"


def test_an_entry_that_is_a_link_is_taken_away_and_not_what_it_leads_to(load, baseline, tmp_path):
    """Where an entry is due and a link to a baseline lies, the network is measured into a folder of its own."""
    load()
    entry = entry_of(tmp_path)
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(baseline)
    assert load().measured == "now"
    assert not entry.is_symlink()


@pytest.mark.slow
def test_what_is_half_written_is_measured_anew_as_a_whole(load, baseline, tmp_path, monkeypatch):
    """Nothing of an entry without a manifest stays: no link in it, and no folder where a file is due."""
    monkeypatch.setenv(KEY, SECRET)
    load()
    entry = entry_of(tmp_path)
    (entry / "manifest.json").unlink()
    (entry / "seal.txt").unlink()
    (entry / "seal.txt").mkdir()
    (entry / "linked").symlink_to(baseline)
    assert [load().measured for _ in range(2)] == ["now", "cached"]
    assert not (entry / "linked").is_symlink()


@pytest.mark.parametrize("what", ["link", "hard link", "pipe", "folder", "dangling link"])
def test_a_lock_file_is_a_file_of_ours(load, baseline, tmp_path, what):
    """A lock that leads elsewhere, or that would be waited for, is refused by name; nothing is emptied."""
    load()
    lock = entry_of(tmp_path).with_suffix(".lock")
    lock.unlink(missing_ok=True)
    make = {
        "link": lambda: lock.symlink_to(baseline / "manifest.json"),
        "hard link": lambda: lock.hardlink_to(baseline / "manifest.json"),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
        "dangling link": lambda: lock.symlink_to(baseline / "new"),
    }
    make[what]()
    with pytest.raises(UnsafePathError, match="Remove it"):
        load()


@pytest.mark.parametrize("below", ["", "signatures"])
def test_a_cache_that_is_a_link_is_refused(load, baseline, tmp_path, below):
    """The cache, or its folder of entries, as a link to a baseline: nothing is written there, and the message helps."""
    place = tmp_path / ".modelcheck" / below
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(baseline)
    with pytest.raises(UnsafePathError, match=r"links are not followed.*cache in \[tool.modelcheck\]"):
        load()
    done = CliRunner().invoke(main, ["gc", "--delete"])
    assert (done.exit_code, "links are not followed" in done.output) == (4, True)


def test_gc_takes_links_away_and_follows_none(load, baseline, tmp_path):
    """Links among the entries, to a baseline or within an entry, go; what they lead to stays."""
    load()
    signatures = tmp_path / ".modelcheck" / "signatures"
    (signatures / "linked").symlink_to(baseline)
    (signatures / "half").mkdir()
    (signatures / "half" / "manifest.json").symlink_to(baseline / "manifest.json")
    (signatures / "deep").mkdir()
    (signatures / "deep" / "inner").symlink_to(baseline)
    (signatures / "piped").mkdir()
    os.mkfifo(signatures / "piped" / "manifest.json")
    (signatures / "held").symlink_to(baseline)
    (signatures / "held.lock").symlink_to(baseline / "manifest.json")
    done = CliRunner().invoke(main, ["gc", "--delete"])
    assert done.exit_code == 0, done.output
    assert "signatures/linked (0.0 kB): it is a link" in done.output
    assert "kept" in done.output
    left = {path.name for path in signatures.iterdir() if path.suffix != ".lock"}
    assert not left & {"linked", "half", "deep", "piped"}


@pytest.mark.slow
def test_with_a_key_only_a_sealed_entry_is_believed(load, tmp_path, monkeypatch):
    """An entry without a seal is measured again, once, and that is said; sealed, it is believed, without a key too."""
    load()
    monkeypatch.setenv(KEY, SECRET)
    again = load()
    assert again.measured == "now"
    assert f"not sealed by {KEY}" in again.note
    assert (load().measured, load().note) == ("cached", "")
    monkeypatch.delenv(KEY)
    assert load().measured == "cached"


@pytest.mark.slow
@pytest.mark.parametrize("forge", ["content", "seal", "another key", "another entry"])
def test_a_forged_entry_is_measured_again(load, tmp_path, monkeypatch, forge):
    """Other numbers, another seal, that of another key or of another entry: none is believed."""
    monkeypatch.setenv(KEY, SECRET)
    true = load().signature
    entry = entry_of(tmp_path)
    sealed = (entry / "seal.txt").read_bytes()
    if forge == "content":
        replace(true, scores=true.scores + 1).write(entry)
        assert (entry / "seal.txt").read_bytes() == sealed
    elif forge == "seal":
        (entry / "seal.txt").write_bytes(b"0" * 64)
    elif forge == "another key":
        monkeypatch.setenv(KEY, SECRET.upper())
        (entry / "seal.txt").unlink()
        load()
        monkeypatch.setenv(KEY, SECRET)
    else:
        load(like="another recipe")
        other = next(path for path in entry.parent.iterdir() if path.is_dir() and path != entry)
        (entry / "seal.txt").write_bytes((other / "seal.txt").read_bytes())
    loaded = load()
    assert (loaded.measured, loaded.note != "") == ("now", True)
    assert loaded.signature.digest() == true.digest()
    assert load().measured == "cached"


def test_the_key_stays_with_the_gate():
    """The measuring process does not get the key; one that can be guessed is refused, an empty one is none."""
    assert KEY not in environment({KEY: SECRET, "PATH": "bin"}, home="home")
    assert read_key({KEY: SECRET}) == SECRET.encode()
    assert read_key({KEY: ""}) is read_key({}) is None
    with pytest.raises(SettingsError, match="has 5 characters; expected 32"):
        read_key({KEY: "short"})
