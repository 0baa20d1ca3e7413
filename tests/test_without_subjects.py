"""Data without people: every picture counts by itself, the words follow, and what was not asked is said."""

from __future__ import annotations

import dataclasses
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gates
from modelcheck.approval import changes
from modelcheck.approval.changes import describe_panel
from modelcheck.cli.start import SUITES
from modelcheck.comparison import compare
from modelcheck.gate.heldout import check_panel
from modelcheck.gate.settings import SettingsError, read_settings
from modelcheck.metrics.accuracy import balanced_accuracy, change
from modelcheck.metrics.stratified import stratified_accuracy, stratified_change
from modelcheck.panel import Panel, PanelError
from modelcheck.report import write_comparison, write_gallery
from modelcheck.signature import read_manifest, read_signature
from signatures import make_panel, make_signature, show

FORBIDDEN = re.compile(r"people|person|\bfaces?\b|photograph", re.IGNORECASE)
BARE = make_panel(subjects=None, regions=False)
CRITERIA = """
[[criterion]]
metric = "mapped_units"
at_least = 0.5
why = "dead layers cannot be compared"

[[criterion]]
metric = "subject_accuracy"
at_least = 0.75
why = "asked where the panel has them"

[[criterion]]
metric = "place_distance"
at_most = 3
why = "it decides by the same parts"

[[criterion]]
metric = "class_accuracy"
at_least = 0.25
why = "no class is lost"

[[criterion]]
metric = "group_accuracy"
at_least = 0.75
why = "it is right"

[[criterion]]
metric = "answers"
at_least = 2
why = "it answers"

[[criterion]]
metric = "accuracy_change"
at_least = -0.2
why = "not worse"
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return a project whose panel has neither subjects nor regions, with suites that ask for both."""
    folder = tmp_path_factory.mktemp("bare") / "project"
    gates.build(folder, panel=BARE)
    write_starter_suites(folder / "suites", criteria=CRITERIA)
    return folder


def write_starter_suites(folder, *, criteria):
    """Put the suites that ``modelcheck init`` writes in the place of others, but for the one that takes twins."""
    for suite in folder.glob("test_*.py"):
        suite.unlink()
    for part, name in SUITES:
        if part != "triggers":
            (folder / name).write_text((files("modelcheck.cli") / "starter" / f"{name}.txt").read_text())
    (folder / "criteria.toml").write_text(criteria)


def read_page(path):
    """Return all of a page but its style, its script and the bytes of its pictures."""
    text = re.sub(r"<(style|script)\b.*?</\1>", "", Path(path).read_text(), flags=re.DOTALL)
    return re.sub(r"base64,[^\"')]*", "", text)


@pytest.fixture(scope="module")
def passed(bare):
    return gates.gate(bare, "-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-rs")


def test_a_panel_without_subjects_goes_through_the_whole_gate(passed):
    """It passes, every picture counts by itself, and each suite that has nothing to ask says so once."""
    done, verdict = passed
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["panel"]["subjects"]) == ("pass", [])
    assert "subject_accuracy" not in verdict["metrics"]
    assert {row["metric"]: row["n"] for row in verdict["findings"]}["group_accuracy"] == len(BARE)
    assert done.stdout.count("no subjects that several pictures share") == 1
    assert done.stdout.count("the panel has no regions, and no criterion asks") == 1


def test_the_headline_says_how_many_questions_were_asked(passed, bare):
    """Terminal, page, summary and verdict: three of five, and what the others need."""
    done, verdict = passed
    words = "3 of 5 questions asked: attention needs regions, hidden triggers need retrained twins"
    page, summary = bare / "report" / "index.html", (bare / "report" / "summary.md").read_text()
    assert all(words in " ".join(text.split()) for text in (done.stdout, read_page(page), summary.replace("\\", "")))
    [reason] = [row for row in verdict["reasons"] if row["kind"] == "questions"]
    assert (reason["asked"], reason["total"]) == (3, 5)


@pytest.mark.slow
def test_no_word_of_people_where_there_are_none(passed, bare, tmp_path):
    """Terminal, report, summary, comparison, gallery and what an approval changes, of a panel without subjects."""
    done, _ = passed
    baseline = read_signature(bare / "baselines" / "mine")
    other = show(make_signature("other", panel=BARE, learned=0.1, accuracy=0.6, seed=4), baseline)
    write_comparison(tmp_path / "comparison", compare(baseline, other), panel=BARE)
    write_gallery(tmp_path / "gallery", baseline, panel=BARE)
    pages = [bare / "report" / "index.html", *tmp_path.glob("*/index.html")]
    lines = [*changes(None, baseline, None), *changes(baseline, other, compare(baseline, other)), *describe_panel(BARE)]
    texts = [done.stdout, (bare / "report" / "summary.md").read_text(), *map(read_page, pages), *lines]
    assert [found for text in texts for found in FORBIDDEN.findall(text)] == []
    assert "Class accuracy of left: 1.00." in lines


