"""A panel from a table of pictures: what it takes, and what it refuses by name."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modelcheck.panel import Panel, PanelError


@pytest.fixture
def table(tmp_path):
    """Return a folder of three pictures and the table that names them."""
    for row in range(3):
        Image.fromarray(np.full((5, 6), row, np.uint8)).save(tmp_path / f"{row}.png")
    return tmp_path, pd.DataFrame(
        {
            "path": ["0.png", "1.png", "2.png"],
            "label": ["left", "not_left", "left"],
            "subject": ["an2i", "bpm", "bpm"],
            "row": [0, 1, 2],
            "column": [0, 1, 2],
            "height": [5, 1, 3],
            "width": [6, 2, 4],
        }
    )


def test_table_becomes_a_panel(table):
    """Pictures, labels, subjects and boxes of a table arrive in the panel, classes sorted by name."""
    folder, frame = table
    panel = Panel.from_frame(frame, root=folder)
    assert panel.class_names == ("left", "not_left")
    assert panel.labels.tolist() == [0, 1, 0]
    assert panel.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert panel.regions.sum(axis=(1, 2)).tolist() == [30, 2, 12]
    assert np.argwhere(panel.regions[1]).tolist() == [[1, 1], [1, 2]]


def test_table_may_name_classes_pictures_and_groups(table):
    """Class order, names and groups are the user's where given; without boxes there are no regions."""
    folder, frame = table
    frame = frame[["path", "label", "subject"]].assign(name=["x", "y", "z"], group="up")
    panel = Panel.from_frame(frame, class_names=("not_left", "left", "none"), root=folder)
    assert panel.labels.tolist() == [1, 0, 1]
    assert panel.names.tolist() == ["x", "y", "z"]
    assert panel.groups.tolist() == ["up"] * 3
    assert panel.regions is None


def test_colour_pictures_keep_their_channels(tmp_path):
    """A colour picture has three channels, in the order red, green, blue."""
    Image.new("RGB", (6, 5), (1, 2, 3)).save(tmp_path / "0.png")
    frame = pd.DataFrame({"path": ["0.png"], "label": ["x"], "subject": ["a"]})
    panel = Panel.from_frame(frame, class_names=("x", "y"), root=tmp_path)
    assert panel.images.shape == (1, 5, 6, 3)
    assert panel.images[0, 0, 0].tolist() == [1, 2, 3]


TABLES = {
    "column": (lambda frame: frame.drop(columns="label"), r"lacks the columns \['label'\]"),
    "no rows": (lambda frame: frame.iloc[:0], "no rows"),
    "class": (
        lambda frame: frame.assign(label="up"),
        "3 x label 'up' is none of the classes 'left', 'not_left': row 0, row 1",
    ),
    "some box": (lambda frame: frame.drop(columns="width"), "Boxes need all of"),
    "box outside": (lambda frame: frame.assign(height=9), "is not inside a picture of 5x6 pixels: row 1, '1.png'"),
    "box negative": (
        lambda frame: frame.assign(row=-1),
        "3 x its box must be whole numbers of pixels, of at least one pixel",
    ),
    "box empty": (lambda frame: frame.assign(width=0), "its box must be whole numbers of pixels, of at least one"),
    "box fraction": (lambda frame: frame.assign(width=0.5), "its box must be whole numbers of pixels"),
    "box text": (lambda frame: frame.assign(width="wide"), "its box must be whole numbers of pixels"),
    "box hole": (lambda frame: frame.assign(row=[0, None, 1]), "no row: row 1"),
    "label hole": (lambda frame: frame.assign(label=["left", None, "left"]), "no label: row 1"),
    "subject hole": (lambda frame: frame.assign(subject=["a", None, "b"]), "no subject: row 1"),
    "missing file": (
        lambda frame: frame.assign(path=["3.png", "1.png", "2.png"]),
        "No such file or directory: row 0, '3.png'",
    ),
    "folder": (lambda frame: frame.assign(path=["0.png", ".", "2.png"]), "it is a folder, no regular file: row 1, '.'"),
}


@pytest.mark.parametrize(("spoil", "message"), TABLES.values(), ids=TABLES.keys())
def test_table_that_does_not_fit_is_refused(table, spoil, message):
    """Each bad table is an error that names the column, label, box or picture."""
    folder, frame = table
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(spoil(frame), class_names=("left", "not_left"), root=folder)


def test_pictures_of_two_shapes_are_refused(table):
    """Pictures are not resized behind the user's back."""
    folder, frame = table
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "1.png")
    with pytest.raises(PanelError, match=r"2 sizes \(height x width\): 5x6 \(2\), 4x6 \(1\).*--size 5x6"):
        Panel.from_frame(frame, root=folder)


def test_deep_pictures_are_refused(table):
    """A 16-bit picture is neither clipped nor scaled by guesswork."""
    folder, frame = table
    Image.fromarray(np.full((5, 6), 1000, np.uint16)).save(folder / "1.png")
    with pytest.raises(PanelError, match=r"it has more than 8 bits a channel.*: row 1, '1.png'"):
        Panel.from_frame(frame, root=folder)


