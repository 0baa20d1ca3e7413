"""A panel from folders: a class a folder, all that is wrong is said at once, and nothing is changed unasked."""

from __future__ import annotations

import os
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from modelcheck.__main__ import main
from modelcheck.panel import Conversion, Panel, PanelError

SIZE = (6, 8)


def write(folder, *names, size=SIZE, colour=False, start=0):
    """Write pictures of distinct grey values."""
    for value, name in enumerate(names, start):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3) if colour else size, value, np.uint8)).save(path)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two classes, of two pictures each."""
    return write(tmp_path / "pictures", "dog/a.png", "dog/b.png", "cat/a.png", "cat/b.png")


def command(*words):
    """Run a command of `modelcheck panel` and return its exit code and what it printed."""
    done = CliRunner().invoke(main, ["panel", *map(str, words)])
    return done.exit_code, done.output


def test_a_folder_for_each_class_is_a_panel(folder):
    """Classes are sorted, and pictures are called by their paths."""
    panel = Panel.from_folder(folder)
    assert panel.class_names == ("cat", "dog")
    assert panel.labels.tolist() == [0, 0, 1, 1]
    assert panel.names.tolist() == ["cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"]
    assert panel.images[:, 0, 0, 0].tolist() == [2, 3, 0, 1]
    assert (panel.subjects, panel.conversion, panel.remarks) == (None, None, ())


def test_folders_in_the_classes_are_subjects(tmp_path):
    """In class/subject/picture the subject is the folder, of one name in all classes."""
    write(tmp_path, "cat/tim/1.png", "cat/ada/1.png", "dog/ada/1.png")
    assert Panel.from_folder(tmp_path).subjects.tolist() == ["ada", "tim", "ada"]


def test_keras_reads_the_same_order(folder):
    """`image_dataset_from_directory` has the same classes, and its pictures are those of the panel."""
    utils = pytest.importorskip("keras").utils
    data = utils.image_dataset_from_directory(
        folder, image_size=SIZE, shuffle=False, color_mode="grayscale", verbose=False
    )
    found, panel = Panel.from_dataset(data), Panel.from_folder(folder)
    assert found.class_names == panel.class_names
    np.testing.assert_array_equal(found.images, panel.images.astype(np.float32))
    assert found.labels.tolist() == panel.labels.tolist()


def test_the_order_of_the_networks_outputs_may_be_given(folder):
    """The classes stand as they are given, one without a folder among them, which is said."""
    panel = Panel.from_folder(folder, class_names=["dog", "fox", "cat"])
    assert panel.labels.tolist() == [2, 2, 0, 0]
    assert panel.remarks == ("Classes without a picture, of which nothing is judged (1): fox.",)


def test_numbers_are_sorted_as_keras_sorts_them(tmp_path):
    """Folders 0 to 10 are sorted as words, and that is said with the other order."""
    write(tmp_path / "p", *(f"{k}/x.png" for k in range(11)))
    code, said = command("from-folder", tmp_path / "p", "--out", tmp_path / "x.npz")
    assert code == 0
    assert Panel.load(tmp_path / "x.npz").class_names[:3] == ("0", "1", "10")
    assert "--classes 0,1,2,3,4,5,6,7,8,9,10" in said


SPOILED = {
    "no folder": (lambda at: at / "none", {}, "There is no folder"),
    "no classes": (
        lambda at: at / "cat",
        {},
        "holds no folders, .* one for each class; files lie in it .2.: a.png, b.png",
    ),
    "one class": (
        lambda at: write(at / "new", "cat/a.png").resolve(),
        {},
        "one class only, 'cat'.*--classes cat,other",
    ),
    "splits": (lambda at: write(at / "new", "train/c/a.png", "test/c/b.png"), {}, "parts of a data set, not classes"),
    "loose": (lambda at: write(at, "x.png"), {}, "Files lie beside the folders of the classes .1.: x.png"),
    "two depths": (lambda at: write(at, "cat/tim/x.png"), {}, "class/picture or all in class/subject/picture"),
    "deep": (lambda at: write(at / "new", "c/s/t/x.png", "d/s/t/y.png"), {}, "class/picture or all in"),
    "empty": (lambda at: (at / "fox").mkdir() or at, {}, "Folders of classes hold no picture .1.: fox"),
    "strange": (lambda at: at, {"class_names": ["cat", "fox"]}, "Folders .* are none of the classes cat, fox .1.: dog"),
    "two labels": (
        lambda at: write(at, "cat/z.png"),
        {},
        r"same pixels are there under two labels .1.: cat/z.png \(cat\) = dog/a.png \(dog\)",
    ),
}


@pytest.mark.parametrize(("spoil", "words", "message"), SPOILED.values(), ids=SPOILED)
def test_folders_that_do_not_fit_are_refused(folder, spoil, words, message):
    """Each fault of the folders is an error that names them."""
    with pytest.raises(PanelError, match=message):
        Panel.from_folder(spoil(folder), **words)


def test_all_that_is_wrong_is_said_at_once_with_the_command_that_works(folder, tmp_path):
    """Files that are no pictures, sizes, colours and turned pictures: one message, and its command makes the panel."""
    write(folder, "dog/c.png", "dog/d.png", size=(8, 6), colour=True, start=9)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full(SIZE, 77, np.uint8)).save(folder / "cat/t.jpg", exif=exif)
    (folder / "cat/notes.txt").write_text("x")
    (folder / "cat/.DS_Store").write_text("x")
    code, said = command("from-folder", folder, "--out", tmp_path / "x.npz")
    assert code == 4
    for words in (
        "2 of 8 pictures cannot be used",
        "it is no picture in PNG, JPEG, PPM, BMP, GIF, TIFF, WEBP: cat/notes.txt",
        "stored turned or mirrored, and its EXIF data say so: cat/t.jpg",
        "2 sizes (height x width): 6x8 (4), 8x6 (2)",
        "4 pictures are grey and 2 are in colour",
    ):
        assert words in said
    assert not (tmp_path / "x.npz").exists()
    again = shlex.split(said.splitlines()[-1].partition("For example: modelcheck panel ")[2])
    code, said = command(*again)
    assert code == 0, said
    for words in ("Hidden files were left out (1): cat/.DS_Store", "cat/notes.txt", "modelcheck init --panel"):
        assert words in said
    panel = Panel.load(tmp_path / "x.npz")
    assert len(panel) == 7
    assert panel.conversion == (
        "3 of 7 pictures brought from 8x6 (3) to 6x8, stretched, by Pillow (bilinear); 5 of 7 pictures made rgb from "
        "grey; turned upright as EXIF says; 1 of 8 pictures left out that cannot be used"
    )
    assert "brought from" in repr(panel)
    assert panel.subset([0, 1]).conversion == panel.conversion


def test_skipping_never_leaves_an_empty_panel(tmp_path):
    """Where nothing can be read, leaving it out is no way."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text("x")
    with pytest.raises(PanelError, match="None of 2 pictures can be used"):
        Panel.from_folder(tmp_path, skip_bad=True)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_scaling_keeps_a_plain_picture_and_its_mask_together(tmp_path, fit):
    """A white square on black and its mask are scaled alike, in each fit."""
    square = np.zeros((40, 80), np.uint8)
    square[10:30, 30:50] = 255
    for name in ("a.png", "m.png"):
        Image.fromarray(square).save(tmp_path / name)
    table = {"path": ["a.png"], "label": ["x"], "mask": ["m.png"]}
    conversion = Conversion(size=(20, 20), fit=fit)
    panel = Panel.from_frame(table, class_names=["x", "y"], root=tmp_path, conversion=conversion)
    assert panel.images.shape == (1, 20, 20, 1)
    white = panel.images[0, ..., 0] > 127
    assert panel.regions.sum() == pytest.approx({"stretch": 50, "crop": 100, "pad": 25}[fit], abs=6)
    assert np.mean(panel.regions[0] == white) > 0.95


