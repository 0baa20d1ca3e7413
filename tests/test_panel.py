"""A panel is whole or refused: what is saved is what is loaded, and nothing that does not fit gets in."""

from __future__ import annotations

import dataclasses
import io
import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelcheck.panel import Panel, PanelError

few = settings(max_examples=50, deadline=None)


words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=6)


@st.composite
def panels(draw, *, floats=True):
    """Return any small panel."""
    n, height, width = draw(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)))
    shape = (n, height, width, draw(st.integers(1, 3)))
    images = draw(
        st.one_of(
            hnp.arrays(np.uint8, shape),
            *([hnp.arrays(np.float32, shape, elements=st.floats(-1, 1, width=32))] if floats else []),
        )
    )
    classes = draw(st.lists(words, min_size=2, max_size=4, unique=True))
    names = draw(st.none() | st.lists(words, min_size=n, max_size=n, unique=True))
    return Panel(
        images,
        np.array(draw(st.lists(st.integers(0, len(classes) - 1), min_size=n, max_size=n))),
        subjects=draw(st.lists(words, min_size=n, max_size=n)),
        class_names=classes,
        regions=draw(st.none() | hnp.arrays(np.bool_, shape[:3])),
        names=names,
        groups=draw(st.none() | st.lists(words, min_size=n, max_size=n)),
    )


def small(**changes):
    """Return the parts of a small good panel, some of them changed."""
    parts = {
        "images": np.arange(36, dtype=np.uint8).reshape(3, 3, 4),
        "labels": np.array([0, 1, 0]),
        "subjects": ["an2i", "an2i", "bpm"],
        "class_names": ["not_left", "left"],
        "regions": np.ones((3, 3, 4), dtype=bool),
        "names": ["a", "b", "c"],
        "groups": ["up", "left", "up"],
    }
    return {**parts, **changes}


def test_defaults_fill_in_names_and_groups():
    """Pictures are named after their subject and grouped by class unless told; grey gets its channel."""
    panel = Panel(**small(names=None, groups=None, regions=None))
    assert panel.images.shape == (3, 3, 4, 1)
    assert panel.names.tolist() == ["an2i-0000", "an2i-0001", "bpm-0002"]
    assert panel.groups.tolist() == ["not_left", "left", "not_left"]
    assert len(panel) == 3


def test_a_panel_cannot_be_changed():
    """Neither through its attributes, nor its arrays, nor the arrays that it was made of."""
    parts = small()
    panel = Panel(**parts)
    digest = panel.digest()
    parts["images"][:] = 0
    parts["labels"][:] = 0
    parts["regions"][:] = False
    assert panel.digest() == digest
    with pytest.raises(dataclasses.FrozenInstanceError):
        panel.labels = np.zeros(3)
    for name in ("images", "labels", "subjects", "regions", "names", "groups"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(panel, name)[0] = getattr(panel, name)[1]


@few
@given(panel=panels())
def test_saving_and_loading_keeps_every_part(tmp_path_factory, panel):
    """A loaded panel has the digest and the arrays of the one that was saved."""
    path = tmp_path_factory.mktemp("panel") / "panel.npz"
    panel.save(path)
    loaded = Panel.load(path)
    assert loaded.digest() == panel.digest()
    assert loaded.class_names == panel.class_names
    for name in ("images", "labels", "subjects", "regions", "names", "groups"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(panel, name))


@pytest.mark.slow
@few
@given(one=panels(), other=panels())
def test_equal_digests_mean_equal_panels(one, other):
    """Two panels share a digest only if every part is the same."""
    same = all(
        np.array_equal(np.asarray(getattr(one, field.name)), np.asarray(getattr(other, field.name)))
        and np.asarray(getattr(one, field.name)).dtype == np.asarray(getattr(other, field.name)).dtype
        for field in dataclasses.fields(Panel)
    )
    assert same == (one.digest() == other.digest())


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.arange(36, dtype=np.uint8).reshape(3, 3, 4)[::-1]},
        {"images": np.arange(36, dtype=np.float32).reshape(3, 3, 4)},
        {"images": np.arange(36, dtype=np.uint8).reshape(3, 4, 3), "regions": np.ones((3, 4, 3), dtype=bool)},
        {"labels": np.array([1, 1, 0])},
        {"subjects": ["an2i", "bpm", "bpm"]},
        {"class_names": ["left", "not_left"]},
        {"regions": None},
        {"regions": np.zeros((3, 3, 4), dtype=bool)},
        {"names": ["a", "b", "d"]},
        {"groups": ["up", "left", "left"]},
    ],
    ids=["pixels", "dtype", "shape", "labels", "subjects", "classes", "no regions", "regions", "names", "groups"],
)
def test_digest_changes_with_any_part(change):
    """No part can change without changing the digest."""
    assert Panel(**small(**change)).digest() != Panel(**small()).digest()


