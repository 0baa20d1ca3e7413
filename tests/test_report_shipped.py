"""The report, the terminal and the summary of a file that ships: what it answers, its conversion, what is released."""

from __future__ import annotations

import dataclasses
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from modelcheck.comparison import BROKEN_BELOW, Conversion, compare
from modelcheck.comparison.conversion import LayerFidelity
from modelcheck.comparison.decision import measure_decision
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge, read_findings
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.margins import margins
from modelcheck.metrics.recognition import recognise
from modelcheck.report import print_summary, summary_markdown, write_comparison, write_gallery, write_report
from modelcheck.report.conversion import conversion_view
from modelcheck.report.page import comparison_page, verdict_page
from modelcheck.report.reasons import reasons, verdict_line
from modelcheck.report.shipped import describe_shipped, list_facts, summarise_shipped, time_fact
from modelcheck.report.words import MINUS, NOTHING, number
from reports import CORPUS, make_case, make_document, make_shipped_case, make_shipped_document
from signatures import make_panel, make_signature, recognising, ship, show
from test_report import Page

USE = {"levels": 256, "clipped": 0.0, "reached": 1.0, "low": 0.0, "high": 1.0}


@pytest.fixture(scope="module")
def case():
    return make_shipped_case()


def page_text(path):
    return " ".join(" ".join(Page(path.read_text(encoding="utf-8")).text).split())


def boxes(path):
    """Return how many places of a page say that there is no map."""
    page = Page(path.read_text(encoding="utf-8"))
    return sum("none" in (attributes.get("class") or "").split() for _, attributes in page.tags)


def printed(document, *, width=110):
    file = io.StringIO()
    print_summary(document, Console(file=file, width=width))
    return file.getvalue()


# What cannot be rendered.


@pytest.mark.slow
@pytest.mark.parametrize("source", [True, False], ids=["with source", "alone"])
def test_no_box_without_a_map(source, tmp_path):
    """Where nothing can be rendered no place is left for it, while a dead unit of a Keras network has one."""
    panel, comparison = make_shipped_case(source=source)
    path = write_report(tmp_path, make_shipped_document(comparison), comparison=comparison, panel=panel)
    assert boxes(path) == 0
    baseline = make_signature()
    dead = compare(baseline, show(make_signature("c", dead=[("decision", 1)], seed=2), baseline))
    assert boxes(write_comparison(tmp_path / "keras", dead)) > 0


def test_what_it_takes_each_map_for_is_told(case, tmp_path):
    """Of every class and view the page says what the file takes the baseline's map for, how surely, and the twins."""
    panel, comparison = case
    answers = comparison.map_answers
    assert [(item.view, item.shown) for item in answers] == [("free", 0), ("free", 1), ("natural", 0), ("natural", 1)]
    text = page_text(write_comparison(tmp_path, comparison, panel=panel))
    for item in answers:
        name = comparison.candidate.class_names[item.shown]
        assert f"takes it for {name} : {number(item.value)}" in text
        assert f"twins {number(min(item.twins))} to {number(max(item.twins))}" in text


def test_a_map_taken_for_another_class_is_told(tmp_path):
    """The class that is answered is named, and the recognition is that of the map's own class."""
    panel, comparison = make_shipped_case(level=-0.7)
    text = page_text(write_comparison(tmp_path, comparison, panel=panel))
    assert f"takes it for left : {MINUS}0.70 for other" in text
    assert f"takes it for other : {MINUS}0.70 for left" in text


@pytest.mark.slow
@given(st.floats(-0.95, 0.95))
@settings(max_examples=25, deadline=None)
def test_map_answers_are_the_recognition(level):
    """Their mean over the classes is the recognition that is judged, and their sign says the class that is answered."""
    panel = make_panel()
    baseline = make_signature(panel=panel)
    file = recognising(show(ship(make_signature("p", panel=panel, seed=3)), baseline), level, panel.labels)
    answers = [item for item in compare(baseline, file).map_answers if item.view == "free"]
    [judged] = [item for item in measure_decision(baseline, file) if item.metric == "recognition"]
    assert math.isclose(np.mean([item.value for item in answers]), judged.value, abs_tol=1e-6)
    assert all(math.isclose(item.value, level, abs_tol=1e-4) for item in answers)


