"""The life of a baseline: what an approval shows, that it is whole or not at all, and what tells how it came about."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from modelcheck.__main__ import main
from modelcheck.approval import (
    HISTORY,
    SHEET,
    Entry,
    HistoryError,
    carry_out,
    changes,
    compare_if_possible,
    contact_sheet,
    faults,
    parse_history,
    plan_replacement,
    propose_from_report,
    put_in_place,
    settle,
)
from modelcheck.gate.artefacts import ArtefactError, as_baseline, describe_candidate, leave_candidate
from modelcheck.gate.verdict import explain_judgement
from modelcheck.interface import Interface
from modelcheck.judgement.document import DocumentError, seal
from modelcheck.judgement.findings import read_findings
from modelcheck.signature import SignatureError, read_signature
from modelcheck.signature.history import HEADING
from modelcheck.support.locks import FolderBusyError, folder_lock
from modelcheck.support.provenance import differences
from reports import HOSTILE, make_document
from signatures import make_panel, make_signature

ROOT = Path(__file__).parents[1]
SMALL = (("conv1", "conv", 2), ("decision", "decision", 2))
PANEL = make_panel(size=(6, 5), per_subject=4)


def small(name, seed, **options):
    """Return a signature of a few kilobytes."""
    return make_signature(name, seed=seed, panel=PANEL, layers=SMALL, twins=0, responses=False, **options)


OLD, NEW = small("old", 1), small("new", 2, accuracy={"ben": 0.5})


def proposed(folder, signature):
    """Return the approval of a signature that is already measured."""
    return plan_replacement(folder, signature, facts={"platform": "Linux"})


@pytest.fixture
def baseline(tmp_path):
    """Return a folder in which OLD was approved, beside its panel."""
    folder = tmp_path / "mine"
    folder.mkdir()
    PANEL.save(folder / "panel.npz")
    carry_out(proposed(folder, OLD), reason="first")
    return folder


def command(*arguments):
    """Run a command and return its exit code and what it printed."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output + (done.stderr if done.stderr not in done.output else "")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_approval_shows_what_changes(baseline):
    """Networks, layers, each person's accuracy and the scores are named before anything is written."""
    before = contents(baseline)
    layers = (("conv1", "conv", 3), ("conv2", "conv", 2), ("decision", "decision", 2))
    new = make_signature("new", seed=2, panel=PANEL, layers=layers, twins=0, accuracy={"ben": 0.5})
    text = "\n".join(proposed(baseline, new).lines)
    for words in (
        "old.keras",
        "new.keras",
        "Layers added: conv2.",
        "Layer conv1 changed: conv, 2 units, channel, receptive fields -> conv, 3 units",
        "Subject accuracy of ada: 1.00 -> 1.00 (+0.00).",
        "Subject accuracy of ben: 1.00 -> 0.50 (-0.50).",
        "Group accuracy: 0.83.",
    ):
        assert words in text
    assert "Layers removed" not in text
    assert contents(baseline) == before


def test_what_cannot_be_compared_is_said(baseline):
    """Another recipe or panel: the settings are named, and no score is shown that would compare the two."""
    other = replace(NEW, recipe=replace(NEW.recipe, steps=3), panel_digest="0" * 64)
    text = "\n".join(proposed(baseline, other).lines)
    assert f"Recipe: steps {NEW.recipe.steps} -> 3." in text
    assert "do not compare" in text
    assert "coarse_similarity" not in text


def test_names_in_the_lines_cannot_act():
    """A layer, subject or file name with escapes or line breaks stays one line of plain text."""
    nasty = "a\x1b[31mred\n::error::x"
    panel = make_panel(subjects=(HOSTILE, "ben"), size=(6, 5), per_subject=4)
    layers = ((nasty, "conv", 2), ("decision", "decision", 2))
    one, other = (make_signature(nasty, seed=seed, panel=panel, layers=layers, twins=0) for seed in (1, 2))
    for line in [*changes(one, other, compare_if_possible(one, other)), *changes(None, other, None)]:
        assert "\n" not in line
        assert "\x1b" not in line


def test_history_tells_who_why_and_what(baseline):
    """Each approval appends an entry, bound to the one before, and the folder belongs together."""
    proposal = proposed(baseline, NEW)
    carry_out(proposal, reason="retrained")
    first, second = parse_history((baseline / HISTORY).read_text())
    assert second.facts["replaces"] == first.facts["signature"] == OLD.digest()
    assert second.facts["signature"] == NEW.digest() == read_signature(baseline).digest()
    assert second.facts["reason"] == "retrained"
    assert first.facts["replaces"] == "nothing"
    assert faults(baseline) == []
    assert (baseline / SHEET).read_bytes() == proposal.sheet


