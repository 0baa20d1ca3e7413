"""The report, without a browser: what it holds, that it is whole, and that nothing from outside acts in it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelcheck.comparison import Comparison, LayerComparison, compare
from modelcheck.metrics.matching import Match, Matching
from modelcheck.report import (
    ReportError,
    write_comparison,
    write_gallery,
    write_report,
)
from reports import CORPUS, empty_document, make_case, make_document
from signatures import make_panel, make_signature


class Page(HTMLParser):
    """A slow and obvious reader of a page: its tags, attributes and scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.styles, self.text, self._raw = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._raw = "" if tag == self._raw else self._raw

    def handle_data(self, data):
        {"script": self.scripts, "style": self.styles}.get(self._raw, self.text).append(data)


@pytest.fixture(scope="module")
def case():
    return make_case()


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    panel, comparison = case
    folder = tmp_path_factory.mktemp("report")
    path = write_report(folder, make_document(comparison), comparison=comparison, panel=panel)
    return path.read_text(encoding="utf-8")


def test_report_holds_verdict_findings_and_sections(written, case):
    """The page says the verdict, every finding with its limit and reason, and has every section."""
    page = Page(written)
    text = " ".join(" ".join(page.text).split())
    assert "candidate.keras should not replace the baseline." in text
    assert "half the parameters of the baseline" in text
    for part in ("because it is so", "nobody is left behind", "at least 0.9", "modelcheck report a b", "cka[dense1]"):
        assert part in text
    assert {"findings", "features", "decision", "accuracy", "attention", "provenance"} <= {
        a.get("id") for _, a in page.tags
    }
    rows = [attributes for tag, attributes in page.tags if tag == "tr" and "data-row" in attributes]
    assert len(rows) == len(make_document(case[1])["findings"])


def test_report_is_whole_and_fetches_nothing(written):
    """No address leads out of the file, and every reference within it has its target."""
    page = Page(written)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "srcset", "poster"):
            address = attributes.get(name)
            if address is None:
                continue
            assert address.startswith(("#", "data:"))
            assert address[0] != "#" or address[1:] in ids
    assert "@import" not in written
    assert "//cdn" not in written


def test_policy_names_the_digests_of_style_and_script(written):
    """The Content-Security-Policy allows exactly the style and the script that the page holds."""
    page = Page(written)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest(page.styles[0])}'" in policy
    assert f"script-src 'sha256-{digest(page.scripts[-1])}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_nothing_inline_that_the_policy_would_block(written):
    """No element has an event handler or a style attribute."""
    for _, attributes in Page(written).tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("hostile", CORPUS, ids=["script", "svg", "javascript", "template", "control", "markdown"])
def test_hostile_names_stay_text(hostile, tmp_path):
    """A name with markup, as layer, subject, candidate and reason, adds no element and no script to the page."""
    panel, comparison = make_case(hostile=hostile)
    document = make_document(comparison, why=hostile)
    document |= {"reasons": [{"kind": "error", "text": hostile}], "next": [{"action": "rerun", "command": hostile}]}
    document |= {"settings": {**document["settings"], "layers": {hostile: None}}, "not_judged": [hostile]}
    document["candidate"]["file"] = hostile
    document["provenance"]["candidate"] = {hostile: hostile}
    path = write_report(tmp_path, document, comparison=comparison, panel=panel)
    page = Page(path.read_text(encoding="utf-8"))
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
    assert len(page.scripts) == 2
    assert json.loads(page.scripts[0])
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not (attributes.get("href") or "").startswith("javascript")
    assert "49" not in " ".join(page.text).split()
    assert "\x1b" not in "".join(page.text)


def test_our_script_never_writes_markup():
    """The page's script uses text and nodes, never a string that the browser would read as markup."""
    script = (Path(__file__).parents[1] / "modelcheck" / "report" / "templates" / "report.js").read_text(
        encoding="utf-8"
    )
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script
    for template in (Path(__file__).parents[1] / "modelcheck" / "report" / "templates").glob("*.jinja"):
        assert "|safe" not in template.read_text(encoding="utf-8").replace(" ", "")