@pytest.mark.slow
@given(arrays(np.float32, (2, 2, 2), elements=st.floats(-8, 8, width=32)))
@settings(max_examples=40, deadline=None)
def test_each_map_has_its_own_answer(scores):
    """Class and value of every map are those of its own row, view and class, as computed from the scores alone."""
    panel, views = make_panel(), ("free", "natural")
    baseline = make_signature(panel=panel)
    file = show(ship(make_signature("p", panel=panel, seed=3)), baseline)
    shown = dataclasses.replace(file.exchange, class_scores=dict(zip(views, scores, strict=True)))
    answers = compare(baseline, dataclasses.replace(file, exchange=shown)).map_answers
    assert len(answers) == 4
    for item in answers:
        own = scores[views.index(item.view)]
        value = recognise(margins(own), margins(file.scores), panel.labels)[item.shown, item.shown]
        assert math.isclose(item.value, value, abs_tol=1e-6)
        assert own[item.shown, item.answer] == own[item.shown].max()


def test_answers_to_other_maps_are_not_told(case):
    """What a file answered to the maps of another baseline says nothing here."""
    _, comparison = case
    other = dataclasses.replace(comparison.candidate.exchange, stimuli_sha256="0" * 64)
    candidate = dataclasses.replace(comparison.candidate, exchange=other)
    assert compare(comparison.baseline, candidate).map_answers == ()


def test_hidden_layers_show_the_baseline_alone(case):
    """Each layer has maps of the baseline, the units paired with them, and no word on maps of the file."""
    panel, comparison = case
    page = comparison_page(comparison, panel, redact_inputs=False)
    names = {sheet.name for sheet in page["sheets"]}
    maps = [name for name in names if name.startswith(("layer", "decision"))]
    assert len(maps) == len(comparison.layers) + 1  # of the decision at two scales
    assert all("baseline" in name for name in maps)
    for layer, compared in zip(page["features"]["layers"], comparison.layers, strict=False):
        assert layer["similarity"].startswith("activation correlation")
        pairs = {f"{pair.baseline} ↔ {pair.candidate}" for pair in compared.matching.pairs}
        assert pairs <= {item["says"] for item in layer["maps"]}
    assert comparison.statistics["candidate"].unit_health == {}


def test_gallery_of_a_file_shows_its_answers(case, tmp_path):
    """A gallery of a file that ships has its answers, and says why it has no maps."""
    path = write_gallery(tmp_path, case[1].candidate, panel=case[0])
    text = page_text(path)
    assert "nothing can be rendered from it" in text
    assert "What it answers" in text
    assert boxes(path) == 0


# What it was not asked, and what is released.


def test_what_is_not_asked_is_counted_and_named(case):
    """The first line counts the criteria, a sentence beneath names them; a Keras candidate is asked everything."""
    document = make_shipped_document(case[1], verdict="pass", findings=[])
    line = verdict_line(document, [])
    assert line == "phone.tflite may be released; 2 criteria not asked of a LiteRT file."
    [told] = [row for row in reasons(document, []) if "not asked" in row]
    assert "mapped units and reach" in told
    keras = {**make_document(make_case()[1]), "verdict": "pass", "reasons": []}
    assert verdict_line(keras, []) == "candidate.keras may replace the baseline."


@pytest.mark.parametrize("read", [printed, summary_markdown, "page"], ids=["terminal", "markdown", "page"])
def test_a_pass_says_what_is_released(read, case, tmp_path):
    """A whole, enforced pass of a file says that it may be released and that the baseline stays; nothing else does."""

    def told(document):
        text = page_text(write_report(tmp_path, document)) if read == "page" else read(document)
        return re.search(r"Release phone\\?\.tflite", text) is not None and "baseline stays baseline" in " ".join(
            text.split()
        )

    good = {"verdict": "pass", "findings": []}
    assert told(make_shipped_document(case[1], **good))
    for spoiled in ({"verdict": "fail"}, {"scope": "partial"}, {"enforced": False}):
        assert not told(make_shipped_document(case[1], **{**good, **spoiled}))
    keras = {**make_shipped_document(case[1], **good), "candidate": dict(make_signature("phone").model)}
    assert not told(keras)