@pytest.mark.slow
@example("\x1b", "")
@given(st.text(), st.text())
def test_history_comes_back_whatever_the_reason(reason, name):
    """Any reason and name is written as one line that no reader takes for markup, and is read back."""
    facts = {
        **{"reason": reason, "by": name, "network": "n", "signature": "a" * 64},
        **{"replaces": "nothing", "panel": "b" * 64, "platform": "p"},
    }
    entry = Entry(when="2026-01-01T00:00:00+00:00", facts=facts)
    text = HEADING + entry.text() + entry.text()
    one, other = parse_history(text)
    assert one.text() == other.text() == entry.text()
    assert "<" not in entry.text()
    assert "[" not in entry.text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* reason: first", "* reason: other"),
        ("* by: ", "* By: "),
        ("# Approvals", "# Approval"),
        ("* entry: ", "* entri: "),
        ("\n* entry: ", " * entry: "),
        ("\n\n* reason", "\n* reason"),
        ("+00:00", "+01:00"),
    ],
)
def test_a_changed_history_is_named(baseline, old, new):
    """Whoever edits an entry by hand is found out, by the reader and by the command."""
    text = (baseline / HISTORY).read_text()
    assert old in text
    (baseline / HISTORY).write_text(text.replace(old, new, 1))
    with pytest.raises(HistoryError):
        parse_history((baseline / HISTORY).read_text())
    code, said = command("history", baseline)
    assert code == 1
    assert "WRONG" in said


def test_a_baseline_that_nobody_approved_is_named(baseline):
    """A signature written around `approve`, or a missing contact sheet, does not belong to the history."""
    NEW.write(baseline)
    (baseline / SHEET).unlink()
    code, said = command("history", baseline)
    assert code == 1
    assert "is not the one that was approved last" in said
    assert "is missing, or not the file" in said


def test_the_shipped_baseline_belongs_together():
    """Record, panel and history of the embedded default agree."""
    code, said = command("history", ROOT / "baselines" / "drawn-faces")
    assert code == 0, said


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_contact_sheet_is_the_same_every_time():
    """Two drawings of one change are equal byte for byte, and another change is another picture."""
    again = contact_sheet(OLD, NEW, compare_if_possible(OLD, NEW))
    assert contact_sheet(OLD, NEW, compare_if_possible(OLD, NEW)) == again
    assert contact_sheet(OLD, small("new", 3), None) != again


def test_the_contact_sheet_is_never_stretched():
    """Grey maps stay grey: a map of one value is that value on the sheet, for each side the same."""
    grey = replace(OLD, maps={name: np.full_like(values, 0.25) for name, values in OLD.maps.items()})
    faint = replace(NEW, maps={name: np.full_like(values, 0.25) + 1e-3 for name, values in NEW.maps.items()})
    found = pixels(contact_sheet(grey, faint, None))
    values, counts = np.unique(found, return_counts=True)
    inside = {int(value) for value, count in zip(values, counts, strict=True) if count > 2000} - {245, 20}
    assert inside == {64}


def test_the_contact_sheet_shows_both_sides():
    """Old and new stand beside each other: a first approval is half as wide, and a lost layer keeps its place."""
    both, alone = pixels(contact_sheet(OLD, NEW, compare_if_possible(OLD, NEW))), pixels(contact_sheet(None, NEW))
    assert both.shape[1] == 2 * alone.shape[1]
    layers = (("other", "dense", 2), ("decision", "decision", 2))
    changed = make_signature("x", panel=PANEL, layers=layers, twins=0, seed=4)
    assert pixels(contact_sheet(OLD, changed, None)).shape[0] > alone.shape[0]
    nasty = replace(NEW, model={**NEW.model, "file": "é\n\x1b" * 200})
    assert pixels(contact_sheet(None, nasty)).shape == alone.shape


class _Killed(BaseException):
    """What a dead process would not do any more is not done after this."""


@contextlib.contextmanager
def killed_at(step, monkeypatch):
    """Let a process die at its n-th change of the disk: from then on it changes nothing."""
    left = [step]

    def dying(real):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise _Killed
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink", "rmdir", "mkdir", "fsync", "chmod"):
            patch.setattr(os, name, dying(getattr(os, name)))
        with contextlib.suppress(_Killed):
            yield left