def write_csv(folder, text, *, name="table.csv"):
    """Write a table beside its pictures and return its path."""
    (folder / name).write_bytes(text.encode())
    return folder / name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_a_dict_and_a_frame_give_one_panel(table, delimiter):
    """The same table as CSV of any delimiter, as a dict and as a DataFrame is the same panel."""
    folder, frame = table
    path = write_csv(folder, "\ufeff" + frame.to_csv(index=False, sep=delimiter))
    expected = Panel.from_frame(frame, root=folder).digest()
    assert Panel.from_frame(path).digest() == Panel.from_frame(frame.to_dict("list"), root=folder).digest() == expected


def test_pictures_keep_the_names_of_their_files(table):
    """Without a column of names a picture is called as its path in the table."""
    folder, frame = table
    assert Panel.from_frame(frame, root=folder).names.tolist() == ["0.png", "1.png", "2.png"]


def test_every_bad_row_is_listed_at_once_with_its_line(table):
    """One error names all that is wrong with a table and its pictures, by line, grouped by reason."""
    folder, _ = table
    (folder / "1.png").write_bytes(b"text")
    rows = ["path,label", "0.png,left", "1.png,left", '"2.png",', "9.png,left", "", "0.png,left,x", "8.png,left"]
    with pytest.raises(PanelError, match="not 2 cells, as the header has: line 7"):
        Panel.from_frame(write_csv(folder, "\n".join(rows)))
    with pytest.raises(PanelError) as refused:
        Panel.from_frame(write_csv(folder, "\n".join(rows[:6] + rows[7:])), class_names=["left", "right"])
    assert str(refused.value).splitlines()[:4] == [
        "4 of 5 pictures cannot be used:",
        "- 2 x No such file or directory: line 5, '9.png', line 7, '8.png'",
        "- no label: line 4",
        "- it is no picture in PNG, JPEG, PPM, BMP, GIF, TIFF, WEBP: line 3, '1.png'",
    ]


def test_a_list_of_faults_is_bounded(tmp_path):
    """Thousands of bad rows are some lines that count them."""
    table = {"path": [f"{row}.png" for row in range(5000)], "label": [f"x{row}" for row in range(5000)]}
    with pytest.raises(PanelError, match=r"row 7 and 4992 more|and \d+ more for other reasons") as refused:
        Panel.from_frame(table, class_names=["a", "b"], root=tmp_path)
    assert len(str(refused.value)) < 3000


NUMBERS = {
    "positions": (["1", "0", "1"], ["cat", "dog"], [1, 0, 1]),
    "names that are numbers": (["1", "0", "1"], ["1", "0"], [0, 1, 0]),
    "beside a hole in its column": ([1.0, 0.0, 1.0], ["cat", "dog"], [1, 0, 1]),
    "all of 0 to 1": ([1, 0, 1], None, [1, 0, 1]),
}


