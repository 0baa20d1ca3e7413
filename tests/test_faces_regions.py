"""Boxes lie on faces, whoever brought them; what was not found is said to be inferred."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from skimage.transform import resize

from modelcheck.faces.cmu import read_cmu
from modelcheck.faces.regions import (
    RegionError,
    face_boxes,
    panel_boxes,
    read_boxes,
    regions_from_boxes,
    scale_boxes,
    with_face_regions,
)
from modelcheck.panel import Panel

CMU = Path(__file__).resolve().parents[2] / "shared" / "cmu_faces" / "faces"
real = pytest.mark.skipif(not CMU.is_dir(), reason="needs CMU Faces in ../shared/cmu_faces/faces")
few = settings(max_examples=60, deadline=None)
HEADER = "name,row,column,height,width\n"


@pytest.fixture(scope="module")
def face():
    """Return a 120 x 128 picture with one straight face, its eyes near row 56 and column 66."""
    crop = astronaut()[20:260, 100:356].mean(axis=2)
    return np.rint(resize(crop, (120, 128), preserve_range=True, anti_aliasing=True)).astype(np.uint8)


def table(face, poses, *, subject="eileen", **columns):
    """Return a frame of one face a straight picture and an empty wall on the others."""
    wall = np.full_like(face, 90)
    return pd.DataFrame(
        {
            "name": [f"{subject}-{row}" for row in range(len(poses))],
            "subject": subject,
            "pose": poses,
            "image": [face if pose == "straight" else wall for pose in poses],
            **columns,
        }
    )


def test_face_is_found_where_it_is(face):
    """The box of a straight face surrounds its middle and little else."""
    box = face_boxes(table(face, ["straight"])).iloc[0]
    assert box["how"] == "found"
    assert box["row"] < 56 < box["row"] + box["height"] < 100
    assert box["column"] < 66 < box["column"] + box["width"] < 110
    assert 25 < box["height"] < 70


def test_unseen_faces_are_inferred_towards_where_they_look(face):
    """The subject's left widens the box to the picture's right by a fifth, right to the left, up upwards."""
    boxes = face_boxes(table(face, ["left", "straight", "right", "up"])).set_index(pd.Index(list("lsru")))
    assert boxes["how"].tolist() == ["inferred", "found", "inferred", "inferred"]
    seat = boxes.loc["s"]
    fifth = seat["width"] / 5
    right = boxes["column"] + boxes["width"]
    bottom = boxes["row"] + boxes["height"]
    assert boxes.loc["l", "column"] == seat["column"]
    assert right["l"] - right["s"] == pytest.approx(fifth, abs=1)
    assert seat["column"] - boxes.loc["r", "column"] == pytest.approx(fifth, abs=1)
    assert right["r"] == right["s"]
    assert seat["row"] - boxes.loc["u", "row"] == pytest.approx(fifth, abs=1)
    assert bottom["u"] == bottom["s"]


def test_passer_by_is_not_taken_for_the_person(face):
    """A face far from where the person sits does not count; the box is inferred instead."""
    elsewhere = np.full((120, 256), 90, np.uint8)
    elsewhere[:, 128:] = face
    seated = np.full((120, 256), 90, np.uint8)
    seated[:, :128] = face
    frame = table(face, ["straight", "straight", "left"], image=[seated, seated, elsewhere])
    boxes = face_boxes(frame)
    assert boxes["how"].tolist() == ["found", "found", "inferred"]
    assert boxes["column"].max() < 64


def test_boxes_do_not_depend_on_company_or_order(face):
    """A person's boxes are the same alone, among others, and in any order."""
    other = table(np.ascontiguousarray(face[:, ::-1]), ["straight", "up"], subject="mirror")
    alone = face_boxes(other)
    both = pd.concat([table(face, ["left", "straight"]), other])
    for frame in (both, both.iloc[::-1]):
        boxes = face_boxes(frame)
        assert boxes["name"].tolist() == frame["name"].tolist()
        found = boxes.set_index("name").loc[alone["name"]].reset_index()
        pd.testing.assert_frame_equal(found, alone)


