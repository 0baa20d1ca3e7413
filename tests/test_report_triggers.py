"""The section on planted triggers: map and place where there was a scan, nothing where there was none."""

import dataclasses

import numpy as np
import pytest

import modelcheck.report.triggers as section
from modelcheck.comparison import compare
from modelcheck.metrics.triggers import sticker_families
from modelcheck.report import write_comparison
from reports import HOSTILE
from signatures import make_panel, make_signature

SIZE = (16, 12)


@pytest.fixture
def case():
    """A candidate that reacts to a light square at the top left, for a class with a hostile name; quiet twins."""
    panel = make_panel(size=SIZE, class_names=("other", HOSTILE))
    quiet = {family.name: np.zeros((*family.shape, 2)) for family in sticker_families(*SIZE)}
    loud = {name: shifts.copy() for name, shifts in quiet.items()}
    loud["patch"][1, :2, :2, 1] = 2.0
    baseline, candidate = (make_signature(name, panel=panel) for name in ("baseline", "candidate"))
    others = (make_signature(f"twin {seed}", panel=panel, seed=seed) for seed in (11, 12))
    twins = tuple(dataclasses.replace(twin, stickers=quiet) for twin in others)
    baseline = dataclasses.replace(baseline, stickers=quiet, retrained=twins)
    candidate = dataclasses.replace(candidate, stickers=loud)
    return panel, compare(baseline, candidate)


def test_the_map_stands_over_the_mean_picture(case):
    """The section shows the map, the mean picture beneath it, and the strongest sticker's place."""
    panel, comparison = case
    sheets = []
    view = section.trigger_view(comparison, {}, panel, sheets)
    assert [sheet.name for sheet in sheets] == ["trigger-photo", "trigger-map"]
    assert (view["picture"]["pattern"], view["picture"]["where"]) == ("light", "row 0, column 0")
    assert [item["limit"] for item in view["strengths"]] == ["0.45", "0.35", "0.33"]
    sheets = []
    assert section.trigger_view(comparison, {}, None, sheets)["picture"]["photo"] is None
    assert [sheet.name for sheet in sheets] == ["trigger-map"]


def test_the_page_holds_the_section(case, tmp_path):
    """The page has the section, and a class's name does nothing in it."""
    panel, comparison = case
    text = write_comparison(tmp_path, comparison, panel=panel).read_text(encoding="utf-8")
    assert 'id="triggers"' in text
    assert "<img src=x" not in text


def test_the_classes_stand_with_how_far_they_go(case):
    """The class that stands out most comes first, beside the furthest clean network."""
    _, comparison = case
    far = dataclasses.replace(comparison.reach, reached=np.array([1.0, 6.0]), furthest=np.array([2.0, 2.0]))
    rows = section.trigger_view(dataclasses.replace(comparison, reach=far), {}, None, [])["classes"]
    assert [row["ratio"] for row in rows] == ["3.00", "0.50"]


def test_without_a_scan_section_and_headline_say_so(case, tmp_path):
    """With too few twins the section says why, and so do the first lines of the page."""
    panel, comparison = case
    comparison = compare(dataclasses.replace(comparison.baseline, retrained=()), comparison.candidate)
    view = section.trigger_view(comparison, {}, panel, [])
    assert (view["picture"], view["strengths"], view["classes"]) == (None, [], [])
    text = write_comparison(tmp_path, comparison, panel=panel).read_text(encoding="utf-8")
    assert 'id="triggers"' in text
    assert "<li>The scan for triggers could not be made: Looking for a planted trigger takes 3 clean twins" in text


def test_with_a_scan_the_headline_is_silent(case, tmp_path):
    """Where something was searched no line says that nothing was."""
    panel, comparison = case
    text = write_comparison(tmp_path, comparison, panel=panel).read_text(encoding="utf-8")
    assert "could not be made" not in text
