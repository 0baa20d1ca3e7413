"""Each file of CMU Faces is read as it is, ignored for a stated reason, or refused by name."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelcheck.faces.cmu import CmuError, cmu_panel, read_cmu, read_pgm, task_labels
from modelcheck.faces.pictures import task_classes

CMU = Path(__file__).resolve().parents[2] / "shared" / "cmu_faces" / "faces"
real = pytest.mark.skipif(not CMU.is_dir(), reason="needs CMU Faces in ../shared/cmu_faces/faces")
few = settings(max_examples=80, deadline=None)


def raw(image, maxval):
    """Return a picture as raw PGM."""
    values = image.astype(np.uint8 if maxval < 256 else ">u2").tobytes()
    return b"P5\n%d %d\n%d\n" % (image.shape[1], image.shape[0], maxval) + values


def plain(image, maxval):
    """Return a picture as plain PGM, one row of pixels a line."""
    rows = "\n".join(" ".join(str(value) for value in row) for row in image.tolist())
    return f"P2\n{image.shape[1]} {image.shape[0]}\n{maxval}\n{rows}\n".encode()


def slow_pgm(content):
    """Return the picture of a PGM without comments, word by word and byte by byte."""
    kind, width, height, maxval = content.split(None, 4)[:4]
    width, height, maxval = int(width), int(height), int(maxval)
    if kind == b"P2":
        values = [int(word) for word in content.split()[4:]]
    else:
        size = width * height * (1 if maxval < 256 else 2)
        body = content[len(content) - size :]
        values = list(body) if maxval < 256 else [256 * a + b for a, b in zip(body[::2], body[1::2], strict=True)]
    return [values[row * width : (row + 1) * width] for row in range(height)]


@st.composite
def pictures(draw):
    """Return a picture and a maxval that it keeps to."""
    maxval = draw(st.sampled_from([1, 9, 156, 255, 256, 1000, 65535]))
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    return draw(hnp.arrays(np.uint16, shape, elements=st.integers(0, maxval))), maxval


@few
@given(picture=pictures(), write=st.sampled_from([raw, plain]))
@example(picture=(np.array([[32, 10], [13, 35]], np.uint16), 255), write=raw)
def test_values_are_read_as_they_are(tmp_path_factory, picture, write):
    """Raw and plain alike: the file's own values, not divided by its maxval, at 8 bits or 16."""
    image, maxval = picture
    path = tmp_path_factory.mktemp("pgm") / "x.pgm"
    path.write_bytes(write(image, maxval))
    read = read_pgm(path)
    assert read.dtype == (np.uint8 if maxval < 256 else np.uint16)
    assert read.tolist() == slow_pgm(path.read_bytes()) == image.tolist()


def test_the_slow_reader_can_disagree():
    """The oracle is no echo: it sees one changed value."""
    image = np.array([[1, 2], [3, 4]])
    assert slow_pgm(raw(image, 9)) != slow_pgm(raw(image.T, 9))


@pytest.mark.parametrize(
    "content",
    [
        b"P2 # made by hand\n2 # wide\n1\n# bright\n9\n1 # one\n2\n",
        b"P2\n#\n#\n2 1 9\n1\t2",
        b"P2 2 1 9#\n1 2",
        b"P5#c\n2#c\r1 # c\n9\n\x01\x02",
        b"P5\r\n2 1\r\n9\n\x01\x02",
        b"P5 2 1 9 \x01\x02\n",
    ],
    ids=["everywhere", "short lines", "after maxval", "raw", "other line ends", "newline at the end"],
)
def test_comments_and_blanks_are_passed_over(tmp_path, content):
    """Comments and any blanks may part the header; plain values too."""
    (tmp_path / "x.pgm").write_bytes(content)
    assert read_pgm(tmp_path / "x.pgm").tolist() == [[1, 2]]


