"""A page of many classes shows the maps of some and the commonest mistakes, and says of how many."""

import numpy as np
import pytest

from modelcheck.comparison import compare
from modelcheck.report import write_comparison, write_gallery
from modelcheck.report.accuracy import confusion, mistakes
from modelcheck.report.page import comparison_page, gallery_page
from signatures import make_panel, make_signature, show

COUNTS = [12, 40]


def pair(classes):
    """Return a baseline and a candidate of so many classes, of which one has no map in the candidate."""
    names = tuple(f"class{k:03d}" for k in range(classes))
    layers = (("conv1", "conv", 2), ("decision", "decision", classes))
    panel = make_panel(class_names=names, size=(12, 10), per_subject=classes, regions=False)
    options = {"panel": panel, "layers": layers, "accuracy": 0.7}
    baseline = make_signature("baseline", **options)
    candidate = make_signature("candidate", **options, learned=0.6, dead=[("decision", 3)], seed=1)
    return baseline, show(candidate, baseline)


@pytest.mark.slow
@pytest.mark.parametrize("classes", COUNTS)
def test_at_most_twelve_classes_are_drawn(classes, tmp_path):
    """The class without a map and the two least alike are among them, and the page says how many are left out."""
    comparison = compare(*pair(classes))
    page = comparison_page(comparison, None, redact_inputs=True)
    decision = page["features"]["decision"]
    assert len(decision["classes"]) == 12 == decision["total"] - decision["left_out"]
    assert 3 in [item["class"] for item in decision["classes"]]
    assert len(page["hero"]) == 2
    text = write_comparison(tmp_path, comparison).read_text()
    assert ("These are 12 of 40 classes" in text) == (classes == 40)
    assert ("the commonest first" in text) == (classes == 40)


def test_the_page_of_many_classes_is_no_longer_than_that_of_twelve():
    """Pictures and tables of the decision do not grow with the classes."""
    short, long = (gallery_page(pair(classes)[0], None, redact_inputs=True) for classes in COUNTS)
    assert [len(page["gallery"]["decision"]["classes"]) for page in (short, long)] == [12, 12]
    assert [len(page["gallery"]["confusion"]) for page in (short, long)] == [12, 0]
    shown = [item["class"] for item in long["gallery"]["decision"]["classes"]]
    assert (shown[0], shown[-1]) == (0, 39)


def test_a_gallery_of_many_classes_is_written(tmp_path):
    """The template takes both forms of the table."""
    assert "12 of 40 classes, evenly spaced" in write_gallery(tmp_path, pair(40)[0]).read_text()


def test_mistakes_are_counted():
    """Every wrong answer counts once, the commonest comes first, and a short table needs no list."""
    counts = np.eye(30, dtype=int) * 5
    counts[2, 7], counts[4, 1] = 3, 4
    names = [f"c{k}" for k in range(30)]
    found = mistakes(counts, names)
    assert found["total"] == 7
    assert [(row["truth"], row["said"], row["n"], row["of"]) for row in found["rows"]] == [
        ("c4", "c1", 4, 9),
        ("c2", "c7", 3, 8),
    ]
    assert confusion(counts, names) == []
    assert mistakes(counts[:5, :5], names[:5]) is None
    assert len(confusion(counts[:5, :5], names[:5])) == 5