@pytest.mark.slow
def test_the_search_finds_the_words_where_they_are(bare, tmp_path):
    """The same search, of the same report for a panel with subjects that its project calls people."""
    folder = tmp_path / "project"
    gates.build(folder)
    with (folder / "pyproject.toml").open("a") as file:
        file.write('subject_name = ["person", "people"]\n')
    done, verdict = gates.gate(folder)
    assert verdict["settings"]["subject_name"] == ["person", "people"]
    for text in (done.stdout, read_page(folder / "report" / "index.html")):
        assert FORBIDDEN.search(text)


def test_approval_says_what_speaks_against_a_panel():
    """Subjects of one class only and pictures that are there twice, before a baseline is made of them."""
    pictures = np.zeros((4, 3, 3), np.uint8)
    pictures[2:] = np.array([1, 2])[:, None, None]
    panel = Panel(pictures, [0, 0, 1, 1], class_names=["x", "y"], subjects=["a", "b", "a", "b"], names=list("stuv"))
    assert describe_panel(panel) == ["Pictures that are there more than once and count as often (1): s = t."]
    apart = dataclasses.replace(panel, subjects=["a", "a", "b", "b"])
    assert describe_panel(apart)[0].startswith("2 of 2 subjects have pictures of one class only")


def test_a_page_without_a_verdict_calls_subjects_as_it_is_told(tmp_path):
    """Comparison and gallery, for which no verdict says the word."""
    baseline = make_signature()
    found = compare(baseline, show(baseline, baseline))
    pages = [
        write_comparison(tmp_path / "one", found, subject_name=("machine", "machines")),
        write_gallery(tmp_path / "two", baseline, subject_name=("machine", "machines")),
    ]
    assert all("24 pictures of 3 machines held out" in read_page(page) for page in pages)


@pytest.mark.slow
def test_subjects_of_one_picture_each_are_no_subjects(tmp_path):
    """Two hundred of them: approval says so, no test is made for each, and the gate judges pictures."""
    bare = make_panel(subjects=None, regions=False)
    panel = Panel(bare.images, bare.labels, class_names=bare.class_names, subjects=[f"s{k}" for k in range(len(bare))])
    [line] = describe_panel(panel)
    assert f"Each of the {len(panel)} subjects has one picture" in line
    gates.build(tmp_path / "project", panel=panel)
    write_starter_suites(tmp_path / "project" / "suites", criteria=CRITERIA)
    assert read_manifest(tmp_path / "project" / "baselines" / "mine")["subjects"] == []
    done, verdict = gates.gate(tmp_path / "project", "-rs")
    assert verdict["verdict"] == "pass", done.stdout
    assert done.stdout.count("test_subject_accuracy") <= 1


def test_a_subject_alone_is_refused_by_approval_and_gate_alike(tmp_path):
    """Both ask the same question of a panel; without its subject the panel is taken."""
    panel = make_panel(subjects=("ada",))
    with pytest.raises(PanelError, match=r"holds one subject only, 'ada'.*leave the subjects out"):
        check_panel(panel, tmp_path)
    check_panel(Panel(panel.images, panel.labels, class_names=panel.class_names), tmp_path)


@pytest.mark.slow
def test_a_criterion_that_names_a_subject_asks_a_panel_without_any(bare, tmp_path):
    """A row on all subjects asks nothing; one that names a subject is an error, as everywhere."""
    criteria = tmp_path / "criteria.toml"
    criteria.write_text(CRITERIA.replace('"subject_accuracy"', '"subject_accuracy"\nabout = "ada"'))
    done, _ = gates.gate(bare, "--criteria", criteria, "--modelcheck-report", tmp_path / "report")
    assert done.returncode != 0
    assert "matches nothing; there is: nothing" in done.stdout


