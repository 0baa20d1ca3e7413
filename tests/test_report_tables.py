"""The report of networks on a table: what it says of variables, that it is whole and light, and no name acts in it."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from modelcheck.comparison import compare_tables
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.measured import Measured
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.report import (
    ReportError,
    print_summary,
    summary_markdown,
    write_comparison,
    write_gallery,
    write_report,
)
from modelcheck.report.tables.plots import draw_bar, draw_effect, draw_scatter, find_top
from modelcheck.report.tables.values import format_value, place_in_range, say_percent
from modelcheck.report.words import NOTHING
from report_tables import LIMITS, make_table_comparison, make_table_document
from reports import CORPUS
from table_networks import PlantedNetwork, make_table_panel, make_table_signature
from test_report import Page

CALM = tuple(row for row in LIMITS if row.metric != "driver_change")


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def text_of(page):
    return " ".join(" ".join(page.text).split())


def write(tmp_path, comparison, **options):
    return read(write_report(tmp_path, make_table_document(comparison, **options), comparison=comparison))


def print_of(document, *, width=110):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_summary(document, console)
    return console.file.getvalue()


CASES = {
    "pass": {"n": 20},
    "proxy": {"proxy": True},
    "gap": {"gap": 0.5},
    "change": {"change": 0.6},
    "numbers": {"class_names": ()},
    "classes": {"class_names": ("red", "green", "blue")},
    "hundred classes": {"class_names": tuple(f"class {k}" for k in range(100))},
    "bare": {"divisions": False, "twins": 0},
    "forty": {"n": 40, "proxy": True},
}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    comparison = make_table_comparison(**CASES[request.param])
    document = make_table_document(comparison, limits=CALM)
    path = write_report(tmp_path_factory.mktemp("table"), document, comparison=comparison)
    return request.param, comparison, document, read(path), path


def test_every_page_is_whole(case):
    """Ids are unique, links lead to something within, nothing is fetched and nothing inline would be blocked."""
    page = case[3]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"drivers", "effects", "features", "accuracy", "findings", "provenance"} <= set(ids)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        address = attributes.get("href")
        assert address is None or address == "data:," or address[1:] in ids


def test_nobody_speaks_of_pictures(case):
    """Rows and variables are the nouns of a table: page, terminal and Markdown name no picture, map or pixel."""
    _, _, document, page, _ = case
    for said in (text_of(page), print_of(document), summary_markdown(document)):
        assert not re.search(r"picture|pixel|happymap|photograph|\bcolumns?\b", said.lower()), said[:300]
        assert "None" not in said
        assert "nan" not in said.split()


def test_every_variable_has_its_place(case):
    """No variable is left out of the drivers or of the effects: what is folded is still there."""
    _, comparison, _, page, _ = case
    labels = [attributes.get("aria-label") or "" for _, attributes in page.tags]
    for name in comparison.drivers.columns:
        assert any(label.startswith(f"{name}: ") and "evidence" in label for label in labels)
        assert any(label.startswith(f"The model's effect of {name}: changed") for label in labels)


def test_no_mark_leaves_its_chart(case):
    """Every number in a path or a place of a mark is a number."""
    for tag, attributes in case[3].tags:
        drawn = " ".join(attributes.get(name) or "" for name in ("d", "x1", "x2", "y1", "y2", "cx", "cy", "x", "y"))
        assert "nan" not in drawn, (tag, attributes)
        assert "inf" not in drawn, (tag, attributes)


def test_pages_stay_light(case):
    """A page of forty variables is far below a megabyte."""
    assert case[4].stat().st_size < 600_000


def test_a_forbidden_driver_is_the_first_thing_said(tmp_path):
    """The first screen names the proxy with its share and the baseline's, and its bar is marked as failed."""
    comparison = make_table_comparison(proxy=True)
    path = write_report(tmp_path, make_table_document(comparison, limits=CALM), comparison=comparison)
    text = path.read_text(encoding="utf-8")
    assert re.search(r"postcode\s+holds 42 % of its evidence \(baseline 2 %\)", text_of(read(path)))
    hero = text[text.index('class="hero') : text.index('class="pillars')]
    assert hero.count('<tr class="is-fail">') == 1
    drivers = text[text.index('id="drivers"') : text.index('id="effects"')]
    assert len(re.findall(r'<tr class="is-fail"><th scope="row">postcode', drivers)) == 1
    assert "at most 5 %" in text_of(read(path))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"change": 0.6}, r"age\s+moves its answers otherwise than before: by 0.60 of their spread"),
        ({"gap": 0.5}, r"age\s+moves its answers differently by region: 0.50 of their spread apart"),
        ({"n": 20}, r"holds \d+ % of its evidence"),
    ],
    ids=["effect", "gap", "pass"],
)
def test_the_first_screen_says_what_did_not_pass(options, says, tmp_path):
    """Where drivers passed, the first sentence is of the effect that changed or differs; else of what moved most."""
    comparison = make_table_comparison(**options)
    assert re.search(says, text_of(write(tmp_path, comparison, limits=CALM)))


