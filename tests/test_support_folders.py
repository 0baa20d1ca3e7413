"""Locks and folders on a machine of many users: nobody is held up by another one, and nothing is waited for in vain."""

import os
import tempfile
import traceback
from pathlib import Path

import pytest

from modelcheck.support.folders import UnsafePathError, has_folder, kind_of, make_folder, measure_size, remove
from modelcheck.support.locks import FolderBusyError, folder_lock, hold

NOBODY = 65534
OBSTACLES = {
    "file": lambda path, other: path.write_text("x"),
    "folder": lambda path, other: ((path / "deep").mkdir(parents=True), (path / "deep" / "file").write_text("x")),
    "link": lambda path, other: path.symlink_to(other),
    "dangling link": lambda path, other: path.symlink_to("nowhere"),
    "pipe": lambda path, other: os.mkfifo(path),
}


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Return a temporary folder to which everybody may write, as /tmp; `tmp_path`, made before, is closed to others."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield folder


def as_another_user(work):
    """Run something in a process of another user, and return its exit code: 0 where nothing was raised."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setegid(NOBODY)
            os.seteuid(NOBODY)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")
def test_two_users_do_not_hold_each_other_up(shared):
    """While one user writes to a folder, and after, another may write to it as well: locks are each user's own."""

    def lock_at_once():
        with folder_lock(shared, timeout=0.0):
            pass

    with folder_lock(shared):
        assert as_another_user(lock_at_once) == 0
    lock_at_once()
    assert {path.stat().st_uid for path in shared.iterdir()} == {0, NOBODY}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")
def test_a_lock_of_another_user_is_an_error_that_says_so(shared):
    """A lock file that may not be opened, in a cache that two users share, is named with its owner."""
    lock = shared / "entry.lock"
    lock.touch(mode=0o600)

    def lock_it():
        with (
            pytest.raises(UnsafePathError, match=r"belongs to the user with the number 0\)\. Remove it"),
            hold(lock, timeout=0.0, busy="held"),
        ):
            pass

    assert as_another_user(lock_it) == 0


@pytest.mark.parametrize("kind", sorted(set(OBSTACLES) - {"folder"}))
def test_what_lies_where_the_locks_are_due_is_named(shared, tmp_path, kind):
    """A link, a pipe or a file that somebody put into the temporary folder: an error at once, nothing is followed."""
    OBSTACLES[kind](shared / f"modelcheck-locks-{os.geteuid()}", tmp_path)
    with pytest.raises(UnsafePathError, match="set TMPDIR to a folder of your own"), folder_lock(tmp_path):
        pass
    assert not list(tmp_path.glob("*.lock"))


@pytest.mark.parametrize(
    ("mode", "user", "words"), [(0o777, 0, "can be written to by others"), (0o700, 1, "belongs to another user")]
)
def test_a_folder_of_locks_that_others_can_reach_is_refused(shared, tmp_path, monkeypatch, mode, user, words):
    """Made by another user, or open to others: a lock in it would not be ours alone."""
    seen = os.geteuid() + user
    monkeypatch.setattr(os, "geteuid", lambda: seen)
    (shared / f"modelcheck-locks-{seen}").mkdir()
    (shared / f"modelcheck-locks-{seen}").chmod(mode)
    with pytest.raises(UnsafePathError, match=words), folder_lock(tmp_path):
        pass


def test_one_user_is_one_writer(shared, tmp_path):
    """A second writer of the same user waits, and then fails by name; by another way to the folder as well."""
    (tmp_path / "way").symlink_to(tmp_path)
    with (
        folder_lock(tmp_path),
        pytest.raises(FolderBusyError, match="Nothing was changed"),
        folder_lock(tmp_path / "way", timeout=0.0),
    ):
        pass


@pytest.mark.parametrize("kind", OBSTACLES)
def test_what_is_removed_is_the_name_alone(tmp_path, kind):
    """Whatever a name stands for, it is gone afterwards, and what a link leads to is not."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("kept")
    OBSTACLES[kind](tmp_path / "name", tmp_path / "other")
    assert measure_size(tmp_path / "name") == (1 if kind in ("file", "folder") else 0)
    remove(tmp_path / "name")
    assert kind_of(tmp_path / "name") == "missing"
    assert (tmp_path / "other" / "file").read_text() == "kept"
    remove(tmp_path / "name")


@pytest.mark.parametrize("kind", sorted(set(OBSTACLES) - {"folder"}))
@pytest.mark.parametrize("below", [(), ("one",), ("one", "two")])
def test_a_folder_is_made_through_no_link(tmp_path, below, kind):
    """At whatever depth something else than a folder lies, it is an error, and nothing is made behind it."""
    (tmp_path / "other").mkdir()
    root = tmp_path / "root"
    place = root.joinpath(*below)
    place.parent.mkdir(parents=True, exist_ok=True)
    OBSTACLES[kind](place, tmp_path / "other")
    for call in (make_folder, has_folder):
        with pytest.raises(UnsafePathError, match="Remove it"):
            call(root, "one", "two")
    assert not list((tmp_path / "other").iterdir())