@pytest.mark.slow
@few
@given(panel=panels(), data=st.data())
def test_subset_picks_the_same_rows_of_every_part(panel, data):
    """A subset has each part's rows, by mask and by index alike, and the whole panel is a subset of itself."""
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(panel), max_size=len(panel))))
    mask[data.draw(st.integers(0, len(panel) - 1))] = True
    chosen = panel.subset(mask)
    assert chosen.digest() == panel.subset(np.flatnonzero(mask)).digest()
    assert chosen.class_names == panel.class_names
    for row, old in enumerate(np.flatnonzero(mask)):
        for name in ("images", "labels", "subjects", "regions", "names", "groups"):
            if getattr(panel, name) is not None:
                np.testing.assert_array_equal(getattr(chosen, name)[row], getattr(panel, name)[old])
    assert panel.subset(np.arange(len(panel))).digest() == panel.digest()


@pytest.mark.parametrize(
    ("rows", "message"), [(np.zeros(3, bool), "the panel is empty"), ([0, 0], "names must be distinct")], ids=str
)
def test_subset_without_or_with_repeated_pictures_is_refused(rows, message):
    """A subset is a panel too: not empty, each picture once."""
    with pytest.raises(PanelError, match=f"(?i){message}"):
        Panel(**small()).subset(rows)


@few
@given(panel=panels(floats=False), low=st.floats(-300, 300), span=st.floats(0.01, 300))
def test_bytes_fill_the_input_range_linearly(panel, low, span):
    """0 becomes the lowest input, 255 the highest, the rest lie between in proportion, as float32."""
    inputs = panel.inputs((low, low + span))
    expected = low + panel.images.astype(np.float64) / 255 * span
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs, expected, rtol=1e-6, atol=1e-6 * (abs(low) + span))


@pytest.mark.parametrize("input_range", [(0, 1), (-1, 1), (0, 255), (-0.5, 0.5)], ids=str)
def test_black_and_white_meet_the_ends_of_the_range(input_range):
    """On the common ranges the ends are met and no byte leaves the range."""
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    inputs = Panel(images, [0], subjects=["a"], class_names=["x", "y"]).inputs(input_range)
    assert (inputs.min(), inputs.max()) == input_range


def test_floats_pass_unchanged_and_only_within_the_range():
    """Floats already are inputs; outside the range they are refused, with both spans and the ways out."""
    panel = Panel(**small(images=np.linspace(0, 1, 36, dtype=np.float32).reshape(3, 3, 4)))
    np.testing.assert_array_equal(panel.inputs((0.0, 1.0)), panel.images)
    np.testing.assert_array_equal(panel.inputs((-1, 2)), panel.images)
    for narrow in [(0.1, 1.0), (0.0, 0.9)]:
        with pytest.raises(PanelError, match=r"span 0 to 1, outside the network's input range .* store them as uint8"):
            panel.inputs(narrow)


ragged = [np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8), np.zeros((2, 2), np.uint8)]


nan = np.full((3, 3, 4), 0.5)


nan[1, 0, 0] = np.nan