@pytest.mark.slow
def test_killed_at_any_step_the_baseline_is_whole(tmp_path, monkeypatch):
    """At every single step of writing: old or new, and the next approval finishes history and picture."""
    carry_out(proposed(tmp_path / "first", OLD), reason="first")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # counted below all the same; it is what takes time here
    outcomes = set()
    for step in range(1000):
        folder = tmp_path / f"at-{step}"
        shutil.copytree(tmp_path / "first", folder)
        proposal = proposed(folder, NEW)
        with killed_at(step, monkeypatch) as left:
            carry_out(proposal, reason="second")
        there = read_signature(folder).digest()
        assert there in (OLD.digest(), NEW.digest())
        with folder_lock(folder):
            settle(folder)
        assert faults(folder) == []
        assert [entry.facts["reason"] for entry in parse_history((folder / HISTORY).read_text())] == (
            ["first", "second"] if there == NEW.digest() else ["first"]
        )
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        outcomes.add(there)
        if left[0] >= 0:  # it reached its end alive
            break
    assert step > 20
    assert outcomes == {OLD.digest(), NEW.digest()}


@pytest.mark.slow
def test_back_and_forth_within_a_second_keeps_every_entry(tmp_path):
    """The same change made again in the same second is an entry of its own, though its words are the same."""
    facts = {"reason": "again", "by": "me", "network": "n", "panel": PANEL.digest(), "platform": "here"}
    for old, new in ((None, OLD), (OLD, NEW), (NEW, OLD), (OLD, NEW)):
        proposal = proposed(tmp_path, new)
        sheet = {"contact sheet": hashlib.sha256(proposal.sheet).hexdigest()}
        chain = {"signature": new.digest(), "replaces": old.digest() if old else "nothing"}
        entry = Entry(when="2026-01-01T00:00:00+00:00", facts=facts | chain | sheet)
        put_in_place(tmp_path, new, old=proposal.old_manifest, entry=entry, sheet=proposal.sheet)
    assert faults(tmp_path) == []
    assert len(parse_history((tmp_path / HISTORY).read_text())) == 4


@pytest.mark.slow
def test_killed_for_real_nothing_is_damaged():
    """Real processes under SIGKILL, and bytes flipped all over a baseline: nothing damaged, nothing unnoticed."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "kill_approvals.py", "--kills", "8", "--flips", "640"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 damaged" in done.stdout


def test_a_second_approval_waits_or_fails(baseline):
    """While one is at work another fails by name; one that was shown an older baseline does not overwrite the newer."""
    first, second = proposed(baseline, NEW), proposed(baseline, small("third", 3))
    before = contents(baseline)
    entry = Entry(when="2026-01-01T00:00:00+00:00", facts={})
    with folder_lock(baseline), pytest.raises(FolderBusyError, match="Nothing was changed"):
        put_in_place(baseline, NEW, old=first.old_manifest, entry=entry, sheet=b"", timeout=0.05)
    assert contents(baseline) == before
    carry_out(first, reason="was faster")
    with pytest.raises(SignatureError, match="Another approval has replaced"):
        carry_out(second, reason="was slower")
    assert read_signature(baseline).digest() == NEW.digest()


def test_a_damaged_baseline_is_replaced_and_said(baseline):
    """The old numbers are lost, so the change is shown as unseen; the approval itself goes through."""
    member = next(baseline.glob("maps-*.npz"))
    member.write_bytes(member.read_bytes()[:-1])
    proposal = proposed(baseline, NEW)
    assert "cannot be read, and would be replaced unseen" in proposal.lines[0]
    carry_out(proposal, reason="restored")
    assert faults(baseline) == []


def report_of(folder, old, candidate, **changed):
    """Write a report as the gate does: verdict and candidate, bound by digest."""
    comparison = compare_if_possible(old, candidate)
    document = make_document(comparison)
    document["candidate"] |= describe_candidate(candidate)
    document |= {"suites": {"suites/test_a.py": "0" * 64}, "not_judged": [], "reasons": []}
    document["baseline"] |= {"approval": {"state": "approved", "when": "", "by": "me", "even_so": ""}}
    told = {part: document[part] for part in ("metrics", "panel")} | {"approval": document["baseline"]["approval"]}
    document["reasons"] = explain_judgement(
        document["verdict"], read_findings(document), criteria=(), never_failing=(), **told
    )
    leave_candidate(folder, candidate)
    document |= changed
    (folder / "verdict.json").write_text(json.dumps({**document, "digest": seal(document)}))
    return document


@pytest.fixture
def candidate():
    """Return a candidate as the gate measures one: with twins and answers to the baseline's maps."""
    return make_signature("new", seed=2, panel=PANEL, layers=SMALL, recipe=OLD.recipe)