def test_error_without_comparison_has_reasons_and_next_command(tmp_path):
    """A run that could not begin still gets a page: the verdict, why, and what to do."""
    document = empty_document(
        reasons=[{"kind": "error", "text": "no such file"}], next=[{"action": "rerun", "command": "try again"}]
    )
    page = Page(write_report(tmp_path, document).read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    for part in ("The gate could not judge", "no such file", "try again"):
        assert part in text
    assert "no such file" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_redacted_report_has_no_photograph(case, tmp_path):
    """With redact_inputs no picture of the panel is in the page, while maps and attributions stay."""
    panel, comparison = case
    document = make_document(comparison)
    shown = write_report(tmp_path / "a", document, comparison=comparison, panel=panel).read_text(encoding="utf-8")
    hidden = write_report(tmp_path / "b", document, comparison=comparison, panel=panel, redact_inputs=True)
    ids = {attributes.get("id") for _, attributes in Page(hidden.read_text(encoding="utf-8")).tags}
    assert {"photos", "turned"} <= {attributes.get("id") for _, attributes in Page(shown).tags}
    assert not {"photos", "turned"} & ids
    assert {"decision-candidate-full", "relevance-0-candidate"} <= ids


def test_another_panel_is_refused(case, tmp_path):
    """Pictures of a panel that was not measured are an error, not a report."""
    with pytest.raises(ReportError, match="panel of the measurement"):
        write_report(tmp_path, make_document(case[1]), comparison=case[1], panel=make_panel(per_subject=6))
    assert not (tmp_path / "index.html").exists()


def test_comparison_says_that_it_does_not_judge(case, tmp_path):
    """Two networks without criteria give a page without a verdict."""
    text = " ".join(Page(write_comparison(tmp_path, case[1], panel=case[0]).read_text(encoding="utf-8")).text)
    assert "No verdict" in text
    assert "it does not judge" in text


def test_gallery_shows_every_unit(tmp_path):
    """The gallery of one network has a picture for every unit, and says where one has no map."""
    signature = make_signature(dead=[("dense1", 2)])
    page = Page(write_gallery(tmp_path, signature).read_text(encoding="utf-8"))
    labels = [attributes.get("aria-label") or "" for _, attributes in page.tags]
    assert sum(label.startswith("conv1, unit") for label in labels) == 4
    assert sum(label.startswith("dense1, unit") for label in labels) == 5
    assert "Unit 2 has no map" in labels


def test_units_without_map_or_partner_are_shown(tmp_path):
    """A dead unit and the surplus of the wider layer stand in the page, as boxes and as pictures."""
    baseline = make_signature()
    candidate = make_signature(
        "c",
        layers=(("conv1", "conv", 7), ("dense1", "dense", 6), ("decision", "decision", 2)),
        seed=2,
        dead=[("dense1", 0)],
    )
    page = Page(write_comparison(tmp_path, compare(baseline, candidate)).read_text(encoding="utf-8"))
    labels = [attributes.get("aria-label") or "" for _, attributes in page.tags]
    assert "Unit 0 has no map" in labels
    assert "3 units of the candidate without a partner" in " ".join(page.text)


def test_the_checks_of_the_methods_are_shown(written):
    """The page says of every attribution method whether its maps depend on the weights and its pixels matter."""
    text = " ".join(Page(written).text)
    for method in ("smoothgrad", "occlusion"):
        assert f"{method}: randomisation" in text
        assert f"{method}: flipping gain" in text


def test_every_pair_shows_where_it_is_alike(case, tmp_path):
    """Each matched pair, and each class of the decision at each scale, has a picture of local likeness."""
    panel, comparison = case
    page = Page(write_comparison(tmp_path, comparison, panel=panel).read_text(encoding="utf-8"))
    labels = [attributes.get("aria-label") or "" for _, attributes in page.tags]
    pairs = sum(len(layer.matching.pairs) for layer in comparison.layers[:-1])
    assert labels.count("Where the two are alike") == labels.count("Candidate minus baseline") == pairs > 0
    scales = ("as drawn", "at the scale of the features", "among natural pictures")
    for name in comparison.candidate.class_names:
        for scale in scales:
            assert f"Local structural similarity, {name}, {scale}" in labels


def test_where_equal_maps_are_alike_is_everywhere(tmp_path):
    """A network beside itself is alike at every pixel of every pair."""
    signature = make_signature()
    text = write_comparison(tmp_path, compare(signature, signature)).read_text(encoding="utf-8")
    sheets = re.findall(r'id="(layer-\d+-local|decision-local-\w+)" href="data:image/png;base64,([^"]+)"', text)
    assert len(sheets) == 2 + 3
    for name, data in sheets:
        assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == 15).all(), name


