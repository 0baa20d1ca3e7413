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
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from modelcheck.compare import compare
from modelcheck.criteria import Criterion, Finding, judge, overall
from modelcheck.report import (
    ReportError,
    print_summary,
    summary_markdown,
    write_comparison,
    write_gallery,
    write_report,
)
from modelcheck.report.charts import Axis, score_step
from modelcheck.report.pictures import as_bytes, outline, photographs, relevance_sheet, sheet, shrunk
from modelcheck.report.words import clean, compared, number, proportion, reasons, verdict_line, worst
from signatures import document_parts, make_panel, make_signature

HOSTILE = '</script><img src=x onerror="window.hacked=1">'
CORPUS = (
    HOSTILE,
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }}",
    "a\x1b[31mred\x00\u202eback",
    "[x](http://a.b) @me |`",
)
LIMITS = (
    Criterion(metric="transfer", at_least=0.5, why="the same features"),
    Criterion(metric="subject_accuracy", at_least=0.9, why="nobody is left behind"),
    Criterion(metric="mass_over_area", at_least=1.0, why="the evidence lies in the region"),
    Criterion(metric="map_ssim", at_least=0.3, why="for information", advisory=True),
)


def make_document(comparison, *, why=None):
    findings = []
    for item in comparison.measures:
        for limit in LIMITS:
            if limit.metric == item.metric:
                limit = dataclasses.replace(limit, why=why or limit.why)  # noqa: PLW2901
                findings.append(
                    judge(
                        item.value,
                        limit,
                        subject=item.about,
                        interval=item.interval,
                        baseline=item.baseline,
                        n=item.n,
                        evidence=item.evidence,
                    )
                )
    order = ["fail", "unmeasured", "inconclusive", "pass"]
    findings.sort(key=lambda found: (not found.gating, order.index(found.verdict.value)))
    return {
        "schema": 1,
        "verdict": overall(findings).value,
        "scope": "full",
        "reasons": ["because it is so"],
        "exit_code": 1,
        **document_parts(comparison),
        "criteria": {"file": "criteria.toml", "sha256": "c" * 64, "rows": len(LIMITS)},
        "findings": [found.to_dict() for found in findings],
        "not_judged": [item.key for item in comparison.measures if item.metric == "cka"],
        "acknowledged": [],
        "next": ["modelcheck report a b"],
        "provenance": {"baseline": {"keras": "3"}, "candidate": {"keras": "3"}},
        "volatile": {"written": "2026-01-01T00:00:00Z", "host": "here", "seconds": 1.5},
    }