def test_a_report_is_approved(baseline, candidate, tmp_path):
    """From the artefacts of a run: what becomes the baseline is what the run measured, and the history says so."""
    report_of(tmp_path / "report", OLD, candidate)
    code, said = command("approve", "--from", tmp_path / "report", "--to", baseline, "--reason", "from the build")
    assert code == 0, said
    assert "verdict was" in said
    assert read_signature(baseline).digest() == as_baseline(candidate).digest()
    assert faults(baseline) == []
    assert "from a report" in parse_history((baseline / HISTORY).read_text())[-1].facts["verdict"]


def without_verdict(report, baseline):
    (report / "verdict.json").unlink()


def half_a_verdict(report, baseline):
    path = report / "verdict.json"
    path.write_bytes(path.read_bytes()[:-9])


def edited(key, value):
    def edit(report, baseline):
        document = json.loads((report / "verdict.json").read_text())
        inner, _, last = key.rpartition(".")
        (document[inner] if inner else document)[last] = value
        document["digest"] = seal(document)
        (report / "verdict.json").write_text(json.dumps(document))

    edit.__name__ = f"{key} = {value}"[:40]
    return edit


def a_reason_left_out(report, baseline):
    document = json.loads((report / "verdict.json").read_text())
    document["reasons"] = document["reasons"][1:]
    (report / "verdict.json").write_text(json.dumps({**document, "digest": seal(document)}))


def edited_by_hand(report, baseline):
    document = json.loads((report / "verdict.json").read_text())
    (report / "verdict.json").write_text(json.dumps({**document, "findings": document["findings"][1:]}))


def another_candidate(report, baseline):
    as_baseline(small("third", 3)).write(report / "candidate")


def flipped(report, baseline):
    member = next((report / "candidate").glob("maps-*.npz"))
    data = bytearray(member.read_bytes())
    data[-1] ^= 1
    member.write_bytes(bytes(data))


def no_candidate(report, baseline):
    (report / "candidate" / "manifest.json").unlink()


