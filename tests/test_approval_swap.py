"""What killed writers, or anybody else, left in a baseline's folder never stands in the way of the next approval."""

import os

import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval import HISTORY, SHEET, Entry, carry_out, faults, plan_replacement, put_in_place, settle
from modelcheck.signature import SignatureError, read_signature
from modelcheck.support.locks import FolderBusyError, folder_lock
from signatures import make_panel, make_signature
from test_support_folders import OBSTACLES

LAYERS = (("conv1", "conv", 2), ("decision", "decision", 2))
PANEL = make_panel(size=(6, 5), per_subject=4)
OLD, NEW = (make_signature(name, seed=seed, panel=PANEL, layers=LAYERS, twins=0) for name, seed in (("a", 1), ("b", 2)))


def approve(folder, signature):
    """Approve a signature that was measured elsewhere."""
    carry_out(plan_replacement(folder, signature, facts={"platform": "here"}), reason="x")


@pytest.fixture
def baseline(tmp_path):
    """Return an approved baseline, with a folder beside it that nothing may touch."""
    approve(tmp_path / "mine", OLD)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "plan.json").write_text("{}")
    yield tmp_path / "mine"
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["plan.json"]


@pytest.mark.parametrize("kind", OBSTACLES)
@pytest.mark.parametrize("name", [".approval", ".writing-x", "maps-0123456789abcdef.npz"])
def test_what_was_left_stops_no_approval(baseline, tmp_path, name, kind):
    """A file, a folder, a link or a pipe in the place of a half-written approval or file: the next one works."""
    OBSTACLES[kind](baseline / name, tmp_path / "other")
    approve(baseline, NEW)
    assert read_signature(baseline).digest() == NEW.digest()
    assert faults(baseline) == []
    assert not [path for path in baseline.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", OBSTACLES)
@pytest.mark.parametrize("name", ["plan.json", "entry.md", SHEET])
def test_an_approval_that_was_left_in_pieces_is_forgotten(baseline, tmp_path, name, kind):
    """Whatever lies in the place of a part of the half-written approval: neither waited for nor in the way."""
    (baseline / ".approval").mkdir()
    OBSTACLES[kind](baseline / ".approval" / name, tmp_path / "other")
    approve(baseline, NEW)
    assert faults(baseline) == []


def test_gc_shows_what_was_left_and_takes_it_away(baseline, tmp_path, monkeypatch):
    """A link in the place of a half-written approval, and a folder in that of a file: shown, then gone."""
    monkeypatch.chdir(tmp_path)
    OBSTACLES["link"](baseline / ".approval", tmp_path / "other")
    OBSTACLES["folder"](baseline / ".writing-x", tmp_path / "other")
    for words, delete in (("would remove", ()), ("Removed", ("--delete",))):
        done = CliRunner().invoke(main, ["gc", "--baseline", "mine", *delete])
        assert done.exit_code == 0, done.output
        assert all(f"{words} mine/{name}" in done.output for name in (".approval", ".writing-x"))
    assert "Nothing to remove." in CliRunner().invoke(main, ["gc", "--baseline", "mine"]).output


def test_what_another_approval_holds_is_not_left_over(baseline):
    """While another approval is at work, what it has half-written stays."""
    with folder_lock(baseline):
        (baseline / ".approval").mkdir()
        entry = Entry(when="2026-01-01T00:00:00+00:00", facts={})
        with pytest.raises(FolderBusyError, match="Nothing was changed"):
            put_in_place(baseline, NEW, old="", entry=entry, sheet=b"", timeout=0.0)
        assert (baseline / ".approval").is_dir()
        settle(baseline)
    approve(baseline, NEW)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
@pytest.mark.parametrize("name", [HISTORY, SHEET, "manifest.json"])
def test_what_would_stop_an_approval_half_way_is_found_before(baseline, tmp_path, name, kind):
    """A folder or a pipe in the place of history, picture or manifest: named, with the baseline as it was."""
    (baseline / name).unlink()
    OBSTACLES[kind](baseline / name, tmp_path / "other")
    before = {path: path.read_bytes() for path in baseline.iterdir() if path.is_file()}
    with pytest.raises((SignatureError, OSError), match=r"no regular file|Is a directory|Nothing was written"):
        approve(baseline, NEW)
    assert {path: path.read_bytes() for path in baseline.iterdir() if path.is_file()} == before
    assert not (baseline / ".approval").exists()
    assert os.path.lexists(baseline / name)
