"""What a history says of the signature beside it: approved, once approved, never approved, or nothing to go by."""

import os

import pytest

from modelcheck.approval import HISTORY, carry_out, plan_replacement
from modelcheck.signature import ApprovalState, find_approval, read_signature
from signatures import make_panel, make_signature

PANEL = make_panel(size=(6, 5), per_subject=4)
SMALL = (("conv1", "conv", 2), ("decision", "decision", 2))
OLD, NEW = (
    make_signature(name, seed=seed, panel=PANEL, layers=SMALL, twins=0, responses=False)
    for name, seed in (("old", 1), ("new", 2))
)


@pytest.fixture
def folder(tmp_path):
    """Return a baseline in which OLD was approved, and NEW after it."""
    for signature, reason in ((OLD, "first"), (NEW, "second")):
        carry_out(plan_replacement(tmp_path / "mine", signature, facts={"platform": "here"}), reason=reason)
    return tmp_path / "mine"


def state(folder):
    return find_approval(folder, signature=read_signature(folder).digest()).state


def test_what_was_approved_last_is_approved(folder):
    """The approval of the signature that is there is found, with its time and who made it."""
    found = find_approval(folder, signature=NEW.digest())
    assert found.state is ApprovalState.APPROVED
    assert found.when
    assert found.by
    assert found.to_dict()["state"] == "approved"


def test_a_signature_that_was_replaced_by_hand_is_unknown(folder):
    """A record written around `approve` is told from one that was approved, however intact it is."""
    make_signature("third", seed=3, panel=PANEL, layers=SMALL, twins=0).write(folder)
    assert state(folder) is ApprovalState.UNKNOWN


def test_a_former_baseline_that_was_put_back_by_hand_is_outdated(folder):
    """That it was approved once does not make it the baseline again."""
    OLD.write(folder)
    assert state(folder) is ApprovalState.OUTDATED


def test_without_a_history_nothing_is_recorded(folder):
    """A folder whose history was deleted is no approved baseline, and neither is one whose history has no entry."""
    (folder / HISTORY).write_text((folder / HISTORY).read_text().split("\n## ")[0])
    assert state(folder) is ApprovalState.UNRECORDED
    (folder / HISTORY).unlink()
    assert state(folder) is ApprovalState.UNRECORDED


def edit(path):
    path.write_text(path.read_text().replace("second", "third"))


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def fold(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [edit, pipe, fold, lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.write_text("approved, honestly")],
    ids=["edited", "pipe", "folder", "no text", "another text"],
)
def test_a_history_that_cannot_be_read_says_nothing_for_the_baseline(folder, damage):
    """An edited entry, bytes that are no text, a pipe: unreadable, at once and without an error."""
    damage(folder / HISTORY)
    assert state(folder) is ApprovalState.UNREADABLE
