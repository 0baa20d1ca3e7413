"""Exchanged pictures in the report: its first screen where places are red, the pixels that are shown, hostile names."""

from __future__ import annotations

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import reports
from modelcheck.comparison import compare
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.report import write_report
from modelcheck.report.places import places_view
from reports import CORPUS, make_case, make_document
from signatures import make_panel, make_signature, show

RED = Criterion(metric="place_distance", at_most=0.01, why="the same parts")
GREEN = Criterion(metric="place_distance", at_most=100.0, why="the same parts")
NOT_JUDGED = Criterion(metric="kappa", at_least=-1.0, why="agreement")


class Hero(HTMLParser):
    """The first figure of class hero in a page: its text, its classes and the sheets that it draws from."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.depth, self.text, self.classes, self.uses, self.whole = 0, "", "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.whole.append((tag, known))
        if tag == "figure":
            starts = "hero" in (known.get("class") or "").split() and not self.classes
            self.depth = 1 if starts else self.depth + (self.depth > 0)
            self.classes = known["class"] if starts else self.classes
        if self.depth and "href" in known:
            self.uses.append(known["href"])

    def handle_endtag(self, tag):
        self.depth -= tag == "figure" and self.depth > 0

    def handle_data(self, data):
        self.text += data if self.depth else ""


def hero(tmp_path, monkeypatch, limit, *, case=None, **options):
    """Return the hero of a report that is judged by one limit."""
    monkeypatch.setattr(reports, "LIMITS", (limit,))
    panel, comparison = case or make_case()
    options.setdefault("panel", panel)
    path = write_report(tmp_path, make_document(comparison), comparison=comparison, **options)
    return Hero(path.read_text(encoding="utf-8"))


def test_a_red_report_opens_with_the_exchanged_pictures(tmp_path, monkeypatch):
    """One picture without and with a part of another, both answers of each, and the way to the section."""
    case = make_case()
    seen = hero(tmp_path, monkeypatch, RED, case=case)
    assert "evidence" in seen.classes
    assert seen.uses.count("#opening") == 2
    assert "#places" in seen.uses
    assert seen.text.count("baseline") == seen.text.count("candidate") == 2
    assert "Without" in seen.text


@pytest.mark.parametrize("limit", [GREEN, NOT_JUDGED], ids=["green", "not judged"])
def test_otherwise_it_opens_with_the_maps(limit, tmp_path, monkeypatch):
    """Where the places are no reason, the decision's maps stand first, and the sentence in the section alone."""
    case = make_case()
    seen = hero(tmp_path, monkeypatch, limit, case=case)
    assert "evidence" not in seen.classes
    assert case[1].exchanges.sentence not in seen.text
    assert not any("exchange" in use for use in seen.uses)


@pytest.mark.parametrize("options", [{"redact_inputs": True}, {"panel": None}], ids=["redacted", "no panel"])
def test_without_pictures_the_two_maps_stand_there(options, tmp_path, monkeypatch):
    """The sentence and where the evidence lies, and nothing of any picture in the whole page."""
    case = make_case()
    seen = hero(tmp_path, monkeypatch, RED, case=case, **options)
    coarse = case[1].exchanges.maps[0].grid.name
    assert {f"#exchange-{coarse}-reference", f"#exchange-{coarse}-candidate"} <= set(seen.uses)
    assert not {"exchanges", "exchange-photo"} & {known.get("id") for _, known in seen.whole}


def view_of(panel, comparison, limit=RED):
    """Return what the section shows, and the sheets of its pictures by name."""
    findings = [judge(item, limit) for item in comparison.measures.values() if item.metric == limit.metric]
    sheets = []
    view = places_view(comparison, {found.key: found for found in findings}, panel, sheets)
    return view, {sheet.name: sheet for sheet in sheets}


def cells_of(sheet):
    """Return the pictures of a sheet, without the border around each."""
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.uri.split(",", 1)[1]))).convert("L")).astype(int)
    height, width = sheet.cell
    return [
        image[row * (height + 2) + 1 : (row + 1) * (height + 2) - 1, k * (width + 2) + 1 : (k + 1) * (width + 2) - 1]
        for row in range(sheet.rows)
        for k in range(sheet.columns)
    ]


def test_the_exchanged_picture_is_the_picture_but_for_the_donors_cell():
    """Pixel by pixel, for every one that is shown."""
    panel, comparison = make_case()
    _, sheets = view_of(panel, comparison)
    cells = cells_of(sheets["exchanges"])
    for k, item in enumerate(comparison.exchanges.controversial):
        picture, donor, exchanged = cells[3 * k : 3 * k + 3]
        top, left, bottom, right = item.box
        expected = picture.copy()
        expected[top:bottom, left:right] = donor[top:bottom, left:right]
        np.testing.assert_array_equal(exchanged, expected)
        assert (exchanged != picture).any()


def test_small_pictures_have_one_grid(tmp_path, monkeypatch):
    """Where both scales would be the same there is one pair of maps, with the outlined cell."""
    panel = make_panel(size=(6, 5))
    baseline = make_signature(panel=panel)
    candidate = show(make_signature("c", panel=panel, learned=0.2, accuracy={"ben": 0.5}, seed=3), baseline)
    comparison = compare(baseline, candidate)
    view, _ = view_of(panel, comparison)
    assert [drawn["name"] for drawn in view["maps"]] == ["6x5"]
    assert view["maps"][0]["row"]["outline"]
    assert hero(tmp_path, monkeypatch, RED, case=(panel, comparison)).uses.count("#opening") == 2


@pytest.mark.slow
@pytest.mark.parametrize("hostile", CORPUS, ids=["script", "svg", "javascript", "template", "control", "markdown"])
def test_hostile_class_names_stay_text(hostile, tmp_path, monkeypatch):
    """The names of classes, which stand beside exchanged pictures and in their descriptions, add no element."""
    panel = make_panel(class_names=("other", hostile))
    baseline = make_signature(panel=panel)
    candidate = show(make_signature("c", panel=panel, learned=0.2, accuracy={"ben": 0.5}, seed=3), baseline)
    seen = hero(tmp_path, monkeypatch, RED, case=(panel, compare(baseline, candidate)))
    plain = hero(tmp_path / "plain", monkeypatch, RED)
    assert [tag for tag, _ in seen.whole] == [tag for tag, _ in plain.whole]
    assert not any(name.startswith("on") for _, known in seen.whole for name in known)
    assert "\x1b" not in seen.text
    assert json.dumps(seen.text).count("49") == json.dumps(plain.text).count("49")