def make_case(*, hostile=None, **options):
    names = ("ada", "ben", "eve") if hostile is None else (hostile, "ben", "eve")
    panel = make_panel(subjects=names)
    layers = (("conv1" if hostile is None else hostile, "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2))
    baseline = make_signature(panel=panel, layers=layers)
    candidate = make_signature(
        hostile or "candidate",
        panel=panel,
        layers=layers,
        learned=0.2,
        accuracy={"ben": 0.5},
        parameters=500,
        seed=3,
        **options,
    )
    return panel, compare(baseline, candidate)


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
    text = " ".join(page.text)
    assert "candidate should not replace the baseline." in text
    assert "half the parameters of the baseline" in text
    for part in ("because it is so", "nobody is left behind", "at least 0.9", "modelcheck report a b", "cka[dense1]"):
        assert part in text
    assert {"findings", "features", "decision", "people", "attention", "provenance"} <= {
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
    document |= {"reasons": [hostile], "next": [hostile], "acknowledged": [hostile], "not_judged": [hostile]}
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
    script = (Path(__file__).parents[1] / "modelcheck" / "report" / "report.js").read_text(encoding="utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert word not in script
    for template in (Path(__file__).parents[1] / "modelcheck" / "report").glob("*.jinja"):
        assert "|safe" not in template.read_text(encoding="utf-8").replace(" ", "")


def test_error_without_comparison_has_reasons_and_next_command(tmp_path):
    """A run that could not begin still gets a page: the verdict, why, and what to do."""
    document = {
        "schema": 1,
        "verdict": "error",
        "scope": "incomplete",
        "reasons": ["no such file"],
        "exit_code": 3,
        "candidate": None,
        "baseline": None,
        "panel": None,
        "recipe": None,
        "criteria": None,
        "metrics": {},
        "findings": [],
        "not_judged": [],
        "acknowledged": [],
        "next": ["try again"],
        "provenance": {},
        "volatile": {},
    }
    text = " ".join(Page(write_report(tmp_path, document).read_text(encoding="utf-8")).text)
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


def test_a_deep_network_stays_small(tmp_path):
    """Fifty layers of large colour maps give a page below 1.5 MB, which says what it leaves out."""
    panel = make_panel(size=(96, 96), channels=3)
    layers = (*((f"dense{k}", "dense", 8) for k in range(49)), ("decision", "decision", 2))
    baseline, candidate = (
        make_signature(name, panel=panel, layers=layers, seed=k, twins=0) for k, name in enumerate("ab")
    )
    path = write_comparison(tmp_path, compare(baseline, candidate), panel=panel)
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


# Pictures.


def decoded(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_sheet_holds_every_picture_in_its_cell():
    """Each picture is found, pixel by pixel, where the sheet says that it is."""
    pictures = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    made = sheet("x", pictures)
    pixels = np.asarray(decoded(made.uri))
    assert pixels.shape == (made.height, made.width)
    for k, picture in enumerate(pictures):
        top, left = -made.y(k), -made.x(k)
        np.testing.assert_array_equal(pixels[top : top + 5, left : left + 4], picture)


def test_maps_have_one_fixed_scale():
    """The same value gets the same grey, whatever else a picture holds; NaN is mid grey."""
    made = as_bytes(np.array([[[[-1.0], [0.0]]], [[[0.0], [1.0]]], [[[np.nan], [9.0]]]]), (-1.0, 1.0))
    assert made.tolist() == [[[0, 128]], [[128, 255]], [[128, 255]]]


def test_photographs_get_full_contrast():
    """A dark photograph is spread over all greys; a blank one does no harm."""
    dark = np.linspace(0.1, 0.2, 600).reshape(1, 20, 30, 1)
    assert photographs(dark).min() == 0
    assert photographs(dark).max() == 255
    assert photographs(np.ones((1, 3, 3, 1))).shape == (1, 3, 3)


def test_relevance_is_warm_for_cool_against_and_clear_where_empty():
    """Positive relevance is vermilion, negative blue, none transparent; each picture has its own scale."""
    maps = np.zeros((2, 1, 3))
    maps[0, 0] = [2.0, 0.0, -2.0]
    pixels = np.asarray(decoded(relevance_sheet("x", maps).uri).convert("RGBA"))
    warm, none, cool = pixels[0, :3]
    assert warm[0] > warm[2]
    assert cool[2] > cool[0]
    assert (none[3], pixels[0, 3:, 3].max()) == (0, 0)
    assert min(warm[3], cool[3]) > 200


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_outline_is_as_long_as_the_border(rows):
    """The path's length is the number of pixel edges between inside and outside, counted one by one."""
    mask = np.array(rows)
    padded = np.pad(mask, 1)
    edges = 0
    for y in range(padded.shape[0] - 1):
        for x in range(padded.shape[1] - 1):
            edges += int(padded[y, x] != padded[y + 1, x]) + int(padded[y, x] != padded[y, x + 1])
    length = 0
    for x, y, way, end in re.findall(r"M(\d+) (\d+)([HV])(\d+)", outline(mask)):
        length += int(end) - int(x if way == "H" else y)
    assert length == edges


def test_shrunk_averages_blocks():
    """A picture of twice the side becomes the means of its blocks; a small one stays."""
    picture = np.arange(16.0).reshape(1, 4, 4, 1)
    assert shrunk(picture, side=2)[0, ..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert shrunk(picture, side=4) is picture


# Words and charts.


@pytest.mark.parametrize(
    ("own", "other", "word"),
    [
        (50, 100, "half the"),
        (47, 100, "about half the"),
        (100, 100, "as many"),
        (200, 100, "twice the"),
        (71, 100, "71 % of the"),
    ],
    ids=str,
)
def test_sizes_in_words(own, other, word):
    """A proportion is said as a person would say it."""
    assert proportion(own, other) == word


def test_no_sizes_no_sentence():
    """Where a size is unknown nothing is said of sizes."""
    assert compared(None, {"parameters": 3}) == ""
    assert compared({"parameters": 3}, {"parameters": None}) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(-0.001, "0.00"), (float("nan"), "\N{EN DASH}"), (-0.5, "\N{MINUS SIGN}0.50")], ids=str
)
def test_numbers_for_people(value, text):
    """Minus signs are true ones, a zero has none, and what is missing is a dash."""
    assert number(value) == text


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_cleaned_text_is_one_harmless_line(text):
    """No control, format or escape character survives."""
    made = clean(text)
    assert "\n" not in made
    assert all(sign.isprintable() or sign == " " for sign in made.replace("\u2009", " ").replace("\xa0", " "))


def test_partial_pass_is_no_release():
    """A pass of a part of the suite does not say that the candidate may replace the baseline."""
    assert "may replace" not in verdict_line({"verdict": "pass", "scope": "partial", "candidate": {"name": "x"}})


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_axis_holds_all_values_between_round_ends(values):
    """Every value stands within the strip, and there are a few ticks."""
    axis = Axis.over(values, at_least=(0.0, 1.0))
    places = [float(axis.at(value).rstrip("%")) for value in values]
    assert min(places) >= 0
    assert max(places) <= 100
    assert 2 <= len(axis.ticks) <= 8


@pytest.mark.parametrize(("score", "step"), [(None, "none"), (-0.3, "0"), (0.0, "0"), (0.5, "2"), (1.0, "4")], ids=str)
def test_score_steps(score, step):
    """Five steps from 0 to 1, and one for no score."""
    assert score_step(score) == step


# Markdown and the terminal.


def test_markdown_has_verdict_and_findings(case):
    """The summary says the verdict, the reasons, the command and each finding."""
    text = summary_markdown(make_document(case[1]))
    assert text.startswith("## ❌ FAIL: candidate should not replace the baseline.")
    assert "    modelcheck report a b" in text
    assert text.count("\n| ") == len(make_document(case[1])["findings"]) + 1


def test_markdown_is_capped(case):
    """Thousands of findings with long reasons stay below a million bytes, and the rest is counted."""
    document = make_document(case[1], why="|<&@" * 2000)
    document["findings"] *= 400
    text = summary_markdown(document)
    assert len(text.encode()) < 1_000_000
    assert f"{len(document['findings']) - 200} more findings" in text


@pytest.mark.parametrize("hostile", CORPUS, ids=["script", "svg", "javascript", "template", "control", "markdown"])
def test_markdown_escapes(hostile):
    """Names make no markup, no link, no mention and no extra column."""
    _, comparison = make_case(hostile=hostile)
    text = summary_markdown(make_document(comparison, why=hostile))
    assert not re.search(r"(?<!\\)<[a-z/]|@me|\]\(http|http:/|\x1b", text)
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9


def printed(document, **options):
    file = io.StringIO()
    print_summary(document, Console(file=file, width=100, **options), report="report/index.html")
    return file.getvalue()


def test_terminal_fits_a_screen(case):
    """A red run fits 45 lines of 100 columns and has tables, verdict, findings, command and path, without colours."""
    text = printed(make_document(case[1]))
    assert len(text.splitlines()) <= 45
    assert "\x1b" not in text
    for part in ("By layer", "By subject", "By region check", "FAIL", "must be at least", "Next:", "report/index.html"):
        assert part in text


def test_terminal_has_colours_where_it_can(case):
    """A terminal with colours gets them."""
    assert "\x1b[" in printed(make_document(case[1]), force_terminal=True, color_system="standard")


@pytest.mark.parametrize("hostile", [*CORPUS, "[bold red]x[/]", "[/nothing]"], ids=str)
def test_terminal_strips_escapes_and_markup(hostile):
    """Names bring no escape sequence, and square brackets are no markup."""
    _, comparison = make_case(hostile=hostile)
    document = make_document(comparison, why=hostile)
    document |= {"reasons": [hostile], "next": [hostile]}
    text = printed(document)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    if hostile.startswith("["):
        assert hostile in text


def test_terminal_without_unicode_gets_plain_signs(case):
    """On a terminal that knows ASCII only, nothing breaks and the limits can be read."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_summary(make_document(case[1]), Console(file=file, width=100))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert ">= 0.9" in text
    assert "FAIL" in text


def test_terminal_shortens_long_tables():
    """Of forty subjects only the gravest are listed, and the rest is counted."""
    panel = make_panel(subjects=[f"person{k:02d}" for k in range(40)], per_subject=2)
    candidate = make_signature("c", panel=panel, accuracy={"person33": 0.0}, seed=1)
    text = printed(make_document(compare(make_signature(panel=panel), candidate)))
    assert "person33" in text
    assert "32 more in the report" in text
    assert len(text.splitlines()) <= 45


def test_reasons_do_not_repeat_the_findings():
    """Sentences of findings among the reasons become one count; other reasons stay, a partial run is told first."""
    _, comparison = make_case()
    document = make_document(comparison)
    bad = [row for row in document["findings"] if row["gating"] and row["verdict"] != "pass"]
    sentences = [Finding.from_dict(row).sentence() for row in bad]
    told = reasons(document | {"reasons": [*sentences, "And 3 more.", "The disk is full."], "scope": "partial"})
    assert told[0].startswith("Only a part of the suite ran")
    assert told[1] == "The disk is full."
    assert re.match(rf"{len(bad)} of \d+ checks did not pass: ", told[2])
    assert len(told) == 3


def test_worst_names_every_metric_before_a_second_of_one():
    """Five failures of one metric do not hide the failure of another; what does not gate is never named."""
    rows = [
        {"metric": metric, "verdict": "fail", "gating": gating}
        for metric, gating in [("a", True), ("a", True), ("x", False), ("a", True), ("b", True), ("c", True)]
    ]
    assert worst(rows, 3) == [0, 4, 5]
    assert worst(rows, 4) == [0, 1, 4, 5]
    assert worst([dict(rows[0], verdict="pass")], 3) == []
