"""Accuracy class by class: what a mean over people hides, and classes of which the panel has no picture."""

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from gates import approve, gate, measured
from modelcheck.approval.proposal import plan_replacement
from modelcheck.comparison import METRICS, CompareError, compare, measure_sureness, plan_metric
from modelcheck.judgement.criteria import Criterion, criterion_for, read_criteria
from modelcheck.judgement.findings import judge
from modelcheck.metrics.accuracy import change, wilson
from modelcheck.signature import SignatureError, read_manifest, read_signature
from modelcheck.signature.storage import MANIFEST, encode_canonical
from signatures import make_panel, make_signature

ROOT = Path(__file__).parents[1]
NAMES = tuple("abcdefghij")
LAYERS = (("conv1", "conv", 2), ("decision", "decision", 10))
PANEL = make_panel(subjects=[f"person{k}" for k in range(7)], class_names=NAMES, per_subject=20, size=(6, 5))


def answering(name, answers):
    """Return a signature of a network that gave these answers on the panel of ten classes, 14 pictures of each."""
    made = make_signature(name, panel=PANEL, layers=LAYERS, twins=0)
    return dataclasses.replace(made, scores=4.0 * np.eye(10, dtype=np.float32)[answers])


def lose(share, of):
    """Return the panel's labels as answers, but a share of one class's pictures answered as the next."""
    answers = PANEL.labels.copy()
    rows = np.flatnonzero(answers == of)
    answers[rows[: round(share * len(rows))]] = (of + 1) % 10
    return answers


@pytest.mark.slow
def test_a_class_has_its_share_and_its_paired_change():
    """By hand: 10 of 14 right, 4 taken for the next class; Wilson's interval, and the paired one of the change."""
    found = compare(answering("a", PANEL.labels), answering("b", lose(4 / 14, of=3)))
    accuracy, moved = found.about(class_name="d")
    assert (accuracy.value, accuracy.baseline, accuracy.n) == (round(10 / 14, 6), 1.0, 14)
    assert accuracy.interval == pytest.approx(wilson(10 / 14, 14), abs=1e-6)
    assert accuracy.evidence == "Taken for e (4)."
    labels = np.zeros(14, int)
    assert moved.interval == pytest.approx(change(labels, labels, np.array([1] * 4 + [0] * 10)).interval, abs=1e-6)
    assert (moved.value, moved.evidence) == (round(-4 / 14, 6), "4 pictures turned wrong, 0 turned right.")
    assert {found.metrics[f"class_change[{name}]"] for name in NAMES if name != "d"} == {0.0}


def test_what_one_class_of_ten_loses_no_other_row_sees():
    """28 points of one class: by the suite's own limits nobody else of the area is red, and the class is."""
    criteria, _ = read_criteria(ROOT / "suites" / "criteria.toml", metrics=METRICS)
    found = compare(answering("a", PANEL.labels), answering("b", lose(4 / 14, of=3)))
    red = set()
    for item in found.measures.values():
        criterion = criterion_for(criteria, item.metric, item.about)
        if METRICS[item.metric].area == "accuracy" and criterion is not None and judge(item, criterion).red:
            red.add(item.key)
    assert red == {"class_change[d]"}


# Classes without pictures.

THREE = (("conv1", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 3))


@pytest.fixture
def gap():
    """Return a panel that has no picture of one of its three classes."""
    panel = make_panel(subjects=("ada", "ben"))
    return dataclasses.replace(panel, class_names=("other", "left", "right"))


def test_a_class_without_pictures_stands_in_the_manifest(gap, tmp_path):
    """It is named there, is not planned, not measured, and asking for it is an error; digests stay what they were."""
    made = make_signature(panel=gap, layers=THREE)
    made.write(tmp_path / "b")
    manifest, again = read_manifest(tmp_path / "b"), read_signature(tmp_path / "b")
    assert manifest["classes_without_pictures"] == ["right"]
    assert plan_metric("class_accuracy", manifest) == ["other", "left"]
    assert again.digest() == made.digest()
    found = compare(again, again)
    assert [item.about for item in found.measures.values() if item.metric == "class_change"] == ["other", "left"]
    with pytest.raises(CompareError, match="no picture of the class 'right'"):
        found.about(class_name="right")


def test_a_panel_with_pictures_of_all_leaves_the_manifest_as_it_was(tmp_path):
    """Nothing is written where there is nothing to say, so that older records and new ones are alike."""
    make_signature().write(tmp_path / "b")
    assert "classes_without_pictures" not in read_manifest(tmp_path / "b")