MALFORMED = {
    "empty": (b"", "does not begin with P2 or P5"),
    "bitmap": (b"P1\n1 1\n1\n", "does not begin with P2 or P5"),
    "colour": (b"P6\n1 1\n9\n\x01\x01\x01", "does not begin with P2 or P5"),
    "header cut": (b"P5\n2 1", "does not begin with P2 or P5"),
    "negative width": (b"P5\n-2 1\n9\n", "does not begin with P2 or P5"),
    "no width": (b"P5\n0 1\n9\n", "header says 0 x 1 pixels"),
    "no maxval": (b"P5\n1 1\n0\n\x00", "with maxval 0"),
    "maxval": (b"P5\n1 1\n65536\n\x00", "with maxval 65536"),
    "absurd": (b"P5\n9999999999 1\n9\n\x00", "absurdly large number"),
    "absurd plain": (b"P2\n1 1\n9\n" + b"1" * 5000, "where a number up to 9 is expected"),
    "large": (b"P5\n99999999 99999999\n9\n\x00", "1 bytes of values where its header promises 9999999800000001"),
    "raw short": (b"P5\n2 1\n9\n\x01", "1 bytes of values where its header promises 2"),
    "raw long": (b"P5\n2 1\n9\n\x01\x02\x03", "3 bytes of values where its header promises 2"),
    "raw deep short": (b"P5\n2 1\n999\n\x01\x02\x03", "3 bytes of values where its header promises 4"),
    "raw high": (b"P5\n2 1\n9\n\x01\x0a", "holds the value 10, above its maxval 9"),
    "raw comment": (b"P5\n2 1\n9# c\n\x01\x02", "a comment stands where its values should begin"),
    "plain short": (b"P2\n2 1\n9\n1", "1 values where its header promises 2"),
    "plain long": (b"P2\n2 1\n9\n1 2 3", "3 values where its header promises 2"),
    "plain high": (b"P2\n2 1\n9\n1 10", "holds the value 10, above its maxval 9"),
    "plain text": (b"P2\n2 1\n9\n1 x", "holds b'x' where a number up to 9 is expected"),
    "plain negative": (b"P2\n2 1\n9\n1 -1", "holds b'-1' where a number"),
    "plain underscore": (b"P2\n2 1\n9\n1 1_0", "holds b'1_0' where a number"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_picture_is_refused_by_name(tmp_path, content, message):
    """A picture that is not exactly what its header says is an error that names the file and the fault."""
    (tmp_path / "x.pgm").write_bytes(content)
    with pytest.raises(CmuError, match=f"x.pgm' is no whole PGM file: .*{re.escape(message)}"):
        read_pgm(tmp_path / "x.pgm")


def test_missing_picture_is_refused_by_name(tmp_path):
    """No file, or a folder in its place, is the same kind of error."""
    for path in (tmp_path / "none.pgm", tmp_path):
        with pytest.raises(CmuError, match="cannot be read"):
            read_pgm(path)


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(max_size=60), st.text("P25 \n#019x", max_size=40).map(str.encode)))
def test_any_bytes_are_a_picture_or_an_error(tmp_path_factory, content):
    """Whatever a file holds, the answer is a picture or a CmuError."""
    path = tmp_path_factory.mktemp("pgm") / "x.pgm"
    path.write_bytes(content)
    try:
        image = read_pgm(path)
    except CmuError:
        return
    assert image.ndim == 2
    assert image.tolist() == slow_pgm(re.sub(rb"#[^\r\n]*", b"", content)) or b"P5" in content


