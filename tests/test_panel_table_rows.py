"""A panel of a table is whole or refused: what is saved is what is loaded, and each bad part is named."""

from __future__ import annotations

import contextlib
import datetime
import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.panel import Column, ColumnKind, Panel, PanelError, TablePanel, load_panel
from modelcheck.panel.row_remarks import find_same_rows
from test_panel import small as small_pictures
from test_panel import words

few = settings(max_examples=50, deadline=None)
names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Z")), min_size=1, max_size=6)
numbers = st.floats(-1e6, 1e6) | st.just(float("nan"))


@st.composite
def columns(draw, n):
    """Return any column: numbers or words, some missing, never all."""
    cells = draw(st.lists(draw(st.sampled_from([numbers, words | st.just("")])), min_size=n, max_size=n))
    there = [cell for cell in cells if str(cell) not in ("nan", "")]
    return [*cells[:-1], cells[-1] if there else (1.5 if isinstance(cells[-1], float) else "a")]


@st.composite
def table_panels(draw):
    """Return any small panel of a table."""
    n = draw(st.integers(1, 5))
    target, *features = draw(st.lists(names.filter(_reads), min_size=2, max_size=5, unique=True))
    classes = draw(st.just([]) | st.lists(words, min_size=2, max_size=3, unique=True))
    truth = st.integers(0, len(classes) - 1) if classes else st.floats(-1e6, 1e6)
    values = {name: draw(columns(n)) for name in features}
    has_unit = [name for name in features if isinstance(values[name][0], float)]
    return TablePanel(
        values,
        np.array(draw(st.lists(truth, min_size=n, max_size=n))),
        target=target,
        class_names=classes,
        subjects=draw(st.none() | st.lists(words, min_size=n, max_size=n)),
        groups=draw(
            st.dictionaries(
                st.from_regex("[a-z]{1,4}", fullmatch=True),
                st.lists(st.sampled_from("fmx"), min_size=n, max_size=n),
                max_size=2,
            )
        ),
        names=draw(st.none() | st.lists(words, min_size=n, max_size=n, unique=True)),
        units=draw(st.none() | st.dictionaries(st.sampled_from(has_unit), names) if has_unit else st.none()),
        conversion=draw(st.none() | words),
    )


def _reads(name):
    from modelcheck.support.escaping import is_legible

    return name.isprintable() and is_legible(name) and "|" not in name


def small(**changes):
    """Return the parts of a small good panel, some of them changed."""
    parts = {
        "values": {"age": np.array([31.0, 58.0, 44.0]), "sex": ["m", "f", "f"]},
        "truth": np.array([0, 1, 0]),
        "target": "bought",
        "class_names": ["no", "yes"],
        "subjects": ["ada", "ada", "bob"],
        "groups": {"sex": ["m", "f", "f"]},
        "names": ["a", "b", "c"],
        "units": {"age": "years"},
    }
    return {**parts, **changes}


@pytest.mark.slow
@few
@given(panel=table_panels())
def test_saving_and_loading_keeps_every_part(tmp_path_factory, panel):
    """A loaded panel has the digest, the columns and the arrays of the one that was saved, in the same order."""
    path = tmp_path_factory.mktemp("panel") / "panel.npz"
    panel.save(path)
    for loaded in (TablePanel.load(path), load_panel(path)):
        assert isinstance(loaded, TablePanel)
        assert loaded.digest() == panel.digest()
        assert list(loaded.values) == list(panel.values)
        assert repr(loaded.columns) == repr(panel.columns)
        assert (loaded.target, loaded.class_names, loaded.units) == (panel.target, panel.class_names, panel.units)
        for name, part in panel.values.items():
            np.testing.assert_array_equal(loaded.values[name], part)
        assert loaded.groups.keys() == panel.groups.keys()