def test_the_tiles_ask_the_questions_of_a_table(tmp_path):
    """One tile a question that is asked of a table, in the order of the sections, and none of pictures."""
    page = write(tmp_path, make_table_comparison())
    anchors = [a["href"] for tag, a in page.tags if tag == "a" and "href" in a]
    tiles = [x for x in anchors if x in ("#drivers", "#effects", "#populations", "#features", "#accuracy", "#places")]
    assert tiles[-5:] == ["#drivers", "#effects", "#populations", "#features", "#accuracy"]
    assert "Do the same variables drive it?" in text_of(page)
    assert "Hidden triggers" not in text_of(page)


def test_a_tile_shows_the_value_that_is_nearest_to_failing(tmp_path):
    """Of a metric that must be small the largest value stands on the tile."""
    text = text_of(write(tmp_path, make_table_comparison(change=0.25), limits=CALM))
    assert "0.25 Effect change (age)" in text


def test_a_pass_folds_what_passed_and_a_failure_stands_open(tmp_path):
    """Of twenty variables that passed six effects stand open and no finding; a failure opens both."""
    calm, loud = (make_table_comparison(n=20, change=change) for change in (0.05, 0.9))
    texts = {}
    for name, comparison in (("calm", calm), ("loud", loud)):
        document = make_table_document(comparison, limits=CALM)
        texts[name] = write_report(tmp_path / name, document, comparison=comparison).read_text(encoding="utf-8")
    effects = texts["calm"][texts["calm"].index('class="effects"') :]
    assert effects[: effects.index("<details")].count("<figure") == 6
    assert '<details class="part" open>' not in texts["calm"]
    assert texts["loud"].count('<details class="part" open>') == 2


def test_failures_stand_first_and_open(tmp_path):
    """What did not pass among forty effects is never folded away."""
    comparison = make_table_comparison(n=40)
    moved = tuple(
        dataclasses.replace(item, change=0.8 if k >= 30 else 0.05) for k, item in enumerate(comparison.effects)
    )
    measures = {
        key: dataclasses.replace(item, value=0.8)
        if key[0] == "effect_change" and key[1] in {x.column for x in moved[30:]}
        else item
        for key, item in comparison.measures.items()
    }
    comparison = dataclasses.replace(comparison, effects=moved, measures=measures)
    document = make_table_document(comparison, limits=CALM)
    text = write_report(tmp_path, document, comparison=comparison).read_text(encoding="utf-8")
    effects = text[text.index('class="effects"') :]
    assert effects[: effects.index("<details")].count("effect-of is-fail") == 10


def test_small_sub_populations_are_named(tmp_path):
    """A group of four rows is named with its size and has no rates."""
    assert "Fewer than 10 rows, so not measured: sex = x (4)" in text_of(write(tmp_path, make_table_comparison()))


def test_no_division_is_said(tmp_path):
    """Where nothing divides the rows the page says so, and what to do, instead of leaving the question out."""
    page = read(write_comparison(tmp_path, make_table_comparison(divisions=False)))
    assert "Nothing divides the panel's rows" in text_of(page)


def test_what_could_not_be_measured_is_said(tmp_path):
    """No exchanges, an effect that is missing and one of NaN: each is named with its reason, and nothing passes."""
    comparison = make_table_comparison()
    why = "The candidate answers NaN or infinity on 3 of 240 changed rows."
    measures = {}
    for key, item in comparison.measures.items():
        lost = key[0] in ("driver_share", "driver_change", "driver_distance", "driver_rank_agreement")
        missing = lost or key in (("effect_change", "income"), ("effect_change", "age"), ("effect_gap", "age|sex"))
        measures[key] = Measured(metric=key[0], about=key[1], value=math.nan, evidence=why) if missing else item
    effects = [
        dataclasses.replace(item, candidate=item.candidate * math.nan, change=math.nan)
        if item.column == "age"
        else item
        for item in comparison.effects
        if item.column != "income"
    ]
    gaps = [
        dataclasses.replace(
            item, gap=math.nan, p=math.nan, p_adjusted=math.nan, grid=item.grid[:0], curves=item.curves[:, :0]
        )
        if item.column == "age"
        else item
        for item in comparison.gaps
    ]
    comparison = dataclasses.replace(
        comparison, drivers=None, measures=measures, effects=tuple(effects), gaps=tuple(gaps)
    )
    document = make_table_document(comparison)
    assert document["verdict"] == "unmeasured"
    text = text_of(read(write_report(tmp_path, document, comparison=comparison)))
    assert f"Nothing is known of it. {why}" in text
    assert "income" in text[text.index("Not measured income") :][:30]
    assert "Could not be measured" in text