@pytest.mark.slow
def test_what_the_criteria_ask_and_the_panel_cannot_answer_is_red(bare, tmp_path):
    """Rows on regions of a panel without: unmeasured, with how to add them and which rows to drop."""
    criteria = tmp_path / "criteria.toml"
    criteria.write_text(CRITERIA + '[[criterion]]\nmetric = "mass_lift"\nat_least = 0.0\nwhy = "it looks there"\n')
    done, _ = gates.gate(bare, "--criteria", criteria, "--modelcheck-report", tmp_path / "report")
    assert done.returncode == 1
    assert "The panel has no regions, which say where the evidence may lie. Add them" in done.stdout


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_without_subjects_accuracy_is_that_of_the_pictures(seed):
    """Balanced over the classes and paired with the baseline, with n pictures; no subject is measured."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
    baseline, candidate = (
        make_signature(name, panel=BARE, accuracy=float(generator.uniform(0.3, 1)), seed=seed % 97 + k, twins=0)
        for k, name in enumerate(("one", "other"))
    )
    found = compare(baseline, show(candidate, baseline))
    before, after = (side.scores.argmax(axis=1) for side in (baseline, candidate))
    expected, moved = stratified_accuracy(BARE.labels, after), stratified_change(BARE.labels, before, after)
    assert expected.value == balanced_accuracy(BARE.labels, after).value
    assert moved.value == change(BARE.labels, before, after).value
    whole, paired = found.find("group_accuracy"), found.find("accuracy_change")
    assert (whole.value, whole.n) == (round(expected.value, 6), len(BARE))
    assert whole.interval == pytest.approx(expected.interval, abs=1e-6)
    assert (paired.value, paired.n) == (round(moved.value, 6), len(BARE))
    assert not [key for key in found.measures if key[0].startswith("subject_")]


def test_a_signature_without_subjects_or_regions_reads_back(tmp_path):
    """The manifest names no subject and says that there are no regions, and the digest is that of the record."""
    made = make_signature(panel=BARE)
    made.write(tmp_path)
    again = read_signature(tmp_path)
    assert (again.digest(), again.subjects, "subjects" in again.pictures) == (made.digest(), (), False)
    assert again.independent.tolist() == BARE.names.tolist()
    assert read_manifest(tmp_path)["regions"] is False


def test_the_embedded_baseline_keeps_its_digest():
    """Parts that a record may lack move no digest of one that was written before."""
    manifest = read_manifest("baselines/drawn-faces")
    assert "regions" not in manifest
    assert read_signature("baselines/drawn-faces").digest() in Path("baselines/drawn-faces/HISTORY.md").read_text()


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ('"patient"', ("patient", "patients")),
        ('"battery"', ("battery", "batteries")),
        ('"box"', ("box", "boxes")),
        ('"tray"', ("tray", "trays")),
        ('["person", "people"]', ("person", "people")),
    ],
)
def test_subjects_have_the_name_that_the_project_gives_them(tmp_path, written, called):
    """One word takes the usual plural; two words are one and several."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.modelcheck]\nsubject_name = {written}\n")
    assert read_settings(tmp_path).subject_name == called


@pytest.mark.parametrize("written", ['""', "3", '["one"]', '["a", "b", "c"]', '"a\\u001b[31m"', f'"{"long " * 20}"'])
def test_a_name_that_is_none_is_refused(tmp_path, written):
    """Nothing, a number, one or three words in a list, escapes and essays."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.modelcheck]\nsubject_name = {written}\n")
    with pytest.raises(SettingsError, match="subject_name must be a word"):
        read_settings(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "pictures"), [(2, 20), (10, 5), (10, 20), (30, 5)])
@pytest.mark.parametrize(("right", "lost"), [(0.9, 0.1), (0.6, 0.3)])
def test_intervals_over_many_classes_hold(classes, pictures, right, lost):
    """Of 300 draws at least 90 % hold the truth; the balanced accuracy's own interval would not, of ten classes."""
    generator = np.random.Generator(np.random.Philox(key=[classes, pictures]))
    labels = np.repeat(np.arange(classes), pictures)
    held = np.zeros(2)
    for _ in range(300):
        before = np.where(generator.random(len(labels)) < right, labels, (labels + 1) % classes)
        after = np.where(generator.random(len(labels)) < lost, (labels + 1) % classes, before)
        one, other = stratified_accuracy(labels, before), stratified_change(labels, before, after)
        held += [one.interval[0] <= right <= one.interval[1], other.interval[0] <= -right * lost <= other.interval[1]]
    assert (held / 300 >= 0.9).all()


@pytest.mark.slow
def test_the_intervals_of_one_class_after_another_do_not():
    """The oracle can fail: combined class by class, less than nine in ten hold for ten classes of five pictures."""
    generator = np.random.Generator(np.random.Philox(key=[0, 0]))
    labels, held = np.repeat(np.arange(10), 5), 0
    for _ in range(600):
        rate = balanced_accuracy(labels, np.where(generator.random(50) < 0.9, labels, (labels + 1) % 10))
        held += rate.interval[0] <= 0.9 <= rate.interval[1]
    assert held / 600 < 0.9
