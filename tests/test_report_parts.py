"""The parts of the report: pictures, words, charts, the Markdown summary and the terminal's lines."""

from __future__ import annotations

import base64
import dataclasses
import io
import operator
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

import reports
from modelcheck.comparison import METRICS, compare, shown_in
from modelcheck.comparison.local import locate_decision_similarity
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Finding, Verdict, judge, read_findings
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.similarity import shrink
from modelcheck.report import (
    print_summary,
    summary_markdown,
)
from modelcheck.report.calibration import calibration_view
from modelcheck.report.charts import Axis, score_step
from modelcheck.report.parts import describe_making, fold_parts
from modelcheck.report.pictures import (
    as_bytes,
    likeness_sheet,
    outline,
    photograph_sheet,
    relevance_sheet,
    sheet,
)
from modelcheck.report.reasons import reasons, verdict_line
from modelcheck.report.why import explain
from modelcheck.report.words import MINUS, NOTHING, clean, compare_sizes, number, one_line, proportion, worst
from modelcheck.support.escaping import markdown
from reports import CORPUS, empty_document, make_case, make_document
from signatures import make_panel, make_signature, recognising, show


@pytest.fixture(scope="module")
def case():
    """Return a panel and a comparison on it."""
    return make_case()


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
        # A browser rounds: what shows beyond the edge must be the picture's own border, and no
        # neighbour.
        around = np.pad(picture, 1, mode="edge")
        np.testing.assert_array_equal(pixels[top - 1 : top + 6, left - 1 : left + 5], around)


def test_likeness_is_pale_for_unlike_and_green_for_alike():
    """Local likeness grows darker and greener from 0 to 1; what is missing or opposed looks unlike."""
    made = likeness_sheet("x", np.array([[[-1.0, np.nan, 0.0, 0.25, 0.5, 0.75, 1.0]]]))
    shades = np.asarray(decoded(made.uri).convert("RGB")).astype(int)[1, 1:8]
    assert (shades[0] == shades[1]).all()
    assert (shades[0] == shades[2]).all()
    assert (np.diff(shades[2:].sum(axis=1)) < 0).all()
    assert shades[2].min() > 240
    assert shades[-1].argmax() == 1


def test_a_missing_map_is_alike_to_nothing():
    """Where either network has no map of a class, nothing of it is drawn as alike, at any scale."""
    one = make_signature("one")
    maps = {**one.maps, one.decision.name: one.maps[one.decision.name].copy()}
    maps[one.decision.name][0] = np.nan
    natural = one.natural.copy()
    natural[0] = np.nan
    other = dataclasses.replace(one, maps=maps, natural=natural)
    for baseline, candidate in ((one, other), (other, one), (other, other)):
        for local in locate_decision_similarity(baseline, candidate).values():
            assert np.isnan(local[0]).all()
            assert np.nanmin(local[1]) > 0.99


def test_maps_have_one_fixed_scale():
    """The same value gets the same grey, whatever else a picture holds; NaN is mid grey."""
    made = as_bytes(np.array([[[[-1.0], [0.0]]], [[[0.0], [1.0]]], [[[np.nan], [9.0]]]]), (-1.0, 1.0))
    assert made.tolist() == [[[0, 128]], [[128, 255]], [[128, 255]]]


def test_photographs_get_full_contrast():
    """A dark photograph is spread over all greys; a blank one does no harm."""
    dark = np.linspace(0.1, 0.2, 600).reshape(1, 20, 30, 1)
    pixels = np.asarray(decoded(photograph_sheet("x", dark).uri))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert photograph_sheet("x", np.ones((1, 3, 3, 1))).cell == (3, 3)


def test_many_photographs_become_jpeg():
    """A megabyte of photographs is compressed for the eye, and each is still in its cell."""
    pictures = np.zeros((40, 96, 96, 3))
    pictures[:, :, 48:] = 1
    made = photograph_sheet("x", pictures)
    assert made.uri.startswith("data:image/jpeg;base64,")
    pixels = np.asarray(decoded(made.uri)).astype(int)
    top, left = -made.y(11), -made.x(11)
    assert pixels[top + 48, left + 20].max() < 30
    assert pixels[top + 48, left + 70].min() > 225


def test_relevance_is_warm_for_cool_against_and_clear_where_empty():
    """Positive relevance is vermilion, negative blue, none transparent; each picture has its own scale."""
    maps = np.zeros((2, 1, 3))
    maps[0, 0] = [2.0, 0.0, -2.0]
    pixels = np.asarray(decoded(relevance_sheet("x", maps).uri).convert("RGBA"))
    warm, none, cool = pixels[1, 1:4]
    assert warm[0] > warm[2]
    assert cool[2] > cool[0]
    assert (none[3], pixels[1, 6:9, 3].max()) == (0, 0)
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


