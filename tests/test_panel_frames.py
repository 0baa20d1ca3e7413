"""A panel from a stranger's table of rows: what each column becomes, and what is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.cli.panel import panel as command
from modelcheck.panel import Column, ColumnKind, Panel, PanelError, TablePanel, check_like

few = settings(max_examples=40, deadline=None)


@pytest.fixture
def frame():
    """Return a table of 24 complete rows."""
    return pd.DataFrame(
        {
            "age": np.arange(20, 44),
            "sex": ["m", "f"] * 12,
            "smoker": [True, False, False] * 8,
            "city": pd.Categorical(["y", "x", "z", "x"] * 6),
            "who": [f"p{k // 2}" for k in range(24)],
            "bought": ["yes", "no", "no", "yes"] * 6,
        }
    )


def test_a_frame_becomes_a_panel(frame):
    """Types become kinds; features are all but target and subjects, in order, divisions as well."""
    panel = TablePanel.from_frame(frame, target="bought", groups=["sex"], subjects="who", units={"age": "years"})
    assert {column.name: column.kind for column in panel.columns} == {
        "age": "number",
        "sex": "category",
        "smoker": "number",
        "city": "category",
    }
    assert panel.class_names == ("no", "yes")
    assert panel.truth[:3].tolist() == [1, 0, 0]
    assert panel.groups["sex"][:2].tolist() == ["m", "f"]
    assert panel.subjects[:3].tolist() == ["p0", "p0", "p1"]
    assert panel.names[7] == "row-0007"
    assert (panel.units, panel.conversion) == ({"age": "years"}, None)


def test_features_have_the_order_that_is_given(frame):
    """The features are those named, in that order, and a division need not be one."""
    table = frame.assign(label=[f"n{k}" for k in range(24)])
    panel = TablePanel.from_frame(table, target="bought", features=["city", "age"], groups=["sex"], names="label")
    assert list(panel.values) == ["city", "age"]
    assert panel.names[1] == "n1"


@few
@given(
    cells=st.lists(st.integers(-1000, 1000) | st.floats(-1e6, 1e6), min_size=2, max_size=6),
    words=st.lists(st.sampled_from(["a", "b c", "1x", 'q"']), min_size=6, max_size=6),
)
def test_a_file_gives_the_panel_of_its_frame(tmp_path_factory, cells, words):
    """What a CSV file says is what the DataFrame that was written says, digest by digest."""
    table = pd.DataFrame({"number": cells, "word": words[: len(cells)], "t": np.arange(len(cells)) + 0.5})
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    table.to_csv(path, index=False)
    assert TablePanel.from_frame(path, target="t").digest() == TablePanel.from_frame(table, target="t").digest()


TEXT = {
    "numbers": (["1", "-2.5", ".5", "1e3", "+4."], [1, -2.5, 0.5, 1000, 4]),
    "words": (["1", "2+", "3"], ["1", "2+", "3"]),
    "codes": (["0800", "8000"], ["0800", "8000"]),
    "zero": (["0", "0.5"], [0, 0.5]),
    "marks": (["1", "NA", "null"], [1, np.nan, np.nan]),
    "no mark of words": (["None", "NA", "x"], ["None", "NA", "x"]),
    "holes of words": (["x", "nan", ""], ["x", "", ""]),
    "underscores": (["1_000", "2"], ["1_000", "2"]),
}


@pytest.mark.parametrize(("cells", "kept"), TEXT.values(), ids=TEXT.keys())
def test_what_a_column_of_a_file_becomes(tmp_path, cells, kept):
    """Numbers where all cells are written so, and neither codes with leading zeros nor words become any."""
    lines = ["x;t", *(f"{cell};{k}.5" for k, cell in enumerate(cells))]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    panel = TablePanel.from_frame(tmp_path / "table.csv", target="t", missing="keep")
    np.testing.assert_array_equal(panel.values["x"], np.array(kept))


TARGETS = {
    "words": (["b", "a", "b", "a"], {}, ("a", "b"), [1, 0, 1, 0]),
    "booleans": ([True, False, True, False], {}, ("False", "True"), [1, 0, 1, 0]),
    "named booleans": ([True, False, True, False], {"class_names": ["no", "yes"]}, ("no", "yes"), [1, 0, 1, 0]),
    "categories": (pd.Categorical(list("hlhl"), categories=["l", "m", "h"]), {}, ("l", "m", "h"), [2, 0, 2, 0]),
    "few whole": ([0, 1, 2, 1], {}, ("0", "1", "2"), [0, 1, 2, 1]),
    "named positions": ([0, 1, 1, 0], {"class_names": ["no", "yes"]}, ("no", "yes"), [0, 1, 1, 0]),
    "named numbers": ([5, 7, 7, 5], {"class_names": ["5", "7"]}, ("5", "7"), [0, 1, 1, 0]),
    "floats": ([0.5, 1, 2, 3], {}, (), [0.5, 1, 2, 3]),
    "whole as numbers": ([0, 1, 2, 1], {"task": "regression"}, (), [0, 1, 2, 1]),
    "floats as classes": ([0.0, 1.0, 1.0, 0.0], {"task": "classification"}, ("0", "1"), [0, 1, 1, 0]),
}


@pytest.mark.parametrize(("cells", "asked", "classes", "truth"), TARGETS.values(), ids=TARGETS.keys())
def test_what_a_target_becomes(cells, asked, classes, truth):
    """Words, booleans, categories and a few whole numbers are classes, fractions are numbers, and task decides."""
    panel = TablePanel.from_frame(pd.DataFrame({"x": np.arange(4), "t": cells}), target="t", **asked)
    assert panel.class_names == classes
    assert panel.truth.tolist() == truth


DOUBTFUL = {
    "many whole": list(range(24)),
    "not from zero": [1, 2, 3, 4] * 6,
    "few floats": [0.0, 1.0] * 12,
    "one number": [3] * 24,
}


@pytest.mark.parametrize("cells", DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_a_target_in_doubt_is_asked_for(cells):
    """Whole numbers that could be either are refused, with what to say for both."""
    table = pd.DataFrame({"x": np.arange(24) / 2, "t": cells})
    with pytest.raises(PanelError, match=r"classes or numbers.*--task classification.*--task regression") as caught:
        TablePanel.from_frame(table, target="t")
    assert caught.value.options[0] == "--task"
    assert TablePanel.from_frame(table, target="t", task="regression").class_names == ()


BAD = {
    "target": ({}, {"target": "bougt"}, r"lacks the columns \['bougt'\]. Did you mean 'bought'"),
    "feature": ({}, {"features": ["ag"]}, r"lacks the columns \['ag'\]. Did you mean 'age'"),
    "features text": ({}, {"features": "age"}, "features must be a list of names of columns"),
    "groups text": ({}, {"groups": "sex"}, "groups must be a list of names of columns"),
    "no target": ({}, {"target": None}, "target must be the name of a column, not None"),
    "a set": ({}, {"groups": {"sex"}}, "groups must be a list of names of columns"),
    "twice": ({}, {"features": ["age", "age"]}, "features names 'age' twice"),
    "target as feature": ({}, {"features": ["age", "bought"]}, "'bought' is a column too"),
    "dates": ({"age": pd.date_range("2020", periods=24)}, {}, "The column 'age' holds dates"),
    "infinite": ({"age": [np.inf] * 3 + [1] * 21}, {}, "'age' holds 3 infinite values: row 0, row 1, row 2"),
    "infinite dropped": ({"age": [np.inf] * 3 + [1] * 21}, {"missing": "drop"}, "'age' holds 3 infinite values"),
    "two": (
        {"age": [np.inf] * 24, "sex": [1, "m"] * 12},
        {},
        "2 columns cannot be used:\n- The column 'age' .*\n- The column 'sex' must be all numbers or all words",
    ),
    "missing": (
        {"age": [None, *range(23)], "sex": ["m", None, "f"] * 8},
        {},
        "Values are missing in 2 columns:\n- 'age' in 1 row: row 0\n- 'sex' in 8 rows: row 1, row 4.*"
        "and 3 more\nLeave those rows out .* or keep missing features",
    ),
    "missing words": ({"sex": ["m", "nan", "f"] * 8}, {}, "'sex' in 8 rows"),
    "target missing": (
        {"bought": ["yes", None, "no"] * 8},
        {"missing": "keep"},
        "'bought' in 8 rows.*or fill them: of the target, subjects",
    ),
    "division missing": (
        {"sex": ["m", None, "f"] * 8},
        {"missing": "keep", "groups": ["sex"]},
        "'sex' in 8 rows.*or fill them: of the target, subjects",
    ),
    "no row": ({"age": [None, 1] * 12, "city": ["x", None] * 12}, {"missing": "drop"}, "No row is complete"),
    "numbers divide": ({}, {"groups": ["age"]}, r"'age' holds 24 different numbers, from 20 to 43.*pandas.cut\(frame"),
    "names twice": ({}, {"names": "who"}, "names must be distinct"),
    "missing word": ({}, {"missing": "ignore"}, "missing must be"),
    "task word": ({}, {"task": "ranking"}, "task must be"),
    "task and classes": ({}, {"task": "regression", "class_names": ["no", "yes"]}, "has no classes"),
    "words as numbers": ({}, {"task": "regression"}, "'bought' must be numbers for a regression"),
    "class": (
        {},
        {"class_names": ["no", "maybe"]},
        "holds 'yes' in 12 rows, row 0, .*none of the classes 'no'",
    ),
    "no features": ({}, {"features": []}, "no columns beside 'bought'"),
    "both": ({}, {"features": ["age"], "features_like": [Column(name="age", kind=ColumnKind.NUMBER)]}, "give one"),
    "like words": (
        {"age": ["old"] * 24},
        {"features_like": [Column(name="age", kind=ColumnKind.NUMBER)]},
        "'age' must be numbers, and holds words, for example 'old'",
    ),
    "like missing": ({}, {"features_like": [Column(name="hight", kind="number")]}, r"lacks the columns \['hight'\]"),
}


@pytest.mark.parametrize(("changes", "asked", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_named(frame, changes, asked, message):
    """Each bad column or wish is an error that names it, and the rows where it stands."""
    with pytest.raises(PanelError, match=f"(?s){message}"):
        TablePanel.from_frame(frame.assign(**changes), **{"target": "bought", "subjects": "who", **asked})


def test_rows_that_are_left_out_are_counted(frame):
    """With drop, rows that lack anything go, the conversion counts them, and the others keep their numbers."""
    table = frame.assign(age=[None, *range(23)], sex=["m", None, *["f"] * 22])
    panel = TablePanel.from_frame(table, target="bought", subjects="who", missing="drop")
    assert panel.names[:2].tolist() == ["row-0002", "row-0003"]
    assert panel.conversion == "2 of 24 rows left out, for values were missing: age (1), sex (1)"


def test_missing_features_are_kept_if_asked(frame):
    """With keep, a missing number is NaN and a missing category empty, and the columns count them."""
    table = frame.assign(age=[None, *range(23)], sex=["m", None, *["f"] * 22])
    panel = TablePanel.from_frame(table, target="bought", subjects="who", missing="keep")
    assert np.isnan(panel.values["age"][0])
    assert panel.values["sex"][1] == ""
    assert [column.missing for column in panel.columns] == [1, 1, 0, 0]


def test_columns_are_taken_from_another_panel(frame):
    """With features_like, order, kinds and units are those of the other panel, in a file as well."""
    first = TablePanel.from_frame(
        frame.assign(code=["1", "2"] * 12), target="bought", features=["code", "age"], units={"age": "years"}
    )
    again = TablePanel.from_frame(frame.assign(code=[1, 2] * 12), target="bought", features_like=first)
    assert again.digest() == first.digest()


TABLES = {
    "unnamed": (",x,t\n0,1,0.5\n", "a column without a name, .*index=False"),
    "commas": ('x;t\n"1,5";0.5\n2;1.5\n', "'x' holds numbers with a comma, for example '1,5'. Write them with a point"),
    "infinite": ("x,t\n1,0.5\n-inf,1.5\n", "'x' holds 1 infinite value: row 1"),
    "twice": ("x,x,t\n1,2,0.5\n", "two columns of one name"),
    "short": ("x,t\n1\n", "not 2 cells, as the header has: line 2"),
    "no rows": ("x,t\n", "The table has no rows"),
}


@pytest.mark.parametrize(("content", "message"), TABLES.values(), ids=TABLES.keys())
def test_a_file_that_cannot_be_used_is_refused(tmp_path, content, message):
    """What is wrong with a file is said with the place."""
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(PanelError, match=message):
        TablePanel.from_frame(tmp_path / "table.csv", target="t")


def test_a_table_without_pictures_is_shown_the_way(frame):
    """Who asks for a panel of pictures with a table of rows is told what makes one of rows."""
    with pytest.raises(PanelError, match=r"from-rows --target \(in Python TablePanel.from_frame"):
        Panel.from_frame(frame)


def columns(**changes):
    """Return three columns of an approval, some of them changed; None leaves one out."""
    found = {
        "age": Column(name="age", kind=ColumnKind.NUMBER, low=1, high=2, unit="years"),
        "sex": Column(name="sex", kind=ColumnKind.CATEGORY, values=("f", "m")),
        "city": Column(name="city", kind=ColumnKind.CATEGORY, values=("x", "y")),
        **changes,
    }
    return [column for column in found.values() if column is not None]


AGE, SEX, CITY = [1, 2], ["m", "f"], ["x", "x"]
UNLIKE = {
    "missing": ({"sex": SEX, "city": CITY}, ["'age' is missing"]),
    "renamed": ({"Age": AGE, "sex": SEX, "city": CITY}, ["'age' is missing; 'Age' is new: was it renamed?"]),
    "new": ({"age": AGE, "sex": SEX, "city": CITY, "height": AGE}, ["'height' is new"]),
    "kind": ({"age": ["1", "2"], "sex": SEX, "city": CITY}, ["'age' holds categories, and held numbers"]),
    "order": (
        {"age": AGE, "city": CITY, "sex": SEX},
        ["the order is another: column 2 is 'city', and was 'sex'"],
    ),
    "unseen": (
        {"age": AGE, "sex": ["m", "d"], "city": CITY},
        ["'sex' holds categories that were never seen (1): 'd'"],
    ),
    "all": (
        {"city": ["z", "x"], "Age": AGE, "sex": [1, 0]},
        [
            "'age' is missing; 'Age' is new: was it renamed?",
            "'sex' holds numbers, and held categories",
            "'city' holds categories that were never seen (1): 'z'",
        ],
    ),
}


@pytest.mark.parametrize(("values", "differences"), UNLIKE.values(), ids=UNLIKE.keys())
def test_each_difference_from_the_approval_is_named(values, differences):
    """Columns missing, renamed, new, of another kind or order, and categories never seen: all are named."""
    with pytest.raises(PanelError) as caught:
        check_like(TablePanel(values, [0.5, 1.5], target="t"), columns())
    lines = str(caught.value).splitlines()
    assert [line.removeprefix("- ") for line in lines[1:-1]] == differences
    assert lines[-1].endswith("approve anew: modelcheck approve")


def test_another_unit_is_named():
    """Years are not months."""
    panel = TablePanel({"age": AGE, "sex": SEX, "city": CITY}, [0.5, 1.5], target="t", units={"age": "months"})
    with pytest.raises(PanelError, match="'age' is in 'months', and was in 'years'"):
        check_like(panel, columns())


def test_fewer_categories_and_another_range_are_no_difference():
    """A held-out panel need not show all that was seen at the approval."""
    check_like(TablePanel({"age": [-5, 99], "sex": ["m", "m"], "city": CITY}, [0.5, 1.5], target="t"), columns())


@pytest.fixture
def survey(tmp_path, frame, monkeypatch):
    """Return the name of a CSV file in the working folder, in which one age is missing."""
    monkeypatch.chdir(tmp_path)
    frame.assign(age=[None, *range(23)]).to_csv("survey.csv", index=False)
    return "survey.csv"


def test_the_command_makes_and_shows_a_panel(survey, frame):
    """The command writes the panel that Python makes of the file, says what it holds, and shows it again."""
    asked = ["from-rows", survey, "--target", "bought", "--features", "age,sex", "--groups", "sex", "--subjects", "who"]
    done = CliRunner().invoke(command, [*asked, "--missing", "drop", "--out", "heldout.npz"])
    assert done.exit_code == 0, done.output
    for line in (
        "23 rows of 2 columns, in the order of the inputs:",
        "- age (number): 0 to 22",
        "- sex (category): f, m",
        "target bought, classes in the order of the network's outputs:",
        "sub-populations by sex: f 12, m 11",
        "conversion: 1 of 24 rows left out, for values were missing: age (1)",
        "Next: modelcheck init --panel heldout.npz",
    ):
        assert line in done.output.splitlines()
    made = TablePanel.from_frame(
        survey, target="bought", features=["age", "sex"], groups=["sex"], subjects="who", missing="drop"
    )
    assert TablePanel.load("heldout.npz").digest() == made.digest()
    shown = CliRunner().invoke(command, ["show", "heldout.npz"])
    assert shown.output.splitlines()[0] == "23 rows of 2 columns, in the order of the inputs:"


def test_the_command_names_the_command_that_works(survey):
    """What an error asks for stands in a whole command, which then works."""
    asked = ["from-rows", survey, "--target", "bought", "--out", "heldout.npz"]
    done = CliRunner().invoke(command, asked)
    assert isinstance(done.exception, PanelError)
    words = re.search(r"For example: modelcheck panel (.*)", str(done.exception))[1].split()
    assert words[:4] == ["from-rows", "survey.csv", "--missing", "drop"]
    assert CliRunner().invoke(command, words).exit_code == 0


def test_the_command_takes_the_columns_of_a_panel(survey):
    """With --like the columns are those of another panel, in their order."""
    out = ["--missing", "drop", "--out"]
    asked = ["from-rows", survey, "--target", "bought"]
    assert CliRunner().invoke(command, [*asked, "--features", "sex,age", *out, "a.npz"]).exit_code == 0
    assert CliRunner().invoke(command, [*asked, "--like", "a.npz", *out, "b.npz"]).exit_code == 0
    assert TablePanel.load("b.npz").digest() == TablePanel.load("a.npz").digest()


def test_a_panel_shows_itself_in_a_notebook(frame):
    """Columns with ranges and the first rows, as text: nothing in a name is markup."""
    table = frame.rename(columns={"sex": "<b>sex</b>"})
    panel = TablePanel.from_frame(table, target="bought", groups=["<b>sex</b>"], subjects="who", units={"age": "years"})
    page = panel._repr_html_()
    assert "<b>sex" not in page
    for words in ("20 to 43 years", "f, m", "row-0004", "24 rows", "target bought: no, yes", "12 subjects"):
        assert words in page
    assert "row-0005" not in page
    wide = TablePanel({f"c{k}": [k, 1] for k in range(40)}, [0.5, 1], target="t")._repr_html_()
    assert "30 of 40 columns are listed" in wide
    assert "8 of 40 columns" in wide