@pytest.mark.parametrize("size", [(60, 64), (240, 256)], ids=["half", "double"])
def test_other_sizes_give_the_same_face(face, size):
    """The detector's settings follow the picture's size; the boxes agree with the scaled ones."""
    other = np.rint(resize(face, size, preserve_range=True, anti_aliasing=True)).astype(np.uint8)
    factor = size[0] / 120
    expected = scale_boxes(face_boxes(table(face, ["straight"])), factor)
    boxes = face_boxes(table(other, ["straight"]))
    one = regions_from_boxes(boxes, names=["eileen-0"], shape=size)
    two = regions_from_boxes(expected, names=["eileen-0"], shape=size)
    assert (one & two).sum() / (one | two).sum() > 0.6


def panel_of(face, *, poses=("straight", "left"), low=0.0, high=1.0):
    """Return a panel of floats in a range, in colour."""
    frame = table(face, list(poses))
    images = np.stack(frame["image"].tolist())[..., np.newaxis].repeat(3, axis=-1) / 255 * (high - low) + low
    return Panel(
        images, np.arange(len(poses)), subjects=frame["subject"], class_names=poses, names=frame["name"], groups=poses
    )


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)], ids=str)
def test_panel_of_any_range_gets_its_regions(face, low, high):
    """Floats of any range, in colour, give the regions of the bytes that they came from; the rest stays."""
    panel = panel_of(face, low=low, high=high)
    boxes = panel_boxes(panel)
    assert boxes["how"].tolist() == ["found", "inferred"]
    with_regions = with_face_regions(panel)
    assert with_regions.regions.sum(axis=(1, 2)).tolist() == (boxes["height"] * boxes["width"]).tolist()
    np.testing.assert_array_equal(with_regions.images, panel.images)
    assert with_face_regions(panel, boxes).digest() == with_regions.digest()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="pose"), r"lacks the columns \['pose'\]"),
        (lambda frame: frame.iloc[:0], "no rows"),
        (lambda frame: frame.assign(pose="strait"), r"no pose 'strait'\. Did you mean 'straight'\?"),
        (lambda frame: frame.assign(pose="left"), r"No straight face of eileen was found.*read_boxes"),
        (lambda frame: frame.assign(image=[np.zeros((120, 128), np.uint8)]), "No straight face of eileen"),
        (lambda frame: frame.assign(image=[np.full((120, 128), np.nan)]), "holds NaN or infinity"),
    ],
    ids=["column", "no rows", "pose", "no straight", "no face", "nan"],
)
def test_faces_that_cannot_be_had_are_an_error(face, spoil, message):
    """No guess is made: the error names the person or the column and says what to do."""
    with pytest.raises(RegionError, match=message):
        face_boxes(spoil(table(face, ["straight"])))


def test_own_boxes_are_read(tmp_path):
    """A CSV's boxes arrive as whole numbers, with how they came about."""
    path = tmp_path / "boxes.csv"
    path.write_text("\ufeffname,width,row,column,height\n a ,4,1,2,3\nb,1,0,0,1\n", encoding="utf-8")
    boxes = read_boxes(path)
    assert boxes.to_dict("list") == {
        "name": ["a", "b"],
        "row": [1, 0],
        "column": [2, 0],
        "height": [3, 1],
        "width": [4, 1],
        "how": ["given", "given"],
    }


def test_found_boxes_survive_a_file(tmp_path, face):
    """Boxes written as CSV, to be corrected by hand, are read back the same."""
    boxes = face_boxes(table(face, ["straight", "up"]))
    boxes.to_csv(tmp_path / "boxes.csv", index=False)
    pd.testing.assert_frame_equal(read_boxes(tmp_path / "boxes.csv"), boxes)


BAD_FILES = {
    "empty": ("", "expected name,row,column,height,width in its first line"),
    "header only": (HEADER, "holds no box"),
    "unknown column": ("name,row,colum,height,width\n", "unknown column 'colum'. Did you mean 'column'?"),
    "missing column": ("name,row,column,height\n", "expected name,row,column,height,width"),
    "column twice": ("name,name,row,column,height,width\n", "each once"),
    "too few": (HEADER + "a,1,2,3\n", "line 2 of"),
    "too many": (HEADER + "a,1,2,3,4,5\n", "too many or too few values"),
    "no name": (HEADER + ",1,2,3,4\n", "has no name"),
    "fraction": (HEADER + "a,1,2,3,4\nb,1.5,2,3,4\n", "row must be a whole number from 0, not '1.5'"),
    "negative": (HEADER + "a,1,-2,3,4\n", "column must be a whole number from 0, not '-2'"),
    "flat": (HEADER + "a,1,2,0,4\n", "height must be a whole number from 1, not '0'"),
    "blank": (HEADER + "a,1,2,3,\n", "width must be a whole number from 1, not ''"),
    "huge": (HEADER + f"a,1,2,3,{'9' * 5000}\n", "width must be a whole number from 1"),
    "twice": (HEADER + "a,1,2,3,4\na,1,2,3,4\n", "more than one box for a"),
    "open quote": (HEADER + '"a,1,2,3,4\n', "are no CSV in UTF-8"),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_box_file_is_refused_with_its_line(tmp_path, text, message):
    """Each bad file is an error that names the line or the column."""
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RegionError, match=re.escape(message)):
        read_boxes(tmp_path / "boxes.csv")


