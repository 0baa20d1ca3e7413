"""What a value shows of itself: one short, harmless line, whatever it holds and whoever named it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.comparison import LayerComparison, compare
from modelcheck.gate.evidence import Evidence
from modelcheck.judgement import Criterion, Measured, judge
from modelcheck.metrics.matching import Matching
from modelcheck.panel import Panel, TablePanel
from modelcheck.signature import LayerRecord
from modelcheck.signature.history import Approval, ApprovalState
from modelcheck.support.escaping import clean
from signatures import make_panel, make_signature

PANEL = make_panel()
SIGNATURE = make_signature("half_filters")
COMPARISON = compare(make_signature("experiment0", seed=1), SIGNATURE)
NAMES = st.one_of(
    st.text(min_size=1),
    st.sampled_from(["::error file=x::y", "a\x1b[31mred", "two\nlines\r\n", "\u202eleft", "##[group]x", "n" * 5000]),
).filter(lambda text: bool(text.strip("\0 \t\r\n")))


def named(name):
    """Return one value of each kind, with a name of somebody else's wherever a name may stand."""
    record = LayerRecord(name=name, kind="conv", n_units=4, objective="channel", patch=True)
    signature = dataclasses.replace(
        SIGNATURE, model={**SIGNATURE.model, "name": name}, class_names=(name, "left"), layers=(record,)
    )
    comparison = dataclasses.replace(COMPARISON, candidate=signature)
    panel = Panel(
        PANEL.images[:2],
        np.array([0, 1]),
        subjects=(name, name),
        class_names=(name, f"not {name}"),
        names=(name, f"not {name}"),
    )
    measured = Measured(metric="transfer", about=name, value=1e300, interval=(0.1, np.inf), evidence=name, n=10**30)
    return [
        record,
        signature,
        comparison,
        panel,
        TablePanel({"x": [name, "a"]}, [0, 1], target="t", class_names=(name, f"not {name}")),
        TablePanel({"x": [name, "a"]}, [0, 1], target="t").columns[0],
        measured,
        LayerComparison(baseline=record, candidate=record, matching=Matching((), (), ())),
        LayerComparison(baseline=record, candidate=None, matching=Matching((), (), ())),
        Evidence(
            panel=panel,
            comparison=comparison,
            measured="now",
            baseline_folder=Path(name),
            approval=Approval(state=ApprovalState.UNRECORDED),
        ),
        judge(
            Measured(metric="transfer", about=name, value=float("nan"), evidence=name),
            Criterion(metric="transfer", why=f"because {name}", at_least=0.5),
        ),
    ]


@given(NAMES)
def test_a_repr_is_one_short_harmless_line(name):
    """Whatever a layer, a person, a class or a network is called, its repr is one line of at most 120 characters."""
    for value in named(name):
        shown = repr(value)
        assert shown.startswith(f"{type(value).__name__}(")
        assert shown.endswith(")")
        assert len(shown) <= 120
        assert clean(shown) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (PANEL, "Panel(24 pictures 16x12x1, 3 subjects, classes: other, left)"),
        (
            SIGNATURE,
            "Signature(half_filters, 3 layers, 24 pictures, 1 untrained and 0 retrained twins, classes: other, left)",
        ),
        (SIGNATURE.layers[0], "LayerRecord(conv1, conv, 4 units)"),
        (COMPARISON, f"Comparison(experiment0 -> half_filters, 3 layers, {len(COMPARISON.measures)} measures)"),
        (COMPARISON.layers[0], "LayerComparison(conv1 -> conv1, 4 pairs of units)"),
        (
            Measured(metric="accuracy", value=0.93, about="ada", interval=(0.85, 0.98), n=26),
            "Measured(accuracy[ada] = 0.93 [0.85, 0.98], n = 26)",
        ),
        (
            judge(
                Measured(metric="accuracy", about="ada", value=0.93),
                Criterion(metric="accuracy", at_least=0.9, why="as agreed"),
            ),
            "Finding(PASS: accuracy[ada] = 0.930, must be at least 0.9.)",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_repr_names_what_matters(value, shown):
    """A repr says what the value is, what it is called, and the counts that matter."""
    assert repr(value) == shown


def test_maps_show_their_number_and_size():
    """The results of gradient ascent say how many units have a map, how large it is and what it maximises."""
    from modelcheck.happymaps import Ascent, HappyMaps

    maps, reached = np.zeros((3, 8, 6, 1), np.float32), np.array([1, np.nan, 2], np.float32)
    assert repr(HappyMaps(maps, reached)) == "HappyMaps(2 of 3 units have a map, 8x6x1)"
    ascent = Ascent(np.arange(3), maps, reached, reached, "margin", False)
    assert repr(ascent) == "Ascent(2 of 3 units have a map, 8x6x1, objective: margin)"