def test_a_picture_of_the_asked_size_is_not_touched(folder):
    """Scaling to the size that all have changes no pixel, and no words are made of it."""
    panel = Panel.from_folder(folder, conversion=Conversion(size=SIZE))
    assert panel.digest() == Panel.from_folder(folder).digest()


@pytest.mark.parametrize(
    "words",
    [{"size": (0, 3)}, {"size": 96}, {"size": (1.5, 2)}, {"fit": "x"}, {"colours": "x"}, {"exif": "x"}],
    ids=str,
)
def test_a_conversion_is_checked(words):
    """Settings that are none are refused by name."""
    with pytest.raises(PanelError, match=f"{next(iter(words))} must be"):
        Conversion(**words)


MASKS = {
    "size": (np.zeros((3, 3)), "its mask must be grey and of its size, not 3x3 for 6x8"),
    "colour": (np.zeros((6, 8, 3)), "not 6x8 in colour"),
    "shades": (np.arange(48).reshape(6, 8), "its mask must hold two values"),
    "nowhere 0": (np.where(np.arange(48).reshape(6, 8) > 9, 5, 6), "its mask must hold two values, 0 and another"),
    "missing": (None, "its mask cannot be read: No such file"),
}


@pytest.mark.parametrize(("mask", "message"), MASKS.values(), ids=MASKS)
def test_a_mask_that_says_too_much_is_refused(folder, mask, message):
    """A mask says yes or no for each pixel of its picture."""
    if mask is not None:
        Image.fromarray(mask.astype(np.uint8)).save(folder / "m.png")
    with pytest.raises(PanelError, match=message):
        Panel.from_frame(
            {"path": ["cat/a.png"], "label": ["x"], "mask": ["m.png"]}, class_names=["x", "y"], root=folder
        )