@pytest.mark.slow
@few
@given(panel=table_panels(), data=st.data())
def test_subset_picks_the_same_rows_of_every_part(panel, data):
    """A subset has each part's rows, by mask and by index alike, and the whole panel is a subset of itself."""
    assert panel.subset(np.arange(len(panel))).digest() == panel.digest()
    row = data.draw(st.integers(0, len(panel) - 1))
    values = {name: part[row] for name, part in panel.values.items()}
    if any(str(value) in ("", "nan") for value in values.values()):
        with pytest.raises(PanelError, match="holds no value"):
            panel.subset(np.array([row]))
        return
    chosen = panel.subset(np.arange(len(panel)) == row)
    assert {name: part[0] for name, part in chosen.values.items()} == values
    assert (chosen.truth[0], chosen.names[0]) == (panel.truth[row], panel.names[row])
    assert chosen.digest() == panel.subset(np.array([row])).digest()


CHANGES = {
    "number": {"values": {"age": [31.0, 58.0, 45.0], "sex": ["m", "f", "f"]}},
    "missing": {"values": {"age": [31.0, 58.0, None], "sex": ["m", "f", "f"]}},
    "word": {"values": {"age": [31.0, 58.0, 44.0], "sex": ["m", "f", "m"]}},
    "name": {"values": {"Age": [31.0, 58.0, 44.0], "sex": ["m", "f", "f"]}, "units": {"Age": "years"}},
    "order": {"values": {"sex": ["m", "f", "f"], "age": [31.0, 58.0, 44.0]}},
    "truth": {"truth": [1, 1, 0]},
    "target": {"target": "sold"},
    "classes": {"class_names": ["yes", "no"]},
    "regression": {"class_names": ()},
    "subjects": {"subjects": ["ada", "bob", "bob"]},
    "no subjects": {"subjects": None},
    "groups": {"groups": {"sex": ["m", "f", "m"]}},
    "division": {"groups": {"Sex": ["m", "f", "f"]}},
    "no groups": {"groups": None},
    "names": {"names": None},
    "units": {"units": {"age": "months"}},
    "conversion": {"conversion": "none"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_digest_changes_with_any_part(change):
    """No part can change without changing the digest."""
    assert TablePanel(**small(**change)).digest() != TablePanel(**small()).digest()


def test_names_that_run_into_each_other_have_digests_of_their_own():
    """Columns are kept by position: no name can look like another column's part."""
    one = TablePanel({"a|<f8|(1,)|": [1.0], "b": [2.0]}, [0.5], target="t")
    other = TablePanel({"a": [1.0], "b|<f8|(1,)|": [2.0]}, [0.5], target="t")
    assert one.digest() != other.digest()


def test_a_panel_cannot_be_changed():
    """Neither through its arrays, nor through those that it was made of."""
    parts = small()
    panel = TablePanel(**parts)
    digest = panel.digest()
    parts["values"]["age"][:] = 0
    parts["truth"][:] = 0
    assert panel.digest() == digest
    for part in (panel.truth, panel.subjects, panel.names, *panel.values.values(), *panel.groups.values()):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = part[1]


KINDS = {
    "floats": (np.array([1.5, np.nan]), [1.5, np.nan]),
    "half": (np.array([1.5, 2], np.float16), [1.5, 2.0]),
    "whole numbers": ([1, 2], [1.0, 2.0]),
    "bytes": (np.array([1, 255], np.uint8), [1.0, 255.0]),
    "booleans": ([True, False], [1.0, 0.0]),
    "booleans of numpy": (np.array([True, False]), [1.0, 0.0]),
    "holes": ([1, None], [1.0, np.nan]),
    "Int64": (pd.array([1, None], dtype="Int64"), [1.0, np.nan]),
    "Series": (pd.Series([1, 2], index=[7, 9]), [1.0, 2.0]),
    "text": (["a", "b"], ["a", "b"]),
    "fixed text": (np.array(["a", "bc"]), ["a", "bc"]),
    "UTF-8": (np.array([b"a", "\u00e9".encode()]), ["a", "\u00e9"]),
    "text with a hole": (["a", None], ["a", ""]),
    "text with NaN": (["a", float("nan")], ["a", ""]),
    "text with NA": (pd.array(["a", None], dtype="string"), ["a", ""]),
    "blank": (["a", " \t"], ["a", ""]),
    "text of numbers": (["1", "2"], ["1", "2"]),
    "categories": (pd.Categorical(["b", "a"]), ["b", "a"]),
    "categories of numbers": (pd.Series([1.0, None]).astype("category"), ["1", ""]),
}


@pytest.mark.parametrize(("cells", "kept"), KINDS.values(), ids=KINDS.keys())
def test_what_a_column_becomes(cells, kept):
    """Numbers and booleans are float64, NaN where one is missing; text and categories are words, empty where none."""
    part = TablePanel({"x": cells}, [0.5, 1.5], target="t").values["x"]
    assert part.dtype.kind == ("U" if isinstance(kept[0], str) else "f")
    np.testing.assert_array_equal(part, kept)


def test_columns_say_what_was_seen():
    """Numbers have a range and a unit, categories their words, and both how often they are missing."""
    panel = TablePanel({"age": [31, None, 58], "sex": ["m", None, "f"]}, [1, 2, 3], target="t", units={"age": "years"})
    age, sex = panel.columns
    assert (age.kind, age.low, age.high, age.unit, age.missing) == (ColumnKind.NUMBER, 31, 58, "years", 1)
    assert sex == Column(name="sex", kind=ColumnKind.CATEGORY, values=("f", "m"), low=sex.low, high=sex.high, missing=1)


AGE, SEX = [31.0, 58.0, 44.0], ["m", "f", "f"]
BAD = {
    "no columns": ({"values": {}}, "values must be columns by their names, .*, not none"),
    "a frame": ({"values": pd.DataFrame({"age": AGE})}, "not DataFrame. Of a DataFrame .* TablePanel.from_frame"),
    "no rows": ({"values": {"age": []}}, "The panel is empty"),
    "lengths": ({"values": {"age": AGE, "sex": ["m"]}}, "The columns differ in length: age 3, sex 1"),
    "deep": ({"values": {"age": np.zeros((3, 2))}}, r"The column 'age' must be one value a row, .* shape \(3, 2\)"),
    "one cell": ({"values": {"age": 3.0}}, "The panel is empty"),
    "mixed": (
        {"values": {"age": [31, "old", "y"]}},
        r"'age' must be all numbers or all words: it holds words \(2\), numbers \(1\), for example 'old'",
    ),
    "objects": ({"values": {"age": [{}, {}, {}]}}, r"must be all numbers or all words: it holds dict \(3\)"),
    "complex": ({"values": {"age": np.ones(3, complex)}}, "must be numbers or words, not complex128"),
    "dates": ({"values": {"age": pd.to_datetime(["2020-01-01"] * 3)}}, "holds dates or times.*days since the first"),
    "date objects": ({"values": {"age": [datetime.date(2020, 1, 1)] * 3}}, "holds dates or times"),
    "infinite": ({"values": {"age": [1, np.inf, -np.inf]}}, "'age' holds 2 infinite values: row 1, row 2. Mend"),
    "overflow": ({"values": {"age": np.array([1, 2, np.longdouble("1e400")])}}, "1 infinite value: row 2"),
    "identifiers": (
        {"values": {"age": [1, 2, 2**53 + 1]}},
        r"1 whole number beyond 2\*\*53, the first 9007199254740993",
    ),
    "int64": ({"values": {"age": np.array([1, 2, -(2**60)])}}, r"1 whole number beyond 2\*\*53"),
    "nothing there": ({"values": {"age": [None, "", np.nan]}}, "'age' holds no value in any of 3 rows. Leave it out"),
    "column number": ({"values": {0: AGE}}, "A column's name must be text .* not '0'"),
    "column newline": ({"values": {"a\nb": AGE}}, "A column's name must be text of at most 200 characters that can be"),
    "column empty": ({"values": {"": AGE}}, "A column's name must be text"),
    "target column": ({"target": "sex"}, "The target 'sex' is a column too"),
    "target none": ({"target": None}, "target must be text"),
    "truth few": ({"truth": [0, 1]}, r"The truth of 'bought' must be 3 whole numbers, not int64 of shape \(2,\)"),
    "truth high": ({"truth": [0, 1, 2]}, "The truth of 'bought' span 0 to 2, but there are 2 classes"),
    "truth word": ({"truth": ["no", "yes", "maybe"]}, r"hold names of no class: 'maybe' \(1\)"),
    "truth empty": ({"truth": ["no", "yes", None]}, "The truth of 'bought' must not be empty; number 2 is"),
    "truth nan": ({"truth": [0, 1, np.nan]}, "must be 3 whole numbers, not float64"),
    "numbers nan": ({"class_names": (), "truth": [0, np.nan, 1]}, "'bought' is missing in 1 row: row 1. Leave those"),
    "numbers inf": ({"class_names": (), "truth": [0, np.inf, 1]}, "'bought' holds 1 infinite value: row 1"),
    "numbers few": ({"class_names": (), "truth": [0.5]}, "must be 3 numbers, one a row, not 1"),
    "numbers words": (
        {"class_names": (), "truth": ["a", "b", "a"]},
        "holds no numbers: name the classes, class_names=",
    ),
    "numbers bool": ({"class_names": (), "truth": np.array([True, False, True])}, "holds no numbers: name the classes"),
    "one class": ({"class_names": ["no"]}, "at least two distinct names"),
    "subjects few": ({"subjects": ["a"]}, "subjects must be 3 words, one a row, not of shape"),
    "subjects empty": ({"subjects": ["a", "b", ""]}, "subjects must not be empty; number 2 is"),
    "groups list": ({"groups": ["m", "f", "f"]}, "groups must be words by the name of a division.* not list"),
    "groups few": ({"groups": {"sex": ["m"]}}, r"groups\['sex'\] must be 3 words, one a row"),
    "groups empty": ({"groups": {"sex": ["m", "f", None]}}, r"groups\['sex'\] must not be empty; number 2 is"),
    "names twice": ({"names": ["a", "b", "a"]}, "names must be distinct"),
    "units unknown": ({"units": {"agee": "years"}}, "units names 'agee', which is no column. Did you mean 'age'"),
    "units word": ({"units": {"sex": "cm"}}, "units.*but the column holds categories"),
    "units number": ({"units": {"age": 3}}, "units.*must be short text"),
    "conversion": ({"conversion": ""}, "conversion must be one text"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_parts_that_do_not_fit_are_refused(changes, message):
    """Each bad part is an error that names it and says what was expected."""
    changes = {"units": None, "groups": None, **changes} if "values" in changes else changes
    with pytest.raises(PanelError, match=message):
        TablePanel(**small(**changes))


@pytest.mark.parametrize(
    ("columns", "groups"),
    [
        (["a|b", "a"], {"c": "f", "b|c": "f"}),
        (["a"], {"b": "c=d", "b=c": "d"}),
    ],
    ids=["effects", "populations"],
)
def test_two_things_of_one_name_are_refused(columns, groups):
    """Where '|' or '=' in names would make two effects or two sub-populations one, the panel is refused."""
    rows = 24
    divided = {name: [word] * 12 + ["other"] * 12 for name, word in groups.items()}
    values = {name: np.arange(rows) for name in columns}
    with pytest.raises(PanelError, match="Two things would be called"):
        TablePanel(values, np.arange(rows) / 2, target="t", groups=divided)
    assert TablePanel(values, np.arange(rows) / 2, target="t", groups=dict([divided.popitem()]))


def npz(**parts):
    """Return the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **parts)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Return the parts of a good panel file of a table."""
    path = tmp_path_factory.mktemp("good") / "panel.npz"
    TablePanel(**small()).save(path)
    with np.load(path) as parts:
        return dict(parts)


FILES = {
    "missing column": ({"values/1": None}, r"missing parts \['values/1'\], unknown parts \[\]"),
    "one column more": ({"values/2": np.zeros(3)}, r"missing parts \[\], unknown parts \['values/2'\]"),
    "missing division": ({"groups/0": None}, r"missing parts \['groups/0'\]"),
    "no truth": ({"truth": None}, r"is no panel: missing parts \[.*'truth'"),
    "newer": ({"format": np.int64(2)}, "has panel format 2; this modelcheck reads format 1"),
    "column of whole numbers": ({"values/0": np.zeros(3, int)}, "The column 'age' must be float64 or text, not int64"),
    "column names": ({"columns": np.array([["age", "sex"]])}, "columns must be distinct words"),
    "same names": ({"columns": np.array(["age", "age"])}, "columns must be distinct words"),
    "units": ({"units": np.array(["years"])}, "units must be 2 words, one a column, not 1"),
    "target": ({"target": np.array(["bought"])}, "target must be one text"),
    "short": ({"truth": np.array([0, 1])}, "must be 3 whole numbers"),
    "infinite": ({"values/0": np.array([1, 2, np.inf])}, "'age' holds 1 infinite value"),
    "many columns": ({"columns": np.zeros(10**6, np.int8)}, r"missing parts \['values/2', .*and 9993 more"),
}


@pytest.mark.parametrize(("changes", "message"), FILES.values(), ids=FILES.keys())
def test_file_that_is_no_panel_is_refused(tmp_path, good, changes, message):
    """A file that lacks a part, has one too many, or whose parts do not fit is refused by name."""
    path = tmp_path / "panel.npz"
    path.write_bytes(npz(**{name: part for name, part in {**good, **changes}.items() if part is not None}))
    for read in (TablePanel.load, load_panel):
        if read is load_panel and "truth" in changes and changes["truth"] is None:
            continue  # it is then no more a table than pictures
        with pytest.raises(PanelError, match=f"panel.npz.*{message}"):
            read(path)
    with pytest.raises(PanelError, match=r"panel\.npz"):
        load_panel(path)


def test_each_reader_names_the_other(tmp_path):
    """A table's file is no panel of pictures, nor the reverse; the message names what reads it."""
    TablePanel(**small()).save(tmp_path / "rows.npz")
    Panel(**small_pictures()).save(tmp_path / "pictures.npz")
    with pytest.raises(PanelError, match=r"panel of rows of a table, not of pictures. .* modelcheck.TablePanel.load"):
        Panel.load(tmp_path / "rows.npz")
    with pytest.raises(PanelError, match=r"panel of pictures, not of rows of a table. .* modelcheck.Panel.load"):
        TablePanel.load(tmp_path / "pictures.npz")
    assert isinstance(load_panel(tmp_path / "pictures.npz"), Panel)


def test_a_panel_is_written_over_and_nothing_else(tmp_path):
    """A table's file may replace a panel of either kind, and no other file."""
    panel = TablePanel(**small())
    Panel(**small_pictures()).save(tmp_path / "a.npz")
    for _ in range(2):
        panel.save(tmp_path / "a.npz")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PanelError, match="is a file, and no panel"):
        panel.save(tmp_path / "notes.txt")


def test_what_is_written_is_read_however_it_shrinks(tmp_path, monkeypatch):
    """Rare flags shrink a hundredfold and more, which a file from outside may not: such a panel is kept unpacked."""
    for limit, value in {"panel.storage.MAX_SMALL_BYTES": 2**18, "support.archive.MAX_SMALL_BYTES": 2**18}.items():
        monkeypatch.setattr(f"modelcheck.{limit}", value)
    monkeypatch.setattr("modelcheck.panel.storage._MAX_RATIO", 20)
    values = {f"x{k}": np.arange(4000) == k for k in range(40)}
    panel = TablePanel(values, np.arange(4000) % 2, target="t", class_names=["no", "yes"])
    panel.save(tmp_path / "flags.npz")
    assert (tmp_path / "flags.npz").stat().st_size > 4000 * 40 * 8
    assert load_panel(tmp_path / "flags.npz").digest() == panel.digest()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_refused_or_harmless(tmp_path_factory, good, data):
    """With bits flipped a file is refused, or, where they meant nothing, it is the same panel."""
    content = bytearray(npz(**good))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=4, unique=True)):
        content[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.mktemp("fuzz") / "panel.npz"
    path.write_bytes(content)
    with contextlib.suppress(PanelError):
        assert load_panel(path).digest() == TablePanel(**small()).digest()


def remarks_of(**changes):
    """Return what speaks against a panel of 24 rows, in one text."""
    rows = 24
    parts = {
        "values": {"age": np.arange(rows), "sex": ["m", "f"] * 12},
        "truth": [0, 0, 1, 1] * 6,
        "target": "bought",
        "class_names": ["no", "yes"],
        "groups": {"sex": ["m", "f"] * 12},
    }
    return "\n".join(TablePanel(**{**parts, **changes}).remarks)


REMARKS = {
    "one class": ({"truth": [0] * 24}, "All rows are of one class, no"),
    "class": ({"class_names": ["no", "yes", "maybe"]}, r"Classes without a row, .* \(1\): maybe"),
    "one number": ({"class_names": (), "truth": [2.5] * 24}, r"The truth is one number, 2\.5"),
    "small": (
        {"groups": {"sex": ["m"] * 12 + ["f"] * 11 + ["x"]}},
        r"fewer than 10 rows, of which nothing is measured \(1\): sex=x \(1 row\)\.",
    ),
    "alone": ({"groups": {"sex": ["m"] * 24}}, r"Divisions without two sub-populations to compare \(1\): sex"),
    "constant": ({"values": {"age": np.arange(24), "b": [1] * 24}}, r"Columns that hold one value.* \(1\): b\."),
    "missing": ({"values": {"age": [*range(22), None, None]}}, r"values are missing \(1\): age \(2 rows\)"),
    "mixed": ({"values": {"age": [str(k) for k in range(9)] * 2 + ["NA"] * 6}}, r"numbers but for a few.*age \('NA'\)"),
    "many": ({"values": {"who": [f"p{k}" for k in range(24)]}}, r"hardly repeat.*who \(24 categories\)"),
    "one subject": ({"subjects": ["a"] * 24}, "All rows are of one subject"),
    "subjects": ({"subjects": ["a"] * 2 + ["b"] * 22}, "1 of 2 subjects have rows of one class only, .*: a\\."),
    "repeats": (
        {"values": {"a": [0, 0, *range(2, 24)]}},
        r"more than once and count as often \(1\): row-0000 = row-0001",
    ),
    "torn": ({"values": {"a": [*range(22), 21, 21], "b": [1, 2] * 12}}, r"with different truth.* row-0021 = row-0023"),
}


@pytest.mark.parametrize(("changes", "message"), REMARKS.values(), ids=REMARKS.keys())
def test_what_speaks_against_a_panel_is_said(changes, message):
    """Each remark names what it is about; a panel in order has none."""
    if "torn" in message or "different" in message:
        changes = {**changes, "truth": [*([0, 1] * 11), 1, 0]}
    assert re.search(message, remarks_of(**changes))
    assert remarks_of() == ""


@pytest.mark.slow
@few
@given(panel=table_panels())
def test_rows_are_the_same_where_all_their_cells_are(panel):
    """Two rows share a number exactly where they print alike."""
    printed = [
        tuple(str(part[row] + 0.0 if part.dtype.kind == "f" else part[row]) for part in panel.values.values())
        for row in range(len(panel))
    ]
    same = find_same_rows(panel)
    for one in range(len(panel)):
        for other in range(len(panel)):
            assert (same[one] == same[other]) == (printed[one] == printed[other])