@pytest.mark.parametrize("hostile", CORPUS, ids=["script", "svg", "javascript", "template", "control", "markdown"])
def test_hostile_names_stay_text(hostile, tmp_path):
    """A name with markup, of a variable, unit, category, class, target or group, adds no element to any page."""
    names = {"age": hostile, "target": hostile, "candidate": hostile}
    comparison = make_table_comparison(names=names, class_names=("no", hostile), gap=0.5)
    words = tuple(dataclasses.replace(x, unit=hostile) if x.name == hostile else x for x in comparison.baseline.columns)
    words = tuple(dataclasses.replace(x, values=(hostile, *x.values[1:])) if x.values else x for x in words)
    groups = tuple(dataclasses.replace(x, division=hostile, population=hostile) for x in comparison.groups)
    gaps = tuple(dataclasses.replace(x, division=hostile, populations=(hostile, "m")) for x in comparison.gaps)
    profiles = tuple(dataclasses.replace(x, counterpart=hostile) for x in comparison.profiles)
    sides = [dataclasses.replace(side, columns=words) for side in (comparison.baseline, comparison.candidate)]
    comparison = dataclasses.replace(
        comparison, baseline=sides[0], candidate=sides[1], groups=groups, gaps=gaps, profiles=profiles
    )
    document = make_table_document(comparison, why=hostile)
    pages = [
        write_report(tmp_path / "a", document, comparison=comparison),
        write_comparison(tmp_path / "b", comparison, subject_name=(hostile, hostile)),
    ]
    for path in pages:
        page = read(path)
        assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
        assert len(page.scripts) == 2
        assert isinstance(json.loads(page.scripts[0]), list)
        for _, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            assert not (attributes.get("href") or "").startswith("javascript")
        said = "".join(page.text)
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "49" not in text_of(page).split()
    printed = print_of(document)
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_long_names_are_cut(tmp_path):
    """A name of a thousand letters is shown by its beginning, in charts by less."""
    comparison = make_table_comparison(names={"age": "a" * 1000})
    charts = write_comparison(tmp_path, comparison).read_text(encoding="utf-8")
    assert "a" * 401 not in charts
    assert "a" * 61 not in print_of(make_table_document(comparison), width=100)


def test_a_red_run_fits_one_screen():
    """Forty variables, two divisions and their findings take fifty lines of a terminal, the failure by itself."""
    printed = print_of(make_table_document(make_table_comparison(n=40, proxy=True, gap=0.5)))
    assert len(printed.splitlines()) <= 50
    assert re.search(r"(?m)^  driver share of postcode 0\.\d\d > 0\.05 \(240 rows\)$", printed)


def test_the_panel_is_told_in_rows_and_variables(tmp_path):
    """One sentence names rows, variables, the target and what is missing."""
    panel = make_table_panel(80, subjects=8, missing=5)
    text = text_of(read(write_gallery(tmp_path, make_table_signature(panel), subject_name=("customer", "customers"))))
    assert "Measured on 80 rows of 8 customers and 5 variables, held out from training." in text
    assert "It answers bought: no or yes. Missing: x3 in 5 rows, shift in 5 rows." in text


def test_another_panel_is_refused(tmp_path):
    """Rows that were not measured are an error, not a report."""
    signature = make_table_signature(make_table_panel(80))
    with pytest.raises(ReportError, match="panel of the measurement"):
        write_gallery(tmp_path, signature, panel=make_table_panel(90))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"target": "numbers"}, {"classes": ("low", "mid", "high")}], ids=str)
def test_measured_networks_have_a_page(options, tmp_path):
    """What is measured and compared, not put together by hand, is drawn: of two networks and of one alone."""
    panel = make_table_panel(120, subjects=20, **options)
    baseline = make_table_signature(panel)
    other = PlantedNetwork(weights={"x3": 1.0}, n_outputs=len(panel.class_names) or 1, name="shortcut")
    candidate = make_table_signature(panel, other, stimuli=baseline, seed=2)
    comparison = compare_tables(baseline, candidate)
    limits = (Criterion(metric="driver_share", about="x3", at_most=0.1, why="It is a proxy."),)
    document = make_table_document(comparison, limits=limits)
    page = read(write_report(tmp_path / "a", document, comparison=comparison, panel=panel))
    assert re.search(r"x3\s+holds \d+ % of its evidence", text_of(page))
    alone = text_of(read(write_gallery(tmp_path / "b", candidate, panel=panel)))
    assert "Which variables drive shortcut" in alone
    assert "Baseline" not in alone[: alone.index("Written by modelcheck")]
    assert "No verdict" in text_of(read(write_comparison(tmp_path / "c", comparison, panel=panel)))