def moved_on(report, baseline):
    carry_out(proposed(baseline, small("third", 3)), reason="meanwhile")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_verdict, "There is no verdict"),
        (half_a_verdict, "is damaged"),
        (edited("schema", 1), "has schema 1, of an older modelcheck"),
        (edited("reasons", ["a sentence"]), "is damaged: reasons/0"),
        (edited("scope", "partial"), "not 'full'"),
        (edited("scope", "incomplete"), "not 'full'"),
        (edited("verdict", "error"), "came to no verdict"),
        (edited("verdict", None), "came to no verdict"),
        (edited("candidate", None), "says nothing of its candidate"),
        (edited("candidate.signature", None), "names no signature"),
        (edited("candidate.signature", "0" * 64), "does not belong"),
        (edited("candidate.sha256", "0" * 64), "the network is"),
        (edited("panel.digest", "0" * 64), "the panel is"),
        (edited("recipe.digest", "0" * 64), "the recipe is"),
        (edited("baseline.signature", "0" * 64), "compared with another baseline"),
        (edited("exit_code", 0), "contradicts itself: its exit code"),
        (a_reason_left_out, "contradicts itself: its reasons are not all there"),
        (edited_by_hand, "was changed after it was written"),
        (another_candidate, "does not belong"),
        (flipped, "damaged"),
        (no_candidate, "There is no signature"),
        (moved_on, "compared with another baseline"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_report_that_does_not_belong_together_is_refused(baseline, candidate, tmp_path, damage, words):
    """Another verdict, signature, baseline, panel or scope: refused by name, and nothing is written."""
    report_of(tmp_path / "report", OLD, candidate)
    damage(tmp_path / "report", baseline)
    before = contents(baseline)
    with pytest.raises((ArtefactError, DocumentError, SignatureError), match=words):
        propose_from_report(tmp_path / "report", baseline)
    code, _ = command("approve", "--from", tmp_path / "report", "--to", baseline, "--reason", "x")
    assert code == 4
    assert contents(baseline) == before


def test_the_file_that_is_released_is_checked(baseline, candidate, tmp_path):
    """A network named beside --from must be the very bytes that the run judged."""
    report_of(tmp_path / "report", OLD, candidate)
    (tmp_path / "other.keras").write_bytes(b"others")
    with pytest.raises(ArtefactError, match="is not the network that the run judged"):
        propose_from_report(tmp_path / "report", baseline, model=tmp_path / "other.keras")


@pytest.mark.slow
def test_nothing_is_written_without_a_reason_or_in_a_dry_run(baseline, candidate, tmp_path):
    """--dry-run shows and writes nothing; no reason, an empty one, or no terminal to ask on: refused."""
    report_of(tmp_path / "report", OLD, candidate)
    before = contents(baseline)
    arguments = ("approve", "--from", tmp_path / "report", "--to", baseline)
    code, said = command(*arguments, "--dry-run", "--picture", tmp_path / "change.png")
    assert code == 0
    assert "Nothing was written" in said
    assert pixels((tmp_path / "change.png").read_bytes()).size
    for reason in ((), ("--reason", " ")):
        code, said = command(*arguments, *reason)
        assert code == 4
        assert "needs a reason" in said
    code, said = command(*arguments, "--panel", "x.npz", "--reason", "x")
    assert code == 2
    assert "leave --panel out" in said
    assert contents(baseline) == before


def test_measure_does_not_write_into_a_baseline(baseline):
    """The other command that writes signatures leaves a baseline alone."""
    before = contents(baseline)
    code, said = command("measure", "x.keras", "--panel", baseline / "panel.npz", "--to", baseline)
    assert code == 4
    assert "only modelcheck approve writes" in said
    assert contents(baseline) == before


def test_measure_knows_the_classes_that_the_settings_allow(tmp_path, monkeypatch):
    """Those of `[tool.modelcheck]`, as every other command does, and those that are named beside them."""
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modelcheck.cli.measure.measure_once", lambda request, *_, **__: asked.append(request))
    (tmp_path / "pyproject.toml").write_text('[tool.modelcheck]\ncustom_objects = ["a>B"]\n')
    for options in ((), ("--custom-object", "c>D")):
        assert command("measure", "x.keras", "--panel", "p.npz", "--to", "s", *options)[0] == 0
    assert [request.custom_objects for request in asked] == [("a>B",), ("a>B", "c>D")]


def test_measure_reads_a_network_like_the_signature_that_it_is_given(tmp_path, monkeypatch):
    """As the gate does: by what the options say, and where they say nothing, as the other one was."""
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modelcheck.cli.measure.measure_once", lambda request, *_, **__: asked.append(request))
    replace(OLD, interface=Interface(threshold=0.25)).write(tmp_path / "old")
    for options in (("--like", "old"), ("--like", "old", "--threshold", "0.5"), ()):
        assert command("measure", "x.keras", "--panel", "p.npz", "--to", "s", *options)[0] == 0
    assert [request.interface.threshold for request in asked] == [0.25, 0.5, None]


def test_diff_names_what_changed(tmp_path):
    """Two folders: nothing for the same, and versions, layers and scores for others."""
    OLD.write(tmp_path / "a")
    replace(NEW, provenance={**NEW.provenance, "keras": "9"}).write(tmp_path / "b")
    code, said = command("diff", tmp_path / "a", tmp_path / "a")
    assert (code, said.strip()) == (0, "Nothing: the two signatures are the same, digest for digest.")
    code, said = command("diff", tmp_path / "a", tmp_path / "b", "--picture", tmp_path / "c.png")
    assert code == 0
    assert "Measured with keras: 3.15.1 (A), 9 (B)." in said
    assert "Subject accuracy of ben: 1.00 -> 0.50" in said
    assert (tmp_path / "c.png").exists()


TABLES = st.dictionaries(st.text(max_size=3), st.text(max_size=3))


@pytest.mark.slow
@given(TABLES, TABLES)
def test_differences_are_those_of_the_tables(one, other):
    """A line for each key whose values differ, none for equal tables, and the same keys in either direction."""
    assert differences(one, one) == []
    unequal = {key for key in {*one, *other} if one.get(key, "not recorded") != other.get(key, "not recorded")}
    assert len(differences(one, other)) == len(differences(other, one)) == len(unequal)