def test_shrinking_averages_blocks():
    """A picture of twice the side becomes the means of its blocks; a small one stays."""
    picture = np.arange(16.0).reshape(1, 4, 4, 1)
    assert shrink(picture, side=2)[0, ..., 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert shrink(picture, side=4) is picture


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
    assert compare_sizes(None, {"parameters": 3}) == ""
    assert compare_sizes({"parameters": 3}, {"parameters": None}) == ""


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
    assert "may replace" not in verdict_line(empty_document(verdict="pass", scope="partial"), [])


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
    assert text.startswith("## ❌ FAIL: candidate.keras should not replace the baseline.")
    assert "    modelcheck report a b" in text
    assert text.count("\n| ") == len(make_document(case[1])["findings"]) + 1


def test_markdown_says_failures_first_and_folds_the_rest(case):
    """Each failure is a line with number and limit, once and before all findings, which fold."""
    document = make_document(case[1])
    text = summary_markdown(document, comparison=case[1])
    before, _, folded = text.partition("<details><summary>All ")
    assert folded.count("</details>") == 1
    assert "\n| " not in before
    for item in read_findings(document):
        told = [line for line in before.splitlines() if line.startswith("- ") and markdown(one_line(item)) in line]
        assert len(told) == item.red
    assert "1. " in before


def test_markdown_counts_whole_things(case, monkeypatch):
    """A metric that counts classes shows whole numbers, the baseline's too."""
    monkeypatch.setattr(reports, "LIMITS", (Criterion(metric="answers", at_least=2, why="test"),))
    assert "| 2 | 2 | at least 2 | 24 pictures |" in summary_markdown(make_document(case[1]))


@pytest.mark.slow
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
    text = re.sub("</?details>|</?summary>", "", text, count=4)  # our own, once
    assert not re.search(r"(?<!\\)<[a-z/]|@me|\]\(http|http:/|\x1b", text)
    for line in text.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9


def printed(document, *, width=100, **options):
    file = io.StringIO()
    print_summary(document, Console(file=file, width=width, **options), report="report/index.html")
    return file.getvalue()


def passing(comparison):
    """Return a document of which nothing did not pass: what passed stands in tables."""
    document = make_document(comparison)
    rows = [{**row, "verdict": "pass"} for row in document["findings"]]
    return {**document, "verdict": "pass", "findings": rows}


def test_terminal_says_why_first(case):
    """The sentence that explains most stands above the lines of single checks, and says what the report says."""
    document, comparison = make_document(case[1]), case[1]
    file = io.StringIO()
    print_summary(document, Console(file=file, width=100), comparison=comparison)
    lines = file.getvalue().splitlines()
    findings = read_findings(document)
    why = explain([found for found in findings if found.verdict is Verdict.FAIL], comparison=comparison)
    assert why
    at = lines.index(f"Why:     {why[0].says}")
    assert lines[at + min(len(why), 3)] == f"         {why[0].fix}"
    assert at < next(k for k, line in enumerate(lines) if line.endswith("did not pass:"))
    assert "Why:" not in printed(passing(comparison))


def test_terminal_fits_a_screen(case):
    """A red run fits 45 lines and has verdict, a line for each failure, command and path, without colours."""
    document = make_document(case[1])
    text = printed(document)
    assert len(text.splitlines()) <= 45
    assert "\x1b" not in text
    for part in ("FAIL", "accuracy of ben 0.50 < 0.9 (8 pictures)", "Next:", "report/index.html"):
        assert part in text
    for part in ("By layer", "By subject", "By class", "By region check"):
        assert part in printed(passing(case[1]))


def test_each_failure_is_said_once(case):
    """One line a finding that stands in the way; what did not pass is in no table besides."""
    document = make_document(case[1])
    text = printed(document)
    red = [found for found in read_findings(document) if found.red]
    assert len(red) > 1
    for item in red:
        assert text.count(f"  {one_line(item)}") == 1
        if "column" in METRICS[item.measured.metric].shown:
            assert not re.search(rf"(?m)^{item.about} +[-{MINUS}\d]", text)


@settings(max_examples=60)
@given(
    st.floats(-2, 2).map(lambda x: round(x, 6)),
    st.sampled_from([0.0, 0.05, 0.75, 1.75]),
    st.booleans(),
)
def test_a_line_agrees_with_the_numbers(value, limit, least):
    """What a line says of number and limit is true of what is printed: no 0.75 < 0.75, no 0.8 < 0.75."""
    rule = Criterion(metric="subject_accuracy", why="as agreed", **{"at_least" if least else "at_most": limit})
    line = one_line(judge(Measured(metric="subject_accuracy", about="ada", value=value, n=1), rule))
    said = re.fullmatch(r"accuracy of ada (\S+) ([<>≤≥]) (\S+) \(1 picture\)", line)
    left, sign, right = said.groups()
    signs = {"<": operator.lt, ">": operator.gt, "≤": operator.le, "≥": operator.ge}
    assert signs[sign](float(left.replace(MINUS, "-")), float(right))


def test_what_is_piped_is_never_folded(case):
    """In a file every sentence and every failure is one line, however long; a terminal folds at its width."""
    document = make_document(case[1])
    document["reasons"] = [{"kind": "error", "text": "word " * 60}]
    assert f"  {'word ' * 60}".rstrip() in printed(document, width=80)
    folded = printed(document, width=80, force_terminal=True, color_system=None)
    assert "word " * 60 not in folded


def test_no_column_of_the_terminal_is_dashes(case):
    """A layer's and the decision's measures are not the same: each table has a number in every column of a row."""
    text = printed(passing(case[1]), width=160)
    for line in text.splitlines():
        assert f" {NOTHING} " not in line


@pytest.mark.parametrize("width", [80, 100], ids=str)
def test_terminal_tables_fit_their_width(case, width):
    """No heading and no verdict is cut, on a classic terminal or a wider one."""
    text = printed(passing(case[1]), width=width, force_terminal=True, color_system=None)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("Next:")) <= width