def test_a_pair_tells_what_is_remarkable_about_its_units(tmp_path):
    """A unit that no held-out picture moves is called dead beside its pair, on the side where it is."""
    baseline = make_signature()
    features = dict(baseline.features)
    features["conv1"] = features["conv1"].copy()
    features["conv1"][..., 1] = 0
    candidate = dataclasses.replace(baseline, features=features)
    for sides, told in (((baseline, candidate), "candidate dead"), ((candidate, candidate), "both dead")):
        text = " ".join(Page(write_comparison(tmp_path, compare(*sides)).read_text(encoding="utf-8")).text)
        assert re.search(rf"1 ↔ \d+, {told}", text)


def test_layer_without_counterpart_is_told(tmp_path):
    """A layer that the candidate lacks is named as such instead of left out."""
    candidate = make_signature("c", layers=(("conv1", "conv", 4), ("decision", "decision", 2)), seed=2)
    text = " ".join(
        Page(write_comparison(tmp_path, compare(make_signature(), candidate)).read_text(encoding="utf-8")).text
    )
    assert "no layer that corresponds" in text


@pytest.mark.parametrize("options", [{"attributions": ()}, {"twins": 0}, {"responses": False}], ids=str)
def test_parts_that_were_not_measured_do_not_break_the_page(options, tmp_path):
    """Without attributions, twins or responses the rest of the page is there."""
    recipe = make_signature().recipe if "attributions" not in options else make_signature(attributions=()).recipe
    baseline, candidate = (make_signature(name, seed=k, recipe=recipe, **options) for k, name in enumerate("ab"))
    comparison = compare(baseline, candidate)
    assert write_report(tmp_path, make_document(comparison), comparison=comparison).stat().st_size > 10_000


def test_colour_pictures_stay_coloured(tmp_path):
    """Maps of three channels are written as RGB."""
    panel = make_panel(channels=3)
    comparison = compare(make_signature(panel=panel), make_signature("c", panel=panel, seed=1))
    text = write_comparison(tmp_path, comparison, panel=panel).read_text(encoding="utf-8")
    uri = re.search(r'id="decision-candidate-full" href="data:image/png;base64,([^"]+)"', text).group(1)
    assert Image.open(io.BytesIO(base64.b64decode(uri))).mode == "RGB"


@pytest.mark.slow
def test_a_deep_network_stays_small(tmp_path):
    """Fifty layers of large colour maps give a page below 1.5 MB, which says what it leaves out."""
    panel = make_panel(size=(96, 96), channels=3)
    layers = (*((f"dense{k}", "dense", 8) for k in range(49)), ("decision", "decision", 2))
    sides = [make_signature(name, panel=panel, layers=layers, seed=k, twins=0) for k, name in enumerate("ab")]
    # Paired by hand: how alike two hundred large maps are is not what is asked here.
    matched = [
        LayerComparison(
            baseline=record,
            candidate=record,
            matching=Matching(tuple(Match(k, k, 0.5) for k in range(record.n_units)), (), ()),
        )
        for record in sides[0].layers
    ]
    comparison = Comparison(baseline=sides[0], candidate=sides[1], layers=tuple(matched), measures={})
    path = write_comparison(tmp_path, comparison, panel=panel)
    assert path.stat().st_size < 1_500_000
    assert "left out to keep this file small" in path.read_text(encoding="utf-8")


def test_page_is_replaced_whole(case, tmp_path, monkeypatch):
    """A writer that dies leaves the old page, and no half-written file."""
    (tmp_path / "index.html").write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path, make_document(case[1]))
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "old"


def test_same_input_gives_the_same_bytes(case, tmp_path):
    """The page is a function of what it shows."""
    document = make_document(case[1])
    pages = [write_report(tmp_path / x, document, comparison=case[1], panel=case[0]).read_bytes() for x in "ab"]
    assert pages[0] == pages[1]


def test_pictures_can_stand_beside_the_page(written, case, tmp_path):
    """As files, the same pictures byte for byte: the page names them and holds none."""
    panel, comparison = case
    path = write_report(tmp_path, make_document(comparison), comparison=comparison, panel=panel, as_files=True)
    inside, beside = (
        [attributes["href"] for tag, attributes in Page(text).tags if tag == "image"]
        for text in (written, path.read_text(encoding="utf-8"))
    )
    assert "data:image" not in path.read_text(encoding="utf-8")
    assert len(inside) == len(beside) > 5
    for uri, name in zip(inside, beside, strict=True):
        assert (tmp_path / name).read_bytes() == base64.b64decode(uri.partition(",")[2])
