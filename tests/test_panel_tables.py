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
    "class": (lambda frame: frame.assign(label="up"), r"Labels \['up'\] are not among the classes"),
    "some box": (lambda frame: frame.drop(columns="width"), "Boxes need all of"),
    "box outside": (lambda frame: frame.assign(height=9), "is not inside a picture of 5 x 6 pixels"),
    "box negative": (lambda frame: frame.assign(row=-1), "is not inside a picture"),
    "box empty": (lambda frame: frame.assign(width=0), "is not inside a picture"),
    "box fraction": (lambda frame: frame.assign(width=0.5), "Boxes must be whole numbers of pixels"),
    "box text": (lambda frame: frame.assign(width="wide"), "Boxes must be whole numbers of pixels"),
    "box hole": (lambda frame: frame.assign(row=[0, None, 1]), r"columns \['row'\] of the table have empty cells"),
    "label hole": (lambda frame: frame.assign(label=["left", None, "left"]), r"columns \['label'\] .* empty cells"),
    "subject hole": (lambda frame: frame.assign(subject=["a", None, "b"]), r"columns \['subject'\] .* empty cells"),
    "missing file": (lambda frame: frame.assign(path="3.png"), "3.png' cannot be read"),
    "folder": (lambda frame: frame.assign(path="."), "cannot be read"),
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
    with pytest.raises(PanelError, match=r"differ in shape: .*0.png' is \(5, 6\), .*1.png' is \(4, 6\)"):
        Panel.from_frame(frame, root=folder)


def test_deep_pictures_are_refused(table):
    """A 16-bit picture is neither clipped nor scaled by guesswork."""
    folder, frame = table
    Image.fromarray(np.full((5, 6), 1000, np.uint16)).save(folder / "1.png")
    with pytest.raises(PanelError, match=r"1.png' cannot be read: it has more than 8 bits a channel"):
        Panel.from_frame(frame, root=folder)


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
        assert re.search("cannot be read|8 bits|empty", str(error))  # noqa: PT017 - both answers are right
    else:
        assert len(panel) == 1