@pytest.mark.parametrize(("labels", "classes", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_labels_may_be_positions(table, labels, classes, expected):
    """A number is a position in the classes, unless the classes are called so."""
    folder, frame = table
    assert Panel.from_frame(frame.assign(label=labels), class_names=classes, root=folder).labels.tolist() == expected


WRONG = {
    "position out of range": (
        "path,label\n0.png,0\n1.png,2\n",
        ["a", "b"],
        "label '2' is none of the classes 'a', 'b': line 3",
    ),
    "numbers with a gap": ("path,label\n0.png,0\n1.png,2\n", None, "numbers, 0, 2, but not all of 0 to 1.*--classes"),
    "plural": (
        "path,label,subjects\n0.png,a,b\n",
        None,
        "column 'subjects', which is not read. Did you mean 'subject'?",
    ),
    "case": ("path,label,Group\n0.png,a,b\n", None, "column 'Group', which is not read. Did you mean 'group'?"),
    "path twice": ("path,label\n0.png,a\n0.png,a\n", ["a", "b"], "its path stands in the table twice.*: line 3"),
    "column twice": ("path,label,label\n0.png,a,b\n", None, "two columns of one name"),
    "quote left open": ('path,label\n"0.png,a\n', None, "is no CSV in line"),
    "no rows": ("path,label\n", None, "no rows"),
    "nothing": ("", None, "lacks the columns"),
    "two labels of one picture": ("path,label,name\n0.png,a,x\n0.png,b,y\n", None, r"x \(a\) = y \(b\)"),
    "one label": ("path,label\n0.png,a\n1.png,\n", None, r"one label, 'a'.*--classes a,other.*\n- no label: line 3"),
    "box and mask": ("path,label,row,column,height,width,mask\n0.png,a,0,0,1,1,m.png\n", None, "has boxes and masks"),
}


@pytest.mark.parametrize(("text", "classes", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_does_not_fit_is_refused(table, text, classes, message):
    """Each fault of a CSV file is an error that names it."""
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(write_csv(table[0], text), class_names=classes)


@pytest.mark.parametrize("table", [3, {"path": ["a"], "label": []}, [["a", "b"]]], ids=str)
def test_what_is_no_table_is_refused(table):
    """Neither a number, nor columns of two lengths, nor a list of rows is taken for a table."""
    with pytest.raises(PanelError, match="table"):
        Panel.from_frame(table)


def test_a_table_that_is_not_utf_8_is_refused(tmp_path):
    """Text in another encoding is not guessed at."""
    (tmp_path / "x.csv").write_bytes("path,label\nk\xe4tzchen.png,a".encode("latin-1"))
    with pytest.raises(PanelError, match="is not in UTF-8"):
        Panel.from_frame(tmp_path / "x.csv")


@given(content=st.binary(max_size=200) | st.text(st.sampled_from('path,label;"\n\t\0 0.'), max_size=60).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_any_bytes_as_a_table_are_refused(tmp_path_factory, content):
    """Noise is no table, and no other error than PanelError comes of it."""
    path = tmp_path_factory.mktemp("noise") / "x.csv"
    path.write_bytes(content)
    with pytest.raises(PanelError):
        Panel.from_frame(path)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_pictures_are_read_or_refused(tmp_path_factory, data):
    """Whatever bytes a picture holds, the answer is a panel or a PanelError."""
    folder = tmp_path_factory.mktemp("pictures")
    kind = data.draw(st.sampled_from(["png", "bmp", "gif", "tiff", "ppm"]))
    buffer = io.BytesIO()
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(buffer, format=kind)
    content = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    (folder / "0").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    frame = pd.DataFrame({"path": ["0"], "label": ["x"], "subject": ["a"]})
    try:
        panel = Panel.from_frame(frame, class_names=("x", "y"), root=folder)
    except PanelError as error:
        assert re.search("cannot be|8 bits|empty", str(error))  # noqa: PT017 - both answers are right
    else:
        assert len(panel) == 1


@pytest.mark.parametrize(("labels", "named"), [((1, 2), "1,2"), ((0, 3), "0,1,2,3"), ((2, 3), "1,2,3")])
def test_labels_that_count_from_one_are_never_shifted(tmp_path, labels, named):
    """The classes that a message proposes for numbers are called by them, so that no label becomes another."""
    rows = "".join(f"{k}.png,{label}\n" for k, label in enumerate(labels))
    (tmp_path / "t.csv").write_text(f"path,label\n{rows}")
    for k in range(2):
        Image.fromarray(np.full((4, 4), k, np.uint8)).save(tmp_path / f"{k}.png")
    with pytest.raises(PanelError) as refused:
        Panel.from_frame(tmp_path / "t.csv")
    assert refused.value.options == ("--classes", named)
    panel = Panel.from_frame(tmp_path / "t.csv", class_names=named.split(","))
    assert [panel.class_names[k] for k in panel.labels] == [str(label) for label in labels]


HOLES = [None, np.nan, pd.NaT, pd.NA, "nan", "NaN", b""]


@pytest.mark.parametrize("hole", HOLES, ids=map(repr, HOLES))
def test_a_hole_is_no_class(table, hole):
    """An empty cell, in whatever way a library writes it, never becomes a class."""
    folder, frame = table
    with pytest.raises(PanelError, match=r"no label|empty cell"):
        Panel.from_frame({"path": list(frame["path"]), "label": ["a", "b", hole]}, root=folder)


def test_bytes_are_the_text_that_they_hold(table):
    """TensorFlow and HDF5 give text as bytes: it is not called b'left'."""
    folder, frame = table
    panel = Panel.from_frame({"path": list(frame["path"]), "label": [b"a", b"b", b"a"]}, root=folder)
    assert panel.class_names == ("a", "b")
    assert Panel(panel.images, [b"a", b"b", b"a"], class_names=[b"a", b"b"]).labels.tolist() == [0, 1, 0]
    with pytest.raises(PanelError, match="UTF-8"):
        Panel(panel.images, panel.labels, class_names=[b"\xff", "b"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["9" * 5000, "0", "1"]}, "none of the classes"),
        ({"row": [10**400, 0, 0], "column": 0, "height": 1, "width": 1}, "its box must be whole numbers"),
    ],
    ids=["label", "box"],
)
def test_numbers_of_any_length_are_refused_in_words(table, columns, message):
    """A number that no computer holds is a fault of its row."""
    folder, frame = table
    given = {"path": list(frame["path"]), "label": ["a", "b", "a"]}
    given |= {name: value if isinstance(value, list) else [value] * 3 for name, value in columns.items()}
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(given, root=folder, class_names=["a", "b"])


def test_two_columns_of_one_name_are_refused(table):
    """In a frame as in a file; the columns' names are not taken for the values."""
    _, frame = table
    double = pd.concat([frame[["path", "label"]], frame[["label"]]], axis=1)
    with pytest.raises(PanelError, match="two columns of one name"):
        Panel.from_frame(double)


def test_a_conversion_is_a_conversion(table):
    """A size alone is refused where one is asked for."""
    folder, frame = table
    with pytest.raises(PanelError, match="must be a Conversion"):
        Panel.from_frame(frame, root=folder, conversion=(8, 8))