def person(folder, subject, *, resolution=4, poses=("left", "straight"), value=7, maxval=9):
    """Write some pictures of one person."""
    (folder / subject).mkdir(parents=True, exist_ok=True)
    suffix = {1: "", 2: "_2", 4: "_4"}[resolution]
    image = np.full((120 // resolution, 128 // resolution), value)
    for pose in poses:
        for eyes in ("open", "sunglasses"):
            name = f"{subject}_{pose}_happy_{eyes}{suffix}.pgm"
            (folder / subject / name).write_bytes(raw(image, maxval))


@pytest.fixture
def faces(tmp_path):
    """Return a folder with pictures of two people."""
    folder = tmp_path / "faces"
    person(folder, "bpm")
    person(folder, "an2i", poses=("up", "right"))
    return folder


def test_folder_is_read_in_order_of_name(faces):
    """One row a picture, sorted by name, with what the name says and the picture's own values."""
    frame = read_cmu(faces, resolution=4)
    assert list(frame.columns) == ["name", "path", "subject", "pose", "expression", "eyes", "image"]
    assert frame["name"].tolist() == sorted(frame["name"])
    assert frame.iloc[0][["name", "subject", "pose", "expression", "eyes"]].tolist() == [
        "an2i_right_happy_open",
        "an2i",
        "right",
        "happy",
        "open",
    ]
    assert {(image.shape, image.dtype.name, int(image.max())) for image in frame["image"]} == {((30, 32), "uint8", 7)}
    assert read_cmu(faces, resolution=4, subjects=["bpm"])["subject"].unique().tolist() == ["bpm"]


def test_what_is_ignored_is_ignored_for_a_reason(faces):
    """Hidden files and the makers' .bad files are passed over, and the frame says which and why."""
    for name in (".DS_Store", "bpm/.anonr", "bpm/bpm_up_sad_open_4.bad"):
        (faces / name).write_bytes(b"?")
    ignored = read_cmu(faces, resolution=4).attrs["ignored"]
    assert {Path(path).name: reason.split(":")[0].split(" by ")[0] for path, reason in ignored.items()} == {
        ".DS_Store": "hidden",
        ".anonr": "hidden",
        "bpm_up_sad_open_4.bad": "marked",
    }


def test_all_files_that_cannot_be_used_are_named_at_once(faces):
    """Truncated, foreign, misplaced, 16-bit, wrongly sized, missing: one error lists every one of them."""
    bpm = faces / "bpm"
    (faces / "notes.txt").write_bytes(b"")
    (bpm / "an2i_left_sad_open_4.pgm").write_bytes(b"")
    (bpm / "bpm_left_sad_shut_4.pgm").write_bytes(b"")
    (bpm / "bpm_left_sad_open_4.pgm").write_bytes(raw(np.zeros((30, 32)), 9)[:-1])
    (bpm / "bpm_left_angry_open_4.pgm").write_bytes(raw(np.zeros((30, 32)), 999))
    (bpm / "bpm_left_neutral_open_4.pgm").write_bytes(raw(np.zeros((60, 64)), 9))
    (bpm / "bpm_up_sad_open_2.pgm").write_bytes(raw(np.zeros((60, 64)), 9))
    (bpm / "bpm_up_sad_sunglasses_2.pgm").write_bytes(raw(np.zeros((60, 64)), 9))
    (bpm / "bpm_up_sad_sunglasses_4.bad").write_bytes(b"")
    with pytest.raises(CmuError, match=r"7 files of .* cannot be used") as caught:
        read_cmu(faces, resolution=4)
    message = str(caught.value)
    for part in (
        "notes.txt: its name is not",
        "an2i_left_sad_open_4.pgm: its name is not",
        "bpm_left_sad_shut_4.pgm: its name is not",
        "bpm_left_sad_open_4.pgm' is no whole PGM file",
        "bpm_left_angry_open_4.pgm: 16-bit",
        "bpm_left_neutral_open_4.pgm: 64 x 60 pixels, expected 32 x 30",
        "bpm_up_sad_open: there at another resolution, missing at 4",
        "fetch these again, or move them out",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 3}, "resolution is 1, 2 or 4 .*, not 3"),
        ({"resolution": 2}, r"no picture at resolution 2; it has the resolutions \[4\]"),
        ({"resolution": 4, "subjects": ["bmp"]}, "no subject 'bmp'. Did you mean 'bpm'?"),
        ({"resolution": 4, "subjects": "bpm"}, "must be a list of one or more names, not 'bpm'"),
        ({"resolution": 4, "subjects": []}, r"must be a list of one or more names, not \[\]"),
    ],
    ids=["resolution", "absent", "subject", "word", "nobody"],
)
def test_impossible_request_is_refused(faces, options, message):
    """Each impossible request says what there is instead."""
    with pytest.raises(CmuError, match=message):
        read_cmu(faces, **options)