def test_heads_of_the_terminal_are_explained(case):
    """Every column is named as its metric is in words, and a line below says what it means."""
    text = printed(passing(case[1]), width=160)
    for name in ("recognition", "mapped_units", "subject_accuracy", "class_change", "mass_over_area", "pointing"):
        assert f"{METRICS[name].head}: {METRICS[name].brief}" in text
    for name in (name for name in METRICS if "column" in METRICS[name].shown):
        assert 5 < len(METRICS[name].brief) <= 64


@pytest.mark.parametrize("width", [80, 100, 160], ids=str)
def test_no_two_columns_of_the_terminal_have_one_name_over_their_numbers(case, width):
    """The line above the numbers tells the columns of a table apart: three are not all called recognition."""
    text = printed(passing(case[1]), width=width)
    heads = [line.split("limit")[0].split() for line in text.splitlines() if line.startswith("By ")]
    assert len(heads) >= 4
    assert all(len(set(words)) == len(words) for words in heads)


def test_a_narrow_terminal_leaves_out_columns_and_no_verdict(case, monkeypatch):
    """What ranks last is left out first; what was judged and has no room is named in its row all the same."""
    monkeypatch.setattr(reports, "LIMITS", (Criterion(metric="mass_change", at_least=-9, why="test"),))
    texts = {}
    for width in (58, 100):
        texts[width] = printed(passing(case[1]), width=width)
        assert re.search(rf"mass\s+change ≥ {MINUS}9 *pass", texts[width].replace("\xa0", " "))
        assert "over area" in texts[width]
    assert "pointing" in texts[100]
    assert "pointing" not in texts[58]


def test_terminal_has_colours_where_it_can(case):
    """A terminal with colours gets them."""
    assert "\x1b[" in printed(make_document(case[1]), force_terminal=True, color_system="standard")


@pytest.mark.parametrize("hostile", [*CORPUS, "[bold red]x[/]", "[/nothing]"], ids=str)
def test_terminal_strips_escapes_and_markup(hostile):
    """Names bring no escape sequence, and square brackets are no markup."""
    _, comparison = make_case(hostile=hostile)
    document = make_document(comparison, why=hostile)
    document |= {"reasons": [{"kind": "error", "text": hostile}], "next": [{"action": "rerun", "command": hostile}]}
    text = printed(document)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    if hostile.startswith("["):
        assert hostile in text


