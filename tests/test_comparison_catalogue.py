"""The catalogue of metrics: every row is whole and true, and no other module keeps a table of metrics."""

import ast
import math
from pathlib import Path

import pytest

from modelcheck.comparison import (
    ABOUT,
    AREAS,
    CLASSES,
    METRICS,
    NUMBERS,
    PICTURES,
    PLACES,
    compare,
    possible,
    shown_in,
    unit_of,
)
from modelcheck.signature import read_manifest
from signatures import make_panel, make_signature

ROOT = Path(__file__).parents[1]
CATALOGUE = [ROOT / "modelcheck" / "comparison" / name for name in ("catalogue.py", "table_rows.py")]
SOURCES = sorted({*ROOT.glob("modelcheck/**/*.py"), *ROOT.glob("docs/*.py")} - {*CATALOGUE})
PANEL = make_panel(groups=("straight", "left"))
CANDIDATES = {
    "alike": {"seed": 1},
    "unlike": {"learned": 0.0, "accuracy": 0.2, "inside": 0.0, "seed": 2},
    "opposed": {"learned": -0.9, "accuracy": 0.0, "inside": 0.3, "dead": [("conv1", 0)], "seed": 3},
}


@pytest.mark.parametrize("name", METRICS)
def test_every_row_is_whole(name):
    """A metric has a domain, an area, a sentence, a range and a unit, and is shown in places that there are."""
    row = METRICS[name]
    assert row.name == name
    assert row.domain in ABOUT
    assert row.area in AREAS
    assert len(row.explanation) > 40
    assert row.explanation[0].isupper()
    assert row.explanation.endswith(".")
    assert row.lowest < row.highest
    assert all(word and word == word.strip() for word in row.unit)
    assert row.unit[0] != row.unit[1]
    assert row.span[0] < row.span[1]
    bounds = {"share": (0.0, 1.0), "change": (-1.0, 1.0)}
    assert row.narrows in ("", "mean") or (row.lowest, row.highest) == bounds[row.narrows]
    assert not (row.narrows and row.spread)  # what retraining moves is no sampling
    assert row.shown.keys() <= PLACES.keys()
    assert row.mean_of == "" or METRICS[row.mean_of].unit == ("picture", "pictures")


@pytest.mark.parametrize("name", METRICS)
def test_a_name_in_words_is_the_name(name):
    """The words are those of the name, in order; only abbreviations are spelled by hand."""
    row = METRICS[name]
    assert row.title.lower() == name.replace("_", " ")
    assert row.head.lower() == row.title.lower()
    assert bool(row.spelled) == (row.title != row.title.capitalize())


def test_no_two_metrics_read_alike():
    """Names in words, and explanations, are each of one metric only."""
    for part in ("title", "explanation"):
        assert len({getattr(row, part) for row in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("of", [PICTURES, CLASSES, NUMBERS])
def test_ranks_are_an_order(of):
    """No two metrics of one table, tile or list have the same rank, so that the order is one, whatever is answered."""
    for place in PLACES:
        ranks = [
            (row.about if place == "column" else row.area if place == "headline" else "", row.shown[place])
            for row in METRICS.values()
            if place in row.shown and of in row.of
        ]
        assert ranks
        assert len(ranks) == len(set(ranks)), place
    assert shown_in("column", about="subject") == ("subject_accuracy", "subject_change")


@pytest.mark.parametrize("row", METRICS.values(), ids=METRICS)
def test_an_area_is_of_what_its_metrics_are_of(row):
    """A metric is measured of something that its area is asked of, and rates of two classes are of classes."""
    assert row.of
    assert set(row.of) <= set(AREAS[row.area].of)
    assert not row.two_classes or row.of == (CLASSES,)


_OF_TWINS = {"likeness", "worst_likeness", "layer_likeness", "map_agreement"}
_OF_SOURCES = {name for name, row in METRICS.items() if "source" in row.takes}


@pytest.mark.parametrize("options", CANDIDATES.values(), ids=CANDIDATES)
def test_what_is_measured_lies_in_the_range(options, tmp_path):
    """Values, baselines and ends of intervals of a comparison are ones that the catalogue calls possible."""
    baseline, candidate = make_signature(panel=PANEL), make_signature("c", panel=PANEL, **options)
    baseline.write(tmp_path / "b")
    manifest = read_manifest(tmp_path / "b")
    measures = compare(baseline, candidate).measures.values()
    of_pictures = {name for name, row in METRICS.items() if PICTURES in row.of}
    assert {item.metric for item in measures} == of_pictures - _OF_TWINS - _OF_SOURCES
    for item in measures:
        low, high = possible(item.metric, manifest)
        ends = [item.value, *(item.interval or ()), *item.floor, *([] if item.baseline is None else [item.baseline])]
        for end in ends:
            assert math.isnan(end) or low - 1e-9 <= end <= high + 1e-9, item


def test_observations_are_what_their_unit_says():
    """The number behind each value is one that there is of its unit: so many classes, people, pictures, twins."""
    baseline, candidate = make_signature(panel=PANEL), make_signature("c", panel=PANEL, twins=2, seed=1)
    comparison = compare(baseline, candidate)
    units = {len(comparison.candidate.units[layer.baseline.name]) for layer in comparison.layers}
    amounts = {
        "class": {2},
        "subject": {1, 2, 3},
        "picture": {len(PANEL), len(PANEL) // 3, len(candidate.probes)},
        "mosaic": {30},
        "untrained twin": {2},
        "unit": units,
        "pair of units": units,
        "kernel": {1},
        "map": {0},  # nothing was exchanged
    }
    for item in comparison.measures.values():
        assert item.n is None or item.n in amounts[unit_of(item.metric)[0]], item


def tables_of_metrics(source, *, most=2):
    """Yield the literals of a source that name more than so many metrics, with their lines."""
    kinds = (ast.Dict, ast.Tuple, ast.List, ast.Set)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, kinds):
            words = {inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)}
            named = sorted(words & METRICS.keys())
            if len(named) > most:
                yield node.lineno, named


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_module_has_a_table_of_metrics(path):
    """A literal that names three metrics or more belongs into the catalogue."""
    assert list(tables_of_metrics(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        'X = {"recognition": 1, "likeness": 2, "map_ssim": 3}',
        'def f():\n    for name in ("kappa", "answers", "pointing"):\n        print(name)',
        'X = [("a", "cka"), ("b", "kappa"), ("c", "pointing")]',
        'X = (*("recognition", "likeness"), "lineage")',
    ],
)
def test_the_reader_of_tables_can_fail(source):
    """It sees dictionaries, tuples and lists, nested ones too, so the rule above is no formality."""
    assert list(tables_of_metrics(source))
    assert not list(tables_of_metrics(source, most=3))