def test_pictures_of_the_training_list_are_found(folder, tmp_path):
    """A picture that was trained on is found under another name and in another format; others are counted."""
    train = write(tmp_path / "train", "cat/z.bmp", start=3)
    words = ["from-folder", folder, "--out", tmp_path / "x.npz", "--training-list"]
    code, said = command(*words, train)
    assert code == 4
    assert "1 of 1 pictures that were trained on are in the panel, with the same pixels: cat/b.png = " in said
    assert not (tmp_path / "x.npz").exists()
    write(tmp_path / "train", "cat/z.bmp", start=50)
    (tmp_path / "train.csv").write_text("path\ntrain/cat/z.bmp\n")
    for clean in (train, tmp_path / "train.csv"):
        code, said = command(*words, clean)
        assert code == 0
        assert "None of 1 picture of" in said


def test_a_training_list_that_cannot_show_anything_is_refused(folder, tmp_path):
    """Where sizes differ, files cannot be read or none are named, silence would be no answer."""
    words = ["from-folder", folder, "--out", tmp_path / "x.npz", "--training-list"]
    train = write(tmp_path / "train", "a.png", size=(9, 9))
    assert "No picture of the training list" in command(*words, train)[1]
    (train / "b.png").write_text("x")
    assert "1 of 2 pictures of the training list" in command(*words, train)[1]
    (tmp_path / "none").mkdir()
    assert "names no pictures" in command(*words, tmp_path / "none")[1]
    assert not (tmp_path / "x.npz").exists()