def test_redacted_pages_show_no_single_row(tmp_path):
    """With redact_inputs the answers row by row are left out."""
    comparison = make_table_comparison(class_names=())
    shown, hidden = (
        write_comparison(tmp_path / str(flag), comparison, redact_inputs=flag).read_text(encoding="utf-8")
        for flag in (False, True)
    )
    assert "dot-candidate" in shown.split("</style>")[1]
    assert "dot-candidate" not in hidden.split("</style>")[1]


def test_same_input_gives_the_same_bytes(tmp_path):
    """The page is a function of what it shows."""
    comparison = make_table_comparison()
    pages = [
        write_report(tmp_path / x, make_table_document(comparison), comparison=comparison).read_bytes() for x in "ab"
    ]
    assert pages[0] == pages[1]


VALUES = st.lists(st.floats(-1e12, 1e12) | st.just(math.nan), min_size=1, max_size=12)


@settings(deadline=None)
@given(VALUES)
def test_axes_hold_what_is_drawn(values):
    """The end of an axis is no smaller than any value, and no mark leaves its chart, whatever is not a number."""
    curve = np.array(values)
    top = find_top([curve])
    finite = curve[np.isfinite(curve)]
    assert top > 0
    assert not len(finite) or np.abs(finite).max() <= top * (1 + 1e-6)
    numbers = Column(name="age", kind=ColumnKind.NUMBER, low=0.0, high=1.0)
    words = Column(name="job", kind=ColumnKind.CATEGORY, values=tuple(f"c{k}" for k in range(len(curve))))
    grid = np.arange(len(curve), dtype=float)
    weights = np.full(len(curve), 1 / len(curve))
    chart = draw_effect(numbers, grid, weights, {"baseline": curve}, top=top)
    places = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", chart["lines"][0]["path"])]
    places += [x for pair in chart["lines"][0]["alone"] for x in pair]
    assert all(0 <= x <= chart["width"] for x in places)
    drawn = draw_effect(words, grid, weights, {"baseline": curve}, top=top)
    assert all(0 <= x <= drawn["width"] for row in drawn["rows"] for _, x in row["marks"])
    assert len(drawn["rows"]) + drawn["more"] == len(curve)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_values_are_written_or_a_dash_is(value):
    """Any float has words, and what is no number has a dash and no place."""
    age = Column(name="age", kind=ColumnKind.NUMBER, low=18.0, high=90.0, unit="years")
    job = Column(name="job", kind=ColumnKind.CATEGORY, values=("clerk", "nurse"))
    assert format_value(age, value)
    assert format_value(job, value) in ("clerk", "nurse", NOTHING)
    assert (say_percent(value) == NOTHING) == (not math.isfinite(value))
    place = place_in_range(age, value)
    assert (place is None) == (not math.isfinite(value))
    assert place is None or 0 <= place <= 1
    assert (draw_bar(value, 1.0) is None) == (not math.isfinite(value))


def test_a_scatter_of_nothing_is_none():
    """Where no answer is finite, or all are one number, nothing is drawn."""
    truth = np.full(5, 2.0)
    assert draw_scatter(truth, {"candidate": truth}) is None
    assert draw_scatter(truth * math.nan, {"candidate": truth * math.nan}) is None
    assert draw_scatter(np.arange(5.0), {"candidate": truth})["rows"] == 5


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_verdict_is_cut_in_a_narrow_terminal(width):
    """A table leaves columns out before it folds its heads or cuts a verdict."""
    comparison = make_table_comparison()
    odds = (("demographic_parity_difference", 0.3), ("equalized_odds_difference", 0.2))
    more = {(name, "sex"): Measured(metric=name, about="sex", value=value, n=2) for name, value in odds}
    comparison = dataclasses.replace(comparison, measures={**comparison.measures, **more})
    lines = print_of(make_table_document(comparison), width=width).splitlines()
    for head in ("By variable", "By division", "By class"):
        at = next(k for k, line in enumerate(lines) if line.startswith(head))
        assert lines[at].rstrip().endswith("verdict")
    assert max(len(line) for line in lines if not line.startswith("  ")) <= width