def test_terminal_without_unicode_gets_plain_signs(case):
    """On a terminal that knows ASCII only, nothing breaks and the limits can be read."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_summary(passing(case[1]), Console(file=file, width=100))
    print_summary(make_document(case[1]), Console(file=file, width=100))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert ">= 0.9" in text
    assert "accuracy of ben 0.50 < 0.9" in text
    assert "FAIL" in text


def test_terminal_has_no_table_of_nothing(case):
    """Of what was neither measured nor asked, as regions that a panel does not have, no table is printed."""
    document = make_document(case[1])
    shown = {
        metric: values for metric, values in document["metrics"].items() if metric in shown_in("column", about="group")
    }
    nothing = {metric: dict.fromkeys(values) for metric, values in shown.items()}
    rows = [row for row in document["findings"] if row["metric"] not in shown]
    bare = {**document, "metrics": {**document["metrics"], **nothing}, "findings": rows}
    printed = []
    for each in (document, bare, {**document, "metrics": bare["metrics"]}):
        file = io.StringIO()
        print_summary(each, Console(file=file, width=120))
        printed.append("By region check" in file.getvalue())
    assert printed == [True, False, True]  # what was asked, and not measured, is shown


def test_terminal_shortens_long_tables():
    """Of forty subjects only the gravest are listed, and the rest is counted."""
    panel = make_panel(subjects=[f"person{k:02d}" for k in range(40)], per_subject=2)
    candidate = make_signature("c", panel=panel, accuracy={"person33": 0.0}, seed=1)
    comparison = compare(make_signature(panel=panel), candidate)
    assert "accuracy of person33 0.00 < 0.9" in printed(make_document(comparison))
    assert "32 more in the report" in printed(passing(comparison))
    assert len(printed(make_document(comparison)).splitlines()) <= 45


def test_reasons_do_not_repeat_the_findings():
    """Findings among the reasons become one count; other reasons stay, a partial run is told first."""
    _, comparison = make_case()
    document = make_document(comparison)
    red = [row["key"] for row in document["findings"] if row["gating"] and row["verdict"] != "pass"]
    named = [{"kind": "finding", "key": key} for key in red]
    document |= {"reasons": [*named, {"kind": "error", "text": "The disk is full."}], "scope": "partial"}
    told = reasons(document, read_findings(document))
    assert told[0] == "Only a part of the suite ran: this does not decide a release."
    assert told[1] == "The disk is full."
    assert re.match(rf"{len(red)} of \d+ checks did not pass: ", told[2])
    assert told[3].startswith("The scan for triggers could not be made: ")
    assert len(told) == 4


def found(metric, verdict="fail", *, advisory=False):
    return Finding(
        measured=Measured(metric=metric, value=0.0),
        criterion=Criterion(metric=metric, at_least=0.5, why="as agreed", advisory=advisory),
        verdict=Verdict(verdict),
    )


def test_worst_names_every_metric_before_a_second_of_one():
    """Five failures of one metric do not hide the failure of another; what does not gate is never named."""
    findings = [found("a"), found("a"), found("x", advisory=True), found("a"), found("b"), found("c")]
    assert worst(findings, 3) == [0, 4, 5]
    assert worst(findings, 4) == [0, 1, 4, 5]
    assert worst([found("a", "pass")], 3) == []


@pytest.mark.slow
def test_values_stand_among_their_twins():
    """Each strip shows every twin; the score is the place between the medians, and needs retrained ones."""
    panel = make_panel(groups=("straight", "left"))
    baseline, candidate = (make_signature(name, panel=panel, twins=3, seed=k) for k, name in enumerate("ab"))
    candidate = show(candidate, baseline)
    alone = calibration_view(compare(baseline, candidate))
    assert {row["score"] for row in alone["rows"]} == {NOTHING}
    twins = (show(make_signature(f"twin {k}", panel=panel, seed=9 + k), baseline) for k in range(2))
    kept = tuple(recognising(twin, 0.5, panel.labels).reduce_to_twin({}) for twin in twins)
    candidate = recognising(candidate, 0.5, panel.labels)
    view = calibration_view(compare(dataclasses.replace(baseline, retrained=kept), candidate))
    (known,) = [row for row in view["rows"] if row["name"] == "decision: recognition"]
    assert (len(known["floor"]), len(known["ceiling"]), known["score"]) == (3, 2, "1.00")
    assert (view["untrained"], view["retrained"]) == (3, 2)
    assert "untrained twins" in known["tells"]


def test_parts_with_failures_stand_open():
    """Only what did not pass stands open, each part by its own findings, and says how many."""
    made = fold_parts([found("class_accuracy"), found("kappa", "pass"), found("trigger", "pass"), found("x", "pass")])
    assert {key for key, part in made.items() if part["open"]} == {"accuracy", "findings"}
    assert made["accuracy"]["says"] == "1 of 2 checks did not pass"
    assert made["triggers"]["says"] == "1 check passed"


@pytest.mark.parametrize(
    ("environment", "link"),
    [
        (
            {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"},
            "https://github.com/a/b/actions/runs/7",
        ),
        ({"CI_PIPELINE_URL": "https://gitlab.com/a/b/-/pipelines/7"}, "https://gitlab.com/a/b/-/pipelines/7"),
        ({"CI_PIPELINE_URL": "javascript:alert(1)"}, ""),
        ({"GITHUB_RUN_ID": "7"}, ""),
        ({}, ""),
    ],
)
def test_the_foot_names_date_version_commit_and_run(environment, link):
    """What a build says of itself stands at the foot; an address that is none of the web is left out."""
    made = describe_making(empty_document(run_id="nightly"), environment={**environment, "CI_COMMIT_SHA": "f" * 40})
    assert made["link"] == link
    assert (made["when"], made["commit"], made["run"]) == ("2026-01-01 00:00:00 UTC", "f" * 12, "nightly")
    assert re.match(r"\d+\.\d+", made["version"])