def test_a_trained_picture_that_was_compressed_anew_is_noted(tmp_path):
    """It is not equal, so it refuses nothing; another picture, and a flat one, are not noted."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    for name, picture in (
        ("h/a/1.png", noise[0]),
        ("h/b/2.png", noise[1]),
        ("h/b/flat.png", np.full_like(noise[0], 9)),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "t").mkdir()
    Image.fromarray(noise[0]).save(tmp_path / "t/again.jpg", quality=60)
    Image.fromarray(noise[2]).save(tmp_path / "t/other.png")
    Image.fromarray(np.full_like(noise[0], 8)).save(tmp_path / "t/flat.png")
    words = ["--out", tmp_path / "x.npz", "--training-list", tmp_path / "t"]
    code, said = command("from-folder", tmp_path / "h", *words)
    assert code == 0
    assert "Note: 1 picture of" in said
    assert f"Look at a/1.png and {tmp_path}/t/again.jpg.\n" in said


def test_show_says_what_a_panel_holds(tmp_path):
    """Sizes, counts, subjects, groups, regions and what speaks against it, each in a line."""
    pictures = np.zeros((4, 6, 8), np.uint8)
    pictures[2:] = np.array([1, 2])[:, None, None]
    Panel(
        pictures,
        ["cat", "cat", "dog", "dog"],
        class_names=["cat", "dog", "fox\x1b[31m"],
        subjects=["ada", "ben", "ada", "eva"],
        regions=np.ones((4, 6, 8), bool),
    ).save(tmp_path / "x.npz")
    code, said = command("show", tmp_path / "x.npz")
    assert code == 0
    assert "\x1b" not in said
    assert said.splitlines() == [
        "4 pictures of 6x8x1 (uint8)",
        "classes, in the order of the network's outputs:",
        "- 0 cat: 2",
        "- 1 dog: 2",
        "- 2 fox: 0",
        "subjects: 3, with 1 to 2 pictures each: ada, ben, eva",
        "groups: the classes",
        "regions: 100% to 100% of a picture, 100% on average",
        "names: ada-0000, ben-0001, ada-0002 and 1 more",
        "conversion: none that is recorded",
        "Note: Classes without a picture, of which nothing is judged (1): fox.",
        "Note: 2 of 3 subjects have pictures of one class only, where a network that knows the subject cannot be told "
        "from one that sees the class: ben, eva.",
        "Note: Pictures that are there more than once and count as often (1): ada-0000 = ben-0001.",
    ]


@pytest.mark.parametrize("names", [["black cat, fat"], ["test", "held-out"]])
def test_the_command_that_names_the_classes_works(tmp_path, names):
    """Also where the name of a class holds what a shell or a list takes for something else."""
    write(tmp_path / "in", *(f"{name}/a{place}.png" for place, name in enumerate(names)))
    code, said = command("from-folder", tmp_path / "in", "--out", tmp_path / "made.npz")
    assert code == 4
    again = shlex.split(said.replace("\n", " ").partition("For example: ")[2])
    assert command(*again[2:])[0] == 0
    assert names[0] in Panel.load(tmp_path / "made.npz").class_names


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_folder_that_cannot_be_read_is_refused(folder):
    """A folder without permission is an error, not an empty class."""
    (folder / "cat").chmod(0)
    try:
        with pytest.raises(PanelError, match="cannot be read"):
            Panel.from_folder(folder)
    finally:
        (folder / "cat").chmod(0o700)


@pytest.mark.parametrize("name", ["O'Brien", "a b", "a, b", 'the "x"', "-x", "$HOME; ls", "other", "größe", "#1"])
@pytest.mark.parametrize("way", ["from-folder", "from-table"])
def test_the_command_in_a_message_runs_whatever_a_class_is_called(tmp_path, monkeypatch, name, way):
    """One class only: the example that names all of them makes a panel of it and one more."""
    monkeypatch.chdir(write(tmp_path, f"-p/{name}/1.png"))
    (tmp_path / "t.csv").write_text(
        'path,label\n"{}","{}"\n'.format(*(text.replace('"', '""') for text in (f"-p/{name}/1.png", name)))
    )
    code, said = command(
        way, *(["--out", "h.npz", "--", "-p"] if way == "from-folder" else ["t.csv", "--out", "h.npz"])
    )
    assert code == 4
    again = shlex.split(said.splitlines()[-1].partition("For example: modelcheck panel ")[2])
    code, said = command(*again)
    assert code == 0, said
    assert Panel.load("h.npz").class_names[0] == name


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "\u202eturned", "two  spaces", " lead"])
def test_no_command_is_named_that_a_message_cannot_show(tmp_path, name):
    """A terminal is not shown every sign, and what it is shown would not be the name."""
    code, said = command("from-folder", write(tmp_path / "p", f"{name}/1.png"), "--out", tmp_path / "h.npz")
    assert (code, "one class only" in said, "For example" in said) == (4, True, False)


@pytest.mark.parametrize("name", [b"cat/\xff.png", b"\xff/x.png"], ids=["picture", "class"])
def test_no_panel_is_written_that_cannot_be_read(folder, tmp_path, name):
    """A name on the disk that is no text in UTF-8 is refused before a file holds it."""
    target = os.path.join(os.fsencode(folder), name)  # noqa: PTH118 - a name that no Path shows
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        os.rename(folder / "cat/a.png", target)  # noqa: PTH104
    except OSError:
        pytest.skip("this system has names in UTF-8 only")
    code, said = command("from-folder", folder, "--out", tmp_path / "h.npz")
    assert (code, "no text in UTF-8. Rename it" in said) == (4, True), said
    assert not (tmp_path / "h.npz").exists()


@pytest.mark.parametrize("linked", ["class", "training list"])
def test_pictures_behind_a_link_are_not_left_out_in_silence(folder, tmp_path, linked):
    """A folder that is a link is named: what is behind it would be missing in a panel, or trained on and not found."""
    train = write(tmp_path / "train", "x.png", start=90)
    if linked == "class":
        (folder / "cat" / "more").symlink_to(train)
    else:
        (train / "more").symlink_to(folder)
    code, said = command("from-folder", folder, "--training-list", train, "--out", tmp_path / "h.npz")
    assert (code, "Folders are links, which are not followed (1)" in said) == (4, True), said


@pytest.mark.parametrize("form", [{"size": (4, 4)}, {"colour": True}, {"size": (4, 4), "colour": True}])
def test_the_command_for_a_training_list_of_another_form_runs(folder, tmp_path, form):
    """Other size, other colours or both: what the message proposes makes them alike."""
    train = write(tmp_path / "train", "x.png", start=90, **form)
    code, said = command("from-folder", folder, "--training-list", train, "--out", tmp_path / "h.npz")
    assert code == 4
    code, said = command(*shlex.split(said.splitlines()[-1].partition("For example: modelcheck panel ")[2]))
    assert code == 0, said


def test_a_training_list_of_which_nothing_can_be_read_has_no_such_command(folder, tmp_path):
    """No option makes pictures of what is none; hidden files beside some are counted."""
    train = tmp_path / "train"
    train.mkdir()
    (train / "x.txt").write_text("x")
    words = ["from-folder", folder, "--training-list", train, "--skip-bad", "--out", tmp_path / "h.npz"]
    code, said = command(*words)
    assert (code, "none can be read" in said, "For example" in said) == (4, True, False)
    write(train, ".old/y.png", "z.png", start=90)
    code, said = command(*words)
    assert (code, "Note: 1 hidden file of" in said) == (0, True), said