def rewrite(folder, **parts):
    """Write a manifest with other parts, sealed as ours are; None takes a part away."""
    document = {key: value for key, value in {**read_manifest(folder), **parts}.items() if value is not None}
    document["digest"] = hashlib.sha256(encode_canonical(document)).hexdigest()
    (folder / MANIFEST).write_bytes(encode_canonical(document))


def test_a_manifest_that_hides_a_class_is_refused(gap, tmp_path):
    """What it names must be what its pictures give: a class cannot be taken out of the plan by hand."""
    make_signature(panel=gap, layers=THREE).write(tmp_path / "b")
    rewrite(tmp_path / "b", classes_without_pictures=["left", "right"])
    with pytest.raises(SignatureError, match="other classes without pictures"):
        read_signature(tmp_path / "b")


def test_an_approval_names_the_class(gap, tmp_path):
    """Whoever approves reads it before the baseline is made; of a panel with all classes nothing is said."""
    made = make_signature(panel=gap, layers=THREE)
    assert any("no picture of right" in line for line in plan_replacement(tmp_path / "b", made, facts={}).lines)
    whole = plan_replacement(tmp_path / "b", make_signature(), facts={})
    assert not any("no picture of" in line for line in whole.lines)


def run(project, gap):
    gap.save(project / "heldout.npz")
    measured(project, "same.keras", panel=gap, layers=THREE, learned=0.95, seed=3)
    return gate(project)


@pytest.mark.slow
def test_the_gate_says_of_which_class_it_knows_nothing(project, gap):
    """Every class with pictures is judged; the verdict names the other one, everywhere that reasons are told.

    It names what was done to the pictures, too.
    """
    gap = dataclasses.replace(gap, conversion="7 of 7 pictures made grey from rgb")
    approve(project, panel=gap, layers=THREE)
    done, verdict = run(project, gap)
    assert done.returncode == 0, done.stdout
    assert {"kind": "unseen_classes", "classes": ["right"]} in verdict["reasons"]
    assert verdict["panel"]["classes_without_pictures"] == ["right"]
    assert {row["about"] for row in verdict["findings"] if row["metric"] == "class_accuracy"} == {"other", "left"}
    assert "Of 1 class the panel holds no picture" in done.stdout
    page = (project / "report" / "index.html").read_text()
    assert "Of 1 class the panel holds no picture" in page
    assert verdict["panel"]["conversion"] == "7 of 7 pictures made grey from rgb"
    assert "Pictures: 7 of 7 pictures made grey from rgb." in page


@pytest.mark.slow
def test_a_baseline_that_does_not_know_of_the_gap_is_no_pass(project, gap):
    """Approved before manifests named such classes: the class is planned, cannot be judged, and the run is red."""
    approve(project, panel=gap, layers=THREE)
    rewrite(project / "baselines" / "mine", classes_without_pictures=None)
    done, verdict = run(project, gap)
    assert done.returncode != 0
    assert "class_accuracy[right]" in verdict["not_judged"]
    assert "approve it again" in done.stdout


# How sure.

LIMITS = tuple(Criterion(metric=metric, at_least=-0.125, why="x") for metric in ("subject_change", "class_change"))


def test_every_person_and_class_has_a_smallest_drop():
    """People first, the least sure first; a class of 14 pictures of which eight are lost needs a larger drop."""
    rows = measure_sureness(answering("a", lose(8 / 14, of=3)), LIMITS)
    assert [row.metric for row in rows] == ["subject_change"] * 7 + ["class_change"] * 10
    people, classes = rows[:7], rows[7:]
    assert all(0.125 < row.drop < 0.3 and row.pictures == 20 for row in people)
    assert sorted((row.drop for row in classes), reverse=True) == [row.drop for row in classes]
    assert next(row for row in classes if row.about == "d").accuracy == pytest.approx(6 / 14)


def test_without_a_limit_that_gates_no_drop_is_named():
    """No row, an advisory one or an upper limit alone: nothing would be red, so nothing is promised."""
    baseline = answering("a", PANEL.labels)
    for row in ({"at_least": -0.1, "advisory": True}, {"at_most": 0.5}):
        limit = Criterion(metric="class_change", why="x", **row)
        assert {found.metric for found in measure_sureness(baseline, [LIMITS[0], limit])} == {"subject_change"}


def test_a_baseline_that_has_nothing_to_lose_comes_first():
    """On a class of which it is always wrong no candidate can be worse."""
    rows = measure_sureness(answering("a", lose(1.0, of=3)), LIMITS[1:])
    assert rows[0].about == "d"
    assert math.isnan(rows[0].drop)