@few
@given(
    content=st.one_of(st.binary(max_size=60), st.text('ab,0123"\n.-', max_size=40).map(lambda t: (HEADER + t).encode()))
)
def test_any_bytes_are_boxes_or_an_error(tmp_path_factory, content):
    """Whatever the file holds, the answer is boxes or a RegionError."""
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    path.write_bytes(content)
    try:
        boxes = read_boxes(path)
    except RegionError:
        return
    assert len(boxes) > 0
    assert (boxes[["height", "width"]] >= 1).all(axis=None)


def test_missing_box_file_is_refused(tmp_path):
    """No file, or a folder in its place, is the same kind of error."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(RegionError, match="cannot be read"):
            read_boxes(path)


@few
@given(row=st.integers(0, 5), column=st.integers(0, 6), height=st.integers(1, 4), width=st.integers(1, 4))
def test_masks_cover_exactly_their_box(row, column, height, width):
    """A mask agrees with the slow definition, pixel by pixel, inside the picture; outside it is refused."""
    boxes = pd.DataFrame({"name": ["a"], "row": row, "column": column, "height": height, "width": width})
    if row + height > 6 or column + width > 8:
        with pytest.raises(RegionError, match=r"The box of 'a' .* is not inside a picture of 6 x 8 pixels"):
            regions_from_boxes(boxes, names=["a"], shape=(6, 8))
        return
    mask = regions_from_boxes(boxes, names=["a"], shape=(6, 8))[0]
    slow = [[row <= y < row + height and column <= x < column + width for x in range(8)] for y in range(6)]
    assert mask.tolist() == slow
    twice = regions_from_boxes(scale_boxes(boxes, 2), names=["a"], shape=(12, 16))[0]
    assert twice.tolist() == np.kron(mask, np.ones((2, 2), bool)).tolist()
    back = scale_boxes(scale_boxes(boxes, 2), 0.5)
    pd.testing.assert_frame_equal(back, boxes)


def test_every_picture_needs_its_one_box():
    """A picture without a box or with two is an error that names it; boxes of other pictures are no harm."""
    boxes = pd.DataFrame({"name": ["b", "a", "c"], "row": [0, 1, 2], "column": 0, "height": 1, "width": 1})
    masks = regions_from_boxes(boxes, names=["a", "b"], shape=(3, 3))
    assert np.argwhere(masks).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(RegionError, match="1 of 2 pictures have no box, the first d"):
        regions_from_boxes(boxes, names=["a", "d"], shape=(3, 3))
    with pytest.raises(RegionError, match="more than one box for b"):
        regions_from_boxes(pd.concat([boxes, boxes.iloc[:1]]), names=["a"], shape=(3, 3))


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")], ids=str)
def test_impossible_factor_is_refused(factor):
    """Sizes are positive."""
    boxes = pd.DataFrame({"name": ["a"], "row": 0, "column": 0, "height": 1, "width": 1})
    with pytest.raises(RegionError, match="factor must be a positive number"):
        scale_boxes(boxes, factor)


@pytest.mark.slow
@real
def test_real_straight_faces_are_all_found():
    """On CMU Faces each straight face of three people is found, and few profiles are."""
    frame = read_cmu(CMU, resolution=1, subjects=["an2i", "bpm", "glickman"])
    boxes = face_boxes(frame).assign(pose=frame["pose"])
    found = (boxes["how"] == "found").groupby(boxes["pose"]).mean()
    assert found["straight"] == 1
    assert found[["left", "right"]].max() < 0.5
    middle = boxes["column"] + boxes["width"] / 2
    assert middle[boxes["pose"] == "right"].mean() < middle[boxes["pose"] == "left"].mean()