BAD = {
    "images flat": ({"images": np.zeros((3, 4), np.uint8)}, r"images must be \(n, h, w, c\), not of shape \(3, 4\)"),
    "images none": ({"images": np.zeros((0, 3, 4), np.uint8)}, "The panel is empty"),
    "images int": ({"images": np.zeros((3, 3, 4), np.int64)}, "images must be uint8 or float, not int64"),
    "images text": ({"images": [[["a"]]]}, "images must be uint8 or float"),
    "images ragged": ({"images": ragged}, "images must be one array"),
    "images nan": ({"images": nan}, "hold NaN or infinity: 1; the first is number 1"),
    "images inf": ({"images": np.full((3, 3, 4), np.inf)}, "hold NaN or infinity: 3"),
    "images overflow": ({"images": np.full((3, 3, 4), 1e300)}, "hold NaN or infinity: 3"),
    "labels ragged": ({"labels": [["a"], ["b", "c"], ["a"]]}, "labels must be 3 whole numbers or names of classes"),
    "labels few": ({"labels": np.array([0, 1])}, r"labels must be 3 whole numbers, not int64 of shape \(2,\)"),
    "labels float": ({"labels": np.array([0.0, 1, 0])}, "labels must be 3 whole numbers, not float64"),
    "labels bool": ({"labels": np.array([True, False, True])}, "labels must be 3 whole numbers, not bool"),
    "labels high": ({"labels": np.array([0, 1, 2])}, "labels span 0 to 2, but there are 2 classes: not_left, left"),
    "labels low": ({"labels": np.array([0, 1, -1])}, "labels span -1 to 1"),
    "subjects few": ({"subjects": ["a", "b"]}, r"subjects must be 3 words, one a picture, not of shape \(2,\)"),
    "subjects word": ({"subjects": "abc"}, r"subjects must be 3 words, one a picture, not of shape \(\)"),
    "subjects deep": ({"subjects": [["a"], ["b"], ["c"]]}, r"subjects must be 3 words.* shape \(3, 1\)"),
    "subjects empty": ({"subjects": ["a", "", "c"]}, "subjects must not be empty; number 1 is"),
    "subjects blank": ({"subjects": ["a", "b", " \t"]}, "subjects must not be empty; number 2 is"),
    "subjects None": ({"subjects": ["a", None, "c"]}, "subjects must not be empty; number 1 is"),
    "subjects nan": ({"subjects": ["a", float("nan"), "c"]}, "subjects must not be empty; number 1 is"),
    "groups few": ({"groups": ["up"]}, "groups must be 3 words"),
    "names few": ({"names": ["a"]}, "names must be 3 words"),
    "names twice": ({"names": ["a", "b", "a"]}, "names must be distinct"),
    "classes one": ({"class_names": ["left"], "labels": np.zeros(3, int)}, "at least two distinct names"),
    "classes twice": ({"class_names": ["left", "left"]}, "at least two distinct names"),
    "classes word": ({"class_names": "ab"}, "class_names must be a list of words"),
    "regions shape": ({"regions": np.ones((3, 4, 3), bool)}, r"regions must be booleans of shape \(3, 3, 4\)"),
    "regions dtype": ({"regions": np.ones((3, 3, 4), np.uint8)}, "regions must be booleans .*, not uint8"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_parts_that_do_not_fit_are_refused(changes, message):
    """Each bad part is an error that names it and says what was expected."""
    with pytest.raises(PanelError, match=message):
        Panel(**small(**changes))


def test_missing_panel_file_says_how_to_make_one(tmp_path):
    """No file is an error with the next command."""
    with pytest.raises(PanelError, match=r"There is no panel file .* modelcheck panel --help"):
        Panel.load(tmp_path / "none.npz")


def npz(**parts):
    """Return the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **parts)
    return buffer.getvalue()


def npy(array):
    """Return the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


good = {**small(), "format": np.int64(1)}


FILES = {
    "empty": (b"", "cannot be read as a panel"),
    "text": (b"images,labels\n", "cannot be read as a panel"),
    "npy": (npy(np.zeros(3)), "cannot be read as a panel"),
    "objects": (npz(**{**good, "subjects": np.array(["a", None, {}], dtype=object)}), "cannot be read as a panel"),
    "no format": (npz(**small()), "has panel format .*; this modelcheck reads format 1"),
    "newer": (npz(**{**good, "format": np.int64(2)}), "has panel format .* update modelcheck"),
    "odd format": (npz(**{**good, "format": np.array([1])}), "has panel format"),
    "unknown part": (npz(**good, weights=np.zeros(2)), r"unknown parts \['weights'\]"),
    "missing part": (npz(**{k: v for k, v in good.items() if k != "labels"}), r"missing parts \['labels'\]"),
    "unfit": (npz(**{**good, "labels": np.array([0, 1, 7])}), "is no panel that can be used: labels span 0 to 7"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES.keys())
def test_file_that_is_no_panel_is_refused(tmp_path, content, message):
    """A file of another kind, of another format, or whose parts do not fit is refused by name."""
    path = tmp_path / "panel.npz"
    path.write_bytes(content)
    with pytest.raises(PanelError, match=f"panel.npz.*{message}"):
        Panel.load(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder, the bytes of a good panel file and the panel's digest."""
    folder = tmp_path_factory.mktemp("fuzz")
    panel = Panel(**small())
    panel.save(folder / "good.npz")
    return folder, (folder / "good.npz").read_bytes(), panel.digest()


def answer(folder, content):
    """Return the digest of the panel that the bytes hold, or None when they are refused."""
    path = folder / "damaged.npz"
    path.write_bytes(content)
    try:
        return Panel.load(path).digest()
    except PanelError:
        return None


@pytest.mark.slow
def test_no_flipped_bit_of_the_listing_hides_a_part(saved):
    """A damaged length in the listing swallows the entries behind it: regions, groups or names would silently go."""
    folder, content, digest = saved
    start = content.index(b"PK\x01\x02")
    for bit in range(8 * start, 8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert answer(folder, bytes(damaged)) in (None, digest), f"bit {bit - 8 * start} of the listing"


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00"]))
def test_random_bytes_are_refused(saved, content, start):
    """Noise is no panel, and no other error than PanelError comes of it."""
    assert answer(saved[0], start + content) is None


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_truncated_file_is_refused(saved, data):
    """A file cut short anywhere is refused."""
    folder, content, _ = saved
    assert answer(folder, content[: data.draw(st.integers(0, len(content) - 1))]) is None


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_refused_or_harmless(saved, data):
    """With bits flipped a file is refused, or, where they meant nothing, it is the same panel."""
    folder, content, digest = saved
    damaged = bytearray(content)
    for bit in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=4, unique=True)):
        damaged[bit // 8] ^= 1 << bit % 8
    assert answer(folder, bytes(damaged)) in (None, digest)


def test_saving_replaces_whole_or_not_at_all(tmp_path, monkeypatch):
    """A write that fails leaves the old file as it was and nothing beside it."""
    path = tmp_path / "deep" / "panel.npz"
    Panel(**small()).save(path)
    before = path.read_bytes()

    def stumble(file, **_):
        file.write(b"half of a")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", stumble)
    with pytest.raises(OSError, match="disk full"):
        Panel(**small(groups=None)).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_same_panel_gives_the_same_bytes(tmp_path):
    """Saving twice gives equal files, so that a committed panel does not change without reason."""
    for name in ("one.npz", "two.npz"):
        Panel(**small()).save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_saved_panel_is_as_readable_as_any_new_file(tmp_path):
    """A panel is for a team: its permissions are those of any file written here."""
    (tmp_path / "any").write_bytes(b"")
    Panel(**small()).save(tmp_path / "panel.npz")
    assert stat.S_IMODE((tmp_path / "panel.npz").stat().st_mode) == stat.S_IMODE((tmp_path / "any").stat().st_mode)


def test_a_refusal_is_short_whatever_the_file_holds(tmp_path):
    """A file of thousands of parts, each of a long name, is refused in some lines."""
    np.savez(tmp_path / "x.npz", format=1, **{f"{k}{'x' * 900}": np.zeros(1) for k in range(300)})
    with pytest.raises(PanelError, match=r"unknown parts .* and 295 more") as refused:
        Panel.load(tmp_path / "x.npz")
    assert len(str(refused.value)) < 1000


def test_without_subjects_every_picture_is_independent(tmp_path):
    """A panel without subjects keeps none, through a file too, and each picture stands for itself."""
    Panel(**small(subjects=None, names=None)).save(tmp_path / "panel.npz")
    panel = Panel.load(tmp_path / "panel.npz")
    assert panel.subjects is None
    assert panel.independent.tolist() == panel.names.tolist() == ["picture-0000", "picture-0001", "picture-0002"]
    assert panel.digest() != Panel(**small(names=None)).digest()


def test_labels_may_be_names_of_classes():
    """Names give the panel of their positions; a name of no class is refused, and counted."""
    panel = Panel(**small(labels=["not_left", "left", "not_left"]))
    assert panel.digest() == Panel(**small()).digest()
    with pytest.raises(PanelError, match=r"names of no class: 'up' \(2\)\. The classes are 'not_left', 'left'"):
        Panel(**small(labels=["up", "left", "up"]))


def test_a_conversion_is_kept_and_one_that_lacks_it_has_its_old_digest(tmp_path):
    """What was done to the pictures is a part of the panel, through a file too; without it no digest changes."""
    panel = Panel(**small(conversion="scaled"))
    panel.save(tmp_path / "panel.npz")
    assert Panel.load(tmp_path / "panel.npz").conversion == "scaled"
    assert Panel.load(tmp_path / "panel.npz").digest() == panel.digest() != Panel(**small()).digest()
    assert Panel(**small()).digest() == "49d1a96af633fd8654e2258cb5434f7162e609cc3eaead4ced5de2bb0310f247"


@pytest.mark.parametrize("conversion", ["", " ", 3, ["a"], "x" * 3000], ids=lambda value: repr(value)[:9])
def test_a_conversion_that_is_no_short_text_is_refused(conversion):
    """It is printed wherever the panel is named."""
    with pytest.raises(PanelError, match="conversion must be one text"):
        Panel(**small(conversion=conversion))


def test_remarks_name_what_speaks_against_a_panel():
    """One class alone, one subject alone, and one picture under two labels are said, and refuse nothing."""
    assert Panel(**small()).remarks == (
        "1 of 2 subjects have pictures of one class only, where a network that knows the subject cannot be told from "
        "one that sees the class: bpm.",
    )
    alone = Panel(**small(labels=[1, 1, 1], subjects=["a"] * 3)).remarks
    assert "All pictures are of one class, left" in alone[0]
    assert "All pictures are of one subject" in alone[1]
    torn = Panel(**small(images=np.zeros((3, 3, 4), np.uint8), subjects=None)).remarks
    assert torn == (
        "Pictures that are there more than once under different labels, of which one is wrong (1): a = b = c.",
    )


@pytest.mark.parametrize("there", ["folder", "pipe", "table", "archive", "under a file"])
def test_saving_takes_nothing_away_that_is_no_panel(tmp_path, there):
    """A folder, a pipe, a table, a network's archive: what lies where a panel is to be written stays as it is."""
    path = tmp_path / "x"
    if there == "folder":
        path.mkdir()
    elif there == "pipe":
        os.mkfifo(path)
    elif there == "archive":
        np.savez(tmp_path / "x.npz", images=np.zeros(3))
        (tmp_path / "x.npz").rename(path)
    else:
        path.write_text("path,label\n")
    before = path.stat()
    with pytest.raises(PanelError, match=r"no panel|cannot be written"):
        Panel(**small()).save(path / "h.npz" if there == "under a file" else path)
    assert (path.stat().st_ino, path.stat().st_size, path.stat().st_mode) == (
        before.st_ino,
        before.st_size,
        before.st_mode,
    )
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_may_not_be_written_to_is_told_by_the_name_that_was_given(tmp_path, monkeypatch):
    """Not by the name of a file that nobody asked for."""

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(PermissionError) as refused:
        Panel(**small()).save(tmp_path / "x.npz")
    assert refused.value.filename == str(tmp_path / "x.npz")