# The conversion.


def converted(snrs, comparison):
    """Return a comparison with a conversion whose layers keep so much."""
    layers = tuple(LayerFidelity(source=f"l{k}", file=f"f{k}", snr=snr, cosine=0.9) for k, snr in enumerate(snrs))
    breaks = next((layer.source for layer in layers if layer.snr < BROKEN_BELOW), "")
    found = Conversion(
        source=comparison.conversion.source, layers=layers, breaks=breaks, changed=np.array([], int), n=24
    )
    return dataclasses.replace(comparison, conversion=found)


@given(st.lists(st.floats(-40, 120), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_chart_shows_every_layer_at_its_height(case, snrs):
    """More signal stands higher, on the right side of the border, and the first layer below it alone is marked."""
    chart = conversion_view(converted(snrs, case[1]), {}, None, [])["chart"]
    points = chart["points"]
    assert len(points) == len(snrs)
    heights = [point["y"] for point in points]
    for one, other in zip(np.argsort(snrs), np.argsort(snrs)[1:], strict=False):
        assert heights[one] >= heights[other]
    assert all(chart["top"] - 0.1 <= y <= chart["bottom"] + 0.1 for y in heights)
    across = [float(point["x"].rstrip("%")) for point in points]
    assert across == sorted(across)
    assert 0 < across[0] <= across[-1] < 100
    broken = [snr < BROKEN_BELOW for snr in snrs]
    assert [point["broken"] for point in points] == broken
    first = [k for k, point in enumerate(points) if point["first"]]
    assert first == ([broken.index(True)] if any(broken) else [])
    for point in points:
        assert point["y"] >= chart["border"] if point["broken"] else point["y"] <= chart["border"]


@pytest.mark.parametrize("snrs", [(50, 45, 44), (50, 12, 30), (3, 2, 1)], ids=str)
def test_the_first_layer_that_breaks_is_told(snrs, case, tmp_path):
    """A sentence names it and a table has every layer; where none breaks, a sentence says how much is kept."""
    comparison = converted(snrs, case[1])
    view = conversion_view(comparison, {}, None, [])
    low = [k for k, snr in enumerate(snrs) if snr < BROKEN_BELOW]
    says = f"breaks first at 'l{low[0]}'" if low else "No layer breaks: each keeps 44 dB"
    assert says in view["sentence"]
    assert [row["mark"] for row in view["layers"]] == [
        "" if k not in low else "breaks first" if k == low[0] else "broken" for k in range(3)
    ]
    text = page_text(write_comparison(tmp_path, comparison))
    assert all(f"{snr} dB" in text for snr in snrs)


@pytest.mark.parametrize("changed", [0, 1, 8, 11])
def test_answers_that_changed_are_shown(changed):
    """At most eight pictures, with the answer of either, and the rest is counted."""
    panel, comparison = make_shipped_case(changed=changed)
    sheets = []
    view = conversion_view(comparison, {}, panel, sheets)["changed"]
    assert (view["total"], len(view["rows"]), view["left_out"]) == (changed, min(changed, 8), max(changed - 8, 0))
    assert [sheet.name for sheet in sheets] == ["converted"] * bool(changed)
    for row in view["rows"]:
        assert row["source"] == row["truth"] != row["file"]


def test_a_redacted_page_has_no_picture_that_changed(tmp_path):
    """With redact_inputs both answers stay, and the pictures are left out."""
    panel, comparison = make_shipped_case(changed=3)
    document = make_shipped_document(comparison)
    shown, hidden = (
        verdict_page(document, comparison, panel, redact_inputs=redact)["conversion"]["changed"]
        for redact in (False, True)
    )
    assert shown["sheet"] is not None
    assert hidden["sheet"] is None
    assert shown["rows"] == hidden["rows"] != []


@pytest.mark.slow
def test_without_a_source_a_line_says_what_it_would_add(tmp_path):
    """The section names the option and nothing more; a Keras candidate has no such section."""
    _, comparison = make_shipped_case(source=False)
    page = Page(write_comparison(tmp_path, comparison).read_text(encoding="utf-8"))
    assert "--source PARENT.keras" in " ".join(page.text)
    assert "fidelity" not in {attributes.get("class") for _, attributes in page.tags}
    assert comparison_page(make_case()[1], None, redact_inputs=True)["conversion"] is None


def test_what_is_asked_beside_the_source_stands_with_the_conversion(case):
    """The two measures of a conversion are shown there once, and not among those of the decision."""
    page = comparison_page(case[1], None, redact_inputs=True)
    assert [row["metric"] for row in page["conversion"]["rows"]] == ["source_agreement", "conversion_snr"]
    assert not {"source_agreement", "conversion_snr"} & {row["metric"] for row in page["features"]["decision_rows"]}


# Facts.


def test_facts_are_in_words():
    """Runtime, precision, ends and input are told as sentences, and what is nothing is not told."""
    said = {"runtime": "onnx", "precision": "int8", "saturation": 0.03, "input_use": USE, "fallback": "No delegate."}
    told = dict(describe_shipped(said))
    assert told["runs on"] == "ONNX Runtime"
    assert told["input"] == "holds 0 to 1, pictures use 100 % of it (256 stored values)"
    assert told["answers"] == "scores of 3 % of the pictures lie at the end of what its outputs can say"
    assert told["kernels"] == "No delegate."
    bare = dict(describe_shipped({"runtime": "litert", "precision": "float32", "saturation": 0.0}))
    assert bare == {"runs on": "LiteRT", "precision": "float32"}
    assert describe_shipped({"file": "a.keras"}) == []
    dark = {**USE, "levels": 24, "clipped": 0.98, "reached": 11.3, "high": 0.088}
    cut = dict(describe_shipped({"runtime": "litert", "input_use": dark}))["input"]
    assert cut == "holds 0 to 0.088; 98 % of the pictures' values lie beyond and are cut (24 stored values used)"


@given(st.floats(1e-6, 1.0))
def test_a_share_is_never_rounded_to_none_or_to_all(share):
    """Where anything is saturated no reader sees 0 %, and where anything is not none sees 100 %."""
    words = dict(describe_shipped({"runtime": "litert", "saturation": share}))["answers"]
    assert "of 0 %" not in words
    assert ("of 100 %" in words) == (share == 1)


def test_facts_stand_side_by_side(case):
    """File and source have one row a fact; what neither says has none."""
    _, comparison = case
    rows = {row["name"]: row for row in list_facts(comparison.candidate.model, comparison.conversion.source.model)}
    assert (rows["Format"]["source"], rows["Format"]["file"]) == ("Keras", "LiteRT")
    assert rows["File"] == {"name": "File", "source": "parent.keras", "file": "phone.tflite"}
    assert rows["Precision"]["file"] == "int8"
    assert "Size" not in {row["name"] for row in list_facts({"runtime": "onnx", "file": "a"}, {"file": "b"})}


@pytest.mark.parametrize("read", [printed, summary_markdown], ids=["terminal", "markdown"])
def test_a_line_of_facts(read, case):
    """Terminal and summary say format, precision and size of a file, and of its source; nothing of a Keras network."""
    document = make_shipped_document(case[1])
    facts = summarise_shipped(document["candidate"], document["source"])
    assert facts == "LiteRT, int8, 4 kB of the 4 kB of its source"
    assert facts in read(document)
    assert summarise_shipped(make_signature().model, None) == ""


def test_the_page_says_the_facts_and_the_source(case, tmp_path):
    """The facts stand beside the networks and in the provenance, where the source has a part of its own."""
    panel, comparison = case
    model = {**comparison.candidate.model, "input_use": USE, "saturation": 0.03}
    known = dataclasses.replace(comparison, candidate=dataclasses.replace(comparison.candidate, model=model))
    text = page_text(write_report(tmp_path, make_shipped_document(known), comparison=known, panel=panel))
    assert text.count("pictures use 100 % of it") == text.count("scores of 3 % of the pictures") == 2
    assert "Source of the candidate" in text
    assert "input_use" not in text


@pytest.mark.slow
@pytest.mark.parametrize("hostile", CORPUS, ids=["script", "svg", "javascript", "template", "control", "markdown"])
def test_names_of_a_file_stay_text(hostile, tmp_path):
    """What a file says of itself, and the names of its layers, add no element and no script to the page."""
    panel, comparison = make_shipped_case(precision=hostile, fallback=hostile, unreadable=hostile, changed=2)
    layers = tuple(dataclasses.replace(layer, source=hostile, file=hostile) for layer in comparison.conversion.layers)
    found = dataclasses.replace(comparison.conversion, layers=layers, breaks=hostile)
    comparison = dataclasses.replace(comparison, conversion=found)
    document = make_shipped_document(comparison)
    document["candidate"] |= {"file": hostile, "name": hostile}
    page = Page(write_report(tmp_path, document, comparison=comparison, panel=panel).read_text(encoding="utf-8"))
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
    assert len(page.scripts) == 2
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "49" not in " ".join(page.text).split()
    assert "\x1b" not in printed(document) + summary_markdown(document)


# Rows and columns of nothing.


def lines_of(document, name, *, width=110):
    return [line for line in printed(document, width=width).splitlines() if line.startswith(name)]


@pytest.mark.parametrize("kind", ["shipped", "keras"])
def test_rows_and_columns_of_dashes_are_left_out(kind):
    """A layer of which nothing is shown and nothing judged has no row, a metric without a value no column."""
    document = make_shipped_document(make_shipped_case()[1]) if kind == "shipped" else make_document(make_case()[1])
    hidden = {
        metric: {**values, "dense1": None} for metric, values in document["metrics"].items() if "dense1" in values
    }
    rows = [row for row in document["findings"] if row["about"] != "dense1"]
    document = {**document, "findings": rows, "metrics": {**document["metrics"], **hidden}}
    assert lines_of(document, "dense1") == []
    assert lines_of(document, "decision") != []
    for line in printed(document).splitlines():
        assert not re.fullmatch(rf"\S+( +{NOTHING})+ +not judged *", line)
    bare = {**document, "metrics": {**document["metrics"], "recognition": {"decision": None}}}
    assert "recognition" in printed(document)
    assert not re.search(r"(?m)^By layer +recognition|^ +recognition$", printed(bare))


def test_what_was_judged_keeps_its_row():
    """A layer that must be measured and was not, and one without a counterpart, are shown for all their dashes."""
    document = make_document(make_case()[1])
    nothing = {metric: dict.fromkeys(values) for metric, values in document["metrics"].items() if "conv1" in values}
    document = {**document, "metrics": {**document["metrics"], **nothing}}
    document["findings"] = [{**row, "verdict": "pass"} for row in document["findings"] if row["about"] != "conv1"]
    absent = {**document, "metrics": {**document["metrics"], "counterpart": {"conv1": 0.0}}}
    assert lines_of(document, "conv1") == []
    assert "no counterpart" in lines_of(absent, "conv1")[0]
    limit = Criterion(metric="activation_correlation", at_least=0.5, why="as agreed")
    judged = {
        **document,
        "findings": [judge(Measured(metric=limit.metric, about="conv1", value=math.nan), limit).to_dict()],
    }
    assert "  activation correlation of conv1 not measured, must be ≥ 0.5" in printed(judged)


def test_columns_of_the_summary_hold_something(case):
    """A column of dashes is left out of the summary's table, and comes back with the first value in it."""
    document = make_shipped_document(case[1])
    bare = {**document, "findings": [{**row, "baseline": None} for row in document["findings"]]}
    assert "| Baseline |" in summary_markdown(document)
    assert "| Baseline |" not in summary_markdown(bare)
    assert len(read_findings(bare)) == summary_markdown(bare).count("\n| ") - 1


def test_the_time_of_one_picture_stands_beside_the_files():
    """In milliseconds, a dash where one was not timed, and no row where none was."""
    [row] = time_fact({"candidate": 0.000064, "source": None})
    assert (row["file"], row["source"]) == ("0.064 ms", NOTHING)
    assert time_fact(None) == []