def test_wrong_folder_is_refused_with_the_right_one(tmp_path, faces):
    """A folder that is missing, empty or one too high says which to give."""
    (tmp_path / "empty").mkdir()
    for folder, message in [
        (tmp_path / "none", "There is no folder"),
        (tmp_path / "empty", "holds no subject's folder"),
    ]:
        with pytest.raises(CmuError, match=message):
            read_cmu(folder)
    (tmp_path / "empty").rmdir()
    with pytest.raises(CmuError, match=f"give {str(faces)!r}"):
        read_cmu(tmp_path)


@pytest.mark.parametrize(
    ("task", "expected"),
    [("left", [0, 0, 1, 0]), ("right", [1, 0, 0, 0]), ("four", [1, 3, 0, 2]), ("sunglasses", [0, 1, 1, 0])],
)
def test_each_task_asks_its_question(task, expected):
    """Labels are positions among the task's classes, in the documented order."""
    frame = pd.DataFrame(
        {"pose": ["right", "up", "left", "straight"], "eyes": ["open", "sunglasses", "sunglasses", "open"]}
    )
    assert task_labels(frame, task).tolist() == expected
    assert max(expected) < len(task_classes(task))


def test_unknown_task_is_refused_with_a_suggestion(faces):
    """A mistyped task names the nearest."""
    with pytest.raises(CmuError, match=re.escape("no task 'lefft'. Did you mean 'left'?")):
        cmu_panel(faces, resolution=4, task="lefft")


def test_panel_without_full_size_pictures_has_no_regions(faces):
    """No regions are better than wrong ones; boxes of one's own give them back."""
    panel = cmu_panel(faces, resolution=4)
    assert panel.regions is None
    assert panel.class_names == ("not_left", "left")
    boxes = pd.DataFrame({"name": panel.names, "row": 1, "column": 2, "height": 3, "width": 4})
    assert cmu_panel(faces, resolution=4, boxes=boxes).regions.sum(axis=(1, 2)).tolist() == [12] * len(panel)


@real
def test_real_pictures_agree_with_pillow():
    """Every half-size picture of the real folder equals what Pillow reads once its rescaling is undone."""
    from PIL import Image

    start = time.process_time()  # what others do on the machine does not count
    frame = read_cmu(CMU)
    assert time.process_time() - start < 3
    assert len(frame) == len(list(CMU.glob("*/*_2.pgm")))
    for row in frame.iloc[::25].itertuples():
        maxval = int(Path(row.path).read_bytes().split(None, 4)[3])
        with Image.open(row.path) as picture:
            np.testing.assert_allclose(np.asarray(picture), row.image * (255 / maxval), atol=0.51)


@real
def test_full_size_pictures_are_plain_and_half_size_their_means():
    """Plain and raw files of one picture show the same: each half-size pixel is near the mean of its four."""
    full = read_cmu(CMU, resolution=1, subjects=["an2i"])
    half = read_cmu(CMU, resolution=2, subjects=["an2i"])
    assert Path(full["path"].iloc[0]).read_bytes()[:2] == b"P2"
    assert full["name"].tolist() == half["name"].tolist()
    for big, small in zip(full["image"], half["image"], strict=True):
        means = big.reshape(60, 2, 64, 2).mean(axis=(1, 3))
        assert np.abs(means - small).mean() < 2


@pytest.mark.slow
@real
def test_real_panel_is_ready_to_judge():
    """Two people's panel has bytes, poses as groups, stems as names and a region on every picture."""
    panel = cmu_panel(CMU, subjects=["glickman", "bpm"], task="four")
    assert panel.images.shape == (62, 60, 64, 1)
    assert panel.images.dtype == np.uint8
    assert panel.class_names == ("left", "right", "straight", "up")
    assert np.array(panel.class_names)[panel.labels].tolist() == panel.groups.tolist()
    assert panel.names[0] == "bpm_left_angry_open"
    share = panel.regions.mean(axis=(1, 2))
    assert 0.05 < share.min() < share.max() < 0.3
